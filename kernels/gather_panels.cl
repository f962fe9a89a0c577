/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather_panels.cl - rows of a matrix that lies in panels for a product, by index: out[count][k].
 *
 * Element (r, i) of b[n/width][k][width] is row r's, so a row is one element out
 * of `width`: few rows are chosen. An index outside is moved to the nearest that
 * exists.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gather_panels
#endif
#ifndef TYPE
#define TYPE float
#define LOAD(p, i) (p)[i]
#endif
#ifndef INDEX
#define INDEX long
#endif

__kernel EDGE_SINGLE void KERNEL(__global const TYPE *restrict b, __global const INDEX *restrict index, const int n,
				 const int k, const int width, const int count, const int block, EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, count);

	for (int r = first; r < last; r++) {
		INDEX at = index[r];
		__global const TYPE *from;

		at = clamp(at < 0 ? at + n : at, (INDEX)0, (INDEX)(n - 1));
		from = b + ((long)at / width * k * width + (long)at % width);
		for (int i = 0; i < k; i += 16) {
			const int lanes = min(16, k - i);
			float t[16];

			for (int l = 0; l < 16; l++)
				t[l] = l < lanes ? LOAD(from, (long)(i + l) * width) : 0.0f;
			EDGE_STORE16(vload16(0, t), r, i, lanes);
		}
	}
}
