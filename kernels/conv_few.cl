/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_few.cl - convolution of few input channels: the first one of most networks.
 *
 * Sums are so short there that finding out where the pixels of a tile are takes as
 * long as the sums. So a work-item goes along a segment of one output row, whose
 * pixels are PIXEL elements apart: one pointer serves a tile, taps above and below the image
 * are left out for the whole row, and only tiles at its left and right end look where the image
 * ends: these copy what is under them, with zeros around it. The last tile
 * ends where the segment ends and so does some pixels again.
 *
 * x[images][ih][iw][CHANNELS], or, PLANAR, x[images][CHANNELS][ih][iw] as it comes from outside:
 * nothing is turned before. panels[...][kh][KW][CHANNELS][WIDTH], og outputs.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL conv_few
#endif
#include "tile_defaults.clh"
#ifndef TILE_LANES
#define TILE_LANES 16
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#ifndef CHANNELS
#define CHANNELS 3
#endif
#ifndef KW
#define KW 3
#endif
#ifndef SX
#define SX 1
#endif
#ifndef PLANAR
#define PLANAR 0
#endif

#ifndef TILE_SHAPE
#define TILE_SHAPE PART_NV
#endif
#define COLUMNS (TILE_NV / PART_NV)
#define PART_WIDTH (PART_NV == TILE_NV ? WIDTH : PART_NV * TILE_LANES)
#define EDGE_TILE_OUT(c) edge_widen(c)
#define EDGE_TILE_ROW(i) (r0 + (i))

/* Runs of elements that lie together under a kernel row; a pixel is so many elements of a run. */
#if PLANAR
#define RUNS CHANNELS
#define PIXEL 1
#else
#define RUNS 1
#define PIXEL CHANNELS
#endif
#define RUN (KW * PIXEL)
#define SPAN (((PART_M - 1) * SX + KW) * PIXEL) /* under a tile */

#define STEP(i)                                                                                    \
	{                                                                                          \
		const EDGE_TILE_VECTOR av = (EDGE_TILE_VECTOR)(from[run * apart + (i) * (SX * PIXEL) + at]); \
		EDGE_CAT(EDGE_TILE_FMA_, TILE_SHAPE)(i)                                               \
	}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global const EDGE_WEIGHT *restrict panels,
				 const int first, const int segments, const int og, const int ih, const int iw,
				 const int oh, const int ow, const int kh, const int sy, const int dy,
				 const int py, const int px, EDGE_OUT EDGE_WI)
{
	const int panel = first + (int)get_global_id(0), line = (int)get_global_id(1) / segments;
	const int segment = (int)get_global_id(1) % segments, image = line / oh, ty = line % oh;
	const int begin = (int)((long)ow * segment / segments), end = (int)((long)ow * (segment + 1) / segments);
	const int y0 = ty * sy - py, low = y0 < 0 ? (-y0 + dy - 1) / dy : 0, high = min(kh, (ih - y0 + dy - 1) / dy);
	const int width = iw * PIXEL, plane = ih * iw; /* plane: of one channel */

	for (int column = 0; column < COLUMNS; column++) {
		const int lane = column * (PART_NV * TILE_LANES), n0 = panel * WIDTH + lane;
		__global const EDGE_WEIGHT *weights = panels + ((long)get_global_id(0) * (kh * KW * CHANNELS) * WIDTH + lane);

		if (n0 >= og)
			continue;
		for (int left = begin; left < end; left += PART_M) {
			const int tx = min(left, end - PART_M), x0 = tx * SX - px, r0 = line * ow + tx;
			const bool whole = x0 >= 0 && x0 + (PART_M - 1) * SX + KW <= iw;

			EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
			for (int ky = low; ky < high; ky++) {
				__global const float *source = x + (image * CHANNELS * plane + (y0 + ky * dy) * width + x0 * PIXEL);
				__global const EDGE_WEIGHT *taps = weights + ky * (KW * CHANNELS * WIDTH);

				if (whole) {
					__global const float *from = source;
					const int apart = plane;

					_Pragma("unroll") for (int run = 0; run < RUNS; run++)
						_Pragma("unroll") for (int at = 0; at < RUN; at++)
						{
							__global const EDGE_WEIGHT *b = taps + (at * RUNS + run) * WIDTH;

							EDGE_TILE_LOAD
							EDGE_REPEAT(PART_M, STEP)
						}
				} else {
					float from[RUNS * SPAN] EDGE_LINES;
					const int apart = SPAN;

					for (int run = 0; run < RUNS; run++)
						for (int i = 0; i < SPAN; i++)
							from[run * SPAN + i] = (uint)(x0 + i / PIXEL) < (uint)iw ? source[run * plane + i] : 0.0f;
					for (int run = 0; run < RUNS; run++)
						for (int at = 0; at < RUN; at++) {
							__global const EDGE_WEIGHT *b = taps + (at * RUNS + run) * WIDTH;

							EDGE_TILE_LOAD
							EDGE_REPEAT(PART_M, STEP)
						}
				}
			}
#if EDGE_LIGHT
			if (n0 + PART_WIDTH <= og) {
				EDGE_REPEAT(PART_M, EDGE_TILE_STORE)
				continue;
			}
#endif
			EDGE_TILE_VECTOR t[PART_M * PART_NV];
			EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
			for (int i = 0; i < PART_M; i++)
				for (int j = 0; j < PART_NV; j++) {
					const int n = n0 + j * TILE_LANES;

					if (n < og)
						EDGE_STORE16(EDGE_TILE_OUT(t[i * PART_NV + j]), EDGE_TILE_ROW(i), n,
							     min(min(og, n0 + PART_WIDTH) - n, TILE_LANES));
				}
		}
	}
}
