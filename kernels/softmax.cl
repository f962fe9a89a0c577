/* SPDX-License-Identifier: Apache-2.0 */
/*
 * softmax.cl - softmax or, with LOG 1, its logarithm.
 *
 * INNER 0: x[rows][n] along the last dim, a work-item `block` rows; SHORT 1: the
 * same for rows of less than a vector. INNER 1:
 * x[outer][n][parts][width] along n, a work-item sixteen elements of width;
 * (outer, n, parts) is the row of the output. Exponentials of rows of at most KEEP are kept in
 * the nearest cache; others are computed twice, which is cheaper than keeping them further away.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL softmax
#endif
#ifndef LOG
#define LOG 0
#endif
#ifndef SHORT
#define SHORT 0 /* 1: rows of at most SHORT_MOST elements */
#endif
#define SHORT_MOST 15
#ifndef KEEP
#define KEEP 0 /* a multiple of 16; not with LOG */
#endif
#ifndef INNER
#define INNER 0
#endif

#if LOG
#define RESULT(v) ((v) - top - bottom)
#define BOTTOM(sum) log(sum)
#else
#define RESULT(v) (edge_exp((v) - top) * bottom)
#define BOTTOM(sum) (1.0f / (sum))
#endif

#if SHORT

/* Sixteen rows side by side, element k of each in the lanes of one vector. */
__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, const int rows, const int n, const int block,
				 EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, rows);

	for (int r = first; r < last; r += 16) {
		const int lanes = min(16, last - r);
		float in[SHORT_MOST * 16] EDGE_LINES, out16[SHORT_MOST * 16] EDGE_LINES;
		float16 top = (float16)(-INFINITY), sum = (float16)(0.0f);

		for (int i = 0, k = 0, l = 0; i < lanes * n; i++) {
			in[k * 16 + l] = x[r * n + i];
			if (++k == n) {
				k = 0;
				l++;
			}
		}
		for (int l = lanes; l < 16; l++)
			for (int k = 0; k < n; k++)
				in[k * 16 + l] = 0.0f;
		for (int k = 0; k < n; k++)
			top = max(top, vload16(k, in));
		for (int k = 0; k < n; k++) {
			const float16 e = edge_exp(vload16(k, in) - top);

			sum += e;
			vstore16(e, k, out16);
		}

		const float16 bottom = BOTTOM(sum);

		for (int k = 0; k < n; k++)
#if LOG
			vstore16(RESULT(vload16(k, in)), k, out16);
#else
			vstore16(vload16(k, out16) * bottom, k, out16);
#endif
		for (int i = 0, k = 0, l = 0; i < lanes * n; i++) {
			EDGE_STORE_AT(out16[k * 16 + l], r * n + i);
			if (++k == n) {
				k = 0;
				l++;
			}
		}
	}
}

#elif INNER

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, const int n, const int parts, const int width,
				 EDGE_OUT EDGE_WI)
{
	const int lane = (int)get_global_id(0) * 16, lanes = min(16, width - lane);
	const int part = (int)get_global_id(1) % parts, outer = (int)get_global_id(1) / parts;
	const int step = parts * width;
	__global const float *p = x + outer * n * step + part * width + lane;
	float16 top = edge_load16(p, lanes), sum = (float16)(0.0f);

	for (int k = 1; k < n; k++)
		top = max(top, edge_load16(p + k * step, lanes));
	for (int k = 0; k < n; k++)
		sum += edge_exp(edge_load16(p + k * step, lanes) - top);

	const float16 bottom = BOTTOM(sum);

	for (int k = 0; k < n; k++) {
		const float16 v = edge_load16(p + k * step, lanes);

		EDGE_STORE16(RESULT(v), (outer * n + k) * parts + part, lane, lanes);
	}
}

#elif KEEP

/*
 * e^x of numbers not above 0: half the instructions of edge_exp(). What is below the smallest normal number is 0.
 */
EDGE_OVERLOAD float16 EDGE_FN(power)(const float16 x)
{
	const float16 y = EDGE_SELECT(int16, x < (float16)(-87.0f), (float16)(-87.0f), x);
	const float16 t = y * 1.44269504f + 12582912.0f, r = t - 12582912.0f;
	const float16 f = (y - r * 0x1.62e4p-1f) - r * 0x1.7f7d1cp-20f;
	float16 p = (float16)(0.0013941393699496984f);

	p = p * f + 0.008363335393369198f;
	p = p * f + 0.04166637361049652f;
	p = p * f + 0.16666576266288757f;
	p = p * f + 0.5f;
	p = (p * f) * f + f + 1.0f;
	p = as_float16(as_int16(p) + (as_int16(t) << 23));
	return EDGE_SELECT(int16, x < (float16)(-87.0f), (float16)(0.0f), p);
}

/* Two rows at a time: one's sums across a vector are waited for while the other is computed. */
#define EACH(M) M(0) M(1)
#define START(r)                                                                                   \
	__global const float *p##r = x + (row + r < last ? row + r : row) * n;                     \
	float16 rim##r = (float16)(-INFINITY), wide##r = rim##r, total##r = (float16)(0.0f);       \
	if (whole < n)                                                                             \
		rim##r = EDGE_SELECT(int16, in_rim, edge_load16(p##r + whole, n - whole), rim##r);
#define HIGHEST(r) wide##r = max(wide##r, vload16(0, p##r + i));
#define TOP(r) const float top##r = edge_max16(max(wide##r, rim##r));
#define WEIGH(r)                                                                                   \
	{                                                                                          \
		const float16 e = EDGE_FN(power)(vload16(0, p##r + i) - top##r);                   \
		total##r += e;                                                                     \
		vstore16(e, 0, kept + r * KEEP + i);                                               \
	}
#define WEIGH_RIM(r)                                                                               \
	rim##r = EDGE_FN(power)(rim##r - top##r);                                                  \
	total##r += EDGE_SELECT(int16, in_rim, rim##r, (float16)(0.0f));
#define BELOW(r) const float bottom##r = 1.0f / edge_sum16(total##r);
#define RESULTS(r)                                                                                 \
	if (row + r < last) {                                                                      \
		for (int i = 0; i < whole; i += 16)                                                \
			EDGE_STORE16(vload16(0, kept + r * KEEP + i) * bottom##r, row + r, i, 16); \
		if (whole < n)                                                                     \
			EDGE_STORE16(rim##r * bottom##r, row + r, whole, n - whole);               \
	}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, const int rows, const int n, const int block,
				 EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, rows), whole = n / 16 * 16;
	const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), in_rim = ramp < (int16)(n - whole);
	float kept[2 * KEEP] EDGE_LINES;

	for (int row = first; row < last; row += 2) {
		EACH(START)
		for (int i = 0; i < whole; i += 16) {
			EACH(HIGHEST)
		}
		EACH(TOP)
		for (int i = 0; i < whole; i += 16) {
			EACH(WEIGH)
		}
		EACH(WEIGH_RIM)
		EACH(BELOW)
		EACH(RESULTS)
	}
}

#else

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, const int rows, const int n, const int block,
				 EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, rows);
	const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

	for (int r = first; r < last; r++) {
		__global const float *p = x + r * n;
		float16 wide = (float16)(-INFINITY), total = (float16)(0.0f);
		const int whole = n / 16 * 16;
		float16 rim = (float16)(-INFINITY);

		if (whole < n)
			rim = EDGE_SELECT(int16, ramp < (int16)(n - whole), edge_load16(p + whole, n - whole), rim);
		for (int i = 0; i < whole; i += 16)
			wide = max(wide, vload16(0, p + i));

		const float top = edge_max16(max(wide, rim));

		for (int i = 0; i < whole; i += 16)
			total += edge_exp(vload16(0, p + i) - top);
		rim = edge_exp(rim - top);
		total += EDGE_SELECT(int16, ramp < (int16)(n - whole), rim, (float16)(0.0f));

		const float bottom = BOTTOM(edge_sum16(total));

		for (int i = 0; i < n; i += 16) {
			const int lanes = min(16, n - i);
			const float16 v = edge_load16(p + i, lanes);

			EDGE_STORE16(RESULT(v), r, i, lanes);
		}
	}
}

#endif
