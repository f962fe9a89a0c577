/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_resize.c - resize in any number of dimensions.
 *
 * Interpolation is separable: every axis gives each output position a short
 * list of input positions and weights (`taps`), and an element is the sum over
 * the product of the lists. An axis that keeps its size with scale 1 has one
 * tap of weight 1. Positions outside are moved to the border, or, with
 * exclude_outside, taken out and the other weights scaled up.
 */
#include "config.h"

#include "ref/ref_internal.h"

#include <math.h>
#include <stdlib.h>

struct taps {
	uint32_t count;   /* per output position */
	int64_t *at;      /* [out][count] */
	double *weight;   /* [out][count] */
	bool *outside;    /* [out]: extrapolated (tf_crop_and_resize) */
};

struct resize_axis {
	int64_t in, out;
	double scale, roi_start, roi_end;
	enum resize_mode mode;
	enum resize_coordinates coordinates;
	enum resize_rounding rounding;
	double cubic_a;
	bool exclude_outside, antialias;
};

/* The position in the input of output position x. */
static double source_position(const struct resize_axis *a, int64_t x)
{
	double out = (double)a->out, in = (double)a->in, resized = in * a->scale;

	switch (a->coordinates) {
	case COORD_HALF_PIXEL:
		return ((double)x + 0.5) / a->scale - 0.5;
	case COORD_HALF_PIXEL_SYMMETRIC:
		return in / 2 * (1 - out / resized) + ((double)x + 0.5) / a->scale - 0.5;
	case COORD_PYTORCH_HALF_PIXEL:
		return a->out > 1 ? ((double)x + 0.5) / a->scale - 0.5 : 0;
	case COORD_ALIGN_CORNERS:
		return a->out > 1 ? (double)x * (in - 1) / (out - 1) : 0;
	case COORD_ASYMMETRIC:
		return (double)x / a->scale;
	case COORD_TF_HALF_PIXEL_FOR_NN:
		return ((double)x + 0.5) / a->scale;
	case COORD_TF_CROP_AND_RESIZE:
		return a->out > 1 ? a->roi_start * (in - 1)
				    + (double)x * (a->roi_end - a->roi_start) * (in - 1) / (out - 1)
				  : 0.5 * (a->roi_start + a->roi_end) * (in - 1);
	}
	return 0;
}

static double nearest(double x, enum resize_rounding r)
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

static double linear_weight(double d)
{
	d = fabs(d);
	return d < 1 ? 1 - d : 0;
}

static double cubic_weight(double d, double a)
{
	d = fabs(d);
	if (d <= 1)
		return ((a + 2) * d - (a + 3)) * d * d + 1;
	return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* How far the interpolation reaches to each side, in input positions. */
static double reach(const struct resize_axis *a)
{
	double r = a->mode == RESIZE_NEAREST ? 0 : a->mode == RESIZE_LINEAR ? 1 : 2;

	return a->antialias && a->scale < 1 ? r / a->scale : r;
}

/* The taps of one output position; their weights sum to 1. */
static void fill_taps(const struct resize_axis *a, double x, uint32_t count, int64_t *at, double *weight)
{
	double stretch = a->antialias && a->scale < 1 ? a->scale : 1, sum = 0;
	int64_t first = (int64_t)floor(x) - (int64_t)count / 2 + 1;

	if (a->mode == RESIZE_NEAREST)
		first = (int64_t)nearest(x, a->rounding);
	for (uint32_t k = 0; k < count; k++) {
		int64_t p = first + k;
		double d = ((double)p - x) * stretch;

		weight[k] = a->mode == RESIZE_NEAREST ? 1
			: a->mode == RESIZE_LINEAR ? linear_weight(d) : cubic_weight(d, a->cubic_a);
		if (a->exclude_outside && (p < 0 || p >= a->in))
			weight[k] = 0;
		at[k] = p < 0 ? 0 : p >= a->in ? a->in - 1 : p;
		sum += weight[k];
	}
	for (uint32_t k = 0; k < count; k++)
		weight[k] = sum != 0 ? weight[k] / sum : 0;
}

static bool make_taps(const struct resize_axis *a, struct taps *t)
{
	bool keeps = a->in == a->out && a->scale == 1 && a->coordinates != COORD_TF_CROP_AND_RESIZE;
	struct resize_axis plain = *a;

	if (keeps) {
		plain.mode = RESIZE_NEAREST;
		plain.coordinates = COORD_ASYMMETRIC;
	}
	t->count = plain.mode == RESIZE_NEAREST ? 1 : 2 * (uint32_t)ceil(reach(&plain));
	t->at = calloc((size_t)a->out * t->count + 1, sizeof(*t->at));
	t->weight = calloc((size_t)a->out * t->count + 1, sizeof(*t->weight));
	t->outside = calloc((size_t)a->out + 1, sizeof(*t->outside));
	if (!t->at || !t->weight || !t->outside)
		return false;
	for (int64_t x = 0; x < a->out; x++) {
		double from = source_position(&plain, x);

		t->outside[x] = a->coordinates == COORD_TF_CROP_AND_RESIZE
				&& (from < 0 || from > (double)(a->in - 1));
		fill_taps(&plain, from, t->count, t->at + x * t->count, t->weight + x * t->count);
	}
	return true;
}

/* The sum over the taps of axes d.. of the element at `from` so far. */
static double gather_taps(const struct ref_call *c, const struct taps *t, const int64_t *index,
			  const int64_t *stride, uint32_t d, int64_t from)
{
	double sum = 0;

	if (d == c->in[0].shape.rank)
		return ref_get(&c->in[0], from);
	for (uint32_t k = 0; k < t[d].count; k++) {
		int64_t i = index[d] * t[d].count + k;

		if (t[d].weight[i] != 0)
			sum += t[d].weight[i] * gather_taps(c, t, index, stride, d + 1,
							    from + t[d].at[i] * stride[d]);
	}
	return sum;
}

static void interpolate(const struct ref_call *c, const struct taps *t)
{
	struct ref_tensor *out = &c->out[0];
	int64_t index[MAX_RANK] = { 0 }, stride[MAX_RANK], at = 0;
	double outside_value = ref_float(c, ATTR_value, 0);
	bool nearest_only = ref_int(c, ATTR_mode, RESIZE_NEAREST) == RESIZE_NEAREST;

	ref_strides(&c->in[0].shape, stride);
	do {
		int64_t from = 0;
		bool outside = false;

		for (uint32_t d = 0; d < out->shape.rank; d++) {
			outside = outside || t[d].outside[index[d]];
			from += t[d].at[index[d] * t[d].count] * stride[d];
		}
		if (outside)
			ref_set(out, at++, outside_value);
		else if (nearest_only)
			ref_copy(out, at++, &c->in[0], from);
		else
			ref_set(out, at++, gather_taps(c, t, index, stride, 0, 0));
	} while (ref_next(&out->shape, index));
}

static struct resize_axis axis_of(const struct ref_call *c, uint32_t d)
{
	const struct shape *in = &c->in[0].shape, *out = &c->out[0].shape;
	const double *scales = ref_floats(c, ATTR_scales, in->rank);
	const double *roi = ref_floats(c, ATTR_roi, 2 * in->rank);
	struct resize_axis a = {
		.in = in->dim[d],
		.out = out->dim[d],
		.scale = scales ? scales[d] : (double)out->dim[d] / (double)in->dim[d],
		.roi_start = roi ? roi[d] : 0,
		.roi_end = roi ? roi[in->rank + d] : 1,
		.mode = (enum resize_mode)ref_int(c, ATTR_mode, RESIZE_NEAREST),
		.coordinates = (enum resize_coordinates)ref_int(c, ATTR_coordinates, COORD_HALF_PIXEL),
		.rounding = (enum resize_rounding)ref_int(c, ATTR_rounding, ROUND_PREFER_FLOOR),
		.cubic_a = ref_float(c, ATTR_cubic_a, -0.75),
		.exclude_outside = ref_int(c, ATTR_exclude_outside, 0) != 0,
		.antialias = ref_int(c, ATTR_antialias, 0) != 0,
	};

	return a;
}

bool ref_resize(const struct ref_call *c)
{
	const struct shape *in = &c->in[0].shape, *out = &c->out[0].shape;
	struct taps t[MAX_RANK] = { { 0 } };
	bool ok = in->rank == out->rank && c->in[0].dtype == c->out[0].dtype;

	if (ok && shape_elements(out) == 0)
		return true;
	ok = ok && shape_elements(in) > 0;
	for (uint32_t d = 0; ok && d < in->rank; d++) {
		struct resize_axis a = axis_of(c, d);

		ok = a.scale > 0 && a.scale >= 1e-6 && make_taps(&a, &t[d]);
	}
	if (ok)
		interpolate(c, t);
	for (uint32_t d = 0; d < MAX_RANK; d++) {
		free(t[d].at);
		free(t[d].weight);
		free(t[d].outside);
	}
	return ok;
}
