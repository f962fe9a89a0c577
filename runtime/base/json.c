/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - write JSON to a stream. */
#include "config.h"

#include "base/json.h"

#include "edge/plan_read.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

void json_begin(struct json *j, FILE *out)
{
	*j = (struct json){ .out = out };
}

static void line(struct json *j)
{
	int i;

	if (j->compact && j->depth > 2) {
		if (j->any[j->depth - 1])
			fputc(' ', j->out);
		return;
	}
	fputc('\n', j->out);
	for (i = 0; i < j->depth; i++)
		fputs("  ", j->out);
}

static void quoted(struct json *j, const char *text)
{
	const unsigned char *s = (const unsigned char *)text, *end = s + strlen(text);

	fputc('"', j->out);
	while (s < end) {
		size_t n = edge_utf8_length(s, (size_t)(end - s));

		if (*s == '"' || *s == '\\')
			fprintf(j->out, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", j->out);
		else if (*s == '\t')
			fputs("\\t", j->out);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(j->out, "\\u%04x", *s);
		else if (n == 0)
			fputs("\\ufffd", j->out);
		else
			fwrite(s, 1, n, j->out);
		s += n ? n : 1;
	}
	fputc('"', j->out);
}

static void member(struct json *j, const char *key)
{
	if (j->depth > 0) {
		if (j->any[j->depth - 1])
			fputc(',', j->out);
		line(j);
		j->any[j->depth - 1] = true;
	}
	if (key) {
		quoted(j, key);
		fputs(": ", j->out);
	}
}

static void open_level(struct json *j, const char *key, bool array)
{
	assert(j->depth < JSON_MAX_DEPTH);
	member(j, key);
	fputc(array ? '[' : '{', j->out);
	j->array[j->depth] = array;
	j->any[j->depth++] = false;
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, false);
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, true);
}

void json_close(struct json *j)
{
	bool any = j->any[--j->depth];

	if (any && !(j->compact && j->depth > 1))
		line(j);
	fputc(j->array[j->depth] ? ']' : '}', j->out);
}

void json_string(struct json *j, const char *key, const char *value)
{
	member(j, key);
	quoted(j, value);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	member(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	member(j, key);
	fprintf(j->out, "%" PRId64, value);
}

void json_number(struct json *j, const char *key, double value)
{
	if (!isfinite(value))
		return;
	member(j, key);
	fprintf(j->out, "%.9g", value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	member(j, key);
	fputs(value ? "true" : "false", j->out);
}

void json_end(struct json *j)
{
	assert(j->depth == 0);
	fputc('\n', j->out);
}
