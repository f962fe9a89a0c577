/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resident.c - the weights that stay, one after the other in order of first use.
 *
 * A run is a contiguous range of a weight's granules. Neighbouring units of a
 * launch whose blocks both stay become one step, so their runs are one run.
 * Regions end where a run would make them larger than one allocation may be.
 */
#include "config.h"

#include "sched/internal.h"

struct packer {
	struct work *w;
	const struct stream_plan *p;
	struct resident *out;
	uint64_t at; /* in the last region */
	uint64_t limit; /* of a region */
	bool fixed; /* this round is for the weights that are no images */
	uint32_t regions; /* of the round before */
};

static void run_new(struct packer *k, uint32_t weight, uint32_t first, uint32_t count, uint32_t unit)
{
	struct resident *r = k->out;
	uint64_t bytes = work_weight(k->w, weight)->granule_bytes * count;
	uint64_t at = round_up(k->at, k->w->t->align);

	if (k->w->fixed[weight] != k->fixed)
		return;
	if (r->region_bytes.len == k->regions || at + bytes > k->limit) {
		vec_push(k->w->a, &r->region_bytes, 0);
		at = 0;
	}
	if (r->weight_run[weight] == NO_ID)
		r->weight_run[weight] = r->runs.len;
	vec_push(k->w->a, &r->runs,
		 (struct run){ weight, first, count, unit, r->region_bytes.len - 1, at, bytes });
	k->at = at + bytes;
	r->region_bytes.data[r->region_bytes.len - 1] = round_up(k->at, SCHED_PAGE);
}

static bool stays(const struct packer *k, uint32_t block)
{
	return block != NO_ID && k->p->blocks.data[block].pinned;
}

/* Weights that are resident for all their uses, at the first one. */
static bool pack_shared(struct packer *k, uint32_t weight, uint32_t unit)
{
	if (!k->p->pinned_weight[weight])
		return false;
	if (k->out->weight_run[weight] == NO_ID)
		run_new(k, weight, 0, work_weight(k->w, weight)->granules, unit);
	return true;
}

static void pack_unit(struct packer *k, uint32_t unit, uint32_t count)
{
	const struct unit *u = &k->p->units.data[unit];
	const struct weight_use *x = &k->w->uses.data[k->w->events.data[u->event].use];

	for (uint32_t i = 0; i < x->common_count; i++) {
		uint32_t weight = k->w->weight_list.data[x->common_first + i];

		if (!pack_shared(k, weight, unit) &&
		    (u->common == NO_ID ? stays(k, u->block) : u->first == 0 && stays(k, u->common)))
			run_new(k, weight, 0, work_weight(k->w, weight)->granules, unit);
	}
	for (uint32_t i = 0; i < x->split_count; i++) {
		uint32_t weight = k->w->weight_list.data[x->split_first + i];

		if (!pack_shared(k, weight, unit) && stays(k, u->block))
			run_new(k, weight, u->first, count, unit);
	}
}

uint32_t unit_merge(const struct work *w, const struct stream_plan *p, uint32_t unit, uint32_t *count)
{
	const struct unit *u = p->units.data;
	uint32_t end = unit + 1;

	*count = u[unit].count;
	if (u[unit].block == NO_ID || !p->blocks.data[u[unit].block].pinned)
		return end;
	for (; end < p->units.len && u[end].event == u[unit].event; end++) {
		const struct weight_use *x = &w->uses.data[w->events.data[u[unit].event].use];
		uint64_t limit = w->max_stream;

		if (u[end].block == NO_ID || !p->blocks.data[u[end].block].pinned ||
		    use_split_bytes(w, x, *count + u[end].count, p->pinned_weight) > limit)
			break;
		*count += u[end].count;
	}
	return end;
}

static void pack_all(struct packer *k)
{
	uint32_t count;

	for (uint32_t i = 0, next; i < k->p->units.len; i = next) {
		next = unit_merge(k->w, k->p, i, &count);
		if (k->w->events.data[k->p->units.data[i].event].use != NO_ID)
			pack_unit(k, i, count);
	}
}

void resident_make(struct work *w, const struct stream_plan *p, struct resident *out)
{
	struct packer k = { .w = w, .p = p, .out = out, .limit = w->max_region, .fixed = true };

	*out = (struct resident){ .weight_run = arena_new_array(w->a, uint32_t, w->s->weights.len + 1) };
	for (uint32_t i = 0; i < w->s->weights.len; i++)
		out->weight_run[i] = NO_ID;
	pack_all(&k);
	k.regions = out->image_regions = out->region_bytes.len;
	out->image_runs = out->runs.len;
	k.limit = w->max_stream;
	k.fixed = false;
	pack_all(&k);
	for (uint32_t i = 0; i < out->region_bytes.len; i++)
		out->bytes += out->region_bytes.data[i];
}
