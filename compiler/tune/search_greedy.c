/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_greedy.c - a table of sensitivities, and a knapsack.
 *
 * The table says for each value of each knob what it gains and what it hurts,
 * alone. Formats bring estimates of both (space.h: bytes, damage), which cost
 * no trial; other knobs are probed one at a time. Choosing per knob the least
 * of gain + lambda * harm, for every lambda, gives the knapsack's path from
 * careful to bold; since quality falls along it, the boldest step that is
 * still good enough is found by bisection. Where that is good but too slow,
 * its changes are taken in the order of what each gains, and bisection finds
 * how many of them time allows; once more beside whatever knob was found to
 * cost nothing and save time. Before that, knobs that change nothing at the
 * heuristic are probed where time is short; if one of them saves some, the
 * path is gone through again with it. What additivity does not see is left to
 * single changes of the best, the most promising first.
 */
#include "config.h"

#include "tune/search.h"

#include <stdlib.h>
#include <string.h>

enum { LAMBDAS = 400 };
#define CLEARLY 0.98 /* of a time, to be less */
#define AMPLE 0.9 /* a guard that leaves time for more */
#define FASTER 0.96 /* a guard that is certainly less than the heuristic's own */

struct probe {
	uint32_t knob;
	double value;
};

struct tried {
	double *x;
	struct outcome o;
};

enum phase { PHASE_PATH, PHASE_IDLE, PHASE_TRIM, PHASE_PROBE, PHASE_MOVE };

struct greedy_state {
	const struct space *space;
	struct arena *arena;
	uint32_t trials;
	double **gain, **harm; /* [knob][value], over the heuristic; NAN: not known */
	VEC(struct probe) probes;
	uint32_t next_probe;
	double *start; /* the heuristic, but for idle knobs that save time beside others */
	const double *slow; /* where idle knobs are probed; NULL: nowhere */
	bool idled;         /* they were */
	VEC(double *) path;
	int lo, hi; /* path[lo] is good enough, path[hi] is not */
	enum phase phase;
	bool probed; /* the path is made of probes too */
	VEC(struct tried) tried;
	const struct tried *best;
	double base_loss;
};

static const struct tried *find(const struct greedy_state *g, const double *x)
{
	for (uint32_t i = 0; i < g->tried.len; i++)
		if (!memcmp(g->tried.data[i].x, x, g->space->knobs.len * sizeof *x))
			return &g->tried.data[i];
	return NULL;
}

/* ---- the table */

static void estimate(struct greedy_state *g)
{
	double total = 0;

	for (uint32_t k = 0; k < g->space->knobs.len; k++) {
		const struct knob *n = &g->space->knobs.data[k];

		total += n->bytes ? n->bytes[(uint32_t)n->initial] : 0;
	}
	for (uint32_t k = 0; k < g->space->knobs.len; k++) {
		const struct knob *n = &g->space->knobs.data[k];
		uint32_t initial = (uint32_t)n->initial;

		if (n->kind == KNOB_FLOAT)
			continue;
		g->gain[k] = arena_new_array(g->arena, double, n->count);
		g->harm[k] = arena_new_array(g->arena, double, n->count);
		for (uint32_t v = 0; v < n->count; v++) {
			bool known = n->bytes && n->damage && total > 0;

			g->gain[k][v] = v == initial ? 0 : known ? (n->bytes[v] - n->bytes[initial]) / total : NAN;
			g->harm[k][v] = v == initial ? 0 : known ? n->damage[v] - n->damage[initial] : NAN;
		}
	}
}

/* The values of knobs without estimates, those far from the heuristic first. */
static void list_probes(struct greedy_state *g)
{
	uint32_t most = 0;

	for (uint32_t k = 0; k < g->space->knobs.len; k++)
		if (g->space->knobs.data[k].count > most)
			most = g->space->knobs.data[k].count;
	for (uint32_t round = 0; round < most; round++)
		for (uint32_t k = 0; k < g->space->knobs.len; k++) {
			const struct knob *n = &g->space->knobs.data[k];
			uint32_t left = 0;

			if (n->kind == KNOB_FLOAT || n->bytes)
				continue;
			for (uint32_t v = n->count; v-- > 0;)
				if (v != (uint32_t)n->initial && left++ == round)
					vec_push(g->arena, &g->probes, (struct probe){ k, v });
		}
}

/* ---- the knapsack's path */

static void choose(const struct greedy_state *g, double lambda, double *x)
{
	for (uint32_t k = 0; k < g->space->knobs.len; k++) {
		const struct knob *n = &g->space->knobs.data[k];
		double best = 0;

		x[k] = g->start[k];
		for (uint32_t v = 0; g->gain[k] && v < n->count; v++) {
			double harm = g->harm[k][v], cost = g->gain[k][v] + lambda * (harm > 0 ? harm : 0);

			if (cost < best - 1e-9) {
				best = cost;
				x[k] = v;
			}
		}
	}
	config_canonical(g->space, x);
}

static void make_path(struct greedy_state *g)
{
	double *x = config_new(g->space), most = 0, least = INFINITY;

	for (uint32_t k = 0; k < g->space->knobs.len; k++)
		for (uint32_t v = 0; g->gain[k] && v < g->space->knobs.data[k].count; v++) {
			double ratio = -g->gain[k][v] / g->harm[k][v];

			if (!(ratio > 0) || !isfinite(ratio))
				continue;
			most = ratio > most ? ratio : most;
			least = ratio < least ? ratio : least;
		}
	g->path.len = 0;
	for (int i = 0; i <= LAMBDAS; i++) {
		double lambda = most > 0 ? 2 * most * pow(least / most / 8, (double)i / LAMBDAS) : 1;

		choose(g, lambda, x);
		if (config_violates(g->space, x) ||
		    (g->path.len && !memcmp(g->path.data[g->path.len - 1], x, g->space->knobs.len * sizeof *x)))
			continue;
		vec_push(g->arena, &g->path, config_copy(g->space, x));
	}
	g->lo = -1;
	g->hi = (int)g->path.len;
}

/* What is good enough and stores least, however slow; NULL: nothing that is too slow beats the best. */
static const struct tried *too_slow(const struct greedy_state *g)
{
	const struct tried *out = NULL;

	for (uint32_t i = 0; i < g->tried.len; i++) {
		const struct outcome *o = &g->tried.data[i].o;

		if (!o->failure && o->loss <= 1 && o->guard > 1 && (!out || o->objective < out->o.objective))
			out = &g->tried.data[i];
	}
	if (out && g->best && outcome_feasible(&g->best->o) && out->o.objective > g->best->o.objective - 0.02)
		return NULL;
	return out;
}

/* Takes what the start's fastest neighbour changes, if that stores as much and took less time. */
static void make_fast(const struct greedy_state *g, double *x)
{
	uint32_t fastest = NO_ID;
	double least = 1, value = 0;

	for (uint32_t i = 0; i < g->tried.len; i++) {
		const struct tried *t = &g->tried.data[i];
		uint32_t changed = 0, knob = 0;

		for (uint32_t k = 0; k < g->space->knobs.len; k++)
			if (t->x[k] != g->start[k]) {
				knob = k;
				changed++;
			}
		if (changed == 1 && !g->space->knobs.data[knob].bytes && !t->o.failure && t->o.loss <= 1 &&
		    fabs(t->o.objective - 1) < 1e-3 && t->o.guard > 0 && t->o.guard < least) {
			least = t->o.guard;
			fastest = knob;
			value = t->x[knob];
		}
	}
	if (fastest != NO_ID)
		x[fastest] = value;
}

/* Its changes one after the other, those that gain most first. */
static bool make_trim(struct greedy_state *g)
{
	const struct tried *from = too_slow(g);
	double *x = config_copy(g->space, g->start);

	if (!from)
		return false;
	make_fast(g, x);
	g->path.len = 0;
	for (;;) {
		uint32_t best = NO_ID;
		double most = 0;

		for (uint32_t k = 0; k < g->space->knobs.len; k++) {
			double gain = g->gain[k] && x[k] != from->x[k] ? -g->gain[k][(uint32_t)from->x[k]] : 0;

			if (gain > most) {
				most = gain;
				best = k;
			}
		}
		if (best == NO_ID)
			break;
		x[best] = from->x[best];
		for (uint32_t k = 0; k < g->space->knobs.len; k++)
			if (g->space->knobs.data[k].when == best) /* its group comes with it */
				x[k] = from->x[k];
		vec_push(g->arena, &g->path, config_copy(g->space, x));
	}
	g->lo = -1;
	g->hi = (int)g->path.len;
	return g->path.len > 1;
}

static bool ask_path(struct greedy_state *g, double *x)
{
	while (g->hi - g->lo > 1) {
		int mid = g->lo + (g->hi - g->lo) / 2;
		const struct tried *t = find(g, g->path.data[mid]);

		if (!t) {
			memcpy(x, g->path.data[mid], g->space->knobs.len * sizeof *x);
			return true;
		}
		if (outcome_feasible(&t->o))
			g->lo = mid;
		else
			g->hi = mid;
	}
	return false;
}

/* Where time is short: what is too slow, or a best that is hardly faster than the heuristic. */
static const struct tried *short_of_time(const struct greedy_state *g)
{
	const struct tried *slow = too_slow(g), *best = g->best;

	if (slow || !best || !outcome_feasible(&best->o))
		return slow;
	return best->o.objective < 1 - 1e-3 && best->o.guard > AMPLE ? best : NULL;
}

/* That with another value of a knob that changes nothing at the heuristic. */
static bool ask_idle(struct greedy_state *g, double *x)
{
	const struct tried *slow = g->slow ? NULL : short_of_time(g);

	if (slow)
		g->slow = slow->x; /* lies in the arena, unlike what it is part of */
	for (uint32_t k = 0; g->slow && k < g->space->knobs.len; k++)
		for (uint32_t v = 0; g->space->knobs.data[k].idle && v < g->space->knobs.data[k].count; v++) {
			memcpy(x, g->slow, g->space->knobs.len * sizeof *x);
			x[k] = v;
			config_canonical(g->space, x);
			if (!config_violates(g->space, x) && !find(g, x))
				return true;
		}
	return false;
}

/* Idle knobs get the values that took the least time there. False: those that they had. */
static bool take_idle(struct greedy_state *g)
{
	const struct tried *from = g->slow ? find(g, g->slow) : NULL;
	double least = from ? from->o.guard * CLEARLY : 0;
	bool any = false;

	for (uint32_t i = 0; from && i < g->tried.len; i++) {
		const struct tried *t = &g->tried.data[i];
		bool beside = !t->o.failure && t->o.loss <= 1 && t->o.guard > 0 && t->o.guard < least;

		for (uint32_t k = 0; k < g->space->knobs.len; k++)
			beside &= t->x[k] == g->slow[k] || g->space->knobs.data[k].idle;
		if (!beside)
			continue;
		least = t->o.guard;
		for (uint32_t k = 0; k < g->space->knobs.len; k++)
			if (g->space->knobs.data[k].idle)
				g->start[k] = t->x[k];
		any = true;
	}
	return any;
}

static bool ask_probe(struct greedy_state *g, double *x)
{
	/* half of all trials at most: the rest is for what they taught */
	while (g->next_probe < g->probes.len && g->tried.len < g->trials / 2 + 1) {
		struct probe p = g->probes.data[g->next_probe++];
		double *c = config_copy(g->space, g->start);

		c[p.knob] = p.value;
		if (g->space->knobs.data[p.knob].when != NO_ID || g->space->knobs.data[p.knob].idle)
			continue; /* does not count at the heuristic */
		config_canonical(g->space, c);
		if (config_violates(g->space, c) || find(g, c))
			continue;
		memcpy(x, c, g->space->knobs.len * sizeof *x);
		return true;
	}
	return false;
}

/* ---- single changes of the best */

/* How promising: predicted gain for each bit of quality, unknown things in the middle. */
static double promise(const struct greedy_state *g, uint32_t k, double v)
{
	const double *at = g->best ? g->best->x : NULL;
	double from = at ? at[k] : 0, gain, harm;

	if (!g->gain[k])
		return -0.001;
	gain = g->gain[k][(uint32_t)v] - g->gain[k][(uint32_t)from];
	harm = g->harm[k][(uint32_t)v] - g->harm[k][(uint32_t)from];
	if (isnan(gain) || isnan(harm))
		return 0;
	if (gain >= 0)
		return -1 - gain;
	return -gain / (harm > 1e-6 ? harm : 1e-6);
}

static bool ask_move(struct greedy_state *g, double *x)
{
	const double *from = g->best ? g->best->x : config_new(g->space);
	double best = -INFINITY, *c = config_new(g->space);
	size_t size = g->space->knobs.len * sizeof *x;

	for (uint32_t k = 0; k < g->space->knobs.len; k++) {
		const struct knob *n = &g->space->knobs.data[k];
		uint32_t count = n->kind == KNOB_FLOAT ? 5 : n->count;

		for (uint32_t v = 0; v < count; v++) {
			double p;

			memcpy(c, from, size);
			c[k] = v;
			if (n->kind == KNOB_FLOAT)
				c[k] = n->log ? n->min * pow(n->max / n->min, v / 4.0) : n->min + (n->max - n->min) * v / 4.0;
			config_canonical(g->space, c);
			p = n->kind == KNOB_FLOAT ? -0.001 : promise(g, k, v);
			if (p <= best || !knob_active(g->space, c, k) || config_violates(g->space, c) || find(g, c))
				continue;
			best = p;
			memcpy(x, c, size);
		}
	}
	return best > -INFINITY;
}

/* ---- the proposer */

static bool greedy_ask(void *state, double *x)
{
	struct greedy_state *g = state;

	if (g->phase == PHASE_PATH) {
		if (ask_path(g, x))
			return true;
		g->phase = PHASE_IDLE;
	}
	if (g->phase == PHASE_IDLE) {
		if (!g->idled && ask_idle(g, x))
			return true;
		if (!g->idled && take_idle(g)) { /* what was too slow without may not be */
			g->idled = true;
			estimate(g);
			make_path(g);
			g->phase = PHASE_PATH;
			if (ask_path(g, x))
				return true;
		}
		g->idled = true;
		g->phase = make_trim(g) ? PHASE_TRIM : g->probed ? PHASE_MOVE : PHASE_PROBE;
	}
	if (g->phase == PHASE_TRIM) {
		if (ask_path(g, x))
			return true;
		g->phase = g->probed ? PHASE_MOVE : PHASE_PROBE;
	}
	if (g->phase == PHASE_PROBE) {
		if (ask_probe(g, x))
			return true;
		g->probed = true;
		if (g->next_probe) {
			make_path(g);
			g->phase = PHASE_PATH;
			if (ask_path(g, x))
				return true;
		}
		g->phase = PHASE_MOVE;
	}
	return ask_move(g, x);
}

/* An outcome that differs from the start in one knob is an entry of the table. */
static void learn(struct greedy_state *g, const double *x, const struct outcome *o)
{
	uint32_t knob = NO_ID;
	double gain;

	for (uint32_t k = 0; k < g->space->knobs.len; k++) {
		if (x[k] == g->start[k])
			continue;
		if (knob != NO_ID)
			return;
		knob = k;
	}
	if (knob == NO_ID) {
		g->base_loss = o->loss;
		return;
	}
	if (!g->gain[knob])
		return;
	gain = o->objective - 1;
	if (fabs(gain) < 1e-3 && o->guard > 0 && o->guard < FASTER)
		gain = -1e-3 * (1 - o->guard); /* costs nothing, and is time that something smaller may take */
	g->gain[knob][(uint32_t)x[knob]] = o->failure || o->guard > 1 ? INFINITY : gain;
	if (!g->space->knobs.data[knob].damage) /* estimates have a scale of their own */
		g->harm[knob][(uint32_t)x[knob]] = o->failure ? INFINITY : o->loss - g->base_loss;
}

static void greedy_tell(void *state, const double *x, const struct outcome *o)
{
	struct greedy_state *g = state;
	struct tried t = { config_copy(g->space, x), *o };
	uint32_t best = 0;

	vec_push(g->arena, &g->tried, t);
	for (uint32_t i = 1; i < g->tried.len; i++)
		if (outcome_score(&g->tried.data[i].o) < outcome_score(&g->tried.data[best].o))
			best = i;
	g->best = &g->tried.data[best];
	learn(g, x, o);
}

struct search *search_greedy(const struct search_setup *s)
{
	static const struct search_ops ops = { greedy_ask, greedy_tell, NULL };
	struct greedy_state *g = arena_new(s->arena, struct greedy_state);
	struct search *out = arena_new(s->arena, struct search);

	*g = (struct greedy_state){ .space = s->space, .arena = s->arena, .trials = s->trials };
	g->gain = arena_new_array(s->arena, double *, s->space->knobs.len + 1);
	g->harm = arena_new_array(s->arena, double *, s->space->knobs.len + 1);
	g->start = config_new(s->space);
	estimate(g);
	list_probes(g);
	make_path(g);
	if (!g->path.len || g->probes.len == 0)
		g->probed = g->probes.len == 0;
	*out = (struct search){ "greedy", &ops, g };
	return out;
}
