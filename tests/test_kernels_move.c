/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernels_move.c - transpose, slice, expand, tile, concat, pad, gather: all types, odd shapes. */
#include "config.h"

#include "kernel_harness.h"

static void test_transpose(struct harness *h)
{
	harness_text(h, "images of three channels",
		     "%0 \"x\" = input f32[2,3,5,11]\n%1 = transpose(%0) {perm = [0,2,3,1]} : f32[2,5,11,3]\noutput \"y\" %1\n");
	harness_text(h, "three rows of three, relu",
		     "%0 \"x\" = input f32[3,3]\n%1 = transpose(%0;) {perm = [1,0]} [relu(r0) f32] : f32[3,3]\noutput \"y\" %1\n");
	harness_text(h, "transpose, 16 x 16 blocks and rims",
		     "%0 \"x\" = input f32[37,21]\n%1 = transpose(%0) {perm = [1,0]} : f32[21,37]\noutput \"y\" %1\n");
	harness_text(h, "transpose, channels last to first",
		     "%0 \"x\" = input f32[2,5,7,19]\n"
		     "%1 = transpose(%0) {perm = [0,3,1,2]} : f32[2,19,5,7]\noutput \"y\" %1\n");
	harness_text(h, "transpose, few channels first to last",
		     "%0 \"x\" = input f32[1,3,9,11]\n"
		     "%1 = transpose(%0) {perm = [0,2,3,1]} : f32[1,9,11,3]\noutput \"y\" %1\n");
	harness_text(h, "transpose, two channels of many images",
		     "%0 \"x\" = input f32[70,2,3,20]\n"
		     "%1 = transpose(%0) {perm = [0,2,3,1]} : f32[70,3,20,2]\noutput \"y\" %1\n"
		     "%2 \"b\" = input f32[2]\n"
		     "%3 = transpose(%0; %2) {perm = [0,2,3,1]} [add(r0, i0) f32] : f32[70,3,20,2]\noutput \"z\" %3\n");
	harness_text(h, "transpose, heads",
		     "%0 \"x\" = input f32[2,9,4,17]\n"
		     "%1 = transpose(%0) {perm = [0,2,1,3]} : f32[2,4,9,17]\noutput \"y\" %1\n");
	harness_text(h, "transpose, four dims reversed",
		     "%0 \"x\" = input f32[5,6,7,18]\n"
		     "%1 = transpose(%0) {perm = [3,2,1,0]} : f32[18,7,6,5]\noutput \"y\" %1\n");
	harness_text(h, "transpose of i64",
		     "%0 \"x\" = input i64[3,5]\n%1 = transpose(%0) {perm = [1,0]} : i64[5,3]\noutput \"y\" %1\n");
	harness_text(h, "transpose of f16 and u8",
		     "%0 \"x\" = input f16[3,5]\n%1 = transpose(%0) {perm = [1,0]} : f16[5,3]\noutput \"y\" %1\n"
		     "%2 \"b\" = input u8[3,5]\n%3 = transpose(%2) {perm = [1,0]} : u8[5,3]\noutput \"z\" %3\n");
	harness_text(h, "transpose with an epilogue",
		     "%0 \"x\" = input f32[20,18]\n%1 \"b\" = input f32[20]\n"
		     "%2 = transpose(%0; %1) {perm = [1,0]} [add(r0, i0) f32, relu(r1) f32] : f32[18,20]\n"
		     "output \"y\" %2\n");
}

static void test_slice(struct harness *h)
{
	harness_text(h, "slice with steps",
		     "%0 \"x\" = input f32[9,40]\n"
		     "%1 = slice(%0) {shape = [3,18], starts = [1,2], steps = [3,2]} : f32[3,18]\noutput \"y\" %1\n");
	harness_text(h, "slice backwards",
		     "%0 \"x\" = input f32[9,40]\n"
		     "%1 = slice(%0) {shape = [4,19], starts = [8,39], steps = [-2,-2]} : f32[4,19]\noutput \"y\" %1\n");
	harness_text(h, "slice of one row, epilogue",
		     "%0 \"x\" = input f32[4,5,33]\n%1 \"s\" = input f32[5,1]\n"
		     "%2 = slice(%0; %1) {shape = [2,5,31], starts = [1,0,1], steps = [1,1,1]} [mul(r0, i0) f32]"
		     " : f32[2,5,31]\noutput \"y\" %2\n");
	harness_text(h, "expand",
		     "%0 \"x\" = input f32[5,1,7]\n%1 = expand(%0) {shape = [3,5,4,7]} : f32[3,5,4,7]\noutput \"y\" %1\n"
		     "%2 \"c\" = input f32[5,1]\n%3 = expand(%2) {shape = [5,37]} : f32[5,37]\noutput \"z\" %3\n");
	harness_text(h, "tile",
		     "%0 \"x\" = input f32[3,4,5]\n%1 = tile(%0) {repeats = [2,3,4]} : f32[6,12,20]\noutput \"y\" %1\n"
		     "%2 \"i\" = input i32[3]\n%3 = tile(%2) {repeats = [5]} : i32[15]\noutput \"z\" %3\n");
}

/* Parts that their kernels write where they belong, beside parts that are copied. */
static void test_parts(struct harness *h)
{
	static const int channels[] = { 24, 5, 48 };
	char name[64];

	harness_text(h, "parts of a concat: columns of one",
		     "%0 \"x\" = input f32[4,3]\n%1 \"z\" = input f32[4,3]\n"
		     "%2 = map(;%0 view 2 [3,0], %1 view 1 [3,0]) [mul(i0, i1) f32] : f32[4,1]\n"
		     "%3 = map(;%0 view 0 [3,0]) [neg(i0) f32] : f32[4,1]\n"
		     "%4 = concat(%2, %3) {axis = 1} : f32[4,2]\noutput \"y\" %4\n");

	for (unsigned i = 0; i < 3; i++) {
		int c = channels[i];

		snprintf(name, sizeof name, "parts of a concat: conv, pool, map of %d", c);
		harness_textf(h, name,
			      "%%0 \"x\" = input f32[2,5,7,6]\n%%1 \"r\" = input f32[2,5,7,%d]\n"
			      "%%2 = const f32[%d,6,1,1] = random seed 3 mean 0.0 deviation 0.5 f32[%d,6,1,1]\n"
			      "%%3 = conv(%%0, %%2; %%1) {strides = [1,1], pads = [0,0,0,0], dilations = [1,1], group = 1} "
			      "[add(r0, i0) f32] : f32[2,5,7,%d]\n"
			      "%%4 = max_pool(%%0) {shape = [2,5,7,6], kernel = [3,3], strides = [1,1], pads = [1,1,1,1], dilations = [1,1]} "
			      ": f32[2,5,7,6]\n"
			      "%%5 = map(;%%1, %%3) [mul(i0, i0) f32] : f32[2,5,7,%d]\n"
			      "%%6 = const f32[%d,6,3,3] = random seed 4 mean 0.0 deviation 0.5 f32[%d,6,3,3]\n"
			      "%%7 = conv(%%0, %%6) {strides = [1,1], pads = [1,1,1,1], dilations = [1,1], group = 1} "
			      ": f32[2,5,7,%d]\n"
			      "%%8 = concat(%%0, %%3, %%4, %%5, %%7) {axis = 3} : f32[2,5,7,%d]\noutput \"y\" %%8\n",
			      c, c, c, c, c, c, c, c, 12 + 3 * c);
		snprintf(name, sizeof name, "a shuffle of 2 x %d channels", c);
		harness_textf(h, name,
			      "%%0 \"x\" = input f32[1,5,7,%d]\n"
			      "%%1 = reshape(%%0) {shape = [5,7,1,%d,2]} : f32[5,7,1,%d,2]\n"
			      "%%2 = slice(%%1) {starts = [0,0,0,0,1], steps = [1,1,1,1,1], shape = [5,7,1,%d,1]} : f32[5,7,1,%d,1]\n"
			      "%%3 = reshape(%%2) {shape = [1,5,7,%d]} : f32[1,5,7,%d]\n"
			      "%%4 = const f32[%d,%d,1,1] = random seed 3 mean 0.0 deviation 0.5 f32[%d,%d,1,1]\n"
			      "%%5 = conv(%%3, %%4) {strides = [1,1], pads = [0,0,0,0], dilations = [1,1], group = 1} "
			      "[relu(r0) f32] : f32[1,5,7,%d]\n"
			      "%%6 = slice(%%1) {starts = [0,0,0,0,0], steps = [1,1,1,1,1], shape = [5,7,1,%d,1]} : f32[5,7,1,%d,1]\n"
			      "%%7 = reshape(%%6) {shape = [1,5,7,%d]} : f32[1,5,7,%d]\n"
			      "%%8 = concat(%%7, %%5) {axis = 3} : f32[1,5,7,%d]\noutput \"y\" %%8\n",
			      2 * c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, 2 * c);
	}
	harness_text(h, "parts of a part, one after the other",
		     "%0 \"x\" = input f32[3,4,20]\n%1 = map(;%0) [neg(i0) f32] : f32[3,4,20]\n"
		     "%2 = reshape(%1) {shape = [1,240]} : f32[1,240]\n%3 = map(;%0) [abs(i0) f32] : f32[3,4,20]\n"
		     "%4 = reshape(%3) {shape = [1,240]} : f32[1,240]\n%5 = concat(%2, %4) {axis = 1} : f32[1,480]\n"
		     "%6 \"z\" = input f32[1,7]\n%7 = map(;%6) [exp(i0) f32] : f32[1,7]\n"
		     "%8 = concat(%7, %5, %7) {axis = 1} : f32[1,494]\noutput \"y\" %8\n");
	harness_text(h, "parts of a part, rows of rows",
		     "%0 \"x\" = input f32[3,4,5]\n%1 = map(;%0) [neg(i0) f32] : f32[3,4,5]\n"
		     "%2 = transpose(%0) {perm = [1,0,2]} : f32[4,3,5]\n%3 = reshape(%2) {shape = [3,4,5]} : f32[3,4,5]\n"
		     "%4 = concat(%1, %3) {axis = 2} : f32[3,4,10]\n%5 = map(;%0) [abs(i0) f32] : f32[3,4,5]\n"
		     "%6 = concat(%5, %4) {axis = 2} : f32[3,4,15]\noutput \"y\" %6\n");
	harness_text(h, "rows of a product are a slice",
		     "%0 \"x\" = input f32[9,40]\n"
		     "%1 = slice(%0) {starts = [0,7], steps = [1,1], shape = [9,19]} : f32[9,19]\n"
		     "%2 = const f32[19,33] = random seed 3 mean 0.0 deviation 0.5 f32[19,33]\n"
		     "%3 = matmul(%1, %2) {alpha = 1.0, trans_a = 0, trans_b = 0} : f32[9,33]\n"
		     "%4 = slice(%0) {starts = [1,3], steps = [1,3], shape = [8,12]} : f32[8,12]\n"
		     "%5 = const f32[12,20] = random seed 4 mean 0.0 deviation 0.5 f32[12,20]\n"
		     "%6 = matmul(%4, %5) {alpha = 0.5, trans_a = 0, trans_b = 0} : f32[8,20]\n"
		     "output \"y\" %3\noutput \"z\" %6\n");
}

static void test_concat(struct harness *h)
{
	harness_text(h, "concat of channels",
		     "%0 \"a\" = input f32[3,4,17]\n%1 \"b\" = input f32[3,4,3]\n%2 \"c\" = input f32[3,4,16]\n"
		     "%3 = concat(%0, %1, %2) {axis = 2} : f32[3,4,36]\noutput \"y\" %3\n");
	harness_text(h, "concat in the middle, epilogue",
		     "%0 \"a\" = input f32[2,3,19]\n%1 \"b\" = input f32[2,2,19]\n%2 \"c\" = input f32[2,5,19]\n"
		     "%3 = concat(%0, %1; %2) {axis = 1} [add(r0, i0) f32, tanh(r1) f32] : f32[2,5,19]\noutput \"y\" %3\n");
	harness_text(h, "concat of the last axis, epilogue",
		     "%0 \"a\" = input f32[7,3]\n%1 \"b\" = input f32[7,20]\n%2 \"c\" = input f32[23]\n"
		     "%3 = concat(%0, %1; %2) {axis = 1} [mul(r0, i0) f32] : f32[7,23]\noutput \"y\" %3\n");
	harness_text(h, "concat with a constant, long rows",
		     "%0 \"a\" = input f32[40000]\n%1 = const f32[3] = memory f32[3] {1.0, 2.0, 3.0}\n"
		     "%2 = concat(%1, %0, %1) {axis = 0} : f32[40006]\noutput \"y\" %2\n");
	harness_text(h, "concat of i64 and of bool",
		     "%0 \"a\" = input i64[3]\n%1 \"b\" = input i64[2]\n%2 = concat(%0, %1) {axis = 0} : i64[5]\n"
		     "%3 \"c\" = input bool[2,3]\n%4 \"d\" = input bool[2,1]\n%5 = concat(%3, %4) {axis = 1} : bool[2,4]\n"
		     "output \"y\" %2\noutput \"z\" %5\n");
}

static void test_pad(struct harness *h)
{
	static const char *const mode[] = { "constant", "reflect", "edge", "wrap" };

	for (int m = 0; m < 4; m++) {
		harness_textf(h, mode[m],
			      "%%0 \"x\" = input f32[1,5,6,19]\n"
			      "%%1 = pad(%%0) {pads = [0,2,1,0,0,1,3,0], mode = %d, value = 0.5} : f32[1,8,10,19]\n"
			      "output \"y\" %%1\n", m);
		harness_textf(h, mode[m],
			      "%%0 \"x\" = input f32[3,21]\n"
			      "%%1 = pad(%%0) {pads = [0,4,0,3], mode = %d, value = -2.0} : f32[3,28]\n"
			      "output \"y\" %%1\n", m);
	}
	harness_text(h, "cropped and padded",
		     "%0 \"x\" = input f32[4,40]\n"
		     "%1 = pad(%0) {pads = [-1,3,0,-5], mode = 0, value = 9.0} : f32[3,38]\noutput \"y\" %1\n");
	harness_text(h, "padded i64",
		     "%0 \"x\" = input i64[2,3]\n"
		     "%1 = pad(%0) {pads = [1,0,0,2], mode = 0, value = -7.0} : i64[3,5]\noutput \"y\" %1\n");
	harness_text(h, "padded, epilogue",
		     "%0 \"x\" = input f32[2,3,18]\n%1 \"s\" = input f32[18]\n"
		     "%2 = pad(%0; %1) {pads = [0,1,0,0,1,0], mode = 0, value = 1.0} [mul(r0, i0) f32] : f32[2,5,18]\n"
		     "output \"y\" %2\n");
}

static void test_gather(struct harness *h)
{
	static const int64_t wide[4] = { 0, -1, 8, -9 };
	struct harness_case *c;

	c = harness_text(h, "embedding",
			 "%0 \"i\" = input i64[2,3]\n%1 = const f32[9,37] = random seed 3 mean 0.0 deviation 1.0 f32[9,37]\n"
			 "%2 = gather(%1, %0) {axis = 0} : f32[2,3,37]\noutput \"y\" %2\n");
	c->ilow = -9;
	c->ihigh = 8;
	for (int i = 0; i < 2; i++) {
		c = harness_textf(h, "embedding of fewer bits",
				  "weights %s\n%%0 \"i\" = input i64[2,3]\n"
				  "%%1 = const f32[9,37] = random seed 3 mean 0.0 deviation 1.0 f32[9,37]\n"
				  "%%2 = gather(%%1, %%0) {axis = 0} : f32[2,3,37]\noutput \"y\" %%2\n", i ? "bf16" : "f16");
		c->ilow = -9;
		c->ihigh = 8;
	}
	c = harness_text(h, "single elements of a stored table",
			 "weights f16\n%0 \"i\" = input i64[5]\n"
			 "%1 = const f32[3,9] = random seed 3 mean 0.0 deviation 1.0 f32[3,9]\n"
			 "%2 = gather(%1, %0) {axis = 1} : f32[3,5]\noutput \"y\" %2\n");
	c->ilow = -9;
	c->ihigh = 8;
	c = harness_text(h, "gather in the middle, i32",
			 "%0 \"x\" = input f32[3,5,18]\n%1 \"i\" = input i32[4]\n"
			 "%2 = gather(%0, %1) {axis = 1} : f32[3,4,18]\noutput \"y\" %2\n");
	c->ilow = -5;
	c->ihigh = 4;
	c = harness_text(h, "gather of the last axis, epilogue",
			 "%0 \"x\" = input f32[3,9]\n%1 \"i\" = input i64[4]\n%2 \"s\" = input f32[4]\n"
			 "%3 = gather(%0, %1; %2) {axis = 1} [mul(r0, i0) f32] : f32[3,4]\noutput \"y\" %3\n");
	harness_input(h, c, 1, wide);
	c = harness_text(h, "gather of rows, epilogue",
			 "%0 \"x\" = input f32[9,3,20]\n%1 \"i\" = input i64[4]\n%2 \"s\" = input f32[3,1]\n"
			 "%3 = gather(%0, %1; %2) {axis = 0} [add(r0, i0) f32] : f32[4,3,20]\noutput \"y\" %3\n");
	harness_input(h, c, 1, wide);
	c = harness_text(h, "gather of i64",
			 "%0 \"x\" = input i64[9,2]\n%1 \"i\" = input i64[4]\n"
			 "%2 = gather(%0, %1) {axis = 0} : i64[4,2]\noutput \"y\" %2\n");
	harness_input(h, c, 1, wide);
	c = harness_text(h, "gather_elements",
			 "%0 \"x\" = input f32[4,5,6]\n%1 \"i\" = input i64[3,7,6]\n"
			 "%2 = gather_elements(%0, %1) {axis = 1} : f32[3,7,6]\noutput \"y\" %2\n");
	c->ilow = -5;
	c->ihigh = 4;
}

static void test_scatter(struct harness *h)
{
	static const int64_t places[5] = { 3, -1, 3, 40, -41 }; /* twice the same, and two outside */
	static const char *const type[] = { "f32", "i64" };
	struct harness_case *c;

	for (int t = 0; t < 2; t++)
		for (int mode = SCATTER_SET; mode <= SCATTER_MAX; mode++) {
			c = harness_textf(h, "scatter",
					  "%%0 \"x\" = input %s[9,5]\n%%1 \"i\" = input i64[5]\n%%2 \"u\" = input %s[5,5]\n"
					  "%%3 = scatter(%%0, %%1, %%2) {mode = %d} : %s[9,5]\noutput \"y\" %%3\n",
					  type[t], type[t], mode, type[t]);
			harness_input(h, c, 1, places);
		}
	c = harness_text(h, "scatter in ranges, i32",
			 "%0 \"x\" = input f32[900,17]\n%1 \"i\" = input i32[400]\n%2 \"u\" = input f32[400,17]\n"
			 "%3 = scatter(%0, %1, %2) {mode = 1} : f32[900,17]\noutput \"y\" %3\n");
	c->ilow = -900;
	c->ihigh = 899;
}

static void test_top_k(struct harness *h)
{
	for (int mode = 0; mode < 2; mode++) {
		struct harness_case *c;

		c = harness_textf(h, mode ? "largest k" : "smallest k",
				  "%%0 \"x\" = input f32[2,3,67]\n%%1 \"i\" = input i64[4,19]\n"
				  "%%2 = top_k(%%0) {shape = [2,3,5], mode = %d} : i64[2,3,5]\n"
				  "%%3 = top_k(%%0) {shape = [2,3,1], mode = %d} : i64[2,3,1]\n"
				  "%%4 = top_k(%%0) {shape = [2,3,67], mode = %d} : i64[2,3,67]\n"
				  "%%5 = floor(%%0) : f32[2,3,67]\n%%6 = top_k(%%5) {shape = [2,3,40], mode = %d} : i64[2,3,40]\n"
				  "%%7 = top_k(%%1) {shape = [4,7], mode = %d} : i64[4,7]\n"
				  "output \"a\" %%2\noutput \"b\" %%3\noutput \"c\" %%4\noutput \"d\" %%6\noutput \"e\" %%7\n",
				  mode, mode, mode, mode, mode);
		c->ilow = -4;
		c->ihigh = 4;
	}
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	test_transpose(&h);
	test_slice(&h);
	test_concat(&h);
	test_parts(&h);
	test_pad(&h);
	test_gather(&h);
	test_scatter(&h);
	test_top_k(&h);
	return harness_run(&h);
}
