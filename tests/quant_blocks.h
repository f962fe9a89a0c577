/* SPDX-License-Identifier: Apache-2.0 */
/* quant_blocks.h - random bytes that are valid blocks of a format. */
#ifndef EDGE_TESTS_QUANT_BLOCKS_H
#define EDGE_TESTS_QUANT_BLOCKS_H

#include "ir/block.h"

#include <stdlib.h>
#include <string.h>

static inline uint32_t quant_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static inline void quant_half(uint8_t *p, uint32_t *state, float low, float high)
{
	uint16_t h = float_to_half(low + (high - low) * (float)(quant_random(state) & 1023) / 1023);

	p[0] = (uint8_t)h;
	p[1] = (uint8_t)(h >> 8);
}

/* Scales and minima are halves, or floats. */
static inline void quant_head(uint8_t *p, bool wide, uint32_t *state, float low, float high)
{
	float f = low + (high - low) * (float)quant_random(state) / (1 << 24);

	if (wide)
		memcpy(p, &f, 4);
	else
		quant_half(p, state, low, high);
}

/* A constant of rows by row (the source is seen as `source`), of dtype t. */
static inline struct data quant_random_data(struct arena *a, enum dtype t, struct shape source, uint32_t seed)
{
	struct data d = { .where = DATA_MEMORY, .source_dtype = t, .source_shape = source };
	struct block_format f = block_format(t);
	int64_t k = data_row(&d), rows = shape_elements(&source) / k, groups = (k + f.elements - 1) / f.elements;
	uint64_t row_bytes = block_row_bytes(t, k);
	uint8_t *bytes = arena_alloc(a, rows * row_bytes), *p = bytes;
	bool asymmetric = f.kind == BLOCK_ASYMMETRIC;
	int64_t each = f.wide ? 4 : 2;

	for (uint64_t i = 0; i < rows * row_bytes; i++)
		bytes[i] = (uint8_t)quant_random(&seed);
	for (int64_t r = 0; r < rows && f.grouped; r++, p += row_bytes) {
		for (int64_t g = 0; g < groups; g++) {
			quant_head(p + g * each, f.wide, &seed, 0.01f, 0.05f);
			if (asymmetric)
				quant_head(p + (groups + g) * each, f.wide, &seed, -0.5f, 0.1f);
		}
		for (int64_t i = 0; i < k; i++)
			p[groups * block_head(&f) + i] &= (uint8_t)((1u << f.bits) - 1);
	}
	for (uint64_t i = 0; i < rows * row_bytes && !f.grouped; i += f.bytes) {
		quant_half(bytes + i + (f.kind == BLOCK_SUPER ? 208 : 0), &seed, 0.01f, 0.05f);
		if (asymmetric || f.kind == BLOCK_SUPER_MIN)
			quant_half(bytes + i + 2, &seed, -0.3f, 0.3f);
	}
	d.bytes = bytes;
	return d;
}

#endif
