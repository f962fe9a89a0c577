/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - the words of the text form, for read.c: white space, names, numbers, lists, types. */
#ifndef EDGE_IR_TOKEN_H
#define EDGE_IR_TOKEN_H

#include "ir/graph.h"

struct reader {
	struct arena *a;
	struct diag *d;
	uint32_t file;
	const char *start, *at, *end;
	struct graph *g;
	bool failed;
	VEC(bool) known; /* value ids that have been defined */
};

/* "[1,2]" or "{1.0,2.0}" */
struct ints {
	VEC(int64_t) v;
};
struct floats {
	VEC(double) v;
};

void reader_space(struct reader *r);
/* Says what at the present place, once; gives false. */
bool reader_fail(struct reader *r, const char *what);
/* Takes the punctuation or word if it is next; need: it must be. */
bool reader_take(struct reader *r, char c);
bool reader_need(struct reader *r, char c);
bool reader_take_word(struct reader *r, const char *w);
bool reader_need_word(struct reader *r, const char *w);
/* "" where there is none. */
const char *reader_word(struct reader *r);
bool reader_is_word(char c);
/* The text of a number, so that strto* never runs past the end. */
bool reader_number(struct reader *r, char *out, size_t room);
bool reader_is_float(const char *s);
bool reader_parse_int(struct reader *r, const char *s, int64_t *out);
int64_t reader_int(struct reader *r);
uint64_t reader_uint(struct reader *r);
double reader_double(struct reader *r);
int reader_hex_digit(char c);
const char *reader_string(struct reader *r);
struct ints reader_ints(struct reader *r);
struct floats reader_floats(struct reader *r);
void reader_type(struct reader *r, enum dtype *t, struct shape *s);

#endif
