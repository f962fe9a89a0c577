/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_blend.cl - the picture: a work-item does a tile, a vector a block of it.
 *
 * A pixel that is finished keeps its transmittance with the sign turned, so
 * that nothing more passes the test that ends it and the background still gets
 * its share. Every so often blocks without a living pixel are left out.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_blend
#endif

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const float *restrict records,
				 __global const uint *restrict tiles, __global const uint *restrict lists,
				 __global float *restrict image EDGE_WI)
{
	const int wide = (int)state[STATE_TILES_X], first_tile = (int)state[STATE_TILE_FIRST];
	const int tile = splat_tile((int)get_global_id(0), (int)get_global_size(0), first_tile, (int)state[STATE_TILE_END]);
	float16 t[SPLAT_BLOCKS], red[SPLAT_BLOCKS], green[SPLAT_BLOCKS], blue[SPLAT_BLOCKS];
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	uint living = 0xffff;

	if (tile >= 0) {
		const int x0 = tile % wide * TILE_W, y0 = tile / wide * TILE_H;
		const uint base = tiles[first_tile], first = tiles[tile] - base;
		const uint end = tiles[tile + 1] - base;
		__global float *to = image + y0 * stride + x0;
		float middle_k[16], middle_y[16];

		for (int b = 0; b < SPLAT_BLOCKS; b++) {
			t[b] = (float16)(1.0f);
			red[b] = green[b] = blue[b] = (float16)(0.0f);
		}
		for (uint i = first; i < end && living; i++) {
			const struct splat_record s = splat_record(records + (long)lists[i] * RECORD);
			const float k1 = s.k1, k2 = s.k2, k3 = s.k3;
			/* from a block's middle to its pixels */
			const float16 down = SPLAT_Y - 1.5f, along = k1 * (SPLAT_X - 1.5f) + k2 * down;
			float16 middle[2];
			uint blocks;

			SPLAT_SOON(records + (long)lists[min(i + 4, end - 1)] * RECORD);
			blocks = living & splat_reach(&s, s.u - (float)x0, s.v - (float)y0, &middle[0], &middle[1]);
			vstore16(middle[0], 0, middle_k);
			vstore16(middle[1], 0, middle_y);
			for (; blocks; blocks &= blocks - 1) {
				const int b = splat_lowest(blocks);
				const float16 dy = middle_y[b] - down, k = middle_k[b] - along;
				const float16 e = (s.log - k3 * dy * dy) - k * k;
				const int16 hit = e >= E_MIN;
				float16 alpha, after, w;
				int16 live;

				alpha = min(splat_exp(e), (float16)(ALPHA_MAX));
				after = t[b] - t[b] * alpha;
				live = hit & (after >= T_MIN);
				w = select((float16)(0.0f), alpha * t[b], live);
				red[b] += w * s.red;
				green[b] += w * s.green;
				blue[b] += w * s.blue;
				t[b] = select(t[b], select(-fabs(t[b]), after, live), hit);
			}
			if ((i - first) % 32 == 31)
				living = splat_living(t, living);
		}
		for (int b = 0; b < SPLAT_BLOCKS; b++) {
			const float16 left = fabs(t[b]);

			red[b] += left * splat_float(state, STATE_BACKGROUND);
			green[b] += left * splat_float(state, STATE_BACKGROUND + 1);
			blue[b] += left * splat_float(state, STATE_BACKGROUND + 2);
		}
		splat_write_tile(red, to, stride);
		splat_write_tile(green, to + plane, stride);
		splat_write_tile(blue, to + 2 * plane, stride);
	}
}
