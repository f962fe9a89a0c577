/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_int8.cl - convolution of an image of codes (quantize_image.cl) with weights in few bits.
 *
 * A work-item has TILES tiles of TILE_M pixels of one panel. It makes signed bytes
 * of `step` inputs (at most WINDOW) of the panel at a time and uses them for all its
 * pixels. Inputs are numbered (tap, channel) in the order of the kernel's taps. Four
 * of them are a word and lie side by side in the image as well; how far from where a pixel's window starts, a
 * table says, the same for all pixels, because the image has a frame. A dot product multiplies
 * a word of the image with those of sixteen channels. Integers are summed over the inputs that share
 * a scale; the sums of what these mean stay in registers (ONCE: until they are stored).
 * Where the image has numbers below 0, its codes are around `zero`: what that is too much is zero times the
 * sum of the channel's weights.
 *
 * c channels and og outputs a group, per_group panels a group; pixels lie step_z,
 * step_y, step_x bytes apart, and taps tap_z, tap_y, tap_x.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL conv_int8
#endif
#ifndef TILE_M
#define TILE_M 6
#endif
#ifndef TILE_NV
#define TILE_NV 2
#endif
#ifndef TILES
#define TILES 8
#endif
#ifndef ONCE
#define ONCE 0 /* 1: there are at most WINDOW inputs */
#endif
#ifndef EDGE_QUANT
#define EDGE_INT8
#include "quant.clh"
#include "int8.clh"
#endif
#define WIDTH (16 * TILE_NV)
#define WINDOW (16384 / WIDTH)
#define PART 32
#define WORDS (PART / 4)
#define SCALE 128

/* sum + the products of each lane's four signed bytes of w with the four unsigned bytes of x. */
#if defined(EDGE_NATIVE_HEADER) && defined(__AVX512VNNI__)
EDGE_OVERLOAD int16 EDGE_FN(signed)(int16 sum, uint16 w, uint x)
{
	return INT8_CALL(__builtin_ia32_vpdpbusd512, int16, INT8_AS(sum, EDGE_FN(i512)), INT8_AS((uint16)(x), EDGE_FN(i512)),
			 INT8_AS(w, EDGE_FN(i512)));
}
#elif defined(EDGE_NATIVE_HEADER) && defined(__AVX512BW__) && QUANT_BITS < 8 && QUANT_KIND == 0
/* Two products of up to 255 by 32 fit into sixteen bits. */
EDGE_OVERLOAD int16 EDGE_FN(signed)(int16 sum, uint16 w, uint x)
{
	const EDGE_FN(s512) two = __builtin_ia32_pmaddubsw512(INT8_AS((uint16)(x), EDGE_FN(c512)), INT8_AS(w, EDGE_FN(c512)));

	return sum + INT8_CALL(__builtin_ia32_pmaddwd512, int16, two, INT8_AS((int16)(0x00010001), EDGE_FN(s512)));
}
#elif defined(EDGE_NATIVE_HEADER) && defined(__AVX512BW__)
/* Bytes 0 and 2 as sixteen bits each, then 1 and 3. */
EDGE_OVERLOAD int16 EDGE_FN(signed)(int16 sum, uint16 w, uint x)
{
	const EDGE_FN(s512) odd = __builtin_ia32_psrawi512(INT8_AS(w, EDGE_FN(s512)), 8);
	const EDGE_FN(s512) even = __builtin_ia32_psrawi512(__builtin_ia32_psllwi512(INT8_AS(w, EDGE_FN(s512)), 8), 8);

	sum += INT8_CALL(__builtin_ia32_pmaddwd512, int16, even, INT8_AS((uint16)(x & 0x00ff00ffu), EDGE_FN(s512)));
	return sum + INT8_CALL(__builtin_ia32_pmaddwd512, int16, odd, INT8_AS((uint16)(x >> 8 & 0x00ff00ffu), EDGE_FN(s512)));
}
#elif defined(EDGE_NATIVE_HEADER) && defined(__AVX2__)
EDGE_OVERLOAD int8 EDGE_FN(half_signed)(int8 sum, uint8 w, uint x)
{
#if QUANT_BITS < 8 && QUANT_KIND == 0
	const EDGE_FN(s256) two = __builtin_ia32_pmaddubsw256(INT8_AS((uint8)(x), EDGE_FN(c256)), INT8_AS(w, EDGE_FN(c256)));

	return sum + INT8_CALL(__builtin_ia32_pmaddwd256, int8, two, INT8_AS((int8)(0x00010001), EDGE_FN(s256)));
#else
	const EDGE_FN(s256) odd = __builtin_ia32_psrawi256(INT8_AS(w, EDGE_FN(s256)), 8);
	const EDGE_FN(s256) even = __builtin_ia32_psrawi256(__builtin_ia32_psllwi256(INT8_AS(w, EDGE_FN(s256)), 8), 8);

	sum += INT8_CALL(__builtin_ia32_pmaddwd256, int8, even, INT8_AS((uint8)(x & 0x00ff00ffu), EDGE_FN(s256)));
	return sum + INT8_CALL(__builtin_ia32_pmaddwd256, int8, odd, INT8_AS((uint8)(x >> 8 & 0x00ff00ffu), EDGE_FN(s256)));
#endif
}

EDGE_OVERLOAD int16 EDGE_FN(signed)(int16 sum, uint16 w, uint x)
{
	return (int16)(EDGE_FN(half_signed)(sum.lo, w.lo, x), EDGE_FN(half_signed)(sum.hi, w.hi, x));
}
#else
EDGE_OVERLOAD int16 EDGE_FN(signed)(int16 sum, uint16 w, uint x)
{
	sum += (as_int16(w << 24u) >> 24) * (int)(x & 255u);
	sum += (as_int16(w << 16u) >> 24) * (int)(x >> 8 & 255u);
	sum += (as_int16(w << 8u) >> 24) * (int)(x >> 16 & 255u);
	return sum + (as_int16(w) >> 24) * (int)(x >> 24);
}
#endif

/* Inputs 4 j to 4 j + 3 of a part as signed bytes, which mean (scale, minimum: of the codes) EDGE_FN(unit) each. */
#if QUANT_KIND == 1
EDGE_OVERLOAD float16 EDGE_FN(most)(float16 scale, float16 minimum)
{
	return max(fabs(minimum), fabs(minimum + scale * ((float)(1 << QUANT_BITS) - 1.0f)));
}

EDGE_OVERLOAD float16 EDGE_FN(unit)(float16 scale, float16 minimum)
{
	return EDGE_FN(most)(scale, minimum) / 127.0f;
}

EDGE_OVERLOAD uint16 EDGE_FN(again)(uint16 code, float16 scale, float16 minimum)
{
	return as_uint16(convert_int16(rint(convert_float16(as_int16(code & 255u)) * scale + minimum))) & 255u;
}

EDGE_OVERLOAD uint16 EDGE_FN(word_of)(__global const uchar *low, __global const uchar *high, int j, float16 scale, float16 minimum)
{
	const float16 most = EDGE_FN(most)(scale, minimum), inverse = 127.0f / max(most, (float16)(1e-30f));
	const float16 s = scale * inverse, m = minimum * inverse;
	const uint16 c = EDGE_FN(bytes)(low, high, j);

	return EDGE_FN(again)(c, s, m) | EDGE_FN(again)(c >> 8u, s, m) << 8u | EDGE_FN(again)(c >> 16u, s, m) << 16u |
	       EDGE_FN(again)(c >> 24u, s, m) << 24u;
}
#else
EDGE_OVERLOAD float16 EDGE_FN(unit)(float16 scale, float16 minimum)
{
	return scale;
}

EDGE_OVERLOAD uint16 EDGE_FN(word_of)(__global const uchar *low, __global const uchar *high, int j, float16 scale, float16 minimum)
{
#if QUANT_BITS == 8
	return EDGE_FN(bytes)(low, high, j) ^ 0x80808080u;
#else
	return ((EDGE_FN(bytes)(low, high, j) | 0x80808080u) - (0x01010101u << (QUANT_BITS - 1))) ^ 0x80808080u;
#endif
}
#endif

/* Block at input `at` of a panel: its words, to[input / 4][WIDTH], its scales, and what the weights add up to. */
EDGE_OVERLOAD void EDGE_FN(block)(__global const uchar *panel, int at, int k, uint *to, float *scales, float *total)
{
	const int e = QUANT_STORED(at), parts = min(QUANT_ELEMENTS, k - at + PART - 1) / PART;
	__global const uchar *p = panel + (long)(at / QUANT_ELEMENTS) * QUANT_BLOCK;

	for (int v = 0; v < TILE_NV; v++, p += QUANT_COLUMN(e)) {
		const float16 scale = EDGE_FN(scale)(p, 0), minimum = EDGE_FN(minimum)(p, 0, scale);
		const float16 unit = EDGE_FN(unit)(scale, minimum);
		int16 sum = (int16)(0);

		for (int i = 0; i < parts * PART; i += PART)
			for (int j = 0; j < WORDS; j++) {
				const uint16 w = at + i + 4 * j >= k ? (uint16)(0u) :
					EDGE_FN(word_of)(p + QUANT_LOW_AT(i), p + QUANT_HIGH_AT(i, e), j, scale, minimum);

				sum = EDGE_FN(signed)(sum, w, 0x01010101u);
				vstore16(w, (i / 4 + j) * TILE_NV + v, to);
			}
		vstore16(unit, v, scales);
		vstore16(vload16(v, total) + convert_float16(sum) * unit, v, total);
	}
}

/* Pixel i of the tile: where its window starts; then on to the next, unless it is the last. */
#define PIXEL(i)                                                                                   \
	__global const uchar *restrict p##i = base + ((long)image * bytes + (tz * step_z + ty * step_y + tx * step_x)); \
	if (r0 + (i) + 1 < pixels) {                                                               \
		if (++tx == ow) {                                                                  \
			tx = 0;                                                                    \
			if (++ty == oh) {                                                          \
				ty = 0;                                                            \
				if (++tz == od) {                                                  \
					tz = 0;                                                    \
					image++;                                                   \
				}                                                                  \
			}                                                                          \
		}                                                                                  \
	}
#if ONCE
#define START_AT(i, v) float16 f##i##_##v = (float16)(0.0f);
#define FINISH_AT(i, v) t[(i) * PART_NV + v] = f##i##_##v;
#else
#define START_AT(i, v) float16 f##i##_##v = vload16((row + (i)) * TILE_NV + col + v, sums);
#define FINISH_AT(i, v) vstore16(f##i##_##v, (row + (i)) * TILE_NV + col + v, sums);
#endif
#define ZERO_AT(i, v) int16 s##i##_##v = (int16)(0);
#define DOT_AT(i, v) s##i##_##v = EDGE_FN(signed)(s##i##_##v, w##v, x##i);
#define ADD_AT(i, v) f##i##_##v += convert_float16(s##i##_##v) * scale##v;
#define BOTH_1(M, i) M(i, 0)
#define BOTH_2(M, i) M(i, 0) M(i, 1)
#define BOTH(M, i) EDGE_CAT(BOTH_, PART_NV)(M, i)
#define START(i) BOTH(START_AT, i)
#define FINISH(i) BOTH(FINISH_AT, i)
#define ZERO(i) BOTH(ZERO_AT, i)
#define ADD(i) BOTH(ADD_AT, i)
#define DOT(i)                                                                                     \
	const uint x##i = *(__global const uint *)(p##i + at);                                     \
	BOTH(DOT_AT, i)
/* The sum v of channels n .. of output pixel r, as it is meant. */
#define STORE(v, col, r)                                                                           \
	{                                                                                          \
		const int n = n0 + (col) * 16;                                                     \
		__global const float *numbers = (__global const float *)(x + (long)((r) / area) * bytes + SCALE); \
												   \
		if (n < end)                                                                       \
			EDGE_STORE16(((v) - vload16(col, total) * numbers[1]) * numbers[0], r, n, min(end - n, 16)); \
	}

__kernel EDGE_SINGLE void KERNEL(__global const uchar *restrict x, __global const uchar *restrict panels, const int first,
				 const int panel_bytes, const int bytes, const int offset, const int per_group,
				 const int c, const int og, const int images, const int od, const int oh, const int ow,
				 const int step_z, const int step_y, const int step_x, const int kd, const int kh, const int kw,
				 const int tap_z, const int tap_y, const int tap_x, const int step, EDGE_OUT EDGE_WI)
{
	const int panel = first + (int)get_global_id(0), group = panel / per_group, at_panel = panel % per_group;
	const int k = kd * kh * kw * c, area = od * oh * ow, pixels = images * area;
	const int top = (int)get_global_id(1) * (TILES * TILE_M), rows = min(pixels - top, TILES * TILE_M);
	const int n0 = group * og + at_panel * WIDTH, end = (group + 1) * og;
	__global const uchar *restrict packed = panels + (long)get_global_id(0) * panel_bytes;
	__global const uchar *restrict base = x + (offset + group * c);
	uint codes[WINDOW / 4 * WIDTH];
	float scales[WINDOW / QUANT_ELEMENTS * WIDTH] EDGE_LINES, total[WIDTH] EDGE_LINES;
	int where[WINDOW / 4], kx = 0, ky = 0, kz = 0, channel = 0;
#if !ONCE
	float sums[(TILES * TILE_M + 8) * WIDTH] EDGE_LINES;

	for (int i = 0; i < (rows + 7) * TILE_NV; i++)
		vstore16((float16)(0.0f), i, sums);
#endif
	for (int i = 0; i < TILE_NV; i++)
		vstore16((float16)(0.0f), i, total);
	for (int start = 0; start < k && rows > 0; start += step) {
		const int count = min(step, k - start), parts = (count + PART - 1) / PART;
		int tx = top % ow, ty = top / ow % oh, tz = top / ow / oh % od, image = top / area;

		for (int i = 0; i < count; i += QUANT_ELEMENTS)
			EDGE_FN(block)(packed, start + i, k, codes + i / 4 * WIDTH, scales + i / QUANT_ELEMENTS * WIDTH, total);
		for (int i = 0; i < parts * WORDS; i++) {
			where[i] = 4 * i < count ? kz * tap_z + ky * tap_y + kx * tap_x + channel : 0;
			channel += 4;
			if (channel == c) {
				channel = 0;
				if (++kx == kw) {
					kx = 0;
					if (++ky == kh) {
						ky = 0;
						kz++;
					}
				}
			}
		}
		for (int row = 0; row < rows; row += PART_M) {
			const int r0 = top + row;

			EDGE_REPEAT(PART_M, PIXEL)
			for (int col = 0; col < TILE_NV; col += PART_NV) {
				const uint *w = codes + col * 16;

				EDGE_REPEAT(PART_M, START)
				for (int part = 0; part < parts;) {
					const int block = part / (QUANT_ELEMENTS / PART), stop = min((block + 1) * (QUANT_ELEMENTS / PART), parts);
					const float16 scale0 = vload16(block * TILE_NV + col, scales);
#if PART_NV == 2
					const float16 scale1 = vload16(block * TILE_NV + 1, scales);
#endif

					EDGE_REPEAT(PART_M, ZERO)
					for (; part < stop; part++, w += WORDS * WIDTH) {
						__attribute__((opencl_unroll_hint(8))) for (int j = 0; j < WORDS; j++) {
							const int at = where[part * WORDS + j];
							const uint16 w0 = vload16(j * TILE_NV, w);
#if PART_NV == 2
							const uint16 w1 = vload16(j * TILE_NV + 1, w);
#endif
							EDGE_REPEAT(PART_M, DOT)
						}
					}
					EDGE_REPEAT(PART_M, ADD)
				}
#if ONCE
				float16 t[PART_M * PART_NV];

				EDGE_REPEAT(PART_M, FINISH)
				for (int i = 0; i < min(PART_M, rows - row); i++)
					for (int j = 0; j < PART_NV; j++)
						STORE(t[i * PART_NV + j], col + j, r0 + i)
#else
				EDGE_REPEAT(PART_M, FINISH)
#endif
			}
		}
	}
#if !ONCE
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < TILE_NV; j++)
			STORE(vload16(i * TILE_NV + j, sums), j, top + i)
#endif
}
