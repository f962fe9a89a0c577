/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_batch.cl - products of matrices of which neither need be constant.
 *
 * A job is (batch, panel of 32 columns, block of rows). The work-item first
 * copies the panel of b into its own part of the scratch memory, [k][32], and
 * then works as matmul.cl does, whatever the strides of b were. A few
 * work-items take the jobs in turn, so that the scratch memory stays small.
 *
 * Batch t of the output reads a at a_at + the sum of its digits (of sizes n0, n1 and
 * the rest) times sa0, sa1, sa2, and b likewise. The last panel is one vector where
 * that is enough.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL matmul_batch
#endif
#define TILE_SHAPE PART_NV
#ifndef TILE_M
#define TILE_M 8
#endif
#define TILE_NV 2
#define TILE_LANES 16

/* A matrix that lies turned: 16 columns by 16 rows of it at a time. */
#define TURN_READ(i) const float16 a##i = vload16(0, p + min(i, left) * (long)bn_stride);
#define TURN_KEEP(i) vstore16(turned##i, 0, own + (first + i) * 32 + l);

#define ROW(i) __global const float *restrict a##i = am + min(r0 + (i), m - 1) * row_stride;
#define NARROW_STEP(i)                                                                             \
	{                                                                                          \
		const float16 av = (float16)(a##i[at]);                                            \
		EDGE_TILE_FMA_1(i)                                                                 \
	}
#define EDGE_TILE_OUT(c) ((c) * alpha)
#define EDGE_TILE_ROW(i) (batch * m + r0 + (i))

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict a, __global const float *restrict bm,
				 __global float *scratch, const int jobs, const int blocks,
				 const int block, const int m, const int k, const int n0, const int n1,
				 const int sa0, const int sa1, const int sa2, const int sb0, const int sb1,
				 const int sb2, const int a_at, const int b_at, const int workers, const int row_stride, const int k_stride,
				 const int bk_stride, const int bn_stride, const float alpha, EDGE_OUT EDGE_WI)
{
	const int panels = (out_n + 31) / 32;
	__global float *own = scratch + (long)get_global_id(0) * k * 32;

	for (int job = get_global_id(0); job < jobs; job += workers) {
		const int batch = job / (panels * blocks), panel = job / blocks % panels;
		const int d0 = batch % n0, d1 = batch / n0 % n1, d2 = batch / n0 / n1;
		const int start = job % blocks * block, end = min(start + block, m), col = panel * 32;
		const int lanes = min(32, out_n - col);
		__global const float *restrict am = a + (a_at + d0 * sa0 + d1 * sa1 + d2 * sa2);
		__global const float *restrict from = bm + (b_at + d0 * sb0 + d1 * sb1 + d2 * sb2) + col * bn_stride;

		if (bn_stride == 1) {
			for (int i = 0; i < k; i++) {
				vstore16(edge_load16(from + i * bk_stride, lanes), 0, own + i * 32);
				vstore16(lanes > 16 ? edge_load16(from + i * bk_stride + 16, lanes - 16) : (float16)(0.0f), 1,
					 own + i * 32);
			}
		} else {
			const int whole = bk_stride == 1 ? k / 16 * 16 : 0;

			for (int l = 0; l < lanes; l += 16)
				for (int first = 0; first < whole; first += 16) {
					__global const float *p = from + (long)l * bn_stride + first;
					const int left = lanes - 1 - l; /* columns beyond it are it once more, and never stored */

					EDGE_REPEAT(16, TURN_READ)
					EDGE_TURN(a)
					EDGE_REPEAT(16, TURN_KEEP)
				}
			for (int l = 0; l < 32; l++)
				for (int i = whole; i < k; i++)
					own[i * 32 + l] = l < lanes ? from[l * bn_stride + i * bk_stride] : 0.0f;
		}
		for (int r0 = start; r0 < end; r0 += PART_M) {
			const int rows = min(PART_M, end - r0);

			EDGE_REPEAT(PART_M, ROW)
			for (int lane = 0; lane < lanes; lane += PART_NV * 16) {
				const int n0 = col + lane, wide = min(lanes - lane, PART_NV * 16);
				__global const float *b = own + lane;
				float16 t[PART_M * PART_NV];

#if PART_NV == 2
				if (wide <= 16) {
					EDGE_REPEAT(PART_M, EDGE_TILE_ZERO_1)
					for (int i = 0, at = 0; i < k; i++, at += k_stride, b += 32) {
						EDGE_TILE_LOAD_1
						EDGE_REPEAT(PART_M, NARROW_STEP)
					}
					EDGE_REPEAT(PART_M, EDGE_TILE_SAVE_1)
					for (int i = 0; i < rows; i++)
						EDGE_STORE16(EDGE_TILE_OUT(t[i * PART_NV]), EDGE_TILE_ROW(i), n0, wide);
					continue;
				}
#endif
				EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
				for (int i = 0, at = 0; i < k; i++, at += k_stride, b += 32) {
					EDGE_TILE_LOAD
					EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
				}
#if EDGE_LIGHT
				if (rows == PART_M && wide == PART_NV * 16) {
					EDGE_REPEAT(PART_M, EDGE_TILE_STORE)
					continue;
				}
#endif
				EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
				for (int i = 0; i < rows; i++)
					for (int j = 0; j < PART_NV && j * 16 < wide; j++)
						EDGE_STORE16(EDGE_TILE_OUT(t[i * PART_NV + j]), EDGE_TILE_ROW(i), n0 + j * 16,
							     min(wide - j * 16, 16));
			}
		}
	}
}
