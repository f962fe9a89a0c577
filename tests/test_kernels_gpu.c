/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kernels_gpu.c - kernels that work in groups, with weights in buffers and
 * in textures, over shapes that fill no tile.
 */
#include "config.h"

#include "kernel_harness.h"

#include <string.h>

/* Halves have eleven bits; sums of products of such weights against exact ones. */
static void loosen(struct harness *h, struct harness_case *c)
{
	if (h->target.weights == TARGET_TEXTURES)
		c->tolerance = 1e-3;
}

static void product(struct harness *h, const char *name, int m, int k, int n, const char *flags)
{
	bool trans_a = strstr(flags, "A") != NULL, trans_b = strstr(flags, "B") != NULL;

	loosen(h, harness_textf(h, name,
				"%%0 \"x\" = input f32[%d,%d]\n"
				"%%1 = const f32[%d,%d] = random seed 3 mean 0.0 deviation 0.5 f32[%d,%d]\n"
				"%%2 = const f32[%d] = random seed 4 mean 0.0 deviation 0.5 f32[%d]\n"
				"%%3 \"r\" = input f32[%d,%d]\n"
				"%%4 = matmul(%%0, %%1, %%2; %%3) {trans_a = %d, trans_b = %d, alpha = 0.75} "
				"[add(r0, i0) f32, relu(r1) f32] : f32[%d,%d]\noutput \"y\" %%4\n",
				trans_a ? k : m, trans_a ? m : k, trans_b ? n : k, trans_b ? k : n, trans_b ? n : k,
				trans_b ? k : n, n, n, m, n, trans_a, trans_b, m, n));
}

static void products(struct harness *h)
{
	product(h, "one row", 1, 300, 70, "");
	product(h, "odd everything", 37, 61, 67, "");
	product(h, "more rows than a tile", 70, 48, 130, "B");
	if (h->target.weights == TARGET_TEXTURES)
		return; /* every kernel takes the device's compiler half a second */
	product(h, "one row, few columns", 1, 37, 5, "");
	product(h, "three rows, transposed", 3, 129, 33, "AB");
	product(h, "sixteen rows", 16, 64, 64, "");
	product(h, "rows side by side", 21, 19, 40, "A");
	product(h, "few columns", 100, 20, 9, "");
	product(h, "eight rows an item", 1100, 12, 20, "");
}

static void conv(struct harness *h, const char *name, const char *x, const char *w, const char *attributes,
		 const char *y)
{
	loosen(h, harness_textf(h, name,
				"%%0 \"x\" = input f32[%s]\n"
				"%%1 = const f32[%s] = random seed 3 mean 0.0 deviation 0.5 f32[%s]\n"
				"%%2 = conv(%%0, %%1) {%s} : f32[%s]\noutput \"y\" %%2\n",
				x, w, w, attributes, y));
}

static void convolutions(struct harness *h)
{
	conv(h, "conv 3x3 of three channels", "1,9,11,3", "20,3,3,3",
	     "strides = [2,2], pads = [1,1,1,1], dilations = [1,1], group = 1", "1,5,6,20");
	conv(h, "conv 3x3", "2,7,9,8", "70,8,3,3", "strides = [1,1], pads = [1,1,1,1], dilations = [1,1], group = 1",
	     "2,7,9,70");
	if (h->target.weights == TARGET_TEXTURES)
		return;
	conv(h, "conv 1x1", "1,7,9,12", "33,12,1,1", "strides = [1,1], pads = [0,0,0,0], dilations = [1,1], group = 1",
	     "1,7,9,33");
	conv(h, "grouped conv, dilated", "1,12,10,10", "36,5,3,2",
	     "strides = [1,2], pads = [2,0,1,1], dilations = [2,1], group = 2", "1,11,5,36");
	conv(h, "conv in one dimension", "1,40,6", "17,6,5", "strides = [3], pads = [2,1], dilations = [1], group = 1",
	     "1,13,17");
	conv(h, "conv in three dimensions", "1,5,6,7,4", "18,4,2,3,3",
	     "strides = [1,2,1], pads = [1,1,1,0,1,1], dilations = [1,1,1], group = 1", "1,5,3,7,18");
	conv(h, "depthwise", "1,9,10,21", "21,1,3,3",
	     "strides = [1,1], pads = [1,1,1,1], dilations = [1,1], group = 21", "1,9,10,21");
	conv(h, "depthwise, stride 2", "2,9,10,40", "40,1,5,3",
	     "strides = [2,2], pads = [2,1,2,1], dilations = [1,1], group = 40", "2,5,5,40");
	conv(h, "depthwise, two outputs a channel", "1,6,6,10", "20,1,3,3",
	     "strides = [1,1], pads = [1,1,1,1], dilations = [1,1], group = 10", "1,6,6,20");
	loosen(h, harness_text(h, "transposed conv",
			       "%0 \"x\" = input f32[1,5,6,7]\n"
			       "%1 = const f32[7,9,3,3] = random seed 3 mean 0.0 deviation 0.5 f32[7,9,3,3]\n"
			       "%2 = conv_transpose(%0, %1) {strides = [2,2], pads = [1,1,1,1], dilations = [1,1], "
			       "group = 1, output_padding = [1,1]} : f32[1,10,12,9]\noutput \"y\" %2\n"));
}

static void reductions(struct harness *h)
{
	harness_text(h, "mix_norm",
		     "%0 \"x\" = input f32[2,9,5,36]\n%1 \"w\" = input f32[9,11]\n%2 \"s\" = input f32[11]\n"
		     "%3 = mix_norm(%0, %1, %2) {axis = 1, eps = 0.001} : f32[2,11,5,36]\noutput \"y\" %3\n");
	harness_text(h, "group_norm",
		     "%0 \"x\" = input f32[2,9,5,36]\n%1 = const f32[36] = random seed 1 mean 1.0 deviation 0.5 f32[36]\n"
		     "%2 = const f32[36] = random seed 2 mean 0.0 deviation 0.5 f32[36]\n"
		     "%3 = group_norm(%0, %1, %2) {group = 2, eps = 0.00001} : f32[2,9,5,36]\n"
		     "%4 = group_norm(%0) {group = 9, eps = 0.001} : f32[2,9,5,36]\n"
		     "%5 = group_norm(%0, %1; %2) {group = 36, eps = 0.001} [add(r0, i0) f32] : f32[2,9,5,36]\n"
		     "output \"y\" %3\noutput \"z\" %4\noutput \"w\" %5\n");
	harness_text(h, "mean of pixels, by channel",
		     "%0 \"x\" = input f32[2,7,19,37]\n%1 \"b\" = input f32[37]\n"
		     "%2 = reduce_mean(%0; %1) {axes = [1,2], keepdims = 0} [add(r0, i0) f32] : f32[2,37]\n"
		     "%3 = reduce_max(%0) {axes = [0,2], keepdims = 0} : f32[7,37]\noutput \"y\" %2\noutput \"z\" %3\n");
	harness_text(h, "rows of several kinds",
		     "%0 \"x\" = input f32[5,4,300]\n"
		     "%1 = reduce_l2(%0) {axes = [2], keepdims = 1} : f32[5,4,1]\n"
		     "%2 = reduce_log_sum_exp(%0) {axes = [0,2], keepdims = 0} : f32[4]\n"
		     "%3 = reduce_min(%0) {axes = [0,1,2], keepdims = 0} : f32[]\n"
		     "%4 = reduce_log_sum_exp(%0) {axes = [1], keepdims = 0} : f32[5,300]\n"
		     "%5 \"b\" = input f32[5,4]\n%6 = reduce_sum(%0; %5) {axes = [2], keepdims = 0} [mul(r0, i0) f32] : f32[5,4]\n"
		     "output \"u\" %6\noutput \"y\" %1\noutput \"z\" %2\noutput \"w\" %3\noutput \"v\" %4\n");
}

static void windows(struct harness *h)
{
	harness_text(h, "resize by fractions, then relu",
		     "%0 \"x\" = input f32[1,5,7,19]\n"
		     "%1 = resize(%0) {mode = 1, coordinates = 0, rounding = 0, shape = [1,9,4,19], scales = {1.0,1.8,0.6,1.0}} "
		     "[relu(r0) f32] : f32[1,9,4,19]\noutput \"y\" %1\n");
	harness_text(h, "resize to the nearest",
		     "%0 \"x\" = input f32[2,5,7,3]\n"
		     "%1 = resize(%0) {mode = 0, coordinates = 2, rounding = 3, shape = [2,10,14,3], scales = {1.0,2.0,2.0,1.0}} "
		     ": f32[2,10,14,3]\noutput \"y\" %1\n");
	harness_text(h, "max_pool with padding, then add",
		     "%0 \"x\" = input f32[2,9,11,21]\n%1 \"b\" = input f32[21]\n"
		     "%2 = max_pool(%0; %1) {shape = [2,5,6,21], kernel = [3,3], strides = [2,2], pads = [1,1,1,1], "
		     "dilations = [1,1]} [add(r0, i0) f32] : f32[2,5,6,21]\n"
		     "output \"y\" %2\n");
	harness_text(h, "avg_pool of three dims, with and without the padding",
		     "%0 \"x\" = input f32[1,5,6,7,5]\n"
		     "%1 = avg_pool(%0) {shape = [1,5,3,4,5], kernel = [2,3,2], strides = [1,2,2], pads = [1,0,1,0,1,0], "
		     "dilations = [1,1,1], count_include_pad = 0} : f32[1,5,3,4,5]\n"
		     "%2 = avg_pool(%0) {shape = [1,5,3,4,5], kernel = [2,3,2], strides = [1,2,2], pads = [1,0,1,0,1,0], "
		     "dilations = [1,1,1], count_include_pad = 1} : f32[1,5,3,4,5]\n"
		     "output \"y\" %1\noutput \"z\" %2\n");
}

static void rows(struct harness *h)
{
	harness_text(h, "softmax of long rows",
		     "%0 \"x\" = input f32[5,301]\n%1 = softmax(%0) {axis = 1} : f32[5,301]\noutput \"y\" %1\n");
	harness_text(h, "log_softmax of longer rows, then times",
		     "%0 \"x\" = input f32[3,2000]\n%1 \"z\" = input f32[3,2000]\n"
		     "%2 = log_softmax(%0; %1) {axis = 1} [mul(r0, i0) f32] : f32[3,2000]\noutput \"y\" %2\n");
	harness_text(h, "layer_norm",
		     "%0 \"x\" = input f32[7,130]\n%1 = const f32[130] = random seed 1 mean 1.0 deviation 0.5 f32[130]\n"
		     "%2 = const f32[130] = random seed 2 mean 0.0 deviation 0.5 f32[130]\n"
		     "%3 = layer_norm(%0, %1, %2) {axis = 1, eps = 0.00001} : f32[7,130]\noutput \"y\" %3\n");
	harness_text(h, "rms_norm of long rows",
		     "%0 \"x\" = input f32[3,1500]\n%1 = const f32[1500] = random seed 1 mean 1.0 deviation 0.5 f32[1500]\n"
		     "%2 = rms_norm(%0, %1) {axis = 1, eps = 0.00001} : f32[3,1500]\noutput \"y\" %2\n");
	harness_text(h, "matrices in batches",
		     "%0 \"x\" = input f32[2,3,19,17]\n%1 \"z\" = input f32[3,33,17]\n"
		     "%2 = matmul(%0, %1) {trans_a = 0, trans_b = 1, alpha = 0.25} : f32[2,3,19,33]\noutput \"y\" %2\n");
}

static void attention(struct harness *h, const char *name, int sq, int sk, int d, int dv, int causal, bool mask)
{
	harness_textf(h, name,
		      "%%0 \"q\" = input f32[2,3,%d,%d]\n%%1 \"k\" = input f32[2,3,%d,%d]\n"
		      "%%2 \"v\" = input f32[2,3,%d,%d]\n%%3 \"m\" = input f32[2,1,%d,%d]\n"
		      "%%4 = attention(%%0, %%1, %%2%s) {causal = %d, scale = 0.3} : f32[2,3,%d,%d]\noutput \"y\" %%4\n",
		      sq, d, sk, d, sk, dv, sq, sk, mask ? ", %3" : "", causal, sq, dv);
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_GPU_KERNELS);
	rows(&h);
	reductions(&h);
	windows(&h);
	attention(&h, "attention", 35, 35, 32, 32, 0, false);
	attention(&h, "attention, causal", 40, 40, 20, 20, 1, false);
	attention(&h, "attention across, masked", 5, 70, 64, 48, 0, true);
	attention(&h, "attention with large heads", 17, 33, 136, 9, 0, false);
	products(&h);
	convolutions(&h);
	h.target.weights = TARGET_TEXTURES;
	products(&h);
	convolutions(&h);
	return harness_run(&h);
}
