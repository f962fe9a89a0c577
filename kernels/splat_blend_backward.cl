/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_blend_backward.cl - what the gradient of the picture means for each entry of a tile's list.
 *
 * From near to far, like the picture, so that transmittances are the very same
 * and none has to be kept: what is left of the gradient times the finished
 * pixel after an entry is what comes from behind. Each entry's sums over the
 * tile's pixels go to its own slot.
 *
 * There are few slots: a round does so many entries of the band's lists, which stand one behind the
 * other. A tile whose list goes on in the next round leaves its transmittances and what is left in the
 * picture's first two planes, which are over.
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

/* Sums of the lanes of eleven vectors, in the lanes of one. Each pass adds halves and puts two vectors into one. */
#define HALVES(x, y) ((float16)((x).lo, (y).lo) + (float16)((x).hi, (y).hi))
#define QUARTERS(x, y)                                                                                                 \
	((float16)((x).lo.lo, (x).hi.lo, (y).lo.lo, (y).hi.lo) + (float16)((x).lo.hi, (x).hi.hi, (y).lo.hi, (y).hi.hi))
#define PAIRS(x, y)                                                                                                    \
	((float16)((x).s014589cd, (y).s014589cd) + (float16)((x).s2367abef, (y).s2367abef))
#define SINGLES(x, y) ((float16)((x).even, (y).even) + (float16)((x).odd, (y).odd))

EDGE_OVERLOAD float16 EDGE_FN(sums)(const float16 *a)
{
	const float16 zero = (float16)(0.0f);
	const float16 b0 = HALVES(a[0], a[1]), b1 = HALVES(a[2], a[3]), b2 = HALVES(a[4], a[5]), b3 = HALVES(a[6], a[7]);
	const float16 b4 = HALVES(a[8], a[9]), b5 = HALVES(a[10], zero);
	const float16 c0 = QUARTERS(b0, b1), c1 = QUARTERS(b2, b3), c2 = QUARTERS(b4, b5);
	const float16 d0 = PAIRS(c0, c1), d1 = PAIRS(c2, zero);

	return SINGLES(d0, d1);
}

/* The gradient times the finished picture. */
EDGE_OVERLOAD void EDGE_FN(begin)(__global const float *picture, long plane, long stride, const float16 *red,
				  const float16 *green, const float16 *blue, float16 *rest)
{
	float16 x[SPLAT_BLOCKS];

	splat_read_tile(picture, stride, x);
	for (int b = 0; b < SPLAT_BLOCKS; b++)
		rest[b] = red[b] * x[b];
	splat_read_tile(picture + plane, stride, x);
	for (int b = 0; b < SPLAT_BLOCKS; b++)
		rest[b] += green[b] * x[b];
	splat_read_tile(picture + 2 * plane, stride, x);
	for (int b = 0; b < SPLAT_BLOCKS; b++)
		rest[b] += blue[b] * x[b];
}

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const float *restrict records,
				 __global const uint *restrict tiles, __global const uint *restrict lists,
				 __global const float *restrict gradient, __global float *restrict image,
				 __global float *restrict slots EDGE_WI)
{
	const int tile = splat_round_tile(state, tiles, (int)get_global_id(0), (int)get_global_size(0));
	const int wide = (int)state[STATE_TILES_X];
	float16 t[SPLAT_BLOCKS], rest[SPLAT_BLOCKS], red[SPLAT_BLOCKS], green[SPLAT_BLOCKS], blue[SPLAT_BLOCKS];
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	uint living = 0xffff;

	if (tile >= 0) {
		const int x0 = tile % wide * TILE_W, y0 = tile / wide * TILE_H;
		const uint base = tiles[state[STATE_TILE_FIRST]], begin = state[STATE_ENTRY_FIRST];
		const uint first = max(tiles[tile] - base, begin), end = min(tiles[tile + 1] - base, state[STATE_ENTRY_END]);
		__global const float *from = gradient + y0 * stride + x0;
		__global float *kept = image + y0 * stride + x0;
		float middle_k[16], middle_y[16];
		uint i;

		splat_read_tile(from, stride, red);
		splat_read_tile(from + plane, stride, green);
		splat_read_tile(from + 2 * plane, stride, blue);
		if (first > tiles[tile] - base) {
			splat_read_tile(kept, stride, t);
			splat_read_tile(kept + plane, stride, rest);
			living = splat_living(t, living);
		} else {
			EDGE_FN(begin)(kept, plane, stride, red, green, blue, rest);
			for (int b = 0; b < SPLAT_BLOCKS; b++)
				t[b] = (float16)(1.0f);
		}
		for (i = first; i < end && living; i++) {
			const struct splat_record s = splat_record(records + (long)lists[i] * RECORD);
			const float k1 = s.k1, k2 = s.k2, k3 = s.k3;
			const float16 down = SPLAT_Y - 1.5f, along = k1 * (SPLAT_X - 1.5f) + k2 * down;
			float16 h0 = (float16)(0.0f), h1 = h0, h2 = h0, k0 = h0, k1s = h0, kk = h0, cr = h0, cg = h0, cb = h0, top = h0,
				bad = h0;
			__global float *slot = slots + (long)(i - begin) * SLOT;
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
				float16 raw, alpha, after, w, x, h;
				int16 live;

				if (!edge_any(hit))
					continue;
				raw = splat_exp(e);
				alpha = min(raw, (float16)(ALPHA_MAX));
				after = t[b] - t[b] * alpha;
				live = hit & (after >= T_MIN);
				w = select((float16)(0.0f), alpha * t[b], live);
				x = w * (red[b] * s.red + green[b] * s.green + blue[b] * s.blue);
				rest[b] -= x;
				h = x - rest[b] * (alpha / (1.0f - alpha));
				h = select((float16)(0.0f), h, live & (raw <= ALPHA_MAX));
				h0 += h;
				h1 += h * dy;
				h2 += h * (dy * dy);
				h *= k;
				k0 += h;
				k1s += h * dy;
				kk += h * k;
				cr += w * red[b];
				cg += w * green[b];
				cb += w * blue[b];
				bad += w * (fabs(red[b]) + fabs(green[b]) + fabs(blue[b]));
				top = max(top, w);
				t[b] = select(t[b], select(-fabs(t[b]), after, live), hit);
			}
			{
				const float16 a[11] = { h0, k0, h1, kk, k1s, h2, cr, cg, cb, top, bad };
				const float16 sum = EDGE_FN(sums)(a);

				vstore8(sum.lo, 0, slot);
				slot[8] = sum.s8;
				slot[9] = splat_most(top);
				slot[10] = sum.sa;
			}
			if ((i - first) % 32 == 31)
				living = splat_living(t, living);
		}
		for (uint n = (i - begin) * SLOT; n < (end - begin) * SLOT; n++)
			slots[n] = 0.0f;
		if (end < tiles[tile + 1] - base) {
			splat_write_tile(t, kept, stride);
			splat_write_tile(rest, kept + plane, stride);
		}
	}
}
