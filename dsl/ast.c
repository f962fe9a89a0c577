/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ast.c - making trees, reading files with their includes, and small helpers
 * on names.
 */
#include "config.h"

#include "dsl.h"
#include "syntax.h"

#include "base/file.h"
#include "edge/plan_read.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct ast_expr *expr_new(struct syntax *s, enum ast_expr_kind kind, struct span span)
{
	struct ast_expr *e = arena_new(s->arena, struct ast_expr);

	e->kind = kind;
	e->span = span;
	e->depth = 1;
	return e;
}

void expr_add_arg(struct syntax *s, struct ast_expr *e, struct ast_arg arg)
{
	if (arg.value->depth + 1 > MAX_EXPR_DEPTH) {
		diag_error(s->diag, arg.value->span, "expression has more than %d levels", MAX_EXPR_DEPTH);
		diag_hint(s->diag, "Give a part of it a name first.");
		arg.value = expr_new(s, EXPR_ERROR, arg.value->span);
	}
	if (e->depth < arg.value->depth + 1)
		e->depth = arg.value->depth + 1;
	vec_push(s->arena, &e->args, arg);
}

struct ast_expr *expr_binary(struct syntax *s, char op, struct span at, struct ast_expr *x,
			     struct ast_expr *y)
{
	struct ast_expr *e = expr_new(s, EXPR_BINARY, (struct span){ at.file, x->span.start, y->span.end });

	e->op = op;
	e->head = at;
	expr_add_arg(s, e, (struct ast_arg){ .value = x });
	expr_add_arg(s, e, (struct ast_arg){ .value = y });
	return e;
}

struct ast_expr *expr_negate(struct syntax *s, struct span span, struct ast_expr *x)
{
	struct ast_expr *e;

	if (x->kind == EXPR_NUMBER) {
		x->span = span;
		x->number.value = -x->number.value;
		x->number.integer = -x->number.integer;
		return x;
	}
	e = expr_new(s, EXPR_NEG, span);
	e->head = span;
	expr_add_arg(s, e, (struct ast_arg){ .value = x });
	return e;
}

struct ast_stmt *stmt_new(struct syntax *s, enum ast_stmt_kind kind, struct span span,
			  struct ast_name name)
{
	struct ast_stmt *t = arena_new(s->arena, struct ast_stmt);

	t->kind = kind;
	t->span = span;
	t->name = name;
	return t;
}

/* ---- reading */

static bool check_text(struct diag *d, uint32_t file, const unsigned char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		struct span at = { file, (uint32_t)i, (uint32_t)i + 1 };

		n = edge_utf8_length(text + i, len - i);
		if (!n) {
			diag_error(d, at, "byte 0x%02x is not UTF-8 text", text[i]);
			return false;
		}
		if (text[i] < 32 && !strchr("\t\n\v\f\r", text[i])) {
			diag_error(d, at, "control byte 0x%02x in the text", text[i]);
			return false;
		}
		if (!text[i]) {
			diag_error(d, at, "zero byte in the text");
			return false;
		}
	}
	return true;
}

bool syntax_open(struct syntax *s, struct arena *a, struct diag *d, const char *path, struct span from)
{
	struct mapped_file f;
	char *text;

	*s = (struct syntax){ .arena = a, .diag = d };
	if (!file_map(path, &f)) {
		diag_error(d, from, "could not read \"%s\": %s", path, strerror(errno));
		return false;
	}
	if (f.size > MAX_FILE) {
		diag_error(d, from, "\"%s\" has %zu bytes, the limit is %d", path, f.size, (int)MAX_FILE);
		file_unmap(&f);
		return false;
	}
	text = arena_alloc(a, f.size + 1);
	if (f.size)
		memcpy(text, f.data, f.size);
	s->len = f.size;
	s->text = text;
	file_unmap(&f);
	s->file = diag_add_file(d, path, text, s->len);
	return check_text(d, s->file, (const unsigned char *)text, s->len);
}

const char *ast_path(struct arena *a, const struct diag *d, struct span span, const char *path)
{
	const char *directory;

	if (!span.file || span.file > d->files.len)
		return path;
	directory = path_directory(a, d->files.data[span.file - 1].name);
	return strcmp(directory, ".") ? path_join(a, directory, path) : path;
}

/* A file being read, and who included it. */
struct reading {
	const struct reading *parent;
	const char *path, *real; /* as written; canonical, so that two spellings are one file */
	struct span from;
	unsigned depth;
};

struct reader {
	struct arena *arena;
	struct diag *diag;
	struct ast *ast;
	VEC(const char *) done;
};

static bool read_file(struct reader *r, const char *path, const struct reading *parent, struct span from);

static bool read_includes(struct reader *r, const struct syntax *s, const struct reading *self)
{
	bool ok = true;

	for (uint32_t i = 0; i < s->decls.len; i++) {
		struct ast_decl *decl = s->decls.data[i];

		vec_push(r->arena, &r->ast->decls, decl);
		if (decl->kind == AST_INCLUDE)
			ok &= read_file(r, ast_path(r->arena, r->diag, decl->span, decl->name.text), self,
					decl->name.span);
	}
	return ok;
}

/* true: the file at real is being read already, which was said. */
static bool is_cycle(struct diag *d, const struct reading *self)
{
	for (const struct reading *p = self->parent; p; p = p->parent) {
		if (strcmp(p->real, self->real))
			continue;
		diag_error(d, self->from, "\"%s\" includes itself", p->path);
		for (const struct reading *q = self->parent; q != p; q = q->parent)
			diag_note(d, q->from, "included from here");
		return true;
	}
	return false;
}

static const char *canonical(struct arena *a, const char *path)
{
	char *real = realpath(path, NULL);
	const char *copy = arena_strdup(a, real ? real : path);

	free(real);
	return copy;
}

static bool read_file(struct reader *r, const char *path, const struct reading *parent, struct span from)
{
	struct reading self = { parent, path, canonical(r->arena, path), from, parent ? parent->depth + 1 : 1 };
	struct syntax s;
	bool ok;

	if (is_cycle(r->diag, &self))
		return false;
	if (self.depth > MAX_INCLUDES) {
		diag_error(r->diag, from, "includes are nested more than %d deep", (int)MAX_INCLUDES);
		return false;
	}
	for (uint32_t i = 0; i < r->done.len; i++)
		if (!strcmp(r->done.data[i], self.real))
			return true;
	vec_push(r->arena, &r->done, self.real);
	if (!syntax_open(&s, r->arena, r->diag, path, from))
		return false;
	if (!parent)
		r->ast->file = s.file;
	ok = syntax_parse(&s);
	return read_includes(r, &s, &self) && ok;
}

struct ast *dsl_parse(struct arena *a, struct diag *d, const char *path)
{
	struct reader r = { .arena = a, .diag = d, .ast = arena_new(a, struct ast) };

	r.ast->path = arena_strdup(a, path);
	return read_file(&r, path, NULL, NO_SPAN) ? r.ast : NULL;
}

/* ---- names */

/* Edit distance with swaps of neighbours, for words of at most 63 letters. */
static unsigned distance(const char *x, const char *y)
{
	size_t n = strlen(x), m = strlen(y);
	unsigned row[3][64];

	if (n > 63 || m > 63)
		return UINT_MAX;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = row[i % 3], *up = row[(i - 1) % 3], *up2 = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = up[j - 1] + (x[i - 1] != y[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1] && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[n % 3][m];
}

const char *ast_nearest(const char *name, const char *const *candidates, uint32_t count)
{
	unsigned limit = (unsigned)(strlen(name) + 2) / 3, best = UINT_MAX;
	const char *found = NULL;

	if (count > 5000)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		unsigned n = distance(name, candidates[i]);

		if (n <= limit && n < best && n < strlen(candidates[i])) {
			best = n;
			found = candidates[i];
		}
	}
	return found;
}

void ast_quote(struct strbuf *out, const char *text)
{
	strbuf_puts(out, "\"");
	for (; *text; text++) {
		if (*text == '\n')
			strbuf_puts(out, "\\n");
		else if (*text == '\t')
			strbuf_puts(out, "\\t");
		else
			strbuf_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
	strbuf_puts(out, "\"");
}
