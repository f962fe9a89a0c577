/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_image.c - convolutions of integers: images in 8 bits times weights in few.
 *
 * activations_take_images() puts a node before each such convolution that makes codes
 * of its image, one for all convolutions that read the same image; its frame is as wide as
 * the widest of them wants.
 */
#include "config.h"

#include "codegen/activations.h"
#include "codegen/window.h"
#include "ir/block.h"

#include <string.h>

enum {
	WINDOW_BYTES = 16384, /* WINDOW x WIDTH of conv_int8.cl */
	MOST_ROWS = 6,	      /* of a tile of two vectors: twice as many sums, and what they are made from, in 32 registers */
	LEAST_ROWS_BYTES = 4096,
	WHOLE_COUNT = 16384   /* numbers of an image that one thread makes codes of in less time than others take to wake up */
};

/* The image of shape[N, s.., C] with its frame, as z, y, x. */
struct frame {
	struct window w;
	int64_t front[3], side[3];
};

static struct frame frame_of(const struct node *n, const struct shape *x, const struct shape *o, const struct shape *w,
			     enum attr_key pads)
{
	struct frame f = { .w = window_of(n, x, o, w) };
	uint32_t dims = f.w.dims, count;
	const int64_t *list = node_ints(n, pads, &count);

	for (uint32_t i = 0; i < 3; i++) {
		f.front[i] = i + dims < 3 ? 0 : list[i + dims - 3];
		f.side[i] = f.w.in[i] + f.front[i] + (i + dims < 3 ? 0 : list[i + 2 * dims - 3]);
	}
	return f;
}

static bool select_range(struct codegen *c, node_id id, int64_t images, int64_t count)
{
	const struct node *n = graph_node(c->g, id);
	struct build b;

	build_begin(&b, c, id, "quantize_range");
	b.in_place = false;
	build_what(&b, "range of an image");
	build_value_f32(&b, n->in[0]);
	build_value(&b, n->out[0]);
	build_i32(&b, count);
	build_i32(&b, ceil_div(ceil_div(count, IMAGE_PARTS), 32) * 32);
	build_i32(&b, value_shape(c, n->out[0])->dim[1]);
	build_flops(&b, 2 * (uint64_t)(count * images));
	return build_launch(&b, IMAGE_PARTS, images, 1);
}

bool select_quantize_image(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *x = value_shape(c, n->in[0]);
	struct frame f = frame_of(n, x, x, NULL, ATTR_pads);
	int64_t channels = f.w.channels, bytes = value_shape(c, n->out[0])->dim[1], rows = f.side[0] * f.side[1];
	int64_t count = f.w.in[0] * f.w.in[1] * f.w.in[2] * channels, block;
	bool whole = count <= WHOLE_COUNT;
	struct build b;

	if (channels % 4)
		return codegen_refuse(c, id, "the number of channels is no multiple of four");
	if (!whole && !select_range(c, id, f.w.images, count))
		return false;
	block = ceil_div(LEAST_ROWS_BYTES, f.side[2] * channels);
	while (block < rows && ceil_div(rows, block) > 32)
		block *= 2;
	if (whole)
		block = rows;
	build_begin(&b, c, id, "quantize_image");
	b.in_place = false;
	build_what(&b, "image in 8 bits");
	build_define(&b, "WHOLE", whole);
	build_value_f32(&b, n->in[0]);
	build_value(&b, n->out[0]);
	build_i32(&b, block);
	build_i32(&b, bytes);
	build_i32(&b, f.w.in[0]);
	build_i32(&b, f.w.in[1]);
	build_i32(&b, f.w.in[2] * channels);
	build_i32(&b, f.side[0]);
	build_i32(&b, f.side[1]);
	build_i32(&b, f.front[0]);
	build_i32(&b, f.front[1]);
	build_i32(&b, f.front[2] * channels);
	build_i32(&b, (f.side[2] - f.front[2] - f.w.in[2]) * channels);
	build_flops(&b, 4 * (uint64_t)(count * f.w.images));
	return build_launch(&b, ceil_div(rows, block), f.w.images, 1);
}

/* Of a tile, such that all tiles together, and reading the weights for each, take least. */
static int64_t tile_height(int64_t pixels, uint32_t width)
{
	int64_t most = width == 16 ? 8 : MOST_ROWS, best = most;

	for (int64_t h = most; h > 0; h--)
		if (ceil_div(pixels, h) * (2 * h + 1) < ceil_div(pixels, best) * (2 * best + 1))
			best = h;
	return best;
}

/* Inputs that become bytes together: as few pieces as the window allows, all of about one size. */
static int64_t window_step(int64_t k, uint32_t width, uint32_t elements)
{
	int64_t pieces = ceil_div(k, WINDOW_BYTES / width);

	return ceil_div(ceil_div(k, pieces), elements) * elements;
}

static struct shape image_shape(const struct node *n)
{
	const struct attr *a = node_attr(n, ATTR_shape);
	struct shape s = { .rank = a->count };

	memcpy(s.dim, a->ints, a->count * sizeof *s.dim);
	return s;
}

bool select_conv_image(struct codegen *c, node_id id)
{
	const struct node *n = codegen_bias_as_epilogue(c, graph_node(c->g, id), 2);
	const struct shape x = image_shape(n), *weights = value_shape(c, n->in[1]), *out = value_shape(c, n->out[0]);
	struct frame f = frame_of(n, &x, out, weights, ATTR_starts);
	const struct window *w = &f.w;
	int64_t group = node_int(n, ATTR_group, 1), og = out->dim[out->rank - 1] / group, cg = w->channels / group;
	int64_t plane[3] = { f.side[1] * f.side[2] * w->channels, f.side[2] * w->channels, w->channels }, offset = IMAGE_HEADER;
	int64_t pixels = w->images * w->out[0] * w->out[1] * w->out[2], k = w->kernel[0] * w->kernel[1] * w->kernel[2] * cg;
	int64_t height, tiles, per_group;
	uint32_t width = codegen_quant_width(og), weight;
	const struct packing *packing;
	struct build b;

	if (!codegen_quant(c, n->in[1], 0, 1))
		return codegen_refuse(c, id, "its weights are not in few bits");
	if (cg % 4)
		return codegen_refuse(c, id, "the number of channels of a group is no multiple of four");
	weight = codegen_quant_weight(c, n->in[1], width, (uint32_t)group);
	packing = &c->ks->weights.data[weight].packing;
	if (c->ks->weights.data[weight].granule_bytes > INT32_MAX)
		return codegen_refuse(c, id, "a panel of its weights has more than 2^31 bytes");
	for (int i = 0; i < 3; i++)
		offset += (f.front[i] - w->begin[i]) * plane[i];
	per_group = ceil_div(og, width);
	height = tile_height(pixels, width);
	tiles = codegen_quant_tiles(c, ceil_div(pixels, height), group * per_group);
	build_begin(&b, c, id, "conv_int8");
	b.n = n;
	b.split_dim = 0;
	build_what(&b, "%sconv %s %s in 8 bits", group > 1 ? "grouped " : "", window_text(c, w), dtype_name(packing->dtype));
	build_define_quant(&b, weight);
	build_define(&b, "TILE_M", height);
	build_define(&b, "TILES", tiles);
	build_define(&b, "ONCE", k <= WINDOW_BYTES / width);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value(&b, n->in[0]);
	build_weight(&b, weight, true);
	build_first_granule(&b);
	build_i32(&b, (int64_t)c->ks->weights.data[weight].granule_bytes);
	build_i32(&b, value_shape(c, n->in[0])->dim[1]);
	build_i32(&b, offset);
	build_i32(&b, per_group);
	build_i32(&b, cg);
	build_i32(&b, og);
	build_i32(&b, w->images);
	window_args(&b, w->out);
	for (int i = 0; i < 3; i++)
		build_i32(&b, w->out[i] > 1 ? w->stride[i] * plane[i] : 0);
	window_args(&b, w->kernel);
	for (int i = 0; i < 3; i++)
		build_i32(&b, w->kernel[i] > 1 ? w->dilation[i] * plane[i] : 0);
	build_i32(&b, window_step(k, width, block_format(packing->dtype).elements));
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * pixels * group * og * k));
	return build_launch(&b, group * per_group, ceil_div(pixels, height * tiles), 1);
}

/* ---- which convolutions ---- */

static bool takes(const struct graph *g, const struct node *n)
{
	const struct codegen c = { .g = g };
	const struct value *x, *w;
	struct block_format f;
	int64_t pads[6] = { 0 };
	const int64_t *list;
	uint32_t count;

	if (n->dead || n->op != OP_conv)
		return false;
	x = graph_value(g, n->in[0]);
	w = graph_value(g, n->in[1]);
	if (x->kind == VALUE_CONST || x->dtype != DTYPE_F32 || x->shape.rank > 5 || shape_elements(&x->shape) <= 0 || !codegen_quant(&c, n->in[1], 0, 1))
		return false;
	f = block_format(w->data->source_dtype);
	if ((f.kind != BLOCK_SYMMETRIC && f.kind != BLOCK_ASYMMETRIC) || f.elements > 128 || w->shape.dim[1] % 4)
		return false;
	list = node_ints(n, ATTR_pads, &count);
	for (uint32_t i = 0; i < count; i++)
		pads[i] = list[i] > 0 ? list[i] : 0;
	return image_bytes(&x->shape, pads) >= 0 && image_bytes(&x->shape, pads) <= INT32_MAX / 2;
}

struct taking {
	struct graph *g;
	int64_t (*pads)[6]; /* of each value's frame */
	value_id *made;
};

static void take(struct taking *t, node_id id)
{
	struct graph *g = t->g;
	value_id x = graph_node(g, id)->in[0];
	struct shape s = graph_value(g, x)->shape;
	uint32_t spatial = s.rank - 2, count = graph_node(g, id)->attr_count;
	struct attr *attr = arena_new_array(g->arena, struct attr, count + 2), frame = attr_ints(pads, t->pads[x], 2 * spatial);
	int64_t *shape = arena_copy(g->arena, s.dim, s.rank * sizeof *s.dim);
	struct node *n;

	if (t->made[x] == NO_ID)
		t->made[x] = graph_op(g, NULL, OP_quantize_image, &x, 1, &frame, 1, graph_value(g, x)->span, NULL);
	n = graph_node(g, id);
	memcpy(attr, n->attr, count * sizeof *attr);
	attr[count] = attr_ints(shape, shape, s.rank);
	attr[count + 1] = attr_ints(starts, arena_copy(g->arena, t->pads[x], 2 * spatial * sizeof(int64_t)), 2 * spatial);
	n->op = OP_conv_image;
	n->in[0] = t->made[x];
	n->attr = attr;
	n->attr_count = count + 2;
}

uint32_t activations_take_images(struct graph *g)
{
	uint32_t values = g->values.len, nodes = g->nodes.len, taken = 0, count;
	struct arena tmp = { 0 };
	struct taking t = { .g = g, .made = arena_new_array(&tmp, value_id, values) };

	t.pads = arena_alloc(&tmp, values * sizeof *t.pads);
	memset(t.pads, 0, values * sizeof *t.pads);
	for (uint32_t i = 0; i < values; i++)
		t.made[i] = NO_ID;
	for (uint32_t i = 0; i < nodes; i++) {
		const struct node *n = graph_node(g, i);
		const int64_t *pads;

		if (!takes(g, n))
			continue;
		taken++;
		pads = node_ints(n, ATTR_pads, &count);
		for (uint32_t k = 0; k < count; k++)
			if (pads[k] > t.pads[n->in[0]][k])
				t.pads[n->in[0]][k] = pads[k];
	}
	for (uint32_t i = 0; i < nodes; i++)
		if (takes(g, graph_node(g, i)))
			take(&t, i);
	arena_release(&tmp);
	return taken;
}
