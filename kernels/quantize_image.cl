/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantize_image.cl - an image as bytes with a frame, for convolutions of integers.
 *
 * Codes are unsigned: x = scale (code - zero), where 0 and 255 are the image's least and
 * greatest numbers. After a relu these are 0 and the greatest, and zero is 0. The
 * frame around the image has zero's code, so that convolutions need not know where the image ends. In front of the codes are
 * quantize_range.cl's results (WHOLE: nothing), and then scale and zero as floats. The frame is framed x framed_h
 * rows of left + run + right bytes, all multiples of 4.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL quantize_image
#endif

#ifndef WHOLE
#define WHOLE 0 /* 1: a work-item does a whole image and finds its range as well */
#endif

#define PARTS 16
#define SCALE 128
#define HEADER 192

EDGE_OVERLOAD void EDGE_FN(fill)(__global uchar *to, int bytes, int word)
{
	for (int i = 0; i < bytes; i += 4)
		*(__global int *)(to + i) = word;
}

EDGE_OVERLOAD uchar16 EDGE_FN(codes)(float16 x, float inverse, float zero)
{
	return convert_uchar16(convert_int16(min(max(rint(x * inverse) + zero, (float16)(0.0f)), (float16)(255.0f))));
}

EDGE_OVERLOAD void EDGE_FN(row)(__global const float *x, __global uchar *to, int run, float inverse, float zero)
{
	int i = 0;

	for (; i + 16 <= run; i += 16)
		vstore16(EDGE_FN(codes)(vload16(0, x + i), inverse, zero), 0, to + i);
	if (i < run) {
		int words[4];

		vstore4(as_int4(EDGE_FN(codes)(edge_load16(x + i, run - i), inverse, zero)), 0, words);
		for (int j = 0; i < run; i += 4, j++)
			*(__global int *)(to + i) = words[j];
	}
}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global uchar *restrict to, const int block,
				 const int bytes, const int d, const int h, const int run, const int framed,
				 const int framed_h, const int front, const int top, const int left, const int right EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, framed * framed_h);
	const int image = (int)get_global_id(1), stride = left + run + right;
	__global const float *from = x + (long)image * (d * h * run);
	__global uchar *base = to + (long)image * bytes;
#if WHOLE
	float16 least = (float16)(0.0f), most = least;

	for (int i = 0; i < d * h * run; i += 16) {
		const float16 v = edge_load16(from + i, min(d * h * run - i, 16));

		least = min(least, v);
		most = max(most, v);
	}
#else
	const float16 least = vload16(0, (__global const float *)base), most = vload16(1, (__global const float *)base);
#endif
	const float low = -edge_max16(-least), high = edge_max16(most), range = high - low;
	const float scale = range / 255.0f, inverse = range > 0.0f ? 255.0f / range : 0.0f, zero = rint(-low * inverse);
	const int word = (int)zero * 0x01010101;

	if (first == 0)
		vstore2((float2)(scale, zero), 0, (__global float *)(base + SCALE));
	for (int row = first; row < last; row++) {
		const int z = row / framed_h - front, y = row % framed_h - top;
		__global uchar *line = base + HEADER + (long)row * stride;

		if (z < 0 || z >= d || y < 0 || y >= h) {
			EDGE_FN(fill)(line, stride, word);
			continue;
		}
		EDGE_FN(fill)(line, left, word);
		EDGE_FN(row)(from + (z * h + y) * run, line + left, run, inverse, zero);
		EDGE_FN(fill)(line + left + run, right, word);
	}
}
