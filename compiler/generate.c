/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - a language model as variants of one program.
 *
 * One token at a time, a short prompt, a batch of a long one: each is best
 * served by other kernels, over the same weights, caches and memory. So a plan
 * has the launches of a few sizes of sweep, and a run takes those of the
 * smallest that is enough. One more variant gives the logits of all its rows,
 * for measuring how well the model knows a text.
 */
#include "config.h"

#include "generate.h"

#include <string.h>

enum {
	DEFAULT_CONTEXT = 4096,
	SHORT_SWEEP = 8,
	SCORED_BYTES = 2 << 20, /* of logits, where all rows have them */
	SMALL_CACHE = 4 << 20
};

bool variants_open(struct arena *a, struct diag *d, const struct decl_model *m, struct variants *v)
{
	int64_t trained;

	*v = (struct variants){ .model = m };
	v->file = gguf_model_open(a, d, m, &v->language);
	if (!v->file)
		return false;
	trained = v->language.trained_context;
	v->options.context = m->context ? m->context : trained < DEFAULT_CONTEXT ? trained : DEFAULT_CONTEXT;
	v->options.cache = !m->cache || !strcmp(m->cache, "f16") ? DTYPE_F16 : !strcmp(m->cache, "f32") ? DTYPE_F32 : DTYPE_I8;
	v->any_cache = !m->cache;
	if (v->options.context > trained)
		diag_warning(d, m->span, "a context of %lld tokens; the model was trained on %lld",
			     (long long)v->options.context, (long long)trained);
	v->generate = (struct sched_generate){ .context = v->options.context, .vocabulary = v->language.vocabulary,
					       .layers = v->language.layers, .rows = v->rows, .scored = v->scored,
					       .tokenizer = v->language.tokenizer,
					       .tokenizer_bytes = v->language.tokenizer_bytes };
	return true;
}

bool variants_small_cache(const struct variants *v)
{
	return v->language.cached * v->options.context <= SMALL_CACHE / 4;
}

static void add(struct variants *v, int64_t rows, int64_t scored)
{
	for (uint32_t i = 0; i < v->count; i++)
		if (v->rows[i] == rows && v->scored[i] == scored)
			return;
	v->rows[v->count] = rows;
	v->scored[v->count++] = scored;
}

void variants_choose(struct variants *v, int64_t batch)
{
	int64_t all = SCORED_BYTES / (v->language.vocabulary * 4);

	if (batch > v->options.context)
		batch = v->options.context;
	v->count = 0;
	add(v, 1, 1);
	if (batch > SHORT_SWEEP)
		add(v, SHORT_SWEEP, 1);
	add(v, batch, 1);
	all = all < 1 ? 1 : all < batch ? all : batch;
	add(v, all, all);
}

struct graph *variants_graph(struct variants *v, uint32_t i)
{
	v->options.rows = v->rows[i];
	v->options.scored = v->scored[i];
	return gguf_model_graph(v->file, v->model, &v->language, &v->options);
}

void variants_share(struct graph *g, const struct graph *from)
{
	for (uint32_t i = 0; i < g->values.len && i < from->values.len; i++)
		if (g->values.data[i].kind == VALUE_CONST && from->values.data[i].kind == VALUE_CONST &&
		    shape_equal(&g->values.data[i].shape, &from->values.data[i].shape))
			g->values.data[i].data = from->values.data[i].data;
	g->weight_storage = from->weight_storage;
}
