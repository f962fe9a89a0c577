/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_quant.cl - convolution, channels last, with weights in few bits.
 *
 * conv.cl with the sums of matmul_quant.cl: a work-item has TILES tiles of
 * TILE_M pixels of one panel, unpacks `step` inputs (at most WINDOW) at a time and
 * uses them for all its pixels. Inputs are numbered (tap, channel) in the order of the
 * kernel's taps. ONCE: all inputs are unpacked at once, and sums stay in
 * registers until they are stored; else they wait in memory in between. A run is what lies side by side in the image: the channels
 * under one tap or, where nothing is cut off at the left or right, under a
 * row of taps.
 *
 * x[images][id][ih][iw][xc]; c channels and og outputs a group, per_group
 * panels a group.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL conv_quant
#endif
#define TILE_SHAPE PART_NV
#ifndef TILE_M
#define TILE_M 8
#endif
#ifndef TILE_NV
#define TILE_NV 2
#endif
#ifndef TILES
#define TILES 8
#endif
#ifndef VOLUME
#define VOLUME 0 /* 1: three spatial dims */
#endif
#ifndef TRANSPOSED
#define TRANSPOSED 0
#endif
#ifndef ONCE
#define ONCE 0 /* 1: there are at most WINDOW inputs */
#endif
#define TILE_LANES 16
#if ONCE
#define WINDOW (TILE_NV == 1 ? 640 : 320) /* 40 KiB */
#else
#define WINDOW (TILE_NV == 1 ? 256 : 160) /* 16 and 20 KiB */
#endif
#define WIDTH (16 * TILE_NV)
#ifndef EDGE_QUANT
#include "quant.clh"
#endif

#if TRANSPOSED
#define BASE_Z tz
#define BASE_Y ty
#define BASE_X tx
#else
#define BASE_Z (tz * sz - pz)
#define BASE_Y (ty * sy - py)
#define BASE_X (tx * sx - px)
#endif

/* Pixel i of the tile: where its window starts; then on to the next, unless it is the last. */
#define PIXEL(i)                                                                                   \
	const int z##i = BASE_Z, y##i = BASE_Y, x##i = BASE_X;                                     \
	const int p##i = (((image * id + z##i) * ih + y##i) * iw + x##i) * xc;                     \
	whole &= x##i >= 0 && x##i + kw <= iw;                                                     \
	if (r0 + (i) + 1 < pixels) {                                                               \
		if (++tx == tw) {                                                                  \
			tx = 0;                                                                    \
			if (++ty == th) {                                                          \
				ty = 0;                                                            \
				if (++tz == td) {                                                  \
					tz = 0;                                                    \
					image++;                                                   \
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
#define RESUME_1(i) float16 c##i##_0 = vload16((row + (i)) * TILE_NV + col, sums);
#define RESUME_2(i) RESUME_1(i) float16 c##i##_1 = vload16((row + (i)) * TILE_NV + col + 1, sums);
#define RESUME(i) EDGE_CAT(RESUME_, PART_NV)(i)
#define PAUSE_1(i) vstore16(c##i##_0, (row + (i)) * TILE_NV + col, sums);
#define PAUSE_2(i) PAUSE_1(i) vstore16(c##i##_1, (row + (i)) * TILE_NV + col + 1, sums);
#define PAUSE(i) EDGE_CAT(PAUSE_, PART_NV)(i)
/* Where pixel r is in the output. */
#if TRANSPOSED
#define PLACE(r) (((((r) / tw / th / td) * od + (r) / tw / th % td * sz + phz) * oh + (r) / tw % th * sy + phy) * ow + (r) % tw * sx + phx)
#else
#define PLACE(r) (r)
#endif

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global const uchar *restrict panels,
				 __global const float *restrict zeros, const int first, const int bytes,
				 const int per_group, const int blocks, const int c, const int og, const int xc,
				 const int images, const int id, const int ih, const int iw, const int od, const int oh,
				 const int ow, const int kd, const int kh, const int kw, const int sz, const int sy,
				 const int sx, const int dz, const int dy, const int dx, const int pz, const int py,
				 const int px, const int step, EDGE_OUT EDGE_WI)
{
	const int panel = first + (int)get_global_id(0), group = panel / per_group;
#if TRANSPOSED
	const int phase = get_global_id(1) / blocks;
	const int phx = phase % sx, phy = phase / sx % sy, phz = phase / sx / sy;
	const int tw = (ow - phx + sx - 1) / sx, th = (oh - phy + sy - 1) / sy, td = (od - phz + sz - 1) / sz;
#else
	const int tw = ow, th = oh, td = od;
#endif
	const int pixels = images * td * th * tw, top = (int)get_global_id(1) % blocks * (TILES * TILE_M);
	const int rows = min(pixels - top, TILES * TILE_M), k = kd * kh * kw * c;
	__global const uchar *restrict packed = panels + (long)get_global_id(0) * bytes;
	const int n0 = group * og + (panel - group * per_group) * WIDTH, last = (group + 1) * og;
#if ONCE
	float window[WINDOW * WIDTH] EDGE_LINES;
#else
	float window[WINDOW * WIDTH] EDGE_LINES, sums[(TILES * TILE_M + 8) * WIDTH] EDGE_LINES;

	for (int i = 0; i < (rows + 7) * TILE_NV; i++)
		vstore16((float16)(0.0f), i, sums);
#endif
	for (int start = 0; start < k && rows > 0; start += step) {
		const int end = min(start + step, k);

		for (int i = start; i < end; i += QUANT_PART)
			EDGE_FN(unpack)(packed, i, k, window + (i - start) * WIDTH);
		for (int row = 0; row < rows; row += PART_M) {
			const int r0 = top + row;
			int tx = r0 % tw, ty = r0 / tw % th, tz = r0 / tw / th % td, image = r0 / tw / th / td;
			bool whole = !TRANSPOSED && dx == 1 && c == xc;

			EDGE_REPEAT(PART_M, PIXEL)
			const int run = whole ? kw * c : c, runs = whole ? 1 : kw;
			for (int col = 0; col < TILE_NV; col += PART_NV) {
#if ONCE
				EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
#else
				EDGE_REPEAT(PART_M, RESUME)
#endif
				for (int i = start; i < end;) {
					const int tap = i / run, offset = i - tap * run, count = min(run - offset, end - i);
					const int kx = tap % runs, ky = tap / runs % kh, kz = tap / runs / kh;
					const float *b = window + ((i - start) * WIDTH + col * 16);

					i += count;
#if TRANSPOSED
					const int hz = phz + pz - kz * dz, hy = phy + py - ky * dy, hx = phx + px - kx * dx;
					const int zz = hz / sz, yy = hy / sy, xx = hx / sx;
					if (zz * sz != hz || yy * sy != hy || xx * sx != hx)
						continue;
#else
					const int zz = kz * dz, yy = ky * dy, xx = kx * dx;
#endif
					__global const float *from = x + (((zz * ih + yy) * iw + xx) * xc + group * c);
					EDGE_REPEAT(PART_M, ROW)
					for (int at = offset; at < offset + count; at++, b += WIDTH) {
						EDGE_TILE_LOAD
						EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
					}
				}
#if ONCE
				float16 t[PART_M * PART_NV];

				EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
				for (int i = 0; i < min(PART_M, rows - row); i++)
					for (int j = 0; j < PART_NV; j++) {
						const int n = n0 + (col + j) * 16;

						if (n < last)
							EDGE_STORE16(t[i * PART_NV + j], PLACE(r0 + i), n, min(last - n, 16));
					}
#else
				EDGE_REPEAT(PART_M, PAUSE)
#endif
			}
		}
	}
#if !ONCE
	for (int i = 0; i < rows; i++) {
		const int at = PLACE(top + i);

		for (int j = 0; j < TILE_NV; j++) {
			const int n = n0 + j * 16;

			if (n < last)
				EDGE_STORE16(vload16(i * TILE_NV + j, sums), at, n, min(last - n, 16));
		}
	}
#endif
}
