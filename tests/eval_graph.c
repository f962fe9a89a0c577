/* SPDX-License-Identifier: Apache-2.0 */
/* eval_graph.c - the whole graph, one node after the other, each value freed after its last use. */
#include "config.h"

#include "eval_graph.h"

#include "ref/ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t eval_bytes(const struct graph *g, value_id v)
{
	const struct value *x = graph_value(g, v);

	return (size_t)shape_elements(&x->shape) * dtype_size(x->dtype);
}

struct eval {
	const struct graph *g;
	void **value; /* by value id; NULL: not there (yet) */
	uint32_t *uses;
	struct diag diag;
};

static float round_bf16(float x)
{
	uint32_t u;

	memcpy(&u, &x, sizeof u);
	u += 0x7fff + (u >> 16 & 1); /* to nearest, ties to even; tests have no NaN there */
	u &= 0xffff0000;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* A graph whose weights are stored in fewer bits: matrices and tables lose them, vectors do not. */
static void round_weights(const struct graph *g, const struct value *x, float *w)
{
	if (x->dtype != DTYPE_F32 || x->shape.rank < 2)
		return;
	for (int64_t i = 0; i < shape_elements(&x->shape); i++) {
		if (g->weight_storage == DTYPE_F16)
			w[i] = half_to_float(float_to_half(w[i]));
		else if (g->weight_storage == DTYPE_BF16)
			w[i] = round_bf16(w[i]);
	}
}

static struct ref_tensor tensor_of(struct eval *e, value_id v)
{
	const struct value *x;

	if (v == NO_ID)
		return (struct ref_tensor){ 0 };
	x = graph_value(e->g, v);
	if (!e->value[v]) {
		e->value[v] = xmalloc(eval_bytes(e->g, v) + 64);
		if (x->kind == VALUE_CONST && !data_read(e->g, v, e->value[v], &e->diag))
			exit(99);
		if (x->kind == VALUE_CONST)
			round_weights(e->g, x, e->value[v]);
	}
	return (struct ref_tensor){ x->dtype, x->shape, e->value[v] };
}

static void drop(struct eval *e, value_id v)
{
	if (v != NO_ID && --e->uses[v] == 0) {
		free(e->value[v]);
		e->value[v] = NULL;
	}
}

static bool eval_node(struct eval *e, const struct node *n)
{
	struct arena tmp = { 0 };
	struct ref_tensor *in = arena_new_array(&tmp, struct ref_tensor, n->in_count);
	struct ref_tensor *out = arena_new_array(&tmp, struct ref_tensor, n->out_count);
	bool good;

	for (uint32_t i = 0; i < n->in_count; i++)
		in[i] = tensor_of(e, n->in[i]);
	for (uint32_t i = 0; i < n->out_count; i++)
		out[i] = tensor_of(e, n->out[i]);
	good = ref_node(n, in, n->in_count, out, n->out_count);
	if (!good)
		printf("# could not evaluate %s \"%s\"\n", op_name(n->op), n->name ? n->name : "");
	for (uint32_t i = 0; i < n->in_count; i++)
		drop(e, n->in[i]);
	for (uint32_t i = 0; i < n->out_count; i++) {
		if (n->out[i] != NO_ID && !e->uses[n->out[i]]) {
			free(e->value[n->out[i]]);
			e->value[n->out[i]] = NULL;
		}
	}
	arena_release(&tmp);
	return good;
}

bool eval_graph(const struct graph *g, const void *const *inputs, void **outputs)
{
	struct arena tmp = { 0 };
	struct eval e = { .g = g };
	bool good = true;

	e.value = arena_new_array(&tmp, void *, g->values.len);
	e.uses = graph_count_uses(g, &tmp);
	diag_init(&e.diag, &tmp, stdout);
	for (uint32_t i = 0; i < g->inputs.len; i++)
		memcpy(tensor_of(&e, g->inputs.data[i]).data, inputs[i],
		       eval_bytes(g, g->inputs.data[i]));
	for (uint32_t i = 0; good && i < g->nodes.len; i++) {
		if (!g->nodes.data[i].dead)
			good = eval_node(&e, &g->nodes.data[i]);
	}
	for (uint32_t i = 0; good && i < g->outputs.len; i++)
		memcpy(outputs[i], tensor_of(&e, g->outputs.data[i]).data,
		       eval_bytes(g, g->outputs.data[i]));
	for (uint32_t i = 0; i < g->values.len; i++)
		free(e.value[i]);
	arena_release(&tmp);
	return good;
}
