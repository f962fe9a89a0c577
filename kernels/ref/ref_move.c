/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_move.c - operations that only move elements: any dtype, never converted.
 *
 * All of them but concat walk the output and ask, per element, where in the
 * input it comes from.
 */
#include "config.h"

#include "ref/ref_internal.h"

/* out[index] = in[offset + index . stride] */
static bool copy_strided(const struct ref_call *c, int64_t offset, const int64_t *stride)
{
	struct ref_tensor *out = &c->out[0];
	int64_t index[MAX_RANK] = { 0 }, at = 0;

	if (shape_elements(&out->shape) == 0)
		return true;
	do {
		ref_copy(out, at++, &c->in[0], offset + ref_offset(index, stride, out->shape.rank));
	} while (ref_next(&out->shape, index));
	return true;
}

static bool move_reshape(const struct ref_call *c)
{
	int64_t n = shape_elements(&c->out[0].shape);

	if (n != shape_elements(&c->in[0].shape))
		return false;
	for (int64_t i = 0; i < n; i++)
		ref_copy(&c->out[0], i, &c->in[0], i);
	return true;
}

static bool move_transpose(const struct ref_call *c)
{
	const struct shape *s = &c->in[0].shape;
	const int64_t *perm = ref_ints(c, ATTR_perm, s->rank);
	int64_t stride[MAX_RANK], moved[MAX_RANK];

	if (!perm && s->rank)
		return false;
	ref_strides(s, stride);
	for (uint32_t i = 0; i < s->rank; i++) {
		if (perm[i] < 0 || perm[i] >= s->rank)
			return false;
		moved[i] = stride[perm[i]];
	}
	return copy_strided(c, 0, moved);
}

static bool move_slice(const struct ref_call *c)
{
	const struct shape *s = &c->in[0].shape, *o = &c->out[0].shape;
	const int64_t *starts = ref_ints(c, ATTR_starts, s->rank), *steps = ref_ints(c, ATTR_steps, s->rank);
	int64_t stride[MAX_RANK], offset = 0;

	if (s->rank && (!starts || o->rank != s->rank))
		return false;
	ref_strides(s, stride);
	for (uint32_t i = 0; i < s->rank; i++) {
		int64_t step = steps ? steps[i] : 1, last = starts[i] + (o->dim[i] - 1) * step;

		if (o->dim[i] > 0 && (starts[i] < 0 || starts[i] >= s->dim[i] || last < 0 || last >= s->dim[i]))
			return false;
		offset += starts[i] * stride[i];
		stride[i] *= step;
	}
	return copy_strided(c, offset, stride);
}

static bool move_expand(const struct ref_call *c)
{
	int64_t stride[MAX_RANK];

	return ref_broadcast_strides(&c->in[0].shape, &c->out[0].shape, stride) && copy_strided(c, 0, stride);
}

static bool move_tile(const struct ref_call *c)
{
	const struct shape *s = &c->in[0].shape, *o = &c->out[0].shape;
	int64_t index[MAX_RANK] = { 0 }, stride[MAX_RANK], at = 0;

	if (o->rank != s->rank)
		return false;
	ref_strides(s, stride);
	if (shape_elements(o) == 0)
		return true;
	do {
		int64_t from = 0;

		for (uint32_t i = 0; i < s->rank; i++)
			from += index[i] % s->dim[i] * stride[i];
		ref_copy(&c->out[0], at++, &c->in[0], from);
	} while (ref_next(o, index));
	return true;
}

/* Along the axis, one input after the other: rows of dim[axis] * inner elements. */
static bool move_concat(const struct ref_call *c)
{
	struct ref_tensor *out = &c->out[0];
	uint32_t axis;
	int64_t row, at = 0;

	if (!ref_axis(ref_int(c, ATTR_axis, 0), out->shape.rank, &axis))
		return false;
	row = ref_product(&out->shape, axis, out->shape.rank);
	for (uint32_t k = 0; k < c->in_count; k++) {
		const struct ref_tensor *in = ref_in(c, k);
		int64_t outer, width;

		if (!in || in->shape.rank != out->shape.rank)
			return false;
		outer = ref_product(&in->shape, 0, axis);
		width = ref_product(&in->shape, axis, in->shape.rank);
		if (at + width > row)
			return false;
		for (int64_t o = 0; o < outer; o++)
			for (int64_t i = 0; i < width; i++)
				ref_copy(out, o * row + at + i, in, o * width + i);
		at += width;
	}
	return at == row;
}

/*
 * Where position x of a padded axis of n elements reads: -1 for the constant.
 * Reflection does not repeat the border element and goes back and forth as
 * often as it must.
 */
static int64_t pad_source(int64_t x, int64_t n, enum pad_mode mode)
{
	int64_t period = 2 * (n - 1);

	if (x >= 0 && x < n)
		return x;
	switch (mode) {
	case PAD_EDGE:
		return x < 0 ? 0 : n - 1;
	case PAD_WRAP:
		return (x % n + n) % n;
	case PAD_REFLECT:
		if (n == 1)
			return 0;
		x = (x % period + period) % period;
		return x < n ? x : period - x;
	case PAD_CONSTANT:
		break;
	}
	return -1;
}

static bool move_pad(const struct ref_call *c)
{
	struct ref_tensor *out = &c->out[0];
	const struct shape *s = &c->in[0].shape;
	const int64_t *pads = ref_ints(c, ATTR_pads, 2 * s->rank);
	enum pad_mode mode = (enum pad_mode)ref_int(c, ATTR_mode, PAD_CONSTANT);
	double value = ref_float(c, ATTR_value, 0);
	int64_t index[MAX_RANK] = { 0 }, stride[MAX_RANK], at = 0;

	if ((s->rank && !pads) || out->shape.rank != s->rank)
		return false;
	if (mode != PAD_CONSTANT && shape_elements(s) == 0 && shape_elements(&out->shape) > 0)
		return false;
	ref_strides(s, stride);
	if (shape_elements(&out->shape) == 0)
		return true;
	do {
		int64_t from = 0;
		bool inside = true;

		for (uint32_t i = 0; i < s->rank; i++) {
			int64_t x = pad_source(index[i] - pads[i], s->dim[i], mode);

			inside = inside && x >= 0;
			from += x * stride[i];
		}
		if (inside)
			ref_copy(out, at++, &c->in[0], from);
		else
			ref_set(out, at++, value);
	} while (ref_next(&out->shape, index));
	return true;
}

/* data[outer][n][inner], indices[..]: out[outer][..][inner] */
static bool move_gather(const struct ref_call *c)
{
	const struct ref_tensor *data = &c->in[0], *indices = ref_in(c, 1);
	uint32_t axis;
	int64_t outer, inner, n, count;

	if (!indices || !ref_axis(ref_int(c, ATTR_axis, 0), data->shape.rank, &axis))
		return false;
	outer = ref_product(&data->shape, 0, axis);
	n = data->shape.dim[axis];
	inner = ref_product(&data->shape, axis + 1, data->shape.rank);
	count = shape_elements(&indices->shape);
	if (shape_elements(&c->out[0].shape) != outer * count * inner)
		return false;
	for (int64_t o = 0; o < outer; o++)
		for (int64_t k = 0; k < count; k++) {
			int64_t at = ref_get_int(indices, k);

			at += at < 0 ? n : 0;
			if (at < 0 || at >= n)
				return false;
			for (int64_t i = 0; i < inner; i++)
				ref_copy(&c->out[0], (o * count + k) * inner + i, data, (o * n + at) * inner + i);
		}
	return true;
}

/* out[i0][i1].. = data[i0]..[indices[i0][i1]..].., the index standing at the axis */
static bool move_gather_elements(const struct ref_call *c)
{
	const struct ref_tensor *data = &c->in[0], *indices = ref_in(c, 1);
	int64_t index[MAX_RANK] = { 0 }, stride[MAX_RANK], at = 0;
	uint32_t axis;

	if (!indices || indices->shape.rank != data->shape.rank
	    || !ref_axis(ref_int(c, ATTR_axis, 0), data->shape.rank, &axis)
	    || !shape_equal(&indices->shape, &c->out[0].shape))
		return false;
	ref_strides(&data->shape, stride);
	for (uint32_t i = 0; i < data->shape.rank; i++)
		if (i != axis && indices->shape.dim[i] > data->shape.dim[i])
			return false;
	if (shape_elements(&indices->shape) == 0)
		return true;
	do {
		int64_t k = ref_get_int(indices, at), n = data->shape.dim[axis];

		k += k < 0 ? n : 0;
		if (k < 0 || k >= n)
			return false;
		ref_copy(&c->out[0], at++, data,
			 ref_offset(index, stride, data->shape.rank) + (k - index[axis]) * stride[axis]);
	} while (ref_next(&indices->shape, index));
	return true;
}

bool ref_move(const struct ref_call *c)
{
	if (c->out[0].dtype != c->in[0].dtype)
		return false;
	switch (c->op) {
	case OP_reshape:
		return move_reshape(c);
	case OP_transpose:
		return move_transpose(c);
	case OP_slice:
		return move_slice(c);
	case OP_expand:
		return move_expand(c);
	case OP_tile:
		return move_tile(c);
	case OP_concat:
		return move_concat(c);
	case OP_pad:
		return move_pad(c);
	case OP_gather:
		return move_gather(c);
	case OP_gather_elements:
		return move_gather_elements(c);
	default:
		return false;
	}
}
