/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scatter.cl - x[rows][n] with rows that the indices name replaced by those of
 * `updates`, or added to and so on (COMBINE of the old element a and the new b).
 *
 * A work-item owns a range of rows and goes through all indices for those that
 * lie in it: nothing is written by two, and where indices are equal the
 * last has the last word, always. Indices outside name nothing.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL scatter
#endif
#ifndef TYPE
#define TYPE float
#define CTYPE float
#define LOAD(p, i) (p)[i]
#define STORE(p, i, v) (p)[i] = (v)
#define COMBINE(a, b) (b)
#endif
#ifndef INDEX
#define INDEX long
#endif

__kernel EDGE_SINGLE void KERNEL(__global const TYPE *restrict x, __global const INDEX *restrict index,
				 __global const TYPE *restrict updates, __global TYPE *restrict to, const int rows,
				 const int n, const int count, const int block EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, rows);

	for (int i = first * n; i < last * n; i++)
		STORE(to, i, LOAD(x, i));
	for (int k = 0; k < count; k++) {
		const INDEX at = index[k] < 0 ? index[k] + rows : index[k];

		if (at < first || at >= last)
			continue;
		for (int i = 0; i < n; i++) {
			const CTYPE a = LOAD(to, (int)at * n + i), b = LOAD(updates, k * n + i);

			STORE(to, (int)at * n + i, COMBINE(a, b));
		}
	}
}
