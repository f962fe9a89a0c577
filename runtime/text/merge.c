/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge.c - pieces are joined, the best pair first, until no pair can be.
 *
 * Both kinds of tokenizer do this; they differ in what the pieces are at first
 * (characters or bytes) and in which pairs there are and how good they are
 * (a token of their text, by its score; a merge of the table, by its rank). Pairs
 * wait in a heap, so the time is n log n for a text of n pieces. A pair that
 * has been overtaken by another is recognised by its length.
 */
#include "config.h"

#include "text/tokenizer.h"

#include "base/memory.h"

#include <string.h>

struct symbol {
	uint64_t start;
	uint64_t size; /* 0: joined to the one before */
	int64_t before, after;
	int32_t token; /* EDGE_NONE: none */
};

struct pair {
	int64_t left, right;
	uint64_t size;
	double cost;
	int32_t token; /* of both */
};

struct merging {
	const struct tokenizer *t;
	const char *text;
	struct symbol *symbol;
	int64_t symbols;
	struct pair *heap;
	int64_t pairs;
};

static bool goes_first(const struct pair *a, const struct pair *b)
{
	return a->cost != b->cost ? a->cost < b->cost : a->left < b->left;
}

static void push(struct merging *m, struct pair p)
{
	int64_t i = m->pairs++;

	for (; i && goes_first(&p, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
		m->heap[i] = m->heap[(i - 1) / 2];
	m->heap[i] = p;
}

static struct pair pop(struct merging *m)
{
	struct pair top = m->heap[0], last = m->heap[--m->pairs];
	int64_t i = 0, child;

	for (; (child = 2 * i + 1) < m->pairs; i = child) {
		if (child + 1 < m->pairs && goes_first(&m->heap[child + 1], &m->heap[child]))
			child++;
		if (!goes_first(&m->heap[child], &last))
			break;
		m->heap[i] = m->heap[child];
	}
	m->heap[i] = last;
	return top;
}

/* Two neighbours, if they can be one. */
static void consider(struct merging *m, int64_t left, int64_t right)
{
	const struct symbol *a, *b;
	struct pair p = { .left = left, .right = right };

	if (left < 0 || right < 0)
		return;
	a = &m->symbol[left];
	b = &m->symbol[right];
	p.size = a->size + b->size;
	if (m->t->v.header->kind == EDGE_TOKENIZER_BPE) {
		const struct edge_merge *x = a->token < 0 || b->token < 0 ? NULL : tokenizer_merge(m->t, a->token, b->token);

		if (!x)
			return;
		p.cost = x->rank;
		p.token = (int32_t)x->result;
	} else {
		p.token = p.size > UINT16_MAX ? EDGE_NONE : tokenizer_find(m->t, m->text + a->start, (uint32_t)p.size);
		if (p.token < 0)
			return;
		p.cost = -(double)m->t->v.score[p.token];
	}
	push(m, p);
}

static void join(struct merging *m)
{
	while (m->pairs) {
		struct pair p = pop(m);
		struct symbol *a = &m->symbol[p.left], *b = &m->symbol[p.right];

		if (!a->size || !b->size || a->size + b->size != p.size)
			continue;
		a->size = p.size;
		a->token = p.token;
		a->after = b->after;
		b->size = 0;
		if (a->after >= 0)
			m->symbol[a->after].before = p.left;
		consider(m, a->before, p.left);
		consider(m, p.left, a->after);
	}
}

static void split(struct merging *m, uint64_t size)
{
	bool bytes = m->t->v.header->kind == EDGE_TOKENIZER_BPE;

	for (uint64_t at = 0; at < size;) {
		struct symbol *s = &m->symbol[m->symbols];
		uint32_t n = 1;

		if (!bytes)
			unicode_next(m->text + at, size - at, &n);
		*s = (struct symbol){ at, n, m->symbols - 1, m->symbols + 1, EDGE_NONE };
		s->token = bytes ? m->t->v.byte_token[(unsigned char)m->text[at]] : tokenizer_find(m->t, m->text + at, n);
		m->symbols++;
		at += n;
	}
	m->symbol[m->symbols - 1].after = -1;
}

/* What is no token: byte by byte, or the unknown token. */
static enum edge_status add_symbol(const struct merging *m, const struct symbol *s, struct tokens *out, struct failure *f)
{
	enum edge_status st = EDGE_OK;

	if (s->token >= 0)
		return tokens_add(out, s->token, f);
	for (uint64_t i = 0; i < s->size && st == EDGE_OK; i++) {
		int32_t byte = m->t->v.byte_token[(unsigned char)m->text[s->start + i]];

		if (byte < 0 && m->t->v.header->unknown >= 0)
			return tokens_add(out, m->t->v.header->unknown, f);
		if (byte >= 0)
			st = tokens_add(out, byte, f);
	}
	return st;
}

enum edge_status merge_encode(const struct tokenizer *t, const char *text, uint64_t size, struct tokens *out,
			      struct failure *f)
{
	struct merging m = { .t = t, .text = text };
	enum edge_status st = EDGE_OK;
	int32_t whole = EDGE_NONE;

	if ((t->v.header->flags & EDGE_TOKENIZER_WHOLE_WORDS) && size <= UINT16_MAX)
		whole = tokenizer_find(t, text, (uint32_t)size);
	if (whole >= 0 || !size)
		return size ? tokens_add(out, whole, f) : EDGE_OK;
	m.symbol = rt_alloc(size, sizeof *m.symbol);
	m.heap = rt_alloc(3 * size, sizeof *m.heap); /* each joining brings two pairs */
	if (!m.symbol || !m.heap) {
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	} else {
		split(&m, size);
		for (int64_t i = 0; i + 1 < m.symbols; i++)
			consider(&m, i, i + 1);
		join(&m);
		for (int64_t i = 0; i < m.symbols && st == EDGE_OK; i++)
			if (m.symbol[i].size)
				st = add_symbol(&m, &m.symbol[i], out, f);
	}
	rt_free(m.symbol);
	rt_free(m.heap);
	return st;
}
