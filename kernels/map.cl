/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.cl - an elementwise program over the output, seen as rows of out_n.
 *
 * All the work is the epilogue. A work-item takes `block` elements of each of
 * `height` rows; VECTOR says that the program goes sixteen lanes at a time.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL map
#endif
#ifndef VECTOR
#define VECTOR 1
#endif

#ifndef CARRY
#define CARRY 0
#endif
#ifndef EDGE_LOADS
#define EDGE_LOADS
#endif

__kernel EDGE_SINGLE void KERNEL(EDGE_LOADS const int rows, const int height, const int block, EDGE_OUT EDGE_WI)
{
	const int n0 = get_global_id(0) * block, n1 = min(n0 + block, out_n);
	const int r0 = get_global_id(1) * height, r1 = min(r0 + height, rows);

	for (int r = r0; r < r1; r++) {
#if VECTOR
		for (int n = n0; n < n1; n += 16)
			EDGE_STORE16((float16)(0.0f), r, n, min(n1 - n, 16));
#else
		for (int n = n0; n < n1; n++)
			EDGE_STORE(0, r, n);
#endif
	}
#if CARRY
	for (int i = 0; i < load_each; i++)
		EDGE_LOAD_TEXEL(EDGE_LOAD_ITEM + i * EDGE_LOAD_ITEMS)
#endif
}
