/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neighbours.c - the 3 nearest by a k-d tree.
 *
 * The tree is the order of an index: the middle of each range splits it along
 * its longest side, leaves are short ranges. A search goes down to the side of
 * its point first and comes back to the other only if that can hold something
 * nearer than the third best so far. Halving keeps the depth at log2 n, also
 * for points that are all the same.
 */
#include "config.h"

#include "scene/neighbours.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { LEAF = 12, NEAREST = 3 };

struct tree {
	const float *xyz;
	uint32_t *order;
	uint8_t *axis; /* of the range whose middle is there */
};

static float coordinate(const struct tree *t, uint32_t at, int axis)
{
	return t->xyz[3 * (size_t)t->order[at] + axis];
}

static void swap(uint32_t *order, uint32_t a, uint32_t b)
{
	uint32_t x = order[a];

	order[a] = order[b];
	order[b] = x;
}

static int longest_side(const struct tree *t, uint32_t begin, uint32_t end)
{
	float low[3], high[3];
	int best = 0;

	for (int a = 0; a < 3; a++)
		low[a] = high[a] = coordinate(t, begin, a);
	for (uint32_t i = begin + 1; i < end; i++)
		for (int a = 0; a < 3; a++) {
			float x = coordinate(t, i, a);

			low[a] = x < low[a] ? x : low[a];
			high[a] = x > high[a] ? x : high[a];
		}
	for (int a = 1; a < 3; a++)
		if (high[a] - low[a] > high[best] - low[best])
			best = a;
	return best;
}

/* A place that nobody who orders the points can foresee to be a bad one. */
static uint32_t somewhere(uint32_t begin, uint32_t end)
{
	uint32_t h = (begin ^ end * 0x9e3779b1u) * 0x85ebca6bu;

	return begin + (h ^ h >> 15) % (end - begin);
}

/* What belongs at `middle` comes there, nothing larger before it, nothing smaller behind it. */
static void select_middle(const struct tree *t, uint32_t begin, uint32_t end, uint32_t middle, int axis)
{
	while (end - begin > 1) {
		float pivot = coordinate(t, somewhere(begin, end), axis);
		uint32_t less = begin, same = begin, more = end;

		while (same < more) {
			float x = coordinate(t, same, axis);

			if (x < pivot)
				swap(t->order, less++, same++);
			else if (x > pivot)
				swap(t->order, same, --more);
			else
				same++;
		}
		if (middle < less)
			end = less;
		else if (middle >= more)
			begin = more;
		else
			return;
	}
}

static void build(const struct tree *t, uint32_t begin, uint32_t end)
{
	while (end - begin > LEAF) {
		uint32_t middle = begin + (end - begin) / 2;
		int axis = longest_side(t, begin, end);

		select_middle(t, begin, end, middle, axis);
		t->axis[middle] = (uint8_t)axis;
		build(t, begin, middle);
		begin = middle + 1;
	}
}

struct search {
	uint32_t self;
	const float *at;
	float best[NEAREST]; /* squared, ascending */
};

static void offer(struct search *s, const struct tree *t, uint32_t point)
{
	const float *p = t->xyz + 3 * (size_t)point;
	float dx = p[0] - s->at[0], dy = p[1] - s->at[1], dz = p[2] - s->at[2];
	float d = dx * dx + dy * dy + dz * dz;
	int i = NEAREST - 1;

	if (point == s->self || !(d < s->best[i]))
		return;
	for (; i > 0 && s->best[i - 1] > d; i--)
		s->best[i] = s->best[i - 1];
	s->best[i] = d;
}

static void nearest(const struct tree *t, uint32_t begin, uint32_t end, struct search *s)
{
	while (end - begin > LEAF) {
		uint32_t middle = begin + (end - begin) / 2;
		float d = s->at[t->axis[middle]] - coordinate(t, middle, t->axis[middle]);

		if (d < 0)
			nearest(t, begin, middle, s);
		else
			nearest(t, middle + 1, end, s);
		if (d * d >= s->best[NEAREST - 1])
			return;
		offer(s, t, t->order[middle]);
		if (d < 0)
			begin = middle + 1;
		else
			end = middle;
	}
	for (uint32_t i = begin; i < end; i++)
		offer(s, t, t->order[i]);
}

void neighbours_mean_square(const float *xyz, uint32_t n, float *out)
{
	struct tree t = { xyz, xmalloc((size_t)n * sizeof *t.order + 1), xmalloc((size_t)n + 1) };
	uint32_t count = n > NEAREST ? NEAREST : n ? n - 1 : 0;

	for (uint32_t i = 0; i < n; i++)
		t.order[i] = i;
	build(&t, 0, n);
	for (uint32_t i = 0; i < n; i++) { /* in the order of the tree: neighbours are in the cache */
		uint32_t self = t.order[i];
		struct search s = { self, xyz + 3 * (size_t)self, { 3e38f, 3e38f, 3e38f } };
		double sum = 0;

		nearest(&t, 0, n, &s);
		for (uint32_t k = 0; k < count; k++)
			sum += (double)s.best[k];
		out[self] = count ? (float)(sum / count) : 0;
	}
	free(t.order);
	free(t.axis);
}
