/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carry.c - which launches move which rows of a block into its image.
 *
 * A device may not read and write an image in one kernel, so the ring is two
 * images, and blocks take turns: while launches work with the weights in one,
 * they carry those of the other. A block is read into a stage that kernels can
 * read; the launches between the last user of its place and its first user may
 * carry it, each as many rows as its class of kernel bears in its time.
 *
 * Steps are gone through backwards, and each gives what it can carry to the
 * block with the fewest rows left: without a limit on memory that is exact,
 * and keeps as little as possible under way at every step (fill.c). Here places
 * are limited too: a block that cannot be carried between its two ends, or for
 * which the stage has no room in time, is written by the queue, as all are
 * where kernels do not copy.
 */
#include "config.h"

#include "sched/internal.h"

#include <stdlib.h>

enum { ROUNDS = 4, EACH_MOST = 1024 };

/* Units that are one step. */
struct group {
	uint32_t unit, items;
	uint32_t rows;   /* that it can carry */
	uint32_t images; /* that it reads, a bit each */
	enum target_load load;
};

struct job {
	uint32_t block;
	uint32_t first, use; /* groups: from first to before use may carry it */
	uint32_t left;
	bool dropped;
};

struct carrier {
	struct work *w;
	struct stream_plan *p;
	struct group *group;
	uint32_t groups;
	uint32_t *group_of; /* per unit */
	struct job *job;
	uint32_t jobs;
	uint32_t *active, actives;
};

static uint32_t image_bit(const struct stream_plan *p, uint32_t block)
{
	return block == NO_ID || p->blocks.data[block].pinned ? 0 : 1u << p->blocks.data[block].image;
}

/* Rows in the time of the launch, of which it may be later by a share that its class has. */
static uint32_t capacity_rows(const struct work *w, enum target_load load, double ms)
{
	double rows = load ? w->t->capacity[load] * ms / 1e3 / SCHED_PAGE : 0;

	return rows > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)rows;
}

static void group_make(struct carrier *c, uint32_t unit, uint32_t count, double ms, struct group *g)
{
	const struct unit *u = &c->p->units.data[unit];
	const struct event *e = &c->w->events.data[u->event];
	const struct launch *l;
	uint64_t items = 1;

	*g = (struct group){ .unit = unit, .images = image_bit(c->p, u->block) | image_bit(c->p, u->common) };
	if (e->kind != SCHED_KERNEL)
		return;
	l = event_launch(c->w, e);
	if (!l->load || !c->w->r->models[e->model].ks->kernels.data[l->kernel].loading)
		return;
	for (int i = 0; i < 3; i++)
		items *= i == l->split_dim && c->w->uses.data[e->use].granules > 1 ? count : l->global[i];
	g->items = items > INT32_MAX ? INT32_MAX : (uint32_t)items;
	g->load = l->load;
	g->rows = capacity_rows(c->w, l->load, ms);
	if (g->rows > items * EACH_MOST * 8 / SCHED_PAGE)
		g->rows = (uint32_t)(items * EACH_MOST * 8 / SCHED_PAGE);
}

static void groups_make(struct carrier *c, struct arena *tmp)
{
	const struct stream_plan *p = c->p;

	c->group = arena_new_array(tmp, struct group, p->units.len + 1);
	c->group_of = arena_new_array(tmp, uint32_t, p->units.len + 1);
	for (uint32_t i = 0, next, count; i < p->units.len; i = next) {
		double ms = 0;

		next = unit_merge(c->w, p, i, &count);
		for (uint32_t k = i; k < next; k++) {
			c->group_of[k] = c->groups;
			ms += p->units.data[k].ms;
		}
		group_make(c, i, count, ms, &c->group[c->groups++]);
	}
}

static void jobs_make(struct carrier *c, struct arena *tmp)
{
	const struct stream_plan *p = c->p;

	c->job = arena_new_array(tmp, struct job, p->blocks.len + 1);
	c->active = arena_new_array(tmp, uint32_t, p->blocks.len + 1);
	for (uint32_t i = 0; i < p->blocks.len; i++) {
		const struct block *b = &p->blocks.data[i];

		if (!b->pinned)
			c->job[c->jobs++] = (struct job){ .block = i, .use = c->group_of[b->unit_first],
							  .first = b->after < 0 ? 0 : c->group_of[b->after] + 1,
							  .dropped = b->bytes > p->stage };
	}
}

/* Of the blocks under way, the one with the fewest rows left that the group may write. */
static struct job *fewest(const struct carrier *c, const struct group *g)
{
	struct job *best = NULL;

	for (uint32_t i = 0; i < c->actives; i++) {
		struct job *j = &c->job[c->active[i]];

		if (!j->left || (g->images & image_bit(c->p, j->block)))
			continue;
		if (!best || j->left < best->left)
			best = j;
	}
	return best;
}

/* Those that are done, or whose place was not free before g; true: one of these was not done. */
static bool retire(struct carrier *c, uint32_t g)
{
	uint32_t kept = 0;
	bool late = false;

	for (uint32_t i = 0; i < c->actives; i++) {
		struct job *j = &c->job[c->active[i]];

		if (j->left && j->first <= g) {
			c->active[kept++] = c->active[i];
		} else if (j->left) {
			j->dropped = true;
			late = true;
		}
	}
	c->actives = kept;
	return late;
}

static void assign(struct carrier *c, uint32_t group, struct job *j)
{
	const struct group *g = &c->group[group];
	uint32_t rows = g->rows < j->left ? g->rows : j->left;
	uint64_t bytes = (uint64_t)rows * SCHED_PAGE, texels = bytes / 8;

	j->left -= rows;
	vec_push(c->w->a, &c->p->carries,
		 (struct carry){ .unit = g->unit, .block = j->block, .from = (uint64_t)j->left * SCHED_PAGE, .bytes = bytes,
				 .each = (uint32_t)((texels + g->items - 1) / g->items),
				 .ms = cost_carry_ms(c->w->t, g->load, bytes) });
}

/* False: a block could not be carried, and what was given to it might have served others. */
static bool fill(struct carrier *c)
{
	uint32_t next = c->jobs;
	bool late = false;

	c->p->carries.len = 0;
	c->actives = 0;
	for (uint32_t i = 0; i < c->jobs; i++)
		c->job[i].left = (uint32_t)(c->p->blocks.data[c->job[i].block].bytes / SCHED_PAGE);
	for (uint32_t g = c->groups; g-- > 0;) {
		struct job *j;

		for (; next && c->job[next - 1].use > g; next--)
			if (!c->job[next - 1].dropped)
				c->active[c->actives++] = next - 1;
		late |= retire(c, g);
		if (c->group[g].rows && (j = fewest(c, &c->group[g])))
			assign(c, g, j);
	}
	for (uint32_t i = 0; i < c->jobs; i++)
		if (c->job[i].left && !c->job[i].dropped)
			c->job[i].dropped = late = true;
	return !late;
}

static int by_unit(const void *a, const void *b)
{
	const struct carry *x = a, *y = b;

	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

struct turn {
	uint32_t need, block;
};

static int by_need(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	return x->need < y->need ? -1 : x->need > y->need ? 1 : x->block < y->block ? -1 : x->block > y->block;
}

void stream_order(struct work *w, struct stream_plan *p)
{
	struct turn *list = xmalloc((p->blocks.len + 1) * sizeof *list);
	uint32_t n = 0;

	p->order.len = 0;
	for (uint32_t i = 0; i < p->blocks.len; i++)
		if (!p->blocks.data[i].pinned)
			list[n++] = (struct turn){ block_need(&p->blocks.data[i]), i };
	qsort(list, n, sizeof *list, by_need);
	for (uint32_t i = 0; i < n; i++)
		vec_push(w->a, &p->order, list[i].block);
	free(list);
}

/* Keeps what belongs to carried blocks; they know then who carries them. */
static void keep_carried(struct stream_plan *p)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < p->carries.len; i++) {
		const struct carry *x = &p->carries.data[i];
		struct block *b = &p->blocks.data[x->block];

		if (!b->carried)
			continue;
		if (b->carried_first == NO_ID)
			b->carried_first = x->unit;
		b->carried_last = x->unit;
		p->carries.data[kept++] = *x;
	}
	p->carries.len = kept;
}

/* Gives places in the stage in the order of reading; a block that finds none in time is left to the queue. */
static void stage_place(struct work *w, struct stream_plan *p, struct arena *tmp)
{
	struct ring r;

	ring_init(&r, tmp, p->stage);
	stream_order(w, p);
	for (uint32_t i = 0; i < p->order.len; i++) {
		struct block *b = &p->blocks.data[p->order.data[i]];

		if (!b->carried)
			continue;
		b->stage_after = ring_peek(&r, b->bytes);
		if (b->stage_after >= (int32_t)b->carried_first)
			b->carried = false;
		else
			b->stage_offset = ring_take(&r, b->bytes, (int32_t)b->carried_last);
	}
}

void carry_choose(struct work *w, struct stream_plan *p, struct arena *tmp)
{
	struct carrier c = { .w = w, .p = p };

	for (uint32_t i = 0; i < p->blocks.len; i++) {
		p->blocks.data[i].carried = false;
		p->blocks.data[i].carried_first = NO_ID;
	}
	groups_make(&c, tmp);
	jobs_make(&c, tmp);
	for (int i = 0; i < ROUNDS && !fill(&c); i++)
		;
	for (uint32_t i = 0; i < c.jobs; i++)
		p->blocks.data[c.job[i].block].carried = !c.job[i].dropped;
	if (p->carries.len)
		qsort(p->carries.data, p->carries.len, sizeof *p->carries.data, by_unit);
	keep_carried(p);
	stage_place(w, p, tmp);
	for (uint32_t i = 0; i < p->blocks.len; i++)
		p->blocks.data[i].carried_first = NO_ID;
	keep_carried(p);
	stream_order(w, p);
}
