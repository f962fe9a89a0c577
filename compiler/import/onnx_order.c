/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_order.c - which nodes are needed, and an order in which to convert them.
 *
 * The format asks for producers before users; not every exporter obeys. A
 * depth-first walk over the nodes in file order gives an order that is the
 * file's own where that is good. Nodes that no output needs are left out, so
 * an operator that only they use does no harm.
 */
#include "config.h"

#include "import/onnx_import.h"

struct walk {
	const Onnx__GraphProto *graph;
	struct map producer; /* tensor name -> node */
	struct arena *tmp;
	VEC(uint32_t) reads; /* producers that node i reads: reads[first[i] .. first[i + 1]] */
	uint32_t *first;
};

/* owner: the node inside of which the name is read, whose own results it cannot mean; or none. */
static void add_read(struct walk *w, const char *name, uint32_t owner)
{
	uint32_t p;

	if (name && *name && map_get(&w->producer, name, &p) && p != owner)
		vec_push(w->tmp, &w->reads, p);
}

/* A node also reads what its branches read of the graph around them. */
static void add_node_reads(struct walk *w, const Onnx__NodeProto *n, uint32_t self, uint32_t owner)
{
	for (size_t i = 0; i < n->n_input; i++)
		add_read(w, n->input[i], owner);
	for (size_t i = 0; i < n->n_attribute; i++) {
		const Onnx__GraphProto *g = n->attribute[i]->g;

		for (size_t k = 0; g && k < g->n_node; k++)
			add_node_reads(w, g->node[k], self,
				       self); /* the skimmer bounds the depth */
		for (size_t k = 0; g && k < g->n_output; k++)
			add_read(w, g->output[k]->name, self);
	}
}

static bool collect_reads(struct onnx_import *im, struct walk *w)
{
	const Onnx__GraphProto *g = w->graph;

	for (uint32_t i = 0; i < g->n_node; i++) {
		for (size_t k = 0; k < g->node[i]->n_output; k++) {
			const char *name = g->node[i]->output[k];

			if (!name || !*name)
				continue;
			if (map_get(&w->producer, name, NULL)) {
				diag_error(im->d, im->span, "\"%s\" is produced by two nodes",
					   name);
				return false;
			}
			map_put(w->tmp, &w->producer, name, i);
		}
	}
	w->first = arena_new_array(w->tmp, uint32_t, g->n_node + 1);
	for (uint32_t i = 0; i < g->n_node; i++) {
		w->first[i] = w->reads.len;
		add_node_reads(w, g->node[i], i, UINT32_MAX);
	}
	w->first[g->n_node] = w->reads.len;
	return true;
}

static uint8_t *mark_needed(struct walk *w)
{
	const Onnx__GraphProto *g = w->graph;
	uint8_t *needed = arena_new_array(w->tmp, uint8_t, g->n_node);
	VEC(uint32_t) todo = { 0 };
	uint32_t p;

	for (size_t i = 0; i < g->n_output; i++) {
		if (g->output[i]->name && map_get(&w->producer, g->output[i]->name, &p) &&
		    !needed[p]) {
			needed[p] = 1;
			vec_push(w->tmp, &todo, p);
		}
	}
	while (todo.len) {
		uint32_t n = todo.data[--todo.len];

		for (uint32_t k = w->first[n]; k < w->first[n + 1]; k++) {
			p = w->reads.data[k];
			if (!needed[p]) {
				needed[p] = 1;
				vec_push(w->tmp, &todo, p);
			}
		}
	}
	return needed;
}

enum { NOT_SEEN, OPEN, DONE };

/* Appends node `root` after everything it reads. False: a cycle. */
static bool visit(struct walk *w, uint32_t root, uint8_t *state, uint32_t (*stack)[2],
		  uint32_t *order, uint32_t *count)
{
	uint32_t depth = 0;

	if (state[root] == DONE)
		return true;
	state[root] = OPEN;
	stack[depth][0] = root;
	stack[depth++][1] = w->first[root];
	while (depth) {
		uint32_t n = stack[depth - 1][0], k = stack[depth - 1][1]++, p;

		if (k == w->first[n + 1]) {
			state[n] = DONE;
			order[(*count)++] = n;
			depth--;
			continue;
		}
		p = w->reads.data[k];
		if (state[p] == OPEN)
			return false;
		if (state[p] == NOT_SEEN) {
			state[p] = OPEN;
			stack[depth][0] = p;
			stack[depth++][1] = w->first[p];
		}
	}
	return true;
}

uint32_t *onnx_order(struct onnx_import *im, const Onnx__GraphProto *graph, uint32_t *count)
{
	struct walk w = { .graph = graph, .tmp = &im->file };
	uint8_t *needed, *state = arena_new_array(w.tmp, uint8_t, graph->n_node);
	uint32_t(*stack)[2] = arena_array(w.tmp, graph->n_node, sizeof *stack);
	uint32_t *order = arena_new_array(w.tmp, uint32_t, graph->n_node);

	*count = 0;
	if (!collect_reads(im, &w))
		return NULL;
	needed = mark_needed(&w);
	for (uint32_t i = 0; i < graph->n_node; i++) {
		if (needed[i] && !visit(&w, i, state, stack, order, count)) {
			const Onnx__NodeProto *n = graph->node[i];
			bool named = n->name && *n->name;

			diag_error(im->d, im->span, "node %s\"%s\" (%s) needs its own result", named ? "" : "of output ",
				   named ? n->name : n->n_output ? n->output[0] : "", n->op_type ? n->op_type : "");
			return NULL;
		}
	}
	return order;
}
