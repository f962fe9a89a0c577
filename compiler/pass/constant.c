/* SPDX-License-Identifier: Apache-2.0 */
/*
 * constant.c - changed constants that stay recipes.
 *
 * A weight of a gigabyte can be transposed, reshaped and scaled without
 * reading it: only its recipe changes, and the elements are made when the plan
 * is written.
 */
#include "config.h"

#include "ir/block.h"
#include "pass/rewrite.h"

#include <stdlib.h>

bool perm_moves_nothing(const struct shape *s, const int64_t *perm)
{
	int64_t last = -1;

	for (uint32_t i = 0; i < s->rank; i++) {
		if (s->dim[perm[i]] == 1)
			continue;
		if (perm[i] < last)
			return false;
		last = perm[i];
	}
	return true;
}

static value_id derived(struct graph *g, value_id v, const struct shape *s, struct data d)
{
	const struct value x = *graph_value(g, v);
	value_id id = graph_add_const(g, x.name, x.dtype, *s, d);

	graph_value(g, id)->span = x.span;
	return id;
}

static int64_t inner_size(const struct shape *s, uint32_t axis)
{
	int64_t n = 1;

	for (uint32_t i = axis + 1; i < s->rank; i++)
		n *= s->dim[i];
	return n;
}

static bool is_uniform(const float *list, int64_t n)
{
	for (int64_t i = 1; i < n; i++) {
		if (list[i] != list[0])
			return false;
	}
	return n > 0;
}

/* The same factor for all elements, spelt along the shortest axis of another shape. */
static void spread(struct graph *g, struct data *d, const struct shape *to)
{
	float factor = d->scale[0], *list;
	uint32_t axis = 0;

	for (uint32_t i = 1; i < to->rank; i++) {
		if (to->dim[i] < to->dim[axis])
			axis = i;
	}
	list = arena_new_array(g->arena, float, (size_t)to->dim[axis]);
	for (int64_t i = 0; i < to->dim[axis]; i++)
		list[i] = factor;
	d->scale = list;
	d->scale_axis = axis;
}

value_id constant_reshape(struct graph *g, value_id v, const struct shape *to)
{
	const struct value *x = graph_value(g, v);
	struct data d = *x->data;

	if (d.scale) { /* the axis must still be there: same length, same stride */
		uint32_t axis = 0;

		while (axis < to->rank &&
		       (to->dim[axis] != x->shape.dim[d.scale_axis] ||
			inner_size(to, axis) != inner_size(&x->shape, d.scale_axis)))
			axis++;
		if (axis < to->rank)
			d.scale_axis = axis;
		else if (to->rank && is_uniform(d.scale, x->shape.dim[d.scale_axis]))
			spread(g, &d, to);
		else
			return NO_ID;
	}
	return derived(g, v, to, d);
}

/*
 * The recipe permutes source_shape. If the value was reshaped since, the source
 * can be seen in the value's shape as long as it has not been permuted yet;
 * else every axis of the permuted source must be cut at the value's axes, which
 * is done where the value's axes are a refinement of the permuted ones.
 */
static bool see_source_as(struct data *d, const struct shape *value)
{
	struct shape permuted = { .rank = d->source_shape.rank }, source = { 0 };
	uint32_t first[MAX_RANK], count[MAX_RANK], at = 0, out = 0;

	if (!d->perm_set) {
		d->source_shape = *value;
		d->perm_set = true;
		for (uint32_t i = 0; i < value->rank; i++)
			d->perm[i] = (uint8_t)i;
		return true;
	}
	for (uint32_t i = 0; i < permuted.rank; i++)
		permuted.dim[i] = d->source_shape.dim[d->perm[i]];
	if (shape_equal(&permuted, value))
		return true;
	for (uint32_t i = 0; i < permuted.rank; i++) { /* axis i becomes count[i] axes */
		int64_t n = 1;

		first[i] = at;
		while (at < value->rank && (n < permuted.dim[i] || value->dim[at] == 1))
			n *= value->dim[at++];
		count[i] = at - first[i];
		if (n != permuted.dim[i])
			return false;
	}
	if (at != value->rank)
		return false;
	for (uint32_t s = 0; s < permuted.rank; s++) { /* in source order */
		uint32_t i = 0;

		while (d->perm[i] != s)
			i++;
		for (uint32_t k = 0; k < count[i]; k++)
			source.dim[source.rank++] = value->dim[first[i] + k];
	}
	{
		uint8_t perm[MAX_RANK];
		uint32_t start[MAX_RANK], sum = 0;

		for (uint32_t s = 0; s < permuted.rank; s++) {
			uint32_t i = 0;

			while (d->perm[i] != s)
				i++;
			start[s] = sum;
			sum += count[i];
		}
		for (uint32_t i = 0; i < permuted.rank; i++) {
			for (uint32_t k = 0; k < count[i]; k++)
				perm[out++] = (uint8_t)(start[d->perm[i]] + k);
		}
		for (uint32_t i = 0; i < out; i++)
			d->perm[i] = perm[i];
	}
	d->source_shape = source;
	return true;
}

value_id constant_transpose(struct graph *g, value_id v, const int64_t *perm)
{
	const struct value *x = graph_value(g, v);
	struct data d = *x->data;
	struct shape to = { .rank = x->shape.rank };
	uint8_t both[MAX_RANK];
	bool same = true;

	if (!see_source_as(&d, &x->shape) ||
	    (dtype_is_block(d.source_dtype) && data_row(&d) != data_row(x->data))) /* rows are rows of blocks */
		return NO_ID;
	for (uint32_t i = 0; i < to.rank; i++) {
		to.dim[i] = x->shape.dim[perm[i]];
		both[i] = d.perm[perm[i]];
		same &= both[i] == i;
	}
	for (uint32_t i = 0; i < to.rank; i++) {
		if (d.scale && perm[i] == x->data->scale_axis)
			d.scale_axis = i;
		d.perm[i] = both[i];
	}
	d.perm_set = !same;
	return derived(g, v, &to, d);
}

value_id constant_scale(struct graph *g, value_id v, uint32_t axis, const float *scale)
{
	const struct value *x = graph_value(g, v);
	struct data d = *x->data;
	int64_t n;
	float *copy;

	if (x->dtype != DTYPE_F32 || axis >= x->shape.rank)
		return NO_ID;
	n = x->shape.dim[axis];
	if (d.scale && d.scale_axis != axis) {
		if (!is_uniform(scale, n)) /* two axes: one of them may be uniform */
			return NO_ID;
		axis = d.scale_axis;
		copy = arena_new_array(g->arena, float, (size_t)x->shape.dim[axis]);
		for (int64_t i = 0; i < x->shape.dim[axis]; i++)
			copy[i] = n ? d.scale[i] * scale[0] : d.scale[i];
	} else {
		copy = arena_new_array(g->arena, float, (size_t)n);
		for (int64_t i = 0; i < n; i++)
			copy[i] = d.scale ? d.scale[i] * scale[i] : scale[i];
	}
	d.scale = copy;
	d.scale_axis = axis;
	return derived(g, v, &x->shape, d);
}

