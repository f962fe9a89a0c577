/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.cl - softmax(scale q k' + mask) v without ever storing the scores.
 *
 * q[batch][sq][D], k[batch][sk][D], v[batch][sk][DV] have dense rows, *_row apart: row 0
 * of batch b is at *_at + b / heads * *_outer + b % heads * *_head. The result is
 * [batch][sq][DV] or, if `beside`, [batch / heads][sq][heads][DV]. A work-item does BLOCK
 * query rows of one batch, of those from row `from` on: it goes over the keys KEYS at a time and keeps for
 * each row the greatest score so far, the sum of the exponentials below it, and
 * the weighted sum of v, rescaled as the greatest score grows.
 *
 * The keys of a step are turned once for all rows of the block (in registers,
 * see transpose.cl), so that scores and weighted sums are both products of
 * tiles of TILE_M rows: see the prelude.
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
#define TILE_SHAPE PART_NV
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
#ifndef TILE_M
#define TILE_M 8
#endif
#ifndef KEYS
#define KEYS 64
#endif
#if KEYS >= 32
#define TILE_NV 2
#else
#define TILE_NV 1
#endif
#define TILE_LANES 16
#define D16 ((D + 15) / 16)
#define STEP_V (PART_NV * 16)
#define WIDE_V ((DV + 31) / 32 * 32)

#define WALK(i)                                                                                    \
	mask += rest % d##i * s##i;                                                                \
	rest /= d##i;

/* Beyond the last key it is read once more; its score is thrown away. */
#define READ(i) const float16 a##i = edge_load16(p + (long)min(i, left - 1) * k_row, wide);
#define KEEP(i) vstore16(turned##i, 0, keys_of + (d + i) * KEYS);
#define QUERY(i) __private const float *a##i = query + min(s + part + (i), high - 1) * (D16 * 16);
#define WEIGHTS(i) __private const float *a##i = score + (part + (i)) * KEYS;
#if DV % 32
#define VALUES_1 const float16 b0 = edge_load16(b, min(16, DV - d));
#define VALUES_2                                                                                   \
	VALUES_1 const float16 b1 = d + 16 < DV ? edge_load16(b + 16, min(16, DV - d - 16)) : (float16)(0.0f);
#define VALUES EDGE_CAT(VALUES_, PART_NV)
#else
#define VALUES EDGE_TILE_LOAD
#endif

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict q, __global const float *restrict k,
				 __global const float *restrict v, PARAM_MASK const float scale, const int from,
				 const int sq, const int sk, const int heads, const int beside, const int q_at, const int q_row,
				 const int q_head, const int q_outer, const int k_at, const int k_row,
				 const int k_head, const int k_outer, const int v_at, const int v_row,
				 const int v_head, const int v_outer, EDGE_OUT EDGE_WI)
{
	const int batch = (int)get_global_id(1), row = from + (int)get_global_id(0) * BLOCK;
	const int high = min(BLOCK, sq - row), end = CAUSAL ? min(sk, row + high) : sk;
	const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	/* a tile may stand over the last row of the block */
	float query[BLOCK * D16 * 16] EDGE_LINES, sum[(BLOCK + 8) * WIDE_V] EDGE_LINES, total[BLOCK * 16] EDGE_LINES;
	float turned[D16 * 16 * KEYS] EDGE_LINES, score[(TILE_M + 8) * KEYS] EDGE_LINES;
	float top[BLOCK], shrink[TILE_M + 8];

	const int outer = batch / heads, head = batch % heads;
	const int out_row = beside ? outer * sq * heads + head : batch * sq, out_step = beside ? heads : 1;

	q += q_at + (long)outer * q_outer + (long)head * q_head;
	k += k_at + (long)outer * k_outer + (long)head * k_head;
	v += v_at + (long)outer * v_outer + (long)head * v_head;
#if HAS_MASK
	int rest = batch;

	EDGE_REPEAT(DIMS, WALK)
#endif
	for (int r = 0; r < high; r++) {
		__global const float *p = q + (long)(row + r) * q_row;

		top[r] = -INFINITY;
		vstore16((float16)(0.0f), r, total);
		for (int d = 0; d < D; d += 16)
			vstore16(edge_load16(p + d, min(16, D - d)) * scale, 0, query + r * (D16 * 16) + d);
		for (int d = 0; d < WIDE_V; d += 16)
			vstore16((float16)(0.0f), 0, sum + r * WIDE_V + d);
	}
	for (int key = 0; key < end; key += KEYS) {
		const int keys = min(KEYS, end - key);

		for (int first = 0; first < keys; first += 16)
			for (int d = 0; d < D; d += 16) {
				const int wide = D % 16 ? min(16, D - d) : 16, left = keys - first;
				__global const float *p = k + (long)(key + first) * k_row + d;
				__private float *keys_of = turned + first;

				READ(0) READ(1) READ(2) READ(3) READ(4) READ(5) READ(6) READ(7)
				READ(8) READ(9) READ(10) READ(11) READ(12) READ(13) READ(14) READ(15)
				EDGE_TURN(a)
				KEEP(0) KEEP(1) KEEP(2) KEEP(3) KEEP(4) KEEP(5) KEEP(6) KEEP(7)
				KEEP(8) KEEP(9) KEEP(10) KEEP(11) KEEP(12) KEEP(13) KEEP(14) KEEP(15)
			}
		for (int s = 0; s < high; s += TILE_M) {
			const int rows = min(TILE_M, high - s);

#if CAUSAL
			if (key > row + s + rows - 1)
				continue;
#endif
			for (int part = 0; part < rows; part += PART_M)
				for (int first = 0; first < keys; first += PART_NV * 16) {
					__private const float *b = turned + first;
					float16 t[PART_M * PART_NV];

					EDGE_REPEAT(PART_M, QUERY)
					EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
					for (int at = 0; at < D; at++, b += KEYS) {
						EDGE_TILE_LOAD
						EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
					}
					EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
					for (int i = 0; i < PART_M; i++)
						for (int j = 0; j < PART_NV; j++)
							vstore16(t[i * PART_NV + j], 0, score + (part + i) * KEYS + first + j * 16);
				}
			for (int r = 0; r < rows; r++) {
				float16 best16 = (float16)(-INFINITY), all = (float16)(0.0f);

				for (int first = 0; first < keys; first += 16) {
					float16 x = vload16(0, score + r * KEYS + first);
#if !CAUSAL && !HAS_MASK
					if (keys - first >= 16) {
						best16 = max(best16, x);
						continue;
					}
#endif
					int16 allowed = ramp < (int16)(keys - first);
#if CAUSAL
					allowed &= ramp + (key + first) <= (int16)(row + s + r);
#endif
#if HAS_MASK
					__global const float *m = mask + (row + s + r) * mask_row + (key + first) * mask_col;

					if (mask_col == 1)
						x += edge_load16(m, min(16, keys - first));
					else
						x += *m;
#endif
					x = EDGE_SELECT(int16, allowed, x, (float16)(-INFINITY));
					best16 = max(best16, x);
					vstore16(x, 0, score + r * KEYS + first);
				}

				const float best = max(top[s + r], edge_max16(best16));
				/* of a row that has seen no key yet all is 0 and stays so */
				const float above = best == -INFINITY ? 0.0f : best;

				shrink[r] = top[s + r] == best ? 1.0f : edge_exp(top[s + r] - above);
				top[s + r] = best;
				for (int first = 0; first < keys; first += 16) {
					const float16 x = vload16(0, score + r * KEYS + first);
#if !CAUSAL && !HAS_MASK
					const float16 weight = edge_exp(x - above); /* of nothing: far below the last bit */
#else
					const float16 weight = EDGE_SELECT(int16, x == (float16)(-INFINITY), (float16)(0.0f),
									   edge_exp(x - above));
#endif

					all += weight;
					vstore16(weight, 0, score + r * KEYS + first);
				}
				vstore16(vload16(s + r, total) * shrink[r] + all, s + r, total);
			}
			for (int part = 0; part < rows; part += PART_M)
				for (int d = 0; d < DV; d += STEP_V) {
					__global const float *b = v + (long)key * v_row + d;
					float16 t[PART_M * PART_NV];

					EDGE_REPEAT(PART_M, WEIGHTS)
					EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
					for (int at = 0; at < keys; at++, b += v_row) {
						VALUES
						EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
					}
					EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
					for (int i = 0; i < min(PART_M, rows - part); i++)
						for (int j = 0; j < PART_NV; j++) {
							__private float *to = sum + (s + part + i) * WIDE_V + d + j * 16;

							vstore16(vload16(0, to) * shrink[part + i] + t[i * PART_NV + j], 0, to);
						}
				}
		}
	}
	for (int r = 0; r < high; r++) {
		const float below = edge_sum16(vload16(r, total)), factor = below > 0.0f ? 1.0f / below : below;

		for (int d = 0; d < DV; d += 16)
			EDGE_STORE16(vload16(0, sum + r * WIDE_V + d) * factor, out_row + (row + r) * out_step, d, min(16, DV - d));
	}
}
