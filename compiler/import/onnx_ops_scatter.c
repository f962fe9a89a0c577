/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_scatter.c - writing to and picking places that are known.
 *
 * Where the indices are constants, which element ends up where is known too:
 * the result is a Gather from the old elements with the new ones behind them.
 * Exporters write assignments to slices this way.
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

static bool plain_scatter(struct call *c)
{
	const char *how = call_string(c, "reduction", "none");

	if (strcmp(how, "none") != 0)
		return call_fail(c, "reduction \"%s\" is not supported", how);
	return true;
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
	const int64_t *index;

	if (!plain_scatter(c) || !is.rank || (k = is.dim[is.rank - 1]) < 1 || k > (int64_t)s.rank)
		return call_fail(c, "its indices do not fit its input");
	for (uint32_t i = 0; i < s.rank; i++)
		*((int64_t)i < k ? &rows : &width) *= s.dim[i];
	for (uint32_t i = 0; i + 1 < is.rank; i++)
		count *= is.dim[i];
	if (shape_elements(&us) != count * width || !(index = known_indices(c, 1)) ||
	    !(from = identity_map(c, rows)))
		return call_fail(c, "its updates do not fit its indices");
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

bool op_scatter_elements(struct call *c)
{
	value_id x = call_in(c, 0), updates = call_in(c, 2), y;
	struct shape s = shape_of(c, x), is = shape_of(c, call_in(c, 1)), us = shape_of(c, updates);
	int64_t n = shape_elements(&s), count = shape_elements(&is), *from;
	const int64_t *index;
	uint32_t axis;

	if (!plain_scatter(c) || !call_axis(c, call_int(c, "axis", 0), s.rank, &axis))
		return false;
	if (is.rank != s.rank || !shape_equal(&is, &us))
		return call_fail(c, "its indices, updates and input do not go together");
	for (uint32_t i = 0; i < s.rank; i++)
		if (i != axis && is.dim[i] > s.dim[i])
			return call_fail(c, "it has more indices than elements along axis %u", i);
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
