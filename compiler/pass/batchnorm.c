/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batchnorm.c - factors and sums per output channel become part of the weights.
 *
 *	conv(x, w) * s + b  ->  conv(x, w * s) + b  ->  conv(x, w * s, b)
 *
 * The factor goes into the weights' recipe, so weights of any size stay
 * unread; the bias is small and computed here. What the importers made of
 * BatchNormalization disappears in this way, and so does any other affine
 * function behind a convolution or a product with constant weights. What is
 * rounded next stays as it is: sums of whole numbers are exact, those of whole
 * numbers times a factor are not, and a half would be rounded to either side.
 */
#include "config.h"

#include "pass/pass.h"
#include "pass/rewrite.h"

#include <string.h>

struct producer {
	node_id id;
	value_id out;
	value_id weights, bias; /* NO_ID: no bias */
	uint32_t axis;		/* of the weights: output channels */
	int64_t channels;
};

static bool find_producer(struct rewrite *rw, value_id v, struct producer *p)
{
	const struct node *n = rewrite_producer(rw, v);
	const struct shape *w;

	if (!n || n->epilogue_count || rewrite_uses(rw, v) != 1 ||
	    graph_value(rw->g, v)->dtype != DTYPE_F32)
		return false;
	*p = (struct producer){ .id = graph_value(rw->g, v)->producer, .out = v, .bias = NO_ID };
	if (n->op != OP_conv && n->op != OP_conv_transpose && n->op != OP_matmul)
		return false;
	p->weights = n->in[1];
	w = shape_of_value(rw->g, p->weights);
	p->channels = shape_of_value(rw->g, v)->dim[shape_of_value(rw->g, v)->rank - 1];
	if (n->op == OP_conv_transpose)
		p->axis = 1;
	else if (n->op == OP_matmul)
		p->axis = w->rank - (node_int(n, ATTR_trans_b, 0) ? 2 : 1);
	if (n->in_count > 2)
		p->bias = n->in[2];
	return true;
}

/* One number for each channel, from a constant that is a scalar or lies along the last axis. */
static float *per_channel(struct rewrite *rw, value_id v, int64_t channels)
{
	const struct value *x = graph_value(rw->g, v);
	int64_t n = shape_elements(&x->shape);
	float *list;

	if (x->kind != VALUE_CONST || x->dtype != DTYPE_F32 || (n != 1 && n != channels) ||
	    (n > 1 && x->shape.dim[x->shape.rank - 1] != n))
		return NULL;
	list = arena_new_array(&rw->tmp, float, (size_t)channels + 1);
	if (!data_read_f32(rw->g, v, list, rw->d))
		return NULL;
	for (int64_t i = 1; n == 1 && i < channels; i++)
		list[i] = list[0];
	return list;
}

static value_id vector(struct rewrite *rw, const float *list, int64_t n)
{
	value_id v = graph_add_const_bytes(rw->g, DTYPE_F32, (struct shape){ 1, { n } }, list);

	rewrite_track(rw);
	return v;
}

static bool become(struct rewrite *rw, node_id id, const struct producer *p, value_id weights,
		   value_id bias)
{
	const struct node *n = graph_node(rw->g, p->id);
	value_id in[3] = { n->in[0], weights, bias };

	return rewrite_become(
		rw, id,
		rewrite_op(rw, n->op, in, bias == NO_ID ? 2 : 3, n->attr, n->attr_count, p->id));
}

/* y * s, y / s */
static bool scale(struct rewrite *rw, node_id id, const struct producer *p, value_id by,
		  bool divide)
{
	const struct node *n = graph_node(rw->g, p->id);
	float *s = per_channel(rw, by, p->channels), *b = NULL;
	value_id weights, bias = NO_ID;

	if (!s || graph_value(rw->g, p->weights)->kind != VALUE_CONST ||
	    (n->op == OP_conv_transpose && node_int(n, ATTR_group, 1) != 1))
		return false;
	if (p->bias != NO_ID && !(b = per_channel(rw, p->bias, p->channels)))
		return false;
	for (int64_t i = 0; i < p->channels; i++) {
		if (divide && s[i] == 0)
			return false;
		s[i] = divide ? 1 / s[i] : s[i];
		if (b)
			b[i] *= s[i];
	}
	weights = constant_scale(rw->g, p->weights, p->axis, s);
	rewrite_track(rw);
	if (weights == NO_ID)
		return false;
	if (b)
		bias = vector(rw, b, p->channels);
	return become(rw, id, p, weights, bias);
}

/* y + b, y - b */
static bool shift(struct rewrite *rw, node_id id, const struct producer *p, value_id by,
		  bool subtract)
{
	float *s = per_channel(rw, by, p->channels), *b = NULL;

	if (!s || (p->bias != NO_ID && !(b = per_channel(rw, p->bias, p->channels))))
		return false;
	for (int64_t i = 0; i < p->channels; i++)
		s[i] = (b ? b[i] : 0) + (subtract ? -s[i] : s[i]);
	return become(rw, id, p, p->weights, vector(rw, s, p->channels));
}

/* A product of two run-time values can only take a scalar. */
static bool scale_product(struct rewrite *rw, node_id id, const struct producer *p, value_id by)
{
	const struct node *n = graph_node(rw->g, p->id);
	struct attr *attr;
	value_id v;
	double s;

	if (n->op != OP_matmul || p->bias != NO_ID ||
	    graph_value(rw->g, p->weights)->kind == VALUE_CONST || !rewrite_scalar(rw, by, &s))
		return false;
	attr = arena_copy(&rw->tmp, n->attr, n->attr_count * sizeof *attr);
	for (uint32_t i = 0; i < n->attr_count; i++) {
		if (attr[i].key == ATTR_alpha)
			attr[i].f *= s;
	}
	v = rewrite_op(rw, OP_matmul, n->in, 2, attr, n->attr_count, p->id);
	return rewrite_become(rw, id, v);
}

static bool visit(struct rewrite *rw, node_id id)
{
	const struct node *n = rewrite_visit(rw, id);
	struct producer p;

	if (n->dead || n->epilogue_count || rewrite_is_rounded(rw, n->out[0]) ||
	    (n->op != OP_mul && n->op != OP_add && n->op != OP_sub && n->op != OP_div))
		return false;
	for (uint32_t k = 0; k < 2; k++) {
		value_id by = n->in[1 - k];

		if (k && (n->op == OP_sub || n->op == OP_div))
			return false;
		if (!find_producer(rw, n->in[k], &p) ||
		    graph_value(rw->g, by)->kind != VALUE_CONST ||
		    !shape_equal(shape_of_value(rw->g, n->in[k]), shape_of_value(rw->g, n->out[0])))
			continue;
		if (n->op == OP_add || n->op == OP_sub)
			return shift(rw, id, &p, by, n->op == OP_sub);
		if (scale(rw, id, &p, by, n->op == OP_div))
			return true;
		return n->op == OP_mul && scale_product(rw, id, &p, by);
	}
	return false;
}

bool pass_batchnorm(struct graph *g, struct diag *d)
{
	bool any = false;

	/* a chain of mul and add is taken in one link a round */
	for (int round = 0; round < 8; round++) {
		struct rewrite rw;
		uint32_t count = g->nodes.len;

		rewrite_begin(&rw, g, d);
		for (uint32_t i = 0; i < count; i++)
			visit(&rw, i);
		if (!rewrite_end(&rw))
			break;
		any = true;
	}
	return any;
}
