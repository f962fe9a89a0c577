/* SPDX-License-Identifier: Apache-2.0 */
/* summary.h - what `edgec compile` says of the plan that it wrote: one JSON object, or one line. */
#ifndef EDGE_SUMMARY_H
#define EDGE_SUMMARY_H

#include "base/strbuf.h"
#include "plan/plan.h"

double summary_now_ms(void); /* on the monotonic clock */

/* The members that every kind of plan has; others may follow. */
void summary_json_begin(struct strbuf *b, const char *path, const struct plan_numbers *n);
void summary_json_count(struct strbuf *b, const char *key, uint64_t x);
void summary_json_ms(struct strbuf *b, const char *key, double x);
/* Prints the object to stdout and frees the text. started: ms, as of summary_now_ms. */
void summary_json_end(struct strbuf *b, double started);

#endif
