/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast.h - the nodes that networks spend their time in, in single precision.
 *
 * Not as fast as the kernels, but some hundred times faster than the
 * references, and the same on every machine that runs the compiler.
 */
#ifndef EDGE_QUANT_FAST_H
#define EDGE_QUANT_FAST_H

#include "quant/matrix.h"

#include "ref/ref.h"

/* A product or a convolution with constant weights, prepared once. */
struct fast_product {
	const struct node *n;
	float *weights; /* [group][k][outputs of a group, padded to 8] */
	int64_t k, outputs, padded, groups, rows; /* outputs: of a group; rows: pixels */
	double alpha;
	/* convolutions */
	uint32_t dims;
	int64_t channels, in[3], out[3], kernel[3], stride[3], dilation[3], begin[3];
};

/* False: not one of those, or its weights could not be read (said). */
bool fast_prepare(struct arena *a, const struct graph *g, const struct quant_matrix *m, const struct node *n,
		  struct fast_product *f, struct diag *d);
void fast_release(struct fast_product *f);
/* Row `row` (of group) as it is multiplied with the weights: k floats; at may be where it lies, or `room`. */
const float *fast_row(const struct fast_product *f, const float *x, int64_t row, int64_t group, float *room);
void fast_run(const struct fast_product *f, const float *x, float *out);

/* The epilogue of a node where it is simple; result NULL for OP_map. False: nothing was done. */
bool fast_epilogue(const struct node *n, const float *result, const struct ref_tensor *in, struct ref_tensor *out);

#endif
