/* SPDX-License-Identifier: Apache-2.0 */
/*
 * winograd.cl - convolution 3x3 of stride 1, channels last, with 16 products
 * where 36 are asked for.
 *
 * Two by two outputs are A'[(G g G') * (B' d B)]A of a kernel g and of the four
 * by four inputs d: sixteen products a channel instead of thirty-six. A
 * work-item does up to `block` such tiles of one panel of channels, KC input
 * channels at a time: it transforms the panel's weights and the tiles'
 * inputs into memory of its own, and each of the sixteen positions is then a
 * matrix product of a few tiles by a panel, summed up in m. Transforming the same
 * inputs for every panel costs a tenth, and keeps panels independent of each other; the
 * transformed weights would be almost twice as many bytes to store and to read.
 *
 * QUANT_BITS: weights in few bits (quant.clh), unpacked on the way, which costs
 * little beside the transform's stores; c is then a multiple of eight.
 *
 * x[images][ih][iw][c]; panels[..][3][3][c][WIDTH], `step` elements a panel.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL winograd
#endif
#ifdef QUANT_BITS
#ifndef EDGE_QUANT
#include "quant.clh"
#endif
#define EDGE_WEIGHT uchar
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#define KC 64    /* input channels at a time */
#define TILES 32 /* block is at most this */
#ifndef EDGE_WINOGRAD
#include "winograd.clh"
#endif
/* From one position to the next; not a power of two, or all sixteen would be after the same lines of a cache. */
#define U_STEP (KC * WIDTH + 16)
#define V_STEP (TILES * KC + 16)
#define M_STEP ((TILES + 8) * WIDTH + 16)

/* One dim of B' d B, of G g G', of A' m A. */
#define INPUT(v, d0, d1, d2, d3)                                                                   \
	const float16 v##0 = d0 - d2, v##1 = d1 + d2, v##2 = d2 - d1, v##3 = d1 - d3;
#define WEIGHTS(u, g0, g1, g2)                                                                     \
	const float16 u##0 = g0, u##3 = g2, u##s = (g0 + g2) * 0.5f;                               \
	const float16 u##1 = u##s + g1 * 0.5f, u##2 = u##s - g1 * 0.5f;
#define RESULT(y, m0, m1, m2, m3)                                                                  \
	const float16 y##0 = m0 + m1 + m2, y##1 = m1 - m2 - m3;

/* The transformed weights of a channel, of nine g: to u[16][KC][WIDTH]. */
#define U(i4, j4, x) vstore16(x, 0, u + (((i4) * 4 + (j4)) * U_STEP + i));
#define U_ROW(r)                                                                                   \
	{                                                                                          \
		WEIGHTS(u, a##r, b##r, e##r)                                                       \
		U(r, 0, u0) U(r, 1, u1) U(r, 2, u2) U(r, 3, u3)                                    \
	}
#define TRANSFORM                                                                                  \
	G(0, 0, 0) G(0, 1, 1) G(0, 2, 2) G(1, 0, 3) G(1, 1, 4) G(1, 2, 5) G(2, 0, 6) G(2, 1, 7) G(2, 2, 8)                  \
	WEIGHTS(a, g00, g10, g20)                                                                  \
	WEIGHTS(b, g01, g11, g21)                                                                  \
	WEIGHTS(e, g02, g12, g22)                                                                  \
	U_ROW(0) U_ROW(1) U_ROW(2) U_ROW(3)

/* Channels c0 .. c0 + kc - 1 of a panel w[9][c][WIDTH]. */
#ifdef QUANT_BITS
/* Eight channels, which have one scale under each tap: input at of tap t and its column, part, planes and quad. */
#define TAP(t)                                                                                     \
	const int in##t = (t) * c + at, start##t = in##t / QUANT_ELEMENTS * QUANT_ELEMENTS;        \
	const int e##t = QUANT_STORED(start##t), j##t = in##t - start##t, part##t = j##t / QUANT_PART; \
	__global const uchar *p##t = panel + ((long)(in##t / QUANT_ELEMENTS) * QUANT_BLOCK + v * QUANT_COLUMN(e##t)); \
	__global const uchar *low##t = p##t + QUANT_LOW_AT(part##t * QUANT_PART);                  \
	__global const uchar *high##t = p##t + QUANT_HIGH_AT(part##t * QUANT_PART, e##t);          \
	const int quad##t = j##t % QUANT_PART / 4;                                                 \
	const float16 scale##t = EDGE_FN(scale)(p##t, part##t);                                    \
	const float16 minimum##t = EDGE_FN(minimum)(p##t, part##t, scale##t);
#if QUANT_BITS == 4 && (QUANT_KIND != 2 || defined(QUANT_LOOKUP))
#define NIBBLE(c) ((c) >> (uint)(4 * pair))
#else
#define NIBBLE(c) (c)
#endif
#define CODES(t) uint16 codes##t = NIBBLE(EDGE_FN(codes)(low##t, high##t, quad##t + pair));
#define NEXT(t) codes##t >>= 8u;
#define G(k, j, t) const float16 g##k##j = EDGE_FN(byte)(codes##t, 0, 0) * scale##t + minimum##t;
EDGE_OVERLOAD void EDGE_FN(weights)(__global const uchar *panel, const int c, const int c0, const int kc,
				    __private float *u)
{
	const int k = 9 * c;

	for (int at = c0; at < c0 + kc; at += 8)
		_Pragma("nounroll") for (int v = 0; v < TILE_NV; v++)
		{
			TAP(0) TAP(1) TAP(2) TAP(3) TAP(4) TAP(5) TAP(6) TAP(7) TAP(8)
			/* loops that stay loops: code that is fetched anew in every launch costs more than they do */
			_Pragma("nounroll") for (int pair = 0; pair < 2; pair++)
			{
				CODES(0) CODES(1) CODES(2) CODES(3) CODES(4) CODES(5) CODES(6) CODES(7) CODES(8)
				_Pragma("nounroll") for (int in4 = 0; in4 < 4; in4++)
				{
					const int i = ((at - c0 + pair * 4 + in4) * TILE_NV + v) * 16;

					TRANSFORM
					NEXT(0) NEXT(1) NEXT(2) NEXT(3) NEXT(4) NEXT(5) NEXT(6) NEXT(7) NEXT(8)
				}
			}
		}
}
#else
#define G(k, j, t) const float16 g##k##j = edge_weights16(0, w + ((long)(t) * c * WIDTH + i));
EDGE_OVERLOAD void EDGE_FN(weights)(__global const EDGE_WEIGHT *w, const int c, const int c0, const int kc,
				    __private float *u)
{
	w += c0 * WIDTH;
	for (int i = 0; i < kc * WIDTH; i += 16) {
		TRANSFORM
	}
}
#endif

/* channels 0 .. kc - 1 of the four by four pixels from (y, x0) on: to v[16][TILES][KC] */
EDGE_OVERLOAD void EDGE_FN(input)(__global const float *x, const int y, const int x0, const int ih, const int iw,
				  const int c, const int kc, __private float *v)
{
	const bool inside = y >= 0 && y + 4 <= ih && x0 >= 0 && x0 + 4 <= iw;
	__global const float *from = x + (y * iw + x0) * c;

#define D(i4, j4)                                                                                  \
	const float16 d##i4 = inside || ((uint)(y + i4) < (uint)ih && (uint)(x0 + j4) < (uint)iw) ? \
				      edge_load16(from + ((i4 * iw + j4) * c + i), lanes) :        \
				      (float16)(0.0f);
#define COLUMN(t, j4)                                                                              \
	float16 t##0, t##1, t##2, t##3;                                                            \
	{                                                                                          \
		D(0, j4) D(1, j4) D(2, j4) D(3, j4)                                                \
		INPUT(s, d0, d1, d2, d3)                                                           \
		t##0 = s0, t##1 = s1, t##2 = s2, t##3 = s3;                                        \
	}
#define V(i4, j4, e) vstore16(e, 0, v + (((i4) * 4 + (j4)) * V_STEP + i));
#define V_ROW(r)                                                                                   \
	{                                                                                          \
		INPUT(s, a##r, b##r, e##r, f##r)                                                   \
		V(r, 0, s0) V(r, 1, s1) V(r, 2, s2) V(r, 3, s3)                                    \
	}
	for (int i = 0; i < kc; i += 16) {
		const int lanes = min(16, kc - i);

		COLUMN(a, 0)
		COLUMN(b, 1)
		COLUMN(e, 2)
		COLUMN(f, 3)
		V_ROW(0) V_ROW(1) V_ROW(2) V_ROW(3)
	}
}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global const EDGE_WEIGHT *restrict panels,
				 const int first, const int step, const int tiles, const int block, const int c,
				 const int ih, const int iw, const int oh, const int ow, const int py, const int px,
				 EDGE_OUT EDGE_WI)
{
	const int th = (oh + 1) / 2, tw = (ow + 1) / 2;
	const int t0 = get_global_id(1) * block, count = min(block, tiles - t0);
	float u[16 * U_STEP] EDGE_LINES, v[16 * V_STEP] EDGE_LINES, m[16 * M_STEP] EDGE_LINES;

	for (int c0 = 0; c0 < c; c0 += KC) {
		const int kc = min(KC, c - c0);

		EDGE_FN(weights)(panels + (long)get_global_id(0) * step, c, c0, kc, u);
		for (int t = 0; t < count; t++) {
			const int image = (t0 + t) / (th * tw), rest = (t0 + t) % (th * tw);

			EDGE_FN(input)(x + (image * ih * iw * c + c0), rest / tw * 2 - py, rest % tw * 2 - px, ih, iw, c,
				       kc, v + t * KC);
		}
		for (int p = 0; p < 16; p++)
			EDGE_FN(product)(v + p * V_STEP, u + p * U_STEP, m + p * M_STEP, KC, count, kc, c0 == 0);
	}
#define M(i4, j4) vload16(0, m + (((i4) * 4 + (j4)) * M_STEP + t * WIDTH + j))
#define M_COLUMN(s, j4)                                                                            \
	const float16 s##m0 = M(0, j4), s##m1 = M(1, j4), s##m2 = M(2, j4), s##m3 = M(3, j4);      \
	RESULT(s, s##m0, s##m1, s##m2, s##m3)
	for (int t = 0; t < count; t++) {
		const int image = (t0 + t) / (th * tw), rest = (t0 + t) % (th * tw);
		const int y = rest / tw * 2, x0 = rest % tw * 2, row = (image * oh + y) * ow + x0;
		const bool right = x0 + 1 < ow, below = y + 1 < oh;

		for (int j = 0; j < WIDTH; j += 16) {
			const int n = (first + (int)get_global_id(0)) * WIDTH + j, lanes = min(16, out_n - n);

			if (lanes <= 0)
				break;
			M_COLUMN(a, 0)
			M_COLUMN(b, 1)
			M_COLUMN(g, 2)
			M_COLUMN(h, 3)
			RESULT(y0, a0, b0, g0, h0)
			RESULT(y1, a1, b1, g1, h1)
			const float16 result[4] = { y00, y01, y10, y11 };
			for (int k = 0; k < 4; k++)
				if ((right || !(k & 1)) && (below || k < 2))
					EDGE_STORE16(result[k], row + (k >> 1) * ow + (k & 1), n, lanes);
		}
	}
}
