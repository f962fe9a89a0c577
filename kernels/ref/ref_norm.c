/* SPDX-License-Identifier: Apache-2.0 */
/* ref_norm.c - softmax and the normalisations; statistics in double. */
#include "config.h"

#include "ref/ref_internal.h"

#include <math.h>

/* n elements, `step` apart, from `at`. */
static void softmax_line(const struct ref_call *c, int64_t at, int64_t n, int64_t step)
{
	const struct ref_tensor *x = &c->in[0];
	double top = -INFINITY, total = 0;

	for (int64_t k = 0; k < n; k++)
		top = fmax(top, ref_get(x, at + k * step));
	for (int64_t k = 0; k < n; k++)
		total += exp(ref_get(x, at + k * step) - top);
	for (int64_t k = 0; k < n; k++) {
		double d = ref_get(x, at + k * step) - top;

		ref_set(&c->out[0], at + k * step, c->op == OP_softmax ? exp(d) / total : d - log(total));
	}
}

bool ref_softmax(const struct ref_call *c)
{
	const struct shape *s = &c->in[0].shape;
	int64_t outer, inner;
	uint32_t axis;

	if (!ref_axis(ref_int(c, ATTR_axis, -1), s->rank, &axis) || !shape_equal(s, &c->out[0].shape))
		return false;
	outer = ref_product(s, 0, axis);
	inner = ref_product(s, axis + 1, s->rank);
	for (int64_t o = 0; o < outer; o++)
		for (int64_t i = 0; i < inner; i++)
			softmax_line(c, o * s->dim[axis] * inner + i, s->dim[axis], inner);
	return true;
}

/* Layer norm and RMS norm: rows of `n` elements. */
static void norm_row(const struct ref_call *c, int64_t at, int64_t n, const int64_t *scale_at,
		     const int64_t *bias_at)
{
	const struct ref_tensor *x = &c->in[0], *scale = ref_in(c, 1), *bias = ref_in(c, 2);
	double mean = 0, square = 0, factor;

	for (int64_t i = 0; i < n && c->op == OP_layer_norm; i++)
		mean += ref_get(x, at + i) / (double)n;
	for (int64_t i = 0; i < n; i++)
		square += (ref_get(x, at + i) - mean) * (ref_get(x, at + i) - mean) / (double)n;
	factor = 1 / sqrt(square + ref_float(c, ATTR_eps, 1e-5));
	for (int64_t i = 0; i < n; i++) {
		double y = (ref_get(x, at + i) - mean) * factor;

		y = scale ? y * ref_get(scale, scale_at[0] ? i % scale_at[0] : 0) : y;
		ref_set(&c->out[0], at + i, bias ? y + ref_get(bias, bias_at[0] ? i % bias_at[0] : 0) : y);
	}
}

bool ref_norm(const struct ref_call *c)
{
	const struct shape *s = &c->in[0].shape;
	const struct ref_tensor *param[2] = { ref_in(c, 1), ref_in(c, 2) };
	int64_t outer, n, count[2] = { 0, 0 };
	uint32_t axis;

	if (!ref_axis(ref_int(c, ATTR_axis, -1), s->rank, &axis) || !shape_equal(s, &c->out[0].shape))
		return false;
	outer = ref_product(s, 0, axis);
	n = ref_product(s, axis, s->rank);
	/* the dims of a parameter are the trailing ones of the row: it repeats along the row */
	for (uint32_t i = 0; i < 2; i++) {
		count[i] = param[i] ? shape_elements(&param[i]->shape) : 0;
		if (param[i] && (count[i] <= 0 || n % count[i]))
			return false;
	}
	for (int64_t o = 0; o < outer; o++)
		norm_row(c, o * n, n, &count[0], &count[1]);
	return true;
}

struct group {
	int64_t pixels, channels, per_group;
};

static void group_run(const struct ref_call *c, const struct group *g, int64_t image, int64_t group)
{
	const struct ref_tensor *x = &c->in[0], *scale = ref_in(c, 1), *bias = ref_in(c, 2);
	int64_t at = image * g->pixels * g->channels + group * g->per_group;
	double n = (double)(g->pixels * g->per_group), mean = 0, square = 0, factor;

	for (int64_t p = 0; p < g->pixels; p++)
		for (int64_t i = 0; i < g->per_group; i++)
			mean += ref_get(x, at + p * g->channels + i) / n;
	for (int64_t p = 0; p < g->pixels; p++)
		for (int64_t i = 0; i < g->per_group; i++) {
			double d = ref_get(x, at + p * g->channels + i) - mean;

			square += d * d / n;
		}
	factor = 1 / sqrt(square + ref_float(c, ATTR_eps, 1e-5));
	for (int64_t p = 0; p < g->pixels; p++)
		for (int64_t i = 0; i < g->per_group; i++) {
			int64_t channel = group * g->per_group + i;
			double y = (ref_get(x, at + p * g->channels + i) - mean) * factor;

			y = scale ? y * ref_get(scale, channel) : y;
			ref_set(&c->out[0], at + p * g->channels + i, bias ? y + ref_get(bias, channel) : y);
		}
}

bool ref_group_norm(const struct ref_call *c)
{
	const struct shape *s = &c->in[0].shape;
	int64_t groups = ref_int(c, ATTR_group, 1);
	struct group g;

	if (s->rank < 2 || !shape_equal(s, &c->out[0].shape))
		return false;
	g.channels = s->dim[s->rank - 1];
	g.pixels = ref_product(s, 1, s->rank - 1);
	if (groups <= 0 || g.channels % groups)
		return false;
	g.per_group = g.channels / groups;
	for (uint32_t i = 1; i < 3; i++)
		if (ref_in(c, i) && shape_elements(&c->in[i].shape) != g.channels)
			return false;
	for (int64_t n = 0; n < s->dim[0]; n++)
		for (int64_t k = 0; k < groups; k++)
			group_run(c, &g, n, k);
	return true;
}

/* The channels of one place, `step` apart, mixed; then the norm of what they became. */
static void mix_place(const struct ref_call *c, int64_t from, int64_t to, int64_t step)
{
	const struct ref_tensor *x = &c->in[0], *w = &c->in[1], *scale = ref_in(c, 2), *bias = ref_in(c, 3);
	int64_t channels = w->shape.dim[0], mixed = w->shape.dim[1];
	double mean = 0, square = 0, factor;

	for (int pass = 0; pass < 3; pass++) {
		factor = 1 / sqrt(square + ref_float(c, ATTR_eps, 1e-5));
		for (int64_t o = 0; o < mixed; o++) {
			double sum = 0, d;

			for (int64_t k = 0; k < channels; k++)
				sum += ref_get(x, from + k * step) * ref_get(w, k * mixed + o);
			d = sum - mean; /* of use when the mean is known */
			if (pass == 0)
				mean += sum / (double)mixed;
			else if (pass == 1)
				square += d * d / (double)mixed;
			else
				ref_set(&c->out[0], to + o * step, d * factor * (scale ? ref_get(scale, o) : 1) +
									   (bias ? ref_get(bias, o) : 0));
		}
	}
}

bool ref_mix_norm(const struct ref_call *c)
{
	const struct shape *s = &c->in[0].shape, *w = &c->in[1].shape;
	int64_t outer, inner;
	uint32_t axis;

	if (!ref_axis(ref_int(c, ATTR_axis, -1), s->rank, &axis) || w->rank != 2 || w->dim[0] != s->dim[axis] ||
	    c->out[0].shape.dim[axis] != w->dim[1])
		return false;
	for (uint32_t i = 2; i < 4; i++)
		if (ref_in(c, i) && shape_elements(&c->in[i].shape) != w->dim[1])
			return false;
	outer = ref_product(s, 0, axis);
	inner = ref_product(s, axis + 1, s->rank);
	for (int64_t o = 0; o < outer; o++)
		for (int64_t i = 0; i < inner; i++)
			mix_place(c, o * w->dim[0] * inner + i, o * w->dim[1] * inner + i, inner);
	return true;
}
