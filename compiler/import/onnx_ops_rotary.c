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
static value_id read_angles(struct call *c, value_id v, value_id positions, int64_t pairs, uint32_t head_axis)
{
	struct shape s, out = { .rank = 4 };

	if (positions != NO_ID)
		v = emit(c, OP_gather, (value_id[]){ v, positions }, 2, &attr_int(axis, 0), 1);
	s = shape_of(c, v);
	if (s.rank == 2) { /* the same for all */
		s = (struct shape){ 3, { 1, s.dim[0], s.dim[1] } };
		v = emit_reshape(c, v, &s);
	}
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

/* x as [batch, heads, length, size], or with three axes as [batch, length, heads, size]. */
static bool split_flat(struct call *c, struct shape *s, int64_t heads)
{
	if (s->rank == 3 && (heads < 1 || s->dim[2] % heads))
		return call_fail(c, "%lld numbers cannot be split into %lld heads",
				 (long long)s->dim[2], (long long)heads);
	if (s->rank == 3)
		*s = (struct shape){ 4, { s->dim[0], s->dim[1], heads, s->dim[2] / heads } };
	return s->rank == 4 || call_fail(c, "its input must have three or four axes");
}

value_id onnx_turned(struct call *c, value_id x, const struct turning *t)
{
	struct shape s = shape_of(c, x), split = s;
	bool flat = s.rank == 3, interleaved = t->interleaved;
	value_id cosine, sine, a, b, in[2];
	int64_t turned, pairs;

	if (!split_flat(c, &split, t->heads))
		return NO_ID;
	x = emit_reshape(c, x, &split);
	turned = t->turned ? t->turned : split.dim[3];
	pairs = turned / 2;
	if (turned < 2 || turned % 2 || turned > split.dim[3]) {
		call_fail(c, "%lld of %lld numbers cannot be turned", (long long)turned,
			  (long long)split.dim[3]);
		return NO_ID;
	}
	cosine = read_angles(c, t->cosine, t->positions, pairs, flat ? 2 : 1);
	sine = read_angles(c, t->sine, t->positions, pairs, flat ? 2 : 1);
	if (c->failed)
		return NO_ID;
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
	return emit_reshape(c, in[0], &s);
}

bool op_rotary(struct call *c)
{
	struct turning t = { call_in(c, 1), call_in(c, 2), call_in(c, 3), call_int(c, "num_heads", 0),
			     call_int(c, "rotary_embedding_dim", 0), call_int(c, "interleaved", 0) };

	call_out(c, 0, onnx_turned(c, call_in(c, 0), &t));
	return !c->failed;
}
