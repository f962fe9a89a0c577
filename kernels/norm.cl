/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.cl - layer norm, or with RMS 1 root-mean-square norm, of rows of n
 * elements; scale and bias have one element for each of the row. A row is
 * `parts` rows of the output. A work-item does `block` rows, each read three
 * times: mean, squares about the mean, result.
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

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, PARAM_SCALE PARAM_BIAS const float eps,
				 const int rows, const int n, const int block, const int parts, EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, rows);
	const int width = n / parts;

	for (int r = first; r < last; r++) {
		__global const float *p = x + r * n;
		float16 total = (float16)(0.0f);
		float mean = 0.0f, square = 0.0f;
		int i;

#if !RMS
		for (i = 0; i + 16 <= n; i += 16)
			total += vload16(0, p + i);
		mean = edge_sum16(total);
		for (; i < n; i++)
			mean += p[i];
		mean /= (float)n;
		total = (float16)(0.0f);
#endif
		for (i = 0; i + 16 <= n; i += 16) {
			const float16 d = vload16(0, p + i) - mean;

			total += d * d;
		}
		square = edge_sum16(total);
		for (; i < n; i++)
			square += (p[i] - mean) * (p[i] - mean);

		const float factor = 1.0f / sqrt(square / (float)n + eps);

		for (int part = 0; part < parts; part++) {
			for (int k = 0; k < width; k += 16) {
				const int lanes = min(16, width - k), at = part * width + k;
				float16 v = (edge_load16(p + at, lanes) - mean) * factor;

#if HAS_SCALE
				v *= edge_load16(scale + at, lanes);
#endif
#if HAS_BIAS
				v += edge_load16(bias + at, lanes);
#endif
				EDGE_STORE16(v, r * parts + part, k, lanes);
			}
		}
	}
}
