/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canonical.c - one spelling for each node.
 *
 * Axes count from the front, lists of axes are sorted, every attribute with a
 * default is written out, and attributes stand in the order of their keys. So
 * later stages never ask "and if it is absent?", and equal nodes have equal
 * bytes. Nothing is checked here: infer_node says what is wrong afterwards.
 */
#include "config.h"

#include "ir/graph.h"

#include "ir/shape.h"

#include <math.h>
#include <stdlib.h>

static int64_t from_front(int64_t axis, uint32_t rank)
{
	return axis < 0 ? axis + rank : axis;
}

static int compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int compare_key(const void *a, const void *b)
{
	const struct attr *x = a, *y = b;

	return (int)x->key - (int)y->key;
}

static bool has(const struct node *n, enum attr_key k)
{
	return node_attr(n, k) != NULL;
}

static void default_int(struct graph *g, struct node *n, enum attr_key k, int64_t x)
{
	if (!has(n, k))
		node_set_attr(g, n, (struct attr){ .key = k, .kind = ATTR_INT, .i = x });
}

static void default_float(struct graph *g, struct node *n, enum attr_key k, double x)
{
	if (!has(n, k))
		node_set_attr(g, n, (struct attr){ .key = k, .kind = ATTR_FLOAT, .f = x });
}

static void default_fill(struct graph *g, struct node *n, enum attr_key k, int64_t x,
			 uint32_t count)
{
	int64_t list[2 * MAX_RANK];

	if (has(n, k))
		return;
	for (uint32_t i = 0; i < count; i++)
		list[i] = x;
	node_set_attr(g, n,
		      (struct attr){ .key = k, .kind = ATTR_INTS, .ints = list, .count = count });
}

/* 1.0 may have been given as the integer 1. */
static void coerce_floats(struct node *n)
{
	for (uint32_t i = 0; i < n->attr_count; i++) {
		struct attr *a = &n->attr[i];

		if (a->kind == ATTR_INT && attr_key_kind(a->key) == ATTR_FLOAT) {
			a->kind = ATTR_FLOAT;
			a->f = (double)a->i;
		}
	}
}

static void canonical_axes(struct graph *g, struct node *n, uint32_t rank)
{
	int64_t list[MAX_RANK];
	uint32_t count, kept = 0;
	const int64_t *axes = node_ints(n, ATTR_axes, &count);

	if (!axes) {
		for (uint32_t i = 0; i < rank; i++)
			list[i] = i;
		count = rank;
	} else if (count > MAX_RANK) {
		return; /* infer_node refuses it */
	} else {
		for (uint32_t i = 0; i < count; i++)
			list[i] = from_front(axes[i], rank);
		qsort(list, count, sizeof *list, compare_i64);
		for (uint32_t i = 0; i < count; i++) {
			if (!kept || list[i] != list[kept - 1])
				list[kept++] = list[i];
		}
		count = kept;
	}
	node_set_attr(g, n, attr_ints(axes, list, count));
}

static void canonical_axis(struct graph *g, struct node *n, uint32_t rank, int64_t absent)
{
	default_int(g, n, ATTR_axis, absent);
	if (node_attr(n, ATTR_axis)->kind == ATTR_INT)
		node_set_attr(g, n, attr_int(axis, from_front(node_int(n, ATTR_axis, 0), rank)));
}

/* The spatial part of a pool's shape -> the whole; absent -> rounded down. */
static void canonical_pool(struct graph *g, struct node *n, const struct shape *x)
{
	uint32_t spatial = x->rank >= 2 ? x->rank - 2 : 0, count, c[4];
	const int64_t *k = node_ints(n, ATTR_kernel, &c[0]), *s, *p, *d;
	const int64_t *shape = node_ints(n, ATTR_shape, &count);
	int64_t full[MAX_RANK];

	default_fill(g, n, ATTR_strides, 1, spatial);
	default_fill(g, n, ATTR_dilations, 1, spatial);
	default_fill(g, n, ATTR_pads, 0, 2 * spatial);
	s = node_ints(n, ATTR_strides, &c[1]);
	p = node_ints(n, ATTR_pads, &c[2]);
	d = node_ints(n, ATTR_dilations, &c[3]);
	if ((shape && count != spatial) || !k || !s || !p || !d || spatial < 1 || c[0] != spatial ||
	    c[1] != spatial || c[2] != 2 * spatial || c[3] != spatial)
		return;
	full[0] = x->dim[0];
	full[x->rank - 1] = x->dim[x->rank - 1];
	for (uint32_t i = 0; i < spatial; i++) {
		int64_t room;

		if (shape) {
			full[i + 1] = shape[i];
			continue;
		}
		if (s[i] < 1 || k[i] < 1 || d[i] < 1 || k[i] > INT32_MAX || d[i] > INT32_MAX ||
		    p[i] < 0 || p[i] > INT32_MAX || p[i + spatial] < 0 ||
		    p[i + spatial] > INT32_MAX)
			return;
		room = x->dim[i + 1] + p[i] + p[i + spatial] - d[i] * (k[i] - 1) - 1;
		full[i + 1] = room < 0 ? 0 : room / s[i] + 1;
	}
	node_set_attr(g, n, attr_ints(shape, full, x->rank));
}

static void canonical_resize(struct graph *g, struct node *n, const struct shape *x)
{
	uint32_t count;
	const struct attr *scales = node_attr(n, ATTR_scales);
	const int64_t *shape = node_ints(n, ATTR_shape, &count);
	double ratio[MAX_RANK];
	int64_t full[MAX_RANK];

	default_int(g, n, ATTR_mode, RESIZE_NEAREST);
	default_int(g, n, ATTR_coordinates, COORD_HALF_PIXEL);
	default_int(g, n, ATTR_rounding, ROUND_PREFER_FLOOR);
	default_int(g, n, ATTR_exclude_outside, 0);
	default_int(g, n, ATTR_antialias, 0);
	default_float(g, n, ATTR_cubic_a, -0.75);
	default_float(g, n, ATTR_value, 0);
	if (!shape && scales && scales->kind == ATTR_FLOATS && scales->count == x->rank) {
		for (uint32_t i = 0; i < x->rank; i++) {
			double size = floor((double)x->dim[i] * scales->floats[i]);

			if (!(size >= 0 && size < 1e15))
				return;
			full[i] = (int64_t)size;
		}
		node_set_attr(g, n, attr_ints(shape, full, x->rank));
	} else if (shape && !scales && count == x->rank) {
		for (uint32_t i = 0; i < x->rank; i++)
			ratio[i] = x->dim[i] ? (double)shape[i] / (double)x->dim[i] : 1;
		node_set_attr(g, n, attr_floats(scales, ratio, x->rank));
	}
}

static void canonical_heavy(struct graph *g, struct node *n, const struct shape *x)
{
	uint32_t spatial = x->rank >= 2 ? x->rank - 2 : 0;

	switch (n->op) {
	case OP_conv_transpose:
		default_fill(g, n, ATTR_output_padding, 0, spatial);
		/* fall through */
	case OP_conv:
		default_fill(g, n, ATTR_strides, 1, spatial);
		default_fill(g, n, ATTR_dilations, 1, spatial);
		default_fill(g, n, ATTR_pads, 0, 2 * spatial);
		default_int(g, n, ATTR_group, 1);
		break;
	case OP_matmul:
		default_int(g, n, ATTR_trans_a, 0);
		default_int(g, n, ATTR_trans_b, 0);
		default_float(g, n, ATTR_alpha, 1);
		break;
	case OP_attention:
		if (x->rank && x->dim[x->rank - 1] > 0)
			default_float(g, n, ATTR_scale, 1 / sqrt((double)x->dim[x->rank - 1]));
		default_int(g, n, ATTR_causal, 0);
		break;
	case OP_lstm:
		default_int(g, n, ATTR_input_forget, 0);
		default_int(g, n, ATTR_direction, RNN_FORWARD);
		default_int(g, n, ATTR_layout, 0);
		break;
	case OP_gru:
		default_int(g, n, ATTR_linear_before_reset, 0);
		default_int(g, n, ATTR_direction, RNN_FORWARD);
		default_int(g, n, ATTR_layout, 0);
		break;
	default:
		break;
	}
}

static void canonical_unary(struct graph *g, struct node *n)
{
	switch (n->op) {
	case OP_hard_sigmoid:
		default_float(g, n, ATTR_alpha, 0.2);
		default_float(g, n, ATTR_beta, 0.5);
		break;
	case OP_leaky_relu:
		default_float(g, n, ATTR_alpha, 0.01);
		break;
	case OP_elu:
	case OP_celu:
	case OP_thresholded_relu:
		default_float(g, n, ATTR_alpha, 1);
		break;
	case OP_selu:
		default_float(g, n, ATTR_alpha, 1.67326319217681884765625);
		default_float(g, n, ATTR_gamma, 1.05070102214813232421875);
		break;
	default:
		break;
	}
}

static void canonical_along_axes(struct graph *g, struct node *n, const struct shape *x)
{
	switch (n->op) {
	case OP_arg_max:
	case OP_arg_min:
		default_int(g, n, ATTR_select_last, 0);
		default_int(g, n, ATTR_keepdims, 1);
		canonical_axis(g, n, x->rank, 0);
		break;
	case OP_layer_norm:
	case OP_rms_norm:
		default_float(g, n, ATTR_eps, 1e-5);
		canonical_axis(g, n, x->rank, -1);
		break;
	case OP_softmax:
	case OP_log_softmax:
		canonical_axis(g, n, x->rank, -1);
		break;
	case OP_mix_norm:
		default_float(g, n, ATTR_eps, 1e-5);
		canonical_axis(g, n, x->rank, 0);
		break;
	case OP_group_norm:
		default_float(g, n, ATTR_eps, 1e-5);
		break;
	case OP_avg_pool:
		default_int(g, n, ATTR_count_include_pad, 0);
		/* fall through */
	case OP_max_pool:
		canonical_pool(g, n, x);
		break;
	default: /* the reductions */
		default_int(g, n, ATTR_keepdims, 1);
		canonical_axes(g, n, x->rank);
		break;
	}
}

static void canonical_view(struct graph *g, struct node *n, const struct shape *x)
{
	switch (n->op) {
	case OP_slice:
		default_fill(g, n, ATTR_starts, 0, x->rank);
		default_fill(g, n, ATTR_steps, 1, x->rank);
		break;
	case OP_concat:
	case OP_gather:
	case OP_gather_elements:
		canonical_axis(g, n, x->rank, 0);
		break;
	case OP_pad:
		default_int(g, n, ATTR_mode, PAD_CONSTANT);
		default_float(g, n, ATTR_value, 0);
		break;
	case OP_resize:
		canonical_resize(g, n, x);
		break;
	case OP_scatter:
		default_int(g, n, ATTR_mode, SCATTER_SET);
		break;
	case OP_top_k:
		default_int(g, n, ATTR_mode, 1);
		break;
	default:
		break;
	}
}

void node_canonical(struct graph *g, struct node *n)
{
	struct shape x = { 0 };

	if (n->in_count && n->in[0] < g->values.len)
		x = g->values.data[n->in[0]].shape;
	coerce_floats(n);
	switch (op_class(n->op)) {
	case OP_UNARY:
		canonical_unary(g, n);
		break;
	case OP_VIEW:
		canonical_view(g, n, &x);
		break;
	case OP_HEAVY:
		canonical_heavy(g, n, &x);
		break;
	case OP_REDUCE:
		canonical_along_axes(g, n, &x);
		break;
	default:
		break;
	}
	qsort(n->attr, n->attr_count, sizeof *n->attr, compare_key);
}
