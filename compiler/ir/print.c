/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - the text form of a graph.
 *
 *	graph "tiny"
 *	weights f16
 *	file 0 "tiny.onnx" 1234
 *	%0 "x" = input f32[1,4]
 *	%1 "w" = const f32[4,2] = file 0 offset 64 size 32 f32[2,4] perm [1,0]
 *	%2 = const f32[2] = memory f32[2] {0.5, -1}
 *	%5 = matmul(%0, %1, _; %2) "fc" {alpha = 1.0, trans_a = 0, trans_b = 0}
 *		[add(r0, i0) f32, relu(r1) f32] : f32[1,2]
 *	output "y" %5
 *
 * Ids are the graph's own, so that a value can be followed from pass to pass.
 * A constant stands before its first use; those that nothing uses are left
 * out. Numbers are printed so that reading gives the same bits.
 */
#include "config.h"

#include "edge/plan_read.h"
#include "ir/block.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_SHOWN = 32 }; /* longer constants are printed as bytes in hex */

static void print_string(struct strbuf *out, const char *s)
{
	size_t n = strlen(s);
	char shown[4];

	strbuf_puts(out, "\"");
	for (size_t i = 0, used; i < n; i += used) {
		size_t bytes = edge_shown_char(s + i, n - i, shown, &used);

		if (s[i] == '"' || s[i] == '\\')
			strbuf_puts(out, "\\");
		strbuf_add(out, shown, bytes);
	}
	strbuf_puts(out, "\"");
}

/* Always with a point, an exponent or a word, so that it is read as a float. */
static void print_double(struct strbuf *out, double x)
{
	char text[40];

	if (isnan(x)) {
		strbuf_puts(out, "nan");
		return;
	}
	if (isinf(x)) {
		strbuf_puts(out, x < 0 ? "-inf" : "inf");
		return;
	}
	for (int digits = 6; digits <= 17; digits += digits < 9 ? 3 : digits < 15 ? 6 : 2) {
		snprintf(text, sizeof text, "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	strbuf_puts(out, text);
	if (!strpbrk(text, ".e"))
		strbuf_puts(out, ".0");
}

static void print_ints(struct strbuf *out, const int64_t *x, uint32_t n)
{
	strbuf_puts(out, "[");
	for (uint32_t i = 0; i < n; i++)
		strbuf_printf(out, "%s%lld", i ? "," : "", (long long)x[i]);
	strbuf_puts(out, "]");
}

static void print_type(struct strbuf *out, enum dtype t, const struct shape *s)
{
	strbuf_puts(out, dtype_name(t));
	print_ints(out, s->dim, s->rank);
}

static void print_attrs(struct strbuf *out, const struct attr *attr, uint32_t count)
{
	if (!count)
		return;
	strbuf_puts(out, " {");
	for (uint32_t i = 0; i < count; i++) {
		const struct attr *a = &attr[i];

		strbuf_printf(out, "%s%s = ", i ? ", " : "", attr_key_name(a->key));
		switch (a->kind) {
		case ATTR_INT:
			strbuf_printf(out, "%lld", (long long)a->i);
			break;
		case ATTR_FLOAT:
			print_double(out, a->f);
			break;
		case ATTR_INTS:
			print_ints(out, a->ints, a->count);
			break;
		case ATTR_FLOATS: /* braces tell an empty list of floats from one of integers */
			strbuf_puts(out, "{");
			for (uint32_t k = 0; k < a->count; k++) {
				strbuf_puts(out, k ? "," : "");
				print_double(out, a->floats[k]);
			}
			strbuf_puts(out, "}");
			break;
		}
	}
	strbuf_puts(out, "}");
}

/* The element as text that reads back to the same bits; false where there is none (NaN). */
static bool element_text(char *text, size_t room, const void *bytes, enum dtype t)
{
	double x;
	int64_t i = 0;

	switch (t) {
	case DTYPE_F32: {
		float f;

		memcpy(&f, bytes, 4);
		x = f;
		snprintf(text, room, "%.9g", x);
		for (int digits = 6; digits < 9; digits++) {
			snprintf(text, room, "%.*g", digits, x);
			if (strtof(text, NULL) == f)
				break;
			snprintf(text, room, "%.9g", x);
		}
		return isfinite(f);
	}
	case DTYPE_F16: {
		uint16_t h;

		memcpy(&h, bytes, 2);
		x = half_to_float(h);
		snprintf(text, room, "%.9g", x);
		return isfinite(x);
	}
	case DTYPE_F64:
		memcpy(&x, bytes, 8);
		snprintf(text, room, "%.17g", x);
		return isfinite(x);
	case DTYPE_I64:
		memcpy(&i, bytes, 8);
		break;
	case DTYPE_I32: {
		int32_t v;

		memcpy(&v, bytes, 4);
		i = v;
		break;
	}
	default:
		return false;
	}
	snprintf(text, room, "%lld", (long long)i);
	return true;
}

static void print_hex(struct strbuf *out, const uint8_t *bytes, uint64_t count)
{
	static const char digit[] = "0123456789abcdef";

	for (uint64_t i = 0; i < count; i++) {
		char pair[2] = { digit[bytes[i] >> 4], digit[bytes[i] & 15] };

		strbuf_add(out, pair, 2);
	}
}

static void print_memory(struct strbuf *out, const struct data *d)
{
	size_t n = (size_t)shape_elements(&d->source_shape), size = dtype_size(d->source_dtype);
	const unsigned char *bytes = d->bytes;
	size_t mark = out->len;
	char text[64];
	bool good = n <= VALUES_SHOWN && size;
	uint64_t all = 0;

	strbuf_puts(out, " {");
	for (size_t i = 0; good && i < n; i++) {
		good = element_text(text, sizeof text, bytes + i * size, d->source_dtype);
		strbuf_printf(out, "%s%s", i ? ", " : "", text);
	}
	strbuf_puts(out, "}");
	if (good)
		return;
	out->len = mark;
	out->data[mark] = 0;
	strbuf_puts(out, " hex ");
	data_source_bytes(d, &all);
	print_hex(out, bytes, all);
}

static void print_packed(struct strbuf *out, const struct packed_rows *p)
{
	strbuf_printf(out, "packed %u %u %u %llu %llu %llu hex ", p->bits, p->more, p->rows_in_groups, (unsigned long long)p->rows,
		      (unsigned long long)p->row_bytes, (unsigned long long)p->head_bytes);
	print_hex(out, p->heads, p->rows * p->head_bytes);
	strbuf_puts(out, " ");
}

static void print_data(struct strbuf *out, const struct value *v)
{
	const struct data *d = v->data;
	int64_t perm[MAX_RANK];

	if (d->packed)
		print_packed(out, d->packed);
	switch (d->where) {
	case DATA_MEMORY:
		strbuf_puts(out, "memory ");
		print_type(out, d->source_dtype, &d->source_shape);
		print_memory(out, d);
		break;
	case DATA_FILE:
		strbuf_printf(out, "file %u offset %llu size %llu ", d->file,
			      (unsigned long long)d->offset, (unsigned long long)d->size);
		print_type(out, d->source_dtype, &d->source_shape);
		break;
	case DATA_RANDOM:
		strbuf_printf(out, "random seed %llu mean ", (unsigned long long)d->seed);
		print_double(out, d->mean);
		strbuf_puts(out, " deviation ");
		print_double(out, d->deviation);
		strbuf_puts(out, " ");
		print_type(out, d->source_dtype, &d->source_shape);
		break;
	}
	if (d->perm_set) {
		for (uint32_t i = 0; i < d->source_shape.rank; i++)
			perm[i] = d->perm[i];
		strbuf_puts(out, " perm ");
		print_ints(out, perm, d->source_shape.rank);
	}
	if (d->scale) {
		strbuf_printf(out, " scale %u {", d->scale_axis);
		for (int64_t i = 0; i < v->shape.dim[d->scale_axis]; i++) {
			strbuf_puts(out, i ? "," : "");
			print_double(out, (double)d->scale[i]);
		}
		strbuf_puts(out, "}");
	}
}

static void print_value_name(struct strbuf *out, const struct graph *g, value_id id)
{
	strbuf_printf(out, "%%%u", id);
	if (graph_value(g, id)->name) {
		strbuf_puts(out, " ");
		print_string(out, graph_value(g, id)->name);
	}
}

static void print_const(struct strbuf *out, const struct graph *g, value_id id, bool *shown)
{
	const struct value *v;

	if (id == NO_ID || shown[id] || graph_value(g, id)->kind != VALUE_CONST)
		return;
	shown[id] = true;
	v = graph_value(g, id);
	print_value_name(out, g, id);
	strbuf_puts(out, " = const ");
	print_type(out, v->dtype, &v->shape);
	strbuf_puts(out, " = ");
	print_data(out, v);
	strbuf_puts(out, "\n");
}

static void print_inputs(struct strbuf *out, const struct graph *g, const struct node *n)
{
	uint32_t own = node_own_inputs(n);

	strbuf_puts(out, "(");
	for (uint32_t i = 0; i < n->in_count; i++) {
		const struct view *view = i >= own && n->view ? n->view[i - own] : NULL;

		if (i == own)
			strbuf_puts(out, own ? "; " : ";");
		else if (i)
			strbuf_puts(out, ", ");
		if (n->in[i] == NO_ID)
			strbuf_puts(out, "_");
		else
			strbuf_printf(out, "%%%u", n->in[i]);
		if (view) {
			strbuf_printf(out, " view %lld ", (long long)view->offset);
			print_ints(out, view->stride, graph_value(g, n->out[0])->shape.rank);
		}
	}
	strbuf_puts(out, ")");
}

static uint32_t arity(enum op op)
{
	return op_class(op) == OP_UNARY ? 1 : op_class(op) == OP_BINARY ? 2 : 3;
}

static void print_epilogue(struct strbuf *out, const struct node *n)
{
	if (!n->epilogue_count)
		return;
	strbuf_puts(out, " [");
	for (uint32_t i = 0; i < n->epilogue_count; i++) {
		const struct epilogue_step *s = &n->epilogue[i];

		strbuf_printf(out, "%s%s(", i ? ", " : "", op_name(s->op));
		for (uint32_t k = 0; k < arity(s->op); k++)
			strbuf_printf(out, "%s%c%u", k ? ", " : "", s->in[k].is_input ? 'i' : 'r',
				      s->in[k].index);
		strbuf_puts(out, ")");
		print_attrs(out, s->attr, s->attr_count);
		strbuf_printf(out, " %s", dtype_name(s->dtype));
	}
	strbuf_puts(out, "]");
}

static void print_node(struct strbuf *out, const struct graph *g, const struct node *n)
{
	for (uint32_t i = 0; i < n->out_count; i++) {
		strbuf_puts(out, i ? ", " : "");
		print_value_name(out, g, n->out[i]);
	}
	strbuf_printf(out, " = %s", op_name(n->op));
	print_inputs(out, g, n);
	if (n->name) {
		strbuf_puts(out, " ");
		print_string(out, n->name);
	}
	print_attrs(out, n->attr, n->attr_count);
	print_epilogue(out, n);
	for (uint32_t i = 0; i < n->out_count; i++) {
		strbuf_puts(out, i ? ", " : " : ");
		print_type(out, graph_value(g, n->out[i])->dtype,
			   &graph_value(g, n->out[i])->shape);
	}
	strbuf_puts(out, "\n");
}

void graph_print(const struct graph *g, struct strbuf *out)
{
	struct arena tmp = { 0 };
	bool *shown = arena_new_array(&tmp, bool, g->values.len);

	strbuf_puts(out, "graph ");
	print_string(out, g->name ? g->name : "");
	strbuf_puts(out, "\n");
	if (g->weight_storage)
		strbuf_printf(out, "weights %s\n", dtype_name(g->weight_storage));
	if (g->language)
		strbuf_puts(out, "language\n");
	for (uint32_t i = 0; i < g->files.len; i++) {
		strbuf_printf(out, "file %u ", i);
		print_string(out, g->files.data[i].path);
		strbuf_printf(out, " %llu\n", (unsigned long long)g->files.data[i].size);
	}
	for (uint32_t i = 0; i < g->inputs.len; i++) {
		const struct value *v = graph_value(g, g->inputs.data[i]);

		print_value_name(out, g, g->inputs.data[i]);
		strbuf_puts(out, " = input ");
		print_type(out, v->dtype, &v->shape);
		strbuf_puts(out, "\n");
	}
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = &g->nodes.data[i];

		if (n->dead)
			continue;
		for (uint32_t k = 0; k < n->in_count; k++)
			print_const(out, g, n->in[k], shown);
		print_node(out, g, n);
	}
	for (uint32_t i = 0; i < g->outputs.len; i++)
		print_const(out, g, g->outputs.data[i], shown);
	for (uint32_t i = 0; i < g->outputs.len; i++) {
		strbuf_puts(out, "output ");
		print_string(out, g->output_names.data[i] ? g->output_names.data[i] : "");
		strbuf_printf(out, " %%%u\n", g->outputs.data[i]);
	}
	arena_release(&tmp);
}
