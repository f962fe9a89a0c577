/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - give everything that lives for a while a place in one arena.
 *
 * In: sizes and lifetimes.   Out: offsets.
 * Things that never live at the same time may share bytes. Each one goes into
 * the smallest gap between those of its neighbours in time that have a place
 * already; which order they come in decides how good the result is. Several
 * orders are tried, then the best one is improved by moving up what lies at
 * the top, until the bound (the most bytes alive at once) is reached or the
 * effort, which is proportional to the number of pairs of neighbours, is spent.
 */
#include "config.h"

#include "sched/internal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PAIRS = 8 << 20, EFFORT = 24 << 20, MAX_ROUNDS = 4000 };

struct placer {
	struct mem_item *item;
	uint32_t n;
	uint32_t *first, *near; /* neighbours of i: near[first[i]..first[i + 1]) */
	uint32_t *order, *best_order, *found;
	uint64_t *key, *best_offset;
	bool *placed;
	uint64_t best;
};

uint64_t memory_lower_bound(const struct mem_item *item, uint32_t n, uint32_t events, uint64_t *live)
{
	uint64_t *change = xmalloc((events + 2) * sizeof *change); /* wraps around: only sums matter */
	uint64_t now = 0, most = 0;

	memset(change, 0, (events + 2) * sizeof *change);
	for (uint32_t i = 0; i < n; i++) {
		change[item[i].first] += item[i].bytes;
		change[item[i].last + 1] -= item[i].bytes;
	}
	for (uint32_t e = 0; e < events; e++) {
		now += change[e];
		if (live)
			live[e] = now;
		if (now > most)
			most = now;
	}
	free(change);
	return most;
}

static const struct mem_item *sort_items;
static const uint64_t *sort_keys;

static int by_start(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (sort_items[x].first != sort_items[y].first)
		return sort_items[x].first < sort_items[y].first ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int by_key(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (sort_keys[x] != sort_keys[y])
		return sort_keys[x] > sort_keys[y] ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int by_offset(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (sort_items[x].offset != sort_items[y].offset)
		return sort_items[x].offset < sort_items[y].offset ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Lists, for each item, those that live at the same time. False: more than MAX_PAIRS. */
static bool find_pairs(struct placer *p, struct arena *tmp)
{
	uint32_t *active = arena_new_array(tmp, uint32_t, p->n);
	uint32_t *end = arena_new_array(tmp, uint32_t, p->n + 1);
	uint32_t pairs = 0;

	p->first = arena_new_array(tmp, uint32_t, p->n + 1);
	for (int pass = 0; pass < 2; pass++) {
		uint32_t count = 0;

		for (uint32_t k = 0; k < p->n; k++) {
			uint32_t i = p->order[k], kept = 0;

			for (uint32_t j = 0; j < count; j++)
				if (p->item[active[j]].last >= p->item[i].first)
					active[kept++] = active[j];
			count = kept;
			for (uint32_t j = 0; j < count; j++) {
				if (pass) {
					p->near[end[i]++] = active[j];
					p->near[end[active[j]]++] = i;
				} else {
					end[i]++;
					end[active[j]]++;
				}
			}
			if (!pass && (pairs += count) > MAX_PAIRS)
				return false;
			active[count++] = i;
		}
		if (pass)
			break;
		/* from counts to starts; the second pass moves end[i] from the start to the end */
		for (uint32_t i = 0; i < p->n; i++) {
			p->first[i + 1] = p->first[i] + end[i];
			end[i] = p->first[i];
		}
		p->near = arena_new_array(tmp, uint32_t, 2 * (size_t)pairs + 1);
	}
	return true;
}

/* Smallest gap that fits between the found (placed, alive) items; on top of them otherwise. */
static uint64_t best_gap(struct placer *p, uint32_t found, uint64_t bytes)
{
	uint64_t end = 0, best_at = UINT64_MAX, best_gap_bytes = UINT64_MAX;

	if (found > 12) {
		sort_items = p->item;
		qsort(p->found, found, sizeof *p->found, by_offset);
	} else {
		for (uint32_t i = 1; i < found; i++)
			for (uint32_t j = i; j && p->item[p->found[j]].offset < p->item[p->found[j - 1]].offset;
			     j--) {
				uint32_t t = p->found[j];

				p->found[j] = p->found[j - 1];
				p->found[j - 1] = t;
			}
	}
	for (uint32_t i = 0; i < found; i++) {
		const struct mem_item *x = &p->item[p->found[i]];

		if (x->offset > end && x->offset - end >= bytes && x->offset - end < best_gap_bytes) {
			best_gap_bytes = x->offset - end;
			best_at = end;
		}
		if (x->offset + x->bytes > end)
			end = x->offset + x->bytes;
	}
	return best_at == UINT64_MAX ? end : best_at;
}

/* Places in p->order; keeps the result if it is no worse than the best. */
static bool try_order(struct placer *p)
{
	uint64_t top = 0;

	memset(p->placed, 0, p->n * sizeof *p->placed);
	for (uint32_t k = 0; k < p->n; k++) {
		uint32_t i = p->order[k], found = 0;

		for (uint32_t j = p->first[i]; j < p->first[i + 1]; j++)
			if (p->placed[p->near[j]])
				p->found[found++] = p->near[j];
		p->item[i].offset = best_gap(p, found, p->item[i].bytes);
		p->placed[i] = true;
		if (p->item[i].offset + p->item[i].bytes > top)
			top = p->item[i].offset + p->item[i].bytes;
	}
	if (top > p->best)
		return false;
	p->best = top;
	memcpy(p->best_order, p->order, p->n * sizeof *p->order);
	for (uint32_t i = 0; i < p->n; i++)
		p->best_offset[i] = p->item[i].offset;
	return true;
}

static void order_by(struct placer *p, int which)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct mem_item *x = &p->item[i];
		uint64_t life = x->last - x->first + 1;

		p->order[i] = i;
		p->key[i] = which == 0 ? x->bytes :
			    which == 1 ? x->bytes * life :
			    which == 2 ? life :
			    which == 3 ? UINT32_MAX - x->first :
					 x->last;
	}
	sort_keys = p->key;
	qsort(p->order, p->n, sizeof *p->order, by_key);
}

/* Moves one of the items that reach the top, or any one, to an earlier place in the order. */
static void disturb(struct placer *p, uint64_t *seed)
{
	uint32_t from = 0, tops = 0, to, id;

	memcpy(p->order, p->best_order, p->n * sizeof *p->order);
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	for (uint32_t k = 0; k < p->n; k++) {
		uint32_t i = p->order[k];

		if (p->best_offset[i] + p->best_offset[i] / 64 + p->item[i].bytes >= p->best &&
		    (*seed >> 33) % ++tops == 0)
			from = k;
	}
	if ((*seed >> 60) < 4)
		from = (uint32_t)((*seed >> 20) % p->n);
	to = from ? (uint32_t)((*seed >> 40) % from) : (uint32_t)((*seed >> 40) % p->n);
	id = p->order[from];
	if (to < from)
		memmove(p->order + to + 1, p->order + to, (from - to) * sizeof *p->order);
	else
		memmove(p->order + from, p->order + from + 1, (to - from) * sizeof *p->order);
	p->order[to] = id;
}

/* Too many pairs for a search: in order of birth, keeping only what is alive. */
static uint64_t place_once(struct placer *p)
{
	uint32_t *active = p->best_order, count = 0;
	uint64_t top = 0;

	for (uint32_t k = 0; k < p->n; k++) {
		struct mem_item *x = &p->item[p->order[k]];
		uint32_t kept = 0, at = 0;
		uint64_t end = 0;

		for (uint32_t j = 0; j < count; j++)
			if (p->item[active[j]].last >= x->first)
				active[kept++] = active[j];
		count = kept;
		for (; at < count && p->item[active[at]].offset < end + x->bytes; at++)
			end = p->item[active[at]].offset + p->item[active[at]].bytes;
		memmove(active + at + 1, active + at, (count - at) * sizeof *active);
		active[at] = p->order[k];
		count++;
		x->offset = end;
		if (end + x->bytes > top)
			top = end + x->bytes;
	}
	return top;
}

static uint64_t place_search(struct placer *p, uint64_t bound)
{
	uint64_t pairs = p->first[p->n] + p->n + 1, seed = 1;

	p->best = UINT64_MAX;
	for (int which = 0; which < 5 && p->best > bound; which++) {
		order_by(p, which);
		try_order(p);
	}
	for (uint64_t round = 0; round < MAX_ROUNDS && round * pairs < EFFORT && p->best > bound; round++) {
		disturb(p, &seed);
		try_order(p);
	}
	for (uint32_t i = 0; i < p->n; i++)
		p->item[i].offset = p->best_offset[i];
	return p->best;
}

uint64_t memory_place(struct mem_item *item, uint32_t n)
{
	struct arena tmp = { 0 };
	struct placer p = { .item = item, .n = n };
	uint32_t events = 0;
	uint64_t top;

	if (!n)
		return 0;
	p.order = arena_new_array(&tmp, uint32_t, n);
	p.best_order = arena_new_array(&tmp, uint32_t, n + 1);
	p.found = arena_new_array(&tmp, uint32_t, n);
	p.key = arena_new_array(&tmp, uint64_t, n);
	p.best_offset = arena_new_array(&tmp, uint64_t, n);
	p.placed = arena_new_array(&tmp, bool, n);
	for (uint32_t i = 0; i < n; i++) {
		p.order[i] = i;
		if (item[i].last >= events)
			events = item[i].last + 1;
	}
	sort_items = item;
	qsort(p.order, n, sizeof *p.order, by_start);
	if (find_pairs(&p, &tmp))
		top = place_search(&p, memory_lower_bound(item, n, events, NULL));
	else
		top = place_once(&p);
	arena_release(&tmp);
	return top;
}
