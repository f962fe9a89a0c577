/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_rows.cl - attention of many query rows: a row is a lane.
 *
 * q[batch][sq][D], k[batch][sk][D], v[batch][sk][DV] have dense rows, *_row apart: row 0
 * of batch b is at *_at + b / heads * *_outer + b % heads * *_head. The result is
 * [batch][sq][DV] or, if `beside`, [batch / heads][sq][heads][DV]. A work-item does ROWS
 * query rows of one batch, of those from row `from` on. They are turned once; after that both products are
 * tiles of PART_M rows of k (of columns of v) by vectors of query rows, and k
 * and v are read as they lie, a broadcast at a time. A tile of scores becomes
 * exponentials while it is in registers: greatest scores and sums go down the
 * tile, never across a vector. Nothing that belongs to a row is a scalar.
 *
 * The greatest score of a row that exponentials are relative to need not be
 * exact: it follows only when some row is more than HEADROOM above it, and only then
 * the sums so far are rescaled. Nearly always that is the first tile alone.
 *
 * Scores are in units of log2(e) where there is no mask, so that a power of two is what
 * remains to be done. A row that may look at no key gives zeros.
 *
 * The mask, if HAS_MASK, is read at b . DIMS batch dims (d0 the innermost, mask
 * strides s) + row * mask_row + key * mask_col, and added.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL attention_rows
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
#ifndef TILE_NV
#define TILE_NV 2
#endif
#define TILE_M 8
#ifndef KEYS
#define KEYS 128
#endif
#define TILE_LANES 16
#define ROWS (TILE_NV * 16)
#define WIDE (PART_NV * 16)	     /* query rows at a time */
#define D_PAD ((D + 15) / 16 * 16)   /* of q turned */
#define DV_PAD ((DV + 15) / 16 * 16) /* of the result turned */
#define HEADROOM 32.0f
#define AHEAD 16 /* keys between those that are read and those that are asked for */
#if EDGE_LIGHT
#define WHOLE 16
#else
#define WHOLE 0 /* never */
#endif

#if HAS_MASK
#define UNIT 1.0f
#define POWER(x) edge_exp2_low((x)*1.44269504f)
#define WEIGHT(x, above) EDGE_SELECT(int16, x == (float16)(-INFINITY), (float16)(0.0f), POWER(x - above))
#else
#define UNIT 1.44269504f
#define POWER(x) edge_exp2_low(x)
#define WEIGHT(x, above) POWER(x - above)
#endif

#define WALK(i)                                                                                    \
	mask += rest % d##i * s##i;                                                                \
	rest /= d##i;

/* For each of PART_NV vectors of query rows: M(j); of a row of a tile: M(i, j). */
#define EACH_1(M) M(0)
#define EACH_2(M) M(0) M(1)
#define EACH(M) EDGE_CAT(EACH_, PART_NV)(M)
#define PAIR_1(M, i) M(i, 0)
#define PAIR_2(M, i) M(i, 0) M(i, 1)
#define PAIR(M, i) EDGE_TILE_CAT(PAIR_, PART_NV)(M, i)

/* Sixteen vectors through registers: EDGE_TURN. */
#define TURN_READ(i) const float16 a##i = vload16(0, p + min(i, left) * (long)step) * factor;
#define TURN_MASKED(i) const float16 a##i = edge_load16(p + min(i, left) * (long)step, wide) * factor;
#define TURN_ROW(i) const float16 a##i = vload16(i, rows) * factor;
#define TURN_KEEP(i) vstore16(turned##i, 0, to + (i) * WIDE);
/*
 * Sixteen rows of `wide` elements into as many columns. Rows beyond the last, `left`, are the last
 * once more; what becomes of them is thrown away in the end.
 */
EDGE_OVERLOAD void EDGE_FN(turn)(__global const float *p, const int step, const int left, const int wide,
				 const float factor, __private float *to)
{
	if (wide == 16) {
		EDGE_REPEAT(16, TURN_READ)
		EDGE_TURN(a)
		EDGE_REPEAT(16, TURN_KEEP)
	} else if (EDGE_MASKS) {
		EDGE_REPEAT(16, TURN_MASKED)
		EDGE_TURN(a)
		EDGE_REPEAT(16, TURN_KEEP)
	} else {
		float rows[16 * 16] EDGE_LINES;

		for (int i = 0; i < 16; i++)
			vstore16(edge_load16(p + min(i, left) * (long)step, wide), i, rows);
		EDGE_REPEAT(16, TURN_ROW)
		EDGE_TURN(a)
		EDGE_REPEAT(16, TURN_KEEP)
	}
}
#define TURN_COLUMN(i) const float16 a##i = vload16(0, column + (i) * WIDE) * factor;
#define TURN_STORE(i) EDGE_STORE16(turned##i, first + i * out_step, d, 16);
#define TURN_STORE_TAIL(i) EDGE_STORE16(turned##i, first + i * out_step, d, DV % 16);
#define TURN_BACK(i) vstore16(turned##i, i, rows);

/* Beyond the last key that one once more. */
#define KEY(i)                                                                                     \
	__global const float *a##i = at_key;                                                       \
	at_key += i + 1 < left ? k_row : 0;
#define CUT(i, j) c##i##_##j = EDGE_SELECT(int16, (int16)(i < left ? -1 : 0), c##i##_##j, (float16)(-INFINITY));
#define CUT_TAIL(i) PAIR(CUT, i)
#define LATER(i, j)                                                                                \
	c##i##_##j = EDGE_SELECT(int16, ramp + (row + j * 16) < (int16)(begin + i), (float16)(-INFINITY), c##i##_##j);
#define CUT_LATER(i) PAIR(LATER, i)
#define START_MASK(i, j) float16 c##i##_##j = vload16(0, at_score + (i) * WIDE + j * 16);
#define START_ZERO(i, j) float16 c##i##_##j = (float16)(0.0f);
#if HAS_MASK
#define START(i) PAIR(START_MASK, i)
#else
#define START(i) PAIR(START_ZERO, i)
#endif
#define HIGHEST(i, j) high##j = EDGE_SELECT(int16, high##j < c##i##_##j, c##i##_##j, high##j);
#define RAISE(i) PAIR(HIGHEST, i)
#define WEIGH(i, j)                                                                                \
	c##i##_##j = WEIGHT(c##i##_##j, above##j);                                                 \
	total##j += c##i##_##j;                                                                    \
	vstore16(c##i##_##j, 0, at_score + (i) * WIDE + j * 16);
#define EXPONENTIALS(i) PAIR(WEIGH, i)
#define STATE(j) float16 top##j = (float16)(-INFINITY), above##j = (float16)(0.0f), total##j = (float16)(0.0f);
#define NO_HIGH(j) float16 high##j = (float16)(-INFINITY);
#define FOLLOW(j)                                                                                  \
	const float16 next##j = EDGE_SELECT(int16, top##j < high##j, high##j, top##j);             \
	const float16 shrink##j = EDGE_SELECT(int16, top##j == (float16)(-INFINITY), (float16)(0.0f),  \
					      POWER(top##j - next##j));                            \
	top##j = next##j;                                                                          \
	above##j = EDGE_SELECT(int16, next##j == (float16)(-INFINITY), (float16)(0.0f), next##j);  \
	total##j *= shrink##j;
#define SHRINK(j) vstore16(vload16(j, to) * shrink##j, j, to);
#define TOO_HIGH_1 (high0 > top0 + HEADROOM)
#define TOO_HIGH_2 ((high0 > top0 + HEADROOM) | (high1 > top1 + HEADROOM))
#define TOO_HIGH EDGE_CAT(TOO_HIGH_, PART_NV)

#define SUM(i, j) float16 c##i##_##j = vload16(j, sum + (d + i) * WIDE);
#define SUMS(i) PAIR(SUM, i)
#define VALUE(i)                                                                                   \
	{                                                                                          \
		const float16 av = (float16)(a[DV % PART_M ? min(i, DV - 1 - d) : i]);                 \
		EDGE_CAT(EDGE_TILE_FMA_, TILE_SHAPE)(i)                                               \
	}
#define SUM_BACK(i, j) vstore16(c##i##_##j, j, sum + (d + i) * WIDE);
#define SUMS_BACK(i) PAIR(SUM_BACK, i)
#define FACTOR(j)                                                                                  \
	vstore16(EDGE_SELECT(int16, total##j > (float16)(0.0f), 1.0f / total##j, total##j), j, factors);

/* What is read soon of up to eight rows from row `from` on: a line after the other. */
EDGE_OVERLOAD void EDGE_FN(soon)(__global const float *p, const int from, const int rows, const int step, const int wide)
{
	for (int i = from; i < min(from + PART_M, rows); i++) {
		__global const float *row = p + (long)i * step;

		for (int d = 0; d < wide; d += 16)
			EDGE_SOON(row + d);
		if (wide % 16)
			EDGE_SOON(row + wide - 1);
	}
}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict q, __global const float *restrict k,
				 __global const float *restrict v, PARAM_MASK const float scale, const int from, const int sq,
				 const int sk, const int heads, const int beside, const int q_at, const int q_row,
				 const int q_head, const int q_outer, const int k_at, const int k_row,
				 const int k_head, const int k_outer, const int v_at, const int v_row,
				 const int v_head, const int v_outer, EDGE_OUT EDGE_WI)
{
	const int batch = (int)get_global_id(1), block = from + (int)get_global_id(0) * ROWS;
	const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	float query[D_PAD * WIDE] EDGE_LINES, sum[DV_PAD * WIDE] EDGE_LINES, score[KEYS * WIDE] EDGE_LINES;
	float factors[WIDE] EDGE_LINES;

	const int outer = batch / heads, head = batch % heads;
	const int out_row = beside ? outer * sq * heads + head : batch * sq, out_step = beside ? heads : 1;

	q += q_at + (long)outer * q_outer + (long)head * q_head;
	k += k_at + (long)outer * k_outer + (long)head * k_head;
	v += v_at + (long)outer * v_outer + (long)head * v_head;
#if HAS_MASK
	int rest = batch;

	EDGE_REPEAT(DIMS, WALK)
#endif
	for (int row = block; row < min(sq, block + ROWS); row += WIDE) {
		const int end = CAUSAL ? min(sk, row + WIDE) : sk;
		EACH(STATE)

		for (int i = 0; i < WIDE; i += 16)
			for (int d = 0; d < D; d += 16)
				EDGE_FN(turn)(q + (long)min(row + i, sq - 1) * q_row + d, q_row, max(sq - 1 - row - i, 0), min(16, D - d),
					      scale * UNIT, query + d * WIDE + i);
		for (int i = 0; i < DV_PAD * WIDE; i += 16)
			vstore16((float16)(0.0f), 0, sum + i);
		for (int key = 0; key < end; key += KEYS) {
			const int stop = min(key + KEYS, end);

#if HAS_MASK
			if (mask_col == 1 && mask_row) {
				for (int i = 0; i < WIDE; i += 16)
					for (int at = key; at < stop; at += 16)
						EDGE_FN(turn)(mask + (long)min(row + i, sq - 1) * mask_row + at, mask_row,
							      max(sq - 1 - row - i, 0), min(16, stop - at), 1.0f,
							      score + (at - key) * WIDE + i);
			} else {
				for (int at = key; at < stop; at++)
					for (int i = 0; i < WIDE; i += 16) {
						__global const float *p = mask + (long)at * mask_col;
						__private float *to = score + (at - key) * WIDE + i;

						if (mask_row)
							vstore16(edge_gather16(p + (long)(row + i) * mask_row, mask_row, sq - row - i), 0, to);
						else
							vstore16((float16)(*p), 0, to);
					}
			}
#endif
			for (int begin = key; begin < stop; begin += PART_M) {
				const int left = stop - begin;
				__private float *at_score = score + (begin - key) * WIDE;
				__global const float *at_key = k + (long)begin * k_row;
				__private const float *b = query;

				EDGE_REPEAT(PART_M, KEY)
				EDGE_REPEAT(PART_M, START)
				if (row == from) { /* the first to read these keys and values */
					EDGE_FN(soon)(k, begin + AHEAD, sk, k_row, D);
					EDGE_FN(soon)(v, begin, sk, v_row, DV);
				}
				if (begin < WIDE)
					EDGE_FN(soon)(q, row + WIDE + begin, sq, q_row, D);
				for (int at = 0; at < D; at++, b += WIDE) {
					EDGE_TILE_LOAD
					EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
				}
				if (left < PART_M) {
					EDGE_REPEAT(PART_M, CUT_TAIL)
				}
#if CAUSAL
				if (begin + PART_M - 1 > row) {
					EDGE_REPEAT(PART_M, CUT_LATER)
				}
#endif
				EACH(NO_HIGH)
				EDGE_REPEAT(PART_M, RAISE)
				if (edge_any(TOO_HIGH)) {
					EACH(FOLLOW)
					for (int i = 0; begin && i < DV_PAD; i++) {
						__private float *to = sum + i * WIDE;

						EACH(SHRINK)
					}
					for (int i = 0; i < begin - key; i++) {
						__private float *to = score + i * WIDE;

						EACH(SHRINK)
					}
				}
				EDGE_REPEAT(PART_M, EXPONENTIALS)
			}
			for (int d = 0; d < DV; d += PART_M) {
				__global const float *a = v + (long)key * v_row + d;
				__private const float *b = score;

				EDGE_REPEAT(PART_M, SUMS)
				for (int at = key; at < stop; at++, a += v_row, b += WIDE) {
					EDGE_TILE_LOAD
					EDGE_REPEAT(PART_M, VALUE)
				}
				EDGE_REPEAT(PART_M, SUMS_BACK)
			}
		}
		EACH(FACTOR)
		for (int i = 0; i < min(WIDE, sq - row); i += 16) {
			const int first = out_row + (row + i) * out_step, left = min(16, sq - row - i);
			const float16 factor = vload16(0, factors + i);

			for (int d = 0; d < DV; d += 16) {
				__private const float *column = sum + d * WIDE + i;

				EDGE_REPEAT(16, TURN_COLUMN)
				EDGE_TURN(a)
				if (left == WHOLE && d + 16 <= DV) {
					EDGE_REPEAT(16, TURN_STORE)
#if DV % 16
				} else if (left == WHOLE) {
					EDGE_REPEAT(16, TURN_STORE_TAIL)
#endif
				} else {
					float rows[16 * 16] EDGE_LINES;

					EDGE_REPEAT(16, TURN_BACK)
					for (int r = 0; r < left; r++)
						EDGE_STORE16(vload16(r, rows), first + r * out_step, d, min(16, DV - d));
				}
			}
		}
	}
}
