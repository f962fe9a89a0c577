/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_quantized.c - operators on 8-bit integers.
 *
 * Products are computed in f32 of integers without their zero points: padding
 * is then 0 as it should be, and sums are exact up to 2^24 and rounded to 24
 * bits beyond. Scales come behind the product, once; where the product is
 * rounded to bytes again, as the one number step(x) step(w) / step(y), so that
 * what lies between two bytes goes where it does in integer arithmetic. Files
 * that write floats between DequantizeLinear and QuantizeLinear mean the same
 * (onnx_ops_steps.c). Large weights that are known are halves in the plan, which
 * such numbers are exactly; "quantize" blocks make them smaller.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include "ref/ref.h"

enum { LARGE_WEIGHTS = 1 << 14 };

/* A number for all, or one for each index of an axis of something of that rank. */
value_id onnx_spread(struct call *c, value_id v, uint32_t rank, uint32_t axis)
{
	struct shape s = shape_of(c, v), out = { .rank = rank };

	if (c->failed || shape_elements(&s) == 1)
		return c->failed ? NO_ID : emit_reshape(c, v, &(struct shape){ 0 });
	if (s.rank == rank && rank > 1)
		return v; /* already laid out */
	if (s.rank != 1 || axis >= rank) {
		call_fail(c, "a scale or zero point is %s, and one number or one for each row or channel is supported",
			  shape_string(&c->im->scratch, &s));
		return NO_ID;
	}
	for (uint32_t i = 0; i < rank; i++)
		out.dim[i] = i == axis ? s.dim[0] : 1;
	return emit_reshape(c, v, &out);
}

/* Element i of a number for all, or one for each index of an axis whose steps are `inner` elements. */
static double number_at(const struct ref_tensor *t, int64_t i, int64_t inner)
{
	int64_t n = shape_elements(&t->shape);

	return ref_get(t, n == 1 ? 0 : i / inner % n);
}

/* Whole numbers below 2^9 are the same in halves, in half the bytes. */
static value_id whole_as_halves(struct call *c, struct shape s, const float *from, int64_t n)
{
	uint16_t *half = arena_alloc(c->im->a, (size_t)n * sizeof *half);
	struct data d = { .where = DATA_MEMORY, .source_dtype = DTYPE_F16, .source_shape = s, .bytes = half };

	for (int64_t i = 0; i < n; i++)
		half[i] = float_to_half(from[i]);
	return graph_add_const(c->g, NULL, DTYPE_F32, s, d);
}

/*
 * (x - zero) * step of weights that are known, in one go: what folding each operation
 * would copy twice more, and does not do for large ones. NO_ID: they are not, or are
 * of another form.
 */
value_id onnx_known_dequantized(struct call *c, value_id x, value_id step, value_id zero, uint32_t axis)
{
	struct shape s = shape_of(c, x);
	struct ref_tensor t[3] = { { dtype_of(c, x), s, NULL }, { 0 }, { 0 } };
	int64_t inner = 1, n = shape_elements(&s);
	float *out;

	if (c->failed || !is_known(c, x) || n < LARGE_WEIGHTS || n > INT64_C(1) << 28)
		return NO_ID;
	for (uint32_t i = 1; i < 3; i++) {
		value_id v = i == 1 ? step : zero;
		struct shape vs = shape_of(c, v);

		if (v == NO_ID)
			continue;
		if (!is_known(c, v) || (shape_elements(&vs) != 1 && (vs.rank != 1 || axis >= s.rank || vs.dim[0] != s.dim[axis])))
			return NO_ID;
		t[i] = (struct ref_tensor){ dtype_of(c, v), vs, (void *)(uintptr_t)known_data(c, v) };
	}
	t[0].data = (void *)(uintptr_t)known_data(c, x);
	if (c->failed)
		return NO_ID;
	for (uint32_t i = axis == UINT32_MAX ? s.rank : axis + 1; i < s.rank; i++)
		inner *= s.dim[i];
	out = arena_alloc(&c->im->scratch, (size_t)n * sizeof *out);
	for (int64_t i = 0; i < n; i++)
		out[i] = (float)((ref_get(&t[0], i) - (t[2].data ? number_at(&t[2], i, inner) : 0)) *
				 (t[1].data ? number_at(&t[1], i, inner) : 1));
	if (!t[1].data && dtype_size(t[0].dtype) == 1)
		return whole_as_halves(c, s, out, n);
	return graph_add_const_bytes(c->g, DTYPE_F32, s, out);
}

/* Input i without the zero point that is input `zero`. */
static value_id centred(struct call *c, uint32_t i, uint32_t zero, uint32_t axis)
{
	value_id x = call_in(c, i), z = call_in(c, zero), known = onnx_known_dequantized(c, x, NO_ID, z, axis);
	struct shape s = shape_of(c, x);

	if (x == NO_ID) {
		call_fail(c, "input %u is missing", i);
		return NO_ID;
	}
	if (known != NO_ID)
		return known;
	x = emit_cast(c, x, DTYPE_F32);
	if (z == NO_ID)
		return x;
	return emit2(c, OP_sub, x, onnx_spread(c, emit_cast(c, z, DTYPE_F32), s.rank, axis));
}

/* The scale that is input i, as it multiplies something of that rank. */
static value_id scale(struct call *c, uint32_t i, uint32_t rank, uint32_t axis)
{
	value_id v = call_in(c, i);

	if (v == NO_ID) {
		call_fail(c, "input %u is missing", i);
		return NO_ID;
	}
	return onnx_spread(c, emit_cast(c, v, DTYPE_F32), rank, axis);
}

/* x rounded, with the zero point, as the 8-bit type of the zero point. */
static value_id whole(struct call *c, value_id x, value_id zero)
{
	enum dtype t = zero == NO_ID ? DTYPE_U8 : dtype_of(c, zero);
	struct attr range[2] = { attr_float(min, t == DTYPE_U8 ? 0 : -128), attr_float(max, t == DTYPE_U8 ? 255 : 127) };
	value_id y = emit1(c, OP_round, x);

	if (t != DTYPE_U8 && t != DTYPE_I8) {
		call_fail(c, "only uint8 and int8 are supported");
		return NO_ID;
	}
	if (zero != NO_ID)
		y = emit2(c, OP_add, y, onnx_spread(c, emit_cast(c, zero, DTYPE_F32), shape_of(c, x).rank, 0));
	return emit_cast(c, emit(c, OP_clip, &y, 1, range, 2), t);
}

static value_id rounded(struct call *c, value_id x, value_id step, value_id zero)
{
	return whole(c, emit2(c, OP_div, x, step), zero);
}

/* sum * (a b / result), where a and b are the steps of what was multiplied. */
static value_id rescaled(struct call *c, value_id sum, value_id a, value_id b, value_id result, value_id zero)
{
	return whole(c, emit2(c, OP_mul, sum, emit2(c, OP_div, emit2(c, OP_mul, a, b), result)), zero);
}

value_id onnx_quantized(struct call *c, value_id x, value_id step, value_id zero)
{
	if (step == NO_ID)
		call_fail(c, "the scale of its result is missing");
	return c->failed ? NO_ID : rounded(c, x, emit_reshape(c, emit_cast(c, step, DTYPE_F32), &(struct shape){ 0 }), zero);
}

value_id onnx_dequantized(struct call *c, value_id x, value_id step, value_id zero, uint32_t axis)
{
	uint32_t rank = shape_of(c, x).rank;
	value_id known = onnx_known_dequantized(c, x, step, zero, axis);

	if (x == NO_ID)
		call_fail(c, "an input is missing");
	if (known != NO_ID)
		return known;
	x = emit_cast(c, x, DTYPE_F32);
	if (zero != NO_ID)
		x = emit2(c, OP_sub, x, onnx_spread(c, emit_cast(c, zero, DTYPE_F32), rank, axis));
	return step == NO_ID ? x : emit2(c, OP_mul, x, onnx_spread(c, emit_cast(c, step, DTYPE_F32), rank, axis));
}

bool op_qlinear_conv(struct call *c)
{
	value_id x = centred(c, 0, 2, 0), w = centred(c, 3, 5, 0), bias = call_in(c, 8), y;
	uint32_t rank = shape_of(c, x).rank;

	if (bias != NO_ID)
		bias = emit_cast(c, bias, DTYPE_F32);
	y = c->failed ? NO_ID : onnx_conv(c, x, w, bias);
	y = rescaled(c, y, scale(c, 1, rank, 1), scale(c, 4, rank, 1), scale(c, 6, rank, 1), call_in(c, 7));
	call_out(c, 0, y);
	return !c->failed;
}

bool op_qlinear_matmul(struct call *c)
{
	uint32_t ra = shape_of(c, call_in(c, 0)).rank, rb = shape_of(c, call_in(c, 3)).rank, r = ra > rb ? ra : rb;
	value_id a, b, y;

	if (ra < 2 || rb < 2)
		return call_fail(c, "its operands must be matrices");
	a = centred(c, 0, 2, ra - 2);
	b = centred(c, 3, 5, rb - 1);
	y = c->failed ? NO_ID : onnx_matmul(c, a, b);
	y = rescaled(c, y, scale(c, 1, r, r - 2), scale(c, 4, r, r - 1), scale(c, 6, r, r - 2), call_in(c, 7));
	call_out(c, 0, y);
	return !c->failed;
}

/* a b + c of bytes; without a scale of its own the result is of floats. */
bool op_qgemm(struct call *c)
{
	value_id x = centred(c, 0, 2, UINT32_MAX), w = centred(c, 3, 5, call_int(c, "transB", 0) ? 0 : 1), bias = call_in(c, 6), y;
	value_id a = scale(c, 1, 2, 0), b = scale(c, 4, 2, 1);

	if (call_float(c, "alpha", 1) != 1)
		a = emit2(c, OP_mul, a, emit_like(c, a, call_float(c, "alpha", 1)));
	if (bias != NO_ID)
		bias = emit_cast(c, bias, DTYPE_F32);
	y = onnx_gemm(c, x, w, bias, 1);
	if (call_has(c, 7))
		y = rescaled(c, y, a, b, scale(c, 7, 2, 0), call_in(c, 8));
	else
		y = emit2(c, OP_mul, y, emit2(c, OP_mul, a, b));
	call_out(c, 0, y);
	return !c->failed;
}

bool op_matmul_integer(struct call *c)
{
	uint32_t ra = shape_of(c, call_in(c, 0)).rank, rb = shape_of(c, call_in(c, 1)).rank;
	value_id a = centred(c, 0, 2, ra > 1 ? ra - 2 : 0), b = centred(c, 1, 3, rb > 1 ? rb - 1 : 0);

	call_out(c, 0, c->failed ? NO_ID : emit_cast(c, onnx_matmul(c, a, b), DTYPE_I32));
	return !c->failed;
}

bool op_conv_integer(struct call *c)
{
	value_id x = centred(c, 0, 2, 0), w = centred(c, 1, 3, 0);

	call_out(c, 0, c->failed ? NO_ID : emit_cast(c, onnx_conv(c, x, w, NO_ID), DTYPE_I32));
	return !c->failed;
}

/* To uint8 by the range of what is there, 0 included. A tensor of zeros gets a scale that is not 0. */
value_id onnx_dynamic(struct call *c, value_id x, value_id *scale_out, value_id *zero_out)
{
	value_id nil = emit_scalar(c, DTYPE_F32, 0), low, high, step, zero;
	struct attr range[2] = { attr_float(min, 0), attr_float(max, 255) };

	low = emit2(c, OP_min, emit_reduce(c, OP_reduce_min, x, 0, false), nil);
	high = emit2(c, OP_max, emit_reduce(c, OP_reduce_max, x, 0, false), nil);
	step = emit2(c, OP_div, emit2(c, OP_sub, high, low), emit_scalar(c, DTYPE_F32, 255));
	step = emit2(c, OP_max, step, emit_scalar(c, DTYPE_F32, 1e-30));
	zero = emit1(c, OP_neg, emit2(c, OP_div, low, step));
	zero = emit1(c, OP_round, emit(c, OP_clip, &zero, 1, range, 2));
	*scale_out = step;
	*zero_out = emit_cast(c, zero, DTYPE_U8);
	return c->failed ? NO_ID : rounded(c, x, step, *zero_out);
}

bool op_dynamic_quantize(struct call *c)
{
	value_id step, zero, y = onnx_dynamic(c, call_in(c, 0), &step, &zero);

	call_out(c, 0, y);
	call_out(c, 1, step);
	call_out(c, 2, zero);
	return !c->failed;
}
