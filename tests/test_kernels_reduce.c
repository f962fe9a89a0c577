/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernels_reduce.c - reductions, arg_max, softmax and normalisations over odd shapes. */
#include "config.h"

#include "kernel_harness.h"

static const char *const reductions[] = {
	"reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "reduce_l1", "reduce_l2",
	"reduce_sum_square", "reduce_log_sum", "reduce_log_sum_exp",
};

static void test_every_reduction(struct harness *h)
{
	for (unsigned i = 0; i < sizeof reductions / sizeof *reductions; i++) {
		struct harness_case *c =
			harness_textf(h, reductions[i],
				      "%%0 \"x\" = input f32[3,5,37]\n"
				      "%%1 = %s(%%0) {axes = [2], keepdims = 1} : f32[3,5,1]\n"
				      "%%2 = %s(%%0) {axes = [1], keepdims = 0} : f32[3,37]\n"
				      "%%3 = %s(%%0) {axes = [0,1,2], keepdims = 0} : f32[]\n"
				      "%%4 = %s(%%0) {axes = [0,2], keepdims = 0} : f32[5]\n"
				      "output \"a\" %%1\noutput \"b\" %%2\noutput \"c\" %%3\noutput \"d\" %%4\n",
				      reductions[i], reductions[i], reductions[i], reductions[i]);

		c->low = 0.9;
		c->high = 1.1;
	}
}

static void test_reduce_shapes(struct harness *h)
{
	struct harness_case *c;

	harness_text(h, "mean over an image, channels last",
		     "%0 \"x\" = input f32[2,7,9,35]\n"
		     "%1 = reduce_mean(%0) {axes = [1,2], keepdims = 1} : f32[2,1,1,35]\noutput \"y\" %1\n");
	c = harness_text(h, "a long sum",
			 "%0 \"x\" = input f32[100003]\n%1 = reduce_sum(%0) {axes = [0], keepdims = 1} : f32[1]\n"
			 "output \"y\" %1\n");
	c->low = 0.5;
	harness_text(h, "kept and reduced in turns",
		     "%0 \"x\" = input f32[3,4,5,6,7]\n"
		     "%1 = reduce_sum(%0) {axes = [1,3], keepdims = 0} : f32[3,5,7]\n"
		     "%2 = reduce_max(%0) {axes = [0,2,4], keepdims = 0} : f32[4,6]\n"
		     "output \"y\" %1\noutput \"z\" %2\n");
	harness_text(h, "dims of one",
		     "%0 \"x\" = input f32[1,20,1]\n%1 = reduce_sum(%0) {axes = [1], keepdims = 0} : f32[1,1]\n"
		     "%2 = reduce_sum(%0) {axes = [2], keepdims = 0} : f32[1,20]\noutput \"y\" %1\noutput \"z\" %2\n");
	harness_text(h, "reduction with an epilogue",
		     "%0 \"x\" = input f32[3,4,18]\n%1 \"b\" = input f32[18]\n%2 \"c\" = input f32[3,1]\n"
		     "%3 = reduce_sum(%0; %1) {axes = [1], keepdims = 0} [add(r0, i0) f32, relu(r1) f32] : f32[3,18]\n"
		     "%4 = reduce_mean(%0; %2) {axes = [2], keepdims = 0} [mul(r0, i0) f32] : f32[3,4]\n"
		     "output \"y\" %3\noutput \"z\" %4\n");
	harness_text(h, "a kept dim of one before the row, epilogue",
		     "%0 \"x\" = input f32[3,4,1,18]\n%1 \"b\" = input f32[3,1,18]\n"
		     "%2 = reduce_sum(%0; %1) {axes = [1], keepdims = 0} [add(r0, i0) f32] : f32[3,1,18]\n"
		     "output \"y\" %2\n");
	harness_text(h, "reductions of integers",
		     "%0 \"x\" = input i64[3,5]\n%1 = reduce_sum(%0) {axes = [1], keepdims = 0} : i64[3]\n"
		     "%2 = reduce_max(%0) {axes = [0], keepdims = 0} : i64[5]\n"
		     "%3 = reduce_mean(%0) {axes = [0,1], keepdims = 1} : i64[1,1]\n"
		     "%4 \"i\" = input i32[4]\n%5 = reduce_l1(%4) {axes = [0], keepdims = 0} : i32[]\n"
		     "output \"a\" %1\noutput \"b\" %2\noutput \"c\" %3\noutput \"d\" %5\n");
	harness_text(h, "reduction of f16",
		     "%0 \"x\" = input f16[3,20]\n%1 = reduce_mean(%0) {axes = [1], keepdims = 0} : f16[3]\noutput \"y\" %1\n");
}

static void test_arg(struct harness *h)
{
	static const char *const op[] = { "arg_max", "arg_min" };

	for (int i = 0; i < 4; i++) {
		harness_textf(h, i & 1 ? "arg, last of equals" : "arg, first of equals",
			      "%%0 \"x\" = input f32[3,67]\n%%1 \"i\" = input i64[4,19]\n%%2 \"z\" = input f32[3,5,21]\n"
			      "%%3 = %s(%%0) {axis = 1, keepdims = 1, select_last = %d} : i64[3,1]\n"
			      "%%4 = %s(%%1) {axis = 1, keepdims = 0, select_last = %d} : i64[4]\n"
			      "%%5 = %s(%%2) {axis = 1, keepdims = 0, select_last = %d} : i64[3,21]\n"
			      "%%6 = %s(%%1) {axis = 0, keepdims = 0, select_last = %d} : i64[19]\n"
			      "%%7 = floor(%%0) : f32[3,67]\n"
			      "%%8 = %s(%%7) {axis = 1, keepdims = 0, select_last = %d} : i64[3]\n"
			      "output \"a\" %%3\noutput \"b\" %%4\noutput \"c\" %%5\noutput \"d\" %%6\noutput \"e\" %%8\n",
			      op[i / 2], i & 1, op[i / 2], i & 1, op[i / 2], i & 1, op[i / 2], i & 1, op[i / 2], i & 1);
	}
}

static void test_softmax(struct harness *h)
{
	static const char *const op[] = { "softmax", "log_softmax" };

	for (int i = 0; i < 2; i++) {
		struct harness_case *c =
			harness_textf(h, op[i],
				      "%%0 \"x\" = input f32[3,5,37]\n%%1 \"s\" = input f32[1,37]\n"
				      "%%2 = %s(%%0) {axis = 2} : f32[3,5,37]\n%%3 = %s(%%0) {axis = 1} : f32[3,5,37]\n"
				      "%%4 = %s(%%0) {axis = 0} : f32[3,5,37]\n"
				      "%%5 = %s(%%0; %%1) {axis = 0} [mul(r0, i0) f32] : f32[3,5,37]\n"
				      "%%6 = %s(%%0; %%1) {axis = 2} [mul(r0, i0) f32] : f32[3,5,37]\n"
				      "output \"a\" %%2\noutput \"b\" %%3\noutput \"c\" %%4\noutput \"d\" %%5\noutput \"e\" %%6\n",
				      op[i], op[i], op[i], op[i], op[i]);

		c->low = -20;
		c->high = 20;
	}
	harness_text(h, "softmax, a dim of one at the end",
		     "%0 \"x\" = input f32[2,7,1]\n%1 \"s\" = input f32[7,1]\n%2 = softmax(%0) {axis = 1} : f32[2,7,1]\n"
		     "%3 = softmax(%0; %1) {axis = 1} [mul(r0, i0) f32] : f32[2,7,1]\noutput \"y\" %2\noutput \"z\" %3\n");
}

static void test_norm(struct harness *h)
{
	harness_text(h, "layer_norm",
		     "%0 \"x\" = input f32[3,5,37]\n%1 \"s\" = input f32[37]\n%2 = const f32[37] = random seed 3 mean 1.0"
		     " deviation 0.5 f32[37]\n"
		     "%3 = layer_norm(%0, %1, %2) {axis = 2, eps = 0.00001} : f32[3,5,37]\n"
		     "%4 = layer_norm(%0) {axis = 1, eps = 0.001} : f32[3,5,37]\n"
		     "%5 = layer_norm(%0, _, %2) {axis = 2, eps = 0.001} : f32[3,5,37]\n"
		     "output \"a\" %3\noutput \"b\" %4\noutput \"c\" %5\n");
	harness_text(h, "layer_norm, epilogue",
		     "%0 \"x\" = input f32[3,5,18]\n%1 \"s\" = input f32[5,18]\n%2 \"r\" = input f32[3,5,18]\n"
		     "%3 = layer_norm(%0, %1; %2) {axis = 1, eps = 0.001} [add(r0, i0) f32] : f32[3,5,18]\noutput \"y\" %3\n");
	harness_text(h, "rms_norm",
		     "%0 \"x\" = input f32[7,40]\n%1 \"s\" = input f32[40]\n"
		     "%2 = rms_norm(%0, %1) {axis = 1, eps = 0.00001} : f32[7,40]\noutput \"y\" %2\n");
	harness_text(h, "group_norm",
		     "%0 \"x\" = input f32[2,3,5,36]\n%1 \"s\" = input f32[36]\n%2 \"b\" = input f32[36]\n"
		     "%3 = group_norm(%0, %1, %2) {group = 2, eps = 0.00001} : f32[2,3,5,36]\n"
		     "%4 = group_norm(%0) {group = 9, eps = 0.001} : f32[2,3,5,36]\n"
		     "%5 = group_norm(%0, %1; %2) {group = 1, eps = 0.001} [add(r0, i0) f32] : f32[2,3,5,36]\n"
		     "output \"a\" %3\noutput \"b\" %4\noutput \"c\" %5\n");
	harness_text(h, "mix_norm",
		     "%0 \"x\" = input f32[2,16,7,11]\n%1 \"w\" = input f32[16,16]\n%2 \"s\" = input f32[16]\n%3 \"b\" = input f32[16]\n"
		     "%4 = mix_norm(%0, %1, %2, %3) {axis = 1, eps = 0.00001} : f32[2,16,7,11]\n"
		     "%5 = mix_norm(%0, %1) {axis = 1, eps = 0.001} : f32[2,16,7,11]\noutput \"y\" %4\noutput \"z\" %5\n");
	harness_text(h, "mix_norm, other numbers of channels, epilogue",
		     "%0 \"x\" = input f32[3,5,70]\n%1 \"w\" = input f32[5,19]\n%2 \"s\" = input f32[19]\n%3 \"r\" = input f32[3,19,70]\n"
		     "%4 = mix_norm(%0, %1, %2; %3) {axis = 1, eps = 0.00001} [add(r0, i0) f32] : f32[3,19,70]\n"
		     "%5 \"v\" = input f32[2,12]\n%6 \"u\" = input f32[2,3]\n"
		     "%7 = mix_norm(%6, %5) {axis = 0, eps = 0.1} : f32[12,3]\n"
		     "%8 \"t\" = input f32[4,1,40]\n%9 \"c\" = input f32[33]\n%10 \"m\" = input f32[1,33]\n"
		     "%11 = mix_norm(%8, %10, _, %9) {axis = 1, eps = 0.1} : f32[4,33,40]\n"
		     "%12 \"p\" = input f32[5,3,9,21]\n%13 \"q\" = input f32[5,4]\n%14 \"o\" = input f32[4,1,9,21]\n"
		     "%15 = mix_norm(%12, %13; %14) {axis = 0, eps = 0.1} [mul(r0, i0) f32] : f32[4,3,9,21]\n"
		     "output \"y\" %4\noutput \"z\" %7\noutput \"a\" %11\noutput \"d\" %15\n");
	harness_text(h, "instance norm",
		     "%0 \"x\" = input f32[2,11,35]\n%1 \"s\" = input f32[35]\n%2 \"b\" = input f32[35]\n"
		     "%3 = group_norm(%0, %1, %2) {group = 35, eps = 0.00001} : f32[2,11,35]\noutput \"y\" %3\n");
}

static void test_resize(struct harness *h)
{
	static const char *const mode[] = { "nearest", "linear", "cubic" };

	for (int m = 0; m < 3; m++)
		for (int c = 0; c < 7; c++)
			harness_textf(h, mode[m],
				      "%%0 \"x\" = input f32[1,5,6,19]\n"
				      "%%1 = resize(%%0) {mode = %d, coordinates = %d, rounding = %d, shape = [1,10,4,19],"
				      " scales = {1.0,2.0,0.7,1.0}, cubic_a = -0.6, exclude_outside = %d, value = 0.25,"
				      " roi = {0.0,0.1,0.2,0.0,1.0,0.7,1.2,1.0}, antialias = %d} : f32[1,10,4,19]\n"
				      "output \"y\" %%1\n", m, c, c % 4, c & 1, m > 0 && c < 3);
	harness_text(h, "resize, channels first",
		     "%0 \"x\" = input f32[1,3,7,9]\n"
		     "%1 = resize(%0) {mode = 1, coordinates = 0, rounding = 0, shape = [1,3,14,18],"
		     " scales = {1.0,1.0,2.0,2.0}, cubic_a = -0.75, exclude_outside = 0, antialias = 0, value = 0.0}"
		     " : f32[1,3,14,18]\noutput \"y\" %1\n");
	harness_text(h, "resize, epilogue",
		     "%0 \"x\" = input f32[1,3,4,20]\n%1 \"b\" = input f32[8,20]\n"
		     "%2 = resize(%0; %1) {mode = 0, coordinates = 4, rounding = 2, shape = [1,6,8,20],"
		     " scales = {1.0,2.0,2.0,1.0}, cubic_a = -0.75, exclude_outside = 0, antialias = 0, value = 0.0}"
		     " [add(r0, i0) f32] : f32[1,6,8,20]\noutput \"y\" %2\n");
	for (int m = 0; m < 2; m++)
		harness_textf(h, "resize of the last dim, epilogue",
			      "%%0 \"x\" = input f32[3,7,16]\n%%1 \"b\" = input f32[7,1]\n"
			      "%%2 = resize(%%0; %%1) {mode = %d, coordinates = 0, rounding = 2, shape = [3,7,12],"
			      " scales = {1.0,1.0,0.75}, cubic_a = -0.75, exclude_outside = 0, antialias = 0, value = 0.0}"
			      " [add(r0, i0) f32] : f32[3,7,12]\noutput \"y\" %%2\n", m);
	harness_text(h, "resize of u8 and of f16",
		     "%0 \"x\" = input u8[3,4]\n%1 \"z\" = input f16[3,4]\n"
		     "%2 = resize(%0) {mode = 0, coordinates = 4, rounding = 2, shape = [6,8], scales = {2.0,2.0}} : u8[6,8]\n"
		     "%3 = resize(%1) {mode = 1, coordinates = 3, rounding = 2, shape = [6,8], scales = {2.0,2.0}} : f16[6,8]\n"
		     "output \"y\" %2\noutput \"w\" %3\n");
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	test_every_reduction(&h);
	test_reduce_shapes(&h);
	test_arg(&h);
	test_softmax(&h);
	test_norm(&h);
	test_resize(&h);
	return harness_run(&h);
}
