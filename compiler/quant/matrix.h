/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matrix.h - the constants that can be quantised, seen as matrices.
 *
 * A row belongs to one output; in it the input channels lie innermost, then the
 * taps of a kernel from the last dimension to the first: the order in which
 * kernels read them.
 */
#ifndef EDGE_QUANT_MATRIX_H
#define EDGE_QUANT_MATRIX_H

#include "quant/quant.h"

struct quant_matrix {
	struct quant_tensor tensor;
	bool blocks;         /* kernels know it in few bits; else f32, f16 and bf16 only */
	struct shape source; /* first dim: rows */
	uint8_t perm[MAX_RANK]; /* of the source's dims, giving the value's */
};

/* Every weight of the graph, also those that only f16 and bf16 are for. */
struct quant_matrix *quant_matrices(struct arena *a, const struct graph *g, uint32_t *count);
/* The weights as rows; to be freed. NULL: said why. */
float *quant_matrix_read(const struct graph *g, const struct quant_matrix *m, struct diag *d);

#endif
