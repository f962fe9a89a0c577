/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epilogue.c - the elementwise program of a node as two inline functions.
 *
 * KERNEL_store() takes one element, KERNEL_store16() up to sixteen neighbours
 * of the last dim. Both apply the program and store. Sizes and strides are int
 * parameters, so that layers that differ in size only share a kernel; what is
 * constant in the text is the program and the kind of each operand:
 *
 *	literal   a constant of one element
 *	same      the output's shape: read at the output's own offset
 *	strided   offset + digits of the row index times strides + n * last stride,
 *	          where dims that walk together are merged and stride 0 is left out
 *
 * An output that is part of another value (place.c) is stored at another offset
 * than that of its operands. Where a type has no vector form (integers, f16) store16() goes lane by lane.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct digit {
	int64_t size, stride;
};

/* An operand, classified. */
struct access {
	enum { ACCESS_LITERAL, ACCESS_SAME, ACCESS_STRIDED } kind;
	double literal;
	value_id value;
	enum dtype dtype; /* as stored */
	int64_t offset;
	struct digit digit[MAX_RANK]; /* of the row index, innermost first */
	uint32_t digits;
	int64_t last; /* stride along the last dim */
};

struct operand operand_broadcast(const struct shape *in, const struct shape *out, value_id v)
{
	struct operand op = { .value = v };
	int64_t stride = 1;
	uint32_t i;

	for (i = 0; i < in->rank && i < out->rank; i++) {
		int64_t dim = in->dim[in->rank - 1 - i];

		op.stride[out->rank - 1 - i] = dim == 1 ? 0 : stride;
		stride *= dim;
	}
	return op;
}

struct operand epilogue_operand(const struct codegen *c, const struct node *n, uint32_t k)
{
	uint32_t first = node_own_inputs(n);
	value_id v = n->in[first + k];
	struct operand op;

	if (!n->view || !n->view[k])
		return operand_broadcast(value_shape(c, v), value_shape(c, n->out[0]), v);
	op = (struct operand){ .value = v, .offset = n->view[k]->offset };
	memcpy(op.stride, n->view[k]->stride, sizeof op.stride);
	return op;
}

static struct access classify(struct codegen *c, const struct shape *s, const struct operand *op)
{
	struct access a = { .kind = ACCESS_STRIDED, .value = op->value, .offset = op->offset };
	int64_t rows = 1, n = s->rank ? s->dim[s->rank - 1] : 1;
	uint32_t i;

	a.dtype = graph_value(c->g, op->value)->dtype;
	if (codegen_scalar(c, op->value, &a.literal)) {
		a.kind = ACCESS_LITERAL;
		return a;
	}
	if (s->rank && n > 1)
		a.last = op->stride[s->rank - 1];
	for (i = s->rank; i-- > 0;) {
		struct digit *top = a.digits ? &a.digit[a.digits - 1] : NULL;
		int64_t size = s->dim[i], stride = op->stride[i];

		if (i == s->rank - 1 || size == 1)
			continue;
		rows *= size;
		if (top && stride == top->stride * top->size)
			top->size *= size;
		else
			a.digit[a.digits++] = (struct digit){ size, stride };
	}
	if (a.digits == 1 && a.digit[0].stride == 0)
		a.digits = 0;
	if (a.offset == 0 && (n == 1 || a.last == 1) &&
	    (rows == 1 || (a.digits == 1 && a.digit[0].stride == n)))
		a.kind = ACCESS_SAME;
	return a;
}

static enum dtype step_arg_dtype(const struct codegen *c, const struct node *n, const struct epilogue_operand *o,
				 enum dtype result)
{
	if (o->is_input)
		return graph_value(c->g, n->in[node_own_inputs(n) + o->index])->dtype;
	return o->index == 0 ? result : n->epilogue[o->index - 1].dtype;
}

static uint32_t arity(enum op op)
{
	switch (op_class(op)) {
	case OP_UNARY: return 1;
	case OP_BINARY: return 2;
	default: return 3;
	}
}

bool epilogue_is_vector(const struct codegen *c, const struct node *n, enum dtype result)
{
	uint32_t i, k;

	if (result != DTYPE_F32 && n->op != OP_map)
		return false;
	for (i = 0; i < n->epilogue_count; i++) {
		const struct epilogue_step *s = &n->epilogue[i];

		if (!expr_type(s->dtype, EXPR_VECTOR))
			return false;
		for (k = 0; k < arity(s->op); k++) {
			enum dtype t = step_arg_dtype(c, n, &s->in[k], result);
			bool literal = s->in[k].is_input &&
				       value_is_const(c, n->in[node_own_inputs(n) + s->in[k].index]) &&
				       dtype_is_float(t) && t != DTYPE_F64;

			if (!literal && !expr_type(t, EXPR_VECTOR))
				return false;
		}
	}
	return true;
}

/* ---- text ---- */

struct writer {
	struct build *b;
	struct codegen *c;
	const struct node *n;
	struct access *access;
	uint32_t count;
	enum dtype result;
	struct strbuf params, args; /* ", int x" and ", x" */
	const char *at; /* where the element is stored: i, or p where the output is part of another value */
};

static void add_int(struct writer *w, int64_t x, const char *name)
{
	strbuf_printf(&w->params, ", const int %s", name);
	strbuf_printf(&w->args, ", %s", name);
	vec_push(w->c->arena, &w->b->out_args, (struct kernel_arg){ .kind = ARG_I32, .i = x });
}

/* A constant float vector is stored as f32 whatever it was. */
static void add_pointer(struct writer *w, struct access *a, uint32_t k)
{
	struct kernel_arg arg = { .kind = ARG_VALUE, .id = a->value };

	if (value_is_const(w->c, a->value)) {
		arg.kind = ARG_WEIGHT;
		if (dtype_is_float(a->dtype) && a->dtype != DTYPE_F64) {
			a->dtype = DTYPE_F32;
			arg.id = codegen_weight(w->c, a->value,
						(struct packing){ .kind = PACK_DENSE, .dtype = DTYPE_F32 });
		} else {
			arg.id = codegen_dense(w->c, a->value);
		}
	}
	/* a weight is never where the output is */
	strbuf_printf(&w->params, ", __global const %s *%se%u", expr_storage(a->dtype),
		      arg.kind == ARG_WEIGHT ? "restrict " : "", k);
	strbuf_printf(&w->args, ", e%u", k);
	vec_push(w->c->arena, &w->b->out_args, arg);
}

static void add_access(struct writer *w, uint32_t k)
{
	struct arena *ar = w->c->arena;
	struct access *a = &w->access[k];
	uint32_t i;

	if (a->kind == ACCESS_LITERAL)
		return;
	add_pointer(w, a, k);
	if (a->kind == ACCESS_SAME)
		return;
	if (a->offset)
		add_int(w, a->offset, arena_printf(ar, "e%u_o", k));
	for (i = 0; i < a->digits; i++) {
		if (i + 1 < a->digits)
			add_int(w, a->digit[i].size, arena_printf(ar, "e%u_n%u", k, i));
		if (a->digit[i].stride)
			add_int(w, a->digit[i].stride, arena_printf(ar, "e%u_s%u", k, i));
	}
	if (a->last != 0 && a->last != 1)
		add_int(w, a->last, arena_printf(ar, "e%u_l", k));
}

/* Statements that leave the operand's element offset in x<k>. */
static void put_offset(struct strbuf *out, const struct access *a, uint32_t k)
{
	uint32_t i;

	strbuf_printf(out, "\tint x%u = ", k);
	if (a->offset)
		strbuf_printf(out, "e%u_o", k);
	else
		strbuf_puts(out, "0");
	if (a->last == 1)
		strbuf_puts(out, " + n");
	else if (a->last != 0)
		strbuf_printf(out, " + n * e%u_l", k);
	strbuf_puts(out, ";\n");
	if (!a->digits)
		return;
	if (a->digits > 1)
		strbuf_printf(out, "\tint q%u = row;\n", k);
	for (i = 0; i + 1 < a->digits; i++) {
		if (a->digit[i].stride)
			strbuf_printf(out, "\tx%u += (q%u %% e%u_n%u) * e%u_s%u;\n", k, k, k, i, k, i);
		strbuf_printf(out, "\tq%u /= e%u_n%u;\n", k, k, i);
	}
	if (!a->digit[i].stride)
		return;
	if (a->digits > 1)
		strbuf_printf(out, "\tx%u += q%u * e%u_s%u;\n", k, k, k, i);
	else
		strbuf_printf(out, "\tx%u += row * e%u_s%u;\n", k, k, i);
}

static void put_vector_load(struct strbuf *out, const struct access *a, uint32_t k)
{
	const char *at = a->kind == ACCESS_SAME ? "i" : "x";
	char index[16];

	snprintf(index, sizeof index, a->kind == ACCESS_SAME ? "%s" : "%s%u", at, k);
	if (a->dtype == DTYPE_BOOL) {
		strbuf_printf(out, "\tint16 v%u = edge_load_bool16(e%u + %s, ", k, k, index);
		if (a->kind == ACCESS_SAME || a->last == 1)
			strbuf_puts(out, "1, lanes);\n");
		else if (a->last == 0)
			strbuf_puts(out, "0, lanes);\n");
		else
			strbuf_printf(out, "e%u_l, lanes);\n", k);
	} else if (a->kind == ACCESS_SAME || a->last == 1) {
		strbuf_printf(out, "\tfloat16 v%u = edge_load16(e%u + %s, lanes);\n", k, k, index);
	} else if (a->last == 0) {
		strbuf_printf(out, "\tfloat16 v%u = (float16)(e%u[%s]);\n", k, k, index);
	} else {
		strbuf_printf(out, "\tfloat16 v%u = edge_gather16(e%u + %s, e%u_l, lanes);\n", k, k, index, k);
	}
}

static void put_load(struct writer *w, struct strbuf *out, uint32_t k, enum expr_form form)
{
	const struct access *a = &w->access[k];

	if (a->kind == ACCESS_LITERAL)
		return;
	if (a->kind == ACCESS_STRIDED)
		put_offset(out, a, k);
	if (form == EXPR_VECTOR) {
		put_vector_load(out, a, k);
		return;
	}
	strbuf_printf(out, "\t%s v%u = %s;\n", expr_type(a->dtype, form), k,
		      expr_load(w->c->arena, a->dtype, arena_printf(w->c->arena, "e%u", k),
				a->kind == ACCESS_SAME ? "i" : arena_printf(w->c->arena, "x%u", k)));
}

static bool put_steps(struct writer *w, struct strbuf *out, enum expr_form form)
{
	struct arena *ar = w->c->arena;
	uint32_t i, k;

	for (i = 0; i < w->n->epilogue_count; i++) {
		const struct epilogue_step *s = &w->n->epilogue[i];
		struct expr_arg arg[3] = { { "", 0 }, { "", 0 }, { "", 0 } };

		for (k = 0; k < arity(s->op); k++) {
			const struct epilogue_operand *o = &s->in[k];
			const struct access *a = o->is_input ? &w->access[o->index] : NULL;

			arg[k].dtype = step_arg_dtype(w->c, w->n, o, w->result);
			if (a)
				arg[k].dtype = a->kind == ACCESS_LITERAL && dtype_is_float(a->dtype) ? DTYPE_F32 : a->dtype;
			if (a && a->kind == ACCESS_LITERAL)
				arg[k].text = expr_literal(ar, a->literal, a->dtype, form);
			else
				arg[k].text = arena_printf(ar, a ? "v%u" : "r%u", o->index);
		}
		strbuf_printf(out, "\t%s r%u = ", expr_type(s->dtype, form), i + 1);
		if (!expr_render(out, s, arg, form))
			return codegen_refuse(w->c, w->b->id, "\"%s\" of %s is not supported", op_name(s->op),
					      dtype_name(arg[0].dtype));
		strbuf_puts(out, ";\n");
	}
	return true;
}

/* Where the output is part of another value, element i of it is element p of that. */
static void put_place(struct writer *w)
{
	const struct place *p = &w->c->place[w->n->out[0]];

	if (p->part)
		strbuf_printf(&w->b->epilogue, "\tconst int p = %s + out_at;\n",
			      p->part == p->stride ? "i" : "row * out_s + n");
}

static void add_place(struct writer *w)
{
	const struct place *p = &w->c->place[w->n->out[0]];

	w->at = p->part ? "p" : "i";
	if (!p->part)
		return;
	add_int(w, p->at, "out_at");
	if (p->part != p->stride)
		add_int(w, p->stride, "out_s");
}

static bool put_scalar(struct writer *w, enum dtype stored)
{
	struct strbuf *out = &w->b->epilogue;
	const char *last = arena_printf(w->c->arena, "r%u", w->n->epilogue_count);
	uint32_t k;

	strbuf_printf(out, "EDGE_OVERLOAD void EDGE_FN(store)(const %s r0, const int row, const int n, EDGE_OUT)\n{\n"
			   "\tconst int i = row * out_n + n;\n",
		      expr_type(w->result, EXPR_SCALAR));
	put_place(w);
	for (k = 0; k < w->count; k++)
		put_load(w, out, k, EXPR_SCALAR);
	if (!put_steps(w, out, EXPR_SCALAR))
		return false;
	strbuf_printf(out, "\t%s;\n}\n", expr_store(w->c->arena, stored, "out", w->at, last));
	return true;
}

static bool put_vector(struct writer *w, enum dtype stored)
{
	struct strbuf *out = &w->b->epilogue;
	uint32_t k;

	strbuf_puts(out, "EDGE_OVERLOAD void EDGE_FN(store16)(const float16 r0, const int row, const int n,\n"
			 "\tconst int lanes, EDGE_OUT)\n{\n");
	if (!epilogue_is_vector(w->c, w->n, w->result)) {
		strbuf_puts(out, "\tfloat t[16];\n\n\tvstore16(r0, 0, t);\n\tfor (int l = 0; l < lanes; l++)\n"
				 "\t\tEDGE_FN(store)(t[l], row, n + l, EDGE_OUT_ARGS);\n}\n");
		return true;
	}
	strbuf_puts(out, "\tconst int i = row * out_n + n;\n");
	put_place(w);
	for (k = 0; k < w->count; k++)
		put_load(w, out, k, EXPR_VECTOR);
	if (!put_steps(w, out, EXPR_VECTOR))
		return false;
	strbuf_printf(out, stored == DTYPE_BOOL ? "\tedge_store_bool16(r%u, lanes, out + %s);\n}\n" :
						  "\tedge_store16(r%u, lanes, out + %s);\n}\n",
		      w->n->epilogue_count, w->at);
	return true;
}

/* Few instructions on every target: worth writing out many times. */
static bool is_light(const struct writer *w)
{
	uint32_t i;

	if (w->n->epilogue_count > 4 || !epilogue_is_vector(w->c, w->n, w->result))
		return false;
	for (i = 0; i < w->n->epilogue_count; i++)
		switch (w->n->epilogue[i].op) {
		case OP_identity: case OP_neg: case OP_abs: case OP_relu: case OP_leaky_relu: case OP_clip:
		case OP_hard_sigmoid: case OP_hard_swish: case OP_add: case OP_sub: case OP_mul: case OP_min:
		case OP_max: case OP_prelu:
			break;
		default:
			return false;
		}
	for (i = 0; i < w->count; i++)
		if (w->access[i].kind == ACCESS_STRIDED && w->access[i].digits > 1)
			return false;
	return true;
}

/* An operand whose place the output may take; see build_epilogue(). */
static value_id find_in_place(const struct writer *w)
{
	const struct codegen *c = w->c;
	const struct value *out = graph_value(c->g, w->n->out[0]);
	uint32_t k, j;

	for (k = 0; k < w->count; k++) {
		const struct access *a = &w->access[k];
		value_id root = a->value == NO_ID ? NO_ID : c->ks->alias[a->value];
		bool ok = a->kind == ACCESS_SAME && !value_is_const(c, a->value) &&
			  graph_value(c->g, a->value)->dtype == out->dtype &&
			  value_elements(c, root) == shape_elements(&out->shape) &&
			  codegen_dies(c, a->value, w->b->id);

		for (j = 0; ok && j < w->count; j++)
			if (w->access[j].kind != ACCESS_LITERAL && w->access[j].kind != ACCESS_SAME &&
			    c->ks->alias[w->access[j].value] == root)
				ok = false;
		for (j = 0; ok && j < node_own_inputs(w->n); j++)
			if (w->n->in[j] != NO_ID && c->ks->alias[w->n->in[j]] == root)
				ok = false;
		if (ok)
			return a->value;
	}
	return NO_ID;
}

static void put_header(struct writer *w, enum dtype stored, int64_t n)
{
	struct build *b = w->b;
	struct kernel_arg out = { .kind = ARG_VALUE, .id = w->n->out[0], .written = true };
	struct kernel_arg width = { .kind = ARG_I32, .i = n };
	bool flat = !codegen_row_stride(w->c, w->n->out[0]);
	uint32_t k;

	vec_push(w->c->arena, &b->out_args, out);
	vec_push(w->c->arena, &b->out_args, width);
	add_place(w);
	for (k = 0; k < w->count; k++) {
		add_access(w, k);
		flat &= w->access[k].kind != ACCESS_STRIDED || (!w->access[k].digits && !w->access[k].last);
	}
	strbuf_printf(&b->epilogue, "#define EDGE_OUT __global %s *out, const int out_n%s\n", expr_storage(stored),
		      strbuf_str(&w->params));
	strbuf_printf(&b->epilogue, "#define EDGE_OUT_ARGS out, out_n%s\n", strbuf_str(&w->args));
	strbuf_printf(&b->epilogue, "#define EDGE_LIGHT %d\n", is_light(w));
	strbuf_puts(&b->epilogue, "#define EDGE_STORE(x, row, n) EDGE_FN(store)(x, row, n, EDGE_OUT_ARGS)\n");
	strbuf_puts(&b->epilogue, flat ? "#define EDGE_STORE_AT(x, i) EDGE_STORE(x, 0, i)\n" :
					 "#define EDGE_STORE_AT(x, i) EDGE_STORE(x, (i) / out_n, (i) % out_n)\n");
	strbuf_puts(&b->epilogue,
		    "#define EDGE_STORE16(v, row, n, lanes) EDGE_FN(store16)(v, row, n, lanes, EDGE_OUT_ARGS)\n");
}

static bool check_types(struct writer *w, enum dtype stored)
{
	uint32_t i;

	for (i = 0; i < w->n->epilogue_count; i++)
		if (!expr_type(w->n->epilogue[i].dtype, EXPR_SCALAR))
			return codegen_refuse(w->c, w->b->id, "type %s is not supported",
					      dtype_name(w->n->epilogue[i].dtype));
	for (i = 0; i < w->count; i++)
		if (!expr_storage(w->access[i].dtype))
			return codegen_refuse(w->c, w->b->id, "an operand of type %s is not supported",
					      dtype_name(w->access[i].dtype));
	if (!expr_storage(stored) || !expr_type(w->result, EXPR_SCALAR))
		return codegen_refuse(w->c, w->b->id, "type %s is not supported", dtype_name(stored));
	return true;
}

bool epilogue_render(struct build *b, enum dtype result, const struct shape *shape, const struct operand *op,
		     uint32_t count)
{
	struct codegen *c = b->c;
	const struct node *n = b->n;
	enum dtype stored = graph_value(c->g, n->out[0])->dtype;
	struct writer w = { .b = b, .c = c, .n = n, .count = count, .result = result };
	bool ok;
	uint32_t k;

	/* rows that lie apart must be the rows that the kernel knows */
	assert(!codegen_row_stride(c, n->out[0]) || shape->dim[shape->rank - 1] == c->place[n->out[0]].part);
	w.access = arena_new_array(c->arena, struct access, count);
	for (k = 0; k < count; k++)
		w.access[k] = classify(c, shape, &op[k]);
	ok = check_types(&w, stored);
	if (ok) {
		put_header(&w, stored, shape->rank ? shape->dim[shape->rank - 1] : 1);
		ok = put_scalar(&w, stored) && (result != DTYPE_F32 || put_vector(&w, stored));
		b->in_place_of = c->place[n->out[0]].part ? NO_ID : find_in_place(&w);
	}
	strbuf_free(&w.params);
	strbuf_free(&w.args);
	if (!ok) {
		strbuf_free(&b->epilogue);
		strbuf_free(&b->defines);
	}
	return ok;
}
