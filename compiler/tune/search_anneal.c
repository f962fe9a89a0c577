/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_anneal.c - simulated annealing from the heuristic.
 *
 * A step changes one knob, sometimes two; lists mostly to a neighbour. What is
 * worse is accepted with a probability that falls as trials go by, and after a
 * row of rejections the walk goes on from the best. Outcomes that are not
 * feasible are compared on a scale of their own (excess of quality loss), so
 * that the walk may cross them but prefers not to.
 */
#include "config.h"

#include "tune/search.h"

#include <string.h>

struct anneal_state {
	const struct space *space;
	struct rng rng;
	uint32_t trials, told, rejected;
	double *at, *best;
	double at_energy, best_energy;
};

static double energy(const struct outcome *o)
{
	double score = outcome_score(o);

	if (score < 1e3)
		return score;
	return score >= 1e6 ? 10 : 1.2 + 0.3 * (score - 1e3);
}

static void change(struct anneal_state *a, double *x)
{
	const struct space *s = a->space;
	uint32_t k = rng_below(&a->rng, s->knobs.len);
	const struct knob *n;

	for (int i = 0; i < 50 && !knob_active(s, x, k); i++)
		k = rng_below(&a->rng, s->knobs.len);
	n = &s->knobs.data[k];
	if (n->kind == KNOB_FLOAT) {
		double u = n->log ? log(n->max / n->min) : n->max - n->min, z = rng_normal(&a->rng) * 0.2 * u;

		x[k] = n->log ? x[k] * exp(z) : x[k] + z;
	} else if (n->count > 1 && rng_uniform(&a->rng) < 0.6) {
		double step = rng_uniform(&a->rng) < 0.5 ? -1 : 1;

		x[k] += x[k] + step < 0 || x[k] + step >= n->count ? -step : step;
	} else {
		x[k] = rng_below(&a->rng, n->count);
	}
}

static bool anneal_ask(void *state, double *x)
{
	struct anneal_state *a = state;
	size_t size = a->space->knobs.len * sizeof *x;

	for (int attempt = 0; attempt < 200; attempt++) {
		memcpy(x, a->at, size);
		change(a, x);
		if (rng_uniform(&a->rng) < 0.3)
			change(a, x);
		config_canonical(a->space, x);
		if (memcmp(x, a->at, size) != 0 && !config_violates(a->space, x))
			return true;
	}
	config_random(a->space, &a->rng, x);
	return true;
}

static void anneal_tell(void *state, const double *x, const struct outcome *o)
{
	struct anneal_state *a = state;
	size_t size = a->space->knobs.len * sizeof *x;
	double e = energy(o), progress = (double)a->told++ / (a->trials ? a->trials : 1);
	double temperature = 0.15 * pow(0.02, progress < 1 ? progress : 1);

	if (e < a->best_energy) {
		a->best_energy = e;
		memcpy(a->best, x, size);
	}
	if (e <= a->at_energy || rng_uniform(&a->rng) < exp((a->at_energy - e) / temperature)) {
		a->at_energy = e;
		memcpy(a->at, x, size);
		a->rejected = 0;
	} else if (++a->rejected >= 6) {
		a->at_energy = a->best_energy;
		memcpy(a->at, a->best, size);
		a->rejected = 0;
	}
}

struct search *search_anneal(const struct search_setup *s)
{
	static const struct search_ops ops = { anneal_ask, anneal_tell, NULL };
	struct anneal_state *a = arena_new(s->arena, struct anneal_state);
	struct search *out = arena_new(s->arena, struct search);

	*a = (struct anneal_state){ .space = s->space, .rng = { s->seed * 0x2545f4914f6cdd1du + 3 }, .trials = s->trials,
				    .at = config_new(s->space), .best = config_new(s->space),
				    .at_energy = INFINITY, .best_energy = INFINITY };
	*out = (struct search){ "anneal", &ops, a };
	return out;
}
