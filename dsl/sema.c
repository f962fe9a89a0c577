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

#include "quantize.h"
#include "sema.h"
#include "train.h"
#include "tune.h"

#include <string.h>

/* ---- names */

const struct ast_decl *sema_find(const struct sema *s, enum block_kind kind, const char *name, uint32_t *index)
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

bool sema_lookup(struct sema *s, enum block_kind kind, const char *name, struct span at, uint32_t *index)
{
	const char **names, *near;
	uint32_t count;

	if (sema_find(s, kind, name, index))
		return true;
	names = arena_new_array(s->arena, const char *, s->decls[kind].len + 1);
	for (count = 0; count < s->decls[kind].len; count++)
		names[count] = s->decls[kind].data[count]->name.text;
	if (kind == BLOCK_DEVICE)
		names[count++] = "host";
	near = ast_nearest(name, names, count);
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
		first = sema_find(s, k, decl->name.text, NULL);
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
	for (uint32_t k = 0; near && k < BLOCKS; k++)
		if (words[k] == near) /* what names it is not wrong as well */
			vec_push(s->arena, &s->decls[k], decl);
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

struct setting sema_match(struct sema *s, enum block_kind kind, const struct ast_decl *decl, uint32_t i)
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

bool sema_is(const struct setting *m, const char *name)
{
	return !strcmp(m->spec->name, name);
}

/* ---- scenes */

static void resolve_scene(struct sema *s, const struct ast_decl *decl)
{
	struct decl_scene out = { .name = decl->name.text, .span = decl->name.span };
	unsigned before = s->diag->errors;

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = sema_match(s, BLOCK_SCENE, decl, i);

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
	bool known = sema_lookup(s, BLOCK_MODEL, decl->name.text, decl->name.span, &out.model);

	tune_defaults(&out);
	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = sema_match(s, BLOCK_TUNE, decl, i);

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
	bool known = sema_lookup(s, BLOCK_MODEL, decl->name.text, decl->name.span, &out.model);

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = sema_match(s, BLOCK_QUANTIZE, decl, i);

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
