/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_reinitialise.cl - replace the whole set by points on the surfaces that it shows.
 *
 * REPLACE 0, for each band of each view: pixels, spread evenly, whose ray ends
 * somewhere, each with the chance that it does; the point is where the Gaussian
 * with the most weight is densest. Points wait in the moments' memory, which
 * nobody needs any more: place 3, size, colour 3. REPLACE 1: they become the
 * set. One work-item.
 *
 * EVENT_MOST: points wanted of the view, or Gaussians there may be; STATE_ADDED:
 * points so far.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_reinitialise
#endif
#ifndef REPLACE
#define REPLACE 0
#endif

#define POINT 7

EDGE_OVERLOAD void EDGE_FN(sample)(__global uint *restrict state, const struct splat_set *x,
				   __global const float *restrict records, __global const uint *restrict tiles,
				   __global const uint *restrict lists, __global const float *restrict image,
				   __global float *points, uint room)
{
	const int width = (int)state[STATE_WIDTH], height = (int)state[STATE_HEIGHT], wide = (int)state[STATE_TILES_X];
	const int tile0 = (int)state[STATE_TILE_FIRST], tile1 = (int)state[STATE_TILE_END];
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	const uint want = state[EVENT_MOST], seed = splat_hash(state[STATE_SEED] ^ splat_hash(state[STATE_STEP]));
	const float every = sqrt((float)width * (float)height / (float)max(want, 1u));
	uint n = state[STATE_ADDED];

	for (uint k = 0; k < want && n < room; k++) {
		const float at = ((float)k + splat_uniform(seed + 2u * k)) / (float)want * (float)width * (float)height;
		const int pixel = min((int)at, width * height - 1), px = pixel % width, py = pixel / width;
		const int tile = py / TILE_H * wide + px / TILE_W;
		float d[3], depth, left = 1.0f;
		int front;

		if (tile < tile0 || tile >= tile1)
			continue;
		front = splat_front(records, lists, tiles[tile] - tiles[tile0], tiles[tile + 1] - tiles[tile0], (float)px,
				    (float)py, &left);
		if (front < 0 || splat_uniform(seed + 2u * k + 1u) < left)
			continue;
		splat_ray(state, (float)px, (float)py, d);
		depth = splat_depth(state, x, front, d);
		if (!(depth > NEAR) || !(depth < 1e6f))
			continue;
		for (int c = 0; c < 3; c++) {
			points[n * POINT + c] = splat_float(state, STATE_CAMERA + c) + depth * d[c];
			points[n * POINT + 4 + c] = image[c * plane + py * stride + px];
		}
		points[n * POINT + 3] = 0.5f * every * depth / splat_float(state, STATE_FOCAL);
		n++;
	}
	state[STATE_ADDED] = n;
}

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global float *parameters, __global MOMENT1 *m,
				 __global MOMENT2 *v, __global STAT *statistics, __global const float *restrict records,
				 __global const uint *restrict tiles, __global const uint *restrict lists,
				 __global const float *restrict image EDGE_WI)
{
	const long plane = (long)state[STATE_CAPACITY];
	const struct splat_set x = { parameters, statistics, m, v, plane };
	__global float *points = (__global float *)m;
	const long room = plane * MOMENTS * (long)sizeof(MOMENT1) / (POINT * 4);

	if (get_global_id(0) > 0)
		return;
	if (!REPLACE) {
		EDGE_FN(sample)(state, &x, records, tiles, lists, image, points, (uint)room);
	} else {
		const long n = min((long)state[STATE_ADDED], (long)state[EVENT_MOST]);

		for (long i = 0; i < n; i++) {
			splat_clear(&x, i);
			for (int k = 0; k < 3; k++) {
				parameters[k * plane + i] = points[i * POINT + k];
				splat_set_number(&x, P_SCALE + k, i, log(points[i * POINT + 3]));
				splat_set_number(&x, P_COLOUR + k, i, (points[i * POINT + 4 + k] - 0.5f) / SH0);
			}
			splat_set_number(&x, P_ROTATION, i, 1.0f);
			splat_set_opacity(&x, i, splat_float(state, EVENT_NEW_OPACITY));
		}
		for (long i = 0; i < plane; i++) {
			splat_forget(&x, i);
			for (int k = 0; k < STATS; k++)
				splat_set_stat(&x, k, i, 0.0f);
		}
		state[STATE_ADDED] = (uint)n;
		state[STATE_REMOVED] = state[STATE_COUNT];
	}
}
