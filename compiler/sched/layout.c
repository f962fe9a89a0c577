/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - the chosen plan in final form: regions, buffers and steps.
 *
 * Units become steps (resident neighbours of one launch become one), and each
 * argument becomes a buffer: in the activations, in a resident region, or
 * where the block that holds it lies in the ring. reads.c then makes chunks
 * and the order in which they are read.
 */
#include "config.h"

#include "sched/layout.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct storage_first {
	uint32_t first, storage;
};

/* ---- buffers, each place once ---- */

static uint32_t place_hash(uint32_t region, uint64_t offset, uint64_t bytes)
{
	uint64_t x = (region + 1) * 0x9e3779b97f4a7c15u;

	x = (x ^ offset) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 29 ^ bytes) * 0x94d049bb133111ebu;
	return (uint32_t)(x >> 32);
}

static void buffers_grow(struct layout *l)
{
	uint32_t cap = l->slots ? l->slots * 2 : 256;
	uint32_t *slot = arena_new_array(l->w->a, uint32_t, cap);

	for (uint32_t i = 0; i < l->w->s->buffers.len; i++) {
		const struct sched_buffer *b = &l->w->s->buffers.data[i];
		uint32_t at = place_hash(b->region, b->offset, b->bytes) & (cap - 1);

		while (slot[at])
			at = (at + 1) & (cap - 1);
		slot[at] = i + 1;
	}
	l->slot = slot;
	l->slots = cap;
}

static uint32_t buffer_at(struct layout *l, uint32_t region, uint64_t offset, uint64_t bytes)
{
	struct schedule *s = l->w->s;
	uint32_t at;

	if (s->buffers.len * 2 >= l->slots)
		buffers_grow(l);
	at = place_hash(region, offset, bytes) & (l->slots - 1);
	for (; l->slot[at]; at = (at + 1) & (l->slots - 1)) {
		const struct sched_buffer *b = &s->buffers.data[l->slot[at] - 1];

		if (b->region == region && b->offset == offset && b->bytes == bytes)
			return l->slot[at] - 1;
	}
	vec_push(l->w->a, &s->buffers, (struct sched_buffer){ region, offset, bytes });
	l->slot[at] = s->buffers.len;
	return s->buffers.len - 1;
}

/* ---- regions ---- */

static uint32_t region_new(struct work *w, enum sched_region_kind kind, bool image, uint64_t bytes)
{
	bool host = kind == SCHED_STAGING;

	vec_push(w->a, &w->s->regions, (struct sched_region){ kind, host, image, bytes });
	*(host ? &w->s->host_bytes : &w->s->device_bytes) += bytes;
	return w->s->regions.len - 1;
}

static void places_make(struct layout *l, uint64_t stream)
{
	l->resident_at = stream;
	l->activations_at = l->resident_at + l->r.bytes;
	l->memory = l->activations_at + round_up(l->w->s->activation_peak, SCHED_PAGE);
}

static void regions_make(struct layout *l)
{
	struct work *w = l->w;
	bool streams = false, textures = w->t->weights == TARGET_TEXTURES;

	if (w->s->activation_peak)
		l->activations = region_new(w, SCHED_ACTIVATIONS, false, w->s->activation_peak);
	for (uint32_t i = 0; i < l->r.region_bytes.len; i++) {
		uint32_t region = region_new(w, SCHED_RESIDENT, textures && i >= l->r.image_regions,
					     l->r.region_bytes.data[i]);

		if (!i)
			l->resident = region;
	}
	w->s->resident_bytes = l->r.bytes;
	for (uint32_t i = 0; i < l->p->blocks.len; i++)
		streams |= !l->p->blocks.data[i].pinned;
	if (streams)
		l->stream = region_new(w, SCHED_STREAM, textures, l->p->image);
	if (streams && l->p->stage) {
		region_new(w, SCHED_STREAM, textures, l->p->image);
		l->staged = region_new(w, SCHED_CARRIED, false, l->p->stage);
	}
	places_make(l, streams ? l->p->image : 0);
	if (w->s->weights.len && !w->t->unified)
		region_new(w, SCHED_STAGING, false, 2 * l->chunk_most);
}

/* ---- where weights are ---- */

/* Segments of a streamed block: the weights of a unit, or common ones. */
static void segments_make(struct layout *l)
{
	struct work *w = l->w;
	const struct stream_plan *p = l->p;

	l->unit_segment = arena_new_array(w->a, uint32_t, p->units.len + 1);
	l->common_segment = arena_new_array(w->a, uint32_t, p->blocks.len + 1);
	for (uint32_t i = 0; i < p->units.len; i++) {
		const struct unit *u = &p->units.data[i];
		uint32_t use = w->events.data[u->event].use;
		const struct weight_use *x = use == NO_ID ? NULL : &w->uses.data[use];
		uint64_t at = 0;

		if (x && u->common != NO_ID && p->blocks.data[u->common].unit_first == i) {
			l->common_segment[u->common] = l->segments.len;
			for (uint32_t k = 0; k < x->common_count; k++)
				segment_new(l, u->common, w->weight_list.data[x->common_first + k], 0, NO_ID, &at);
		}
		l->unit_segment[i] = l->segments.len;
		if (!x || u->block == NO_ID)
			continue;
		at = p->blocks.data[u->block].unit_first == i ? 0 : l->block_end;
		for (uint32_t k = 0; u->common == NO_ID && k < x->common_count; k++)
			segment_new(l, u->block, w->weight_list.data[x->common_first + k], 0, NO_ID, &at);
		for (uint32_t k = 0; k < x->split_count; k++)
			segment_new(l, u->block, w->weight_list.data[x->split_first + k], u->first, u->count, &at);
		l->block_end = at;
		assert(round_up(at, SCHED_PAGE) <= p->blocks.data[u->block].bytes);
	}
	l->unit_segment[p->units.len] = l->segments.len;
}

void segment_new(struct layout *l, uint32_t block, uint32_t weight, uint32_t first, uint32_t count, uint64_t *at)
{
	const struct weight *x = work_weight(l->w, weight);

	if (l->p->pinned_weight[weight])
		return;
	if (count == NO_ID)
		count = x->granules;
	vec_push(l->w->a, &l->segments, (struct segment){ block, weight, first, count, *at });
	*at = round_up(*at + x->granule_bytes * count, l->w->t->align);
}

static const struct segment *find_segment(const struct layout *l, uint32_t from, uint32_t block, uint32_t weight)
{
	for (uint32_t i = from; i < l->segments.len && l->segments.data[i].block == block; i++)
		if (l->segments.data[i].weight == weight)
			return &l->segments.data[i];
	return NULL;
}

static const struct run *find_run(const struct layout *l, uint32_t unit, uint32_t weight)
{
	bool fixed = l->w->fixed[weight];
	uint32_t low = fixed ? 0 : l->r.image_runs, high = fixed ? l->r.image_runs : l->r.runs.len;

	if (l->p->pinned_weight[weight])
		return &l->r.runs.data[l->r.weight_run[weight]];
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (l->r.runs.data[mid].unit < unit)
			low = mid + 1;
		else
			high = mid;
	}
	for (; l->r.runs.data[low].weight != weight; low++)
		;
	return &l->r.runs.data[low];
}

/* The buffer of granules [first, first + count) of a resident weight. */
static uint32_t resident_buffer(struct layout *l, const struct run *r, uint32_t first, uint32_t count)
{
	uint64_t granule = work_weight(l->w, r->weight)->granule_bytes;
	uint32_t chunk = resident_chunk_of(l, r, granule * (first - r->first + count) - 1);

	if (l->need_resident < chunk + 1)
		l->need_resident = chunk + 1;
	return buffer_at(l, l->resident + r->region, r->offset + granule * (first - r->first), granule * count);
}

static uint32_t weight_buffer(struct layout *l, uint32_t unit, uint32_t weight, bool split, uint32_t count)
{
	const struct unit *u = &l->p->units.data[unit];
	const struct weight *x = work_weight(l->w, weight);
	uint32_t home = split || u->common == NO_ID ? u->block : u->common, holder = unit;
	const struct segment *g;

	if (home == u->common && home != NO_ID)
		holder = l->p->blocks.data[home].unit_first;
	if (l->p->pinned_weight[weight] || l->p->blocks.data[home].pinned)
		return resident_buffer(l, find_run(l, holder, weight), split ? u->first : 0,
				       split ? count : x->granules);
	g = find_segment(l, home == u->common ? l->common_segment[home] : l->unit_segment[unit], home, weight);
	return buffer_at(l, l->stream + l->p->blocks.data[home].image, l->p->blocks.data[home].offset + g->at, x->granule_bytes * g->count);
}

/* ---- steps ---- */

static uint64_t share(uint64_t x, uint32_t first, uint32_t count, uint32_t of)
{
	unsigned __int128 a = x;

	return (uint64_t)(a * (first + count) / of - a * first / of);
}

static void kernel_step(struct layout *l, uint32_t unit, uint32_t count, uint32_t variant, struct sched_step *s)
{
	struct work *w = l->w;
	const struct unit *u = &l->p->units.data[unit];
	const struct event *e = &w->events.data[u->event];
	const struct weight_use *x = &w->uses.data[e->use];
	const struct launch *k = variant_launch(w, e, variant);
	double launch = w->t->launch_ms;

	s->launch = e->index;
	s->granule_first = u->first;
	s->granule_count = count;
	s->whole = count == x->granules;
	if (!variant) {
		s->flops = share(k->flops, u->first, count, x->granules);
		s->bytes = share(k->bytes, u->first, count, x->granules);
		s->ms = s->whole ? e->ms : launch + (e->ms - launch) * count / x->granules;
	}
	for (uint32_t i = 0; i < k->arg_count; i++) {
		const struct kernel_arg *a = &k->arg[i];
		uint32_t storage = NO_ID;

		if (a->kind == ARG_WEIGHT) {
			vec_push(w->a, &w->s->step_buffers,
				 weight_buffer(l, unit, weight_number(w, s->model, a->id),
					       x->granules > 1 && a->split, count));
		} else if (a->kind == ARG_VALUE) {
			storage = value_storage(w, e->model, a->id);
		} else if (a->kind == ARG_STATE) {
			storage = w->states.data[a->id];
		} else if (a->kind == ARG_SCRATCH) {
			/* the parts of a launch share its scratch */
			storage = w->scratch.data[l->scratch_at + l->scratch_used++];
		}
		if (storage != NO_ID)
			vec_push(w->a, &w->s->step_buffers, w->storages.data[storage_root(w, storage)].buffer);
	}
}

static void lookup_step(struct layout *l, const struct event *e, uint32_t variant, struct sched_step *s)
{
	struct work *w = l->w;
	const struct launch *k = variant_launch(w, e, variant);

	s->launch = e->index;
	s->bytes = variant ? 0 : k->bytes;
	s->ms = variant ? 0 : e->ms;
	s->table = table_of(w, weight_number(w, s->model, k->lookup->weight));
	for (uint32_t i = 0; i < k->arg_count; i++)
		vec_push(w->a, &w->s->step_buffers,
			 w->storages.data[storage_root(w, value_storage(w, e->model, k->arg[i].id))].buffer);
}

/* What a cold run pays beside in a lookup. */
static double cold_rows_ms(const struct layout *l, const struct sched_step *s)
{
	const struct work *w = l->w;
	const struct row_lookup *r = w->r->models[s->model].ks->launches.data[s->launch].lookup;

	return fmax(cost_lookup_ms(w->t, r, true) - cost_lookup_ms(w->t, r, false), 0);
}

/* What a cold run pays in this step: activations that nothing has touched before, rows from the disk, and code. */
static double first_time_ms(struct layout *l, uint32_t event, const struct sched_step *s)
{
	const struct work *w = l->w;
	uint64_t end = l->touched;
	double ms = 0;

	while (l->next_storage < l->by_first.len &&
	       w->storages.data[l->by_first.data[l->next_storage]].first <= event) {
		uint32_t i = l->by_first.data[l->next_storage++];

		if (w->offset[i] + w->storages.data[i].bytes > end)
			end = w->offset[i] + w->storages.data[i].bytes;
	}
	if (end > l->touched)
		ms += cost_touch_ms(w->t, l->memory, l->activations_at + l->touched, end - l->touched);
	l->touched = end;
	if (s->kind == SCHED_LOOKUP && s->ms > 0)
		ms += cold_rows_ms(l, s);
	if (s->kind == SCHED_KERNEL) {
		const struct kernel_set *ks = w->r->models[s->model].ks;
		uint32_t kernel = ks->launches.data[s->launch].kernel;
		const char *name = ks->kernels.data[kernel].name;

		if (!map_get(&l->used, name, NULL)) {
			map_put(w->a, &l->used, name, 1);
			ms += cost_first_use_ms(w->t);
		}
	}
	return ms;
}

static int by_first_event(const void *a, const void *b)
{
	const struct storage_first *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first ? 1 : x->storage < y->storage ? -1 : 1;
}

/* Storages that have a place, in order of their first event. */
static void order_storages(struct layout *l)
{
	const struct work *w = l->w;
	struct storage_first *list = arena_new_array(w->a, struct storage_first, w->storages.len + 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->storages.len; i++)
		if (w->storages.data[i].merged == i && w->storages.data[i].first != UINT32_MAX)
			list[n++] = (struct storage_first){ w->storages.data[i].first, i };
	qsort(list, n, sizeof *list, by_first_event);
	for (uint32_t i = 0; i < n; i++)
		vec_push(w->a, &l->by_first, list[i].storage);
}

static void note_units(struct layout *l, uint32_t unit, uint32_t next, uint32_t step, bool first)
{
	for (uint32_t i = unit; i < next; i++) {
		l->step_of[i] = step;
		if (first)
			l->step_first[i] = step;
	}
}

/* What the step carries, beside what it is for. The read that it needs for that is not known yet. */
static void load_make(struct layout *l, const struct carry *c, struct sched_step *s)
{
	struct work *w = l->w;
	const struct block *b = &l->p->blocks.data[c->block];
	struct sched_load load = { .step = w->s->steps.len, .read = c->block, .each = c->each };

	load.from = buffer_at(l, l->staged, b->stage_offset + c->from, c->bytes);
	load.to = buffer_at(l, l->stream + b->image, b->offset + c->from, c->bytes);
	s->load = w->s->loads.len;
	s->ms += c->ms;
	s->bytes += 2 * c->bytes;
	vec_push(w->a, &w->s->loads, load);
}

/* One step; of variants one for each, of which a run takes one. The last stands for all: then the unit is done. */
static void step_make(struct layout *l, uint32_t unit, uint32_t next, uint32_t count)
{
	struct work *w = l->w;
	const struct unit *u = &l->p->units.data[unit];
	const struct event *e = &w->events.data[u->event];
	bool launches = e->kind == SCHED_KERNEL || e->kind == SCHED_LOOKUP;

	if (!unit || l->p->units.data[unit - 1].event != u->event)
		l->scratch_at += l->scratch_used; /* those of the launch before */
	l->scratch_used = 0;
	for (uint32_t v = 0; v < (launches ? work_variants(w) : 1); v++) {
		struct sched_step s = { .kind = e->kind, .model = w->r->variants ? v : e->model,
					.buffer_first = w->s->step_buffers.len, .whole = true, .load = NO_ID,
					.live_bytes = w->live[u->event] };

		if (e->kind == SCHED_KERNEL) {
			kernel_step(l, unit, count, v, &s);
		} else if (e->kind == SCHED_LOOKUP) {
			lookup_step(l, e, v, &s);
		} else {
			s.tensor = e->index;
			s.bytes = 2 * w->s->tensors.data[e->index].bytes;
			s.ms = e->ms;
		}
		if (l->next_carry < l->p->carries.len && l->p->carries.data[l->next_carry].unit == unit)
			load_make(l, &l->p->carries.data[l->next_carry++], &s);
		note_units(l, unit, next, w->s->steps.len, v == 0);
		w->s->flops += s.flops;
		vec_push(w->a, &w->s->steps, s);
		vec_push(w->a, &l->clock, (struct clock_step){ .ms = s.ms, .resident = l->need_resident,
							       .touch_ms = first_time_ms(l, u->event, &s) });
	}
}

static void steps_make(struct layout *l)
{
	order_storages(l);
	l->step_of = arena_new_array(l->w->a, uint32_t, l->p->units.len + 1);
	l->step_first = arena_new_array(l->w->a, uint32_t, l->p->units.len + 1);
	for (uint32_t i = 0, next, count; i < l->p->units.len; i = next) {
		next = unit_merge(l->w, l->p, i, &count);
		step_make(l, i, next, count);
	}
}

/* ---- activations ---- */

static void activation_buffers(struct layout *l)
{
	struct work *w = l->w;

	for (uint32_t i = 0; i < w->storages.len; i++) {
		struct storage *s = &w->storages.data[i];

		if (s->first != UINT32_MAX && s->merged == i)
			s->buffer = buffer_at(l, l->activations, w->offset[i], s->bytes);
	}
	for (uint32_t i = 0; i < w->s->tensors.len; i++) {
		struct sched_tensor *t = &w->s->tensors.data[i];

		t->buffer = w->storages.data[storage_root(w, value_storage(w, t->model, t->value))].buffer;
	}
}

static uint32_t last_step_of_event(const struct layout *l, uint32_t event)
{
	/* the first unit of a later event, less one */
	uint32_t low = 0, high = l->p->units.len;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (l->p->units.data[mid].event <= event)
			low = mid + 1;
		else
			high = mid;
	}
	return l->step_of[low - 1];
}

static uint32_t first_step_of_event(const struct layout *l, uint32_t event)
{
	return event ? last_step_of_event(l, event - 1) + 1 : 0;
}

/* Where storages were merged in place, each name holds the bytes in turn. */
static void activation_lifetimes(struct layout *l)
{
	struct work *w = l->w;

	for (uint32_t i = 0; i < w->storages.len; i++) {
		const struct storage *s = &w->storages.data[i];
		uint32_t last = s->last;

		if (s->first == UINT32_MAX)
			continue;
		if (s->taken_at != NO_ID && s->taken_at > s->first)
			last = s->taken_at - 1;
		vec_push(w->a, &w->s->lifetimes,
			 (struct sched_lifetime){ l->activations, s->name, w->offset[storage_root(w, i)], s->bytes,
						  (int32_t)first_step_of_event(l, s->first),
						  (int32_t)last_step_of_event(l, last) });
	}
}

void layout_make(struct work *w, const struct stream_plan *p)
{
	struct layout l = { .w = w, .p = p };

	l.chunk_most = w->chunk_most;
	resident_make(w, p, &l.r);
	regions_make(&l);
	resident_chunks(&l);
	segments_make(&l);
	activation_buffers(&l);
	steps_make(&l);
	activation_lifetimes(&l);
	reads_make(&l);
	tables_make(w);
}
