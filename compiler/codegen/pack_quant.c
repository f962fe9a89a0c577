/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack_quant.c - weights in few bits in the order in which kernels read them.
 *
 * kernels/quant.clh says what a panel looks like. The codes and scales are
 * those of the source, bit for bit; only their places change, so a weight has
 * as many bytes on the device as in its file. A table for lookups is packed
 * as panels of one channel, each a row.
 */
#include "config.h"

#include "codegen/codegen.h"

#include "ir/block.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ELEMENTS = 256, LANES = 16 };

/* One block of one row: its codes and whatever scales it has. */
struct block {
	uint8_t code[MOST_ELEMENTS];
	uint32_t scale, minimum; /* as the format has them: two bytes or four */
	uint8_t scales[16], minima[8];
};

static uint32_t scale_bytes(const struct block_format *f)
{
	switch (f->kind) {
	case BLOCK_ASYMMETRIC:
	case BLOCK_SYMMETRIC: return block_head(f);
	case BLOCK_SUPER_MIN: return 16;
	case BLOCK_SUPER: return 18;
	default: return 2;
	}
}

/* Codes come in whole words of every plane. */
static int64_t stored_elements(const struct block_format *f, int64_t n)
{
	int64_t unit = f->bits == 8 ? 4 : f->bits == 4 ? 8 : f->bits == 6 ? 16 : 32;

	return ceil_div(n, unit) * unit;
}

uint64_t quant_row_bytes(enum dtype t, int64_t k)
{
	struct block_format f = block_format(t);
	int64_t full = k / f.elements, rest = k % f.elements;
	uint64_t bytes = (uint64_t)full * (scale_bytes(&f) + f.elements * f.bits / 8);

	if (rest)
		bytes += scale_bytes(&f) + (uint64_t)stored_elements(&f, rest) * f.bits / 8;
	return bytes;
}

static uint16_t half_bits(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void load_small(const struct block_format *f, const uint8_t *p, struct block *b)
{
	const uint8_t *high = p + (f->kind == BLOCK_ASYMMETRIC ? 4 : 2), *low = high + (f->bits == 5 ? 4 : 0);

	b->scale = half_bits(p);
	b->minimum = half_bits(p + 2);
	for (int i = 0; i < 32; i++) {
		b->code[i] = f->bits == 8 ? low[i] ^ 0x80 : i < 16 ? low[i] & 15 : low[i - 16] >> 4;
		if (f->bits == 5)
			b->code[i] |= (high[i / 8] >> i % 8 & 1) << 4;
	}
}

static void load_super_min(const struct block_format *f, const uint8_t *p, struct block *b)
{
	const uint8_t *s = p + 4, *high = p + 16, *low = high + (f->bits == 5 ? 32 : 0);

	b->scale = half_bits(p);
	b->minimum = half_bits(p + 2);
	for (int j = 0; j < 8; j++) {
		b->scales[j] = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
		b->minima[j] = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
	}
	for (int i = 0; i < 256; i++) {
		b->code[i] = low[i / 64 * 32 + i % 32] >> (i / 32 & 1 ? 4 : 0) & 15;
		if (f->bits == 5)
			b->code[i] |= (high[i % 32] >> i / 32 & 1) << 4;
	}
}

static void load_super(const uint8_t *p, struct block *b)
{
	b->scale = half_bits(p + 208);
	memcpy(b->scales, p + 192, 16);
	for (int i = 0; i < 256; i++) {
		int half = i / 128, l = i % 32, part = i % 128 / 32;

		b->code[i] = (uint8_t)((p[half * 64 + (part & 1) * 32 + l] >> (part & 2 ? 4 : 0) & 15) |
				       (p[128 + half * 32 + l] >> 2 * part & 3) << 4);
	}
}

/* Block `at` of a row of n elements. */
static void load_block(const struct block_format *f, const uint8_t *row, int64_t n, int64_t at, struct block *b)
{
	int64_t groups = ceil_div(n, f->elements), first = at * f->elements;
	bool asymmetric = f->kind == BLOCK_ASYMMETRIC;
	int64_t each = 2 << f->wide; /* little-endian: the low bytes */

	memset(b, 0, sizeof *b);
	if (f->grouped) {
		memcpy(&b->scale, row + each * at, (size_t)each);
		if (asymmetric)
			memcpy(&b->minimum, row + each * (groups + at), (size_t)each);
		memcpy(b->code, row + groups * block_head(f) + first,
		       (size_t)(n - first < f->elements ? n - first : f->elements));
	} else if (f->kind == BLOCK_SUPER_MIN) {
		load_super_min(f, row + at * f->bytes, b);
	} else if (f->kind == BLOCK_SUPER) {
		load_super(row + at * f->bytes, b);
	} else {
		load_small(f, row + at * f->bytes, b);
	}
}

/* Field i of `bits` bits of a plane of words, one word for each of `lanes` lanes. */
static void put_field(uint8_t *plane, uint32_t bits, uint32_t lanes, uint32_t lane, int64_t i, unsigned x)
{
	int64_t per_word = 32 / bits, in = i % per_word;

	plane[(i / per_word * lanes + lane) * 4 + in % 4] |= (uint8_t)(x << in / 4 * bits);
}

/* Lane `lane` of a column, of e elements as stored; the column is zero before. */
static void put_block(const struct block_format *f, const struct block *b, int64_t e, uint32_t lanes, uint32_t lane,
		      uint8_t *column)
{
	static const struct { uint8_t low, high; } planes[9] = { [3] = { 2, 1 }, [4] = { 4, 0 }, [5] = { 4, 1 },
								 [6] = { 4, 2 }, [8] = { 8, 0 } };
	uint32_t low = planes[f->bits].low, high = planes[f->bits].high;
	uint32_t each = 2u << f->wide;
	uint8_t *at = column + each * lane;

	memcpy(at, &b->scale, each);
	if (f->kind == BLOCK_ASYMMETRIC || f->kind == BLOCK_SUPER_MIN)
		memcpy(at + each * lanes, &b->minimum, each);
	if (f->kind == BLOCK_SUPER_MIN)
		for (int j = 0; j < 8; j++) {
			put_field(column + 4 * lanes, 4, lanes, lane, j, b->scales[j] & 15);
			put_field(column + 8 * lanes, 4, lanes, lane, j, b->minima[j] & 15);
			put_field(column + 12 * lanes, 2, lanes, lane, j, b->scales[j] >> 4);
			put_field(column + 12 * lanes, 2, lanes, lane, j + 8, b->minima[j] >> 4);
		}
	for (int j = 0; f->kind == BLOCK_SUPER && j < 16; j++)
		put_field(column + 2 * lanes, 8, lanes, lane, j, b->scales[j]);
	at = column + scale_bytes(f) * lanes;
	for (int64_t i = 0; i < e; i++) {
		put_field(at, low, lanes, lane, i, b->code[i] & ((1u << low) - 1));
		if (high)
			put_field(at + e * low / 8 * lanes, high, lanes, lane, i, (unsigned)b->code[i] >> low);
	}
}

/* Row r into lane `lane` of a panel. */
static void put_row(const struct block_format *f, const uint8_t *row, int64_t k, uint32_t width, uint32_t lane,
		    uint8_t *panel)
{
	uint32_t lanes = width < LANES ? width : LANES;
	struct block b;

	for (int64_t at = 0; at * f->elements < k; at++) {
		int64_t left = k - at * f->elements;
		int64_t e = stored_elements(f, left < f->elements ? left : f->elements);
		uint64_t column = lanes * (scale_bytes(f) + (uint64_t)e * f->bits / 8);

		load_block(f, row, k, at, &b);
		put_block(f, &b, e, lanes, lane % lanes, panel + lane / lanes * column);
		panel += column * (width / lanes);
	}
}

bool pack_quant(const struct graph *g, const struct weight *w, uint32_t first, uint32_t granules, void *out,
		struct diag *d)
{
	const struct packing *p = &w->packing;
	const struct data *x = graph_value(g, w->value)->data;
	struct block_format f = block_format(p->dtype);
	int64_t k = data_row(x), rows = shape_elements(&x->source_shape) / k, groups = p->groups ? p->groups : 1;
	uint64_t row_bytes = block_row_bytes(p->dtype, k), panel_bytes = quant_row_bytes(p->dtype, k) * p->width;
	int64_t each = rows / groups, panels = p->width == 1 && !p->groups ? rows : ceil_div(each, p->width);
	uint8_t *row = xmalloc(row_bytes);
	bool ok = true;

	if (p->width == 1 && !p->groups) { /* a table for a kernel, of one granule */
		granules = (uint32_t)rows;
		each = rows;
	}
	memset(out, 0, granules * panel_bytes);
	for (uint32_t i = 0; i < granules && ok; i++)
		for (uint32_t lane = 0; lane < p->width && ok; lane++) {
			int64_t at = (first + i) % panels * p->width + lane;

			if (at >= each)
				break;
			ok = data_read_rows(g, w->value, (uint64_t)((first + i) / panels * each + at), 1, row, d);
			if (ok)
				put_row(&f, row, k, p->width, lane, (uint8_t *)out + i * panel_bytes);
		}
	free(row);
	return ok;
}

/* The strides of the value's elements in its source; false: they have none. */
static bool source_strides(const struct value *v, int64_t stride[MAX_RANK])
{
	const struct data *x = v->data;
	int64_t source[MAX_RANK], run = 1;
	uint32_t at = 0;

	if (!x->perm_set) {
		for (uint32_t i = v->shape.rank; i-- > 0; run *= v->shape.dim[i])
			stride[i] = run;
		return true;
	}
	for (uint32_t i = x->source_shape.rank; i-- > 0; run *= x->source_shape.dim[i])
		source[i] = run;
	for (uint32_t i = 0; i < v->shape.rank; i++) {
		stride[i] = 0;
		if (v->shape.dim[i] == 1)
			continue;
		while (at < x->source_shape.rank && x->source_shape.dim[x->perm[at]] == 1)
			at++;
		if (at == x->source_shape.rank || x->source_shape.dim[x->perm[at]] != v->shape.dim[i])
			return false;
		stride[i] = source[x->perm[at++]];
	}
	return true;
}

bool codegen_quant(const struct codegen *c, value_id id, uint32_t out, uint32_t in)
{
	const struct value *v = graph_value(c->g, id);
	int64_t stride[MAX_RANK], want = 1;
	uint32_t i;

	if (v->kind != VALUE_CONST || !dtype_is_block(v->data->source_dtype) || v->data->scale ||
	    data_row(v->data) < 1 || !source_strides(v, stride))
		return false;
	if (v->shape.dim[in] != 1 && stride[in] != want)
		return false;
	want = v->shape.dim[in];
	for (i = v->shape.rank; i-- > 0;) { /* the rest of a row, in order */
		if (i == in || i == out)
			continue;
		if (v->shape.dim[i] != 1 && stride[i] != want)
			return false;
		want *= v->shape.dim[i];
	}
	return want == data_row(v->data) && (v->shape.dim[out] == 1 || stride[out] == want);
}

uint32_t codegen_quant_weight(struct codegen *c, value_id v, uint32_t width, uint32_t groups)
{
	const struct data *x = graph_value(c->g, v)->data;

	return codegen_weight(c, v, (struct packing){ .kind = PACK_QUANT, .dtype = x->source_dtype, .width = width,
						      .groups = groups });
}

void describe_quant(const struct graph *g, struct weight *w)
{
	const struct data *x = graph_value(g, w->value)->data;
	int64_t k = data_row(x), rows = shape_elements(&x->source_shape) / k, groups = w->packing.groups;

	w->granule_bytes = quant_row_bytes(w->packing.dtype, k) * w->packing.width;
	if (w->packing.width == 1 && !groups) {
		w->granules = 1;
		w->granule_bytes *= (uint64_t)rows;
	} else {
		groups = groups ? groups : 1;
		w->granules = (uint32_t)(groups * ceil_div(rows / groups, w->packing.width));
	}
}

void build_define_format(struct build *b, enum dtype t, uint32_t width)
{
	static const int kind[] = { [BLOCK_SYMMETRIC] = 0, [BLOCK_ASYMMETRIC] = 1, [BLOCK_TABLE] = 2,
				    [BLOCK_SUPER_MIN] = 3, [BLOCK_SUPER] = 4 };
	struct block_format f = block_format(t);

	build_define(b, "QUANT_BITS", f.bits);
	build_define(b, "QUANT_KIND", kind[f.kind]);
	build_define(b, "QUANT_ELEMENTS", f.elements);
	if (f.wide)
		build_define(b, "QUANT_WIDE", 1);
	build_define(b, "TILE_NV", width < 16 ? 1 : width / 16);
}

void build_define_quant(struct build *b, uint32_t weight)
{
	const struct packing *p = &b->c->ks->weights.data[weight].packing;

	build_define_format(b, p->dtype, p->width);
}
