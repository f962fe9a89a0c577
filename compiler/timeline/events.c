/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - when the set grows, is cut, is moved; how fast parameters learn.
 *
 * Windows that the user has not given scale with the number of steps; from 7000
 * steps on they are those that measurements on both scenes showed best
 * (doc/architecture.md has the table).
 */
#include "config.h"

#include "timeline/internal.h"

#include "dsl.h"

#include <math.h>

static struct edge_window window(const struct decl_window *given, uint32_t every, uint32_t from, uint32_t until)
{
	struct edge_window w = { every, from, until };

	if (given && given->given) {
		w.every = given->every ? given->every : every;
		w.from = given->from ? given->from : from;
		w.until = given->until ? given->until : until;
	}
	return w;
}

static uint32_t at_least(uint32_t x, uint32_t least)
{
	return x < least ? least : x;
}

static void derive_windows(const struct decl_train *d, struct edge_train *x)
{
	uint32_t steps = x->steps, short_run = steps < 7000;
	uint32_t begin = short_run ? steps / 14 : 500, every = short_run ? at_least(steps / 70, 5) : 100;
	uint32_t end = (uint32_t)((uint64_t)steps * 5 / 7);

	switch (x->policy) {
	case EDGE_POLICY_DIET:
		x->densify = window(&d->densify, every, begin, end);
		x->prune = window(&d->prune, at_least(every / 2, 1), begin, end);
		x->compensate = window(&d->compensate, at_least(every / 10, 1), end / 2, end);
		break;
	case EDGE_POLICY_PLAIN:
		x->densify = window(&d->densify, every, begin, end);
		x->prune = window(&d->prune, every, begin, end);
		break;
	default:
		x->relocate = window(&d->densify, every, begin, (uint32_t)((uint64_t)steps * 6 / 7));
		if (d->compensate.given)
			x->compensate = window(&d->compensate, at_least(every / 10, 1), begin, end);
		break;
	}
}

/*
 * The policy auto learns as fast as its set bears. Places move in steps that go with the distance between
 * Gaussians: usual rates are good for PUBLISHED_SET of them, and fewer lie farther apart.
 */
enum { PUBLISHED_SET = 3000000 };

static void raise_rates(struct edge_train *x)
{
	float apart = sqrtf((float)PUBLISHED_SET / (float)x->cap);
	float faster = apart < 1.0f ? 1.0f : apart > 20.0f ? 20.0f : apart;

	x->rate_position_first *= faster;
	x->rate_position_last *= faster;
	x->rate_scale *= 2.0f;
	/*
	 * Compact ones have no first moment that evens out what pulls at them: steps are cut off, which has to be made
	 * up for. Fewer Gaussians are seen in more pixels each, and pulled at more evenly.
	 */
	x->rate_sh *= 8.0f;
	if (x->flags & EDGE_TRAIN_COMPACT)
		x->rate_sh *= 1.25f * fmaxf(1.0f, fminf(sqrtf(sqrtf(4e5f / (float)x->cap)), 1.6f));
	x->settle_from = 0.7f;
	x->rate_settled = 0.2f;
}

void derive_rates(struct plan_maker *k)
{
	const struct scene *s = k->r->scene;
	struct edge_train *x = &k->t->train;
	float extent = s->extent > 0.0 ? (float)s->extent : 1.0f;

	x->extent = extent;
	for (int i = 0; i < 3; i++) {
		x->background[i] = s->background[i];
		x->centre[i] = (float)s->centre[i];
	}
	x->rate_position_first = 1.6e-4f * extent;
	x->rate_position_last = 1.6e-6f * extent;
	x->rate_scale = 5e-3f;
	x->rate_rotation = 1e-3f;
	x->rate_opacity = x->policy == EDGE_POLICY_RELOCATE ? 0.05f : 0.025f;
	x->rate_colour = 2.5e-3f;
	x->rate_sh = 1.25e-4f;
	x->epsilon = 1e-15f;
	x->ssim_weight = 0.2f;
	if (x->policy == EDGE_POLICY_AUTO)
		raise_rates(x);
}

static void derive_policy(struct edge_train *x)
{
	x->gradient_threshold = 2e-4f;
	x->split_scale = 0.01f;
	x->opacity_min = 0.005f;
	/* few Gaussians must be large ones: cutting those, as published, cost plain growth 6 dB in a small budget */
	x->scale_max = x->policy == EDGE_POLICY_PLAIN ? 1e3f : 0.1f;
	x->growth = x->policy == EDGE_POLICY_AUTO ? 0.1f : 0.05f;
	x->new_opacity = 0.1f;
	if (x->policy == EDGE_POLICY_RELOCATE) {
		x->noise = 5e5f;
		x->opacity_decay = 0.01f;
		x->scale_decay = 0.01f;
	}
}

void derive_schedule(struct plan_maker *k)
{
	const struct decl_train *d = k->r->train;
	struct edge_train *x = &k->t->train;

	static const uint32_t policy[] = { [DECL_POLICY_AUTO] = EDGE_POLICY_AUTO, [DECL_POLICY_DIET] = EDGE_POLICY_DIET,
					   [DECL_POLICY_RELOCATE] = EDGE_POLICY_RELOCATE,
					   [DECL_POLICY_PLAIN] = EDGE_POLICY_PLAIN };

	x->policy = policy[d->policy];
	x->sh_every = at_least(x->steps < 7000 ? x->steps / 7 : 1000, 1);
	x->evaluate_every = d->evaluate_every;
	x->checkpoint_every = d->checkpoint_every;
	x->reinitialise_at = d->reinitialise.len ? d->reinitialise.data[0] : 0;
	x->reorder_every = at_least(x->steps / 28, 20);
	x->seed = d->seed;
	derive_windows(d, x);
	derive_policy(x);
}

static bool due(const struct edge_window *w, uint32_t step)
{
	return w->every && step > w->from && step <= w->until && step % w->every == 0;
}

static void add_event(struct plan_maker *k, uint32_t step, uint32_t kind, uint32_t argument, uint32_t most)
{
	const struct edge_train *x = &k->t->train;
	struct edge_event e = { step, kind, argument, most,
				x->bytes_fixed + x->bytes_per_key * x->key_capacity + x->bytes_per_gaussian * most };

	vec_push(k->arena, &k->t->events, e);
}

void list_events(struct plan_maker *k)
{
	const struct edge_train *x = &k->t->train;

	for (uint32_t s = 1; s <= x->steps; s++) {
		if (s % x->sh_every == 0 && s / x->sh_every <= x->sh_degree)
			add_event(k, s, EDGE_EVENT_DEGREE, s / x->sh_every, x->cap);
		if (s == x->reinitialise_at)
			add_event(k, s, EDGE_EVENT_REINITIALISE, 0, x->cap);
		if (due(&x->densify, s))
			add_event(k, s, EDGE_EVENT_DENSIFY, 0, x->capacity);
		if (due(&x->compensate, s))
			add_event(k, s, EDGE_EVENT_COMPENSATE, x->compensate.every, x->capacity);
		if (due(&x->prune, s))
			add_event(k, s, EDGE_EVENT_PRUNE, 0, x->cap);
		if (due(&x->relocate, s))
			add_event(k, s, EDGE_EVENT_RELOCATE, 0, x->cap);
		if (x->reorder_every && s % x->reorder_every == 0)
			add_event(k, s, EDGE_EVENT_REORDER, 0, x->cap);
		if (x->evaluate_every && s % x->evaluate_every == 0)
			add_event(k, s, EDGE_EVENT_EVALUATE, 0, x->cap);
		if (x->checkpoint_every && s % x->checkpoint_every == 0)
			add_event(k, s, EDGE_EVENT_CHECKPOINT, 0, x->cap);
	}
}
