/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_conv.c - convolutions and their transposes.
 *
 *	1x1, stride 1        a matrix product over pixels (matmul.cl)
 *	one channel a group  depthwise.cl
 *	3x3, stride 1        winograd.cl, where that is less work
 *	few channels         conv_few.cl
 *	all else             conv.cl
 */
#include "config.h"

#include "codegen/select_gpu.h"
#include "codegen/select_winograd.h"
#include "target/tuning.h"

/* FEW: what conv_few.cl is for, and pixels of its tile */
enum { SHORT_RUN = 24, FEW_CHANNELS = 8, FEW_PIXELS = 8 };

struct convolution {
	const struct node *n; /* bias in the epilogue */
	struct window w;
	const struct shape *weights;
	int64_t group, outputs; /* all output channels */
	bool transposed;
};

static int64_t product3(const int64_t v[3])
{
	return v[0] * v[1] * v[2];
}

static bool is_pointwise(const struct convolution *v)
{
	uint32_t i;

	for (i = 0; i < 3; i++)
		if (v->w.kernel[i] != 1 || v->w.stride[i] != 1 || v->w.begin[i] || v->w.end[i] ||
		    v->w.in[i] != v->w.out[i])
			return false;
	return v->group == 1;
}

static bool select_pointwise(struct codegen *c, node_id id, const struct convolution *v)
{
	struct rows_by_panels r = { .n = v->n, .rows = v->w.images * product3(v->w.out), .k = v->w.channels,
				    .outputs = v->outputs, .alpha = 1, .at = c->rows_at[id] };
	struct packing packing = { .kind = PACK_CONV, .dtype = codegen_storage(c, v->n->in[1]), .groups = 1,
				   .transposed = v->transposed, .texture = codegen_textures(c) };

	r.tile = codegen_tile(c, r.rows, r.outputs, r.k);
	packing.width = r.tile.width;
	r.what = arena_printf(c->arena, "conv %s", window_text(c, &v->w));
	if (codegen_quant(c, v->n->in[1], v->transposed, !v->transposed))
		return select_rows_by_quant(c, id, &r, v->n->in[1]);
	r.weight = codegen_weight(c, v->n->in[1], packing);
	return select_rows_by_panels(c, id, &r);
}

/* What of the window is no constant in kernels that go along output rows. */
static void build_rows_window(struct build *b, const struct window *w)
{
	build_i32(b, w->in[1]);
	build_i32(b, w->in[2]);
	build_i32(b, w->out[1]);
	build_i32(b, w->out[2]);
	build_i32(b, w->kernel[1]);
	build_i32(b, w->stride[1]);
	build_i32(b, w->dilation[1]);
	build_i32(b, w->begin[1]);
	build_i32(b, w->begin[2]);
}

static bool select_depthwise(struct codegen *c, node_id id, const struct convolution *v)
{
	const struct window *w = &v->w;
	bool gpu = codegen_is_gpu(c) && v->outputs == w->channels;
	int64_t multiplier = v->outputs / w->channels, lanes = v->outputs == 8 && !gpu ? 8 : 16;
	int64_t rows = w->images * w->out[1], blocks = ceil_div(v->outputs, lanes);
	int64_t height = rows * blocks / 32 ? rows * blocks / 32 : 1;
	struct packing packing = { .kind = PACK_DEPTHWISE, .dtype = codegen_storage(c, v->n->in[1]), .width = (uint32_t)lanes };
	struct build b;
	uint32_t weight;

	if (gpu) {
		struct gpu_convolution g = { .n = v->n, .w = w, .weight = codegen_weight(c, v->n->in[1], packing),
					     .group = v->group, .outputs = v->outputs };

		return gpu_depthwise(c, id, &g);
	}
	if (height > w->out[1])
		height = w->out[1];
	build_begin(&b, c, id, "depthwise");
	b.n = v->n;
	b.split_dim = 0;
	build_what(&b, "depthwise %s", window_text(c, w));
	weight = codegen_weight(c, v->n->in[1], packing);
	build_define_weight(&b, weight);
	build_define(&b, "KW", w->kernel[2]);
	build_define(&b, "SX", w->stride[2]);
	build_define(&b, "DX", w->dilation[2]);
	build_define(&b, "LANES", lanes);
	build_define(&b, "TAIL", v->outputs % lanes != 0);
	build_define(&b, "MULTIPLIER", multiplier);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, v->n->in[0]);
	build_weight(&b, weight, true);
	build_first_granule(&b);
	build_i32(&b, height);
	build_i32(&b, rows);
	build_i32(&b, w->channels);
	build_rows_window(&b, w);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * rows * w->out[2] * v->outputs * w->kernel[1] * w->kernel[2]));
	return build_launch(&b, blocks, ceil_div(rows, height), 1);
}

/* Of a transposed convolution: those of one phase, which a tap hits. */
static int64_t phase_pixels(const struct convolution *v)
{
	const struct window *w = &v->w;
	int64_t pixels = w->images;

	for (int i = 0; i < 3; i++)
		pixels *= v->transposed ? ceil_div(w->out[i], w->stride[i]) : w->out[i];
	return pixels;
}

/* Whether the kernel's window has place for all inputs. */
static bool quant_once(int64_t inputs, uint32_t width)
{
	return inputs <= (width == 16 ? 640 : 320);
}

/* Inputs that are unpacked together: as few pieces as the kernel's window allows, all of about one size. */
static int64_t quant_step(int64_t inputs, uint32_t width)
{
	int64_t pieces = quant_once(inputs, width) ? 1 : ceil_div(inputs, width == 16 ? 256 : 160);

	return ceil_div(ceil_div(inputs, pieces), 32) * 32;
}

/* Weights in few bits: conv_quant.cl. */
static bool select_quant(struct codegen *c, node_id id, const struct convolution *v)
{
	const struct window *w = &v->w;
	int64_t og = v->outputs / v->group, cg = w->channels / v->group, taps = product3(w->kernel);
	int64_t phases = v->transposed ? product3(w->stride) : 1, pixels = phase_pixels(v), per_group, height, blocks, tiles;
	uint32_t width = codegen_quant_width(og), weight;
	struct build b;

	weight = codegen_quant_weight(c, v->n->in[1], width, (uint32_t)v->group);
	per_group = ceil_div(og, width);
	height = codegen_tile_height(pixels);
	tiles = codegen_quant_tiles(c, ceil_div(pixels, height), v->group * per_group * phases);
	blocks = ceil_div(pixels, height * tiles);
	build_begin(&b, c, id, "conv_quant");
	b.n = v->n;
	b.split_dim = 0;
	build_what(&b, "%s%s %s %s", v->group > 1 ? "grouped " : "", v->transposed ? "transposed conv" : "conv",
		   window_text(c, w), dtype_name(c->ks->weights.data[weight].packing.dtype));
	build_define_quant(&b, weight);
	build_define(&b, "TILE_M", height);
	build_define(&b, "TILES", tiles);
	build_define(&b, "ONCE", quant_once(cg * taps, width));
	build_define(&b, "VOLUME", w->dims == 3);
	build_define(&b, "TRANSPOSED", v->transposed);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, v->n->in[0]);
	build_weight(&b, weight, true);
	build_weight(&b, codegen_zeros(c, v->n->in[1], (uint64_t)(w->kernel[2] * cg) * sizeof(float)), false);
	build_first_granule(&b);
	build_i32(&b, (int64_t)c->ks->weights.data[weight].granule_bytes);
	build_i32(&b, per_group);
	build_i32(&b, blocks);
	build_i32(&b, cg);
	build_i32(&b, og);
	build_i32(&b, w->channels);
	build_i32(&b, w->images);
	window_all_args(&b, w);
	build_i32(&b, quant_step(cg * taps, width));
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * pixels * v->outputs * cg * taps));
	return build_launch(&b, v->group * per_group, phases * blocks, 1);
}

/* Whether some tap sees only padding from a good part of the rows. */
static bool is_spread(const struct window *w)
{
	for (int i = 0; i < 3; i++)
		if (w->kernel[i] > 1 && w->dilation[i] > 1 && w->begin[i] * 4 >= w->in[i])
			return true;
	return false;
}

/* Outputs times taps along dim i that the kernel computes: of the last dim, in which a tile lies, whole taps. */
static int64_t spread_taps(const struct window *w, int i)
{
	int64_t all = 0;

	for (int64_t k = 0; k < w->kernel[i]; k++) {
		int64_t seen = 0;

		for (int64_t o = 0; o < w->out[i]; o++) {
			int64_t at = o * w->stride[i] - w->begin[i] + k * w->dilation[i];

			seen += at >= 0 && at < w->in[i];
		}
		all += i == 2 && seen ? w->out[i] : seen;
	}
	return all;
}

static bool select_general(struct codegen *c, node_id id, const struct convolution *v)
{
	const struct window *w = &v->w;
	int64_t og = v->outputs / v->group, cg = w->channels / v->group, taps = product3(w->kernel);
	int64_t phases = v->transposed ? product3(w->stride) : 1, pixels = phase_pixels(v), per_group, tiles;
	struct packing packing = { .kind = PACK_CONV, .dtype = codegen_storage(c, v->n->in[1]), .groups = (uint32_t)v->group,
				   .transposed = v->transposed };
	bool spread = !v->transposed && is_spread(w);
	struct tile tile;
	struct build b;
	uint32_t weight;

	tile = codegen_tile(c, pixels, og, cg * taps);
	packing.width = tile.width;
	if (tile.gpu && !v->transposed) {
		struct gpu_convolution g = { .n = v->n, .w = w, .width = tile.width, .group = v->group,
					     .outputs = v->outputs };

		packing.texture = codegen_textures(c);
		g.weight = codegen_weight(c, v->n->in[1], packing);
		return gpu_conv(c, id, &g);
	}
	per_group = ceil_div(og, tile.width);
	tiles = ceil_div(pixels, tile.height);
	build_begin(&b, c, id, "conv");
	b.n = v->n;
	build_what(&b, "%s%s %s", v->group > 1 ? "grouped " : "", v->transposed ? "transposed conv" : "conv",
		   window_text(c, w));
	build_tile(&b, &tile);
	weight = codegen_weight(c, v->n->in[1], packing);
	build_define_weight(&b, weight);
	build_define(&b, "VOLUME", w->dims == 3);
	build_define(&b, "TRANSPOSED", v->transposed);
	build_define(&b, "SPREAD", spread);
	build_define(&b, "RUN", v->group == 1 && !v->transposed && w->kernel[2] * cg <= SHORT_RUN ? w->kernel[2] * cg : 0);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, v->n->in[0]);
	build_weight(&b, weight, true);
	build_weight(&b, codegen_zeros(c, v->n->in[1], (uint64_t)(w->kernel[2] * cg) * sizeof(float)), false);
	build_first_granule(&b);
	build_i32(&b, per_group);
	build_i32(&b, tiles);
	build_i32(&b, cg);
	build_i32(&b, og);
	build_i32(&b, w->channels);
	build_i32(&b, w->images);
	window_all_args(&b, w);
	build_out(&b);
	if (spread)
		build_flops(&b, (uint64_t)(2 * w->images * spread_taps(w, 0) * spread_taps(w, 1) * spread_taps(w, 2) *
					   v->outputs * cg));
	else
		build_flops(&b, (uint64_t)(2 * pixels * v->outputs * cg * taps));
	return build_launch_tiles(&b, &tile, v->group * per_group, phases * tiles);
}

/* ---- few input channels: conv_few.cl ---- */

static bool is_quant(const struct codegen *c, const struct convolution *v)
{
	return (!v->transposed || v->group == 1) && codegen_quant(c, v->n->in[1], v->transposed, !v->transposed);
}

static bool is_tuned(const struct codegen *c, const struct convolution *v)
{
	return tuning_tile(c->t, v->w.images * product3(v->w.out), v->outputs, v->w.channels * product3(v->w.kernel));
}

static bool is_few(struct codegen *c, const struct convolution *v)
{
	const struct window *w = &v->w;

	return !codegen_is_gpu(c) && !v->transposed && v->group == 1 && w->dims <= 2 && !is_pointwise(v) && !is_quant(c, v) &&
	       w->channels <= FEW_CHANNELS && w->kernel[2] * w->channels <= SHORT_RUN && w->dilation[2] == 1 &&
	       w->out[2] >= FEW_PIXELS && w->in[1] * w->in[2] * w->channels * w->images <= INT32_MAX &&
	       (is_tuned(c, v) || !winograd_pays(c, w, v->outputs, false));
}

/* Segments of a row: enough for a few dozen work-items, none shorter than a tile. */
static int64_t row_segments(const struct window *w)
{
	int64_t wanted = ceil_div(32, w->images * w->out[1]), most = w->out[2] / FEW_PIXELS;

	return wanted < most ? wanted : most;
}

static bool select_few(struct codegen *c, node_id id, const struct convolution *v)
{
	const struct window *w = &v->w;
	int64_t taps = product3(w->kernel), segments = row_segments(w);
	struct packing packing = { .kind = PACK_CONV, .dtype = codegen_storage(c, v->n->in[1]), .groups = 1 };
	struct tile tile = codegen_tile(c, w->images * product3(w->out), v->outputs, w->channels * taps);
	struct build b;
	uint32_t weight;

	tile.rows_first = false;
	tile.height = FEW_PIXELS;
	packing.width = tile.width;
	build_begin(&b, c, id, "conv_few");
	b.n = v->n;
	b.in_place = false; /* some pixels are stored twice */
	build_what(&b, "conv %s", window_text(c, w));
	build_tile(&b, &tile);
	weight = codegen_weight(c, v->n->in[1], packing);
	build_define_weight(&b, weight);
	build_define(&b, "CHANNELS", w->channels);
	build_define(&b, "KW", w->kernel[2]);
	build_define(&b, "SX", w->stride[2]);
	build_define(&b, "PLANAR", c->planes_at[id] != NO_ID);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, c->planes_at[id] != NO_ID ? c->planes_at[id] : v->n->in[0]);
	build_weight(&b, weight, true);
	build_first_granule(&b);
	build_i32(&b, segments);
	build_i32(&b, v->outputs);
	build_rows_window(&b, w);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * w->images * product3(w->out) * v->outputs * w->channels * taps));
	return build_launch_tiles(&b, &tile, ceil_div(v->outputs, tile.width), w->images * w->out[1] * segments);
}

static bool read_convolution(struct codegen *c, node_id id, struct convolution *v)
{
	const struct node *n = graph_node(c->g, id);

	*v = (struct convolution){ .transposed = n->op == OP_conv_transpose, .group = node_int(n, ATTR_group, 1) };
	v->n = n;
	v->weights = value_shape(c, n->in[1]);
	v->w = window_read(c, n, v->weights);
	if (v->w.dims < 1 || v->w.dims > 3)
		return false;
	v->outputs = value_shape(c, n->out[0])->dim[v->w.dims + 1];
	return true;
}

bool conv_reads_planes(struct codegen *c, node_id id)
{
	struct convolution v;

	return value_is_const(c, graph_node(c->g, id)->in[1]) && read_convolution(c, id, &v) && is_few(c, &v);
}

bool conv_reads_rows(const struct codegen *c, node_id id, int64_t *k)
{
	const struct node *n = graph_node(c->g, id);
	struct convolution v = { .n = n, .group = node_int(n, ATTR_group, 1) };

	if (codegen_is_gpu(c) || !value_is_const(c, n->in[1]) || codegen_quant(c, n->in[1], 0, 1))
		return false;
	v.w = window_read(c, n, value_shape(c, n->in[1]));
	*k = v.w.channels;
	return v.w.dims >= 1 && v.w.dims <= 3 && is_pointwise(&v) && v.w.images * product3(v.w.out) > 1;
}

bool select_conv(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	struct convolution v;

	if (!codegen_want_f32(c, id))
		return false;
	if (!value_is_const(c, n->in[1]))
		return codegen_refuse(c, id, "its weights are computed at run time");
	if (!read_convolution(c, id, &v))
		return codegen_refuse(c, id, "%u spatial dimensions are not supported", v.w.dims);
	v.n = codegen_bias_as_epilogue(c, n, 2);
	if (is_pointwise(&v))
		return select_pointwise(c, id, &v);
	if (!v.transposed && v.group > 1 && v.group == v.w.channels && v.w.dims <= 2)
		return select_depthwise(c, id, &v);
	if (is_few(c, &v))
		return select_few(c, id, &v);
	if (!v.transposed && v.group == 1 && (is_quant(c, &v) || !is_tuned(c, &v)) &&
	    winograd_pays(c, &v.w, v.outputs, is_quant(c, &v)))
		return select_winograd(c, id, v.n, &v.w, v.outputs);
	if (is_quant(c, &v))
		return select_quant(c, id, &v);
	return select_general(c, id, &v);
}
