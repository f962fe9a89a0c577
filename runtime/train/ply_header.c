/* SPDX-License-Identifier: Apache-2.0 */
/* ply_header.c - what the head of a .ply file says: lines of words up to end_header. */
#include "config.h"

#include "train/ply_header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512, WORDS = 6, LINES = 4096 };

const uint8_t ply_type_bytes[PLY_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 8 };

static const struct {
	const char *name;
	enum ply_type type;
} types[] = {
	{ "char", PLY_I8 },    { "int8", PLY_I8 },    { "uchar", PLY_U8 },  { "uint8", PLY_U8 },
	{ "short", PLY_I16 },  { "int16", PLY_I16 },  { "ushort", PLY_U16 }, { "uint16", PLY_U16 },
	{ "int", PLY_I32 },    { "int32", PLY_I32 },  { "uint", PLY_U32 },  { "uint32", PLY_U32 },
	{ "float", PLY_F32 },  { "float32", PLY_F32 }, { "double", PLY_F64 }, { "float64", PLY_F64 },
};

struct lines {
	FILE *in;
	const char *name; /* of the file */
	uint32_t number;
	uint64_t bytes;
	char text[LINE];
	char *word[WORDS];
	uint32_t words;
	struct failure *f;
};

static enum edge_status bad(const struct lines *l, const char *what, const char *value)
{
	return rt_fail(l->f, EDGE_BAD, "\"%s\", line %u: %s \"%.64s\"", l->name, l->number, what, value);
}

/* The next line's words. Anything may stand in the file, also bytes that are no text. */
static enum edge_status next_line(struct lines *l)
{
	uint32_t n = 0;
	int c;

	l->number++;
	while ((c = getc(l->in)) != EOF && c != '\n') {
		l->bytes++;
		if (n < LINE - 1)
			l->text[n++] = (char)(c == '\r' || c == '\t' || c == 0 ? ' ' : c);
	}
	if (c == EOF)
		return rt_fail(l->f, EDGE_BAD, "\"%s\" ends within its head", l->name);
	l->bytes++;
	l->text[n] = '\0';
	l->words = 0;
	for (char *p = strtok(l->text, " "); p && l->words < WORDS; p = strtok(NULL, " "))
		l->word[l->words++] = p;
	return EDGE_OK;
}

static bool word_is(const struct lines *l, uint32_t i, const char *text)
{
	return i < l->words && !strcmp(l->word[i], text);
}

static bool find_type(const char *name, enum ply_type *out)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, name)) {
			*out = types[i].type;
			return true;
		}
	return false;
}

static void set_name(char out[PLY_NAME], const char *name)
{
	snprintf(out, PLY_NAME, "%.*s", PLY_NAME - 1, name);
}

static enum edge_status take_element(struct lines *l, struct ply_header *h)
{
	struct ply_element *e;
	char *end;

	if (l->words != 3)
		return bad(l, "an element has a name and a count, not", l->words > 1 ? l->word[1] : "");
	if (h->element_count == PLY_ELEMENTS)
		return bad(l, "too many elements:", l->word[1]);
	e = &h->element[h->element_count++];
	set_name(e->name, l->word[1]);
	errno = 0;
	e->count = strtoull(l->word[2], &end, 10);
	if (*end || errno || l->word[2][0] == '-' || e->count > INT32_MAX)
		return bad(l, "not a count:", l->word[2]);
	e->first = e->end = h->property_count;
	return EDGE_OK;
}

static enum edge_status take_property(struct lines *l, struct ply_header *h)
{
	bool list = word_is(l, 1, "list");
	struct ply_property *p;
	struct ply_element *e;

	if (h->element_count == 0)
		return bad(l, "a property before any element:", l->words > 2 ? l->word[2] : "");
	if (l->words != (list ? 5u : 3u))
		return bad(l, "a property has a type and a name, not", l->words > 1 ? l->word[1] : "");
	if (h->property_count == PLY_PROPERTIES)
		return bad(l, "too many properties:", l->word[2]);
	e = &h->element[h->element_count - 1];
	p = &h->property[h->property_count++];
	*p = (struct ply_property){ .list = list, .slot = -1 };
	if (list && (!find_type(l->word[2], &p->count_type) || p->count_type >= PLY_F32))
		return bad(l, "not a type of counts:", l->word[2]);
	if (!find_type(l->word[list ? 3 : 1], &p->type))
		return bad(l, "unknown type", l->word[list ? 3 : 1]);
	set_name(p->name, l->word[list ? 4 : 2]);
	for (uint32_t i = e->first; i < e->end; i++)
		if (!strcmp(h->property[i].name, p->name))
			return bad(l, "second property named", p->name);
	e->end = h->property_count;
	e->lists = e->lists || list;
	e->bytes += ply_type_bytes[p->type];
	return EDGE_OK;
}

static enum edge_status take_format(struct lines *l, struct ply_header *h)
{
	if (word_is(l, 1, "ascii"))
		h->format = PLY_ASCII;
	else if (word_is(l, 1, "binary_little_endian"))
		h->format = PLY_LITTLE;
	else if (word_is(l, 1, "binary_big_endian"))
		h->format = PLY_BIG;
	else
		return bad(l, "unknown format", l->words > 1 ? l->word[1] : "");
	if (!word_is(l, 2, "1.0"))
		return rt_fail(l->f, EDGE_UNSUPPORTED, "\"%s\", line %u: format version \"%s\" is not supported",
			       l->name, l->number, l->words > 2 ? l->word[2] : "");
	return EDGE_OK;
}

static enum edge_status take_line(struct lines *l, struct ply_header *h)
{
	if (l->words == 0 || word_is(l, 0, "comment") || word_is(l, 0, "obj_info"))
		return EDGE_OK;
	if (word_is(l, 0, "format"))
		return take_format(l, h);
	if (word_is(l, 0, "element"))
		return take_element(l, h);
	if (word_is(l, 0, "property"))
		return take_property(l, h);
	return bad(l, "unknown word", l->word[0]);
}

enum edge_status ply_read_header(FILE *in, const char *name, struct ply_header *out, struct failure *f)
{
	struct lines l = { .in = in, .name = name, .f = f };
	char magic[3];
	enum edge_status st;

	memset(out, 0, sizeof(*out));
	if (fread(magic, sizeof(magic), 1, in) != 1 || memcmp(magic, "ply", sizeof(magic)) != 0)
		return rt_fail(f, EDGE_BAD, "\"%s\" is not a .ply file", name);
	l.bytes = sizeof(magic);
	if ((st = next_line(&l)) != EDGE_OK)
		return st;
	if (l.words)
		return rt_fail(f, EDGE_BAD, "\"%s\" is not a .ply file", name);
	for (;;) {
		if ((st = next_line(&l)) != EDGE_OK)
			return st;
		if (word_is(&l, 0, "end_header"))
			break;
		if (l.number > LINES)
			return rt_fail(f, EDGE_BAD, "\"%s\": the head has more than %d lines", name, LINES);
		if ((st = take_line(&l, out)) != EDGE_OK)
			return st;
	}
	out->bytes = l.bytes;
	return EDGE_OK;
}
