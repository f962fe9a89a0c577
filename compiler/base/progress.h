/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - how far a long stage is, on stderr.
 *
 * On a terminal a bar that is redrawn and, at the end, wiped away; elsewhere a
 * line for each quarter, and none at all for what is over within a second.
 */
#ifndef EDGE_BASE_PROGRESS_H
#define EDGE_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;
	uint64_t total, done;
	bool terminal;
	unsigned quarters; /* said */
	double started, drawn; /* seconds */
};

void progress_begin(struct progress *p, const char *what, uint64_t total);
void progress_step(struct progress *p, uint64_t done);
void progress_end(struct progress *p);

#endif
