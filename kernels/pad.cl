/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pad.cl - a frame around (or, negative, a crop of) a tensor.
 *
 * Each output row is decomposed over DIMS outer dims (d0 the innermost):
 * output size d, input size c, begin b, input stride s. The row itself: output
 * size n, input size en, begin nb. MODE is enum pad_mode: constant, reflect,
 * edge, wrap.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL pad
#endif
#ifndef DIMS
#define DIMS 1
#define DIM_PARAMS const int d0, const int c0, const int b0, const int s0,
#endif
#ifndef MODE
#define MODE 0
#endif
#ifndef VECTOR
#define VECTOR 1
#endif
#ifndef TYPE
#define TYPE float
#define LOAD(p, i) (p)[i]
#endif
#ifndef VALUE
#define VALUE value
#endif

/* Where position x of an axis of n elements reads; -1: the constant. */
EDGE_OVERLOAD int EDGE_FN(source)(int x, int n)
{
	if (x >= 0 && x < n)
		return x;
#if MODE == 0
	return -1;
#elif MODE == 1
	const int period = max(2 * (n - 1), 1);

	x = (x % period + period) % period;
	return x < n ? x : period - x;
#elif MODE == 2
	return x < 0 ? 0 : n - 1;
#else
	return (x % n + n) % n;
#endif
}

#define WALK(i)                                                                                    \
	at = EDGE_FN(source)(rest % d##i - b##i, c##i);                                            \
	rest /= d##i;                                                                              \
	inside = inside && at >= 0;                                                                \
	from += at * s##i;

__kernel EDGE_SINGLE void KERNEL(__global const TYPE *restrict x, const float value, const int rows, const int block,
				 const int n, const int en, const int nb, DIM_PARAMS EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block;
	const int last = min(first + block, rows);

	for (int r = first; r < last; r++) {
		int from = 0, rest = r, at;
		bool inside = true;

		EDGE_REPEAT(DIMS, WALK)
#if VECTOR
		for (int i = 0; i < n; i += 16) {
			const int lanes = min(16, n - i);
			float t[16];
			float16 v = (float16)(value);

			if (inside && i >= nb && i - nb + lanes <= en) {
				v = edge_load16(x + from + i - nb, lanes);
			} else if (inside) {
				for (int k = 0; k < 16; k++) {
					at = k < lanes ? EDGE_FN(source)(i + k - nb, en) : -1;
					t[k] = at >= 0 ? x[from + at] : value;
				}
				v = vload16(0, t);
			}
			EDGE_STORE16(v, r, i, lanes);
		}
#else
		for (int i = 0; i < n; i++) {
			at = inside ? EDGE_FN(source)(i - nb, en) : -1;
			if (at >= 0)
				EDGE_STORE(LOAD(x, from + at), r, i);
			else
				EDGE_STORE(VALUE, r, i);
		}
#endif
	}
}
