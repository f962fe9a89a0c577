/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rope_angles.cl - cosines and sines of rotary position embeddings, a row for each token.
 *
 * turns[0][i] + turns[1][i] is by how much of a full turn pair i rotates from one
 * position to the next: two floats, because a float times a position of some
 * thousands would leave an angle of three digits. The whole turns are taken off
 * before anything is rounded.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL rope_angles
#endif

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict turns, __global const int *restrict state,
				 const int pairs, const float scale, EDGE_OUT EDGE_WI)
{
	const int row = (int)get_global_id(0);
	const float position = (float)(state[0] + row);

	for (int i = 0; i < pairs; i++) {
		const float high = position * turns[i], error = fma(position, turns[i], -high);
		const float part = (high - rint(high)) + (error + position * turns[pairs + i]);
		const float angle = part * 6.283185307f;

		EDGE_STORE(cos(angle) * scale, row, i);
		EDGE_STORE(sin(angle) * scale, row, pairs + i);
	}
}
