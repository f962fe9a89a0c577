/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_norm.cl - x[images][pixels][channels], mean and variance of each image
 * over the pixels and `each` neighbouring channels; scale and bias by channel.
 *
 * SMALL 1: `each` divides 16 (1: instance norm), a work-item does sixteen
 * channels, one a lane, whole groups. Else a work-item does one group.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL group_norm
#endif
#ifndef SMALL
#define SMALL 0
#endif
#include "norm_defaults.clh"

/* One value for a group's channels: a lane each, or the same for all. */
#if SMALL
#define STATISTIC float16
#define TOTAL(v) EDGE_FN(by_group)(v, each)

/* In every lane the sum over the lanes of its group. */
EDGE_OVERLOAD float16 EDGE_FN(by_group)(float16 v, int each)
{
	float in[16], sum[16];

	vstore16(v, 0, in);
	for (int i = 0; i < 16; i++) {
		sum[i] = 0.0f;
		for (int k = 0; k < each; k++)
			sum[i] += in[i / each * each + k];
	}
	return vload16(0, sum);
}
#else
#define STATISTIC float
#define TOTAL(v) edge_sum16(v)
#endif

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, PARAM_SCALE PARAM_BIAS const float eps,
				 const int pixels, const int channels, const int each, EDGE_OUT EDGE_WI)
{
	const int image = (int)get_global_id(1), group = (int)get_global_id(0);
	const int channel = SMALL ? group * 16 : group * each;
	const int width = SMALL ? min(16, channels - channel) : each;
	const float count = (float)pixels * (float)each;
	__global const float *p = x + image * pixels * channels + channel;
	float16 total = (float16)(0.0f), part;
	STATISTIC mean, factor;

	for (int i = 0; i < pixels; i++) {
		part = (float16)(0.0f);
		for (int c = 0; c < width; c += 16)
			part += edge_load16(p + i * channels + c, min(16, width - c));
		total += part;
	}
	mean = TOTAL(total) / count;
	total = (float16)(0.0f);
	for (int i = 0; i < pixels; i++) {
		part = (float16)(0.0f);
		for (int c = 0; c < width; c += 16) {
			const int lanes = min(16, width - c);
			const float16 d = edge_load16(p + i * channels + c, lanes) - mean;

			part += d * d;
			if (!SMALL && lanes < 16) /* missing lanes were read as 0 */
				part -= EDGE_SELECT(int16, (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
							   < (int16)(lanes), (float16)(0.0f), d * d);
		}
		total += part;
	}
	factor = 1.0f / sqrt(TOTAL(total) / count + eps);
	for (int i = 0; i < pixels; i++) {
		for (int c = 0; c < width; c += 16) {
			const int lanes = min(16, width - c);
			float16 v = (edge_load16(p + i * channels + c, lanes) - mean) * factor;

#if HAS_SCALE
			v *= edge_load16(scale + channel + c, lanes);
#endif
#if HAS_BIAS
			v += edge_load16(bias + channel + c, lanes);
#endif
			EDGE_STORE16(v, image * pixels + i, channel + c, lanes);
		}
	}
}
