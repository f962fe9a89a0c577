/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cut.c - the weights, in order of use, cut into blocks.
 *
 * Small weights of consecutive launches share a block, so that reads are large
 * and no page is lost on a bias. A launch whose weights are larger than a
 * block runs in parts, each on its own granules. What all parts need (its
 * common weights) is a block of its own that stays while they run.
 */
#include "config.h"

#include "sched/internal.h"

static uint64_t weight_part(const struct work *w, uint32_t weight, uint32_t granules)
{
	return round_up(work_weight(w, weight)->granule_bytes * granules, w->t->align);
}

uint64_t use_common_bytes(const struct work *w, const struct weight_use *u, const bool *skip)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < u->common_count; i++) {
		uint32_t weight = w->weight_list.data[u->common_first + i];

		if (!skip || !skip[weight])
			sum += weight_part(w, weight, work_weight(w, weight)->granules);
	}
	return sum;
}

uint64_t use_split_bytes(const struct work *w, const struct weight_use *u, uint32_t count, const bool *skip)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < u->split_count; i++) {
		uint32_t weight = w->weight_list.data[u->split_first + i];

		if (!skip || !skip[weight])
			sum += weight_part(w, weight, count);
	}
	return sum;
}

static uint64_t pages(uint64_t bytes)
{
	return round_up(bytes, SCHED_PAGE);
}

/* What the launch needs at once when it runs in the smallest parts; and when it runs whole. */
static void use_extremes(const struct work *w, const struct weight_use *u, const bool *skip, uint64_t *parts,
			 uint64_t *whole)
{
	uint64_t common = use_common_bytes(w, u, skip);

	*whole = pages(common + use_split_bytes(w, u, u->granules, skip));
	*parts = u->granules > u->quantum ? pages(common) + pages(use_split_bytes(w, u, u->quantum, skip)) : *whole;
}

/*
 * Where weights are images, the others (biases, tables, all that no product
 * multiplies by) lie in buffers, and only one kind of memory can be streamed.
 */
void weights_fix(struct work *w)
{
	struct stream_plan p = { 0 };
	struct resident r;

	w->fixed = arena_new_array(w->a, bool, w->s->weights.len + 1);
	w->max_stream = w->max_region;
	if (w->t->weights != TARGET_TEXTURES)
		return;
	if (w->max_stream / SCHED_PAGE > w->t->image_rows)
		w->max_stream = (uint64_t)w->t->image_rows * SCHED_PAGE;
	for (uint32_t i = 0; i < w->s->weights.len; i++)
		w->fixed[i] = !work_weight(w, i)->packing.texture;
	p.pinned_weight = w->fixed;
	stream_cut(w, &p, w->max_stream, UINT64_MAX);
	resident_make(w, &p, &r);
	w->fixed_bytes = r.bytes;
}

uint64_t stream_minimum(const struct work *w)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < w->uses.len; i++) {
		uint64_t parts, whole;

		use_extremes(w, &w->uses.data[i], w->fixed, &parts, &whole);
		if (parts > whole)
			parts = whole;
		if (parts > most)
			most = parts;
	}
	return most;
}

struct cutter {
	struct work *w;
	struct stream_plan *p;
	const bool *skip;
	uint64_t target, ring;
	uint32_t open;  /* block that may take more; NO_ID */
	uint64_t bytes; /* in it */
};

static void unit_new(struct cutter *c, uint32_t event, uint32_t first, uint32_t count, uint32_t common, double ms)
{
	vec_push(c->w->a, &c->p->units, (struct unit){ event, first, count, NO_ID, common, ms });
}

static void block_close(struct cutter *c)
{
	c->open = NO_ID;
}

/* Adds bytes of the newest unit to the open block, or to a new one. */
static void block_add(struct cutter *c, uint64_t bytes, bool fresh)
{
	uint32_t unit = c->p->units.len - 1;
	struct block *b;

	if (fresh || c->open == NO_ID) {
		vec_push(c->w->a, &c->p->blocks, (struct block){ .unit_first = unit, .after = -1 });
		c->open = c->p->blocks.len - 1;
		c->bytes = 0;
	}
	c->bytes += bytes;
	b = &c->p->blocks.data[c->open];
	b->unit_last = unit;
	b->pinned_bytes = c->bytes;
	b->bytes = pages(c->bytes);
	c->p->units.data[unit].block = c->open;
}

/* The largest number of granules, at least a quantum, whose part fits `limit`. */
static uint32_t granules_that_fit(const struct cutter *c, const struct weight_use *u, uint64_t limit, uint32_t most)
{
	uint32_t low = 1, high = most / u->quantum;

	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;

		if (pages(use_split_bytes(c->w, u, mid * u->quantum, c->skip)) <= limit)
			low = mid;
		else
			high = mid - 1;
	}
	return low * u->quantum;
}

static double part_ms(const struct cutter *c, const struct event *e, uint32_t count, uint32_t granules)
{
	double launch = c->w->t->launch_ms;

	return count == granules ? e->ms : launch + (e->ms - launch) * count / granules;
}

static void cut_parts(struct cutter *c, uint32_t event, const struct weight_use *u)
{
	const struct event *e = &c->w->events.data[event];
	uint64_t common_bytes = use_common_bytes(c->w, u, c->skip), limit = c->target;
	uint32_t at = 0, common = NO_ID;

	if (common_bytes) {
		common = c->p->blocks.len;
		vec_push(c->w->a, &c->p->blocks,
			 (struct block){ .unit_first = c->p->units.len, .bytes = pages(common_bytes),
					 .pinned_bytes = common_bytes, .after = -1, .common = true });
		block_close(c);
		if (limit > c->ring - pages(common_bytes))
			limit = c->ring - pages(common_bytes);
	}
	if (c->open != NO_ID && c->bytes <= c->target / 2) {
		uint64_t room = c->target - c->bytes;
		uint32_t k = granules_that_fit(c, u, room, u->granules - u->quantum);

		if (pages(c->bytes + use_split_bytes(c->w, u, k, c->skip)) <= c->target) {
			unit_new(c, event, 0, k, NO_ID, part_ms(c, e, k, u->granules));
			block_add(c, use_split_bytes(c->w, u, k, c->skip), false);
			at = k;
		}
	}
	while (at < u->granules) {
		uint32_t left = u->granules - at, k = granules_that_fit(c, u, limit, left);
		uint32_t parts = (left + k - 1) / k;
		/* of equal size, so that none is left with a crumb */
		uint32_t even = (uint32_t)round_up((left + parts - 1) / parts, u->quantum);

		unit_new(c, event, at, even, common, part_ms(c, e, even, u->granules));
		block_add(c, use_split_bytes(c->w, u, even, c->skip), true);
		at += even;
	}
	if (common != NO_ID) {
		c->p->blocks.data[common].unit_last = c->p->units.len - 1;
		block_close(c);
	}
}

static void cut_event(struct cutter *c, uint32_t event)
{
	const struct event *e = &c->w->events.data[event];
	const struct weight_use *u = e->use == NO_ID ? NULL : &c->w->uses.data[e->use];
	uint64_t parts = 0, whole = 0, bytes = 0;

	if (u) {
		bytes = use_common_bytes(c->w, u, c->skip) + use_split_bytes(c->w, u, u->granules, c->skip);
		use_extremes(c->w, u, c->skip, &parts, &whole);
	}
	if (bytes && whole > c->target && u->granules > u->quantum && parts <= c->ring &&
	    use_split_bytes(c->w, u, 1, c->skip)) {
		cut_parts(c, event, u);
		return;
	}
	unit_new(c, event, 0, u ? u->granules : 1, NO_ID, e->ms);
	if (bytes)
		block_add(c, bytes, c->open != NO_ID && pages(c->bytes + bytes) > c->target);
}

void stream_cut(struct work *w, struct stream_plan *p, uint64_t target, uint64_t ring)
{
	struct cutter c = { w, p, p->pinned_weight, target, ring, NO_ID, 0 };

	p->units.len = p->blocks.len = 0;
	p->block_target = target;
	p->ring = ring;
	for (uint32_t e = 0; e < w->events.len; e++)
		cut_event(&c, e);
}
