/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemv.cl - one row times a constant matrix in panels: out = alpha * a b.
 *
 * Bound by how fast the weights arrive: a work-item reads one panel strictly
 * forward, with enough independent sums in flight that no addition is waited for.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gemv
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#ifndef TILE_NV
#define TILE_NV 2
#endif

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict a, __global const EDGE_WEIGHT *restrict panels,
				 const int first, const int k, const float alpha, EDGE_OUT EDGE_WI)
{
	const int panel = get_global_id(0);
	__global const EDGE_WEIGHT *restrict b = panels + (long)panel * k * (16 * TILE_NV);
	float16 p0 = (float16)(0.0f), p1 = p0, p2 = p0, p3 = p0;
#if TILE_NV == 2
	float16 q0 = p0, q1 = p0, q2 = p0, q3 = p0;
#endif
	int i = 0;

	for (; i + 4 <= k; i += 4, b += 64 * TILE_NV) {
		p0 += a[i] * edge_weights16(0, b);
		p1 += a[i + 1] * edge_weights16(TILE_NV, b);
		p2 += a[i + 2] * edge_weights16(2 * TILE_NV, b);
		p3 += a[i + 3] * edge_weights16(3 * TILE_NV, b);
#if TILE_NV == 2
		q0 += a[i] * edge_weights16(1, b);
		q1 += a[i + 1] * edge_weights16(3, b);
		q2 += a[i + 2] * edge_weights16(5, b);
		q3 += a[i + 3] * edge_weights16(7, b);
#endif
	}
	for (; i < k; i++, b += 16 * TILE_NV) {
		p0 += a[i] * edge_weights16(0, b);
#if TILE_NV == 2
		q0 += a[i] * edge_weights16(1, b);
#endif
	}

	const int n = (first + panel) * (16 * TILE_NV);

	EDGE_STORE16(((p0 + p1) + (p2 + p3)) * alpha, 0, n, min(out_n - n, 16));
#if TILE_NV == 2
	if (n + 16 < out_n)
		EDGE_STORE16(((q0 + q1) + (q2 + q3)) * alpha, 0, n + 16, min(out_n - n - 16, 16));
#endif
}
