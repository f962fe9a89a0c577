/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_rows.c - products of integers: activations in 8 bits times weights in few.
 *
 * activations_quantize() puts a node before each product that makes codes of its
 * rows (one for all products that read the same rows), and lets the product read
 * those. It says the same for graphs that differ in their number of rows.
 */
#include "config.h"

#include "codegen/activations.h"

#include "codegen/codegen.h"
#include "codegen/native.h"

enum { MOST_VECTORS = 4, PARTS_AN_ITEM = 64, LEAST_WEIGHTS = 1 << 16 };

bool select_quantize_rows(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->in[0]);
	int64_t k = s->dim[s->rank - 1], parts = value_elements(c, n->out[0]) / ROWS_PART_BYTES, block = PARTS_AN_ITEM;
	int64_t share = node_int(n, ATTR_group, ROWS_PART) / ROWS_PART;
	struct build b;

	while (block > 8 && ceil_div(parts, block) < 8)
		block /= 2;
	build_begin(&b, c, id, "quantize_rows");
	b.in_place = false;
	build_what(&b, "rows of %lld in 8 bits", (long long)k);
	if (share > 1)
		build_define(&b, "SHARE", share);
	build_value_f32(&b, n->in[0]);
	build_value(&b, n->out[0]);
	build_i32(&b, parts);
	build_i32(&b, k);
	build_i32(&b, block);
	build_flops(&b, 4 * (uint64_t)value_elements(c, n->in[0]));
	return build_launch(&b, ceil_div(parts, block), 1, 1);
}

bool select_matmul_rows(struct codegen *c, node_id id)
{
	const struct node *n = codegen_bias_as_epilogue(c, graph_node(c->g, id), 2);
	const struct shape *out = value_shape(c, n->out[0]), *s = value_shape(c, n->in[1]);
	bool turned = node_int(n, ATTR_trans_b, 0) != 0, few;
	int64_t outputs = s->dim[turned ? 0 : 1], k = s->dim[turned ? 1 : 0], rows = shape_elements(out) / outputs;
	int64_t height = codegen_tile_height(rows), panels, tiles, bytes;
	uint32_t weight;
	struct build b;

	if (!codegen_quant(c, n->in[1], turned ? 0 : 1, turned ? 1 : 0))
		return codegen_refuse(c, id, "its weights are not in few bits");
	weight = codegen_quant_weight(c, n->in[1], codegen_quant_width(outputs), 1);
	panels = c->ks->weights.data[weight].granules;
	bytes = (int64_t)c->ks->weights.data[weight].granule_bytes;
	if (bytes > INT32_MAX || value_elements(c, n->in[0]) > INT32_MAX)
		return codegen_refuse(c, id, "its rows or a panel of its weights have more than 2^31 bytes");
	tiles = codegen_quant_tiles(c, ceil_div(rows, height), panels);
	few = rows <= MOST_VECTORS;
	build_begin(&b, c, id, few ? "gemv_int8" : "matmul_int8");
	b.n = n;
	build_what(&b, "matmul %lldx%lldx%lld %s in 8 bits", (long long)rows, (long long)outputs, (long long)k,
		   dtype_name(c->ks->weights.data[weight].packing.dtype));
	b.split_dim = 0;
	build_define_quant(&b, weight);
	if (few) {
		build_define(&b, "ROWS", rows);
	} else {
		build_define(&b, "TILE_M", height);
		build_define(&b, "TILES", tiles);
	}
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value(&b, n->in[0]);
	build_weight(&b, weight, true);
	build_first_granule(&b);
	if (!few)
		build_i32(&b, rows);
	build_i32(&b, k);
	build_i32(&b, bytes);
	build_f32(&b, node_float(n, ATTR_alpha, 1));
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * rows * outputs * k));
	return build_launch(&b, panels, few ? 1 : ceil_div(rows, height * tiles), 1);
}

/* ---- which products ---- */

/* Processors with dot products of bytes; others have no more of them than of floats. */
bool activations_pay(const struct target *t)
{
	return t->backend == TARGET_NATIVE && t->kernels == TARGET_CPU_KERNELS && t->isas & 1u << NATIVE_X86_64_V4;
}

/* What the file asks for: elements of a row that have one scale; 0: it asks for nothing. */
static int64_t asked(const struct graph *g, const struct node *n)
{
	const struct data *x = graph_value(g, n->in[1])->data;

	return x && x->packed ? x->packed->rows_in_groups : 0;
}

static bool takes(const struct graph *g, const struct node *n, enum activations mode, bool pays)
{
	const struct codegen c = { .g = g };
	const struct value *w;
	uint32_t turned;

	if (n->dead || n->op != OP_matmul || node_int(n, ATTR_trans_a, 0))
		return false;
	w = graph_value(g, n->in[1]);
	turned = node_int(n, ATTR_trans_b, 0) != 0;
	if (graph_value(g, n->in[0])->kind == VALUE_CONST || graph_value(g, n->in[0])->dtype != DTYPE_F32 ||
	    w->shape.rank != 2 || !codegen_quant(&c, n->in[1], 1 - turned, turned))
		return false;
	if (asked(g, n) || mode == ACTIVATIONS_INT8)
		return true;
	return g->language && pays && shape_elements(&w->shape) >= LEAST_WEIGHTS;
}

/* Products that read the same rows share their codes, as long as they want the same ones. */
static value_id rows_of(struct graph *g, value_id x, int64_t group, value_id *made)
{
	struct attr attr = attr_int(group, group ? group : ROWS_PART);
	bool same = made[x] != NO_ID && node_int(graph_node(g, graph_value(g, made[x])->producer), ATTR_group, 0) == attr.i;

	if (!same)
		made[x] = graph_op(g, NULL, OP_quantize_rows, &x, 1, &attr, 1, graph_value(g, x)->span, NULL);
	return made[x];
}

static void take(struct graph *g, node_id id, value_id *made)
{
	value_id rows = rows_of(g, graph_node(g, id)->in[0], asked(g, graph_node(g, id)), made);
	struct node *n = graph_node(g, id);
	struct attr *attr = arena_new_array(g->arena, struct attr, 2);

	attr[0] = attr_int(trans_b, node_int(n, ATTR_trans_b, 0));
	attr[1] = attr_float(alpha, node_float(n, ATTR_alpha, 1));
	n->op = OP_matmul_rows;
	n->in[0] = rows;
	n->attr = attr;
	n->attr_count = 2;
}

bool activations_quantize(struct graph *g, enum activations mode, const struct target *t, struct span span, struct diag *d)
{
	uint32_t values = g->values.len, nodes = g->nodes.len, taken = 0;
	struct arena tmp = { 0 };
	value_id *made;

	if (mode == ACTIVATIONS_F32)
		return true;
	made = arena_new_array(&tmp, value_id, values);
	for (uint32_t i = 0; i < values; i++)
		made[i] = NO_ID;
	for (uint32_t i = 0; i < nodes; i++)
		if (takes(g, graph_node(g, i), mode, activations_pay(t))) {
			take(g, i, made);
			taken++;
		}
	arena_release(&tmp);
	if (mode == ACTIVATIONS_INT8)
		taken += activations_take_images(g);
	if (taken) {
		graph_compact(g);
	} else if (mode == ACTIVATIONS_INT8 && d) {
		diag_error(d, span, "activations in q8: there is no product with weights in few bits, nor a convolution");
		diag_hint(d, "Add: weights q8 group 32; a convolution wants a multiple of four channels a group.");
		return false;
	}
	return true;
}
