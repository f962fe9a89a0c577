/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.c - the scheduler's stages in order, and what it refuses.
 *
 * lower -> place activations -> is the budget enough? -> all resident, or
 * choose what streams -> lay out -> say what was decided.
 */
#include "config.h"

#include "sched/internal.h"

#include "base/size.h"

#include <assert.h>

typedef unsigned long long ull;

enum { MIB = 1024 * 1024 };

static void place_activations(struct work *w)
{
	struct mem_item *item = arena_new_array(w->a, struct mem_item, w->storages.len + 1);
	uint32_t *id = arena_new_array(w->a, uint32_t, w->storages.len + 1), n = 0;

	for (uint32_t i = 0; i < w->storages.len; i++) {
		const struct storage *s = &w->storages.data[i];

		if (s->merged != i || s->first == UINT32_MAX)
			continue;
		id[n] = i;
		item[n++] = (struct mem_item){ s->bytes, s->first, s->last, 0 };
	}
	w->offset = arena_new_array(w->a, uint64_t, w->storages.len + 1);
	w->live = arena_new_array(w->a, uint64_t, w->events.len + 1);
	w->s->activation_lower_bound = memory_lower_bound(item, n, w->events.len, w->live);
	w->s->activation_peak = memory_place(item, n);
	for (uint32_t i = 0; i < n; i++)
		w->offset[id[i]] = item[i].offset;
}

/* Bytes that a launch needs and that none before it did. */
static uint64_t new_bytes(const struct work *w, const uint32_t *list, uint32_t count, bool *seen)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < count; i++) {
		bytes += seen[list[i]] ? 0 : work_weight(w, list[i])->bytes;
		seen[list[i]] = true;
	}
	return bytes;
}

/*
 * T* = max over l of [ bytes needed up to l / rate + sum of the times from l on ],
 * where a launch that can be split counts as its first and its last granules:
 * the others need not wait for all of its weights.
 */
static double lower_bound_ms(const struct work *w)
{
	bool *seen = arena_new_array(w->a, bool, w->s->weights.len + 1);
	double rest = 0, best;
	uint64_t bytes = 0;

	for (uint32_t e = 0; e < w->events.len; e++)
		rest += w->events.data[e].ms;
	best = rest;
	for (uint32_t e = 0; e < w->events.len; e++) {
		double ms = w->events.data[e].ms, first = 0, last = ms, part;

		if (w->events.data[e].use != NO_ID) {
			const struct weight_use *u = &w->uses.data[w->events.data[e].use];
			uint64_t split;

			part = (double)u->quantum / u->granules;
			bytes += new_bytes(w, w->weight_list.data + u->common_first, u->common_count, seen);
			split = new_bytes(w, w->weight_list.data + u->split_first, u->split_count, seen);
			first = cost_transfer_ms(w->t, bytes + (uint64_t)((double)split * part));
			bytes += split;
			if (part < 1)
				last = w->t->launch_ms + (ms - w->t->launch_ms) * part;
		}
		if (first + rest > best)
			best = first + rest;
		rest -= ms;
		if (cost_transfer_ms(w->t, bytes) + last + rest > best)
			best = cost_transfer_ms(w->t, bytes) + last + rest;
	}
	return best;
}

/* Pieces that no split makes small enough for one allocation. */
static bool check_sizes(struct work *w)
{
	for (uint32_t i = 0; i < w->uses.len; i++) {
		const struct weight_use *u = &w->uses.data[i];

		for (uint32_t k = 0; k < u->split_count + u->common_count; k++) {
			uint32_t weight = w->weight_list.data[u->split_first + k];
			const struct weight *x = work_weight(w, weight);
			uint64_t least = k < u->split_count && !w->fixed[weight] ? x->granule_bytes * u->quantum : x->bytes;
			uint64_t most = w->fixed[weight] ? w->max_region : w->max_stream;

			if (least > most) {
				diag_error(w->d, NO_SPAN,
					   "weight %s needs %llu bytes at once, the device's largest allocation is %llu",
					   weight_name(w, weight), (ull)least, (ull)most);
				return false;
			}
		}
	}
	if (w->s->activation_peak > w->max_region) {
		diag_error(w->d, NO_SPAN, "activations need %llu bytes, the device's largest allocation is %llu",
			   (ull)w->s->activation_peak, (ull)w->max_region);
		return false;
	}
	return true;
}

/* Host memory is for reads on their way to a device that they cannot reach directly. */
static bool check_host_budget(struct work *w)
{
	w->chunk_most = MIB;
	if (w->t->unified || !w->r->host_budget || !w->s->weights.len)
		return true;
	if (w->r->host_budget < 2 * SCHED_PAGE) {
		diag_error(w->d, w->r->budget_span,
			   "a host budget of %llu bytes is too small for reading; smallest budget that works: %u bytes (%s)",
			   (ull)w->r->host_budget, 2 * SCHED_PAGE, size_text(2 * SCHED_PAGE));
		return false;
	}
	if (w->r->host_budget / 2 < w->chunk_most)
		w->chunk_most = w->r->host_budget / 2 / SCHED_PAGE * SCHED_PAGE;
	return true;
}

static bool choose(struct work *w, struct stream_plan *p)
{
	uint64_t activations = w->s->activation_peak, budget = w->r->device_budget, least = stream_minimum(w);
	struct resident all;

	if (least > w->max_stream) /* the stream area is one allocation */
		least = UINT64_MAX - activations - w->fixed_bytes;
	least += w->fixed_bytes;
	cost_choose_io(w->t, w->s->weights_bytes, false);
	stream_all_resident(w, p);
	resident_make(w, p, &all);
	w->s->smallest_budget = activations + (least < all.bytes ? least : all.bytes);
	if (!budget || activations + all.bytes <= budget)
		return true;
	if (budget < w->s->smallest_budget) {
		diag_error(w->d, w->r->budget_span,
			   "a budget of %llu bytes is too small for plan %s; smallest budget that works: %llu bytes (%s)",
			   (ull)budget, w->r->name, (ull)w->s->smallest_budget,
			   size_text(w->s->smallest_budget));
		return false;
	}
	cost_choose_io(w->t, w->s->weights_bytes, true);
	stream_choose(w, budget - activations - w->fixed_bytes, p);
	return true;
}

struct schedule *schedule_make(struct arena *a, const struct sched_request *r, struct diag *d)
{
	struct sched_request *copy = arena_copy(a, r, sizeof *r);
	struct work w = { .a = a, .d = d, .r = copy, .s = arena_new(a, struct schedule) };
	struct stream_plan p;

	copy->models = arena_copy(a, r->models, r->model_count * sizeof *r->models);
	copy->target = w.t = arena_copy(a, r->target, sizeof *r->target);
	w.s->request = copy;
	w.max_region = w.t->max_region_bytes / SCHED_PAGE * SCHED_PAGE;
	if (!lower_request(&w))
		return NULL;
	place_activations(&w);
	weights_fix(&w);
	if (!check_sizes(&w) || !check_host_budget(&w) || !choose(&w, &p))
		return NULL;
	layout_make(&w, &p);
	w.s->lower_bound_ms = lower_bound_ms(&w);
	notes_make(&w, &p);
	assert(!r->device_budget || w.s->device_bytes <= r->device_budget);
	assert(w.s->device_bytes >= w.s->smallest_budget);
	return w.s;
}
