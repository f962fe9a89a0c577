/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.c - what is due after a step.
 *
 * The plan has the list; a kernel does the work on the device's memory, bounded
 * by what the event's record says there may be at most afterwards.
 */
#include "config.h"

#include "train/internal.h"

#include <string.h>

/* First event of a step or after it. */
static uint32_t first_event(const struct edge_plan *p, uint32_t step)
{
	uint32_t low = 0, high = p->event_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (p->events[middle].step < step)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* It looks at the step's own lists, of which only the last band's are left. */
static enum edge_status compensate(struct train *t, struct failure *f)
{
	uint32_t bands = t->state[STATE_BANDS];
	enum edge_status st;

	if (bands == 1)
		return train_launch(t, EDGE_TRAIN_COMPENSATE, f);
	st = draw_recount(t, f);
	for (uint32_t b = 0; b < bands && st == EDGE_OK; b++)
		if ((st = draw_band(t, b, b > 0, f)) == EDGE_OK && (st = train_launch(t, EDGE_TRAIN_TILE_LIST, f)) == EDGE_OK)
			st = train_launch(t, EDGE_TRAIN_COMPENSATE, f);
	return st;
}

static enum edge_status launch_event(struct train *t, uint32_t role, struct failure *f)
{
	enum edge_status st;

	if (role == EDGE_TRAIN_COMPENSATE)
		return compensate(t, f);
	st = train_launch(t, role, f);
	return st == EDGE_OK && role == EDGE_TRAIN_REORDER ? train_launch(t, EDGE_TRAIN_PERMUTE, f) : st;
}

static enum edge_status change_set(struct train *t, const struct edge_event *e, uint32_t role,
				   struct train_step_report *out, struct failure *f)
{
	const struct edge_train *x = t->plan;
	/* what is added at pixels is a three-thousandth of the set a step, whatever the steps between */
	const float growth = e->kind == EDGE_EVENT_COMPENSATE ? (float)e->argument / 3000.0f : x->growth;
	/* early on a large one may still find its size */
	const bool large = (uint64_t)t->counters.done * 7 > (uint64_t)x->steps * 3;
	const float value[] = { x->gradient_threshold, x->split_scale * x->extent, x->opacity_min,
				large ? x->scale_max * x->extent : 1e30f, growth, x->new_opacity };
	enum edge_status st;

	if (t->step[role] == UINT32_MAX || (role == EDGE_TRAIN_REORDER && t->step[EDGE_TRAIN_PERMUTE] == UINT32_MAX))
		return rt_fail(f, EDGE_UNSUPPORTED, "plan \"%s\" has no step of role %u", t->s->file.path, role);
	t->state[STATE_COUNT] = t->counters.gaussians;
	t->state[STATE_CAPACITY] = x->capacity;
	t->state[STATE_ARGUMENT] = e->most;
	t->state[STATE_ARGUMENT + 1] = x->policy;
	memcpy(t->state + STATE_ARGUMENT + 2, value, sizeof value);
	if (role == EDGE_TRAIN_REORDER)
		memcpy(t->state + STATE_ARGUMENT + 2, x->centre, sizeof x->centre);
	if ((st = train_write(t, EDGE_BUFFER_STATE, 0, t->state, 4 * STATE_OUT, f)) != EDGE_OK ||
	    (st = launch_event(t, role, f)) != EDGE_OK ||
	    (st = train_read(t, EDGE_BUFFER_STATE, 4 * STATE_ADDED, t->state + STATE_ADDED, 8, f)) != EDGE_OK ||
	    (st = train_finish(t, f)) != EDGE_OK)
		return st;
	if (t->state[STATE_REMOVED] > t->counters.gaussians ||
	    t->counters.gaussians - t->state[STATE_REMOVED] > x->capacity ||
	    t->state[STATE_ADDED] > x->capacity - (t->counters.gaussians - t->state[STATE_REMOVED]))
		return rt_fail(f, EDGE_DEVICE, "the device added %u Gaussians to %u and removed %u", t->state[STATE_ADDED],
			       t->counters.gaussians, t->state[STATE_REMOVED]);
	t->counters.gaussians += t->state[STATE_ADDED] - t->state[STATE_REMOVED];
	out->added += t->state[STATE_ADDED];
	out->removed += t->state[STATE_REMOVED];
	return EDGE_OK;
}

/* Every view of the training is drawn, and points on what it shows become the set. */
static enum edge_status reinitialise(struct train *t, const struct edge_event *e, struct train_step_report *out,
				     struct failure *f)
{
	uint32_t wanted = (uint32_t)((uint64_t)e->most * 4 / 5), views = t->plan->train_views, zero = 0;
	struct train_camera camera;
	enum edge_status st;

	if (t->step[EDGE_TRAIN_REINITIALISE] == UINT32_MAX || t->step[EDGE_TRAIN_REPLACE] == UINT32_MAX)
		return rt_fail(f, EDGE_UNSUPPORTED, "plan \"%s\" cannot begin anew", t->s->file.path);
	st = train_write(t, EDGE_BUFFER_STATE, 4 * STATE_ADDED, &zero, 4, f);
	t->after_band = EDGE_TRAIN_REINITIALISE;
	for (uint32_t i = 0; i < views && st == EDGE_OK; i++) {
		train_view_camera(t, t->training[i], &camera);
		draw_state(t, &camera);
		t->state[STATE_STEP] = t->counters.done + i;
		t->state[STATE_ARGUMENT] = (wanted + views - 1) / views;
		st = draw(t, f);
	}
	t->after_band = 0;
	return st == EDGE_OK ? change_set(t, e, EDGE_TRAIN_REPLACE, out, f) : st;
}

static enum edge_status one_event(struct train *t, const struct edge_event *e, struct train_step_report *out,
				  struct failure *f)
{
	static const uint32_t role[] = {
		[EDGE_EVENT_DENSIFY] = EDGE_TRAIN_DENSIFY, [EDGE_EVENT_PRUNE] = EDGE_TRAIN_PRUNE,
		[EDGE_EVENT_COMPENSATE] = EDGE_TRAIN_COMPENSATE, [EDGE_EVENT_RELOCATE] = EDGE_TRAIN_RELOCATE,
		[EDGE_EVENT_REINITIALISE] = EDGE_TRAIN_REINITIALISE, [EDGE_EVENT_REORDER] = EDGE_TRAIN_REORDER,
	};

	switch (e->kind) {
	case EDGE_EVENT_DEGREE:
		t->counters.degree = e->argument;
		return EDGE_OK;
	case EDGE_EVENT_REINITIALISE:
		return reinitialise(t, e, out, f);
	case EDGE_EVENT_EVALUATE:
	case EDGE_EVENT_CHECKPOINT:
		return EDGE_OK; /* the caller's */
	default:
		return change_set(t, e, role[e->kind], out, f);
	}
}

enum edge_status train_events(struct train *t, uint32_t step, struct train_step_report *out, struct failure *f)
{
	const struct edge_plan *p = &t->s->plan;
	enum edge_status st = EDGE_OK;

	out->event_first = first_event(p, step);
	for (uint32_t i = out->event_first; i < p->event_count && p->events[i].step == step && st == EDGE_OK; i++) {
		st = one_event(t, &p->events[i], out, f);
		out->event_count++;
	}
	return st;
}
