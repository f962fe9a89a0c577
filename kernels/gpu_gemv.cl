/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_gemv.cl - up to four rows times a constant matrix in panels.
 *
 * Bound by how fast the weights arrive, so that a work-group reads one panel of
 * WIDTH columns strictly forward: WIDTH / 4 work-items have a quad of columns
 * each, and SLICES such rows of work-items take k in turn. What the slices
 * have summed up is added through local memory, always in the same order.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_gemv
#endif
#ifndef TILE_M
#define TILE_M 1
#endif
#ifndef WIDTH
#define WIDTH 32
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#ifndef TEXTURE
#define TEXTURE 0
#endif
#ifndef TRANS_A
#define TRANS_A 0
#endif

#ifndef CARRY
#define CARRY 0
#endif
#ifndef EDGE_LOADS
#define EDGE_LOADS
#endif

#define QUADS (WIDTH / 4)
#define SLICES (128 / QUADS)

#if TEXTURE
#define PARAM_W __read_only image2d_t w, const int texel,
#define QUAD(i) EDGE_TEXEL(w, texel + (i))
#else
#define PARAM_W __global const EDGE_WEIGHT *restrict w,
#define QUAD(i) edge_weights4(i, w)
#endif

#if TRANS_A
#define AT(i) a[(i) / m1 * k * m1 + (i) % m1 + at * m1]
#else
#define AT(i) a[(i) * k + at]
#endif
#define ZERO(i) float4 c##i = (float4)(0.0f);
#define STEP(i) c##i += AT(i) * b;
#define REDUCE(i)                                                                                  \
	sum[y * QUADS + x] = c##i;                                                                 \
	barrier(CLK_LOCAL_MEM_FENCE);                                                              \
	for (int half_of = SLICES / 2; half_of > 0; half_of /= 2) {                                \
		if (y < half_of)                                                                   \
			sum[y * QUADS + x] += sum[(y + half_of) * QUADS + x];                      \
		barrier(CLK_LOCAL_MEM_FENCE);                                                      \
	}                                                                                          \
	if (y == 0) {                                                                              \
		const float4 s = sum[x] * alpha;                                                   \
                                                                                                   \
		if (n < out_n)                                                                     \
			EDGE_STORE(s.x, i, n);                                                     \
		if (n + 1 < out_n)                                                                 \
			EDGE_STORE(s.y, i, n + 1);                                                 \
		if (n + 2 < out_n)                                                                 \
			EDGE_STORE(s.z, i, n + 2);                                                 \
		if (n + 3 < out_n)                                                                 \
			EDGE_STORE(s.w, i, n + 3);                                                 \
	}                                                                                          \
	barrier(CLK_LOCAL_MEM_FENCE);

__kernel __attribute__((reqd_work_group_size(QUADS, SLICES, 1))) void KERNEL(
	EDGE_LOADS __global const float *restrict a, PARAM_W const int first, const int m1, const int k, const float alpha,
	EDGE_OUT EDGE_WI)
{
	__local float4 sum[QUADS * SLICES];
	const int x = get_local_id(0), y = get_local_id(1), panel = get_global_id(2);
	const int n = (first + panel) * WIDTH + x * 4, quads = panel * k * QUADS + x;

#if CARRY
	/* the same number for every slice, whichever has one step more */
	const int load_steps = max(k / SLICES, 1), load_step = (load_each + load_steps - 1) / load_steps;
	const int load_items = EDGE_LOAD_ITEMS;
	int load_at = EDGE_LOAD_ITEM, load_left = load_each;
#endif

	EDGE_REPEAT(TILE_M, ZERO)
	for (int at = y; at < k; at += SLICES) {
		const float4 b = QUAD(quads + at * QUADS);

#if CARRY
		for (int j = min(load_step, load_left); j > 0; j--, load_left--, load_at += load_items)
			EDGE_LOAD_TEXEL(load_at)
#endif
		EDGE_REPEAT(TILE_M, STEP)
	}
#if CARRY
	for (; load_left > 0; load_left--, load_at += load_items) /* k is less than there are slices */
		EDGE_LOAD_TEXEL(load_at)
#endif
	EDGE_REPEAT(TILE_M, REDUCE)
}
