/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_gather.cl - a Gaussian's slots, added up.
 *
 * Goes over the blocks as splat_tile_list did, backward, taking back what that
 * added to the counts, so the places of a Gaussian's entries need not be kept.
 * Sums go on where those of the band before ended: their order, and so every
 * bit of them, does not depend on the bands.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_gather
#endif

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const float *restrict records,
				 __global const uint *restrict order, __global const uint *restrict tiles,
				 __global uint *restrict counts, __global const float *restrict slots,
				 __global float *restrict gradients, __global float *restrict statistics EDGE_WI)
{
	const int block = (int)get_global_id(0), wide = (int)state[STATE_TILES_X];
	const int first = (int)state[STATE_TILE_FIRST], end = (int)state[STATE_TILE_END];
	const int row0 = first / wide, row1 = (end + wide - 1) / wide;
	const long all = (long)state[STATE_VISIBLE], plane = (long)state[STATE_CAPACITY];
	const uint base = tiles[first], most = state[STATE_KEYS];
	const bool add = state[STATE_BAND_ADD] != 0;
	__global uint *at = counts + (long)block * wide * (int)state[STATE_TILES_Y];

	for (int last = (int)(block * all / BLOCKS), i = (int)((block + 1) * all / BLOCKS) - 1; i >= last; i--) {
		const uint soon = order[max(i - 12, last)];
		const uint id = order[i];
		__global const float *r = records + (long)id * RECORD;
		__global float *g = gradients + (long)id * GRADIENT;
		const uint rows = as_uint(r[R_SPAN_Y]);
		float sum[GRADIENT], weight = 0.0f, error = statistics[STAT_ERROR * plane + id];

		splat_record_soon(records, soon);
		SPLAT_SOON(gradients + (long)soon * GRADIENT);
		SPLAT_SOON(statistics + STAT_WEIGHT * plane + soon);
		SPLAT_SOON(statistics + STAT_ERROR * plane + soon);
		for (int k = 0; k < GRADIENT; k++)
			sum[k] = add ? g[k] : 0.0f;
		for (int row = max(row0, (int)(rows & 0xffffu)); row < min(row1, (int)(rows >> 16)); row++) {
			const uint span = splat_tiles(r, rows, row);
			const int x0 = max((int)(span & 0xffffu), first - row * wide);
			const int x1 = min((int)(span >> 16), end - row * wide);

			for (int x = x0; x < x1; x++) {
				const uint place = --at[row * wide + x] - base;
				__global const float *s = slots + (long)place * SLOT;

				if (place >= most)
					continue;
				for (int k = 0; k < GRADIENT; k++)
					sum[k] += s[k];
				weight = max(weight, s[GRADIENT]);
				error += s[GRADIENT + 1];
			}
		}
		for (int k = 0; k < GRADIENT; k++)
			g[k] = sum[k];
		statistics[STAT_WEIGHT * plane + id] = max(statistics[STAT_WEIGHT * plane + id], weight);
		statistics[STAT_ERROR * plane + id] = error;
	}
}
