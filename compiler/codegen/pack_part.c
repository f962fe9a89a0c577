/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack_part.c - a range of a large weight, in memory for that range alone.
 *
 * The weights of a network pass through the compiler. Most are packed whole;
 * a vocabulary's matrix of half a gigabyte is packed some panels at a time,
 * and what is read for them is cut into blocks as well. A matrix whose outputs
 * are its columns is read row segment by row segment, one whose outputs are
 * its rows row by row.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_FLOATS = 1 << 20 };

/* A constant as outputs by values: panels of `width` outputs, each with `count` values. */
struct matrix {
	int64_t outputs, count;
	int64_t inner, spatial; /* count: [inner][spatial] in the source, [spatial][inner] in a panel */
	bool columns;           /* outputs are the source's columns */
};

/* A matrix that its source holds the other way round, as most files hold linear layers. */
static bool flipped(const struct graph *g, value_id v)
{
	const struct data *x = graph_value(g, v)->data;

	return x->perm_set && !x->scale && x->source_shape.rank == 2 && x->perm[0] == 1 &&
	       graph_value(g, v)->shape.rank == 2;
}

/* False: only pack_weight() can. */
static bool describe(const struct graph *g, const struct weight *w, struct matrix *m)
{
	const struct shape *s = &graph_value(g, w->value)->shape;
	const struct packing *p = &w->packing;
	bool turned = flipped(g, w->value);

	*m = (struct matrix){ .spatial = 1 };
	if ((!data_in_order(g, w->value) && !turned) || p->reserved[0] || p->reserved[1] || p->reserved[2] || p->reserved[3] ||
	    (p->dtype != DTYPE_F32 && p->dtype != DTYPE_F16 && p->dtype != DTYPE_BF16) ||
	    !dtype_is_float(graph_value(g, w->value)->dtype))
		return false;
	if (p->kind == PACK_PANELS && s->rank == 2) {
		m->columns = p->transposed == turned;
		m->outputs = s->dim[!p->transposed];
		m->inner = s->dim[p->transposed];
	} else if (p->kind == PACK_CONV && !turned && !p->transposed && p->groups <= 1) {
		m->outputs = s->dim[0];
		m->inner = s->dim[1];
		for (uint32_t i = 2; i < s->rank; i++)
			m->spatial *= s->dim[i];
	} else {
		return false;
	}
	m->count = m->inner * m->spatial;
	return (uint64_t)m->count * p->width * dtype_size(p->dtype) == w->granule_bytes;
}

static bool dense_floats(const struct graph *g, const struct weight *w)
{
	return w->packing.kind == PACK_DENSE && w->packing.dtype == DTYPE_F32 && data_in_order(g, w->value) &&
	       dtype_is_float(graph_value(g, w->value)->dtype);
}

uint64_t pack_part_unit(const struct graph *g, const struct weight *w)
{
	struct matrix m;

	if (dense_floats(g, w))
		return sizeof(float);
	if (w->packing.kind == PACK_QUANT)
		return w->granule_bytes;
	return describe(g, w, &m) ? w->granule_bytes : w->bytes;
}

/* n floats from `in`, whose neighbours are `step` apart; false: one of them does not fit. */
static bool store(enum dtype t, const float *in, size_t step, char *out, size_t out_step, int64_t n)
{
	for (int64_t i = 0; i < n; i++, in += step, out += out_step) {
		uint16_t half;
		uint32_t u;

		if (t == DTYPE_F32) {
			memcpy(out, in, sizeof *in);
			continue;
		}
		memcpy(&u, in, sizeof u);
		half = t == DTYPE_F16 ? float_to_half(*in) :
		       isnan(*in)     ? 0x7fc0 :
					(uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
		memcpy(out, &half, sizeof half);
		if (t == DTYPE_F16 && isfinite(*in) && (half & 0x7fff) == 0x7c00)
			return false;
	}
	return true;
}

struct part {
	const struct graph *g;
	const struct weight *w;
	struct matrix m;
	int64_t first, outputs; /* the range; beyond the last output are zeros */
	char *out;
	float *block; /* BLOCK_FLOATS, or one row of the range if that is more */
	struct diag *d;
};

/* Where value k of output o (from `first`) lies. */
static char *place(const struct part *p, int64_t o, int64_t k)
{
	int64_t width = p->w->packing.width;

	return p->out + (size_t)(((o / width) * p->m.count + k) * width + o % width) * dtype_size(p->w->packing.dtype);
}

static bool too_large(const struct part *p)
{
	const struct value *v = graph_value(p->g, p->w->value);

	diag_error(p->d, v->span, "weight \"%s\" holds a value that f16 cannot", v->name ? v->name : "");
	diag_hint(p->d, "bf16 has the range of f32: weights bf16;");
	return false;
}

/* Outputs are columns: `rows` rows at a time where the range is a whole row, else one segment. */
static bool pack_columns(struct part *p)
{
	bool whole = p->outputs == p->m.outputs;
	int64_t rows = whole ? BLOCK_FLOATS / p->m.outputs : 1, width = p->w->packing.width;

	for (int64_t k = 0, n; k < p->m.count; k += n) {
		n = rows < 1 ? 1 : rows > p->m.count - k ? p->m.count - k : rows;
		if (!data_read_range(p->g, p->w->value, (uint64_t)(k * p->m.outputs + p->first),
				     (uint64_t)(n * p->outputs), p->block, p->d))
			return false;
		for (int64_t r = 0; r < n; r++)
			for (int64_t o = 0; o < p->outputs; o += width)
				if (!store(p->w->packing.dtype, p->block + r * p->outputs + o, 1, place(p, o, k + r),
					   dtype_size(p->w->packing.dtype),
					   p->outputs - o < width ? p->outputs - o : width))
					return too_large(p);
	}
	return true;
}

/* Outputs are rows, each [inner][spatial]. */
static bool pack_rows(struct part *p)
{
	int64_t rows = BLOCK_FLOATS / p->m.count;
	size_t size = dtype_size(p->w->packing.dtype), step = size * p->w->packing.width;

	for (int64_t o = 0, n; o < p->outputs; o += n) {
		n = rows < 1 ? 1 : rows > p->outputs - o ? p->outputs - o : rows;
		if (!data_read_range(p->g, p->w->value, (uint64_t)((p->first + o) * p->m.count),
				     (uint64_t)(n * p->m.count), p->block, p->d))
			return false;
		for (int64_t r = 0; r < n; r++)
			for (int64_t x = 0; x < p->m.spatial; x++)
				if (!store(p->w->packing.dtype, p->block + r * p->m.count + x, (size_t)p->m.spatial,
					   place(p, o + r, x * p->m.inner), step, p->m.inner))
					return too_large(p);
	}
	return true;
}

bool pack_part(const struct graph *g, const struct weight *w, uint64_t offset, uint64_t bytes, void *out,
	       struct diag *d)
{
	struct part p = { .g = g, .w = w, .out = out, .d = d };
	int64_t row;
	bool ok;

	if (offset == 0 && bytes == w->bytes)
		return pack_weight(g, w, out, d);
	if (dense_floats(g, w))
		return data_read_range(g, w->value, offset / sizeof(float), bytes / sizeof(float), out, d);
	if (w->packing.kind == PACK_QUANT)
		return pack_quant(g, w, (uint32_t)(offset / w->granule_bytes), (uint32_t)(bytes / w->granule_bytes), out, d);
	if (!describe(g, w, &p.m))
		return false;
	p.first = (int64_t)(offset / w->granule_bytes) * w->packing.width;
	p.outputs = (int64_t)(bytes / w->granule_bytes) * w->packing.width;
	if (p.outputs > p.m.outputs - p.first)
		p.outputs = p.m.outputs - p.first;
	memset(out, 0, bytes);
	row = p.m.columns ? p.outputs : p.m.count;
	p.block = xmalloc((size_t)(row > BLOCK_FLOATS ? row : BLOCK_FLOATS) * sizeof *p.block);
	ok = p.m.columns ? pack_columns(&p) : pack_rows(&p);
	free(p.block);
	return ok;
}
