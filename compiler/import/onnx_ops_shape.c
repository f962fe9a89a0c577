/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_shape.c - operators that move elements and change shapes. */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

bool op_reshape(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), out = { 0 };
	bool zero_is_zero = call_int(c, "allowzero", 0);
	int64_t known = 1, unknown = -1;
	const int64_t *want;
	uint32_t n;

	want = call_list(c, "shape", 1, &n);
	if (!want)
		return call_fail(c, "the shape is missing");
	if (n > MAX_RANK)
		return call_fail(c, "rank %u is above %d", n, MAX_RANK);
	out.rank = n;
	for (uint32_t i = 0; i < n; i++) {
		out.dim[i] = want[i];
		if (want[i] == 0 && !zero_is_zero) {
			if (i >= s.rank)
				return call_fail(c, "dimension %u of rank %u is to be kept", i,
						 s.rank);
			out.dim[i] = s.dim[i];
		} else if (want[i] == -1) {
			if (unknown >= 0)
				return call_fail(c, "the shape has -1 twice");
			unknown = i;
			continue;
		} else if (want[i] < -1) {
			return call_fail(c, "the shape has dimension %lld", (long long)want[i]);
		}
		if (out.dim[i] > 0 && known > (INT64_C(1) << 48) / out.dim[i])
			return call_fail(c, "the shape is too large");
		known *= out.dim[i];
	}
	if (unknown >= 0) {
		int64_t all = shape_elements(&s);

		if (known == 0 || all % known != 0)
			return call_fail(c, "%lld elements of %s cannot be divided by %lld",
					 (long long)all, shape_string(&c->im->scratch, &s),
					 (long long)known);
		out.dim[unknown] = all / known;
	}
	call_out(c, 0, emit_reshape(c, x, &out));
	return !c->failed;
}

bool op_flatten(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), out = { .rank = 2, .dim = { 1, 1 } };
	int64_t axis = call_int(c, "axis", 1);

	if (axis < -(int64_t)s.rank || axis > (int64_t)s.rank)
		return call_fail(c, "axis %lld is outside of rank %u", (long long)axis, s.rank);
	if (axis < 0)
		axis += s.rank;
	for (uint32_t i = 0; i < s.rank; i++)
		out.dim[i >= axis] *= s.dim[i];
	call_out(c, 0, emit_reshape(c, x, &out));
	return !c->failed;
}

bool op_squeeze(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), out = { 0 };
	uint32_t n, drop = 0, a;
	const int64_t *axes = call_list(c, "axes", 1, &n);

	for (uint32_t i = 0; axes && i < n; i++) {
		if (!call_axis(c, axes[i], s.rank, &a))
			return false;
		if (s.dim[a] != 1)
			return call_fail(c, "axis %u of %s is not 1", a,
					 shape_string(&c->im->scratch, &s));
		drop |= 1u << a;
	}
	for (uint32_t i = 0; i < s.rank; i++)
		if (axes ? !(drop >> i & 1) : s.dim[i] != 1)
			out.dim[out.rank++] = s.dim[i];
	call_out(c, 0, emit_reshape(c, x, &out));
	return !c->failed;
}

bool op_unsqueeze(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), out = { 0 };
	uint32_t n, add = 0, from = 0, a;
	const int64_t *axes = call_list(c, "axes", 1, &n);

	if (!axes)
		return call_fail(c, "the axes are missing");
	if (s.rank + n > MAX_RANK)
		return call_fail(c, "rank %u is above %d", s.rank + n, MAX_RANK);
	out.rank = s.rank + n;
	for (uint32_t i = 0; i < n; i++) {
		if (!call_axis(c, axes[i], out.rank, &a))
			return false;
		if (add >> a & 1)
			return call_fail(c, "axis %u is named twice", a);
		add |= 1u << a;
	}
	for (uint32_t i = 0; i < out.rank; i++)
		out.dim[i] = add >> i & 1 ? 1 : s.dim[from++];
	call_out(c, 0, emit_reshape(c, x, &out));
	return !c->failed;
}

bool op_transpose(struct call *c)
{
	value_id x = call_in(c, 0);
	uint32_t rank = shape_of(c, x).rank, n;
	const int64_t *perm = call_ints(c, "perm", &n);
	int64_t reverse[MAX_RANK];

	for (uint32_t i = 0; i < rank; i++)
		reverse[i] = rank - 1 - i;
	if (perm && n != rank)
		return call_fail(c, "perm has %u axes, and the rank is %u", n, rank);
	call_out(c, 0, emit_transpose(c, x, perm ? perm : reverse));
	return !c->failed;
}

static bool shape_from_list(struct call *c, const int64_t *list, uint32_t n, struct shape *out)
{
	*out = (struct shape){ .rank = n };
	if (n > MAX_RANK)
		return call_fail(c, "rank %u is above %d", n, MAX_RANK);
	for (uint32_t i = 0; i < n; i++) {
		out->dim[i] = list[i];
		if (list[i] < 0)
			return call_fail(c, "the shape has dimension %lld", (long long)list[i]);
	}
	return true;
}

bool op_expand(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), want, out;
	const int64_t *list;
	uint32_t n;

	list = call_known_ints(c, 1, "shape", &n);
	if (!list)
		return call_fail(c, "the shape is missing");
	if (!shape_from_list(c, list, n, &want))
		return false;
	if (!shape_broadcast(&s, &want, &out))
		return call_fail(c, "%s cannot be expanded to %s",
				 shape_string(&c->im->scratch, &s),
				 shape_string(&c->im->scratch, &want));
	call_out(c, 0, emit_expand(c, x, &out));
	return !c->failed;
}

/* Version 1: so many times along one axis. */
static const int64_t *times_along(struct call *c, uint32_t rank, uint32_t *count)
{
	const int64_t *times = call_known_ints(c, 1, "tiles", count), *axis;
	int64_t *list = arena_new_array(&c->im->scratch, int64_t, rank + 1);
	uint32_t n, a;

	axis = call_known_ints(c, 2, "axis", &n);
	if (!times || *count != 1 || !axis || n != 1 || !call_axis(c, *axis, rank, &a))
		return NULL;
	for (uint32_t i = 0; i < rank; i++)
		list[i] = i == a ? *times : 1;
	*count = rank;
	return list;
}

bool op_tile(struct call *c)
{
	value_id x = call_in(c, 0);
	uint32_t n;
	const int64_t *times = c->opset < 6 ? times_along(c, shape_of(c, x).rank, &n)
					    : call_known_ints(c, 1, "repeats", &n);

	if (!times)
		return call_fail(c, "the repeats are missing");
	if (n != shape_of(c, x).rank)
		return call_fail(c, "%u repeats for rank %u", n, shape_of(c, x).rank);
	call_out(c, 0, emit_with(c, OP_tile, x, attr_ints(repeats, times, n)));
	return !c->failed;
}

bool op_concat(struct call *c)
{
	uint32_t n = (uint32_t)c->node->n_input, rank, axis;
	value_id *in = arena_new_array(&c->im->scratch, value_id, n);

	for (uint32_t i = 0; i < n; i++) {
		in[i] = call_in(c, i);
		if (in[i] == NO_ID)
			return call_fail(c, "input %u is missing", i);
	}
	if (!n || (c->opset >= 4 && !call_attr(c, "axis")))
		return call_fail(c, "it has no inputs or no axis");
	rank = shape_of(c, in[0]).rank;
	if (!call_axis(c, call_int(c, "axis", 1), rank, &axis))
		return false;
	call_out(c, 0, n == 1 ? in[0] : emit(c, OP_concat, in, n, &attr_int(axis, axis), 1));
	return !c->failed;
}

/* Sizes of the pieces, which may come from anywhere or from nowhere. */
static const int64_t *split_sizes(struct call *c, int64_t dim, uint32_t *count)
{
	const int64_t *given = call_list(c, "split", 1, count);
	int64_t pieces = call_int(c, "num_outputs", (int64_t)c->node->n_output), chunk, *sizes;

	if (given || c->failed)
		return given;
	if (pieces < 1 || pieces != (int64_t)c->node->n_output) {
		call_fail(c, "%lld pieces for %zu outputs", (long long)pieces, c->node->n_output);
		return NULL;
	}
	if (c->opset < 18 && dim % pieces != 0) {
		call_fail(c, "%lld elements cannot be split into %lld equal pieces", (long long)dim,
			  (long long)pieces);
		return NULL;
	}
	chunk = (dim + pieces - 1) / pieces;
	sizes = arena_new_array(&c->im->scratch, int64_t, (size_t)pieces);
	for (int64_t i = 0; i < pieces; i++) {
		sizes[i] = chunk < dim ? chunk : dim;
		dim -= sizes[i];
	}
	*count = (uint32_t)pieces;
	return sizes;
}

bool op_split(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x);
	const int64_t *sizes;
	int64_t at = 0;
	uint32_t axis, n;

	if (!call_axis(c, call_int(c, "axis", 0), s.rank, &axis))
		return false;
	sizes = split_sizes(c, s.dim[axis], &n);
	if (!sizes)
		return false;
	if (n != c->node->n_output)
		return call_fail(c, "%u sizes for %zu outputs", n, c->node->n_output);
	for (uint32_t i = 0; i < n; i++) {
		if (sizes[i] < 0 || sizes[i] > s.dim[axis] - at)
			return call_fail(c, "the pieces do not add up to %lld",
					 (long long)s.dim[axis]);
		call_out(c, i, emit_slice(c, x, axis, at, sizes[i]));
		at += sizes[i];
	}
	if (at != s.dim[axis])
		return call_fail(c, "the pieces do not add up to %lld", (long long)s.dim[axis]);
	return !c->failed;
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

/* One axis: Python's rules, with the format's own clamping for negative steps. */
static void slice_axis(int64_t dim, int64_t *start, int64_t end, int64_t *step, int64_t *count)
{
	int64_t first = *start < 0 ? *start + dim : *start, last = end < 0 ? end + dim : end;

	*step = clamp(*step, -(INT64_C(1) << 40), INT64_C(1) << 40);
	if (*step > 0) {
		first = clamp(first, 0, dim);
		last = clamp(last, 0, dim);
		*count = last > first ? (last - first + *step - 1) / *step : 0;
	} else {
		first = clamp(first, 0, dim - 1);
		last = clamp(last, -1, dim - 1);
		*count = first > last ? (first - last - *step - 1) / -*step : 0;
	}
	if (dim == 0)
		*count = 0;
	*start = *count ? first : 0;
}

bool op_slice(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), out = s;
	int64_t first[MAX_RANK] = { 0 }, by[MAX_RANK];
	const int64_t *starts, *ends, *axes, *steps;
	uint32_t n, n_ends, n_axes, n_steps, done = 0, a, cut = 0;
	struct attr attr[3];

	starts = call_list(c, "starts", 1, &n);
	ends = call_list(c, "ends", 2, &n_ends);
	axes = call_list(c, "axes", 3, &n_axes);
	steps = call_known_ints(c, 4, "steps", &n_steps);
	if (!starts || !ends || c->failed)
		return call_fail(c, "its starts and ends are missing");
	if (n_ends != n || (axes && n_axes != n) || (steps && n_steps != n) ||
	    (!axes && n > s.rank))
		return call_fail(c, "its starts, ends, axes and steps have different lengths");
	for (uint32_t i = 0; i < s.rank; i++)
		by[i] = 1;
	for (uint32_t i = 0; i < n; i++) {
		if (!call_axis(c, axes ? axes[i] : i, s.rank, &a))
			return false;
		if (done >> a & 1)
			return call_fail(c, "axis %u is named twice", a);
		done |= 1u << a;
		by[a] = steps ? steps[i] : 1;
		if (by[a] == 0)
			return call_fail(c, "a step is 0");
		first[a] = starts[i];
		slice_axis(s.dim[a], &first[a], ends[i], &by[a], &out.dim[a]);
		cut += first[a] != 0 || by[a] != 1 || out.dim[a] != s.dim[a];
	}
	attr[0] = attr_ints(starts, first, s.rank);
	attr[1] = attr_ints(steps, by, s.rank);
	attr[2] = attr_ints(shape, out.dim, s.rank);
	call_out(c, 0, cut ? emit(c, OP_slice, &x, 1, attr, 3) : x);
	return !c->failed;
}

/* An index that is known and wrong would be read out of bounds at every run. */
static bool check_indices(struct call *c, uint32_t input, int64_t dim)
{
	value_id v = call_in(c, input);
	const unsigned char *p;
	int64_t n, x;

	if (!is_known(c, v) || (dtype_of(c, v) != DTYPE_I64 && dtype_of(c, v) != DTYPE_I32))
		return true;
	p = known_data(c, v);
	n = shape_elements(&graph_value(c->g, v)->shape);
	for (int64_t i = 0; p && i < n; i++) {
		int32_t narrow;

		if (dtype_of(c, v) == DTYPE_I64) {
			memcpy(&x, p + 8 * i, 8);
		} else {
			memcpy(&narrow, p + 4 * i, 4);
			x = narrow;
		}
		if (x < -dim || x >= dim)
			return call_fail(c, "index %lld is outside of %lld elements", (long long)x,
					 (long long)dim);
	}
	return !c->failed;
}

bool op_gather(struct call *c)
{
	value_id x = call_in(c, 0), index = call_in(c, 1);
	struct shape s = shape_of(c, x);
	uint32_t axis;

	if (!call_axis(c, call_int(c, "axis", 0), s.rank, &axis) ||
	    !check_indices(c, 1, s.dim[axis]))
		return false;
	call_out(c, 0, emit(c, c->op->op, (value_id[]){ x, index }, 2, &attr_int(axis, axis), 1));
	return !c->failed;
}

/*
 * Tuples of k indices, the last axis of `index`, as one index into k axes laid end to end;
 * -1 is the last of its axis.
 */
value_id onnx_flat_index(struct call *c, value_id index, const int64_t *dims, uint32_t k)
{
	uint32_t rank = shape_of(c, index).rank;
	int64_t stride[MAX_RANK], step = 1;

	for (uint32_t i = k; i-- > 0; step *= dims[i]) {
		if (dims[i] < 1) {
			call_fail(c, "there is nothing to choose from");
			return NO_ID;
		}
		stride[i] = step;
	}
	index = emit2(c, OP_mod, emit_cast(c, index, DTYPE_I64), emit_ints(c, dims, k));
	return emit_reduce(c, OP_reduce_sum, emit2(c, OP_mul, index, emit_ints(c, stride, k)), rank - 1, false);
}

/*
 * GatherND through Gather: tuples of k indices become one index into the
 * first k axes (after the batch axes) laid end to end.
 */
bool op_gather_nd(struct call *c)
{
	value_id x = call_in(c, 0), index = call_in(c, 1), flat, at;
	struct shape s = shape_of(c, x), is = shape_of(c, index), rows = { 0 }, out = is, one;
	int64_t batch_dims = call_int(c, "batch_dims", 0), batches = 1;
	int64_t k, per_batch = 1, *offset;
	uint32_t b;

	if (!is.rank || batch_dims < 0 || batch_dims >= (int64_t)is.rank ||
	    batch_dims >= (int64_t)s.rank)
		return call_fail(c, "batch_dims %lld is out of range", (long long)batch_dims);
	b = (uint32_t)batch_dims;
	k = is.dim[is.rank - 1];
	if (k < 1 || k > (int64_t)s.rank - b)
		return call_fail(c, "indices of %lld numbers do not fit rank %u", (long long)k,
				 s.rank);
	for (uint32_t i = 0; i < b; i++)
		batches *= s.dim[i];
	for (int64_t i = 0; i < k; i++)
		per_batch *= s.dim[b + i];
	flat = onnx_flat_index(c, index, s.dim + b, (uint32_t)k);
	if (b && !c->failed) {
		if (batches > 1 << 20)
			return call_fail(c, "%lld batches are too many", (long long)batches);
		one = shape_of(c, flat);
		for (uint32_t i = b; i < one.rank; i++)
			one.dim[i] = 1;
		offset = arena_new_array(&c->im->scratch, int64_t, (size_t)batches);
		for (int64_t i = 0; i < batches; i++)
			offset[i] = i * per_batch;
		at = emit_reshape(c, emit_ints(c, offset, (uint32_t)batches), &one);
		flat = emit2(c, OP_add, flat, at);
	}
	rows.dim[rows.rank++] = batches * per_batch;
	out.rank = is.rank - 1;
	for (uint32_t i = b + (uint32_t)k; i < s.rank; i++) {
		rows.dim[rows.rank++] = s.dim[i];
		if (out.rank == MAX_RANK)
			return call_fail(c, "the result's rank is above %d", MAX_RANK);
		out.dim[out.rank++] = s.dim[i];
	}
	x = emit_reshape(c, x, &rows);
	x = emit(c, OP_gather, (value_id[]){ x, flat }, 2, &attr_int(axis, 0), 1);
	call_out(c, 0, emit_reshape(c, x, &out));
	return !c->failed;
}

static value_id rearrange(struct call *c, value_id x, const struct shape *split,
			  const int64_t *perm, const struct shape *joined)
{
	return emit_reshape(c, emit_transpose(c, emit_reshape(c, x, split), perm), joined);
}

bool op_depth_to_space(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), split, joined;
	int64_t b = call_int(c, "blocksize", 0);
	const char *mode = call_string(c, "mode", "DCR");
	static const int64_t dcr[] = { 0, 3, 4, 1, 5, 2 }, crd[] = { 0, 1, 4, 2, 5, 3 };
	bool deep = strcmp(mode, "DCR") == 0;

	if (!deep && strcmp(mode, "CRD") != 0)
		return call_fail(c, "mode \"%s\" is not known", mode);
	if (s.rank != 4 || b < 1 || b > 1 << 15 || s.dim[1] % (b * b) != 0)
		return call_fail(c, "%s has no blocks of %lld", shape_string(&c->im->scratch, &s),
				 (long long)b);
	split = deep ? (struct shape){ 6, { s.dim[0], b, b, s.dim[1] / b / b, s.dim[2], s.dim[3] } }
		     : (struct shape){ 6,
				       { s.dim[0], s.dim[1] / b / b, b, b, s.dim[2], s.dim[3] } };
	joined = (struct shape){ 4, { s.dim[0], s.dim[1] / b / b, s.dim[2] * b, s.dim[3] * b } };
	call_out(c, 0, rearrange(c, x, &split, deep ? dcr : crd, &joined));
	return !c->failed;
}

bool op_space_to_depth(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), split, joined;
	int64_t b = call_int(c, "blocksize", 0);
	const char *mode = call_string(c, "mode", "DCR");
	static const int64_t dcr[] = { 0, 3, 5, 1, 2, 4 }, crd[] = { 0, 1, 3, 5, 2, 4 };
	bool deep = strcmp(mode, "DCR") == 0;

	if (!deep && strcmp(mode, "CRD") != 0)
		return call_fail(c, "mode \"%s\" is not known", mode);
	if (s.rank != 4 || b < 1 || b > 1 << 15 || s.dim[2] % b != 0 || s.dim[3] % b != 0)
		return call_fail(c, "%s has no blocks of %lld", shape_string(&c->im->scratch, &s),
				 (long long)b);
	split = (struct shape){ 6, { s.dim[0], s.dim[1], s.dim[2] / b, b, s.dim[3] / b, b } };
	joined = (struct shape){ 4, { s.dim[0], s.dim[1] * b * b, s.dim[2] / b, s.dim[3] / b } };
	call_out(c, 0, rearrange(c, x, &split, deep ? dcr : crd, &joined));
	return !c->failed;
}

/* x where the mask says so, else 0: works on constants and on inputs alike */
bool op_trilu(struct call *c)
{
	value_id x = call_in(c, 0), mask;
	struct shape s = shape_of(c, x), m = { .rank = 2 };
	bool upper = call_int(c, "upper", 1);
	const int64_t *k;
	unsigned char *bits;
	int64_t shift = 0;
	uint32_t n;

	k = call_known_ints(c, 1, "k", &n);
	if (k && n == 1)
		shift = *k;
	if (c->failed || s.rank < 2)
		return call_fail(c, "it needs a matrix, not %s", shape_string(&c->im->scratch, &s));
	m.dim[0] = s.dim[s.rank - 2];
	m.dim[1] = s.dim[s.rank - 1];
	if (shape_elements(&m) > 1 << 26)
		return call_fail(c, "a matrix of %s is too large",
				 shape_string(&c->im->scratch, &m));
	bits = arena_alloc(&c->im->scratch, (size_t)shape_elements(&m));
	for (int64_t i = 0; i < m.dim[0]; i++)
		for (int64_t j = 0; j < m.dim[1]; j++)
			bits[i * m.dim[1] + j] = upper ? j - i >= shift : j - i <= shift;
	mask = graph_add_const_bytes(c->g, DTYPE_BOOL, m, bits);
	call_out(c, 0, emit3(c, OP_where, mask, x, emit_like(c, x, 0)));
	return !c->failed;
}

/*
 * A running sum in log2(n) steps: add the tensor shifted by 1, 2, 4, ...
 * Exact for integers, which is what it is used for most (positions of tokens).
 */
bool op_cum_sum(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x);
	bool exclusive = call_int(c, "exclusive", 0), reverse = call_int(c, "reverse", 0);
	const int64_t *which;
	uint32_t axis, n;

	which = call_known_ints(c, 1, "axis", &n);
	if (!which || n != 1)
		return call_fail(c, "the axis is missing");
	if (!call_axis(c, *which, s.rank, &axis))
		return false;
	for (int64_t by = exclusive ? 0 : 1; by < s.dim[axis]; by = by ? by * 2 : 1) {
		int64_t pads[2 * MAX_RANK] = { 0 }, shift = by ? by : 1;
		value_id moved;

		pads[axis] = reverse ? -shift : shift;
		pads[axis + s.rank] = -pads[axis];
		moved = emit_with(c, OP_pad, x, attr_ints(pads, pads, 2 * s.rank));
		x = by ? emit2(c, OP_add, x, moved) : moved;
	}
	call_out(c, 0, x);
	return !c->failed;
}

bool op_one_hot(struct call *c)
{
	value_id index = emit_cast(c, call_in(c, 0), DTYPE_I64), values = call_in(c, 2), hit,
		 wrapped, off, on;
	struct shape s = shape_of(c, index), row = { 0 }, scalar = { 0 };
	const int64_t *depth;
	int64_t *iota;
	uint32_t n, axis;

	depth = call_known_ints(c, 1, "depth", &n);
	if (!depth || n != 1 || *depth < 0 || *depth > 1 << 24)
		return call_fail(c, "the depth must be one number");
	if (s.rank == MAX_RANK)
		return call_fail(c, "the result's rank is above %d", MAX_RANK);
	if (!call_axis(c, call_int(c, "axis", -1), s.rank + 1, &axis))
		return false;
	iota = arena_new_array(&c->im->scratch, int64_t, (size_t)*depth);
	for (int64_t i = 0; i < *depth; i++)
		iota[i] = i;
	row.rank = s.rank + 1;
	for (uint32_t i = 0; i < row.rank; i++)
		row.dim[i] = i == axis ? *depth : 1;
	wrapped = emit3(c, OP_where, emit2(c, OP_less, index, emit_scalar(c, DTYPE_I64, 0)),
			emit2(c, OP_add, index, emit_scalar(c, DTYPE_I64, (double)*depth)), index);
	memmove(&s.dim[axis + 1], &s.dim[axis], (s.rank - axis) * sizeof *s.dim);
	s.dim[axis] = 1;
	s.rank++;
	hit = emit2(c, OP_equal, emit_reshape(c, wrapped, &s),
		    emit_reshape(c, emit_ints(c, iota, (uint32_t)*depth), &row));
	if (c->failed || shape_of(c, values).rank != 1 || shape_of(c, values).dim[0] != 2)
		return call_fail(c, "its values must be a pair");
	off = emit_reshape(c, emit_slice(c, values, 0, 0, 1), &scalar);
	on = emit_reshape(c, emit_slice(c, values, 0, 1, 1), &scalar);
	call_out(c, 0, emit3(c, OP_where, hit, on, off));
	return !c->failed;
}
