/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_compensate.cl - new Gaussians where the picture is wrong.
 *
 * Pixels of the view just seen are drawn with a probability by the length of
 * the loss's gradient there. The new one lies on the pixel's ray, where the
 * Gaussian with the most weight in that pixel is densest; it has the
 * photograph's colour and the size of the pixel. One work-item.
 *
 * Each band's lists are seen in turn; the first one's launch weighs all pixels,
 * each finds the depths at those drawn in its tiles, and the last one's adds the
 * new Gaussians, so that bands make no difference.
 * work: memory of the picture, which is over: weights, then depths. EVENT_GROWTH: how many at most.
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

struct EDGE_FN(picture) {
	int width, height, wide;
	long stride, plane;
	__global float *error, *depth;
};

/* How wrong each pixel is. */
EDGE_OVERLOAD void EDGE_FN(weigh)(const struct EDGE_FN(picture) *x, __global const float *restrict gradient)
{
	for (int y = 0; y < x->height; y++)
		for (int c = 0; c < x->width; c++) {
			const long at = y * x->stride + c;
			const float r = gradient[at], g = gradient[x->plane + at], b = gradient[2 * x->plane + at];

			x->error[at] = sqrt(r * r + g * g + b * b);
			x->depth[at] = 0.0f;
		}
}

EDGE_OVERLOAD float EDGE_FN(row)(const struct EDGE_FN(picture) *x, int y)
{
	float sum = 0.0f;

	for (int c = 0; c < x->width; c++)
		sum += x->error[y * x->stride + c];
	return sum;
}

/* Depths at the pixels that are drawn in this band's tiles: one random number, equal steps through the sums. */
EDGE_OVERLOAD void EDGE_FN(draw)(__global const uint *restrict state, const struct splat_set *set,
				 const struct EDGE_FN(picture) *x, __global const float *restrict records,
				 __global const uint *restrict tiles, __global const uint *restrict lists, long want)
{
	const int tile0 = (int)state[STATE_TILE_FIRST], tile1 = (int)state[STATE_TILE_END];
	float total = 0.0f, step, at;

	for (int y = 0; y < x->height; y++)
		total += EDGE_FN(row)(x, y);
	step = want > 0 ? total / (float)want : 0.0f;
	at = step * splat_uniform(splat_hash(state[STATE_SEED] ^ splat_hash(state[STATE_STEP])));
	total = 0.0f;
	for (int y = 0; y < x->height && step > 0.0f; y++) {
		float sum = 0.0f;

		for (int c = 0; c < x->width; c++) {
			const int tile = y / TILE_H * x->wide + c / TILE_W;
			float d[3], depth, left;
			int front;

			sum += x->error[y * x->stride + c];
			if (!(total + sum > at))
				continue;
			at += step * ceil((total + sum - at) / step);
			if (tile < tile0 || tile >= tile1)
				continue;
			front = splat_front(records, lists, tiles[tile] - tiles[tile0], tiles[tile + 1] - tiles[tile0], (float)c,
					    (float)y, &left);
			if (front < 0)
				continue;
			splat_ray(state, (float)c, (float)y, d);
			depth = splat_depth(state, set, front, d);
			if (depth > NEAR && depth < 1e6f)
				x->depth[y * x->stride + c] = depth;
		}
		total += sum;
	}
}

/* The Gaussian of a pixel. */
EDGE_OVERLOAD void EDGE_FN(add)(__global const uint *restrict state, const struct splat_set *x, long to, float depth,
				int c, int y, __global const uchar *restrict photo, long pixels)
{
	const int width = (int)state[STATE_WIDTH];
	float d[3];

	splat_ray(state, (float)c, (float)y, d);
	splat_clear(x, to);
	for (int k = 0; k < STAT_COLUMNS; k++)
		splat_set_stat(x, k, to, 0.0f);
	for (int k = 0; k < 3; k++) {
		x->p[k * x->plane + to] = splat_float(state, STATE_CAMERA + k) + depth * d[k];
		splat_set_number(x, P_SCALE + k, to, log(1.2f * depth / splat_float(state, STATE_FOCAL)));
		splat_set_number(x, P_COLOUR + k, to,
				 ((float)photo[(long)k * pixels + (long)y * width + c] * (1.0f / 255.0f) - 0.5f) / SH0);
	}
	splat_set_number(x, P_ROTATION, to, 1.0f);
	splat_set_opacity(x, to, splat_float(state, EVENT_NEW_OPACITY));
	splat_forget(x, to);
}

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global float *parameters, __global MOMENT1 *m,
				 __global MOMENT2 *v, __global STAT *statistics, __global const float *restrict records,
				 __global const uint *restrict tiles, __global const uint *restrict lists,
				 __global const float *restrict gradient, __global float *restrict work,
				 __global const uchar *restrict even, __global const uchar *restrict odd EDGE_WI)
{
	const long count = (long)state[STATE_COUNT], stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	const struct splat_set set = { parameters, statistics, m, v, (long)state[STATE_CAPACITY] };
	const struct EDGE_FN(picture) x = { (int)state[STATE_WIDTH], (int)state[STATE_HEIGHT], (int)state[STATE_TILES_X],
					    stride, plane, work, work + plane };
	const long room = max((long)state[EVENT_MOST] - count, 0l);
	const long want = min(room, (long)((float)count * splat_float(state, EVENT_GROWTH)) + 1l);
	long added = 0;

	if (get_global_id(0) > 0)
		return;
	if (state[STATE_BAND_ADD] == 0u)
		EDGE_FN(weigh)(&x, gradient);
	EDGE_FN(draw)(state, &set, &x, records, tiles, lists, want);
	if (state[STATE_TILE_END] == state[STATE_TILES_X] * state[STATE_TILES_Y])
		for (int y = 0; y < x.height; y++)
			for (int c = 0; c < x.width && added < want; c++) {
				const float depth = x.depth[y * stride + c];

				if (depth > 0.0f)
					EDGE_FN(add)(state, &set, count + added++, depth, c, y,
						     state[STATE_STEP] & 1u ? odd : even, (long)x.width * x.height);
			}
	state[STATE_ADDED] = (uint)added;
	state[STATE_REMOVED] = 0;
}
