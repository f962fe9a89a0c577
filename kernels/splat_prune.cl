/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_prune.cl - remove what is transparent or huge, then cut back to the cap.
 *
 * Beyond the cap those go that never had much weight in any pixel. Survivors
 * from the end fill the holes, so nothing is copied that need not be. Weights
 * fade instead of starting anew: a Gaussian that no view showed since the last
 * cut keeps most of what it had. One work-item. scratch: a weight each;
 * counts: a histogram.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_prune
#endif

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global float *parameters, __global MOMENT1 *m,
				 __global MOMENT2 *v, __global STAT *statistics, __global uint *scratch,
				 __global uint *counts EDGE_WI)
{
	const long plane = (long)state[STATE_CAPACITY], count = (long)state[STATE_COUNT];
	const struct splat_set x = { parameters, statistics, m, v, plane };
	const float least = splat_float(state, EVENT_OPACITY), huge = splat_float(state, EVENT_SCALE);
	const long most = (long)state[EVENT_MOST];
	__global float *weight = (__global float *)scratch;
	long gone = 0, hole = 0, end = count;

	if (get_global_id(0) > 0)
		return;
	for (long i = 0; i < count; i++) {
		const int drop = !(splat_opacity(&x, i) >= least) || splat_size(&x, i) > huge;

		weight[i] = drop ? 0.0f : splat_stat(&x, STAT_WEIGHT, i) + 1e-30f;
		gone += drop;
	}
	if (gone == count) { /* never all */
		weight[0] = 1.0f;
		gone--;
	}
	if (count - gone > most) {
		const float limit = splat_kth(weight, count, most, counts);
		long kept = 0;

		for (long i = 0; i < count; i++)
			kept += weight[i] > limit;
		/* of those that are equal to the limit as many as there is room for */
		for (long i = 0; i < count; i++)
			if (weight[i] < limit || (weight[i] == limit && kept++ >= most))
				weight[i] = 0.0f;
	}
	for (;;) {
		while (hole < end && weight[hole] > 0.0f)
			hole++;
		while (end > hole && !(weight[end - 1] > 0.0f))
			end--;
		if (hole >= end)
			break;
		splat_move(&x, --end, hole++);
	}
	for (long i = 0; i < end; i++)
		splat_set_stat(&x, STAT_WEIGHT, i, 0.8f * splat_stat(&x, STAT_WEIGHT, i));
	for (long i = end; i < count; i++)
		for (int k = 0; k < STATS; k++)
			splat_set_stat(&x, k, i, 0.0f);
	state[STATE_ADDED] = 0;
	state[STATE_REMOVED] = (uint)(count - end);
}
