/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - transposes sink towards the outputs and cancel on the way.
 *
 * Importers of channels-first networks put a transpose before and its inverse
 * behind every convolution. Each operation f that can work on the permuted
 * tensor is exchanged with the transposes of its operands,
 *
 *	f(T(x), T(y))  ->  T(f'(x, y)),
 *
 * in one walk in order of computation: a transpose moves down until it meets
 * its inverse, an operation that needs just this order, or an output. Where a
 * walk ends with more bytes to be moved than before, it is taken back.
 */
#include "config.h"

#include "pass/layout.h"
#include "pass/pass.h"
#include "pass/simplify.h"

#include <string.h>

const struct node *layout_transposed(struct rewrite *rw, value_id v, struct layout *l)
{
	const struct node *t = rewrite_producer_op(rw, v, OP_transpose);

	if (!t)
		return NULL;
	l->source = t->in[0];
	l->rank = shape_of_value(rw->g, v)->rank;
	memcpy(l->perm, node_ints(t, ATTR_perm, NULL), l->rank * sizeof *l->perm);
	return t;
}

/* A transpose of v that is there already. */
static value_id turned(struct rewrite *rw, value_id v, const int64_t *perm, uint32_t rank)
{
	value_id t = v < rw->turned.len ? rewrite_value(rw, rw->turned.data[v]) : NO_ID;
	struct layout l;

	if (t == NO_ID || !layout_transposed(rw, t, &l) || l.source != v || l.rank != rank ||
	    memcmp(l.perm, perm, rank * sizeof *perm) != 0)
		return NO_ID;
	return t;
}

static void find_turned(struct rewrite *rw)
{
	const struct graph *g = rw->g;

	for (uint32_t v = 0; v < g->values.len; v++)
		vec_push(&rw->tmp, &rw->turned, NO_ID);
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = graph_node(g, i);

		if (!n->dead && n->op == OP_transpose)
			rw->turned.data[n->in[0]] = n->out[0];
	}
}

/*
 * The operand as it must be for the exchanged operation: T is undone. Where it
 * was not transposed itself that must cost little: a constant, something that
 * only has ones to move, what is there anyway, or much smaller than the result.
 */
static value_id undone(struct rewrite *rw, value_id v, const struct layout *l, int64_t elements,
		       node_id like)
{
	struct shape s = *shape_of_value(rw->g, v), full = { .rank = l->rank };
	int64_t inverse[MAX_RANK];
	struct layout other;

	if (layout_transposed(rw, v, &other) && other.rank == l->rank &&
	    memcmp(other.perm, l->perm, l->rank * sizeof *l->perm) == 0)
		return other.source;
	if (s.rank > l->rank)
		return NO_ID;
	if (shape_elements(&s) == 1)
		return v;
	for (uint32_t i = 0; i < l->rank; i++) {
		full.dim[i] = i + s.rank < l->rank ? 1 : s.dim[i + s.rank - l->rank];
		inverse[l->perm[i]] = i;
	}
	if (s.rank == l->rank && turned(rw, v, inverse, s.rank) != NO_ID)
		return turned(rw, v, inverse, s.rank);
	if (graph_value(rw->g, v)->kind != VALUE_CONST && !perm_moves_nothing(&full, inverse) &&
	    shape_elements(&s) * 4 > elements)
		return NO_ID;
	v = rewrite_reshape(rw, v, &full, like);
	return v == NO_ID ? NO_ID : rewrite_transpose(rw, v, inverse, like);
}

/* The exchanged operation, transposed, takes the node's place. */
static bool finish(struct rewrite *rw, node_id id, value_id inner, const int64_t *perm)
{
	if (inner == NO_ID)
		return false;
	return rewrite_become(rw, id, rewrite_transpose(rw, inner, perm, id));
}

static bool sink_elementwise(struct rewrite *rw, node_id id)
{
	const struct node n = *graph_node(rw->g, id);
	const struct shape out = *shape_of_value(rw->g, n.out[0]);
	struct layout l = { 0 };
	value_id in[3];
	uint32_t k;

	for (k = 0; k < n.in_count; k++) {
		if (shape_equal(shape_of_value(rw->g, n.in[k]), &out) &&
		    layout_transposed(rw, n.in[k], &l))
			break;
	}
	if (k == n.in_count)
		return false;
	for (k = 0; k < n.in_count; k++) {
		in[k] = undone(rw, n.in[k], &l, shape_elements(&out), id);
		if (in[k] == NO_ID)
			return false;
	}
	return finish(rw, id, rewrite_op(rw, n.op, in, n.in_count, n.attr, n.attr_count, id),
		      l.perm);
}

static bool sink_concat(struct rewrite *rw, node_id id)
{
	const struct node n = *graph_node(rw->g, id);
	value_id *in = arena_new_array(&rw->tmp, value_id, n.in_count);
	int64_t axis = node_int(&n, ATTR_axis, 0);
	struct layout l = { 0 };
	bool found = false;

	for (uint32_t k = 0; k < n.in_count && !found; k++)
		found = layout_transposed(rw, n.in[k], &l) != NULL;
	if (!found)
		return false;
	for (uint32_t k = 0; k < n.in_count; k++) {
		in[k] = undone(rw, n.in[k], &l, shape_elements(shape_of_value(rw->g, n.out[0])),
			       id);
		if (in[k] == NO_ID || shape_of_value(rw->g, in[k])->rank != l.rank ||
		    (shape_elements(shape_of_value(rw->g, in[k])) == 1 && in[k] == n.in[k]))
			return false;
	}
	return finish(rw, id,
		      rewrite_op(rw, OP_concat, in, n.in_count,
				 (struct attr[]){ attr_int(axis, l.perm[axis]) }, 1, id),
		      l.perm);
}

/* a[perm[i]] = list[i], for lists with one entry for each axis */
static const int64_t *permuted(struct rewrite *rw, const struct layout *l, const int64_t *list)
{
	int64_t *a = arena_new_array(&rw->tmp, int64_t, l->rank);

	for (uint32_t i = 0; i < l->rank; i++)
		a[l->perm[i]] = list[i];
	return a;
}

static const double *permuted_floats(struct rewrite *rw, const struct layout *l, const double *list)
{
	double *a = arena_new_array(&rw->tmp, double, l->rank);

	for (uint32_t i = 0; i < l->rank; i++)
		a[l->perm[i]] = list[i];
	return a;
}

/* Attributes with one or two entries for each axis, or naming an axis, as they are for the source.
 */
static bool permuted_attr(struct rewrite *rw, const struct layout *l, struct attr *a)
{
	uint32_t r = l->rank;

	switch (a->key) {
	case ATTR_axis:
		a->i = l->perm[a->i];
		return true;
	case ATTR_axes: {
		int64_t *axes = arena_new_array(&rw->tmp, int64_t, a->count);

		for (uint32_t i = 0; i < a->count; i++)
			axes[i] = l->perm[a->ints[i]];
		a->ints = axes;
		return true;
	}
	case ATTR_pads: {
		int64_t *both = arena_new_array(&rw->tmp, int64_t, 2 * r);

		memcpy(both, permuted(rw, l, a->ints), r * sizeof *both);
		memcpy(both + r, permuted(rw, l, a->ints + r), r * sizeof *both);
		a->ints = both;
		return a->count == 2 * r;
	}
	case ATTR_starts:
	case ATTR_steps:
	case ATTR_shape:
	case ATTR_repeats:
		if (a->count != r)
			return false;
		a->ints = permuted(rw, l, a->ints);
		return true;
	case ATTR_scales:
		if (a->count != r)
			return false;
		a->floats = permuted_floats(rw, l, a->floats);
		return true;
	case ATTR_roi:
		return a->count == 0;
	default:
		return true;
	}
}

/* pad, slice, expand, tile, resize, softmax, reductions that keep their axes */
static bool sink_same_rank(struct rewrite *rw, node_id id)
{
	const struct node n = *graph_node(rw->g, id);
	struct attr *attr = arena_copy(&rw->tmp, n.attr, n.attr_count * sizeof *attr);
	struct layout l;
	value_id in[2];

	if (!layout_transposed(rw, n.in[0], &l) || shape_of_value(rw->g, n.out[0])->rank != l.rank)
		return false;
	for (uint32_t i = 0; i < n.attr_count; i++) {
		if (!permuted_attr(rw, &l, &attr[i]))
			return false;
	}
	in[0] = l.source;
	if (n.in_count > 1)
		in[1] = n.in[1];
	return finish(rw, id, rewrite_op(rw, n.op, in, n.in_count, attr, n.attr_count, id), l.perm);
}

/* The axes that are reduced away leave a permutation of the others. */
static bool sink_reduce(struct rewrite *rw, node_id id)
{
	const struct node n = *graph_node(rw->g, id);
	struct attr *attr = arena_copy(&rw->tmp, n.attr, n.attr_count * sizeof *attr);
	bool gone[MAX_RANK] = { false };
	int64_t perm[MAX_RANK], place[MAX_RANK], rest = 0;
	uint32_t out = 0, count = 1;
	const int64_t *axes = node_ints(&n, ATTR_axes, &count);
	int64_t axis = node_int(&n, ATTR_axis, 0);
	struct layout l;
	value_id in;

	if (node_int(&n, ATTR_keepdims, 1))
		return sink_same_rank(rw, id);
	if (!layout_transposed(rw, n.in[0], &l))
		return false;
	for (uint32_t i = 0; i < n.attr_count; i++) {
		if (!permuted_attr(rw, &l, &attr[i]))
			return false;
	}
	for (uint32_t i = 0; i < count; i++)
		gone[l.perm[axes ? axes[i] : axis]] = true;
	for (uint32_t i = 0; i < l.rank; i++)
		place[i] = gone[i] ? -1 : rest++;
	for (uint32_t i = 0; i < l.rank; i++) {
		if (!gone[l.perm[i]])
			perm[out++] = place[l.perm[i]];
	}
	in = l.source;
	return finish(rw, id, rewrite_op(rw, n.op, &in, 1, attr, n.attr_count, id), perm);
}

/* Normalisation of the last axes: those must stay where they are. */
static bool sink_norm(struct rewrite *rw, node_id id)
{
	const struct node n = *graph_node(rw->g, id);
	struct layout l;
	value_id in[3];

	if (!layout_transposed(rw, n.in[0], &l))
		return false;
	for (uint32_t i = (uint32_t)node_int(&n, ATTR_axis, 0); i < l.rank; i++) {
		if (l.perm[i] != i)
			return false;
	}
	memcpy(in, n.in, n.in_count * sizeof *in);
	in[0] = l.source;
	return finish(rw, id, rewrite_op(rw, n.op, in, n.in_count, n.attr, n.attr_count, id),
		      l.perm);
}

/* Rows of a product with one matrix come out in the order in which they go in. */
static bool sink_matmul(struct rewrite *rw, node_id id)
{
	const struct node n = *graph_node(rw->g, id);
	struct layout l;
	value_id in[3];

	if (!layout_transposed(rw, n.in[0], &l) || shape_of_value(rw->g, n.in[1])->rank != 2 ||
	    l.perm[l.rank - 1] != l.rank - 1 || node_int(&n, ATTR_trans_a, 0))
		return false;
	memcpy(in, n.in, n.in_count * sizeof *in);
	in[0] = l.source;
	if (n.in_count > 2) {
		const struct shape *b = shape_of_value(rw->g, n.in[2]);

		if (shape_elements(b) != b->dim[b->rank - 1])
			return false;
	}
	return finish(rw, id, rewrite_op(rw, n.op, in, n.in_count, n.attr, n.attr_count, id),
		      l.perm);
}

static void visit(struct rewrite *rw, node_id id)
{
	const struct node *n = rewrite_visit(rw, id);

	if (n->dead || n->epilogue_count)
		return;
	switch (n->op) {
	case OP_transpose:
		simplify_view(rw, id);
		return;
	case OP_reshape:
		if (!simplify_view(rw, id))
			layout_sink_reshape(rw, id);
		return;
	case OP_concat:
		sink_concat(rw, id);
		return;
	case OP_gather:
		if (shape_of_value(rw->g, n->in[1])->rank == 1)
			sink_same_rank(rw, id);
		return;
	case OP_pad:
	case OP_slice:
	case OP_expand:
	case OP_tile:
	case OP_resize:
	case OP_softmax:
	case OP_log_softmax:
		sink_same_rank(rw, id);
		return;
	case OP_layer_norm:
	case OP_rms_norm:
		sink_norm(rw, id);
		return;
	case OP_matmul:
		if (!sink_matmul(rw, id))
			layout_flatten_matmul(rw, id);
		return;
	case OP_max_pool:
	case OP_avg_pool:
	case OP_group_norm:
	case OP_mix_norm:
		return;
	default:
		if (op_is_elementwise(n->op))
			sink_elementwise(rw, id);
		else if (op_class(n->op) == OP_REDUCE)
			sink_reduce(rw, id);
	}
}

/* What the transposes that are left cost: bytes of their results. */
static int64_t layout_bytes_moved(const struct graph *g)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = graph_node(g, i);

		if (n->dead || n->op != OP_transpose ||
		    graph_value(g, n->in[0])->kind == VALUE_CONST ||
		    perm_moves_nothing(shape_of_value(g, n->in[0]), node_ints(n, ATTR_perm, NULL)))
			continue;
		sum += shape_elements(shape_of_value(g, n->out[0])) *
		       (int64_t)dtype_size(graph_value(g, n->out[0])->dtype);
	}
	return sum;
}

/* Enough to go back: passes replace inputs and outputs in place, everything else they add. */
struct snapshot {
	struct node *nodes;
	value_id **in;
	struct value *values;
	value_id *outputs;
	uint32_t node_count, value_count;
};

static void take(struct snapshot *s, struct arena *a, const struct graph *g)
{
	s->node_count = g->nodes.len;
	s->value_count = g->values.len;
	s->nodes = arena_copy(a, g->nodes.data, g->nodes.len * sizeof *s->nodes);
	s->values = arena_copy(a, g->values.data, g->values.len * sizeof *s->values);
	s->outputs = arena_copy(a, g->outputs.data, g->outputs.len * sizeof *s->outputs);
	s->in = arena_new_array(a, value_id *, g->nodes.len);
	for (uint32_t i = 0; i < g->nodes.len; i++)
		s->in[i] = arena_copy(a, g->nodes.data[i].in,
				      g->nodes.data[i].in_count * sizeof **s->in);
}

static void give_back(const struct snapshot *s, struct graph *g)
{
	g->nodes.len = s->node_count;
	g->values.len = s->value_count;
	memcpy(g->nodes.data, s->nodes, s->node_count * sizeof *s->nodes);
	memcpy(g->values.data, s->values, s->value_count * sizeof *s->values);
	memcpy(g->outputs.data, s->outputs, g->outputs.len * sizeof *s->outputs);
	for (uint32_t i = 0; i < s->node_count; i++)
		memcpy(g->nodes.data[i].in, s->in[i], g->nodes.data[i].in_count * sizeof **s->in);
}

bool pass_layout(struct graph *g, struct diag *d)
{
	int64_t before = layout_bytes_moved(g);
	struct snapshot s;
	struct arena tmp = { 0 };
	bool changed = false;

	if (!before)
		return false;
	take(&s, &tmp, g);
	for (int round = 0; round < 4; round++) {
		struct rewrite rw;
		uint32_t count = g->nodes.len;

		rewrite_begin(&rw, g, d);
		find_turned(&rw);
		for (uint32_t i = 0; i < count; i++)
			visit(&rw, i);
		if (!rewrite_end(&rw))
			break;
		changed = true;
		pass_dead(g, d);
	}
	if (layout_bytes_moved(g) > before) {
		give_back(&s, g);
		changed = false;
	}
	arena_release(&tmp);
	return changed;
}
