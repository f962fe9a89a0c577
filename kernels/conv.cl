/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.cl - convolution, channels last, as a matrix product without a matrix.
 *
 * A work-item computes TILE_M output pixels of one panel of channels. For each
 * tap of the kernel it points one row pointer per pixel at the input channels
 * under that tap, or at `zeros` where that is outside the image, and runs the
 * inner loop of matmul.cl over them. Where nothing is cut off at the left or
 * right, the taps of a kernel row lie side by side in memory, and so do their
 * weights: then a whole kernel row is one run (few input channels are cheap).
 *
 * TRANSPOSED: the outputs of one phase (position modulo stride) are a plain
 * convolution by the taps that hit that phase. Dim 1 of the launch is phases
 * times tiles.
 *
 * GPU: a work-item has TILE_LANES columns of a panel; neighbours in dim 0 share
 * the panel, and dim 2 counts panels.
 *
 * x[images][id][ih][iw][xc]; panels[...][kd][kh][kw][c][WIDTH], c channels and
 * og outputs a group, per_group panels a group.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL conv
#endif
#include "tile_defaults.clh"
#ifndef RUN
#define RUN 0 /* kw * c where that is little, and input channels are not grouped */
#endif
#ifndef VOLUME
#define VOLUME 0 /* 1: three spatial dims */
#endif
#ifndef SPREAD
#define SPREAD 0 /* 1: taps lie so far apart that some see nothing but padding from a whole tile, and are left out */
#endif
#ifndef TRANSPOSED
#define TRANSPOSED 0
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#ifndef TILE_LANES
#define TILE_LANES 16
#endif
#ifndef GPU
#define GPU 0
#endif
#ifndef ROWS_FIRST
#define ROWS_FIRST 0 /* 1: neighbouring work-items share the panel, not the pixels */
#endif

#if GPU
#define GROUP
#define PANEL get_global_id(2)
#define TILE get_global_id(1)
#define LANE (get_global_id(0) * TILE_LANES)
#else
#define GROUP EDGE_SINGLE
#define PANEL get_global_id(ROWS_FIRST)
#define TILE get_global_id(!ROWS_FIRST)
#define LANE 0
#endif

#ifndef TILE_SHAPE
#define TILE_SHAPE PART_NV
#endif
#define COLUMNS (TILE_NV / PART_NV)
/* Columns of a part: of the whole panel where there is one part. */
#define PART_WIDTH (!GPU && PART_NV == TILE_NV ? WIDTH : PART_NV * TILE_LANES)
#define PARTS ((TILE_M + PART_M - 1) / PART_M * COLUMNS)
#define EDGE_TILE_OUT(c) edge_widen(c)
#if TRANSPOSED
#define EDGE_TILE_ROW(i) row[i]
#define KEEP_ROW(i) row[i] = ((image * od + tz * sz + phz) * oh + ty * sy + phy) * ow + tx * sx + phx;
#define BASE_Z tz
#define BASE_Y ty
#define BASE_X tx
#else
#define EDGE_TILE_ROW(i) (r0 + (i))
#define KEEP_ROW(i)
#define BASE_Z (tz * sz - pz)
#define BASE_Y (ty * sy - py)
#define BASE_X (tx * sx - px)
#endif

/* Pixel i of the tile: where its window starts; then on to the next, unless it is the last. */
#define PIXEL(i)                                                                                   \
	const int z##i = BASE_Z, y##i = BASE_Y, x##i = BASE_X;                                     \
	const int p##i = (((image * id + z##i) * ih + y##i) * iw + x##i) * xc;                     \
	if ((i) == m) {                                                                            \
		KEEP_ROW(i)                                                                        \
		whole &= x##i >= 0 && x##i + kw <= iw;                                             \
		if (r0 + (i) + 1 < pixels) {                                                       \
			m++;                                                                       \
			if (++tx == tw) {                                                          \
				tx = 0;                                                            \
				if (++ty == th) {                                                  \
					ty = 0;                                                    \
					if (++tz == td) {                                          \
						tz = 0;                                            \
						image++;                                           \
					}                                                          \
				}                                                                  \
			}                                                                          \
		}                                                                                  \
	}

#if VOLUME
#define INSIDE_Z(i) ((uint)(z##i + zz) < (uint)id) &&
#else
#define INSIDE_Z(i)
#endif
#define ROW(i)                                                                                     \
	__global const float *restrict a##i =                                                      \
		INSIDE_Z(i)((uint)(y##i + yy) < (uint)ih) && (whole || (uint)(x##i + xx) < (uint)iw) ? \
			from + p##i :                                                              \
			zeros;
#define SEES_NOTHING(i) &&a##i == zeros

__kernel GROUP void KERNEL(__global const float *restrict x, __global const EDGE_WEIGHT *restrict panels,
				 __global const float *restrict zeros, const int first, const int per_group,
				 const int tiles, const int c, const int og, const int xc, const int images, const int id,
				 const int ih, const int iw, const int od, const int oh, const int ow,
				 const int kd, const int kh, const int kw, const int sz, const int sy,
				 const int sx, const int dz, const int dy, const int dx, const int pz,
				 const int py, const int px, EDGE_OUT EDGE_WI)
{
	const int panel = first + PANEL, group = panel / per_group;
	const int phase = TILE / tiles;
#if TRANSPOSED
	const int phx = phase % sx, phy = phase / sx % sy, phz = phase / sx / sy;
	if (phz >= sz)
		return;
	const int tw = (ow - phx + sx - 1) / sx, th = (oh - phy + sy - 1) / sy, td = (od - phz + sz - 1) / sz;
#else
	const int tw = ow, th = oh, td = od;
	if (phase > 0)
		return;
#endif
	const int pixels = images * td * th * tw;

	for (int part = 0; part < PARTS; part++) {
		const int below = part / COLUMNS * PART_M, lane = LANE + part % COLUMNS * (PART_NV * TILE_LANES);
		const int r0 = TILE % tiles * TILE_M + below, rows = min(PART_M, min(TILE_M - below, pixels - r0));

		if (rows <= 0 || (panel - group * per_group) * WIDTH + lane >= og)
			continue;

		int tx = r0 % tw, ty = r0 / tw % th, tz = r0 / tw / th % td, image = r0 / tw / th / td;
		int m = 0;
#if TRANSPOSED
		int row[PART_M];
#endif
		bool whole = !TRANSPOSED && dx == 1 && c == xc;
		__global const EDGE_WEIGHT *weights = panels + ((long)PANEL * (kd * kh * kw * c) * WIDTH + lane);

		EDGE_REPEAT(PART_M, PIXEL)
		EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
		const int runs = whole ? 1 : kw, run = whole ? kw * c : c;
		for (int kz = 0; kz < kd; kz++)
			for (int ky = 0; ky < kh; ky++)
				for (int kx = 0; kx < runs; kx++) {
#if TRANSPOSED
					const int hz = phz + pz - kz * dz, hy = phy + py - ky * dy, hx = phx + px - kx * dx;
					const int zz = hz / sz, yy = hy / sy, xx = hx / sx;
					if (zz * sz != hz || yy * sy != hy || xx * sx != hx)
						continue;
#else
					const int zz = kz * dz, yy = ky * dy, xx = kx * dx;
#endif
					__global const float *from = x + (((zz * ih + yy) * iw + xx) * xc + group * c);
					__global const EDGE_WEIGHT *b = weights + (long)((kz * kh + ky) * kw + kx) * c * WIDTH;
					EDGE_REPEAT(PART_M, ROW)
#if SPREAD
					if (true EDGE_REPEAT(PART_M, SEES_NOTHING))
						continue;
#endif
#if RUN
					if (whole) {
						_Pragma("unroll") for (int at = 0; at < RUN; at++, b += WIDTH)
						{
							EDGE_TILE_LOAD
							EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
						}
						continue;
					}
#endif
					for (int at = 0; at < run; at++, b += WIDTH) {
						EDGE_TILE_LOAD
						EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
					}
				}
		const int n0 = group * og + (panel - group * per_group) * WIDTH + lane, end = (group + 1) * og;
#if EDGE_LIGHT
		if (rows == PART_M && n0 + PART_WIDTH <= end) {
			EDGE_REPEAT(PART_M, EDGE_TILE_STORE)
			continue;
		}
#endif
		EDGE_TILE_VECTOR t[PART_M * PART_NV];
		EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
		for (int i = 0; i < rows; i++)
			for (int j = 0; j < PART_NV; j++) {
				const int n = n0 + j * TILE_LANES;

				if (n < end)
					EDGE_STORE16(EDGE_TILE_OUT(t[i * PART_NV + j]), EDGE_TILE_ROW(i), n,
						     min(min(end, n0 + PART_WIDTH) - n, TILE_LANES));
			}
	}
}
