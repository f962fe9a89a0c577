/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_sequence.c - lists of tensors, and tensors that may be absent.
 *
 * How long a list is and what stands where is known when compiling, so lists
 * vanish: they are lists of values here, and nothing of them is in the graph.
 * Their ids are those of values with the highest bit set; only operators that
 * know lists get to see one (onnx.c).
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

static const struct onnx_sequence *list_of(struct call *c, uint32_t i)
{
	static const struct onnx_sequence none;
	value_id v = call_in(c, i);

	if (onnx_is_sequence(v))
		return &c->im->sequences.data[v & ~ONNX_SEQUENCE];
	call_fail(c, "input %u must be a sequence", i);
	return &none;
}

/* A list of `count` values, to be filled in. */
static value_id *new_list(struct call *c, uint32_t count)
{
	struct onnx_sequence s = { arena_new_array(&c->im->file, value_id, count + 1), count };

	vec_push(&c->im->file, &c->im->sequences, s);
	call_out(c, 0, ONNX_SEQUENCE | (c->im->sequences.len - 1));
	return s.item;
}

/* Where input i says, or `absent`; false: said why. */
static bool position(struct call *c, uint32_t i, uint32_t count, int64_t absent, uint32_t *out)
{
	const int64_t *given = NULL;
	int64_t at = absent;
	uint32_t n = 1;

	if (call_has(c, i))
		given = call_known_ints(c, i, "position", &n);
	if (c->failed || n != 1)
		return call_fail(c, "the position must be one number");
	if (given)
		at = *given < 0 ? *given + absent : *given;
	if (at < 0 || at >= (int64_t)count)
		return call_fail(c, "position %lld is outside of a sequence of %lld", (long long)(given ? *given : at),
				 (long long)absent);
	*out = (uint32_t)at;
	return true;
}

bool op_sequence_construct(struct call *c) /* SequenceEmpty, too */
{
	uint32_t n = (uint32_t)c->node->n_input;
	value_id *item;

	call_attr(c, "dtype");
	item = new_list(c, n);
	for (uint32_t i = 0; i < n; i++) {
		item[i] = call_in(c, i);
		if (item[i] == NO_ID || onnx_is_sequence(item[i]))
			return call_fail(c, "input %u must be a tensor", i);
	}
	return true;
}

bool op_sequence_insert(struct call *c)
{
	struct onnx_sequence s = *list_of(c, 0);
	value_id x = call_in(c, 1), *item;
	uint32_t at;

	if (x == NO_ID || onnx_is_sequence(x))
		return call_fail(c, "input 1 must be a tensor");
	if (!position(c, 2, s.count + 1, s.count, &at))
		return false;
	item = new_list(c, s.count + 1);
	for (uint32_t i = 0; i <= s.count; i++)
		item[i] = i == at ? x : s.item[i - (i > at)];
	return true;
}

bool op_sequence_erase(struct call *c)
{
	struct onnx_sequence s = *list_of(c, 0);
	value_id *item;
	uint32_t at;

	if (!call_has(c, 1) && s.count)
		at = s.count - 1;
	else if (!position(c, 1, s.count, s.count, &at))
		return false;
	item = new_list(c, s.count - 1);
	for (uint32_t i = 0; i + 1 < s.count; i++)
		item[i] = s.item[i + (i >= at)];
	return true;
}

bool op_sequence_at(struct call *c)
{
	struct onnx_sequence s = *list_of(c, 0);
	uint32_t at;

	if (!position(c, 1, s.count, s.count, &at))
		return false;
	call_out(c, 0, s.item[at]);
	return true;
}

bool op_sequence_length(struct call *c)
{
	int64_t n = list_of(c, 0)->count;

	call_out(c, 0, c->failed ? NO_ID : graph_add_const_bytes(c->g, DTYPE_I64, (struct shape){ 0 }, &n));
	return !c->failed;
}

static value_id with_new_axis(struct call *c, value_id x, uint32_t axis)
{
	struct shape s = shape_of(c, x), out = { .rank = s.rank + 1 };

	for (uint32_t i = 0; i < out.rank; i++)
		out.dim[i] = i == axis ? 1 : s.dim[i - (i > axis)];
	return emit_reshape(c, x, &out);
}

bool op_concat_from_sequence(struct call *c)
{
	struct onnx_sequence s = *list_of(c, 0);
	bool stack = call_int(c, "new_axis", 0);
	value_id *in = arena_new_array(&c->im->scratch, value_id, s.count + 1);
	uint32_t rank, axis;

	if (!s.count)
		return call_fail(c, "it has nothing to put together");
	rank = shape_of(c, s.item[0]).rank + stack;
	if (rank > MAX_RANK)
		return call_fail(c, "rank %u is above %d", rank, MAX_RANK);
	if (!call_axis(c, call_int(c, "axis", 0), rank, &axis))
		return false;
	for (uint32_t i = 0; i < s.count; i++)
		in[i] = stack ? with_new_axis(c, s.item[i], axis) : s.item[i];
	call_out(c, 0, s.count == 1 ? in[0] : emit(c, OP_concat, in, s.count, &attr_int(axis, axis), 1));
	return !c->failed;
}

/* Sizes of the pieces: one for all, a list, or 1 without the axis. */
static const int64_t *piece_sizes(struct call *c, int64_t dim, uint32_t *count)
{
	bool given = call_has(c, 1), one = !given || shape_of(c, call_in(c, 1)).rank == 0;
	const int64_t *sizes = given ? call_known_ints(c, 1, "split", count) : NULL;
	int64_t size = sizes && *count ? sizes[0] : 1, *list, sum = 0;

	if (c->failed)
		return NULL;
	if (one && size > 0 && dim <= 1 << 20) {
		*count = (uint32_t)((dim + size - 1) / size);
		list = arena_new_array(&c->im->scratch, int64_t, *count + 1);
		for (uint32_t i = 0; i < *count; i++)
			list[i] = i + 1 < *count ? size : dim - (int64_t)i * size;
		return list;
	}
	for (uint32_t i = 0; !one && i < *count; i++)
		sum = sizes[i] < 0 || sizes[i] > dim - sum ? INT64_MIN / 2 : sum + sizes[i];
	if (one || sum != dim) {
		call_fail(c, "the pieces do not add up to %lld", (long long)dim);
		return NULL;
	}
	return sizes;
}

bool op_split_to_sequence(struct call *c)
{
	value_id x = call_in(c, 0), *item;
	struct shape s = shape_of(c, x), less = { 0 };
	bool keep = call_int(c, "keepdims", 1) || call_has(c, 1);
	const int64_t *sizes;
	int64_t at = 0;
	uint32_t axis, n;

	if (!call_axis(c, call_int(c, "axis", 0), s.rank, &axis) || !(sizes = piece_sizes(c, s.dim[axis], &n)))
		return false;
	for (uint32_t i = 0; i < s.rank; i++)
		if (i != axis)
			less.dim[less.rank++] = s.dim[i];
	item = new_list(c, n);
	for (uint32_t i = 0; i < n; at += sizes[i++]) {
		item[i] = emit_slice(c, x, axis, at, sizes[i]);
		if (!keep)
			item[i] = emit_reshape(c, item[i], &less);
	}
	return !c->failed;
}

bool op_optional(struct call *c)
{
	call_attr(c, "type");
	if (call_in(c, 0) == NO_ID)
		return call_fail(c, "an optional without a value is not supported");
	call_out(c, 0, call_in(c, 0));
	return true;
}

bool op_optional_has(struct call *c)
{
	call_out(c, 0, emit_scalar(c, DTYPE_BOOL, call_in(c, 0) != NO_ID));
	return !c->failed;
}
