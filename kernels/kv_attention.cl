/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_attention.cl - attention of new tokens over a cache of keys and values; see kv_append.cl for its layout.
 *
 * The queries that share a key-value head are rows: token by token, and within a
 * token head by head. A work-item does TILE_M of them: it goes over the positions
 * KEYS at a time and keeps for each row the greatest score so far, the sum of the
 * exponentials below it and the weighted sum of the values. Scores and weighted sums are tiles of a
 * matrix product (see the prelude), so a key that is read once serves all rows.
 * Nothing is read beyond the last position, except keys whose scores are thrown away.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL kv_attention
#endif
#define TILE_SHAPE PART_NV
#ifndef D
#define D 64
#endif
#ifndef WIDE
#define WIDE 64
#endif
#ifndef TILE_M
#define TILE_M 8
#endif
#ifndef TILE_NV
#define TILE_NV 2
#endif
#ifndef QUANTISED
#define QUANTISED 0
#define CACHE float
#define PARAM_SCALES
#define SOFTCAP 0
#define WINDOW 0
#endif
#define TILE_LANES 16
#define KEYS (16 * TILE_NV)
#define STEP (16 * PART_NV)

/* Of a row beyond the last one, the last one once more. */
#define TOKEN(t) (min((t), last) / group)
#define QUERY(i) __global const float *restrict a##i = q + (TOKEN(t0 + part + (i)) * heads + head * group + min(t0 + part + (i), last) % group) * D;
#define WEIGHTS(i) __private const float *a##i = score + (part + (i)) * KEYS;

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict q, __global const int *restrict state,
				 __global const CACHE *restrict keys, __global const CACHE *restrict values,
				 PARAM_SCALES const int heads, const int group, const int context, const int window,
				 const float softcap, EDGE_OUT EDGE_WI)
{
	const int head = (int)get_global_id(1), t0 = (int)get_global_id(0) * TILE_M;
	const int position = state[0], last = min(state[1], context - position) * group - 1;
	const int16 ramp = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	float sum[TILE_M * WIDE] EDGE_LINES, total[TILE_M * 16] EDGE_LINES, score[TILE_M * KEYS] EDGE_LINES;
	float top[TILE_M], shrink[TILE_M];

	if (t0 > last || position < 0)
		return;

	const int rows = min(TILE_M, last + 1 - t0);
	const int end = position + TOKEN(t0 + rows - 1) + 1;
#if WINDOW
	const int begin = max(0, position + TOKEN(t0) + 1 - window) / KEYS * KEYS;
#else
	const int begin = 0;
#endif

	for (int r = 0; r < TILE_M; r++) {
		top[r] = -INFINITY;
		vstore16((float16)(0.0f), r, total);
		for (int d = 0; d < WIDE; d += 16)
			vstore16((float16)(0.0f), 0, sum + r * WIDE + d);
	}
	for (int key = begin; key < end; key += KEYS) {
		const int count = min(KEYS, end - key);

		for (int part = 0; part < TILE_M; part += PART_M)
			for (int j = 0; j < TILE_NV; j += PART_NV) {
				__global const CACHE *b = keys + ((long)head * context + key) * D + j * 16;
				float16 t[PART_M * PART_NV];

				EDGE_REPEAT(PART_M, QUERY)
				EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
				for (int at = 0; at < D; at++, b += KEYS) {
					EDGE_TILE_LOAD
					EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
				}
				EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
				for (int i = 0; i < min(PART_M, TILE_M - part); i++)
					for (int n = 0; n < PART_NV; n++)
						vstore16(t[i * PART_NV + n], 0, score + (part + i) * KEYS + (j + n) * 16);
			}
		for (int r = 0; r < rows; r++) {
			const int here = position + TOKEN(t0 + r);
			float16 best16 = (float16)(-INFINITY), all = (float16)(0.0f);

			for (int first = 0; first < KEYS; first += 16) {
				const int16 at = ramp + (key + first);
				float16 x = vload16(0, score + r * KEYS + first);
				int16 seen = at <= (int16)(here);

#if WINDOW
				seen &= at > (int16)(here - window);
#endif
#if QUANTISED
				x *= vload16(0, scales + (long)head * context + key + first);
#endif
#if SOFTCAP
				x = edge_tanh(x / softcap) * softcap;
#endif
				x = EDGE_SELECT(int16, seen, x, (float16)(-INFINITY));
				best16 = max(best16, x);
				vstore16(x, 0, score + r * KEYS + first);
			}

			const float best = max(top[r], edge_max16(best16));
			/* of a row that has seen no key yet all is 0 and stays so */
			const float above = best == -INFINITY ? 0.0f : best;

			shrink[r] = top[r] == best ? 1.0f : edge_exp(top[r] - above);
			top[r] = best;
			for (int first = 0; first < KEYS; first += 16) {
				const float16 x = vload16(0, score + r * KEYS + first);
				float16 weight = EDGE_SELECT(int16, x == (float16)(-INFINITY), (float16)(0.0f), edge_exp(x - above));

				all += weight;
#if QUANTISED
				weight = EDGE_SELECT(int16, x == (float16)(-INFINITY), (float16)(0.0f),
						     weight * vload16(0, scales + (long)(heads / group + head) * context + key + first));
#endif
				vstore16(weight, 0, score + r * KEYS + first);
			}
			vstore16(vload16(r, total) * shrink[r] + all, r, total);
		}
		for (int part = 0; part < rows; part += PART_M)
			for (int d = 0; d < WIDE; d += STEP) {
				__global const CACHE *b = values + ((long)head * context + key) * WIDE + d;
				float16 t[PART_M * PART_NV];

				EDGE_REPEAT(PART_M, WEIGHTS)
				EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
				for (int at = 0; at < count; at++, b += WIDE) {
					EDGE_TILE_LOAD
					EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
				}
				EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
				for (int i = 0; i < min(PART_M, rows - part); i++)
					for (int n = 0; n < PART_NV; n++) {
						__private float *to = sum + (part + i) * WIDE + d + n * 16;

						vstore16(vload16(0, to) * shrink[part + i] + t[i * PART_NV + n], 0, to);
					}
			}
	}
	for (int r = 0; r < rows; r++) {
		const float below = edge_sum16(vload16(r, total)), factor = below > 0.0f ? 1.0f / below : below;
		const int column = (head * group + (t0 + r) % group) * D;

		for (int d = 0; d < D; d += 16)
			EDGE_STORE16(vload16(0, sum + r * WIDE + d) * factor, (t0 + r) / group, column + d, min(16, D - d));
	}
}
