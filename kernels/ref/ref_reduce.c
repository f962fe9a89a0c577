/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_reduce.c - reductions over any set of axes, and arg_max / arg_min.
 *
 * The input's dims are sorted into kept and reduced ones; each output element
 * walks the reduced ones. Whether the reduced axes stay as ones (keepdims)
 * does not matter for the element order.
 */
#include "config.h"

#include "ref/ref_internal.h"

#include <math.h>

struct reduction {
	struct shape kept, reduced;
	int64_t kept_stride[MAX_RANK], reduced_stride[MAX_RANK];
};

static bool is_listed(const int64_t *axes, uint32_t count, uint32_t axis, uint32_t rank)
{
	for (uint32_t i = 0; i < count; i++)
		if (axes[i] == axis || axes[i] + rank == axis)
			return true;
	return false;
}

static void reduction_of(const struct ref_call *c, struct reduction *r)
{
	const struct shape *s = &c->in[0].shape;
	const struct attr *axes = ref_attr(c, ATTR_axes);
	int64_t stride[MAX_RANK];

	ref_strides(s, stride);
	r->kept.rank = r->reduced.rank = 0;
	for (uint32_t i = 0; i < s->rank; i++) {
		bool reduce = !axes || is_listed(axes->ints, axes->count, i, s->rank);
		struct shape *to = reduce ? &r->reduced : &r->kept;

		(reduce ? r->reduced_stride : r->kept_stride)[to->rank] = stride[i];
		to->dim[to->rank++] = s->dim[i];
	}
}

static double start_value(enum op op)
{
	switch (op) {
	case OP_reduce_max:
	case OP_reduce_log_sum_exp:
		return -INFINITY;
	case OP_reduce_min:
		return INFINITY;
	case OP_reduce_prod:
		return 1;
	default:
		return 0;
	}
}

/* log_sum_exp keeps (top, sum of exp(x - top)): *sum carries the second. */
static double accumulate(enum op op, double r, double x, double *sum)
{
	switch (op) {
	case OP_reduce_max:
		return x > r || isnan(x) ? x : r;
	case OP_reduce_min:
		return x < r || isnan(x) ? x : r;
	case OP_reduce_prod:
		return r * x;
	case OP_reduce_l1:
		return r + fabs(x);
	case OP_reduce_l2:
	case OP_reduce_sum_square:
		return r + x * x;
	case OP_reduce_log_sum_exp:
		if (x <= r) {
			*sum += x == r ? 1 : exp(x - r);
			return r;
		}
		*sum = (*sum != 0 ? *sum * exp(r - x) : 0) + 1;
		return x;
	default:
		return r + x;
	}
}

static double finish(enum op op, double r, double sum, int64_t count)
{
	switch (op) {
	case OP_reduce_mean:
		return r / (double)count;
	case OP_reduce_l2:
		return sqrt(r);
	case OP_reduce_log_sum:
		return log(r);
	case OP_reduce_log_sum_exp:
		return isinf(r) ? r : r + log(sum);
	default:
		return r;
	}
}

static double reduce_float(const struct ref_call *c, const struct reduction *r, int64_t from)
{
	int64_t index[MAX_RANK] = { 0 }, count = shape_elements(&r->reduced);
	double value = start_value(c->op), sum = 0;

	if (count > 0)
		do {
			double x = ref_get(&c->in[0], from + ref_offset(index, r->reduced_stride, r->reduced.rank));

			value = accumulate(c->op, value, x, &sum);
		} while (ref_next(&r->reduced, index));
	return finish(c->op, value, sum, count);
}

static bool reduce_int(const struct ref_call *c, const struct reduction *r, int64_t from, int64_t *out)
{
	int64_t index[MAX_RANK] = { 0 }, count = shape_elements(&r->reduced), value = c->op == OP_reduce_prod;
	bool first = true;

	if (count > 0)
		do {
			int64_t x = ref_get_int(&c->in[0], from + ref_offset(index, r->reduced_stride, r->reduced.rank));

			switch (c->op) {
			case OP_reduce_sum:
			case OP_reduce_mean:
				value = (int64_t)((uint64_t)value + (uint64_t)x);
				break;
			case OP_reduce_prod:
				value = (int64_t)((uint64_t)value * (uint64_t)x);
				break;
			case OP_reduce_max:
				value = first || x > value ? x : value;
				break;
			case OP_reduce_min:
				value = first || x < value ? x : value;
				break;
			case OP_reduce_l1:
				value = (int64_t)((uint64_t)value + (x < 0 ? 0 - (uint64_t)x : (uint64_t)x));
				break;
			case OP_reduce_sum_square:
				value = (int64_t)((uint64_t)value + (uint64_t)x * (uint64_t)x);
				break;
			default:
				return false;
			}
			first = false;
		} while (ref_next(&r->reduced, index));
	*out = c->op == OP_reduce_mean && count ? value / count : value;
	return true;
}

bool ref_reduce(const struct ref_call *c)
{
	int64_t index[MAX_RANK] = { 0 }, at = 0;
	struct reduction r;

	reduction_of(c, &r);
	if (shape_elements(&r.kept) != shape_elements(&c->out[0].shape))
		return false;
	if (shape_elements(&r.kept) == 0)
		return true;
	do {
		int64_t from = ref_offset(index, r.kept_stride, r.kept.rank), whole;

		if (dtype_is_float(c->in[0].dtype))
			ref_set(&c->out[0], at++, reduce_float(c, &r, from));
		else if (reduce_int(c, &r, from, &whole))
			ref_set_int(&c->out[0], at++, whole);
		else
			return false;
	} while (ref_next(&r.kept, index));
	return true;
}

/* Whether element i is better than element j. */
static bool better(const struct ref_tensor *t, int64_t i, int64_t j, bool max, bool or_equal)
{
	if (dtype_is_float(t->dtype)) {
		double x = ref_get(t, i), y = ref_get(t, j);

		return (max ? x > y : x < y) || (or_equal && x == y);
	}
	if (max)
		return ref_get_int(t, i) > ref_get_int(t, j) || (or_equal && ref_get_int(t, i) == ref_get_int(t, j));
	return ref_get_int(t, i) < ref_get_int(t, j) || (or_equal && ref_get_int(t, i) == ref_get_int(t, j));
}

bool ref_arg(const struct ref_call *c)
{
	const struct shape *s = &c->in[0].shape;
	bool last = ref_int(c, ATTR_select_last, 0) != 0;
	int64_t outer, inner, n;
	uint32_t axis;

	if (!ref_axis(ref_int(c, ATTR_axis, 0), s->rank, &axis))
		return false;
	outer = ref_product(s, 0, axis);
	n = s->dim[axis];
	inner = ref_product(s, axis + 1, s->rank);
	if (shape_elements(&c->out[0].shape) != outer * inner)
		return false;
	for (int64_t o = 0; o < outer; o++)
		for (int64_t i = 0; i < inner; i++) {
			int64_t best = 0, from = o * n * inner + i;

			for (int64_t k = 1; k < n; k++)
				if (better(&c->in[0], from + k * inner, from + best * inner,
					   c->op == OP_arg_max, last))
					best = k;
			ref_set_int(&c->out[0], o * inner + i, best);
		}
	return true;
}
