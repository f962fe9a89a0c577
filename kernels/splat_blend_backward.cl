/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_blend_backward.cl - what the gradient of the picture means for each entry of a tile's list.
 *
 * From near to far, like the picture, so that transmittances are the very same
 * and none has to be kept: gradient plane 3 holds the gradient times the
 * finished pixel, and what is left of it after an entry is what comes from
 * behind. Each entry's sums over the tile's pixels go to its own slot.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_blend_backward
#endif

/* Sums of the lanes of sixteen vectors. */
EDGE_OVERLOAD float16 EDGE_FN(sums)(const float16 *a)
{
	float8 b[16];
	float4 c[16];
	float2 d[16];
	float16 out;

	for (int i = 0; i < 16; i++)
		b[i] = a[i].lo + a[i].hi;
	for (int i = 0; i < 16; i++)
		c[i] = b[i].lo + b[i].hi;
	for (int i = 0; i < 16; i++)
		d[i] = c[i].lo + c[i].hi;
	out = (float16)(d[0].x + d[0].y, d[1].x + d[1].y, d[2].x + d[2].y, d[3].x + d[3].y, d[4].x + d[4].y,
			d[5].x + d[5].y, d[6].x + d[6].y, d[7].x + d[7].y, d[8].x + d[8].y, d[9].x + d[9].y,
			0, 0, 0, 0, 0, 0);
	return out;
}

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const float *restrict records,
				 __global const uint *restrict tiles, __global const uint *restrict lists,
				 __global const float *restrict gradient, __global float *restrict slots EDGE_WI)
{
	const int tile = (int)get_global_id(0) + (int)state[STATE_TILE_FIRST], wide = (int)state[STATE_TILES_X];
	float16 t[TILE_H], rest[TILE_H], red[TILE_H], green[TILE_H], blue[TILE_H], error[TILE_H];
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	int low = 0, high = TILE_H - 1;

	if (tile < (int)state[STATE_TILE_END]) {
		const int x0 = tile % wide * TILE_W, y0 = tile / wide * TILE_H;
		const uint base = tiles[state[STATE_TILE_FIRST]], first = tiles[tile] - base;
		const uint end = tiles[tile + 1] - base;
		const float16 columns = SPLAT_LANES + (float)x0;

		for (int r = 0; r < TILE_H; r++) {
			__global const float *from = gradient + (y0 + r) * stride + x0;

			t[r] = (float16)(1.0f);
			red[r] = vload16(0, from);
			green[r] = vload16(0, from + plane);
			blue[r] = vload16(0, from + 2 * plane);
			rest[r] = vload16(0, from + 3 * plane);
			error[r] = fabs(red[r]) + fabs(green[r]) + fabs(blue[r]);
		}
		for (uint i = first; i < end; i++) {
			__global const float *s = records + (long)lists[i] * RECORD;
			const float v = s[R_V] - (float)y0, k2 = s[R_K2], k3 = s[R_K3];
			const int r0 = max(low, (int)ceil(v - s[R_REACH])), r1 = min(high, (int)floor(v + s[R_REACH]));
			const float16 across = s[R_K1] * (s[R_U] - columns);
			float16 h0 = (float16)(0.0f), h1 = h0, h2 = h0, k0 = h0, k1 = h0, kk = h0, cr = h0, cg = h0, cb = h0, top = h0, bad = h0;
			__global float *slot = slots + (long)i * SLOT;

			for (int r = r0; r <= r1; r++) {
				const float dy = v - (float)r;
				const float16 k = across + k2 * dy;
				const float16 e = (s[R_LOG] - k3 * dy * dy) - k * k;
				const int16 hit = e >= E_MIN;
				float16 raw, alpha, after, w, x, h;
				int16 live;

				if (!splat_any(hit))
					continue;
				raw = splat_exp(e);
				alpha = min(raw, (float16)(ALPHA_MAX));
				after = t[r] - t[r] * alpha;
				live = hit & (after >= T_MIN);
				w = select((float16)(0.0f), alpha * t[r], live);
				x = w * (red[r] * s[R_RED] + green[r] * s[R_GREEN] + blue[r] * s[R_BLUE]);
				rest[r] -= x;
				h = x - rest[r] * (alpha / (1.0f - alpha));
				h = select((float16)(0.0f), h, live & (raw <= ALPHA_MAX));
				h0 += h;
				h1 += h * dy;
				h2 += h * (dy * dy);
				h *= k;
				k0 += h;
				k1 += h * dy;
				kk += h * k;
				cr += w * red[r];
				cg += w * green[r];
				cb += w * blue[r];
				bad += w * error[r];
				top = max(top, w);
				t[r] = select(t[r], select(-fabs(t[r]), after, live), hit);
			}
			{
				float16 a[16] = { h0, k0, h1, kk, k1, h2, cr, cg, cb, bad };
				const float16 sum = EDGE_FN(sums)(a);

				slot[0] = sum.s0;
				slot[1] = sum.s1;
				slot[2] = sum.s2;
				slot[3] = sum.s3;
				slot[4] = sum.s4;
				slot[5] = sum.s5;
				slot[6] = sum.s6;
				slot[7] = sum.s7;
				slot[8] = sum.s8;
				slot[9] = splat_most(top);
				slot[10] = sum.s9;
			}
			if ((i - first) % 32 == 31) {
				while (low <= high && !splat_any(t[low] > 0.0f))
					low++;
				while (high >= low && !splat_any(t[high] > 0.0f))
					high--;
				if (low > high) {
					for (uint n = (i + 1) * SLOT; n < end * SLOT; n++)
						slots[n] = 0.0f;
					break;
				}
			}
		}
	}
}
