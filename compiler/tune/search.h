/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search.h - proposers: given what was tried, what to try next.
 *
 *	struct search *s = search_tpe(&setup);
 *
 *	while (search_ask(s, x))
 *		search_tell(s, x, &outcome);
 *
 * Every search has been told trial 0, the best heuristic, before it is asked.
 * What is asked may have been tried before: the caller knows its outcome and
 * tells it again. Several may be asked before the first is told.
 */
#ifndef EDGE_TUNE_SEARCH_H
#define EDGE_TUNE_SEARCH_H

#include "tune/space.h"

enum failure_kind {
	FAILURE_NONE, FAILURE_INVALID, FAILURE_COMPILE, FAILURE_TIMEOUT, FAILURE_WRONG_OUTPUT, FAILURE_CRASH,
	FAILURE_KINDS
};

const char *failure_name(enum failure_kind k);
bool failure_from_name(const char *name, enum failure_kind *out);

/* Smaller is better, everywhere. NAN: not known. */
struct outcome {
	enum failure_kind failure;
	const char *error;    /* of a failure; NULL: none */
	double objective;     /* what is minimised, over the heuristic's */
	double loss;          /* of quality, over what is allowed: more than 1 is too much; 0 without a measure */
	double guard;         /* latency over what is allowed, where something else is minimised; 0: no guard */
	/* as measured, for records and prompts */
	double bytes, latency_ms, peak_bytes, quality;
	double spread, low, high; /* of the time over the heuristic's: its median deviation and the bounds of its median */
};

/* One number to compare by: feasible ones by their objective, then infeasible ones by how far off, then failures. */
double outcome_score(const struct outcome *o);
bool outcome_feasible(const struct outcome *o);

struct search {
	const char *name;
	const struct search_ops *ops;
	void *state;
};

struct search_setup {
	struct arena *arena;
	const struct space *space;
	uint64_t seed;
	uint32_t trials; /* that there will be at most */
};

struct search_ops {
	bool (*ask)(void *state, double *x); /* false: it has no idea, or no more */
	void (*tell)(void *state, const double *x, const struct outcome *o);
	/* what it wants recorded of itself, e.g. counts of repaired replies; may be NULL */
	void (*report)(void *state, struct strbuf *json);
};

struct search *search_random(const struct search_setup *s);
struct search *search_tpe(const struct search_setup *s);
struct search *search_anneal(const struct search_setup *s);
struct search *search_greedy(const struct search_setup *s);

bool search_ask(struct search *s, double *x);
void search_tell(struct search *s, const double *x, const struct outcome *o);

#endif
