/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - FILE.tune.jsonl: every trial, written as it ends.
 *
 * The first line says what is searched; each line after it is a trial. Lines
 * are only appended, and one write makes one line, so a kill loses the running
 * trials alone; a line that was cut is dropped when the search goes on.
 */
#ifndef EDGE_TUNE_RECORD_H
#define EDGE_TUNE_RECORD_H

#include "tune/search.h"

struct trial {
	uint32_t number;
	double *x;
	struct outcome o;
	double seconds;
	const char *by; /* what proposed it */
};

struct record_header {
	const char *model, *identity, *device, *search, *goal, *quality;
	uint64_t seed, space;
	double loss;
	double reference_ms, reference_bytes, reference_peak, reference_quality;
};

struct record {
	int fd;
	const char *path;
	VEC(struct trial) trials;
};

/*
 * Opens path for the search. resume: what it holds is kept and read, unless it
 * belongs to another search, which is an error; else it starts anew. False: said why.
 */
bool record_open(struct arena *a, struct diag *d, const char *path, const struct record_header *h,
		 const struct space *s, bool resume, struct record *out);
bool record_add(struct diag *d, struct record *r, const struct space *s, const struct trial *t);
void record_close(struct record *r);

#endif
