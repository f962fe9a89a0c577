/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - which blocks stay, which are read in each run, and through what.
 *
 * A candidate is a block size and a ring size; what the ring leaves of the
 * room is for pinning. One walk over the units with two clocks decides: a
 * block that the disk could not bring in time is pinned while there is room,
 * and makes its step wait afterwards. Room that is left pins blocks from the
 * front, where a run has had no time to read ahead. Where there is not room for
 * all that is late, steps are walked at a slower pace, the fastest at which there
 * is: the disk is late by a little everywhere, not by much at the end, with the
 * ring full before it. The candidate with the
 * smallest sum of a cold run, a warm run and a share of what is read in each
 * run is taken. Candidates are few and a walk is linear, so the whole is.
 *
 * What the disk could hide if memory were no limit (fill.c) gives one more
 * ring size to try, and the numbers to judge the result by.
 */
#include "config.h"

#include "sched/internal.h"

#include <stdlib.h>
#include <string.h>

enum { KIB = 1024, MIB = 1024 * 1024, RING_ENOUGH = 6 * MIB, EFFORT = 3000000 };

/* Slower paces that are tried, to how much of one; and by how much a candidate may become better. */
#define PACE_STEP 1.5
#define PACE_MOST 64
#define PACE_EXACT 0.02
#define PACE_GAINS 1.2

static uint64_t page_floor(uint64_t x)
{
	return x / SCHED_PAGE * SCHED_PAGE;
}

/* ---- weights that several launches use ---- */

struct shared_weight {
	uint32_t weight, uses;
	uint64_t bytes;
};

static int by_uses(const void *a, const void *b)
{
	const struct shared_weight *x = a, *y = b;

	if (x->uses != y->uses)
		return x->uses > y->uses ? -1 : 1;
	return x->weight < y->weight ? -1 : 1;
}

/* Worth pinning whole: each pinned byte saves more than one byte of every run. */
static uint32_t find_shared(const struct work *w, struct arena *a, struct shared_weight **out)
{
	uint32_t n = 0;

	*out = arena_new_array(a, struct shared_weight, w->s->weights.len);
	for (uint32_t i = 0; i < w->s->weights.len; i++) {
		const struct weight *x = work_weight(w, i);

		/* a part of it must be a buffer of its own */
		if (w->weight_uses[i] > 1 && !w->fixed[i] && (x->granules == 1 || x->granule_bytes % w->t->align == 0) &&
		    x->bytes <= w->max_stream)
			(*out)[n++] = (struct shared_weight){ i, w->weight_uses[i],
							      round_up(x->bytes, w->t->align) };
	}
	if (n)
		qsort(*out, n, sizeof **out, by_uses);
	return n;
}

static uint64_t pin_shared(struct stream_plan *p, const struct shared_weight *s, uint32_t n, uint64_t room)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < n; i++)
		if (s[i].bytes <= room - used) {
			p->pinned_weight[s[i].weight] = true;
			used += s[i].bytes;
		}
	return used;
}

/* ---- one walk ---- */

struct walk {
	struct work *w;
	struct stream_plan *p;
	struct ring ring[2]; /* of each image */
	uint32_t turn, images;
	double *end; /* of each unit */
	double disk, now, ready;
	double pace;   /* so many times as long do steps take */
	uint64_t room; /* for pinning, when a block is late */
	bool late;     /* so was one for which there was none */
};

static void walk_block(struct walk *k, struct block *b)
{
	struct ring *ring = &k->ring[k->turn];
	double start, end;

	if (b->pinned)
		return;
	b->after = b->common ? ring_peek_hold(ring, b->bytes) : ring_peek(ring, b->bytes);
	start = b->after < 0 || k->disk > k->end[b->after] ? k->disk : k->end[b->after];
	end = start + cost_read_ms(k->w->t, b->bytes);
	if (end > k->now + 1e-9 && b->pinned_bytes <= k->room) {
		k->room -= b->pinned_bytes;
		k->p->pinned_bytes += b->pinned_bytes;
		k->p->pinned_late++;
		b->pinned = true;
		b->after = -1;
		return;
	}
	k->late |= end > k->now + 1e-9;
	b->offset = b->common ? ring_take_hold(ring, b->bytes, (int32_t)b->unit_last) :
				ring_take(ring, b->bytes, (int32_t)b->unit_last);
	b->image = (uint8_t)k->turn;
	k->turn = (k->turn + 1) % k->images;
	k->disk = end;
	if (end > k->ready)
		k->ready = end;
}

/* Pins what is late as far as room allows and places the rest in the ring. *room: what is left. False: it was too little. */
static bool walk(struct work *w, struct stream_plan *p, struct arena *tmp, double pace, uint64_t *room)
{
	struct walk k = { .w = w, .p = p, .room = *room, .images = p->stage ? 2 : 1, .pace = pace };

	for (uint32_t i = 0; i < k.images; i++)
		ring_init(&k.ring[i], tmp, p->image);
	k.end = arena_new_array(tmp, double, p->units.len + 1);
	for (uint32_t i = 0; i < p->units.len; i++) {
		const struct unit *u = &p->units.data[i];

		if (i && u->event != p->units.data[i - 1].event)
			for (uint32_t r = 0; r < k.images; r++)
				ring_unhold(&k.ring[r]);
		if (u->common != NO_ID && p->blocks.data[u->common].unit_first == i)
			walk_block(&k, &p->blocks.data[u->common]);
		if (u->block != NO_ID && p->blocks.data[u->block].unit_first == i)
			walk_block(&k, &p->blocks.data[u->block]);
		if (k.ready > k.now)
			k.now = k.ready;
		k.now += k.pace * u->ms;
		k.end[i] = k.now;
	}
	*room = k.room;
	return !k.late;
}

static bool pin_block(struct stream_plan *p, struct block *b, uint64_t *room)
{
	if (b->pinned || b->pinned_bytes > *room)
		return false;
	b->pinned = true;
	b->after = -1;
	*room -= b->pinned_bytes;
	p->pinned_bytes += b->pinned_bytes;
	p->pinned_spare++;
	return true;
}

/*
 * A ringful from the front, where a run has had no time to read ahead. The rest of the room goes to blocks
 * all over the run: between two of them the disk gains time, so that what comes late once is not late for good.
 */
static void pin_spare(struct stream_plan *p, uint64_t room)
{
	uint64_t left = room, front = 0, total = 0, share = 0, given = 0;

	for (uint32_t i = 0; i < p->blocks.len && front < p->ring; i++)
		if (pin_block(p, &p->blocks.data[i], &left))
			front += p->blocks.data[i].pinned_bytes;
	room = left;
	for (uint32_t i = 0; i < p->blocks.len; i++)
		total += p->blocks.data[i].pinned ? 0 : p->blocks.data[i].pinned_bytes;
	for (uint32_t i = 0; i < p->blocks.len && total; i++) {
		struct block *b = &p->blocks.data[i];

		if (b->pinned)
			continue;
		share += b->pinned_bytes;
		if ((double)share / (double)total * (double)room >= (double)(given + b->pinned_bytes) &&
		    pin_block(p, b, &left))
			given += b->pinned_bytes;
	}
	for (uint32_t i = 0; i < p->blocks.len; i++)
		pin_block(p, &p->blocks.data[i], &left);
}

/* ---- its two clocks ---- */

struct clocks {
	struct clock_step *step;
	struct clock_read *stream, *resident;
	uint32_t streams, residents;
};

static void clocks_pinned(struct clocks *c, const struct work *w, const struct block *b, uint32_t unit)
{
	if (b->unit_first == unit && b->pinned)
		c->resident[c->residents++] = (struct clock_read){ .bytes = b->pinned_bytes, .after = -1, .first = unit, .once = true,
								   .upload_ms = cost_upload_ms(w->t, b->pinned_bytes, true) };
}

/* What unit i is the first to need, or to carry. */
static void clocks_streamed(struct clocks *c, const struct work *w, const struct stream_plan *p, uint32_t i)
{
	for (; c->streams < p->order.len; c->streams++) {
		const struct block *b = &p->blocks.data[p->order.data[c->streams]];

		if (block_need(b) > i)
			return;
		c->stream[c->streams] = (struct clock_read){ .bytes = b->bytes, .first = block_need(b),
							     .after = b->carried ? b->stage_after : b->after,
							     .upload_ms = cost_upload_ms(w->t, b->bytes, !b->carried) };
	}
}

static void clocks_make(const struct work *w, const struct stream_plan *p, struct arena *tmp, struct clocks *c)
{
	bool *seen = arena_new_array(tmp, bool, w->s->weights.len + 1);
	uint32_t carry = 0;

	c->step = arena_new_array(tmp, struct clock_step, p->units.len + 1);
	c->stream = arena_new_array(tmp, struct clock_read, p->blocks.len + 1);
	c->resident = arena_new_array(tmp, struct clock_read, p->blocks.len + w->s->weights.len + 1);
	for (uint32_t i = 0; i < p->units.len; i++) {
		const struct unit *u = &p->units.data[i];
		uint32_t use = w->events.data[u->event].use;
		const struct weight_use *x = use == NO_ID ? NULL : &w->uses.data[use];

		for (uint32_t k = 0; x && k < x->split_count + x->common_count; k++) {
			uint32_t weight = w->weight_list.data[x->split_first + k];

			if (p->pinned_weight[weight] && !seen[weight])
				c->resident[c->residents++] =
					(struct clock_read){ .bytes = work_weight(w, weight)->bytes, .after = -1,
							     .first = i, .once = true };
			seen[weight] = true;
		}
		if (u->common != NO_ID)
			clocks_pinned(c, w, &p->blocks.data[u->common], i);
		if (u->block != NO_ID)
			clocks_pinned(c, w, &p->blocks.data[u->block], i);
		clocks_streamed(c, w, p, i);
		c->step[i] = (struct clock_step){ .ms = u->ms, .stream = c->streams, .resident = c->residents };
		if (carry < p->carries.len && p->carries.data[carry].unit == i)
			c->step[i].ms += p->carries.data[carry++].ms;
	}
}

static void predict(const struct work *w, struct stream_plan *p, struct arena *tmp)
{
	struct clocks c = { 0 };

	clocks_make(w, p, tmp, &c);
	for (int cold = 0; cold < 2; cold++)
		*(cold ? &p->cold_ms : &p->warm_ms) =
			clock_run(w->t, c.step, p->units.len, c.stream, c.streams, c.resident, c.residents, cold, NULL);
}

/* ---- choosing ---- */

struct chooser {
	struct work *w;
	struct arena tmp;
	struct shared_weight *shared;
	uint32_t shared_count;
	uint64_t room;
	struct stream_plan plan; /* the candidate; its arrays are used again */
	struct { uint64_t target, ring; double pace, cost; } best;
	bool carry; /* kernels copy */
	uint64_t spent;
	uint32_t tried;
};

/* Resident regions end at page boundaries, and there may be several of them. */
static uint64_t pin_room(const struct work *w, uint64_t room)
{
	uint64_t seams = room / w->max_stream * 2 * SCHED_PAGE;

	return page_floor(room > seams ? room - seams : 0);
}

/*
 * How much of the ring is for what kernels carry, two blocks where there is room; the rest is two images.
 * 0: too little, one image is all of it.
 */
static uint64_t stage_of(const struct chooser *c, uint64_t target, uint64_t ring)
{
	uint64_t least = stream_minimum(c->w), stage = page_floor(ring / 4), most;

	if (!c->carry || ring < 3 * least)
		return 0;
	most = page_floor(ring - 2 * least);
	if (stage < 2 * target)
		stage = 2 * target;
	return stage < least ? least : stage > most ? most : stage;
}

/* The candidate's blocks, of which none is pinned. Returns the room for pinning. */
static uint64_t cut(struct chooser *c, uint64_t target, uint64_t ring)
{
	struct stream_plan *p = &c->plan;
	uint64_t room = pin_room(c->w, c->room - ring);

	memcpy(p->pinned_weight, c->w->fixed, c->w->s->weights.len * sizeof *p->pinned_weight);
	p->pinned_late = p->pinned_spare = 0;
	p->pinned_bytes = pin_shared(p, c->shared, c->shared_count, room);
	p->carries.len = 0;
	p->stage = stage_of(c, target, ring);
	p->image = p->stage ? page_floor((ring - p->stage) / 2) : ring;
	stream_cut(c->w, p, target < p->image ? target : p->image, p->image);
	p->ring = ring;
	return room - p->pinned_bytes;
}

static bool fits_at(struct chooser *c, double pace, uint64_t room)
{
	struct stream_plan *p = &c->plan;
	struct arena tmp = { 0 };
	bool fits;

	for (uint32_t i = 0; i < p->blocks.len; i++)
		p->blocks.data[i].pinned = false;
	fits = walk(c->w, p, &tmp, pace, &room);
	arena_release(&tmp);
	return fits;
}

/* The fastest pace, nearly, at which there is room for all that is late. */
static double find_pace(struct chooser *c, uint64_t target, uint64_t ring)
{
	uint64_t room = cut(c, target, ring);
	double low = 1, high = PACE_STEP;

	for (; high < PACE_MOST && !fits_at(c, high, room); high *= PACE_STEP)
		low = high;
	while (high - low > PACE_EXACT * low) {
		double pace = (low + high) / 2;

		*(fits_at(c, pace, room) ? &high : &low) = pace;
	}
	return high;
}

/* False: there was not room for all that is late. */
static bool build(struct chooser *c, uint64_t target, uint64_t ring, double pace)
{
	struct stream_plan *p = &c->plan;
	struct arena tmp = { 0 };
	uint64_t room = cut(c, target, ring), none = 0;
	bool fits = walk(c->w, p, &tmp, pace, &room);

	pin_spare(p, room);
	if (p->pinned_spare)
		walk(c->w, p, &tmp, pace, &none);
	if (p->stage)
		carry_choose(c->w, p, &tmp);
	stream_order(c->w, p);
	predict(c->w, p, &tmp);
	arena_release(&tmp);
	return fits;
}

/*
 * Bytes that each run reads cost something even where they hide: power, and the disk's other users. Where kernels
 * are to copy, what they do not is read as if at half the rate.
 */
static double plan_cost(const struct work *w, const struct stream_plan *p)
{
	uint64_t streamed = 0, queued = 0;

	for (uint32_t i = 0; i < p->blocks.len; i++) {
		streamed += p->blocks.data[i].pinned ? 0 : p->blocks.data[i].bytes;
		queued += p->stage && !p->blocks.data[i].pinned && !p->blocks.data[i].carried ? p->blocks.data[i].bytes : 0;
	}
	return p->cold_ms + p->warm_ms + cost_transfer_ms(w->t, streamed) / 2 + cost_transfer_ms(w->t, queued);
}

static void keep_better(struct chooser *c, uint64_t target, uint64_t ring, double pace, double cost)
{
	/* much the same: the larger ring and block, tried first, bear more surprises */
	if (!c->tried || cost < c->best.cost * 0.995) {
		c->best.cost = cost;
		c->best.target = target;
		c->best.ring = ring;
		c->best.pace = pace;
	}
	c->tried++;
	c->spent += c->plan.units.len;
}

static void try_candidate(struct chooser *c, uint64_t target, uint64_t ring)
{
	static const double share[] = { 1, 0.4, 0.7, 1.5 }; /* the disk's clock is not exact, and some of the run waits anyway */
	double cost, pace;
	bool fits;

	target = page_floor(target);
	if (target > MIB)
		target = MIB;
	if (target > ring)
		target = ring;
	if (!target)
		target = SCHED_PAGE;
	if (c->tried && c->spent > EFFORT)
		return;
	fits = build(c, target, ring, 1);
	if (c->carry && !c->plan.carries.len)
		return;
	cost = plan_cost(c->w, &c->plan);
	keep_better(c, target, ring, 1, cost);
	if (fits || c->carry || c->spent > EFFORT / 3 || cost > c->best.cost * PACE_GAINS)
		return;
	pace = find_pace(c, target, ring);
	for (size_t i = 0; i < (c->spent > EFFORT / 12 ? 1 : sizeof(share) / sizeof(*share)); i++) {
		build(c, target, ring, 1 + share[i] * (pace - 1));
		keep_better(c, target, ring, 1 + share[i] * (pace - 1), plan_cost(c->w, &c->plan));
	}
}

static void try_ring(struct chooser *c, uint64_t ring)
{
	static const uint32_t share[] = { 2, 3, 4, 8, 16 };
	uint64_t last = 0;

	try_candidate(c, MIB, ring);
	for (uint32_t i = 0; i < sizeof share / sizeof *share; i++) {
		uint64_t target = page_floor(ring / share[i]);

		if (target > MIB)
			target = MIB;
		if (target == last || target < SCHED_PAGE || (target < 64 * KIB && ring > 512 * KIB))
			continue;
		last = target;
		try_candidate(c, target, ring);
	}
	if (ring > 4 * MIB) {
		try_candidate(c, 512 * KIB, ring);
		try_candidate(c, 256 * KIB, ring);
	}
}

/* What the disk clock could hide without a limit on memory. */
static void hide_bounds(struct chooser *c, struct stream_plan *out)
{
	struct stream_plan *p = &c->plan;
	struct arena tmp = { 0 };
	struct fill_weight *f;
	uint32_t *capacity;
	uint64_t *flight, most = 0, largest = 0;
	double total = 0, page_ms = cost_transfer_ms(c->w->t, SCHED_PAGE);

	memcpy(p->pinned_weight, c->w->fixed, c->w->s->weights.len * sizeof *p->pinned_weight);
	stream_cut(c->w, p, 256 * KIB, UINT64_MAX);
	f = arena_new_array(&tmp, struct fill_weight, p->blocks.len + 1);
	capacity = arena_new_array(&tmp, uint32_t, p->units.len + 1);
	flight = arena_new_array(&tmp, uint64_t, p->units.len + 1);
	for (uint32_t i = 0; i < p->blocks.len; i++) {
		f[i].use = p->blocks.data[i].unit_first;
		f[i].units = (uint32_t)(p->blocks.data[i].bytes / SCHED_PAGE);
		if (p->blocks.data[i].bytes > largest)
			largest = p->blocks.data[i].bytes;
	}
	for (uint32_t i = 0; i < p->units.len; i++) {
		double before = total / page_ms, after;

		total += p->units.data[i].ms;
		after = (total / page_ms) - (double)(uint64_t)before;
		capacity[i] = after > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)after;
	}
	out->hide_minimum = fill_minimum(f, p->blocks.len, capacity, p->units.len) * SCHED_PAGE;
	fill_backward(f, p->blocks.len, capacity, p->units.len, flight);
	for (uint32_t i = 0; i < p->units.len; i++)
		if (flight[i] > most)
			most = flight[i];
	out->hide_ring = most * SCHED_PAGE + largest;
	arena_release(&tmp);
}

static uint64_t ring_limit(const struct work *w, uint64_t room)
{
	return page_floor(room < w->max_stream ? room : w->max_stream);
}

/*
 * Where there is room, the ring holds what is being read, several blocks at a time, beside what is in use
 * and what waits for it: clocks that are never late would be content with less.
 */
static uint64_t ring_enough(uint64_t room)
{
	return page_floor(room / 8 < RING_ENOUGH ? room / 8 : RING_ENOUGH);
}

static void try_rings(struct chooser *c, uint64_t least, uint64_t most)
{
	uint64_t ring = round_up(c->plan.hide_ring, SCHED_PAGE);

	/* the most promising first: a large network may use up the effort */
	try_ring(c, ring < least ? least : ring > most ? most : ring);
	for (ring = least; ring <= most / 2; ring *= 2)
		;
	for (; ring > least; ring /= 2) {
		try_ring(c, ring);
		try_ring(c, round_up(ring / 4 * 3, SCHED_PAGE));
	}
	try_ring(c, least);
	if (most > least)
		try_ring(c, most);
}

/* The best plan in which kernels carry something takes the place of the best without, if there is one. */
static void choose_carrying(struct chooser *c, uint64_t least, uint64_t most, struct stream_plan *out)
{
	double cold = out->cold_ms, warm = out->warm_ms;
	uint64_t target = c->best.target, ring = c->best.ring;
	double pace = c->best.pace;
	uint32_t tried = c->tried;

	if (least < 3 * stream_minimum(c->w))
		least = 3 * stream_minimum(c->w);
	if (least <= most) {
		c->carry = true;
		c->spent = c->tried = 0;
		try_rings(c, least, most);
		c->carry = c->tried > 0;
		build(c, c->carry ? c->best.target : target, c->carry ? c->best.ring : ring, c->carry ? c->best.pace : pace);
		*out = c->plan;
	}
	out->candidates = tried + (c->carry ? c->tried : 0);
	out->queue_cold_ms = cold;
	out->queue_warm_ms = warm;
}

void stream_choose(struct work *w, uint64_t room, struct stream_plan *out)
{
	struct chooser c = { .w = w, .room = room };
	uint64_t least = stream_minimum(w), most = ring_limit(w, room), deep = ring_enough(room);

	least = least < deep ? deep : least;
	c.plan.pinned_weight = arena_new_array(w->a, bool, w->s->weights.len + 1);
	c.shared_count = find_shared(w, &c.tmp, &c.shared);
	hide_bounds(&c, &c.plan);
	try_rings(&c, least, most);
	build(&c, c.best.target, c.best.ring, c.best.pace);
	*out = c.plan;
	out->candidates = c.tried;
	if (w->t->copies == TARGET_COPIES_KERNELS && !w->r->variants)
		choose_carrying(&c, least, most, out);
	arena_release(&c.tmp);
}

void stream_all_resident(struct work *w, struct stream_plan *out)
{
	struct arena tmp = { 0 };

	memset(out, 0, sizeof *out);
	out->pinned_weight = arena_new_array(w->a, bool, w->s->weights.len + 1);
	for (uint32_t i = 0; i < w->s->weights.len; i++)
		out->pinned_weight[i] = w->fixed[i] || (w->weight_uses[i] > 1 && work_weight(w, i)->bytes <= w->max_stream);
	stream_cut(w, out, w->max_stream, UINT64_MAX);
	out->ring = out->image = 0;
	for (uint32_t i = 0; i < out->blocks.len; i++)
		out->blocks.data[i].pinned = true;
	predict(w, out, &tmp);
	arena_release(&tmp);
}
