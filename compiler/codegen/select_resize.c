/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_resize.c - resizing: positions and weights are worked out here, in
 * double, so that rounding is that of the reference; the kernel only sums.
 *
 * Dims that keep their size at the end make the row; every other dim gets a
 * table (see resize.cl). All tables of a node lie in one weight.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GPU_ITEMS = 64 }; /* of a group */

enum { KERNEL_DIMS = 8 };

struct axis {
	int64_t in, out;
	double scale, roi_start, roi_end, cubic_a;
	enum resize_mode mode;
	enum resize_coordinates coordinates;
	enum resize_rounding rounding;
	bool exclude_outside, antialias;
	uint32_t taps;
};

static double position(const struct axis *a, int64_t x)
{
	double out = (double)a->out, in = (double)a->in, half = ((double)x + 0.5) / a->scale;

	switch (a->coordinates) {
	case COORD_HALF_PIXEL:
		return half - 0.5;
	case COORD_HALF_PIXEL_SYMMETRIC:
		return in / 2 * (1 - out / (in * a->scale)) + half - 0.5;
	case COORD_PYTORCH_HALF_PIXEL:
		return a->out > 1 ? half - 0.5 : 0;
	case COORD_ALIGN_CORNERS:
		return a->out > 1 ? (double)x * (in - 1) / (out - 1) : 0;
	case COORD_ASYMMETRIC:
		return (double)x / a->scale;
	case COORD_TF_HALF_PIXEL_FOR_NN:
		return half;
	case COORD_TF_CROP_AND_RESIZE:
		if (a->out == 1)
			return 0.5 * (a->roi_start + a->roi_end) * (in - 1);
		return a->roi_start * (in - 1) + (double)x * (a->roi_end - a->roi_start) * (in - 1) / (out - 1);
	}
	return 0;
}

static double rounded(double x, enum resize_rounding r)
{
	switch (r) {
	case ROUND_PREFER_FLOOR:
		return ceil(x - 0.5);
	case ROUND_PREFER_CEIL:
		return floor(x + 0.5);
	case ROUND_FLOOR:
		return floor(x);
	case ROUND_CEIL:
		return ceil(x);
	}
	return x;
}

/* What an input position at distance d counts. */
static double influence(const struct axis *a, double d)
{
	double k = a->cubic_a;

	d = fabs(d);
	if (a->mode == RESIZE_NEAREST)
		return 1;
	if (a->mode == RESIZE_LINEAR)
		return d < 1 ? 1 - d : 0;
	if (d <= 1)
		return ((k + 2) * d - (k + 3)) * d * d + 1;
	return d < 2 ? ((k * d - 5 * k) * d + 8 * k) * d - 4 * k : 0;
}

static struct axis axis_of(const struct codegen *c, const struct node *n, uint32_t d)
{
	const struct shape *in = value_shape(c, n->in[0]), *out = value_shape(c, n->out[0]);
	const struct attr *scales = node_attr(n, ATTR_scales), *roi = node_attr(n, ATTR_roi);
	struct axis a = {
		.in = in->dim[d], .out = out->dim[d], .roi_end = 1,
		.scale = scales ? scales->floats[d] : (double)out->dim[d] / (double)in->dim[d],
		.cubic_a = node_float(n, ATTR_cubic_a, -0.75),
		.mode = (enum resize_mode)node_int(n, ATTR_mode, RESIZE_NEAREST),
		.coordinates = (enum resize_coordinates)node_int(n, ATTR_coordinates, COORD_HALF_PIXEL),
		.rounding = (enum resize_rounding)node_int(n, ATTR_rounding, ROUND_PREFER_FLOOR),
		.exclude_outside = node_int(n, ATTR_exclude_outside, 0) != 0,
		.antialias = node_int(n, ATTR_antialias, 0) != 0,
	};
	double reach;

	if (roi && roi->count >= 2 * in->rank) {
		a.roi_start = roi->floats[d];
		a.roi_end = roi->floats[in->rank + d];
	}
	if (a.in == a.out && a.scale == 1 && a.coordinates != COORD_TF_CROP_AND_RESIZE) {
		a.mode = RESIZE_NEAREST;
		a.coordinates = COORD_ASYMMETRIC;
	}
	a.antialias = a.antialias && a.scale < 1;
	reach = a.mode == RESIZE_NEAREST ? 0.5 : a.mode == RESIZE_LINEAR ? 1 : 2;
	a.taps = a.mode == RESIZE_NEAREST ? 1 : 2 * (uint32_t)ceil(a.antialias ? reach / a.scale : reach);
	return a;
}

/* Unchanged by the operation. */
static bool keeps(const struct axis *a)
{
	return a->in == a->out && a->scale == 1 && a->coordinates != COORD_TF_CROP_AND_RESIZE;
}

/* taps indices, then taps weights, for output position x. */
static void fill_position(const struct axis *a, int64_t x, int32_t *to)
{
	double from = position(a, x), stretch = a->antialias ? a->scale : 1, sum = 0;
	int64_t first = (int64_t)floor(from) - a->taps / 2 + 1;

	if (a->mode == RESIZE_NEAREST)
		first = (int64_t)rounded(from, a->rounding);
	for (int pass = 0; pass < 2; pass++)
		for (uint32_t k = 0; k < a->taps; k++) {
			int64_t p = first + k, inside = p < 0 ? 0 : p >= a->in ? a->in - 1 : p;
			double weight = a->exclude_outside && p != inside
				? 0 : influence(a, ((double)p - from) * stretch);
			float scaled = (float)(sum != 0 ? weight / sum : 0);

			if (pass == 0) {
				sum += weight;
				continue;
			}
			to[k] = (int32_t)inside;
			memcpy(&to[a->taps + k], &scaled, sizeof(scaled));
		}
	if (a->coordinates == COORD_TF_CROP_AND_RESIZE && (from < 0 || from > (double)(a->in - 1)))
		to[0] = -1;
}

struct tables {
	uint32_t dims;
	struct axis axis[MAX_RANK]; /* outermost first */
	int64_t stride[MAX_RANK], word[MAX_RANK], words;
	int64_t rows, n;
	bool nearest;
};

static bool tables_of(struct codegen *c, node_id id, struct tables *t)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *in = value_shape(c, n->in[0]);
	bool keep_last = output_width(c, n, 0) != 0;
	int64_t stride = 1;

	*t = (struct tables){ .rows = 1, .n = 1, .nearest = true, .dims = in->rank };
	for (uint32_t i = 0; i < in->rank; i++) {
		t->axis[i] = axis_of(c, n, i);
		if (!(t->axis[i].scale >= 1e-6) || !(t->axis[i].scale <= 1e9) || t->axis[i].taps > 1 << 20)
			return codegen_refuse(c, id, "a scale of %g is not supported", t->axis[i].scale);
	}
	/* the dims at the end that stay as they are make the row; with operands only the last may */
	while (t->dims && keeps(&t->axis[t->dims - 1]) && (!keep_last || t->dims == in->rank)) {
		t->n *= t->axis[--t->dims].in;
		stride = t->n;
	}
	for (uint32_t i = t->dims; i-- > 0; stride *= t->axis[i].in) {
		t->stride[i] = stride;
		t->rows *= t->axis[i].out;
		t->nearest = t->nearest && t->axis[i].taps == 1;
	}
	for (uint32_t i = 0; i < t->dims; i++) {
		t->word[i] = t->words;
		t->words += t->axis[i].out * 2 * t->axis[i].taps;
	}
	return t->words <= 1 << 28 || codegen_refuse(c, id, "its tables would be too large");
}

static uint32_t tables_weight(struct codegen *c, const struct tables *t, value_id name)
{
	int32_t *words = xmalloc(((size_t)t->words + 2) * sizeof(*words)), one[2] = { 0, 0 };
	uint32_t weight;

	for (uint32_t i = 0; i < t->dims; i++)
		for (int64_t x = 0; x < t->axis[i].out; x++)
			fill_position(&t->axis[i], x, words + t->word[i] + x * 2 * t->axis[i].taps);
	weight = t->words ? codegen_table(c, name, words, (uint64_t)t->words * sizeof(*words))
			  : codegen_table(c, name, one, sizeof(one));
	free(words);
	return weight;
}

bool select_resize(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	enum dtype type = graph_value(c->g, n->in[0])->dtype;
	uint32_t dims;
	struct tables t;
	struct build b;
	int64_t block;
	bool gpu;

	if (!tables_of(c, id, &t))
		return false;
	if (!t.nearest && !dtype_is_float(type))
		return codegen_refuse(c, id, "interpolation of %s is not supported", dtype_name(type));
	dims = t.dims ? t.dims : 1;
	build_begin(&b, c, id, "resize");
	build_define_dims(&b, "", dims, "dtsw");
	build_define(&b, "NEAREST", t.nearest);
	if (t.n == 1 && output_width(c, n, 1) != 1)
		build_define_text(&b, "SINGLE", "1");
	gpu = codegen_is_gpu(c) && t.rows * t.n <= INT32_MAX - GPU_ITEMS;
	if (gpu)
		build_define(&b, "GPU", 1);
	if (!build_element(&b, type) || !build_rows(&b, type, t.n))
		return false;
	block = rows_per_item(t.rows, t.n);
	build_value(&b, n->in[0]);
	build_weight(&b, tables_weight(c, &t, n->out[0]), false);
	build_f32(&b, node_float(n, ATTR_value, 0));
	build_i32(&b, t.rows);
	build_i32(&b, block);
	build_i32(&b, t.n);
	for (uint32_t i = 0; i < dims; i++) {
		uint32_t d = t.dims ? t.dims - 1 - i : 0;

		build_i32(&b, t.dims ? t.axis[d].out : 1);
		build_i32(&b, t.dims ? t.axis[d].taps : 1);
		build_i32(&b, t.dims ? t.stride[d] : 0);
		build_i32(&b, t.dims ? t.word[d] : 0);
	}
	build_out(&b);
	return gpu ? build_launch_local(&b, t.rows * t.n, 1, 1, GPU_ITEMS, 1, 1) :
		     build_launch(&b, ceil_div(t.rows, block), 1, 1);
}
