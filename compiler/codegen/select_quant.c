/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_quant.c - products with weights in few bits.
 *
 * Up to four rows are bound by the bytes of the weights and unpack in
 * registers; more rows unpack a piece of a panel for many of them.
 */
#include "config.h"

#include "codegen/codegen.h"

enum { MOST_VECTORS = 4, MOST_TILES = 8, ITEMS = 4 };

/* Sixteen where thirty-two would be mostly padding. */
uint32_t codegen_quant_width(int64_t outputs)
{
	return ceil_div(outputs, 16) * 18 < ceil_div(outputs, 32) * 32 ? 16 : 32;
}

/* The more tiles share what was unpacked the better, as long as there is work for some threads. */
int64_t codegen_quant_tiles(const struct codegen *c, int64_t tiles, int64_t panels)
{
	int64_t n = MOST_TILES, items = c->t->threads ? (int64_t)c->t->threads : ITEMS;

	while (n > 2 && ceil_div(tiles, n) * panels < items)
		n /= 2;
	return n;
}

bool select_rows_by_quant(struct codegen *c, node_id id, const struct rows_by_panels *p, value_id weights)
{
	bool few = p->rows <= MOST_VECTORS;
	uint32_t weight = codegen_quant_weight(c, weights, codegen_quant_width(p->outputs), 1);
	const struct weight *w = &c->ks->weights.data[weight];
	int64_t panels = w->granules, height = codegen_tile_height(p->rows), bytes = (int64_t)w->granule_bytes;
	int64_t tiles = codegen_quant_tiles(c, ceil_div(p->rows, height), panels);
	struct build b;

	if (bytes > INT32_MAX)
		return codegen_refuse(c, id, "a panel of its weights has more than 2^31 bytes");
	build_begin(&b, c, id, few ? "gemv_quant" : "matmul_quant");
	b.n = p->n;
	build_what(&b, "%s %s", p->what, dtype_name(w->packing.dtype));
	b.split_dim = 0;
	build_define_quant(&b, weight);
	if (few) {
		build_define(&b, "ROWS", p->rows);
	} else {
		build_define(&b, "TILE_M", height);
		build_define(&b, "TILES", tiles);
		build_define(&b, "ONCE", p->k <= (w->packing.width == 16 ? 640 : 320));
	}
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, p->n->in[0]);
	build_weight(&b, weight, true);
	build_first_granule(&b);
	if (!few)
		build_i32(&b, p->rows);
	build_i32(&b, p->k);
	build_i32(&b, bytes);
	build_f32(&b, p->alpha);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * p->rows * p->outputs * p->k));
	return build_launch(&b, panels, few ? 1 : ceil_div(p->rows, height * tiles), 1);
}

/* The launch just made reads some rows of its weight, not all of it. */
static bool reads_rows(struct codegen *c, int64_t count, uint64_t row_bytes, int64_t k)
{
	struct launch *l = &c->ks->launches.data[c->ks->launches.len - 1];

	l->bytes = (uint64_t)count * (row_bytes + 4 * (uint64_t)k);
	return true;
}

/* Rows of a table in few bits: of one channel a panel, or in the panels of a product. */
static bool gather_blocks(struct codegen *c, node_id id, const char *index, uint32_t weight)
{
	const struct node *n = graph_node(c->g, id);
	const struct weight *w = &c->ks->weights.data[weight];
	const struct shape *s = value_shape(c, n->in[0]);
	int64_t count = value_elements(c, n->in[1]), k = s->dim[s->rank - 1], block = ceil_div(count, 16);
	int64_t rows = shape_elements(s) / k;
	struct build b;

	build_begin(&b, c, id, "gather_quant");
	build_what(&b, "gather %s", dtype_name(w->packing.dtype));
	build_define_text(&b, "INDEX", "%s", index);
	build_define_quant(&b, weight);
	if (w->packing.width > 1)
		build_define(&b, "LANES", 16);
	if (!build_rows(&b, DTYPE_F32, k))
		return false;
	build_weight(&b, weight, false);
	build_value(&b, n->in[1]);
	build_i32(&b, rows);
	build_i32(&b, k);
	build_i32(&b, w->packing.width > 1 ? (int64_t)w->granule_bytes : (int64_t)w->bytes / rows);
	build_i32(&b, count);
	build_i32(&b, block);
	build_out(&b);
	return build_launch(&b, ceil_div(count, block), 1, 1) && reads_rows(c, count, quant_row_bytes(w->packing.dtype, k), k);
}

bool select_gather_quant(struct codegen *c, node_id id, const char *index)
{
	return gather_blocks(c, id, index, codegen_quant_weight(c, graph_node(c->g, id)->in[0], 1, 0));
}

/* The packing is the one that the product asks for: so the matrix is in the plan once. */
bool select_gather_panels(struct codegen *c, node_id id, const char *index)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->in[0]);
	int64_t count = value_elements(c, n->in[1]), k = s->dim[1], block = ceil_div(count, 16);
	enum dtype stored = codegen_storage(c, n->in[0]);
	uint32_t width = codegen_tile(c, 1, s->dim[0], k).width;
	struct build b;

	if (codegen_quant(c, n->in[0], 0, 1))
		return gather_blocks(c, id, index, codegen_quant_weight(c, n->in[0], codegen_quant_width(s->dim[0]), 1));
	build_begin(&b, c, id, "gather_panels");
	build_what(&b, "gather %s from panels", dtype_name(stored));
	build_define_text(&b, "INDEX", "%s", index);
	build_define_text(&b, "TYPE", "%s", expr_storage(stored));
	build_define_text(&b, "LOAD(p, i)", "%s", expr_load(c->arena, stored, "(p)", "(i)"));
	if (!build_rows(&b, DTYPE_F32, k))
		return false;
	build_weight(&b, codegen_weight(c, n->in[0], (struct packing){ .kind = PACK_PANELS, .dtype = stored, .width = width,
									.transposed = true }), false);
	build_value(&b, n->in[1]);
	build_i32(&b, s->dim[0]);
	build_i32(&b, k);
	build_i32(&b, width);
	build_i32(&b, count);
	build_i32(&b, block);
	build_out(&b);
	return build_launch(&b, ceil_div(count, block), 1, 1) && reads_rows(c, count, (uint64_t)k * dtype_size(stored), k);
}
