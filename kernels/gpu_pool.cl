/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_pool.cl - largest value or mean under a window, channels last: an element
 * of the output a work-item, neighbours are channels.
 *
 * Positions outside the image count for the mean as in pool.cl.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_pool
#endif
#ifndef MAX
#define MAX 1
#endif
#ifndef ITEMS
#define ITEMS 64
#endif

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void KERNEL(
	__global const float *restrict x, const int rows, const int id, const int ih, const int iw, const int od,
	const int oh, const int ow, const int kd, const int kh, const int kw, const int sz, const int sy, const int sx,
	const int dz, const int dy, const int dx, const int pz, const int py, const int px, const int bz, const int by,
	const int bx, const int with_pad, EDGE_OUT EDGE_WI)
{
	const int at = (int)get_global_id(0), n = at % out_n, o = at / out_n % ow, r = at / out_n / ow;
	const int x0 = o * sx - px, y0 = r % oh * sy - py, z0 = r / oh % od * sz - pz, image = r / oh / od;
	float v = MAX ? -INFINITY : 0.0f;
	int count = 0;

	if (r >= rows)
		return;
	for (int k = 0; k < kd * kh * kw; k++) {
		const int xx = x0 + k % kw * dx, yy = y0 + k / kw % kh * dy, zz = z0 + k / kw / kh * dz;
		const bool in = (uint)zz < (uint)id && (uint)yy < (uint)ih && (uint)xx < (uint)iw;

		if (in) {
			const float a = x[(((image * id + zz) * ih + yy) * iw + xx) * out_n + n];

			v = MAX ? edge_max(a, v) : v + a;
		}
		count += in || (with_pad && zz < bz && yy < by && xx < bx);
	}
	if (!MAX && count)
		v /= (float)count;
	EDGE_STORE(v, r * ow + o, n);
}
