/* SPDX-License-Identifier: Apache-2.0 */
/*
 * huffman.c - code lengths and codes as deflate wants them.
 *
 * Huffman's algorithm with two queues: the leaves by frequency, and the nodes
 * that were joined, which come out sorted by themselves. A code that is too
 * long is made again from flatter frequencies.
 */
#include "config.h"

#include "image/huffman.h"

#include <stdbool.h>
#include <string.h>

struct forest {
	uint32_t weight[2 * HUFFMAN_MAX];
	uint16_t parent[2 * HUFFMAN_MAX];
	uint16_t symbol[HUFFMAN_MAX]; /* of the leaves, rarest first */
	uint32_t leaves;
};

static void sort_leaves(struct forest *f, const uint32_t *frequency, uint32_t n)
{
	f->leaves = 0;
	for (uint32_t s = 0; s < n; s++) {
		uint32_t at = f->leaves;

		if (!frequency[s])
			continue;
		for (; at > 0 && f->weight[at - 1] > frequency[s]; at--) {
			f->weight[at] = f->weight[at - 1];
			f->symbol[at] = f->symbol[at - 1];
		}
		f->weight[at] = frequency[s];
		f->symbol[at] = (uint16_t)s;
		f->leaves++;
	}
}

/* The lighter of the next leaf and the next joined node. */
static uint32_t take(const struct forest *f, uint32_t *leaf, uint32_t *joined, uint32_t end)
{
	if (*leaf < f->leaves && (*joined >= end || f->weight[*leaf] <= f->weight[*joined]))
		return (*leaf)++;
	return (*joined)++;
}

/* False: some code is longer than limit. */
static bool try_lengths(struct forest *f, const uint32_t *frequency, uint32_t n, uint32_t limit,
			uint8_t *length)
{
	uint32_t leaf = 0, joined, end;
	uint8_t depth[2 * HUFFMAN_MAX];

	memset(length, 0, n);
	sort_leaves(f, frequency, n);
	if (f->leaves == 1)
		length[f->symbol[0]] = 1;
	if (f->leaves < 2)
		return true;
	joined = end = f->leaves;
	while (end < 2 * f->leaves - 1) {
		uint32_t a = take(f, &leaf, &joined, end), b = take(f, &leaf, &joined, end);

		f->weight[end] = f->weight[a] + f->weight[b];
		f->parent[a] = f->parent[b] = (uint16_t)end;
		end++;
	}
	depth[end - 1] = 0;
	for (uint32_t i = end - 1; i-- > 0;) {
		depth[i] = (uint8_t)(depth[f->parent[i]] + 1);
		if (i < f->leaves)
			length[f->symbol[i]] = depth[i];
		if (depth[i] > limit)
			return false;
	}
	return true;
}

void huffman_lengths(uint32_t *frequency, uint32_t n, uint32_t limit, uint8_t *length)
{
	struct forest f;

	while (!try_lengths(&f, frequency, n, limit, length))
		for (uint32_t s = 0; s < n; s++)
			frequency[s] = (frequency[s] + 1) / 2;
}

void huffman_codes(const uint8_t *length, uint32_t n, uint16_t *code)
{
	uint32_t count[16] = { 0 }, next[16], at = 0;

	for (uint32_t s = 0; s < n; s++)
		count[length[s]]++;
	count[0] = 0;
	for (uint32_t bits = 1; bits < 16; bits++)
		next[bits] = at = (at + count[bits - 1]) << 1;
	for (uint32_t s = 0; s < n; s++) {
		uint32_t c = length[s] ? next[length[s]]++ : 0, turned = 0;

		for (uint32_t b = 0; b < length[s]; b++)
			turned |= (c >> b & 1) << (length[s] - 1u - b);
		code[s] = (uint16_t)turned;
	}
}
