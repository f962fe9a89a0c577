/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.cl - slices of x[outer][n][inner] by index: out[outer][count][inner].
 *
 * A work-item copies `block` slices. A negative index counts from the end; one
 * outside is moved to the nearest that exists, so that nothing outside x is
 * read whatever the indices hold. A slice is `parts` rows of the output, of
 * inner / parts elements. SINGLE 1: inner is 1.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gather
#endif
#ifndef SINGLE
#define SINGLE 0
#endif
#ifndef VECTOR
#define VECTOR 1
#endif
#ifndef TYPE
#define TYPE float
#define LOAD(p, i) (p)[i]
#endif
#ifndef INDEX
#define INDEX long
#endif

__kernel EDGE_SINGLE void KERNEL(__global const TYPE *restrict x, __global const INDEX *restrict index, const int n,
				 const int inner, const int count, const int total, const int block, const int parts,
				 EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block;
	const int last = min(first + block, total);
	const int width = inner / parts;

	for (int r = first; r < last; r++) {
		const int outer = r / count;
		INDEX at = index[r - outer * count];

		at = clamp(at < 0 ? at + n : at, (INDEX)0, (INDEX)(n - 1));
		for (int part = 0; part < parts; part++) {
			__global const TYPE *from = x + (outer * n + (int)at) * inner + part * width;
			const int row = r * parts + part;
#if VECTOR && !SINGLE
			for (int i = 0; i < width; i += 16) {
				const int lanes = min(16, width - i);

				EDGE_STORE16(edge_load16(from + i, lanes), row, i, lanes);
			}
#else
			for (int i = 0; i < width; i++)
				EDGE_STORE_AT(LOAD(from, i), row * width + i);
#endif
		}
	}
}
