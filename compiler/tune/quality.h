/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quality.h - how much a configuration spoils the model's answers.
 *
 * Samples are split in two: trials are judged on the first half, and the
 * winner must hold on the second, which no trial has seen. Everything is held
 * against the outputs of the float model, computed once.
 *
 *	accuracy     the part of the samples whose best class is the label;
 *	             loss = (reference - accuracy) / reference
 *	perplexity   loss = perplexity / reference - 1
 *	divergence   mean KL divergence where outputs are scores of classes, else
 *	             the root mean square error over that of the outputs; loss = itself
 */
#ifndef EDGE_TUNE_QUALITY_H
#define EDGE_TUNE_QUALITY_H

#include "base/npy_array.h"
#include "dsl.h"
#include "ir/graph.h"

enum { SPLIT_SEARCH, SPLIT_CHECK, SPLITS };

struct quality_output {
	const char *name; /* NAME.npy, as edgert writes it */
	const float *reference[SPLITS];
	uint64_t elements[SPLITS];
	uint32_t classes; /* of the last dimension; 0: no scores */
};

struct quality {
	enum decl_quality kind; /* NONE: outputs are only compared, on random inputs */
	double allowed;         /* loss */
	bool split;             /* there is a second half */
	struct knob_list { const char **data; uint32_t len, cap; } inputs[SPLITS]; /* "NAME=FILE.npy" */
	const char *text[SPLITS]; /* PERPLEXITY: files */
	const int32_t *label[SPLITS];
	uint64_t samples[SPLITS];
	VEC(struct quality_output) outputs;
	double reference[SPLITS]; /* the float model's accuracy or perplexity */
	double noise;             /* divergence of the heuristic: what rounding alone does */
};

struct quality_result {
	double value;      /* accuracy, perplexity or divergence */
	double loss;       /* as a fraction */
	double divergence; /* of the outputs, whatever is measured; NAN: no outputs */
	bool wrong;        /* not a number, or missing */
	const char *why;
};

/* Writes the halves of the samples into folder. False: said what is wrong with them. */
bool quality_prepare(struct arena *a, struct diag *d, const struct decl_tune *t, const struct graph *g,
		     const char *folder, struct quality *out);
/* What the float model gave in directory becomes the reference. False: said why. */
bool quality_reference(struct arena *a, struct diag *d, struct quality *q, int split, const char *directory,
		       double perplexity);
/* The outputs in directory (or a perplexity) against it. scratch is used and may be released. */
struct quality_result quality_judge(struct arena *scratch, const struct quality *q, int split, const char *directory,
				    double perplexity);

#endif
