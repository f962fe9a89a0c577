/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fragment.c - a piece of the graph that one loop over its result can compute.
 *
 * The fragment grows upwards from its root. The open value whose node stands
 * latest is looked at next: then all its users in the fragment are known, and
 * if these are all that there are, its node can be swallowed without computing
 * anything twice. No path can leave the fragment and come back, since only the
 * root is seen from outside; so fusing never makes a cycle.
 */
#include "config.h"

#include "pass/fuse.h"

#include <stdlib.h>

enum { MAX_ENTRIES = 3 * MAX_STEPS };

static uint32_t find(const struct fragment *f, value_id v, const struct access *a)
{
	uint32_t rank = shape_of_value(f->rw->g, v)->rank;

	for (uint32_t i = 0; i < f->entries.len; i++) {
		const struct entry *e = &f->entries.data[i];

		if (e->v == v && access_equal(&e->access, a, rank))
			return i;
	}
	return NO_ID;
}

static void add_use(struct fragment *f, value_id v, const struct access *a, uint32_t seen)
{
	uint32_t i = find(f, v, a);
	struct entry e = { .v = v, .access = *a };

	if (i == NO_ID) {
		i = f->entries.len;
		vec_push(&f->rw->tmp, &f->entries, e);
	}
	f->entries.data[i].seen += seen;
}

static bool is_single(const struct fragment *f, value_id v)
{
	return graph_value(f->rw->g, v)->kind == VALUE_CONST &&
	       shape_elements(shape_of_value(f->rw->g, v)) == 1;
}

/* Inputs that take an argument each; constants of one element are written into the code. */
static uint32_t open_inputs(const struct fragment *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->entries.len; i++) {
		const struct entry *e = &f->entries.data[i];

		n += !e->is_step && e->v != f->result && e->v != NO_ID && !is_single(f, e->v);
	}
	return n;
}

static bool f32_only(const struct fragment *f, const struct node *n)
{
	if (f->result == NO_ID)
		return true;
	if (graph_value(f->rw->g, n->out[0])->dtype != DTYPE_F32)
		return false;
	for (uint32_t k = 0; k < n->in_count; k++) {
		if (graph_value(f->rw->g, n->in[k])->dtype != DTYPE_F32)
			return false;
	}
	return true;
}

static bool swallow_step(struct fragment *f, uint32_t i, const struct node *n)
{
	const struct graph *g = f->rw->g;
	struct entry *e = &f->entries.data[i];
	const struct shape *s = shape_of_value(g, e->v);
	struct access out = e->access;
	uint32_t more = 0;

	if (e->v != f->root &&
	    (e->seen != rewrite_uses(f->rw, e->v) || shape_elements(s) < shape_elements(&f->shape)))
		return false;
	if (f->steps == MAX_STEPS || f->entries.len + 3 > MAX_ENTRIES || !f32_only(f, n))
		return false;
	for (uint32_t k = 0; k < n->in_count; k++) {
		struct access a = access_broadcast(&out, s, shape_of_value(g, n->in[k]));

		more += find(f, n->in[k], &a) == NO_ID && !is_single(f, n->in[k]);
	}
	if (open_inputs(f) + more > MAX_EPILOGUE_INPUTS + 1)
		return false;
	e->is_step = true;
	f->steps++;
	for (uint32_t k = 0; k < n->in_count; k++) {
		struct access a = access_broadcast(&out, s, shape_of_value(g, n->in[k]));

		add_use(f, n->in[k], &a, 1);
	}
	return true;
}

/* The view's input takes its place; the entry of the view itself is left as an empty one. */
static bool swallow_view(struct fragment *f, uint32_t i, const struct node *n)
{
	struct entry e = f->entries.data[i];
	bool dies = e.v == f->root || e.seen == rewrite_uses(f->rw, e.v);
	struct access in;

	if (f->result != NO_ID || f->entries.len + 1 > MAX_ENTRIES ||
	    (!dies && n->op != OP_slice && n->op != OP_expand) ||
	    !access_through(f->rw->g, n, &e.access, &in))
		return false;
	f->entries.data[i].v = NO_ID;
	f->views += n->op != OP_reshape;
	add_use(f, n->in[0], &in, dies);
	return true;
}

static bool swallow(struct fragment *f, uint32_t i)
{
	const struct entry *e = &f->entries.data[i];
	const struct node *n = e->v == f->result ? NULL : rewrite_producer(f->rw, e->v);

	if (!n || n->epilogue_count)
		return false;
	if (op_is_elementwise(n->op))
		return !f->moves_only && swallow_step(f, i, n);
	return op_class(n->op) == OP_VIEW && swallow_view(f, i, n);
}

/* The open entry whose node stands latest; NO_ID: all are settled. */
static uint32_t next_open(const struct fragment *f)
{
	uint32_t best = NO_ID;
	node_id latest = 0;

	for (uint32_t i = 0; i < f->entries.len; i++) {
		const struct entry *e = &f->entries.data[i];

		if (e->is_step || e->settled || e->v == NO_ID || !rewrite_producer(f->rw, e->v))
			continue;
		if (best == NO_ID || graph_value(f->rw->g, e->v)->producer >= latest) {
			best = i;
			latest = graph_value(f->rw->g, e->v)->producer;
		}
	}
	return best;
}

bool fragment_grow(struct fragment *f)
{
	const struct graph *g = f->rw->g;
	struct access a;
	uint32_t i;

	f->shape = *shape_of_value(g, f->root);
	f->entries.len = 0;
	f->steps = f->views = 0;
	a = access_identity(&f->shape);
	add_use(f, f->root, &a, 0);
	while ((i = next_open(f)) != NO_ID) {
		if (!swallow(f, i))
			f->entries.data[i].settled = true;
	}
	if (f->moves_only)
		return f->views > 1;
	if (!f->steps)
		return false;
	if (f->result == NO_ID)
		return true;
	for (i = 0; i < f->entries.len; i++) {
		const struct entry *e = &f->entries.data[i];

		if (e->v == f->result)
			return e->seen == rewrite_uses(f->rw, e->v) &&
			       shape_equal(shape_of_value(g, e->v), &f->shape);
	}
	return false;
}

/* Where an operand's element comes from, seen through the views that were swallowed. */
static uint32_t resolve(const struct fragment *f, value_id v, struct access a)
{
	uint32_t i = find(f, v, &a);
	const struct node *n;
	struct access in;

	if (i != NO_ID)
		return i;
	n = rewrite_producer(f->rw, v);
	access_through(f->rw->g, n, &a, &in);
	return resolve(f, n->in[0], in);
}

struct order {
	node_id node;
	uint32_t entry;
};

static int by_node(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	return (x->node > y->node) - (x->node < y->node);
}

/* Steps in the order of their nodes, which is one of computation. */
static void number_steps(struct fragment *f, struct order *order)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < f->entries.len; i++) {
		if (f->entries.data[i].is_step)
			order[count++] = (struct order){
				graph_value(f->rw->g, f->entries.data[i].v)->producer, i
			};
	}
	qsort(order, count, sizeof *order, by_node);
	for (uint32_t i = 0; i < count; i++)
		f->entries.data[order[i].entry].number = i + 1;
}

static struct epilogue_step make_step(struct fragment *f, const struct entry *e,
				      const struct node *n)
{
	const struct graph *g = f->rw->g;
	const struct shape *s = shape_of_value(g, e->v);
	struct epilogue_step step = { .op = n->op,
				      .dtype = graph_value(g, e->v)->dtype,
				      .attr = n->attr,
				      .attr_count = n->attr_count };

	for (uint32_t k = 0; k < n->in_count; k++) {
		struct access a = access_broadcast(&e->access, s, shape_of_value(g, n->in[k]));
		const struct entry *in = &f->entries.data[resolve(f, n->in[k], a)];

		step.in[k].is_input = !in->is_step && in->v != f->result;
		step.in[k].index = in->v == f->result ? 0 : in->number;
	}
	return step;
}

static void add_inputs(struct fragment *f, struct node *n)
{
	struct graph *g = f->rw->g;
	VEC(value_id) in = { 0 };
	VEC(struct view *) views = { 0 };
	bool any = false;

	for (uint32_t k = 0; k < n->in_count; k++)
		vec_push(g->arena, &in, n->in[k]);
	for (uint32_t i = 0; i < f->entries.len; i++) {
		struct entry *e = &f->entries.data[i];
		struct view *view = NULL;

		if (e->is_step || e->v == f->result || e->v == NO_ID)
			continue;
		if (!access_is_plain(&e->access, shape_of_value(g, e->v), &f->shape)) {
			view = arena_new(g->arena, struct view);
			*view = access_view(&e->access, shape_of_value(g, e->v));
			any = true;
		}
		e->number = views.len;
		vec_push(g->arena, &in, e->v);
		vec_push(g->arena, &views, view);
		f->rw->uses.data[e->v]++;
	}
	n->epilogue_first_input = n->in_count;
	n->in = in.data;
	n->in_count = in.len;
	n->view = any ? views.data : NULL;
}

static void finish(struct fragment *f, node_id id, struct node *n)
{
	struct graph *g = f->rw->g;

	n->out = arena_copy(g->arena, &f->root, sizeof f->root);
	n->out_count = 1;
	graph_value(g, f->root)->producer = id;
	*graph_node(g, id) = *n;
	f->rw->changed = true;
}

void fragment_write_move(struct fragment *f, node_id id)
{
	struct graph *g = f->rw->g;
	struct node n = *graph_node(g, id);
	struct node *old = graph_node(g, graph_value(g, f->root)->producer);

	add_inputs(f, &n);
	n.epilogue = arena_new(g->arena, struct epilogue_step);
	n.epilogue[0] = (struct epilogue_step){ .op = OP_identity,
						.dtype = graph_value(g, f->root)->dtype,
						.in = { { true, 0 } } };
	n.epilogue_count = 1;
	old->dead = true;
	rewrite_release(f->rw, old->in[0]);
	finish(f, id, &n);
}

void fragment_write(struct fragment *f, node_id id)
{
	struct graph *g = f->rw->g;
	struct order order[MAX_STEPS];
	struct node n = *graph_node(g, id);

	number_steps(f, order);
	add_inputs(f, &n);
	n.epilogue = arena_new_array(g->arena, struct epilogue_step, f->steps);
	n.epilogue_count = f->steps;
	for (uint32_t i = 0; i < f->steps; i++)
		n.epilogue[i] = make_step(f, &f->entries.data[order[i].entry],
					  graph_node(g, order[i].node));
	if (f->result != NO_ID)
		f->rw->uses.data[f->result]++; /* not to be taken for dead while its users go */
	for (uint32_t i = 0; i < f->steps; i++)
		graph_node(g, order[i].node)->dead = true;
	for (uint32_t i = 0; i < f->steps; i++) {
		const struct node *old = graph_node(g, order[i].node);

		for (uint32_t k = 0; k < old->in_count; k++)
			rewrite_release(f->rw, old->in[k]);
	}
	if (f->result != NO_ID)
		graph_value(g, f->result)->producer = NO_ID;
	finish(f, id, &n);
}
