/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h - from what a model answers to configurations, one step of doubt at a time. */
#ifndef EDGE_TUNE_REPLY_H
#define EDGE_TUNE_REPLY_H

#include "tune/space.h"

enum { REPLY_PROPOSALS = 4 };

struct reply {
	bool truncated, stop;
	double tokens;        /* used by the exchange; 0: not said */
	const char *error;    /* why nothing can be used; NULL: something can */
	uint32_t count;
	double *config[REPLY_PROPOSALS]; /* canonical, constraints hold */
	uint32_t unknown, snapped, rejected;
	struct strbuf notes;  /* what was corrected, for the next prompt */
};

/* body: of the HTTP reply. best: gives the knobs that are left out. notes is to be freed. */
void reply_read(struct arena *a, const struct space *s, const double *best, const char *body, size_t len, struct reply *out);
/* The message in an error's body, whatever its dialect; never NULL. */
const char *reply_error(struct arena *a, const char *body, size_t len);

#endif
