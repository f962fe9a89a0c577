/* SPDX-License-Identifier: Apache-2.0 */
/*
 * language.h - a session of a plan that generates: tokens go in, logits come out.
 *
 * The tokens that went in so far are the context; the plan's caches hold what
 * the model keeps of them. The session is the caller's.
 */
#ifndef EDGE_RT_LANGUAGE_H
#define EDGE_RT_LANGUAGE_H

#include "edge/edgert.h"
#include "text/tokenizer.h"

struct language {
	struct edgert_session *session;
	const struct edge_plan *plan;
	struct tokenizer tokenizer;
	uint32_t context, vocabulary, batch; /* batch: most tokens of a sweep */
	uint32_t scored;                     /* most rows with logits */
	uint32_t position;                   /* tokens so far */
	int32_t *tokens, *wanted, state[4];
	float *logits; /* scored * vocabulary */
	uint64_t sweeps;
};

/* The session's plan must be one that generates; else EDGE_ARGUMENT. */
enum edge_status language_open(struct edgert_session *s, struct language *l, struct failure *f);
void language_close(struct language *l);
/* Forgets all tokens from a position on. */
void language_rewind(struct language *l, uint32_t position);
/*
 * Tokens after those so far, at most what is left of the context. Then logits[0..vocabulary) are about what
 * follows the last of them. EDGE_ARGUMENT: there is no room.
 */
enum edge_status language_feed(struct language *l, const int32_t *token, uint64_t count, struct failure *f);
/* The same for at most `scored` tokens, with logits for each. */
enum edge_status language_score(struct language *l, const int32_t *token, uint32_t count, struct failure *f);

#endif
