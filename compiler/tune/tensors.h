/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensors.h - the weights of a network whose storage may be chosen, by class.
 *
 * first and last are the first and the last product in execution order, where
 * rounding hurts most; early are convolutions that use few weights at many
 * pixels, where few bits save little and cost most time; the others go by what
 * uses them.
 */
#ifndef EDGE_TUNE_TENSORS_H
#define EDGE_TUNE_TENSORS_H

#include "ir/graph.h"

enum tensor_class {
	TENSOR_FIRST, TENSOR_LAST, TENSOR_EMBEDDING, TENSOR_ATTENTION, TENSOR_FFN, TENSOR_EARLY, TENSOR_CONV, TENSOR_OTHER,
	TENSOR_CLASSES
};

struct tensor {
	value_id value;
	enum tensor_class class;
	const char *name;  /* by which quantize knows it (quant.h) */
	int64_t elements;
	uint64_t flops;    /* of the products that read it, 0: looked up */
};

struct tensors {
	struct tensor *data;
	uint32_t len, cap;
};

/* A heavy product with its size, rows x columns; equal shapes once. */
struct product_shape {
	int64_t rows, columns, depth;
	uint64_t flops; /* of all of that shape */
	uint32_t count;
};

struct product_shapes {
	struct product_shape *data;
	uint32_t len, cap;
};

const char *tensor_class_name(enum tensor_class c);
bool tensor_class_from_name(const char *name, enum tensor_class *out);
/* Of a graph after the passes, in execution order. */
struct tensors tensors_of(struct arena *a, const struct graph *g);
/* The products that tile.ROWSxCOLUMNS can tune, the most work first. */
struct product_shapes products_of(struct arena *a, const struct graph *g);

#endif
