/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_quant.cl - rows times a constant matrix in few bits: out = alpha * a b.
 *
 * A work-item has TILES tiles of TILE_M rows of one panel. It unpacks WINDOW
 * inputs of the panel into private memory, which stays in the first cache, and
 * uses them for all its tiles before it goes on: unpacking costs as much as
 * half a tile. The sums wait in private memory in between; ONCE: there are at most WINDOW
 * inputs, so they stay in registers until they are stored.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL matmul_quant
#endif
#define TILE_SHAPE PART_NV
#ifndef TILE_M
#define TILE_M 8
#endif
#ifndef TILE_NV
#define TILE_NV 2
#endif
#ifndef TILES
#define TILES 8
#endif
#ifndef ONCE
#define ONCE 0
#endif
#define TILE_LANES 16
#if ONCE
#define WINDOW (TILE_NV == 1 ? 640 : 320)
#else
#define WINDOW 64
#endif
#define WIDTH (16 * TILE_NV)
#ifndef EDGE_QUANT
#include "quant.clh"
#endif

#define ROW(i) __global const float *restrict a##i = a + (min(r0 + (i), m - 1) * k + start);
#define RESUME_1(i) float16 c##i##_0 = vload16((row + (i)) * TILE_NV + col, sums);
#define RESUME_2(i) RESUME_1(i) float16 c##i##_1 = vload16((row + (i)) * TILE_NV + col + 1, sums);
#define RESUME(i) EDGE_CAT(RESUME_, PART_NV)(i)
#define PAUSE_1(i) vstore16(c##i##_0, (row + (i)) * TILE_NV + col, sums);
#define PAUSE_2(i) PAUSE_1(i) vstore16(c##i##_1, (row + (i)) * TILE_NV + col + 1, sums);
#define PAUSE(i) EDGE_CAT(PAUSE_, PART_NV)(i)

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict a, __global const uchar *restrict panels,
				 const int first, const int m, const int k, const int bytes, const float alpha,
				 EDGE_OUT EDGE_WI)
{
	const int panel = get_global_id(0), top = get_global_id(1) * (TILES * TILE_M);
	const int rows = min(m - top, TILES * TILE_M), n0 = (first + panel) * WIDTH;
	__global const uchar *restrict from = panels + (long)panel * bytes;
#if ONCE
	float window[WINDOW * WIDTH] EDGE_LINES;
#else
	float window[WINDOW * WIDTH] EDGE_LINES, sums[(TILES * TILE_M + 8) * WIDTH] EDGE_LINES;

	for (int i = 0; i < (rows + 7) * TILE_NV; i++)
		vstore16((float16)(0.0f), i, sums);
#endif
	for (int start = 0; start < k; start += WINDOW) {
		const int count = min(WINDOW, k - start);

		for (int i = 0; i < count; i += QUANT_PART)
			EDGE_FN(unpack)(from, start + i, k, window + i * WIDTH);
		for (int row = 0; row < rows; row += PART_M) {
			const int r0 = top + row;

			EDGE_REPEAT(PART_M, ROW)
			for (int col = 0; col < TILE_NV; col += PART_NV) {
				const float *b = window + col * 16;

#if ONCE
				EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
#else
				EDGE_REPEAT(PART_M, RESUME)
#endif
				for (int at = 0; at < count; at++, b += WIDTH) {
					EDGE_TILE_LOAD
					EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
				}
#if ONCE
				float16 t[PART_M * PART_NV];

				EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
				for (int i = 0; i < min(PART_M, rows - row); i++)
					for (int j = 0; j < PART_NV; j++) {
						const int n = n0 + (col + j) * 16;

						if (n < out_n)
							EDGE_STORE16(t[i * PART_NV + j] * alpha, r0 + i, n, min(out_n - n, 16));
					}
#else
				EDGE_REPEAT(PART_M, PAUSE)
#endif
			}
		}
	}
#if !ONCE
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < TILE_NV; j++) {
			const int n = n0 + j * 16;

			if (n < out_n)
				EDGE_STORE16(vload16(i * TILE_NV + j, sums) * alpha, top + i, n, min(out_n - n, 16));
		}
#endif
}
