/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.cl - layer norm, or with RMS 1 root-mean-square norm, of rows of n
 * elements; scale and bias have one element for each of the row. A row is
 * `parts` rows of the output. A work-item does `block` rows, each read three
 * times: mean, squares about the mean, result. Sums are four, because one alone
 * would wait for each addition.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL norm
#endif
#ifndef RMS
#define RMS 0
#endif
#include "norm_defaults.clh"

/* p[0] + ... + p[n - 1] */
EDGE_OVERLOAD float EDGE_FN(sum)(__global const float *p, const int n)
{
	float16 s0 = (float16)(0.0f), s1 = s0, s2 = s0, s3 = s0;
	int i = 0;

	for (; i + 64 <= n; i += 64) {
		s0 += vload16(0, p + i);
		s1 += vload16(1, p + i);
		s2 += vload16(2, p + i);
		s3 += vload16(3, p + i);
	}
	for (; i < n; i += 16)
		s0 += edge_load16(p + i, n - i);
	return edge_sum16((s0 + s1) + (s2 + s3));
}

/* The same of squares about `mean`. */
EDGE_OVERLOAD float EDGE_FN(squares)(__global const float *p, const int n, const float mean)
{
	const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	float16 s0 = (float16)(0.0f), s1 = s0, s2 = s0, s3 = s0;
	int i = 0;

	for (; i + 64 <= n; i += 64) {
		const float16 d0 = vload16(0, p + i) - mean, d1 = vload16(1, p + i) - mean;
		const float16 d2 = vload16(2, p + i) - mean, d3 = vload16(3, p + i) - mean;

		s0 += d0 * d0;
		s1 += d1 * d1;
		s2 += d2 * d2;
		s3 += d3 * d3;
	}
	for (; i < n; i += 16) {
		const float16 d = EDGE_SELECT(int16, ramp < (int16)(n - i), edge_load16(p + i, n - i) - mean, (float16)(0.0f));

		s0 += d * d;
	}
	return edge_sum16((s0 + s1) + (s2 + s3));
}

#if HAS_SCALE
#define SCALED(v, lanes) ((v)*edge_load16(scale + at, lanes))
#else
#define SCALED(v, lanes) (v)
#endif
#if HAS_BIAS
#define MOVED(v, lanes) ((v) + edge_load16(bias + at, lanes))
#else
#define MOVED(v, lanes) (v)
#endif
#define RESULT(lanes)                                                                              \
	{                                                                                          \
		const int at = part * width + k;                                                   \
		const float16 v = (edge_load16(p + at, lanes) - mean) * factor;                    \
                                                                                                   \
		EDGE_STORE16(MOVED(SCALED(v, lanes), lanes), r * parts + part, k, lanes);          \
	}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, PARAM_SCALE PARAM_BIAS const float eps,
				 const int rows, const int n, const int block, const int parts, EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, rows);
	const int width = n / parts;

	for (int r = first; r < last; r++) {
		__global const float *p = x + r * n;
		const float mean = RMS ? 0.0f : EDGE_FN(sum)(p, n) / (float)n;
		const float factor = 1.0f / sqrt(EDGE_FN(squares)(p, n, mean) / (float)n + eps);

		for (int part = 0; part < parts; part++) {
			int k = 0;

			for (; k + 16 <= width; k += 16)
				RESULT(16)
			if (k < width)
				RESULT(width - k)
		}
	}
}
