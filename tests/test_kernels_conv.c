/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernels_conv.c - convolutions of every kind and pooling, over odd shapes. */
#include "config.h"

#include "kernel_harness.h"

#include <stdio.h>
#include <string.h>


static int out_size(int in, int kernel, int stride, int dilation, int before, int after)
{
	return (in + before + after - dilation * (kernel - 1) - 1) / stride + 1;
}

/* Two spatial dims, square kernels, asymmetric padding before/after, with bias and relu. */
static void conv2_of(struct harness *h, const char *type, const char *name, int n, int hh, int ww, int c, int o, int k, int s, int d, int before,
		  int after, int group)
{
	harness_textf(h, name,
		      "weights %s\n%%0 \"x\" = input f32[%d,%d,%d,%d]\n"
		      "%%1 = const f32[%d,%d,%d,%d] = random seed 3 mean 0.0 deviation 0.5 f32[%d,%d,%d,%d]\n"
		      "%%2 = const f32[%d] = random seed 5 mean 0.0 deviation 0.5 f32[%d]\n"
		      "%%3 = conv(%%0, %%1, %%2;) {strides = [%d,%d], pads = [%d,%d,%d,%d], dilations = [%d,%d], group = %d} "
		      "[relu(r0) f32] : f32[%d,%d,%d,%d]\noutput \"y\" %%3\n",
		      type, n, hh, ww, c, o, c / group, k, k, o, c / group, k, k, o, o, s, s, before, before, after, after,
		      d, d, group, n, out_size(hh, k, s, d, before, after), out_size(ww, k, s, d, before, after), o);
}

static void conv2(struct harness *h, const char *name, int n, int hh, int ww, int c, int o, int k, int s, int d, int before,
		  int after, int group)
{
	conv2_of(h, "f32", name, n, hh, ww, c, o, k, s, d, before, after, group);
}

static void stored(struct harness *h, const char *type)
{
	char text[512];

	conv2_of(h, type, "stored conv 3x3", 1, 9, 11, 5, 33, 3, 1, 1, 1, 1, 1);
	conv2_of(h, type, "stored conv 1x1", 2, 5, 7, 19, 40, 1, 1, 1, 0, 0, 1);
	conv2_of(h, type, "stored conv 3x3 by fewer products", 1, 12, 15, 32, 40, 3, 1, 1, 1, 1, 1);
	conv2_of(h, type, "stored conv 3x3 to 24", 1, 6, 7, 3, 24, 3, 2, 1, 1, 1, 1);
	conv2_of(h, type, "stored grouped conv", 1, 6, 7, 15, 85, 3, 1, 1, 1, 1, 5);
	conv2_of(h, type, "stored depthwise 3x3 of 33", 1, 9, 14, 33, 33, 3, 1, 1, 1, 1, 33);
	conv2_of(h, type, "stored depthwise 5x5 of 24", 1, 9, 9, 24, 24, 5, 2, 1, 2, 2, 24);
	snprintf(text, sizeof text,
		 "weights %s\n%%0 \"x\" = input f32[1,5,6,7]\n"
		 "%%1 = const f32[7,21,3,3] = random seed 3 mean 0.0 deviation 0.5 f32[7,21,3,3]\n"
		 "%%2 = conv_transpose(%%0, %%1) {strides = [2,2], pads = [1,1,1,1], dilations = [1,1], "
		 "group = 1, output_padding = [1,1]} : f32[1,10,12,21]\noutput \"y\" %%2\n", type);
	harness_text(h, "stored transposed conv", text);
}

static void convolutions(struct harness *h)
{
	conv2(h, "conv 3x3", 1, 9, 11, 5, 33, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 3x3, two images, 16 outputs", 2, 5, 6, 16, 16, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 3x3 stride 2, padding after only", 1, 12, 12, 3, 24, 3, 2, 1, 0, 1, 1);
	conv2(h, "conv 5x5 dilation 2", 1, 13, 12, 7, 20, 5, 1, 2, 4, 4, 1);
	conv2(h, "conv 3x3 dilation 12, many taps outside", 2, 13, 16, 20, 33, 3, 1, 12, 12, 12, 1);
	conv2(h, "conv 3x3 dilation 20, one tap inside", 1, 13, 11, 19, 40, 3, 1, 20, 20, 20, 1);
	conv2(h, "conv 7x7 stride 3 without padding", 1, 19, 16, 3, 8, 7, 3, 1, 0, 0, 1);
	conv2(h, "conv 1x1", 2, 5, 7, 19, 40, 1, 1, 1, 0, 0, 1);
	conv2(h, "conv 1x1 to three panels of 24", 1, 5, 7, 19, 71, 1, 1, 1, 0, 0, 1);
	conv2(h, "conv 3x3 of 8 to 67, a short run", 2, 7, 6, 8, 67, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 3x3 of 17 to 19", 1, 7, 6, 17, 19, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 1x1 stride 2", 1, 9, 8, 19, 40, 1, 2, 1, 0, 0, 1);
	conv2(h, "conv 3x3 of 16 to 16 by fewer products", 2, 9, 14, 16, 16, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 3x3 of 70 to 33 by fewer products", 1, 15, 13, 70, 33, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 3x3 of 65 to 64, no padding", 1, 17, 11, 65, 64, 3, 1, 1, 0, 0, 1);
	conv2(h, "conv 3x3 of 24 to 20, padding of 3 before", 3, 12, 21, 24, 20, 3, 1, 1, 3, 0, 1);
	conv2(h, "conv 3x3 of 33 to 40 in blocks of tiles", 2, 26, 23, 33, 40, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 3x3 of 16 to 32, few pixels", 1, 6, 6, 16, 32, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 3x3 of 47 to 31, a tile and a pixel", 1, 5, 9, 47, 31, 3, 1, 1, 1, 1, 1);
	conv2(h, "conv 1x1 to 5", 1, 9, 7, 33, 5, 1, 1, 1, 0, 0, 1);
	conv2(h, "conv 3x3 stride 2 to 8", 2, 9, 8, 17, 8, 3, 2, 1, 1, 1, 1);
	conv2(h, "conv on one pixel", 1, 1, 1, 12, 35, 3, 1, 1, 1, 1, 1);
	conv2(h, "grouped conv, 5 of 3 channels to 17", 1, 6, 7, 15, 85, 3, 1, 1, 1, 1, 5);
	conv2(h, "grouped conv to 4 outputs", 1, 6, 7, 8, 8, 3, 2, 1, 1, 1, 2);
	conv2(h, "kernel wider than the image", 1, 3, 2, 4, 6, 5, 1, 1, 2, 2, 1);
	conv2(h, "depthwise 3x3 of 33", 1, 9, 14, 33, 33, 3, 1, 1, 1, 1, 33);
	conv2(h, "depthwise 3x3 of 24, two images", 2, 7, 11, 24, 24, 3, 2, 1, 1, 1, 24);
	conv2(h, "depthwise 3x3 of 8", 2, 3, 29, 8, 8, 3, 1, 1, 1, 1, 8);
	conv2(h, "depthwise 3x3 of 40, wide", 2, 4, 31, 40, 40, 3, 1, 1, 1, 1, 40);
	conv2(h, "depthwise 7x7 of 19, no padding", 1, 7, 20, 19, 19, 7, 1, 1, 0, 0, 19);
	conv2(h, "depthwise 3x3 of 17 stride 2, padding of 3", 1, 6, 21, 17, 17, 3, 2, 1, 3, 3, 17);
	conv2(h, "depthwise 5x5 of 48", 1, 12, 13, 48, 48, 5, 1, 1, 2, 2, 48);
	conv2(h, "depthwise 3x3 dilation 2 of 7", 1, 9, 10, 7, 7, 3, 1, 2, 2, 2, 7);
	conv2(h, "depthwise with multiplier 3", 1, 6, 9, 11, 33, 3, 1, 1, 1, 1, 11);
	harness_text(h, "conv in one dimension, residual",
		     "%0 \"x\" = input f32[2,15,6]\n%1 \"r\" = input f32[2,8,18]\n"
		     "%2 = const f32[18,6,4] = random seed 3 mean 0.0 deviation 0.5 f32[18,6,4]\n"
		     "%3 = map(;%1) [neg(i0) f32] : f32[2,8,18]\n"
		     "%4 = conv(%0, %2; %3) {strides = [2], pads = [2,1], dilations = [1], group = 1} [add(r0, i0) f32] : "
		     "f32[2,8,18]\noutput \"y\" %4\n");
	harness_text(h, "depthwise conv in one dimension",
		     "%0 \"x\" = input f32[1,23,20]\n"
		     "%1 = const f32[20,1,3] = random seed 3 mean 0.0 deviation 0.5 f32[20,1,3]\n"
		     "%2 = conv(%0, %1) {strides = [1], pads = [1,1], dilations = [1], group = 20} : f32[1,23,20]\n"
		     "output \"y\" %2\n");
	harness_text(h, "conv in three dimensions",
		     "%0 \"x\" = input f32[1,5,4,6,3]\n"
		     "%1 = const f32[19,3,3,2,3] = random seed 3 mean 0.0 deviation 0.5 f32[19,3,3,2,3]\n"
		     "%2 = conv(%0, %1) {strides = [2,1,1], pads = [1,0,1,1,0,1], dilations = [1,1,1], group = 1} : "
		     "f32[1,3,3,6,19]\noutput \"y\" %2\n");
	harness_text(h, "squeeze and excite epilogue",
		     "%0 \"x\" = input f32[2,4,5,6]\n%1 \"s\" = input f32[2,1,1,21]\n"
		     "%2 = const f32[21,6,1,1] = random seed 3 mean 0.0 deviation 0.5 f32[21,6,1,1]\n"
		     "%3 = conv(%0, %2; %1) {strides = [1,1], pads = [0,0,0,0], dilations = [1,1], group = 1} "
		     "[mul(r0, i0) f32, silu(r1) f32] : f32[2,4,5,21]\noutput \"y\" %3\n");
}

/* Few channels, as they come from outside: planes, which the convolution reads where they are; or rows of pixels. */
static void few_of(struct harness *h, const char *type, int n, int hh, int ww, int c, int o, int kh, int kw, int s, int dy, int before, int after)
{
	const int oh = out_size(hh, kh, s, dy, before, after), ow = out_size(ww, kw, s, 1, before, after);
	char name[160];

	for (int planar = 0; planar < 2; planar++) {
		snprintf(name, sizeof name, "%s conv %dx%d s%d of %d%s to %d, %dx%dx%d, padding %d %d, dilation %d", type, kh, kw, s, c,
			 planar ? " planes" : "", o, n, hh, ww, before, after, dy);
		harness_textf(h, name,
			      "weights %s\n%%0 \"x\" = input f32[%d,%d,%d,%d]\n"
			      "%%1 = const f32[%d,%d,%d,%d] = random seed 3 mean 0.0 deviation 0.5 f32[%d,%d,%d,%d]\n"
			      "%%2 = const f32[%d] = random seed 5 mean 0.0 deviation 0.5 f32[%d]\n"
			      "%%3 = %s f32[%d,%d,%d,%d]\n"
			      "%%4 = conv(%%3, %%1, %%2;) {strides = [%d,%d], pads = [%d,%d,%d,%d], dilations = [%d,1], group = 1} "
			      "[relu(r0) f32] : f32[%d,%d,%d,%d]\noutput \"y\" %%4\n",
			      type, n, planar ? c : hh, planar ? hh : ww, planar ? ww : c, o, c, kh, kw, o, c, kh, kw, o, o,
			      planar ? "transpose(%0) {perm = [0,2,3,1]} :" : "map(;%0) [neg(i0) f32] :", n, hh, ww, c, s, s, before,
			      before, after, after, dy, n, oh, ow, o);
	}
}

static void few(struct harness *h)
{
	few_of(h, "f32", 1, 18, 22, 3, 24, 3, 3, 2, 1, 1, 1);	/* a tile and a part, padding at both ends */
	few_of(h, "f32", 1, 17, 19, 3, 64, 3, 3, 2, 1, 0, 0);	/* none; two panels */
	few_of(h, "f32", 2, 9, 16, 3, 17, 3, 3, 1, 1, 1, 0);	/* two images, a panel that is not full */
	few_of(h, "f32", 1, 30, 37, 3, 65, 7, 7, 2, 1, 3, 3);	/* as residual networks begin */
	few_of(h, "f32", 3, 7, 21, 4, 33, 1, 5, 2, 1, 2, 1);	/* kernels of one row */
	few_of(h, "f32", 1, 13, 12, 2, 40, 3, 3, 1, 3, 3, 3);	/* rows apart; pixels beyond the padding only */
	few_of(h, "f32", 1, 3, 64, 8, 31, 5, 3, 1, 1, 4, 4);	/* more kernel than image: rows without a tap; segments */
	few_of(h, "f32", 1, 1, 90, 3, 48, 1, 8, 4, 1, 6, 6);
	few_of(h, "f16", 1, 9, 20, 3, 24, 3, 3, 2, 1, 1, 1);
	harness_text(h, "conv of two planes in one dimension, residual",
		     "%0 \"x\" = input f32[2,2,31]\n%1 \"r\" = input f32[2,16,18]\n"
		     "%2 = const f32[18,2,4] = random seed 3 mean 0.0 deviation 0.5 f32[18,2,4]\n"
		     "%3 = map(;%1) [neg(i0) f32] : f32[2,16,18]\n%4 = transpose(%0) {perm = [0,2,1]} : f32[2,31,2]\n"
		     "%5 = conv(%4, %2; %3) {strides = [2], pads = [2,1], dilations = [1], group = 1} [add(r0, i0) f32] : "
		     "f32[2,16,18]\noutput \"y\" %5\n");
	harness_text(h, "conv of planes that something else reads turned as well",
		     "%0 \"x\" = input f32[1,3,9,20]\n"
		     "%1 = const f32[16,3,3,3] = random seed 3 mean 0.0 deviation 0.5 f32[16,3,3,3]\n"
		     "%2 = transpose(%0) {perm = [0,2,3,1]} : f32[1,9,20,3]\n"
		     "%3 = conv(%2, %1) {strides = [1,1], pads = [1,1,1,1], dilations = [1,1], group = 1} : f32[1,9,20,16]\n"
		     "%4 = map(;%2) [neg(i0) f32] : f32[1,9,20,3]\noutput \"y\" %3\noutput \"z\" %4\n");
}

static void transposes(struct harness *h)
{
	harness_text(h, "transposed conv, stride 2",
		     "%0 \"x\" = input f32[2,5,6,7]\n"
		     "%1 = const f32[7,9,3,3] = random seed 3 mean 0.0 deviation 0.5 f32[7,9,3,3]\n"
		     "%2 = const f32[9] = random seed 5 mean 0.0 deviation 0.5 f32[9]\n"
		     "%3 = conv_transpose(%0, %1, %2) {strides = [2,2], pads = [1,1,1,1], dilations = [1,1], group = 1, "
		     "output_padding = [1,1]} : f32[2,10,12,9]\noutput \"y\" %3\n");
	harness_text(h, "transposed conv, groups and dilation",
		     "%0 \"x\" = input f32[1,4,5,6]\n"
		     "%1 = const f32[6,5,2,3] = random seed 3 mean 0.0 deviation 0.5 f32[6,5,2,3]\n"
		     "%2 = conv_transpose(%0, %1) {strides = [3,1], pads = [0,1,1,0], dilations = [1,2], group = 2, "
		     "output_padding = [0,0]} : f32[1,10,8,10]\noutput \"y\" %2\n");
	harness_text(h, "transposed conv in one dimension",
		     "%0 \"x\" = input f32[1,9,4]\n"
		     "%1 = const f32[4,40,4] = random seed 3 mean 0.0 deviation 0.5 f32[4,40,4]\n"
		     "%2 = conv_transpose(%0, %1) {strides = [2], pads = [1,1], dilations = [1], group = 1, "
		     "output_padding = [0]} : f32[1,18,40]\noutput \"y\" %2\n");
}

static void pools(struct harness *h)
{
	harness_text(h, "max_pool",
		     "%0 \"x\" = input f32[2,9,10,21]\n"
		     "%1 = max_pool(%0) {kernel = [3,2], strides = [2,2], pads = [1,0,1,0], dilations = [1,1], "
		     "shape = [2,5,5,21]} : f32[2,5,5,21]\noutput \"y\" %1\n");
	harness_text(h, "max_pool 3x3 of 24, padding all around",
		     "%0 \"x\" = input f32[1,11,13,24]\n"
		     "%1 = max_pool(%0;) {kernel = [3,3], strides = [2,2], pads = [1,1,1,1], dilations = [1,1], "
		     "shape = [1,6,7,24]} [neg(r0) f32] : f32[1,6,7,24]\noutput \"y\" %1\n");
	harness_text(h, "max_pool 2x3 of 37, dilated, windows that are all padding below",
		     "%0 \"x\" = input f32[2,4,12,37]\n"
		     "%1 = max_pool(%0) {kernel = [2,3], strides = [1,1], pads = [1,2,1,0], dilations = [2,2], "
		     "shape = [2,4,10,37]} : f32[2,4,10,37]\noutput \"y\" %1\n");
	harness_text(h, "max_pool in one dimension",
		     "%0 \"x\" = input f32[3,19,16]\n"
		     "%1 = max_pool(%0) {kernel = [4], strides = [3], pads = [1,0], dilations = [1], "
		     "shape = [3,6,16]} : f32[3,6,16]\noutput \"y\" %1\n");
	harness_text(h, "avg_pool, then relu",
		     "%0 \"x\" = input f32[1,9,10,5]\n"
		     "%1 = avg_pool(%0;) {kernel = [3,3], strides = [2,2], pads = [1,1,1,1], dilations = [1,1], "
		     "shape = [1,5,5,5], count_include_pad = 0} [relu(r0) f32] : f32[1,5,5,5]\noutput \"y\" %1\n");
	harness_text(h, "avg_pool that counts its padding",
		     "%0 \"x\" = input f32[1,9,10,16]\n"
		     "%1 = avg_pool(%0) {kernel = [3,3], strides = [2,2], pads = [1,1,1,1], dilations = [1,1], "
		     "shape = [1,5,5,16], count_include_pad = 1} : f32[1,5,5,16]\noutput \"y\" %1\n");
	harness_text(h, "max_pool in one and in three dimensions",
		     "%0 \"x\" = input f32[2,9,3]\n%1 \"v\" = input f32[1,4,5,6,2]\n"
		     "%2 = max_pool(%0) {kernel = [2], strides = [2], pads = [0,0], dilations = [1], shape = [2,4,3]} "
		     ": f32[2,4,3]\n"
		     "%3 = max_pool(%1) {kernel = [2,2,3], strides = [2,2,1], pads = [0,0,0,0,0,0], dilations = [1,1,1], "
		     "shape = [1,2,2,4,2]} : f32[1,2,2,4,2]\noutput \"y\" %2\noutput \"z\" %3\n");
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	convolutions(&h);
	few(&h);
	stored(&h, "f16");
	stored(&h, "bf16");
	transposes(&h);
	pools(&h);
	h.target.kernels = TARGET_GPU_KERNELS;
	convolutions(&h);
	stored(&h, "f16");
	stored(&h, "bf16");
	transposes(&h);
	return harness_run(&h);
}
