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
#ifndef INNER
#define INNER -1 /* 0, 1 or 2: what `inner` is */
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

#if INNER < 0
#define STRIDE inner
#define FETCH(p, lanes) edge_gather16(p, inner, lanes)
#elif INNER == 0
#define STRIDE 0
#define FETCH(p, lanes) (float16)(*(p))
#elif INNER == 1
#define STRIDE 1
#define FETCH(p, lanes) edge_load16(p, lanes)
#else
#define STRIDE 2
#define FETCH(p, lanes) EDGE_FN(every_other)(p, lanes)
#endif

#if VECTOR && INNER == 2
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
		int i = left;

		for (; i + 16 <= right; i += 16)
			EDGE_STORE16(FETCH(x + from + i * STRIDE, 16), row, n0 + i, 16);
		if (right - i == 8)
			EDGE_STORE16(FETCH(x + from + i * STRIDE, 8), row, n0 + i, 8);
		else if (i < right)
			EDGE_STORE16(FETCH(x + from + i * STRIDE, right - i), row, n0 + i, right - i);
#else
		for (int i = left; i < right; i++)
			EDGE_STORE(LOAD(x, from + i * inner), row, n0 + i);
#endif
	}
}
