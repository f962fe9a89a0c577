/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_matmul.c - matrix products.
 *
 * A constant right matrix is stored in panels; the batch dims of the left one
 * are then only more rows. One row is a matrix times a vector, which has its
 * own kernel. Everything else (two activations, batches of constants) copies
 * panels at run time: matmul_batch.cl.
 */
#include "config.h"

#include "codegen/heads.h"
#include "codegen/select_gpu.h"
#include "target/tuning.h"

#include <string.h>

/*
 * CACHE_FLOATS: what a core's own cache holds beside the rows, 256 KiB on most. LAST_ROWS: in more than so many rows it
 * does not matter how the last few are done.
 */
enum { WORKERS = 16, MAX_DIGITS = 3, CACHE_FLOATS = 64 << 10, LAST_ROWS = 1024 };
/*
 * Rows that are more than a core's cache holds come from further away once for every panel. In blocks of BLOCK_FLOATS
 * they do so once, and the panels once for every block: for panels of at most SHARED_FLOATS, which some cache always
 * holds, and where much less is read then.
 */
enum { BLOCK_FLOATS = 96 << 10, FAR_FLOATS = 256 << 10, SHARED_FLOATS = 512 << 10, BLOCK_GAIN_PERCENT = 150 };

struct product {
	const struct node *n;     /* bias in the epilogue */
	const struct shape *a, *b;
	int64_t m, n_out, k, batch; /* batch: of the output */
	bool trans_a, trans_b;
	double alpha;
};

static struct product describe(struct codegen *c, const struct node *n)
{
	struct product p = { .n = codegen_bias_as_epilogue(c, n, 2) };
	const struct shape *out = value_shape(c, n->out[0]);

	p.a = value_shape(c, n->in[0]);
	p.b = value_shape(c, n->in[1]);
	p.trans_a = node_int(n, ATTR_trans_a, 0) != 0;
	p.trans_b = node_int(n, ATTR_trans_b, 0) != 0;
	p.alpha = node_float(n, ATTR_alpha, 1);
	if (p.a->rank < 2 || p.b->rank < 2)
		return p;
	p.m = out->dim[out->rank - 2];
	p.n_out = out->dim[out->rank - 1];
	p.k = p.a->dim[p.a->rank - (p.trans_a ? 2 : 1)];
	p.batch = shape_elements(out) / (p.m * p.n_out);
	return p;
}

/* The width that wastes least: one vector reads the rows more often, three are a little more than registers like. */
static uint32_t panel_width(int64_t outputs)
{
	static const struct { uint32_t width, cost; } choice[] = { { 32, 100 }, { 48, 102 }, { 24, 106 }, { 16, 110 } };
	uint32_t best = 0;
	int64_t least = 0;

	for (uint32_t i = 0; i < sizeof(choice) / sizeof(choice[0]); i++) {
		int64_t cost = ceil_div(outputs, choice[i].width) * choice[i].width * choice[i].cost;

		if (i == 0 || cost < least) {
			best = choice[i].width;
			least = cost;
		}
	}
	return best;
}

struct tile codegen_tile(const struct codegen *c, int64_t rows, int64_t outputs, int64_t k)
{
	struct tile t = { .gpu = c->t->kernels == TARGET_GPU_KERNELS, .height = codegen_tile_height(rows),
			  .width = outputs <= 16 ? 16 : 32 };
	const struct tile_choice *choice;

	/* variants of a language model share their panels */
	if (!t.gpu && rows > 1 && !c->g->language)
		t.width = outputs <= 8 ? 8 : panel_width(outputs);
	if (t.gpu) {
		t.height = rows < 4 ? rows : 4;
		t.width = outputs <= 16 ? 16 : outputs <= 32 || rows <= 4 || c->g->language ? 32 : 64;
		return t;
	}
	t.rows_first = rows > t.height && k * outputs > CACHE_FLOATS;
	choice = tuning_tile(c->t, rows, outputs, k);
	if (choice) {
		t.height = choice->height;
		if (!c->g->language)
			t.width = choice->width;
		if (choice->order)
			t.rows_first = rows > t.height && choice->order == TILE_SHARE_PANEL;
	}
	return t;
}

/* Tiles of rows that make a block; 0: there is none. */
static int64_t tiles_of_block(const struct tile *t, int64_t rows, int64_t outputs, int64_t k)
{
	int64_t tiles = ceil_div(rows, t->height), block = BLOCK_FLOATS / (k * t->height), blocks;
	int64_t read = rows * k, weights = outputs * k;

	if (!t->rows_first || block < 1 || block >= tiles || read < FAR_FLOATS || weights > SHARED_FLOATS)
		return 0;
	blocks = ceil_div(tiles, block);
	if ((read + weights * blocks) * BLOCK_GAIN_PERCENT > read * ceil_div(outputs, t->width) * 100)
		return 0;
	return ceil_div(tiles, blocks);
}

void build_tile(struct build *b, const struct tile *t)
{
	b->split_dim = t->gpu ? 2 : t->rows_first;
	if (t->rows_first)
		build_define(b, "ROWS_FIRST", 1);
	build_define(b, "TILE_M", t->height);
	if (!t->gpu && t->width == 8) { /* half a vector */
		build_define(b, "TILE_LANES", 8);
		build_define(b, "TILE_NV", 1);
		return;
	}
	if (t->gpu || t->width % 16)
		build_define(b, "WIDTH", t->width);
	if (t->gpu || t->width % 16 == 0)
		build_define(b, "TILE_NV", t->gpu ? 1 : t->width / 16);
	if (!t->gpu)
		return;
	build_define(b, "TILE_LANES", 4);
	build_define(b, "GPU", 1);
}

bool build_launch_tiles(struct build *b, const struct tile *t, int64_t panels, int64_t tiles)
{
	if (t->gpu)
		return build_launch_local(b, t->width / 4, tiles, panels, t->width / 4, 8, 1);
	if (!t->rows_first)
		return build_launch(b, panels, tiles, 1);
	return t->block ? build_launch(b, t->block, panels, ceil_div(tiles, t->block)) : build_launch(b, tiles, panels, 1);
}

/*
 * The rows of the last tile where they are fewer: computed by themselves. They are a constant, so not for language
 * models, whose variants of many lengths share their kernels.
 */
static void define_last(struct build *b, const struct tile *t, int64_t rows)
{
	int64_t last = rows % t->height;

	if (last && rows > t->height && rows <= LAST_ROWS && !b->c->g->language)
		build_define(b, "LAST_M", last);
}

bool select_rows_by_panels(struct codegen *c, node_id id, const struct rows_by_panels *p)
{
	bool single = p->rows == 1 && !p->tile.gpu;
	struct tile tile = p->tile;
	struct build b;

	if (tile.gpu)
		return gpu_rows_by_panels(c, id, p);
	if (!p->trans_m && p->at.step <= 1)
		tile.block = tiles_of_block(&tile, p->rows, p->outputs, p->k);
	build_begin(&b, c, id, single ? "gemv" : "matmul");
	b.n = p->n;
	b.what = p->what;
	build_define_weight(&b, p->weight);
	if (single) {
		b.split_dim = 0;
		build_define(&b, "TILE_NV", p->tile.width / 16);
	} else {
		build_tile(&b, &p->tile);
		build_define(&b, "TRANS_A", p->trans_m != 0);
		build_define(&b, "STEPS", p->at.step > 1);
		define_last(&b, &p->tile, p->rows);
	}
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, p->at.step ? p->at.of : p->n->in[0]);
	build_weight(&b, p->weight, true);
	build_first_granule(&b);
	if (!single) {
		build_i32(&b, p->rows);
		build_i32(&b, p->trans_m);
		build_i32(&b, p->at.step ? p->at.offset : 0);
		build_i32(&b, p->at.step ? p->at.stride : p->k);
		build_i32(&b, p->at.step > 1 ? p->at.step : 1);
	}
	build_i32(&b, p->k);
	build_f32(&b, p->alpha);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * p->rows * p->outputs * p->k));
	return build_launch_tiles(&b, &tile, ceil_div(p->outputs, tile.width), ceil_div(p->rows, tile.height));
}

/* The batches of a are only more rows. */
static bool select_panels(struct codegen *c, node_id id, const struct product *p)
{
	struct rows_by_panels r = { .n = p->n, .rows = p->m * p->batch, .k = p->k, .outputs = p->n_out,
				    .tile = codegen_tile(c, p->m * p->batch, p->n_out, p->k),
				    .trans_m = p->trans_a ? p->m : 0, .alpha = p->alpha, .at = c->rows_at[id] };
	uint32_t last = p->b->rank - 1;
	struct packing packing = { .kind = PACK_PANELS, .dtype = codegen_storage(c, p->n->in[1]), .width = r.tile.width,
				   .transposed = p->trans_b, .texture = codegen_textures(c) };

	r.what = arena_printf(c->arena, "matmul %lldx%lldx%lld", (long long)r.rows, (long long)r.outputs,
			      (long long)r.k);
	if (!p->trans_a && codegen_quant(c, p->n->in[1], last - p->trans_b, last - !p->trans_b))
		return select_rows_by_quant(c, id, &r, p->n->in[1]);
	r.weight = codegen_weight(c, p->n->in[1], packing);
	return select_rows_by_panels(c, id, &r);
}

/* The batch dims of both operands as at most MAX_DIGITS digits, innermost first. */
struct digits {
	uint32_t count;
	int64_t size[MAX_DIGITS], a[MAX_DIGITS], b[MAX_DIGITS];
};

static int64_t batch_stride(const struct shape *s, const struct heads_at *at, uint32_t out_rank, uint32_t d)
{
	uint32_t i, back = out_rank - d; /* dims from the end */
	int64_t stride = at->outer;

	if (back > s->rank || s->dim[s->rank - back] == 1)
		return 0;
	if (back == 3)
		return at->head;
	for (i = s->rank - back + 1; i < s->rank - 3; i++)
		stride *= s->dim[i];
	return stride;
}

static bool find_digits(const struct product *p, const struct heads *h, const struct shape *out, struct digits *q)
{
	uint32_t i;

	memset(q, 0, sizeof *q);
	for (i = out->rank - 2; i-- > 0;) {
		int64_t sa = batch_stride(p->a, &h->in[0], out->rank, i), sb = batch_stride(p->b, &h->in[1], out->rank, i);
		uint32_t top = q->count - 1;

		if (out->dim[i] == 1)
			continue;
		if (q->count && sa == q->a[top] * q->size[top] && sb == q->b[top] * q->size[top]) {
			q->size[top] *= out->dim[i];
			continue;
		}
		if (q->count == MAX_DIGITS)
			return false;
		q->size[q->count] = out->dim[i];
		q->a[q->count] = sa;
		q->b[q->count++] = sb;
	}
	for (i = q->count; i < MAX_DIGITS; i++)
		q->size[i] = 1;
	return true;
}

static bool select_batch(struct codegen *c, node_id id, const struct product *p)
{
	int64_t panels = ceil_div(p->n_out, 32), tile = codegen_tile_height(p->m), block = p->m, blocks, jobs, workers;
	const struct heads *h = c->heads[id];
	struct digits q;
	struct build b;

	if (!find_digits(p, h, value_shape(c, p->n->out[0]), &q))
		return codegen_refuse(c, id, "its batch dimensions broadcast in too many ways");
	if (codegen_is_gpu(c)) {
		struct gpu_product g = { p->n, p->m, p->n_out, p->k, p->batch, p->trans_a, p->trans_b, p->alpha,
					 { q.size[0], q.size[1], q.size[2] }, { q.a[0], q.a[1], q.a[2] },
					 { q.b[0], q.b[1], q.b[2] } };

		return gpu_batch(c, id, &g);
	}
	/* few jobs: cut the rows, but not so small that copying the panel costs more than using it */
	if (panels * p->batch < WORKERS && p->m > 64)
		block = ceil_div(p->m, ceil_div(WORKERS, panels * p->batch));
	block = ceil_div(block < 64 && block < p->m ? 64 : block, tile) * tile;
	blocks = ceil_div(p->m, block);
	jobs = p->batch * panels * blocks;
	workers = jobs < WORKERS ? jobs : WORKERS;
	build_begin(&b, c, id, "matmul_batch");
	b.n = p->n;
	build_what(&b, "matmul %lldx%lldx%lldx%lld", (long long)p->batch, (long long)p->m, (long long)p->n_out,
		   (long long)p->k);
	build_define(&b, "TILE_M", tile);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, h->in[0].of);
	build_value_f32(&b, h->in[1].of);
	build_scratch(&b, (uint64_t)(workers * (p->k ? p->k : 1)) * 32 * sizeof(float));
	build_i32(&b, jobs);
	build_i32(&b, blocks);
	build_i32(&b, block);
	build_i32(&b, p->m);
	build_i32(&b, p->k);
	build_i32(&b, q.size[0]);
	build_i32(&b, q.size[1]);
	for (int i = 0; i < MAX_DIGITS; i++)
		build_i32(&b, q.a[i]);
	for (int i = 0; i < MAX_DIGITS; i++)
		build_i32(&b, q.b[i]);
	build_i32(&b, h->in[0].at);
	build_i32(&b, h->in[1].at);
	build_i32(&b, workers);
	build_i32(&b, p->trans_a ? 1 : h->in[0].row);
	build_i32(&b, p->trans_a ? h->in[0].row : 1);
	build_i32(&b, p->trans_b ? 1 : h->in[1].row);
	build_i32(&b, p->trans_b ? h->in[1].row : 1);
	build_f32(&b, p->alpha);
	build_out(&b);
	build_flops(&b, (uint64_t)(2 * p->batch * p->m * p->n_out * p->k));
	return build_launch(&b, workers, 1, 1);
}

/* Whether b is one constant matrix; leading dims of 1 do not count. */
static bool is_panels(const struct codegen *c, const struct product *p)
{
	return value_is_const(c, p->n->in[1]) && !value_is_const(c, p->n->in[0]) &&
	       shape_elements(p->b) == p->n_out * p->k;
}

bool matmul_is_batch(struct codegen *c, node_id id)
{
	struct product p = describe(c, graph_node(c->g, id));

	return p.m && !is_panels(c, &p);
}

bool matmul_reads_rows(const struct codegen *c, node_id id, int64_t *k)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *a = value_shape(c, n->in[0]), *b = value_shape(c, n->in[1]);

	uint32_t last = b->rank - 1, trans_b = node_int(n, ATTR_trans_b, 0) != 0;

	*k = a->rank ? a->dim[a->rank - 1] : 0;
	if (codegen_is_gpu(c) || (b->rank >= 2 && codegen_quant(c, n->in[1], last - trans_b, last - !trans_b)))
		return false;
	return a->rank >= 2 && b->rank >= 2 && !node_int(n, ATTR_trans_a, 0) && value_is_const(c, n->in[1]) &&
	       shape_elements(b) == b->dim[b->rank - 1] * b->dim[b->rank - 2] && shape_elements(a) > *k;
}

bool select_matmul(struct codegen *c, node_id id)
{
	struct product p;

	if (!codegen_want_f32(c, id))
		return false;
	p = describe(c, graph_node(c->g, id));
	if (!p.m)
		return codegen_refuse(c, id, "both operands need at least two dimensions");
	return is_panels(c, &p) ? select_panels(c, id, &p) : select_batch(c, id, &p);
}
