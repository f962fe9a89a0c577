/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_order.c - operators that put elements in another order: by size, or backwards. */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

/* Axis a becomes the last one, or goes back to its place: the same exchange. */
static value_id exchange(struct call *c, value_id x, uint32_t a)
{
	uint32_t rank = shape_of(c, x).rank;
	int64_t perm[MAX_RANK];

	for (uint32_t i = 0; i < rank; i++)
		perm[i] = i;
	if (rank) {
		perm[a] = rank - 1;
		perm[rank - 1] = a;
	}
	return emit_transpose(c, x, perm);
}

/* Where they lie is one operation; the values are gathered from there. */
bool op_top_k(struct call *c)
{
	value_id x = call_in(c, 0), at;
	struct shape s = shape_of(c, x);
	int64_t k = call_int(c, "k", 0);
	bool largest = call_int(c, "largest", 1);
	const int64_t *given;
	struct attr attr[2];
	uint32_t axis, n, last;

	call_attr(c, "sorted"); /* sorted is one of the orders that 0 allows */
	if (!call_axis(c, call_int(c, "axis", -1), s.rank, &axis))
		return false;
	if (c->opset >= 10) {
		given = call_known_ints(c, 1, "k", &n);
		if (!given || n != 1)
			return call_fail(c, "k must be one number");
		k = given[0];
	}
	if (k < 0 || k > s.dim[axis])
		return call_fail(c, "%lld of %lld elements are to be chosen", (long long)k, (long long)s.dim[axis]);
	last = s.rank - 1;
	x = exchange(c, x, axis);
	s = shape_of(c, x);
	if (!c->failed)
		s.dim[last] = k;
	attr[0] = attr_ints(shape, s.dim, s.rank);
	attr[1] = attr_int(mode, largest);
	at = emit(c, OP_top_k, &x, 1, attr, 2);
	if (call_wants(c, 0))
		call_out(c, 0, exchange(c, emit(c, OP_gather_elements, (value_id[]){ x, at }, 2, &attr_int(axis, last), 1), axis));
	call_out(c, 1, exchange(c, at, axis));
	return !c->failed;
}

/* The first length[b] steps of each sequence backwards: an index for each step, gathered along the steps. */
bool op_reverse_sequence(struct call *c)
{
	value_id x = call_in(c, 0), length = call_in(c, 1), step, back, index;
	struct shape s = shape_of(c, x), ls = shape_of(c, length), full = { 0 };
	int64_t batch = call_int(c, "batch_axis", 1), time = call_int(c, "time_axis", 0), *list, steps;
	static const int64_t swap[] = { 1, 0 };

	if (s.rank < 2 || batch < 0 || time < 0 || batch + time != 1 || ls.rank != 1 || ls.dim[0] != s.dim[batch])
		return call_fail(c, "its sequences and lengths do not go together");
	steps = s.dim[time];
	if (steps > 1 << 24)
		return call_fail(c, "its sequences are too long");
	list = arena_new_array(&c->im->scratch, int64_t, (size_t)steps);
	for (int64_t i = 0; i < steps; i++)
		list[i] = i;
	step = emit_ints(c, list, (uint32_t)steps);
	length = emit_reshape(c, emit_cast(c, length, DTYPE_I64), &(struct shape){ 2, { ls.dim[0], 1 } });
	back = emit2(c, OP_sub, emit2(c, OP_sub, length, emit_scalar(c, DTYPE_I64, 1)), step);
	index = emit3(c, OP_where, emit2(c, OP_less, step, length), back, step); /* [batch, step] */
	if (time == 0)
		index = emit_transpose(c, index, swap);
	full = (struct shape){ s.rank, { s.dim[0], s.dim[1] } };
	for (uint32_t i = 2; i < s.rank; i++)
		full.dim[i] = 1;
	index = emit_expand(c, emit_reshape(c, index, &full), &s);
	call_out(c, 0, emit(c, OP_gather_elements, (value_id[]){ x, index }, 2, &attr_int(axis, time), 1));
	return !c->failed;
}
