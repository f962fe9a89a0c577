/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_elementwise.c - operators that work on each element by itself. */
#include "config.h"

#include "import/onnx_ops.h"

#include "ref/ref.h"

#include <string.h>

bool op_unary(struct call *c)
{
	value_id x = call_in(c, 0), y = emit1(c, c->op->op, x);

	call_out(c, 0, c->op->op == OP_relu ? onnx_steps_relu(c, x, y) : y);
	return !c->failed;
}

/* x with one number, "alpha", whose default the operator's version history gives. */
static bool unary_alpha(struct call *c, double absent)
{
	call_out(c, 0,
		 emit_with(c, c->op->op, call_in(c, 0),
			   attr_float(alpha, call_float(c, "alpha", absent))));
	return !c->failed;
}

bool op_leaky_relu(struct call *c)
{
	return unary_alpha(c, 0.01f);
}

bool op_unary_alpha_1(struct call *c)
{
	return unary_alpha(c, 1);
}

bool op_hard_sigmoid(struct call *c)
{
	struct attr attr[2] = { attr_float(alpha, call_float(c, "alpha", 0.2f)),
				attr_float(beta, call_float(c, "beta", 0.5)) };
	value_id x = call_in(c, 0);

	call_out(c, 0, emit(c, OP_hard_sigmoid, &x, 1, attr, 2));
	return !c->failed;
}

bool op_selu(struct call *c)
{
	struct attr attr[2] = {
		attr_float(alpha, call_float(c, "alpha", 1.67326319217681884765625)),
		attr_float(gamma, call_float(c, "gamma", 1.05070102214813232421875))
	};
	value_id x = call_in(c, 0);

	call_out(c, 0, emit(c, OP_selu, &x, 1, attr, 2));
	return !c->failed;
}

bool op_gelu(struct call *c)
{
	const char *how = call_string(c, "approximate", "none");

	if (strcmp(how, "none") != 0 && strcmp(how, "tanh") != 0)
		return call_fail(c, "approximation \"%s\" is not known", how);
	call_out(c, 0, emit1(c, *how == 't' ? OP_gelu_tanh : OP_gelu, call_in(c, 0)));
	return !c->failed;
}

static value_id swish(struct call *c, value_id x, double alpha)
{
	value_id scaled;

	if (alpha == 1)
		return emit1(c, OP_silu, x);
	scaled = emit2(c, OP_mul, x, emit_like(c, x, alpha));
	return emit2(c, OP_mul, x, emit1(c, OP_sigmoid, scaled));
}

bool op_swish(struct call *c)
{
	call_out(c, 0, swish(c, call_in(c, 0), call_float(c, "alpha", 1)));
	return !c->failed;
}

bool op_swiglu(struct call *c)
{
	value_id gate = swish(c, call_in(c, 0), call_float(c, "alpha", 1));

	call_out(c, 0, emit2(c, OP_mul, gate, call_in(c, 1)));
	return !c->failed;
}

/* x < -lambd: x + bias; x > lambd: x - bias; else 0 */
bool op_shrink(struct call *c)
{
	value_id x = call_in(c, 0), low, high, small;
	double lambd = call_float(c, "lambd", 0.5), bias = call_float(c, "bias", 0);

	low = emit2(c, OP_less, x, emit_like(c, x, -lambd));
	high = emit2(c, OP_greater, x, emit_like(c, x, lambd));
	small = emit3(c, OP_where, high, emit2(c, OP_sub, x, emit_like(c, x, bias)),
		      emit_like(c, x, 0));
	call_out(c, 0, emit3(c, OP_where, low, emit2(c, OP_add, x, emit_like(c, x, bias)), small));
	return !c->failed;
}

bool op_is_inf(struct call *c)
{
	value_id x = call_in(c, 0), inf = emit1(c, OP_is_inf, x);
	bool negative = call_int(c, "detect_negative", 1),
	     positive = call_int(c, "detect_positive", 1);
	enum op sign = negative ? OP_less : OP_greater;

	if (!negative && !positive)
		inf = emit2(c, OP_logical_and, inf, emit1(c, OP_logical_not, inf));
	else if (!negative || !positive)
		inf = emit2(c, OP_logical_and, inf, emit2(c, sign, x, emit_like(c, x, 0)));
	call_out(c, 0, inf);
	return !c->failed;
}

/*
 * Before opset 7 the second operand stood at `axis` of the first, or at its end, and only where
 * `broadcast` said so; PRelu had a slope for each channel.
 */
static value_id placed(struct call *c, value_id x, value_id y)
{
	struct shape s = shape_of(c, x), ys = shape_of(c, y), out = { .rank = s.rank };
	uint32_t at;

	if (shape_elements(&ys) == 1)
		return emit_reshape(c, y, &(struct shape){ 0 });
	if (c->op->op == OP_prelu)
		at = 1;
	else if (!call_attr(c, "axis") || !call_int(c, "broadcast", 0))
		return y;
	else if (!call_axis(c, call_int(c, "axis", 0), s.rank, &at))
		return NO_ID;
	if (at + ys.rank > s.rank) {
		call_fail(c, "%s at axis %u does not fit %s", shape_string(&c->im->scratch, &ys), at,
			  shape_string(&c->im->scratch, &s));
		return NO_ID;
	}
	for (uint32_t i = 0; i < s.rank; i++)
		out.dim[i] = i >= at && i < at + ys.rank ? ys.dim[i - at] : 1;
	return emit_reshape(c, y, &out);
}

bool op_binary(struct call *c)
{
	value_id x = call_in(c, 0), y = call_in(c, 1);

	call_out(c, 0, emit2(c, c->op->op, x, c->opset < 7 ? placed(c, x, y) : y));
	return !c->failed;
}

/* The exponent may have a type of its own; the result has the base's. */
bool op_pow(struct call *c)
{
	value_id x = call_in(c, 0), y = call_in(c, 1);
	enum dtype t = dtype_of(c, x);

	if (c->opset < 7)
		y = placed(c, x, y);
	if (!dtype_is_float(t) && dtype_is_float(dtype_of(c, y)))
		x = emit_cast(c, x, dtype_of(c, y));
	else
		y = emit_cast(c, y, t);
	call_out(c, 0, emit_cast(c, emit2(c, OP_pow, x, y), t));
	return !c->failed;
}

bool op_mod(struct call *c)
{
	bool truncates = call_int(c, "fmod", 0);

	if (!truncates && c->opset < 28 && dtype_is_float(dtype_of(c, call_in(c, 0))))
		return call_fail(c, "it works on floating-point numbers only with fmod = 1");
	call_out(c, 0, emit2(c, truncates ? OP_fmod : OP_mod, call_in(c, 0), call_in(c, 1)));
	return !c->failed;
}

bool op_where(struct call *c)
{
	call_out(c, 0, emit3(c, OP_where, call_in(c, 0), call_in(c, 1), call_in(c, 2)));
	return !c->failed;
}

/* Min, Max, Sum, Mean: any number of operands */
bool op_variadic(struct call *c)
{
	value_id x = call_in(c, 0);

	for (uint32_t i = 1; i < c->node->n_input; i++)
		x = emit2(c, c->op->op, x, call_in(c, i));
	if (strcmp(c->op->name, "Mean") == 0 && c->node->n_input > 1)
		x = emit2(c, OP_mul, x, emit_like(c, x, 1.0 / (double)c->node->n_input));
	call_out(c, 0, x);
	return !c->failed;
}

/* The bound as an attribute where that loses nothing, else as an operation. */
static value_id clip_by(struct call *c, value_id x, uint32_t input, enum op op)
{
	value_id bound = call_in(c, input);
	struct shape scalar = { 0 };

	if (bound == NO_ID)
		return x;
	if (shape_elements(&graph_value(c->g, bound)->shape) != 1) {
		call_fail(c, "a bound must be one number");
		return NO_ID;
	}
	return emit2(c, op, x, emit_reshape(c, bound, &scalar));
}

bool op_clip(struct call *c)
{
	value_id x = call_in(c, 0), lo = call_in(c, 1), hi = call_in(c, 2);
	bool attrs = c->opset < 11, known;
	struct attr attr[2];
	const double *p;
	uint32_t n = 0, count;

	known = (lo == NO_ID || is_known(c, lo)) && (hi == NO_ID || is_known(c, hi));
	if (!attrs && (!known || !dtype_is_float(dtype_of(c, x)))) {
		x = clip_by(c, x, 1, OP_max);
		call_out(c, 0, clip_by(c, x, 2, OP_min));
		return !c->failed;
	}
	if (attrs && call_attr(c, "min"))
		attr[n++] = attr_float(min, call_float(c, "min", 0));
	if (attrs && call_attr(c, "max"))
		attr[n++] = attr_float(max, call_float(c, "max", 0));
	if (!attrs && (p = call_known_floats(c, 1, "min", &count)) && count == 1)
		attr[n++] = attr_float(min, *p);
	if (!attrs && (p = call_known_floats(c, 2, "max", &count)) && count == 1)
		attr[n++] = attr_float(max, *p);
	call_out(c, 0, n ? emit(c, OP_clip, &x, 1, attr, n) : x);
	return !c->failed;
}

bool op_cast(struct call *c)
{
	/* a name until opset 6 */
	int64_t number = c->opset < 6 ? onnx_dtype_number(call_string(c, "to", "")) : call_int(c, "to", 0);
	enum dtype t;

	call_attr(c, "saturate");
	call_attr(c, "round_mode"); /* both for types of 8 bits and fewer */
	if (!onnx_inner_dtype(number, &t))
		return call_fail(c, "casting to %s is not supported", onnx_dtype_name(number));
	call_out(c, 0, emit_cast(c, call_in(c, 0), t));
	return !c->failed;
}

bool op_cast_like(struct call *c)
{
	if (call_in(c, 1) == NO_ID)
		return call_fail(c, "input 1 is missing");
	call_attr(c, "saturate");
	call_attr(c, "round_mode");
	call_out(c, 0, emit_cast(c, call_in(c, 0), dtype_of(c, call_in(c, 1))));
	return !c->failed;
}

bool op_identity(struct call *c)
{
	if (call_in(c, 0) == NO_ID)
		return call_fail(c, "input 0 is missing");
	call_out(c, 0, call_in(c, 0));
	return true;
}

bool op_dropout(struct call *c)
{
	value_id x = call_in(c, 0), yes;
	struct shape s = shape_of(c, x);
	const int64_t *training;
	uint32_t count;

	call_attr(c, "ratio");
	call_attr(c, "seed");
	if (call_has(c, 2)) {
		training = call_known_ints(c, 2, "training_mode", &count);
		if (training && count && training[0])
			return call_fail(c, "training mode is not supported");
	}
	if (!op_identity(c))
		return false;
	if (call_wants(c, 1)) {
		yes = emit_scalar(c, DTYPE_BOOL, 1);
		call_out(c, 1, emit_expand(c, yes, &s));
	}
	return !c->failed;
}

/* One scale and zero point for all, or one for each index along an axis. */
static value_id along_axis(struct call *c, value_id v, value_id x)
{
	struct shape s = shape_of(c, x), vs = shape_of(c, v), out = { .rank = s.rank };
	int64_t axis = call_int(c, "axis", 1);
	uint32_t a;

	if (shape_elements(&vs) == 1)
		return emit_reshape(c, v, &(struct shape){ 0 });
	if (vs.rank != 1) {
		call_fail(c, "blocked quantization is not supported");
		return NO_ID;
	}
	if (!call_axis(c, axis, s.rank, &a))
		return NO_ID;
	for (uint32_t i = 0; i < s.rank; i++)
		out.dim[i] = i == a ? vs.dim[0] : 1;
	return emit_reshape(c, v, &out);
}

/* Scales or zero points of blocks, one for each element: [.., blocks, ..] to [.., elements, ..]. */
static value_id of_blocks(struct call *c, value_id v, value_id x, uint32_t axis, int64_t block)
{
	struct shape s = shape_of(c, x), vs = shape_of(c, v), one = { .rank = s.rank + 1 }, all, joined = vs;

	if (vs.rank != s.rank || s.rank == MAX_RANK || vs.dim[axis] != (s.dim[axis] + block - 1) / block) {
		call_fail(c, "a scale or zero point of %s does not fit blocks of %lld", shape_string(&c->im->scratch, &vs),
			  (long long)block);
		return NO_ID;
	}
	for (uint32_t i = 0; i < one.rank; i++)
		one.dim[i] = i <= axis ? vs.dim[i] : i == axis + 1 ? 1 : vs.dim[i - 1];
	all = one;
	all.dim[axis + 1] = block;
	joined.dim[axis] *= block;
	v = emit_reshape(c, emit_expand(c, emit_reshape(c, v, &one), &all), &joined);
	return emit_slice(c, v, axis, 0, s.dim[axis]);
}

/* Weights in blocks become floats now: nothing that runs would do it better. */
static value_id known_blocks(struct call *c, value_id x, value_id scale, value_id zero, uint32_t axis, int64_t block)
{
	struct shape s = shape_of(c, x), ss = shape_of(c, scale), zs = shape_of(c, zero);
	struct ref_tensor from = { dtype_of(c, x), s, (void *)(uintptr_t)known_data(c, x) };
	struct ref_tensor by = { dtype_of(c, scale), ss, (void *)(uintptr_t)known_data(c, scale) };
	struct ref_tensor less = { dtype_of(c, zero), zs, NULL };
	int64_t n = shape_elements(&s), inner = 1, size = s.dim[axis];
	float *out;

	if (zero != NO_ID)
		less.data = (void *)(uintptr_t)known_data(c, zero);
	ss.dim[axis] = size;
	zs.dim[axis] = size;
	if (c->failed || !shape_equal(&ss, &s) || by.shape.dim[axis] != (size + block - 1) / block ||
	    (zero != NO_ID && (!shape_equal(&zs, &s) || less.shape.dim[axis] != by.shape.dim[axis]))) {
		call_fail(c, "its scales and zero points do not fit blocks of %lld", (long long)block);
		return NO_ID;
	}
	for (uint32_t i = axis + 1; i < s.rank; i++)
		inner *= s.dim[i];
	out = arena_alloc(&c->im->scratch, (size_t)n * sizeof *out);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = (i / (inner * size) * by.shape.dim[axis] + i / inner % size / block) * inner + i % inner;

		out[i] = (float)((ref_get(&from, i) - (less.data ? ref_get(&less, at) : 0)) * ref_get(&by, at));
	}
	return emit_cast(c, graph_add_const_bytes(c->g, DTYPE_F32, s, out), dtype_of(c, scale));
}

static bool dequantize_blocks(struct call *c, int64_t block)
{
	value_id x = call_in(c, 0), scale = call_in(c, 1), zero = call_in(c, 2), y;
	struct shape s = shape_of(c, x);
	enum dtype t = dtype_of(c, scale);
	uint32_t axis;

	if (!call_axis(c, call_int(c, "axis", 1), s.rank, &axis))
		return false;
	if (block < 1 || block > 1 << 20 || !shape_elements(&s))
		return call_fail(c, "blocks of %lld are not supported", (long long)block);
	if (is_known(c, x) && is_known(c, scale) && (zero == NO_ID || is_known(c, zero))) {
		call_out(c, 0, known_blocks(c, x, scale, zero, axis, block));
		return !c->failed;
	}
	y = emit_cast(c, x, t);
	if (zero != NO_ID)
		y = emit2(c, OP_sub, y, of_blocks(c, emit_cast(c, zero, t), x, axis, block));
	call_out(c, 0, emit2(c, OP_mul, y, of_blocks(c, scale, x, axis, block)));
	return !c->failed;
}

bool op_dequantize(struct call *c)
{
	value_id x = call_in(c, 0), scale = call_in(c, 1), zero = call_in(c, 2), y;
	enum dtype t = dtype_of(c, scale);
	struct onnx_steps steps;
	int64_t axis;

	if (scale == NO_ID)
		return call_fail(c, "input 1 is missing");
	call_attr(c, "output_dtype");
	if (call_int(c, "block_size", 0))
		return dequantize_blocks(c, call_int(c, "block_size", 0));
	axis = call_int(c, "axis", 1);
	axis += axis < 0 ? shape_of(c, x).rank : 0;
	steps = (struct onnx_steps){ .codes = NO_ID, .raw = x, .zero = zero, .step = scale };
	steps.axis = axis < 0 || axis >= MAX_RANK ? UINT32_MAX : (uint32_t)axis;
	y = t == DTYPE_F32 ? onnx_known_dequantized(c, x, scale, zero, steps.axis) : NO_ID;
	if (y == NO_ID) {
		y = emit_cast(c, x, t);
		if (zero != NO_ID)
			y = emit2(c, OP_sub, y, along_axis(c, emit_cast(c, zero, t), x));
		steps.codes = y;
		y = emit2(c, OP_mul, y, along_axis(c, scale, x));
	}
	steps.value = y;
	if (t == DTYPE_F32)
		onnx_keep_steps(c, steps);
	call_out(c, 0, y);
	return !c->failed;
}

bool op_quantize(struct call *c)
{
	value_id x = call_in(c, 0), scale = call_in(c, 1), zero = call_in(c, 2), y;
	enum dtype t = zero == NO_ID ? DTYPE_U8 : dtype_of(c, zero);
	int64_t number = call_int(c, "output_dtype", 0);
	struct attr range[2];

	if (scale == NO_ID)
		return call_fail(c, "input 1 is missing");
	if (zero == NO_ID && number && !onnx_inner_dtype(number, &t))
		return call_fail(c, "making %s of it is not supported", onnx_dtype_name(number));
	if ((t != DTYPE_U8 && t != DTYPE_I8 && t != DTYPE_I16 && t != DTYPE_I32) || call_int(c, "block_size", 0))
		return call_fail(c, "only uint8, int8, uint16 and int16 without blocks are supported");
	range[0] = attr_float(min, t == DTYPE_I16 ? -32768 : t == DTYPE_I8 ? -128 : 0);
	range[1] = attr_float(max, t == DTYPE_U8 ? 255 : t == DTYPE_I8 ? 127 : t == DTYPE_I16 ? 32767 : 65535); /* i32: uint16 */
	call_attr(c, "saturate");
	call_attr(c, "precision");
	y = emit1(c, OP_round, onnx_divided(c, x, along_axis(c, scale, x)));
	if (zero != NO_ID)
		y = emit2(c, OP_add, y, along_axis(c, emit_cast(c, zero, dtype_of(c, x)), x));
	call_out(c, 0, emit_cast(c, emit(c, OP_clip, &y, 1, range, 2), t));
	return !c->failed;
}
