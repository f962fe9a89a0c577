/* SPDX-License-Identifier: Apache-2.0 */
/* problem.h - the search space that a tune block means for a model and a device. */
#ifndef EDGE_TUNE_PROBLEM_H
#define EDGE_TUNE_PROBLEM_H

#include "dsl.h"
#include "tune/space.h"
#include "tune/tensors.h"

struct problem {
	const struct decl_tune *tune;
	const struct graph *graph; /* after the passes */
	const struct target *target;
	struct tensors tensors;
	struct product_shapes products;
	struct space space;
};

/* False: said what the block lacks. */
bool problem_make(struct arena *a, struct diag *d, const struct decl_tune *t, const struct graph *g,
		  const struct target *target, struct problem *out);
/* What a configuration means for edgec compile; "auto" is left out. */
struct knob_values problem_knobs(const struct problem *p, const double *x);
/* For people and language models: what is tuned, on what. */
void problem_describe(const struct problem *p, struct strbuf *out);

#endif
