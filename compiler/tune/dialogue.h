/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialogue.h - a language model as a proposer, and its transcript played back.
 *
 * Each round sends two blocks: what never changes (device, model, space) and
 * what does (the best so far, the history, what was wrong with the last
 * reply), and takes up to four proposals. A reply that cannot be used is sent
 * back with the reason, twice at most; then tpe proposes for this round. When
 * the endpoint does not answer at all, tpe takes over for good and it is said.
 *
 * The transcript holds each exchange as a line of JSON. replay gives the
 * replies of a transcript in their order and needs no network.
 */
#ifndef EDGE_TUNE_DIALOGUE_H
#define EDGE_TUNE_DIALOGUE_H

#include "tune/problem.h"
#include "tune/search.h"

struct dialogue_setup {
	struct search_setup search;
	const struct problem *problem; /* NULL: only the space is described */
	const char *endpoint;   /* "http://127.0.0.1:8080/v1" */
	const char *model;      /* as the server calls it; NULL: "default" */
	const char *transcript; /* to write, or to read */
	bool replay;
	bool quiet;             /* nothing on stderr */
};

/* NULL: said why. */
struct search *search_dialogue(const struct dialogue_setup *s, struct diag *d);

#endif
