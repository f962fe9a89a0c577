/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network_image.c - layers on images: convolution, pooling, channel norms.
 *
 * Users write [batch, channels, height, width]; the graph's operations are
 * channels-last. Each layer is wrapped in transposes, which the layout pass
 * cancels. Sizes are checked before that, so that messages show the user's own.
 */
#include "config.h"

#include "import/network.h"

#include <math.h>

enum { MAX_SPATIAL = 2, MAX_SIZE = 1 << 20 };

struct window {
	uint32_t spatial;
	int64_t kernel[MAX_SPATIAL], stride[MAX_SPATIAL], dilation[MAX_SPATIAL], pads[2 * MAX_SPATIAL];
};

static struct net_value done(struct net_call *c, value_id v)
{
	return net_tensor(net_to_first(c, v), c->span);
}

/* x must be [N, C, and `spatial` more]. */
static bool is_image(struct net_call *c, uint32_t spatial)
{
	uint32_t rank = net_shape(c, 0)->rank;

	if (rank == spatial + 2)
		return true;
	net_fail(c, 0, spatial == 1 ? "its input must be [batch, channels, length], and has rank %u"
				    : "its input must be [batch, channels, height, width], and has rank %u", rank);
	return false;
}

/* One number for every spatial axis, or the same for all. */
static bool get_sizes(struct net_call *c, uint32_t arg, uint32_t spatial, int64_t absent, int64_t *out)
{
	uint32_t n = 1;

	out[0] = absent;
	if (net_given(c, arg))
		n = net_get_list(c, arg, out, spatial);
	if (n == UINT32_MAX)
		return false;
	if (n != 1 && n != spatial) {
		net_fail(c, arg, "%u numbers are needed, and there are %u", spatial, n);
		return false;
	}
	for (uint32_t i = 0; i < spatial; i++) {
		if (n == 1)
			out[i] = out[0];
		if (out[i] >= 1 && out[i] <= MAX_SIZE)
			continue;
		net_fail(c, arg, "%lld is out of range", (long long)out[i]);
		return false;
	}
	return true;
}

/* pad: 0, one number, one an axis, begins then ends per axis, or "same". */
static bool get_pads(struct net_call *c, uint32_t arg, struct window *w)
{
	int64_t list[2 * MAX_SPATIAL] = { 0 };
	uint32_t n = 1, s = w->spatial;

	if (c->arg[arg].kind == NET_TEXT) {
		for (uint32_t i = 0; i < s; i++) {
			int64_t in = net_shape(c, 0)->dim[i + 2], out = (in + w->stride[i] - 1) / w->stride[i];
			int64_t total = (out - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 - in;

			w->pads[i] = total > 0 ? total / 2 : 0;
			w->pads[i + s] = total > 0 ? total - total / 2 : 0;
		}
		if (c->arg[arg].text[0] == 's' && c->arg[arg].text[1] == 'a')
			return true;
		net_fail(c, arg, "padding \"%s\" is not known, only \"same\"", c->arg[arg].text);
		return false;
	}
	if (net_given(c, arg))
		n = net_get_list(c, arg, list, 2 * s);
	if (n == UINT32_MAX)
		return false;
	if (n != 1 && n != s && n != 2 * s) {
		net_fail(c, arg, "1, %u or %u numbers are needed, and there are %u", s, 2 * s, n);
		return false;
	}
	for (uint32_t i = 0; i < s; i++) {
		w->pads[i] = list[n == 1 ? 0 : i];
		w->pads[i + s] = list[n == 1 ? 0 : n == s ? i : i + s];
		if (w->pads[i] >= 0 && w->pads[i] <= MAX_SIZE && w->pads[i + s] >= 0 && w->pads[i + s] <= MAX_SIZE)
			continue;
		net_fail(c, arg, "padding must be 0 or more");
		return false;
	}
	return true;
}

static bool window_fits(struct net_call *c, const struct window *w)
{
	const struct shape *x = net_shape(c, 0);

	for (uint32_t i = 0; i < w->spatial; i++) {
		int64_t in = x->dim[i + 2] + w->pads[i] + w->pads[i + w->spatial];
		int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1;

		if (reach <= in)
			continue;
		net_fail(c, 0, "a window of %lld is larger than its input of %lld with its padding", (long long)reach,
			 (long long)in);
		return false;
	}
	return true;
}

/* The kernel that the call gives or that the weights tell. */
static bool get_kernel(struct net_call *c, struct window *w)
{
	struct shape s;

	if (net_given(c, 3))
		return get_sizes(c, 3, w->spatial, 1, w->kernel);
	if (weights_shape(c, c->arg[1].text, "weight", &s) && s.rank == w->spatial + 2) {
		for (uint32_t i = 0; i < w->spatial; i++)
			w->kernel[i] = s.dim[i + 2];
		return true;
	}
	if (c->n->model->weights == DECL_WEIGHTS_SAFETENSORS) {
		for (uint32_t i = 0; i < w->spatial; i++)
			w->kernel[i] = 1; /* weights_get says what is wrong */
		return true;
	}
	net_fail(c, MAX_ARGUMENTS, "with random weights its kernel must be given");
	return false;
}

static value_id conv_bias(struct net_call *c, int64_t channels)
{
	struct weight_request b = { .name = c->arg[1].text, .suffix = "bias", .rank = 1, .dim = { channels },
				    .use = WEIGHT_BIAS };

	return weights_get(c, &b);
}

static bool check_groups(struct net_call *c, uint32_t arg, int64_t groups, int64_t in, int64_t out)
{
	if (net_given(c, 2) && (out < 1 || out > INT32_MAX))
		return net_fail(c, 2, "%lld channels cannot be", (long long)out), false;
	if (groups < 1 || in % groups || (out > 0 && out % groups))
		return net_fail(c, arg, "%lld and %lld channels cannot be split into %lld groups", (long long)in,
				(long long)(out > 0 ? out : 0), (long long)groups), false;
	return true;
}

/* conv(x, name, channels, kernel, stride, pad, dilation, groups, bias); op holds the spatial axes */
static struct net_value build_conv(struct net_call *c)
{
	struct window w = { .spatial = (uint32_t)c->spec->op };
	uint32_t s = w.spatial;
	int64_t groups = net_get_int(c, 7, 1), channels = net_get_int(c, 2, -1), in;
	struct weight_request r = { .name = c->arg[1].text, .suffix = "weight", .rank = s + 2, .use = WEIGHT_MATRIX };
	struct attr a[4];
	value_id v[3];
	bool bias = net_get_switch(c, 8, true);

	if (!is_image(c, s))
		return NET_POISONED;
	in = net_shape(c, 0)->dim[1];
	if (!check_groups(c, 7, groups, in, channels) || !get_sizes(c, 4, s, 1, w.stride) ||
	    !get_sizes(c, 6, s, 1, w.dilation) || !get_kernel(c, &w) || !get_pads(c, 5, &w) || !window_fits(c, &w))
		return NET_POISONED;
	r.dim[0] = channels;
	r.dim[1] = r.fan_in = in / groups;
	for (uint32_t i = 0; i < s; i++) {
		r.dim[i + 2] = w.kernel[i];
		r.fan_in *= w.kernel[i];
	}
	v[1] = weights_get(c, &r);
	if (v[1] == NO_ID)
		return NET_POISONED;
	v[0] = net_to_last(c, c->arg[0].tensor);
	if (bias)
		v[2] = conv_bias(c, graph_value(c->n->graph, v[1])->shape.dim[0]);
	a[0] = attr_ints(strides, w.stride, s);
	a[1] = attr_ints(pads, w.pads, 2 * s);
	a[2] = attr_ints(dilations, w.dilation, s);
	a[3] = attr_int(group, groups);
	return done(c, net_op(c, OP_conv, v, bias ? 3 : 2, a, 4));
}

/* conv_transpose2d(x, name, channels, kernel, stride, pad, output_pad, dilation, groups, bias) */
static struct net_value build_conv_transpose(struct net_call *c)
{
	struct window w = { .spatial = 2 };
	int64_t groups = net_get_int(c, 8, 1), channels = net_get_int(c, 2, -1), extra[2] = { 0 }, in;
	struct weight_request r = { .name = c->arg[1].text, .suffix = "weight", .rank = 4, .use = WEIGHT_MATRIX };
	struct attr a[5];
	value_id v[3];
	uint32_t n = 1;
	bool bias = net_get_switch(c, 9, true);

	if (!is_image(c, 2))
		return NET_POISONED;
	in = net_shape(c, 0)->dim[1];
	if (net_given(c, 6))
		n = net_get_list(c, 6, extra, 2);
	if (n == UINT32_MAX || !check_groups(c, 8, groups, in, channels) || !get_sizes(c, 4, 2, 1, w.stride) ||
	    !get_sizes(c, 7, 2, 1, w.dilation) || !get_kernel(c, &w) || !get_pads(c, 5, &w))
		return NET_POISONED;
	if (n == 1)
		extra[1] = extra[0];
	r.dim[0] = in;
	r.dim[1] = channels > 0 ? channels / groups : -1;
	r.fan_in = in / groups;
	for (uint32_t i = 0; i < 2; i++) {
		r.dim[i + 2] = w.kernel[i];
		r.fan_in = r.fan_in * w.kernel[i] / w.stride[i];
	}
	v[1] = weights_get(c, &r);
	if (v[1] == NO_ID)
		return NET_POISONED;
	v[0] = net_to_last(c, c->arg[0].tensor);
	if (bias)
		v[2] = conv_bias(c, graph_value(c->n->graph, v[1])->shape.dim[1] * groups);
	a[0] = attr_ints(strides, w.stride, 2);
	a[1] = attr_ints(pads, w.pads, 4);
	a[2] = attr_ints(dilations, w.dilation, 2);
	a[3] = attr_int(group, groups);
	a[4] = attr_ints(output_padding, extra, 2);
	return done(c, net_op(c, OP_conv_transpose, v, bias ? 3 : 2, a, 5));
}

/* ---- pooling */

/* Sizes of the output; ceil: a last window may hang over the end if it begins inside. */
static bool pool_shape(struct net_call *c, const struct window *w, bool ceil_mode, int64_t *out)
{
	const struct shape *x = net_shape(c, 0);

	out[0] = x->dim[0];
	out[x->rank - 1] = x->dim[1];
	for (uint32_t i = 0; i < w->spatial; i++) {
		int64_t in = x->dim[i + 2], reach = (w->kernel[i] - 1) * w->dilation[i] + 1;
		int64_t room = in + w->pads[i] + w->pads[i + w->spatial] - reach;

		if (w->pads[i] >= reach || w->pads[i + w->spatial] >= reach) {
			net_fail(c, 0, "the padding is as large as the window");
			return false;
		}
		out[i + 1] = room / w->stride[i] + 1;
		if (ceil_mode && room % w->stride[i] && out[i + 1] * w->stride[i] < in + w->pads[i])
			out[i + 1]++;
	}
	return true;
}

/* max_pool(x, kernel, stride, pad, dilation, ceil), avg_pool(x, kernel, stride, pad, ceil, count_pad) */
static struct net_value build_pool(struct net_call *c)
{
	bool max = c->spec->name[0] == 'm';
	struct window w = { .spatial = (uint32_t)c->spec->op, .dilation = { 1, 1 } };
	uint32_t s = w.spatial, n = 5;
	int64_t out[MAX_SPATIAL + 2];
	struct attr a[6];
	value_id v;

	if (!is_image(c, s) || !get_sizes(c, 1, s, 1, w.kernel))
		return NET_POISONED;
	for (uint32_t i = 0; i < s; i++)
		w.stride[i] = w.kernel[i];
	if ((net_given(c, 2) && !get_sizes(c, 2, s, 1, w.stride)) || (max && !get_sizes(c, 4, s, 1, w.dilation)) ||
	    !get_pads(c, 3, &w) || !window_fits(c, &w) ||
	    !pool_shape(c, &w, net_get_switch(c, max ? 5 : 4, false), out))
		return NET_POISONED;
	a[0] = attr_ints(kernel, w.kernel, s);
	a[1] = attr_ints(strides, w.stride, s);
	a[2] = attr_ints(pads, w.pads, 2 * s);
	a[3] = attr_ints(dilations, w.dilation, s);
	a[4] = attr_ints(shape, out, s + 2);
	if (!max)
		a[n++] = attr_int(count_include_pad, net_get_switch(c, 5, true));
	v = net_to_last(c, c->arg[0].tensor);
	return done(c, net_op(c, max ? OP_max_pool : OP_avg_pool, &v, 1, a, n));
}

/* global_avg_pool(x) */
static struct net_value build_global(struct net_call *c)
{
	const struct shape *x = net_shape(c, 0);
	int64_t axes[MAX_RANK];
	struct attr a[2];

	if (x->rank < 3)
		return net_fail(c, 0, "its input must be [batch, channels, ...], and has rank %u", x->rank);
	for (uint32_t i = 2; i < x->rank; i++)
		axes[i - 2] = i;
	a[0] = attr_ints(axes, axes, x->rank - 2);
	a[1] = attr_int(keepdims, 1);
	return net_tensor(net_op(c, (enum op)c->spec->op, &c->arg[0].tensor, 1, a, 2), c->span);
}

/* ---- norms over channels */

static value_id channel_weight(struct net_call *c, const char *suffix, enum weight_use use, bool broadcast)
{
	const struct shape *x = net_shape(c, 0);
	int64_t as[MAX_RANK];
	struct weight_request r = { .name = c->arg[1].text, .suffix = suffix, .rank = 1, .dim = { x->dim[1] }, .use = use };

	as[0] = x->dim[1];
	for (uint32_t i = 1; i < MAX_RANK; i++)
		as[i] = 1;
	if (broadcast) {
		r.as = as;
		r.as_rank = x->rank - 1;
	}
	return weights_get(c, &r);
}

/* group_norm(x, name, groups, eps), instance_norm(x, name, eps) */
static struct net_value build_group_norm(struct net_call *c)
{
	const struct shape *x = net_shape(c, 0);
	bool instance = c->spec->op == 1;
	int64_t groups;
	struct attr a[2];
	value_id v[3];

	if (x->rank < 3)
		return net_fail(c, 0, "its input must be [batch, channels, ...], and has rank %u", x->rank);
	groups = instance ? x->dim[1] : c->arg[2].integer;
	if (groups < 1 || x->dim[1] % groups)
		return net_fail(c, 2, "%lld channels cannot be split into %lld groups", (long long)x->dim[1],
				(long long)groups);
	v[1] = channel_weight(c, "weight", WEIGHT_SCALE, false);
	v[2] = v[1] == NO_ID ? NO_ID : channel_weight(c, "bias", WEIGHT_BIAS, false);
	if (v[2] == NO_ID)
		return NET_POISONED;
	v[0] = net_to_last(c, c->arg[0].tensor);
	a[0] = attr_int(group, groups);
	a[1] = attr_float(eps, net_get_real(c, instance ? 2 : 3, 1e-5));
	return done(c, net_op(c, OP_group_norm, v, 3, a, 2));
}

/*
 * batch_norm(x, name, eps): at inference a multiplication and an addition per
 * channel, whose numbers are computed here.
 */
static struct net_value build_batch_norm(struct net_call *c)
{
	static const char *const suffix[] = { "weight", "bias", "running_mean", "running_var" };
	struct network *n = c->n;
	const struct shape *x = net_shape(c, 0);
	double eps = net_get_real(c, 2, 1e-5);
	struct shape s = { .rank = x->rank - 1 };
	float *data[4];
	value_id in[2], v;
	int64_t channels;

	if (x->rank < 2)
		return net_fail(c, 0, "its input must be [batch, channels, ...], and has rank %u", x->rank);
	channels = x->dim[1];
	for (uint32_t i = 0; i < 4; i++) {
		v = channel_weight(c, suffix[i], i == 0 || i == 3 ? WEIGHT_SCALE : WEIGHT_BIAS, false);
		if (v == NO_ID)
			return NET_POISONED;
		data[i] = arena_new_array(n->arena, float, (size_t)channels);
		if (!data_read_f32(n->graph, v, data[i], n->diag))
			return NET_POISONED;
	}
	for (int64_t i = 0; i < channels; i++) {
		double scale = data[0][i] / sqrt((double)data[3][i] + eps);

		data[1][i] = (float)(data[1][i] - data[2][i] * scale);
		data[0][i] = (float)scale;
	}
	s.dim[0] = channels;
	for (uint32_t i = 1; i < s.rank; i++)
		s.dim[i] = 1;
	in[0] = c->arg[0].tensor;
	in[1] = graph_add_const_bytes(n->graph, DTYPE_F32, s, data[0]);
	in[0] = net_op(c, OP_mul, in, 2, NULL, 0);
	in[1] = graph_add_const_bytes(n->graph, DTYPE_F32, s, data[1]);
	return net_tensor(net_op(c, OP_add, in, 2, NULL, 0), c->span);
}

/* prelu(x, name) */
static struct net_value build_prelu(struct net_call *c)
{
	value_id in[2] = { c->arg[0].tensor };

	if (net_shape(c, 0)->rank < 2)
		return net_fail(c, 0, "its input must be [batch, channels, ...]");
	in[1] = channel_weight(c, "weight", WEIGHT_MATRIX, true);
	return net_tensor(net_op(c, OP_prelu, in, 2, NULL, 0), c->span);
}

#define CONV "x:t name:s channels:n? kernel:i? stride:i? pad:p? dilation:i? groups:n? bias:b?"
#define MAX_POOL "x:t kernel:i stride:i? pad:p? dilation:i? ceil:b?"
#define AVG_POOL "x:t kernel:i stride:i? pad:p? ceil:b? count_pad:b?"

const struct layer_spec net_image_layers[] = {
	{ "conv1d", CONV, build_conv, 1 },
	{ "conv2d", CONV, build_conv, 2 },
	{ "conv_transpose2d",
	  "x:t name:s channels:n? kernel:i? stride:i? pad:p? output_pad:i? dilation:i? groups:n? bias:b?",
	  build_conv_transpose, 2 },
	{ "max_pool1d", MAX_POOL, build_pool, 1 },
	{ "max_pool2d", MAX_POOL, build_pool, 2 },
	{ "avg_pool1d", AVG_POOL, build_pool, 1 },
	{ "avg_pool2d", AVG_POOL, build_pool, 2 },
	{ "global_avg_pool", "x:t", build_global, OP_reduce_mean },
	{ "global_max_pool", "x:t", build_global, OP_reduce_max },
	{ "batch_norm", "x:t name:s eps:r?", build_batch_norm, 0 },
	{ "group_norm", "x:t name:s groups:n eps:r?", build_group_norm, 0 },
	{ "instance_norm", "x:t name:s eps:r?", build_group_norm, 1 },
	{ "prelu", "x:t name:s", build_prelu, 0 },
};
const uint32_t net_image_layer_count = sizeof net_image_layers / sizeof *net_image_layers;
