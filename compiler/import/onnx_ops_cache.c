/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_cache.c - caches of keys and values that have their full length from
 * the start, and are filled from a place that only a run knows.
 *
 * A cache [batch, .., length, size] is rows, and what is new replaces some of
 * them by OP_scatter; what lies behind the new keys is hidden by a mask.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

/* 0, 1, .. as i64 of that rank, along one of its axes. */
static value_id count_up(struct call *c, int64_t n, uint32_t rank, uint32_t axis)
{
	struct shape s = { .rank = rank };
	int64_t *list;

	if (n > 1 << 24) {
		call_fail(c, "%lld positions are too many", (long long)n);
		return NO_ID;
	}
	list = arena_new_array(&c->im->scratch, int64_t, (size_t)n);
	for (int64_t i = 0; i < n; i++)
		list[i] = i;
	for (uint32_t i = 0; i < rank; i++)
		s.dim[i] = i == axis ? n : 1;
	return emit_reshape(c, emit_ints(c, list, (uint32_t)n), &s);
}

value_id onnx_cache_places(struct call *c, value_id from, int64_t now)
{
	struct shape s = shape_of(c, from), column = { 2, { shape_elements(&s), 1 } };

	return emit2(c, OP_add, emit_reshape(c, emit_cast(c, from, DTYPE_I64), &column), count_up(c, now, 2, 1));
}

value_id onnx_cache_write(struct call *c, value_id cache, value_id x, value_id from, uint32_t axis, bool circular)
{
	struct shape s = shape_of(c, cache), xs = shape_of(c, x), line;
	int64_t outer = 1, inner = 1, length, now;
	value_id in[3], at;

	if (c->failed || s.rank != xs.rank || axis < 1 || axis >= s.rank || xs.dim[axis] > s.dim[axis]) {
		call_fail(c, "what is new does not fit its cache");
		return NO_ID;
	}
	for (uint32_t i = 0; i < s.rank; i++) {
		if (i != axis && s.dim[i] != xs.dim[i])
			call_fail(c, "what is new does not fit its cache");
		*(i < axis ? &outer : &inner) *= i == axis ? 1 : s.dim[i];
	}
	length = s.dim[axis];
	now = xs.dim[axis];
	at = onnx_cache_places(c, from, now); /* [batch or 1, now] */
	if (circular)
		at = emit2(c, OP_mod, at, emit_scalar(c, DTYPE_I64, (double)length));
	line = (struct shape){ 3, { shape_of(c, at).dim[0], 1, now } };
	at = emit_reshape(c, at, &line);
	/* which of the outer rows' lines: batch major, then what lies between */
	in[1] = emit2(c, OP_mul, count_up(c, outer, 1, 0), emit_scalar(c, DTYPE_I64, (double)length));
	in[1] = emit_reshape(c, in[1], &(struct shape){ 3, { s.dim[0], s.dim[0] ? outer / s.dim[0] : 0, 1 } });
	in[1] = emit_reshape(c, emit2(c, OP_add, in[1], at), &(struct shape){ 1, { outer * now } });
	in[0] = emit_reshape(c, cache, &(struct shape){ 2, { outer * length, inner } });
	in[2] = emit_reshape(c, x, &(struct shape){ 2, { outer * now, inner } });
	if (!outer || !now || !inner)
		return cache;
	return emit_reshape(c, emit(c, OP_scatter, in, 3, &attr_int(mode, SCATTER_SET), 1), &s);
}

value_id onnx_cache_seen(struct call *c, value_id from, int64_t now, int64_t keys, int64_t left)
{
	value_id last = onnx_cache_places(c, from, now), key = count_up(c, keys, 4, 3), seen;
	struct shape s = shape_of(c, last);

	last = emit_reshape(c, last, &(struct shape){ 4, { s.dim[0], 1, now, 1 } });
	seen = emit2(c, OP_less_equal, key, last);
	if (left < 0)
		return seen;
	last = emit2(c, OP_sub, last, emit_scalar(c, DTYPE_I64, (double)left));
	return emit2(c, OP_logical_and, seen, emit2(c, OP_greater_equal, key, last));
}

value_id onnx_keys_below(struct call *c, value_id count, int64_t keys)
{
	struct shape s = shape_of(c, count), column = { 4, { shape_elements(&s), 1, 1, 1 } };

	return emit2(c, OP_less, count_up(c, keys, 4, 3), emit_reshape(c, emit_cast(c, count, DTYPE_I64), &column));
}

/* past cache, update, where each batch's begins. */
bool op_tensor_scatter(struct call *c)
{
	const char *mode = call_string(c, "mode", "linear");
	value_id cache = call_in(c, 0), from = call_in(c, 2);
	uint32_t axis;

	if (strcmp(mode, "linear") != 0 && strcmp(mode, "circular") != 0)
		return call_fail(c, "mode \"%s\" is not known", mode);
	if (!call_axis(c, call_int(c, "axis", -2), shape_of(c, cache).rank, &axis))
		return false;
	if (from == NO_ID)
		from = emit_scalar(c, DTYPE_I64, 0);
	call_out(c, 0, onnx_cache_write(c, cache, call_in(c, 1), from, axis, *mode == 'c'));
	return !c->failed;
}
