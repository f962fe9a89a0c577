/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref.c - from an operation to the function that computes it, and the index
 * arithmetic that these functions share.
 */
#include "config.h"

#include "ref/ref_internal.h"

#include <string.h>

const struct attr *ref_attr(const struct ref_call *c, enum attr_key k)
{
	for (uint32_t i = 0; i < c->attr_count; i++)
		if (c->attr[i].key == k)
			return &c->attr[i];
	return NULL;
}

int64_t ref_int(const struct ref_call *c, enum attr_key k, int64_t absent)
{
	const struct attr *a = ref_attr(c, k);

	return a && a->kind == ATTR_INT ? a->i : absent;
}

double ref_float(const struct ref_call *c, enum attr_key k, double absent)
{
	const struct attr *a = ref_attr(c, k);

	if (!a)
		return absent;
	return a->kind == ATTR_INT ? (double)a->i : a->f;
}

const int64_t *ref_ints(const struct ref_call *c, enum attr_key k, uint32_t count)
{
	const struct attr *a = ref_attr(c, k);

	return a && a->kind == ATTR_INTS && a->count >= count ? a->ints : NULL;
}

const double *ref_floats(const struct ref_call *c, enum attr_key k, uint32_t count)
{
	const struct attr *a = ref_attr(c, k);

	return a && a->kind == ATTR_FLOATS && a->count >= count ? a->floats : NULL;
}

const struct ref_tensor *ref_in(const struct ref_call *c, uint32_t i)
{
	return i < c->in_count && c->in[i].data ? &c->in[i] : NULL;
}

bool ref_axis(int64_t axis, uint32_t rank, uint32_t *out)
{
	if (axis < 0)
		axis += rank;
	if (axis < 0 || axis >= rank)
		return false;
	*out = (uint32_t)axis;
	return true;
}

int64_t ref_strides(const struct shape *s, int64_t stride[MAX_RANK])
{
	int64_t n = 1;

	for (uint32_t i = s->rank; i-- > 0;) {
		stride[i] = n;
		n *= s->dim[i];
	}
	return n;
}

bool ref_broadcast_strides(const struct shape *s, const struct shape *full, int64_t stride[MAX_RANK])
{
	int64_t n = 1;
	uint32_t skip;

	if (s->rank > full->rank)
		return false;
	skip = full->rank - s->rank;
	for (uint32_t i = 0; i < skip; i++)
		stride[i] = 0;
	for (uint32_t i = s->rank; i-- > 0;) {
		if (s->dim[i] != 1 && s->dim[i] != full->dim[skip + i])
			return false;
		stride[skip + i] = s->dim[i] == 1 ? 0 : n;
		n *= s->dim[i];
	}
	return true;
}

bool ref_next(const struct shape *s, int64_t index[MAX_RANK])
{
	for (uint32_t i = s->rank; i-- > 0;) {
		if (++index[i] < s->dim[i])
			return true;
		index[i] = 0;
	}
	return false;
}

int64_t ref_offset(const int64_t index[MAX_RANK], const int64_t stride[MAX_RANK], uint32_t rank)
{
	int64_t offset = 0;

	for (uint32_t i = 0; i < rank; i++)
		offset += index[i] * stride[i];
	return offset;
}

int64_t ref_product(const struct shape *s, uint32_t from, uint32_t to)
{
	int64_t n = 1;

	for (uint32_t i = from; i < to; i++)
		n *= s->dim[i];
	return n;
}

void ref_copy(struct ref_tensor *to, int64_t i, const struct ref_tensor *from, int64_t j)
{
	size_t size = dtype_size(to->dtype);

	memcpy((char *)to->data + (size_t)i * size, (const char *)from->data + (size_t)j * size, size);
}

static bool dispatch_reduce(const struct ref_call *c)
{
	switch (c->op) {
	case OP_max_pool:
	case OP_avg_pool:
		return ref_pool(c);
	case OP_arg_max:
	case OP_arg_min:
		return ref_arg(c);
	case OP_softmax:
	case OP_log_softmax:
		return ref_softmax(c);
	case OP_layer_norm:
	case OP_rms_norm:
		return ref_norm(c);
	case OP_group_norm:
		return ref_group_norm(c);
	case OP_mix_norm:
		return ref_mix_norm(c);
	default:
		return ref_reduce(c);
	}
}

static bool dispatch_heavy(const struct ref_call *c)
{
	switch (c->op) {
	case OP_matmul:
		return ref_matmul(c);
	case OP_conv:
		return ref_conv(c);
	case OP_conv_transpose:
		return ref_conv_transpose(c);
	case OP_attention:
		return ref_attention(c);
	case OP_lstm:
		return ref_lstm(c);
	case OP_gru:
		return ref_gru(c);
	default:
		return false;
	}
}

bool ref_eval(enum op op, const struct attr *attr, uint32_t attr_count, const struct ref_tensor *in,
	      uint32_t in_count, struct ref_tensor *out, uint32_t out_count)
{
	struct ref_call c = { op, attr, attr_count, in, in_count, out, out_count };

	if (!out_count || !in_count || !in[0].data || (!out[0].data && out_count == 1))
		return false;
	switch (op_class(op)) {
	case OP_UNARY:
	case OP_BINARY:
	case OP_TERNARY:
		return ref_elementwise(&c);
	case OP_VIEW:
		return op == OP_resize	? ref_resize(&c) :
		       op == OP_scatter ? ref_scatter(&c) :
		       op == OP_top_k	? ref_top_k(&c) :
					  ref_move(&c);
	case OP_REDUCE:
		return dispatch_reduce(&c);
	case OP_HEAVY:
		return dispatch_heavy(&c);
	case OP_OTHER:
		if (op == OP_quantize_image || op == OP_conv_image)
			return op == OP_conv_image ? ref_conv_image(&c) : ref_quantize_image(&c);
		return op == OP_quantize_rows ? ref_quantize_rows(&c) : op == OP_matmul_rows && ref_matmul_rows(&c);
	}
	return false;
}
