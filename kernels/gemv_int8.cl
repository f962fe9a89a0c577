/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemv_int8.cl - a few rows of codes times a constant matrix in few bits: out = alpha * a b.
 *
 * A part's products are summed as integers; then come the scales of both, and what
 * codes of weights lack of being signed, or have as their minimum, times the sum of
 * the row's part. ROWS, at most four, share what was unpacked.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gemv_int8
#endif
#ifndef TILE_NV
#define TILE_NV 2
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef EDGE_QUANT
#define EDGE_INT8
#include "quant.clh"
#include "int8.clh"
#endif

#define ROW(r) __global const char *restrict a##r = a + (r) * stride;
#if TILE_NV == 2
#define TOTAL(r) float16 p##r = (float16)(0.0f), q##r = p##r;
#else
#define TOTAL(r) float16 p##r = (float16)(0.0f);
#endif
#define START(r) int16 s##r = (int16)(0), t##r = s##r;
#define STEP(r)                                                                                    \
	s##r = EDGE_FN(dot)(s##r, w0, EDGE_FN(word)(a##r, at + j));                                \
	t##r = EDGE_FN(dot)(t##r, w1, EDGE_FN(word)(a##r, at + j + 4));
#define LAST(r) s##r = EDGE_FN(dot)(s##r, w0, EDGE_FN(word)(a##r, at + j));
#define ADD_P(r)                                                                                   \
	p##r += convert_float16(s##r + t##r) * (scale * EDGE_FN(number)(a##r, numbers + ROW_SCALE)) + \
		minimum * EDGE_FN(number)(a##r, sum);
#define ADD_Q(r)                                                                                   \
	q##r += convert_float16(s##r + t##r) * (scale * EDGE_FN(number)(a##r, numbers + ROW_SCALE)) + \
		minimum * EDGE_FN(number)(a##r, sum);
#define COLUMN(p, ADD)                                                                             \
	{                                                                                          \
		const float16 scale = EDGE_FN(scale)((p), i / QUANT_PART);                         \
		const float16 minimum = EDGE_FN(minimum)((p), i / QUANT_PART, scale);              \
		__global const uchar *low = (p) + QUANT_LOW_AT(i), *high = (p) + QUANT_HIGH_AT(i, e); \
		EDGE_REPEAT(ROWS, START)                                                           \
		if (i + QUANT_PART <= e) {                                                         \
			__attribute__((opencl_unroll_hint(4))) for (int j = 0; j < QUANT_PART; j += 8) { \
				const uint16 w0 = EDGE_FN(bytes)(low, high, j >> 2);               \
				const uint16 w1 = EDGE_FN(bytes)(low, high, (j >> 2) + 1);         \
				EDGE_REPEAT(ROWS, STEP)                                            \
			}                                                                          \
		} else {                                                                           \
			for (int j = 0; i + j < e; j += 4) {                                       \
				const uint16 w0 = EDGE_FN(bytes)(low, high, j >> 2);               \
				EDGE_REPEAT(ROWS, LAST)                                            \
			}                                                                          \
		}                                                                                  \
		EDGE_REPEAT(ROWS, ADD)                                                             \
	}
#define STORE_P(r) EDGE_STORE16(p##r * alpha, r, n, min(out_n - n, 16));
#define STORE_Q(r) EDGE_STORE16(q##r * alpha, r, n + 16, min(out_n - n - 16, 16));

__kernel EDGE_SINGLE void KERNEL(__global const char *restrict a, __global const uchar *restrict panels,
				 const int first, const int k, const int bytes, const float alpha, EDGE_OUT EDGE_WI)
{
	const int panel = get_global_id(0), stride = (k + ROW_PART - 1) / ROW_PART * ROW_PART_BYTES;
	__global const uchar *restrict b = panels + (long)panel * bytes;

	EDGE_REPEAT(ROWS, ROW)
	EDGE_REPEAT(ROWS, TOTAL)
	for (int start = 0; start < k; start += QUANT_ELEMENTS, b += QUANT_BLOCK) {
		const int e = QUANT_STORED(start);

		__attribute__((opencl_unroll_hint(QUANT_UNROLL))) for (int i = 0; i < e; i += QUANT_PART) {
			const int part = start + i, numbers = part / ROW_PART * ROW_PART_BYTES;
			const int at = numbers + part % ROW_PART, sum = numbers + ROW_SUM + part % ROW_PART / 16 * 4;

			QUANT_SOON(b, i)
			COLUMN(b, ADD_P)
#if TILE_NV == 2
			COLUMN(b + QUANT_COLUMN(e), ADD_Q)
#endif
		}
	}

	const int n = (first + panel) * (16 * TILE_NV);

	EDGE_REPEAT(ROWS, STORE_P)
#if TILE_NV == 2
	if (n + 16 < out_n) {
		EDGE_REPEAT(ROWS, STORE_Q)
	}
#endif
}
