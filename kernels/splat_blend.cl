/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_blend.cl - the picture: a work-item does a tile, a vector a row of it.
 *
 * A pixel that is finished keeps its transmittance with the sign turned, so
 * that nothing more passes the test that ends it and the background still gets
 * its share. Every so often rows without a living pixel are left out.
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
	const int tile = (int)get_global_id(0) + (int)state[STATE_TILE_FIRST], wide = (int)state[STATE_TILES_X];
	float16 t[TILE_H], red[TILE_H], green[TILE_H], blue[TILE_H];
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	int low = 0, high = TILE_H - 1;

	if (tile < (int)state[STATE_TILE_END]) {
		const int x0 = tile % wide * TILE_W, y0 = tile / wide * TILE_H;
		const uint base = tiles[state[STATE_TILE_FIRST]], first = tiles[tile] - base;
		const uint end = tiles[tile + 1] - base;
		const float16 columns = SPLAT_LANES + (float)x0;

		for (int r = 0; r < TILE_H; r++) {
			t[r] = (float16)(1.0f);
			red[r] = green[r] = blue[r] = (float16)(0.0f);
		}
		for (uint i = first; i < end; i++) {
			__global const float *s = records + (long)lists[i] * RECORD;
			const float v = s[R_V] - (float)y0, k2 = s[R_K2], k3 = s[R_K3];
			const int r0 = max(low, (int)ceil(v - s[R_REACH])), r1 = min(high, (int)floor(v + s[R_REACH]));
			const float16 across = s[R_K1] * (s[R_U] - columns);

			for (int r = r0; r <= r1; r++) {
				const float dy = v - (float)r;
				const float16 k = across + k2 * dy;
				const float16 e = (s[R_LOG] - k3 * dy * dy) - k * k;
				const int16 hit = e >= E_MIN;
				float16 alpha, after, w;
				int16 live;

				alpha = min(splat_exp(e), (float16)(ALPHA_MAX));
				after = t[r] - t[r] * alpha;
				live = hit & (after >= T_MIN);
				w = select((float16)(0.0f), alpha * t[r], live);
				red[r] += w * s[R_RED];
				green[r] += w * s[R_GREEN];
				blue[r] += w * s[R_BLUE];
				t[r] = select(t[r], select(-fabs(t[r]), after, live), hit);
			}
			if ((i - first) % 32 == 31) {
				while (low <= high && !splat_any(t[low] > 0.0f))
					low++;
				while (high >= low && !splat_any(t[high] > 0.0f))
					high--;
				if (low > high)
					break;
			}
		}
		for (int r = 0; r < TILE_H; r++) {
			__global float *to = image + (y0 + r) * stride + x0;
			const float16 left = fabs(t[r]);

			vstore16(red[r] + left * splat_float(state, STATE_BACKGROUND), 0, to);
			vstore16(green[r] + left * splat_float(state, STATE_BACKGROUND + 1), 0, to + plane);
			vstore16(blue[r] + left * splat_float(state, STATE_BACKGROUND + 2), 0, to + 2 * plane);
		}
	}
}
