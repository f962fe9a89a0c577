/* SPDX-License-Identifier: Apache-2.0 */
/*
 * widen.c - networks in half or double precision are computed in single precision.
 *
 * Inputs and outputs keep their types; in between, values of f16, bf16 and f64
 * become f32, and casts to them do nothing. Constants stay as they are in
 * their file and are only seen as f32: how their bytes are stored in the plan
 * is for code generation to say.
 */
#include "config.h"

#include "pass/pass.h"

static bool is_other(enum dtype t)
{
	return dtype_is_float(t) && t != DTYPE_F32;
}

/* Everything reads a cast of the input instead. False: nothing to do. */
static bool widen_input(struct graph *g, value_id v)
{
	struct span span = graph_value(g, v)->span;
	struct attr to = attr_int(dtype, DTYPE_F32);
	value_id wide;

	if (!is_other(graph_value(g, v)->dtype))
		return false;
	wide = graph_op(g, NULL, OP_cast, &v, 1, &to, 1, span, NULL);
	graph_replace_uses(g, v, wide);
	graph_node(g, graph_value(g, wide)->producer)->in[0] = v;
	return true;
}

static void widen_node(struct graph *g, struct node *n)
{
	if (n->op == OP_cast && is_other((enum dtype)node_int(n, ATTR_dtype, 0)))
		node_set_attr(g, n, attr_int(dtype, DTYPE_F32));
}

/* Constants that no node reads are not computed with. */
static bool *find_read(const struct graph *g, struct arena *tmp)
{
	bool *read = arena_new_array(tmp, bool, g->values.len + 1);

	for (uint32_t i = 0; i < g->nodes.len; i++)
		for (uint32_t k = 0; k < graph_node(g, i)->in_count; k++)
			if (graph_node(g, i)->in[k] != NO_ID)
				read[graph_node(g, i)->in[k]] = true;
	return read;
}

static void narrow_output(struct graph *g, uint32_t i, enum dtype t)
{
	struct attr to = attr_int(dtype, t);
	value_id v = g->outputs.data[i];

	g->outputs.data[i] =
		graph_op(g, NULL, OP_cast, &v, 1, &to, 1, graph_value(g, v)->span, g->output_names.data[i]);
}

bool pass_widen(struct graph *g, struct diag *d)
{
	struct arena tmp = { 0 };
	enum dtype *output = arena_new_array(&tmp, enum dtype, g->outputs.len + 1);
	bool any = false, *read;

	(void)d;
	for (uint32_t i = 0; i < g->outputs.len; i++)
		output[i] = graph_value(g, g->outputs.data[i])->dtype;
	for (uint32_t i = 0; i < g->inputs.len; i++)
		any |= widen_input(g, g->inputs.data[i]);
	read = find_read(g, &tmp);
	for (uint32_t v = 0; v < g->values.len; v++) {
		struct value *x = graph_value(g, v);

		if (x->kind == VALUE_INPUT || !is_other(x->dtype) || (x->kind == VALUE_CONST && !read[v]))
			continue;
		x->dtype = DTYPE_F32;
		any = true;
	}
	for (uint32_t i = 0; i < g->nodes.len; i++)
		widen_node(g, graph_node(g, i));
	for (uint32_t i = 0; i < g->outputs.len; i++)
		if (graph_value(g, g->outputs.data[i])->dtype != output[i])
			narrow_output(g, i, output[i]);
	arena_release(&tmp);
	if (any)
		graph_compact(g);
	return any;
}
