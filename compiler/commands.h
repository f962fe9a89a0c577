/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - what edgec does; each command returns the exit status. */
#ifndef EDGE_COMMANDS_H
#define EDGE_COMMANDS_H

#include "options.h"
#include "target/target.h"

int command_run(struct arena *a, struct diag *d, const struct options *o);

/* compile.c: all stages; with `check` it stops before the schedule and prints nothing. */
int command_compile(struct arena *a, struct diag *d, const struct options *o);

/* tune/tune.c */
int command_tune(struct arena *a, struct diag *d, const struct options *o);

/* What a search has to know before it compiles anything. */
struct front {
	const struct decl_plan *plan;
	bool named;               /* the file has plans, so that one has to be named */
	struct target target;     /* as declared */
	const struct graph *graph; /* of the model, after the passes */
	const char *identity;     /* of the model: tune/lock.h */
};
bool compile_front(struct arena *a, struct diag *d, const struct options *o, struct project *p, uint32_t model,
		   struct front *out);

#endif
