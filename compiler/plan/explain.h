/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - what the three forms of an explanation have in common. */
#ifndef EDGE_PLAN_EXPLAIN_H
#define EDGE_PLAN_EXPLAIN_H

#include "base/size.h"
#include "plan/plan.h"

#define NO_LOAD UINT32_MAX

/* Derived from a plan's records, per step. */
struct explain {
	const struct edge_plan *p;
	uint64_t *live;       /* bytes of activations alive; NULL: the plan has no lifetimes */
	uint32_t *read_first; /* reads that are on their way while the step computes ... */
	uint32_t *read_end;   /* ... as predicted: [first, end) */
	uint32_t *load;       /* what the step carries; NO_LOAD: nothing */
	double *wait;         /* ms that the step waits for the disk, as predicted for a cold run */
};

void explain_init(struct explain *e, const struct edge_plan *p);
void explain_free(struct explain *e);

const char *explain_region_kind(uint32_t kind);
/* "conv 3x3 + relu", or the kernel's name where there is no debug section. */
const char *explain_what(const struct edge_plan *p, uint32_t step);
const char *explain_node(const struct edge_plan *p, uint32_t step); /* "" where unknown */
/* A JSON string with quotes; safe inside a <script> as well. */
void explain_json_string(const char *s, FILE *out);
/* A line for the terminal; what stands in it of a plan's names cannot act on it. */
void explain_say(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Decisions, for the terminal. */
void explain_notes(const struct edge_plan *p, FILE *out);
/* The object that explain_json() prints. */
void explain_json_object(const struct explain *e, FILE *out);

#endif
