/* SPDX-License-Identifier: Apache-2.0 */
/* splat_tile_count.cl - how many Gaussians of each block of the order meet each tile. */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_tile_count
#endif

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const float *restrict records,
				 __global const uint *restrict order, __global uint *restrict counts EDGE_WI)
{
	const int block = (int)get_global_id(0), wide = (int)state[STATE_TILES_X];
	const int tiles = wide * (int)state[STATE_TILES_Y];
	const long all = (long)state[STATE_VISIBLE];
	__global uint *n = counts + (long)block * tiles;

	for (int t = 0; t < tiles; t++)
		n[t] = 0;
	for (int i = (int)(block * all / BLOCKS), last = (int)((block + 1) * all / BLOCKS) - 1; i <= last; i++) {
		__global const float *r = records + (long)order[i] * RECORD;
		const uint rows = splat_rows(r);

		splat_record_soon(records, order[min(i + 12, last)]);
		for (int row = (int)(rows & 0xffffu); row < (int)(rows >> 16); row++) {
			const uint span = splat_tiles(r, rows, row);

			for (int x = (int)(span & 0xffffu); x < (int)(span >> 16); x++)
				n[row * wide + x]++;
		}
	}
}
