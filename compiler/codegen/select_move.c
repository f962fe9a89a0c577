/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_move.c - operations that re-read their input in strides.
 *
 * The output is walked row by row; a walk says how far one step along each
 * output dim moves in the input. Dims that move alike are merged, so that rows
 * are as long as they can be. When the row's own step is not 1 but another
 * dim's is, sixteen by sixteen blocks are turned (transpose.cl).
 */
#include "config.h"

#include "codegen/codegen.h"

#include <string.h>

/* MAX_STEP: elements further apart are read faster after they were copied */
enum { MAX_DIMS = 2 * MAX_RANK + 1, KERNEL_DIMS = 8, MAX_STEP = 4 };

bool build_element(struct build *b, enum dtype t)
{
	if (!expr_storage(t) || !expr_type(t, EXPR_SCALAR)) {
		strbuf_free(&b->defines);
		return codegen_refuse(b->c, b->id, "type %s is not supported", dtype_name(t));
	}
	build_define(b, "VECTOR", t == DTYPE_F32);
	build_define_text(b, "TYPE", "%s", expr_storage(t));
	build_define_text(b, "CTYPE", "%s", expr_type(t, EXPR_SCALAR));
	build_define_text(b, "LOAD(p, i)", "%s", expr_load(b->c->arena, t, "(p)", "(i)"));
	return true;
}

void build_define_dims(struct build *b, const char *suffix, uint32_t count, const char *letters)
{
	strbuf_printf(&b->defines, "#define DIMS%s %u\n#define DIM_PARAMS%s", suffix, count, suffix);
	for (uint32_t i = 0; i < count; i++)
		for (const char *l = letters; *l; l++)
			strbuf_printf(&b->defines, " const int %c%u,", *l, i);
	strbuf_puts(&b->defines, "\n");
}

void build_define_param(struct build *b, const char *name, bool present, const char *parameter)
{
	strbuf_printf(&b->defines, "#define HAS_%s %d\n#define PARAM_%s %s\n", name, present, name,
		      present ? parameter : "");
}

void build_float(struct build *b, value_id v)
{
	if (value_is_const(b->c, v))
		build_weight(b, codegen_weight(b->c, v, (struct packing){ .kind = PACK_DENSE, .dtype = DTYPE_F32 }),
			     false);
	else
		build_value(b, v);
}

static bool has_operands(const struct node *n)
{
	return n->epilogue_count && n->in_count > n->epilogue_first_input;
}

int64_t output_width(const struct codegen *c, const struct node *n, int64_t width)
{
	const struct shape *s = value_shape(c, n->out[0]);

	if (!has_operands(n))
		return width;
	return s->rank ? s->dim[s->rank - 1] : 1;
}

bool build_rows(struct build *b, enum dtype result, int64_t width)
{
	struct shape rows = { .rank = 2 };

	if (has_operands(b->n))
		return build_epilogue(b, result);
	rows.dim[0] = value_elements(b->c, b->n->out[0]) / width;
	rows.dim[1] = width;
	return epilogue_render(b, result, &rows, NULL, 0);
}

int64_t rows_per_item(int64_t rows, int64_t n)
{
	int64_t total = rows * n, item = total / 32 < 1024 ? 1024 : total / 32 > 16384 ? 16384 : total / 32;

	return item / n < 1 ? 1 : item / n;
}

/* Output dims and the input's step along each, outermost first. */
struct walk {
	uint32_t rank;
	int64_t dim[MAX_DIMS], stride[MAX_DIMS], offset;
};

static void walk_add(struct walk *w, int64_t dim, int64_t stride)
{
	w->dim[w->rank] = dim;
	w->stride[w->rank++] = stride;
}

static void dense_strides(const struct shape *s, int64_t stride[MAX_RANK])
{
	int64_t n = 1;

	for (uint32_t i = s->rank; i-- > 0; n *= s->dim[i])
		stride[i] = n;
}

static struct walk walk_of(const struct codegen *c, const struct node *n)
{
	const struct shape *in = value_shape(c, n->in[0]), *out = value_shape(c, n->out[0]);
	uint32_t count, skip = out->rank - in->rank;
	const int64_t *perm = node_ints(n, ATTR_perm, &count), *starts = node_ints(n, ATTR_starts, &count);
	const int64_t *steps = node_ints(n, ATTR_steps, &count);
	int64_t stride[MAX_RANK];
	struct walk w = { 0 };

	dense_strides(in, stride);
	for (uint32_t i = 0; i < out->rank; i++) {
		switch (n->op) {
		case OP_transpose:
			walk_add(&w, out->dim[i], stride[perm[i]]);
			break;
		case OP_slice:
			walk_add(&w, out->dim[i], stride[i] * steps[i]);
			w.offset += stride[i] * starts[i];
			break;
		case OP_tile:
			walk_add(&w, out->dim[i] / in->dim[i], 0);
			walk_add(&w, in->dim[i], stride[i]);
			break;
		default: /* expand */
			walk_add(&w, out->dim[i], i < skip || in->dim[i - skip] == 1 ? 0 : stride[i - skip]);
			break;
		}
	}
	return w;
}

/* Drops dims of one element and merges neighbours; the last dim stays by itself when `keep_last`. */
static void walk_merge(struct walk *w, bool keep_last)
{
	struct walk m = { .offset = w->offset };

	for (uint32_t i = 0; i < w->rank; i++) {
		bool last = i + 1 == w->rank && keep_last;
		uint32_t top = m.rank - 1;

		if (w->dim[i] == 1 && !last)
			continue;
		if (m.rank && !last && m.stride[top] == w->stride[i] * w->dim[i]) {
			m.dim[top] *= w->dim[i];
			m.stride[top] = w->stride[i];
		} else {
			walk_add(&m, w->dim[i], w->stride[i]);
		}
	}
	if (!m.rank)
		walk_add(&m, 1, 1);
	if (m.dim[m.rank - 1] == 1)
		m.stride[m.rank - 1] = 1;
	*w = m;
}

/* The dim whose step in the input is 1, worth turning blocks for; rank: none. */
static uint32_t turning_dim(const struct walk *w)
{
	uint32_t last = w->rank - 1;

	if (w->stride[last] == 1 || w->stride[last] == 0 || w->dim[last] < 2)
		return w->rank;
	for (uint32_t i = 0; i < last; i++)
		if (w->stride[i] == 1 && w->dim[i] >= 8)
			return i;
	return w->rank;
}

static bool launch_transpose(struct codegen *c, node_id id, const struct walk *w, uint32_t turn)
{
	const struct node *n = graph_node(c->g, id);
	uint32_t last = w->rank - 1, dims = 0;
	int64_t row_stride = 1, row_step = 1, batch = 1, list[KERNEL_DIMS][3] = { { 1, 0, 0 } }, span;
	bool narrow;
	struct build b;

	for (uint32_t i = last; i-- > 0; row_stride *= w->dim[i]) {
		if (i == turn) {
			row_step = row_stride;
			continue;
		}
		list[dims][0] = w->dim[i];
		list[dims][1] = w->stride[i];
		list[dims++][2] = row_stride;
		batch *= w->dim[i];
	}
	dims = dims ? dims : 1;
	narrow = w->dim[last] < 16 && row_step == 1 && !has_operands(n) && !codegen_row_stride(c, n->out[0]);
	span = rows_per_item(w->dim[turn] * batch, w->dim[last]);
	span = span > w->dim[turn] ? w->dim[turn] : ceil_div(span, 16) * 16;
	build_begin(&b, c, id, "transpose");
	build_define(&b, "NARROW", !narrow ? 0 : w->dim[last] == 3 ? 3 : 1);
	build_define_dims(&b, "", dims, "dst");
	if (!build_rows(&b, DTYPE_F32, narrow ? value_elements(c, n->out[0]) : w->dim[last]))
		return false;
	build_value(&b, n->in[0]);
	build_i32(&b, w->dim[last]);
	build_i32(&b, w->dim[turn]);
	build_i32(&b, span);
	build_i32(&b, w->offset);
	build_i32(&b, w->stride[last]);
	build_i32(&b, row_step);
	for (uint32_t i = 0; i < dims; i++)
		for (uint32_t k = 0; k < 3; k++)
			build_i32(&b, list[i][k]);
	build_out(&b);
	return build_launch(&b, ceil_div(w->dim[turn], span), batch, 1);
}

/* Where the rows of a copy land in the output: see copy.cl. */
struct target_rows {
	int64_t q, q_out, r0, n0;
};

static bool launch_copy(struct codegen *c, node_id id, value_id x, const struct walk *w, int64_t width,
			struct target_rows to)
{
	uint32_t last = w->rank - 1, dims = last ? last : 1;
	int64_t rows = 1, n = w->dim[last], block, wide;
	enum dtype t = graph_value(c->g, x)->dtype;
	struct build b;

	for (uint32_t i = 0; i < last; i++)
		rows *= w->dim[i];
	if (dims > KERNEL_DIMS)
		return codegen_refuse(c, id, "it moves along more than %d dims", KERNEL_DIMS + 1);
	build_begin(&b, c, id, "copy");
	build_define_dims(&b, "", dims, "ds");
	build_define(&b, "PIECES", to.q != 1 || to.q_out != 1);
	if (t == DTYPE_F32 && w->stride[last] >= 0 && w->stride[last] <= 2)
		build_define(&b, "INNER", w->stride[last]);
	b.in_place = graph_node(c->g, id)->op != OP_concat;
	if (!build_element(&b, t) || !build_rows(&b, t, width))
		return false;
	block = rows_per_item(rows, n);
	wide = n > 16384 ? ceil_div(ceil_div(n, 32) < 4096 ? 4096 : ceil_div(n, 32), 16) * 16 : n;
	build_value(&b, x);
	build_i32(&b, rows);
	build_i32(&b, n);
	build_i32(&b, block);
	build_i32(&b, wide);
	build_i32(&b, w->offset);
	build_i32(&b, w->stride[last]);
	for (uint32_t i = 0; i < dims; i++) {
		build_i32(&b, last ? w->dim[last - 1 - i] : 1);
		build_i32(&b, last ? w->stride[last - 1 - i] : 0);
	}
	build_i32(&b, to.q);
	build_i32(&b, to.q_out);
	build_i32(&b, to.r0);
	build_i32(&b, to.n0);
	build_out(&b);
	return build_launch(&b, ceil_div(rows, block), ceil_div(n, wide), 1);
}

/* Merged, but no row longer than `part`, where that is not 0; false: rows are not made of such parts. */
static bool walk_rows(const struct codegen *c, const struct node *n, int64_t part, struct walk *w)
{
	int64_t row;
	uint32_t last;

	*w = walk_of(c, n);
	walk_merge(w, has_operands(n));
	last = w->rank - 1;
	row = w->dim[last];
	if (!part || row == part)
		return true;
	if (row % part || w->rank == MAX_DIMS)
		return false;
	w->dim[last] = row / part;
	walk_add(w, part, w->stride[last]);
	w->stride[last] *= part;
	return true;
}

bool move_has_rows(const struct codegen *c, const struct node *n, int64_t part)
{
	struct walk w;

	return walk_rows(c, n, part, &w) && w.rank <= KERNEL_DIMS;
}

bool move_rows(const struct codegen *c, const struct node *n, int64_t k, struct rows_at *rows)
{
	struct walk w;

	if (!walk_rows(c, n, k, &w) || w.rank > 2)
		return false;
	*rows = (struct rows_at){ .offset = w.offset, .step = w.stride[w.rank - 1],
				  .stride = w.rank == 2 ? w.stride[0] : 0 };
	return rows->step >= 1 && rows->step <= MAX_STEP && rows->stride >= 0;
}

bool select_move(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	struct walk w;
	uint32_t turn;

	walk_rows(c, n, codegen_row_stride(c, n->out[0]) ? c->place[n->out[0]].part : 0, &w);
	turn = turning_dim(&w);
	if (turn < w.rank && w.rank <= KERNEL_DIMS && graph_value(c->g, n->in[0])->dtype == DTYPE_F32)
		return launch_transpose(c, id, &w, turn);
	return launch_copy(c, id, n->in[0], &w, w.dim[w.rank - 1], (struct target_rows){ 1, 1, 0, 0 });
}

/* Each input is rows of the output's rows: whole ones, or with the last axis, parts of them. */
bool select_concat(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *out = value_shape(c, n->out[0]);
	uint32_t axis = (uint32_t)node_int(n, ATTR_axis, 0), own = n->epilogue_count ? n->epilogue_first_input : n->in_count;
	int64_t outer = 1, row = 1, at = 0, part, width;

	for (uint32_t i = 0; i < out->rank; i++)
		*(i < axis ? &outer : &row) *= out->dim[i];
	width = output_width(c, n, row);
	for (uint32_t k = 0; k < own; k++, at += part) {
		part = value_elements(c, n->in[k]) / outer;
		struct target_rows to = { 1, 1, 0, at };
		struct walk w = { 0 };

		if (!part || c->ks->alias[n->in[k]] == c->ks->alias[n->out[0]]) /* nothing, or there already */
			continue;
		if (width == row) {
			walk_add(&w, outer, part);
			walk_add(&w, part, 1);
		} else {
			to = (struct target_rows){ part / width, row / width, at / width, 0 };
			walk_add(&w, outer * (part / width), width);
			walk_add(&w, width, 1);
		}
		if (!launch_copy(c, id, n->in[k], &w, row, to))
			return false;
	}
	return true;
}
