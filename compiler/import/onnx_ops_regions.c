/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_regions.c - DeformConv and RoiAlign: sums over places of an image
 * that a run computes, by the taps of onnx_ops_sample.c.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

enum { PLACES_LIMIT = 1 << 24 };

/* ---- DeformConv: a convolution whose taps are moved, each at each place */

struct deformed {
	int64_t batch, channels, size[2], out[2], kernel[2], taps; /* taps: of the kernel */
	int64_t strides[2], dilations[2], pads[4], group, offsets; /* groups of channels that share offsets */
};

static bool two_or_more(struct call *c, const char *name, int64_t *to, uint32_t want, int64_t absent, int64_t least)
{
	uint32_t n;
	const int64_t *list = call_ints(c, name, &n);

	if (list && n != want)
		return call_fail(c, "attribute \"%s\" must have %u numbers", name, want);
	for (uint32_t i = 0; i < want; i++) {
		to[i] = list ? list[i] : absent;
		if (to[i] < least || to[i] > 1 << 20)
			return call_fail(c, "attribute \"%s\" is out of range", name);
	}
	return true;
}

static bool read_deformed(struct call *c, struct deformed *d)
{
	struct shape xs = shape_of(c, call_in(c, 0)), ws = shape_of(c, call_in(c, 1)), os = shape_of(c, call_in(c, 2));

	if (xs.rank != 4 || ws.rank != 4 || os.rank != 4)
		return call_fail(c, "other than images of two axes, it is not supported");
	*d = (struct deformed){ .batch = xs.dim[0], .channels = xs.dim[1], .size = { xs.dim[2], xs.dim[3] },
				.out = { os.dim[2], os.dim[3] }, .kernel = { ws.dim[2], ws.dim[3] },
				.taps = ws.dim[2] * ws.dim[3], .group = call_int(c, "group", 1),
				.offsets = call_int(c, "offset_group", 1) };
	call_attr(c, "kernel_shape");
	if (!two_or_more(c, "strides", d->strides, 2, 1, 1) || !two_or_more(c, "dilations", d->dilations, 2, 1, 1) ||
	    !two_or_more(c, "pads", d->pads, 4, 0, 0))
		return false;
	for (uint32_t i = 0; i < 2; i++) {
		int64_t room = d->size[i] + d->pads[i] + d->pads[i + 2] - d->dilations[i] * (d->kernel[i] - 1) - 1;

		if (d->size[i] < 1 || d->size[i] > 1 << 20 || d->kernel[i] < 1 || room < 0 ||
		    d->out[i] != room / d->strides[i] + 1)
			return call_fail(c, "its offsets do not fit its image");
	}
	if (d->group < 1 || d->offsets < 1 || d->channels % d->group || d->channels % d->offsets ||
	    ws.dim[1] != d->channels / d->group || ws.dim[0] % d->group || os.dim[0] != d->batch ||
	    os.dim[1] != 2 * d->taps * d->offsets || d->out[0] * d->out[1] * d->taps > PLACES_LIMIT)
		return call_fail(c, "its weights and offsets do not fit its image");
	return true;
}

/* Where taps lie before they are moved, along one axis: [1, rows, columns, taps]. */
static value_id regular(struct call *c, const struct deformed *d, uint32_t axis)
{
	struct shape s = { 4, { 1, d->out[0], d->out[1], d->taps } };
	int64_t n = shape_elements(&s);
	float *list = arena_new_array(&c->im->scratch, float, (size_t)n);

	for (int64_t i = 0; i < n; i++) {
		int64_t tap = i % d->taps, place = i / d->taps;
		int64_t at = axis ? place % d->out[1] : place / d->out[1], k = axis ? tap % d->kernel[1] : tap / d->kernel[1];

		list[i] = (float)(at * d->strides[axis] - d->pads[axis] + k * d->dilations[axis]);
	}
	return graph_add_const_bytes(c->g, DTYPE_F32, s, list);
}

/* What the taps of one group of offsets see: [batch, rows, columns, taps, channels of the group] */
static value_id seen(struct call *c, const struct deformed *d, int64_t which)
{
	static const int64_t turn[5] = { 0, 3, 4, 1, 2 };
	int64_t each = d->channels / d->offsets;
	struct shape os = { 5, { d->batch, d->taps, 2, d->out[0], d->out[1] } };
	struct shape places = { 4, { d->batch, d->out[0], d->out[1], d->taps } }, column = { 5, { 0 } };
	value_id x = emit_slice(c, emit_to_last(c, emit_cast(c, call_in(c, 0), DTYPE_F32)), 3, which * each, each), y;
	value_id offset = emit_slice(c, emit_cast(c, call_in(c, 2), DTYPE_F32), 1, which * 2 * d->taps, 2 * d->taps), mask;
	struct onnx_taps t[2];

	x = emit_reshape(c, x, &(struct shape){ 2, { d->batch * d->size[0] * d->size[1], each } });
	offset = emit_transpose(c, emit_reshape(c, offset, &os), turn);
	for (uint32_t k = 0; k < 2; k++) {
		value_id at = emit_reshape(c, emit_slice(c, offset, 4, k, 1), &places);

		onnx_find_taps(c, &t[k], emit2(c, OP_add, at, regular(c, d, k)), d->size[k], 'l', BORDER_ZEROS, true);
	}
	if (c->failed)
		return NO_ID;
	y = onnx_sum_taps(c, x, onnx_steps(c, d->batch, d->size[0] * d->size[1], 4), d->size, t, 2);
	mask = call_in(c, 4);
	if (mask == NO_ID)
		return y;
	mask = emit_slice(c, emit_cast(c, mask, DTYPE_F32), 1, which * d->taps, d->taps);
	memcpy(column.dim, places.dim, 4 * sizeof *column.dim);
	column.dim[4] = 1;
	return emit2(c, OP_mul, y, emit_reshape(c, emit_to_last(c, mask), &column));
}

/* Channels of one group times its weights. */
static value_id product(struct call *c, const struct deformed *d, value_id x, int64_t which)
{
	static const int64_t turn[4] = { 2, 3, 1, 0 };
	struct shape ws = shape_of(c, call_in(c, 1));
	int64_t each = ws.dim[1], outputs = ws.dim[0] / d->group, width = d->taps * each;
	value_id w = emit_slice(c, emit_cast(c, call_in(c, 1), DTYPE_F32), 0, which * outputs, outputs);

	x = emit_reshape(c, emit_slice(c, x, 4, which * each, each), &(struct shape){ 4, { d->batch, d->out[0], d->out[1], width } });
	w = emit_reshape(c, emit_transpose(c, w, turn), &(struct shape){ 2, { width, outputs } });
	return onnx_matmul(c, x, w);
}

bool op_deform_conv(struct call *c)
{
	struct deformed d;
	value_id *part, x;

	if (!read_deformed(c, &d))
		return false;
	part = arena_new_array(&c->im->scratch, value_id, (size_t)(d.offsets > d.group ? d.offsets : d.group));
	for (int64_t i = 0; i < d.offsets; i++)
		part[i] = seen(c, &d, i);
	x = emit(c, OP_concat, part, (uint32_t)d.offsets, &attr_int(axis, 4), 1);
	for (int64_t i = 0; i < d.group && !c->failed; i++)
		part[i] = product(c, &d, x, i);
	if (c->failed)
		return false;
	x = emit(c, OP_concat, part, (uint32_t)d.group, &attr_int(axis, 3), 1);
	if (call_in(c, 3) != NO_ID)
		x = emit2(c, OP_add, x, emit_cast(c, call_in(c, 3), DTYPE_F32));
	call_out(c, 0, emit_to_first(c, emit_cast(c, x, dtype_of(c, call_in(c, 0)))));
	return !c->failed;
}

/* ---- RoiAlign: means of places in a grid over each box */

struct regions {
	int64_t boxes, out[2], ratio;
	double scale;
	bool half;
};

/* Boxes' edges k and k + 2 become places along one axis (0: rows, y): [boxes, samples, rows, columns] */
static value_id region_places(struct call *c, const struct regions *r, uint32_t axis)
{
	struct shape one = { 4, { r->boxes, 1, 1, 1 } }, all = { 4, { r->boxes, r->ratio * r->ratio, r->out[0], r->out[1] } };
	struct shape grid = { 4, { 1, r->ratio * r->ratio, axis ? 1 : r->out[0], axis ? r->out[1] : 1 } };
	value_id boxes = emit_cast(c, call_in(c, 1), DTYPE_F32), edge[2];
	int64_t n = shape_elements(&grid), length = r->out[axis];
	float *list = arena_new_array(&c->im->scratch, float, (size_t)n);

	for (int64_t i = 0; i < n; i++) {
		int64_t sample = i / length, k = axis ? sample % r->ratio : sample / r->ratio;

		list[i] = (float)((double)(i % length) + ((double)k + 0.5) / (double)r->ratio);
	}
	for (uint32_t k = 0; k < 2; k++) {
		edge[k] = emit_reshape(c, emit_slice(c, boxes, 1, 1 - axis + 2 * k, 1), &one);
		edge[k] = emit2(c, OP_mul, edge[k], emit_like(c, edge[k], r->scale));
		if (r->half)
			edge[k] = emit2(c, OP_sub, edge[k], emit_like(c, edge[k], 0.5));
	}
	edge[1] = emit2(c, OP_sub, edge[1], edge[0]);
	if (!r->half)
		edge[1] = emit2(c, OP_max, edge[1], emit_like(c, edge[1], 1));
	edge[1] = emit2(c, OP_div, edge[1], emit_like(c, edge[1], (double)length));
	edge[1] = emit2(c, OP_mul, edge[1], graph_add_const_bytes(c->g, DTYPE_F32, grid, list));
	return emit_expand(c, emit2(c, OP_add, edge[0], edge[1]), &all);
}

/* A place up to one beyond the border is on it, one further away counts nothing. */
static void region_taps(struct call *c, struct onnx_taps *t, value_id at, int64_t size)
{
	struct attr range[2] = { attr_float(min, 0), attr_float(max, (double)(size - 1)) };
	value_id low = emit2(c, OP_greater_equal, at, emit_like(c, at, -1));
	value_id high = emit2(c, OP_less_equal, at, emit_like(c, at, (double)size));
	value_id inside = emit_cast(c, emit2(c, OP_logical_and, low, high), DTYPE_F32);

	onnx_find_taps(c, t, emit(c, OP_clip, &at, 1, range, 2), size, 'l', BORDER_EDGE, true);
	for (uint32_t i = 0; i < t->count; i++)
		t->weight[i] = emit2(c, OP_mul, t->weight[i], inside);
}

bool op_roi_align(struct call *c)
{
	const char *mode = call_string(c, "mode", "avg");
	const char *how = call_string(c, "coordinate_transformation_mode", c->opset < 16 ? "output_half_pixel" : "half_pixel");
	struct shape xs = shape_of(c, call_in(c, 0)), bs = shape_of(c, call_in(c, 1));
	struct regions r = { bs.dim[0], { call_int(c, "output_height", 1), call_int(c, "output_width", 1) },
			     call_int(c, "sampling_ratio", 0), call_float(c, "spatial_scale", 1), strcmp(how, "half_pixel") == 0 };
	struct attr mean[2] = { attr_ints(axes, ((const int64_t[]){ 1 }), 1), attr_int(keepdims, 0) };
	value_id x, first;
	struct onnx_taps t[2];

	if (strcmp(mode, "avg") != 0)
		return call_fail(c, "mode \"%s\" is not supported", mode);
	if (r.ratio < 1)
		return call_fail(c, "as many samples as a box is large are not supported (sampling_ratio 0)");
	if (xs.rank != 4 || bs.rank != 2 || bs.dim[1] != 4 || r.out[0] < 1 || r.out[1] < 1 || r.out[0] > 1 << 12 ||
	    r.out[1] > 1 << 12 || r.ratio > 64 || xs.dim[2] < 1 || xs.dim[3] < 1 || xs.dim[2] > 1 << 20 || xs.dim[3] > 1 << 20)
		return call_fail(c, "its boxes do not fit its image");
	for (uint32_t k = 0; k < 2; k++)
		region_taps(c, &t[k], region_places(c, &r, k), xs.dim[2 + k]);
	first = emit2(c, OP_mul, emit_cast(c, call_in(c, 2), DTYPE_I64), emit_scalar(c, DTYPE_I64, (double)(xs.dim[2] * xs.dim[3])));
	first = emit_reshape(c, first, &(struct shape){ 4, { r.boxes, 1, 1, 1 } });
	x = emit_to_last(c, emit_cast(c, call_in(c, 0), DTYPE_F32));
	x = emit_reshape(c, x, &(struct shape){ 2, { xs.dim[0] * xs.dim[2] * xs.dim[3], xs.dim[1] } });
	if (c->failed)
		return false;
	x = emit(c, OP_reduce_mean, (value_id[]){ onnx_sum_taps(c, x, first, xs.dim + 2, t, 2) }, 1, mean, 2);
	call_out(c, 0, emit_to_first(c, emit_cast(c, x, dtype_of(c, call_in(c, 0)))));
	return !c->failed;
}
