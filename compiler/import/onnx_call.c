/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_call.c - what a conversion asks of its node and how it builds.
 *
 * Everything that is computable during import is computed as soon as it is
 * built (emit), so shape arithmetic (Shape, Gather, Concat, ...) never becomes
 * nodes, and conversions that must know a value simply find a constant.
 */
#include "config.h"

#include "import/onnx_import.h"

#include "ref/ref.h"

#include <string.h>

/* Constants that folding may make, and what it may read from files for them. */
enum { FOLD_LIMIT = 1 << 20, FOLD_FILE_LIMIT = 64 << 10, KNOWN_LIMIT = 1 << 26 };

bool call_fail(struct call *c, const char *fmt, ...)
{
	const char *name = c->node->name, *text;
	va_list ap;

	if (c->failed)
		return false;
	c->failed = true;
	va_start(ap, fmt);
	text = arena_vprintf(&c->im->scratch, fmt, ap);
	va_end(ap);
	if (name && *name)
		diag_error(c->im->d, c->im->span, "node \"%s\" (%s): %s", name, c->node->op_type,
			   text);
	else
		diag_error(c->im->d, c->im->span, "node of output \"%s\" (%s): %s",
			   c->node->n_output ? c->node->output[0] : "", c->node->op_type, text);
	return false;
}

bool call_fail_computed(struct call *c, uint32_t i, const char *what)
{
	call_fail(c, "%s must be known when compiling, but \"%s\" is computed while the model runs", what,
		  call_has(c, i) ? c->node->input[i] : "");
	onnx_hint_end(c->im, c->node);
	return false;
}

bool call_has(const struct call *c, uint32_t i)
{
	return i < c->node->n_input && c->node->input[i] && *c->node->input[i];
}

value_id call_in(struct call *c, uint32_t i)
{
	bool found;

	if (!call_has(c, i))
		return NO_ID;
	return onnx_lookup(c->im, c->node->input[i], &found);
}

bool call_wants(const struct call *c, uint32_t i)
{
	return i < c->node->n_output && c->node->output[i] && *c->node->output[i];
}

bool call_refuse_outputs(struct call *c, uint32_t from)
{
	for (uint32_t i = from; i < c->node->n_output; i++)
		if (call_wants(c, i))
			return call_fail(c, "output %u (\"%s\") is not supported", i,
					 c->node->output[i]);
	return true;
}

void call_out(struct call *c, uint32_t i, value_id v)
{
	if (!call_wants(c, i))
		return;
	if (c->failed)
		v = NO_ID;
	if (v != NO_ID && !onnx_is_sequence(v) && !graph_value(c->g, v)->name)
		graph_value(c->g, v)->name = arena_strdup(c->im->a, c->node->output[i]);
	onnx_define(c->im, c->node->output[i], v);
}

const Onnx__AttributeProto *call_attr(struct call *c, const char *name)
{
	for (size_t i = 0; i < c->node->n_attribute; i++) {
		const Onnx__AttributeProto *a = c->node->attribute[i];

		if (a->name && strcmp(a->name, name) == 0) {
			if (i < 64)
				c->attrs_read |= UINT64_C(1) << i;
			return a;
		}
	}
	return NULL;
}

int64_t call_int(struct call *c, const char *name, int64_t absent)
{
	const Onnx__AttributeProto *a = call_attr(c, name);

	if (a && a->has_type && a->type != 2)
		call_fail(c, "attribute \"%s\" must be an integer", name);
	return a ? a->i : absent;
}

double call_float(struct call *c, const char *name, double absent)
{
	const Onnx__AttributeProto *a = call_attr(c, name);

	if (a && a->has_type && a->type != 1)
		call_fail(c, "attribute \"%s\" must be a number", name);
	return a ? (double)a->f : absent;
}

const char *call_string(struct call *c, const char *name, const char *absent)
{
	const Onnx__AttributeProto *a = call_attr(c, name);

	if (!a)
		return absent;
	if (a->has_type && a->type != 3)
		call_fail(c, "attribute \"%s\" must be a string", name);
	if (!a->s.data)
		return "";
	return arena_strndup(&c->im->scratch, (const char *)a->s.data, a->s.len);
}

const int64_t *call_ints(struct call *c, const char *name, uint32_t *count)
{
	const Onnx__AttributeProto *a = call_attr(c, name);
	static const int64_t none[1];

	*count = 0;
	if (!a)
		return NULL;
	if ((a->has_type && a->type != 7) || a->n_ints > 1 << 20) {
		call_fail(c, "attribute \"%s\" must be a list of integers", name);
		return NULL;
	}
	*count = (uint32_t)a->n_ints;
	return a->n_ints ? a->ints : none;
}

bool is_known(const struct call *c, value_id v)
{
	return v != NO_ID && !onnx_is_sequence(v) && graph_value(c->g, v)->kind == VALUE_CONST;
}

static size_t bytes_of(const struct call *c, value_id v)
{
	int64_t n = shape_elements(&graph_value(c->g, v)->shape);
	size_t size = dtype_size(graph_value(c->g, v)->dtype);

	return n < 0 || (uint64_t)n > SIZE_MAX / 2 / size ? SIZE_MAX : (size_t)n * size;
}

const void *known_data(struct call *c, value_id v)
{
	const void *p;
	void *copy;
	size_t size;

	if (c->failed || !is_known(c, v))
		return NULL;
	p = data_bytes(c->g, v);
	if (p)
		return p;
	size = bytes_of(c, v);
	if (size > KNOWN_LIMIT) {
		call_fail(c, "a constant of %zu bytes is too large to look into", size);
		return NULL;
	}
	copy = arena_alloc(&c->im->scratch, size);
	if (!data_read(c->g, v, copy, c->im->d)) {
		c->failed = true;
		return NULL;
	}
	return copy;
}

/* The constant at input i as a tensor, or NULL with an error that names node and input. */
static bool known_tensor(struct call *c, uint32_t i, const char *what, struct ref_tensor *out)
{
	value_id v = call_in(c, i);
	const void *p;

	if (v == NO_ID)
		return false;
	if (!is_known(c, v))
		return call_fail_computed(c, i, arena_printf(&c->im->scratch, "input %u (%s)", i, what));
	p = known_data(c, v);
	if (!p)
		return false;
	*out = (struct ref_tensor){ dtype_of(c, v), shape_of(c, v), (void *)(uintptr_t)p };
	return true;
}

const int64_t *call_known_ints(struct call *c, uint32_t i, const char *what, uint32_t *count)
{
	struct ref_tensor t;
	int64_t *list, n;

	*count = 0;
	if (!known_tensor(c, i, what, &t))
		return NULL;
	n = shape_elements(&t.shape);
	if (n > UINT32_MAX || t.shape.rank > 1) {
		call_fail(c, "input %u (%s) must be a short list", i, what);
		return NULL;
	}
	list = arena_new_array(&c->im->scratch, int64_t, (size_t)n);
	for (int64_t k = 0; k < n; k++)
		list[k] = ref_get_int(&t, k);
	*count = (uint32_t)n;
	return list;
}

const double *call_known_floats(struct call *c, uint32_t i, const char *what, uint32_t *count)
{
	struct ref_tensor t;
	double *list;
	int64_t n;

	*count = 0;
	if (!known_tensor(c, i, what, &t))
		return NULL;
	n = shape_elements(&t.shape);
	if (n > UINT32_MAX) {
		call_fail(c, "input %u (%s) is too large", i, what);
		return NULL;
	}
	list = arena_new_array(&c->im->scratch, double, (size_t)n);
	for (int64_t k = 0; k < n; k++)
		list[k] = ref_get(&t, k);
	*count = (uint32_t)n;
	return list;
}

const int64_t *call_list(struct call *c, const char *attr, uint32_t i, uint32_t *count)
{
	const int64_t *list = call_ints(c, attr, count);

	return list ? list : call_known_ints(c, i, attr, count);
}

bool call_axis(struct call *c, int64_t axis, uint32_t rank, uint32_t *out)
{
	*out = 0;
	if (axis < -(int64_t)rank || axis >= (int64_t)rank)
		return call_fail(c, "axis %lld is outside of rank %u", (long long)axis, rank);
	*out = (uint32_t)(axis < 0 ? axis + rank : axis);
	return true;
}

/* ---- building */

struct shape shape_of(const struct call *c, value_id v)
{
	return v == NO_ID || onnx_is_sequence(v) ? (struct shape){ 0 } : graph_value(c->g, v)->shape;
}

enum dtype dtype_of(const struct call *c, value_id v)
{
	return v == NO_ID || onnx_is_sequence(v) ? DTYPE_F32 : graph_value(c->g, v)->dtype;
}

static bool foldable(const struct call *c, const struct node *n)
{
	size_t total = bytes_of(c, n->out[0]);

	if (n->out_count != 1 || total > FOLD_LIMIT)
		return false;
	for (uint32_t i = 0; i < n->in_count; i++) {
		size_t size;

		if (n->in[i] == NO_ID)
			continue;
		if (!is_known(c, n->in[i]))
			return false;
		size = bytes_of(c, n->in[i]);
		if (size > (data_bytes(c->g, n->in[i]) ? FOLD_LIMIT : FOLD_FILE_LIMIT))
			return false;
	}
	return true;
}

/* The constant that the node computes, or its output where it must run. */
static value_id fold(struct call *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	value_id out = n->out[0];
	struct ref_tensor *in, result;

	if (!foldable(c, n))
		return out;
	in = arena_new_array(&c->im->scratch, struct ref_tensor, n->in_count);
	for (uint32_t i = 0; i < n->in_count; i++) {
		if (n->in[i] == NO_ID)
			continue;
		in[i] = (struct ref_tensor){ dtype_of(c, n->in[i]), shape_of(c, n->in[i]),
					     (void *)(uintptr_t)known_data(c, n->in[i]) };
		if (!in[i].data)
			return NO_ID;
	}
	result = (struct ref_tensor){ dtype_of(c, out), shape_of(c, out),
				      arena_alloc(&c->im->scratch, bytes_of(c, out)) };
	if (!ref_eval(n->op, n->attr, n->attr_count, in, n->in_count, &result, 1))
		return out;
	graph_kill(c->g, id);
	return graph_add_const_bytes(c->g, result.dtype, result.shape, result.data);
}

value_id emit(struct call *c, enum op op, const value_id *in, uint32_t in_count,
	      const struct attr *attr, uint32_t attr_count)
{
	const char *name = c->node->name && *c->node->name ? c->node->name : NULL;
	value_id out;
	node_id id;

	for (uint32_t i = 0; i < in_count; i++)
		if (onnx_is_sequence(in[i]))
			call_fail(c, "a sequence stands where a tensor must be");
	if (c->failed)
		return NO_ID;
	if (!name && c->node->n_output)
		name = c->node->output[0];
	id = graph_add_node(c->g, c->im->d, op, in, in_count, attr, attr_count, c->im->span, name);
	if (id == NO_ID) {
		diag_note(c->im->d, c->im->span, "operator %s of opset %lld", c->node->op_type,
			  (long long)c->opset);
		c->failed = true;
		return NO_ID;
	}
	out = fold(c, id);
	return out;
}

value_id emit1(struct call *c, enum op op, value_id x)
{
	return emit(c, op, &x, 1, NULL, 0);
}

value_id emit2(struct call *c, enum op op, value_id x, value_id y)
{
	return emit(c, op, (value_id[]){ x, y }, 2, NULL, 0);
}

value_id emit3(struct call *c, enum op op, value_id x, value_id y, value_id z)
{
	return emit(c, op, (value_id[]){ x, y, z }, 3, NULL, 0);
}

value_id emit_with(struct call *c, enum op op, value_id x, struct attr a)
{
	return emit(c, op, &x, 1, &a, 1);
}

value_id emit_cast(struct call *c, value_id x, enum dtype t)
{
	return x != NO_ID && dtype_of(c, x) == t ? x : emit_with(c, OP_cast, x, attr_int(dtype, t));
}

value_id emit_reshape(struct call *c, value_id x, const struct shape *s)
{
	struct shape from = shape_of(c, x);

	if (x != NO_ID && !onnx_is_sequence(x) && shape_equal(&from, s))
		return x;
	return emit_with(c, OP_reshape, x, attr_ints(shape, s->dim, s->rank));
}

value_id emit_expand(struct call *c, value_id x, const struct shape *s)
{
	struct shape from = shape_of(c, x);

	if (x != NO_ID && !onnx_is_sequence(x) && shape_equal(&from, s))
		return x;
	return emit_with(c, OP_expand, x, attr_ints(shape, s->dim, s->rank));
}

value_id emit_transpose(struct call *c, value_id x, const int64_t *perm)
{
	uint32_t rank = shape_of(c, x).rank, moved = 0;

	for (uint32_t i = 0; i < rank; i++)
		moved += perm[i] != i;
	return moved ? emit_with(c, OP_transpose, x, attr_ints(perm, perm, rank)) : x;
}

value_id emit_to_last(struct call *c, value_id x)
{
	uint32_t rank = shape_of(c, x).rank;
	int64_t perm[MAX_RANK] = { 0 };

	for (uint32_t i = 1; i + 1 < rank; i++)
		perm[i] = i + 1;
	if (rank > 1)
		perm[rank - 1] = 1;
	return emit_transpose(c, x, perm);
}

value_id emit_to_first(struct call *c, value_id x)
{
	uint32_t rank = shape_of(c, x).rank;
	int64_t perm[MAX_RANK] = { 0 };

	for (uint32_t i = 2; i < rank; i++)
		perm[i] = i - 1;
	if (rank > 1)
		perm[1] = rank - 1;
	return emit_transpose(c, x, perm);
}

value_id emit_reduce(struct call *c, enum op op, value_id x, uint32_t first_axis, bool keep)
{
	uint32_t rank = shape_of(c, x).rank, n = 0;
	int64_t axes[MAX_RANK];
	struct attr attr[2];

	for (uint32_t i = first_axis; i < rank; i++)
		axes[n++] = i;
	attr[0] = attr_ints(axes, axes, n);
	attr[1] = attr_int(keepdims, keep);
	return emit(c, op, &x, 1, attr, 2);
}

value_id emit_slice(struct call *c, value_id x, uint32_t axis, int64_t start, int64_t count)
{
	struct shape s = shape_of(c, x);
	int64_t starts[MAX_RANK] = { 0 }, steps[MAX_RANK];
	struct attr attr[3];

	if (start == 0 && count == s.dim[axis])
		return x;
	for (uint32_t i = 0; i < s.rank; i++)
		steps[i] = 1;
	starts[axis] = start;
	s.dim[axis] = count;
	attr[0] = attr_ints(starts, starts, s.rank);
	attr[1] = attr_ints(steps, steps, s.rank);
	attr[2] = attr_ints(shape, s.dim, s.rank);
	return emit(c, OP_slice, &x, 1, attr, 3);
}

value_id emit_scalar(struct call *c, enum dtype t, double x)
{
	uint64_t bytes = 0;
	struct ref_tensor r = { t, { 0 }, &bytes };

	if (c->failed)
		return NO_ID;
	ref_set(&r, 0, x);
	return graph_add_const_bytes(c->g, t, r.shape, &bytes);
}

value_id emit_like(struct call *c, value_id x, double number)
{
	return emit_scalar(c, dtype_of(c, x), number);
}

value_id emit_ints(struct call *c, const int64_t *list, uint32_t count)
{
	struct shape s = { .rank = 1, .dim = { count } };

	return c->failed ? NO_ID : graph_add_const_bytes(c->g, DTYPE_I64, s, list);
}
