/* SPDX-License-Identifier: Apache-2.0 */
/*
 * depthwise.cl - convolution of each channel by itself, channels last.
 *
 * A work-item computes `height` output rows of sixteen channels (of eight, where
 * that is all). Away from the left and right edge it takes eight, then
 * four pixels at a time, so that a weight is loaded once for all of them and,
 * the kernel's width, stride and dilation being constants, an input that several
 * pixels share is loaded once as well. Of channels that are no multiple of
 * sixteen whole vectors are read all the same, but not beyond the end of x.
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

/* Whether whole vectors may be read for pixels up to o + w - 1 of the present row. */
#if MULTIPLIER > 1
#define SAFE(w) (lanes == LANES)
#elif TAIL
#define SAFE(w) (lanes == LANES || start + (bottom * iw + (o + (w) - 1) * SX - px + (KW - 1) * DX) * xc + n + LANES <= size)
#else
#define SAFE(w) 1
#endif

#define ZERO(i) VECTOR c##i = (VECTOR)(0.0f);
#define STEP(i) c##i += FULL(p + (kx * DX + (i) * SX) * xc) * v;
#if EDGE_LIGHT
#define SAVE(i) EDGE_STORE16(edge_widen(c##i), r * ow + o + (i), n, lanes);
#define STORE(w)
#define SAVED(w)
#else
#define SAVED(w) VECTOR t[w];
#define SAVE(i) t[i] = c##i;
#define STORE(w)                                                                                   \
	for (int i = 0; i < (w); i++)                                                              \
		EDGE_STORE16(edge_widen(t[i]), r * ow + o + i, n, lanes);
#endif
#define PIXELS(W)                                                                                  \
	for (; o + W <= hi && SAFE(W); o += W) {                                                   \
		EDGE_REPEAT(W, ZERO)                                                               \
		SAVED(W)                                                                           \
		for (int ky = top; ky < end_y; ky++) {                                             \
			__global const float *p = x + (start + ((y + ky * dy) * iw + o * SX - px) * xc); \
			_Pragma("unroll") for (int kx = 0; kx < KW; kx++)                          \
			{                                                                          \
				const VECTOR v = WEIGHT(ky * KW + kx);                             \
				EDGE_REPEAT(W, STEP)                                               \
			}                                                                          \
		}                                                                                  \
		EDGE_REPEAT(W, SAVE)                                                               \
		STORE(W)                                                                           \
	}

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

#if TAIL && MULTIPLIER == 1
	const int size = rows / oh * ih * iw * xc;
#endif

	for (int r = get_global_id(1) * height; r < end; r++) {
		const int y = r % oh * sy - py, start = r / oh * ih * iw * xc;
		/* kernel rows inside the image: from top up to, not including, end_y */
		const int top = y < 0 ? (dy - 1 - y) / dy : 0;
		const int end_y = y >= ih ? 0 : min(kh, (ih - 1 - y) / dy + 1);
#if TAIL && MULTIPLIER == 1
		const int bottom = y + (end_y - 1) * dy;
#endif

		for (int o = 0; o < ow; o++) {
			if (o >= lo) {
#if !EDGE_NARROW
				PIXELS(8)
#endif
				PIXELS(4)
				PIXELS(1)
			}
			if (o >= ow)
				break;

			const int column = o * SX - px;
			VECTOR c = (VECTOR)(0.0f);

			for (int ky = top; ky < end_y; ky++)
				for (int kx = 0; kx < KW; kx++) {
					const int xx = column + kx * DX;

					if ((uint)xx < (uint)iw)
						c += INPUT(x + (start + ((y + ky * dy) * iw + xx) * xc)) * WEIGHT(ky * KW + kx);
				}
			EDGE_STORE16(edge_widen(c), r * ow + o, n, lanes);
		}
	}
}
