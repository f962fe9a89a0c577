/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arg.cl - where the largest (MAX 1) or smallest element of x[outer][n][inner]
 * lies along the middle; of equals the first, or with LAST 1 the last.
 *
 * inner 1: lanes along n, then the lanes' winners are compared. Else lanes
 * along inner. VECTOR 0: any element type. Work-item: one outer index, sixteen
 * of inner.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL arg
#endif
#ifndef MAX
#define MAX 1
#define LAST 0
#endif
#ifndef INNER
#define INNER 0
#endif
#ifndef VECTOR
#define VECTOR 1
#endif
#ifndef TYPE
#define TYPE float
#define CTYPE float
#define LOAD(p, i) (p)[i]
#endif

#if MAX && LAST
#define BETTER(a, b) ((a) >= (b))
#elif MAX
#define BETTER(a, b) ((a) > (b))
#elif LAST
#define BETTER(a, b) ((a) <= (b))
#else
#define BETTER(a, b) ((a) < (b))
#endif

__kernel EDGE_SINGLE void KERNEL(__global const TYPE *restrict x, const int n, const int inner, EDGE_OUT EDGE_WI)
{
	const int outer = (int)get_global_id(1), lane = (int)get_global_id(0) * 16;
	__global const TYPE *p = x + outer * n * inner + lane;
#if INNER || !VECTOR
	const int lanes = min(16, inner - lane);
#endif
#if VECTOR && INNER
	int t[16];
	float16 best = edge_load16(p, lanes);
	int16 at = (int16)(0);

	for (int k = 1; k < n; k++) {
		const float16 v = edge_load16(p + k * inner, lanes);
		const int16 better = BETTER(v, best);

		best = select(best, v, better);
		at = select(at, (int16)(k), better);
	}
	vstore16(at, 0, t);
	for (int k = 0; k < lanes; k++)
		EDGE_STORE_AT((long)t[k], outer * inner + lane + k);
#elif VECTOR
	float value[16], top;
	int place[16], where = 0, i = 0;

	top = p[0];
	if (n >= 16) {
		const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
		float16 best = vload16(0, p);
		int16 at = ramp;

		for (i = 16; i + 16 <= n; i += 16) {
			const float16 v = vload16(0, p + i);
			const int16 better = BETTER(v, best);

			best = select(best, v, better);
			at = select(at, ramp + i, better);
		}
		vstore16(best, 0, value);
		vstore16(at, 0, place);
		top = value[0];
		where = place[0];
		for (int k = 1; k < 16; k++) {
			if (value[k] == top ? (LAST ? place[k] > where : place[k] < where) : BETTER(value[k], top)) {
				top = value[k];
				where = place[k];
			}
		}
	}
	for (; i < n; i++) {
		if (BETTER(p[i], top)) {
			top = p[i];
			where = i;
		}
	}
	EDGE_STORE_AT((long)where, outer);
#else
	for (int l = 0; l < lanes; l++) {
		CTYPE top = LOAD(p, l);
		int where = 0;

		for (int k = 1; k < n; k++) {
			const CTYPE v = LOAD(p, k * inner + l);

			if (BETTER(v, top)) {
				top = v;
				where = k;
			}
		}
		EDGE_STORE_AT((long)where, outer * inner + lane + l);
	}
#endif
}
