/* SPDX-License-Identifier: Apache-2.0 */
/*
 * winograd4.cl - convolution 3x3 of stride 1, channels last, with 36 products
 * where 144 are asked for.
 *
 * What winograd.cl does with tiles of two by two outputs, done with four by four:
 * A'[(G g G') * (B' d B)]A of six by six inputs. Transforms cost more, and are shared by more
 * outputs; so it is for many pixels. The points are 0, +-1/sqrt(2), +-sqrt(2) and infinity, of which no
 * power that occurs is far from 1: sums lose half as much as with 0, +-1, +-2.
 *
 * c is at least sixteen; the last sixteen channels may be some of those before them again.
 *
 * x[images][ih][iw][c]; panels[..][3][3][c][WIDTH], `step` elements a panel; zeros[c].
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL winograd4
#endif
#ifndef EDGE_WEIGHT
#define EDGE_WEIGHT float
#endif
#ifndef KC
#define KC 32 /* input channels at a time */
#endif
#ifndef TILES
#define TILES 32 /* block is at most this */
#endif
#ifndef EDGE_WINOGRAD
#include "winograd.clh"
#endif
/* From one position to the next; not a power of two, or all would be after the same lines of a cache. */
#define U_STEP (KC * WIDTH + 16)
#define M_STEP ((TILES + 8) * WIDTH + 16)

#define ROOT 1.41421356237f /* of 2 */

/* One dim of B' d B, of G g G', of A' m A. */
#define INPUT(v, d0, d1, d2, d3, d4, d5)                                                           \
	const float16 v##0 = d0 + d4 - 2.5f * d2, v##5 = d1 + d5 - 2.5f * d3;                      \
	const float16 v##a = d4 - 2.0f * d2, v##b = d3 - 2.0f * d1;                                \
	const float16 v##e = d4 - 0.5f * d2, v##f = d3 - 0.5f * d1;                                \
	const float16 v##1 = v##a + (0.5f * ROOT) * v##b, v##2 = v##a - (0.5f * ROOT) * v##b;      \
	const float16 v##3 = v##e + ROOT * v##f, v##4 = v##e - ROOT * v##f;
#define WEIGHTS(u, g0, g1, g2)                                                                     \
	const float16 u##0 = g0, u##5 = g2;                                                        \
	const float16 u##a = (-2.0f / 3) * g0 - (1.0f / 3) * g2, u##b = (1.0f / 6) * g0 + (1.0f / 3) * g2; \
	const float16 u##1 = u##a - (ROOT / 3) * g1, u##2 = u##a + (ROOT / 3) * g1;                \
	const float16 u##3 = u##b + (ROOT / 6) * g1, u##4 = u##b - (ROOT / 6) * g1;
#define RESULT(y, m0, m1, m2, m3, m4, m5)                                                          \
	const float16 y##a = m1 + m2, y##b = m1 - m2, y##e = m3 + m4, y##f = m3 - m4;              \
	const float16 y##0 = m0 + y##a + y##e, y##1 = (0.5f * ROOT) * y##b + ROOT * y##f;          \
	const float16 y##2 = 0.5f * y##a + 2.0f * y##e;                                            \
	const float16 y##3 = (0.25f * ROOT) * y##b + (2.0f * ROOT) * y##f + m5;

/* Channels c0 .. c0 + kc - 1 of a panel w[9][c][WIDTH], to u[36][KC][WIDTH]. */
EDGE_OVERLOAD void EDGE_FN(weights)(__global const EDGE_WEIGHT *w, const int c, const int c0, const int kc,
				    __private float *u)
{
	w += c0 * WIDTH;
#define G(k, j) const float16 g##k##j = edge_weights16(0, w + ((long)((k) * 3 + (j)) * c * WIDTH + i));
#define U(i6, j6, x) vstore16(x, 0, u + (((i6) * 6 + (j6)) * U_STEP + i));
#define U_ROW(r)                                                                                   \
	{                                                                                          \
		WEIGHTS(u, a##r, b##r, e##r)                                                       \
		U(r, 0, u0) U(r, 1, u1) U(r, 2, u2) U(r, 3, u3) U(r, 4, u4) U(r, 5, u5)            \
	}
	for (int i = 0; i < kc * WIDTH; i += 16) {
		G(0, 0) G(0, 1) G(0, 2) G(1, 0) G(1, 1) G(1, 2) G(2, 0) G(2, 1) G(2, 2)
		WEIGHTS(a, g00, g10, g20)
		WEIGHTS(b, g01, g11, g21)
		WEIGHTS(e, g02, g12, g22)
		U_ROW(0) U_ROW(1) U_ROW(2) U_ROW(3) U_ROW(4) U_ROW(5)
	}
}

/*
 * Asks for the weights of the next channels, which are those of the next panel after the last ones: a quarter of
 * those of a tap at a time.
 */
EDGE_OVERLOAD void EDGE_FN(soon)(__global const EDGE_WEIGHT *w, const int c, const int c0, const int p)
{
	const int bytes = KC / 4 * WIDTH * (int)sizeof(EDGE_WEIGHT);
	__global const char *at = (__global const char *)(w + ((long)(p / 4) * c + (c0 < c ? c0 : 9 * c)) * WIDTH) + p % 4 * bytes;

	for (int i = 0; i < bytes; i += 64)
		EDGE_SOON(at + i);
}

/* Channels 0 .. kc - 1 of the six by six pixels from (y, x0) on: to v[36][KC] */
EDGE_OVERLOAD void EDGE_FN(input)(__global const float *x, __global const float *zeros, const int y, const int x0,
				  const int ih, const int iw, const int c, const int kc, __private float *v)
{
#define COLUMN(t, j6)                                                                              \
	float16 t##0, t##1, t##2, t##3, t##4, t##5;                                                \
	{                                                                                          \
		const float16 d0 = D(0, j6), d1 = D(1, j6), d2 = D(2, j6), d3 = D(3, j6), d4 = D(4, j6), d5 = D(5, j6); \
		INPUT(s, d0, d1, d2, d3, d4, d5)                                                   \
		t##0 = s0, t##1 = s1, t##2 = s2, t##3 = s3, t##4 = s4, t##5 = s5;                  \
	}
#define V(i6, j6, e) vstore16(e, 0, v + (((i6) * 6 + (j6)) * KC + at));
#define V_ROW(r)                                                                                   \
	{                                                                                          \
		INPUT(s, h##r, l##r, n##r, o##r, p##r, q##r)                                       \
		V(r, 0, s0) V(r, 1, s1) V(r, 2, s2) V(r, 3, s3) V(r, 4, s4) V(r, 5, s5)            \
	}
#define ALL                                                                                        \
	for (int i = 0; i < kc; i += 16) {                                                         \
		const int at = min(i, kc - 16);                                                    \
												   \
		COLUMN(h, 0) COLUMN(l, 1) COLUMN(n, 2) COLUMN(o, 3) COLUMN(p, 4) COLUMN(q, 5)      \
		V_ROW(0) V_ROW(1) V_ROW(2) V_ROW(3) V_ROW(4) V_ROW(5)                              \
	}
	x += (y * iw + x0) * c;
	if (y >= 0 && y + 6 <= ih && x0 >= 0 && x0 + 6 <= iw) {
#define D(i6, j6) vload16(0, x + (i6) * iw * c + (j6) * c + at)
		ALL
#undef D
		return;
	}
	__global const float *from[36];

	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 6; j++)
			from[i * 6 + j] = (uint)(y + i) < (uint)ih && (uint)(x0 + j) < (uint)iw ? x + (i * iw + j) * c : zeros;
#define D(i6, j6) vload16(0, from[(i6) * 6 + (j6)] + at)
	ALL
}

/* The four by four outputs of m[36][..][WIDTH] at t. */
EDGE_OVERLOAD void EDGE_FN(result)(__private const float *m, __private float *to)
{
#define M(i6, j6) vload16(0, m + ((i6) * 6 + (j6)) * M_STEP)
#define M_COLUMN(s, j6)                                                                            \
	float16 s##0, s##1, s##2, s##3;                                                            \
	{                                                                                          \
		const float16 m0 = M(0, j6), m1 = M(1, j6), m2 = M(2, j6), m3 = M(3, j6), m4 = M(4, j6), m5 = M(5, j6); \
		RESULT(y, m0, m1, m2, m3, m4, m5)                                                  \
		s##0 = y0, s##1 = y1, s##2 = y2, s##3 = y3;                                        \
	}
#define Y_ROW(r)                                                                                   \
	{                                                                                          \
		RESULT(y, h##r, l##r, n##r, o##r, p##r, q##r)                                      \
		vstore16(y0, (r) * 4, to);                                                         \
		vstore16(y1, (r) * 4 + 1, to);                                                     \
		vstore16(y2, (r) * 4 + 2, to);                                                     \
		vstore16(y3, (r) * 4 + 3, to);                                                     \
	}
	M_COLUMN(h, 0) M_COLUMN(l, 1) M_COLUMN(n, 2) M_COLUMN(o, 3) M_COLUMN(p, 4) M_COLUMN(q, 5)
	Y_ROW(0) Y_ROW(1) Y_ROW(2) Y_ROW(3)
}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global const EDGE_WEIGHT *restrict panels,
				 __global const float *restrict zeros, const int first, const int step, const int tiles,
				 const int block, const int c, const int ih, const int iw, const int oh, const int ow,
				 const int py, const int px, EDGE_OUT EDGE_WI)
{
	const int th = (oh + 3) / 4, tw = (ow + 3) / 4;
	const int t0 = get_global_id(1) * block, count = min(block, tiles - t0);
	__global const EDGE_WEIGHT *w = panels + (long)get_global_id(0) * step;
	float u[36 * U_STEP] EDGE_LINES, v[TILES * 36 * KC] EDGE_LINES, m[36 * M_STEP] EDGE_LINES;

	for (int c0 = 0, kc; c0 < c; c0 += kc) {
		/* what is left for the end is never less than a vector */
		kc = c - c0 <= KC ? c - c0 : c - c0 < KC + 16 ? KC - 16 : KC;
		EDGE_FN(weights)(w, c, c0, kc, u);
		for (int t = 0; t < count; t++) {
			const int image = (t0 + t) / (th * tw), rest = (t0 + t) % (th * tw);

			EDGE_FN(input)(x + (image * ih * iw * c + c0), zeros, rest / tw * 4 - py, rest % tw * 4 - px, ih, iw,
				       c, kc, v + t * (36 * KC));
		}
		for (int p = 0; p < 36; p++) {
			if (tiles <= block) /* weights are used once */
				EDGE_FN(soon)(w, c, c0 + kc, p);
			EDGE_FN(product)(v + p * KC, u + p * U_STEP, m + p * M_STEP, 36 * KC, count, kc, c0 == 0);
		}
	}
	for (int t = 0; t < count; t++) {
		const int image = (t0 + t) / (th * tw), rest = (t0 + t) % (th * tw);
		const int y = rest / tw * 4, x0 = rest % tw * 4, row = (image * oh + y) * ow + x0;

		for (int j = 0; j < WIDTH; j += 16) {
			const int n = (first + (int)get_global_id(0)) * WIDTH + j, lanes = min(16, out_n - n);
			float result[16 * 16] EDGE_LINES;

			if (lanes <= 0)
				break;
			EDGE_FN(result)(m + t * WIDTH + j, result);
			_Pragma("nounroll") for (int k = 0; k < 16; k++)
				if (y + (k >> 2) < oh && x0 + (k & 3) < ow)
					EDGE_STORE16(vload16(k, result), row + (k >> 2) * ow + (k & 3), n, lanes);
		}
	}
}
