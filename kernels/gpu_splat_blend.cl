/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_splat_blend.cl - splat_blend.cl by work-groups: a group a tile, a work-item a pixel.
 *
 * The list comes through local memory, a record for each work-item at a time.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_splat_blend
#endif

#define ITEMS (TILE_W * TILE_H)

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void KERNEL(
	__global const uint *restrict state, __global const float *restrict records, __global const uint *restrict tiles,
	__global const uint *restrict lists, __global float *restrict image EDGE_WI)
{
	__local struct splat_record batch[ITEMS];
	__local uint living;
	const int item = (int)get_local_id(0), wide = (int)state[STATE_TILES_X];
	const int tile = splat_tile((int)get_group_id(0), (int)get_num_groups(0), (int)state[STATE_TILE_FIRST],
				    (int)state[STATE_TILE_END]), inside = tile >= 0;
	const int px = (inside ? tile % wide : 0) * TILE_W + item % TILE_W;
	const int py = (inside ? tile / wide : 0) * TILE_H + item / TILE_W;
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	const uint base = tiles[state[STATE_TILE_FIRST]], end = inside ? tiles[tile + 1] - base : 0u;
	float t = 1.0f, red = 0.0f, green = 0.0f, blue = 0.0f;

	for (uint first = inside ? tiles[tile] - base : 0u; first < end; first += ITEMS) {
		const int n = (int)min(end - first, (uint)ITEMS);

		if (item == 0)
			living = 0;
		barrier(CLK_LOCAL_MEM_FENCE);
		if (t > 0.0f)
			living = 1;
		if (item < n)
			batch[item] = splat_record(records + (long)lists[first + item] * RECORD);
		barrier(CLK_LOCAL_MEM_FENCE);
		if (!living)
			break;
		for (int i = 0; i < n && t > 0.0f; i++) {
			const struct splat_record s = batch[i];
			const float dy = s.v - (float)py, k = s.k1 * (s.u - (float)px) + s.k2 * dy;
			const float e = s.log - s.k3 * dy * dy - k * k;
			float alpha, after, w;

			if (e < E_MIN)
				continue;
			alpha = min(splat_exp(e), ALPHA_MAX);
			after = t - t * alpha;
			if (after < T_MIN) {
				t = -t;
				break;
			}
			w = alpha * t;
			red += w * s.red;
			green += w * s.green;
			blue += w * s.blue;
			t = after;
		}
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	if (inside) {
		__global float *to = image + py * stride + px;

		to[0] = red + fabs(t) * splat_float(state, STATE_BACKGROUND);
		to[plane] = green + fabs(t) * splat_float(state, STATE_BACKGROUND + 1);
		to[2 * plane] = blue + fabs(t) * splat_float(state, STATE_BACKGROUND + 2);
	}
}
