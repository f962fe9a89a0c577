/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select.c - each node becomes launches.
 *
 * One table says which family knows an operation. Some are no launch: see place.c.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <string.h>

static const select_fn selector[OP_COUNT] = {
	[OP_map] = select_map,
	[OP_matmul] = select_matmul,
	[OP_conv] = select_conv,
	[OP_conv_transpose] = select_conv,
	[OP_max_pool] = select_pool,
	[OP_avg_pool] = select_pool,
	[OP_identity] = select_map,
	[OP_reshape] = select_map,
	[OP_transpose] = select_move,
	[OP_slice] = select_move,
	[OP_expand] = select_move,
	[OP_tile] = select_move,
	[OP_concat] = select_concat,
	[OP_pad] = select_pad,
	[OP_gather] = select_lookup,
	[OP_gather_elements] = select_gather,
	[OP_scatter] = select_scatter,
	[OP_top_k] = select_top_k,
	[OP_resize] = select_resize,
	[OP_reduce_sum] = select_reduce,
	[OP_reduce_mean] = select_reduce,
	[OP_reduce_max] = select_reduce,
	[OP_reduce_min] = select_reduce,
	[OP_reduce_prod] = select_reduce,
	[OP_reduce_l1] = select_reduce,
	[OP_reduce_l2] = select_reduce,
	[OP_reduce_sum_square] = select_reduce,
	[OP_reduce_log_sum] = select_reduce,
	[OP_reduce_log_sum_exp] = select_reduce,
	[OP_arg_max] = select_arg,
	[OP_arg_min] = select_arg,
	[OP_softmax] = select_softmax,
	[OP_log_softmax] = select_softmax,
	[OP_layer_norm] = select_norm,
	[OP_rms_norm] = select_norm,
	[OP_group_norm] = select_norm,
	[OP_mix_norm] = select_mix_norm,
	[OP_attention] = select_attention,
	[OP_stored_rows] = select_stored_rows,
	[OP_decode_rows] = select_decode_rows,
	[OP_quantize_rows] = select_quantize_rows,
	[OP_matmul_rows] = select_matmul_rows,
	[OP_quantize_image] = select_quantize_image,
	[OP_conv_image] = select_conv_image,
	[OP_rope_angles] = select_rope_angles,
	[OP_kv_append] = select_kv_append,
	[OP_kv_attention] = select_kv_attention,
	[OP_lstm] = select_rnn,
	[OP_gru] = select_rnn,
};

bool codegen_refuse(struct codegen *c, node_id id, const char *fmt, ...)
{
	const struct node *n = graph_node(c->g, id);
	va_list ap;

	va_start(ap, fmt);
	diag_error(c->d, n->span, "no kernel for operation \"%s\"%s%s%s: %s", op_name(n->op),
		   n->name ? " of node \"" : "", n->name ? n->name : "", n->name ? "\"" : "",
		   arena_vprintf(c->arena, fmt, ap));
	va_end(ap);
	return false;
}

bool codegen_want_f32(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	uint32_t i, own = node_own_inputs(n);

	for (i = 0; i < own; i++) {
		const struct value *v;

		if (n->in[i] == NO_ID)
			continue;
		v = graph_value(c->g, n->in[i]);
		if (v->dtype == DTYPE_F32 || (v->kind == VALUE_CONST && dtype_is_float(v->dtype)))
			continue;
		return codegen_refuse(c, id, "input %u is %s, and only f32 is supported", i, dtype_name(v->dtype));
	}
	return true;
}

bool codegen_scalar(struct codegen *c, value_id v, double *out)
{
	union {
		float f;
		int64_t i;
		unsigned char b[8];
	} x = { .i = 0 };
	enum dtype t;

	if (!value_is_const(c, v) || value_elements(c, v) != 1)
		return false;
	t = graph_value(c->g, v)->dtype;
	if (t == DTYPE_F64)
		return false;
	if (dtype_is_float(t)) {
		if (!data_read_f32(c->g, v, &x.f, c->d))
			return false;
		*out = x.f;
		return true;
	}
	if (!data_read(c->g, v, x.b, c->d))
		return false;
	switch (t) {
	case DTYPE_I64: *out = (double)x.i; return x.i >= -(1ll << 53) && x.i <= 1ll << 53;
	case DTYPE_I32: *out = (int32_t)x.i; return true;
	case DTYPE_I16: *out = (int16_t)x.i; return true;
	case DTYPE_I8: *out = (int8_t)x.i; return true;
	default: *out = (uint8_t)x.i; return true;
	}
}

bool codegen_dies(const struct codegen *c, value_id v, node_id id)
{
	return !value_is_const(c, v) && c->last_use[c->ks->alias[v]] == id;
}

const struct node *codegen_bias_as_epilogue(struct codegen *c, const struct node *n, uint32_t own)
{
	uint32_t first = node_own_inputs(n), extra = n->in_count - first, i, k;
	struct epilogue_step *s;
	struct node *m;

	if (first <= own || n->in[own] == NO_ID)
		return n;
	m = arena_copy(c->arena, n, sizeof *n);
	m->in_count = own + 1 + extra;
	m->in = arena_new_array(c->arena, value_id, m->in_count);
	memcpy(m->in, n->in, (own + 1) * sizeof *m->in);
	memcpy(m->in + own + 1, n->in + first, extra * sizeof *m->in);
	m->view = arena_new_array(c->arena, struct view *, extra + 1);
	if (n->view)
		memcpy(m->view + 1, n->view, extra * sizeof *m->view);
	m->epilogue_first_input = own;
	m->epilogue_count = n->epilogue_count + 1;
	s = m->epilogue = arena_new_array(c->arena, struct epilogue_step, m->epilogue_count);
	s[0] = (struct epilogue_step){ .op = OP_add, .dtype = DTYPE_F32, .in = { { false, 0 }, { true, 0 } } };
	for (i = 0; i < n->epilogue_count; i++) {
		s[i + 1] = n->epilogue[i];
		for (k = 0; k < 3; k++)
			s[i + 1].in[k].index++;
	}
	return m;
}

int64_t codegen_tile_height(int64_t m)
{
	int64_t h, best = 8;

	for (h = 8; h > 0; h--)
		if (ceil_div(m, h) * (2 * h + 1) < ceil_div(m, best) * (2 * best + 1))
			best = h;
	return best;
}

static void find_lifetimes(struct codegen *c)
{
	const struct graph *g = c->g;
	uint32_t i, k;

	c->last_use = arena_new_array(c->arena, node_id, g->values.len);
	for (i = 0; i < g->values.len; i++)
		c->last_use[i] = NO_ID;
	for (i = 0; i < g->nodes.len; i++) {
		const struct node *n = graph_node(g, i);

		if (n->dead)
			continue;
		for (k = 0; k < n->in_count; k++)
			if (n->in[k] != NO_ID)
				c->last_use[c->ks->alias[n->in[k]]] = i;
	}
	for (i = 0; i < g->outputs.len; i++)
		c->last_use[c->ks->alias[g->outputs.data[i]]] = NO_ID;
}

/* Kernels index with int. */
static bool check_sizes(struct codegen *c)
{
	uint32_t i, k;

	for (i = 0; i < c->g->nodes.len; i++) {
		const struct node *n = graph_node(c->g, i);

		for (k = 0; k < n->out_count; k++)
			if (n->out[k] != NO_ID && value_elements(c, n->out[k]) > INT32_MAX)
				return codegen_refuse(c, i, "a tensor of more than 2^31 elements is not supported");
	}
	return true;
}

static bool select_node(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	uint32_t k;
	bool any = false;

	for (k = 0; k < n->out_count; k++)
		any |= n->out[k] != NO_ID && value_elements(c, n->out[k]) > 0;
	if (!any || codegen_is_alias(c, n) || c->unmade[n->out[0]])
		return true;
	if (selector[n->op])
		return selector[n->op](c, id);
	if (op_is_elementwise(n->op))
		return select_map(c, id);
	return codegen_refuse(c, id, "the operation is not supported by any kernel");
}

struct kernel_set *codegen_select(struct arena *a, const struct graph *g, const struct target *t, struct diag *d)
{
	struct codegen c = { .arena = a, .g = g, .t = t, .d = d, .zeros = NO_ID };
	unsigned errors = d->errors;
	uint32_t i;

	c.ks = arena_new(a, struct kernel_set);
	c.ks->graph = g;
	/* on a gpu the driver makes groups of work-items that need none */
	c.ks->prelude = arena_printf(a, "#define EDGE_RENDERED 1\n%s%s",
				     codegen_is_gpu(&c) ? "#define EDGE_SINGLE\n" : "", prelude_text());
	c.ks->build_options = "-cl-std=CL1.2";
	codegen_place(&c);
	find_lifetimes(&c);
	if (!check_sizes(&c))
		return NULL;
	for (i = 0; i < g->nodes.len; i++)
		if (!graph_node(g, i)->dead)
			select_node(&c, i);
	if (codegen_textures(&c) && t->copies == TARGET_COPIES_KERNELS)
		render_loading(a, c.ks);
	return d->errors == errors ? c.ks : NULL;
}
