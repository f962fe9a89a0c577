/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_int8.cl - rows of codes times a constant matrix in few bits: out = alpha * a b.
 *
 * As matmul_quant.cl, but what is unpacked stays codes, a byte each, with a scale
 * and a minimum for each part, so that four products take one instruction where
 * there is one for dot products.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL matmul_int8
#endif
#ifndef TILE_M
#define TILE_M 8
#endif
#ifndef TILE_NV
#define TILE_NV 2
#endif
#ifndef TILES
#define TILES 8
#endif
#ifndef EDGE_QUANT
#define EDGE_INT8
#include "quant.clh"
#include "int8.clh"
#endif
#define WINDOW 128
#define WIDTH (16 * TILE_NV)
#define WORDS (QUANT_PART / 4)

#define ROW(i) __global const char *restrict a##i = a + (min(r0 + (i), m - 1) * stride);
#define ZERO_1(i) int16 s##i##_0 = (int16)(0);
#define ZERO_2(i) ZERO_1(i) int16 s##i##_1 = (int16)(0);
#define ZERO(i) EDGE_CAT(ZERO_, PART_NV)(i)
#define DOT_1(i) s##i##_0 = EDGE_FN(dot)(s##i##_0, w0, x);
#define DOT_2(i) DOT_1(i) s##i##_1 = EDGE_FN(dot)(s##i##_1, w1, x);
#define DOT(i)                                                                                     \
	{                                                                                          \
		const int x = EDGE_FN(word)(a##i, at + 4 * j);                                     \
		EDGE_CAT(DOT_, PART_NV)(i)                                                         \
	}
#define ADD_TO(i, v)                                                                               \
	vstore16(vload16((row + (i)) * TILE_NV + col + v, sums) + convert_float16(s##i##_##v) * (scale##v * d) + \
			 minimum##v * sum,                                                         \
		 (row + (i)) * TILE_NV + col + v, sums);
#define ADD_1(i) ADD_TO(i, 0)
#define ADD_2(i) ADD_1(i) ADD_TO(i, 1)
#define ADD(i)                                                                                     \
	{                                                                                          \
		const float d = EDGE_FN(number)(a##i, numbers + ROW_SCALE);                        \
		const float sum = EDGE_FN(number)(a##i, numbers + ROW_SUM + (start + p) % ROW_PART / 16 * 4); \
		EDGE_CAT(ADD_, PART_NV)(i)                                                         \
	}

/* Part `at` .. of a panel: its codes, to[input / 4][WIDTH], its scales and minima. */
EDGE_OVERLOAD void EDGE_FN(part)(__global const uchar *panel, int at, int k, uint *to, float *scales, float *minima)
{
	const int start = at / QUANT_ELEMENTS * QUANT_ELEMENTS, i = at - start, e = QUANT_STORED(start);
	__global const uchar *p = panel + (long)(at / QUANT_ELEMENTS) * QUANT_BLOCK;

	for (int v = 0; v < TILE_NV; v++, p += QUANT_COLUMN(e)) {
		const float16 scale = EDGE_FN(scale)(p, i / QUANT_PART);
		__global const uchar *low = p + QUANT_LOW_AT(i), *high = p + QUANT_HIGH_AT(i, e);

		vstore16(scale, v, scales);
		vstore16(EDGE_FN(minimum)(p, i / QUANT_PART, scale), v, minima);
		for (int j = 0; j < WORDS; j++)
			vstore16(i + 4 * j < e ? EDGE_FN(bytes)(low, high, j) : (uint16)(0u), j * TILE_NV + v, to);
	}
}

__kernel EDGE_SINGLE void KERNEL(__global const char *restrict a, __global const uchar *restrict panels,
				 const int first, const int m, const int k, const int bytes, const float alpha,
				 EDGE_OUT EDGE_WI)
{
	const int panel = get_global_id(0), top = get_global_id(1) * (TILES * TILE_M);
	const int rows = min(m - top, TILES * TILE_M), n0 = (first + panel) * WIDTH;
	const int stride = (k + ROW_PART - 1) / ROW_PART * ROW_PART_BYTES;
	__global const uchar *restrict from = panels + (long)panel * bytes;
	uint codes[WINDOW / 4 * WIDTH];
	float scales[WINDOW / QUANT_PART * WIDTH] EDGE_LINES, minima[WINDOW / QUANT_PART * WIDTH] EDGE_LINES;
	float sums[(TILES * TILE_M + 8) * WIDTH] EDGE_LINES;

	for (int i = 0; i < (rows + 7) * TILE_NV; i++)
		vstore16((float16)(0.0f), i, sums);
	for (int start = 0; start < k; start += WINDOW) {
		const int count = min(WINDOW, k - start);

		for (int p = 0; p < count; p += QUANT_PART)
			EDGE_FN(part)(from, start + p, k, codes + p / 4 * WIDTH, scales + p / QUANT_PART * WIDTH,
				      minima + p / QUANT_PART * WIDTH);
		for (int row = 0; row < rows; row += PART_M) {
			const int r0 = top + row;

			EDGE_REPEAT(PART_M, ROW)
			for (int p = 0; p < count; p += QUANT_PART) {
				const int numbers = (start + p) / ROW_PART * ROW_PART_BYTES, at = numbers + (start + p) % ROW_PART;

				for (int col = 0; col < TILE_NV; col += PART_NV) {
					const uint *w = codes + (p / 4 * WIDTH + col * 16);
					const float16 scale0 = vload16(p / QUANT_PART * TILE_NV + col, scales);
					const float16 minimum0 = vload16(p / QUANT_PART * TILE_NV + col, minima);
#if PART_NV == 2
					const float16 scale1 = vload16(p / QUANT_PART * TILE_NV + 1, scales);
					const float16 minimum1 = vload16(p / QUANT_PART * TILE_NV + 1, minima);
#endif

					EDGE_REPEAT(PART_M, ZERO)
					__attribute__((opencl_unroll_hint(8))) for (int j = 0; j < WORDS; j++) {
						const uint16 w0 = vload16(j * TILE_NV, w);
#if PART_NV == 2
						const uint16 w1 = vload16(j * TILE_NV + 1, w);
#endif
						EDGE_REPEAT(PART_M, DOT)
					}
					EDGE_REPEAT(PART_M, ADD)
				}
			}
		}
	}
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < TILE_NV; j++) {
			const int n = n0 + j * 16;

			if (n < out_n)
				EDGE_STORE16(vload16(i * TILE_NV + j, sums) * alpha, top + i, n, min(out_n - n, 16));
		}
}
