/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantize_range.cl - least and greatest numbers of parts of an image, for quantize_image.cl.
 *
 * Each image of `count` numbers has sixteen parts of `block`, and the results of
 * part i go to places i and 16 + i of the image's `bytes`. Zero always counts, because
 * it must have a code of its own.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL quantize_range
#endif

#define PARTS 16

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global uchar *restrict to, const int count,
				 const int block, const int bytes EDGE_WI)
{
	const int part = (int)get_global_id(0), image = (int)get_global_id(1);
	const int first = min(part * block, count), last = min(first + block, count);
	__global const float *from = x + (long)image * count;
	__global float *range = (__global float *)(to + (long)image * bytes);
	float16 low0 = (float16)(0.0f), low1 = low0, high0 = low0, high1 = low0;
	int i = first;

	for (; i + 32 <= last; i += 32) {
		const float16 v = vload16(0, from + i), w = vload16(1, from + i);

		low0 = min(low0, v);
		low1 = min(low1, w);
		high0 = max(high0, v);
		high1 = max(high1, w);
	}
	for (; i < last; i += 16) {
		const float16 v = edge_load16(from + i, min(last - i, 16));

		low0 = min(low0, v);
		high0 = max(high0, v);
	}
	range[part] = -edge_max16(-min(low0, low1));
	range[PARTS + part] = edge_max16(max(high0, high1));
}
