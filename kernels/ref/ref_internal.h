/* SPDX-License-Identifier: Apache-2.0 */
/* ref_internal.h - what the files of the reference share: attributes and index arithmetic. */
#ifndef EDGE_KERNELS_REF_INTERNAL_H
#define EDGE_KERNELS_REF_INTERNAL_H

#include "ref/ref.h"

/* One call of ref_eval(). */
struct ref_call {
	enum op op;
	const struct attr *attr;
	uint32_t attr_count;
	const struct ref_tensor *in;
	uint32_t in_count;
	struct ref_tensor *out;
	uint32_t out_count;
};

const struct attr *ref_attr(const struct ref_call *c, enum attr_key k); /* NULL: absent */
int64_t ref_int(const struct ref_call *c, enum attr_key k, int64_t absent);
double ref_float(const struct ref_call *c, enum attr_key k, double absent);
/* A list of at least `count` integers, or NULL. */
const int64_t *ref_ints(const struct ref_call *c, enum attr_key k, uint32_t count);
const double *ref_floats(const struct ref_call *c, enum attr_key k, uint32_t count);
/* Input i, or NULL when it is left out. */
const struct ref_tensor *ref_in(const struct ref_call *c, uint32_t i);
/* An axis counted from the start; false when it is none of `rank`. */
bool ref_axis(int64_t axis, uint32_t rank, uint32_t *out);

/* Row-major strides in elements; returns the number of elements. */
int64_t ref_strides(const struct shape *s, int64_t stride[MAX_RANK]);
/* Strides with which `s` is read at an index of `full` under broadcasting; false: it cannot be. */
bool ref_broadcast_strides(const struct shape *s, const struct shape *full, int64_t stride[MAX_RANK]);
/* The next index in row-major order; false after the last one. */
bool ref_next(const struct shape *s, int64_t index[MAX_RANK]);
int64_t ref_offset(const int64_t index[MAX_RANK], const int64_t stride[MAX_RANK], uint32_t rank);
/* Product of dim[from..to). */
int64_t ref_product(const struct shape *s, uint32_t from, uint32_t to);
/* Moves one element without changing it; dtypes are equal. */
void ref_copy(struct ref_tensor *to, int64_t i, const struct ref_tensor *from, int64_t j);

bool ref_elementwise(const struct ref_call *c); /* ref_elementwise.c */
bool ref_move(const struct ref_call *c);        /* ref_move.c */
bool ref_scatter(const struct ref_call *c);     /* ref_scatter.c */
bool ref_top_k(const struct ref_call *c);
bool ref_resize(const struct ref_call *c);      /* ref_resize.c */
bool ref_matmul(const struct ref_call *c);      /* ref_matmul.c */
bool ref_attention(const struct ref_call *c);
bool ref_conv(const struct ref_call *c);        /* ref_conv.c */
bool ref_conv_transpose(const struct ref_call *c);
bool ref_pool(const struct ref_call *c);
bool ref_reduce(const struct ref_call *c);      /* ref_reduce.c */
bool ref_arg(const struct ref_call *c);
bool ref_softmax(const struct ref_call *c);     /* ref_norm.c */
bool ref_norm(const struct ref_call *c);
bool ref_group_norm(const struct ref_call *c);
bool ref_mix_norm(const struct ref_call *c);
bool ref_lstm(const struct ref_call *c);        /* ref_rnn.c */
bool ref_gru(const struct ref_call *c);
bool ref_quantize_rows(const struct ref_call *c); /* ref_rows.c */
bool ref_quantize_image(const struct ref_call *c); /* ref_image.c */
bool ref_conv_image(const struct ref_call *c);
bool ref_matmul_rows(const struct ref_call *c);

#endif
