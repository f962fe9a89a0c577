/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu_gemm.cl - matrix products and convolutions by work-groups with local memory.
 *
 * A group of 16 by 16 work-items computes 16 * TILE_M rows by a panel of WIDTH
 * columns. BK values of k at a time, the group copies a tile of rows and a tile
 * of weights into local memory; then each work-item adds up TILE_M rows (y, y +
 * 16, ...) by WIDTH / 16 columns (x, x + 16, ...): neighbours in x read
 * neighbours of local memory and store neighbours of the output.
 *
 *	MODE 0	rows of a matrix times a constant in panels [panels][k][WIDTH]
 *	     1	the rows are the windows of a convolution, channels last; k runs over
 *		kernel rows, columns and the channels of a group
 *	     2	two activations, each with its strides, in batches (matmul_batch.cl)
 *
 * VEC 4 where k comes in whole quads of neighbours. TEXTURE 1: the weights are
 * texels of an image (see the prelude). An element is summed up in the order of
 * k whatever part of the panels is launched.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gpu_gemm
#endif
#ifndef MODE
#define MODE 0
#endif
#ifndef TILE_M
#define TILE_M 4
#endif
#ifndef WIDTH
#define WIDTH 64
#endif
#ifndef VEC
#define VEC 1
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#ifndef TEXTURE
#define TEXTURE 0
#endif
#ifndef TRANS_A
#define TRANS_A 0
#endif
#ifndef VOLUME
#define VOLUME 0
#endif
#ifndef B_ALONG_K
#define B_ALONG_K 0
#endif

#ifndef CARRY
#define CARRY 0
#endif
#ifndef EDGE_LOADS
#define EDGE_LOADS
#endif

#define BK 16
#define BM (16 * TILE_M)
#define LANES (WIDTH / 16)
#define AT_ONCE (16 * VEC) /* rows that the group reads at once */
#define PASSES ((BM + AT_ONCE - 1) / AT_ONCE)

#if MODE == 2
#define PARAM_W __global const float *restrict w,
#elif TEXTURE
#define PARAM_W __read_only image2d_t w, const int texel,
#define QUAD(i) EDGE_TEXEL(w, texel + (i))
#else
#define PARAM_W __global const EDGE_WEIGHT *restrict w,
#define QUAD(i) edge_weights4(i, w)
#endif

#if MODE == 0
#define PARAM_A const int m1,
#elif MODE == 1
#define PARAM_A                                                                                    \
	const int per_group, const int c, const int og, const int xc, const int id, const int ih, const int iw, const int od, const int oh, const int ow, const int kd, const int kh, const int kw, const int sz, const int sy, const int sx, const int dz, const int dy, const int dx, const int pz, const int py, const int px,
#else
#define PARAM_A                                                                                    \
	const int n0, const int n1, const int sa0, const int sa1, const int sa2, const int sb0, const int sb1, const int sb2, const int row_stride, const int k_stride, const int bk_stride, const int bn_stride,
#endif

#if LANES == 1
#define SUMS float
#define TAKE_B bs[at * WIDTH + x]
#elif LANES == 2
#define SUMS float2
#define TAKE_B (float2)(bs[at * WIDTH + x], bs[at * WIDTH + x + 16])
#else
#define SUMS float4
#define TAKE_B                                                                                     \
	(float4)(bs[at * WIDTH + x], bs[at * WIDTH + x + 16], bs[at * WIDTH + x + 32], bs[at * WIDTH + x + 48])
#endif

#if VEC == 4
#define SHARE(i, v)                                                                                \
	as[i] = v.x;                                                                               \
	as[(i) + 1] = v.y;                                                                         \
	as[(i) + 2] = v.z;                                                                         \
	as[(i) + 3] = v.w;
#define VALUES float4
#define FETCH(p) vload4(0, p)
#else
#define SHARE(i, v) as[i] = v;
#define VALUES float
#define FETCH(p) (*(p))
#endif

#define ZERO(i) SUMS c##i = (SUMS)(0.0f);
#define STEP(i) c##i += as[(y + 16 * (i)) * (BK + 1) + at] * b;
#if LANES == 1
#define STORE(i)                                                                                   \
	if (r0 + y + 16 * (i) < m && n + x < end)                                                  \
		EDGE_STORE(c##i * alpha, row0 + y + 16 * (i), n + x);
#elif LANES == 2
#define STORE(i)                                                                                   \
	if (r0 + y + 16 * (i) < m) {                                                               \
		if (n + x < end)                                                                   \
			EDGE_STORE(c##i.x * alpha, row0 + y + 16 * (i), n + x);                    \
		if (n + x + 16 < end)                                                              \
			EDGE_STORE(c##i.y * alpha, row0 + y + 16 * (i), n + x + 16);               \
	}
#else
#define STORE(i)                                                                                   \
	if (r0 + y + 16 * (i) < m) {                                                               \
		if (n + x < end)                                                                   \
			EDGE_STORE(c##i.x * alpha, row0 + y + 16 * (i), n + x);                    \
		if (n + x + 16 < end)                                                              \
			EDGE_STORE(c##i.y * alpha, row0 + y + 16 * (i), n + x + 16);               \
		if (n + x + 32 < end)                                                              \
			EDGE_STORE(c##i.z * alpha, row0 + y + 16 * (i), n + x + 32);               \
		if (n + x + 48 < end)                                                              \
			EDGE_STORE(c##i.w * alpha, row0 + y + 16 * (i), n + x + 48);               \
	}
#endif

__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void KERNEL(
	EDGE_LOADS __global const float *restrict a, PARAM_W const int first, const int m, const int k, PARAM_A const float alpha,
	EDGE_OUT EDGE_WI)
{
	__local float as[BM * (BK + 1)], bs[BK * WIDTH];
	const int x = get_local_id(0), y = get_local_id(1), item = y * 16 + x;
	const int r0 = (int)get_group_id(1) * BM, mine = item / (BK / VEC), kk = item % (BK / VEC) * VEC;
	int start[PASSES], at_k = kk;

#if MODE == 2
	const int panels = (out_n + WIDTH - 1) / WIDTH, batch = (int)get_global_id(2) / panels;
	const int n = (int)get_global_id(2) % panels * WIDTH, end = out_n, row0 = batch * m + r0;
	const int d0 = batch % n0, d1 = batch / n0 % n1, d2 = batch / n0 / n1;
	__global const float *restrict am = a + (d0 * sa0 + d1 * sa1 + d2 * sa2);
	__global const float *restrict bm = w + (d0 * sb0 + d1 * sb1 + d2 * sb2) + n * bn_stride;
#else
	const int row0 = r0;
	const int quads = (int)get_global_id(2) * k * (WIDTH / 4);
	__global const float *restrict am = a;
#endif
#if MODE == 0
	const int n = (first + (int)get_global_id(2)) * WIDTH, end = out_n;
#elif MODE == 1
	const int panel = first + (int)get_global_id(2), group = panel / per_group;
	const int n = group * og + (panel - group * per_group) * WIDTH, end = (group + 1) * og;
	int py0[PASSES], px0[PASSES], ci = kk % c, kx = kk / c % kw, ky = kk / c / kw % kh;
#if VOLUME
	int pz0[PASSES], kz = kk / c / kw / kh;
#endif
#endif

	for (int p = 0; p < PASSES; p++) {
		const int r = min(r0 + mine + p * AT_ONCE, m - 1);

#if MODE == 0
		start[p] = TRANS_A ? r / m1 * k * m1 + r % m1 : r * k;
#elif MODE == 2
		start[p] = r * row_stride;
#else
		const int tx = r % ow, ty = r / ow % oh, tz = r / ow / oh % od, image = r / ow / oh / od;

		py0[p] = ty * sy - py;
		px0[p] = tx * sx - px;
#if VOLUME
		pz0[p] = tz * sz - pz;
		start[p] = (((image * id + pz0[p]) * ih + py0[p]) * iw + px0[p]) * xc + group * c;
#else
		start[p] = ((image * ih + py0[p]) * iw + px0[p]) * xc + group * c;
#endif
#endif
	}

#if CARRY
	const int load_step = (load_each + (k + BK - 1) / BK - 1) / ((k + BK - 1) / BK), load_items = EDGE_LOAD_ITEMS;
	int load_at = EDGE_LOAD_ITEM, load_left = load_each;
#endif

	EDGE_REPEAT(TILE_M, ZERO)
	for (int k0 = 0; k0 < k; k0 += BK, at_k += BK) {
#if MODE == 1
#if VOLUME
		const int tap = ((kz * dz * ih + ky * dy) * iw + kx * dx) * xc + ci;
#else
		const int tap = (ky * dy * iw + kx * dx) * xc + ci;
#endif
#endif
		for (int p = 0; p < PASSES; p++) {
			const int row = mine + p * AT_ONCE;
			VALUES v = (VALUES)(0.0f);

#if MODE == 0
			if (at_k < k)
				v = FETCH(am + start[p] + (TRANS_A ? at_k * m1 : at_k));
#elif MODE == 2
			if (at_k < k)
				v = FETCH(am + start[p] + at_k * k_stride);
#else
			bool inside = at_k < k && (uint)(py0[p] + ky * dy) < (uint)ih && (uint)(px0[p] + kx * dx) < (uint)iw;

#if VOLUME
			inside = inside && (uint)(pz0[p] + kz * dz) < (uint)id;
#endif
			if (inside)
				v = FETCH(am + start[p] + tap);
#endif
			if (row < BM) {
				SHARE(row * (BK + 1) + kk, v)
			}
		}
#if MODE == 2
		for (int i = item; i < BK * WIDTH; i += 256) {
#if B_ALONG_K
			const int bk = i % BK, col = i / BK;
#else
			const int bk = i / WIDTH, col = i % WIDTH;
#endif
			bs[bk * WIDTH + col] =
				k0 + bk < k && n + col < end ? bm[(k0 + bk) * bk_stride + col * bn_stride] : 0.0f;
		}
#else
		for (int i = item; i < BK * WIDTH / 4; i += 256)
			vstore4(k0 + i / (WIDTH / 4) < k ? QUAD(quads + k0 * (WIDTH / 4) + i) : (float4)(0.0f), i, bs);
#endif
#if MODE == 1
		for (ci += BK; ci >= c;) {
			ci -= c;
			if (++kx == kw) {
				kx = 0;
				++ky;
#if VOLUME
				if (ky == kh) {
					ky = 0;
					kz++;
				}
#endif
			}
		}
#endif
#if CARRY
		for (int j = min(load_step, load_left); j > 0; j--, load_left--, load_at += load_items)
			EDGE_LOAD_TEXEL(load_at)
#endif
		barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
		for (int at = 0; at < BK; at++) {
			const SUMS b = TAKE_B;

			EDGE_REPEAT(TILE_M, STEP)
		}
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	EDGE_REPEAT(TILE_M, STORE)
}
