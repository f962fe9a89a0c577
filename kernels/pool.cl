/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.cl - largest value or mean under a window, channels last.
 *
 * A work-item computes `height` output rows, sixteen channels at a time, so
 * that what it reads for one channel block of a row stays near. Positions
 * outside the image count for the mean only when `with_pad`, and then only up
 * to the padding that was asked for (bz, by, bx: its end, in input positions).
 * KW: the width of a window of MAX in two dims; where none of its columns is
 * outside, it is one run of loads a row.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL pool
#endif
#ifndef MAX
#define MAX 1
#endif
#ifndef KW
#define KW 0
#endif

#if MAX && KW
EDGE_OVERLOAD float16 EDGE_FN(largest)(__global const float *p, const int rows, const int row_step, const int step, const int lanes)
{
	float16 v = (float16)(-INFINITY);

	for (int y = 0; y < rows; y++, p += row_step)
		_Pragma("unroll") for (int i = 0; i < KW; i++)
			v = edge_max(edge_load16(p + i * step, lanes), v);
	return v;
}
#endif

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, const int height, const int rows, const int id,
				 const int ih, const int iw, const int od, const int oh, const int ow,
				 const int kd, const int kh, const int kw, const int sz, const int sy,
				 const int sx, const int dz, const int dy, const int dx, const int pz,
				 const int py, const int px, const int bz, const int by, const int bx,
				 const int with_pad, EDGE_OUT EDGE_WI)
{
	const int end = min((int)(get_global_id(0) + 1) * height, rows);

	for (int r = get_global_id(0) * height; r < end; r++) {
		const int y0 = r % oh * sy - py, z0 = r / oh % od * sz - pz, image = r / oh / od;
#if MAX && KW
		const int low = y0 < 0 ? (-y0 + dy - 1) / dy : 0, high = min(kh, (ih - y0 + dy - 1) / dy);
		__global const float *top = x + (image * ih + y0 + low * dy) * iw * out_n;
#endif

		for (int o = 0; o < ow; o++) {
			const int x0 = o * sx - px;

			for (int n = 0; n < out_n; n += 16) {
				const int lanes = min(out_n - n, 16);
#if MAX && KW
				if (x0 >= 0 && x0 + (KW - 1) * dx < iw) {
					__global const float *p = top + (x0 * out_n + n);
					const int row_step = dy * iw * out_n, step = dx * out_n;

					if (lanes == 16)
						EDGE_STORE16(EDGE_FN(largest)(p, high - low, row_step, step, 16), r * ow + o, n, 16);
					else if (lanes == 8)
						EDGE_STORE16(EDGE_FN(largest)(p, high - low, row_step, step, 8), r * ow + o, n, 8);
					else
						EDGE_STORE16(EDGE_FN(largest)(p, high - low, row_step, step, lanes), r * ow + o, n, lanes);
					continue;
				}
#endif
				float16 v = (float16)(MAX ? -INFINITY : 0.0f);
#if !MAX
				int count = 0;
#endif

				for (int kz = 0; kz < kd; kz++) {
					const int zz = z0 + kz * dz;
#if MAX
					if ((uint)zz >= (uint)id)
						continue;
#endif
					for (int ky = 0; ky < kh; ky++) {
						const int yy = y0 + ky * dy;
#if MAX
						if ((uint)yy >= (uint)ih)
							continue;
#endif
						__global const float *p = x + ((image * id + zz) * ih + yy) * iw * out_n + n;

						for (int kx = 0; kx < kw; kx++) {
							const int xx = x0 + kx * dx;
#if MAX
							if ((uint)xx < (uint)iw)
								v = edge_max(edge_load16(p + xx * out_n, lanes), v);
#else
							const bool in = (uint)zz < (uint)id && (uint)yy < (uint)ih &&
									(uint)xx < (uint)iw;

							count += in || (with_pad && zz < bz && yy < by && xx < bx);
							if (in)
								v += edge_load16(p + xx * out_n, lanes);
#endif
						}
					}
				}
#if !MAX
				if (count)
					v /= (float16)((float)count);
#endif
				EDGE_STORE16(v, r * ow + o, n, lanes);
			}
		}
	}
}
