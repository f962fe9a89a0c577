/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - schedules become plan files; plan files are explained. */
#ifndef EDGE_PLAN_H
#define EDGE_PLAN_H

#include "edge/plan_read.h"
#include "sched/schedule.h"

#include <stdio.h>

/* For compile --json; the rest is in struct schedule. */
struct plan_numbers {
	uint64_t bytes; /* of the file */
	uint32_t steps, kernels;
	uint64_t planned_device_bytes, planned_host_bytes, smallest_budget_bytes;
	uint64_t weights_bytes, resident_bytes, streamed_bytes;
	uint64_t activation_peak_bytes, activation_lower_bound_bytes;
	double predicted_ms, predicted_warm_ms, lower_bound_ms;
};

/*
 * Writes the plan; the file appears under its name only when it is complete.
 * version: of the compiler. The same schedule gives the same bytes. False: an
 * error was said and nothing was written. numbers may be NULL.
 */
bool plan_write(struct arena *a, const struct schedule *s, const char *version, const char *path,
		struct plan_numbers *numbers, struct diag *d);

/*
 * Whether a plan may be written to path: said before the work rather than after
 * it. What exists there must be a plan, or empty: sources and models are safe.
 */
bool plan_check_place(const char *path, struct diag *d);

/* What the plan does, where, and why. The plan has passed plan_check(). 0, or -1: out failed. */
int explain_text(const struct edge_plan *p, FILE *out);
int explain_json(const struct edge_plan *p, FILE *out);
/* One self-contained page. */
int explain_html(const struct edge_plan *p, FILE *out);

#endif
