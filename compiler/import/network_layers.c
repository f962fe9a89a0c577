/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network_layers.c - layers on matrices and rows: linear, embedding, norms,
 * attention, and everything element by element.
 */
#include "config.h"

#include "import/network.h"

#include <math.h>
#include <string.h>

static struct net_value done(struct net_call *c, value_id v)
{
	return net_tensor(v, c->span);
}

/* ---- matrices */

/* linear(x, name, units, bias) */
static struct net_value build_linear(struct net_call *c)
{
	const struct shape *x = net_shape(c, 0);
	int64_t in = x->rank ? x->dim[x->rank - 1] : 0, units = net_get_int(c, 2, -1);
	struct weight_request w = { .name = c->arg[1].text, .suffix = "weight", .rank = 2, .dim = { units, in },
				    .use = WEIGHT_MATRIX, .fan_in = in, .transposed = true };
	value_id op[3];
	uint32_t count = 2;
	bool flat = x->rank == 1;
	int64_t row[2] = { 1, in };

	if (!x->rank)
		return net_fail(c, 0, "a single number has no last axis to work on");
	if (net_given(c, 2) && units < 1)
		return net_fail(c, 2, "%lld units cannot be", (long long)units);
	op[0] = flat ? net_reshape(c, c->arg[0].tensor, row, 2) : c->arg[0].tensor;
	op[1] = weights_get(c, &w);
	if (op[1] == NO_ID)
		return NET_POISONED;
	units = graph_value(c->n->graph, op[1])->shape.dim[1];
	if (net_get_switch(c, 3, true)) {
		struct weight_request b = { .name = c->arg[1].text, .suffix = "bias", .rank = 1, .dim = { units },
					    .use = WEIGHT_BIAS };

		op[count++] = weights_get(c, &b);
	}
	op[0] = net_op(c, OP_matmul, op, count, NULL, 0);
	return done(c, flat ? net_reshape(c, op[0], &units, 1) : op[0]);
}

/* matmul(a, b) */
static struct net_value build_matmul(struct net_call *c)
{
	const struct shape *a = net_shape(c, 0), *b = net_shape(c, 1);
	struct shape s = *a, t = *b, both;
	struct net_value bad;

	if (a->rank < 2 || b->rank < 2)
		return net_fail(c, a->rank < 2 ? 0 : 1, "both operands need two axes or more");
	if (a->dim[a->rank - 1] != b->dim[b->rank - 2]) {
		bad = net_fail(c, MAX_ARGUMENTS, "inner sizes differ (%lld and %lld)", (long long)a->dim[a->rank - 1],
			       (long long)b->dim[b->rank - 2]);
		if (a->dim[a->rank - 1] == b->dim[b->rank - 1])
			diag_hint(c->n->diag, "Transpose the right operand with transpose(...), or fix its shape.");
		return bad;
	}
	s.rank -= 2;
	t.rank -= 2;
	if (!shape_broadcast(&s, &t, &both))
		return net_fail(c, MAX_ARGUMENTS, "the axes before the last two do not broadcast");
	return done(c, net_op(c, OP_matmul, (value_id[]){ c->arg[0].tensor, c->arg[1].tensor }, 2, NULL, 0));
}

/* embedding(ids, name, count, dim) */
static struct net_value build_embedding(struct net_call *c)
{
	struct weight_request w = { .name = c->arg[1].text, .suffix = "weight", .rank = 2,
				    .dim = { net_get_int(c, 2, -1), net_get_int(c, 3, -1) }, .use = WEIGHT_UNIT };
	struct attr a = attr_int(axis, 0);
	value_id in[2];

	if (net_dtype(c, 0) != DTYPE_I64 && net_dtype(c, 0) != DTYPE_I32)
		return net_fail(c, 0, "ids must be i64 or i32");
	for (uint32_t i = 2; i < 4; i++)
		if (net_given(c, i) && c->arg[i].integer < 1)
			return net_fail(c, i, "a size must be at least 1");
	in[0] = weights_get(c, &w);
	in[1] = c->arg[0].tensor;
	return done(c, net_op(c, OP_gather, in, 2, &a, 1));
}

/* weight(name, shape) */
static struct net_value build_weight(struct net_call *c)
{
	struct weight_request w = { .name = c->arg[0].text, .use = WEIGHT_MATRIX };
	struct shape s = { 0 };

	if (net_given(c, 1)) {
		w.rank = net_get_list(c, 1, w.dim, MAX_RANK);
		if (w.rank == UINT32_MAX)
			return NET_POISONED;
		for (uint32_t i = 0; i < w.rank; i++)
			if (w.dim[i] < 1)
				return net_fail(c, 1, "a size must be at least 1");
	} else if (weights_shape(c, w.name, NULL, &s) && s.rank <= MAX_RANK) {
		w.rank = s.rank;
		memcpy(w.dim, s.dim, sizeof s.dim);
	} else if (c->n->model->weights == DECL_WEIGHTS_RANDOM) {
		return net_fail(c, 0, "with random weights its shape must be given");
	}
	w.fan_in = w.rank >= 2 ? w.dim[w.rank - 2] : w.rank ? w.dim[0] : 1;
	return done(c, weights_get(c, &w));
}

/* ---- norms */

static value_id norm_weight(struct net_call *c, const char *suffix, const struct shape *part, bool scale)
{
	struct weight_request w = { .name = c->arg[1].text, .suffix = suffix, .rank = part->rank,
				    .use = scale ? WEIGHT_SCALE : WEIGHT_BIAS };

	memcpy(w.dim, part->dim, sizeof w.dim);
	return weights_get(c, &w);
}

/* layer_norm(x, name, eps, axis, bias), rms_norm(x, name, eps, axis) */
static struct net_value build_norm(struct net_call *c)
{
	const struct shape *x = net_shape(c, 0);
	bool rms = c->spec->op == OP_rms_norm, bias = !rms && net_get_switch(c, 4, true);
	int64_t axis = net_get_axis(c, 3, x->rank, -1);
	struct shape part = { 0 };
	struct attr a[2] = { attr_int(axis, axis), attr_float(eps, net_get_real(c, 2, rms ? 1e-6 : 1e-5)) };
	value_id in[3] = { c->arg[0].tensor };

	if (axis < 0)
		return NET_POISONED;
	for (uint32_t i = (uint32_t)axis; i < x->rank; i++)
		part.dim[part.rank++] = x->dim[i];
	in[1] = norm_weight(c, "weight", &part, true);
	if (bias && in[1] != NO_ID)
		in[2] = norm_weight(c, "bias", &part, false);
	return done(c, net_op(c, (enum op)c->spec->op, in, bias ? 3 : 2, a, 2));
}

/* ---- attention */

/* [.., S, heads * d] to [.., heads, S, d] */
static value_id split_heads(struct net_call *c, value_id x, int64_t heads)
{
	struct shape s = graph_value(c->n->graph, x)->shape;
	int64_t perm[MAX_RANK], d = s.dim[s.rank - 1] / heads;
	uint32_t r = s.rank + 1;

	if (heads == 1)
		return x;
	s.dim[r - 2] = heads;
	s.dim[r - 1] = d;
	for (uint32_t i = 0; i < r; i++)
		perm[i] = i;
	perm[r - 3] = r - 2;
	perm[r - 2] = r - 3;
	return net_transpose(c, net_reshape(c, x, s.dim, r), perm, r);
}

static value_id join_heads(struct net_call *c, value_id x, int64_t heads)
{
	struct shape s;
	int64_t perm[MAX_RANK];
	uint32_t r;

	if (x == NO_ID || heads == 1)
		return x;
	r = graph_value(c->n->graph, x)->shape.rank;
	for (uint32_t i = 0; i < r; i++)
		perm[i] = i;
	perm[r - 3] = r - 2;
	perm[r - 2] = r - 3;
	x = net_transpose(c, x, perm, r);
	if (x == NO_ID)
		return x;
	s = graph_value(c->n->graph, x)->shape;
	s.dim[r - 2] *= s.dim[r - 1];
	return net_reshape(c, x, s.dim, r - 1);
}

/* attention(q, k, v, heads, causal, scale, mask) */
static struct net_value build_attention(struct net_call *c)
{
	const struct shape *q = net_shape(c, 0), *k = net_shape(c, 1), *v = net_shape(c, 2);
	int64_t heads = net_get_int(c, 3, 1);
	struct attr a[2];
	value_id in[4];

	if (q->rank < 2 || q->rank > MAX_RANK - 1 || k->rank != q->rank || v->rank != q->rank)
		return net_fail(c, MAX_ARGUMENTS, "queries, keys and values must have the same rank of two or more");
	for (uint32_t i = 0; i < 3; i++) {
		int64_t last = net_shape(c, i)->dim[q->rank - 1];

		if (heads < 1 || last % heads)
			return net_fail(c, 3, "%lld channels cannot be split into %lld heads", (long long)last,
					(long long)heads);
	}
	if (q->dim[q->rank - 1] != k->dim[q->rank - 1])
		return net_fail(c, 1, "queries have %lld channels and keys %lld", (long long)q->dim[q->rank - 1],
				(long long)k->dim[q->rank - 1]);
	a[0] = attr_float(scale, net_get_real(c, 5, 1 / sqrt((double)(q->dim[q->rank - 1] / heads))));
	a[1] = attr_int(causal, net_get_switch(c, 4, false));
	for (uint32_t i = 0; i < 3; i++)
		in[i] = split_heads(c, c->arg[i].tensor, heads);
	in[3] = c->arg[6].tensor;
	return done(c, join_heads(c, net_op(c, OP_attention, in, net_given(c, 6) ? 4 : 3, a, 2), heads));
}

/* ---- along an axis */

/* softmax(x, axis), log_softmax */
static struct net_value build_softmax(struct net_call *c)
{
	struct attr a = attr_int(axis, net_get_axis(c, 1, net_shape(c, 0)->rank, -1));

	return a.i < 0 ? NET_POISONED : done(c, net_op(c, (enum op)c->spec->op, &c->arg[0].tensor, 1, &a, 1));
}

/* argmax(x, axis, keep) */
static struct net_value build_arg(struct net_call *c)
{
	struct attr a[2] = { attr_int(axis, net_get_axis(c, 1, net_shape(c, 0)->rank, -1)),
			     attr_int(keepdims, net_get_switch(c, 2, false)) };

	return a[0].i < 0 ? NET_POISONED : done(c, net_op(c, (enum op)c->spec->op, &c->arg[0].tensor, 1, a, 2));
}

/* sum(x, axis, keep) */
static struct net_value build_reduce(struct net_call *c)
{
	int64_t axes[MAX_RANK], rank = net_shape(c, 0)->rank;
	uint32_t count = net_get_list(c, 1, axes, MAX_RANK);
	struct attr a[2];

	if (count == UINT32_MAX)
		return NET_POISONED;
	for (uint32_t i = 0; i < count; i++) {
		if (axes[i] < -rank || axes[i] >= rank)
			return net_fail(c, 1, "there is no axis %lld in a tensor of rank %lld", (long long)axes[i],
					(long long)rank);
		axes[i] += axes[i] < 0 ? rank : 0;
		for (uint32_t k = 0; k < i; k++)
			if (axes[k] == axes[i])
				return net_fail(c, 1, "axis %lld is there twice", (long long)axes[i]);
	}
	a[0] = attr_ints(axes, axes, count);
	a[1] = attr_int(keepdims, net_get_switch(c, 2, false));
	return done(c, net_op(c, (enum op)c->spec->op, &c->arg[0].tensor, 1, a, 2));
}

/* ---- element by element */

static bool math_of(int op, double x, double *out)
{
	switch (op) {
	case OP_sqrt: *out = sqrt(x); return x >= 0;
	case OP_exp: *out = exp(x); return isfinite(*out);
	case OP_log: *out = log(x); return x > 0;
	case OP_abs: *out = fabs(x); return true;
	case OP_sin: *out = sin(x); return true;
	case OP_cos: *out = cos(x); return true;
	case OP_tanh: *out = tanh(x); return true;
	case OP_floor: *out = floor(x); return true;
	case OP_ceil: *out = ceil(x); return true;
	default: return false;
	}
}

static struct net_value build_unary(struct net_call *c)
{
	struct net_value v = { .kind = NET_REAL, .span = c->span };

	if (c->arg[0].kind == NET_TENSOR)
		return done(c, net_op(c, (enum op)c->spec->op, &c->arg[0].tensor, 1, NULL, 0));
	if (!math_of(c->spec->op, c->arg[0].real, &v.real))
		return net_fail(c, 0, "it does not work on this number");
	if ((c->spec->op == OP_floor || c->spec->op == OP_ceil || (c->spec->op == OP_abs && c->arg[0].kind == NET_INT)) &&
	    fabs(v.real) < 0x1p62)
		return net_int((int64_t)v.real, c->span);
	return v;
}

/* Settings by position after x; which attribute each is depends on the operation. */
static struct net_value build_unary_set(struct net_call *c)
{
	struct attr a[2];
	uint32_t n = 0;
	int op = c->spec->op;

	if (op == OP_clip) {
		if (net_given(c, 1))
			a[n++] = attr_float(min, c->arg[1].real);
		if (net_given(c, 2))
			a[n++] = attr_float(max, c->arg[2].real);
	} else if (op == OP_hard_sigmoid) {
		a[n++] = attr_float(alpha, net_get_real(c, 1, 1.0 / 6));
		a[n++] = attr_float(beta, net_get_real(c, 2, 0.5));
	} else {
		a[n++] = attr_float(alpha, net_get_real(c, 1, op == OP_leaky_relu ? 0.01 : 1));
	}
	return done(c, net_op(c, (enum op)op, &c->arg[0].tensor, 1, a, n));
}

static struct net_value build_binary(struct net_call *c)
{
	value_id in[2];

	for (uint32_t i = 0; i < 2; i++) {
		const struct net_value *other = &c->arg[1 - i];

		if (c->arg[i].kind == NET_TENSOR) {
			in[i] = c->arg[i].tensor;
			continue;
		}
		if (other->kind != NET_TENSOR) {
			struct net_value v = c->arg[0];

			if (c->spec->op != OP_min && c->spec->op != OP_max)
				return net_fail(c, 0, "one of its arguments must be a tensor");
			if ((c->spec->op == OP_min) == (c->arg[1].real < v.real))
				v = c->arg[1];
			return v;
		}
		in[i] = net_number(c->n, &c->arg[i], other->tensor);
	}
	return done(c, net_op(c, (enum op)c->spec->op, in, 2, NULL, 0));
}

/* where(condition, a, b) */
static struct net_value build_where(struct net_call *c)
{
	value_id in[3] = { c->arg[0].tensor };
	const struct net_value *like = c->arg[1].kind == NET_TENSOR ? &c->arg[1] : &c->arg[2];

	if (net_dtype(c, 0) != DTYPE_BOOL)
		return net_fail(c, 0, "the condition must be bool");
	if (like->kind != NET_TENSOR)
		return net_fail(c, 1, "one of its values must be a tensor");
	for (uint32_t i = 1; i < 3; i++)
		in[i] = c->arg[i].kind == NET_TENSOR ? c->arg[i].tensor : net_number(c->n, &c->arg[i], like->tensor);
	return done(c, net_op(c, OP_where, in, 3, NULL, 0));
}

#define UNARY(op) { #op, "x:v", build_unary, OP_##op }
#define UNARY_ALPHA(op) { #op, "x:t alpha:r?", build_unary_set, OP_##op }
#define BINARY(op) { #op, "a:v b:v", build_binary, OP_##op }
#define REDUCE(name, op) { #name, "x:t axis:i keep:b?", build_reduce, OP_##op }

const struct layer_spec net_layers[] = {
	{ "linear", "x:t name:s units:n? bias:b?", build_linear, 0 },
	{ "matmul", "a:t b:t", build_matmul, 0 },
	{ "embedding", "ids:t name:s count:n? dim:n?", build_embedding, 0 },
	{ "weight", "name:s shape:l?", build_weight, 0 },
	{ "layer_norm", "x:t name:s eps:r? axis:n? bias:b?", build_norm, OP_layer_norm },
	{ "rms_norm", "x:t name:s eps:r? axis:n?", build_norm, OP_rms_norm },
	{ "attention", "q:t k:t v:t heads:n? causal:b? scale:r? mask:t?", build_attention, 0 },
	{ "softmax", "x:t axis:n?", build_softmax, OP_softmax },
	{ "log_softmax", "x:t axis:n?", build_softmax, OP_log_softmax },
	{ "argmax", "x:t axis:n? keep:b?", build_arg, OP_arg_max },
	{ "argmin", "x:t axis:n? keep:b?", build_arg, OP_arg_min },
	REDUCE(sum, reduce_sum), REDUCE(mean, reduce_mean), REDUCE(reduce_max, reduce_max),
	REDUCE(reduce_min, reduce_min), REDUCE(prod, reduce_prod),
	UNARY(neg), UNARY(abs), UNARY(sign), UNARY(exp), UNARY(log), UNARY(sqrt), UNARY(rsqrt), UNARY(reciprocal),
	UNARY(floor), UNARY(ceil), UNARY(round), UNARY(sin), UNARY(cos), UNARY(tan), UNARY(asin), UNARY(acos),
	UNARY(atan), UNARY(sinh), UNARY(cosh), UNARY(asinh), UNARY(acosh), UNARY(atanh), UNARY(tanh), UNARY(erf),
	UNARY(sigmoid), UNARY(relu), UNARY(gelu), UNARY(gelu_tanh), UNARY(silu), UNARY(mish), UNARY(softplus),
	UNARY(softsign), UNARY(hard_swish), UNARY(selu), UNARY(logical_not), UNARY(is_nan), UNARY(is_inf),
	UNARY_ALPHA(leaky_relu), UNARY_ALPHA(elu), UNARY_ALPHA(celu), UNARY_ALPHA(thresholded_relu),
	{ "hard_sigmoid", "x:t alpha:r? beta:r?", build_unary_set, OP_hard_sigmoid },
	{ "clip", "x:t min:r? max:r?", build_unary_set, OP_clip },
	BINARY(max), BINARY(min), BINARY(pow), BINARY(mod), BINARY(fmod), BINARY(equal), BINARY(less),
	BINARY(less_equal), BINARY(greater), BINARY(greater_equal), BINARY(logical_and), BINARY(logical_or),
	BINARY(logical_xor),
	{ "where", "condition:t a:v b:v", build_where, 0 },
};
const uint32_t net_layer_count = sizeof net_layers / sizeof *net_layers;
