/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_gpu.c - kernels that work in groups: products, convolutions, norms, softmax, attention.
 *
 * What is not here runs on a GPU as it does on a CPU, a work-item at a time.
 * A panel of weights is a work-group's width, so that a launch splits along
 * panels (dim 2) with the same results.
 */
#include "config.h"

#include "codegen/codegen.h"

#include "codegen/select_gpu.h"

enum { GROUP = 16, LANES = 16, FEW_ROWS = 4, MOST_HEAD = 128, GROUP_ROWS = 16 };

bool codegen_is_gpu(const struct codegen *c)
{
	return c->t->kernels == TARGET_GPU_KERNELS;
}

bool codegen_textures(const struct codegen *c)
{
	return codegen_is_gpu(c) && c->t->weights == TARGET_TEXTURES;
}

static bool build_grid(struct build *b, int64_t gx, int64_t gy, int64_t gz, uint32_t lx, uint32_t ly)
{
	return build_launch_local(b, gx * lx, gy * ly, gz, lx, ly, 1);
}

/* Rows of a work-item: as few as waste little, more where rows are many. */
static int64_t rows_of_item(int64_t rows)
{
	return rows <= GROUP ? 1 : rows <= 2 * GROUP ? 2 : rows <= 1024 ? 4 : 8;
}

static void build_gpu_weight(struct build *b, uint32_t weight)
{
	build_define_weight(b, weight);
	if (b->c->ks->weights.data[weight].packing.texture)
		build_define(b, "TEXTURE", 1);
}

static void build_gpu_weight_args(struct build *b, uint32_t weight)
{
	build_weight(b, weight, true);
	if (b->c->ks->weights.data[weight].packing.texture)
		build_texel(b);
}

static bool few_rows(struct codegen *c, node_id id, const struct rows_by_panels *p)
{
	uint32_t quads = p->tile.width / 4;
	struct build b;

	build_begin(&b, c, id, "gpu_gemv");
	b.n = p->n;
	b.what = p->what;
	b.split_dim = 2;
	build_gpu_weight(&b, p->weight);
	build_load(&b, TARGET_LOAD_REUSABLE);
	build_define(&b, "TILE_M", p->rows);
	build_define(&b, "WIDTH", p->tile.width);
	build_define(&b, "TRANS_A", p->trans_m != 0);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, p->n->in[0]);
	build_gpu_weight_args(&b, p->weight);
	build_first_granule(&b);
	build_i32(&b, p->trans_m);
	build_i32(&b, p->k);
	build_f32(&b, p->alpha);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * p->rows * p->outputs * p->k));
	return build_grid(&b, 1, 1, ceil_div(p->outputs, p->tile.width), quads, 128 / quads);
}

bool gpu_rows_by_panels(struct codegen *c, node_id id, const struct rows_by_panels *p)
{
	int64_t height = rows_of_item(p->rows);
	struct build b;

	if (p->rows <= FEW_ROWS)
		return few_rows(c, id, p);
	build_begin(&b, c, id, "gpu_gemm");
	b.n = p->n;
	b.what = p->what;
	b.split_dim = 2;
	build_gpu_weight(&b, p->weight);
	build_load(&b, TARGET_LOAD_REUSABLE);
	build_define(&b, "MODE", 0);
	build_define(&b, "TILE_M", height);
	build_define(&b, "WIDTH", p->tile.width);
	build_define(&b, "VEC", !p->trans_m && p->k % 4 == 0 ? 4 : 1);
	build_define(&b, "TRANS_A", p->trans_m != 0);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, p->n->in[0]);
	build_gpu_weight_args(&b, p->weight);
	build_first_granule(&b);
	build_i32(&b, p->rows);
	build_i32(&b, p->k);
	build_i32(&b, p->trans_m);
	build_f32(&b, p->alpha);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * p->rows * p->outputs * p->k));
	return build_grid(&b, 1, ceil_div(p->rows, GROUP * height), ceil_div(p->outputs, p->tile.width), GROUP, GROUP);
}

bool gpu_conv(struct codegen *c, node_id id, const struct gpu_convolution *v)
{
	const struct window *w = v->w;
	int64_t og = v->outputs / v->group, cg = w->channels / v->group, taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
	int64_t pixels = w->images * w->out[0] * w->out[1] * w->out[2], height = rows_of_item(pixels);
	int64_t per_group = ceil_div(og, v->width);
	struct build b;

	build_begin(&b, c, id, "gpu_gemm");
	b.n = v->n;
	b.split_dim = 2;
	build_what(&b, "%sconv %s", v->group > 1 ? "grouped " : "", window_text(c, w));
	build_gpu_weight(&b, v->weight);
	build_load(&b, TARGET_LOAD_REUSABLE);
	build_define(&b, "MODE", 1);
	build_define(&b, "TILE_M", height);
	build_define(&b, "WIDTH", v->width);
	build_define(&b, "VEC", cg % 4 == 0 ? 4 : 1);
	build_define(&b, "VOLUME", w->dims == 3);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, v->n->in[0]);
	build_gpu_weight_args(&b, v->weight);
	build_first_granule(&b);
	build_i32(&b, pixels);
	build_i32(&b, taps * cg);
	build_i32(&b, per_group);
	build_i32(&b, cg);
	build_i32(&b, og);
	build_i32(&b, w->channels);
	window_all_args(&b, w);
	build_f32(&b, 1);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * pixels * v->outputs * cg * taps));
	return build_grid(&b, 1, ceil_div(pixels, GROUP * height), v->group * per_group, GROUP, GROUP);
}

bool gpu_depthwise(struct codegen *c, node_id id, const struct gpu_convolution *v)
{
	const struct window *w = v->w;
	int64_t pixels = w->images * w->out[1] * w->out[2];
	struct build b;

	build_begin(&b, c, id, "gpu_depthwise");
	b.n = v->n;
	b.split_dim = 2;
	build_what(&b, "depthwise %s", window_text(c, w));
	build_define_weight(&b, v->weight);
	build_define(&b, "VEC", w->channels % 4 == 0 ? 4 : 1);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, v->n->in[0]);
	build_weight(&b, v->weight, true);
	build_first_granule(&b);
	build_i32(&b, pixels);
	build_i32(&b, w->channels);
	build_i32(&b, w->in[1]);
	build_i32(&b, w->in[2]);
	build_i32(&b, w->out[1]);
	build_i32(&b, w->out[2]);
	for (int i = 1; i < 3; i++)
		build_i32(&b, w->kernel[i]);
	for (int i = 1; i < 3; i++)
		build_i32(&b, w->stride[i]);
	for (int i = 1; i < 3; i++)
		build_i32(&b, w->dilation[i]);
	for (int i = 1; i < 3; i++)
		build_i32(&b, w->begin[i]);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * pixels * v->outputs * w->kernel[1] * w->kernel[2]));
	return build_grid(&b, 1, ceil_div(pixels, GROUP), ceil_div(v->outputs, 16), 4, GROUP);
}

bool gpu_batch(struct codegen *c, node_id id, const struct gpu_product *p)
{
	int64_t height = rows_of_item(p->m), panels;
	uint32_t width = p->n_out <= 16 ? 16 : p->n_out <= 32 ? 32 : 64;
	struct build b;

	panels = ceil_div(p->n_out, width);
	build_begin(&b, c, id, "gpu_gemm");
	b.n = p->n;
	build_what(&b, "matmul %lldx%lldx%lldx%lld", (long long)p->batch, (long long)p->m, (long long)p->n_out,
		   (long long)p->k);
	build_load(&b, TARGET_LOAD_REUSABLE);
	build_define(&b, "MODE", 2);
	build_define(&b, "TILE_M", height);
	build_define(&b, "WIDTH", width);
	build_define(&b, "VEC", !p->trans_a && p->k % 4 == 0 ? 4 : 1);
	build_define(&b, "B_ALONG_K", p->trans_b);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, p->n->in[0]);
	build_value_f32(&b, p->n->in[1]);
	build_i32(&b, 0);
	build_i32(&b, p->m);
	build_i32(&b, p->k);
	for (int i = 0; i < 2; i++)
		build_i32(&b, p->size[i]);
	for (int i = 0; i < 3; i++)
		build_i32(&b, p->a[i]);
	for (int i = 0; i < 3; i++)
		build_i32(&b, p->b[i]);
	build_i32(&b, p->trans_a ? 1 : p->k);
	build_i32(&b, p->trans_a ? p->m : 1);
	build_i32(&b, p->trans_b ? 1 : p->n_out);
	build_i32(&b, p->trans_b ? p->k : 1);
	build_f32(&b, p->alpha);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * p->batch * p->m * p->n_out * p->k));
	return build_grid(&b, 1, ceil_div(p->m, GROUP * height), panels * p->batch, GROUP, GROUP);
}

/* ---- rows that a work-group goes through together ---- */

static uint32_t row_group(int64_t n)
{
	return n > 1024 ? 256 : n > 128 ? 128 : 32;
}

bool gpu_softmax(struct codegen *c, node_id id, int64_t rows, int64_t n)
{
	const struct node *x = graph_node(c->g, id);
	uint32_t items = row_group(n);
	struct build b;

	build_begin(&b, c, id, "gpu_softmax");
	build_define(&b, "LOG", x->op == OP_log_softmax);
	build_define(&b, "ITEMS", items);
	if (!build_rows(&b, DTYPE_F32, n))
		return false;
	build_float(&b, x->in[0]);
	build_i32(&b, n);
	build_out(&b);
	build_flops(&b, 5 * (uint64_t)(rows * n));
	return build_grid(&b, 1, rows, 1, items, 1);
}

bool gpu_norm(struct build *b, int64_t rows, int64_t n, int64_t width)
{
	uint32_t items = row_group(n);

	build_i32(b, n);
	build_i32(b, n / width);
	build_i32(b, 0);
	build_i32(b, 0);
	build_out(b);
	build_flops(b, 8 * (uint64_t)(rows * n));
	return build_grid(b, 1, rows, 1, items, 1);
}

bool gpu_group_norm(struct build *b, int64_t images, int64_t pixels, int64_t channels, int64_t each)
{
	build_i32(b, pixels * each);
	build_i32(b, 1);
	build_i32(b, each);
	build_i32(b, channels);
	build_out(b);
	build_flops(b, 8 * (uint64_t)(images * pixels * channels));
	return build_grid(b, 1, channels / each, images, row_group(pixels * each), 1);
}

static uint32_t reduce_lanes(int64_t width)
{
	return width == 1 ? 1 : LANES;
}

static uint32_t reduce_items(int64_t width, int64_t n)
{
	return width == 1 ? row_group(n) : n > 128 ? 16 : 8;
}

void gpu_reduce_define(struct build *b, int64_t width, int64_t n)
{
	build_define(b, "LX", reduce_lanes(width));
	build_define(b, "LY", reduce_items(width, n));
}

bool gpu_reduce_launch(struct build *b, int64_t outputs, int64_t width, int64_t n)
{
	uint32_t lanes = reduce_lanes(width);

	return build_grid(b, ceil_div(width, lanes), 1, outputs, lanes, reduce_items(width, n));
}

void gpu_norm_begin(struct build *b, struct codegen *c, node_id id, int64_t n)
{
	build_begin(b, c, id, "gpu_norm");
	build_define(b, "ITEMS", row_group(n));
}

bool gpu_attention_fits(const struct codegen *c, int64_t d, int64_t dv)
{
	return codegen_is_gpu(c) && d <= MOST_HEAD && dv <= MOST_HEAD;
}

bool gpu_attention_launch(struct build *b, int64_t sq, int64_t batch)
{
	return build_grid(b, 1, ceil_div(sq, GROUP_ROWS), batch, GROUP, GROUP);
}
