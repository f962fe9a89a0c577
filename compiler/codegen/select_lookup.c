/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_lookup.c - rows of a large constant, read when their numbers are known.
 *
 * The launch has no kernel: the runtime reads the indices (argument 0) and
 * brings the rows from the plan file into the output (argument 1). The table of
 * a language model lies in the plan in the format of its source, row after row:
 * tables_as_stored() cuts its lookups into one of bytes and one that makes
 * floats of them.
 */
#include "config.h"

#include "codegen/activations.h"
#include "codegen/codegen.h"
#include "ir/block.h"

#include <string.h>

static bool add_lookup(struct codegen *c, node_id id, uint32_t weight)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->in[0]);
	struct row_lookup *r = arena_new(c->arena, struct row_lookup);
	struct launch l = { .kernel = NO_ID, .split_dim = -1, .node = id, .in_place_of = NO_ID,
			    .global = { 1, 1, 1 }, .arg_count = 2 };

	r->weight = weight;
	r->rows = (uint64_t)s->dim[0];
	r->row_bytes = c->ks->weights.data[r->weight].bytes / r->rows;
	r->count = (uint64_t)value_elements(c, n->in[1]);
	r->index_dtype = graph_value(c->g, n->in[1])->dtype;
	l.lookup = r;
	l.arg = arena_new_array(c->arena, struct kernel_arg, 2);
	l.arg[0] = (struct kernel_arg){ .kind = ARG_VALUE, .id = n->in[1] };
	l.arg[1] = (struct kernel_arg){ .kind = ARG_VALUE, .id = n->out[0], .written = true };
	l.what = arena_printf(c->arena, "lookup of %llu of %llu rows", (unsigned long long)r->count,
			      (unsigned long long)r->rows);
	l.bytes = 2 * r->count * r->row_bytes;
	vec_push(c->arena, &c->ks->launches, l);
	return true;
}

bool select_lookup(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);

	if (!node_is_lookup(c->g, n))
		return select_gather(c, id);
	return add_lookup(c, id, codegen_weight(c, n->in[0], (struct packing){ .kind = PACK_DENSE, .dtype = DTYPE_F32 }));
}

/* How the rows of a table are stored: blocks as a panel of one channel, halves as a matrix in panels of one. */
static struct packing table_packing(enum dtype t)
{
	if (dtype_is_block(t))
		return (struct packing){ .kind = PACK_QUANT, .dtype = t, .width = 1, .groups = 1 };
	return (struct packing){ .kind = PACK_PANELS, .dtype = t, .width = 1, .transposed = true };
}

bool select_stored_rows(struct codegen *c, node_id id)
{
	value_id table = graph_node(c->g, id)->in[0];

	return add_lookup(c, id, codegen_weight(c, table, table_packing(graph_value(c->g, table)->data->source_dtype)));
}

bool select_decode_rows(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	enum dtype t = graph_value(c->g, n->in[1])->data->source_dtype;
	int64_t k = value_shape(c, n->in[1])->dim[1], count = value_elements(c, n->out[0]) / k, block = ceil_div(count, 16);
	struct build b;

	build_begin(&b, c, id, dtype_is_block(t) ? "gather_quant" : "widen_rows");
	b.in_place = false;
	build_what(&b, "rows of %s as floats", dtype_name(t));
	if (dtype_is_block(t)) {
		build_define_format(&b, t, 1);
		build_define_text(&b, "INDEX", "int");
		build_define_text(&b, "AT(r)", "(r)");
	} else {
		build_define_text(&b, "EDGE_WEIGHT", "%s", expr_storage(t));
	}
	if (!build_rows(&b, DTYPE_F32, k))
		return false;
	build_value(&b, n->in[0]);
	if (dtype_is_block(t)) {
		build_value(&b, n->in[0]); /* in the place of indices, never read */
		build_i32(&b, count);
		build_i32(&b, k);
		build_i32(&b, (int64_t)quant_row_bytes(t, k));
	} else {
		build_i32(&b, k);
	}
	build_i32(&b, count);
	build_i32(&b, block);
	build_out(&b);
	return build_launch(&b, ceil_div(count, block), 1, 1);
}

/* Bytes of a row of the table as stored; 0: it stays a table of floats. */
static uint64_t stored_bytes(const struct graph *g, value_id table)
{
	const struct codegen c = { .g = g };
	const struct value *v = graph_value(g, table);
	enum dtype t = v->data->source_dtype;

	if (v->shape.rank != 2)
		return 0;
	if (t == DTYPE_F16 || t == DTYPE_BF16)
		return data_in_order(g, table) ? 2 * (uint64_t)v->shape.dim[1] : 0;
	return codegen_quant(&c, table, 0, 1) ? quant_row_bytes(t, v->shape.dim[1]) : 0;
}

void tables_as_stored(struct graph *g)
{
	uint32_t nodes = g->nodes.len;
	bool any = false;

	for (uint32_t i = 0; i < nodes && g->language; i++) {
		struct node *n = graph_node(g, i);
		uint64_t bytes = node_is_lookup(g, n) ? stored_bytes(g, n->in[0]) : 0;
		const struct shape *s = &graph_value(g, n->out[0])->shape;
		int64_t *shape, wide[MAX_RANK];
		struct attr attr;
		value_id in[2], rows;

		if (!bytes || s->rank < 1)
			continue;
		memcpy(wide, s->dim, sizeof wide);
		wide[s->rank - 1] = (int64_t)bytes;
		attr = attr_ints(shape, wide, s->rank);
		shape = arena_copy(g->arena, s->dim, s->rank * sizeof *shape);
		in[0] = n->in[0];
		in[1] = n->in[1];
		rows = graph_op(g, NULL, OP_stored_rows, in, 2, &attr, 1, n->span, n->name);
		if (rows == NO_ID)
			continue;
		n = graph_node(g, i);
		n->op = OP_decode_rows;
		n->in[0] = rows;
		n->in[1] = in[0];
		n->attr = arena_new(g->arena, struct attr);
		*n->attr = attr_ints(shape, shape, graph_value(g, n->out[0])->shape.rank);
		n->attr_count = 1;
		any = true;
	}
	if (any)
		graph_compact(g);
}
