/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_rotary.c - RotaryEmbedding as products and sums.
 *
 * Pairs (a, b) of each head's first numbers are turned by an angle that
 * depends on the position: (a cos - b sin, a sin + b cos). Pairs are neighbours
 * (interleaved) or stand half the rotated part apart.
 */
#include "config.h"

#include "import/onnx_ops.h"

/* cos or sin with one axis for the heads put in: [batch, 1, length, pairs] or [batch, length, 1,
 * pairs]. */
static value_id read_angles(struct call *c, uint32_t input, int64_t pairs, uint32_t head_axis)
{
	value_id v = call_in(c, input), positions = call_in(c, 3);
	struct shape s, out = { .rank = 4 };

	if (positions != NO_ID)
		v = emit(c, OP_gather, (value_id[]){ v, positions }, 2, &attr_int(axis, 0), 1);
	s = shape_of(c, v);
	if (c->failed || s.rank != 3 || s.dim[2] < pairs) {
		call_fail(c, "its angles do not fit its positions");
		return NO_ID;
	}
	v = emit_slice(c, v, 2, 0, pairs);
	out.dim[0] = s.dim[0];
	out.dim[head_axis] = 1;
	out.dim[3 - head_axis] = s.dim[1];
	out.dim[3] = pairs;
	return emit_reshape(c, v, &out);
}

/* Elements `first`, `first` + 2, ... of the last axis. */
static value_id every_other(struct call *c, value_id x, int64_t first, int64_t count)
{
	struct shape s = shape_of(c, x);
	int64_t starts[4] = { 0, 0, 0, first }, steps[4] = { 1, 1, 1, 2 };
	struct attr attr[3];

	s.dim[3] = count;
	attr[0] = attr_ints(starts, starts, 4);
	attr[1] = attr_ints(steps, steps, 4);
	attr[2] = attr_ints(shape, s.dim, 4);
	return emit(c, OP_slice, &x, 1, attr, 3);
}

/* The two halves back in their places. */
static value_id join_pairs(struct call *c, value_id a, value_id b, bool interleaved)
{
	struct shape s = shape_of(c, a), column = s, joined = s;
	value_id in[2] = { a, b };

	if (!interleaved)
		return emit(c, OP_concat, in, 2, &attr_int(axis, 3), 1);
	column.dim[column.rank++] = 1;
	joined.dim[3] *= 2;
	in[0] = emit_reshape(c, a, &column);
	in[1] = emit_reshape(c, b, &column);
	return emit_reshape(c, emit(c, OP_concat, in, 2, &attr_int(axis, 4), 1), &joined);
}

bool op_rotary(struct call *c)
{
	value_id x = call_in(c, 0), cosine, sine, a, b, in[2];
	struct shape s = shape_of(c, x), split = s;
	int64_t heads = call_int(c, "num_heads", 0),
		turned = call_int(c, "rotary_embedding_dim", 0), pairs;
	bool interleaved = call_int(c, "interleaved", 0), flat = s.rank == 3;

	if (flat && (heads < 1 || s.dim[2] % heads))
		return call_fail(c, "%lld numbers cannot be split into %lld heads",
				 (long long)s.dim[2], (long long)heads);
	if (flat)
		split = (struct shape){ 4, { s.dim[0], s.dim[1], heads, s.dim[2] / heads } };
	if (split.rank != 4)
		return call_fail(c, "its input must have three or four axes");
	x = emit_reshape(c, x, &split);
	turned = turned ? turned : split.dim[3];
	pairs = turned / 2;
	if (turned < 2 || turned % 2 || turned > split.dim[3])
		return call_fail(c, "%lld of %lld numbers cannot be turned", (long long)turned,
				 (long long)split.dim[3]);
	cosine = read_angles(c, 1, pairs, flat ? 2 : 1);
	sine = read_angles(c, 2, pairs, flat ? 2 : 1);
	if (c->failed)
		return false;
	a = interleaved ? every_other(c, x, 0, pairs) : emit_slice(c, x, 3, 0, pairs);
	b = interleaved ? every_other(c, x, 1, pairs) : emit_slice(c, x, 3, pairs, pairs);
	in[0] = join_pairs(c,
			   emit2(c, OP_sub, emit2(c, OP_mul, a, cosine), emit2(c, OP_mul, b, sine)),
			   emit2(c, OP_add, emit2(c, OP_mul, a, sine), emit2(c, OP_mul, b, cosine)),
			   interleaved);
	if (turned < split.dim[3]) {
		in[1] = emit_slice(c, x, 3, turned, split.dim[3] - turned);
		in[0] = emit(c, OP_concat, in, 2, &attr_int(axis, 3), 1);
	}
	call_out(c, 0, emit_reshape(c, in[0], &s));
	return !c->failed;
}
