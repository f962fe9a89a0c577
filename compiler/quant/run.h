/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the float network over calibration inputs, and what its weights saw.
 *
 * Products and convolutions are computed in single precision in tiles, the
 * rest by the references; samples go side by side on some threads.
 */
#ifndef EDGE_QUANT_RUN_H
#define EDGE_QUANT_RUN_H

#include "quant/matrix.h"

/* What one tensor is multiplied with: mean of x x' over sampled rows of inputs. */
struct quant_seen {
	bool want, want_all; /* want_all: the Hessian, else the diagonal alone */
	double *sum;         /* row x row (upper triangle), or row */
	uint64_t count;
	float *hessian, *importance; /* after quant_run(): means; hessian NULL where not wanted */
};

/* One for each tensor. False: said why. */
bool quant_run(struct arena *a, const struct graph *g, const struct quant_config *c, const struct quant_matrix *tensors,
	       uint32_t count, struct quant_seen *seen, struct diag *d);

#endif
