/* SPDX-License-Identifier: Apache-2.0 */
/* simplify_algebra.c - neutral elements, constants brought together, ranges, cheaper forms. */
#include "config.h"

#include "pass/simplify.h"

#include <math.h>

static bool same_as_output(const struct rewrite *rw, const struct node *n, value_id v)
{
	return shape_equal(shape_of_value(rw->g, v), shape_of_value(rw->g, n->out[0])) &&
	       graph_value(rw->g, v)->dtype == graph_value(rw->g, n->out[0])->dtype;
}

static value_id scalar(struct rewrite *rw, double x)
{
	value_id v = graph_add_scalar_f32(rw->g, (float)x);

	rewrite_track(rw);
	return v;
}

static value_id unary(struct rewrite *rw, enum op op, value_id v, node_id like)
{
	return rewrite_op(rw, op, &v, 1, NULL, 0, like);
}

static value_id binary(struct rewrite *rw, enum op op, value_id a, value_id b, node_id like)
{
	return rewrite_op(rw, op, (value_id[]){ a, b }, 2, NULL, 0, like);
}

/* x + 0, x * 1, x - 0, x / 1, x ^ 1 */
static bool neutral(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	double x;

	for (uint32_t k = 0; k < 2; k++) {
		bool commutes = n->op == OP_add || n->op == OP_mul;

		if (k == 0 && !commutes)
			continue;
		if (!rewrite_scalar(rw, n->in[k], &x) || !same_as_output(rw, n, n->in[1 - k]))
			continue;
		if (((n->op == OP_add || n->op == OP_sub) && x == 0) ||
		    ((n->op == OP_mul || n->op == OP_div || n->op == OP_pow) && x == 1))
			return rewrite_become(rw, id, n->in[1 - k]);
	}
	return false;
}

static bool is_f32(const struct rewrite *rw, value_id v)
{
	return graph_value(rw->g, v)->dtype == DTYPE_F32;
}

/* (x + a) + b, (x * a) * b with scalars */
static bool associate(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	value_id inner, x;
	double a, b;

	if (!simplify_with_scalar(rw, n->out[0], n->op, &inner, &a) ||
	    rewrite_uses(rw, inner) != 1 || !simplify_with_scalar(rw, inner, n->op, &x, &b))
		return false;
	return rewrite_become(
		rw, id, binary(rw, n->op, x, scalar(rw, n->op == OP_add ? a + b : a * b), id));
}

static bool division(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	value_id in0 = n->in[0], in1 = n->in[1];
	double x;

	if (rewrite_is_rounded(rw, n->out[0]))
		return false;
	if (rewrite_scalar(rw, in1, &x) && x != 0 && isfinite(1 / (float)x) && isfinite(x) &&
	    fabs(x) < 1e37 && shape_of_value(rw->g, in1)->rank <= shape_of_value(rw->g, in0)->rank)
		return rewrite_become(rw, id, binary(rw, OP_mul, in0, scalar(rw, 1 / x), id));
	if (rewrite_scalar(rw, in0, &x) && x == 1 && same_as_output(rw, n, in1))
		return rewrite_become(rw, id, unary(rw, OP_reciprocal, in1, id));
	return false;
}

static bool power(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	value_id in = n->in[0];
	double x;

	if (!rewrite_scalar(rw, n->in[1], &x) || !same_as_output(rw, n, in))
		return false;
	if (x == 2)
		return rewrite_become(rw, id, binary(rw, OP_mul, in, in, id));
	if (x == 0.5)
		return rewrite_become(rw, id, unary(rw, OP_sqrt, in, id));
	if (x == -0.5)
		return rewrite_become(rw, id, unary(rw, OP_rsqrt, in, id));
	if (x == -1)
		return rewrite_become(rw, id, unary(rw, OP_reciprocal, in, id));
	return false;
}

struct range {
	double low, high;
};

/* relu and clip are the same thing: a range. */
static bool range_of(const struct node *n, struct range *r)
{
	if (n->op == OP_relu) {
		*r = (struct range){ 0, INFINITY };
		return true;
	}
	if (n->op != OP_clip)
		return false;
	*r = (struct range){ node_float(n, ATTR_min, -INFINITY),
			     node_float(n, ATTR_max, INFINITY) };
	return r->low <= r->high;
}

static value_id emit_range(struct rewrite *rw, struct range r, value_id x, node_id like)
{
	struct attr attr[2];
	uint32_t count = 0;

	if (r.low == 0 && r.high == INFINITY)
		return unary(rw, OP_relu, x, like);
	if (r.low > -INFINITY)
		attr[count++] = attr_float(min, r.low);
	if (r.high < INFINITY)
		attr[count++] = attr_float(max, r.high);
	return rewrite_op(rw, OP_clip, &x, 1, attr, count, like);
}

static double clamp(double x, struct range r)
{
	return x < r.low ? r.low : x > r.high ? r.high : x;
}

static bool ranges(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *p;
	struct range outer, inner;

	if (!range_of(n, &outer))
		return false;
	if (outer.low == -INFINITY && outer.high == INFINITY)
		return rewrite_become(rw, id, n->in[0]);
	p = rewrite_producer(rw, n->in[0]);
	if (p && !p->epilogue_count && range_of(p, &inner)) {
		struct range both = { clamp(inner.low, outer), clamp(inner.high, outer) };

		return rewrite_become(rw, id, emit_range(rw, both, p->in[0], id));
	}
	if (n->op == OP_clip && outer.low == 0 && outer.high == INFINITY)
		return rewrite_become(rw, id, unary(rw, OP_relu, n->in[0], id));
	return false;
}

/* min and max with a scalar are ranges too. */
static bool limits(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	struct range r = { -INFINITY, INFINITY };
	double x;

	for (uint32_t k = 0; k < 2; k++) {
		if (!rewrite_scalar(rw, n->in[k], &x) || !same_as_output(rw, n, n->in[1 - k]) ||
		    isnan(x))
			continue;
		*(n->op == OP_max ? &r.low : &r.high) = x;
		return rewrite_become(rw, id, emit_range(rw, r, n->in[1 - k], id));
	}
	return false;
}

static bool reciprocals(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *p = rewrite_producer(rw, n->in[0]);

	if (!p || p->epilogue_count)
		return false;
	if (n->op == OP_reciprocal && p->op == OP_sqrt)
		return rewrite_become(rw, id, unary(rw, OP_rsqrt, p->in[0], id));
	if (n->op == OP_reciprocal && p->op == OP_rsqrt)
		return rewrite_become(rw, id, unary(rw, OP_sqrt, p->in[0], id));
	if ((n->op == OP_neg || n->op == OP_reciprocal) && p->op == n->op)
		return rewrite_become(rw, id, p->in[0]);
	return false;
}

/* A slope per channel that is the same for all. */
static bool uniform_slope(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	value_id x = n->in[0];
	double slope;

	if (!rewrite_scalar(rw, n->in[1], &slope) || !same_as_output(rw, n, x))
		return false;
	return rewrite_become(rw, id,
			      rewrite_op(rw, OP_leaky_relu, &x, 1,
					 (struct attr[]){ attr_float(alpha, slope) }, 1, id));
}

/* Whether v is whole numbers: rounded ones, and what becomes of them without fractions. */
static bool is_whole(struct rewrite *rw, value_id v, uint32_t depth)
{
	const struct node *n = rewrite_producer(rw, v);
	double x;

	if (rewrite_scalar(rw, v, &x))
		return x == rint(x);
	if (!n || !depth)
		return false;
	switch (n->op) {
	case OP_round:
	case OP_floor:
	case OP_ceil:
		return true;
	case OP_add:
	case OP_sub:
		return is_whole(rw, n->in[0], depth - 1) && is_whole(rw, n->in[1], depth - 1);
	default:
		return false;
	}
}

/* Whether an integer type holds v as it is: whole numbers within bounds, as what quantises writes them. */
static bool is_held_by(struct rewrite *rw, value_id v, enum dtype t)
{
	static const double most[] = { [DTYPE_U8] = 255, [DTYPE_I8] = 127, [DTYPE_I16] = 32767, [DTYPE_I32] = 1 << 24 };
	const struct node *n = rewrite_producer_op(rw, v, OP_clip);
	const struct attr *low = n ? node_attr(n, ATTR_min) : NULL, *high = n ? node_attr(n, ATTR_max) : NULL;

	if (!low || !high || (t != DTYPE_U8 && t != DTYPE_I8 && t != DTYPE_I16 && t != DTYPE_I32))
		return false;
	return low->f == rint(low->f) && high->f == rint(high->f) && high->f <= most[t] &&
	       low->f >= (t == DTYPE_U8 ? 0 : -most[t] - 1) && is_whole(rw, n->in[0], 4);
}

/*
 * A cast of what was just cast from the same type, where the first loses nothing. Maps of floats alone
 * are computed in vectors, so what quantises and turns back at once is left without its bytes.
 */
static bool casts(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[0], OP_cast);
	enum dtype from, middle;

	if (same_as_output(rw, n, n->in[0]))
		return rewrite_become(rw, id, n->in[0]);
	if (!p)
		return false;
	from = graph_value(rw->g, p->in[0])->dtype;
	middle = graph_value(rw->g, n->in[0])->dtype;
	if (from == DTYPE_F32 && is_held_by(rw, p->in[0], middle) && same_as_output(rw, n, p->in[0]))
		return rewrite_become(rw, id, p->in[0]);
	if (dtype_is_float(from) != dtype_is_float(middle) ||
	    dtype_size(middle) <= dtype_size(from) || middle == DTYPE_BOOL || from == DTYPE_BOOL)
		return false;
	if (same_as_output(rw, n, p->in[0]))
		return rewrite_become(rw, id, p->in[0]);
	return false;
}

bool simplify_algebra(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	bool f32 = is_f32(rw, n->out[0]);

	switch (n->op) {
	case OP_identity:
		return rewrite_become(rw, id, n->in[0]);
	case OP_cast:
		return casts(rw, id);
	case OP_add:
	case OP_mul:
		return neutral(rw, id) || (f32 && associate(rw, id));
	case OP_sub:
		return neutral(rw, id);
	case OP_div:
		return neutral(rw, id) || (f32 && division(rw, id));
	case OP_pow:
		return f32 && (neutral(rw, id) || power(rw, id));
	case OP_min:
	case OP_max:
		return f32 && limits(rw, id);
	case OP_relu:
	case OP_clip:
		return f32 && ranges(rw, id);
	case OP_neg:
	case OP_reciprocal:
		return f32 && reciprocals(rw, id);
	case OP_prelu:
		return f32 && uniform_slope(rw, id);
	default:
		return false;
	}
}
