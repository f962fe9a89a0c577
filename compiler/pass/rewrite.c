/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite.c - replacement with exact use counts; see rewrite.h. */
#include "config.h"

#include "pass/rewrite.h"

#include <math.h>

void rewrite_track(struct rewrite *rw)
{
	while (rw->uses.len < rw->g->values.len) {
		vec_push(&rw->tmp, &rw->uses, 0);
		vec_push(&rw->tmp, &rw->forward, NO_ID);
		vec_push(&rw->tmp, &rw->scalar, (struct known_scalar){ 0, 0 });
	}
}

void rewrite_begin(struct rewrite *rw, struct graph *g, struct diag *d)
{
	uint32_t *uses;

	*rw = (struct rewrite){ .g = g, .d = d };
	rewrite_track(rw);
	uses = graph_count_uses(g, &rw->tmp);
	for (uint32_t i = 0; i < g->values.len; i++)
		rw->uses.data[i] = uses[i];
}

value_id rewrite_value(struct rewrite *rw, value_id v)
{
	value_id end = v;

	if (v == NO_ID)
		return v;
	while (rw->forward.data[end] != NO_ID)
		end = rw->forward.data[end];
	while (rw->forward.data[v] != NO_ID) { /* the next look-up is one step */
		value_id next = rw->forward.data[v];

		rw->forward.data[v] = end;
		v = next;
	}
	return end;
}

struct node *rewrite_visit(struct rewrite *rw, node_id id)
{
	struct node *n = graph_node(rw->g, id);

	for (uint32_t k = 0; k < n->in_count; k++)
		n->in[k] = rewrite_value(rw, n->in[k]);
	return n;
}

bool rewrite_end(struct rewrite *rw)
{
	struct graph *g = rw->g;
	bool changed = rw->changed;

	if (changed) {
		for (uint32_t i = 0; i < g->nodes.len; i++)
			rewrite_visit(rw, i);
		for (uint32_t i = 0; i < g->outputs.len; i++)
			g->outputs.data[i] = rewrite_value(rw, g->outputs.data[i]);
		graph_compact(g);
	}
	arena_release(&rw->tmp);
	return changed;
}

static void count_inputs(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);

	rewrite_track(rw);
	for (uint32_t k = 0; k < n->in_count; k++) {
		if (n->in[k] != NO_ID)
			rw->uses.data[n->in[k]]++;
	}
}

value_id rewrite_op(struct rewrite *rw, enum op op, const value_id *in, uint32_t in_count,
		    const struct attr *attr, uint32_t attr_count, node_id like)
{
	struct graph *g = rw->g;
	struct span span = graph_node(g, like)->span;
	const char *name = graph_node(g, like)->name;
	node_id id = graph_add_node(g, NULL, op, in, in_count, attr, attr_count, span, name);

	if (id == NO_ID)
		return NO_ID;
	count_inputs(rw, id);
	rw->changed = true;
	return graph_node(g, id)->out[0];
}

value_id rewrite_reshape(struct rewrite *rw, value_id v, const struct shape *to, node_id like)
{
	value_id c;

	if (shape_equal(shape_of_value(rw->g, v), to))
		return v;
	if (graph_value(rw->g, v)->kind == VALUE_CONST) {
		c = constant_reshape(rw->g, v, to);
		rewrite_track(rw);
		if (c != NO_ID)
			return c;
	}
	return rewrite_op(rw, OP_reshape, &v, 1,
			  (struct attr[]){ attr_ints(shape, to->dim, to->rank) }, 1, like);
}

value_id rewrite_transpose(struct rewrite *rw, value_id v, const int64_t *perm, node_id like)
{
	const struct shape s = *shape_of_value(rw->g, v);
	struct shape to = { .rank = s.rank };
	bool same = true;
	value_id c;

	for (uint32_t i = 0; i < s.rank; i++) {
		to.dim[i] = s.dim[perm[i]];
		same &= perm[i] == i;
	}
	if (same)
		return v;
	if (perm_moves_nothing(&s, perm))
		return rewrite_reshape(rw, v, &to, like);
	if (graph_value(rw->g, v)->kind == VALUE_CONST) {
		c = constant_transpose(rw->g, v, perm);
		rewrite_track(rw);
		if (c != NO_ID)
			return c;
	}
	return rewrite_op(rw, OP_transpose, &v, 1, (struct attr[]){ attr_ints(perm, perm, s.rank) },
			  1, like);
}

void rewrite_release(struct rewrite *rw, value_id first)
{
	VEC(value_id) work = { 0 };

	vec_push(&rw->tmp, &work, first);
	while (work.len) {
		value_id v = rewrite_value(rw, work.data[--work.len]);
		struct node *n;
		uint32_t used = 0;

		if (v == NO_ID || (rw->uses.data[v] && --rw->uses.data[v]))
			continue;
		n = rewrite_producer(rw, v);
		if (!n)
			continue;
		for (uint32_t k = 0; k < n->out_count; k++)
			used += n->out[k] != NO_ID ? rw->uses.data[n->out[k]] : 0;
		if (used)
			continue;
		n->dead = true;
		for (uint32_t k = 0; k < n->in_count; k++) {
			if (n->in[k] != NO_ID)
				vec_push(&rw->tmp, &work, n->in[k]);
		}
	}
}

void rewrite_replace(struct rewrite *rw, value_id from, value_id to)
{
	if (from == to)
		return;
	rw->changed = true;
	rw->uses.data[to] += rw->uses.data[from];
	rw->uses.data[from] = 1; /* released at once */
	if (!graph_value(rw->g, to)->name && graph_value(rw->g, to)->kind == VALUE_NODE)
		graph_value(rw->g, to)->name = graph_value(rw->g, from)->name;
	rewrite_release(rw, from);
	rw->forward.data[from] = to;
}

bool rewrite_become(struct rewrite *rw, node_id n, value_id v)
{
	value_id out = graph_node(rw->g, n)->out[0];

	if (v == NO_ID)
		return false;
	if (!shape_equal(shape_of_value(rw->g, v), shape_of_value(rw->g, out)) ||
	    graph_value(rw->g, v)->dtype != graph_value(rw->g, out)->dtype) {
		if (!rw->uses.data[v])
			rewrite_release(rw, v);
		return false;
	}
	rewrite_replace(rw, out, v);
	return true;
}

void rewrite_set_input(struct rewrite *rw, node_id id, uint32_t k, value_id v)
{
	struct node *n = graph_node(rw->g, id);
	value_id old = n->in[k];

	if (old == v)
		return;
	rw->changed = true;
	n->in[k] = v;
	if (v != NO_ID)
		rw->uses.data[v]++;
	if (old != NO_ID)
		rewrite_release(rw, old);
}

uint32_t rewrite_uses(const struct rewrite *rw, value_id v)
{
	return rw->uses.data[v];
}

struct node *rewrite_producer(const struct rewrite *rw, value_id v)
{
	const struct value *x;

	if (v == NO_ID)
		return NULL;
	x = graph_value(rw->g, v);
	if (x->kind != VALUE_NODE || x->producer == NO_ID || graph_node(rw->g, x->producer)->dead)
		return NULL;
	return graph_node(rw->g, x->producer);
}

struct node *rewrite_producer_op(const struct rewrite *rw, value_id v, enum op op)
{
	struct node *n = rewrite_producer(rw, v);

	return n && n->op == op && !n->epilogue_count ? n : NULL;
}

static bool makes_whole(const struct rewrite *rw, const struct node *n)
{
	return n->op == OP_round || n->op == OP_floor || n->op == OP_ceil ||
	       (n->op == OP_cast && !dtype_is_float(graph_value(rw->g, n->out[0])->dtype));
}

static void find_rounded(struct rewrite *rw)
{
	rw->rounded_len = rw->g->values.len;
	rw->rounded = arena_new_array(&rw->tmp, uint8_t, rw->rounded_len + 1);
	for (uint32_t i = 0; i < rw->g->nodes.len; i++) {
		const struct node *n = graph_node(rw->g, i);

		if (n->dead || !makes_whole(rw, n))
			continue;
		do {
			if (n->in[0] < rw->rounded_len)
				rw->rounded[n->in[0]] = 1;
			n = rewrite_producer(rw, n->in[0]);
		} while (n && (n->op == OP_reshape || n->op == OP_transpose));
	}
}

bool rewrite_is_rounded(struct rewrite *rw, value_id v)
{
	if (!rw->rounded)
		find_rounded(rw);
	return v < rw->rounded_len && rw->rounded[v];
}

bool rewrite_scalar(struct rewrite *rw, value_id v, double *x)
{
	const struct value *c;
	struct known_scalar *k;

	if (v == NO_ID)
		return false;
	c = graph_value(rw->g, v);
	k = &rw->scalar.data[v];
	if (!k->state) {
		k->state = 1;
		if (c->kind == VALUE_CONST && c->dtype != DTYPE_BOOL &&
		    shape_elements(&c->shape) == 1) {
			int64_t buffer;
			float f;

			if (dtype_is_float(c->dtype) && data_read_f32(rw->g, v, &f, rw->d)) {
				*k = (struct known_scalar){ 2, f };
			} else if (c->dtype == DTYPE_I64 && data_read(rw->g, v, &buffer, rw->d)) {
				*k = (struct known_scalar){ 2, (double)buffer };
			}
		}
	}
	*x = k->x;
	return k->state == 2;
}

