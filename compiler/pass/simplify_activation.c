/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplify_activation.c - recognising functions that were spelt out.
 *
 * GELU alone is written in a dozen ways: 0.5 * x * (1 + erf(x / sqrt 2)), the
 * same with the halves elsewhere, divisions for products, x^3 as pow or as
 * x * x * x. Instead of listing them, the expression is multiplied out: as a
 * polynomial in x and in h, the one transcendental part. Whatever the
 * order of its operands was, 0.5 x + 0.5 x h remains.
 */
#include "config.h"

#include "pass/simplify.h"

#include <math.h>

enum { DEGREE = 4, MAX_STEPS = 40, MAX_CANDIDATES = 16 };

/* sum of c[i][j] x^i h^j */
struct poly {
	double c[DEGREE + 1][2];
};

struct expansion {
	struct rewrite *rw;
	value_id x, h;
	int steps; /* left; an expression is only looked at so far */
};

static bool poly_mul(const struct poly *a, const struct poly *b, struct poly *out)
{
	*out = (struct poly){ 0 };
	for (int i = 0; i <= DEGREE; i++) {
		for (int k = 0; k <= DEGREE; k++) {
			for (int m = 0; m < 4; m++) {
				double c = a->c[i][m & 1] * b->c[k][m >> 1];

				if (c == 0)
					continue;
				if (i + k > DEGREE || m == 3)
					return false;
				out->c[i + k][m ? 1 : 0] += c;
			}
		}
	}
	return true;
}

static bool expand(struct expansion *e, value_id v, struct poly *out);

static bool expand_power(struct expansion *e, const struct node *n, struct poly *out)
{
	struct poly base, next;
	double k;

	if (!rewrite_scalar(e->rw, n->in[1], &k) || k < 1 || k > DEGREE || k != floor(k) ||
	    !expand(e, n->in[0], &base))
		return false;
	for (*out = base; k > 1; k--) {
		if (!poly_mul(out, &base, &next))
			return false;
		*out = next;
	}
	return true;
}

static bool expand_binary(struct expansion *e, const struct node *n, struct poly *out)
{
	struct poly a, b;
	double x;

	if (n->op == OP_pow)
		return expand_power(e, n, out);
	if (n->op == OP_div) { /* by a constant only */
		if (!rewrite_scalar(e->rw, n->in[1], &x) || x == 0 || !expand(e, n->in[0], out))
			return false;
		for (int i = 0; i <= DEGREE; i++) {
			out->c[i][0] /= x;
			out->c[i][1] /= x;
		}
		return true;
	}
	if (!expand(e, n->in[0], &a) || !expand(e, n->in[1], &b))
		return false;
	if (n->op == OP_mul)
		return poly_mul(&a, &b, out);
	for (int i = 0; i <= DEGREE; i++) {
		for (int j = 0; j < 2; j++)
			out->c[i][j] =
				n->op == OP_add ? a.c[i][j] + b.c[i][j] : a.c[i][j] - b.c[i][j];
	}
	return true;
}

/* Depth is bounded by the steps: every call takes one. */
static bool expand(struct expansion *e, value_id v, struct poly *out)
{
	const struct node *n;
	double x;

	if (e->steps-- <= 0)
		return false;
	*out = (struct poly){ 0 };
	if (v == e->x || v == e->h) {
		out->c[v == e->x][v != e->x] = 1;
		return true;
	}
	if (rewrite_scalar(e->rw, v, &x)) {
		out->c[0][0] = x;
		return true;
	}
	n = rewrite_producer(e->rw, v);
	if (!n || n->epilogue_count)
		return false;
	switch (n->op) {
	case OP_add:
	case OP_sub:
	case OP_mul:
	case OP_div:
	case OP_pow:
		return expand_binary(e, n, out);
	case OP_neg:
		if (!expand(e, n->in[0], out))
			return false;
		for (int i = 0; i <= DEGREE; i++) {
			out->c[i][0] = -out->c[i][0];
			out->c[i][1] = -out->c[i][1];
		}
		return true;
	default:
		return false;
	}
}

static bool is_poly(struct rewrite *rw, value_id v, value_id x, value_id h, struct poly want)
{
	struct expansion e = { rw, x, h, MAX_STEPS };
	struct poly have;

	if (!expand(&e, v, &have))
		return false;
	for (int i = 0; i <= DEGREE; i++) {
		for (int j = 0; j < 2; j++) {
			if (!(fabs(have.c[i][j] - want.c[i][j]) <=
			      3e-4 * fabs(want.c[i][j]) + 1e-7))
				return false;
		}
	}
	return true;
}

#define POLY(...) ((struct poly){ .c = { __VA_ARGS__ } })
static const struct poly half_x_half_xh = { .c = { [1] = { 0.5, 0.5 } } };
static const struct poly x_times_h = { .c = { [1] = { 0, 1 } } };

static bool is_kernel(enum op op)
{
	return op == OP_erf || op == OP_tanh || op == OP_sigmoid || op == OP_hard_sigmoid ||
	       op == OP_clip;
}

/* The values of an expression, nearest first: what x or h may be. */
static uint32_t collect(struct rewrite *rw, value_id root, value_id *list, bool kernels)
{
	value_id queue[MAX_CANDIDATES] = { root };
	uint32_t count = 0, head = 0, tail = 1;

	while (head < tail) {
		value_id v = queue[head++];
		const struct node *n = rewrite_producer(rw, v);

		if (kernels ? n && !n->epilogue_count && is_kernel(n->op)
			    : graph_value(rw->g, v)->kind != VALUE_CONST) {
			list[count++] = v;
			if (kernels)
				continue;
		}
		if (!n || n->epilogue_count ||
		    !(n->op == OP_add || n->op == OP_sub || n->op == OP_mul || n->op == OP_div ||
		      n->op == OP_pow || n->op == OP_neg))
			continue;
		for (uint32_t k = 0; k < n->in_count && tail < MAX_CANDIDATES; k++)
			queue[tail++] = n->in[k];
	}
	return count;
}

static bool emit(struct rewrite *rw, node_id id, enum op op, value_id x, const struct attr *attr,
		 uint32_t count)
{
	return rewrite_become(rw, id, rewrite_op(rw, op, &x, 1, attr, count, id));
}

/* x * clip(x + 3, 0, 6) / 6, also as hard_sigmoid or as clip(x / 6 + 0.5, 0, 1) */
static bool hard_forms(struct rewrite *rw, node_id id, value_id h, const struct node *k)
{
	value_id y = graph_node(rw->g, id)->out[0], u = k->in[0], list[MAX_CANDIDATES];
	uint32_t count = collect(rw, u, list, false);
	double high = node_float(k, ATTR_max, 0);
	struct attr sixth[] = { attr_float(alpha, 1.0 / 6), attr_float(beta, 0.5) };

	if (k->op == OP_hard_sigmoid) {
		if (fabs(node_float(k, ATTR_alpha, 0) - 1.0 / 6) > 1e-4 ||
		    fabs(node_float(k, ATTR_beta, 0) - 0.5) > 1e-4)
			return false;
		return is_poly(rw, y, u, h, x_times_h) && emit(rw, id, OP_hard_swish, u, NULL, 0);
	}
	if (node_float(k, ATTR_min, 1) != 0 || !(high == 6 || high == 1))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		value_id x = list[i];

		if (!is_poly(rw, u, x, NO_ID, POLY([0] = { high / 2 }, [1] = { high / 6 })))
			continue;
		if (is_poly(rw, y, x, h, POLY([1] = { 0, 1 / high })))
			return emit(rw, id, OP_hard_swish, x, NULL, 0);
		if (high == 6 && is_poly(rw, y, x, h, POLY([0] = { 0, 1 / high })))
			return emit(rw, id, OP_hard_sigmoid, x, sixth, 2);
	}
	return false;
}

static bool tanh_forms(struct rewrite *rw, node_id id, value_id h, const struct node *k)
{
	value_id y = graph_node(rw->g, id)->out[0], u = k->in[0], list[MAX_CANDIDATES];
	const struct node *p = rewrite_producer_op(rw, u, OP_softplus);
	uint32_t count = collect(rw, u, list, false);

	if (p)
		return is_poly(rw, y, p->in[0], h, x_times_h) &&
		       emit(rw, id, OP_mish, p->in[0], NULL, 0);
	for (uint32_t i = 0; i < count; i++) {
		value_id x = list[i];

		if (is_poly(rw, u, x, NO_ID,
			    POLY([1] = { 0.7978845608028654 }, [3] = { 0.7978845608028654 *
								       0.044715 })) &&
		    is_poly(rw, y, x, h, half_x_half_xh))
			return emit(rw, id, OP_gelu_tanh, x, NULL, 0);
	}
	return false;
}

static bool around(struct rewrite *rw, node_id id, value_id h)
{
	const struct node *k = rewrite_producer(rw, h);
	value_id y = graph_node(rw->g, id)->out[0], u = k->in[0], list[MAX_CANDIDATES];
	uint32_t count;

	switch (k->op) {
	case OP_sigmoid:
		return is_poly(rw, y, u, h, x_times_h) && emit(rw, id, OP_silu, u, NULL, 0);
	case OP_tanh:
		return tanh_forms(rw, id, h, k);
	case OP_clip:
	case OP_hard_sigmoid:
		return hard_forms(rw, id, h, k);
	default:
		break;
	}
	count = collect(rw, u, list, false);
	for (uint32_t i = 0; i < count; i++) {
		if (is_poly(rw, u, list[i], NO_ID, POLY([1] = { 0.7071067811865476 })) &&
		    is_poly(rw, y, list[i], h, half_x_half_xh))
			return emit(rw, id, OP_gelu, list[i], NULL, 0);
	}
	return false;
}

/* v = 1 + exp(w): gives w */
static bool one_plus_exp(struct rewrite *rw, value_id v, value_id *w)
{
	const struct node *e;
	value_id inner;
	double one;

	if (!simplify_with_scalar(rw, v, OP_add, &inner, &one) || one != 1)
		return false;
	e = rewrite_producer_op(rw, inner, OP_exp);
	if (e)
		*w = e->in[0];
	return e != NULL;
}

bool simplify_activation(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *p;
	value_id list[MAX_CANDIDATES], w, x;
	uint32_t count;
	double minus;

	if (graph_value(rw->g, n->out[0])->dtype != DTYPE_F32)
		return false;
	switch (n->op) {
	case OP_log:
		return one_plus_exp(rw, n->in[0], &w) && emit(rw, id, OP_softplus, w, NULL, 0);
	case OP_reciprocal:
		if (!one_plus_exp(rw, n->in[0], &w))
			return false;
		p = rewrite_producer_op(rw, w, OP_neg);
		if (p)
			return emit(rw, id, OP_sigmoid, p->in[0], NULL, 0);
		if (simplify_with_scalar(rw, w, OP_mul, &x, &minus) && minus == -1)
			return emit(rw, id, OP_sigmoid, x, NULL, 0);
		return false;
	case OP_add:
	case OP_mul:
	case OP_div:
		count = collect(rw, n->out[0], list, true);
		for (uint32_t i = 0; i < count && i < 3; i++) {
			if (around(rw, id, list[i]))
				return true;
		}
		return false;
	default:
		return false;
	}
}
