/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network_call.c - calls: which layer, which argument goes where, and what
 * builders of layers need to look at their arguments.
 *
 * A built-in layer's parameters are written as a line of text in its table
 * ("x:t name:s units:n?"), which is at once what is checked here and what a
 * message shows when a call does not fit.
 */
#include "config.h"

#include "import/network.h"

#include <stdlib.h>
#include <string.h>

struct parameter {
	char name[24];
	char type;
	bool optional, rest;
};

static uint32_t read_parameters(const char *text, struct parameter *out)
{
	uint32_t n = 0;

	while (*text && n < MAX_ARGUMENTS) {
		struct parameter *p = &out[n++];
		size_t len;

		p->rest = *text == '*';
		text += p->rest;
		len = strcspn(text, ":");
		memcpy(p->name, text, len);
		p->name[len] = 0;
		p->type = text[len + 1];
		text += len + 2;
		p->optional = *text == '?';
		text += p->optional;
		text += *text == ' ';
	}
	return n;
}

static const char *signature(struct arena *a, const struct layer_spec *spec)
{
	struct parameter p[MAX_ARGUMENTS];
	uint32_t n = read_parameters(spec->params, p);
	struct strbuf b = { 0 };
	char *text;

	strbuf_printf(&b, "%s(", spec->name);
	for (uint32_t i = 0; i < n; i++)
		strbuf_printf(&b, "%s%s%s%s", i ? ", " : "", p[i].name, p[i].rest ? ", ..." : "",
			      p[i].optional ? "=..." : "");
	strbuf_puts(&b, ")");
	text = arena_strdup(a, strbuf_str(&b));
	strbuf_free(&b);
	return text;
}

static const char *type_name(char type)
{
	switch (type) {
	case 't': return "a tensor";
	case 'v': return "a tensor or a number";
	case 'n': return "a whole number";
	case 'r': return "a number";
	case 's': return "text in quotes";
	case 'b': return "on or off";
	case 'l': return "a list of whole numbers";
	case 'p': return "a whole number, a list of them or \"same\"";
	default: return "a whole number or a list of them";
	}
}

static bool type_fits(char type, const struct net_value *v)
{
	bool list = v->kind == NET_LIST && !v->results;

	switch (type) {
	case 't': return v->kind == NET_TENSOR;
	case 'v': return v->kind == NET_TENSOR || v->kind == NET_INT || v->kind == NET_REAL;
	case 'n': return v->kind == NET_INT;
	case 'r': return v->kind == NET_INT || v->kind == NET_REAL;
	case 's': return v->kind == NET_TEXT;
	case 'b': return v->kind == NET_SWITCH;
	case 'l': return list;
	case 'p': return list || v->kind == NET_INT || v->kind == NET_TEXT;
	default: return list || v->kind == NET_INT;
	}
}

/* ---- binding */

struct binding {
	struct net_call *c;
	struct parameter p[MAX_ARGUMENTS];
	uint32_t count;
	bool ok;
};

static void wrong(struct binding *b, struct span at, const char *fmt, const char *what)
{
	struct network *n = b->c->n;

	diag_error(n->diag, at, fmt, b->c->spec->name, what);
	diag_hint(n->diag, "Its arguments: %s.", signature(n->arena, b->c->spec));
	b->ok = false;
}

static void bind_one(struct binding *b, uint32_t at, struct net_value v, struct span where)
{
	struct network *n = b->c->n;

	if (v.kind == NET_POISON) {
		b->ok = false;
	} else if (b->c->arg[at].kind != NET_ABSENT) {
		diag_error(n->diag, where, "argument \"%s\" of %s is given twice", b->p[at].name, b->c->spec->name);
		b->ok = false;
		return;
	} else if (!type_fits(b->p[at].type, &v)) {
		diag_error(n->diag, where, "argument \"%s\" of %s must be %s, and this is %s", b->p[at].name,
			   b->c->spec->name, type_name(b->p[at].type), v.results ? "several results" : net_kind_name(v.kind));
		b->ok = false;
	}
	b->c->arg[at] = v;
	b->c->where[at] = where;
}

/* All positional arguments into one list. */
static void bind_rest(struct binding *b, const struct ast_expr *e)
{
	struct network *n = b->c->n;
	struct net_value *item = arena_new_array(n->arena, struct net_value, e->args.len);
	struct net_value list = { .kind = NET_LIST, .span = e->span };

	for (uint32_t i = 0; i < e->args.len; i++) {
		if (e->args.data[i].name)
			continue;
		item[list.count] = net_eval(n, e->args.data[i].value);
		if (item[list.count].kind == NET_POISON)
			b->ok = false;
		else if (!type_fits(b->p[0].type, &item[list.count]))
			wrong(b, e->args.data[i].value->span, "%s takes %s here", type_name(b->p[0].type));
		list.count++;
	}
	list.item = item;
	if (!list.count && b->ok)
		wrong(b, e->span, "%s needs %s", "something to work on");
	b->c->arg[0] = list;
	b->c->where[0] = e->span;
}

static void bind_named(struct binding *b, const struct ast_arg *a)
{
	const char *names[MAX_ARGUMENTS], *near;
	struct network *n = b->c->n;

	for (uint32_t i = 0; i < b->count; i++) {
		names[i] = b->p[i].name;
		if (strcmp(names[i], a->name))
			continue;
		bind_one(b, i, net_eval(n, a->value), a->value->span);
		return;
	}
	near = ast_nearest(a->name, names, b->count);
	if (!near) {
		wrong(b, a->name_span, "%s has no argument \"%s\"", a->name);
		return;
	}
	diag_error(n->diag, a->name_span, "%s has no argument \"%s\"", b->c->spec->name, a->name);
	diag_hint(n->diag, "Did you mean %s?", near);
	b->ok = false;
}

static bool bind(struct net_call *c, const struct ast_expr *e)
{
	struct binding b = { .c = c, .ok = true };
	uint32_t next = 0;
	bool rest;

	b.count = read_parameters(c->spec->params, b.p);
	rest = b.count && b.p[0].rest;
	if (rest)
		bind_rest(&b, e);
	for (uint32_t i = 0; i < e->args.len; i++) {
		const struct ast_arg *a = &e->args.data[i];

		if (a->name)
			bind_named(&b, a);
		else if (rest)
			continue;
		else if (next < b.count)
			bind_one(&b, next++, net_eval(c->n, a->value), a->value->span);
		else {
			wrong(&b, a->value->span, "%s has too many arguments%s", "");
			break;
		}
	}
	for (uint32_t i = 0; i < b.count && b.ok; i++)
		if (c->arg[i].kind == NET_ABSENT && !b.p[i].optional)
			wrong(&b, c->span, "%s needs its argument \"%s\"", b.p[i].name);
	return b.ok;
}

/* ---- calls */

static const struct {
	const struct layer_spec *specs;
	const uint32_t *count;
} tables[] = {
	{ net_layers, &net_layer_count },
	{ net_image_layers, &net_image_layer_count },
	{ net_shape_layers, &net_shape_layer_count },
};

const struct layer_spec *net_find_layer(const char *name)
{
	for (uint32_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (uint32_t i = 0; i < *tables[t].count; i++)
			if (!strcmp(tables[t].specs[i].name, name))
				return &tables[t].specs[i];
	return NULL;
}

static struct net_value unknown_layer(struct network *n, const struct ast_expr *e)
{
	VEC(const char *) names = { 0 };
	const char *near;

	for (uint32_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (uint32_t i = 0; i < *tables[t].count; i++)
			vec_push(n->arena, &names, tables[t].specs[i].name);
	for (uint32_t i = 0; i < n->layers.len && i < 500; i++)
		vec_push(n->arena, &names, n->layers.data[i].layer->name.text);
	near = ast_nearest(e->text, names.data, names.len);
	diag_error(n->diag, e->head, "no layer is called \"%s\"", e->text);
	if (near)
		diag_hint(n->diag, "Did you mean %s?", near);
	return NET_POISONED;
}

struct net_value net_call(struct network *n, const struct ast_expr *e)
{
	struct net_call c = { .n = n, .span = e->span, .head = e->head };
	uint32_t i;

	if (map_get(&n->layer_names, e->text, &i))
		return net_call_layer(n, &n->layers.data[i], e);
	c.spec = net_find_layer(e->text);
	if (!c.spec)
		return unknown_layer(n, e);
	return bind(&c, e) && !n->stop ? c.spec->build(&c) : NET_POISONED;
}

/* ---- for builders */

const struct shape *net_shape(const struct net_call *c, uint32_t arg)
{
	return &graph_value(c->n->graph, c->arg[arg].tensor)->shape;
}

enum dtype net_dtype(const struct net_call *c, uint32_t arg)
{
	return graph_value(c->n->graph, c->arg[arg].tensor)->dtype;
}

bool net_given(const struct net_call *c, uint32_t arg)
{
	return c->arg[arg].kind != NET_ABSENT;
}

int64_t net_get_int(const struct net_call *c, uint32_t arg, int64_t absent)
{
	return net_given(c, arg) ? c->arg[arg].integer : absent;
}

double net_get_real(const struct net_call *c, uint32_t arg, double absent)
{
	return net_given(c, arg) ? c->arg[arg].real : absent;
}

bool net_get_switch(const struct net_call *c, uint32_t arg, bool absent)
{
	return net_given(c, arg) ? c->arg[arg].integer != 0 : absent;
}

void net_note_operands(struct net_call *c)
{
	struct parameter p[MAX_ARGUMENTS];
	uint32_t count = read_parameters(c->spec->params, p);
	struct network *n = c->n;

	for (uint32_t i = 0; i < count; i++) {
		const struct value *v;
		bool again = c->arg[i].kind != NET_TENSOR;

		for (uint32_t k = 0; k < i && !again; k++)
			again = c->arg[k].kind == NET_TENSOR && c->arg[k].tensor == c->arg[i].tensor;
		if (again)
			continue;
		v = graph_value(n->graph, c->arg[i].tensor);
		if (v->name)
			diag_note(n->diag, v->span, "\"%s\" is %s%s", v->name, dtype_name(v->dtype),
				  shape_string(n->arena, &v->shape));
		else
			diag_note(n->diag, v->span, "argument \"%s\" is %s%s", p[i].name, dtype_name(v->dtype),
				  shape_string(n->arena, &v->shape));
	}
}

struct net_value net_fail(struct net_call *c, uint32_t arg, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_error(c->n->diag, arg < MAX_ARGUMENTS && net_given(c, arg) ? c->where[arg] : c->span, "%s: %s",
		   c->spec->name, arena_vprintf(c->n->arena, fmt, ap));
	va_end(ap);
	net_note_operands(c);
	return NET_POISONED;
}

int64_t net_get_axis(struct net_call *c, uint32_t arg, uint32_t rank, int64_t absent)
{
	int64_t axis = net_get_int(c, arg, absent);

	if (axis >= 0 ? axis < rank : axis >= -(int64_t)rank)
		return axis < 0 ? axis + rank : axis;
	net_fail(c, arg, "there is no axis %lld in a tensor of rank %u", (long long)axis, rank);
	return -1;
}

uint32_t net_get_list(struct net_call *c, uint32_t arg, int64_t *out, uint32_t max)
{
	const struct net_value *v = &c->arg[arg];

	if (v->kind == NET_INT) {
		out[0] = v->integer;
		return 1;
	}
	if (v->count > max) {
		net_fail(c, arg, "a list of %u is too long, at most %u", v->count, max);
		return UINT32_MAX;
	}
	for (uint32_t i = 0; i < v->count; i++) {
		out[i] = v->item[i].integer;
		if (v->item[i].kind == NET_INT)
			continue;
		net_fail(c, arg, "a list of whole numbers is needed");
		return UINT32_MAX;
	}
	return v->count;
}

value_id net_op(struct net_call *c, enum op op, const value_id *in, uint32_t in_count, const struct attr *attr,
		uint32_t attr_count)
{
	for (uint32_t i = 0; i < in_count; i++)
		if (in[i] == NO_ID)
			return NO_ID;
	return graph_op(c->n->graph, c->n->diag, op, in, in_count, attr, attr_count, c->span, NULL);
}

value_id net_reshape(struct net_call *c, value_id x, const int64_t *dim, uint32_t rank)
{
	struct attr a = attr_ints(shape, dim, rank);

	return net_op(c, OP_reshape, &x, 1, &a, 1);
}

value_id net_transpose(struct net_call *c, value_id x, const int64_t *perm, uint32_t rank)
{
	struct attr a = attr_ints(perm, perm, rank);

	return net_op(c, OP_transpose, &x, 1, &a, 1);
}

value_id net_to_last(struct net_call *c, value_id x)
{
	int64_t perm[MAX_RANK] = { 0 };
	uint32_t rank;

	if (x == NO_ID)
		return NO_ID;
	rank = graph_value(c->n->graph, x)->shape.rank;
	for (uint32_t i = 1; i + 1 < rank; i++)
		perm[i] = i + 1;
	perm[rank - 1] = 1;
	return net_transpose(c, x, perm, rank);
}

value_id net_to_first(struct net_call *c, value_id x)
{
	int64_t perm[MAX_RANK] = { 0 };
	uint32_t rank;

	if (x == NO_ID)
		return NO_ID;
	rank = graph_value(c->n->graph, x)->shape.rank;
	perm[1] = rank - 1;
	for (uint32_t i = 2; i < rank; i++)
		perm[i] = i - 1;
	return net_transpose(c, x, perm, rank);
}
