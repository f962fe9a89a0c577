/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_winograd.c - convolutions 3x3 of stride 1 by fewer products: winograd.cl
 * and winograd4.cl.
 *
 * What they save in the products they pay partly back in transforms, so they are
 * for many channels and enough pixels. Costs are in multiply-adds of a
 * vector of 16 lanes, for one input channel and one panel, as measured.
 */
#include "config.h"

#include "codegen/select_winograd.h"

#include "codegen/select_gpu.h"

enum {
	MAX_TILES = 32,	  /* TILES of the kernels */
	LEAST_CHANNELS = 16,
	LEAST_HEIGHT = 4, /* fewer rows of a product wait for their own sums, and take as long */
	MARGIN_PERCENT = 110
};

/* A tile has side x side outputs, each of its positions a product. */
struct form {
	const char *template;
	int64_t side, positions;
	int64_t weights; /* cost of transforming the weights, for a work-item and a vector of its panel */
	int64_t unpack;	 /* of unpacking them first; 0: weights in few bits are not its own */
	int64_t input;	 /* of transforming the inputs, for a tile */
	int64_t product; /* of starting the products of a tile and of its results, over all channels */
};

static const struct form forms[] = {
	{ "winograd", 2, 16, .weights = 65, .unpack = 30, .input = 5, .product = 48 },
	{ "winograd4", 4, 36, .weights = 100, .input = 12, .product = 400 },
};

struct blocks {
	const struct form *form;
	int64_t tiles, height, block, cost;
};

/* Tiles of a work-item, a multiple of the product's height, such that all together cost least. */
static struct blocks form_blocks(const struct form *f, const struct window *w, int64_t vectors, bool quant)
{
	const int64_t weights = f->weights + (quant ? f->unpack : 0);
	struct blocks b = { .form = f, .tiles = w->images * ceil_div(w->out[1], f->side) * ceil_div(w->out[2], f->side) };
	int64_t rows;

	b.height = codegen_tile_height(b.tiles);
	rows = ceil_div(b.tiles, b.height) * (b.height < LEAST_HEIGHT ? LEAST_HEIGHT : b.height);
	for (int64_t block = b.height; block <= MAX_TILES; block += b.height) {
		int64_t n = ceil_div(b.tiles, block);
		int64_t cost = vectors * (f->positions * rows + weights * n) + f->input * b.tiles +
			       f->product * b.tiles / w->channels;

		if (!b.block || cost < b.cost) {
			b.block = block;
			b.cost = cost;
		}
	}
	return b;
}

static struct blocks find_blocks(const struct window *w, int64_t vectors, bool quant)
{
	struct blocks best = form_blocks(&forms[0], w, vectors, quant), b;

	for (unsigned i = 1; i < sizeof(forms) / sizeof(forms[0]); i++) {
		b = form_blocks(&forms[i], w, vectors, quant);
		if ((!quant || forms[i].unpack) && b.cost < best.cost)
			best = b;
	}
	return best;
}

static uint32_t panel_vectors(int64_t outputs)
{
	return outputs <= 16 ? 1 : 2;
}

bool winograd_pays(const struct codegen *c, const struct window *w, int64_t outputs, bool quant)
{
	int64_t vectors = panel_vectors(outputs), pixels = w->images * w->out[1] * w->out[2], height, direct;

	if (codegen_is_gpu(c) || w->dims != 2 || w->kernel[1] != 3 || w->kernel[2] != 3 || w->channels < LEAST_CHANNELS)
		return false;
	if (quant && w->channels % 8)
		return false;
	for (int i = 1; i < 3; i++)
		if (w->stride[i] != 1 || w->dilation[i] != 1)
			return false;
	height = codegen_tile_height(pixels);
	direct = vectors * 9 * ceil_div(pixels, height) * height;
	return find_blocks(w, vectors, quant).cost * MARGIN_PERCENT < direct * 100;
}

bool select_winograd(struct codegen *c, node_id id, const struct node *n, const struct window *w, int64_t outputs)
{
	bool quant = codegen_quant(c, n->in[1], 0, 1);
	int64_t vectors = panel_vectors(outputs), width = 16 * vectors, panels = ceil_div(outputs, width);
	struct blocks blocks = find_blocks(w, vectors, quant);
	struct packing packing = { .kind = PACK_CONV, .dtype = codegen_storage(c, n->in[1]), .groups = 1,
				   .width = (uint32_t)width };
	uint32_t weight = quant ? codegen_quant_weight(c, n->in[1], (uint32_t)width, 1) : codegen_weight(c, n->in[1], packing);
	struct build b;

	build_begin(&b, c, id, blocks.form->template);
	b.n = n;
	b.split_dim = 0;
	if (quant) {
		build_what(&b, "conv %s %s", window_text(c, w), dtype_name(c->ks->weights.data[weight].packing.dtype));
		build_define_quant(&b, weight);
	} else {
		build_what(&b, "conv %s", window_text(c, w));
		build_define(&b, "TILE_NV", vectors);
		build_define_weight(&b, weight);
	}
	build_define(&b, "TILE_M", blocks.height);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, n->in[0]);
	build_weight(&b, weight, true);
	if (blocks.form->side == 4)
		build_weight(&b, codegen_zeros(c, n->in[1], (uint64_t)w->channels * sizeof(float)), false);
	build_first_granule(&b);
	build_i32(&b, quant ? (int64_t)c->ks->weights.data[weight].granule_bytes : 9 * w->channels * width);
	build_i32(&b, blocks.tiles);
	build_i32(&b, blocks.block);
	build_i32(&b, w->channels);
	build_i32(&b, w->in[1]);
	build_i32(&b, w->in[2]);
	build_i32(&b, w->out[1]);
	build_i32(&b, w->out[2]);
	build_i32(&b, w->begin[1]);
	build_i32(&b, w->begin[2]);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * 16 * blocks.cost * w->channels * panels)); /* transforms included */
	return build_launch(&b, panels, ceil_div(blocks.tiles, blocks.block), 1);
}
