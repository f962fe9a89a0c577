/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting.h - the statements of a block as a table, and matching against it.
 *
 *	{ "search", "kind:random|llm [endpoint url:STRING] [trials trials:INT]" }
 *
 * A pattern is a row of words that must stand there, choices a|b, typed places
 * LABEL:TYPE, and optional parts in brackets, which may come in any order and
 * begin with a word or a choice. Types: INT SIZE RATE FLOPS TIME PERCENT STRING NAME
 * PORT (name.name), LIMIT (a name or a size), LIST (names and strings with commas).
 * Several rows of one name are alternatives that differ in their first word.
 */
#ifndef EDGE_DSL_SETTING_H
#define EDGE_DSL_SETTING_H

#include "ast.h"

struct setting_spec {
	const char *name, *pattern;
	enum { SETTING_ONCE, SETTING_MANY } times;
};

struct setting_value {
	const char *label;
	size_t label_len;
	struct span span;
	const char *text, *port; /* STRING, NAME, PORT, choices, LIMIT by name */
	double number;           /* in bytes, seconds, per second */
	uint64_t integer;        /* INT, SIZE, LIMIT by size */
};

struct setting {
	const struct setting_spec *spec; /* NULL: not matched, said why */
	VEC(struct setting_value) values;
};

/* kind: what the block is called in messages, "device" */
struct setting setting_match(struct arena *a, struct diag *d, const char *kind,
			     const struct setting_spec *specs, uint32_t count, const struct ast_stmt *t);
/* NULL: that place was not filled */
const struct setting_value *setting_get(const struct setting *s, const char *label);

#endif
