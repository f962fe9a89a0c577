/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_softmax.cl - softmax or, with LOG 1, its logarithm, of rows of n elements.
 *
 * A work-group of ITEMS a row: each work-item keeps the greatest of its own
 * elements and the sum of the exponentials below it, in one pass; the two are
 * merged through local memory.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_softmax
#endif
#ifndef LOG
#define LOG 0
#endif
#ifndef ITEMS
#define ITEMS 128
#endif

#if LOG
#define RESULT(v) ((v) - top - bottom)
#define BOTTOM(sum) log(sum)
#else
#define RESULT(v) (edge_exp((v) - top) * bottom)
#define BOTTOM(sum) (1.0f / (sum))
#endif

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void KERNEL(
	__global const float *restrict x, const int n, EDGE_OUT EDGE_WI)
{
	__local float tops[ITEMS], sums[ITEMS];
	const int item = get_local_id(0), row = get_global_id(1);
	__global const float *p = x + row * n;
	float top = -INFINITY, sum = 0.0f;

	for (int i = item; i < n; i += ITEMS) {
		const float v = p[i], above = max(top, v);

		/* of a first -inf: nothing to scale yet */
		sum = (top == above ? sum : sum * edge_exp(top - above)) + (v == above ? 1.0f : edge_exp(v - above));
		top = above;
	}
	tops[item] = top;
	sums[item] = sum;
	barrier(CLK_LOCAL_MEM_FENCE);
	for (int step = ITEMS / 2; step > 0; step /= 2) {
		if (item < step) {
			const float a = tops[item], b = tops[item + step], above = max(a, b);

			tops[item] = above;
			sums[item] = (a == above ? sums[item] : sums[item] * edge_exp(a - above)) +
				     (b == above ? sums[item + step] : sums[item + step] * edge_exp(b - above));
		}
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	top = tops[0];

	const float bottom = BOTTOM(sums[0]);

	for (int i = item; i < n; i += ITEMS)
		EDGE_STORE(RESULT(p[i]), row, i);
}
