/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul.cl - rows times a constant matrix in panels: out = alpha * a b.
 *
 * b is [panels][k][WIDTH]; a work-item computes TILE_M rows of one panel (of
 * TILE_LANES columns of one panel when GPU: neighbours in dim 0 share it). Row r of a starts at (r / m1) * batch_stride + (r % m1) * row_stride
 * when TRANS_A, else at a_at + r * a_stride, and a_step lies between its elements. A tile that stands over the last row computes
 * that row again instead of branching in the inner loop, and stores it once; where it has LAST_M rows it computes only these.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL matmul
#endif
#include "tile_defaults.clh"
#ifndef TILE_LANES
#define TILE_LANES 16
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#ifndef TRANS_A
#define TRANS_A 0
#endif
#ifndef GPU
#define GPU 0
#endif
#ifndef STEPS
#define STEPS 0 /* 1: a_step is not 1 */
#endif
#ifndef ROWS_FIRST
#define ROWS_FIRST 0 /* 1: neighbouring work-items share the panel, not the rows */
#endif
#ifndef LAST_M
#define LAST_M 0 /* rows of the last tile, if they are known and fewer */
#endif
/* Of these, the rows of the last part, if they are fewer than others. */
#if EDGE_NARROW && TILE_M > 6
#define LAST_0 0
#define LAST_1 1
#define LAST_2 2
#define LAST_3 3
#define LAST_4 0
#define LAST_5 1
#define LAST_6 2
#define LAST_7 3
#define LAST EDGE_CAT(LAST_, LAST_M)
#else
#define LAST LAST_M
#endif

/*
 * Rows may be taken a block at a time (dim 2), such that those of a block stay near while all panels are gone over.
 *
 * A panel that is not the first comes from memory while the tiles of the one before it are computed:
 * each of them asks for its share, a few lines every STRETCH inputs.
 */
#define SHARES (ROWS_FIRST && !GPU && !TRANS_A && !STEPS)
#define STRETCH 32

#if TRANS_A
#define ROW_START(r) (((r) / m1) * k * m1 + (r) % m1)
#define ROW(i) __global const float *restrict a##i = a + ROW_START(min(r0 + (i), m - 1));
#else
#define ROW(i) __global const float *restrict a##i = a + (a_at + min(r0 + (i), m - 1) * a_stride);
#endif

#if GPU
#define GROUP
#define PANEL get_global_id(2)
#define TILE get_global_id(1)
#define LANE (get_global_id(0) * TILE_LANES)
#else
#define GROUP EDGE_SINGLE
#define PANEL get_global_id(ROWS_FIRST)
#if ROWS_FIRST
#define TILE ((int)(get_global_id(2) * get_global_size(0) + get_global_id(0)))
#else
#define TILE get_global_id(1)
#endif
#define LANE 0
#endif

#ifndef TILE_SHAPE
#define TILE_SHAPE PART_NV
#endif
#define COLUMNS (TILE_NV / PART_NV)
/* Columns of a part: of the whole panel where there is one part. */
#define PART_WIDTH (!GPU && PART_NV == TILE_NV ? WIDTH : PART_NV * TILE_LANES)
#define PARTS ((TILE_M + PART_M - 1) / PART_M * COLUMNS)
#define EDGE_TILE_OUT(c) edge_widen((c) * alpha)
#define EDGE_TILE_ROW(i) (r0 + (i))

/* The sums of `height` rows over all inputs. */
#if SHARES
#define PRODUCTS(height)                                                                           \
	for (int from = 0; from < k; from += STRETCH) {                                            \
		for (int i = 0; i < some; i++, soon += 64)                                         \
			EDGE_SOON(soon);                                                           \
		for (int at = from; at < min(k, from + STRETCH); at++, b += WIDTH) {               \
			EDGE_TILE_LOAD                                                             \
			EDGE_REPEAT(height, EDGE_TILE_STEP)                                        \
		}                                                                                  \
	}
#else
#if TRANS_A || STEPS
#define INPUTS int i = 0, at = 0; i < k; i++, at += TRANS_A ? m1 : a_step, b += WIDTH
#else
#define INPUTS int at = 0; at < k; at++, b += WIDTH
#endif
#define PRODUCTS(height)                                                                           \
	for (INPUTS) {                                                                             \
		EDGE_TILE_LOAD                                                                     \
		EDGE_REPEAT(height, EDGE_TILE_STEP)                                                \
	}
#endif

/* The first `height` rows of t, a vector at a time. */
#define STORE(height)                                                                              \
	for (int i = 0; i < height; i++)                                                           \
		for (int j = 0; j < PART_NV; j++) {                                                \
			const int n = n0 + j * TILE_LANES;                                         \
                                                                                                   \
			if (n < out_n)                                                             \
				EDGE_STORE16(EDGE_TILE_OUT(t[i * PART_NV + j]), r0 + i, n,         \
					     min(min(out_n, n0 + PART_WIDTH) - n, TILE_LANES));    \
		}

__kernel GROUP void KERNEL(__global const float *restrict a, __global const EDGE_WEIGHT *restrict panels,
				 const int first, const int m, const int m1, const int a_at, const int a_stride,
				 const int a_step, const int k, const float alpha,
				 EDGE_OUT EDGE_WI)
{
	const int panel = PANEL;

	for (int part = 0; part < PARTS; part++) {
		const int below = part / COLUMNS * PART_M, lane = LANE + part % COLUMNS * (PART_NV * TILE_LANES);
		const int r0 = TILE * TILE_M + below, rows = min(PART_M, min(TILE_M - below, m - r0));
		const int n0 = (first + panel) * WIDTH + lane;
		__global const EDGE_WEIGHT *restrict b = panels + ((long)panel * k * WIDTH + lane);

		if (rows <= 0 || n0 >= out_n)
			continue;
		EDGE_REPEAT(PART_M, ROW)
#if SHARES
		const int lines = k * (WIDTH * (int)sizeof(EDGE_WEIGHT)) / 64, tiles = get_global_size(0);
		const int some = part ? 0 : (lines / tiles + k / STRETCH) / (k / STRETCH + 1);
		const int next = get_global_size(2) > 1 && panel + 1 == (int)get_global_size(1) ? 0 : panel + 1;
		__global const char *soon = (__global const char *)(panels + (long)next * k * WIDTH) +
					    (long)lines * (int)get_global_id(0) / tiles * 64;
#endif
#if LAST
		if (rows == LAST) {
			EDGE_REPEAT(LAST, EDGE_TILE_ZERO)
			PRODUCTS(LAST)
			EDGE_TILE_VECTOR t[LAST * PART_NV];
			EDGE_REPEAT(LAST, EDGE_TILE_SAVE)
			STORE(LAST)
			continue;
		}
#endif
		EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
		PRODUCTS(PART_M)
#if EDGE_LIGHT
		if (rows == PART_M && n0 + PART_WIDTH <= out_n) {
			EDGE_REPEAT(PART_M, EDGE_TILE_STORE)
			continue;
		}
#endif
		EDGE_TILE_VECTOR t[PART_M * PART_NV];
		EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
		STORE(rows)
	}
}
