/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse.c - elementwise operations disappear into what produces their operands.
 *
 * First every producer (dense arithmetic, reductions, moves), from the last
 * to the first, takes the longest chain behind it that only it feeds: the
 * chain becomes its epilogue, applied before the result is stored. What is
 * left becomes map nodes, again from the last to the first, each as large as
 * it can be without computing anything twice. Slices and expansions before a
 * map are not made at all: the map reads through a view. Several moves in a row
 * are one map that only copies.
 */
#include "config.h"

#include "pass/fuse.h"
#include "pass/pass.h"

enum { LOOK_AHEAD = 6 };

/* The users of each value, as they were at the beginning. */
struct users {
	uint32_t *first; /* by value: into list */
	node_id *list;
	uint32_t values;
};

static void find_users(struct users *u, struct arena *a, const struct graph *g)
{
	uint32_t total = 0, *at;

	u->values = g->values.len;
	u->first = arena_new_array(a, uint32_t, g->values.len + 1);
	at = arena_new_array(a, uint32_t, g->values.len + 1);
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		for (uint32_t k = 0; k < graph_node(g, i)->in_count; k++) {
			value_id v = graph_node(g, i)->in[k];

			if (v != NO_ID) {
				u->first[v + 1]++;
				total++;
			}
		}
	}
	for (uint32_t v = 0; v < g->values.len; v++)
		u->first[v + 1] += u->first[v];
	u->list = arena_new_array(a, node_id, total);
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		for (uint32_t k = 0; k < graph_node(g, i)->in_count; k++) {
			value_id v = graph_node(g, i)->in[k];

			if (v != NO_ID)
				u->list[u->first[v] + at[v]++] = i;
		}
	}
}

/* The last living user of v, if it is elementwise and its result of v's type. */
static value_id next_in_chain(const struct rewrite *rw, const struct users *u, value_id v)
{
	const struct graph *g = rw->g;

	if (v >= u->values)
		return NO_ID;
	for (uint32_t i = u->first[v + 1]; i-- > u->first[v];) {
		const struct node *n = graph_node(g, u->list[i]);

		if (n->dead)
			continue;
		if (!op_is_elementwise(n->op) || graph_value(g, n->out[0])->dtype != DTYPE_F32 ||
		    !shape_equal(shape_of_value(g, n->out[0]), shape_of_value(g, v)))
			return NO_ID;
		return n->out[0];
	}
	return NO_ID;
}

static bool takes_epilogue(const struct graph *g, const struct node *n)
{
	if (n->dead || n->epilogue_count || n->out_count != 1 || op_is_elementwise(n->op) ||
	    graph_value(g, n->out[0])->dtype != DTYPE_F32 || node_is_lookup(g, n))
		return false;
	if (g->separate_tails && (n->op == OP_conv || n->op == OP_matmul))
		return false;
	switch (n->op) {
	case OP_map:
	case OP_scatter: /* goes over its output twice */
	case OP_reshape: /* costs nothing as it is */
	case OP_slice:	 /* a map does not even need them made */
	case OP_expand:
		return false;
	default:
		return true;
	}
}

/*
 * A move gains little by an epilogue if for it a slice or an expansion must be
 * made, which a map would only look through, like through the move itself.
 */
static bool hides_views(const struct fragment *f, node_id id)
{
	const struct graph *g = f->rw->g;

	if (graph_node(g, id)->op != OP_transpose)
		return false;
	for (uint32_t i = 0; i < f->entries.len; i++) {
		const struct entry *e = &f->entries.data[i];
		const struct node *n = e->is_step ? NULL : rewrite_producer(f->rw, e->v);

		if (n && (n->op == OP_slice || n->op == OP_expand))
			return true;
	}
	return false;
}

static void fuse_epilogue(struct fragment *f, const struct users *u, node_id id)
{
	value_id best = NO_ID, at = graph_node(f->rw->g, id)->out[0];
	int missed = 0;

	f->result = at;

	for (int i = 0; i < MAX_STEPS && missed < LOOK_AHEAD; i++) {
		at = next_in_chain(f->rw, u, at);
		if (at == NO_ID)
			break;
		f->root = at;
		if (fragment_grow(f)) {
			best = at;
			missed = 0;
		} else {
			missed++;
		}
	}
	if (best == NO_ID)
		return;
	f->root = best;
	fragment_grow(f);
	if (!hides_views(f, id))
		fragment_write(f, id);
}

static void fuse_map(struct fragment *f, node_id id)
{
	struct graph *g = f->rw->g;
	const struct node *old = graph_node(g, id);
	struct node map = { .op = OP_map, .name = old->name, .span = old->span };

	f->root = old->out[0];
	f->result = NO_ID;
	if (!fragment_grow(f))
		return;
	vec_push(g->arena, &g->nodes, map);
	fragment_write(f, g->nodes.len - 1);
}

/* Several moves in a row, of which no map was the last, are one. */
static void fuse_moves(struct fragment *f, node_id id)
{
	struct graph *g = f->rw->g;
	const struct node *old = graph_node(g, id);
	struct node map = { .op = OP_map, .name = old->name, .span = old->span };

	f->root = old->out[0];
	f->result = NO_ID;
	f->moves_only = true;
	if (fragment_grow(f)) {
		vec_push(g->arena, &g->nodes, map);
		fragment_write_move(f, g->nodes.len - 1);
	}
	f->moves_only = false;
}

/* An output that nothing computes, a constant or an input, or such a thing reshaped, needs its own
 * copy. */
static bool needs_copy(const struct graph *g, value_id v)
{
	for (;;) {
		const struct value *x = graph_value(g, v);

		if (x->kind != VALUE_NODE)
			return true;
		if (graph_node(g, x->producer)->op != OP_reshape)
			return false;
		v = graph_node(g, x->producer)->in[0];
	}
}

static bool copy_outputs(struct graph *g)
{
	bool any = false;

	for (uint32_t i = 0; i < g->outputs.len; i++) {
		value_id v = g->outputs.data[i];
		struct span span = graph_value(g, v)->span;

		if (!needs_copy(g, v))
			continue;
		v = graph_op(g, NULL, OP_identity, &v, 1, NULL, 0, span, g->output_names.data[i]);
		g->outputs.data[i] = v;
		any = true;
	}
	return any;
}

bool pass_fuse(struct graph *g, struct diag *d)
{
	bool copied = copy_outputs(g);
	struct rewrite rw;
	struct users users;
	struct fragment f = { .rw = &rw };
	uint32_t count = g->nodes.len;

	rewrite_begin(&rw, g, d);
	find_users(&users, &rw.tmp, g);
	for (uint32_t i = count; i-- > 0;) {
		if (takes_epilogue(g, graph_node(g, i)))
			fuse_epilogue(&f, &users, i);
	}
	for (uint32_t i = count; i-- > 0;) {
		const struct node *n = graph_node(g, i);

		if (n->dead || n->epilogue_count)
			continue;
		if (op_is_elementwise(n->op))
			fuse_map(&f, i);
		else if (n->op == OP_transpose || n->op == OP_slice || n->op == OP_expand)
			fuse_moves(&f, i);
	}
	return rewrite_end(&rw) || copied;
}
