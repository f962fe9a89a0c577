/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_conv.c - windows that slide over channels-last images: convolution, its
 * transpose, and pooling, with any number of spatial dimensions.
 *
 * x[N, s.., C]; strides, dilations and kernel have one entry per spatial
 * dimension, pads two: all begins, then all ends.
 */
#include "config.h"

#include "ref/ref_internal.h"

#include <math.h>

struct window {
	uint32_t dims;
	struct shape kernel, in, out; /* spatial dimensions only */
	int64_t stride[MAX_RANK], dilation[MAX_RANK], begin[MAX_RANK], end[MAX_RANK];
};

static void list_or(const struct ref_call *c, enum attr_key k, uint32_t n, int64_t absent, int64_t *to,
		    uint32_t from)
{
	const int64_t *list = ref_ints(c, k, from + n);

	for (uint32_t i = 0; i < n; i++)
		to[i] = list ? list[from + i] : absent;
}

/* The kernel's own shape is filled by the caller. */
static bool window_of(const struct ref_call *c, struct window *w)
{
	const struct shape *x = &c->in[0].shape, *o = &c->out[0].shape;

	if (x->rank < 3 || o->rank != x->rank || x->dim[0] != o->dim[0])
		return false;
	w->dims = x->rank - 2;
	w->in.rank = w->out.rank = w->kernel.rank = w->dims;
	for (uint32_t i = 0; i < w->dims; i++) {
		w->in.dim[i] = x->dim[1 + i];
		w->out.dim[i] = o->dim[1 + i];
	}
	list_or(c, ATTR_strides, w->dims, 1, w->stride, 0);
	list_or(c, ATTR_dilations, w->dims, 1, w->dilation, 0);
	list_or(c, ATTR_pads, w->dims, 0, w->begin, 0);
	list_or(c, ATTR_pads, w->dims, 0, w->end, w->dims);
	for (uint32_t i = 0; i < w->dims; i++)
		if (w->stride[i] <= 0 || w->dilation[i] <= 0)
			return false;
	return true;
}

/* Input pixel under kernel position k of output pixel o: row-major index, or -1 in the padding. */
static int64_t window_at(const struct window *w, const int64_t *o, const int64_t *k)
{
	int64_t at = 0;

	for (uint32_t i = 0; i < w->dims; i++) {
		int64_t x = o[i] * w->stride[i] - w->begin[i] + k[i] * w->dilation[i];

		if (x < 0 || x >= w->in.dim[i])
			return -1;
		at = at * w->in.dim[i] + x;
	}
	return at;
}

/* The same for the transpose: the input pixel that kernel position k spreads onto output pixel o. */
static int64_t window_from(const struct window *w, const int64_t *o, const int64_t *k)
{
	int64_t at = 0;

	for (uint32_t i = 0; i < w->dims; i++) {
		int64_t x = o[i] + w->begin[i] - k[i] * w->dilation[i];

		if (x < 0 || x % w->stride[i] || x / w->stride[i] >= w->in.dim[i])
			return -1;
		at = at * w->in.dim[i] + x / w->stride[i];
	}
	return at;
}

struct conv {
	struct window w;
	int64_t channels, outs, group, per_group, outs_per_group, taps;
	bool transpose;
};

/* Sum over the kernel and the group's input channels for output channel oc. */
static double conv_sum(const struct ref_call *c, const struct conv *v, int64_t image, const int64_t *o, int64_t oc)
{
	int64_t g = oc / v->outs_per_group, k[MAX_RANK] = { 0 }, tap = 0;
	int64_t pixels = ref_product(&v->w.in, 0, v->w.dims);
	double sum = 0;

	do {
		int64_t at = v->transpose ? window_from(&v->w, o, k) : window_at(&v->w, o, k);

		for (int64_t i = 0; at >= 0 && i < v->per_group; i++) {
			int64_t ic = g * v->per_group + i;
			int64_t weight = v->transpose ? ic * v->outs_per_group + oc % v->outs_per_group
						      : oc * v->per_group + i;

			sum += ref_get(&c->in[0], (image * pixels + at) * v->channels + ic)
			       * ref_get(&c->in[1], weight * v->taps + tap);
		}
		tap++;
	} while (ref_next(&v->w.kernel, k));
	return sum;
}

static void conv_run(const struct ref_call *c, const struct conv *v)
{
	const struct ref_tensor *bias = ref_in(c, 2);
	int64_t at = 0;

	for (int64_t n = 0; n < c->out[0].shape.dim[0]; n++) {
		int64_t o[MAX_RANK] = { 0 };

		do {
			for (int64_t oc = 0; oc < v->outs; oc++)
				ref_set(&c->out[0], at++,
					conv_sum(c, v, n, o, oc) + (bias ? ref_get(bias, oc) : 0));
		} while (ref_next(&v->w.out, o));
	}
}

static bool conv_of(const struct ref_call *c, struct conv *v)
{
	const struct shape *x = &c->in[0].shape, *w = &c->in[1].shape, *o = &c->out[0].shape;
	int64_t first, second;

	if (!ref_in(c, 1) || !window_of(c, &v->w) || w->rank != x->rank)
		return false;
	for (uint32_t i = 0; i < v->w.dims; i++)
		v->w.kernel.dim[i] = w->dim[2 + i];
	v->taps = ref_product(w, 2, w->rank);
	v->channels = x->dim[x->rank - 1];
	v->outs = o->dim[o->rank - 1];
	v->group = ref_int(c, ATTR_group, 1);
	if (v->group <= 0 || v->channels % v->group || v->outs % v->group || v->taps <= 0)
		return false;
	v->per_group = v->channels / v->group;
	v->outs_per_group = v->outs / v->group;
	first = v->transpose ? v->channels : v->outs;
	second = v->transpose ? v->outs_per_group : v->per_group;
	return w->dim[0] == first && w->dim[1] == second
	       && (!ref_in(c, 2) || shape_elements(&c->in[2].shape) == v->outs);
}

bool ref_conv(const struct ref_call *c)
{
	struct conv v = { .transpose = false };

	if (!conv_of(c, &v))
		return false;
	if (shape_elements(&c->out[0].shape) > 0)
		conv_run(c, &v);
	return true;
}

bool ref_conv_transpose(const struct ref_call *c)
{
	struct conv v = { .transpose = true };

	if (!conv_of(c, &v))
		return false;
	if (shape_elements(&c->out[0].shape) > 0)
		conv_run(c, &v);
	return true;
}

/* Whether kernel position k of output pixel o lies in the image with its declared padding. */
static bool window_padded(const struct window *w, const int64_t *o, const int64_t *k)
{
	for (uint32_t i = 0; i < w->dims; i++) {
		int64_t x = o[i] * w->stride[i] - w->begin[i] + k[i] * w->dilation[i];

		if (x < -w->begin[i] || x >= w->in.dim[i] + w->end[i])
			return false;
	}
	return true;
}

static double pool_one(const struct ref_call *c, const struct window *w, int64_t image, const int64_t *o,
		       int64_t channel)
{
	const struct shape *x = &c->in[0].shape;
	int64_t channels = x->dim[x->rank - 1], pixels = ref_product(&w->in, 0, w->dims);
	int64_t k[MAX_RANK] = { 0 }, count = 0;
	bool max = c->op == OP_max_pool, with_pad = ref_int(c, ATTR_count_include_pad, 0) != 0;
	double r = max ? -INFINITY : 0;

	do {
		int64_t at = window_at(w, o, k);
		double e;

		count += at >= 0 || (with_pad && window_padded(w, o, k));
		if (at < 0)
			continue;
		e = ref_get(&c->in[0], (image * pixels + at) * channels + channel);
		if (!max)
			r += e;
		else if (e > r || isnan(e))
			r = e;
	} while (ref_next(&w->kernel, k));
	return max || !count ? r : r / (double)count;
}

bool ref_pool(const struct ref_call *c)
{
	const struct shape *x = &c->in[0].shape;
	struct window w = { 0 };
	int64_t at = 0;

	if (!window_of(c, &w) || !ref_ints(c, ATTR_kernel, w.dims))
		return false;
	list_or(c, ATTR_kernel, w.dims, 1, w.kernel.dim, 0);
	if (ref_product(&w.kernel, 0, w.dims) <= 0 || c->out[0].shape.dim[x->rank - 1] != x->dim[x->rank - 1])
		return false;
	if (shape_elements(&c->out[0].shape) == 0)
		return true;
	for (int64_t n = 0; n < x->dim[0]; n++) {
		int64_t o[MAX_RANK] = { 0 };

		do {
			for (int64_t i = 0; i < x->dim[x->rank - 1]; i++)
				ref_set(&c->out[0], at++, pool_one(c, &w, n, o, i));
		} while (ref_next(&w.out, o));
	}
	return true;
}
