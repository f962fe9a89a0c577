/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_language.c - rotary embeddings and attention over a cache.
 *
 * The cache of a layer is memory that outlives the run (build_state): kv_append
 * writes to it, kv_attention reads it. Both know its layout from here.
 */
#include "config.h"

#include "codegen/codegen.h"

bool select_rope_angles(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->out[0]);
	struct build b;

	build_begin(&b, c, id, "rope_angles");
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_float(&b, n->in[0]);
	build_value(&b, n->in[1]);
	build_i32(&b, s->dim[1] / 2);
	build_f32(&b, node_float(n, ATTR_scale, 1));
	build_out(&b);
	build_flops(&b, 20 * (uint64_t)shape_elements(s));
	return build_launch(&b, s->dim[0], 1, 1);
}

struct cache {
	int64_t rows, heads, kv, group, head, context, wide;
	uint32_t vectors; /* of sixteen keys in a block */
	enum dtype dtype;
};

static struct cache describe(struct codegen *c, const struct node *n)
{
	const struct shape *q = value_shape(c, n->in[0]);
	struct cache x = { .rows = q->dim[0], .heads = node_int(n, ATTR_heads, 1), .kv = node_int(n, ATTR_kv_heads, 1),
			   .dtype = (enum dtype)node_int(n, ATTR_cache, DTYPE_F32) };

	x.group = x.heads / x.kv;
	x.head = q->dim[1] / x.heads;
	x.wide = ceil_div(x.head, 16) * 16;
	x.vectors = x.wide % 32 ? 1 : 2;
	x.context = ceil_div(node_int(n, ATTR_context, 1), 16 * x.vectors) * 16 * x.vectors;
	return x;
}

/* The memory of the node's layer, and what both kernels know about it. */
static void build_cache(struct build *b, const struct cache *x, bool writes)
{
	int64_t layer = node_int(b->n, ATTR_layer, 0);
	uint64_t positions = (uint64_t)(x->kv * x->context), element = dtype_size(x->dtype);
	bool quantised = x->dtype == DTYPE_I8;

	build_state(b, arena_printf(b->c->arena, "keys of layer %lld", (long long)layer),
		    positions * (uint64_t)x->head * element);
	build_state(b, arena_printf(b->c->arena, "values of layer %lld", (long long)layer),
		    positions * (uint64_t)x->wide * element);
	if (quantised)
		build_state(b, arena_printf(b->c->arena, "scales of layer %lld", (long long)layer),
			    2 * positions * sizeof(float));
	build_define(b, "D", x->head);
	build_define(b, "WIDE", x->wide);
	build_define(b, "QUANTISED", quantised);
	build_define_text(b, "CACHE", "%s", expr_storage(x->dtype));
	build_define_text(b, "PARAM_SCALES", "%s", !quantised ? "" : writes ? "__global float *scales," :
				       "__global const float *restrict scales,");
}

static const char *put_text(enum dtype t)
{
	switch (t) {
	case DTYPE_F16: return "vstore_half_rte(x, i, p)";
	case DTYPE_I8: return "((p)[i] = (char)(int)rint(x))";
	default: return "((p)[i] = (x))";
	}
}

bool select_kv_append(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	struct cache x = describe(c, n);
	struct build b;

	build_begin(&b, c, id, "kv_append");
	b.in_place = false;
	build_define(&b, "KEYS", 16 * x.vectors);
	build_define(&b, "HALVES", node_int(n, ATTR_mode, ROPE_ADJACENT) == ROPE_HALVES);
	build_define_text(&b, "PUT(x, p, i)", "%s", put_text(x.dtype));
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	for (uint32_t i = 0; i < 5; i++)
		build_value(&b, n->in[i]);
	build_cache(&b, &x, true);
	build_i32(&b, value_shape(c, n->in[3])->dim[1] / 2);
	build_i32(&b, x.kv);
	build_i32(&b, x.group);
	build_i32(&b, x.context);
	build_f32(&b, node_float(n, ATTR_scale, 1));
	build_out(&b);
	build_flops(&b, 6 * (uint64_t)(x.rows * (x.heads + x.kv) * x.head));
	return build_launch(&b, x.kv, x.rows, 1);
}

bool select_kv_attention(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	int64_t window = node_int(n, ATTR_window, 0), height;
	struct cache x = describe(c, n);
	double softcap = node_float(n, ATTR_softcap, 0);
	struct build b;

	height = codegen_tile_height(x.rows * x.group);
	if (c->t->kernels == TARGET_GPU_KERNELS && height > 4)
		height = 4;
	build_begin(&b, c, id, "kv_attention");
	b.in_place = false;
	build_define(&b, "TILE_M", height);
	build_define(&b, "TILE_NV", x.vectors);
	build_define(&b, "WINDOW", window > 0);
	build_define(&b, "SOFTCAP", softcap > 0);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value(&b, n->in[0]);
	build_value(&b, n->in[1]);
	build_cache(&b, &x, false);
	build_i32(&b, x.heads);
	build_i32(&b, x.group);
	build_i32(&b, x.context);
	build_i32(&b, window);
	build_f32(&b, softcap);
	build_out(&b);
	build_flops(&b, 2 * (uint64_t)(x.rows * x.heads * x.head * x.context));
	return build_launch(&b, ceil_div(x.rows * x.group, height), x.kv, 1);
}
