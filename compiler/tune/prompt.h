/* SPDX-License-Identifier: Apache-2.0 */
/* prompt.h - what a language model is told, and the form of its reply. */
#ifndef EDGE_TUNE_PROMPT_H
#define EDGE_TUNE_PROMPT_H

#include "tune/problem.h"
#include "tune/search.h"

struct past {
	const double *x;
	struct outcome o;
	uint32_t number;
};

/* The rules of the game. */
const char *prompt_system(void);
/* Once for a search: the device, the model, the goal, advice, every knob. problem may be NULL. */
void prompt_static(const struct space *s, const struct problem *p, struct strbuf *out);
/* Each round: what is left, the best, the history with the best last, what was wrong. */
void prompt_dynamic(const struct space *s, const struct past *past, uint32_t count, uint32_t left, const char *notes,
		    struct strbuf *out);
/* The JSON schema of a reply. */
void prompt_schema(const struct space *s, struct strbuf *out);

#endif
