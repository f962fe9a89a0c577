/* SPDX-License-Identifier: Apache-2.0 */
/* npy_array.h - a NumPy .npy file as an array of floats. */
#ifndef EDGE_BASE_NPY_ARRAY_H
#define EDGE_BASE_NPY_ARRAY_H

#include "base/arena.h"
#include "base/diag.h"

enum { NPY_MAX_RANK = 8 };

struct npy_array {
	uint32_t rank;
	int64_t dim[NPY_MAX_RANK];
	uint64_t elements;
	const float *data; /* in the arena */
};

/* Any float or integer type, C order, little-endian. False: said why, at span. */
bool npy_array_read(struct arena *a, struct diag *d, struct span at, const char *path, struct npy_array *out);

#endif
