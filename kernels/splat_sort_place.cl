/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_sort_place.cl - counts become places: digit by digit, within a digit block by block.
 *
 * One work-item. FIRST 1: the sum is the number of Gaussians that are seen.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_sort_place
#endif
#ifndef FIRST
#define FIRST 0
#endif

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global uint *restrict counts EDGE_WI)
{
	uint sum = 0;

	if (get_global_id(0) > 0)
		return;
	for (int d = 0; d < DIGITS; d += 16) {
		uint16 at = (uint16)(0u);
		uint lane[16];

		for (int b = 0; b < BLOCKS; b++)
			at += vload16(0, counts + b * DIGITS + d);
		vstore16(at, 0, lane);
		for (int l = 0; l < 16; l++) {
			const uint n = lane[l];

			lane[l] = sum;
			sum += n;
		}
		at = vload16(0, lane);
		for (int b = 0; b < BLOCKS; b++) {
			const uint16 n = vload16(0, counts + b * DIGITS + d);

			vstore16(at, 0, counts + b * DIGITS + d);
			at += n;
		}
	}
	if (FIRST)
		state[STATE_VISIBLE] = sum;
}
