/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_tree.c - the only file that knows cJSON.
 *
 * cJSON's tree is copied into the arena at once, so that nobody has to free
 * anything and nobody else needs its header. The depth is checked before
 * parsing, since the copy walks down with the tree.
 */
#include "config.h"

#include "base/json_tree.h"

#include "edge/plan_read.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Brackets outside strings; text that is no JSON is found out by the parser. */
static bool shallow(const char *text, size_t len)
{
	uint32_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH)
				return false;
		} else if ((c == ']' || c == '}') && depth) {
			depth--;
		}
	}
	return true;
}

static struct jtree *copy(struct arena *a, const cJSON *from)
{
	struct jtree *v = arena_new(a, struct jtree), **link = &v->first;

	v->key = from->string ? arena_strdup(a, from->string) : NULL;
	if (cJSON_IsBool(from)) {
		v->kind = JSON_BOOL;
		v->boolean = cJSON_IsTrue(from);
	} else if (cJSON_IsNumber(from)) {
		v->kind = JSON_NUMBER;
		v->number = from->valuedouble;
	} else if (cJSON_IsString(from)) {
		v->kind = JSON_STRING;
		v->string = arena_strdup(a, from->valuestring);
	} else if (cJSON_IsArray(from) || cJSON_IsObject(from)) {
		v->kind = cJSON_IsArray(from) ? JSON_ARRAY : JSON_OBJECT;
		for (const cJSON *c = from->child; c; c = c->next) {
			*link = copy(a, c);
			link = &(*link)->next;
			v->count++;
		}
	}
	return v;
}

const struct jtree *jtree_parse(struct arena *a, const char *text, size_t len)
{
	const char *end = NULL;
	struct jtree *out = NULL;
	cJSON *root;

	if (!shallow(text, len) || memchr(text, 0, len))
		return NULL;
	root = cJSON_ParseWithLengthOpts(text, len, &end, false);
	if (!root)
		return NULL;
	while (end < text + len && strchr(" \t\r\n", *end))
		end++;
	if (end == text + len)
		out = copy(a, root);
	cJSON_Delete(root);
	return out;
}

const struct jtree *jtree_get(const struct jtree *object, const char *key)
{
	if (!object || object->kind != JSON_OBJECT)
		return NULL;
	for (const struct jtree *m = object->first; m; m = m->next)
		if (!strcmp(m->key, key))
			return m;
	return NULL;
}

const struct jtree *jtree_at(const struct jtree *array, uint32_t index)
{
	const struct jtree *e = array && array->kind == JSON_ARRAY ? array->first : NULL;

	while (e && index--)
		e = e->next;
	return e;
}

const char *jtree_string(const struct jtree *object, const char *key)
{
	const struct jtree *m = jtree_get(object, key);

	return m && m->kind == JSON_STRING ? m->string : NULL;
}

double jtree_number(const struct jtree *object, const char *key, double absent)
{
	const struct jtree *m = jtree_get(object, key);

	return m && m->kind == JSON_NUMBER ? m->number : absent;
}

bool jtree_bool(const struct jtree *object, const char *key, bool absent)
{
	const struct jtree *m = jtree_get(object, key);

	return m && m->kind == JSON_BOOL ? m->boolean : absent;
}

void jtree_put_string(struct strbuf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + strlen(s);

	strbuf_puts(out, "\"");
	while (p < end) {
		size_t n = edge_utf8_length(p, (size_t)(end - p));

		if (!n)
			strbuf_puts(out, "\\ufffd");
		else if (*p == '"' || *p == '\\')
			strbuf_printf(out, "\\%c", *p);
		else if (*p < 32 || *p == 127)
			strbuf_printf(out, "\\u%04x", *p);
		else
			strbuf_add(out, p, n);
		p += n ? n : 1;
	}
	strbuf_puts(out, "\"");
}

void jtree_put_number(struct strbuf *out, double x)
{
	char text[40];

	if (!isfinite(x)) {
		strbuf_puts(out, "null");
		return;
	}
	if (x == floor(x) && fabs(x) < 0x1p53) {
		strbuf_printf(out, "%.0f", x);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	strbuf_puts(out, text);
}

void jtree_print(struct strbuf *out, const struct jtree *v)
{
	switch (v->kind) {
	case JSON_NULL: strbuf_puts(out, "null"); return;
	case JSON_BOOL: strbuf_puts(out, v->boolean ? "true" : "false"); return;
	case JSON_NUMBER: jtree_put_number(out, v->number); return;
	case JSON_STRING: jtree_put_string(out, v->string); return;
	case JSON_ARRAY:
	case JSON_OBJECT: break;
	}
	strbuf_puts(out, v->kind == JSON_ARRAY ? "[" : "{");
	for (const struct jtree *m = v->first; m; m = m->next) {
		if (v->kind == JSON_OBJECT) {
			jtree_put_string(out, m->key);
			strbuf_puts(out, ": ");
		}
		jtree_print(out, m);
		if (m->next)
			strbuf_puts(out, ", ");
	}
	strbuf_puts(out, v->kind == JSON_ARRAY ? "]" : "}");
}
