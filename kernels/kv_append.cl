/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_append.cl - rotate queries and keys of new tokens; put keys and values into the cache.
 *
 * A work-item does one key-value head of one token, and the GROUP heads of
 * queries that share it. The cache of keys is [kv_heads][blocks][D][KEYS], so that
 * neighbouring keys are lanes of a vector when scores are worked out; that
 * of values is [kv_heads][context][WIDE], rows of D elements and zeros. In 8 bits (QUANTISED) a head of
 * a position has a scale of its own: scales[2][kv_heads][context], keys first.
 * angles[row]: `pairs` cosines, then as many sines; dims beyond them stay as they are.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL kv_append
#endif
#ifndef D
#define D 64
#endif
#ifndef WIDE
#define WIDE 64
#endif
#ifndef KEYS
#define KEYS 32
#endif
#ifndef HALVES
#define HALVES 0
#endif
#ifndef QUANTISED
#define QUANTISED 0
#define CACHE float
#define PUT(x, p, i) ((p)[i] = (x))
#define PARAM_SCALES
#endif

#if HALVES
#define FIRST(i) (i)
#define SECOND(i) ((i) + pairs)
#else
#define FIRST(i) (2 * (i))
#define SECOND(i) (2 * (i) + 1)
#endif

EDGE_OVERLOAD void EDGE_FN(rotate)(__global const float *restrict x, __global const float *restrict angle, int pairs,
				   __private float *y)
{
	for (int i = 2 * pairs; i < D; i++)
		y[i] = x[i];
	for (int i = 0; i < pairs; i++) {
		const float a = x[FIRST(i)], b = x[SECOND(i)], cosine = angle[i], sine = angle[pairs + i];

		y[FIRST(i)] = a * cosine - b * sine;
		y[SECOND(i)] = a * sine + b * cosine;
	}
}

#if QUANTISED
/* What to multiply by before rounding; the scale goes to *scale. */
EDGE_OVERLOAD float EDGE_FN(steps)(__private const float *x, __global float *scale)
{
	float most = 0.0f;

	for (int i = 0; i < D; i++)
		most = fmax(most, fabs(x[i]));
	*scale = most / 127.0f;
	return most > 0.0f ? 127.0f / most : 0.0f;
}
#endif

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict q, __global const float *restrict k,
				 __global const float *restrict v, __global const float *restrict angles,
				 __global const int *restrict state, __global CACHE *keys, __global CACHE *values,
				 PARAM_SCALES const int pairs, const int kv_heads, const int group, const int context,
				 const float scale, EDGE_OUT EDGE_WI)
{
	const int head = (int)get_global_id(0), row = (int)get_global_id(1), position = state[0] + row;
	__global const float *angle = angles + row * (2 * pairs);
	float y[D], step = 1.0f;

	if (row >= state[1] || position < 0 || position >= context)
		return;
	for (int g = 0; g < group; g++) {
		const int at = (head * group + g) * D;

		EDGE_FN(rotate)(q + row * out_n + at, angle, pairs, y);
		for (int i = 0; i < D; i++)
			EDGE_STORE(y[i] * scale, row, at + i);
	}
	EDGE_FN(rotate)(k + (row * kv_heads + head) * D, angle, pairs, y);

	__global CACHE *key = keys + (((long)head * (context / KEYS) + position / KEYS) * D * KEYS + position % KEYS);
	__global CACHE *value = values + ((long)head * context + position) * WIDE;
	__global const float *from = v + (row * kv_heads + head) * D;
#if QUANTISED
	step = EDGE_FN(steps)(y, scales + (long)head * context + position);
#endif
	for (int i = 0; i < D; i++)
		PUT(y[i] * step, key, i * KEYS);
	for (int i = 0; i < D; i++)
		y[i] = from[i];
#if QUANTISED
	step = EDGE_FN(steps)(y, scales + (long)(kv_heads + head) * context + position);
#endif
	for (int i = 0; i < D; i++)
		PUT(y[i] * step, value, i);
	for (int i = D; i < WIDE; i++)
		PUT(0.0f, value, i);
}
