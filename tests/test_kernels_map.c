/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernels_map.c - elementwise programs: every function, broadcasting, views, all types. */
#include "config.h"

#include "kernel_harness.h"

#include <stdio.h>

/* One program that applies several functions to one input, one output each. */
static void functions(struct harness *h, const char *name, const char *const *op, int count, double low, double high)
{
	struct strbuf s = { 0 };
	struct harness_case *c;
	int i;

	strbuf_puts(&s, "%0 \"x\" = input f32[3,37]\n");
	for (i = 0; i < count; i++)
		strbuf_printf(&s, "%%%d = map(;%%0) [%s f32] : f32[3,37]\n", i + 1, op[i]);
	for (i = 0; i < count; i++)
		strbuf_printf(&s, "output \"y%d\" %%%d\n", i, i + 1);
	c = harness_text(h, name, strbuf_str(&s));
	c->low = low;
	c->high = high;
	strbuf_free(&s);
}

int main(void)
{
	static const char *const smooth[] = {
		"exp(i0)", "tanh(i0)", "erf(i0)", "sigmoid(i0)", "gelu(i0)", "gelu_tanh(i0)", "silu(i0)", "mish(i0)",
		"softplus(i0)", "softsign(i0)", "sin(i0)", "cos(i0)", "sinh(i0)", "cosh(i0)", "asinh(i0)", "atan(i0)",
	};
	static const char *const pieces[] = {
		"neg(i0)", "abs(i0)", "sign(i0)", "floor(i0)", "ceil(i0)", "round(i0)", "relu(i0)",
		"hard_sigmoid(i0) {alpha = 0.2, beta = 0.5}", "hard_swish(i0)", "leaky_relu(i0) {alpha = 0.1}",
		"elu(i0) {alpha = 0.7}", "selu(i0) {alpha = 1.6, gamma = 1.05}", "celu(i0) {alpha = 1.5}",
		"thresholded_relu(i0) {alpha = 0.5}", "clip(i0) {min = -1.0, max = 2.0}", "reciprocal(i0)",
	};
	static const char *const positive[] = { "log(i0)", "sqrt(i0)", "rsqrt(i0)", "acosh(i0)" };
	static const char *const unit[] = { "asin(i0)", "acos(i0)", "atanh(i0)", "tan(i0)" };
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	functions(&h, "smooth functions", smooth, 16, -6, 6);
	functions(&h, "functions in pieces", pieces, 16, -4, 4);
	functions(&h, "functions of positive numbers", positive, 4, 1.01, 9);
	functions(&h, "functions on -1..1", unit, 4, -0.99, 0.99);
	harness_text(&h, "broadcast of a row, a column and a scalar",
		     "%0 \"a\" = input f32[5,1]\n%1 \"b\" = input f32[19]\n%2 \"c\" = input f32[5,19]\n"
		     "%3 = const f32[] = memory f32[] {0.75}\n"
		     "%4 = map(;%0, %1, %2, %3) [add(i0, i1) f32, mul(r1, i2) f32, sub(r2, i3) f32] : f32[5,19]\n"
		     "output \"y\" %4\n");
	harness_text(&h, "broadcast in the middle, merged dims",
		     "%0 \"a\" = input f32[2,3,4,17]\n%1 \"b\" = input f32[2,1,1,17]\n%2 \"c\" = input f32[3,4,1]\n"
		     "%3 = map(;%0, %1, %2) [mul(i0, i1) f32, max(r1, i2) f32] : f32[2,3,4,17]\n"
		     "output \"y\" %3\n");
	harness_text(&h, "transposed view and a slice",
		     "%0 \"a\" = input f32[7,5]\n%1 \"b\" = input f32[9,20]\n"
		     "%2 = map(;%0 view 0 [1,5], %1 view 22 [20,2]) [add(i0, i1) f32] : f32[5,7]\n"
		     "output \"y\" %2\n");
	harness_text(&h, "comparison and where in lanes",
		     "%0 \"a\" = input f32[4,21]\n%1 \"b\" = input f32[21]\n"
		     "%2 = map(;%0, %1) [greater(i0, i1) bool, where(r1, i0, i1) f32, less(r2, i0) bool, "
		     "logical_not(r3) bool] : bool[4,21]\n"
		     "%3 \"m\" = input bool[4,21]\n"
		     "%4 = map(;%3, %2, %0) [logical_and(i0, i1) bool, where(r1, i2, i2) f32, cast(i0) {dtype = 1} f32, "
		     "add(r2, r3) f32] : f32[4,21]\n"
		     "output \"y\" %2\noutput \"z\" %4\n");
	harness_text(&h, "integers",
		     "%0 \"a\" = input i64[3,7]\n%1 \"b\" = input i64[7]\n%2 = const i64[] = memory i64[] {3}\n"
		     "%3 = map(;%0, %1, %2) [mul(i0, i1) i64, add(r1, i2) i64, neg(r2) i64, mod(r3, i2) i64] : i64[3,7]\n"
		     "%4 = map(;%0, %2) [div(i0, i1) i64, cast(r1) {dtype = 1} f32] : f32[3,7]\n"
		     "%5 \"c\" = input i32[3,7]\n"
		     "%6 = map(;%5) [clip(i0) {min = -2.0, max = 3.0} i32, abs(r1) i32] : i32[3,7]\n"
		     "%7 \"d\" = input f32[3,7]\n"
		     "%8 = map(;%7) [cast(i0) {dtype = 5} i64] : i64[3,7]\n"
		     "output \"y\" %3\noutput \"z\" %4\noutput \"u\" %6\noutput \"v\" %8\n")->high = 9;
	harness_text(&h, "halves and bytes",
		     "%0 \"a\" = input f16[2,9]\n%1 \"b\" = input u8[2,9]\n"
		     "%2 = map(;%0) [cast(i0) {dtype = 1} f32, mul(r1, r1) f32, cast(r2) {dtype = 2} f16] : f16[2,9]\n"
		     "%3 = map(;%1) [cast(i0) {dtype = 1} f32] : f32[2,9]\n"
		     "output \"y\" %2\noutput \"z\" %3\n")->ilow = 0;
	harness_text(&h, "long rows and an output in place",
		     "%0 \"a\" = input f32[70001]\n%1 \"b\" = input f32[70001]\n"
		     "%2 = map(;%0, %1) [add(i0, i1) f32] : f32[70001]\n"
		     "%3 = map(;%2) [relu(i0) f32] : f32[70001]\noutput \"y\" %3\n");
	harness_text(&h, "single element", "%0 \"a\" = input f32[]\n%1 = map(;%0) [exp(i0) f32] : f32[]\noutput \"y\" %1\n");
	harness_text(&h, "pow and mod",
		     "%0 \"a\" = input f32[33]\n%1 \"b\" = input f32[33]\n%2 = const f32[1] = memory f32[1] {2}\n"
		     "%3 = map(;%0, %2) [abs(i0) f32, pow(i0, i1) f32, add(r1, r2) f32] : f32[33]\n"
		     "%4 = map(;%0, %1) [abs(i0) f32, pow(r1, i1) f32] : f32[33]\n"
		     "%5 = map(;%0, %1) [mod(i0, i1) f32, fmod(i0, i1) f32, sub(r1, r2) f32] : f32[33]\n"
		     "output \"y\" %3\noutput \"z\" %4\noutput \"u\" %5\n");
	return harness_run(&h);
}
