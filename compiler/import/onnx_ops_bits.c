/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_bits.c - products with, and rows of, matrices in 2, 4 or 8 bits.
 *
 * A matrix [rows][k] lies in blocks of its rows: codes in one tensor, a scale
 * for each block in a second and, maybe, what code means zero in a third. The
 * codes stay where they are in the file: the constant is a recipe of them and
 * of the scales (struct packed_rows), in halves where these say the same.
 */
#include "config.h"

#include "import/onnx_ops.h"
#include "ir/block.h"

#include <math.h>
#include <string.h>

enum { MOST_FLOATS = 1 << 28 };

struct bits {
	int64_t n, k, bits, block, blocks; /* blocks in a row */
	value_id codes, scales, zeros;	   /* zeros: may be NO_ID */
	const unsigned char *zero_codes;   /* or */
	const double *scale, *zero;	   /* one for each block */
	bool loose;			   /* codes have a byte each, and a type of four bits, whose zero is 0 */
};

static unsigned code_at(const unsigned char *p, int64_t i, int64_t bits)
{
	int64_t at = i * bits;

	return p[at / 8] >> at % 8 & ((1u << bits) - 1);
}

static double zero_at(const struct bits *b, int64_t row, int64_t i)
{
	if (b->zero_codes)
		return code_at(b->zero_codes + row * ((b->blocks * b->bits + 7) / 8), i, b->bits);
	return b->zero ? b->zero[row * b->blocks + i] : b->loose ? 0 : (double)(1u << (b->bits - 1));
}

/* Numbers of input i, all of which must be `count`; NULL: said why. */
static const double *numbers(struct call *c, uint32_t i, const char *what, int64_t count)
{
	uint32_t n;
	const double *list = call_known_floats(c, i, what, &n);

	if (!list || n != count) {
		call_fail(c, "its weights, scales and zero points do not fit its sizes");
		return NULL;
	}
	return list;
}

/* Scales are input s, zeros input z; row_bytes: of codes. */
static bool read_blocks(struct call *c, struct bits *b, uint32_t s, uint32_t z, int64_t row_bytes)
{
	struct shape ws = shape_of(c, b->codes), zs;

	for (uint32_t i = 1; i <= 3; i++)
		if (i != (c->op->op == OP_gather ? 1 : 0) && call_in(c, i) != NO_ID && !is_known(c, call_in(c, i)))
			return call_fail(c, "input %u must be known when compiling", i);
	b->scales = call_in(c, s);
	b->zeros = call_in(c, z);
	if (!is_known(c, b->codes) || shape_elements(&ws) != b->n * row_bytes)
		return call_fail(c, "its weights, scales and zero points do not fit its sizes");
	b->scale = numbers(c, s, "scales", b->n * b->blocks);
	if (b->zeros == NO_ID || c->failed)
		return !c->failed;
	zs = shape_of(c, b->zeros);
	if (dtype_of(c, b->zeros) != DTYPE_U8 || b->loose) {
		b->zero = numbers(c, z, "zero points", b->n * b->blocks);
	} else if (shape_elements(&zs) == b->n * ((b->blocks * b->bits + 7) / 8)) {
		b->zero_codes = known_data(c, b->zeros);
	} else {
		return call_fail(c, "its weights, scales and zero points do not fit its sizes");
	}
	return !c->failed;
}

/* ---- as floats, what no format of few bits has */

static value_id as_floats(struct call *c, const struct bits *b, int64_t row_bytes)
{
	const unsigned char *codes = known_data(c, b->codes);
	struct shape s = { 2, { b->n, b->k } };
	bool sign = dtype_of(c, b->codes) == DTYPE_I8;
	float *out;

	if (!codes)
		return NO_ID;
	if (b->n * b->k > MOST_FLOATS) {
		call_fail(c, "a matrix of %lld by %lld in blocks of %lld is not supported", (long long)b->n, (long long)b->k,
			  (long long)b->block);
		return NO_ID;
	}
	out = arena_alloc(&c->im->scratch, (size_t)(b->n * b->k) * sizeof *out);
	for (int64_t r = 0; r < b->n; r++) {
		for (int64_t i = 0; i < b->k; i++) {
			unsigned code = code_at(codes + r * row_bytes, i, b->bits);
			double x = sign ? (double)(signed char)code : (double)code;

			out[r * b->k + i] = (float)((x - zero_at(b, r, i / b->block)) * b->scale[r * b->blocks + i / b->block]);
		}
	}
	return graph_add_const_bytes(c->g, DTYPE_F32, s, out);
}

/* ---- as stored */

static bool is_half(double x)
{
	return half_to_float(float_to_half((float)x)) == (float)x && isfinite(x);
}

/* Whether all blocks have the zero that a format without minima has; whether its scales are halves. */
static void survey(const struct bits *b, bool *plain, bool *half)
{
	*plain = *half = true;
	for (int64_t r = 0; r < b->n; r++) {
		for (int64_t i = 0; i < b->blocks; i++) {
			double scale = b->scale[r * b->blocks + i], zero = zero_at(b, r, i);

			*half &= is_half(scale);
			if (zero != (double)(1u << (b->bits - 1))) {
				*plain = false;
				*half &= is_half((double)(float)(-zero * scale));
			}
		}
	}
}

static void put_head(uint8_t *at, int64_t i, double x, bool wide)
{
	float f = (float)x;
	uint16_t h = float_to_half(f);

	memcpy(at + i * (wide ? 4 : 2), wide ? (void *)&f : (void *)&h, wide ? 4 : 2);
}

/* Scales, then minima, of each row, for each group of the format; blocks are as many groups or one. */
static const uint8_t *heads(struct call *c, const struct bits *b, const struct block_format *f, uint64_t row_bytes)
{
	int64_t groups = (b->k + f->elements - 1) / f->elements;
	uint8_t *out = arena_alloc(c->im->a, (size_t)b->n * row_bytes), *at = out;

	for (int64_t r = 0; r < b->n; r++, at += row_bytes) {
		for (int64_t g = 0; g < groups; g++) {
			int64_t i = g * f->elements / b->block;
			double scale = b->scale[r * b->blocks + i];

			put_head(at, g, scale, f->wide);
			if (f->kind == BLOCK_ASYMMETRIC)
				put_head(at, groups + g, -zero_at(b, r, i) * scale, f->wide);
		}
	}
	return out;
}

/* The matrix [n][k] as a constant of floats. bytes: a product wants its rows in 8 bits. */
static value_id matrix(struct call *c, const struct bits *b, int64_t row_bytes, bool bytes)
{
	const struct value *codes = graph_value(c->g, b->codes);
	struct shape s = { 2, { b->n, b->k } };
	struct packed_rows *p;
	struct block_format f;
	bool plain, half;
	struct data d;
	uint32_t group = b->block > 128 ? 128 : (uint32_t)b->block, bits = b->bits == 2 ? 4 : (uint32_t)b->bits;

	if (b->block < 32 || b->loose || codes->data->perm_set || codes->data->scale || codes->data->packed ||
	    codes->data->source_dtype != DTYPE_U8 || codes->data->where == DATA_RANDOM)
		return as_floats(c, b, row_bytes);
	survey(b, &plain, &half);
	d = *codes->data;
	d.source_dtype = half ? block_grouped(bits, group, !plain) : block_wide(bits, group, !plain);
	d.source_shape = s;
	f = block_format(d.source_dtype);
	p = arena_new(c->im->a, struct packed_rows);
	p->bits = (uint32_t)b->bits;
	p->more = plain && b->bits == 2 ? 6 : 0; /* 2 of 4 is 8 of 16 */
	p->rows = (uint64_t)b->n;
	p->rows_in_groups = bytes ? (uint32_t)b->block : 0;
	p->row_bytes = (uint64_t)row_bytes;
	p->head_bytes = (uint64_t)((b->k + f.elements - 1) / f.elements) * block_head(&f);
	p->heads = heads(c, b, &f, p->head_bytes);
	d.packed = p;
	return graph_add_const(c->g, codes->name, DTYPE_F32, s, d);
}

static bool sizes_ok(struct call *c, struct bits *b)
{
	if (b->n < 1 || b->k < 1 || b->n > 1 << 24 || b->k > 1 << 24 || b->n * b->k > INT64_C(1) << 40)
		return call_fail(c, "a matrix of %lld by %lld is not supported", (long long)b->n, (long long)b->k);
	if ((b->bits != 2 && b->bits != 4 && b->bits != 8) || b->block < 16 || b->block > 1 << 16 || b->block & (b->block - 1))
		return call_fail(c, "blocks of %lld weights of %lld bits are not supported", (long long)b->block, (long long)b->bits);
	b->blocks = (b->k + b->block - 1) / b->block;
	return true;
}

/* ---- the operators */

/* a[.., K] times b[N][K]. Level 4 of accuracy is rows in bytes. */
bool op_matmul_bits(struct call *c)
{
	struct bits b = { .n = call_int(c, "N", 0), .k = call_int(c, "K", 0), .bits = call_int(c, "bits", 4),
			  .block = call_int(c, "block_size", 0), .codes = call_in(c, 1) };
	struct attr turn = attr_int(trans_b, 1);
	enum dtype t = dtype_of(c, call_in(c, 0));
	bool bytes = call_int(c, "accuracy_level", 0) == 4;
	int64_t row_bytes;
	value_id in[2], y;

	if (call_has(c, 4))
		return call_fail(c, "input 4 (g_idx) is not supported");
	if (shape_of(c, call_in(c, 0)).rank < 2)
		return call_fail(c, "its input must be a matrix");
	if (!sizes_ok(c, &b))
		return false;
	row_bytes = b.blocks * (b.block * b.bits / 8);
	if (dtype_of(c, b.codes) != DTYPE_U8 || !read_blocks(c, &b, 2, 3, row_bytes))
		return call_fail(c, "its weights, scales and zero points do not fit its sizes");
	in[0] = emit_cast(c, call_in(c, 0), DTYPE_F32);
	in[1] = matrix(c, &b, row_bytes, bytes);
	if (c->failed)
		return false;
	y = emit_cast(c, emit(c, OP_matmul, in, 2, &turn, 1), t);
	call_out(c, 0, call_in(c, 5) == NO_ID ? y : emit2(c, OP_add, y, call_in(c, 5)));
	return !c->failed;
}

/* Rows of such a matrix, by index. */
bool op_gather_bits(struct call *c)
{
	struct bits b = { .bits = call_int(c, "bits", 4), .block = call_int(c, "block_size", 128), .codes = call_in(c, 0) };
	struct shape s = shape_of(c, b.codes);
	enum dtype t = dtype_of(c, call_in(c, 2));
	struct shape ss = shape_of(c, call_in(c, 2));
	value_id in[2];

	if (s.rank != 2 || ss.rank != 2 || call_int(c, "gather_axis", 0) != 0 || call_int(c, "quantize_axis", 1) % 2 == 0)
		return call_fail(c, "other than rows of a matrix in blocks of its rows, it is not supported");
	b.n = s.dim[0];
	b.k = b.bits > 0 && b.bits <= 8 ? s.dim[1] * 8 / b.bits : 0;
	b.loose = dtype_of(c, b.codes) != DTYPE_U8 || (b.block > 0 && (b.k + b.block - 1) / b.block != ss.dim[1]);
	if (b.loose) {
		b.bits = 8;
		b.k = s.dim[1];
	}
	if (!sizes_ok(c, &b) || !read_blocks(c, &b, 2, 3, s.dim[1]))
		return false;
	in[0] = matrix(c, &b, s.dim[1], false);
	in[1] = call_in(c, 1);
	if (!c->failed)
		call_out(c, 0, emit_cast(c, emit(c, OP_gather, in, 2, &attr_int(axis, 0), 1), t));
	return !c->failed;
}
