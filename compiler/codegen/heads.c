/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heads.c - where attention reads and writes the rows of its heads.
 *
 * Networks make queries, keys and values of all heads in one product, or three,
 * with the heads side by side in a row, and want the result like that. What turns
 * it into head after head, and back, moves every element and computes nothing. The
 * kernels of attention need only rows that are dense: they take them, however
 * far apart, from where the product left them, and the moves are not made. Nor are they for
 * scores that something else than attention is done with: the products by themselves read rows so, too.
 */
#include "config.h"

#include "codegen/heads.h"

/* Element l of row r of batch b is of[at + b / heads * outer + b % heads * head + r * row + l]. */
static bool heads_of_strides(const struct shape *s, int64_t at, const int64_t *stride, struct heads_at *h)
{
	uint32_t r = s->rank;
	int64_t last = at;

	if (r < 2 || (stride[r - 1] != 1 && s->dim[r - 1] != 1))
		return false;
	for (uint32_t i = 0; i + 4 < r; i++)
		if (s->dim[i] != 1)
			return false;
	for (uint32_t i = 0; i < r; i++) {
		if (stride[i] < 0 || s->dim[i] < 1)
			return false;
		last += stride[i] * (s->dim[i] - 1);
	}
	if (at < 0 || last > INT32_MAX)
		return false;
	h->at = at;
	h->row = stride[r - 2];
	h->head = r > 2 ? stride[r - 3] : 0;
	h->outer = r > 3 ? stride[r - 4] : 0;
	return h->row <= INT32_MAX && h->head <= INT32_MAX && h->outer <= INT32_MAX;
}

static void dense_strides(const struct shape *s, int64_t *stride)
{
	int64_t n = 1;

	for (uint32_t i = s->rank; i-- > 0; n *= s->dim[i])
		stride[i] = n;
}

struct heads_at heads_dense(const struct codegen *c, value_id v)
{
	const struct shape *s = value_shape(c, v);
	int64_t row = s->dim[s->rank - 1], head = s->dim[s->rank - 2] * row;

	return (struct heads_at){ .of = v, .row = row, .head = head, .outer = s->rank > 2 ? s->dim[s->rank - 3] * head : 0 };
}

/* What a move of whole elements, and nothing else, reads for each of its output's. */
static bool moved(const struct codegen *c, const struct node *n, int64_t *at, int64_t *stride)
{
	const struct shape *x = value_shape(c, n->in[0]), *out = value_shape(c, n->out[0]);
	int64_t dense[MAX_RANK];
	const int64_t *perm;

	*at = 0;
	if (n->in_count != 1 || value_is_const(c, n->in[0]) || graph_value(c->g, n->in[0])->dtype != DTYPE_F32)
		return false;
	if (n->op == OP_map && n->epilogue_count == 1 && n->epilogue[0].op == OP_identity && n->view && n->view[0]) {
		*at = n->view[0]->offset;
		for (uint32_t i = 0; i < out->rank; i++)
			stride[i] = n->view[0]->stride[i];
		return true;
	}
	if (n->op != OP_transpose || n->epilogue_count)
		return false;
	perm = node_ints(n, ATTR_perm, NULL);
	dense_strides(x, dense);
	for (uint32_t i = 0; i < out->rank; i++)
		stride[i] = dense[perm[i]];
	return true;
}

bool heads_operand(const struct codegen *c, const uint32_t *uses, value_id v, struct heads_at *h)
{
	const struct node *by;
	int64_t at, stride[MAX_RANK];

	if (uses[v] != 1 || graph_value(c->g, v)->kind != VALUE_NODE || graph_value(c->g, v)->dtype != DTYPE_F32)
		return false;
	by = graph_node(c->g, graph_value(c->g, v)->producer);
	h->of = by->in_count ? by->in[0] : NO_ID;
	return moved(c, by, &at, stride) && heads_of_strides(value_shape(c, v), at, stride, h);
}

/* The only reader of v, or NO_ID. */
static node_id reader(const struct codegen *c, value_id v, node_id after)
{
	for (node_id i = after + 1; i < c->g->nodes.len; i++) {
		const struct node *n = graph_node(c->g, i);

		for (uint32_t k = 0; !n->dead && k < n->in_count; k++)
			if (n->in[k] == v)
				return i;
	}
	return NO_ID;
}

value_id heads_result(const struct codegen *c, const uint32_t *uses, node_id id)
{
	const struct node *n = graph_node(c->g, id), *by;
	uint32_t r = value_shape(c, n->out[0])->rank;
	const int64_t *perm;
	node_id next;

	if (n->epilogue_count || uses[n->out[0]] != 1 || r < 3 || r > 4)
		return NO_ID;
	next = reader(c, n->out[0], id);
	if (next == NO_ID)
		return NO_ID;
	by = graph_node(c->g, next);
	if (by->op != OP_transpose || by->epilogue_count)
		return NO_ID;
	perm = node_ints(by, ATTR_perm, NULL);
	for (uint32_t i = 0; i < r; i++)
		if (perm[i] != (i == r - 3 ? r - 2 : i == r - 2 ? r - 3 : i))
			return NO_ID;
	return by->out[0];
}
