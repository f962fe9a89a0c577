/* SPDX-License-Identifier: Apache-2.0 */
/* explain_train.h - what the forms of an explanation say about a plan that trains. */
#ifndef EDGE_PLAN_EXPLAIN_TRAIN_H
#define EDGE_PLAN_EXPLAIN_TRAIN_H

#include "plan/explain.h"

void explain_train_text(const struct edge_plan *p, FILE *out);
/* Members of the plan's object, with a comma before each. */
void explain_train_json(const struct edge_plan *p, FILE *out);

/* The most Gaussians there can be after each event: growth is bounded, what exceeds the cap is cut. */
struct train_growth {
	uint32_t step, gaussians;
	uint64_t bytes;
};

/* One before the first step, one for each event. Freed by the caller; *count of them. */
struct train_growth *train_growth(const struct edge_plan *p, uint32_t *count);

#endif
