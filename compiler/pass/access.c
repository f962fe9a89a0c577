/* SPDX-License-Identifier: Apache-2.0 */
/* access.c - composing index functions; see access.h. */
#include "config.h"

#include "pass/access.h"

static void axis_set(struct access *a, uint32_t axis, int64_t offset, int64_t times, int64_t from)
{
	a->offset[axis] = offset;
	a->times[axis] = times;
	a->from[axis] = from;
}

struct access access_identity(const struct shape *s)
{
	struct access a = { 0 };

	for (uint32_t i = 0; i < s->rank; i++)
		axis_set(&a, i, 0, s->dim[i] == 1 ? 0 : 1, s->dim[i] == 1 ? -1 : (int64_t)i);
	return a;
}

struct access access_broadcast(const struct access *out, const struct shape *out_shape,
			       const struct shape *in)
{
	struct access a = { 0 };
	uint32_t skip = out_shape->rank - in->rank;

	for (uint32_t i = 0; i < in->rank; i++) {
		if (in->dim[i] == 1)
			axis_set(&a, i, 0, 0, -1);
		else
			axis_set(&a, i, out->offset[i + skip], out->times[i + skip],
				 out->from[i + skip]);
	}
	return a;
}

/* Only axes of length one come and go. */
static bool through_reshape(const struct shape *in, const struct shape *out, const struct access *o,
			    struct access *a)
{
	uint32_t j = 0;

	for (uint32_t i = 0; i < in->rank; i++) {
		if (in->dim[i] == 1) {
			axis_set(a, i, 0, 0, -1);
			continue;
		}
		while (j < out->rank && out->dim[j] == 1)
			j++;
		if (j == out->rank || out->dim[j] != in->dim[i])
			return false;
		axis_set(a, i, o->offset[j], o->times[j], o->from[j]);
		j++;
	}
	while (j < out->rank && out->dim[j] == 1)
		j++;
	return j == out->rank;
}

bool access_through(const struct graph *g, const struct node *n, const struct access *out,
		    struct access *in)
{
	const struct shape *x = &graph_value(g, n->in[0])->shape,
			   *y = &graph_value(g, n->out[0])->shape;
	const int64_t *perm, *start, *step;

	*in = (struct access){ 0 };
	switch (n->op) {
	case OP_transpose:
		perm = node_ints(n, ATTR_perm, NULL);
		for (uint32_t i = 0; i < y->rank; i++)
			axis_set(in, (uint32_t)perm[i], out->offset[i], out->times[i],
				 out->from[i]);
		return true;
	case OP_slice:
		start = node_ints(n, ATTR_starts, NULL);
		step = node_ints(n, ATTR_steps, NULL);
		for (uint32_t i = 0; i < y->rank; i++)
			axis_set(in, i, start[i] + step[i] * out->offset[i],
				 step[i] * out->times[i], out->from[i]);
		return true;
	case OP_expand:
		*in = access_broadcast(out, y, x);
		return true;
	case OP_reshape:
		return through_reshape(x, y, out, in);
	default:
		return false;
	}
}

bool access_equal(const struct access *a, const struct access *b, uint32_t rank)
{
	for (uint32_t i = 0; i < rank; i++) {
		if (a->offset[i] != b->offset[i] || a->times[i] != b->times[i] ||
		    a->from[i] != b->from[i])
			return false;
	}
	return true;
}

bool access_is_plain(const struct access *a, const struct shape *operand,
		     const struct shape *result)
{
	if (operand->rank > result->rank)
		return false;
	for (uint32_t i = 0; i < operand->rank; i++) {
		if (operand->dim[i] != 1 &&
		    (a->offset[i] || a->times[i] != 1 ||
		     a->from[i] != (int64_t)(i + result->rank - operand->rank) ||
		     operand->dim[i] != result->dim[a->from[i]]))
			return false;
	}
	return true;
}

struct view access_view(const struct access *a, const struct shape *operand)
{
	struct view v = { 0 };
	int64_t dense = 1;

	for (uint32_t i = operand->rank; i-- > 0; dense *= operand->dim[i]) {
		v.offset += a->offset[i] * dense;
		if (a->from[i] >= 0)
			v.stride[a->from[i]] += a->times[i] * dense;
	}
	return v;
}
