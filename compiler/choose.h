/* SPDX-License-Identifier: Apache-2.0 */
/* choose.h - which plan of a file is compiled, and for what. */
#ifndef EDGE_CHOOSE_H
#define EDGE_CHOOSE_H

#include "options.h"
#include "target/target.h"

/* What a choice is made from. */
struct choice {
	struct arena *arena;
	struct diag *diag;
	const struct options *opt;
	const struct project *project;
};

/* The one that was named, or the only one. NULL: said why. */
const struct decl_plan *choose_plan(const struct choice *c);
/* The plan to measure a model in: the one that was named, else the first that runs it. NULL: said why. */
const struct decl_plan *choose_plan_of(const struct choice *c, uint32_t model);
/* The device that was named, else the plan's, else this machine. False: said why. */
bool choose_target(const struct choice *c, const struct decl_plan *plan, struct target *out);

#endif
