/* SPDX-License-Identifier: Apache-2.0 */
/* generate.h - a language model as variants of one program. */
#ifndef EDGE_GENERATE_H
#define EDGE_GENERATE_H

#include "import/import.h"
#include "sched/schedule.h"

enum { MAX_VARIANTS = 8 };

struct variants {
	struct gguf *file;
	const struct decl_model *model;
	struct language_model language;
	struct language_options options;
	bool any_cache; /* the file does not say how keys and values are stored */
	uint32_t count;
	int64_t rows[MAX_VARIANTS], scored[MAX_VARIANTS];
	struct sched_generate generate;
};

/* Opens the model. False: said why. */
bool variants_open(struct arena *a, struct diag *d, const struct decl_model *m, struct variants *v);
/* Fills count, rows and scored for sweeps of at most `batch` tokens. */
void variants_choose(struct variants *v, int64_t batch);
/* Whether a cache in f32 is too small to matter. */
bool variants_small_cache(const struct variants *v);
/* The graph of variant i; NULL: said why. */
struct graph *variants_graph(struct variants *v, uint32_t i);
/* Constants get the sources that those of another variant have. */
void variants_share(struct graph *g, const struct graph *from);

#endif
