/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gguf_config.c - what kind of transformer a GGUF file holds: one table of
 * architectures, and the numbers of its metadata, checked before anything is
 * multiplied.
 */
#include "config.h"

#include "import/gguf_model.h"

#include <math.h>
#include <string.h>

static const struct architecture known[] = {
	{ .name = "llama" },
	{ .name = "mistral" },
	{ .name = "qwen2", .halves = true },
	{ .name = "qwen3", .halves = true },
	{ .name = "gemma", .halves = true, .scaled_embedding = true, .gelu = true },
	{ .name = "gemma2", .halves = true, .scaled_embedding = true, .gelu = true, .windows = 2, .window = 4096,
	  .attention_cap = 50, .output_cap = 30, .wide = 46 },
	{ .name = "gemma3", .halves = true, .scaled_embedding = true, .gelu = true, .windows = 6, .window_base = 10000, .wide = 62 },
};

static bool refuse(struct gguf *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct gguf *g, const char *fmt, ...)
{
	va_list ap;
	char *what;

	va_start(ap, fmt);
	what = arena_vprintf(g->arena, fmt, ap);
	va_end(ap);
	diag_error(g->diag, g->span, "cannot import \"%s\": %s", g->path, what);
	return false;
}

/* "ARCHITECTURE.name" */
static const char *model_key(struct gguf *g, const char *name)
{
	return arena_printf(g->arena, "%s.%s", g->architecture, name);
}

/* A number, or one for each layer, all the same. False: absent, or said why not. */
static bool for_layers(struct gguf *g, const char *key, int64_t layers, int64_t *out)
{
	const struct gguf_value *v = gguf_find(g, key);

	if (!v || v->type != GGUF_ARRAY)
		return gguf_integer(g, key, out);
	if ((v->element != GGUF_I32 && v->element != GGUF_U32) || v->count < (uint64_t)layers || !layers)
		return refuse(g, "key \"%s\" is no list of a number for each layer", key);
	*out = gguf_element_integer(v, 0);
	for (int64_t i = 1; i < layers; i++)
		if (gguf_element_integer(v, (uint64_t)i) != *out)
			return refuse(g, "layers that differ are not supported (key \"%s\")", key);
	return true;
}

/* A count from 1 to `most`; fallback 0: it must be there. layers: the key may hold a list for so many. */
static int64_t layered_count(struct gguf *g, const char *name, int64_t layers, int64_t fallback, int64_t most)
{
	const char *key = model_key(g, name);
	int64_t x = fallback;

	if (!for_layers(g, key, layers, &x) && (!fallback || g->diag->errors)) {
		if (!g->diag->errors)
			refuse(g, "key \"%s\" is missing", key);
		return 0;
	}
	if (x < 1 || x > most) {
		refuse(g, "key \"%s\" is %lld", key, (long long)x);
		return 0;
	}
	return x;
}

static int64_t count(struct gguf *g, const char *name, int64_t fallback, int64_t most)
{
	return layered_count(g, name, 0, fallback, most);
}

static double number(struct gguf *g, const char *name, double fallback)
{
	double x = fallback;

	gguf_number(g, model_key(g, name), &x);
	if (!isfinite(x)) {
		refuse(g, "key \"%s\" is no finite number", model_key(g, name));
		return fallback;
	}
	return x;
}

static bool read_scaling(struct gguf *g, struct model_config *m)
{
	struct gguf_text type = { "linear", 6 }; /* what a factor without a type means */
	double factor = number(g, "rope.scaling.factor", 0), train = number(g, "rope.scaling.original_context_length", 0);

	m->scaling = ROPE_PLAIN;
	m->scaling_factor = 1;
	gguf_string(g, model_key(g, "rope.scaling.type"), &type);
	if (!factor)
		factor = number(g, "rope.scale_linear", 1);
	if (factor < 1e-6 || factor > 1e6)
		return refuse(g, "its rope scaling factor is %g", factor);
	if (type.len == 4 && !memcmp(type.data, "none", 4))
		return true;
	if (type.len == 6 && !memcmp(type.data, "linear", 6)) {
		m->scaling = ROPE_LINEAR;
	} else if (type.len == 4 && !memcmp(type.data, "yarn", 4)) {
		m->scaling = ROPE_YARN;
	} else {
		return refuse(g, "rope scaling of type \"%s\" is not supported",
			      arena_strndup(g->arena, type.data, type.len < 64 ? type.len : 64));
	}
	m->scaling_factor = factor;
	m->train_context = train > 0 ? train : (double)m->context;
	m->attention_factor = number(g, "rope.scaling.attn_factor", 1); /* yarn_attn_factor repeats what the factor implies */
	m->yarn_fast = number(g, "rope.scaling.yarn_beta_fast", 32);
	m->yarn_slow = number(g, "rope.scaling.yarn_beta_slow", 1);
	if (!(m->yarn_fast > 0) || !(m->yarn_slow > 0))
		return refuse(g, "its rope scaling has the bounds %g and %g", m->yarn_fast, m->yarn_slow);
	return true;
}

static bool read_heads(struct gguf *g, struct model_config *m)
{
	int64_t value;

	m->kv_heads = layered_count(g, "attention.head_count_kv", m->layers, m->heads, m->heads);
	if (!m->kv_heads)
		return false;
	if (m->heads % m->kv_heads)
		return refuse(g, "%lld heads do not share %lld key-value heads evenly", (long long)m->heads,
			      (long long)m->kv_heads);
	if (!gguf_find(g, model_key(g, "attention.key_length")) && m->width % m->heads)
		return refuse(g, "%lld heads do not divide a width of %lld", (long long)m->heads, (long long)m->width);
	m->head = count(g, "attention.key_length", m->width / m->heads, 1024);
	value = count(g, "attention.value_length", m->head, 1024);
	if (!m->head || !value)
		return false;
	if (value != m->head)
		return refuse(g, "keys of %lld and values of %lld elements are not supported", (long long)m->head,
			      (long long)value);
	m->rotary = count(g, "rope.dimension_count", m->head, m->head);
	if (!m->rotary || m->rotary % 2)
		return m->rotary && refuse(g, "an odd number of rotary dimensions (%lld)", (long long)m->rotary);
	return true;
}

static bool check_architecture(struct gguf *g, struct model_config *m)
{
	struct strbuf names = { 0 };
	int64_t experts = 0;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(known[i].name, g->architecture))
			m->arch = &known[i];
	if (!m->arch) {
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			strbuf_printf(&names, "%s%s", i ? ", " : "", known[i].name);
		refuse(g, "architecture \"%s\" is not supported", g->architecture);
		diag_hint(g->diag, "Supported are: %s.", strbuf_str(&names));
		strbuf_free(&names);
		return false;
	}
	if (gguf_integer(g, model_key(g, "expert_count"), &experts) && experts > 0)
		return refuse(g, "a mixture of %lld experts is not supported", (long long)experts);
	return true;
}

/* One file of several holds a part of the tensors. */
static bool check_whole(struct gguf *g)
{
	int64_t files = 1, number = 0;

	gguf_integer(g, "split.count", &files);
	gguf_integer(g, "split.no", &number);
	if (files <= 1)
		return g->diag->errors == 0;
	refuse(g, "it is file %lld of %lld of a model that was split", (long long)number + 1, (long long)files);
	diag_hint(g->diag, "Merge the files into one first.");
	return false;
}

static void read_windows(struct gguf *g, struct model_config *m)
{
	if (!m->arch->windows || (!m->arch->window && !gguf_find(g, model_key(g, "attention.sliding_window"))))
		return;
	m->window = count(g, "attention.sliding_window", m->arch->window, 1 << 24);
	m->windows = count(g, "attention.sliding_window_pattern", m->arch->windows, 4096);
	m->window_base = number(g, "rope.freq_base_swa", m->arch->window_base);
	if (m->window_base < 0)
		refuse(g, "its rope base in windows is %g", m->window_base);
}

bool model_config(struct gguf *g, struct model_config *m)
{
	*m = (struct model_config){ 0 };
	if (!check_whole(g) || !check_architecture(g, m))
		return false;
	m->context = count(g, "context_length", 0, 1 << 24);
	m->width = count(g, "embedding_length", 0, 1 << 16);
	m->layers = count(g, "block_count", 0, 4096);
	m->heads = layered_count(g, "attention.head_count", m->layers, 0, 4096);
	m->hidden = layered_count(g, "feed_forward_length", m->layers, 0, 1 << 20);
	if (!m->context || !m->width || !m->layers || !m->heads || !m->hidden || !read_heads(g, m) || !read_scaling(g, m))
		return false;
	m->eps = number(g, "attention.layer_norm_rms_epsilon", 1e-5);
	m->base = number(g, "rope.freq_base", 10000);
	m->attention_cap = number(g, "attn_logit_softcapping", m->arch->attention_cap);
	m->output_cap = number(g, "final_logit_softcapping", m->arch->output_cap);
	m->attention_scale = number(g, "attention.scale", 0);
	if (!(m->base > 0) || !(m->eps >= 0) || m->attention_cap < 0 || m->output_cap < 0)
		return refuse(g, "its rope base is %g, its epsilon %g", m->base, m->eps);
	if (m->attention_scale <= 0)
		m->attention_scale = 1 / sqrt((double)m->head);
	if (m->arch->wide && m->layers == m->arch->wide) /* the largest of them */
		m->attention_scale = 1 / sqrt((double)m->width / (double)m->heads);
	read_windows(g, m);
	return g->diag->errors == 0;
}
