/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - which values are the bytes of others.
 *
 * A reshape is its input's bytes. The input of a concat is a part of its
 * output, if nothing else reads it and its kernel can write rows that lie
 * apart: then it is computed where it belongs and nothing is copied. And a slice
 * that only a product over rows of matmul.cl reads is not made at all, because
 * that kernel reads its rows element by element anyway; nor is what only turns
 * the image that a convolution of few channels reads (conv_few.cl), nor what only
 * puts heads of an attention, or of a product of two activations, one after the other,
 * or back side by side (heads.c).
 */
#include "config.h"

#include "codegen/heads.h"

/*
 * The whole output exists from its first part on: so only of parts that are
 * made shortly before, or where that is little.
 */
enum { MAX_SPAN = 16, SMALL_SHARE = 8 };

struct placing {
	struct codegen *c;
	const uint32_t *uses;
	int64_t largest; /* elements of the largest value */
};

/* A reshape of something in memory shares its bytes. */
bool codegen_is_alias(const struct codegen *c, const struct node *n)
{
	return n->op == OP_reshape && !n->epilogue_count && !value_is_const(c, n->in[0]);
}

/* What v is a reshape of, as long as nothing but the next reshape, or v's one user, reads it; NO_ID. */
static value_id only_source(const struct placing *p, value_id v)
{
	const struct graph *g = p->c->g;

	while (p->uses[v] == 1 && graph_value(g, v)->kind == VALUE_NODE) {
		const struct node *n = graph_node(g, graph_value(g, v)->producer);

		if (!codegen_is_alias(p->c, n))
			return v;
		v = n->in[0];
	}
	return NO_ID;
}

/* Elements of the output that lie together: a part of each input. */
static int64_t concat_row(const struct codegen *c, const struct node *n)
{
	const struct shape *out = value_shape(c, n->out[0]);
	int64_t row = 1;

	for (uint32_t i = (uint32_t)node_int(n, ATTR_axis, 0); i < out->rank; i++)
		row *= out->dim[i];
	return row;
}

/* Whether the kernel of n, rendered for rows of `part` elements, writes each of them by itself. */
static bool writes_rows(const struct codegen *c, const struct node *n, int64_t part)
{
	const struct shape *s = value_shape(c, n->out[0]);

	switch (n->op) {
	case OP_conv: case OP_conv_transpose: case OP_conv_image: case OP_matmul: case OP_max_pool: case OP_avg_pool:
		return s->rank && s->dim[s->rank - 1] == part;
	case OP_slice: case OP_transpose:
		return move_has_rows(c, n, part);
	case OP_concat:
		return !n->epilogue_count && concat_row(c, n) == part;
	default: /* a map goes over dims of one as if they were not there */
		return (n->op == OP_map || op_is_elementwise(n->op)) && part > 1 && s->rank && s->dim[s->rank - 1] == part;
	}
}

static void place_part(const struct placing *p, node_id concat, value_id v, struct place at)
{
	struct codegen *c = p->c;
	const struct node *n = graph_node(c->g, concat);
	value_id source = only_source(p, v), root = c->ks->alias[n->out[0]];
	const struct place *outer = &c->place[n->out[0]];
	const struct node *by;

	if (source == NO_ID || c->unmade[source])
		return;
	by = graph_node(c->g, graph_value(c->g, source)->producer);
	if (by->out_count != 1 || node_is_lookup(c->g, by))
		return;
	if (concat - graph_value(c->g, source)->producer > MAX_SPAN &&
	    value_elements(c, root) > p->largest / SMALL_SHARE)
		return;
	if (outer->part && outer->part != outer->stride) { /* rows of rows */
		if (at.stride != outer->part)
			return;
		at.stride = outer->stride;
	}
	at.at += outer->at;
	if (at.part != at.stride && !writes_rows(c, by, at.part))
		return;
	c->place[source] = at;
	for (uint32_t i = 0; i < c->g->values.len; i++)
		if (c->ks->alias[i] == source)
			c->ks->alias[i] = root;
}

static void place_concat(const struct placing *p, node_id id)
{
	struct codegen *c = p->c;
	const struct node *n = graph_node(c->g, id);
	const struct shape *out = value_shape(c, n->out[0]);
	int64_t row = concat_row(c, n), outer = row ? shape_elements(out) / row : 0, at = 0;

	for (uint32_t k = 0; k < n->in_count; k++) {
		int64_t part = value_elements(c, n->in[k]) / (outer ? outer : 1);

		if (part)
			place_part(p, id, n->in[k], (struct place){ .at = at, .part = part, .stride = outer == 1 ? part : row });
		at += part;
	}
}

/* v is not made; who reads it finds it in the memory of `of`. */
static void do_without(struct codegen *c, value_id v, value_id of)
{
	c->unmade[v] = true;
	for (uint32_t i = 0; i < c->g->values.len; i++)
		if (c->ks->alias[i] == v)
			c->ks->alias[i] = c->ks->alias[of];
}

/* A product over rows reads a slice of its last dim, or every other element of it, where it is. */
static void find_slice(const struct placing *p, node_id id)
{
	struct codegen *c = p->c;
	const struct node *n = graph_node(c->g, id), *slice;
	value_id source;
	struct rows_at rows;
	int64_t k;

	if (!(n->op == OP_conv ? conv_reads_rows(c, id, &k) : n->op == OP_matmul && matmul_reads_rows(c, id, &k)))
		return;
	source = only_source(p, n->in[0]);
	if (source == NO_ID)
		return;
	slice = graph_node(c->g, graph_value(c->g, source)->producer);
	if (slice->op != OP_slice || slice->epilogue_count || value_is_const(c, slice->in[0]) ||
	    graph_value(c->g, source)->dtype != DTYPE_F32 || !move_rows(c, slice, k, &rows))
		return;
	rows.of = slice->in[0];
	c->rows_at[id] = rows;
	do_without(c, source, slice->in[0]);
}

/* The first convolution reads channels one after the other, as most inputs have them: what turns these is not made. */
static void find_planes(const struct placing *p, node_id id)
{
	struct codegen *c = p->c;
	const struct node *n = graph_node(c->g, id), *turn;
	const struct value *x;
	const int64_t *perm;
	uint32_t rank;

	c->planes_at[id] = NO_ID;
	if (n->op != OP_conv)
		return;
	x = graph_value(c->g, n->in[0]);
	rank = x->shape.rank;
	if (x->kind != VALUE_NODE || p->uses[n->in[0]] != 1 || x->dtype != DTYPE_F32)
		return;
	turn = graph_node(c->g, x->producer);
	if (turn->op != OP_transpose || turn->epilogue_count || value_is_const(c, turn->in[0]) || rank < 3)
		return;
	perm = node_ints(turn, ATTR_perm, NULL);
	for (uint32_t i = 0; i < rank; i++)
		if (perm[i] != (i == 0 ? 0 : i + 1 < rank ? i + 1 : 1))
			return;
	if (!conv_reads_planes(c, id))
		return;
	c->planes_at[id] = turn->in[0];
	do_without(c, n->in[0], turn->in[0]);
}

/*
 * Attention reads and writes rows where they are, and a product of two activations reads its
 * operands' where they are; on a GPU they do not.
 */
static void find_heads(const struct placing *p, node_id id)
{
	struct codegen *c = p->c;
	const struct node *n = graph_node(c->g, id);
	struct heads *h;
	value_id turned;
	bool product = n->op == OP_matmul && matmul_is_batch(c, id);

	if (n->op != OP_attention && !product)
		return;
	h = c->heads[id] = arena_new(c->arena, struct heads);
	for (uint32_t k = 0; k < (product ? 2 : 3); k++) {
		if (!codegen_is_gpu(c) && heads_operand(c, p->uses, n->in[k], &h->in[k]))
			do_without(c, n->in[k], h->in[k].of);
		else
			h->in[k] = heads_dense(c, n->in[k]);
	}
	turned = codegen_is_gpu(c) || product ? NO_ID : heads_result(c, p->uses, id);
	h->beside = turned != NO_ID;
	if (h->beside)
		do_without(c, turned, n->out[0]);
}

static void find_aliases(struct codegen *c)
{
	const struct graph *g = c->g;

	for (uint32_t i = 0; i < g->values.len; i++)
		c->ks->alias[i] = i;
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = graph_node(g, i);

		if (!n->dead && codegen_is_alias(c, n))
			c->ks->alias[n->out[0]] = c->ks->alias[n->in[0]];
	}
}

int64_t codegen_row_stride(const struct codegen *c, value_id v)
{
	const struct place *p = &c->place[v];

	return p->part == p->stride ? 0 : p->stride;
}

void codegen_place(struct codegen *c)
{
	const struct graph *g = c->g;
	struct placing p = { .c = c, .uses = graph_count_uses(g, c->arena) };

	c->ks->alias = arena_new_array(c->arena, value_id, g->values.len);
	c->place = arena_new_array(c->arena, struct place, g->values.len);
	c->unmade = arena_new_array(c->arena, bool, g->values.len);
	c->rows_at = arena_new_array(c->arena, struct rows_at, g->nodes.len);
	c->planes_at = arena_new_array(c->arena, value_id, g->nodes.len);
	c->heads = arena_new_array(c->arena, struct heads *, g->nodes.len);
	find_aliases(c);
	for (uint32_t i = 0; i < g->values.len; i++)
		if (graph_value(g, i)->kind == VALUE_NODE && value_elements(c, i) > p.largest)
			p.largest = value_elements(c, i);
	for (uint32_t i = 0; i < g->nodes.len; i++)
		if (!graph_node(g, i)->dead) {
			find_slice(&p, i);
			find_planes(&p, i);
			find_heads(&p, i);
		}
	for (uint32_t i = g->nodes.len; i-- > 0;) {
		const struct node *n = graph_node(g, i);

		if (!n->dead && n->op == OP_concat && !n->epilogue_count)
			place_concat(&p, i);
	}
}
