/* SPDX-License-Identifier: Apache-2.0 */
/* splat_sort_move.cl - a radix sort's pass: to their places. The last one leaves the numbers alone. */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_sort_move
#endif
#ifndef PASS
#define PASS 0
#endif

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global uint *keys,
				 __global const uint *restrict chunks, __global uint *restrict counts,
				 __global uint *restrict order EDGE_WI)
{
	const int block = (int)get_global_id(0);
	const long plane = (long)state[STATE_CAPACITY];
	__global uint *to = PASS == 0 ? keys + 2 * plane : keys;
	__global uint *at = counts + block * DIGITS;

	if (PASS == 0) {
		const long all = (long)((state[STATE_COUNT] + CHUNK - 1) / CHUNK);

		for (int c = (int)(block * all / BLOCKS); c < (int)((block + 1) * all / BLOCKS); c++) {
			__global const uint *key = keys + (long)c * CHUNK;
			const int end = (int)chunks[c];

			for (int i = 0; i < end; i++) {
				const uint place = at[key[i] & (DIGITS - 1)]++;

				to[place] = key[i];
				to[plane + place] = key[plane + i];
			}
		}
	} else {
		const long all = (long)state[STATE_VISIBLE];
		__global const uint *key = keys + (PASS == 1 ? 2 * plane : 0);

		for (int i = (int)(block * all / BLOCKS); i < (int)((block + 1) * all / BLOCKS); i++) {
			const uint place = at[(key[i] >> (11 * PASS)) & (DIGITS - 1)]++;

			if (PASS == 2) {
				order[place] = key[plane + i];
			} else {
				to[place] = key[i];
				to[plane + place] = key[plane + i];
			}
		}
	}
}
