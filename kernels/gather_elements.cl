/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather_elements.cl - out[i0][i1].. = x[..index[i0][i1]..]..: one element at a
 * time, the index standing at the axis. DIMS dims of the index, d0 the
 * innermost, with x's strides s, 0 at the axis. Indices outside are moved to
 * the nearest that exists.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gather_elements
#endif
#ifndef DIMS
#define DIMS 1
#define DIM_PARAMS const int d0, const int s0,
#endif
#ifndef TYPE
#define TYPE float
#define LOAD(p, i) (p)[i]
#endif
#ifndef INDEX
#define INDEX long
#endif

#define WALK(i)                                                                                    \
	from += rest % d##i * s##i;                                                                \
	rest /= d##i;

__kernel EDGE_SINGLE void KERNEL(__global const TYPE *restrict x, __global const INDEX *restrict index, const int n,
				 const int stride, const int total, const int block,
				 DIM_PARAMS EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block;
	const int last = min(first + block, total);

	for (int i = first; i < last; i++) {
		INDEX at = index[i];
		int from = 0, rest = i;

		EDGE_REPEAT(DIMS, WALK)
		at = clamp(at < 0 ? at + n : at, (INDEX)0, (INDEX)(n - 1));
		EDGE_STORE_AT(LOAD(x, from + (int)at * stride), i);
	}
}
