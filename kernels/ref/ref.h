/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref.h - what every operation of ir/ops.def means, in plain C.
 *
 * Written for clarity only: kernels are tested against it and constants are
 * folded with it. Floats are computed in double and rounded once to the
 * output's dtype; integers are exact and wrap around in their own width.
 *
 *	struct ref_tensor in[2] = { { DTYPE_F32, shape, a }, { DTYPE_F32, shape, b } };
 *	struct ref_tensor out = { DTYPE_F32, shape, sum };
 *	ref_eval(OP_add, NULL, 0, in, 2, &out, 1);
 */
#ifndef EDGE_KERNELS_REF_H
#define EDGE_KERNELS_REF_H

#include "ir/graph.h"

struct ref_tensor {
	enum dtype dtype;
	struct shape shape;
	void *data; /* dense row-major; NULL: an optional tensor left out */
};

/*
 * Computes one operation. Shapes and dtypes of the outputs are those that
 * infer_node() gives; their memory is the caller's. An output with data NULL
 * is not wanted. False: this combination is not implemented, or the arguments
 * do not fit each other; the outputs are then undefined.
 */
bool ref_eval(enum op op, const struct attr *attr, uint32_t attr_count, const struct ref_tensor *in,
	      uint32_t in_count, struct ref_tensor *out, uint32_t out_count);

/*
 * Applies the epilogue of a node to `result` (what its operation gave; data
 * NULL for OP_map) and writes `out`. `in` are all inputs of the node, as
 * node->in; those from epilogue_first_input on are read with broadcasting or
 * through node->view. result->data and out->data may be the same when both
 * have the same dtype. A node without epilogue: copies.
 */
bool ref_epilogue(const struct node *n, const struct ref_tensor *result, const struct ref_tensor *in,
		  uint32_t in_count, struct ref_tensor *out);

/* A whole node: its operation, then its epilogue on output 0. */
bool ref_node(const struct node *n, const struct ref_tensor *in, uint32_t in_count, struct ref_tensor *out,
	      uint32_t out_count);

/* Elementwise operations on one element of a float dtype. */
bool ref_unary(enum op op, const struct attr *attr, uint32_t attr_count, double x, double *out);
bool ref_binary(enum op op, double x, double y, double *out);
/* On integers of any width and bool; the result is to be wrapped to its dtype. */
bool ref_unary_int(enum op op, const struct attr *attr, uint32_t attr_count, int64_t x, int64_t *out);
bool ref_binary_int(enum op op, int64_t x, int64_t y, int64_t *out);

/* One element as double or as int64 (exact for integers), whatever the dtype. */
double ref_get(const struct ref_tensor *t, int64_t i);
int64_t ref_get_int(const struct ref_tensor *t, int64_t i); /* floats truncate and saturate */
void ref_set(struct ref_tensor *t, int64_t i, double x);    /* integers truncate, saturate, then wrap */
void ref_set_int(struct ref_tensor *t, int64_t i, int64_t x);

/* An activation of lstm and gru (enum rnn_activation). */
double ref_rnn_activation(enum rnn_activation f, double alpha, double beta, double x);

#endif
