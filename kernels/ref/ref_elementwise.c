/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_elementwise.c - elementwise operations on tensors with broadcasting, and
 * the epilogue programs that are made of them.
 *
 * An element in flight is a struct element: a double when its dtype is a float,
 * else an int64, so that neither loses digits. After each step it is rounded to
 * the step's dtype, as if it had been stored.
 */
#include "config.h"

#include "ref/ref_internal.h"

#include <stdlib.h>

struct element {
	enum dtype dtype;
	double f;
	int64_t i;
};

static struct element element_load(const struct ref_tensor *t, int64_t at)
{
	struct element e = { t->dtype, 0, 0 };

	if (dtype_is_float(t->dtype))
		e.f = ref_get(t, at);
	else
		e.i = ref_get_int(t, at);
	return e;
}

static void element_store(struct ref_tensor *t, int64_t at, struct element e)
{
	if (dtype_is_float(e.dtype))
		ref_set(t, at, e.f);
	else
		ref_set_int(t, at, e.i);
}

/* As if stored with dtype t and loaded again. */
static struct element element_as(struct element e, enum dtype t)
{
	uint64_t bytes = 0;
	struct ref_tensor one = { t, { 0, { 0 } }, &bytes };

	element_store(&one, 0, e);
	return element_load(&one, 0);
}

static bool apply_where(const struct element *x, enum dtype out, struct element *r)
{
	bool c = dtype_is_float(x[0].dtype) ? x[0].f != 0 : x[0].i != 0;

	*r = element_as(x[c ? 1 : 2], out);
	return true;
}

/* One operation on one element. */
static bool apply(enum op op, const struct attr *attr, uint32_t attr_count, const struct element *x,
		  enum dtype out, struct element *r)
{
	struct element e = x[0];
	bool is_float = dtype_is_float(x[0].dtype) || (op_class(op) == OP_BINARY && dtype_is_float(x[1].dtype));
	/* mathematics on integers (sqrt of i64): in double */
	bool fell_back = false;

	if (op == OP_where)
		return apply_where(x, out, r);
	if (op_class(op) == OP_UNARY) {
		if (!is_float && !ref_unary_int(op, attr, attr_count, e.i, &e.i))
			fell_back = true;
		if (fell_back)
			e.f = (double)e.i;
		if ((is_float || fell_back) && !ref_unary(op, attr, attr_count, e.f, &e.f))
			return false;
	} else if (op_class(op) == OP_BINARY) {
		struct element a = x[0], b = x[1];

		if (is_float) {
			a = element_as(a, dtype_is_float(a.dtype) ? a.dtype : DTYPE_F64);
			b = element_as(b, dtype_is_float(b.dtype) ? b.dtype : DTYPE_F64);
			if (!ref_binary(op, a.f, b.f, &e.f))
				return false;
		} else if (!ref_binary_int(op, a.i, b.i, &e.i)) {
			return false;
		}
	} else {
		return false;
	}
	e.dtype = is_float || fell_back ? DTYPE_F64 : DTYPE_I64;
	*r = element_as(e, out);
	return true;
}

static uint32_t operand_count(enum op op)
{
	switch (op_class(op)) {
	case OP_UNARY:
		return 1;
	case OP_BINARY:
		return 2;
	case OP_TERNARY:
		return 3;
	default:
		return 0;
	}
}

bool ref_elementwise(const struct ref_call *c)
{
	struct ref_tensor *out = &c->out[0];
	uint32_t count = operand_count(c->op);
	int64_t stride[3][MAX_RANK], index[MAX_RANK] = { 0 }, at = 0;

	if (c->in_count != count)
		return false;
	for (uint32_t k = 0; k < count; k++)
		if (!ref_in(c, k) || !ref_broadcast_strides(&c->in[k].shape, &out->shape, stride[k]))
			return false;
	if (shape_elements(&out->shape) == 0)
		return true;
	do {
		struct element x[3], r;

		for (uint32_t k = 0; k < count; k++)
			x[k] = element_load(&c->in[k], ref_offset(index, stride[k], out->shape.rank));
		if (!apply(c->op, c->attr, c->attr_count, x, out->dtype, &r))
			return false;
		element_store(out, at++, r);
	} while (ref_next(&out->shape, index));
	return true;
}

/* How each epilogue input is read at the output's index. */
static bool epilogue_views(const struct node *n, const struct ref_tensor *in, uint32_t in_count,
			   const struct shape *out, struct view *view)
{
	for (uint32_t k = n->epilogue_first_input; k < in_count; k++) {
		uint32_t e = k - n->epilogue_first_input;

		if (n->view && n->view[e]) {
			view[e] = *n->view[e];
			continue;
		}
		view[e].offset = 0;
		if (!in[k].data || !ref_broadcast_strides(&in[k].shape, out, view[e].stride))
			return false;
	}
	return true;
}

static bool epilogue_run(const struct node *n, const struct ref_tensor *in, uint32_t in_count,
			 const struct view *view, const int64_t *index, uint32_t rank, struct element *reg)
{
	for (uint32_t s = 0; s < n->epilogue_count; s++) {
		const struct epilogue_step *step = &n->epilogue[s];
		struct element x[3];

		for (uint32_t k = 0; k < operand_count(step->op); k++) {
			const struct epilogue_operand *o = &step->in[k];
			uint32_t i = n->epilogue_first_input + o->index;

			if (o->is_input ? i >= in_count : o->index > s)
				return false;
			x[k] = o->is_input ? element_load(&in[i], view[o->index].offset
							  + ref_offset(index, view[o->index].stride, rank))
					   : reg[o->index];
		}
		if (!apply(step->op, step->attr, step->attr_count, x, step->dtype, &reg[s + 1]))
			return false;
	}
	return true;
}

bool ref_epilogue(const struct node *n, const struct ref_tensor *result, const struct ref_tensor *in,
		  uint32_t in_count, struct ref_tensor *out)
{
	struct element *reg = calloc(n->epilogue_count + 1, sizeof(*reg));
	struct view *view = calloc(in_count + 1, sizeof(*view));
	int64_t index[MAX_RANK] = { 0 }, at = 0;
	bool ok = reg && view && (n->epilogue_count || result->data);

	if (n->epilogue_count)
		ok = ok && epilogue_views(n, in, in_count, &out->shape, view);
	if (ok && shape_elements(&out->shape) > 0) {
		do {
			if (result->data)
				reg[0] = element_load(result, at);
			ok = epilogue_run(n, in, in_count, view, index, out->shape.rank, reg);
			if (ok)
				element_store(out, at++, reg[n->epilogue_count]);
		} while (ok && ref_next(&out->shape, index));
	}
	free(view);
	free(reg);
	return ok;
}

bool ref_node(const struct node *n, const struct ref_tensor *in, uint32_t in_count, struct ref_tensor *out,
	      uint32_t out_count)
{
	struct ref_tensor result = { 0 }, *outs = NULL;
	uint32_t own = n->epilogue_count ? n->epilogue_first_input : in_count;
	bool ok = false;

	if (n->op == OP_map)
		return out_count == 1 && ref_epilogue(n, &result, in, in_count, &out[0]);
	if (!n->epilogue_count)
		return ref_eval(n->op, n->attr, n->attr_count, in, in_count, out, out_count);
	result = out[0];
	result.dtype = n->op == OP_arg_max || n->op == OP_arg_min ? DTYPE_I64 : in[0].dtype;
	result.data = calloc((size_t)shape_elements(&result.shape) + 1, dtype_size(result.dtype));
	outs = calloc(out_count, sizeof(*outs));
	if (result.data && outs) {
		for (uint32_t i = 0; i < out_count; i++)
			outs[i] = i ? out[i] : result;
		ok = ref_eval(n->op, n->attr, n->attr_count, in, own, outs, out_count)
		     && ref_epilogue(n, &result, in, in_count, &out[0]);
	}
	free(outs);
	free(result.data);
	return ok;
}
