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

/* Rows of a table in few bits. */
bool select_gather_quant(struct codegen *c, node_id id, const char *index)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->in[0]);
	int64_t count = value_elements(c, n->in[1]), k = s->dim[s->rank - 1], block;
	uint32_t weight = codegen_quant_weight(c, n->in[0], 1, 0);
	int64_t rows = shape_elements(s) / k, bytes = (int64_t)c->ks->weights.data[weight].bytes / rows;
	struct build b;

	block = ceil_div(count, 16);
	build_begin(&b, c, id, "gather_quant");
	build_what(&b, "gather %s", dtype_name(c->ks->weights.data[weight].packing.dtype));
	build_define_text(&b, "INDEX", "%s", index);
	build_define_quant(&b, weight);
	if (!build_rows(&b, DTYPE_F32, k))
		return false;
	build_weight(&b, weight, false);
	build_value(&b, n->in[1]);
	build_i32(&b, rows);
	build_i32(&b, k);
	build_i32(&b, bytes);
	build_i32(&b, count);
	build_i32(&b, block);
	build_out(&b);
	return build_launch(&b, ceil_div(count, block), 1, 1);
}
