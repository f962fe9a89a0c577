/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensors.c - which constants are weights of products, and of what kind.
 *
 * Names are asked first, since exporters keep them; without a telling name the
 * shape decides: a projection of attention keeps the width (or triples it), a
 * feed-forward layer widens and narrows by two and more.
 */
#include "config.h"

#include "tune/tensors.h"

#include "quant/quant.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const class_name[TENSOR_CLASSES] = {
	"first", "last", "embedding", "attention", "ffn", "early", "conv", "other"
};

const char *tensor_class_name(enum tensor_class c)
{
	return class_name[c];
}

bool tensor_class_from_name(const char *name, enum tensor_class *out)
{
	for (int i = 0; i < TENSOR_CLASSES; i++)
		if (!strcmp(name, class_name[i])) {
			*out = (enum tensor_class)i;
			return true;
		}
	return false;
}

static bool any_word(const char *name, const char *const *words)
{
	char lower[256];
	size_t n = 0;

	for (; name && name[n] && n < sizeof lower - 1; n++)
		lower[n] = (char)tolower((unsigned char)name[n]);
	lower[n] = '\0';
	for (; *words; words++)
		if (strstr(lower, *words))
			return true;
	return false;
}

static enum tensor_class matrix_class(const char *value, const char *node, int64_t k, int64_t n)
{
	static const char *const attention[] = { "attn", "attention", "q_proj", "k_proj", "v_proj", "o_proj", "qkv",
						 "query", "wq", "wk", "wv", "wo.", NULL };
	static const char *const ffn[] = { "ffn", "mlp", "feed_forward", "feedforward", "intermediate", "gate_proj",
					   "up_proj", "down_proj", "w1.", "w2.", "w3.", NULL };

	if (any_word(value, attention) || any_word(node, attention))
		return TENSOR_ATTENTION;
	if (any_word(value, ffn) || any_word(node, ffn))
		return TENSOR_FFN;
	if (n == k || n == 3 * k)
		return TENSOR_ATTENTION;
	if (n >= 2 * k || k >= 2 * n)
		return TENSOR_FFN;
	return TENSOR_OTHER;
}

static bool is_weight(const struct graph *g, value_id v)
{
	const struct value *x;

	if (v == NO_ID)
		return false;
	x = graph_value(g, v);
	return x->kind == VALUE_CONST && x->dtype == DTYPE_F32 && shape_elements(&x->shape) >= 64;
}

/* The operand of the node that is a weight; NO_ID: it has none. */
static value_id weight_of(const struct graph *g, const struct node *n)
{
	uint32_t own = node_own_inputs(n);

	switch (n->op) {
	case OP_matmul:
	case OP_conv:
	case OP_conv_transpose:
		return own > 1 && is_weight(g, n->in[1]) ? n->in[1] : NO_ID;
	case OP_gather:
		return own > 1 && is_weight(g, n->in[0]) && graph_value(g, n->in[0])->shape.rank == 2 ? n->in[0] : NO_ID;
	default:
		return NO_ID;
	}
}

/* rows x columns x depth of what the node computes with its weight; false: it computes nothing. */
static bool product_of(const struct graph *g, const struct node *n, struct product_shape *out)
{
	const struct shape *w, *y = &graph_value(g, n->out[0])->shape;
	int64_t elements = shape_elements(y), weights, outputs;

	if (n->op == OP_gather || elements <= 0 || y->rank < 2)
		return false;
	w = &graph_value(g, n->in[1])->shape;
	weights = shape_elements(w);
	outputs = out->columns = y->dim[y->rank - 1]; /* images are channels last */
	if (n->op != OP_matmul && node_int(n, ATTR_group, 1) > 0)
		out->columns /= node_int(n, ATTR_group, 1);
	if (out->columns <= 0)
		return false;
	out->rows = elements / outputs;
	out->depth = weights / outputs;
	out->flops = (uint64_t)(2 * elements) * (uint64_t)(out->depth > 0 ? out->depth : 1);
	out->count = 1;
	return true;
}

/* Depthwise convolutions have no blocks, and so no place in the quantiser's list; halves they may be. */
static const char *tensor_name(struct arena *a, const struct graph *g, const struct node *n, value_id v,
			       const struct quant_tensor *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i].value == v)
			return list[i].name;
	return graph_value(g, v)->name ? graph_value(g, v)->name : n->name ? n->name : arena_printf(a, "%s_%u", op_name(n->op), v);
}

enum { EARLY_PERCENT = 25 };

static uint64_t reuse(const struct tensor *t)
{
	return t->flops / (uint64_t)(t->elements ? t->elements : 1);
}

/* Convolutions at the most pixels, as long as all of them together have few of the weights. */
static void mark_early(struct tensors *ts)
{
	int64_t all = 0, part = 0;

	for (uint32_t i = 0; i < ts->len; i++)
		all += ts->data[i].class == TENSOR_CONV ? ts->data[i].elements : 0;
	for (;;) {
		uint64_t most = 0;

		for (uint32_t i = 0; i < ts->len; i++)
			if (ts->data[i].class == TENSOR_CONV && reuse(&ts->data[i]) > most)
				most = reuse(&ts->data[i]);
		for (uint32_t i = 0; i < ts->len; i++)
			part += ts->data[i].class == TENSOR_CONV && reuse(&ts->data[i]) == most ? ts->data[i].elements : 0;
		if (!most || part * 100 > all * EARLY_PERCENT)
			return;
		for (uint32_t i = 0; i < ts->len; i++)
			if (ts->data[i].class == TENSOR_CONV && reuse(&ts->data[i]) == most)
				ts->data[i].class = TENSOR_EARLY;
	}
}

struct tensors tensors_of(struct arena *a, const struct graph *g)
{
	struct tensors out = { 0 };
	uint32_t first = NO_ID, last = NO_ID, count;
	const struct quant_tensor *list = quant_tensors(a, g, &count);

	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = graph_node(g, i);
		value_id v = n->dead ? NO_ID : weight_of(g, n);
		struct product_shape p = { 0 };
		const struct shape *s;
		struct tensor t;
		uint32_t k;

		if (v == NO_ID)
			continue;
		product_of(g, n, &p);
		for (k = 0; k < out.len && out.data[k].value != v; k++)
			;
		if (k == out.len) {
			s = &graph_value(g, v)->shape;
			t = (struct tensor){ .value = v, .elements = shape_elements(s) };
			t.name = tensor_name(a, g, n, v, list, count);
			t.class = n->op == OP_gather ? TENSOR_EMBEDDING : n->op != OP_matmul ? TENSOR_CONV
				: matrix_class(graph_value(g, v)->name, n->name, p.depth, p.columns);
			vec_push(a, &out, t);
		}
		out.data[k].flops += p.flops;
		if (n->op == OP_gather)
			continue;
		first = first == NO_ID ? k : first;
		last = k;
	}
	if (first != NO_ID && first != last && out.data[first].class != TENSOR_EMBEDDING)
		out.data[first].class = TENSOR_FIRST;
	if (last != NO_ID && out.data[last].class != TENSOR_EMBEDDING)
		out.data[last].class = TENSOR_LAST;
	mark_early(&out);
	return out;
}

static int by_work(const void *x, const void *y)
{
	const struct product_shape *a = x, *b = y;

	if (a->flops != b->flops)
		return a->flops > b->flops ? -1 : 1;
	return a->rows != b->rows ? (a->rows > b->rows ? -1 : 1) : (a->columns > b->columns) - (a->columns < b->columns);
}

/* Depthwise convolutions have a kernel of their own, without these tiles. */
static bool is_depthwise(const struct graph *g, const struct node *n)
{
	const struct shape *x = &graph_value(g, n->in[0])->shape;

	return n->op == OP_conv && node_int(n, ATTR_group, 1) > 1 && node_int(n, ATTR_group, 1) == x->dim[x->rank - 1];
}

struct product_shapes products_of(struct arena *a, const struct graph *g)
{
	struct product_shapes out = { 0 };

	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = graph_node(g, i);
		struct product_shape p;
		uint32_t k;

		if (n->dead || n->op == OP_gather || weight_of(g, n) == NO_ID || is_depthwise(g, n) || !product_of(g, n, &p))
			continue;
		for (k = 0; k < out.len && (out.data[k].rows != p.rows || out.data[k].columns != p.columns); k++)
			;
		if (k == out.len) {
			vec_push(a, &out, p);
		} else {
			out.data[k].flops += p.flops;
			out.data[k].count++;
		}
	}
	qsort(out.data, out.len, sizeof *out.data, by_work);
	return out;
}
