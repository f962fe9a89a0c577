/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.c - special tokens in a text, and the pieces of text that tokens are. */
#include "config.h"

#include "text/tokenizer.h"

#include "base/memory.h"

#include <string.h>

void tokenizer_open(const struct edge_plan *p, struct tokenizer *t)
{
	edge_tokenizer_parts(p->tokenizer, p->tokenizer_size, &t->v);
}

/* ---- lists of tokens ---- */

enum edge_status tokens_add(struct tokens *t, int32_t id, struct failure *f)
{
	if (t->count == t->capacity) {
		uint64_t capacity = t->capacity ? 2 * t->capacity : 256;
		int32_t *grown = rt_alloc(capacity, sizeof *grown);

		if (!grown)
			return rt_fail(f, EDGE_MEMORY, "out of memory");
		if (t->count)
			memcpy(grown, t->id, t->count * sizeof *grown);
		rt_free(t->id);
		t->id = grown;
		t->capacity = capacity;
	}
	t->id[t->count++] = id;
	return EDGE_OK;
}

void tokens_free(struct tokens *t)
{
	rt_free(t->id);
	*t = (struct tokens){ 0 };
}

/* ---- looking things up ---- */

static int compare(const struct tokenizer *t, uint32_t token, const char *text, uint32_t size)
{
	uint32_t n = t->v.offset[token + 1] - t->v.offset[token];
	int c = memcmp(t->v.text + t->v.offset[token], text, n < size ? n : size);

	return c ? c : n < size ? -1 : n > size;
}

static uint8_t kind_of(const struct tokenizer *t, uint32_t token)
{
	return t->v.type[token] & (uint8_t)~EDGE_TOKEN_ENDS;
}

int32_t tokenizer_find(const struct tokenizer *t, const char *text, uint32_t size)
{
	uint32_t low = 0, high = t->v.header->tokens;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (compare(t, t->v.by_text[mid], text, size) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < t->v.header->tokens && compare(t, t->v.by_text[low], text, size) == 0; low++) {
		uint8_t kind = kind_of(t, t->v.by_text[low]);

		if (kind == EDGE_TOKEN_NORMAL || kind == EDGE_TOKEN_USER)
			return (int32_t)t->v.by_text[low];
	}
	return EDGE_NONE;
}

const struct edge_merge *tokenizer_merge(const struct tokenizer *t, int32_t left, int32_t right)
{
	uint32_t low = 0, high = t->v.header->merges;
	uint64_t want = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct edge_merge *m = &t->v.merge[mid];

		if (((uint64_t)m->left << 32 | m->right) < want)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == t->v.header->merges || (int32_t)t->v.merge[low].left != left ||
	    (int32_t)t->v.merge[low].right != right)
		return NULL;
	return &t->v.merge[low];
}

const char *tokenizer_piece(const struct tokenizer *t, int32_t token, uint32_t *size)
{
	*size = 0;
	if (token < 0 || (uint32_t)token >= t->v.header->tokens || kind_of(t, (uint32_t)token) == EDGE_TOKEN_CONTROL ||
	    kind_of(t, (uint32_t)token) == EDGE_TOKEN_UNKNOWN)
		return "";
	*size = t->v.offset[token + 1] - t->v.offset[token];
	return t->v.text + t->v.offset[token];
}

bool tokenizer_ends(const struct tokenizer *t, int32_t token)
{
	return token >= 0 && (uint32_t)token < t->v.header->tokens && (t->v.type[token] & EDGE_TOKEN_ENDS);
}

/* ---- texts ---- */

/*
 * The special token that the text begins with, the longest, or EDGE_NONE. Those that users defined are words
 * of any text; the others mark something and stand only in texts that are meant to name them.
 */
static int32_t special_at(const struct tokenizer *t, const char *text, uint64_t size, bool all)
{
	for (uint32_t i = 0; i < t->v.header->specials; i++) {
		uint32_t token = t->v.special[i], n = t->v.offset[token + 1] - t->v.offset[token];

		if (n && n <= size && t->v.text[t->v.offset[token]] == *text &&
		    (all || kind_of(t, token) == EDGE_TOKEN_USER) && !memcmp(t->v.text + t->v.offset[token], text, n))
			return (int32_t)token;
	}
	return EDGE_NONE;
}

/* Vocabularies of this kind write a space as U+2581: in a text, too, it is one. Returns the new size. */
static uint64_t copy_spaced(char *out, const char *text, uint64_t size, bool space)
{
	uint64_t n = 0;

	if (space)
		out[n++] = ' ';
	for (uint64_t i = 0; i < size; n++) {
		bool mark = size - i >= 3 && !memcmp(text + i, "\xe2\x96\x81", 3);

		out[n] = mark ? ' ' : text[i];
		i += mark ? 3 : 1;
	}
	return n;
}

/* Text between special tokens. */
static enum edge_status encode_plain(const struct tokenizer *t, const char *text, uint64_t size, bool start,
				     struct tokens *out, struct failure *f)
{
	enum edge_status st = EDGE_OK;
	char *spaced;

	if (!size)
		return EDGE_OK;
	if (t->v.header->kind == EDGE_TOKENIZER_BPE) {
		for (uint64_t n; size && st == EDGE_OK; text += n, size -= n) {
			n = words_next(t->v.header->pattern, text, size);
			st = merge_encode(t, text, n, out, f);
		}
		return st;
	}
	if (!(spaced = rt_alloc(size + 1, 1)))
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	size = copy_spaced(spaced, text, size, start && (t->v.header->flags & EDGE_TOKENIZER_ADD_SPACE));
	st = merge_encode(t, spaced, size, out, f);
	rt_free(spaced);
	return st;
}

enum edge_status tokenizer_encode(const struct tokenizer *t, const char *text, uint64_t size, unsigned flags,
				  struct tokens *out, struct failure *f)
{
	bool start = flags & TOKENIZE_START;
	enum edge_status st = EDGE_OK;
	uint64_t from = 0;

	if (start && (t->v.header->flags & EDGE_TOKENIZER_ADD_BOS) && t->v.header->bos >= 0)
		st = tokens_add(out, t->v.header->bos, f);
	for (uint64_t at = 0; at < size && st == EDGE_OK;) {
		int32_t token = special_at(t, text + at, size - at, flags & TOKENIZE_SPECIAL);

		if (token < 0) {
			at++;
			continue;
		}
		st = encode_plain(t, text + from, at - from, start, out, f);
		if (st == EDGE_OK)
			st = tokens_add(out, token, f);
		at = from = at + (t->v.offset[token + 1] - t->v.offset[token]);
		start = true; /* a text begins behind it */
	}
	return st == EDGE_OK ? encode_plain(t, text + from, size - from, start, out, f) : st;
}
