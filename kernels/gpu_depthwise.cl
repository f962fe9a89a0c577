/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_depthwise.cl - convolution of each channel by itself, channels last.
 *
 * A work-item computes four channels of one pixel; four neighbours in dim 0 have
 * the sixteen channels of a block of weights, dim 1 counts pixels, dim 2 blocks.
 *
 * x[images][ih][iw][xc]; w[xc / 16][kh][kw][16]. VEC 4: xc is a multiple of 4.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_depthwise
#endif
#ifndef VEC
#define VEC 1
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif

#if VEC == 4
#define FETCH(p) vload4(0, p)
#else
#define FETCH(p)                                                                                   \
	(float4)(*(p), n + 1 < xc ? (p)[1] : 0.0f, n + 2 < xc ? (p)[2] : 0.0f, n + 3 < xc ? (p)[3] : 0.0f)
#endif

__kernel __attribute__((reqd_work_group_size(4, 16, 1))) void KERNEL(
	__global const float *restrict x, __global const EDGE_WEIGHT *restrict w, const int first, const int pixels,
	const int xc, const int ih, const int iw, const int oh, const int ow, const int kh, const int kw, const int sy,
	const int sx, const int dy, const int dx, const int py, const int px, EDGE_OUT EDGE_WI)
{
	const int pixel = get_global_id(1), quad = get_global_id(0), block = get_global_id(2);
	const int n = (first + block) * 16 + quad * 4;

	if (pixel >= pixels || n >= xc)
		return;

	const int y0 = pixel / ow % oh * sy - py, x0 = pixel % ow * sx - px, image = pixel / ow / oh;
	float4 sum = (float4)(0.0f);

	for (int ky = 0; ky < kh; ky++) {
		const int yy = y0 + ky * dy;

		if ((uint)yy >= (uint)ih)
			continue;
		for (int kx = 0; kx < kw; kx++) {
			const int xx = x0 + kx * dx;

			if ((uint)xx < (uint)iw)
				sum += FETCH(x + (((image * ih + yy) * iw + xx) * xc + n)) *
				       edge_weights4(((block * kh + ky) * kw + kx) * 4 + quad, w);
		}
	}
	EDGE_STORE(sum.x, pixel, n);
	if (n + 1 < xc)
		EDGE_STORE(sum.y, pixel, n + 1);
	if (n + 2 < xc)
		EDGE_STORE(sum.z, pixel, n + 2);
	if (n + 3 < xc)
		EDGE_STORE(sum.w, pixel, n + 3);
}
