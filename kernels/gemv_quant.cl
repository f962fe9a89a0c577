/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemv_quant.cl - a few rows times a constant matrix in few bits: out = alpha * a b.
 *
 * Codes become floats in registers and are summed against the inputs as they
 * are; the scale comes once a part, after the sum, and what is the same for
 * all codes of a part (zero or minimum) is multiplied with the sum of the
 * inputs. ROWS, at most four, share what was unpacked.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gemv_quant
#endif
#ifndef TILE_NV
#define TILE_NV 2
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef EDGE_QUANT
#include "quant.clh"
#endif

/* The sum of inputs i .. i + QUANT_PART - 1, those from k on left out. */
EDGE_OVERLOAD float EDGE_FN(sum)(__global const float *a, int i, int k)
{
	float s = 0.0f;

	if (i + QUANT_PART <= k) {
#if QUANT_PART == 32
		return edge_sum16(vload16(0, a + i) + vload16(1, a + i));
#else
		return edge_sum16(vload16(0, a + i));
#endif
	}
	for (; i < k; i++)
		s += a[i];
	return s;
}

#define ROW(r) __global const float *restrict a##r = a + (r) * k;
#if TILE_NV == 2
#define TOTAL(r) float16 p##r = (float16)(0.0f), q##r = p##r;
#else
#define TOTAL(r) float16 p##r = (float16)(0.0f);
#endif
#define START(r) float16 s##r = (float16)(0.0f), t##r = s##r;
#define STEP(r)                                                                                    \
	s##r += x0 * a##r[at];                                                                     \
	t##r += x1 * a##r[at + 1];                                                                 \
	s##r += x2 * a##r[at + 2];                                                                 \
	t##r += x3 * a##r[at + 3];
#define TAIL(r)                                                                                    \
	s##r += x0 * (at < k ? a##r[at] : 0.0f);                                                   \
	t##r += x1 * (at + 1 < k ? a##r[at + 1] : 0.0f);                                           \
	s##r += x2 * (at + 2 < k ? a##r[at + 2] : 0.0f);                                           \
	t##r += x3 * (at + 3 < k ? a##r[at + 3] : 0.0f);
#if QUANT_KIND == 2
#define MINIMUM(p)
#define SUM(r)
#define ADD_P(r) p##r += (s##r + t##r) * scale;
#define ADD_Q(r) q##r += (s##r + t##r) * scale;
#else
#define MINIMUM(p) const float16 minimum = EDGE_FN(minimum)((p), i / QUANT_PART, scale);
#define SUM(r) const float sum##r = EDGE_FN(sum)(a##r, start + i, k);
#define ADD_P(r) p##r += (s##r + t##r) * scale + minimum * sum##r;
#define ADD_Q(r) q##r += (s##r + t##r) * scale + minimum * sum##r;
#endif
#define CODES                                                                                      \
	const uint16 c = EDGE_FN(codes)(low, high, j >> 2);                                        \
	const int at = start + i + j;                                                              \
	const float16 x0 = EDGE_FN(byte)(c, 0, j >> 2), x1 = EDGE_FN(byte)(c, 1, j >> 2);          \
	const float16 x2 = EDGE_FN(byte)(c, 2, j >> 2), x3 = EDGE_FN(byte)(c, 3, j >> 2);
#define COLUMN(p, ADD)                                                                             \
	{                                                                                          \
		const float16 scale = EDGE_FN(scale)((p), i / QUANT_PART);                         \
		__global const uchar *low = (p) + QUANT_LOW_AT(i), *high = (p) + QUANT_HIGH_AT(i, e); \
		MINIMUM(p)                                                                         \
		EDGE_REPEAT(ROWS, START)                                                           \
		if (start + i + QUANT_PART <= k) {                                                 \
			__attribute__((opencl_unroll_hint(8))) for (int j = 0; j < QUANT_PART; j += 4) { \
				CODES                                                              \
				EDGE_REPEAT(ROWS, STEP)                                            \
			}                                                                          \
		} else {                                                                           \
			for (int j = 0; j < QUANT_PART && i + j < e; j += 4) {                     \
				CODES                                                              \
				EDGE_REPEAT(ROWS, TAIL)                                            \
			}                                                                          \
		}                                                                                  \
		EDGE_REPEAT(ROWS, ADD)                                                             \
	}
#define STORE_P(r) EDGE_STORE16(p##r * alpha, r, n, min(out_n - n, 16));
#define STORE_Q(r) EDGE_STORE16(q##r * alpha, r, n + 16, min(out_n - n - 16, 16));

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict a, __global const uchar *restrict panels,
				 const int first, const int k, const int bytes, const float alpha, EDGE_OUT EDGE_WI)
{
	const int panel = get_global_id(0);
	__global const uchar *restrict b = panels + (long)panel * bytes;

	EDGE_REPEAT(ROWS, ROW)
	EDGE_REPEAT(ROWS, TOTAL)
	for (int start = 0; start < k; start += QUANT_ELEMENTS, b += QUANT_BLOCK) {
		const int e = QUANT_STORED(start);

		for (int i = 0; i < e; i += QUANT_PART) {
			QUANT_SOON(b, i)
			EDGE_REPEAT(ROWS, SUM)
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
