/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_attention.cl - softmax(scale q k' + mask) v without ever storing the scores.
 *
 * q[batch][sq][D], k[batch][sk][D], v[batch][sk][DV]. A work-group of 16 by 16
 * does 16 query rows of one batch (row y), and goes over the keys 32 at a time:
 * the keys come to local memory, work-item (x, y) computes the scores of keys x
 * and x + 16; the values take the place of the keys, and the work-item adds to
 * columns x, x + 16, ... of its row. Each row keeps the greatest score so far and
 * the sum of the exponentials below it. A row that may look at no key gives zeros.
 *
 * The mask is read as in attention.cl.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_attention
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

#define ROWS 16
#define KEYS 32
#define PAD_D (D + 1) /* so that neighbouring rows lie in different banks */
#define COLUMNS ((DV + 15) / 16)
#define TILE (PAD_D > DV ? PAD_D : DV)

#if CAUSAL
#define SEEN min(keys, row - key + 1)
#else
#define SEEN keys
#endif

#define WALK(i)                                                                                    \
	mask += rest % d##i * s##i;                                                                \
	rest /= d##i;

__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void KERNEL(
	__global const float *restrict q, __global const float *restrict k, __global const float *restrict v,
	PARAM_MASK const float scale, const int sq, const int sk, EDGE_OUT EDGE_WI)
{
	__local float query[ROWS * PAD_D], tile[KEYS * TILE], score[ROWS * (KEYS + 1)];
	const int x = get_local_id(0), y = get_local_id(1), item = y * 16 + x;
	const int first = (int)get_group_id(1) * ROWS, row = first + y, batch = get_global_id(2);
	const int end = CAUSAL ? min(sk, min(first + ROWS, sq)) : sk;
	float sum[COLUMNS], top = -INFINITY, total = 0.0f;

#if HAS_MASK
	int rest = batch;

	EDGE_REPEAT(DIMS, WALK)
#endif
	for (int i = item; i < ROWS * D; i += 256)
		query[i / D * PAD_D + i % D] =
			first + i / D < sq ? q[(batch * sq + first) * D + i] * scale : 0.0f;
	for (int j = 0; j < COLUMNS; j++)
		sum[j] = 0.0f;
	for (int key = 0; key < end; key += KEYS) {
		const int keys = min(KEYS, end - key);

		barrier(CLK_LOCAL_MEM_FENCE);
		for (int i = item; i < KEYS * D; i += 256)
			tile[i / D * PAD_D + i % D] = i < keys * D ? k[(batch * sk + key) * D + i] : 0.0f;
		barrier(CLK_LOCAL_MEM_FENCE);

		float left = 0.0f, right = 0.0f;

		for (int d = 0; d < D; d++) {
			const float a = query[y * PAD_D + d];

			left += a * tile[x * PAD_D + d];
			right += a * tile[(x + 16) * PAD_D + d];
		}
#if HAS_MASK
		if (row < sq && x < keys)
			left += mask[row * mask_row + (key + x) * mask_col];
		if (row < sq && x + 16 < keys)
			right += mask[row * mask_row + (key + x + 16) * mask_col];
#endif
		if (x >= SEEN)
			left = -INFINITY;
		if (x + 16 >= SEEN)
			right = -INFINITY;
		score[y * (KEYS + 1) + x] = left;
		score[y * (KEYS + 1) + x + 16] = right;
		barrier(CLK_LOCAL_MEM_FENCE);
		for (int i = item; i < keys * DV; i += 256)
			tile[i] = v[(batch * sk + key) * DV + i];

		float best = top;

		for (int i = 0; i < KEYS; i++)
			best = max(best, score[y * (KEYS + 1) + i]);

		/* of a row that has seen no key yet all is 0 and stays so */
		const float above = best == -INFINITY ? 0.0f : best;
		const float shrink = top == best ? 1.0f : edge_exp(top - above);

		top = best;
		barrier(CLK_LOCAL_MEM_FENCE);
		score[y * (KEYS + 1) + x] = left == -INFINITY ? 0.0f : edge_exp(left - above);
		score[y * (KEYS + 1) + x + 16] = right == -INFINITY ? 0.0f : edge_exp(right - above);
		barrier(CLK_LOCAL_MEM_FENCE);
		total *= shrink;
		for (int j = 0; j < COLUMNS; j++)
			sum[j] *= shrink;
		for (int i = 0; i < keys; i++) {
			const float weight = score[y * (KEYS + 1) + i];

			total += weight;
			for (int j = 0; j < COLUMNS; j++)
				if (x + 16 * j < DV)
					sum[j] += weight * tile[i * DV + x + 16 * j];
		}
	}

	const float factor = total > 0.0f ? 1.0f / total : total;

	for (int j = 0; j < COLUMNS; j++)
		if (row < sq && x + 16 * j < DV)
			EDGE_STORE(sum[j] * factor, batch * sq + row, x + 16 * j);
}
