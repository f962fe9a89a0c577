/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.c - constants in the byte order in which kernels read them.
 *
 * Panels put the `width` output channels that one work-item computes side by
 * side for each k, so that the inner loop of a matrix product reads its weights
 * strictly forward, and a contiguous piece of the plan file is all that a
 * range of output channels needs. The tail panel is padded with zeros.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A constant seen as out[O][inner][spatial], and how many panels it makes. */
struct panels {
	int64_t outputs, inner, spatial; /* outputs: of one group */
	int64_t groups, per_group;       /* per_group: panels */
};

static struct panels describe_panels(const struct shape *s, const struct packing *p)
{
	struct panels q = { .groups = p->groups ? p->groups : 1, .spatial = 1 };
	uint32_t i;

	switch (p->kind) {
	case PACK_PANELS:
		q.outputs = s->dim[p->transposed ? s->rank - 2 : s->rank - 1];
		q.inner = s->dim[p->transposed ? s->rank - 1 : s->rank - 2];
		break;
	case PACK_CONV:
		for (i = 2; i < s->rank; i++)
			q.spatial *= s->dim[i];
		q.outputs = p->transposed ? s->dim[1] : s->dim[0] / q.groups;
		q.inner = p->transposed ? s->dim[0] / q.groups : s->dim[1];
		break;
	case PACK_DEPTHWISE:
		for (i = 2; i < s->rank; i++)
			q.spatial *= s->dim[i];
		q.outputs = s->dim[0];
		q.inner = 1;
		break;
	default:
		q.outputs = shape_elements(s);
		q.inner = 1;
		break;
	}
	q.per_group = ceil_div(q.outputs, p->width);
	return q;
}

uint32_t codegen_weight(struct codegen *c, value_id v, struct packing p)
{
	const struct shape *s = value_shape(c, v);
	struct weight w = { .value = v, .packing = p };
	struct panels q;
	uint32_t index;
	char *key;

	key = arena_printf(c->arena, "%u %d %d %u %u %d %d %u", v, (int)p.kind, (int)p.dtype, p.width, p.groups,
			   (int)p.transposed, (int)p.texture, p.reserved[0]);
	if (map_get(&c->weight_map, key, &index))
		return index;
	index = c->ks->weights.len;
	map_put(c->arena, &c->weight_map, key, index);
	if (p.kind == PACK_DENSE) {
		w.granules = 1;
		w.granule_bytes = (uint64_t)shape_elements(s) * dtype_size(p.dtype);
	} else if (p.kind == PACK_QUANT) {
		describe_quant(c->g, &w);
	} else {
		q = describe_panels(s, &p);
		w.granules = (uint32_t)(q.groups * q.per_group);
		w.granule_bytes = (uint64_t)(q.spatial * q.inner) * p.width * dtype_size(p.dtype);
	}
	w.bytes = w.granules * w.granule_bytes;
	vec_push(c->arena, &c->ks->weights, w);
	return index;
}

enum dtype codegen_storage(const struct codegen *c, value_id v)
{
	const struct value *x = graph_value(c->g, v);
	enum dtype t = codegen_textures(c) ? DTYPE_F16 : c->g->weight_storage;

	if (!t) /* what the source has is kept where that loses nothing */
		t = x->data->scale ? DTYPE_F32 : x->dtype == DTYPE_F32 ? x->data->source_dtype : x->dtype;
	return t == DTYPE_F16 || t == DTYPE_BF16 ? t : DTYPE_F32;
}

uint32_t codegen_dense(struct codegen *c, value_id v)
{
	return codegen_weight(c, v, (struct packing){ .kind = PACK_DENSE, .dtype = graph_value(c->g, v)->dtype });
}

uint32_t codegen_zeros(struct codegen *c, value_id v, uint64_t bytes)
{
	struct weight *w;

	if (c->zeros == NO_ID) {
		c->zeros = c->ks->weights.len;
		vec_push(c->arena, &c->ks->weights,
			 (struct weight){ .value = v, .granules = 1,
					  .packing = { .kind = PACK_ZEROS, .dtype = DTYPE_F32 } });
	}
	w = &c->ks->weights.data[c->zeros];
	if (w->bytes < bytes)
		w->bytes = w->granule_bytes = bytes;
	return c->zeros;
}

static uint16_t float_to_bf16(float x)
{
	uint32_t u;

	memcpy(&u, &x, sizeof u);
	return isnan(x) ? 0x7fc0 : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* Halves end at 65504; what is larger would silently become infinite. */
static bool check_range(const struct graph *g, const struct weight *w, const float *in, struct diag *d)
{
	const struct value *v = graph_value(g, w->value);
	int64_t n = shape_elements(&v->shape), i;

	for (i = 0; w->packing.dtype == DTYPE_F16 && i < n; i++)
		if (isfinite(in[i]) && fabsf(in[i]) >= 65520.0f) {
			diag_error(d, v->span, "weight \"%s\" holds %g, which f16 cannot", v->name ? v->name : "",
				   (double)in[i]);
			diag_hint(d, "bf16 has the range of f32: weights bf16;");
			return false;
		}
	return true;
}

static void put(void *out, enum dtype t, size_t i, float x)
{
	if (t == DTYPE_BF16)
		((uint16_t *)out)[i] = float_to_bf16(x);
	else if (t == DTYPE_F16)
		((uint16_t *)out)[i] = float_to_half(x);
	else
		((float *)out)[i] = x;
}

/* Element (group, o, k, x): output o of the group, input k, spatial position x. */
static size_t source_index(const struct packing *p, const struct panels *q, int64_t group, int64_t o, int64_t k,
			   int64_t x)
{
	if (p->kind == PACK_PANELS)
		return (size_t)(p->transposed ? o * q->inner + k : k * q->outputs + o);
	if (p->kind == PACK_CONV && p->transposed)
		return (size_t)(((group * q->inner + k) * q->outputs + o) * q->spatial + x);
	return (size_t)(((group * q->outputs + o) * q->inner + k) * q->spatial + x);
}

/* Between neighbouring outputs in the source. */
static size_t source_step(const struct packing *p, const struct panels *q)
{
	if (p->kind == PACK_PANELS)
		return (size_t)(p->transposed ? q->inner : 1);
	return (size_t)(p->kind == PACK_CONV && p->transposed ? q->spatial : q->inner * q->spatial);
}

/* in: floats, or with `stored` what the plan holds already: halves whose bits stay as they are. */
static void pack_panels(const struct weight *w, const struct panels *q, const void *in, bool stored, void *out)
{
	const struct packing *p = &w->packing;
	size_t at = 0, step = source_step(p, q);

	for (int64_t i = 0; i < q->groups * q->per_group * q->spatial * q->inner; i++, at += p->width) {
		int64_t k = i % q->inner, x = i / q->inner % q->spatial, panel = i / q->inner / q->spatial;
		int64_t o = panel % q->per_group * p->width, n = q->outputs - o < p->width ? q->outputs - o : p->width;
		size_t from = source_index(p, q, panel / q->per_group, o, k, x);

		for (int64_t lane = 0; lane < n; lane++, from += step)
			if (stored)
				((uint16_t *)out)[at + lane] = ((const uint16_t *)in)[from];
			else
				put(out, p->dtype, at + lane, ((const float *)in)[from]);
		for (int64_t lane = n; lane < p->width; lane++)
			put(out, p->dtype, at + lane, 0.0f);
	}
}

/* Whether panels hold the source's own halves. */
static bool is_stored(const struct value *v, const struct weight *w)
{
	return w->packing.kind != PACK_DENSE && (w->packing.dtype == DTYPE_F16 || w->packing.dtype == DTYPE_BF16) &&
	       v->data->source_dtype == w->packing.dtype && v->data->where != DATA_RANDOM && !v->data->scale;
}

bool pack_weight(const struct graph *g, const struct weight *w, void *out, struct diag *d)
{
	const struct value *v = graph_value(g, w->value);
	struct panels q;
	float *in;
	bool ok, stored;

	if (w->packing.kind == PACK_ZEROS) {
		memset(out, 0, w->bytes);
		return true;
	}
	if (w->packing.kind == PACK_TABLE) {
		memcpy(out, w->table, w->bytes);
		return true;
	}
	if (w->packing.kind == PACK_RECURRENT)
		return pack_recurrent(g, w, out, d);
	if (w->packing.kind == PACK_QUANT)
		return pack_quant(g, w, 0, w->granules, out, d);
	if (w->packing.kind == PACK_DENSE && w->packing.dtype == v->dtype)
		return data_read(g, w->value, out, d);
	stored = is_stored(v, w);
	in = xmalloc((size_t)shape_elements(&v->shape) * (stored ? sizeof(uint16_t) : sizeof *in) + 1);
	ok = stored ? data_read_stored(g, w->value, in, d) : data_read_f32(g, w->value, in, d) && check_range(g, w, in, d);
	if (ok) {
		if (w->packing.kind == PACK_DENSE)
			q = (struct panels){ .outputs = 1, .inner = shape_elements(&v->shape), .spatial = 1,
					     .groups = 1, .per_group = 1 };
		else
			q = describe_panels(&v->shape, &w->packing);
		if (w->packing.kind == PACK_DENSE)
			for (int64_t i = 0; i < q.inner; i++)
				put(out, w->packing.dtype, (size_t)i, in[i]);
		else
			pack_panels(w, &q, in, stored, out);
	}
	free(in);
	return ok;
}
