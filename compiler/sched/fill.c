/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fill.c - unit jobs with deadlines: the core of streaming, solved exactly.
 *
 * A weight of T units is needed when step i starts; step k can read C_k units
 * beside its own work. What cannot be read in time has to be there before the
 * run. The smallest such amount has a closed form,
 *
 *	D = max over l of [ sum of T over weights with i <= l, minus sum of C_k over k < l ]+
 *
 * and walking the steps backwards, always giving the capacity to the weight
 * with the fewest units left, reaches it. That order also makes the sum of the
 * distances between first read and use smallest, and, as does every backward
 * fill that leaves no capacity idle, the bytes in flight smallest at every
 * step at once. tests/test_sched compares all three with brute force.
 */
#include "config.h"

#include "sched/internal.h"

uint64_t fill_minimum(const struct fill_weight *w, uint32_t n, const uint32_t *capacity, uint32_t steps)
{
	uint64_t need = 0, can = 0, worst = 0;

	for (uint32_t l = 0, i = 0; l < steps; l++) {
		for (; i < n && w[i].use <= l; i++)
			need += w[i].units;
		if (need > can && need - can > worst)
			worst = need - can;
		can += capacity[l];
	}
	return worst;
}

/* A heap of weights, fewest units left on top; ties: the later one, whose units were begun last. */
struct heap {
	uint32_t *id, len;
	const struct fill_weight *w;
};

static bool before(const struct heap *h, uint32_t a, uint32_t b)
{
	if (h->w[a].left != h->w[b].left)
		return h->w[a].left < h->w[b].left;
	return a > b;
}

static void sift_up(struct heap *h, uint32_t i)
{
	while (i && before(h, h->id[i], h->id[(i - 1) / 2])) {
		uint32_t t = h->id[i];

		h->id[i] = h->id[(i - 1) / 2];
		h->id[(i - 1) / 2] = t;
		i = (i - 1) / 2;
	}
}

static void pop(struct heap *h)
{
	uint32_t i = 0;

	h->id[0] = h->id[--h->len];
	for (;;) {
		uint32_t best = i, l = 2 * i + 1;

		if (l < h->len && before(h, h->id[l], h->id[best]))
			best = l;
		if (l + 1 < h->len && before(h, h->id[l + 1], h->id[best]))
			best = l + 1;
		if (best == i)
			return;
		uint32_t t = h->id[i];

		h->id[i] = h->id[best];
		h->id[best] = t;
		i = best;
	}
}

uint64_t fill_backward(struct fill_weight *w, uint32_t n, const uint32_t *capacity, uint32_t steps,
		       uint64_t *in_flight)
{
	struct arena tmp = { 0 };
	struct heap h = { arena_new_array(&tmp, uint32_t, n + 1), 0, w };
	uint64_t waiting = 0, left = 0;
	uint32_t i = n;

	for (uint32_t k = 0; k < n; k++) {
		w[k].left = w[k].units;
		w[k].start = w[k].use;
		left += w[k].units;
	}
	for (uint32_t l = steps; l-- > 0;) {
		uint32_t room = capacity[l];

		for (; i && w[i - 1].use > l; i--)
			if (w[i - 1].units) {
				waiting += w[i - 1].units;
				h.id[h.len++] = i - 1;
				sift_up(&h, h.len - 1);
			}
		if (in_flight)
			in_flight[l] = waiting;
		while (room && h.len) {
			struct fill_weight *top = &w[h.id[0]];
			uint32_t q = room < top->left ? room : top->left;

			top->left -= q;
			top->start = l;
			room -= q;
			waiting -= q;
			left -= q;
			if (!top->left)
				pop(&h);
		}
	}
	arena_release(&tmp);
	return left;
}
