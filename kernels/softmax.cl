/* SPDX-License-Identifier: Apache-2.0 */
/*
 * softmax.cl - softmax or, with LOG 1, its logarithm.
 *
 * INNER 0: x[rows][n] along the last dim, a work-item `block` rows; SHORT 1: the
 * same for rows of less than a vector. INNER 1:
 * x[outer][n][parts][width] along n, a work-item sixteen elements of width;
 * (outer, n, parts) is the row of the output. Exponentials of a row of at most KEEP are kept in
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
		float in[SHORT_MOST * 16], out16[SHORT_MOST * 16];
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

#else

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, const int rows, const int n, const int block,
				 EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, rows);
	const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#if KEEP
	float kept[KEEP];
#endif

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

		for (int i = 0; i < whole; i += 16) {
			const float16 e = edge_exp(vload16(0, p + i) - top);

			total += e;
#if KEEP
			vstore16(e, 0, kept + i);
#endif
		}
		rim = edge_exp(rim - top);
		total += EDGE_SELECT(int16, ramp < (int16)(n - whole), rim, (float16)(0.0f));

		const float bottom = BOTTOM(edge_sum16(total));

#if KEEP
		for (int i = 0; i < whole; i += 16)
			EDGE_STORE16(vload16(0, kept + i) * bottom, r, i, 16);
		if (whole < n)
			EDGE_STORE16(rim * bottom, r, whole, n - whole);
#else
		for (int i = 0; i < n; i += 16) {
			const int lanes = min(16, n - i);
			const float16 v = edge_load16(p + i, lanes);

			EDGE_STORE16(RESULT(v), r, i, lanes);
		}
#endif
	}
}

#endif
