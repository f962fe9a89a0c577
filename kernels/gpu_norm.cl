/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_norm.cl - layer norm, or with RMS 1 root-mean-square norm, of rows of n
 * elements; scale and bias have one element for each of the row. A row is
 * `parts` rows of the output. A work-group of ITEMS a row: mean, squares about
 * the mean, result.
 *
 * GROUPS 1: a row is `each` of an image's channels, of all its pixels; scale and bias
 * are the channels'.
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
#ifndef GROUPS
#define GROUPS 0
#endif
#ifndef ITEMS
#define ITEMS 128
#endif
#include "norm_defaults.clh"

#if GROUPS
#define PIXEL(i) ((i) / each)
#define CHANNEL(i) (group * each + (i) % each)
#define AT(i) (PIXEL(i) * channels + CHANNEL(i))
#define STORE(v, i) EDGE_STORE(v, image * (n / each) + PIXEL(i), CHANNEL(i))
#else
#define CHANNEL(i) (i)
#define AT(i) (i)
#define STORE(v, i) EDGE_STORE(v, group * parts + (i) / width, (i) % width)
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
	const int each, const int channels, EDGE_OUT EDGE_WI)
{
	__local float sums[ITEMS];
	const int item = get_local_id(0), group = get_global_id(1), image = get_global_id(2), width = n / parts;
	__global const float *p = x + (GROUPS ? image * (n / each) * channels : group * n);
	float mean = 0.0f, square = 0.0f;

#if !RMS
	for (int i = item; i < n; i += ITEMS)
		mean += p[AT(i)];
	SUM_UP(mean)
	mean /= (float)n;
#endif
	for (int i = item; i < n; i += ITEMS)
		square += (p[AT(i)] - mean) * (p[AT(i)] - mean);
	SUM_UP(square)

	const float factor = 1.0f / sqrt(square / (float)n + eps);

	for (int i = item; i < n; i += ITEMS) {
		float v = (p[AT(i)] - mean) * factor;

#if HAS_SCALE
		v *= scale[CHANNEL(i)];
#endif
#if HAS_BIAS
		v += bias[CHANNEL(i)];
#endif
		STORE(v, i);
	}
}
