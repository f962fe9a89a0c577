/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplify_heavy.c - what stands before dense arithmetic and can be part of it:
 * zero padding, transposed operands, scalar factors; and attention that was
 * spelt out, where the table of scores would be large beside what it is made of.
 */
#include "config.h"

#include "ir/fused.h"
#include "pass/simplify.h"

#include <string.h>

/* The node again, with other inputs and one attribute changed. */
static value_id changed(struct rewrite *rw, node_id id, const value_id *in, uint32_t count,
			struct attr a)
{
	const struct node *n = graph_node(rw->g, id);
	struct attr *attr = arena_new_array(&rw->tmp, struct attr, n->attr_count + 1);
	uint32_t attrs = 0;

	for (uint32_t i = 0; i < n->attr_count; i++) {
		if (n->attr[i].key != a.key)
			attr[attrs++] = n->attr[i];
	}
	attr[attrs++] = a;
	return rewrite_op(rw, n->op, in, count, attr, attrs, id);
}

/* A window that reaches beyond the padded input would count differently. */
static bool windows_fit(const struct node *n, const struct shape *x, const struct shape *out)
{
	const int64_t *k = node_ints(n, ATTR_kernel, NULL), *s = node_ints(n, ATTR_strides, NULL);
	const int64_t *d = node_ints(n, ATTR_dilations, NULL);

	for (uint32_t i = 0; i + 2 < x->rank; i++) {
		if ((out->dim[i + 1] - 1) * s[i] + d[i] * (k[i] - 1) + 1 > x->dim[i + 1])
			return false;
	}
	return true;
}

/* pad -> conv, avg_pool: the window's own padding, where zeros stand in both */
static bool absorb_pad(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[0], OP_pad);
	const struct shape *x = shape_of_value(rw->g, n->in[0]);
	const int64_t *pads = node_ints(n, ATTR_pads, NULL), *outer;
	uint32_t spatial = x->rank - 2;
	int64_t sum[2 * MAX_RANK];
	value_id in[3];

	if (!p || node_int(p, ATTR_mode, 0) != PAD_CONSTANT || node_float(p, ATTR_value, 0) != 0)
		return false;
	outer = node_ints(p, ATTR_pads, NULL);
	if (outer[0] || outer[x->rank - 1] || outer[x->rank] || outer[2 * x->rank - 1])
		return false;
	for (uint32_t i = 0; i < spatial; i++) {
		if (outer[i + 1] < 0 || outer[i + 1 + x->rank] < 0)
			return false;
		sum[i] = pads[i] + outer[i + 1];
		sum[i + spatial] = pads[i + spatial] + outer[i + 1 + x->rank];
		if (n->op == OP_avg_pool && (pads[i] || pads[i + spatial]) &&
		    !node_int(n, ATTR_count_include_pad, 0))
			return false;
	}
	memcpy(in, n->in, n->in_count * sizeof *in);
	in[0] = p->in[0];
	if (n->op == OP_avg_pool) {
		value_id v;

		if (!windows_fit(n, x, shape_of_value(rw->g, n->out[0])))
			return false;
		v = changed(rw, id, in, 1, attr_ints(pads, sum, 2 * spatial));
		if (v == NO_ID)
			return false;
		node_set_attr(rw->g, rewrite_producer(rw, v), attr_int(count_include_pad, 1));
		return rewrite_become(rw, id, v);
	}
	return rewrite_become(rw, id,
			      changed(rw, id, in, n->in_count, attr_ints(pads, sum, 2 * spatial)));
}

/*
 * An operand that was transposed: where that swaps the last two axes it is the
 * operation's own flag; where it moves more, the swap is taken out if then the
 * last axis stays where it was, which makes the rest cheap.
 */
static bool absorb_transpose(struct rewrite *rw, node_id id, uint32_t k)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[k], OP_transpose);
	uint32_t rank = shape_of_value(rw->g, n->in[k])->rank;
	struct attr flag = k ? attr_int(trans_b, !node_int(n, ATTR_trans_b, 0))
			     : attr_int(trans_a, !node_int(n, ATTR_trans_a, 0));
	int64_t perm[MAX_RANK];
	value_id in[3];

	if (!p)
		return false;
	memcpy(perm, node_ints(p, ATTR_perm, NULL), rank * sizeof *perm);
	if (perm[rank - 2] != rank - 1)
		return false;
	perm[rank - 2] = perm[rank - 1];
	perm[rank - 1] = rank - 1;
	memcpy(in, n->in, n->in_count * sizeof *in);
	in[k] = rewrite_transpose(rw, p->in[0], perm, id);
	if (in[k] == NO_ID)
		return false;
	return rewrite_become(rw, id, changed(rw, id, in, graph_node(rw->g, id)->in_count, flag));
}

/* (s a) b, a (s b) -> alpha; and s (a b) where nothing was added yet */
static bool absorb_scale(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	double s, alpha = node_float(n, ATTR_alpha, 1);

	for (uint32_t k = 0; k < 2; k++) {
		value_id in[3], x;

		/* not into a weight: that would be one multiplication more, not less */
		if (!simplify_with_scalar(rw, n->in[k], OP_mul, &x, &s) ||
		    rewrite_uses(rw, n->in[k]) != 1)
			continue;
		memcpy(in, n->in, n->in_count * sizeof *in);
		in[k] = x;
		return rewrite_become(
			rw, id, changed(rw, id, in, n->in_count, attr_float(alpha, alpha * s)));
	}
	return false;
}

/* A product, or one times a scalar. */
static bool scaled_product(struct rewrite *rw, value_id v)
{
	double x;

	simplify_with_scalar(rw, v, OP_mul, &v, &x);
	return rewrite_producer_op(rw, v, OP_matmul) != NULL;
}

struct mask_table {
	bool causal;
	float *term; /* to be added to the scores; NULL: there is no mask */
	struct shape shape;
};

/*
 * where(keep, scores, very little) with a constant table of rows and columns:
 * every query up to itself is `causal`, anything else a table of terms to add.
 * A query that sees nothing would get the mean of all values; it is left alone.
 */
static bool kept_scores(struct rewrite *rw, value_id *scores, struct mask_table *out)
{
	const struct node *n = rewrite_producer_op(rw, *scores, OP_where);
	const struct shape *s = shape_of_value(rw->g, *scores), *keep;
	struct shape table = { .rank = 2 };
	unsigned char *see;
	double low;

	if (!n || rewrite_uses(rw, *scores) != 1 || s->rank < 2 || !rewrite_scalar(rw, n->in[2], &low) ||
	    low > -1e4 || graph_value(rw->g, n->in[0])->kind != VALUE_CONST ||
	    !shape_equal(shape_of_value(rw->g, n->in[1]), s))
		return false;
	keep = shape_of_value(rw->g, n->in[0]);
	table.dim[0] = s->dim[s->rank - 2];
	table.dim[1] = s->dim[s->rank - 1];
	if (keep->rank < 2 || keep->dim[keep->rank - 2] != table.dim[0] ||
	    keep->dim[keep->rank - 1] != table.dim[1] || shape_elements(keep) != shape_elements(&table))
		return false;
	see = arena_new_array(&rw->tmp, unsigned char, (size_t)shape_elements(&table));
	out->term = arena_new_array(&rw->tmp, float, (size_t)shape_elements(&table));
	if (!data_read(rw->g, n->in[0], see, rw->d))
		return false;
	out->causal = table.dim[0] == table.dim[1];
	for (int64_t i = 0, at = 0; i < table.dim[0]; i++) {
		int64_t seen = 0;

		for (int64_t k = 0; k < table.dim[1]; k++, at++) {
			seen += see[at] != 0;
			out->term[at] = see[at] ? 0 : (float)low;
			out->causal &= (see[at] != 0) == (k <= i);
		}
		if (!seen)
			return false;
	}
	out->shape = table;
	*scores = n->in[1];
	return true;
}

/* matmul(softmax(matmul(q, k^T) [* scale] [+ mask, or where(keep, .., little)]), v) */
static bool spelt_attention(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *s, *add, *qk;
	value_id in[4], scores;
	const struct shape *q, *k, *v;
	uint32_t count = 3;
	double scale = 1, factor;
	struct mask_table mask = { .causal = false };

	if (n->in_count != 2 || node_int(n, ATTR_trans_a, 0) || node_int(n, ATTR_trans_b, 0) ||
	    node_float(n, ATTR_alpha, 1) != 1)
		return false;
	s = rewrite_producer_op(rw, n->in[0], OP_softmax);
	if (!s || node_int(s, ATTR_axis, 0) + 1 != shape_of_value(rw->g, n->in[0])->rank ||
	    rewrite_uses(rw, n->in[0]) != 1)
		return false;
	scores = s->in[0];
	add = rewrite_producer_op(rw, scores, OP_add);
	if (add && rewrite_uses(rw, scores) == 1) {
		uint32_t side = scaled_product(rw, add->in[0]) ? 0 : 1;

		in[3] = add->in[1 - side];
		scores = add->in[side];
		count = 4;
	} else {
		kept_scores(rw, &scores, &mask);
	}
	if (rewrite_uses(rw, scores) == 1 &&
	    simplify_with_scalar(rw, scores, OP_mul, &scores, &factor))
		scale = factor;
	qk = rewrite_producer_op(rw, scores, OP_matmul);
	if (!qk || qk->in_count != 2 || rewrite_uses(rw, scores) != 1 ||
	    node_int(qk, ATTR_trans_a, 0) || !node_int(qk, ATTR_trans_b, 0))
		return false;
	in[0] = qk->in[0];
	in[1] = qk->in[1];
	in[2] = n->in[1];
	q = shape_of_value(rw->g, in[0]);
	k = shape_of_value(rw->g, in[1]);
	v = shape_of_value(rw->g, in[2]);
	if (q->dim[q->rank - 2] < ATTENTION_LANES && 3 * shape_elements(shape_of_value(rw->g, scores)) <=
							    2 * shape_elements(q) + shape_elements(k) + shape_elements(v))
		return false; /* few scores: products that turn nothing, and a softmax, are as fast */
	if (mask.term && !mask.causal) {
		in[3] = graph_add_const_bytes(rw->g, DTYPE_F32, mask.shape, mask.term);
		rewrite_track(rw);
		count = 4;
	}
	return rewrite_become(rw, id,
			      rewrite_op(rw, OP_attention, in, count,
					 (struct attr[]){ attr_float(scale, scale * node_float(qk, ATTR_alpha, 1)),
							  attr_int(causal, mask.causal) },
					 2, id));
}

bool simplify_heavy(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);

	switch (n->op) {
	case OP_conv:
	case OP_avg_pool:
		return absorb_pad(rw, id);
	case OP_matmul:
		return absorb_transpose(rw, id, 0) || absorb_transpose(rw, id, 1) ||
		       absorb_scale(rw, id) || spelt_attention(rw, id);
	default:
		return false;
	}
}
