/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_steps.c - what DequantizeLinear gives is whole numbers times a step.
 *
 * Between DequantizeLinear and QuantizeLinear a file computes with floats, and
 * means integers: sums of whole numbers are exact in f32 up to 2^24, sums of
 * their products with a step are not, and a result half way between two bytes
 * then becomes the wrong one. So it is kept which values are such numbers.
 * Conv, MatMul and Gemm multiply the numbers and give them the product of the
 * steps; QuantizeLinear divides by its own step once, all steps together.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include "ref/ref.h"

#include <math.h>

void onnx_keep_steps(struct call *c, struct onnx_steps s)
{
	struct onnx_import *im = c->im;

	if (c->failed || s.value == NO_ID || is_known(c, s.value) != is_known(c, s.raw))
		return;
	while (im->steps_of.len <= s.value)
		vec_push(&im->file, &im->steps_of, 0);
	vec_push(&im->file, &im->steps, s);
	im->steps_of.data[s.value] = im->steps.len;
}

static struct onnx_steps *steps_of(struct call *c, value_id v)
{
	struct onnx_import *im = c->im;

	if (c->failed || v == NO_ID || v >= im->steps_of.len || !im->steps_of.data[v])
		return NULL;
	return &im->steps.data[im->steps_of.data[v] - 1];
}

static value_id codes_of(struct call *c, struct onnx_steps *s)
{
	if (s->codes == NO_ID)
		s->codes = onnx_dequantized(c, s->raw, NO_ID, s->zero, s->axis);
	return s->codes;
}

static bool one_number(const struct call *c, value_id v)
{
	struct shape s = shape_of(c, v);

	return shape_elements(&s) == 1;
}

/* Steps of the left side are one number, those of the right one for each index of `axis`, at most. */
static bool operands(struct call *c, struct onnx_steps **x, struct onnx_steps **w, uint32_t axis)
{
	*x = steps_of(c, call_in(c, 0));
	*w = steps_of(c, call_in(c, 1));
	return *x && *w && one_number(c, (*x)->step) && is_known(c, (*x)->step) && is_known(c, (*w)->step) &&
	       (one_number(c, (*w)->step) || (*w)->axis == axis);
}

/* A bias in steps of the product, as whole numbers; false: it is none. NO_ID where there is none. */
static bool bias_codes(struct call *c, value_id bias, value_id step, value_id *out)
{
	struct onnx_steps *b = steps_of(c, bias);
	struct shape ss = shape_of(c, step), bs;
	const void *p, *q;
	int64_t n;

	*out = NO_ID;
	if (bias == NO_ID)
		return true;
	if (!b || !is_known(c, b->step) || dtype_of(c, b->step) != dtype_of(c, step))
		return false;
	bs = shape_of(c, b->step);
	n = shape_elements(&bs);
	if (shape_elements(&ss) != n && shape_elements(&ss) != 1)
		return false;
	p = known_data(c, step);
	q = known_data(c, b->step);
	for (int64_t i = 0; p && q && i < n; i++) {
		double want = ref_get(&(struct ref_tensor){ dtype_of(c, step), ss, (void *)(uintptr_t)p },
				      shape_elements(&ss) == 1 ? 0 : i);
		double have = ref_get(&(struct ref_tensor){ dtype_of(c, step), bs, (void *)(uintptr_t)q }, i);

		if (!(fabs(want - have) <= 1e-5 * fabs(want)))
			return false;
	}
	*out = codes_of(c, b);
	return !c->failed;
}

/* numbers * step, where `step` is one number or one for each index of the result's axis. */
static value_id finish(struct call *c, value_id numbers, value_id step, uint32_t axis)
{
	uint32_t rank = shape_of(c, numbers).rank;
	value_id y = emit2(c, OP_mul, numbers, onnx_spread(c, step, rank, axis));

	if (!is_known(c, y))
		onnx_keep_steps(c, (struct onnx_steps){ .value = y, .codes = numbers, .raw = numbers, .zero = NO_ID,
							.step = step, .axis = axis });
	return y;
}

static value_id step_of_product(struct call *c, const struct onnx_steps *x, const struct onnx_steps *w)
{
	return emit2(c, OP_mul, emit_reshape(c, x->step, &(struct shape){ 0 }), w->step);
}

value_id onnx_steps_conv(struct call *c)
{
	struct onnx_steps *x, *w;
	value_id step, bias, a, b;

	if (!operands(c, &x, &w, 0))
		return NO_ID;
	step = step_of_product(c, x, w);
	if (!bias_codes(c, call_in(c, 2), step, &bias))
		return NO_ID;
	a = codes_of(c, x);
	b = codes_of(c, w);
	return c->failed ? NO_ID : finish(c, onnx_conv(c, a, b, bias), step, 1);
}

value_id onnx_steps_matmul(struct call *c)
{
	uint32_t rank = shape_of(c, call_in(c, 1)).rank;
	struct onnx_steps *x, *w;
	value_id step, y;

	if (rank < 2 || shape_of(c, call_in(c, 0)).rank < 2 || !operands(c, &x, &w, rank - 1))
		return NO_ID;
	step = step_of_product(c, x, w);
	y = onnx_matmul(c, codes_of(c, x), codes_of(c, w));
	return c->failed ? NO_ID : finish(c, y, step, shape_of(c, y).rank - 1);
}

value_id onnx_steps_gemm(struct call *c)
{
	struct onnx_steps *x, *w;
	value_id step, bias, codes;

	if (call_float(c, "alpha", 1) != 1 || call_float(c, "beta", 1) != 1 ||
	    !operands(c, &x, &w, call_int(c, "transB", 0) ? 0 : 1))
		return NO_ID;
	step = step_of_product(c, x, w);
	if (!bias_codes(c, call_in(c, 2), step, &bias))
		return NO_ID;
	codes = codes_of(c, x); /* arguments are worked out in no order */
	return c->failed ? NO_ID : finish(c, onnx_gemm(c, codes, codes_of(c, w), bias, 1), step, 1);
}

/* y is relu(x): of its numbers, likewise. */
value_id onnx_steps_relu(struct call *c, value_id x, value_id y)
{
	struct onnx_steps *s = steps_of(c, x), of;

	if (!s || is_known(c, y))
		return y;
	of = (struct onnx_steps){ .value = y, .zero = NO_ID, .step = s->step, .axis = s->axis };
	of.codes = of.raw = emit1(c, OP_relu, codes_of(c, s));
	onnx_keep_steps(c, of);
	return y;
}

value_id onnx_divided(struct call *c, value_id x, value_id step)
{
	struct onnx_steps *s = steps_of(c, x);
	value_id by;

	if (!s || is_known(c, x) || !is_known(c, s->step) || !is_known(c, step) || !one_number(c, step) ||
	    dtype_of(c, step) != dtype_of(c, s->step))
		return emit2(c, OP_div, x, step);
	by = emit2(c, OP_div, onnx_spread(c, s->step, shape_of(c, x).rank, s->axis), emit_reshape(c, step, &(struct shape){ 0 }));
	return emit2(c, OP_mul, codes_of(c, s), by);
}
