/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gguf_model.c - a transformer decoder from a GGUF file as a graph.
 *
 * The graph does one sweep over `rows` tokens that follow those in the cache:
 *
 *	tokens i32[rows], state i32[4] (position of the first, how many count),
 *	wanted i32[scored] (rows whose logits are asked for) -> logits f32[scored, vocabulary]
 *
 * Graphs of one model for different numbers of rows have the same nodes and
 * values in the same order: they become variants of one program.
 */
#include "config.h"

#include "import/gguf_model.h"
#include "ir/block.h"

#include <math.h>
#include <string.h>

struct builder {
	struct gguf *g;
	struct graph *graph;
	struct model_config m;
	uint32_t file;
	const struct language_options *o;
	int64_t layer, vocabulary;
	value_id state, angles, window_angles, table; /* table: of the tokens */
	bool failed;
};

static value_id op(struct builder *b, enum op o, const value_id *in, uint32_t n, const struct attr *attr, uint32_t attrs,
		   const char *name)
{
	value_id v;

	for (uint32_t i = 0; i < n; i++)
		if (in[i] == NO_ID && i < (uint32_t)op_info(o)->min_in)
			return NO_ID; /* said why */
	v = graph_op(b->graph, b->g->diag, o, in, n, attr, attrs, b->g->span, name);
	b->failed |= v == NO_ID;
	return v;
}

static value_id op2(struct builder *b, enum op o, value_id x, value_id y)
{
	value_id in[] = { x, y };

	return op(b, o, in, 2, NULL, 0, NULL);
}

static value_id op1(struct builder *b, enum op o, value_id x)
{
	return op(b, o, &x, 1, NULL, 0, NULL);
}

static value_id scalar(struct builder *b, double x)
{
	return graph_add_scalar_f32(b->graph, (float)x);
}

/* "blk.3.NAME" in a layer, NAME outside. */
static const char *tensor_name(struct builder *b, const char *name)
{
	return b->layer < 0 ? name : arena_printf(b->g->arena, "blk.%lld.%s", (long long)b->layer, name);
}

static value_id fail_tensor(struct builder *b, const struct gguf_tensor *t, const char *name, int64_t rows, int64_t columns)
{
	struct shape want = { rows ? 2 : 1, { rows ? rows : columns, columns } };

	b->failed = true;
	if (!t)
		diag_error(b->g->diag, b->g->span, "cannot import \"%s\": tensor \"%s\" is missing", b->g->path, name);
	else
		diag_error(b->g->diag, b->g->span, "cannot import \"%s\": tensor \"%s\" is %s%s, not %s", b->g->path, name,
			   dtype_name(t->dtype), shape_string(b->g->arena, &t->shape), shape_string(b->g->arena, &want));
	return NO_ID;
}

static bool is_weight(enum dtype t)
{
	return dtype_is_float(t) || dtype_is_block(t);
}

/* A matrix of `rows` rows, or with rows 0 a vector. An optional one that is absent is NO_ID. */
static value_id weight(struct builder *b, const char *short_name, int64_t rows, int64_t columns, bool optional)
{
	const char *name = tensor_name(b, short_name);
	const struct gguf_tensor *t = gguf_tensor(b->g, name);
	struct shape s = { rows ? 2 : 1, { rows ? rows : columns, columns } };
	struct data d = { .where = DATA_FILE, .file = b->file };

	if (!t && optional)
		return NO_ID;
	if (!t || shape_elements(&t->shape) != shape_elements(&s) ||
	    (columns > 1 && t->shape.dim[t->shape.rank - 1] != columns) || !is_weight(t->dtype))
		return fail_tensor(b, t, name, rows, columns);
	d.source_dtype = t->dtype;
	d.source_shape = s;
	d.offset = t->offset;
	d.size = t->size;
	return graph_add_const(b->graph, name, DTYPE_F32, s, d);
}

static value_id norm(struct builder *b, value_id x, const char *name)
{
	struct attr eps = attr_float(eps, b->m.eps);
	value_id in[] = { x, weight(b, name, 0, b->m.width, false) };

	return op(b, OP_rms_norm, in, 2, &eps, 1, tensor_name(b, name));
}

/* x w' + bias, where there is one. */
static value_id linear(struct builder *b, value_id x, const char *name, int64_t outputs, int64_t inputs)
{
	struct attr turned = attr_int(trans_b, 1);
	value_id in[] = { x, weight(b, arena_printf(b->g->arena, "%s.weight", name), outputs, inputs, false),
			  weight(b, arena_printf(b->g->arena, "%s.bias", name), 0, outputs, true) };

	return op(b, OP_matmul, in, in[2] == NO_ID ? 2 : 3, &turned, 1, tensor_name(b, name));
}

/* Each head of x is normalised by itself, if the file has a scale for that. */
static value_id head_norm(struct builder *b, value_id x, const char *name, int64_t heads)
{
	const struct model_config *m = &b->m;
	value_id scale = weight(b, name, 0, m->head, true), in[2];
	int64_t apart[] = { b->o->rows, heads, m->head }, together[] = { b->o->rows, heads * m->head };
	struct attr eps = attr_float(eps, m->eps), shape = attr_ints(shape, apart, 3);

	if (scale == NO_ID)
		return x;
	in[0] = op(b, OP_reshape, &x, 1, &shape, 1, NULL);
	in[1] = scale;
	x = op(b, OP_rms_norm, in, 2, &eps, 1, tensor_name(b, name));
	shape = attr_ints(shape, together, 2);
	return op(b, OP_reshape, &x, 1, &shape, 1, NULL);
}

static value_id attention(struct builder *b, value_id x)
{
	const struct model_config *m = &b->m;
	int64_t wide = m->heads * m->head, narrow = m->kv_heads * m->head;
	bool window = m->window && b->layer % m->windows != m->windows - 1;
	value_id in[5] = { linear(b, x, "attn_q", wide, m->width), linear(b, x, "attn_k", narrow, m->width),
			   linear(b, x, "attn_v", narrow, m->width), window ? b->window_angles : b->angles, b->state };
	struct attr attr[7] = { attr_int(heads, m->heads), attr_int(kv_heads, m->kv_heads),
				attr_int(context, b->o->context), attr_int(cache, b->o->cache), attr_int(layer, b->layer) };
	value_id q[2];

	in[0] = head_norm(b, in[0], "attn_q_norm.weight", m->heads);
	in[1] = head_norm(b, in[1], "attn_k_norm.weight", m->kv_heads);
	attr[5] = attr_int(mode, m->arch->halves ? ROPE_HALVES : ROPE_ADJACENT);
	attr[6] = attr_float(scale, m->attention_scale);
	q[0] = op(b, OP_kv_append, in, 5, attr, 7, tensor_name(b, "cache"));
	q[1] = b->state;
	attr[5] = attr_int(window, window ? m->window : 0);
	attr[6] = attr_float(softcap, m->attention_cap);
	x = op(b, OP_kv_attention, q, 2, attr, 7, tensor_name(b, "attention"));
	return linear(b, x, "attn_output", m->width, wide);
}

static value_id feed_forward(struct builder *b, value_id x)
{
	value_id gate = linear(b, x, "ffn_gate", b->m.hidden, b->m.width);
	value_id up = linear(b, x, "ffn_up", b->m.hidden, b->m.width);

	gate = op1(b, b->m.arch->gelu ? OP_gelu_tanh : OP_silu, gate);
	return linear(b, op2(b, OP_mul, gate, up), "ffn_down", b->m.width, b->m.hidden);
}

/* Some architectures normalise again what a part gives. */
static value_id post_norm(struct builder *b, value_id x, const char *name)
{
	return gguf_tensor(b->g, tensor_name(b, name)) ? norm(b, x, name) : x;
}

static value_id block(struct builder *b, value_id x)
{
	value_id y = attention(b, norm(b, x, "attn_norm.weight"));

	x = op2(b, OP_add, x, post_norm(b, y, "post_attention_norm.weight"));
	y = feed_forward(b, norm(b, x, "ffn_norm.weight"));
	return op2(b, OP_add, x, post_norm(b, y, "post_ffw_norm.weight"));
}

static value_id embed(struct builder *b, value_id tokens)
{
	struct attr axis = attr_int(axis, 0);
	value_id in[] = { b->table = weight(b, "token_embd.weight", b->vocabulary, b->m.width, false), tokens };
	value_id x = op(b, OP_gather, in, 2, &axis, 1, "token_embd");

	return b->m.arch->scaled_embedding ? op2(b, OP_mul, x, scalar(b, sqrt((double)b->m.width))) : x;
}

/* Logits of the wanted rows. The output matrix is the embeddings' where the file has none of its own. */
static value_id head(struct builder *b, value_id x, value_id wanted)
{
	struct attr axis = attr_int(axis, 0), turned = attr_int(trans_b, 1);
	bool tied = !gguf_tensor(b->g, "output.weight");
	value_id in[2] = { x, wanted };

	in[0] = norm(b, op(b, OP_gather, in, 2, &axis, 1, "wanted"), "output_norm.weight");
	in[1] = tied ? b->table : weight(b, "output.weight", b->vocabulary, b->m.width, false);
	x = op(b, OP_matmul, in, 2, &turned, 1, "output");
	if (b->m.output_cap <= 0)
		return x;
	x = op1(b, OP_tanh, op2(b, OP_mul, x, scalar(b, 1 / b->m.output_cap)));
	return op2(b, OP_mul, x, scalar(b, b->m.output_cap));
}

static value_id rope(struct builder *b, bool window)
{
	int64_t n = b->m.rotary / 2, angles[] = { b->o->rows, b->m.rotary };
	float *turns = arena_new_array(b->g->arena, float, 2 * (size_t)n);
	struct attr attr[2] = { attr_ints(shape, angles, 2) };
	value_id in[2] = { NO_ID, b->state };
	double scale;

	if (!model_turns(b->g, &b->m, window, turns, &scale)) {
		b->failed = true;
		return NO_ID;
	}
	in[0] = graph_add_const_bytes(b->graph, DTYPE_F32, (struct shape){ 2, { 2, n } }, turns);
	attr[1] = attr_float(scale, scale);
	return op(b, OP_rope_angles, in, 2, attr, 2, window ? "rope_window" : "rope");
}

static bool build(struct builder *b)
{
	const struct model_config *m = &b->m;
	value_id tokens, wanted, x;

	tokens = graph_add_input(b->graph, "tokens", DTYPE_I32, (struct shape){ 1, { b->o->rows } });
	b->state = graph_add_input(b->graph, "state", DTYPE_I32, (struct shape){ 1, { 4 } });
	wanted = graph_add_input(b->graph, "wanted", DTYPE_I32, (struct shape){ 1, { b->o->scored } });
	b->angles = b->window_angles = rope(b, false);
	if (m->window && m->window_base > 0)
		b->window_angles = rope(b, true);
	x = embed(b, tokens);
	for (b->layer = 0; b->layer < m->layers && !b->failed; b->layer++)
		x = block(b, x);
	b->layer = -1;
	x = head(b, x, wanted);
	if (x == NO_ID || b->failed)
		return false;
	graph_add_output(b->graph, x, "logits");
	return true;
}

/* Tensors that nothing has asked for would be silently left out of the computation. */
static bool all_used(struct builder *b)
{
	struct map used = { 0 };

	for (uint32_t i = 0; i < b->graph->values.len; i++)
		if (b->graph->values.data[i].kind == VALUE_CONST && b->graph->values.data[i].name)
			map_put(b->g->arena, &used, b->graph->values.data[i].name, 0);
	for (uint32_t i = 0; i < b->g->tensors.len; i++) {
		const char *name = b->g->tensors.data[i].name;

		if (map_get(&used, name, NULL) || !strcmp(name, "rope_freqs.weight") || strstr(name, "attn_rot_embd"))
			continue;
		diag_error(b->g->diag, b->g->span, "cannot import \"%s\": tensor \"%s\" is not known for architecture \"%s\"",
			   b->g->path, name, b->g->architecture);
		return false;
	}
	return true;
}

struct gguf *gguf_model_open(struct arena *a, struct diag *d, const struct decl_model *m, struct language_model *out)
{
	struct gguf *g = gguf_open(a, d, m->path, m->path_span);
	struct strbuf tokenizer = { 0 };
	const struct gguf_tensor *t;
	struct model_config config;
	bool ok;

	if (!g || !model_config(g, &config))
		return NULL;
	t = gguf_tensor(g, "token_embd.weight");
	if (!t || t->shape.rank != 2) {
		diag_error(d, g->span, "cannot import \"%s\": tensor \"token_embd.weight\" is missing or no matrix", g->path);
		return NULL;
	}
	*out = (struct language_model){ .vocabulary = t->shape.dim[0], .trained_context = config.context,
					.layers = config.layers,
					.cached = 2 * config.layers * config.kv_heads * config.head };
	ok = gguf_tokenizer(g, out->vocabulary, &tokenizer);
	out->tokenizer_bytes = tokenizer.len;
	out->tokenizer = ok ? arena_copy(a, tokenizer.data, tokenizer.len) : NULL;
	strbuf_free(&tokenizer);
	return ok ? g : NULL;
}

struct graph *gguf_model_graph(struct gguf *g, const struct decl_model *m, const struct language_model *l,
			       const struct language_options *o)
{
	struct builder b = { .g = g, .o = o, .layer = -1, .vocabulary = l->vocabulary };

	if (!model_config(g, &b.m))
		return NULL;
	b.graph = graph_new(g->arena, m->name);
	b.graph->language = true;
	b.file = graph_add_file(b.graph, g->path, g->file_size);
	return build(&b) && all_used(&b) ? b.graph : NULL;
}
