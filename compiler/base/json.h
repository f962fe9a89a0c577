/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - JSON text as a tree in an arena, and pieces of JSON text.
 *
 * Reading accepts what RFC 8259 accepts, at most JSON_DEPTH levels deep; text
 * from elsewhere may be given to it. Members keep their order; of two with the
 * same name the first counts.
 */
#ifndef EDGE_BASE_JSON_H
#define EDGE_BASE_JSON_H

#include "base/arena.h"
#include "base/strbuf.h"

#include <stdbool.h>

enum { JSON_DEPTH = 64 };

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_kind kind;
	const char *key;   /* of a member */
	bool boolean;
	double number;
	const char *string;
	uint32_t count;    /* of elements or members */
	struct json *first, *next;
};

/* NULL: not JSON, or more than one value, or too deep. */
const struct json *json_parse(struct arena *a, const char *text, size_t len);

/* All accept NULL, and give NULL or `absent` where there is no such thing of that kind. */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, uint32_t index);
const char *json_string(const struct json *object, const char *key);
double json_number(const struct json *object, const char *key, double absent);
bool json_bool(const struct json *object, const char *key, bool absent);

/* Text of a value, on one line. */
void json_print(struct strbuf *out, const struct json *v);
void json_put_string(struct strbuf *out, const char *s); /* quoted; bytes that are no UTF-8 become U+FFFD */
void json_put_number(struct strbuf *out, double x);      /* shortest that reads back the same; null when not finite */

#endif
