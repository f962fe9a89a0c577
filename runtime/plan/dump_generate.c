/* SPDX-License-Identifier: Apache-2.0 */
/* dump_generate.c - the records of a plan that generates text. */
#include "config.h"

#include "plan/dump.h"

#include <inttypes.h>

void dump_generate(FILE *out, const struct edge_plan *p)
{
	const struct edge_generate *g = p->generate;
	const struct edge_tokenizer *t = p->tokenizer;

	if (!g)
		return;
	fprintf(out, "generate context %" PRIu32 " vocabulary %" PRIu32 " layers %" PRIu32 " tokens %" PRIu32 " state %" PRIu32
		" wanted %" PRIu32 " logits %" PRIu32 "\n", g->context, g->vocabulary, g->layers, g->tokens, g->state,
		g->wanted, g->logits);
	for (uint32_t i = 0; i < p->variant_count; i++)
		fprintf(out, "variant %" PRIu32 " rows %" PRIu32 " scored %" PRIu32 "\n", i, p->variants[i].rows,
			p->variants[i].scored);
	for (uint32_t i = 0; i < p->step_variant_count; i++)
		fprintf(out, "step %" PRIu32 " of variants %#" PRIx32 "\n", i, p->step_variants[i]);
	fprintf(out, "tokenizer %s pattern %" PRIu32 " flags %#" PRIx32 " tokens %" PRIu32 " merges %" PRIu32 " specials %" PRIu32
		" bos %" PRId32 " eos %" PRId32 " unknown %" PRId32 " text %" PRIu32 " bytes\n",
		t->kind == EDGE_TOKENIZER_SPM ? "spm" : "bpe", t->pattern, t->flags, t->tokens, t->merges, t->specials, t->bos,
		t->eos, t->unknown, t->text_bytes);
}
