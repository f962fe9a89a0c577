/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tune.c - the settings of a tune block as a declaration.
 *
 * sema.c matches each statement against its table; here it gets its meaning.
 * What depends on the model's graph (which classes of tensors there are) is
 * decided when the search space is made, in compiler/tune/.
 */
#include "config.h"

#include "tune.h"

#include <string.h>

/* The place of the word in a NULL-terminated list; -1: not there, which was said. */
static int choose(struct diag *d, const struct setting_value *v, const char *what, const char *const *words)
{
	struct strbuf list = { 0 };
	int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(words[i], v->text))
			return i;
	for (i = 0; words[i]; i++)
		strbuf_printf(&list, "%s%s", i ? ", " : "", words[i]);
	diag_error(d, v->span, "unknown %s \"%s\"", what, v->text);
	diag_hint(d, "Known are %s.", strbuf_str(&list));
	strbuf_free(&list);
	return -1;
}

static void take_list(struct arena *a, struct diag *d, struct decl_names *out, const struct setting *m, const char *what,
		      const char *const *words)
{
	for (uint32_t i = 0; i < m->values.len; i++) {
		const struct setting_value *v = &m->values.data[i];
		bool twice = false;

		if (choose(d, v, what, words) < 0)
			continue;
		for (uint32_t k = 0; k < out->len; k++)
			twice |= !strcmp(out->data[k], v->text);
		if (twice)
			diag_error(d, v->span, "%s \"%s\" stands twice in the list", what, v->text);
		else
			vec_push(a, out, v->text);
	}
}

static void take_quality(struct arena *a, struct diag *d, struct decl_tune *out, const struct setting *m)
{
	const struct setting_value *data = setting_get(m, "data"), *labels = setting_get(m, "labels");
	const struct setting_value *loss = setting_get(m, "loss");

	out->quality = labels ? DECL_QUALITY_ACCURACY
		: strstr(m->spec->pattern, "perplexity") ? DECL_QUALITY_PERPLEXITY : DECL_QUALITY_DIVERGENCE;
	out->data = ast_path(a, d, data->span, data->text);
	out->data_span = data->span;
	if (labels) {
		out->labels = ast_path(a, d, labels->span, labels->text);
		out->labels_span = labels->span;
	}
	if (loss)
		out->loss = loss->number / 100;
}

static void take_count(struct diag *d, const struct setting_value *v, uint32_t *out)
{
	if (v->integer < 1 || v->integer > 100000)
		diag_error(d, v->span, "a search has 1 to 100000 trials");
	else
		*out = (uint32_t)v->integer;
}

static void take_search(struct arena *a, struct diag *d, struct decl_tune *out, const struct setting *m)
{
	static const char *const words[] = { "random", "tpe", "anneal", "greedy", "llm", "replay", NULL };
	const struct setting_value *url = setting_get(m, "url"), *model = setting_get(m, "model");
	const struct setting_value *file = setting_get(m, "file"), *trials = setting_get(m, "trials");
	const struct setting_value *seed = setting_get(m, "seed"), *v = setting_get(m, "v");

	out->search = (enum decl_search)(choose(d, v, "search", words) + 1);
	out->search_span = v->span;
	if (url)
		out->endpoint = url->text;
	if (model)
		out->llm = model->text;
	if (file)
		out->transcript = ast_path(a, d, file->span, file->text);
	if (trials)
		take_count(d, trials, &out->trials);
	if (seed)
		out->seed = seed->integer;
	if (out->search == DECL_SEARCH_LLM && !url) {
		diag_error(d, v->span, "search llm needs an endpoint");
		diag_hint(d, "Write: search llm endpoint \"http://127.0.0.1:8080/v1\";");
	}
	if (out->search == DECL_SEARCH_REPLAY && !file) {
		diag_error(d, v->span, "search replay needs a transcript");
		diag_hint(d, "Write: search replay transcript \"FILE.jsonl\";");
	}
}

void tune_defaults(struct decl_tune *out)
{
	out->loss = 0.01;
	out->trials = 40;
	out->seed = 1;
}

void tune_setting(struct arena *a, struct diag *d, struct decl_tune *out, const struct setting *m)
{
	static const char *const formats[] = { "f32", "f16", "bf16", "q8", "q6", "q5", "q4", "q3", NULL };
	static const char *const methods[] = { "rtn", "weighted", "gptq", "learned", NULL };
	static const char *const backends[] = { "native", "opencl", NULL };
	const char *name = m->spec->name;
	const struct setting_value *v = setting_get(m, "v");

	if (!strcmp(name, "formats")) {
		take_list(a, d, &out->formats, m, "format", formats);
	} else if (!strcmp(name, "methods")) {
		take_list(a, d, &out->methods, m, "method", methods);
	} else if (!strcmp(name, "backends")) {
		take_list(a, d, &out->backends, m, "backend", backends);
	} else if (!strcmp(name, "calibrate")) {
		v = setting_get(m, "file");
		out->calibrate = ast_path(a, d, v->span, v->text);
	} else if (!strcmp(name, "quality")) {
		take_quality(a, d, out, m);
	} else if (!strcmp(name, "minimize")) {
		out->minimize = !strcmp(v->text, "latency") ? DECL_MINIMIZE_LATENCY
			: !strcmp(v->text, "memory") ? DECL_MINIMIZE_MEMORY : DECL_MINIMIZE_BYTES;
	} else if (!strcmp(name, "search")) {
		take_search(a, d, out, m);
	} else if (!strcmp(name, "trials")) {
		take_count(d, v, &out->trials);
	} else if (!strcmp(name, "seed")) {
		out->seed = v->integer;
	} else if (!strcmp(name, "per")) {
		out->per_tensor = !strcmp(v->text, "tensor");
	} else {
		out->kernels |= !strcmp(name, "kernels");
		out->streaming |= !strcmp(name, "streaming");
		out->threads |= !strcmp(name, "threads");
	}
}
