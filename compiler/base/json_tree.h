/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_tree.h - JSON text as a tree in an arena, and pieces of JSON text.
 *
 * Reading accepts what RFC 8259 accepts, at most JSON_DEPTH levels deep; text
 * from elsewhere may be given to it. Members keep their order; of two with the
 * same name the first counts.
 */
#ifndef EDGE_BASE_JSON_TREE_H
#define EDGE_BASE_JSON_TREE_H

#include "base/arena.h"
#include "base/strbuf.h"

#include <stdbool.h>

enum { JSON_DEPTH = 64 };

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct jtree {
	enum json_kind kind;
	const char *key;   /* of a member */
	bool boolean;
	double number;
	const char *string;
	uint32_t count;    /* of elements or members */
	struct jtree *first, *next;
};

/* NULL: not JSON, or more than one value, or too deep. */
const struct jtree *jtree_parse(struct arena *a, const char *text, size_t len);

/* All accept NULL, and give NULL or `absent` where there is no such thing of that kind. */
const struct jtree *jtree_get(const struct jtree *object, const char *key);
const struct jtree *jtree_at(const struct jtree *array, uint32_t index);
const char *jtree_string(const struct jtree *object, const char *key);
double jtree_number(const struct jtree *object, const char *key, double absent);
bool jtree_bool(const struct jtree *object, const char *key, bool absent);

/* Text of a value, on one line. */
void jtree_print(struct strbuf *out, const struct jtree *v);
void jtree_put_string(struct strbuf *out, const char *s); /* quoted; bytes that are no UTF-8 become U+FFFD */
void jtree_put_number(struct strbuf *out, double x);      /* shortest that reads back the same; null when not finite */

#endif
