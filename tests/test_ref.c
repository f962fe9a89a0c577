/* SPDX-License-Identifier: Apache-2.0 */
/* test_ref.c - the plain-C references against values worked out by hand. */
#include "config.h"

#include "ref/ref.h"
#include "tap.h"

#include <math.h>
#include <string.h>

#define SHAPE(...) ((struct shape){ sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), { __VA_ARGS__ } })
#define F(...) ((float[]){ __VA_ARGS__ })
#define L(...) ((int64_t[]){ __VA_ARGS__ })
#define T(t, s, p) ((struct ref_tensor){ DTYPE_##t, s, p })
#define ATTRS(...) ((struct attr[]){ __VA_ARGS__ }), sizeof((struct attr[]){ __VA_ARGS__ }) / sizeof(struct attr)
#define INTS(k, ...) attr_ints(k, L(__VA_ARGS__), sizeof(L(__VA_ARGS__)) / sizeof(int64_t))
#define FLOATS(k, ...) attr_floats(k, ((double[]){ __VA_ARGS__ }), sizeof((double[]){ __VA_ARGS__ }) / sizeof(double))

enum { ROOM = 64 };

static bool near(double got, double want)
{
	return (isnan(got) && isnan(want)) || got == want || fabs(got - want) <= 1e-6 * (1 + fabs(want));
}

/* Runs one operation with f32 output and compares. */
static void expect(const char *what, enum op op, const struct attr *attr, uint32_t attr_count,
		   const struct ref_tensor *in, uint32_t in_count, struct shape shape, const float *want)
{
	float memory[ROOM];
	struct ref_tensor out = { DTYPE_F32, shape, memory };
	int64_t n = shape_elements(&shape), bad = -1;
	bool ran;

	memset(memory, 0xff, sizeof(memory));
	ran = ref_eval(op, attr, attr_count, in, in_count, &out, 1);
	for (int64_t i = 0; i < n && bad < 0 && ran; i++)
		if (!near((double)memory[i], (double)want[i]))
			bad = i;
	if (ran && bad >= 0)
		printf("# element %lld is %g and should be %g\n", (long long)bad, (double)memory[bad],
		       (double)want[bad]);
	tap_ok(ran && bad < 0, "%s", what);
}

static void expect_int(const char *what, enum op op, const struct attr *attr, uint32_t attr_count,
		       const struct ref_tensor *in, uint32_t in_count, struct shape shape, const int64_t *want)
{
	int64_t memory[ROOM] = { 0 };
	struct ref_tensor out = { DTYPE_I64, shape, memory };
	bool ok = ref_eval(op, attr, attr_count, in, in_count, &out, 1);

	tap_ok(ok && memcmp(memory, want, (size_t)shape_elements(&shape) * sizeof(*want)) == 0, "%s", what);
}

static void test_unary(void)
{
	static const struct {
		enum op op;
		float x, y;
	} cases[] = {
		{ OP_neg, 2, -2 }, { OP_abs, -3, 3 }, { OP_sign, -7, -1 }, { OP_exp, 1, 2.7182818f },
		{ OP_log, 1, 0 }, { OP_sqrt, 9, 3 }, { OP_rsqrt, 4, 0.5f }, { OP_reciprocal, 8, 0.125f },
		{ OP_floor, -1.5f, -2 }, { OP_ceil, -1.5f, -1 }, { OP_round, 2.5f, 2 }, { OP_round, 3.5f, 4 },
		{ OP_round, -2.5f, -2 }, { OP_sin, 0, 0 }, { OP_cos, 0, 1 }, { OP_tan, 0.7853981634f, 1 },
		{ OP_asin, 1, 1.5707963f }, { OP_acos, 1, 0 }, { OP_atan, 1, 0.7853981634f },
		{ OP_sinh, 1, 1.1752012f }, { OP_cosh, 1, 1.5430806f }, { OP_asinh, 1, 0.8813736f },
		{ OP_acosh, 2, 1.3169579f }, { OP_atanh, 0.5f, 0.5493061f }, { OP_tanh, 1, 0.7615942f },
		{ OP_erf, 1, 0.8427008f }, { OP_sigmoid, 0, 0.5f }, { OP_relu, -1, 0 }, { OP_relu, 2, 2 },
		{ OP_gelu, 1, 0.8413447f }, { OP_gelu_tanh, 1, 0.8411920f }, { OP_silu, 1, 0.7310586f },
		{ OP_mish, 1, 0.8650984f }, { OP_softplus, 0, 0.6931472f }, { OP_softsign, -1, -0.5f },
		{ OP_hard_sigmoid, 1, 0.7f }, { OP_hard_swish, 1, 0.6666667f }, { OP_hard_swish, -4, 0 },
		{ OP_leaky_relu, -1, -0.01f }, { OP_elu, -1, -0.6321206f }, { OP_selu, 1, 1.0507010f },
		{ OP_selu, -1, -1.1113307f }, { OP_celu, -1, -0.6321206f }, { OP_thresholded_relu, 1, 0 },
		{ OP_thresholded_relu, 1.5f, 1.5f }, { OP_identity, 3, 3 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		float x = cases[i].x;

		expect(op_name(cases[i].op), cases[i].op, NULL, 0, &T(F32, SHAPE(1), &x), 1, SHAPE(1), &cases[i].y);
	}
	expect("clip", OP_clip, ATTRS(attr_float(min, -1), attr_float(max, 2)), &T(F32, SHAPE(3), F(-3, 1, 3)), 1,
	       SHAPE(3), F(-1, 1, 2));
	expect("clip without an upper bound", OP_clip, ATTRS(attr_float(min, 0)), &T(F32, SHAPE(2), F(-3, 9)), 1,
	       SHAPE(2), F(0, 9));
	expect("is_nan", OP_is_nan, NULL, 0, &T(F32, SHAPE(2), F(NAN, 1)), 1, SHAPE(2), F(1, 0));
	expect("is_inf", OP_is_inf, NULL, 0, &T(F32, SHAPE(2), F(-INFINITY, 1)), 1, SHAPE(2), F(1, 0));
	expect("logical_not", OP_logical_not, NULL, 0, &T(F32, SHAPE(2), F(2, 0)), 1, SHAPE(2), F(0, 1));
}

static void test_binary(void)
{
	static const struct {
		enum op op;
		int64_t x, y, z;
	} ints[] = {
		{ OP_add, INT64_MAX, 1, INT64_MIN }, { OP_sub, 3, 5, -2 }, { OP_mul, -4, 3, -12 },
		{ OP_div, -7, 2, -3 }, { OP_div, INT64_MIN, -1, INT64_MIN }, { OP_div, 5, 0, 0 },
		{ OP_pow, 3, 4, 81 }, { OP_pow, 2, -1, 0 }, { OP_min, -1, 2, -1 }, { OP_max, -1, 2, 2 },
		{ OP_mod, -7, 3, 2 }, { OP_mod, 7, -3, -2 }, { OP_fmod, -7, 3, -1 }, { OP_prelu, -2, 5, -10 },
		{ OP_equal, 4, 4, 1 }, { OP_less, 4, 4, 0 }, { OP_less_equal, 4, 4, 1 }, { OP_greater, 5, 4, 1 },
		{ OP_greater_equal, 3, 4, 0 }, { OP_logical_and, 2, 0, 0 }, { OP_logical_or, 2, 0, 1 },
		{ OP_logical_xor, 2, 1, 0 },
	};

	for (size_t i = 0; i < sizeof(ints) / sizeof(*ints); i++) {
		int64_t x = ints[i].x, y = ints[i].y;
		struct ref_tensor in[2] = { T(I64, SHAPE(1), &x), T(I64, SHAPE(1), &y) };

		expect_int(op_name(ints[i].op), ints[i].op, NULL, 0, in, 2, SHAPE(1), &ints[i].z);
	}
	expect("broadcasting on both sides", OP_sub, NULL, 0,
	       ((struct ref_tensor[]){ T(F32, SHAPE(2, 1), F(10, 20)), T(F32, SHAPE(3), F(1, 2, 3)) }), 2, SHAPE(2, 3),
	       F(9, 8, 7, 19, 18, 17));
	expect("mod of floats", OP_mod, NULL, 0,
	       ((struct ref_tensor[]){ T(F32, SHAPE(2), F(-7, 5.5f)), T(F32, SHAPE(1), F(3)) }), 2, SHAPE(2), F(2, 2.5f));
	expect("prelu", OP_prelu, NULL, 0,
	       ((struct ref_tensor[]){ T(F32, SHAPE(2, 2), F(-1, 2, -3, 4)), T(F32, SHAPE(2), F(0.5f, 0.25f)) }), 2,
	       SHAPE(2, 2), F(-0.5f, 2, -1.5f, 4));
	expect("where", OP_where, NULL, 0,
	       ((struct ref_tensor[]){ T(BOOL, SHAPE(2, 1), ((uint8_t[]){ 1, 0 })), T(F32, SHAPE(1), F(5)),
				       T(F32, SHAPE(2), F(1, 2)) }), 3, SHAPE(2, 2), F(5, 5, 1, 2));
}

static void test_cast(void)
{
	uint16_t half[3];
	uint8_t small[3];
	struct ref_tensor in = T(F32, SHAPE(3), F(1, 1.00048828125f, -2.75f));
	struct ref_tensor out = { DTYPE_F16, SHAPE(3), half };

	tap_ok(ref_eval(OP_cast, NULL, 0, &in, 1, &out, 1) && half[0] == 0x3c00 && half[1] == 0x3c00 && half[2] == 0xc180,
	       "f32 to f16, half way to even");
	out = T(BF16, SHAPE(3), half);
	in.data = F(1, 1.00390625f, NAN);
	tap_ok(ref_eval(OP_cast, NULL, 0, &in, 1, &out, 1) && half[0] == 0x3f80 && half[1] == 0x3f80 && half[2] == 0x7fc0,
	       "f32 to bf16");
	out = T(U8, SHAPE(3), small);
	in.data = F(3.9f, 255, 0.5f);
	tap_ok(ref_eval(OP_cast, NULL, 0, &in, 1, &out, 1) && small[0] == 3 && small[1] == 255 && small[2] == 0,
	       "f32 to u8 truncates");
	out = T(BOOL, SHAPE(3), small);
	tap_ok(ref_eval(OP_cast, NULL, 0, &in, 1, &out, 1) && small[0] == 1 && small[2] == 1, "f32 to bool");
	expect_int("f32 to i64 truncates and saturates", OP_cast, NULL, 0, &T(F32, SHAPE(4), F(-1.9f, 1e30f, NAN, -1e30f)),
		   1, SHAPE(4), L(-1, INT64_MAX, 0, INT64_MIN));
	expect("i64 to f32 rounds once", OP_cast, NULL, 0, &T(I64, SHAPE(1), L(16777217)), 1, SHAPE(1), F(16777216));
}

static void test_move(void)
{
	struct ref_tensor x = T(F32, SHAPE(2, 3), F(1, 2, 3, 4, 5, 6));

	expect("reshape", OP_reshape, ATTRS(INTS(shape, 3, 2)), &x, 1, SHAPE(3, 2), F(1, 2, 3, 4, 5, 6));
	expect("transpose", OP_transpose, ATTRS(INTS(perm, 1, 0)), &x, 1, SHAPE(3, 2), F(1, 4, 2, 5, 3, 6));
	expect("slice with negative steps", OP_slice, ATTRS(INTS(starts, 1, 2), INTS(steps, -1, -2)), &x, 1, SHAPE(2, 2),
	       F(6, 4, 3, 1));
	expect("expand", OP_expand, ATTRS(INTS(shape, 2, 2, 3)), &x, 1, SHAPE(2, 2, 3),
	       F(1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6));
	expect("tile", OP_tile, ATTRS(INTS(repeats, 1, 2)), &x, 1, SHAPE(2, 6), F(1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6));
	expect("concat", OP_concat, ATTRS(attr_int(axis, 1)),
	       ((struct ref_tensor[]){ x, T(F32, SHAPE(2, 1), F(8, 9)) }), 2, SHAPE(2, 4), F(1, 2, 3, 8, 4, 5, 6, 9));
	expect("pad with a constant, one side cropped", OP_pad,
	       ATTRS(INTS(pads, 0, 1, 1, -1), attr_int(mode, PAD_CONSTANT), attr_float(value, 7)), &x, 1, SHAPE(3, 3),
	       F(7, 1, 2, 7, 4, 5, 7, 7, 7));
	expect("pad by reflection", OP_pad, ATTRS(INTS(pads, 0, 2, 0, 1), attr_int(mode, PAD_REFLECT)), &x, 1,
	       SHAPE(2, 6), F(3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5));
	expect("pad with the edge", OP_pad, ATTRS(INTS(pads, 0, 2, 0, 0), attr_int(mode, PAD_EDGE)), &x, 1, SHAPE(2, 5),
	       F(1, 1, 1, 2, 3, 4, 4, 4, 5, 6));
	expect("pad by wrapping", OP_pad, ATTRS(INTS(pads, 0, 2, 0, 1), attr_int(mode, PAD_WRAP)), &x, 1, SHAPE(2, 6),
	       F(2, 3, 1, 2, 3, 1, 5, 6, 4, 5, 6, 4));
	expect("gather, negative index", OP_gather, ATTRS(attr_int(axis, 1)),
	       ((struct ref_tensor[]){ x, T(I64, SHAPE(2), L(-1, 0)) }), 2, SHAPE(2, 2), F(3, 1, 6, 4));
	expect("gather_elements", OP_gather_elements, ATTRS(attr_int(axis, 0)),
	       ((struct ref_tensor[]){ x, T(I64, SHAPE(1, 3), L(1, 0, -1)) }), 2, SHAPE(1, 3), F(4, 2, 6));
	expect("scatter, the last of equals", OP_scatter, ATTRS(attr_int(mode, SCATTER_SET)),
	       ((struct ref_tensor[]){ x, T(I64, SHAPE(3), L(0, -1, 0)), T(F32, SHAPE(3, 3), F(7, 7, 7, 8, 8, 8, 9, 9, 9)) }), 3,
	       SHAPE(2, 3), F(9, 9, 9, 8, 8, 8));
	expect("scatter, added up", OP_scatter, ATTRS(attr_int(mode, SCATTER_ADD)),
	       ((struct ref_tensor[]){ x, T(I64, SHAPE(2), L(0, 0)), T(F32, SHAPE(2, 3), F(1, 0, 0, 10, 0, 0)) }), 2 + 1,
	       SHAPE(2, 3), F(12, 2, 3, 4, 5, 6));
	expect_int("top_k, first of equals", OP_top_k, ATTRS(attr_int(mode, 1)), &T(F32, SHAPE(5), F(1, 5, 2, 5, 4)), 1,
		   SHAPE(3), L(1, 3, 4));
	expect_int("top_k, smallest", OP_top_k, ATTRS(attr_int(mode, 0)), &T(I64, SHAPE(4), L(3, -1, 3, 0)), 1,
		   SHAPE(4), L(1, 3, 0, 2));
	tap_ok(!ref_eval(OP_gather, ATTRS(attr_int(axis, 1)),
			 ((struct ref_tensor[]){ x, T(I64, SHAPE(1), L(3)) }), 2, &T(F32, SHAPE(2, 1), F(0, 0)), 1),
	       "gather refuses an index outside");
	expect_int("moving keeps large integers", OP_slice, ATTRS(INTS(starts, 1), INTS(steps, 1)),
		   &T(I64, SHAPE(2), L(0, 9007199254740993)), 1, SHAPE(1), L(9007199254740993));
}

#define RESIZE(m, c, r, ...) \
	ATTRS(attr_int(mode, RESIZE_##m), attr_int(coordinates, COORD_##c), attr_int(rounding, ROUND_##r), \
	      FLOATS(scales, __VA_ARGS__))

static void test_resize(void)
{
	struct ref_tensor x = T(F32, SHAPE(4), F(0, 10, 20, 40));
	struct ref_tensor two = T(F32, SHAPE(1, 2), F(0, 8));

	expect("nearest, twice as large", OP_resize, RESIZE(NEAREST, ASYMMETRIC, FLOOR, 1, 2), &two, 1, SHAPE(1, 4),
	       F(0, 0, 8, 8));
	expect("nearest, ceil", OP_resize, RESIZE(NEAREST, ASYMMETRIC, CEIL, 1, 2), &two, 1, SHAPE(1, 4), F(0, 8, 8, 8));
	/* asymmetric 0.5: positions 0 2; at scale 2/3: 0 1.5 */
	expect("nearest, ties downwards", OP_resize, RESIZE(NEAREST, ASYMMETRIC, PREFER_FLOOR, 2.0 / 3), &x, 1, SHAPE(2),
	       F(0, 10));
	expect("nearest, ties upwards", OP_resize, RESIZE(NEAREST, ASYMMETRIC, PREFER_CEIL, 2.0 / 3), &x, 1, SHAPE(2),
	       F(0, 20));
	expect("linear, half pixel", OP_resize, RESIZE(LINEAR, HALF_PIXEL, FLOOR, 1, 2), &two, 1, SHAPE(1, 4),
	       F(0, 2, 6, 8));
	expect("linear, corners aligned", OP_resize, RESIZE(LINEAR, ALIGN_CORNERS, FLOOR, 1, 1.5), &two, 1, SHAPE(1, 3),
	       F(0, 4, 8));
	expect("linear, asymmetric", OP_resize, RESIZE(LINEAR, ASYMMETRIC, FLOOR, 1, 2), &two, 1, SHAPE(1, 4),
	       F(0, 4, 8, 8));
	/* cubic at 0.5 with a = -0.75: weights -0.09375 0.59375 0.59375 -0.09375 */
	expect("cubic", OP_resize, RESIZE(CUBIC, ALIGN_CORNERS, FLOOR, 1.75), &x, 1, SHAPE(7),
	       F(0, 4.0625f, 10, 14.0625f, 20, 30.9375f, 40));
	expect("linear with antialiasing", OP_resize,
	       ATTRS(attr_int(mode, RESIZE_LINEAR), attr_int(coordinates, COORD_HALF_PIXEL), FLOATS(scales, 0.5),
		     attr_int(antialias, 1)), &x, 1, SHAPE(2), F(6.25f, 28.75f));
}

static void test_matmul(void)
{
	struct ref_tensor a = T(F32, SHAPE(2, 2), F(1, 2, 3, 4)), b = T(F32, SHAPE(2, 2), F(5, 6, 7, 8));
	float big[8] = { 1, 0, 0, 1, 2, 0, 0, 2 };

	expect("matmul", OP_matmul, NULL, 0, ((struct ref_tensor[]){ a, b }), 2, SHAPE(2, 2), F(19, 22, 43, 50));
	expect("matmul, both transposed, alpha and bias", OP_matmul,
	       ATTRS(attr_int(trans_a, 1), attr_int(trans_b, 1), attr_float(alpha, 2)),
	       ((struct ref_tensor[]){ a, b, T(F32, SHAPE(2), F(1, -1)) }), 3, SHAPE(2, 2), F(47, 61, 69, 91));
	expect("matmul, batch broadcasts", OP_matmul, NULL, 0,
	       ((struct ref_tensor[]){ T(F32, SHAPE(2, 2, 2), big), b }), 2, SHAPE(2, 2, 2),
	       F(5, 6, 7, 8, 10, 12, 14, 16));
	/* scores (0, ln 3): weights 1/4 and 3/4 */
	expect("attention", OP_attention, ATTRS(attr_float(scale, 1)),
	       ((struct ref_tensor[]){ T(F32, SHAPE(1, 1), F(1)), T(F32, SHAPE(2, 1), F(0, 1.0986122887f)),
				       T(F32, SHAPE(2, 1), F(4, 8)) }), 3, SHAPE(1, 1), F(7));
	expect("attention, causal", OP_attention, ATTRS(attr_float(scale, 1), attr_int(causal, 1)),
	       ((struct ref_tensor[]){ T(F32, SHAPE(2, 1), F(0, 0)), T(F32, SHAPE(2, 1), F(1, 2)),
				       T(F32, SHAPE(2, 1), F(4, 8)) }), 3, SHAPE(2, 1), F(4, 6));
	expect("attention, mask", OP_attention, ATTRS(attr_float(scale, 1)),
	       ((struct ref_tensor[]){ T(F32, SHAPE(1, 1), F(0)), T(F32, SHAPE(2, 1), F(1, 2)),
				       T(F32, SHAPE(2, 1), F(4, 8)), T(F32, SHAPE(1, 2), F(0, -INFINITY)) }), 4,
	       SHAPE(1, 1), F(4));
}

static void test_conv(void)
{
	struct ref_tensor x = T(F32, SHAPE(1, 3, 1), F(1, 2, 3));
	struct ref_tensor w = T(F32, SHAPE(1, 1, 2), F(1, 10)), pair = T(F32, SHAPE(1, 2, 2), F(1, 2, 3, 4));

	expect("conv, padded, bias", OP_conv, ATTRS(INTS(pads, 1, 0)),
	       ((struct ref_tensor[]){ x, w, T(F32, SHAPE(1), F(100)) }), 3, SHAPE(1, 3, 1), F(110, 121, 132));
	expect("conv, stride and dilation", OP_conv, ATTRS(INTS(strides, 2), INTS(dilations, 2), INTS(pads, 1, 1)),
	       ((struct ref_tensor[]){ x, w }), 2, SHAPE(1, 2, 1), F(20, 2));
	expect("conv, two groups", OP_conv, ATTRS(attr_int(group, 2)),
	       ((struct ref_tensor[]){ pair, T(F32, SHAPE(2, 1, 1), F(10, 100)) }), 2, SHAPE(1, 2, 2),
	       F(10, 200, 30, 400));
	expect("conv_transpose", OP_conv_transpose, ATTRS(INTS(strides, 2)), ((struct ref_tensor[]){ x, w }), 2,
	       SHAPE(1, 6, 1), F(1, 10, 2, 20, 3, 30));
	expect("conv_transpose, padded", OP_conv_transpose, ATTRS(INTS(strides, 1), INTS(pads, 1, 0)),
	       ((struct ref_tensor[]){ x, w }), 2, SHAPE(1, 3, 1), F(12, 23, 30));
	expect("max_pool", OP_max_pool, ATTRS(INTS(kernel, 2), INTS(strides, 1)), &pair, 1, SHAPE(1, 1, 2), F(3, 4));
	expect("avg_pool without the padding", OP_avg_pool, ATTRS(INTS(kernel, 2), INTS(strides, 2), INTS(pads, 1, 0)), &x,
	       1, SHAPE(1, 2, 1), F(1, 2.5f));
	expect("avg_pool with the padding", OP_avg_pool,
	       ATTRS(INTS(kernel, 2), INTS(strides, 2), INTS(pads, 1, 0), attr_int(count_include_pad, 1)), &x, 1,
	       SHAPE(1, 2, 1), F(0.5f, 2.5f));
}

static void test_reduce(void)
{
	static const struct {
		enum op op;
		float y[2];
	} cases[] = {
		{ OP_reduce_sum, { 3, 7 } }, { OP_reduce_mean, { 1.5f, 3.5f } }, { OP_reduce_max, { 2, 4 } },
		{ OP_reduce_min, { 1, 3 } }, { OP_reduce_prod, { 2, 12 } }, { OP_reduce_l1, { 3, 7 } },
		{ OP_reduce_l2, { 2.2360680f, 5 } }, { OP_reduce_sum_square, { 5, 25 } },
		{ OP_reduce_log_sum, { 1.0986123f, 1.9459101f } },
		{ OP_reduce_log_sum_exp, { 2.3132617f, 4.3132617f } },
	};
	struct ref_tensor x = T(F32, SHAPE(2, 2), F(1, 2, 3, 4));

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect(op_name(cases[i].op), cases[i].op, ATTRS(INTS(axes, 1)), &x, 1, SHAPE(2, 1), cases[i].y);
	expect("reduce_sum over the first axis", OP_reduce_sum, ATTRS(INTS(axes, 0)), &x, 1, SHAPE(2), F(4, 6));
	expect("reduce_max over all", OP_reduce_max, ATTRS(INTS(axes, 0, 1)), &x, 1, (struct shape){ 0 }, F(4));
	expect_int("reduce_prod of i64", OP_reduce_prod, ATTRS(INTS(axes, 0)), &T(I64, SHAPE(3), L(2, -3, 7)), 1,
		   (struct shape){ 0 }, L(-42));
	expect_int("arg_max, first of equals", OP_arg_max, ATTRS(attr_int(axis, 0)), &T(F32, SHAPE(4), F(1, 5, 5, 2)), 1,
		   SHAPE(1), L(1));
	expect_int("arg_max, last of equals", OP_arg_max, ATTRS(attr_int(axis, 0), attr_int(select_last, 1)),
		   &T(F32, SHAPE(4), F(1, 5, 5, 2)), 1, SHAPE(1), L(2));
	expect_int("arg_min along the first axis", OP_arg_min, ATTRS(attr_int(axis, 0)),
		   &T(F32, SHAPE(2, 2), F(3, 0, 1, 2)), 1, SHAPE(2), L(1, 0));
}

static void test_norm(void)
{
	struct ref_tensor x = T(F32, SHAPE(1, 2), F(0, 1.0986122887f)), y = T(F32, SHAPE(2, 2), F(1, 3, 10, 30));
	struct ref_tensor image = T(F32, SHAPE(1, 2, 2), F(1, 5, 3, 9));

	expect("softmax", OP_softmax, ATTRS(attr_int(axis, 1)), &x, 1, SHAPE(1, 2), F(0.25f, 0.75f));
	expect("softmax over an axis of one", OP_softmax, ATTRS(attr_int(axis, 0)), &x, 1, SHAPE(1, 2), F(1, 1));
	expect("log_softmax", OP_log_softmax, ATTRS(attr_int(axis, 1)), &x, 1, SHAPE(1, 2), F(-1.3862944f, -0.2876821f));
	expect("layer_norm", OP_layer_norm, ATTRS(attr_int(axis, 1), attr_float(eps, 0)),
	       ((struct ref_tensor[]){ y, T(F32, SHAPE(2), F(2, 3)), T(F32, SHAPE(2), F(1, 0)) }), 3, SHAPE(2, 2),
	       F(-1, 3, -1, 3));
	expect("rms_norm", OP_rms_norm, ATTRS(attr_int(axis, 1), attr_float(eps, 0)), &T(F32, SHAPE(1, 2), F(1, 7)), 1,
	       SHAPE(1, 2), F(0.2f, 1.4f));
	expect("group_norm, one group", OP_group_norm, ATTRS(attr_int(group, 1), attr_float(eps, 0.25)),
	       &T(F32, SHAPE(1, 1, 2), F(1, 4)), 1, SHAPE(1, 1, 2), F(-0.9486833f, 0.9486833f));
	expect("group_norm, a group a channel", OP_group_norm, ATTRS(attr_int(group, 2), attr_float(eps, 0)),
	       ((struct ref_tensor[]){ image, T(F32, SHAPE(2), F(1, 10)), { 0 } }), 3, SHAPE(1, 2, 2), F(-1, -10, 1, 10));
}

/* One unit, weights that single out a gate: i o f c / z r h. */
static void test_rnn(void)
{
	enum { I, O, FORGET, C };
	float w[4] = { 0, 0, 0, 1 }, r[4] = { 0 }, b[8] = { 100, 100, 100, 0 }, y[3], h, c;
	struct ref_tensor in[8] = {
		T(F32, SHAPE(3, 1, 1), F(1, 2, 3)), T(F32, SHAPE(1, 4, 1), w), T(F32, SHAPE(1, 4, 1), r),
		T(F32, SHAPE(1, 8), b), T(I32, SHAPE(1), ((int32_t[]){ 2 })),
	};
	struct ref_tensor out[3] = { T(F32, SHAPE(3, 1, 1, 1), y), T(F32, SHAPE(1, 1, 1), &h), T(F32, SHAPE(1, 1, 1), &c) };
	double t1 = tanh(1), t2 = tanh(2);

	tap_ok(ref_eval(OP_lstm, ATTRS(attr_int(hidden, 1)), in, 8, out, 3) && near((double)y[0], tanh(t1))
	       && near((double)y[1], tanh(t1 + t2)) && y[2] == 0 && near((double)h, tanh(t1 + t2))
	       && near((double)c, t1 + t2), "lstm adds up in its cell, to the sequence's length");
	tap_ok(ref_eval(OP_lstm, ATTRS(attr_int(hidden, 1), attr_int(direction, RNN_REVERSE)), in, 8, out, 3)
	       && near((double)y[1], tanh(t2)) && near((double)y[0], tanh(t1 + t2)), "lstm in reverse");
	b[FORGET] = -100;
	tap_ok(ref_eval(OP_lstm, ATTRS(attr_int(hidden, 1)), in, 4, out, 3) && near((double)c, tanh(3)),
	       "lstm forgets");
	b[O] = b[I] = 0;
	tap_ok(ref_eval(OP_lstm, ATTRS(attr_int(hidden, 1)), in, 4, out, 3) && near((double)c, 0.5 * tanh(3))
	       && near((double)h, 0.5 * tanh(0.5 * tanh(3))), "lstm gates");

	/* gru: z = 0 takes the new, z = 1 keeps the old */
	in[1] = T(F32, SHAPE(1, 3, 1), F(0, 0, 1));
	in[2] = T(F32, SHAPE(1, 3, 1), F(0, 0, 1));
	in[3] = T(F32, SHAPE(1, 6), F(-100, 0, 0, 0, 0, 0.5f));
	in[4] = (struct ref_tensor){ 0 };
	in[5] = T(F32, SHAPE(1, 1, 1), F(0.25f));
	out[0].data = NULL;
	tap_ok(ref_eval(OP_gru, ATTRS(attr_int(hidden, 1), attr_int(linear_before_reset, 0)), in, 6, out, 2)
	       && near((double)h, tanh(3 + 0.5 * tanh(2 + 0.5 * tanh(1 + 0.125 + 0.5) + 0.5) + 0.5)), "gru");
	tap_ok(ref_eval(OP_gru, ATTRS(attr_int(hidden, 1), attr_int(linear_before_reset, 1)), in, 6, out, 2)
	       && near((double)h, tanh(3 + 0.5 * (tanh(2 + 0.5 * (tanh(1 + 0.5 * 0.75) + 0.5)) + 0.5))),
	       "gru, linear before reset");
	in[3].data = F(100, 0, 0, 0, 0, 0);
	tap_ok(ref_eval(OP_gru, ATTRS(attr_int(hidden, 1)), in, 6, out, 2) && h == 0.25f, "gru keeps its state");
	tap_ok(near(ref_rnn_activation(RNN_SCALED_TANH, 2, 0.5, 1), 2 * tanh(0.5))
	       && ref_rnn_activation(RNN_AFFINE, 2, 1, 3) == 7 && ref_rnn_activation(RNN_HARD_SIGMOID, 1, 0, 5) == 1,
	       "activations with parameters");
}

static void test_epilogue(void)
{
	float y[4];
	struct attr bound = attr_float(max, 9);
	struct epilogue_step steps[] = {
		{ OP_mul, DTYPE_F32, { { false, 0 }, { true, 0 } }, NULL, 0 },
		{ OP_add, DTYPE_F32, { { false, 1 }, { true, 1 } }, NULL, 0 },
		{ OP_clip, DTYPE_F32, { { false, 2 } }, &bound, 1 },
	};
	struct view transposed = { 0, { 1, 2 } };
	struct view *views[2] = { NULL, &transposed };
	struct node n = { .op = OP_relu, .epilogue = steps, .epilogue_count = 3, .epilogue_first_input = 1, .view = views };
	struct ref_tensor in[3] = { T(F32, SHAPE(2, 2), F(1, -2, 3, 4)), T(F32, SHAPE(2), F(10, 1)),
				    T(F32, SHAPE(2, 2), F(-9, -8, -7, -6)) };
	struct ref_tensor out = T(F32, SHAPE(2, 2), y);

	/* relu: 1 0 3 4; times 10 1 10 1: 10 0 30 4; plus -9 -7 -8 -6: 1 -7 22 -2 */
	tap_ok(ref_node(&n, in, 3, &out, 1) && y[0] == 1 && y[1] == -7 && y[2] == 9 && y[3] == -2,
	       "an operation, its epilogue, a broadcast and a view");
	steps[0] = (struct epilogue_step){ OP_mul, DTYPE_F32, { { true, 2 }, { true, 0 } }, NULL, 0 };
	views[0] = NULL;
	n.op = OP_map;
	n.view = (struct view *[3]){ NULL, &transposed, NULL };
	n.epilogue_first_input = 0;
	steps[0] = (struct epilogue_step){ OP_mul, DTYPE_F32, { { true, 0 }, { true, 2 } }, NULL, 0 };
	steps[1].in[1].index = 0;
	tap_ok(ref_node(&n, in, 3, &out, 1) && y[0] == -8 && y[1] == 9 && y[2] == -18 && y[3] == -20, "map");
	steps[0].in[0].index = 3;
	tap_ok(!ref_node(&n, in, 3, &out, 1), "an operand that is not there is refused");
}

int main(void)
{
	test_unary();
	test_binary();
	test_cast();
	test_move();
	test_resize();
	test_matmul();
	test_conv();
	test_reduce();
	test_norm();
	test_rnn();
	test_epilogue();
	return tap_done();
}
