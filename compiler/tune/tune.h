/* SPDX-License-Identifier: Apache-2.0 */
/* tune.h - one search: what it is about, what it has found. */
#ifndef EDGE_TUNE_H
#define EDGE_TUNE_H

#include "commands.h"
#include "tune/measure.h"
#include "tune/problem.h"
#include "tune/record.h"

enum { NO_TRIAL = UINT32_MAX };

struct tuning_run {
	struct arena *arena;
	struct diag *diag;
	const struct options *opt;
	const struct decl_tune *tune;
	struct front front;
	struct problem problem;
	struct measure measure;
	struct record_header header;
	struct record record;
	struct search *search;
	const char *search_name;
	uint32_t trials;
	uint64_t seed;
	uint32_t reused;   /* proposals whose outcome was known */
	double started_s;
	/* after the search */
	uint32_t best;     /* index into record.trials; NO_TRIAL: the heuristic is kept */
	struct outcome final;      /* of the best, on samples that the search did not see */
	struct outcome heuristic;  /* the same */
	const char *kept;  /* why the heuristic was kept; NULL: it was not */
	bool verified;
};

/* loop.c: proposes and measures until the trials are used up. False: it cannot go on, said why. */
bool loop_run(struct tuning_run *t);
/* The feasible trial with the lowest score; NO_TRIAL: none. */
uint32_t loop_best(const struct tuning_run *t);
/* Measures the best again, beside the heuristic, and decides which one stays. */
bool loop_verify(struct tuning_run *t);

/* report.c */
void report_progress(const struct tuning_run *t, const struct trial *last);
void report_summary(const struct tuning_run *t);
void report_json(const struct tuning_run *t, const char *lock);
/* The lock file's entry. */
void report_lock(const struct tuning_run *t, struct strbuf *out);

/* html.c: the whole page */
void report_html(const struct tuning_run *t, struct strbuf *out);

double tune_now(void); /* in seconds */

#endif
