/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_densify.cl - grow where the gradient of the place on the screen is large.
 *
 * A small Gaussian gets a copy a little beside it, a large one becomes two
 * smaller ones drawn from it. When more ask than there is room for, those with
 * the largest gradients are chosen. One work-item. scratch: a gradient each;
 * counts: a histogram.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_densify
#endif

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global float *parameters, __global MOMENT1 *m,
				 __global MOMENT2 *v, __global STAT *statistics, __global uint *scratch,
				 __global uint *counts EDGE_WI)
{
	const long plane = (long)state[STATE_CAPACITY], count = (long)state[STATE_COUNT];
	const struct splat_set x = { parameters, statistics, m, v, plane };
	const long room = max((long)state[EVENT_MOST] - count, 0l);
	const uint seed = splat_hash(state[STATE_SEED] ^ splat_hash(state[STATE_STEP]));
	__global float *gradient = (__global float *)scratch;
	float least = splat_float(state, EVENT_THRESHOLD);
	long asked = 0, added = 0;

	if (get_global_id(0) > 0)
		return;
	for (long i = 0; i < count; i++) {
		const float seen = splat_stat(&x, STAT_SEEN, i);
		const float g = seen > 0.0f ? splat_stat(&x, STAT_GRADIENT, i) / seen : 0.0f;

		gradient[i] = g >= least ? g : 0.0f;
		asked += g >= least;
	}
	if (asked > room)
		least = max(least, splat_kth(gradient, count, room, counts));
	else
		least = 0.0f;
	for (long i = 0; i < count && added < room; i++) {
		const long to = count + added;

		if (!(gradient[i] > least))
			continue;
		splat_copy(&x, i, to);
		splat_forget(&x, to);
		if (splat_size(&x, i) > splat_float(state, EVENT_SPLIT)) {
			splat_scatter(&x, to, i, 1.0f, seed + 2u * (uint)i);
			splat_scatter(&x, i, i, 1.0f, seed + 2u * (uint)i + 1u);
			for (int k = 0; k < 3; k++) {
				splat_set_number(&x, P_SCALE + k, i, splat_number(&x, P_SCALE + k, i) - 0.47000363f); /* 1 / 1.6 */
				splat_set_number(&x, P_SCALE + k, to, splat_number(&x, P_SCALE + k, to) - 0.47000363f);
			}
			splat_forget(&x, i);
		} else {
			splat_scatter(&x, to, i, 0.3f, seed + 2u * (uint)i);
		}
		for (int k = 0; k < STATS; k++)
			x.s[k * plane + to] = x.s[k * plane + i];
		added++;
	}
	for (long i = 0; i < count + added; i++) {
		splat_set_stat(&x, STAT_GRADIENT, i, 0.0f);
		splat_set_stat(&x, STAT_SEEN, i, 0.0f);
	}
	state[STATE_ADDED] = (uint)added;
	state[STATE_REMOVED] = 0;
}
