/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.cl - elements from a strided place: slice, expand, tile, concat, and
 * those transposes that transpose.cl does not take.
 *
 * The part of the output that this launch writes is `rows` rows of n elements.
 * Row r is decomposed over DIMS dims (d0 the innermost of them); the row is
 * read from offset + sum of index * s, with step `inner`. It is written to
 * output row (r / q) * q_out + r0 + r % q, from element n0 on: for everything
 * but concat these are 1 1 0 0. A work-item copies `wide` elements of each of
 * `block` rows.
 *
 * VECTOR: f32 in, 16 lanes at a time. Else TYPE and LOAD say how one element is
 * read.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL copy
#endif
#ifndef DIMS
#define DIMS 1
#define DIM_PARAMS const int d0, const int s0,
#endif
#ifndef VECTOR
#define VECTOR 1
#endif
#ifndef PIECES
#define PIECES 1 /* 0: q and q_out are 1 */
#endif
#ifndef TYPE
#define TYPE float
#define LOAD(p, i) (p)[i]
#endif

#define WALK(i)                                                                                    \
	from += rest % d##i * s##i;                                                                \
	rest /= d##i;

#if VECTOR
/* Up to p[30], or to p[14]: nothing is read after the last element that is wanted. */
EDGE_OVERLOAD float16 EDGE_FN(every_other)(__global const float *p, const int lanes)
{
	if (lanes == 16)
		return (float16)(vload16(0, p).even, vload16(0, p + 15).odd);
	if (lanes == 8)
		return (float16)(vload8(0, p).even, vload8(0, p + 7).odd, (float8)(0.0f));
	return edge_gather16(p, 2, lanes);
}
#endif

__kernel EDGE_SINGLE void KERNEL(__global const TYPE *restrict x, const int rows, const int n, const int block,
				 const int wide, const int offset, const int inner, DIM_PARAMS const int q,
				 const int q_out, const int r0, const int n0, EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block;
	const int last = min(first + block, rows);
	const int left = (int)get_global_id(1) * wide, right = min(left + wide, n);

	for (int r = first; r < last; r++) {
#if PIECES
		const int row = r / q * q_out + r0 + r % q;
#else
		const int row = r0 + r;
#endif
#if DIMS == 1
		const int from = offset + r * s0;
#else
		int from = offset, rest = r;

		EDGE_REPEAT(DIMS, WALK)
#endif
#if VECTOR
		for (int i = left; i < right; i += 16) {
			const int lanes = min(16, right - i);
			float16 v;

			if (inner == 1)
				v = edge_load16(x + from + i, lanes);
			else if (inner == 0)
				v = (float16)(x[from]);
			else if (inner == 2 && lanes >= 8)
				v = EDGE_FN(every_other)(x + from + 2 * i, lanes);
			else
				v = edge_gather16(x + from + i * inner, inner, lanes);
			EDGE_STORE16(v, row, n0 + i, lanes);
		}
#else
		for (int i = left; i < right; i++)
			EDGE_STORE(LOAD(x, from + i * inner), row, n0 + i);
#endif
	}
}
