/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_known.c - operators whose result is known as soon as they are read. */
#include "config.h"

#include "import/onnx_ops.h"

#include "ref/ref.h"

#include <math.h>
#include <string.h>

enum { ELEMENT_LIMIT = 1 << 24 };

static value_id floats(struct call *c, const float *list, size_t n, uint32_t rank)
{
	struct shape s = { .rank = rank, .dim = { (int64_t)n } };

	return graph_add_const_bytes(c->g, DTYPE_F32, s, list);
}

bool op_constant(struct call *c)
{
	const Onnx__AttributeProto *a;
	value_id v;

	if (c->node->n_attribute != 1 || !c->node->attribute[0]->name)
		return call_fail(c, "it needs exactly one value");
	a = call_attr(c, c->node->attribute[0]->name);
	if (strcmp(a->name, "value") == 0 && a->t)
		v = onnx_tensor(c->im, a->t, "constant");
	else if (strcmp(a->name, "value_float") == 0)
		v = floats(c, &a->f, 1, 0);
	else if (strcmp(a->name, "value_floats") == 0)
		v = floats(c, a->floats, a->n_floats, 1);
	else if (strcmp(a->name, "value_int") == 0)
		v = graph_add_const_bytes(c->g, DTYPE_I64, (struct shape){ 0 }, &a->i);
	else if (strcmp(a->name, "value_ints") == 0 && a->n_ints < UINT32_MAX)
		v = emit_ints(c, a->ints, (uint32_t)a->n_ints);
	else
		return call_fail(c, "a constant given as \"%s\" is not supported", a->name);
	if (v == NO_ID) {
		c->failed = true; /* onnx_tensor said why */
		return false;
	}
	call_out(c, 0, v);
	return true;
}

bool op_constant_of_shape(struct call *c)
{
	const Onnx__AttributeProto *a = call_attr(c, "value");
	struct shape s = { 0 };
	const int64_t *dims;
	value_id v;
	uint32_t n;

	dims = call_known_ints(c, 0, "shape", &n);
	if (!dims || n > MAX_RANK)
		return call_fail(c, "the shape is missing or too long");
	s.rank = n;
	for (uint32_t i = 0; i < n; i++) {
		s.dim[i] = dims[i];
		if (dims[i] < 0)
			return call_fail(c, "the shape has dimension %lld", (long long)dims[i]);
	}
	if (a && a->t) {
		v = onnx_tensor(c->im, a->t, "constant");
		if (v == NO_ID) {
			c->failed = true;
			return false;
		}
		if (shape_elements(&graph_value(c->g, v)->shape) != 1)
			return call_fail(c, "its value must be one number");
		v = emit_reshape(c, v, &(struct shape){ 0 });
	} else {
		v = emit_scalar(c, DTYPE_F32, 0);
	}
	call_out(c, 0, emit_expand(c, v, &s));
	return !c->failed;
}

static int64_t clamp_end(int64_t x, uint32_t rank)
{
	if (x < 0)
		x = x < -(int64_t)rank ? 0 : x + rank;
	return x > rank ? rank : x;
}

bool op_shape(struct call *c)
{
	struct shape s = shape_of(c, call_in(c, 0));
	int64_t start = clamp_end(call_int(c, "start", 0), s.rank);
	int64_t end = clamp_end(call_int(c, "end", s.rank), s.rank);

	if (call_in(c, 0) == NO_ID)
		return call_fail(c, "input 0 is missing");
	call_out(c, 0, emit_ints(c, s.dim + start, end > start ? (uint32_t)(end - start) : 0));
	return !c->failed;
}

bool op_size(struct call *c)
{
	struct shape s = shape_of(c, call_in(c, 0));
	int64_t n = shape_elements(&s);

	if (call_in(c, 0) == NO_ID)
		return call_fail(c, "input 0 is missing");
	call_out(c, 0, graph_add_const_bytes(c->g, DTYPE_I64, (struct shape){ 0 }, &n));
	return true;
}

bool op_range(struct call *c)
{
	static const char *const what[] = { "start", "limit", "delta" };
	enum dtype t = dtype_of(c, call_in(c, 0));
	struct ref_tensor out = { .dtype = t, .shape = { .rank = 1 } };
	double x[3], count;
	uint32_t n;

	call_attr(c, "stash_type");
	for (uint32_t i = 0; i < 3; i++) {
		const double *p = call_known_floats(c, i, what[i], &n);

		if (!p || n != 1)
			return call_fail(c, "its %s must be one number", what[i]);
		x[i] = *p;
	}
	count = x[2] != 0 ? ceil((x[1] - x[0]) / x[2]) : -1;
	if (!(count < ELEMENT_LIMIT) || x[2] == 0)
		return call_fail(c, "a range from %g to %g by %g is too long", x[0], x[1], x[2]);
	out.shape.dim[0] = count > 0 ? (int64_t)count : 0;
	out.data = arena_alloc(&c->im->scratch, (size_t)out.shape.dim[0] * dtype_size(t));
	for (int64_t i = 0; i < out.shape.dim[0]; i++)
		ref_set(&out, i, x[0] + (double)i * x[2]);
	call_out(c, 0, graph_add_const_bytes(c->g, t, out.shape, out.data));
	return true;
}

bool op_non_zero(struct call *c)
{
	value_id v = call_in(c, 0);
	struct shape s = shape_of(c, v), out = { .rank = 2 };
	struct ref_tensor x = { dtype_of(c, v), s, NULL };
	int64_t total = shape_elements(&s), count = 0, at = 0, *list;

	if (!is_known(c, v))
		return call_fail_computed(c, 0, "how many elements are not zero");
	x.data = (void *)(uintptr_t)known_data(c, v);
	if (!x.data || total > ELEMENT_LIMIT)
		return call_fail(c, "its input is too large");
	for (int64_t i = 0; i < total; i++)
		count += ref_get(&x, i) != 0;
	out.dim[0] = s.rank;
	out.dim[1] = count;
	list = arena_new_array(&c->im->scratch, int64_t, (size_t)(count * s.rank));
	for (int64_t i = 0; i < total; i++) {
		int64_t rest = i;

		if (ref_get(&x, i) == 0)
			continue;
		for (uint32_t k = s.rank; k-- > 0;) {
			list[k * count + at] = rest % s.dim[k];
			rest /= s.dim[k];
		}
		at++;
	}
	call_out(c, 0, graph_add_const_bytes(c->g, DTYPE_I64, out, list));
	return true;
}

bool op_eye_like(struct call *c)
{
	struct shape s = shape_of(c, call_in(c, 0));
	enum dtype t = dtype_of(c, call_in(c, 0));
	int64_t shift = call_int(c, "k", 0), number = call_int(c, "dtype", 0);
	struct ref_tensor out;

	if (number && !onnx_dtype(number, &t))
		return call_fail(c, "tensors of %s are not supported", onnx_dtype_name(number));
	if (s.rank != 2 || shape_elements(&s) > ELEMENT_LIMIT)
		return call_fail(c, "it needs a matrix, not %s", shape_string(&c->im->scratch, &s));
	out = (struct ref_tensor){
		t, s, arena_alloc(&c->im->scratch, (size_t)shape_elements(&s) * dtype_size(t))
	};
	for (int64_t i = 0; i < s.dim[0]; i++)
		for (int64_t j = 0; j < s.dim[1]; j++)
			ref_set(&out, i * s.dim[1] + j, j - i == shift);
	call_out(c, 0, graph_add_const_bytes(c->g, t, s, out.data));
	return true;
}
