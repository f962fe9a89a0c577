/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.h - text to tokens and back, by the tables of a plan.
 *
 *	tokenizer.c  special tokens in a text; pieces of text
 *	merge.c      pieces joined until nothing more can be
 *	words.c      where a text is cut into words before that (byte-level vocabularies)
 *	unicode.c    which characters are letters, numbers, spaces
 */
#ifndef EDGE_RT_TOKENIZER_H
#define EDGE_RT_TOKENIZER_H

#include "base/failure.h"

struct tokenizer {
	struct edge_tokenizer_view v;
};

/* Grows; tokens_free() in any case. */
struct tokens {
	int32_t *id;
	uint64_t count, capacity;
};

/* Of a plan that generates, after plan_check(). */
void tokenizer_open(const struct edge_plan *p, struct tokenizer *t);

enum {
	TOKENIZE_START = 1,  /* the text begins here: a first token, a space, where the model wants them */
	TOKENIZE_SPECIAL = 2 /* the names of special tokens in the text stand for them */
};

/* Appends. Any bytes are a text. */
enum edge_status tokenizer_encode(const struct tokenizer *t, const char *text, uint64_t size, unsigned flags,
				  struct tokens *out, struct failure *f);
/* What a token prints; nothing for those that only mark something. Not NUL-terminated. */
const char *tokenizer_piece(const struct tokenizer *t, int32_t token, uint32_t *size);
bool tokenizer_ends(const struct tokenizer *t, int32_t token);

enum edge_status tokens_add(struct tokens *t, int32_t id, struct failure *f);
void tokens_free(struct tokens *t);

/* ---- between the files ---- */

/* The token of exactly these bytes that ordinary text may become, or EDGE_NONE. */
int32_t tokenizer_find(const struct tokenizer *t, const char *text, uint32_t size);
/* The merge of two neighbours, or NULL. */
const struct edge_merge *tokenizer_merge(const struct tokenizer *t, int32_t left, int32_t right);
/* merge.c: a text (SPM) or a word of it (BPE) without special tokens. */
enum edge_status merge_encode(const struct tokenizer *t, const char *text, uint64_t size, struct tokens *out,
			      struct failure *f);
/* words.c: bytes of the first word of a text that is not empty. */
uint64_t words_next(uint32_t pattern, const char *text, uint64_t size);

/* unicode.c: the code point at s (malformed bytes: 0xfffd, one byte); its length. */
uint32_t unicode_next(const char *s, uint64_t size, uint32_t *length);
bool unicode_letter(uint32_t c); /* general category L */
bool unicode_number(uint32_t c); /* N */
bool unicode_punctuation(uint32_t c); /* P */
bool unicode_space(uint32_t c);  /* White_Space */

#endif
