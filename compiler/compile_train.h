/* SPDX-License-Identifier: Apache-2.0 */
/* compile_train.h - the stages of a plan that trains a scene. */
#ifndef EDGE_COMPILE_TRAIN_H
#define EDGE_COMPILE_TRAIN_H

#include "options.h"
#include "target/target.h"

struct train_compilation {
	struct arena *arena;
	struct diag *diag;
	const struct options *opt;
	const struct project *project;
	const struct decl_plan *plan;
	const struct target *target;
	double started; /* ms, on the monotonic clock */
	void (*stage_done)(void *context, const char *name);
	void *context;
};

/* scene -> timeline -> file. The exit status. */
int compile_train(const struct train_compilation *c);

#endif
