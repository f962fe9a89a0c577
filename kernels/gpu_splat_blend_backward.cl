/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_splat_blend_backward.cl - splat_blend_backward.cl by work-groups: a group a tile, a work-item a pixel.
 *
 * The sums over the pixels of an entry are made in local memory in two rounds
 * of sixteen, always in the same order; nothing is added atomically.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_splat_blend_backward
#endif

#define ITEMS (TILE_W * TILE_H)
#define WEIGHT 9 /* of the slot's values the one that is a maximum */

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void KERNEL(
	__global const uint *restrict state, __global const float *restrict records, __global const uint *restrict tiles,
	__global const uint *restrict lists, __global const float *restrict gradient, __global float *restrict image,
	__global float *restrict slots EDGE_WI)
{
	__local float value[SLOT * ITEMS], part[SLOT * 16];
	const int item = (int)get_local_id(0), wide = (int)state[STATE_TILES_X];
	const int tile = splat_round_tile(state, tiles, (int)get_group_id(0), (int)get_num_groups(0)), inside = tile >= 0;
	const int px = (inside ? tile % wide : 0) * TILE_W + item % TILE_W;
	const int py = (inside ? tile / wide : 0) * TILE_H + item / TILE_W;
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	const uint base = tiles[state[STATE_TILE_FIRST]], begin = state[STATE_ENTRY_FIRST];
	const uint list = inside ? tiles[tile] - base : 0u, list_end = inside ? tiles[tile + 1] - base : 0u;
	const uint first = max(list, begin), end = min(list_end, state[STATE_ENTRY_END]);
	__global const float *from = gradient + py * stride + px;
	__global float *kept = image + py * stride + px;
	const float red = from[0], green = from[plane], blue = from[2 * plane];
	const float error = fabs(red) + fabs(green) + fabs(blue);
	const int goes_on = first > list;
	float t = goes_on ? kept[0] : 1.0f;
	float rest = goes_on ? kept[plane] : red * kept[0] + green * kept[plane] + blue * kept[2 * plane];

	for (uint i = first; i < end; i++) {
		const struct splat_record s = splat_record(records + (long)lists[i] * RECORD);
		const float dy = s.v - (float)py, k = s.k1 * (s.u - (float)px) + s.k2 * dy;
		const float e = s.log - s.k3 * dy * dy - k * k;
		float h = 0.0f, w = 0.0f;

		if (t > 0.0f && e >= E_MIN) {
			const float raw = splat_exp(e), alpha = min(raw, ALPHA_MAX), after = t - t * alpha;

			if (after < T_MIN) {
				t = -t;
			} else {
				float x;

				w = alpha * t;
				x = w * (red * s.red + green * s.green + blue * s.blue);
				rest -= x;
				h = raw <= ALPHA_MAX ? x - rest * (alpha / (1.0f - alpha)) : 0.0f;
				t = after;
			}
		}
		value[item] = h;
		value[ITEMS + item] = h * k;
		value[2 * ITEMS + item] = h * dy;
		value[3 * ITEMS + item] = h * k * k;
		value[4 * ITEMS + item] = h * k * dy;
		value[5 * ITEMS + item] = h * dy * dy;
		value[6 * ITEMS + item] = w * red;
		value[7 * ITEMS + item] = w * green;
		value[8 * ITEMS + item] = w * blue;
		value[WEIGHT * ITEMS + item] = w;
		value[10 * ITEMS + item] = w * error;
		barrier(CLK_LOCAL_MEM_FENCE);
		if (item < SLOT * 16) {
			const __local float *v = value + item / 16 * ITEMS + item % 16;
			float sum = v[0];

			for (int n = 16; n < ITEMS; n += 16)
				sum = item / 16 == WEIGHT ? max(sum, v[n]) : sum + v[n];
			part[item] = sum;
		}
		barrier(CLK_LOCAL_MEM_FENCE);
		if (item < SLOT) {
			float sum = part[item * 16];

			for (int n = 1; n < 16; n++)
				sum = item == WEIGHT ? max(sum, part[item * 16 + n]) : sum + part[item * 16 + n];
			slots[(long)(i - begin) * SLOT + item] = sum;
		}
	}
	if (inside && end < list_end) {
		kept[0] = t;
		kept[plane] = rest;
	}
}
