/* SPDX-License-Identifier: Apache-2.0 */
/* select_attention.c - attention: blocks of query rows, scores never stored (attention_rows.cl, attention.cl). */
#include "config.h"

#include "codegen/heads.h"
#include "codegen/select_gpu.h"
#include "ir/fused.h"

#include <math.h>

/*
 * From ATTENTION_LANES rows on a row is a lane (attention_rows.cl); two vectors of them, less beside LARGE_HEADs.
 * From SPLIT_ROWS on a last block of few rows is a launch of its own.
 */
enum { LARGE_HEAD = 512, ITEMS = 6, MAX_HEAD = 2048, SPLIT_ROWS = 128 };
/* Otherwise: ROWS of a tile; of a block as many as fit, with the keys of a step, into the nearest caches and any stack. */
enum { ROWS = 8, BLOCK_ELEMENTS = 64 * 64, SMALL_HEAD = 128 };

/* How the mask is read: the strides of its own dims against the scores'. */
static void mask_strides(const struct shape *m, const struct shape *scores, int64_t stride[MAX_RANK])
{
	uint32_t skip = scores->rank - m->rank;
	int64_t n = 1;

	for (uint32_t i = 0; i < scores->rank; i++)
		stride[i] = 0;
	for (uint32_t i = m->rank; i-- > 0; n *= m->dim[i])
		stride[skip + i] = m->dim[i] == 1 ? 0 : n;
}

static void build_mask(struct build *b, value_id mask, const struct shape *scores, uint32_t dims)
{
	int64_t stride[MAX_RANK];

	mask_strides(value_shape(b->c, mask), scores, stride);
	build_float(b, mask);
	build_i32(b, stride[scores->rank - 2]);
	build_i32(b, stride[scores->rank - 1]);
	for (uint32_t i = 0; i < dims; i++) {
		build_i32(b, scores->rank > 2 ? scores->dim[scores->rank - 3 - i] : 1);
		build_i32(b, scores->rank > 2 ? stride[scores->rank - 3 - i] : 0);
	}
}

static void define_mask(struct build *b, bool has_mask, uint32_t dims)
{
	build_define_dims(b, "", dims, "ds");
	build_define_param(b, "MASK", has_mask,
			   "__global const float *restrict mask, const int mask_row, const int mask_col, DIM_PARAMS");
}

/* Pairs of a query and a key that it may look at. */
static uint64_t pairs(int64_t sq, int64_t sk, bool causal)
{
	int64_t all = sq < sk ? sq : sk; /* rows before the one that sees every key, and it */

	return (uint64_t)(causal ? all * (all + 1) / 2 + (sq - all) * sk : sq * sk);
}

/* Of attention_rows.cl: vectors of query rows that a work-item does. */
static int64_t row_vectors(int64_t sq, int64_t batch, int64_t head)
{
	bool few = ceil_div(sq, 2 * ATTENTION_LANES) * batch < ITEMS;

	return few || head > LARGE_HEAD || sq <= ATTENTION_LANES ? 1 : 2;
}

/* Where rows of q, k, v and of the result are. */
static void build_heads(struct build *b, const struct heads *h, int64_t heads)
{
	build_i32(b, heads);
	build_i32(b, h->beside);
	for (uint32_t i = 0; i < 3; i++) {
		build_i32(b, h->in[i].at);
		build_i32(b, h->in[i].row);
		build_i32(b, h->in[i].head);
		build_i32(b, h->in[i].outer);
	}
}

/* Query rows that a launch does, `block` a work-item. */
struct rows {
	int64_t from, end, block;
	bool whole; /* they are all */
};

static bool launch_rows(struct codegen *c, node_id id, const struct rows *of, bool gpu, bool lanes)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *q = value_shape(c, n->in[0]), *k = value_shape(c, n->in[1]), *v = value_shape(c, n->in[2]);
	bool has_mask = node_own_inputs(n) > 3 && n->in[3] != NO_ID, causal = node_int(n, ATTR_causal, 0) != 0;
	uint32_t r = q->rank, dims = r > 2 ? r - 2 : 1;
	int64_t sq = q->dim[r - 2], sk = k->dim[r - 2], d = q->dim[r - 1], dv = v->dim[r - 1];
	int64_t batch = shape_elements(q) / sq / d;
	struct shape scores = *q;
	struct build b;

	scores.dim[r - 1] = sk;
	build_begin(&b, c, id, gpu ? "gpu_attention" : lanes ? "attention_rows" : "attention");
	b.in_place = of->whole;
	build_define(&b, "D", d);
	build_define(&b, "DV", dv);
	if (lanes) {
		build_define(&b, "TILE_NV", of->block / ATTENTION_LANES);
	} else if (!gpu) {
		build_define(&b, "BLOCK", of->block);
		build_define(&b, "TILE_M", of->block < ROWS ? of->block : ROWS);
		build_define(&b, "KEYS", d <= SMALL_HEAD && dv <= SMALL_HEAD ? 64 : 16);
	}
	build_define(&b, "CAUSAL", causal);
	define_mask(&b, has_mask, dims);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	for (uint32_t i = 0; i < 3; i++)
		build_float(&b, gpu ? n->in[i] : c->heads[id]->in[i].of);
	if (has_mask)
		build_mask(&b, n->in[3], &scores, dims);
	build_f32(&b, node_float(n, ATTR_scale, 1 / sqrt((double)d)));
	if (!gpu)
		build_i32(&b, of->from);
	build_i32(&b, sq);
	build_i32(&b, sk);
	if (!gpu)
		build_heads(&b, c->heads[id], r > 2 ? q->dim[r - 3] : 1);
	build_out(&b);
	build_flops(&b, 2 * (uint64_t)batch * (pairs(of->end, sk, causal) - pairs(of->from, sk, causal)) * (uint64_t)(d + dv));
	if (gpu)
		return gpu_attention_launch(&b, sq, batch);
	return build_launch(&b, ceil_div(of->end - of->from, of->block), batch, 1);
}

bool select_attention(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *q = value_shape(c, n->in[0]), *v = value_shape(c, n->in[2]);
	int64_t sq = q->dim[q->rank - 2], d = q->dim[q->rank - 1], dv = v->dim[v->rank - 1], batch, rest;
	int64_t head = d > dv ? d : dv, block = sq < ROWS ? sq : ROWS;
	bool gpu = gpu_attention_fits(c, d, dv), lanes = !gpu && sq >= ATTENTION_LANES;

	if (!codegen_want_f32(c, id))
		return false;
	if (head > MAX_HEAD || d < 1)
		return codegen_refuse(c, id, "heads of %lld and %lld elements are not supported", (long long)d,
				      (long long)dv);
	batch = shape_elements(q) / sq / d;
	while (head <= SMALL_HEAD && 2 * block * head <= BLOCK_ELEMENTS && block < sq &&
	       ceil_div(sq, 2 * block) * batch >= ITEMS)
		block *= 2;
	if (lanes)
		block = row_vectors(sq, batch, head) * ATTENTION_LANES;
	rest = sq % block;
	/* a last block of few rows: a vector where the others have two, or rows of a tile */
	if (lanes && block == 2 * ATTENTION_LANES && rest && rest <= ATTENTION_LANES && sq >= SPLIT_ROWS)
		return launch_rows(c, id, &(struct rows){ 0, sq - rest, block, false }, gpu, true) &&
		       launch_rows(c, id, &(struct rows){ sq - rest, sq, rest > ROWS ? ATTENTION_LANES : rest, false }, gpu,
				   rest > ROWS);
	return launch_rows(c, id, &(struct rows){ 0, sq, block, true }, gpu, lanes);
}
