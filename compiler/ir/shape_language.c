/* SPDX-License-Identifier: Apache-2.0 */
/* shape_language.c - shapes of the operations that language models have of their own. */
#include "config.h"

#include "ir/shape.h"

static bool is_state(struct inference *c, uint32_t i)
{
	const struct value *v = infer_input(c, i);

	if (v->dtype != DTYPE_I32 || v->shape.rank != 1 || v->shape.dim[0] != 4)
		return infer_fail(c, "its state is not i32[4]");
	return true;
}

static bool is_f32(struct inference *c, uint32_t i, uint32_t rank)
{
	const struct value *v = infer_input(c, i);

	if (v->dtype != DTYPE_F32 || v->shape.rank != rank)
		return infer_fail(c, "input %u is not f32 of rank %u", i, rank);
	return true;
}

static bool infer_angles(struct inference *c)
{
	const int64_t *shape = infer_list(c, ATTR_shape, 2);

	if (!shape || !is_f32(c, 0, 2) || !is_state(c, 1))
		return false;
	if (infer_input(c, 0)->shape.dim[0] != 2 || shape[0] < 1 || shape[1] != 2 * infer_input(c, 0)->shape.dim[1])
		return infer_fail(c, "its shape does not fit its frequencies");
	c->dtype[0] = DTYPE_F32;
	c->shape[0] = (struct shape){ 2, { shape[0], shape[1] } };
	return true;
}

/* What both operations on a cache have. Gives the size of a head, or 0. */
static int64_t cache_head(struct inference *c)
{
	const struct shape *q = &infer_input(c, 0)->shape;
	int64_t heads = node_int(c->n, ATTR_heads, 0), kv = node_int(c->n, ATTR_kv_heads, 0);
	int64_t context = node_int(c->n, ATTR_context, 0), cache = node_int(c->n, ATTR_cache, 0);

	if (!is_f32(c, 0, 2))
		return 0;
	if (heads < 1 || kv < 1 || heads % kv || q->dim[1] % heads || q->dim[1] / heads < 1 ||
	    q->dim[1] / heads > 1 << 12 || context < 1 || context > 1 << 24 || node_int(c->n, ATTR_layer, -1) < 0) {
		infer_fail(c, "its heads, context or layer make no sense");
		return 0;
	}
	if (cache != DTYPE_F32 && cache != DTYPE_F16 && cache != DTYPE_I8) {
		infer_fail(c, "a cache is f32, f16 or i8");
		return 0;
	}
	c->dtype[0] = DTYPE_F32;
	c->shape[0] = *q;
	return q->dim[1] / heads;
}

static bool infer_append(struct inference *c)
{
	const struct shape *q = &infer_input(c, 0)->shape;
	int64_t head = cache_head(c), kv = node_int(c->n, ATTR_kv_heads, 0);

	if (!head || !is_state(c, 4) || !is_f32(c, 3, 2))
		return false;
	for (uint32_t i = 1; i < 4; i++) {
		const struct shape *s = &infer_input(c, i)->shape;

		if (!is_f32(c, i, 2))
			return false;
		if (s->dim[0] != q->dim[0] || (i < 3 ? s->dim[1] != kv * head : s->dim[1] > head || s->dim[1] % 2))
			return infer_fail(c, "input %u does not fit its queries", i);
	}
	return true;
}

bool infer_language(struct inference *c)
{
	switch (c->n->op) {
	case OP_rope_angles:
		return infer_angles(c);
	case OP_kv_append:
		return infer_append(c);
	default:
		return cache_head(c) && is_state(c, 1);
	}
}
