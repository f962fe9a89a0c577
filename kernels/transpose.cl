/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transpose.cl - the last dim of the output is far apart in the input, and the
 * last dim of the input is an inner dim of the output: 16 x 16 blocks.
 *
 * For each of `batch` matrices, decomposed over DIMS dims (d0 innermost) into
 * input offset (s) and output row (t): out[row0 + j * row_step][i] =
 * x[from + i * stride + j], i < m, j < n. A block is read as 16 vectors along
 * j, turned in registers, and stored as 16 vectors along i.
 *
 * A work-item does `span` values of j. NARROW: m is less than 16 (3 when it is 3, as for images), row_step 1 and
 * the output one flat row; a block is then written as a piece of m * 16 elements.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL transpose
#endif
#ifndef NARROW
#define NARROW 0
#endif
#ifndef DIMS
#define DIMS 1
#define DIM_PARAMS const int d0, const int s0, const int t0,
#endif

#define WALK(i)                                                                                    \
	from += rest % d##i * s##i;                                                                \
	row += rest % d##i * t##i;                                                                 \
	rest /= d##i;

#define READ(k) const float16 a##k = k < high ? edge_load16(p + k * stride, wide) : (float16)(0.0f);
#define WRITE(k)                                                                                   \
	if (k < wide)                                                                              \
		EDGE_STORE16(turned##k, row + (j + k) * row_step, i, high);

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, const int m, const int n, const int span,
				 const int offset, const int stride, const int row_step, DIM_PARAMS EDGE_OUT EDGE_WI)
{
	const int left = (int)get_global_id(0) * span, right = min(left + span, n);
	int from = offset, row = 0, rest = (int)get_global_id(1);

	EDGE_REPEAT(DIMS, WALK)
	for (int j = left; j < right; j += 16) {
		const int wide = min(16, right - j);
#if NARROW
		__global const float *p = x + from + j;
#if NARROW == 3
		const float16 a = edge_load16(p, wide), b = edge_load16(p + stride, wide);
		const float16 c = edge_load16(p + 2 * stride, wide);

		EDGE_STORE16((float16)(a.s0, b.s0, c.s0, a.s1, b.s1, c.s1, a.s2, b.s2, c.s2, a.s3, b.s3, c.s3, a.s4, b.s4, c.s4,
				       a.s5), 0, (row + j) * m, min(16, wide * m));
		if (wide * m > 16)
			EDGE_STORE16((float16)(b.s5, c.s5, a.s6, b.s6, c.s6, a.s7, b.s7, c.s7, a.s8, b.s8, c.s8, a.s9, b.s9, c.s9,
					       a.sa, b.sa), 0, (row + j) * m + 16, min(16, wide * m - 16));
		if (wide * m > 32)
			EDGE_STORE16((float16)(c.sa, a.sb, b.sb, c.sb, a.sc, b.sc, c.sc, a.sd, b.sd, c.sd, a.se, b.se, c.se, a.sf,
					       b.sf, c.sf), 0, (row + j) * m + 32, min(16, wide * m - 32));
#else
		float in[16 * 16];

		for (int i = 0; i < m; i++)
			vstore16(edge_load16(p + i * stride, wide), i, in);
		for (int k = 0, column = 0, line = 0; k < wide * m; k += 16) {
			float out16[16];

			for (int l = 0; l < 16; l++) {
				out16[l] = in[line * 16 + column];
				line = line + 1 == m ? 0 : line + 1;
				column = min(column + (line == 0), 15);
			}
			EDGE_STORE16(vload16(0, out16), 0, (row + j) * m + k, min(16, wide * m - k));
		}
#endif
#else
		for (int i = 0; i < m; i += 16) {
			const int high = min(16, m - i);
			__global const float *p = x + from + j + i * stride;

			READ(0) READ(1) READ(2) READ(3) READ(4) READ(5) READ(6) READ(7)
			READ(8) READ(9) READ(10) READ(11) READ(12) READ(13) READ(14) READ(15)
			EDGE_TURN(a)
			WRITE(0) WRITE(1) WRITE(2) WRITE(3) WRITE(4) WRITE(5) WRITE(6) WRITE(7)
			WRITE(8) WRITE(9) WRITE(10) WRITE(11) WRITE(12) WRITE(13) WRITE(14) WRITE(15)
		}
#endif
	}
}
