/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_norm.c - operators along axes: reductions, softmax, normalisations. */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

bool op_reduce(struct call *c)
{
	value_id x = call_in(c, 0);
	uint32_t rank = shape_of(c, x).rank, n;
	bool nothing = call_int(c, "noop_with_empty_axes", 0), keep = call_int(c, "keepdims", 1);
	const int64_t *axes = call_list(c, "axes", 1, &n);
	int64_t list[MAX_RANK];
	struct attr attr[2];

	if (n > rank)
		return call_fail(c, "%u axes for rank %u", n, rank);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t a;

		if (!call_axis(c, axes[i], rank, &a))
			return false;
		list[i] = a;
	}
	for (uint32_t i = 0; n == 0 && !nothing && i < rank; i++)
		list[i] = i;
	attr[0] = attr_ints(axes, list, n || nothing ? n : rank);
	attr[1] = attr_int(keepdims, keep);
	call_out(c, 0, emit(c, c->op->op, &x, 1, attr, 2));
	return !c->failed;
}

bool op_arg(struct call *c)
{
	value_id x = call_in(c, 0);
	struct attr attr[3];
	uint32_t axis;

	if (!call_axis(c, call_int(c, "axis", 0), shape_of(c, x).rank, &axis))
		return false;
	attr[0] = attr_int(axis, axis);
	attr[1] = attr_int(keepdims, call_int(c, "keepdims", 1) != 0);
	attr[2] = attr_int(select_last, call_int(c, "select_last_index", 0) != 0);
	call_out(c, 0, emit(c, c->op->op, &x, 1, attr, 3));
	return !c->failed;
}

/* Before version 13 the axis cut the tensor into rows; since then it is one axis. */
static value_id along_axis(struct call *c, enum op op, value_id x, int64_t opset)
{
	struct shape s = shape_of(c, x), rows = { .rank = 2, .dim = { 1, 1 } };
	int64_t axis = call_int(c, "axis", opset < 13 ? 1 : -1), behind = 1;
	uint32_t a;

	if (!call_axis(c, axis, s.rank, &a))
		return NO_ID;
	for (uint32_t i = 0; i < s.rank; i++) {
		rows.dim[i >= a] *= s.dim[i];
		behind *= i > a ? s.dim[i] : 1;
	}
	if (opset >= 13 || behind == 1)
		return emit_with(c, op, x, attr_int(axis, a));
	x = emit_with(c, op, emit_reshape(c, x, &rows), attr_int(axis, 1));
	return emit_reshape(c, x, &s);
}

value_id onnx_softmax(struct call *c, value_id x, int64_t opset)
{
	return along_axis(c, OP_softmax, x, opset);
}

bool op_softmax(struct call *c)
{
	call_out(c, 0, along_axis(c, c->op->op, call_in(c, 0), c->opset));
	return !c->failed;
}

/* [C] to [C,1,1], which broadcasts against [N,C,H,W]. */
static value_id per_channel(struct call *c, value_id v, uint32_t rank)
{
	struct shape s = { .rank = rank > 1 ? rank - 1 : 1 };

	s.dim[0] = shape_elements(&(struct shape){ 1, { shape_of(c, v).dim[0] } });
	for (uint32_t i = 1; i < s.rank; i++)
		s.dim[i] = 1;
	return emit_reshape(c, v, &s);
}

/* old * momentum + now * (1 - momentum) */
static value_id running(struct call *c, value_id old, value_id now, double momentum)
{
	now = emit_cast(c, now, dtype_of(c, old));
	return emit2(c, OP_add, emit2(c, OP_mul, old, emit_like(c, old, momentum)),
		     emit2(c, OP_mul, now, emit_like(c, now, 1 - momentum)));
}

static value_id channel_mean(struct call *c, value_id x, uint32_t rank)
{
	int64_t axes[MAX_RANK] = { 0 };
	struct attr attr[2];

	for (uint32_t i = 2; i < rank; i++)
		axes[i - 1] = i;
	attr[0] = attr_ints(axes, axes, rank - 1);
	attr[1] = attr_int(keepdims, 1);
	return emit(c, OP_reduce_mean, &x, 1, attr, 2);
}

/* training_mode: by the mean and the variance of what is there. Standardised weights are written so. */
static bool batch_statistics(struct call *c)
{
	value_id x = call_in(c, 0), gamma = call_in(c, 1), beta = call_in(c, 2), mean, var, y;
	struct shape s = shape_of(c, x), flat = { .rank = 1 };
	enum dtype t = dtype_of(c, x);
	double momentum = call_float(c, "momentum", 0.9);

	if (!call_refuse_outputs(c, 3))
		return false;
	if (s.rank < 2 || gamma == NO_ID || beta == NO_ID || call_in(c, 3) == NO_ID || call_in(c, 4) == NO_ID)
		return call_fail(c, "it needs an image and four parameters");
	flat.dim[0] = s.dim[1];
	mean = channel_mean(c, x, s.rank);
	x = emit2(c, OP_sub, x, mean);
	var = channel_mean(c, emit2(c, OP_mul, x, x), s.rank);
	y = emit1(c, OP_sqrt, emit2(c, OP_add, var, emit_like(c, var, call_float(c, "epsilon", 1e-5f))));
	y = emit2(c, OP_mul, emit2(c, OP_div, x, y), per_channel(c, emit_cast(c, gamma, t), s.rank));
	call_out(c, 0, emit2(c, OP_add, y, per_channel(c, emit_cast(c, beta, t), s.rank)));
	if (call_wants(c, 1))
		call_out(c, 1, running(c, call_in(c, 3), emit_reshape(c, mean, &flat), momentum));
	if (call_wants(c, 2))
		call_out(c, 2, running(c, call_in(c, 4), emit_reshape(c, var, &flat), momentum));
	return !c->failed;
}

/* x * scale + shift; scale and shift are computed now where the parameters are constants. */
bool op_batch_norm(struct call *c)
{
	value_id x = call_in(c, 0), gamma = call_in(c, 1), beta = call_in(c, 2),
		 mean = call_in(c, 3);
	value_id var = call_in(c, 4), scale, shift;
	uint32_t rank = shape_of(c, x).rank;
	enum dtype t = dtype_of(c, x), p = dtype_of(c, var);

	if (call_int(c, "training_mode", 0))
		return batch_statistics(c);
	call_attr(c, "momentum");
	if (c->opset < 9 && !call_int(c, "spatial", 1))
		return call_fail(c, "spatial = 0 is not supported");
	if (!call_refuse_outputs(c, 1))
		return false;
	if (rank < 2 || gamma == NO_ID || beta == NO_ID || mean == NO_ID || var == NO_ID)
		return call_fail(c, "it needs an image and four parameters");
	scale = emit2(c, OP_add, var, emit_scalar(c, p, call_float(c, "epsilon", 1e-5f)));
	scale = emit2(c, OP_div, emit_cast(c, gamma, p), emit1(c, OP_sqrt, scale));
	shift = emit2(c, OP_sub, emit_cast(c, beta, p), emit2(c, OP_mul, mean, scale));
	x = emit2(c, OP_mul, x, per_channel(c, emit_cast(c, scale, t), rank));
	call_out(c, 0, emit2(c, OP_add, x, per_channel(c, emit_cast(c, shift, t), rank)));
	return !c->failed;
}

static bool group_norm(struct call *c, int64_t groups, value_id scale, value_id bias)
{
	value_id in[3] = { emit_to_last(c, call_in(c, 0)), scale, bias };
	struct attr attr[2] = { attr_int(group, groups),
				attr_float(eps, call_float(c, "epsilon", 1e-5f)) };

	call_out(c, 0, emit_to_first(c, emit(c, OP_group_norm, in, 3, attr, 2)));
	return !c->failed;
}

bool op_instance_norm(struct call *c)
{
	struct shape s = shape_of(c, call_in(c, 0));

	if (s.rank < 3)
		return call_fail(c, "it needs an image, not %s", shape_string(&c->im->scratch, &s));
	return group_norm(c, s.dim[1], call_in(c, 1), call_in(c, 2));
}

/* Version 18 had one scale for each group, version 21 one for each channel. */
static value_id per_group(struct call *c, value_id v, int64_t groups, int64_t channels)
{
	struct shape one = { .rank = 2, .dim = { groups, 1 } }, all = one, flat = { .rank = 1 };

	all.dim[1] = channels / groups;
	flat.dim[0] = channels;
	return emit_reshape(c, emit_expand(c, emit_reshape(c, v, &one), &all), &flat);
}

bool op_group_norm(struct call *c)
{
	struct shape s = shape_of(c, call_in(c, 0));
	value_id scale = call_in(c, 1), bias = call_in(c, 2);
	int64_t groups = call_int(c, "num_groups", 0);

	call_attr(c, "stash_type");
	if (s.rank < 3 || groups < 1 || s.dim[1] % groups)
		return call_fail(c, "%s cannot be split into %lld groups",
				 shape_string(&c->im->scratch, &s), (long long)groups);
	if (c->opset < 21) {
		scale = per_group(c, scale, groups, s.dim[1]);
		bias = per_group(c, bias, groups, s.dim[1]);
	}
	return group_norm(c, groups, scale, bias);
}

/* Outputs 1 and 2, where they are wanted: the mean, and one over the deviation (without mean: output 1). */
static void norm_statistics(struct call *c, value_id x, uint32_t axis, double eps)
{
	uint32_t at = c->op->op == OP_layer_norm ? 2 : 1;
	value_id mean, square;

	if (!call_wants(c, 1) && !call_wants(c, 2))
		return;
	x = emit_cast(c, x, DTYPE_F32);
	if (at == 2) {
		mean = emit_reduce(c, OP_reduce_mean, x, axis, true);
		call_out(c, 1, mean);
		x = emit2(c, OP_sub, x, mean);
	}
	square = emit_reduce(c, OP_reduce_mean, emit2(c, OP_mul, x, x), axis, true);
	call_out(c, at, emit1(c, OP_rsqrt, emit2(c, OP_add, square, emit_like(c, square, eps))));
}

/* LayerNormalization and RMSNormalization; a scale that broadcasts is multiplied afterwards. */
bool op_layer_norm(struct call *c)
{
	value_id x = call_in(c, 0), scale = call_in(c, 1), bias = call_in(c, 2),
		 in[3] = { x, scale, bias };
	struct shape s = shape_of(c, x), part = { 0 };
	struct attr attr[2];
	uint32_t axis, n = 1;

	call_attr(c, "stash_type");
	if (!call_axis(c, call_int(c, "axis", -1), s.rank, &axis))
		return false;
	norm_statistics(c, x, axis, call_float(c, "epsilon", 1e-5f));
	for (uint32_t i = axis; i < s.rank; i++)
		part.dim[part.rank++] = s.dim[i];
	attr[0] = attr_int(axis, axis);
	attr[1] = attr_float(eps, call_float(c, "epsilon", 1e-5f));
	for (uint32_t i = 1; i < 3 && in[i] != NO_ID; i++) {
		struct shape w = shape_of(c, in[i]);

		if (!shape_equal(&w, &part) || dtype_of(c, in[i]) != dtype_of(c, x))
			break;
		n++;
	}
	x = emit(c, c->op->op, in, n, attr, 2);
	if (n < 2 && scale != NO_ID)
		x = emit2(c, OP_mul, x, emit_cast(c, scale, dtype_of(c, x)));
	if (n < 3 && bias != NO_ID)
		x = emit2(c, OP_add, x, emit_cast(c, bias, dtype_of(c, x)));
	call_out(c, 0, x);
	return !c->failed;
}

bool op_lp_norm(struct call *c)
{
	value_id x = call_in(c, 0), norm;
	int64_t p = call_int(c, "p", 2), list;
	struct attr attr[2];
	uint32_t axis;

	if (p != 1 && p != 2)
		return call_fail(c, "p = %lld is not supported", (long long)p);
	if (!call_axis(c, call_int(c, "axis", -1), shape_of(c, x).rank, &axis))
		return false;
	list = axis;
	attr[0] = attr_ints(axes, &list, 1);
	attr[1] = attr_int(keepdims, 1);
	norm = emit(c, p == 1 ? OP_reduce_l1 : OP_reduce_l2, &x, 1, attr, 2);
	norm = emit3(c, OP_where, emit2(c, OP_equal, norm, emit_like(c, norm, 0)),
		     emit_like(c, norm, 1), norm);
	call_out(c, 0, emit2(c, OP_div, x, norm));
	return !c->failed;
}

bool op_mean_variance_norm(struct call *c)
{
	value_id x = call_in(c, 0), centred, variance;
	static const int64_t usual[] = { 0, 2, 3 };
	uint32_t rank = shape_of(c, x).rank, n, a;
	const int64_t *axes = call_ints(c, "axes", &n);
	struct attr attr[2];

	if (!axes) {
		axes = usual;
		n = 3;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!call_axis(c, axes[i], rank, &a))
			return false;
	attr[0] = attr_ints(axes, axes, n);
	attr[1] = attr_int(keepdims, 1);
	centred = emit2(c, OP_sub, x, emit(c, OP_reduce_mean, &x, 1, attr, 2));
	variance = emit2(c, OP_mul, centred, centred);
	variance = emit(c, OP_reduce_mean, &variance, 1, attr, 2);
	variance = emit2(c, OP_add, emit1(c, OP_sqrt, variance), emit_like(c, x, 1e-9));
	call_out(c, 0, emit2(c, OP_div, centred, variance));
	return !c->failed;
}

/* 1 at the first largest element, 0 elsewhere; before version 13 in rows, as Softmax. */
bool op_hardmax(struct call *c)
{
	value_id x = call_in(c, 0), at, places;
	struct shape s = shape_of(c, x), rows = { .rank = 2, .dim = { 1, 1 } }, wide = { 0 };
	int64_t axis = call_int(c, "axis", c->opset < 13 ? 1 : -1), *iota;
	struct attr attr[2];
	uint32_t a;

	if (!call_axis(c, axis, s.rank, &a))
		return false;
	if (c->opset < 13) {
		for (uint32_t i = 0; i < s.rank; i++)
			rows.dim[i >= a] *= s.dim[i];
		x = emit_reshape(c, x, &rows);
		a = 1;
	} else {
		rows = s;
	}
	if (rows.dim[a] > 1 << 24)
		return call_fail(c, "an axis of %lld is too long", (long long)rows.dim[a]);
	iota = arena_new_array(&c->im->scratch, int64_t, (size_t)rows.dim[a]);
	wide.rank = rows.rank;
	for (uint32_t i = 0; i < wide.rank; i++)
		wide.dim[i] = i == a ? rows.dim[a] : 1;
	for (int64_t i = 0; i < rows.dim[a]; i++)
		iota[i] = i;
	attr[0] = attr_int(axis, a);
	attr[1] = attr_int(keepdims, 1);
	at = emit(c, OP_arg_max, &x, 1, attr, 2);
	places = emit_reshape(c, emit_ints(c, iota, (uint32_t)rows.dim[a]), &wide);
	x = emit_cast(c, emit2(c, OP_equal, at, places), dtype_of(c, x));
	call_out(c, 0, emit_reshape(c, x, &s));
	return !c->failed;
}
