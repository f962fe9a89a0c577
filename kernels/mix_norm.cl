/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mix_norm.cl - channels mixed by a matrix, then layer norm over what they became; channels first.
 *
 * x[outer][CHANNELS][parts][width], w[CHANNELS][MIXED], the result
 * [outer][MIXED][parts][width]: attention whose maps are mixed over heads, where the maps
 * lie as the products before and after want them. Sixteen neighbouring places are
 * the lanes of a vector, so mean and variance go across no vector. A work-item
 * does `block` places of a part, a tile at a time: its channels are read once.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL mix_norm
#endif
#ifndef CHANNELS
#define CHANNELS 16
#define MIXED 16
#endif
#ifndef TILE_M
#define TILE_M 8
#define TILE_NV 2
#endif
#define TILE_SHAPE PART_NV
#define TILE_LANES 16
#define WIDE (PART_NV * 16)
#include "norm_defaults.clh"

/* Beyond the last channel it is mixed once more, and never stored. */
#define COLUMN(i) __global const float *a##i = w + min(o + (i), MIXED - 1);

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global const float *restrict w,
				 PARAM_SCALE PARAM_BIAS const float eps, const int parts, const int width,
				 const int block, EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, width);
	const int outer = (int)get_global_id(1) / parts, part = (int)get_global_id(1) % parts;
	const int step = parts * width;
	float in[CHANNELS * WIDE] EDGE_LINES, mixed[(MIXED + 8) * WIDE] EDGE_LINES;

	x += (long)outer * CHANNELS * step + part * width;
	for (int lane = first; lane < last; lane += WIDE) {
		for (int k = 0; k < CHANNELS; k++)
			for (int j = 0; j < PART_NV; j++) {
				const int lanes = min(16, width - lane - j * 16);

				vstore16(lanes > 0 ? edge_load16(x + (long)k * step + lane + j * 16, lanes) : (float16)(0.0f),
					 0, in + k * WIDE + j * 16);
			}
		for (int o = 0; o < MIXED; o += PART_M) {
			__private const float *b = in;
			float16 t[PART_M * PART_NV];

			EDGE_REPEAT(PART_M, COLUMN)
			EDGE_REPEAT(PART_M, EDGE_TILE_ZERO)
			for (int at = 0; at < CHANNELS * MIXED; at += MIXED, b += WIDE) {
				EDGE_TILE_LOAD
				EDGE_REPEAT(PART_M, EDGE_TILE_STEP)
			}
			EDGE_REPEAT(PART_M, EDGE_TILE_SAVE)
			for (int i = 0; i < PART_M * PART_NV; i++)
				vstore16(t[i], 0, mixed + o * WIDE + i * 16);
		}
		for (int j = 0; j < PART_NV; j++) {
			const int lanes = min(16, width - lane - j * 16);
			float16 mean = (float16)(0.0f), square = (float16)(0.0f);

			if (lanes <= 0)
				break;
			for (int o = 0; o < MIXED; o++)
				mean += vload16(0, mixed + o * WIDE + j * 16);
			mean *= 1.0f / MIXED;
			for (int o = 0; o < MIXED; o++) {
				const float16 d = vload16(0, mixed + o * WIDE + j * 16) - mean;

				square += d * d;
			}

			const float16 factor = (float16)(1.0f) / sqrt(square * (1.0f / MIXED) + eps);

			for (int o = 0; o < MIXED; o++) {
				float16 v = (vload16(0, mixed + o * WIDE + j * 16) - mean) * factor;

#if HAS_SCALE
				v *= scale[o];
#endif
#if HAS_BIAS
				v += bias[o];
#endif
				EDGE_STORE16(v, (outer * MIXED + o) * parts + part, lane + j * 16, lanes);
			}
		}
	}
}
