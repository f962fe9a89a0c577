/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_tpe.c - tree-structured Parzen estimator.
 *
 * Trials are split at a quantile into good and others. Each knob gets two
 * densities, of its values among the good and among the others; of a few
 * configurations drawn from the first the one with the highest ratio to the
 * second is proposed. Lists get counts with a prior that also spreads to
 * neighbours, because their order means something; floats get a sum of normal
 * densities. A knob counts only where it is active.
 */
#include "config.h"

#include "tune/search.h"

#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 32, MAX_GOOD = 25 };

struct told {
	double *x;
	double score;
};

struct tpe_state {
	const struct space *space;
	struct arena *arena;
	struct rng rng;
	uint32_t startup;
	VEC(struct told) told;
};

static int by_score(const void *x, const void *y)
{
	const struct told *a = x, *b = y;

	return (a->score > b->score) - (a->score < b->score);
}

static double warp(const struct knob *k, double v)
{
	return k->log ? log(v) : v;
}

static double width_of(const struct knob *k)
{
	double range = warp(k, k->max) - warp(k, k->min);

	return range > 0 ? range : 1;
}

/* Density of value v of knob k in told[from..to). */
static double density(const struct tpe_state *t, uint32_t k, double v, uint32_t from, uint32_t to)
{
	const struct knob *n = &t->space->knobs.data[k];
	double sum = 0, width, sigma;
	uint32_t used = 0;

	if (n->kind != KNOB_FLOAT) {
		for (uint32_t i = from; i < to; i++) {
			double distance;

			if (!knob_active(t->space, t->told.data[i].x, k))
				continue;
			distance = fabs(t->told.data[i].x[k] - v);
			sum += distance == 0 ? 0.8 : distance == 1 ? 0.1 : 0;
			used++;
		}
		return (sum + 1.0 / n->count) / (used + 1.0);
	}
	width = width_of(n);
	sigma = width / (2 + sqrt((double)(to - from)));
	for (uint32_t i = from; i < to; i++) {
		double z;

		if (!knob_active(t->space, t->told.data[i].x, k))
			continue;
		z = (warp(n, t->told.data[i].x[k]) - warp(n, v)) / sigma;
		sum += exp(-0.5 * z * z) / (sigma * 2.5066);
		used++;
	}
	return (sum + 1 / width) / (used + 1.0);
}

/* One value from the good ones' density. */
static double draw(struct tpe_state *t, uint32_t k, uint32_t good)
{
	const struct knob *n = &t->space->knobs.data[k];
	uint32_t pick = rng_below(&t->rng, good + 1);
	double v, u;

	if (pick == good || !knob_active(t->space, t->told.data[pick].x, k))
		return knob_random(n, &t->rng);
	v = t->told.data[pick].x[k];
	if (n->kind != KNOB_FLOAT) {
		u = rng_uniform(&t->rng);
		v += u < 0.1 ? -1 : u < 0.2 ? 1 : 0;
		return v < 0 || v >= n->count ? t->told.data[pick].x[k] : v;
	}
	v = warp(n, v) + rng_normal(&t->rng) * width_of(n) / (2 + sqrt((double)good));
	v = n->log ? exp(v) : v;
	return v < n->min ? n->min : v > n->max ? n->max : v;
}

static bool tpe_ask(void *state, double *x)
{
	struct tpe_state *t = state;
	uint32_t n = t->told.len, good = (uint32_t)ceil(0.2 * n);
	double best = -INFINITY, *candidate;

	if (n < t->startup) {
		config_random(t->space, &t->rng, x);
		return true;
	}
	good = good < 2 ? 2 : good > MAX_GOOD ? MAX_GOOD : good;
	qsort(t->told.data, n, sizeof *t->told.data, by_score);
	candidate = config_new(t->space);
	for (int c = 0; c < CANDIDATES; c++) {
		double ratio = 0;

		for (uint32_t k = 0; k < t->space->knobs.len; k++)
			candidate[k] = draw(t, k, good);
		config_canonical(t->space, candidate);
		if (config_violates(t->space, candidate))
			continue;
		for (uint32_t k = 0; k < t->space->knobs.len; k++)
			if (knob_active(t->space, candidate, k))
				ratio += log(density(t, k, candidate[k], 0, good) / density(t, k, candidate[k], good, n));
		for (uint32_t i = 0; i < n; i++) /* known already: no news */
			if (!memcmp(t->told.data[i].x, candidate, t->space->knobs.len * sizeof *candidate))
				ratio = -INFINITY;
		if (ratio > best) {
			best = ratio;
			memcpy(x, candidate, t->space->knobs.len * sizeof *x);
		}
	}
	if (best == -INFINITY)
		config_random(t->space, &t->rng, x);
	return true;
}

static void tpe_tell(void *state, const double *x, const struct outcome *o)
{
	struct tpe_state *t = state;

	vec_push(t->arena, &t->told, (struct told){ config_copy(t->space, x), outcome_score(o) });
}

struct search *search_tpe(const struct search_setup *s)
{
	static const struct search_ops ops = { tpe_ask, tpe_tell, NULL };
	struct tpe_state *t = arena_new(s->arena, struct tpe_state);
	struct search *out = arena_new(s->arena, struct search);

	*t = (struct tpe_state){ .space = s->space, .arena = s->arena, .rng = { s->seed * 0x2545f4914f6cdd1du + 2 } };
	t->startup = s->trials / 5 < 4 ? 4 : s->trials / 5 > 10 ? 10 : s->trials / 5;
	*out = (struct search){ "tpe", &ops, t };
	return out;
}
