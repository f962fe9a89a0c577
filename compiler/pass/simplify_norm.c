/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplify_norm.c - normalisations and softmax that were spelt out.
 *
 *	layer_norm:  d = x - mean(x);  d / sqrt(mean(d * d) + eps)
 *	rms_norm:    x / sqrt(mean(x * x) + eps)
 *	softmax:     e = exp(x - max(x));  e / sum(e)
 *	mix_norm:    heads, turned to be the last axis, times a matrix, layer_norm, turned back
 *
 * Scale and bias are then taken in as the operations' own inputs. Squares and
 * square roots have been brought to one form by simplify_algebra.
 */
#include "config.h"

#include "ir/fused.h"
#include "pass/simplify.h"

/* reduce over the last axes of v, which stay as ones: gives the operand and the first of them */
static bool reduced(struct rewrite *rw, value_id v, enum op op, value_id *x, uint32_t *axis)
{
	const struct node *n = rewrite_producer_op(rw, v, op);
	const int64_t *axes;
	uint32_t count, rank;

	if (!n || !node_int(n, ATTR_keepdims, 1))
		return false;
	axes = node_ints(n, ATTR_axes, &count);
	rank = shape_of_value(rw->g, n->in[0])->rank;
	for (uint32_t i = 0; i < count; i++) { /* they are sorted */
		if (axes[i] != (int64_t)(rank - count + i))
			return false;
	}
	if (!count)
		return false;
	*x = n->in[0];
	*axis = (uint32_t)axes[0];
	return true;
}

/* y = n / sqrt(v + eps) in any of its forms: gives n and v */
static bool over_root(struct rewrite *rw, const struct node *y, value_id *top, value_id *v,
		      double *eps)
{
	for (uint32_t k = 0; k < 2; k++) {
		const struct node *root = rewrite_producer(rw, y->in[k]);

		if (!root || root->epilogue_count)
			continue;
		if (!((y->op == OP_mul && root->op == OP_rsqrt) ||
		      (y->op == OP_div && k == 1 && root->op == OP_sqrt)))
			continue;
		*top = y->in[1 - k];
		return simplify_with_scalar(rw, root->in[0], OP_add, v, eps);
	}
	return false;
}

/* s = mean(d * d) over the last axes */
static bool mean_square(struct rewrite *rw, value_id s, value_id *d, uint32_t *axis)
{
	const struct node *m;
	value_id square;

	if (!reduced(rw, s, OP_reduce_mean, &square, axis))
		return false;
	m = rewrite_producer_op(rw, square, OP_mul);
	if (!m || m->in[0] != m->in[1])
		return false;
	*d = m->in[0];
	return true;
}

static bool spelt_norm(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *sub;
	value_id top, v, d, x;
	struct attr attr[2];
	uint32_t axis, axis2;
	enum op op = OP_rms_norm;
	double eps;

	if (!over_root(rw, n, &top, &v, &eps) || !mean_square(rw, v, &d, &axis) || d != top)
		return false;
	sub = rewrite_producer_op(rw, d, OP_sub);
	if (sub && reduced(rw, sub->in[1], OP_reduce_mean, &x, &axis2) && x == sub->in[0] &&
	    axis2 == axis) {
		op = OP_layer_norm;
		d = x;
	}
	attr[0] = attr_int(axis, axis);
	attr[1] = attr_float(eps, eps);
	v = rewrite_op(rw, op, &d, 1, attr, 2, id);
	return rewrite_become(rw, id, v);
}

/* An operand for exactly the normalised axes: one scale or bias for each of their elements. */
static value_id fitting(struct rewrite *rw, value_id v, const struct shape *x, uint32_t axis,
			node_id like)
{
	const struct shape *s = shape_of_value(rw->g, v);
	struct shape part = { 0 };
	uint32_t ones;

	for (uint32_t i = axis; i < x->rank; i++)
		part.dim[part.rank++] = x->dim[i];
	if (s->rank < part.rank)
		return NO_ID;
	ones = s->rank - part.rank;
	for (uint32_t i = 0; i < s->rank; i++) {
		if (s->dim[i] != (i < ones ? 1 : part.dim[i - ones]))
			return NO_ID;
	}
	return rewrite_reshape(rw, v, &part, like);
}

static value_id ones_of(struct rewrite *rw, value_id like)
{
	const struct shape s = *shape_of_value(rw->g, like);
	size_t n = (size_t)shape_elements(&s);
	float *ones = arena_new_array(&rw->tmp, float, n);
	value_id v;

	for (size_t i = 0; i < n; i++)
		ones[i] = 1;
	v = graph_add_const_bytes(rw->g, DTYPE_F32, s, ones);
	rewrite_track(rw);
	return v;
}

/* norm(x) * g -> norm(x, g);  norm(x, g) + b -> norm(x, g, b) */
static bool affine(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	for (uint32_t k = 0; k < 2; k++) {
		const struct node *p = rewrite_producer(rw, n->in[k]);
		struct node norm;
		value_id in[3], v;
		uint32_t count;

		if (!p || p->epilogue_count || (p->op != OP_layer_norm && p->op != OP_rms_norm) ||
		    rewrite_uses(rw, n->in[k]) != 1 || (n->op == OP_add && p->op == OP_rms_norm))
			continue;
		norm = *p;
		if (graph_value(rw->g, n->in[1 - k])->kind != VALUE_CONST ||
		    norm.in_count > (n->op == OP_mul ? 1u : 2u))
			continue;
		v = fitting(rw, n->in[1 - k], shape_of_value(rw->g, norm.in[0]),
			    (uint32_t)node_int(&norm, ATTR_axis, 0), id);
		if (v == NO_ID)
			return false;
		in[0] = norm.in[0];
		in[1] = norm.in_count > 1 ? norm.in[1] : v;
		in[2] = v;
		count = n->op == OP_mul ? 2 : 3;
		if (count == 3 && norm.in_count < 2)
			in[1] = ones_of(rw, v);
		v = rewrite_op(rw, norm.op, in, count, norm.attr, norm.attr_count, id);
		return rewrite_become(rw, id, v);
	}
	return false;
}

static bool spelt_softmax(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *e, *sub;
	value_id x, v;
	uint32_t axis, axis2;

	e = rewrite_producer_op(rw, n->in[0], OP_exp);
	if (!e || !reduced(rw, n->in[1], OP_reduce_sum, &x, &axis) || x != n->in[0] ||
	    axis + 1 != shape_of_value(rw->g, x)->rank)
		return false;
	x = e->in[0];
	sub = rewrite_producer_op(rw, x, OP_sub);
	if (sub && reduced(rw, sub->in[1], OP_reduce_max, &v, &axis2) && v == sub->in[0] &&
	    axis2 == axis)
		x = v; /* else: the operation guards against overflow by itself */
	v = rewrite_op(rw, OP_softmax, &x, 1, (struct attr[]){ attr_int(axis, axis) }, 1, id);
	return rewrite_become(rw, id, v);
}

/* Sums, means and extremes over axes of length one are the element itself. */
static bool reduce_nothing(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	const struct shape to = *shape_of_value(rw->g, n->out[0]),
			   *x = shape_of_value(rw->g, n->in[0]);
	value_id v;
	uint32_t count;
	const int64_t *axes = node_ints(n, ATTR_axes, &count);

	if (n->op != OP_reduce_sum && n->op != OP_reduce_mean && n->op != OP_reduce_max &&
	    n->op != OP_reduce_min && n->op != OP_reduce_prod)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (x->dim[axes[i]] != 1)
			return false;
	}
	v = rewrite_reshape(rw, n->in[0], &to, id);
	return rewrite_become(rw, id, v);
}

static bool log_of_softmax(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[0], OP_softmax);
	value_id x, v;

	if (!p || rewrite_uses(rw, n->in[0]) != 1)
		return false;
	x = p->in[0];
	v = rewrite_op(rw, OP_log_softmax, &x, 1, p->attr, p->attr_count, id);
	return rewrite_become(rw, id, v);
}

/* transpose(layer_norm(matmul(transpose(x), w))) where the first makes an axis the last and the other takes it back. */
bool simplify_mix(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *norm, *mix, *turn;
	uint32_t r = shape_of_value(rw->g, n->in[0])->rank, axis, count;
	int64_t there[MAX_RANK], swapped;
	const struct shape *w;
	const int64_t *back;
	value_id in[4];

	norm = n->op == OP_transpose ? rewrite_producer_op(rw, n->in[0], OP_layer_norm) : NULL;
	if (!norm || r < 2 || node_int(norm, ATTR_axis, 0) != r - 1 || rewrite_uses(rw, n->in[0]) != 1 ||
	    graph_value(rw->g, n->out[0])->dtype != DTYPE_F32)
		return false;
	mix = rewrite_producer_op(rw, norm->in[0], OP_matmul);
	if (!mix || mix->in_count != 2 || node_int(mix, ATTR_trans_b, 0) ||
	    node_float(mix, ATTR_alpha, 1) != 1 || rewrite_uses(rw, norm->in[0]) != 1)
		return false;
	turn = rewrite_producer_op(rw, mix->in[0], OP_transpose);
	w = shape_of_value(rw->g, mix->in[1]);
	if (w->rank != 2 || w->dim[0] > MIX_MOST || w->dim[1] > MIX_MOST)
		return false;
	for (uint32_t i = 0; i < r; i++)
		there[i] = turn ? node_ints(turn, ATTR_perm, NULL)[i] : i;
	if (node_int(mix, ATTR_trans_a, 0)) {
		swapped = there[r - 1];
		there[r - 1] = there[r - 2];
		there[r - 2] = swapped;
	}
	back = node_ints(n, ATTR_perm, NULL);
	axis = (uint32_t)there[r - 1];
	if (axis + 1 == r)
		return false;
	for (uint32_t i = 0; i < r; i++)
		if (back[there[i]] != i || (i + 1 < r && there[i] != (i < axis ? i : i + 1)))
			return false;
	in[0] = turn ? turn->in[0] : mix->in[0];
	in[1] = mix->in[1];
	count = norm->in_count + 1;
	for (uint32_t i = 1; i < norm->in_count; i++)
		in[i + 1] = norm->in[i];
	return rewrite_become(rw, id,
			      rewrite_op(rw, OP_mix_norm, in, count,
					 (struct attr[]){ attr_int(axis, axis),
							  attr_float(eps, node_float(norm, ATTR_eps, 1e-5)) },
					 2, id));
}

bool simplify_norm(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);

	if (op_class(n->op) == OP_REDUCE)
		return reduce_nothing(rw, id);
	if (graph_value(rw->g, n->out[0])->dtype != DTYPE_F32)
		return false;
	switch (n->op) {
	case OP_mul:
		return spelt_norm(rw, id) || affine(rw, id);
	case OP_div:
		return spelt_norm(rw, id) || spelt_softmax(rw, id);
	case OP_add:
		return affine(rw, id);
	case OP_log:
		return log_of_softmax(rw, id);
	default:
		return false;
	}
}
