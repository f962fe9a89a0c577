/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_scatter.c - writing to places, and picking places that are known.
 *
 * Where the indices are constants, which element ends up where is known too:
 * the result is a Gather from the old elements with the new ones behind them.
 * Exporters write assignments to slices this way. Else the elements are rows
 * under one index each, computed from the file's tuples, and OP_scatter.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include "ref/ref.h"

#include <string.h>

enum { MAP_LIMIT = 1 << 24 };

/* rows[i] of [data; updates], both as `rows` by `width`. */
static value_id gather_rows(struct call *c, value_id data, int64_t rows, value_id updates,
			    int64_t update_rows, int64_t width, const int64_t *from)
{
	value_id in[2] = { emit_reshape(c, data, &(struct shape){ 2, { rows, width } }),
			   emit_reshape(c, updates, &(struct shape){ 2, { update_rows, width } }) };
	value_id both = emit(c, OP_concat, in, 2, &attr_int(axis, 0), 1);

	in[0] = both;
	in[1] = emit_ints(c, from, (uint32_t)rows);
	return emit(c, OP_gather, in, 2, &attr_int(axis, 0), 1);
}

static bool read_reduction(struct call *c, enum scatter_mode *mode)
{
	static const char *const names[] = { "none", "add", "mul", "min", "max" }; /* the order of enum scatter_mode */
	const char *how = call_string(c, "reduction", "none");

	for (*mode = SCATTER_SET; *mode <= SCATTER_MAX; ++*mode)
		if (strcmp(how, names[*mode]) == 0)
			return true;
	return call_fail(c, "reduction \"%s\" is not known", how);
}

/* Rows that only a run knows. */
static value_id scatter_rows(struct call *c, value_id x, int64_t rows, int64_t width, value_id index, value_id updates,
			     int64_t count, enum scatter_mode mode)
{
	value_id in[3];
	struct shape s = shape_of(c, x);

	if (!rows || !width || !count)
		return x;
	in[0] = emit_reshape(c, x, &(struct shape){ 2, { rows, width } });
	in[1] = emit_reshape(c, index, &(struct shape){ 1, { count } });
	in[2] = emit_reshape(c, updates, &(struct shape){ 2, { count, width } });
	return emit_reshape(c, emit(c, OP_scatter, in, 3, &attr_int(mode, mode), 1), &s);
}

/* The constant indices, any shape; NULL: said why. */
static const int64_t *known_indices(struct call *c, uint32_t input)
{
	value_id v = call_in(c, input);
	struct ref_tensor t;
	int64_t n, *list;

	if (v == NO_ID || !is_known(c, v)) {
		call_fail(c, "input %u (indices) must be known when compiling", input);
		return NULL;
	}
	t = (struct ref_tensor){ dtype_of(c, v), shape_of(c, v),
				 (void *)(uintptr_t)known_data(c, v) };
	n = shape_elements(&t.shape);
	if (!t.data || n > MAP_LIMIT) {
		call_fail(c, "too many indices");
		return NULL;
	}
	list = arena_new_array(&c->im->scratch, int64_t, (size_t)n);
	for (int64_t i = 0; i < n; i++)
		list[i] = ref_get_int(&t, i);
	return list;
}

static bool wrap_index(struct call *c, int64_t *index, int64_t dim)
{
	if (*index < -dim || *index >= dim)
		return call_fail(c, "index %lld is outside of %lld elements", (long long)*index,
				 (long long)dim);
	*index += *index < 0 ? dim : 0;
	return true;
}

static int64_t *identity_map(struct call *c, int64_t n)
{
	int64_t *from;

	if (n > MAP_LIMIT) {
		call_fail(c, "%lld elements are too many", (long long)n);
		return NULL;
	}
	from = arena_new_array(&c->im->scratch, int64_t, (size_t)n);
	for (int64_t i = 0; i < n; i++)
		from[i] = i;
	return from;
}

/* Updates replace what the tuples of k indices name: elements or whole rows. */
bool op_scatter_nd(struct call *c)
{
	value_id x = call_in(c, 0), updates = call_in(c, 2), y;
	struct shape s = shape_of(c, x), is = shape_of(c, call_in(c, 1)), us = shape_of(c, updates);
	int64_t rows = 1, width = 1, k, count = 1, *from;
	enum scatter_mode mode;
	const int64_t *index;

	if (!read_reduction(c, &mode) || !is.rank || (k = is.dim[is.rank - 1]) < 1 || k > (int64_t)s.rank)
		return call_fail(c, "its indices do not fit its input");
	for (uint32_t i = 0; i < s.rank; i++)
		*((int64_t)i < k ? &rows : &width) *= s.dim[i];
	for (uint32_t i = 0; i + 1 < is.rank; i++)
		count *= is.dim[i];
	if (shape_elements(&us) != count * width)
		return call_fail(c, "its updates do not fit its indices");
	if (mode != SCATTER_SET || !is_known(c, call_in(c, 1)) || rows > MAP_LIMIT) {
		value_id flat = onnx_flat_index(c, call_in(c, 1), s.dim, (uint32_t)k);

		call_out(c, 0, scatter_rows(c, x, rows, width, flat, updates, count, mode));
		return !c->failed;
	}
	if (!(index = known_indices(c, 1)) || !(from = identity_map(c, rows)))
		return false;
	for (int64_t u = 0; u < count; u++) {
		int64_t row = 0;

		for (int64_t i = 0; i < k; i++) {
			int64_t at = index[u * k + i];

			if (!wrap_index(c, &at, s.dim[i]))
				return false;
			row = row * s.dim[i] + at;
		}
		from[row] = rows + u;
	}
	y = count ? gather_rows(c, x, rows, updates, count, width, from) : x;
	call_out(c, 0, emit_reshape(c, y, &s));
	return !c->failed;
}

/* Where the elements of `is` lie in s, those of the axis as the indices say. */
static value_id element_index(struct call *c, value_id index, const struct shape *s, const struct shape *is, uint32_t axis)
{
	int64_t stride = 1, *list;
	value_id flat = NO_ID, part;

	index = emit_cast(c, index, DTYPE_I64);
	for (uint32_t i = s->rank; i-- > 0; stride *= s->dim[i]) {
		struct shape one = { .rank = s->rank };

		for (uint32_t k = 0; k < s->rank; k++)
			one.dim[k] = k == i ? is->dim[i] : 1;
		if (i == axis) {
			part = emit2(c, OP_mod, index, emit_scalar(c, DTYPE_I64, (double)s->dim[i]));
			part = emit2(c, OP_mul, part, emit_scalar(c, DTYPE_I64, (double)stride));
		} else {
			list = arena_new_array(&c->im->scratch, int64_t, (size_t)is->dim[i]);
			for (int64_t k = 0; k < is->dim[i]; k++)
				list[k] = k * stride;
			part = emit_reshape(c, emit_ints(c, list, (uint32_t)is->dim[i]), &one);
		}
		flat = flat == NO_ID ? part : emit2(c, OP_add, flat, part);
	}
	return flat;
}

bool op_scatter_elements(struct call *c)
{
	value_id x = call_in(c, 0), updates = call_in(c, 2), y;
	struct shape s = shape_of(c, x), is = shape_of(c, call_in(c, 1)), us = shape_of(c, updates);
	int64_t n = shape_elements(&s), count = shape_elements(&is), *from;
	enum scatter_mode mode;
	const int64_t *index;
	uint32_t axis;

	if (!read_reduction(c, &mode) || !call_axis(c, call_int(c, "axis", 0), s.rank, &axis))
		return false;
	if (is.rank != s.rank || !shape_equal(&is, &us))
		return call_fail(c, "its indices, updates and input do not go together");
	for (uint32_t i = 0; i < s.rank; i++)
		if (i != axis && is.dim[i] > s.dim[i])
			return call_fail(c, "it has more indices than elements along axis %u", i);
	if (count > MAP_LIMIT)
		return call_fail(c, "%lld indices are too many", (long long)count);
	if (count && (mode != SCATTER_SET || !is_known(c, call_in(c, 1)) || n > MAP_LIMIT)) {
		value_id flat = element_index(c, call_in(c, 1), &s, &is, axis);

		call_out(c, 0, c->failed ? NO_ID : scatter_rows(c, x, n, 1, flat, updates, count, mode));
		return !c->failed;
	}
	if (!(index = known_indices(c, 1)) || !(from = identity_map(c, n)))
		return false;
	for (int64_t u = 0; u < count; u++) {
		int64_t rest = u, at = index[u], place = 0, stride = 1;

		if (!wrap_index(c, &at, s.dim[axis]))
			return false;
		for (uint32_t i = s.rank; i-- > 0;) {
			place += (i == axis ? at : rest % is.dim[i]) * stride;
			rest /= is.dim[i];
			stride *= s.dim[i];
		}
		from[place] = n + u;
	}
	y = count ? gather_rows(c, x, n, updates, count, 1, from) : x;
	call_out(c, 0, emit_reshape(c, y, &s));
	return !c->failed;
}

/* The elements along an axis for which the condition is true. */
bool op_compress(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x);
	const int64_t *keep;
	int64_t *list;
	uint32_t n, kept = 0, axis = 0;

	if (!call_attr(c, "axis")) {
		s = (struct shape){ 1, { shape_elements(&s) } };
		x = emit_reshape(c, x, &s);
	} else if (!call_axis(c, call_int(c, "axis", 0), s.rank, &axis)) {
		return false;
	}
	keep = call_known_ints(c, 1, "condition", &n);
	if (!keep || n > s.dim[axis])
		return call_fail(c, "its condition is missing or too long");
	list = arena_new_array(&c->im->scratch, int64_t, n);
	for (uint32_t i = 0; i < n; i++)
		if (keep[i])
			list[kept++] = i;
	call_out(c, 0,
		 emit(c, OP_gather, (value_id[]){ x, emit_ints(c, list, kept) }, 2,
		      &attr_int(axis, axis), 1));
	return !c->failed;
}
