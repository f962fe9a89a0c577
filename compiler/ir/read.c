/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c - the text form back into a graph.
 *
 * One pass, by hand: the form is regular. The reader only makes sure that the
 * graph can be looked at safely; whether it makes sense is graph_verify's
 * question, asked at the end. Sizes are bounded by the length of the text, so a
 * hostile file costs no more memory than it is long (times a constant).
 */
#include "config.h"

#include "ir/block.h"
#include "ir/token.h"

#include <stdlib.h>

/* ---- constants ---- */

static void put_element(void *bytes, size_t i, enum dtype t, double x, int64_t n)
{
	switch (t) {
	case DTYPE_F32:
		((float *)bytes)[i] = (float)x;
		break;
	case DTYPE_F16:
		((uint16_t *)bytes)[i] = float_to_half((float)x);
		break;
	case DTYPE_F64:
		((double *)bytes)[i] = x;
		break;
	case DTYPE_I64:
		((int64_t *)bytes)[i] = n;
		break;
	case DTYPE_I32:
		((int32_t *)bytes)[i] = (int32_t)n;
		break;
	case DTYPE_I16:
		((int16_t *)bytes)[i] = (int16_t)n;
		break;
	default: /* i8, u8, bool */
		((uint8_t *)bytes)[i] = (uint8_t)n;
		break;
	}
}

/* f32 is read as such: through double it would be rounded twice. */
static bool element_of(struct reader *r, enum dtype t, double *x, int64_t *n)
{
	char s[64], *end;

	if (!reader_number(r, s, sizeof s))
		return false;
	if (!dtype_is_float(t))
		return reader_parse_int(r, s, n);
	*x = t == DTYPE_F32 ? (double)strtof(s, &end) : strtod(s, &end);
	return !*end || reader_fail(r, "expected a number");
}

static void read_values(struct reader *r, struct data *d, size_t n)
{
	size_t size = dtype_size(d->source_dtype), have = 0;
	char *bytes;

	if (d->source_dtype == DTYPE_BF16 || !size) {
		reader_fail(r, "elements of this type are given in hex");
		return;
	}
	if (n > (size_t)(r->end - r->at)) {
		reader_fail(r, "fewer values than elements");
		return;
	}
	bytes = arena_array(r->a, n, size);
	reader_need(r, '{');
	while (!r->failed && have < n) {
		double x = 0;
		int64_t i = 0;

		if (have && !reader_need(r, ','))
			return;
		if (element_of(r, d->source_dtype, &x, &i))
			put_element(bytes, have++, d->source_dtype, x, i);
	}
	reader_need(r, '}');
	d->bytes = bytes;
}

static const unsigned char *hex_bytes(struct reader *r, uint64_t size)
{
	unsigned char *bytes;

	reader_space(r);
	if (size > (uint64_t)(r->end - r->at) / 2) {
		reader_fail(r, "fewer bytes than elements");
		return NULL;
	}
	bytes = arena_alloc(r->a, size);
	for (uint64_t i = 0; i < size; i++, r->at += 2) {
		int high = reader_hex_digit(r->at[0]), low = reader_hex_digit(r->at[1]);

		if (high < 0 || low < 0) {
			reader_fail(r, "expected two hexadecimal digits");
			return NULL;
		}
		bytes[i] = (unsigned char)(high * 16 + low);
	}
	if (r->at < r->end && reader_is_word(*r->at))
		reader_fail(r, "more bytes than elements");
	return bytes;
}

static void read_hex(struct reader *r, struct data *d)
{
	uint64_t size;

	if (data_source_bytes(d, &size))
		d->bytes = hex_bytes(r, size);
	else
		reader_fail(r, "its rows are no whole number of blocks");
}

static void read_packed(struct reader *r, struct data *d)
{
	struct packed_rows *p = arena_new(r->a, struct packed_rows);
	uint64_t bytes;

	p->bits = (uint32_t)reader_uint(r);
	p->more = (uint32_t)reader_uint(r);
	p->rows_in_groups = (uint32_t)reader_uint(r);
	p->rows = reader_uint(r);
	p->row_bytes = reader_uint(r);
	p->head_bytes = reader_uint(r);
	reader_need_word(r, "hex");
	if (__builtin_mul_overflow(p->rows, p->head_bytes, &bytes))
		reader_fail(r, "fewer bytes than elements");
	else if (!r->failed)
		p->heads = hex_bytes(r, bytes);
	d->packed = p;
}

static void read_source(struct reader *r, struct data *d)
{
	if (reader_take_word(r, "memory")) {
		size_t n;

		d->where = DATA_MEMORY;
		reader_type(r, &d->source_dtype, &d->source_shape);
		if (r->failed)
			return;
		n = (size_t)shape_elements(&d->source_shape);
		if (reader_take_word(r, "hex"))
			read_hex(r, d);
		else
			read_values(r, d, n);
	} else if (reader_take_word(r, "file")) {
		d->where = DATA_FILE;
		d->file = (uint32_t)reader_uint(r);
		reader_need_word(r, "offset");
		d->offset = reader_uint(r);
		reader_need_word(r, "size");
		d->size = reader_uint(r);
		reader_type(r, &d->source_dtype, &d->source_shape);
	} else {
		reader_need_word(r, "random");
		d->where = DATA_RANDOM;
		reader_need_word(r, "seed");
		d->seed = reader_uint(r);
		reader_need_word(r, "mean");
		d->mean = reader_double(r);
		reader_need_word(r, "deviation");
		d->deviation = reader_double(r);
		reader_type(r, &d->source_dtype, &d->source_shape);
	}
}

static void read_const(struct reader *r, struct value *v)
{
	struct data *d = arena_new(r->a, struct data);

	v->kind = VALUE_CONST;
	v->data = d;
	reader_type(r, &v->dtype, &v->shape);
	reader_need(r, '=');
	if (reader_take_word(r, "packed"))
		read_packed(r, d);
	read_source(r, d);
	if (reader_take_word(r, "perm")) {
		struct ints perm = reader_ints(r);

		if (perm.v.len != d->source_shape.rank)
			reader_fail(r, "the permutation has not as many axes as its source");
		d->perm_set = true;
		for (uint32_t i = 0; !r->failed && i < perm.v.len; i++) {
			if (perm.v.data[i] < 0 || perm.v.data[i] >= MAX_RANK)
				reader_fail(r, "the permutation is none");
			else
				d->perm[i] = (uint8_t)perm.v.data[i];
		}
	}
	if (reader_take_word(r, "scale")) {
		struct floats list;
		float *scale;

		d->scale_axis = (uint32_t)reader_uint(r);
		list = reader_floats(r);
		if (d->scale_axis >= v->shape.rank || v->shape.dim[d->scale_axis] != list.v.len) {
			reader_fail(r, "there is not one scale for each index along its axis");
			return;
		}
		scale = arena_new_array(r->a, float, list.v.len);
		for (uint32_t i = 0; i < list.v.len; i++)
			scale[i] = (float)list.v.data[i];
		d->scale = scale;
	}
}

/* ---- nodes ---- */

static void read_attr_value(struct reader *r, struct attr *a)
{
	reader_space(r);
	if (r->at < r->end && *r->at == '[') {
		struct ints list = reader_ints(r);

		a->kind = ATTR_INTS;
		a->ints = list.v.data ? list.v.data : arena_alloc(r->a, 8);
		a->count = list.v.len;
	} else if (r->at < r->end && *r->at == '{') {
		struct floats list = reader_floats(r);

		a->kind = ATTR_FLOATS;
		a->floats = list.v.data ? list.v.data : arena_alloc(r->a, 8);
		a->count = list.v.len;
	} else {
		char s[64], *end;

		if (!reader_number(r, s, sizeof s))
			return;
		if (!reader_is_float(s)) {
			a->kind = ATTR_INT;
			reader_parse_int(r, s, &a->i);
			return;
		}
		a->kind = ATTR_FLOAT;
		a->f = strtod(s, &end);
		if (*end)
			reader_fail(r, "expected a number");
	}
}

struct attrs {
	VEC(struct attr) v;
};

static struct attrs read_attrs(struct reader *r)
{
	struct attrs list = { 0 };

	if (!reader_take(r, '{'))
		return list;
	do {
		struct attr a = { 0 };

		if (!attr_key_from_name(reader_word(r), &a.key)) {
			reader_fail(r, "unknown attribute");
			break;
		}
		reader_need(r, '=');
		read_attr_value(r, &a);
		vec_push(r->a, &list.v, a);
	} while (!r->failed && reader_take(r, ','));
	reader_need(r, '}');
	return list;
}

static uint32_t read_id(struct reader *r)
{
	uint64_t id;

	if (!reader_need(r, '%'))
		return 0;
	id = reader_uint(r);
	/* ids may have gaps where values died; but not such as would only cost memory */
	if (id > (UINT64_C(1) << 16) + (uint64_t)(r->end - r->start)) {
		reader_fail(r, "this id is far above the number of values");
		return 0;
	}
	return (uint32_t)id;
}

struct operands {
	VEC(value_id) in;
	VEC(struct view *) view;
	uint32_t own;
	bool split, views;
};

static struct view *read_view(struct reader *r)
{
	struct view *view;
	struct ints stride;

	if (!reader_take_word(r, "view"))
		return NULL;
	view = arena_new(r->a, struct view);
	view->offset = reader_int(r);
	stride = reader_ints(r);
	if (stride.v.len > MAX_RANK)
		reader_fail(r, "more than 8 axes");
	for (uint32_t i = 0; i < stride.v.len && i < MAX_RANK; i++)
		view->stride[i] = stride.v.data[i];
	return view;
}

static struct operands read_operands(struct reader *r)
{
	struct operands o = { 0 };

	reader_need(r, '(');
	while (!r->failed && !reader_take(r, ')')) {
		struct view *view = NULL;
		value_id id = NO_ID;

		if (reader_take(r, ';')) {
			if (o.split)
				reader_fail(r, "a second ';'");
			o.split = true;
			o.own = o.in.len;
			continue;
		}
		if (o.in.len && !(o.split && o.own == o.in.len) && !reader_need(r, ','))
			break;
		if (!reader_take_word(r, "_")) {
			id = read_id(r);
			if (!r->failed && (id >= r->known.len || !r->known.data[id]))
				reader_fail(r, "this value is not known yet");
			view = read_view(r);
		}
		vec_push(r->a, &o.in, id);
		if (o.split)
			vec_push(r->a, &o.view, view);
		o.views |= view != NULL;
	}
	if (!o.split)
		o.own = o.in.len;
	return o;
}

static void read_step(struct reader *r, struct epilogue_step *s)
{
	uint32_t count = 0;
	struct attrs attrs;

	if (!op_from_name(reader_word(r), &s->op) || !op_is_elementwise(s->op)) {
		reader_fail(r, "expected an elementwise operation");
		return;
	}
	reader_need(r, '(');
	do {
		const char *w = reader_word(r);
		char *end;
		unsigned long x;

		x = strtoul(*w ? w + 1 : w, &end, 10);
		if (count == 3 || (*w != 'r' && *w != 'i') || !w[1] || *end || x > INT32_MAX) {
			reader_fail(r, "expected a register r0 or an input i0");
			return;
		}
		s->in[count++] = (struct epilogue_operand){ *w == 'i', (uint32_t)x };
	} while (reader_take(r, ','));
	reader_need(r, ')');
	if (count != (op_class(s->op) == OP_UNARY ? 1 : op_class(s->op) == OP_BINARY ? 2 : 3))
		reader_fail(r, "wrong number of operands");
	attrs = read_attrs(r);
	s->attr = attrs.v.data;
	s->attr_count = attrs.v.len;
	if (!dtype_from_name(reader_word(r), &s->dtype))
		reader_fail(r, "expected an element type");
}

static void read_epilogue(struct reader *r, struct node *n, const struct operands *o)
{
	VEC(struct epilogue_step) steps = { 0 };

	if (!reader_take(r, '[')) {
		if (o->split)
			reader_fail(r, "expected an epilogue");
		return;
	}
	do {
		struct epilogue_step s = { 0 };

		read_step(r, &s);
		vec_push(r->a, &steps, s);
	} while (!r->failed && reader_take(r, ','));
	reader_need(r, ']');
	n->epilogue = steps.data;
	n->epilogue_count = steps.len;
	n->epilogue_first_input = o->own;
	n->view = o->views ? o->view.data : NULL;
}

/* ---- lines ---- */

struct definition {
	value_id id;
	const char *name;
};

static void define(struct reader *r, struct definition what, struct value v)
{
	struct value nothing = { .kind = VALUE_NODE, .dtype = DTYPE_F32, .producer = NO_ID };

	if (r->failed)
		return;
	while (r->known.len <= what.id) {
		vec_push(r->a, &r->known, false);
		vec_push(r->a, &r->g->values, nothing);
	}
	if (r->known.data[what.id]) {
		reader_fail(r, "this value is defined twice");
		return;
	}
	r->known.data[what.id] = true;
	v.name = what.name;
	r->g->values.data[what.id] = v;
}

static void read_node(struct reader *r, const struct definition *out, uint32_t outs, uint32_t start)
{
	struct node n = { .out_count = outs };
	struct operands o;
	struct attrs attrs;

	if (!op_from_name(reader_word(r), &n.op)) {
		reader_fail(r, "unknown operation");
		return;
	}
	o = read_operands(r);
	n.in = o.in.data;
	n.in_count = o.in.len;
	reader_space(r);
	if (r->at < r->end && *r->at == '"')
		n.name = reader_string(r);
	attrs = read_attrs(r);
	n.attr = attrs.v.data;
	n.attr_count = attrs.v.len;
	read_epilogue(r, &n, &o);
	n.out = arena_new_array(r->a, value_id, outs);
	n.span = (struct span){ r->file, start, (uint32_t)(r->at - r->start) };
	for (uint32_t i = 0; i < outs && !r->failed; i++) {
		struct value v = { .kind = VALUE_NODE,
				   .producer = r->g->nodes.len,
				   .span = n.span };

		reader_need(r, i ? ',' : ':');
		reader_type(r, &v.dtype, &v.shape);
		n.out[i] = out[i].id;
		define(r, out[i], v);
	}
	vec_push(r->a, &r->g->nodes, n);
}

static void read_definition(struct reader *r)
{
	VEC(struct definition) out = { 0 };
	uint32_t start = (uint32_t)(r->at - r->start);
	struct value v = { .producer = NO_ID };

	do {
		struct definition d = { read_id(r), NULL };

		reader_space(r);
		if (r->at < r->end && *r->at == '"')
			d.name = reader_string(r);
		vec_push(r->a, &out, d);
	} while (!r->failed && reader_take(r, ','));
	if (!reader_need(r, '='))
		return;
	if (out.len == 1 && reader_take_word(r, "input")) {
		v.kind = VALUE_INPUT;
		reader_type(r, &v.dtype, &v.shape);
		define(r, out.data[0], v);
		vec_push(r->a, &r->g->inputs, out.data[0].id);
	} else if (out.len == 1 && reader_take_word(r, "const")) {
		read_const(r, &v);
		v.span = (struct span){ r->file, start, start + 1 };
		define(r, out.data[0], v);
	} else {
		read_node(r, out.data, out.len, start);
	}
}

static void read_line(struct reader *r)
{
	reader_space(r);
	if (r->at < r->end && *r->at == '%') {
		read_definition(r);
	} else if (reader_take_word(r, "language")) {
		r->g->language = true;
	} else if (reader_take_word(r, "weights")) {
		r->g->weight_storage = reader_take_word(r, "f16")  ? DTYPE_F16 :
				       reader_take_word(r, "bf16") ? DTYPE_BF16 :
								      DTYPE_F32;
		if (r->g->weight_storage == DTYPE_F32)
			reader_need_word(r, "f32");
	} else if (reader_take_word(r, "file")) {
		struct weight_file f;

		if (reader_uint(r) != r->g->files.len)
			reader_fail(r, "files are counted from 0");
		f.path = reader_string(r);
		f.size = reader_uint(r);
		vec_push(r->a, &r->g->files, f);
	} else {
		const char *name;
		value_id id;

		reader_need_word(r, "output");
		name = reader_string(r);
		id = read_id(r);
		if (!r->failed && (id >= r->known.len || !r->known.data[id]))
			reader_fail(r, "this value is not known");
		vec_push(r->a, &r->g->outputs, id);
		vec_push(r->a, &r->g->output_names, name);
	}
}

struct graph *graph_read(struct arena *a, struct diag *d, uint32_t file)
{
	struct reader r = { .a = a, .d = d, .file = file };
	const struct source_file *f = &d->files.data[file - 1];

	r.start = r.at = f->text ? f->text : "";
	r.end = r.start + (f->text ? f->len : 0);
	if (r.end - r.start > INT32_MAX) {
		diag_error(d, NO_SPAN, "\"%s\" is too large for a graph in text form", f->name);
		return NULL;
	}
	r.g = graph_new(a, NULL);
	reader_need_word(&r, "graph");
	r.g->name = reader_string(&r);
	for (reader_space(&r); !r.failed && r.at < r.end; reader_space(&r))
		read_line(&r);
	if (r.failed || !graph_verify(r.g, d))
		return NULL;
	return r.g;
}
