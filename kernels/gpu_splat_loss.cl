/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_splat_loss.cl - splat_loss.cl by work-groups: a group a block of LOSS_W x LOSS_H pixels.
 *
 * The block is done in squares of 16 x 16, each with a border of ten pixels in
 * local memory; a work-item keeps three places of the maps in its registers
 * while the five blurred pictures pass through.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_splat_loss
#endif

#define ITEMS 256
#define LOSS_W 64
#define LOSS_H 32
#define SIDE 16
#define IN (SIDE + 20)
#define MAP (SIDE + 10)
#define KEPT 3 /* places of MAP x MAP for each work-item */
#define SSIM_C1 1e-4f
#define SSIM_C2 9e-4f

EDGE_OVERLOAD float EDGE_FN(blur)(const __local float *p, int step)
{
	return 1.0283801e-3f * (p[0] + p[10 * step]) + 7.5987581e-3f * (p[step] + p[9 * step]) +
	       3.6000773e-2f * (p[2 * step] + p[8 * step]) + 1.0936069e-1f * (p[3 * step] + p[7 * step]) +
	       2.1300554e-1f * (p[4 * step] + p[6 * step]) + 2.6601172e-1f * p[5 * step];
}

/* A sum over the group's work-items, in a fixed order. */
EDGE_OVERLOAD float EDGE_FN(total)(__local float *room, int item, float x)
{
	float sum = 0.0f;

	barrier(CLK_LOCAL_MEM_FENCE);
	room[item] = x;
	barrier(CLK_LOCAL_MEM_FENCE);
	for (int i = 0; item == 0 && i < ITEMS; i++)
		sum += room[i];
	return sum;
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void KERNEL(
	__global const uint *restrict state, __global const float *restrict image, __global const uchar *restrict photograph,
	__global float *restrict gradient, __global float *restrict losses EDGE_WI)
{
	__local float x[IN * IN], y[IN * IN], line[IN * MAP], map[3 * MAP * MAP];
	const int width = (int)state[STATE_WIDTH], height = (int)state[STATE_HEIGHT], item = (int)get_local_id(0);
	const int across = (width + LOSS_W - 1) / LOSS_W, block = (int)get_group_id(0);
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	const float weight = splat_float(state, STATE_SSIM_WEIGHT);
	const float scale = 1.0f / (3.0f * (float)width * (float)height);
	float sum = 0.0f;

	for (int square = 0; square < LOSS_W / SIDE * (LOSS_H / SIDE) * 3; square++) {
		const int c = square % 3, place = square / 3;
		const int x0 = block % across * LOSS_W + place % (LOSS_W / SIDE) * SIDE;
		const int y0 = block / across * LOSS_H + place / (LOSS_W / SIDE) * SIDE;
		const int px = x0 + item % SIDE, py = y0 + item / SIDE;
		float kept[5 * KEPT], g;

		if (x0 >= (int)stride || y0 >= (int)state[STATE_ROWS]) /* the same for all of the group */
			continue;
		barrier(CLK_LOCAL_MEM_FENCE);
		for (int i = item; i < IN * IN; i += ITEMS) {
			const int u = x0 - 10 + i % IN, v = y0 - 10 + i / IN;
			const int inside = u >= 0 && v >= 0 && u < width && v < height;

			x[i] = inside ? image[c * plane + v * stride + u] : 0.0f;
			y[i] = inside ? (float)photograph[((long)c * height + v) * width + u] * (1.0f / 255.0f) : 0.0f;
		}
		for (int m = 0; m < 5; m++) {
			barrier(CLK_LOCAL_MEM_FENCE);
			/* the product first, in the place of the maps, then along the rows */
			for (int i = item; i < IN * IN; i += ITEMS)
				map[i] = m == 0 ? x[i] : m == 1 ? y[i] : m == 2 ? x[i] * x[i] : m == 3 ? y[i] * y[i] : x[i] * y[i];
			barrier(CLK_LOCAL_MEM_FENCE);
			for (int i = item; i < IN * MAP; i += ITEMS)
				line[i] = EDGE_FN(blur)(map + i / MAP * IN + i % MAP, 1);
			barrier(CLK_LOCAL_MEM_FENCE);
			for (int k = 0, i = item; k < KEPT && i < MAP * MAP; k++, i += ITEMS)
				kept[5 * k + m] = EDGE_FN(blur)(line + i, MAP);
		}
		barrier(CLK_LOCAL_MEM_FENCE);
		for (int k = 0, i = item; k < KEPT && i < MAP * MAP; k++, i += ITEMS) {
			const int u = x0 - 5 + i % MAP, v = y0 - 5 + i / MAP;
			const int inside = u >= 0 && v >= 0 && u < width && v < height;
			const float mx = kept[5 * k], my = kept[5 * k + 1], sx = kept[5 * k + 2] - mx * mx;
			const float sy = kept[5 * k + 3] - my * my, sxy = kept[5 * k + 4] - mx * my;
			const float a = 2.0f * mx * my + SSIM_C1, b = 2.0f * sxy + SSIM_C2;
			const float p = 1.0f / (mx * mx + my * my + SSIM_C1), q = 1.0f / (sx + sy + SSIM_C2);

			if (inside && u >= x0 && u < x0 + SIDE && v >= y0 && v < y0 + SIDE)
				sum += weight * (1.0f - a * b * p * q);
			map[i] = inside ? 2.0f * p * q * (my * (b - a) + mx * a * b * (q - p)) : 0.0f;
			map[MAP * MAP + i] = inside ? -a * b * p * q * q : 0.0f;
			map[2 * MAP * MAP + i] = inside ? 2.0f * a * p * q : 0.0f;
		}
		g = 0.0f;
		for (int m = 0; m < 3; m++) {
			const int at = (item / SIDE + 10) * IN + item % SIDE + 10;

			barrier(CLK_LOCAL_MEM_FENCE);
			for (int i = item; i < MAP * SIDE; i += ITEMS)
				line[i] = EDGE_FN(blur)(map + m * MAP * MAP + i / SIDE * MAP + i % SIDE, 1);
			barrier(CLK_LOCAL_MEM_FENCE);
			g += (m == 0 ? 1.0f : m == 1 ? 2.0f * x[at] : y[at]) * EDGE_FN(blur)(line + item, SIDE);
		}
		{
			const int at = (item / SIDE + 10) * IN + item % SIDE + 10, inside = px < width && py < height;
			const float d = x[at] - y[at], sign = d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : 0.0f;
			__global float *o = gradient + py * stride + px;

			if (inside)
				sum += (1.0f - weight) * fabs(d);
			g = inside ? scale * ((1.0f - weight) * sign - weight * g) : 0.0f;
			o[c * plane] = g;
		}
	}
	sum = EDGE_FN(total)(line, item, sum);
	if (item == 0)
		losses[block] = sum * scale;
}
