/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_tile_list.cl - the lists of a band's tiles, each from near to far.
 *
 * counts go from the begins of each block's part to their ends: tiles are counted anew before
 * bands are listed again.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_tile_list
#endif

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const float *restrict records,
				 __global const uint *restrict order, __global const uint *restrict tiles,
				 __global uint *restrict counts, __global uint *restrict lists EDGE_WI)
{
	const int block = (int)get_global_id(0), wide = (int)state[STATE_TILES_X];
	const int first = (int)state[STATE_TILE_FIRST], end = (int)state[STATE_TILE_END];
	const int row0 = first / wide, row1 = (end + wide - 1) / wide;
	const long all = (long)state[STATE_VISIBLE];
	const uint base = tiles[first], most = state[STATE_KEYS];
	__global uint *at = counts + (long)block * wide * (int)state[STATE_TILES_Y];

	for (int i = (int)(block * all / BLOCKS), last = (int)((block + 1) * all / BLOCKS) - 1; i <= last; i++) {
		const uint id = order[i];
		__global const float *r = records + (long)id * RECORD;
		const uint rows = splat_rows(r);

		splat_record_soon(records, order[min(i + 12, last)]);
		for (int row = max(row0, (int)(rows & 0xffffu)); row < min(row1, (int)(rows >> 16)); row++) {
			const uint span = splat_tiles(r, rows, row);
			const int x0 = max((int)(span & 0xffffu), first - row * wide);
			const int x1 = min((int)(span >> 16), end - row * wide);

			for (int x = x0; x < x1; x++) {
				const uint place = at[row * wide + x]++ - base;

				if (place < most)
					lists[place] = id;
			}
		}
	}
}
