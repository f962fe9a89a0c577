/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_permute.cl - the set in the order that splat_reorder.cl found.
 *
 * A work-item moves every PARTS-th column, one at a time through a column of scratch of its
 * own: the memory needed does not depend on how much a Gaussian holds.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_permute
#endif

#define PARTS 6

#define MOVE(T, column)                                                                                                \
	do {                                                                                                           \
		__global T *c = (column), *x = (__global T *)spare;                                                    \
														       \
		for (long i = 0; i < count; i++)                                                                       \
			x[i] = c[order[i]];                                                                            \
		for (long i = 0; i < count; i++)                                                                       \
			c[i] = x[i];                                                                                   \
	} while (0)

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global float *restrict parameters,
				 __global MOMENT1 *restrict m, __global MOMENT2 *restrict v,
				 __global STAT *restrict statistics, __global uint *scratch EDGE_WI)
{
	const long plane = (long)state[STATE_CAPACITY], count = (long)state[STATE_COUNT];
	const int part = (int)get_global_id(0);
	__global const uint *order = scratch;
	__global uint *spare = scratch + (1 + part) * plane;

	if (part >= PARTS)
		return;
	for (int k = part; k < P_REST + REST_COLUMNS; k += PARTS) {
		if (k < P_REST)
			MOVE(float, parameters + k * plane);
		else
			MOVE(REST, SPLAT_REST(parameters, plane, 0) + (k - P_REST) * plane);
		if (k < MOMENTS) {
			MOVE(MOMENT1, m + k * plane);
			MOVE(MOMENT2, v + k * plane);
		}
		if (k < STAT_COLUMNS)
			MOVE(STAT, statistics + k * plane);
	}
}
