/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantize_rows.cl - rows of floats as bytes with a scale, for products of integers.
 *
 * A part is 32 neighbours of a row and becomes 48 bytes: 32 signed codes, then
 * four floats: the scale (the largest magnitude is code 127), the sum of the part
 * as the codes have it, and the sums of its two halves. A product needs the sums
 * because codes of weights are unsigned. A row's last part is filled up with zeros.
 * SHARE neighbouring parts have the scale that suits all of them.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL quantize_rows
#endif

#ifndef SHARE
#define SHARE 1
#endif
#define PART 32
#define PART_BYTES 48

EDGE_OVERLOAD float EDGE_FN(most)(__global const float *x, int count)
{
	float16 most = (float16)(0.0f);

	for (; count > 0; x += 16, count -= 16)
		most = max(most, fabs(edge_load16(x, min(count, 16))));
	return edge_max16(most);
}

EDGE_OVERLOAD void EDGE_FN(part)(__global const float *x, int count, const float most, __global char *to)
{
	const float16 v = edge_load16(x, min(count, 16));
	const float16 w = count > 16 ? edge_load16(x + 16, min(count - 16, 16)) : (float16)(0.0f);
	const float inverse = most > 0.0f ? 127.0f / most : 0.0f, scale = most / 127.0f;
	const float16 p = rint(v * inverse), q = rint(w * inverse);
	const float a = edge_sum16(p), b = edge_sum16(q);

	vstore16(convert_char16(convert_int16(p)), 0, to);
	vstore16(convert_char16(convert_int16(q)), 1, to);
	vstore4((float4)(scale, scale * (a + b), scale * a, scale * b), 0, (__global float *)(to + PART));
}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global char *restrict to, const int parts, const int k,
				 const int block EDGE_WI)
{
	const int each = (k + PART - 1) / PART, first = (int)get_global_id(0) * block, last = min(first + block, parts);

	float most = 0.0f;

	for (int i = first; i < last; i++) {
		const int row = i / each, at = i % each * PART, group = at / (SHARE * PART) * (SHARE * PART);

		if (at == group || i == first)
			most = EDGE_FN(most)(x + (row * k + group), min(k - group, SHARE * PART));
		EDGE_FN(part)(x + (row * k + at), min(k - at, PART), most, to + i * PART_BYTES);
	}
}
