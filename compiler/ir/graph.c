/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.c - building and changing graphs.
 *
 * Nodes are only ever appended; a pass that needs one in the middle appends it
 * and lets graph_compact() move it before its first user. This keeps ids valid
 * for the length of a pass and every pass linear.
 */
#include "config.h"

#include "ir/graph.h"

#include <assert.h>
#include <string.h>

struct graph *graph_new(struct arena *a, const char *name)
{
	struct graph *g = arena_new(a, struct graph);

	g->arena = a;
	g->name = name ? arena_strdup(a, name) : NULL;
	return g;
}

value_id graph_add_value(struct graph *g, struct value v)
{
	vec_push(g->arena, &g->values, v);
	return g->values.len - 1;
}

value_id graph_add_input(struct graph *g, const char *name, enum dtype t, struct shape s)
{
	value_id id = graph_add_value(
		g, (struct value){ .kind = VALUE_INPUT,
				   .dtype = t,
				   .shape = s,
				   .name = name ? arena_strdup(g->arena, name) : NULL,
				   .producer = NO_ID });

	vec_push(g->arena, &g->inputs, id);
	return id;
}

value_id graph_add_const(struct graph *g, const char *name, enum dtype t, struct shape s,
			 struct data d)
{
	struct data *copy = arena_copy(g->arena, &d, sizeof d);

	return graph_add_value(g,
			       (struct value){ .kind = VALUE_CONST,
					       .dtype = t,
					       .shape = s,
					       .name = name ? arena_strdup(g->arena, name) : NULL,
					       .producer = NO_ID,
					       .data = copy });
}

value_id graph_add_const_bytes(struct graph *g, enum dtype t, struct shape s, const void *bytes)
{
	int64_t n = shape_elements(&s);
	struct data d = { .where = DATA_MEMORY, .source_dtype = t, .source_shape = s };

	assert(n >= 0);
	d.bytes = arena_copy(g->arena, bytes, (size_t)n * dtype_size(t));
	return graph_add_const(g, NULL, t, s, d);
}

value_id graph_add_scalar_f32(struct graph *g, float x)
{
	return graph_add_const_bytes(g, DTYPE_F32, (struct shape){ 0 }, &x);
}

void graph_add_output(struct graph *g, value_id v, const char *name)
{
	const char *copy = name ? arena_strdup(g->arena, name) : NULL;

	vec_push(g->arena, &g->outputs, v);
	vec_push(g->arena, &g->output_names, copy);
}

uint32_t graph_add_file(struct graph *g, const char *path, uint64_t size)
{
	struct weight_file f = { NULL, size };

	for (uint32_t i = 0; i < g->files.len; i++) {
		if (strcmp(g->files.data[i].path, path) == 0)
			return i;
	}
	f.path = arena_strdup(g->arena, path);
	vec_push(g->arena, &g->files, f);
	return g->files.len - 1;
}

static struct attr copy_attr(struct graph *g, struct attr a)
{
	if (a.kind == ATTR_INTS)
		a.ints = arena_copy(g->arena, a.ints, a.count * sizeof *a.ints);
	else if (a.kind == ATTR_FLOATS)
		a.floats = arena_copy(g->arena, a.floats, a.count * sizeof *a.floats);
	return a;
}

const struct attr *node_attr(const struct node *n, enum attr_key k)
{
	for (uint32_t i = 0; i < n->attr_count; i++) {
		if (n->attr[i].key == k)
			return &n->attr[i];
	}
	return NULL;
}

int64_t node_int(const struct node *n, enum attr_key k, int64_t absent)
{
	const struct attr *a = node_attr(n, k);

	return a && a->kind == ATTR_INT ? a->i : absent;
}

double node_float(const struct node *n, enum attr_key k, double absent)
{
	const struct attr *a = node_attr(n, k);

	return a && a->kind == ATTR_FLOAT ? a->f : a && a->kind == ATTR_INT ? (double)a->i : absent;
}

const int64_t *node_ints(const struct node *n, enum attr_key k, uint32_t *count)
{
	const struct attr *a = node_attr(n, k);

	if (!a || a->kind != ATTR_INTS)
		return NULL;
	if (count)
		*count = a->count;
	return a->ints;
}

void node_set_attr(struct graph *g, struct node *n, struct attr a)
{
	a = copy_attr(g, a);
	for (uint32_t i = 0; i < n->attr_count; i++) {
		if (n->attr[i].key == a.key) {
			n->attr[i] = a;
			return;
		}
	}
	n->attr = arena_grow(g->arena, n->attr, n->attr_count, n->attr_count + 1, sizeof *n->attr);
	n->attr[n->attr_count++] = a;
}

node_id graph_add_node(struct graph *g, struct diag *d, enum op op, const value_id *in,
		       uint32_t in_count, const struct attr *attr, uint32_t attr_count,
		       struct span span, const char *name)
{
	struct node n = { .op = op, .in_count = in_count, .attr_count = attr_count, .span = span };
	uint32_t outs = (uint32_t)op_info(op)->outs;
	enum dtype dtype[4];
	struct shape shape[4];
	node_id id = g->nodes.len;

	assert(outs <= 4);
	n.name = name ? arena_strdup(g->arena, name) : NULL;
	n.in = arena_copy(g->arena, in, in_count * sizeof *in);
	n.attr = arena_copy(g->arena, attr, attr_count * sizeof *attr);
	for (uint32_t i = 0; i < attr_count; i++)
		n.attr[i] = copy_attr(g, attr[i]);
	node_canonical(g, &n);
	if (!infer_node(g, &n, dtype, shape, d))
		return NO_ID;
	n.out = arena_new_array(g->arena, value_id, outs);
	n.out_count = outs;
	for (uint32_t i = 0; i < outs; i++)
		n.out[i] = graph_add_value(g, (struct value){ .kind = VALUE_NODE,
							      .dtype = dtype[i],
							      .shape = shape[i],
							      .producer = id,
							      .span = span });
	vec_push(g->arena, &g->nodes, n);
	return id;
}

value_id graph_op(struct graph *g, struct diag *d, enum op op, const value_id *in,
		  uint32_t in_count, const struct attr *attr, uint32_t attr_count, struct span span,
		  const char *name)
{
	node_id id = graph_add_node(g, d, op, in, in_count, attr, attr_count, span, name);

	return id == NO_ID ? NO_ID : g->nodes.data[id].out[0];
}

void graph_replace_uses(struct graph *g, value_id from, value_id to)
{
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		struct node *n = &g->nodes.data[i];

		for (uint32_t k = 0; !n->dead && k < n->in_count; k++) {
			if (n->in[k] == from)
				n->in[k] = to;
		}
	}
	for (uint32_t i = 0; i < g->outputs.len; i++) {
		if (g->outputs.data[i] == from)
			g->outputs.data[i] = to;
	}
}

void graph_kill(struct graph *g, node_id n)
{
	g->nodes.data[n].dead = true;
}

uint32_t *graph_count_uses(const struct graph *g, struct arena *a)
{
	uint32_t *uses = arena_new_array(a, uint32_t, g->values.len);

	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = &g->nodes.data[i];

		for (uint32_t k = 0; !n->dead && k < n->in_count; k++) {
			if (n->in[k] != NO_ID)
				uses[n->in[k]]++;
		}
	}
	for (uint32_t i = 0; i < g->outputs.len; i++)
		uses[g->outputs.data[i]]++;
	return uses;
}

/*
 * Depth-first from the nodes in their present order, producers first: a node
 * that was appended lands right before its first user, all others keep their
 * order. The stack is explicit: chains may be long.
 */
struct visit {
	node_id node;
	uint32_t next_input;
};

static void emit_from(const struct graph *g, node_id root, uint8_t *state, struct visit *stack,
		      node_id *order, uint32_t *count)
{
	uint32_t depth = 0;

	if (state[root])
		return;
	state[root] = 1;
	stack[depth++] = (struct visit){ root, 0 };
	while (depth) {
		struct visit *top = &stack[depth - 1];
		const struct node *n = &g->nodes.data[top->node];

		if (top->next_input < n->in_count) {
			value_id v = n->in[top->next_input++];
			node_id p = v == NO_ID || g->values.data[v].kind != VALUE_NODE
					    ? NO_ID
					    : g->values.data[v].producer;

			if (p == NO_ID || state[p] == 2 || g->nodes.data[p].dead)
				continue;
			assert(!state[p]); /* a cycle: a pass went wrong */
			if (state[p])
				continue;
			state[p] = 1;
			stack[depth++] = (struct visit){ p, 0 };
			continue;
		}
		state[top->node] = 2;
		order[(*count)++] = top->node;
		depth--;
	}
}

void graph_compact(struct graph *g)
{
	struct arena tmp = { 0 };
	uint8_t *state = arena_new_array(&tmp, uint8_t, g->nodes.len);
	struct visit *stack = arena_new_array(&tmp, struct visit, g->nodes.len);
	node_id *order = arena_new_array(&tmp, node_id, g->nodes.len);
	struct node *copy = arena_copy(&tmp, g->nodes.data, g->nodes.len * sizeof *g->nodes.data);
	uint32_t count = 0;

	for (uint32_t i = 0; i < g->nodes.len; i++) {
		if (!g->nodes.data[i].dead)
			emit_from(g, i, state, stack, order, &count);
	}
	for (uint32_t i = 0; i < count; i++) {
		g->nodes.data[i] = copy[order[i]];
		for (uint32_t k = 0; k < g->nodes.data[i].out_count; k++) {
			value_id v = g->nodes.data[i].out[k];

			if (v != NO_ID)
				g->values.data[v].producer = i;
		}
	}
	g->nodes.len = count;
	/* values of nodes that are gone must not name whatever now has that id */
	for (uint32_t v = 0; v < g->values.len; v++) {
		struct value *x = &g->values.data[v];
		bool mine = false;

		if (x->kind != VALUE_NODE)
			continue;
		if (x->producer < count) {
			const struct node *n = &g->nodes.data[x->producer];

			for (uint32_t k = 0; k < n->out_count; k++)
				mine |= n->out[k] == v;
		}
		if (!mine)
			x->producer = NO_ID;
	}
	arena_release(&tmp);
}
