/* SPDX-License-Identifier: Apache-2.0 */
/* widen_rows.cl - rows of half or (ushort) bfloat16 as floats: out[rows][k]. */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL widen_rows
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT half
#endif

__kernel EDGE_SINGLE void KERNEL(__global const EDGE_WEIGHT *restrict x, const int k, const int count, const int block,
				 EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, count);

	for (int r = first; r < last; r++)
		for (int i = 0; i < k; i += 16) {
			const int lanes = min(16, k - i);

			EDGE_STORE16(edge_load16(x + (r * k + i), lanes), r, i, lanes);
		}
}
