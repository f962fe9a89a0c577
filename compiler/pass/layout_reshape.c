/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout_reshape.c - exchange a reshape with the transpose before it.
 *
 * A reshape falls apart into groups: the smallest runs of input axes and of
 * output axes with the same product,
 *
 *	[2, 6, 5, 4] -> [2, 3, 2, 20]:   2 | 2    6 | 3 2    5 4 | 20.
 *
 * If the axes of each group lie side by side in the transpose's source, the
 * groups can be reshaped there one by one and the transpose then moves whole
 * groups. Where they lie side by side in another order, that order is made by
 * a transpose within the group (the shuffle of channels in shuffle networks),
 * provided that the rest still moves: else nothing would be won.
 *
 * A product with constant weights behind a flattening needs no transpose at
 * all: the rows of the weights are put in the other order.
 */
#include "config.h"

#include "pass/layout.h"

#include <string.h>

uint32_t shape_groups(const struct shape *from, const struct shape *to, struct group *group)
{
	uint32_t i = 0, j = 0, count = 0;

	while (i < from->rank || j < to->rank) {
		struct group g = { .in = i, .out = j };
		int64_t a = i < from->rank ? from->dim[i++] : 1,
			b = j < to->rank ? to->dim[j++] : 1;

		while (a != b) {
			if (a < b)
				a *= from->dim[i++];
			else
				b *= to->dim[j++];
		}
		g.in_count = i - g.in;
		g.out_count = j - g.out;
		group[count++] = g;
	}
	return count;
}

/*
 * Axes of length one do not count: the others of a group must be neighbours in
 * the source, whose axes longer than one are numbered by `number`.
 */
static bool neighbours(struct group *g, const struct layout *l, const struct shape *x,
		       const int64_t *number)
{
	int64_t low = INT64_MAX, high = -1, count = 0;

	for (uint32_t i = g->in; i < g->in + g->in_count; i++) {
		int64_t at = number[l->perm[i]];

		if (x->dim[i] == 1)
			continue;
		low = at < low ? at : low;
		high = at > high ? at : high;
		count++;
	}
	g->place = count ? low : -1;
	return !count || high - low + 1 == count;
}

static void sort_by_place(struct group *group, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) { /* a dozen at most */
		struct group g = group[i];
		uint32_t k = i;

		for (; k && group[k - 1].place > g.place; k--)
			group[k] = group[k - 1];
		group[k] = g;
	}
}

bool layout_sink_reshape(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	const struct shape x = *shape_of_value(rw->g, n->in[0]),
			   to = *shape_of_value(rw->g, n->out[0]);
	struct shape source, inner = { .rank = to.rank };
	struct group group[2 * MAX_RANK];
	int64_t number[MAX_RANK], order[MAX_RANK], perm[MAX_RANK], longer = 0;
	uint32_t count, at = 0, out = 0;
	struct layout l;
	value_id v;

	if (!layout_transposed(rw, n->in[0], &l) || shape_elements(&x) <= 0)
		return false;
	source = *shape_of_value(rw->g, l.source);
	for (uint32_t i = 0; i < source.rank; i++)
		number[i] = source.dim[i] == 1 ? -1 : longer++;
	count = shape_groups(&x, &to, group);
	for (uint32_t k = 0; k < count; k++) {
		if (!neighbours(&group[k], &l, &x, number))
			return false;
	}
	sort_by_place(group, count);
	for (uint32_t k = 0; k < count; k++) {
		for (uint32_t i = 0; i < group[k].in_count; i++)
			order[at++] = l.perm[group[k].in + i];
		for (uint32_t j = 0; j < group[k].out_count; j++) {
			perm[group[k].out + j] = out;
			inner.dim[out++] = to.dim[group[k].out + j];
		}
	}
	if (perm_moves_nothing(&inner, perm) && !perm_moves_nothing(&source, order))
		return false; /* the same transpose as before, on the other side */
	v = rewrite_transpose(rw, l.source, order, id);
	v = v == NO_ID ? NO_ID : rewrite_reshape(rw, v, &inner, id);
	return v != NO_ID && rewrite_become(rw, id, rewrite_transpose(rw, v, perm, id));
}

/* The weights' axis of length K as the axes of `part` (in the reshape's order), put in the source's
 * order. */
static value_id reorder_rows(struct rewrite *rw, node_id id, const struct shape *part,
			     const int64_t *order)
{
	const struct node *n = graph_node(rw->g, id);
	const struct shape w = *shape_of_value(rw->g, n->in[1]);
	uint32_t k = node_int(n, ATTR_trans_b, 0) ? 1 : 0; /* which axis of [K,N] or [N,K] */
	struct shape cut = { .rank = part->rank + 1 };
	int64_t perm[MAX_RANK];
	value_id v;

	cut.dim[k ? 0 : part->rank] = w.dim[1 - k];
	perm[k ? 0 : part->rank] = k ? 0 : part->rank;
	for (uint32_t i = 0; i < part->rank; i++) {
		cut.dim[i + k] = part->dim[i];
		perm[i + k] = order[i] + k;
	}
	v = rewrite_reshape(rw, n->in[1], &cut, id);
	v = v == NO_ID ? v : rewrite_transpose(rw, v, perm, id);
	return v == NO_ID ? v : rewrite_reshape(rw, v, &w, id);
}

/*
 * matmul(reshape(T(x)), w) -> matmul(reshape(x), w'), where T moves only axes
 * that the reshape joins into the one that is summed over.
 */
bool layout_flatten_matmul(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *r = rewrite_producer_op(rw, n->in[0], OP_reshape);
	struct shape x, to, source, part = { 0 };
	struct group group[2 * MAX_RANK];
	int64_t number[MAX_RANK], order[MAX_RANK], longer = 0, lead = 0;
	uint32_t count;
	struct layout l;
	value_id in[3];

	if (!r || graph_value(rw->g, n->in[1])->kind != VALUE_CONST ||
	    shape_of_value(rw->g, n->in[1])->rank != 2 || node_int(n, ATTR_trans_a, 0) ||
	    !layout_transposed(rw, r->in[0], &l))
		return false;
	x = *shape_of_value(rw->g, r->in[0]);
	to = *shape_of_value(rw->g, n->in[0]);
	source = *shape_of_value(rw->g, l.source);
	if (shape_elements(&x) <= 0)
		return false;
	for (uint32_t i = 0; i < source.rank; i++)
		number[i] = source.dim[i] == 1 ? -1 : longer++;
	count = shape_groups(&x, &to, group);
	while (count && group[count - 1].out_count == 0) /* ones at the end */
		count--;
	if (!count || group[count - 1].out_count != 1)
		return false;
	for (uint32_t i = 0; i < group[count - 1].in; i++) {
		if (x.dim[i] != 1 && number[l.perm[i]] != lead++)
			return false;
	}
	for (uint32_t i = group[count - 1].in; i < x.rank; i++) {
		if (x.dim[i] == 1)
			continue;
		order[number[l.perm[i]] - lead] = part.rank;
		part.dim[part.rank++] = x.dim[i];
	}
	if (part.rank < 2 || part.rank == MAX_RANK)
		return false;
	memcpy(in, n->in, n->in_count * sizeof *in);
	in[0] = rewrite_reshape(rw, l.source, &to, id);
	in[1] = reorder_rows(rw, id, &part, order);
	n = graph_node(rw->g, id);
	return in[0] != NO_ID && in[1] != NO_ID &&
	       rewrite_become(
		       rw, id,
		       rewrite_op(rw, OP_matmul, in, n->in_count, n->attr, n->attr_count, id));
}
