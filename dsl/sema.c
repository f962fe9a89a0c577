/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sema.c - from the tree to declarations: which settings each block has, names
 * bound, duplicates and unknown names reported.
 *
 * All blocks are declared first and plans are resolved last, so the order in
 * the file does not matter. A block with an error is still declared: what
 * refers to it is not reported again.
 */
#include "config.h"

#include "dsl.h"
#include "quantize.h"
#include "setting.h"
#include "train.h"
#include "tune.h"

#include "ir/graph.h"

#include <string.h>

/* More is no project that a person wrote; some checks below compare all with all. */
enum { MAX_BLOCK = 10000 };

#define COUNT(x) ((uint32_t)(sizeof(x) / sizeof *(x)))

static const struct setting_spec device_settings[] = {
	{ "backend", "v:native|opencl", SETTING_ONCE },
	{ "cpu", "v:LIST", SETTING_ONCE },
	{ "threads", "v:INT", SETTING_ONCE },
	{ "storage", "v:RATE", SETTING_ONCE },
	{ "memory", "v:RATE", SETTING_ONCE },
	{ "compute", "v:FLOPS", SETTING_ONCE },
	{ "launch", "v:TIME", SETTING_ONCE },
	{ "start", "v:TIME", SETTING_ONCE },
	{ "seek", "v:TIME", SETTING_ONCE },
	{ "page", "v:TIME", SETTING_ONCE },
	{ "touch", "v:RATE", SETTING_ONCE },
	{ "requests", "v:INT", SETTING_ONCE },
	{ "weights", "v:texture|buffer", SETTING_ONCE },
	{ "kernels", "v:cpu|gpu", SETTING_ONCE },
	{ "image", "v:INT", SETTING_ONCE },
};

static const struct setting_spec budget_settings[] = {
	{ "device", "v:SIZE", SETTING_ONCE },
	{ "host", "v:SIZE", SETTING_ONCE },
};

static const struct setting_spec model_settings[] = {
	{ "import", "kind:onnx|gguf file:STRING", SETTING_ONCE },
	{ "context", "v:INT", SETTING_ONCE },
	{ "cache", "v:f32|f16|q8", SETTING_ONCE },
	{ "batch", "v:INT", SETTING_ONCE },
	{ "weights", "kind:safetensors file:STRING", SETTING_ONCE },
	{ "weights", "kind:random [seed seed:INT]", SETTING_ONCE },
	{ "weights", "format:f32|f16|bf16", SETTING_ONCE },
};

#define FORMATS "f32|f16|bf16|q8|q6|q5|q4|q3"

static const struct setting_spec quantize_settings[] = {
	{ "weights", "format:" FORMATS " [group group:INT] [method method:rtn|weighted|gptq|learned]"
		     " [calibrate file:STRING] [kind:symmetric|asymmetric] [for tensors:LIST]", SETTING_MANY },
	{ "method", "method:rtn|weighted|gptq|learned", SETTING_ONCE },
	{ "calibrate", "file:STRING", SETTING_ONCE },
	{ "except", "tensors:LIST", SETTING_MANY },
	{ "activations", "format:auto|f32|q8", SETTING_ONCE },
	{ "iterations", "v:INT", SETTING_ONCE },
	{ "samples", "v:INT", SETTING_ONCE },
	{ "rate", "v:PERCENT", SETTING_ONCE },
	{ "clip", "v:PERCENT", SETTING_ONCE },
	{ "damping", "v:PERCENT", SETTING_ONCE },
};

static const struct setting_spec tune_settings[] = {
	{ "formats", "formats:LIST", SETTING_ONCE },
	{ "methods", "methods:LIST", SETTING_ONCE },
	{ "calibrate", "file:STRING", SETTING_ONCE },
	{ "per", "v:class|tensor", SETTING_ONCE },
	{ "kernels", "", SETTING_ONCE },
	{ "streaming", "", SETTING_ONCE },
	{ "threads", "", SETTING_ONCE },
	{ "backends", "backends:LIST", SETTING_ONCE },
	{ "quality", "accuracy on data:STRING labels labels:STRING [within loss:PERCENT]", SETTING_ONCE },
	{ "quality", "perplexity on data:STRING [within loss:PERCENT]", SETTING_ONCE },
	{ "quality", "divergence on data:STRING [within loss:PERCENT]", SETTING_ONCE },
	{ "minimize", "v:latency|memory|bytes", SETTING_ONCE },
	{ "search", "v:random|tpe|anneal|greedy|llm|replay [endpoint url:STRING] [model model:STRING]"
		    " [transcript file:STRING] [trials trials:INT] [seed seed:INT]", SETTING_ONCE },
	{ "trials", "v:INT", SETTING_ONCE },
	{ "seed", "v:INT", SETTING_ONCE },
};

static const struct setting_spec scene_settings[] = {
	{ "colmap", "dir:STRING", SETTING_ONCE },
	{ "transforms", "dir:STRING", SETTING_ONCE },
	{ "downscale", "v:INT", SETTING_ONCE },
	{ "holdout", "every v:INT", SETTING_ONCE },
	{ "allow", "missing", SETTING_ONCE },
	{ "mask", "dir:STRING", SETTING_ONCE },
	{ "background", "v:black|white|random", SETTING_ONCE },
	{ "points", "kind:sfm", SETTING_ONCE },
	{ "points", "kind:random [count count:INT] [seed seed:INT]", SETTING_ONCE },
};

static const struct setting_spec plan_settings[] = {
	{ "on", "device:NAME [within limit:LIMIT]", SETTING_ONCE },
	{ "within", "limit:LIMIT", SETTING_ONCE },
	{ "run", "model:NAME", SETTING_MANY },
	{ "generate", "model:NAME", SETTING_MANY },
	{ "train", "scene:NAME for steps:INT steps", SETTING_ONCE },
	{ "feed", "to:PORT from from:PORT", SETTING_MANY },
	{ "densify", "[every n:INT] [from from:INT] [until until:INT]", SETTING_ONCE },
	{ "prune", "[every n:INT] [from from:INT] [until until:INT]", SETTING_ONCE },
	{ "compensate", "[every n:INT] [from from:INT] [until until:INT]", SETTING_ONCE },
	{ "policy", "v:diet|relocate|plain|auto", SETTING_ONCE },
	{ "reinitialise", "at at:INT", SETTING_MANY },
	{ "evaluate", "every n:INT", SETTING_ONCE },
	{ "checkpoint", "every n:INT", SETTING_ONCE },
	{ "seed", "v:INT", SETTING_ONCE },
};

enum block_kind { BLOCK_DEVICE, BLOCK_BUDGET, BLOCK_MODEL, BLOCK_PLAN, BLOCK_QUANTIZE, BLOCK_TUNE, BLOCK_SCENE, BLOCKS };

static const struct block_spec {
	const char *word;
	const struct setting_spec *settings;
	uint32_t count;
} blocks[BLOCKS] = {
	[BLOCK_DEVICE] = { "device", device_settings, COUNT(device_settings) },
	[BLOCK_BUDGET] = { "budget", budget_settings, COUNT(budget_settings) },
	[BLOCK_MODEL] = { "model", model_settings, COUNT(model_settings) },
	[BLOCK_PLAN] = { "plan", plan_settings, COUNT(plan_settings) },
	[BLOCK_QUANTIZE] = { "quantize", quantize_settings, COUNT(quantize_settings) },
	[BLOCK_TUNE] = { "tune", tune_settings, COUNT(tune_settings) },
	[BLOCK_SCENE] = { "scene", scene_settings, COUNT(scene_settings) },
};

struct sema {
	struct arena *arena;
	struct diag *diag;
	struct project *project;
	/* every block by kind, in the order of the file */
	VEC(const struct ast_decl *) decls[BLOCKS];
};

/* ---- names */

static const struct ast_decl *find(const struct sema *s, enum block_kind kind, const char *name, uint32_t *index)
{
	for (uint32_t i = 0; i < s->decls[kind].len; i++) {
		if (strcmp(s->decls[kind].data[i]->name.text, name))
			continue;
		if (index)
			*index = i;
		return s->decls[kind].data[i];
	}
	return NULL;
}

/* "quantize detect", without the block */
static struct span head_of(const struct ast_decl *decl)
{
	return (struct span){ decl->span.file, decl->span.start, decl->name.span.end };
}

static bool lookup(struct sema *s, enum block_kind kind, const char *name, struct span at, uint32_t *index)
{
	const char **names, *near;

	if (find(s, kind, name, index))
		return true;
	names = arena_new_array(s->arena, const char *, s->decls[kind].len);
	for (uint32_t i = 0; i < s->decls[kind].len; i++)
		names[i] = s->decls[kind].data[i]->name.text;
	near = ast_nearest(name, names, s->decls[kind].len);
	diag_error(s->diag, at, "no %s is called \"%s\"", blocks[kind].word, name);
	if (near)
		diag_hint(s->diag, "Did you mean %s?", near);
	return false;
}

static void declare(struct sema *s, const struct ast_decl *decl)
{
	const char *words[BLOCKS], *near;
	const struct ast_decl *first;

	for (uint32_t k = 0; k < BLOCKS; k++) {
		words[k] = blocks[k].word;
		if (strcmp(words[k], decl->word.text))
			continue;
		first = find(s, k, decl->name.text, NULL);
		if (first) {
			diag_error(s->diag, decl->name.span, "%s \"%s\" is declared twice", words[k], decl->name.text);
			diag_note(s->diag, first->name.span, "first declared here");
			return;
		}
		vec_push(s->arena, &s->decls[k], decl);
		return;
	}
	diag_error(s->diag, decl->word.span, "unknown declaration \"%s\"", decl->word.text);
	near = ast_nearest(decl->word.text, words, BLOCKS);
	if (near)
		diag_hint(s->diag, "Did you mean %s?", near);
	else
		diag_hint(s->diag, "Declarations are device, budget, model, plan, quantize, tune, scene, layer and include.");
}

/* ---- statements */

/* A statement that this kind of block does not have at all. */
static void wrong_statement(struct sema *s, const struct block_spec *b, const struct ast_stmt *t)
{
	if (t->kind == STMT_ASSIGN && t->targets.len == 1) {
		const char *name = t->targets.data[0].text;

		diag_error(s->diag, t->span, "a %s block has no assignments", b->word);
		for (uint32_t i = 0; i < b->count; i++)
			if (!strcmp(b->settings[i].name, name)) {
				diag_hint(s->diag, "Settings are written without \"=\": %s VALUE;", name);
				return;
			}
		return;
	}
	diag_error(s->diag, t->span, "this statement belongs into a model, not into a %s block", b->word);
}

/* A setting that may stand once: the place of the first, or the error. */
static bool first_time(struct sema *s, const struct ast_decl *decl, uint32_t at)
{
	const struct ast_stmt *t = decl->body.data[at];

	for (uint32_t i = 0; i < at; i++) {
		const struct ast_stmt *u = decl->body.data[i];

		if (u->kind != STMT_SETTING || strcmp(u->name.text, t->name.text))
			continue;
		diag_error(s->diag, t->name.span, "\"%s\" is given twice", t->name.text);
		diag_note(s->diag, u->name.span, "first given here");
		return false;
	}
	return true;
}

/* Matches statement i of the block; spec is NULL where it is wrong, which was said. */
static struct setting match(struct sema *s, enum block_kind kind, const struct ast_decl *decl, uint32_t i)
{
	const struct block_spec *b = &blocks[kind];
	const struct ast_stmt *t = decl->body.data[i];
	struct setting m = { 0 };

	if (t->kind != STMT_SETTING) {
		wrong_statement(s, b, t);
		return m;
	}
	if (i > MAX_BLOCK && kind != BLOCK_MODEL) {
		if (i == MAX_BLOCK + 1)
			diag_error(s->diag, t->span, "a %s block has at most %d settings", b->word, (int)MAX_BLOCK);
		return m;
	}
	m = setting_match(s->arena, s->diag, b->word, b->settings, b->count, t);
	if (m.spec && m.spec->times == SETTING_ONCE && kind != BLOCK_MODEL && !first_time(s, decl, i))
		m.spec = NULL;
	return m;
}

static bool is(const struct setting *m, const char *name)
{
	return !strcmp(m->spec->name, name);
}

/* Instruction sets of native code; the bits are those of decl_device.isas. */
static const struct {
	const char *name;
	unsigned bit;
} cpus[] = { { "x86-64-v3", 1 }, { "x86-64-v4", 2 }, { "aarch64", 3 } };

static void device_cpu(struct sema *s, struct decl_device *out, const struct setting_value *v)
{
	for (uint32_t i = 0; i < COUNT(cpus); i++) {
		if (strcmp(cpus[i].name, v->text))
			continue;
		if (out->isas & 1u << cpus[i].bit)
			diag_error(s->diag, v->span, "\"%s\" stands twice in the list", v->text);
		out->isas |= 1u << cpus[i].bit;
		return;
	}
	diag_error(s->diag, v->span, "unknown instruction set \"%s\"", v->text);
	diag_hint(s->diag, "Known are x86-64-v3, x86-64-v4 and aarch64.");
}

static struct span device_cpus(struct sema *s, struct decl_device *out, const struct setting *m)
{
	for (uint32_t i = 0; i < m->values.len; i++)
		device_cpu(s, out, &m->values.data[i]);
	return m->values.data[0].span;
}

static void device_image(struct sema *s, struct decl_device *out, const struct setting_value *v)
{
	if (v->integer < 512 || v->integer > 1u << 20)
		diag_error(s->diag, v->span, "an image has 512 to 2^20 rows");
	else
		out->image_rows = (uint32_t)v->integer;
}

static void device_requests(struct sema *s, struct decl_device *out, const struct setting_value *v)
{
	if (v->integer > 32)
		diag_error(s->diag, v->span, "at most 32 reads are on their way at once");
	out->requests_set = true;
	out->requests = (uint32_t)v->integer;
}

static void resolve_device(struct sema *s, const struct ast_decl *decl)
{
	struct decl_device out = { .name = decl->name.text, .span = decl->name.span };
	struct span cpu = { 0 };

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = match(s, BLOCK_DEVICE, decl, i);
		const struct setting_value *v;

		if (!m.spec)
			continue;
		v = setting_get(&m, "v");
		if (is(&m, "backend"))
			out.backend = strcmp(v->text, "native") ? DECL_BACKEND_OPENCL : DECL_BACKEND_NATIVE;
		else if (is(&m, "cpu"))
			cpu = device_cpus(s, &out, &m);
		else if (is(&m, "kernels"))
			out.kernels = strcmp(v->text, "cpu") ? DECL_KERNELS_GPU : DECL_KERNELS_CPU;
		else if (is(&m, "weights"))
			out.weights = strcmp(v->text, "buffer") ? DECL_WEIGHTS_TEXTURE : DECL_WEIGHTS_BUFFER;
		else if (is(&m, "storage"))
			out.storage_bytes_per_s = v->number;
		else if (is(&m, "memory"))
			out.memory_bytes_per_s = v->number;
		else if (is(&m, "compute"))
			out.flops_per_s = v->number;
		else if (is(&m, "launch"))
			out.launch_ms = v->number * 1e3;
		else if (is(&m, "start"))
			out.start_ms = v->number * 1e3;
		else if (is(&m, "seek"))
			out.seek_ms = v->number * 1e3;
		else if (is(&m, "page"))
			out.page_ms = v->number * 1e3;
		else if (is(&m, "touch"))
			out.touch_bytes_per_s = v->number;
		else if (is(&m, "requests"))
			device_requests(s, &out, v);
		else if (is(&m, "image"))
			device_image(s, &out, v);
		else if (v->integer >= 1 && v->integer <= 1024)
			out.threads = (uint32_t)v->integer;
		else
			diag_error(s->diag, v->span, "a device has 1 to 1024 threads");
	}
	if (cpu.file && (out.backend == DECL_BACKEND_OPENCL || out.kernels == DECL_KERNELS_GPU)) {
		diag_error(s->diag, cpu, "\"cpu\" names instruction sets of native code, and device \"%s\" has none", out.name);
		diag_hint(s->diag, "Write backend native; and kernels cpu; or leave \"cpu\" out.");
	}
	vec_push(s->arena, &s->project->devices, out);
}

static void resolve_budget(struct sema *s, const struct ast_decl *decl)
{
	struct decl_budget out = { .name = decl->name.text, .span = decl->name.span };

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = match(s, BLOCK_BUDGET, decl, i);

		if (!m.spec)
			continue;
		*(is(&m, "host") ? &out.host_bytes : &out.device_bytes) = setting_get(&m, "v")->integer;
	}
	vec_push(s->arena, &s->project->budgets, out);
}

/* ---- models */

static void model_weights(struct sema *s, struct decl_model *out, const struct setting *m, struct span at)
{
	const struct setting_value *format = setting_get(m, "format"), *kind = setting_get(m, "kind");
	const struct setting_value *v;
	struct span *first = format ? &out->format_span : &out->weights_span;

	if (first->file) {
		diag_error(s->diag, at, "\"weights\" is given twice");
		diag_note(s->diag, *first, "first given here");
		return;
	}
	*first = at;
	if (format) {
		out->weights_format = format->text;
	} else if (!strcmp(kind->text, "safetensors")) {
		v = setting_get(m, "file");
		out->weights = DECL_WEIGHTS_SAFETENSORS;
		out->weights_path = ast_path(s->arena, s->diag, v->span, v->text);
		out->weights_span = v->span;
	} else {
		v = setting_get(m, "seed");
		out->weights = DECL_WEIGHTS_RANDOM;
		out->seed = v ? v->integer : 0;
	}
}

/* "input x : f32[1,3,224,224];" of an imported model: plain numbers. */
static void imported_input(struct sema *s, struct decl_model *out, const struct ast_stmt *t)
{
	struct decl_input_shape in = { .name = t->name.text, .span = t->name.span, .rank = t->dims.len };
	enum dtype type;

	if (out->inputs.len >= MAX_BLOCK)
		return;
	for (uint32_t i = 0; i < out->inputs.len; i++)
		if (!strcmp(out->inputs.data[i].name, in.name)) {
			diag_error(s->diag, in.span, "input \"%s\" is given twice", in.name);
			diag_note(s->diag, out->inputs.data[i].span, "first given here");
			return;
		}
	if (!dtype_from_name(t->dtype.text, &type)) {
		diag_error(s->diag, t->dtype.span, "unknown type \"%s\"", t->dtype.text);
		diag_hint(s->diag, "Types are f32, f16, bf16, f64, i64, i32, i16, i8, u8 and bool.");
		return;
	}
	in.dtype = (uint32_t)type;
	if (in.rank > COUNT(in.dim)) {
		diag_error(s->diag, t->span, "a tensor has at most %u dimensions, this one has %u", COUNT(in.dim), in.rank);
		return;
	}
	for (uint32_t i = 0; i < in.rank; i++) {
		const struct ast_expr *e = t->dims.data[i];

		if (e->kind != EXPR_NUMBER || !e->number.is_integer || e->number.integer < 1) {
			diag_error(s->diag, e->span, "a dimension must be a whole number of at least 1");
			return;
		}
		in.dim[i] = e->number.integer;
	}
	vec_push(s->arena, &out->inputs, in);
}

static void model_import(struct sema *s, struct decl_model *out, const struct setting *m, const struct ast_stmt *t)
{
	const struct setting_value *file = setting_get(m, "file");

	if (out->path) {
		diag_error(s->diag, t->name.span, "a model has one import");
		diag_note(s->diag, out->path_span, "first import here");
		return;
	}
	out->kind = strcmp(setting_get(m, "kind")->text, "onnx") ? DECL_MODEL_GGUF : DECL_MODEL_ONNX;
	out->path = ast_path(s->arena, s->diag, file->span, file->text);
	out->path_span = file->span;
}

/* What only one of the two kinds of model has. */
static void check_model(struct sema *s, struct decl_model *out, const struct ast_decl *decl)
{
	bool network = false;

	for (uint32_t i = 0; i < decl->body.len; i++) {
		const struct ast_stmt *t = decl->body.data[i];

		if (t->kind == STMT_SETTING)
			continue;
		network = true;
		if (!out->path)
			continue;
		if (t->kind == STMT_INPUT) {
			imported_input(s, out, t);
			continue;
		}
		diag_error(s->diag, t->span, "an imported model has no network statements");
		diag_note(s->diag, out->path_span, "imported here");
		return;
	}
	if (out->path && out->weights_span.file) {
		diag_error(s->diag, out->weights_span, "an imported model brings its own weights");
		diag_note(s->diag, out->path_span, "imported here");
	}
	if (!out->path && !network && !s->diag->errors) {
		diag_error(s->diag, out->span, "model \"%s\" is empty", out->name);
		diag_hint(s->diag, "Import one (import onnx \"FILE\";) or write its layers.");
	}
}

/* context, batch, cache: of language models */
static void language_setting(struct sema *s, struct decl_model *out, const struct setting *m, const struct ast_stmt *t,
			     const struct ast_stmt *given[3])
{
	const struct setting_value *v = setting_get(m, "v");
	bool batch = is(m, "batch");
	uint32_t *number = batch ? &out->batch : &out->context;
	const struct ast_stmt **first = &given[is(m, "cache") ? 2 : batch];

	if (*first) {
		diag_error(s->diag, t->name.span, "\"%s\" is given twice", t->name.text);
		diag_note(s->diag, (*first)->span, "first given here");
		return;
	}
	*first = t;
	if (is(m, "cache")) {
		out->cache = v->text;
		return;
	}
	*number = (uint32_t)v->integer;
	if (v->integer < 1 || v->integer > (batch ? 1u << 12 : 1u << 24))
		diag_error(s->diag, t->span, batch ? "a batch has 1 to 2^12 tokens" : "a context has 1 to 2^24 tokens");
}

static void resolve_model(struct sema *s, const struct ast_decl *decl)
{
	struct decl_model out = { .name = decl->name.text, .span = decl->name.span, .kind = DECL_MODEL_NETWORK,
				  .body = &decl->body, .ast = s->project->ast };
	const struct ast_stmt *language = NULL, *given[3] = { NULL, NULL, NULL };

	for (uint32_t i = 0; i < decl->body.len; i++) {
		const struct ast_stmt *t = decl->body.data[i];
		struct setting m;

		if (t->kind != STMT_SETTING)
			continue;
		m = match(s, BLOCK_MODEL, decl, i);
		if (!m.spec)
			continue;
		if (is(&m, "import")) {
			model_import(s, &out, &m, t);
		} else if (is(&m, "weights")) {
			model_weights(s, &out, &m, t->span);
		} else {
			language = t;
			language_setting(s, &out, &m, t, given);
		}
	}
	check_model(s, &out, decl);
	if (language && out.path && out.kind == DECL_MODEL_ONNX)
		diag_error(s->diag, language->span, "\"%s\" belongs to language models (import gguf)",
			   language->name.text);
	vec_push(s->arena, &s->project->models, out);
}

/* ---- plans */

static void plan_limit(struct sema *s, struct decl_plan *out, const struct setting_value *v, struct span *given)
{
	uint32_t budget;

	if (given->file) {
		diag_error(s->diag, v->span, "\"within\" is given twice");
		diag_note(s->diag, *given, "first given here");
		return;
	}
	*given = v->span;
	if (!v->text)
		out->budget = (struct decl_budget){ .span = v->span, .device_bytes = v->integer };
	else if (lookup(s, BLOCK_BUDGET, v->text, v->span, &budget))
		out->budget = s->project->budgets.data[budget];
}

/* "train SCENE for N steps": at most one, and nothing beside it. */
static bool plan_train(struct sema *s, struct decl_plan *out, const struct setting *m, const struct ast_stmt *t)
{
	struct decl_train *train = arena_new(s->arena, struct decl_train);
	const struct setting_value *v = setting_get(m, "scene");

	train->span = t->span;
	if (!lookup(s, BLOCK_SCENE, v->text, v->span, &train->scene))
		return false;
	out->train = train;
	train_steps(s->diag, train, m);
	return true;
}

/* Language models generate, and nothing else does. */
static void check_language(struct sema *s, bool generate, uint32_t model, const struct setting_value *v)
{
	if ((s->project->models.data[model].kind == DECL_MODEL_GGUF) == generate)
		return;
	diag_error(s->diag, v->span, generate ? "\"%s\" is no language model" : "\"%s\" is a language model and cannot be run",
		   v->text);
	diag_hint(s->diag, generate ? "Only models with \"import gguf\" generate; say: run %s;" : "Say: generate %s;", v->text);
}

static void plan_step(struct sema *s, struct decl_plan *out, const struct setting *m, const struct ast_stmt *t)
{
	struct decl_step step = { .span = t->span };
	const struct setting_value *v = setting_get(m, is(m, "train") ? "scene" : "model");

	step.subject = v->text;
	step.action = is(m, "run") ? DECL_RUN : is(m, "train") ? DECL_TRAIN : DECL_GENERATE;
	if (step.action == DECL_TRAIN ? !plan_train(s, out, m, t) : !lookup(s, BLOCK_MODEL, v->text, v->span, &step.model))
		return;
	if (step.action == DECL_GENERATE || step.action == DECL_RUN)
		check_language(s, step.action == DECL_GENERATE, step.model, v);
	vec_push(s->arena, &out->steps, step);
}

/* Where the model first runs in the plan; false: nowhere, which was said. */
static bool runs_at(struct sema *s, const struct decl_plan *out, uint32_t model, const struct setting_value *v, uint32_t *at)
{
	for (uint32_t i = 0; i < out->steps.len; i++) {
		if (out->steps.data[i].action == DECL_TRAIN || out->steps.data[i].model != model)
			continue;
		*at = i;
		return true;
	}
	diag_error(s->diag, v->span, "this plan does not run \"%s\"", v->text);
	return false;
}

static void plan_feed(struct sema *s, struct decl_plan *out, const struct setting *m, const struct ast_stmt *t)
{
	const struct setting_value *to = setting_get(m, "to"), *from = setting_get(m, "from");
	struct decl_feed feed = { .to_name = to->port, .from_name = from->port, .span = t->span };
	uint32_t to_at, from_at;

	if (!lookup(s, BLOCK_MODEL, to->text, to->span, &feed.to_model) ||
	    !lookup(s, BLOCK_MODEL, from->text, from->span, &feed.from_model) ||
	    !runs_at(s, out, feed.to_model, to, &to_at) || !runs_at(s, out, feed.from_model, from, &from_at))
		return;
	if (from_at >= to_at) {
		diag_error(s->diag, t->span, "\"%s\" does not run before \"%s\"", from->text, to->text);
		return;
	}
	for (uint32_t i = 0; i < out->feeds.len; i++)
		if (out->feeds.data[i].to_model == feed.to_model && !strcmp(out->feeds.data[i].to_name, feed.to_name)) {
			diag_error(s->diag, t->span, "input \"%s.%s\" is fed twice", to->text, to->port);
			diag_note(s->diag, out->feeds.data[i].span, "first fed here");
			return;
		}
	vec_push(s->arena, &out->feeds, feed);
}

static bool plan_statement(struct sema *s, struct decl_plan *out, const struct setting *m, const struct ast_stmt *t,
			   struct span *limit)
{
	const struct setting_value *v;
	uint32_t device;

	if (is(m, "on")) {
		v = setting_get(m, "device");
		if (!strcmp(v->text, "host") && !find(s, BLOCK_DEVICE, "host", NULL))
			out->device = NULL;
		else if (lookup(s, BLOCK_DEVICE, v->text, v->span, &device))
			out->device = &s->project->devices.data[device];
	}
	v = setting_get(m, "limit");
	if (v)
		plan_limit(s, out, v, limit);
	if (is(m, "run") || is(m, "generate") || is(m, "train"))
		plan_step(s, out, m, t);
	return is(m, "feed");
}

/* The statements of training, which may stand before the "train" that they are about. */
static void plan_timeline(struct sema *s, struct decl_plan *out, const struct ast_decl *decl, const struct setting *timeline,
			  bool good)
{
	for (uint32_t i = 0; i < decl->body.len; i++) {
		const struct ast_stmt *t = decl->body.data[i];

		if (!timeline[i].spec)
			continue;
		if (out->train)
			train_setting(s->arena, s->diag, out->train, &timeline[i], t->span);
		else if (good)
			diag_error(s->diag, t->span, "\"%s\" belongs into a plan that trains a scene", t->name.text);
		good &= out->train != NULL;
	}
	if (!out->train)
		return;
	train_check(s->diag, out->train);
	if (out->steps.len > 1)
		diag_error(s->diag, out->train->span, "a plan that trains does nothing else");
}

static void resolve_plan(struct sema *s, const struct ast_decl *decl)
{
	struct decl_plan out = { .name = decl->name.text, .span = decl->name.span };
	struct setting *feed = arena_new_array(s->arena, struct setting, decl->body.len);
	unsigned before = s->diag->errors;
	struct setting *timeline = arena_new_array(s->arena, struct setting, decl->body.len);
	struct span limit = NO_SPAN;

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = match(s, BLOCK_PLAN, decl, i);
		const struct ast_stmt *t = decl->body.data[i];

		if (!m.spec)
			continue;
		if (plan_statement(s, &out, &m, t, &limit))
			feed[i] = m;
		else if (!is(&m, "on") && !is(&m, "within") && !is(&m, "run") && !is(&m, "generate") && !is(&m, "train"))
			timeline[i] = m;
	}
	for (uint32_t i = 0; i < decl->body.len; i++)
		if (feed[i].spec)
			plan_feed(s, &out, &feed[i], decl->body.data[i]);
	plan_timeline(s, &out, decl, timeline, s->diag->errors == before);
	if (!out.steps.len && s->diag->errors == before) {
		diag_error(s->diag, out.span, "plan \"%s\" does nothing", out.name);
		diag_hint(s->diag, "Add run MODEL; or train SCENE for 7000 steps;");
	}
	vec_push(s->arena, &s->project->plans, out);
}

/* ---- scenes */

static void resolve_scene(struct sema *s, const struct ast_decl *decl)
{
	struct decl_scene out = { .name = decl->name.text, .span = decl->name.span };
	unsigned before = s->diag->errors;

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = match(s, BLOCK_SCENE, decl, i);

		if (m.spec)
			scene_setting(s->arena, s->diag, &out, &m);
	}
	if (s->diag->errors == before)
		scene_check(s->diag, &out);
	vec_push(s->arena, &s->project->scenes, out);
}

/* ---- searches */

static void resolve_tune(struct sema *s, const struct ast_decl *decl)
{
	struct decl_tune out = { .name = decl->name.text, .span = head_of(decl) };
	bool known = lookup(s, BLOCK_MODEL, decl->name.text, decl->name.span, &out.model);

	tune_defaults(&out);
	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = match(s, BLOCK_TUNE, decl, i);

		if (m.spec)
			tune_setting(s->arena, s->diag, &out, &m);
	}
	if (known)
		vec_push(s->arena, &s->project->tunes, out);
}

/* ---- weights in few bits */

static void resolve_quantize(struct sema *s, const struct ast_decl *decl)
{
	struct decl_quantize out = { .name = decl->name.text, .span = head_of(decl) };
	bool known = lookup(s, BLOCK_MODEL, decl->name.text, decl->name.span, &out.model);

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = match(s, BLOCK_QUANTIZE, decl, i);

		if (m.spec)
			quantize_setting(s->arena, s->diag, &out, &m, decl->body.data[i]->span);
	}
	quantize_check(s->diag, &out);
	if (known)
		vec_push(s->arena, &s->project->quantizes, out);
}

static void check_parameters(struct sema *s, const struct ast_stmt *layer)
{
	enum { MAX_PARAMETERS = 64 };

	if (layer->params.len > MAX_PARAMETERS) {
		diag_error(s->diag, layer->name.span, "a layer has at most %d parameters", (int)MAX_PARAMETERS);
		return;
	}
	for (uint32_t i = 0; i < layer->params.len; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct ast_name *a = &layer->params.data[j].name, *b = &layer->params.data[i].name;

			if (strcmp(a->text, b->text))
				continue;
			diag_error(s->diag, b->span, "parameter \"%s\" is there twice", b->text);
			diag_note(s->diag, a->span, "first given here");
			break;
		}
}

/* Layers beside models and in them. */
static void check_layers(struct sema *s, const struct ast *ast)
{
	for (uint32_t i = 0; i < ast->decls.len; i++) {
		const struct ast_decl *b = ast->decls.data[i];

		for (uint32_t j = 0; b->kind == AST_BLOCK && j < b->body.len; j++)
			if (b->body.data[j]->kind == STMT_LAYER)
				check_parameters(s, b->body.data[j]);
		if (b->kind != AST_LAYER)
			continue;
		check_parameters(s, b->layer);
		for (uint32_t j = 0; j < i; j++) {
			const struct ast_decl *a = ast->decls.data[j];

			if (a->kind != AST_LAYER || strcmp(a->name.text, b->name.text))
				continue;
			diag_error(s->diag, b->name.span, "layer \"%s\" is defined twice", b->name.text);
			diag_note(s->diag, a->name.span, "first defined here");
			break;
		}
	}
}

struct project *dsl_resolve(struct arena *a, struct diag *d, const struct ast *ast)
{
	struct sema s = { .arena = a, .diag = d, .project = arena_new(a, struct project) };
	unsigned before = d->errors;

	if (ast->decls.len > MAX_BLOCK) {
		diag_error(d, ast->decls.data[MAX_BLOCK]->span, "a project has at most %d declarations", (int)MAX_BLOCK);
		return NULL;
	}
	s.project->path = ast->path;
	s.project->ast = ast;
	for (uint32_t i = 0; i < ast->decls.len; i++)
		if (ast->decls.data[i]->kind == AST_BLOCK)
			declare(&s, ast->decls.data[i]);
	check_layers(&s, ast);
	for (uint32_t k = 0; k < BLOCKS; k++)
		for (uint32_t i = 0; i < s.decls[k].len; i++) {
			const struct ast_decl *decl = s.decls[k].data[i];

			switch ((enum block_kind)k) {
			case BLOCK_DEVICE: resolve_device(&s, decl); break;
			case BLOCK_BUDGET: resolve_budget(&s, decl); break;
			case BLOCK_MODEL: resolve_model(&s, decl); break;
			case BLOCK_SCENE: resolve_scene(&s, decl); break;
			case BLOCK_PLAN: resolve_plan(&s, decl); break;
			case BLOCK_TUNE: resolve_tune(&s, decl); break;
			case BLOCK_QUANTIZE: resolve_quantize(&s, decl); break;
			default: break;
			}
		}
	return d->errors == before ? s.project : NULL;
}
