/* SPDX-License-Identifier: Apache-2.0 */
/* language.c - sweeps: the smallest variant that takes the tokens, and its logits. */
#include "config.h"

#include "text/language.h"

#include "base/memory.h"
#include "exec/session.h"

#include <string.h>

enum edge_status language_open(struct edgert_session *s, struct language *l, struct failure *f)
{
	const struct edge_plan *p = edgert_plan(s);
	const struct edge_generate *g = p->generate;
	enum edge_status st;

	*l = (struct language){ .session = s, .plan = p };
	if (!g)
		return rt_fail(f, EDGE_ARGUMENT, "plan \"%s\" does not generate text", s->file.path);
	l->context = g->context;
	l->vocabulary = g->vocabulary;
	l->batch = (uint32_t)p->tensors[g->tokens].dim[0];
	l->scored = (uint32_t)p->tensors[g->wanted].dim[0];
	tokenizer_open(p, &l->tokenizer);
	l->tokens = rt_alloc(l->batch, sizeof *l->tokens);
	l->wanted = rt_alloc(l->scored, sizeof *l->wanted);
	l->logits = rt_alloc((size_t)l->scored * l->vocabulary, sizeof *l->logits);
	if (!l->tokens || !l->wanted || !l->logits)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	if ((st = edgert_set_input(s, (int)g->tokens, l->tokens, l->batch * sizeof *l->tokens)) != EDGE_OK ||
	    (st = edgert_set_input(s, (int)g->wanted, l->wanted, l->scored * sizeof *l->wanted)) != EDGE_OK ||
	    (st = edgert_set_input(s, (int)g->state, l->state, sizeof l->state)) != EDGE_OK)
		return rt_fail(f, st, "%s", edgert_last_error(s));
	return EDGE_OK;
}

void language_close(struct language *l)
{
	rt_free(l->tokens);
	rt_free(l->wanted);
	rt_free(l->logits);
}

void language_rewind(struct language *l, uint32_t position)
{
	if (position < l->position)
		l->position = position;
}

/* The variant with the least work that takes so many tokens and scores so many. */
static uint32_t choose(const struct edge_plan *p, uint32_t count, uint32_t scored)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < p->variant_count; i++) {
		const struct edge_variant *v = &p->variants[i], *b = best == UINT32_MAX ? NULL : &p->variants[best];

		if (v->rows < count || v->scored < scored)
			continue;
		if (!b || v->rows < b->rows || (v->rows == b->rows && v->scored < b->scored))
			best = i;
	}
	return best;
}

/* The last `scored` of the tokens get logits. */
static enum edge_status sweep(struct language *l, const int32_t *token, uint32_t count, uint32_t scored, struct failure *f)
{
	const struct edge_generate *g = l->plan->generate;
	uint32_t variant = choose(l->plan, count, scored);
	enum edge_status st;

	if (count > l->context - l->position)
		return rt_fail(f, EDGE_ARGUMENT, "a context of %u tokens is full", l->context);
	if (variant == UINT32_MAX)
		return rt_fail(f, EDGE_ARGUMENT, "a sweep of %u tokens, %u scored, is too large for the plan", count, scored);
	memset(l->tokens, 0, l->batch * sizeof *l->tokens);
	memcpy(l->tokens, token, count * sizeof *token);
	memset(l->wanted, 0, l->scored * sizeof *l->wanted);
	for (uint32_t i = 0; i < scored; i++)
		l->wanted[i] = (int32_t)(count - scored + i);
	l->state[0] = (int32_t)l->position;
	l->state[1] = (int32_t)count;
	l->session->variant = variant;
	if ((st = edgert_run(l->session)) != EDGE_OK ||
	    (st = session_read_tensor(l->session, g->logits, l->logits, (uint64_t)scored * l->vocabulary * sizeof(float))) !=
		    EDGE_OK)
		return rt_fail(f, st, "%s", edgert_last_error(l->session));
	l->position += count;
	l->sweeps++;
	return EDGE_OK;
}

enum edge_status language_feed(struct language *l, const int32_t *token, uint64_t count, struct failure *f)
{
	enum edge_status st = EDGE_OK;

	if (count > l->context - l->position)
		return rt_fail(f, EDGE_ARGUMENT, "%llu tokens do not fit into what is left of a context of %u (%u)",
			       (unsigned long long)count, l->context, l->context - l->position);
	for (uint64_t at = 0; at < count && st == EDGE_OK;) {
		uint32_t n = count - at < l->batch ? (uint32_t)(count - at) : l->batch;

		st = sweep(l, token + at, n, 1, f);
		at += n;
	}
	return st;
}

enum edge_status language_score(struct language *l, const int32_t *token, uint32_t count, struct failure *f)
{
	return sweep(l, token, count, count, f);
}
