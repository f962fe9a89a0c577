/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network_expr.c - names and expressions of a network.
 *
 * Names live on one stack, found through a map; a name given again inside
 * a block or a layer remembers which one it hides. Calculations between numbers are
 * carried out, those with tensors become nodes.
 */
#include "config.h"

#include "import/network.h"

#include <inttypes.h>
#include <string.h>

/* ---- values */

struct net_value net_tensor(value_id v, struct span span)
{
	if (v == NO_ID)
		return NET_POISONED;
	return (struct net_value){ .kind = NET_TENSOR, .tensor = v, .span = span };
}

struct net_value net_int(int64_t x, struct span span)
{
	return (struct net_value){ .kind = NET_INT, .integer = x, .real = (double)x, .span = span };
}

struct net_value net_results(struct network *n, const struct net_value *item, uint32_t count, struct span span)
{
	struct net_value v = { .kind = NET_LIST, .count = count, .span = span, .results = true };

	v.item = arena_copy(n->arena, item, count * sizeof *item);
	return v;
}

const char *net_kind_name(enum net_kind k)
{
	static const char *const names[] = { "nothing", "an error", "a tensor", "a whole number", "a number",
					     "text", "on or off", "a list" };

	return names[k];
}

bool net_enter(struct network *n, struct span at)
{
	if (n->stop)
		return false;
	if (++n->level <= MAX_LEVELS)
		return true;
	n->level--;
	n->stop = true;
	diag_error(n->diag, at, "layers and expressions are nested too deeply");
	return false;
}

/* ---- names */

static bool visible(const struct network *n, uint32_t i)
{
	return !n->frame || i >= n->frame->base || n->variables.data[i].constant;
}

static struct variable *net_find(const struct network *n, const char *name)
{
	uint32_t i;

	if (!map_get(&n->names, name, &i))
		return NULL;
	while (i != NO_ID && !visible(n, i))
		i = n->variables.data[i].shadowed;
	return i == NO_ID ? NULL : &n->variables.data[i];
}

void net_push(struct network *n, const char *name, struct net_value value, struct span span, bool constant)
{
	struct variable v = { .name = name, .value = value, .span = span, .shadowed = NO_ID, .constant = constant };

	map_get(&n->names, name, &v.shadowed);
	map_put(n->arena, &n->names, name, n->variables.len);
	vec_push(n->arena, &n->variables, v);
}

void net_pop(struct network *n, uint32_t len)
{
	while (n->variables.len > len) {
		const struct variable *v = &n->variables.data[--n->variables.len];

		map_put(n->arena, &n->names, v->name, v->shadowed);
	}
}

struct variable *net_own(struct network *n, const char *name)
{
	struct variable *v = net_find(n, name);

	return v && (!n->frame || v >= n->variables.data + n->frame->base) ? v : NULL;
}

void net_assign(struct network *n, struct ast_name name, struct net_value value)
{
	struct variable *v = net_own(n, name.text);

	if (value.kind == NET_TENSOR) {
		struct value *t = graph_value(n->graph, value.tensor);

		if (t->kind == VALUE_NODE && !t->name)
			t->name = name.text;
	}
	if (v && v->constant) {
		diag_error(n->diag, name.span, "\"%s\" is a constant", name.text);
		diag_note(n->diag, v->span, "given its value here");
	} else if (v) {
		v->value = value;
		v->span = name.span;
	} else {
		net_push(n, name.text, value, name.span, false);
	}
}

static struct net_value unknown_name(struct network *n, const struct ast_expr *e)
{
	uint32_t first = n->frame ? n->frame->base : 0, count = 0;
	const char **names = arena_new_array(n->arena, const char *, n->variables.len - first);
	const char *near;

	for (uint32_t i = first; i < n->variables.len && count < 500; i++)
		names[count++] = n->variables.data[i].name;
	near = ast_nearest(e->text, names, count);
	diag_error(n->diag, e->span, "unknown name \"%s\"", e->text);
	if (near)
		diag_hint(n->diag, "Did you mean %s?", near);
	else if (net_find_layer(e->text))
		diag_hint(n->diag, "It is a layer: %s(...).", e->text);
	net_push(n, e->text, NET_POISONED, e->span, false);
	return NET_POISONED;
}

static struct net_value eval_name(struct network *n, const struct ast_expr *e)
{
	const struct variable *v = net_find(n, e->text);
	struct net_value value;

	if (!v && (!strcmp(e->text, "on") || !strcmp(e->text, "off")))
		return (struct net_value){ .kind = NET_SWITCH, .integer = e->text[1] == 'n', .span = e->span };
	if (!v)
		return unknown_name(n, e);
	value = v->value;
	value.span = e->span;
	return value;
}

/* ---- expressions */

static bool put_name(struct network *n, struct strbuf *out, const struct ast_expr *e, const char *name)
{
	const struct variable *v = net_find(n, name);

	if (!v) {
		diag_error(n->diag, e->span, "unknown name \"%s\" in text", name);
		diag_hint(n->diag, "A brace itself is written {{.");
		return false;
	}
	switch (v->value.kind) {
	case NET_INT:
		strbuf_printf(out, "%" PRId64, v->value.integer);
		return true;
	case NET_REAL:
		strbuf_printf(out, "%g", v->value.real);
		return true;
	case NET_TEXT:
		strbuf_puts(out, v->value.text);
		return true;
	case NET_POISON:
		return false;
	default:
		diag_error(n->diag, e->span, "\"%s\" is %s and cannot stand in text", name,
			   net_kind_name(v->value.kind));
		return false;
	}
}

static bool fill_text(struct network *n, struct strbuf *out, const struct ast_expr *e)
{
	for (const char *p = e->text; *p; p++) {
		size_t len;

		if ((*p == '{' || *p == '}') && p[1] == *p) {
			strbuf_add(out, p++, 1);
		} else if (*p != '{') {
			strbuf_add(out, p, 1);
		} else {
			len = strcspn(p + 1, "{}");
			if (p[1 + len] != '}') {
				diag_error(n->diag, e->span, "text has a brace that is not closed");
				diag_hint(n->diag, "A brace itself is written {{.");
				return false;
			}
			if (!put_name(n, out, e, arena_strndup(n->arena, p + 1, len)))
				return false;
			p += 1 + len;
		}
		if (out->len > MAX_TEXT) {
			diag_error(n->diag, e->span, "text is longer than %d bytes", MAX_TEXT);
			return false;
		}
	}
	return true;
}

static struct net_value eval_text(struct network *n, const struct ast_expr *e)
{
	struct net_value v = { .kind = NET_TEXT, .span = e->span, .text = e->text };
	struct strbuf b = { 0 };

	if (!strpbrk(e->text, "{}"))
		return v;
	if (fill_text(n, &b, e))
		v.text = arena_strdup(n->arena, strbuf_str(&b));
	else
		v = NET_POISONED;
	strbuf_free(&b);
	return v;
}

static struct net_value eval_list(struct network *n, const struct ast_expr *e)
{
	struct net_value v = { .kind = NET_LIST, .span = e->span, .count = e->args.len };
	struct net_value *item = arena_new_array(n->arena, struct net_value, e->args.len);

	for (uint32_t i = 0; i < e->args.len; i++) {
		item[i] = net_eval(n, e->args.data[i].value);
		if (item[i].kind == NET_POISON)
			v.kind = NET_POISON;
	}
	v.item = item;
	return v;
}

value_id net_number(struct network *n, const struct net_value *number, value_id like)
{
	enum dtype t = graph_value(n->graph, like)->dtype;
	struct shape scalar = { 0 };
	uint16_t half = float_to_half((float)number->real);
	float f = (float)number->real;
	int32_t i32 = (int32_t)number->integer;
	const void *bytes = NULL;
	value_id v;

	if (t == DTYPE_F32)
		bytes = &f;
	else if (t == DTYPE_F16)
		bytes = &half;
	else if (t == DTYPE_I64 && number->kind == NET_INT)
		bytes = &number->integer;
	else if (t == DTYPE_I32 && number->kind == NET_INT && i32 == number->integer)
		bytes = &i32;
	if (!bytes) {
		diag_error(n->diag, number->span, "this number cannot be used with a tensor of type %s", dtype_name(t));
		diag_note(n->diag, graph_value(n->graph, like)->span, "the tensor comes from here");
		diag_hint(n->diag, "Convert the tensor first: cast(x, \"f32\").");
		return NO_ID;
	}
	v = graph_add_const_bytes(n->graph, t, scalar, bytes);
	graph_value(n->graph, v)->span = number->span;
	return v;
}

static struct net_value calculate(struct network *n, enum op op, const struct net_value *x, const struct net_value *y,
				  struct span span)
{
	struct net_value out = { .kind = NET_REAL, .span = span };
	int64_t a = x->integer, b = y->integer, z = 0;
	bool whole = x->kind == NET_INT && y->kind == NET_INT, overflow = false;

	if (op == OP_div && y->real == 0) {
		diag_error(n->diag, span, "division by zero");
		return NET_POISONED;
	}
	if (!whole) {
		out.real = op == OP_add ? x->real + y->real : op == OP_sub ? x->real - y->real
			 : op == OP_mul ? x->real * y->real : x->real / y->real;
		return out;
	}
	if (op == OP_div) {
		overflow = b == -1 && a == INT64_MIN;
		if (!overflow && a % b) {
			diag_error(n->diag, span, "%" PRId64 " / %" PRId64 " is not a whole number", a, b);
			diag_hint(n->diag, "Between whole numbers / must come out even; write one with a point (%" PRId64
				  ".0) to calculate with fractions.", b);
			return NET_POISONED;
		}
		z = overflow ? 0 : a / b;
	} else {
		overflow = op == OP_add ? __builtin_add_overflow(a, b, &z) : op == OP_sub ? __builtin_sub_overflow(a, b, &z)
			 : __builtin_mul_overflow(a, b, &z);
	}
	if (overflow) {
		diag_error(n->diag, span, "the result does not fit into 64 bits");
		return NET_POISONED;
	}
	return net_int(z, span);
}

static bool is_number(const struct net_value *v)
{
	return v->kind == NET_INT || v->kind == NET_REAL;
}

/* Both tensors' types match and their shapes broadcast. */
static bool go_together(struct network *n, value_id left, value_id right, struct span span)
{
	const struct value *v[2] = { graph_value(n->graph, left), graph_value(n->graph, right) };
	struct shape both;

	if (v[0]->dtype != v[1]->dtype)
		diag_error(n->diag, span, "types %s and %s differ", dtype_name(v[0]->dtype), dtype_name(v[1]->dtype));
	else if (!shape_broadcast(&v[0]->shape, &v[1]->shape, &both))
		diag_error(n->diag, span, "shapes %s and %s do not broadcast together",
			   shape_string(n->arena, &v[0]->shape), shape_string(n->arena, &v[1]->shape));
	else
		return true;
	for (uint32_t i = 0; i < 2; i++)
		diag_note(n->diag, v[i]->span, "%s operand %s%s%sis %s%s", i ? "right" : "left", v[i]->name ? "\"" : "",
			  v[i]->name ? v[i]->name : "", v[i]->name ? "\" " : "", dtype_name(v[i]->dtype),
			  shape_string(n->arena, &v[i]->shape));
	if (v[0]->dtype != v[1]->dtype)
		diag_hint(n->diag, "Convert one of them: cast(x, \"f32\").");
	return false;
}

static struct net_value net_binary(struct network *n, enum op op, const struct net_value *x, const struct net_value *y,
			    struct span span)
{
	const struct net_value *bad;
	value_id in[2];

	if (x->kind == NET_POISON || y->kind == NET_POISON)
		return NET_POISONED;
	bad = x->kind != NET_TENSOR && !is_number(x) ? x : y->kind != NET_TENSOR && !is_number(y) ? y : NULL;
	if (bad) {
		diag_error(n->diag, bad->span, "cannot calculate with %s",
			   bad->results ? "several results" : net_kind_name(bad->kind));
		return NET_POISONED;
	}
	if (is_number(x) && is_number(y))
		return calculate(n, op, x, y, span);
	in[0] = x->kind == NET_TENSOR ? x->tensor : net_number(n, x, y->tensor);
	in[1] = y->kind == NET_TENSOR ? y->tensor : net_number(n, y, x->tensor);
	if (in[0] == NO_ID || in[1] == NO_ID || !go_together(n, in[0], in[1], span))
		return NET_POISONED;
	return net_tensor(graph_op(n->graph, n->diag, op, in, 2, NULL, 0, span, NULL), span);
}

static struct net_value eval_negative(struct network *n, const struct ast_expr *e)
{
	struct net_value x = net_eval(n, e->args.data[0].value), zero = net_int(0, e->span);

	if (x.kind != NET_TENSOR)
		return net_binary(n, OP_sub, &zero, &x, e->span);
	return net_tensor(graph_op(n->graph, n->diag, OP_neg, &x.tensor, 1, NULL, 0, e->span, NULL), e->span);
}

static struct net_value eval(struct network *n, const struct ast_expr *e)
{
	struct net_value x, y;

	switch (e->kind) {
	case EXPR_NAME:
		return eval_name(n, e);
	case EXPR_NUMBER:
		if (e->number.is_integer)
			return net_int(e->number.integer, e->span);
		return (struct net_value){ .kind = NET_REAL, .real = e->number.value, .span = e->span };
	case EXPR_STRING:
		return eval_text(n, e);
	case EXPR_LIST:
		return eval_list(n, e);
	case EXPR_CALL:
		return net_call(n, e);
	case EXPR_NEG:
		return eval_negative(n, e);
	case EXPR_BINARY:
		x = net_eval(n, e->args.data[0].value);
		y = net_eval(n, e->args.data[1].value);
		return net_binary(n, e->op == '+' ? OP_add : e->op == '-' ? OP_sub : e->op == '*' ? OP_mul : OP_div, &x,
				  &y, e->span);
	case EXPR_ERROR:
		break;
	}
	return NET_POISONED;
}

struct net_value net_eval(struct network *n, const struct ast_expr *e)
{
	struct net_value v;

	if (!net_enter(n, e->span))
		return NET_POISONED;
	v = eval(n, e);
	n->level--;
	return v;
}
