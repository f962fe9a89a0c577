/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_reorder.cl - an order in which neighbours in space stand side by side.
 *
 * What a view shows and what it does not then lie in different groups of sixteen, and groups
 * without a gradient cost nothing. The place is drawn into a cube, so that what is far away has a
 * place in it too, and its coordinates' bits are interleaved (Morton's order); three
 * passes of a radix sort. One work-item; splat_permute.cl does the moving.
 *
 * scratch: columns; the first one becomes the order. Words of STATE_ARGUMENT: the scene's centre.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_reorder
#endif

/* Ten bits, two zeros between them. */
EDGE_OVERLOAD uint EDGE_FN(spread)(uint x)
{
	x = (x | x << 16) & 0x030000ffu;
	x = (x | x << 8) & 0x0300f00fu;
	x = (x | x << 4) & 0x030c30c3u;
	return (x | x << 2) & 0x09249249u;
}

EDGE_OVERLOAD uint EDGE_FN(key)(__global const uint *restrict state, __global const float *restrict p, long plane)
{
	const float scale = 1.0f / max(splat_float(state, STATE_EXTENT), 1e-20f);
	uint key = 0;

	for (int k = 0; k < 3; k++) {
		const float x = (p[k * plane] - splat_float(state, EVENT_CENTRE + k)) * scale;
		const float u = 0.5f + 0.5f * x / (1.0f + fabs(x));

		key |= EDGE_FN(spread)((uint)clamp(u >= 0.0f ? u * 1024.0f : 0.0f, 0.0f, 1023.0f)) << k;
	}
	return key;
}

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global const float *restrict parameters,
				 __global uint *scratch, __global uint *restrict counts EDGE_WI)
{
	const long plane = (long)state[STATE_CAPACITY], count = (long)state[STATE_COUNT];
	__global uint *from = scratch + plane, *to = scratch + 3 * plane;

	if (get_global_id(0) > 0)
		return;
	state[STATE_ADDED] = 0;
	state[STATE_REMOVED] = 0;
	for (int d = 0; d < 3 * 1024; d++)
		counts[d] = 0;
	for (long i = 0; i < count; i++) {
		const uint key = EDGE_FN(key)(state, parameters + i, plane);

		from[i] = key;
		from[plane + i] = (uint)i;
		for (int pass = 0; pass < 3; pass++)
			counts[1024 * pass + (key >> (10 * pass) & 1023u)]++;
	}
	for (int pass = 0; pass < 3; pass++) {
		__global uint *at = counts + 1024 * pass, *was = from;
		uint sum = 0;

		for (int d = 0; d < 1024; d++) {
			const uint n = at[d];

			at[d] = sum;
			sum += n;
		}
		for (long i = 0; i < count; i++) {
			const uint key = from[i], place = at[key >> (10 * pass) & 1023u]++;

			if (pass == 2) {
				scratch[place] = from[plane + i];
			} else {
				to[place] = key;
				to[plane + place] = from[plane + i];
			}
		}
		from = to;
		to = was;
	}
}
