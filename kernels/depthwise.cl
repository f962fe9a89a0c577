/* SPDX-License-Identifier: Apache-2.0 */
/*
 * depthwise.cl - convolution of each channel by itself, channels last.
 *
 * A work-item computes `height` output rows of sixteen channels (eight where
 * that divides the channels and sixteen does not). Away from the left and
 * right edge it takes TILE_W pixels at a time, so that a weight is loaded once
 * for all of them and, the kernel's width, stride and dilation being constants,
 * an input that several pixels share is loaded once as well.
 *
 * x[images][ih][iw][xc]; weights[out_n / LANES][kh][KW][LANES]. Output channel
 * o reads input channel o / MULTIPLIER.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL depthwise
#endif
#ifndef KW
#define KW 3
#endif
#ifndef SX
#define SX 1
#endif
#ifndef DX
#define DX 1
#endif
#ifndef LANES
#define LANES 16
#endif
#ifndef TAIL
#define TAIL 0 /* 1: the last block of channels is not full */
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#ifndef MULTIPLIER
#define MULTIPLIER 1
#endif
#define TILE_W 4

#if LANES == 16
#define VECTOR float16
#define WEIGHT(i) edge_weights16(i, w)
#else
#define VECTOR float8
#define WEIGHT(i) edge_weights8(i, w)
#endif

#if MULTIPLIER > 1
EDGE_OVERLOAD VECTOR EDGE_FN(load)(__global const float *p, const int n, const int lanes)
{
	float t[LANES];

	for (int l = 0; l < LANES; l++)
		t[l] = l < lanes ? p[(n + l) / MULTIPLIER] : 0.0f;
	return EDGE_CAT(vload, LANES)(0, t);
}
#define FULL(p) EDGE_FN(load)(p, n, LANES)
#define INPUT(p) EDGE_FN(load)(p, n, lanes)
#else
#define FULL(p) EDGE_CAT(vload, LANES)(0, (p) + n)
#if TAIL
#define INPUT(p) edge_load16((p) + n, lanes)
#else
#define INPUT(p) FULL(p)
#endif
#endif

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global const EDGE_WEIGHT *restrict weights,
				 const int first, const int height, const int rows, const int xc, const int ih,
				 const int iw, const int oh, const int ow, const int kh, const int sy,
				 const int dy, const int py, const int px, EDGE_OUT EDGE_WI)
{
	const int n = (first + get_global_id(0)) * LANES, lanes = min(LANES, out_n - n);
	__global const EDGE_WEIGHT *restrict w = weights + (long)get_global_id(0) * kh * KW * LANES;
	const int end = min((int)(get_global_id(1) + 1) * height, rows);
	/* output columns whose window is inside: from lo up to, not including, hi */
	const int lo = min(px <= 0 ? 0 : (px + SX - 1) / SX, ow);
	const int last = iw - 1 - (KW - 1) * DX + px;
	const int hi = max(lo, min(last < 0 ? 0 : last / SX + 1, ow));

	for (int r = get_global_id(1) * height; r < end; r++) {
		const int y = r % oh * sy - py;
		__global const float *image = x + r / oh * ih * iw * xc;

		for (int o = 0; o < ow;) {
			const int column = o * SX - px;
			VECTOR c0 = (VECTOR)(0.0f), c1 = c0, c2 = c0, c3 = c0, t[TILE_W];
			int done = 1;

			if (o >= lo && o + TILE_W <= hi && lanes == LANES) {
				for (int ky = 0; ky < kh; ky++) {
					if ((uint)(y + ky * dy) >= (uint)ih)
						continue;
					__global const float *p = image + ((y + ky * dy) * iw + column) * xc;
#pragma unroll
					for (int kx = 0; kx < KW; kx++) {
						const VECTOR v = WEIGHT(ky * KW + kx);

						c0 += FULL(p + (kx * DX) * xc) * v;
						c1 += FULL(p + (kx * DX + SX) * xc) * v;
						c2 += FULL(p + (kx * DX + 2 * SX) * xc) * v;
						c3 += FULL(p + (kx * DX + 3 * SX) * xc) * v;
					}
				}
#if EDGE_LIGHT
				EDGE_STORE16(edge_widen(c0), r * ow + o, n, LANES);
				EDGE_STORE16(edge_widen(c1), r * ow + o + 1, n, LANES);
				EDGE_STORE16(edge_widen(c2), r * ow + o + 2, n, LANES);
				EDGE_STORE16(edge_widen(c3), r * ow + o + 3, n, LANES);
				o += TILE_W;
				continue;
#endif
				done = TILE_W;
			} else {
				for (int tap = 0; tap < kh * KW; tap++) {
					const int yy = y + tap / KW * dy, xx = column + tap % KW * DX;

					if ((uint)yy < (uint)ih && (uint)xx < (uint)iw)
						c0 += INPUT(image + (yy * iw + xx) * xc) * WEIGHT(tap);
				}
			}
			t[0] = c0;
			t[1] = c1;
			t[2] = c2;
			t[3] = c3;
			for (int i = 0; i < done; i++, o++)
				EDGE_STORE16(edge_widen(t[i]), r * ow + o, n, lanes);
		}
	}
}
