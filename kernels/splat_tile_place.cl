/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_tile_place.cl - where the lists begin; which tiles make a band.
 *
 * One work-item. tiles: the begin of each tile's list counted over the whole
 * picture, the end of the last, then the first tile of each band. A band ends
 * where the next tile's list would not fit the buffer; a list alone always
 * does, because a Gaussian stands in it once and the buffer has room for all.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_tile_place
#endif

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global uint *restrict tiles,
				 __global uint *restrict counts EDGE_WI)
{
	const int n = (int)(state[STATE_TILES_X] * state[STATE_TILES_Y]);
	const uint most = state[STATE_KEYS];
	__global uint *bands = tiles + n + 1;
	uint sum = 0, begin = 0, band = 0;

	if (get_global_id(0) > 0)
		return;
	bands[0] = 0;
	for (int t = 0; t < n; t++) {
		const uint first = sum;

		tiles[t] = first;
		for (int b = 0; b < BLOCKS; b++) {
			const uint k = counts[(long)b * n + t];

			counts[(long)b * n + t] = sum;
			sum += k;
		}
		if (sum - begin > most) {
			begin = first;
			bands[++band] = (uint)t;
		}
	}
	tiles[n] = sum;
	bands[band + 1] = (uint)n;
	state[STATE_TOTAL_KEYS] = sum;
	state[STATE_BANDS] = band + 1;
}
