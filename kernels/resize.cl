/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resize.cl - interpolation from tables.
 *
 * The compiler has worked out, for every position of every outer dim, which
 * input positions it takes with which weights: dim i has d output positions,
 * t taps for each, an input stride s, and its table begins at word w: per
 * position t indices, then t weights (floats). Index -1: outside, the whole row
 * is `value`. NEAREST 1: every t is 1. A row has n elements that no dim but the outer ones resizes.
 * GPU 1: a work-item has one element, and neighbours are neighbours; else `block` rows.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL resize
#endif
#ifndef DIMS
#define DIMS 1
#define DIM_PARAMS const int d0, const int t0, const int s0, const int w0,
#endif
#ifndef NEAREST
#define NEAREST 0
#endif
#ifdef SINGLE
#undef VECTOR
#define VECTOR 0
#endif
#ifndef VECTOR
#define VECTOR 1
#endif
#ifndef TYPE
#define TYPE float
#define CTYPE float
#define LOAD(p, i) (p)[i]
#endif

#ifndef GPU
#define GPU 0
#endif

#if GPU
#define ITEMS __attribute__((reqd_work_group_size(64, 1, 1)))
#define WIDE 0
#else
#define ITEMS EDGE_SINGLE
#define WIDE VECTOR
#endif
#define FEW 16
#define WALK(i)                                                                                    \
	__global const int *p##i = table + w##i + rest % d##i * 2 * t##i;                          \
	rest /= d##i;                                                                              \
	inside = inside && p##i[0] >= 0;
#define COUNT(i) taps *= t##i;
#define TAP(i)                                                                                     \
	from += p##i[rest % t##i] * s##i;                                                          \
	weight *= as_float(p##i[t##i + rest % t##i]);                                              \
	rest /= t##i;
#define ONLY(i) from += p##i[0] * s##i;

__kernel ITEMS void KERNEL(__global const TYPE *restrict x, __global const int *restrict table,
				 const float value, const int rows, const int block, const int n,
				 DIM_PARAMS EDGE_OUT EDGE_WI)
{
#if GPU
	const int first = (int)get_global_id(0) / n, last = min(first + 1, rows);
	const int begin = (int)get_global_id(0) % n, end = begin + 1;
#else
	const int first = (int)get_global_id(0) * block, last = min(first + block, rows);
	const int begin = 0, end = n;
#endif

	for (int r = first; r < last; r++) {
		int rest = r;
		bool inside = true;

		EDGE_REPEAT(DIMS, WALK)
#if !NEAREST
		int taps = 1;

		EDGE_REPEAT(DIMS, COUNT)
#endif
#if WIDE && !NEAREST
		/* the first taps are worked out once for the row */
		const int few = min(taps, FEW);
		float near[FEW];
		int at[FEW];

		for (int k = 0; inside && k < few; k++) {
			float weight = 1.0f;
			int from = 0;

			rest = k;
			EDGE_REPEAT(DIMS, TAP)
			near[k] = weight;
			at[k] = from;
		}
#endif
		for (int i = begin; i < end; i += WIDE ? 16 : 1) {
#if WIDE
			const int lanes = min(16, n - i);
			float16 v = (float16)(inside ? 0.0f : value);

#if NEAREST
			int from = i;

			EDGE_REPEAT(DIMS, ONLY)
			if (inside)
				v = edge_load16(x + from, lanes);
#else
			for (int k = 0; inside && k < few; k++)
				v += near[k] * edge_load16(x + at[k] + i, lanes);
			for (int k = few; inside && k < taps; k++) {
				float weight = 1.0f;
				int from = i;

				rest = k;
				EDGE_REPEAT(DIMS, TAP)
				v += weight * edge_load16(x + from, lanes);
			}
#endif
			EDGE_STORE16(v, r, i, lanes);
#elif defined(SINGLE) && NEAREST
			int from = i;

			EDGE_REPEAT(DIMS, ONLY)
			EDGE_STORE_AT(inside ? LOAD(x, from) : (CTYPE)value, r);
#elif NEAREST
			int from = i;

			EDGE_REPEAT(DIMS, ONLY)
			EDGE_STORE(inside ? LOAD(x, from) : (CTYPE)value, r, i);
#else
			float v = inside ? 0.0f : value;

			for (int k = 0; inside && k < taps; k++) {
				float weight = 1.0f;
				int from = i;

				rest = k;
				EDGE_REPEAT(DIMS, TAP)
				v += weight * LOAD(x, from);
			}
#ifdef SINGLE
			EDGE_STORE_AT(v, r);
#else
			EDGE_STORE(v, r, i);
#endif
#endif
		}
	}
}
