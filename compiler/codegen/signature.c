/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature.c - the parameters of a rendered kernel without a C parser.
 *
 * Enough because templates keep to a form: one "__kernel ... KERNEL(...)" per
 * file, no #if between the parentheses, and only object-like macros there,
 * defined in the kernel's own text or empty (EDGE_WI).
 */
#include "config.h"

#include "codegen/signature.h"

#include "edge/plan_format.h"

#include <ctype.h>
#include <string.h>

enum { MACRO_DEPTH = 8 };

/* The text that a macro stands for; the last definition wins. NULL: not a macro of this kernel. */
static const char *macro_text(struct arena *a, const char *source, const char *name, size_t len)
{
	const char *line, *end, *found = NULL;

	for (line = source; line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		if (strncmp(line, "#define ", 8) != 0 || strncmp(line + 8, name, len) != 0 ||
		    (line[8 + len] != ' ' && line[8 + len] != '\n'))
			continue;
		found = arena_strndup(a, line + 8 + len, end ? (size_t)(end - line) - 8 - len : strlen(line + 8 + len));
		if (strncmp(name, "KERNEL", len) != 0)
			break; /* the first definition is the specialisation's, later ones are defaults */
	}
	return found;
}

static void expand(struct arena *a, struct strbuf *out, const char *source, const char *text, size_t len, int depth)
{
	size_t i = 0, n;

	while (i < len) {
		const char *m;

		for (n = 0; i + n < len && (isalnum((unsigned char)text[i + n]) || text[i + n] == '_'); n++)
			;
		if (n == 0) {
			strbuf_add(out, text + i++, 1);
			continue;
		}
		m = depth < MACRO_DEPTH ? macro_text(a, source, text + i, n) : NULL;
		if (m)
			expand(a, out, source, m, strlen(m), depth + 1);
		else if (n != 7 || strncmp(text + i, "EDGE_WI", 7) != 0)
			strbuf_add(out, text + i, n);
		i += n;
	}
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	const char *p;

	for (p = text; (p = strstr(p, word)); p += n)
		if ((p == text || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[n]) && p[n] != '_')
			return true;
	return false;
}

static bool read_param(struct arena *a, const char *text, struct kernel_param *p)
{
	size_t n = strlen(text), start;

	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	for (start = n; start && (isalnum((unsigned char)text[start - 1]) || text[start - 1] == '_'); start--)
		;
	p->name = arena_strndup(a, text + start, n - start);
	if (has_word(text, "image2d_t")) {
		p->kind = EDGE_PARAM_IMAGE;
		p->access = has_word(text, "__write_only") ? EDGE_PARAM_WRITE : EDGE_PARAM_READ;
	} else if (strchr(text, '*')) {
		p->kind = EDGE_PARAM_GLOBAL;
		p->access = has_word(text, "const") ? EDGE_PARAM_READ : EDGE_PARAM_READ | EDGE_PARAM_WRITE;
	} else if (has_word(text, "int")) {
		p->kind = EDGE_PARAM_I32;
	} else if (has_word(text, "long")) {
		p->kind = EDGE_PARAM_I64;
	} else if (has_word(text, "float")) {
		p->kind = EDGE_PARAM_F32;
	}
	return p->kind && *p->name && has_word(text, "__global") == (p->kind == EDGE_PARAM_GLOBAL);
}

bool signature_read(struct arena *a, struct kernel *k)
{
	const char *at = strstr(k->source, "\n__kernel "), *open = at ? strstr(at, "KERNEL(") : NULL, *close;
	struct strbuf list = { 0 };
	VEC(struct kernel_param) params = { 0 };
	char *text, *part, *rest = NULL;
	bool ok = true;

	if (!open || !(close = strchr(open, ')')))
		return false;
	open += strlen("KERNEL(");
	expand(a, &list, k->source, open, (size_t)(close - open), 0);
	text = arena_strdup(a, strbuf_str(&list));
	strbuf_free(&list);
	for (part = strtok_r(text, ",", &rest); part && ok; part = strtok_r(NULL, ",", &rest)) {
		struct kernel_param p = { 0 };

		ok = read_param(a, part, &p);
		vec_push(a, &params, p);
	}
	k->param = params.data;
	k->param_count = params.len;
	return ok && params.len;
}
