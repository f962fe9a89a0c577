/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_generate.c - what plans have that generate text: variants, the tensors
 * that a session fills, and the tokenizer.
 */
#include "config.h"

#include "plan/check.h"

#include <math.h>

#define BAD(...) return check_fail(c, EDGE_BAD, __VA_ARGS__)
typedef unsigned long long ull;

enum { MAX_VARIANTS = 32, MAX_TOKENS = 1 << 24 };

/* The parts of a tokenizer section, in order; false: it has another size. */
bool edge_tokenizer_parts(const struct edge_tokenizer *t, uint64_t size, struct edge_tokenizer_view *out)
{
	const uint8_t *p = (const uint8_t *)(t + 1);
	uint64_t all;

	if (size < sizeof *t || t->tokens > MAX_TOKENS || t->merges > MAX_TOKENS || t->specials > t->tokens)
		return false;
	all = sizeof *t + 4 * ((uint64_t)t->tokens + 1) + 4 * (uint64_t)t->tokens + 4 * (uint64_t)t->tokens +
	      sizeof(struct edge_merge) * (uint64_t)t->merges + 4 * 256 + 4 * (uint64_t)t->specials +
	      ((uint64_t)t->tokens + 3) / 4 * 4 + t->text_bytes;
	if (all != size)
		return false;
	out->header = t;
	out->offset = (const uint32_t *)(const void *)p;
	out->by_text = out->offset + t->tokens + 1;
	out->score = (const float *)(const void *)(out->by_text + t->tokens);
	out->merge = (const struct edge_merge *)(const void *)(out->score + t->tokens);
	out->byte_token = (const int32_t *)(const void *)(out->merge + t->merges);
	out->special = (const uint32_t *)(const void *)(out->byte_token + 256);
	out->type = (const uint8_t *)(out->special + t->specials);
	out->text = (const char *)out->type + ((uint64_t)t->tokens + 3) / 4 * 4;
	return true;
}

static bool token_ok(const struct edge_tokenizer *t, int64_t id, bool optional)
{
	return id < t->tokens && id >= (optional ? EDGE_NONE : 0);
}

enum edge_status check_tokenizer(struct check *c)
{
	const struct edge_tokenizer *t = c->p->tokenizer;
	struct edge_tokenizer_view v;

	if (!edge_tokenizer_parts(t, c->p->tokenizer_size, &v))
		BAD("the tokenizer's parts are not its size");
	if (t->kind != EDGE_TOKENIZER_SPM && t->kind != EDGE_TOKENIZER_BPE)
		return check_fail(c, EDGE_UNSUPPORTED, "tokenizer of kind %u", t->kind);
	if (t->pattern > EDGE_PATTERN_UNNAMED || t->flags > 15)
		return check_fail(c, EDGE_UNSUPPORTED, "tokenizer with pattern %u, flags %#x", t->pattern, t->flags);
	if (t->tokens != c->p->generate->vocabulary || !t->tokens)
		BAD("a tokenizer of %u tokens for a vocabulary of %u", t->tokens, c->p->generate->vocabulary);
	if (!token_ok(t, t->bos, true) || !token_ok(t, t->eos, true) || !token_ok(t, t->unknown, true))
		BAD("tokenizer: bos %d, eos %d, unknown %d of %u", t->bos, t->eos, t->unknown, t->tokens);
	if (v.offset[0] || v.offset[t->tokens] != t->text_bytes)
		BAD("tokenizer: the tokens' bytes are not its text");
	for (uint32_t i = 0; i < t->tokens; i++)
		if (v.offset[i + 1] < v.offset[i] || v.offset[i + 1] > t->text_bytes || v.by_text[i] >= t->tokens ||
		    isnan(v.score[i]))
			BAD("tokenizer: token %u", i);
	for (uint32_t i = 0; i < t->merges; i++)
		if (v.merge[i].left >= t->tokens || v.merge[i].right >= t->tokens || v.merge[i].result >= t->tokens)
			BAD("tokenizer: merge %u", i);
	for (uint32_t i = 0; i < t->specials; i++)
		if (v.special[i] >= t->tokens)
			BAD("tokenizer: special token %u", i);
	for (uint32_t i = 0; i < 256; i++)
		if (!token_ok(t, v.byte_token[i], true))
			BAD("tokenizer: the token of byte %u", i);
	return EDGE_OK;
}

/* Tensor `index` goes `direction` and has these dims; rank 1 where second is 0. */
static enum edge_status check_tensor(struct check *c, const char *what, uint32_t index, uint32_t direction,
				     uint32_t dtype, int64_t first, int64_t second)
{
	const struct edge_tensor *t;

	if (index >= c->p->tensor_count)
		BAD("generate: %s is tensor %u of %u", what, index, c->p->tensor_count);
	t = &c->p->tensors[index];
	if (t->direction != direction || t->dtype != dtype || t->rank != (second ? 2 : 1) || t->dim[0] != first ||
	    (second && t->dim[1] != second))
		BAD("generate: tensor %u cannot be %s", index, what);
	return EDGE_OK;
}

static enum edge_status check_variants(struct check *c, uint32_t *rows, uint32_t *scored)
{
	const struct edge_plan *p = c->p;
	uint32_t all;

	if (!p->variant_count || p->variant_count > MAX_VARIANTS)
		BAD("%u variants", p->variant_count);
	all = p->variant_count == 32 ? UINT32_MAX : (1u << p->variant_count) - 1;
	*rows = *scored = 0;
	for (uint32_t i = 0; i < p->variant_count; i++) {
		const struct edge_variant *v = &p->variants[i];

		if (!v->rows || !v->scored || v->scored > v->rows || v->rows > 1 << 20)
			BAD("variant %u: %u rows, %u scored", i, v->rows, v->scored);
		*rows = v->rows > *rows ? v->rows : *rows;
		*scored = v->scored > *scored ? v->scored : *scored;
	}
	if (p->step_variant_count != p->step_count)
		BAD("variants of %u steps of %u", p->step_variant_count, p->step_count);
	for (uint32_t i = 0; i < p->step_count; i++) {
		bool moves = p->steps[i].kind == EDGE_STEP_INPUT || p->steps[i].kind == EDGE_STEP_OUTPUT;

		if (!p->step_variants[i] || p->step_variants[i] & ~all || (moves && p->step_variants[i] != all))
			BAD("step %u belongs to variants %#x", i, p->step_variants[i]);
	}
	return EDGE_OK;
}

enum edge_status check_generate(struct check *c)
{
	const struct edge_plan *p = c->p;
	const struct edge_generate *g = p->generate;
	uint32_t rows = 0, scored = 0;
	enum edge_status st;

	if (p->meta->kind != EDGE_PLAN_GENERATE) {
		if (p->generate_count || p->variant_count || p->step_variant_count || p->tokenizer_size)
			BAD("a plan of kind %u with records of generating", p->meta->kind);
		c->p->generate = NULL;
		c->p->tokenizer = NULL;
		return EDGE_OK;
	}
	if (p->generate_count != 1 || p->tokenizer_size < sizeof *p->tokenizer)
		BAD("a plan that generates without its records");
	if (!g->context || g->context > 1 << 24 || !g->vocabulary || g->reserved)
		BAD("generate: a context of %u, a vocabulary of %u", g->context, g->vocabulary);
	if ((st = check_variants(c, &rows, &scored)) ||
	    (st = check_tensor(c, "tokens", g->tokens, EDGE_TENSOR_INPUT, EDGE_I32, rows, 0)) ||
	    (st = check_tensor(c, "state", g->state, EDGE_TENSOR_INPUT, EDGE_I32, 4, 0)) ||
	    (st = check_tensor(c, "wanted", g->wanted, EDGE_TENSOR_INPUT, EDGE_I32, scored, 0)) ||
	    (st = check_tensor(c, "logits", g->logits, EDGE_TENSOR_OUTPUT, EDGE_F32, scored, g->vocabulary)))
		return st;
	return EDGE_OK;
}
