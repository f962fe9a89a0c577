/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_sort_count.cl - a radix sort's pass: how often each digit stands in each block.
 *
 * PASS 0 reads the chunks that projection left, later ones what the pass before
 * moved. keys: columns key, number, key, number.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_sort_count
#endif
#ifndef PASS
#define PASS 0
#endif

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const uint *restrict keys,
				 __global const uint *restrict chunks, __global uint *restrict counts EDGE_WI)
{
	const int block = (int)get_global_id(0);
	__global uint *n = counts + block * DIGITS;

	for (int d = 0; d < DIGITS; d += 16)
		vstore16((uint16)(0u), 0, n + d);
	if (PASS == 0) {
		const long all = (long)((state[STATE_COUNT] + CHUNK - 1) / CHUNK);

		for (int c = (int)(block * all / BLOCKS); c < (int)((block + 1) * all / BLOCKS); c++) {
			__global const uint *key = keys + (long)c * CHUNK;
			const int end = (int)chunks[c];

			for (int i = 0; i < end; i++)
				n[key[i] & (DIGITS - 1)]++;
		}
	} else {
		const long all = (long)state[STATE_VISIBLE], plane = (long)state[STATE_CAPACITY];
		__global const uint *key = keys + (PASS == 1 ? 2 * plane : 0);

		for (int i = (int)(block * all / BLOCKS); i < (int)((block + 1) * all / BLOCKS); i++)
			n[(key[i] >> (11 * PASS)) & (DIGITS - 1)]++;
	}
}
