/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_compensate.cl - new Gaussians where the picture is wrong.
 *
 * Pixels of the view just seen are drawn with a probability by the length of
 * the loss's gradient there. The new one lies on the pixel's ray, where the
 * Gaussian with the most weight in that pixel is densest; it has the
 * photograph's colour and the size of the pixel. One work-item.
 *
 * The lists are those of the last band, so pixels of other bands are left out.
 * errors: memory of the picture, which is over. EVENT_GROWTH: how many at most.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_compensate
#endif

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global float *parameters, __global MOMENT1 *m,
				 __global MOMENT2 *v, __global float *statistics, __global const float *restrict records,
				 __global const uint *restrict tiles, __global const uint *restrict lists,
				 __global const float *restrict gradient, __global float *restrict errors,
				 __global const uchar *restrict even, __global const uchar *restrict odd EDGE_WI)
{
	const long plane = (long)state[STATE_CAPACITY], count = (long)state[STATE_COUNT];
	const struct splat_set x = { parameters, statistics, m, v, plane };
	__global const uchar *photo = state[STATE_STEP] & 1u ? odd : even;
	const int width = (int)state[STATE_WIDTH], height = (int)state[STATE_HEIGHT], wide = (int)state[STATE_TILES_X];
	const int tile0 = (int)state[STATE_TILE_FIRST], tile1 = (int)state[STATE_TILE_END];
	const long stride = (long)state[STATE_STRIDE], image = stride * (long)state[STATE_ROWS];
	const long room = max((long)state[EVENT_MOST] - count, 0l);
	const long want = min(room, (long)((float)count * splat_float(state, EVENT_GROWTH)) + 1l);
	float total = 0.0f, sum = 0.0f, at, step;
	long added = 0;

	if (get_global_id(0) > 0)
		return;
	for (int y = 0; y < height; y++) {
		sum = 0.0f;
		for (int c = 0; c < width; c++) {
			const int tile = y / TILE_H * wide + c / TILE_W;
			const float r = gradient[y * stride + c], g = gradient[image + y * stride + c];
			const float b = gradient[2 * image + y * stride + c];
			const float e = tile >= tile0 && tile < tile1 ? sqrt(r * r + g * g + b * b) : 0.0f;

			errors[y * stride + c] = e;
			sum += e;
		}
		total += sum;
	}
	step = want > 0 ? total / (float)want : 0.0f;
	at = step * splat_uniform(splat_hash(state[STATE_SEED] ^ splat_hash(state[STATE_STEP])));
	total = 0.0f;
	for (int y = 0; y < height && step > 0.0f; y++) {
		sum = 0.0f;
		for (int c = 0; c < width; c++) {
			const int tile = y / TILE_H * wide + c / TILE_W;
			const uint base = tiles[tile0];
			float d[3], depth, left;
			const long to = count + added;
			int front;

			sum += errors[y * stride + c];
			if (!(total + sum > at) || added >= want)
				continue;
			while (total + sum > at)
				at += step;
			front = splat_front(records, lists, tiles[tile] - base, tiles[tile + 1] - base, (float)c, (float)y, &left);
			if (front < 0)
				continue;
			splat_ray(state, (float)c, (float)y, d);
			depth = splat_depth(state, &x, front, d);
			if (!(depth > NEAR) || !(depth < 1e6f))
				continue;
			for (int k = 0; k < PARAMETERS; k++)
				parameters[k * plane + to] = 0.0f;
			for (int k = 0; k < STATS; k++)
				statistics[k * plane + to] = 0.0f;
			for (int k = 0; k < 3; k++) {
				parameters[k * plane + to] = splat_float(state, STATE_CAMERA + k) + depth * d[k];
				parameters[(P_SCALE + k) * plane + to] = log(1.2f * depth / splat_float(state, STATE_FOCAL));
				parameters[(P_COLOUR + k) * plane + to] =
					((float)photo[((long)k * height + y) * width + c] * (1.0f / 255.0f) - 0.5f) / SH0;
			}
			parameters[P_ROTATION * plane + to] = 1.0f;
			splat_set_opacity(&x, to, splat_float(state, EVENT_NEW_OPACITY));
			splat_forget(&x, to);
			added++;
		}
		total += sum;
	}
	state[STATE_ADDED] = (uint)added;
	state[STATE_REMOVED] = 0;
}
