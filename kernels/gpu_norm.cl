/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_norm.cl - layer norm, or with RMS 1 root-mean-square norm, of rows of n
 * elements; scale and bias have one element for each of the row. A row is
 * `parts` rows of the output. A work-group of ITEMS a row: mean, squares about
 * the mean, result.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_norm
#endif
#ifndef RMS
#define RMS 0
#endif
#ifndef ITEMS
#define ITEMS 128
#endif
#ifndef HAS_SCALE
#define HAS_SCALE 1
#define PARAM_SCALE __global const float *restrict scale,
#endif
#ifndef HAS_BIAS
#define HAS_BIAS 1
#define PARAM_BIAS __global const float *restrict bias,
#endif

#define SUM_UP(v)                                                                                  \
	sums[item] = v;                                                                            \
	barrier(CLK_LOCAL_MEM_FENCE);                                                              \
	for (int step = ITEMS / 2; step > 0; step /= 2) {                                          \
		if (item < step)                                                                   \
			sums[item] += sums[item + step];                                           \
		barrier(CLK_LOCAL_MEM_FENCE);                                                      \
	}                                                                                          \
	v = sums[0];                                                                               \
	barrier(CLK_LOCAL_MEM_FENCE);

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void KERNEL(
	__global const float *restrict x, PARAM_SCALE PARAM_BIAS const float eps, const int n, const int parts,
	EDGE_OUT EDGE_WI)
{
	__local float sums[ITEMS];
	const int item = get_local_id(0), row = get_global_id(1), width = n / parts;
	__global const float *p = x + row * n;
	float mean = 0.0f, square = 0.0f;

#if !RMS
	for (int i = item; i < n; i += ITEMS)
		mean += p[i];
	SUM_UP(mean)
	mean /= (float)n;
#endif
	for (int i = item; i < n; i += ITEMS)
		square += (p[i] - mean) * (p[i] - mean);
	SUM_UP(square)

	const float factor = 1.0f / sqrt(square / (float)n + eps);

	for (int i = item; i < n; i += ITEMS) {
		float v = (p[i] - mean) * factor;

#if HAS_SCALE
		v *= scale[i];
#endif
#if HAS_BIAS
		v += bias[i];
#endif
		EDGE_STORE(v, row * parts + i / width, i % width);
	}
}
