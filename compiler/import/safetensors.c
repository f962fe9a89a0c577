/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors.c - the table of contents of a safetensors file.
 *
 *	u64 N (little-endian), N bytes of JSON, data to the end of the file
 *	{"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...,
 *	 "__metadata__": {"key": "value"}}
 *
 * The JSON is read by the grammar above and nothing else, without building a
 * tree: there is no nesting to follow and nothing to keep but the entries. The
 * format promises that tensors cover the data without holes or overlaps; that
 * is checked, so no two names can share bytes that a reader might change.
 */
#include "config.h"

#include "base/file.h"
#include "import/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 100000000 };

struct reader {
	const unsigned char *start, *p, *end;
	struct arena *arena; /* for names */
	const char *error;   /* what is wrong at p */
};

static bool fail(struct reader *r, const char *what)
{
	if (!r->error)
		r->error = what;
	return false;
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

/* Takes the character if it comes next. */
static bool accept(struct reader *r, char c)
{
	skip_space(r);
	if (r->error || r->p == r->end || *r->p != (unsigned char)c)
		return false;
	r->p++;
	return true;
}

static bool expect(struct reader *r, char c, const char *what)
{
	return accept(r, c) || fail(r, what);
}

static bool read_hex4(struct reader *r, uint32_t *out)
{
	*out = 0;
	if (r->end - r->p < 4)
		return fail(r, "text cut off");
	for (int i = 0; i < 4; i++) {
		unsigned char c = *r->p++;
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit < 0)
			return fail(r, "\\u needs four hexadecimal digits");
		*out = *out << 4 | (uint32_t)digit;
	}
	return true;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* After the backslash; appends what it stands for. */
static bool read_escape(struct reader *r, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	unsigned char c = r->p < r->end ? *r->p++ : 0;
	const char *found = c ? strchr(from, c) : NULL;
	uint32_t high, low;

	if (found) {
		*(*to)++ = into[found - from];
		return true;
	}
	if (c != 'u')
		return fail(r, "unknown escape");
	if (!read_hex4(r, &high))
		return false;
	if (high == 0)
		return fail(r, "text with a NUL");
	if (high >= 0xdc00 && high <= 0xdfff)
		return fail(r, "half of a surrogate pair");
	if (high >= 0xd800 && high <= 0xdbff) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
			return fail(r, "half of a surrogate pair");
		r->p += 2;
		if (!read_hex4(r, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(r, "half of a surrogate pair");
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = put_utf8(*to, high);
	return true;
}

static const char *read_string(struct reader *r)
{
	const unsigned char *q;
	char *text, *to;

	if (!expect(r, '"', "text was expected here"))
		return NULL;
	for (q = r->p; q < r->end && *q != '"'; q++)
		q += *q == '\\' && q + 1 < r->end;
	text = to = arena_alloc(r->arena, (size_t)(q - r->p) + 1); /* escapes only shrink */
	while (r->p < r->end && *r->p != '"') {
		unsigned char c = *r->p++;

		if (c < 0x20) {
			fail(r, "control character in text");
			return NULL;
		}
		if (c != '\\')
			*to++ = (char)c;
		else if (!read_escape(r, &to))
			return NULL;
	}
	return expect(r, '"', "text without an end") ? text : NULL;
}

static bool read_number(struct reader *r, uint64_t *out)
{
	uint64_t x = 0;

	skip_space(r);
	if (r->p == r->end || *r->p < '0' || *r->p > '9')
		return fail(r, "a number that is not negative was expected here");
	if (*r->p == '0' && r->p + 1 < r->end && r->p[1] >= '0' && r->p[1] <= '9')
		return fail(r, "a number starts with 0");
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9') {
		unsigned digit = *r->p - '0';

		if (x > (UINT64_MAX - digit) / 10)
			return fail(r, "a number is too large");
		x = x * 10 + digit;
		r->p++;
	}
	*out = x;
	return true;
}

/* [a, b, ...]; at most `most` of them. */
static bool read_numbers(struct reader *r, uint64_t *list, uint32_t most, uint32_t *count)
{
	*count = 0;
	if (!expect(r, '[', "a list was expected here"))
		return false;
	if (accept(r, ']'))
		return true;
	do {
		if (*count == most)
			return fail(r, "a list is too long");
		if (!read_number(r, &list[(*count)++]))
			return false;
	} while (accept(r, ','));
	return expect(r, ']', "a list without an end");
}

static const struct {
	const char *name;
	enum dtype dtype;
} dtypes[] = {
	{ "BOOL", DTYPE_BOOL }, { "U8", DTYPE_U8 },   { "I8", DTYPE_I8 },   { "I16", DTYPE_I16 },
	{ "I32", DTYPE_I32 },	{ "I64", DTYPE_I64 }, { "F16", DTYPE_F16 }, { "BF16", DTYPE_BF16 },
	{ "F32", DTYPE_F32 },	{ "F64", DTYPE_F64 },
};

/* One tensor's description; begin and end go to offset and size for now. */
static bool read_entry(struct reader *r, struct safetensor *t, const char **type)
{
	uint64_t shape[MAX_RANK], place[2];
	uint32_t rank = 0, n, seen = 0;

	if (!expect(r, '{', "a tensor's description was expected here"))
		return false;
	do {
		const char *key = read_string(r);
		unsigned bit;

		if (!key || !expect(r, ':', "a colon was expected here"))
			return false;
		bit = strcmp(key, "dtype") == 0		 ? 1
		      : strcmp(key, "shape") == 0	 ? 2
		      : strcmp(key, "data_offsets") == 0 ? 4
							 : 0;
		if (!bit || seen & bit)
			return fail(r, bit ? "a key is there twice" : "a key is not known");
		seen |= bit;
		if (bit == 1 && !(*type = read_string(r)))
			return false;
		if (bit == 2 && !read_numbers(r, shape, MAX_RANK, &rank))
			return false;
		if (bit == 4 && (!read_numbers(r, place, 2, &n) || n != 2))
			return fail(r, "data_offsets needs two numbers");
	} while (accept(r, ','));
	if (seen != 7)
		return fail(r, "a tensor needs dtype, shape and data_offsets");
	t->shape.rank = rank;
	for (uint32_t i = 0; i < rank; i++) {
		if (shape[i] > INT64_C(1) << 48)
			return fail(r, "a dimension is too large");
		t->shape.dim[i] = (int64_t)shape[i];
	}
	t->offset = place[0];
	t->size = place[1];
	return expect(r, '}', "a description without an end");
}

static bool read_metadata(struct reader *r)
{
	if (!expect(r, '{', "metadata must be text by name"))
		return false;
	if (accept(r, '}'))
		return true;
	do {
		if (!read_string(r) || !expect(r, ':', "a colon was expected here") ||
		    !read_string(r))
			return fail(r, "metadata must be text by name");
	} while (accept(r, ','));
	return expect(r, '}', "metadata without an end");
}

/* Type and size of an entry; `size` is still the end of its bytes. */
static bool check_entry(struct reader *r, struct safetensor *t, const char *type, struct diag *d,
			struct span span, const char *path)
{
	int64_t elements = shape_elements(&t->shape);

	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
		if (strcmp(type, dtypes[i].name) == 0)
			t->dtype = dtypes[i].dtype;
	if (!t->dtype) {
		diag_error(d, span, "\"%s\": tensor \"%s\" has type %s, which is not supported",
			   path, t->name, type);
		r->error = "";
		return false;
	}
	if (t->size < t->offset || elements < 0 || elements > INT64_C(1) << 48 ||
	    (uint64_t)elements * dtype_size(t->dtype) != t->size - t->offset)
		return fail(r, "a tensor's data does not fit its shape");
	t->size -= t->offset;
	return true;
}

typedef VEC(struct safetensor) tensor_list;

static bool read_header(struct reader *r, tensor_list *list, struct diag *d, struct span span,
			const char *path)
{
	bool metadata = false;

	if (r->p == r->end || *r->p != '{')
		return fail(r, "the header must begin with {");
	r->p++;
	if (accept(r, '}'))
		return true;
	do {
		struct safetensor t = { 0 };
		const char *type = NULL;

		t.name = read_string(r);
		if (!t.name || !expect(r, ':', "a colon was expected here"))
			return false;
		if (strcmp(t.name, "__metadata__") == 0) {
			if (metadata)
				return fail(r, "metadata is there twice");
			metadata = true;
			if (!read_metadata(r))
				return false;
			continue;
		}
		if (!read_entry(r, &t, &type) || !check_entry(r, &t, type, d, span, path))
			return false;
		vec_push(r->arena, list, t);
	} while (accept(r, ','));
	return expect(r, '}', "the header has no end");
}

static int by_offset(const void *a, const void *b)
{
	const struct safetensor *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->size > y->size) - (x->size < y->size); /* empty ones first */
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct safetensor *)a)->name, ((const struct safetensor *)b)->name);
}

/* Sorts by name at last. NULL: all is well. */
static const char *check_layout(tensor_list *list, uint64_t data_size)
{
	uint64_t at = 0;

	if (list->len)
		qsort(list->data, list->len, sizeof *list->data, by_offset);
	for (uint32_t i = 0; i < list->len; i++) {
		if (list->data[i].offset != at)
			return list->data[i].offset > at
				       ? "bytes between two tensors belong to none"
				       : "two tensors overlap";
		at += list->data[i].size;
	}
	if (at != data_size)
		return at > data_size ? "the file ends before its tensors"
				      : "bytes after the last tensor";
	if (list->len)
		qsort(list->data, list->len, sizeof *list->data, by_name);
	for (uint32_t i = 1; i < list->len; i++)
		if (strcmp(list->data[i].name, list->data[i - 1].name) == 0)
			return "a tensor is there twice";
	return NULL;
}

static bool read_file(struct graph *g, struct diag *d, const char *path, struct span span,
		      const struct mapped_file *map, struct safetensors *out)
{
	struct reader r = { .arena = g->arena };
	tensor_list list = { 0 };
	const char *wrong = NULL;
	uint64_t header = 0;

	for (size_t i = 8; map->size >= 8 && i-- > 0;)
		header = header << 8 | map->data[i];
	if (map->size < 8 || header > MAX_HEADER || header > map->size - 8) {
		diag_error(d, span,
			   "\"%s\" is not a safetensors file: its header does not fit into it",
			   path);
		return false;
	}
	r.start = r.p = map->data + 8;
	r.end = r.p + header;
	if (read_header(&r, &list, d, span, path)) {
		skip_space(&r);
		if (r.p != r.end)
			fail(&r, "text after the end of the header");
	}
	if (!r.error)
		wrong = check_layout(&list, map->size - 8 - header);
	if (r.error && *r.error)
		diag_error(d, span, "\"%s\" is damaged at byte %llu: %s", path,
			   (unsigned long long)(r.p - map->data), r.error);
	else if (wrong)
		diag_error(d, span, "\"%s\" is damaged: %s", path, wrong);
	if (r.error || wrong)
		return false;
	for (uint32_t i = 0; i < list.len; i++)
		list.data[i].offset += 8 + header;
	out->file = graph_add_file(g, path, map->size);
	out->tensor = list.data;
	out->count = list.len;
	return true;
}

bool safetensors_open(struct graph *g, struct diag *d, const char *path, struct span span,
		      struct safetensors *out)
{
	struct mapped_file map;
	bool good;

	*out = (struct safetensors){ 0 };
	if (!file_map(path, &map)) {
		diag_error(d, span, "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	good = read_file(g, d, path, span, &map, out);
	file_unmap(&map);
	return good;
}

const struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
{
	struct safetensor key = { .name = name };

	return s->count ? bsearch(&key, s->tensor, s->count, sizeof key, by_name) : NULL;
}
