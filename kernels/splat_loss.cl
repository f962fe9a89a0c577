/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_loss.cl - (1 - w) L1 + w (1 - SSIM), and its gradient by the picture.
 *
 * A work-item does LOSS_W by LOSS_H pixels. The similarity at a pixel depends on
 * 11 x 11 others and its gradient on the similarities of as many, so a block
 * starts from a picture that is ten pixels larger on each side and keeps
 * everything between in its own memory: no maps lie in the device's. What lies
 * outside the image is zero and counts for nothing.
 *
 * gradient: planes red, green, blue.
 * losses: one sum a work-item.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_loss
#endif

#define LOSS_W 64
#define LOSS_H 32
#define MAP_W 80 /* columns -5 .. LOSS_W + 5, in whole vectors */
#define MAP_H (LOSS_H + 10)
#define IN_W 96 /* columns -10 ..: what the vectors of the maps read */
#define IN_H (LOSS_H + 20)
#define SSIM_C1 1e-4f
#define SSIM_C2 9e-4f

#define W0 1.0283801e-3f
#define W1 7.5987581e-3f
#define W2 3.6000773e-2f
#define W3 1.0936069e-1f
#define W4 2.1300554e-1f
#define W5 2.6601172e-1f

/* The window along a line: p is where it begins, step how far apart its samples are. */
EDGE_OVERLOAD float16 EDGE_FN(blur)(const float *p, int step)
{
	return W0 * (vload16(0, p) + vload16(0, p + 10 * step)) + W1 * (vload16(0, p + step) + vload16(0, p + 9 * step)) +
	       W2 * (vload16(0, p + 2 * step) + vload16(0, p + 8 * step)) +
	       W3 * (vload16(0, p + 3 * step) + vload16(0, p + 7 * step)) +
	       W4 * (vload16(0, p + 4 * step) + vload16(0, p + 6 * step)) + W5 * vload16(0, p + 5 * step);
}

/* Rows y0 - 10 .. of the picture and the photograph, columns x0 - 10 .., zero outside. */
EDGE_OVERLOAD void EDGE_FN(read)(__global const float *restrict picture, __global const uchar *restrict photo,
				 int width, int height, long stride, int x0, int y0, float *x, float *y)
{
	for (int i = 0; i < IN_H; i++) {
		const int row = y0 - 10 + i, inside = row >= 0 && row < height;
		const int first = max(0, 10 - x0), end = min(IN_W, width - x0 + 10);

		for (int k = 0; k < IN_W; k += 16) {
			vstore16((float16)(0.0f), 0, x + i * IN_W + k);
			vstore16((float16)(0.0f), 0, y + i * IN_W + k);
		}
		for (int k = first; inside && k < end; k++) {
			x[i * IN_W + k] = picture[row * stride + x0 - 10 + k];
			y[i * IN_W + k] = (float)photo[(long)row * width + x0 - 10 + k] * (1.0f / 255.0f);
		}
	}
}

/* The blurred x, y, xx, yy, xy of MAP_W columns by IN_H rows, along rows only. */
EDGE_OVERLOAD void EDGE_FN(across)(const float *x, const float *y, float *out)
{
	const int plane = MAP_W * IN_H;
	float xx[IN_W], yy[IN_W], xy[IN_W];

	for (int i = 0; i < IN_H; i++) {
		const float *xr = x + i * IN_W, *yr = y + i * IN_W;

		for (int k = 0; k < IN_W; k += 16) {
			const float16 a = vload16(0, xr + k), b = vload16(0, yr + k);

			vstore16(a * a, 0, xx + k);
			vstore16(b * b, 0, yy + k);
			vstore16(a * b, 0, xy + k);
		}
		for (int k = 0; k < MAP_W; k += 16) {
			float *o = out + i * MAP_W + k;

			vstore16(EDGE_FN(blur)(xr + k, 1), 0, o);
			vstore16(EDGE_FN(blur)(yr + k, 1), 0, o + plane);
			vstore16(EDGE_FN(blur)(xx + k, 1), 0, o + 2 * plane);
			vstore16(EDGE_FN(blur)(yy + k, 1), 0, o + 3 * plane);
			vstore16(EDGE_FN(blur)(xy + k, 1), 0, o + 4 * plane);
		}
	}
}

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const float *restrict image,
				 __global const uchar *restrict photograph, __global float *restrict gradient,
				 __global float *restrict losses EDGE_WI)
{
	const int width = (int)state[STATE_WIDTH], height = (int)state[STATE_HEIGHT];
	const int across = (width + LOSS_W - 1) / LOSS_W, block = (int)get_global_id(0);
	const int x0 = block % across * LOSS_W, y0 = block / across * LOSS_H;
	const long stride = (long)state[STATE_STRIDE], plane = stride * (long)state[STATE_ROWS];
	const float weight = splat_float(state, STATE_SSIM_WEIGHT);
	const float scale = 1.0f / (3.0f * (float)width * (float)height);
	float x[IN_W * IN_H + 16], y[IN_W * IN_H + 16], map[5 * MAP_W * IN_H + 16], back[3 * MAP_W * MAP_H + 16];
	float line[3 * LOSS_W * MAP_H];
	float sum = 0.0f;

	if (y0 >= height) {
		losses[block] = 0.0f;
		return;
	}
	for (int c = 0; c < 3; c++) {
		EDGE_FN(read)(image + c * plane, photograph + (long)c * width * height, width, height, stride, x0, y0, x,
			      y);
		EDGE_FN(across)(x, y, map);
		for (int i = 0; i < MAP_H; i++) {
			const int row = y0 - 5 + i;

			for (int k = 0; k < MAP_W; k += 16) {
				const float *m = map + i * MAP_W + k;
				const int16 column = SPLAT_LANES_I + (x0 - 5 + k);
				const int16 inside = (column >= 0) & (column < width) & -(row >= 0 && row < height);
				const float16 mx = EDGE_FN(blur)(m, MAP_W);
				const float16 my = EDGE_FN(blur)(m + MAP_W * IN_H, MAP_W);
				const float16 sx = EDGE_FN(blur)(m + 2 * MAP_W * IN_H, MAP_W) - mx * mx;
				const float16 sy = EDGE_FN(blur)(m + 3 * MAP_W * IN_H, MAP_W) - my * my;
				const float16 sxy = EDGE_FN(blur)(m + 4 * MAP_W * IN_H, MAP_W) - mx * my;
				const float16 a = 2.0f * mx * my + SSIM_C1, b = 2.0f * sxy + SSIM_C2;
				const float16 p = 1.0f / (mx * mx + my * my + SSIM_C1);
				const float16 q = 1.0f / (sx + sy + SSIM_C2), s = a * b * p * q;
				float *o = back + i * MAP_W + k;
				/* columns of the block alone count for its loss */
				const int16 own = inside & (column >= x0) & (column < x0 + LOSS_W) &
						  -(i >= 5 && i < LOSS_H + 5);

				sum += weight * splat_sum(select((float16)(0.0f), 1.0f - s, own));
				vstore16(select((float16)(0.0f), 2.0f * p * q * (my * (b - a) + mx * a * b * (q - p)), inside), 0,
					 o);
				vstore16(select((float16)(0.0f), -a * b * p * q * q, inside), 0, o + MAP_W * MAP_H);
				vstore16(select((float16)(0.0f), 2.0f * a * p * q, inside), 0, o + 2 * MAP_W * MAP_H);
			}
		}
		for (int i = 0; i < MAP_H; i++)
			for (int k = 0; k < LOSS_W; k += 16)
				for (int n = 0; n < 3; n++)
					vstore16(EDGE_FN(blur)(back + (n * MAP_H + i) * MAP_W + k, 1), 0,
						 line + (n * MAP_H + i) * LOSS_W + k);
		for (int i = 0; i < LOSS_H && y0 + i < (int)state[STATE_ROWS]; i++) {
			for (int k = 0; k < LOSS_W && x0 + k < (int)stride; k += 16) {
				const float *m = line + i * LOSS_W + k;
				const float16 a = vload16(0, x + (i + 10) * IN_W + k + 10);
				const float16 b = vload16(0, y + (i + 10) * IN_W + k + 10), d = a - b;
				const int16 inside = (SPLAT_LANES_I + (x0 + k) < width) & -(y0 + i < height);
				const float16 g1 = EDGE_FN(blur)(m, LOSS_W), g2 = EDGE_FN(blur)(m + LOSS_W * MAP_H, LOSS_W);
				const float16 g3 = EDGE_FN(blur)(m + 2 * LOSS_W * MAP_H, LOSS_W);
				float16 g = select((float16)(0.0f), select((float16)(1.0f), (float16)(-1.0f), d < 0.0f), d != 0.0f);
				__global float *o = gradient + (y0 + i) * stride + x0 + k;

				sum += (1.0f - weight) * splat_sum(select((float16)(0.0f), fabs(d), inside));
				g = scale * ((1.0f - weight) * g - weight * (g1 + 2.0f * a * g2 + b * g3));
				g = select((float16)(0.0f), g, inside);
				vstore16(g, 0, o + c * plane);
			}
		}
	}
	losses[block] = sum * scale;
}
