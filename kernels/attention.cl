/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.cl - softmax(scale q k' + mask) v without ever storing the scores.
 *
 * q[batch][sq][D], k[batch][sk][D], v[batch][sk][DV]. A work-item does BLOCK
 * query rows of one batch: it goes over the keys in tiles of sixteen, one key
 * a lane, and keeps for each row the greatest score so far, the sum of the
 * exponentials below it, and the weighted sum of v, all rescaled whenever the
 * greatest score grows.
 *
 * Keys are read as sixteen rows by sixteen elements and turned in registers
 * (see transpose.cl), so that one fma per query row serves sixteen keys.
 * A row that may look at no key gives zeros.
 *
 * The mask, if HAS_MASK, is read at b . DIMS batch dims (d0 the innermost, mask
 * strides s) + row * mask_row + key * mask_col, and added.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL attention
#endif
#ifndef D
#define D 64
#endif
#ifndef DV
#define DV 64
#endif
#ifndef CAUSAL
#define CAUSAL 0
#endif
#ifndef HAS_MASK
#define HAS_MASK 1
#define DIM_PARAMS const int d0, const int s0,
#define PARAM_MASK __global const float *restrict mask, const int mask_row, const int mask_col, DIM_PARAMS
#define DIMS 1
#endif
#ifndef BLOCK
#define BLOCK 8
#endif
#define D16 ((D + 15) / 16)
#define DV16 ((DV + 15) / 16)

#define WALK(i)                                                                                    \
	mask += rest % d##i * s##i;                                                                \
	rest /= d##i;

#define LOW(a, b)                                                                                  \
	(float16)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define HIGH(a, b)                                                                                 \
	(float16)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)
#define ROUND(b, a)                                                                                \
	const float16 b##0 = LOW(a##0, a##8), b##1 = HIGH(a##0, a##8);                             \
	const float16 b##2 = LOW(a##1, a##9), b##3 = HIGH(a##1, a##9);                             \
	const float16 b##4 = LOW(a##2, a##10), b##5 = HIGH(a##2, a##10);                           \
	const float16 b##6 = LOW(a##3, a##11), b##7 = HIGH(a##3, a##11);                           \
	const float16 b##8 = LOW(a##4, a##12), b##9 = HIGH(a##4, a##12);                           \
	const float16 b##10 = LOW(a##5, a##13), b##11 = HIGH(a##5, a##13);                         \
	const float16 b##12 = LOW(a##6, a##14), b##13 = HIGH(a##6, a##14);                         \
	const float16 b##14 = LOW(a##7, a##15), b##15 = HIGH(a##7, a##15);

/* Beyond the last key it is read once more; its score is thrown away. */
#define READ(i) const float16 a##i = edge_load16(p + min(i, keys - 1) * D, wide);
/* Element i of sixteen keys against element d + i of every query row. */
#define COLUMN(i) EDGE_REPEAT(BLOCK, DOT_##i)
#define DOT(i, r) x##r += turned##i * query[r * (D16 * 16) + d + i];
#define DOT_0(r) DOT(0, r)
#define DOT_1(r) DOT(1, r)
#define DOT_2(r) DOT(2, r)
#define DOT_3(r) DOT(3, r)
#define DOT_4(r) DOT(4, r)
#define DOT_5(r) DOT(5, r)
#define DOT_6(r) DOT(6, r)
#define DOT_7(r) DOT(7, r)
#define DOT_8(r) DOT(8, r)
#define DOT_9(r) DOT(9, r)
#define DOT_10(r) DOT(10, r)
#define DOT_11(r) DOT(11, r)
#define DOT_12(r) DOT(12, r)
#define DOT_13(r) DOT(13, r)
#define DOT_14(r) DOT(14, r)
#define DOT_15(r) DOT(15, r)
#define ZERO(r) float16 x##r = (float16)(0.0f);
#define KEEP(r) vstore16(x##r, r, score);

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict q, __global const float *restrict k,
				 __global const float *restrict v, PARAM_MASK const float scale, const int sq,
				 const int sk, EDGE_OUT EDGE_WI)
{
	const int batch = (int)get_global_id(1), row = (int)get_global_id(0) * BLOCK;
	const int high = min(BLOCK, sq - row), end = CAUSAL ? min(sk, row + high) : sk;
	const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	float query[BLOCK * D16 * 16], score[BLOCK * 16], sum[BLOCK * DV16 * 16], top[BLOCK], total[BLOCK];

#if HAS_MASK
	int rest = batch;

	EDGE_REPEAT(DIMS, WALK)
#endif
	for (int r = 0; r < BLOCK; r++) {
		__global const float *p = q + (batch * sq + row + min(r, high - 1)) * D;

		top[r] = -INFINITY;
		total[r] = 0.0f;
		for (int d = 0; d < D; d += 16)
			vstore16(edge_load16(p + d, min(16, D - d)) * scale, 0, query + r * (D16 * 16) + d);
		for (int d = 0; d < DV16; d++)
			vstore16((float16)(0.0f), r * DV16 + d, sum);
	}
	for (int key = 0; key < end; key += 16) {
		const int keys = min(16, end - key);

		EDGE_REPEAT(BLOCK, ZERO)
		for (int d = 0; d < D; d += 16) {
			const int wide = D % 16 ? min(16, D - d) : 16;
			__global const float *p = k + (batch * sk + key) * D + d;

			READ(0) READ(1) READ(2) READ(3) READ(4) READ(5) READ(6) READ(7)
			READ(8) READ(9) READ(10) READ(11) READ(12) READ(13) READ(14) READ(15)
			ROUND(b, a)
			ROUND(c, b)
			ROUND(u, c)
			ROUND(turned, u)
			COLUMN(0) COLUMN(1) COLUMN(2) COLUMN(3) COLUMN(4) COLUMN(5) COLUMN(6) COLUMN(7)
			COLUMN(8) COLUMN(9) COLUMN(10) COLUMN(11) COLUMN(12) COLUMN(13) COLUMN(14) COLUMN(15)
		}
		EDGE_REPEAT(BLOCK, KEEP)
		for (int r = 0; r < high; r++) {
			float16 x = vload16(r, score);
			int16 allowed = ramp < (int16)(keys);
#if CAUSAL
			allowed &= ramp + key <= (int16)(row + r);
#endif
#if HAS_MASK
			__global const float *m = mask + (row + r) * mask_row + key * mask_col;

			if (mask_col == 1)
				x += edge_load16(m, keys);
			else
				x += *m;
#endif
			x = EDGE_SELECT(int16, allowed, x, (float16)(-INFINITY));

			const float best = max(top[r], edge_max16(x));

			if (best == -INFINITY) {
				vstore16((float16)(0.0f), r, score);
				continue;
			}

			const float shrink = edge_exp(top[r] - best);
			const float16 weight = EDGE_SELECT(int16, x == (float16)(-INFINITY), (float16)(0.0f),
							   edge_exp(x - best));

			vstore16(weight, r, score);
			total[r] = total[r] * shrink + edge_sum16(weight);
			if (best != top[r])
				for (int d = 0; d < DV16; d++)
					vstore16(vload16(r * DV16 + d, sum) * shrink, r * DV16 + d, sum);
			top[r] = best;
		}
		for (int d = 0; d < DV; d += 16) {
			const int wide = DV % 16 ? min(16, DV - d) : 16;
			__global const float *p = v + (batch * sk + key) * DV + d;
#define TAKE(r) float16 y##r = vload16(0, sum + r * (DV16 * 16) + d);
#define ADD(r) y##r += value * score[r * 16 + i];
#define GIVE(r) vstore16(y##r, 0, sum + r * (DV16 * 16) + d);

			EDGE_REPEAT(BLOCK, TAKE)
			for (int i = 0; i < keys; i++) {
				const float16 value = edge_load16(p + i * DV, wide);

				EDGE_REPEAT(BLOCK, ADD)
			}
			EDGE_REPEAT(BLOCK, GIVE)
		}
	}
	for (int r = 0; r < high; r++) {
		const float factor = total[r] > 0.0f ? 1.0f / total[r] : total[r];

		for (int d = 0; d < DV; d += 16)
			EDGE_STORE16(vload16(0, sum + r * (DV16 * 16) + d) * factor, batch * sq + row + r, d,
				     min(16, DV - d));
	}
}
