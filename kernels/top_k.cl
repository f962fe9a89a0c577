/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_k.cl - where the k largest (MAX 1) or smallest of each row of n elements
 * lie, best first; of equals the one that comes first is better.
 *
 * A heap of the k best so far, its worst at the root, lies where the result
 * will; taking the root off again and again turns it into the result. A
 * work-item does a row.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL top_k
#endif
#ifndef MAX
#define MAX 1
#endif
#ifndef TYPE
#define TYPE float
#define CTYPE float
#define LOAD(p, i) (p)[i]
#endif

#if MAX
#define BETTER(a, b) ((a) > (b))
#else
#define BETTER(a, b) ((a) < (b))
#endif

/* Element a of the row comes behind element b. */
EDGE_OVERLOAD bool EDGE_FN(behind)(__global const TYPE *x, long a, long b)
{
	const CTYPE v = LOAD(x, a), w = LOAD(x, b);

	return BETTER(w, v) || (!BETTER(v, w) && a > b);
}

/* Moves element i of the heap down to its place. */
EDGE_OVERLOAD void EDGE_FN(sink)(__global const TYPE *x, __global long *heap, int i, int count)
{
	const long moved = heap[i];

	for (int child = 2 * i + 1; child < count; child = 2 * i + 1) {
		if (child + 1 < count && EDGE_FN(behind)(x, heap[child + 1], heap[child]))
			child++;
		if (!EDGE_FN(behind)(x, heap[child], moved))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = moved;
}

__kernel EDGE_SINGLE void KERNEL(__global const TYPE *restrict x, __global long *restrict to, const int n,
				 const int k EDGE_WI)
{
	const int row = (int)get_global_id(0);
	__global const TYPE *p = x + row * n;
	__global long *heap = to + row * k;
	CTYPE worst;

	for (int i = 0; i < k; i++)
		heap[i] = i;
	for (int i = k / 2; i-- > 0;)
		EDGE_FN(sink)(p, heap, i, k);
	worst = LOAD(p, heap[0]);
	for (int i = k; i < n; i++) {
		if (!BETTER(LOAD(p, i), worst))
			continue;
		heap[0] = i;
		EDGE_FN(sink)(p, heap, 0, k);
		worst = LOAD(p, heap[0]);
	}
	for (int i = k - 1; i > 0; i--) {
		const long last = heap[i];

		heap[i] = heap[0];
		heap[0] = last;
		EDGE_FN(sink)(p, heap, 0, i);
	}
}
