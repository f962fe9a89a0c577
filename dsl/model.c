/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - model blocks; their layers are imported later, with the shapes that they need. */
#include "config.h"

#include "sema.h"

#include "ir/graph.h"

#include <string.h>

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

/* Whether the statement "WHAT name" has been there before; says so. */
static bool is_repeated(struct sema *s, const char *what, const char *name, struct span at, const char *before, struct span first)
{
	if (strcmp(before, name))
		return false;
	diag_error(s->diag, at, "%s \"%s\" is given twice", what, name);
	diag_note(s->diag, first, "first given here");
	return true;
}

/* "input x : f32[1,3,224,224];" of an imported model: plain numbers. */
static void imported_input(struct sema *s, struct decl_model *out, const struct ast_stmt *t)
{
	struct decl_input_shape in = { .name = t->name.text, .span = t->name.span, .rank = t->dims.len };
	enum dtype type;

	if (out->inputs.len >= MAX_BLOCK)
		return;
	for (uint32_t i = 0; i < out->inputs.len; i++)
		if (is_repeated(s, "input", in.name, in.span, out->inputs.data[i].name, out->inputs.data[i].span))
			return;
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

/* "output NAME;" of an imported model: the model ends there. */
static void imported_output(struct sema *s, struct decl_model *out, const struct ast_stmt *t)
{
	struct decl_output o = { t->name.text, t->name.span };

	if (out->outputs.len >= MAX_BLOCK)
		return;
	for (uint32_t i = 0; i < out->outputs.len; i++)
		if (is_repeated(s, "output", o.name, o.span, out->outputs.data[i].name, out->outputs.data[i].span))
			return;
	vec_push(s->arena, &out->outputs, o);
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
		if (t->kind == STMT_OUTPUT && !t->values.len && out->kind == DECL_MODEL_ONNX) {
			imported_output(s, out, t);
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
	bool batch = sema_is(m, "batch");
	uint32_t *number = batch ? &out->batch : &out->context;
	const struct ast_stmt **first = &given[sema_is(m, "cache") ? 2 : batch];

	if (*first) {
		diag_error(s->diag, t->name.span, "\"%s\" is given twice", t->name.text);
		diag_note(s->diag, (*first)->span, "first given here");
		return;
	}
	*first = t;
	if (sema_is(m, "cache")) {
		out->cache = v->text;
		return;
	}
	*number = (uint32_t)v->integer;
	if (v->integer < 1 || v->integer > (batch ? 1u << 12 : 1u << 24))
		diag_error(s->diag, t->span, batch ? "a batch has 1 to 2^12 tokens" : "a context has 1 to 2^24 tokens");
}

void resolve_model(struct sema *s, const struct ast_decl *decl)
{
	struct decl_model out = { .name = decl->name.text, .span = decl->name.span, .kind = DECL_MODEL_NETWORK,
				  .body = &decl->body, .ast = s->project->ast };
	const struct ast_stmt *language = NULL, *given[3] = { NULL, NULL, NULL };

	for (uint32_t i = 0; i < decl->body.len; i++) {
		const struct ast_stmt *t = decl->body.data[i];
		struct setting m;

		if (t->kind != STMT_SETTING)
			continue;
		m = sema_match(s, BLOCK_MODEL, decl, i);
		if (!m.spec)
			continue;
		if (sema_is(&m, "import")) {
			model_import(s, &out, &m, t);
		} else if (sema_is(&m, "weights")) {
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
