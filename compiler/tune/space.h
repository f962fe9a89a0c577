/* SPDX-License-Identifier: Apache-2.0 */
/*
 * space.h - what a search may choose: knobs, conditions and constraints.
 *
 * A configuration is a double per knob: the index of the value for knobs with
 * a list (enum and int), the number itself for floats. A knob whose condition
 * does not hold has its initial value and does not count. Configurations are
 * made canonical, so that equal ones are equal texts.
 */
#ifndef EDGE_TUNE_SPACE_H
#define EDGE_TUNE_SPACE_H

#include "tune/lock.h"

#include <math.h>

enum knob_kind { KNOB_ENUM, KNOB_INT, KNOB_FLOAT };

struct knob {
	const char *name;
	enum knob_kind kind;
	const char *const *value; /* ENUM, INT: as text, in an order that means something */
	uint32_t count;
	double min, max;          /* FLOAT */
	bool log;                 /* FLOAT: even in its logarithm */
	double initial;
	uint32_t when;            /* knob that this one depends on; NO_ID: none */
	uint64_t when_values;     /* bit i: it counts where that knob has value i */
	const char *help;         /* for people and language models; NULL: none */
	bool idle;                /* it changes nothing at the heuristic */
	double *bytes, *damage;   /* per value, for greedy: what it stores, what it may hurt; NULL: unknown */
};

/* An expression over knobs: numbers, + - * / %, comparisons, && ||, parentheses. */
struct constraint {
	const char *text;
};

struct space {
	struct arena *arena;
	VEC(struct knob) knobs;
	VEC(struct constraint) constraints;
};

uint32_t space_add(struct space *s, struct knob k); /* its index */
/* One of a list; values and help live as long as the space. */
uint32_t space_add_list(struct space *s, const char *name, enum knob_kind kind, const char *const *values, uint32_t count,
			uint32_t initial, const char *help);
uint32_t space_find(const struct space *s, const char *name); /* NO_ID: none */

double *config_new(const struct space *s); /* all initial */
double *config_copy(const struct space *s, const double *x);
bool knob_active(const struct space *s, const double *x, uint32_t k);
/* Rounds, clamps, and resets what does not count. */
void config_canonical(const struct space *s, double *x);
/* NULL, or the text of the first constraint that does not hold or means nothing. */
const char *config_violates(const struct space *s, const double *x);
/* The value as text, in the arena where it has to be made. */
const char *knob_text(const struct space *s, uint32_t k, double x);
/* The value that a text means: exact, or (exact NULL or false) the nearest. False: it means nothing. */
bool knob_parse(const struct space *s, uint32_t k, const char *text, double *x, bool *exact);
/* "a=1 b=q4": what is active and not initial, or "" for the heuristic. */
const char *config_text(const struct space *s, const double *x);
/* {"a": "1", ...}: all that is active. */
void config_json(const struct space *s, const double *x, struct strbuf *out);
/* Active knobs that are not initial, or (all) every active one. */
struct knob_values config_knobs(const struct space *s, const double *x, bool all);
/* Changes when the space does. */
uint64_t space_hash(const struct space *s);

/* splitmix64 */
struct rng {
	uint64_t state;
};
double rng_uniform(struct rng *r);            /* [0, 1) */
uint32_t rng_below(struct rng *r, uint32_t n);
double rng_normal(struct rng *r);
double knob_random(const struct knob *k, struct rng *r);
/* A configuration that satisfies the constraints; the initial one where none was found. */
void config_random(const struct space *s, struct rng *r, double *x);

#endif
