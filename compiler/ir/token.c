/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - the words of the text form; nothing here looks past the end of the text. */
#include "config.h"

#include "ir/token.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool reader_fail(struct reader *r, const char *what)
{
	uint32_t at = (uint32_t)(r->at - r->start);

	if (!r->failed)
		diag_error(r->d, (struct span){ r->file, at, at + (r->at < r->end) }, "%s", what);
	r->failed = true;
	return false;
}

void reader_space(struct reader *r)
{
	while (r->at < r->end) {
		if (*r->at == '#') {
			while (r->at < r->end && *r->at != '\n')
				r->at++;
		} else if (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r') {
			r->at++;
		} else {
			return;
		}
	}
}

/* Takes the punctuation if it is next. */
bool reader_take(struct reader *r, char c)
{
	reader_space(r);
	if (r->failed || r->at >= r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

bool reader_need(struct reader *r, char c)
{
	char what[] = "expected 'x'";

	if (reader_take(r, c))
		return true;
	what[10] = c;
	return reader_fail(r, what);
}

bool reader_is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The next word, "" where there is none. */
const char *reader_word(struct reader *r)
{
	const char *begin;

	reader_space(r);
	begin = r->at;
	while (r->at < r->end && reader_is_word(*r->at))
		r->at++;
	return arena_strndup(r->a, begin, (size_t)(r->at - begin));
}

bool reader_take_word(struct reader *r, const char *w)
{
	size_t n = strlen(w);

	reader_space(r);
	if (r->failed || (size_t)(r->end - r->at) < n || memcmp(r->at, w, n) != 0 ||
	    (r->at + n < r->end && reader_is_word(r->at[n])))
		return false;
	r->at += n;
	return true;
}

bool reader_need_word(struct reader *r, const char *w)
{
	char what[64];

	if (reader_take_word(r, w))
		return true;
	snprintf(what, sizeof what, "expected \"%s\"", w);
	return reader_fail(r, what);
}

/* The text of a number, so that strto* never runs past the end. */
bool reader_number(struct reader *r, char *out, size_t room)
{
	size_t n = 0;

	reader_space(r);
	while (r->at < r->end && n + 1 < room &&
	       (reader_is_word(*r->at) || *r->at == '+' || *r->at == '-' || *r->at == '.'))
		out[n++] = *r->at++;
	out[n] = 0;
	return n || reader_fail(r, "expected a number");
}

bool reader_is_float(const char *s)
{
	return strpbrk(s, ".en") != NULL; /* inf and nan have an n */
}

bool reader_parse_int(struct reader *r, const char *s, int64_t *out)
{
	char *end;
	long long x;

	errno = 0;
	x = strtoll(s, &end, 10);
	if (*end || errno)
		return reader_fail(r, "expected an integer of 64 bits");
	*out = x;
	return true;
}

int64_t reader_int(struct reader *r)
{
	char s[64];
	int64_t x = 0;

	if (reader_number(r, s, sizeof s))
		reader_parse_int(r, s, &x);
	return x;
}

uint64_t reader_uint(struct reader *r)
{
	char s[64], *end;
	unsigned long long x;

	if (!reader_number(r, s, sizeof s))
		return 0;
	errno = 0;
	x = strtoull(s, &end, 10);
	if (*end || errno || s[0] == '-') {
		reader_fail(r, "expected an unsigned integer");
		return 0;
	}
	return x;
}

double reader_double(struct reader *r)
{
	char s[64], *end;
	double x;

	if (!reader_number(r, s, sizeof s))
		return 0;
	x = strtod(s, &end);
	if (*end)
		reader_fail(r, "expected a number");
	return x;
}

int reader_hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *reader_string(struct reader *r)
{
	const char *p;
	char *out;
	size_t n = 0;

	if (!reader_need(r, '"'))
		return "";
	for (p = r->at; p < r->end && *p != '"' && *p != '\n'; p++)
		p += *p == '\\' && p + 1 < r->end;
	out = arena_alloc(r->a, (size_t)(p - r->at) + 1);
	while (r->at < r->end && *r->at != '"' && *r->at != '\n') {
		char c = *r->at++;

		if (c == '\\' && r->at < r->end) {
			c = *r->at++;
			if (c == 'x' && r->end - r->at >= 2 && reader_hex_digit(r->at[0]) >= 0 &&
			    reader_hex_digit(r->at[1]) >= 0) {
				c = (char)(reader_hex_digit(r->at[0]) * 16 +
					   reader_hex_digit(r->at[1]));
				r->at += 2;
			}
		}
		out[n++] = c;
	}
	out[n] = 0;
	reader_need(r, '"');
	return out;
}

struct ints reader_ints(struct reader *r)
{
	struct ints list = { 0 };

	if (!reader_need(r, '[') || reader_take(r, ']'))
		return list;
	do {
		int64_t x = reader_int(r);

		vec_push(r->a, &list.v, x);
	} while (!r->failed && reader_take(r, ','));
	reader_need(r, ']');
	return list;
}

struct floats reader_floats(struct reader *r)
{
	struct floats list = { 0 };

	if (!reader_need(r, '{') || reader_take(r, '}'))
		return list;
	do {
		double x = reader_double(r);

		vec_push(r->a, &list.v, x);
	} while (!r->failed && reader_take(r, ','));
	reader_need(r, '}');
	return list;
}

void reader_type(struct reader *r, enum dtype *t, struct shape *s)
{
	struct ints dim;

	*t = DTYPE_F32;
	*s = (struct shape){ 0 };
	if (!dtype_from_stored_name(reader_word(r), t)) {
		reader_fail(r, "expected an element type");
		return;
	}
	dim = reader_ints(r);
	if (dim.v.len > MAX_RANK) {
		reader_fail(r, "more than 8 axes");
		return;
	}
	s->rank = dim.v.len;
	for (uint32_t i = 0; i < dim.v.len; i++)
		s->dim[i] = dim.v.data[i];
	for (uint32_t i = 0; i < s->rank; i++) {
		if (s->dim[i] < 0 || s->dim[i] > INT64_C(1) << 40)
			reader_fail(r, "a dimension is out of range");
	}
	if (!r->failed && shape_elements(s) < 0)
		reader_fail(r, "too many elements");
}
