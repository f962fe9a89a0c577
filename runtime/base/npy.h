/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npy.h - tensors as NumPy .npy files.
 *
 * Read: format versions 1 to 3, little-endian, C order, of the types that a
 * plan knows (f4 f2 f8 i8 i4 i2 i1 u1 b1; V2 is taken as bf16). Written:
 * version 1. The file is untrusted: nothing in it leads outside of it.
 */
#ifndef EDGE_RT_NPY_H
#define EDGE_RT_NPY_H

#include "base/failure.h"

struct npy {
	uint32_t dtype; /* enum edge_dtype */
	uint32_t rank;
	int64_t dim[EDGE_PLAN_MAX_RANK];
	uint64_t offset, bytes; /* of the elements in the file */
};

/* Reads the header of a whole file in memory. name is for messages. */
enum edge_status npy_parse(const void *data, size_t size, const char *name, struct npy *out,
			   struct failure *f);

/* *data is the elements, to be freed with rt_free(). */
enum edge_status npy_load(const char *path, struct npy *out, void **data, struct failure *f);

/* Appears under its name only when complete. offset and bytes of t are not looked at. */
enum edge_status npy_save(const char *path, const struct npy *t, const void *data,
			  struct failure *f);

/* "f32[1,3,224,224]"; returns out. */
const char *npy_shape_text(uint32_t dtype, uint32_t rank, const int64_t *dim, char *out,
			   size_t size);

#endif
