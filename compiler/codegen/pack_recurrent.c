/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack_recurrent.c - weights of recurrent layers, and tables worked out by the
 * compiler.
 *
 * A recurrent kernel computes sixteen hidden units at a time, all gates of
 * them together: for each input k it reads `groups` vectors of sixteen
 * weights, one a gate, strictly forward. Units beyond the last are zeros.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <stdlib.h>
#include <string.h>

enum { RECURRENT_WIDTH = 16 };

/* The value as [directions][parts * hidden][inputs]. */
struct recurrent {
	int64_t directions, hidden, inputs, parts, blocks;
};

static struct recurrent describe(const struct shape *s, uint32_t parts)
{
	struct recurrent r = { .directions = s->dim[0], .hidden = s->dim[1] / parts, .inputs = 1, .parts = parts };

	for (uint32_t i = 2; i < s->rank; i++)
		r.inputs *= s->dim[i];
	r.blocks = ceil_div(r.hidden, RECURRENT_WIDTH);
	return r;
}

uint32_t codegen_recurrent(struct codegen *c, value_id v, uint32_t parts)
{
	struct recurrent r = describe(value_shape(c, v), parts);
	struct weight w = { .value = v,
			    .packing = { .kind = PACK_RECURRENT, .dtype = DTYPE_F32, .width = RECURRENT_WIDTH,
					 .groups = parts } };

	for (uint32_t i = 0; i < c->ks->weights.len; i++) {
		const struct weight *old = &c->ks->weights.data[i];

		if (old->packing.kind == PACK_RECURRENT && old->value == v && old->packing.groups == parts)
			return i;
	}
	w.granules = (uint32_t)(r.directions * r.blocks);
	w.granule_bytes = (uint64_t)(r.inputs * r.parts) * RECURRENT_WIDTH * sizeof(float);
	w.bytes = w.granules * w.granule_bytes;
	vec_push(c->arena, &c->ks->weights, w);
	return c->ks->weights.len - 1;
}

bool pack_recurrent(const struct graph *g, const struct weight *w, void *out, struct diag *d)
{
	const struct shape *s = &graph_value(g, w->value)->shape;
	struct recurrent r = describe(s, w->packing.groups);
	float *in = xmalloc((size_t)shape_elements(s) * sizeof *in + 1), *to = out;
	bool ok = data_read_f32(g, w->value, in, d);

	for (int64_t dir = 0; ok && dir < r.directions; dir++)
		for (int64_t block = 0; block < r.blocks; block++)
			for (int64_t k = 0; k < r.inputs; k++)
				for (int64_t part = 0; part < r.parts; part++)
					for (int64_t lane = 0; lane < RECURRENT_WIDTH; lane++) {
						int64_t unit = block * RECURRENT_WIDTH + lane;
						int64_t row = (dir * r.parts + part) * r.hidden + unit;

						*to++ = unit < r.hidden ? in[row * r.inputs + k] : 0.0f;
					}
	free(in);
	return ok;
}

uint32_t codegen_table(struct codegen *c, value_id v, const void *bytes, uint64_t size)
{
	struct weight w = { .value = v, .granules = 1, .bytes = size, .granule_bytes = size,
			    .packing = { .kind = PACK_TABLE, .dtype = DTYPE_I32 } };

	for (uint32_t i = 0; i < c->ks->weights.len; i++) {
		const struct weight *old = &c->ks->weights.data[i];

		if (old->packing.kind == PACK_TABLE && old->bytes == size && memcmp(old->table, bytes, size) == 0)
			return i;
	}
	w.table = arena_copy(c->arena, bytes, size);
	vec_push(c->arena, &c->ks->weights, w);
	return c->ks->weights.len - 1;
}
