/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.c - carry out the statements of a network; what remains is a graph.
 *
 * The language is evaluated like a small script in which tensors are names of
 * graph values: loops are unrolled and layers are built anew at every call. A
 * wrong expression gives poison, which is silent, so that one mistake gives one
 * message; a loop stops after the first round with a mistake, and a layer
 * that failed once is not built again.
 */
#include "config.h"

#include "import/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void run_list(struct network *n, const struct ast_list *list);

/* ---- layers of the user */

static bool bind_parameters(struct network *n, const struct ast_stmt *layer, const struct ast_expr *e,
			    struct net_value *value)
{
	uint32_t next = 0;
	bool ok = true;

	for (uint32_t i = 0; i < e->args.len; i++) {
		const struct ast_arg *a = &e->args.data[i];
		uint32_t at = next;
		struct net_value v = net_eval(n, a->value);

		if (a->name)
			for (at = 0; at < layer->params.len && strcmp(layer->params.data[at].name.text, a->name); at++)
				;
		else
			next++;
		if (at >= layer->params.len || value[at].kind != NET_ABSENT) {
			if (a->name && at >= layer->params.len)
				diag_error(n->diag, a->name_span, "layer \"%s\" has no parameter \"%s\"", e->text, a->name);
			else if (at >= layer->params.len)
				diag_error(n->diag, a->value->span, "layer \"%s\" has %u parameters", e->text,
					   layer->params.len);
			else
				diag_error(n->diag, a->value->span, "parameter \"%s\" is given twice",
					   layer->params.data[at].name.text);
			diag_note(n->diag, layer->name.span, "defined here");
			ok = false;
			continue;
		}
		value[at] = v;
		ok &= v.kind != NET_POISON;
	}
	return ok;
}

static bool is_recursive(struct network *n, const struct ast_stmt *layer, const struct ast_expr *e)
{
	for (const struct frame *f = n->frame; f; f = f->parent) {
		if (f->layer != layer)
			continue;
		diag_error(n->diag, e->span, "layer \"%s\" cannot call itself", e->text);
		diag_note(n->diag, layer->name.span, "defined here");
		return true;
	}
	if (n->depth < MAX_LAYER_DEPTH)
		return false;
	diag_error(n->diag, e->span, "layers are nested more than %d deep", MAX_LAYER_DEPTH);
	return true;
}

/* Parameters become variables of a new frame; those left out get their defaults there. */
static bool push_parameters(struct network *n, const struct ast_stmt *layer, const struct ast_expr *e,
			    const struct net_value *value)
{
	for (uint32_t i = 0; i < layer->params.len; i++) {
		const struct ast_param *p = &layer->params.data[i];
		struct net_value v = value[i];

		if (v.kind == NET_ABSENT && p->value)
			v = net_eval(n, p->value);
		if (v.kind == NET_ABSENT) {
			diag_error(n->diag, e->span, "layer \"%s\" needs its parameter \"%s\"", e->text, p->name.text);
			diag_note(n->diag, p->name.span, "declared here");
			return false;
		}
		net_push(n, p->name.text, v, p->name.span, false);
	}
	return true;
}

struct net_value net_call_layer(struct network *n, struct layer_entry *l, const struct ast_expr *e)
{
	const struct ast_stmt *layer = l->layer;
	struct net_value *value = arena_new_array(n->arena, struct net_value, layer->params.len);
	struct frame frame = { .parent = n->frame, .layer = layer, .base = n->variables.len };
	uint32_t id = (uint32_t)(l - n->layers.data);
	struct frame *outer = n->current;
	unsigned before = n->diag->errors, inside;

	if (is_recursive(n, layer, e) || !bind_parameters(n, layer, e, value) || l->failed)
		return NET_POISONED;
	n->frame = n->current = &frame;
	n->depth++;
	frame.result = NET_POISONED;
	if (push_parameters(n, layer, e, value)) {
		inside = n->diag->errors;
		run_list(n, &layer->body);
		if (!frame.returned && n->diag->errors == inside && !n->stop)
			diag_error(n->diag, layer->name.span, "layer \"%s\" returns nothing", layer->name.text);
		if (n->diag->errors != inside) {
			diag_note(n->diag, e->span, "in this call of \"%s\"", layer->name.text);
			n->layers.data[id].failed = true;
		}
	}
	net_pop(n, frame.base);
	n->depth--;
	n->frame = frame.parent;
	n->current = outer;
	if (n->diag->errors != before)
		return NET_POISONED;
	frame.result.span = e->span;
	return frame.result;
}

static void add_layer(struct network *n, const struct ast_stmt *t, bool in_model)
{
	struct layer_entry l = { .layer = t, .in_model = in_model };
	uint32_t i;

	if (map_get(&n->layer_names, t->name.text, &i) && n->layers.data[i].in_model == in_model) {
		if (!in_model)
			return; /* sema.c said it */
		diag_error(n->diag, t->name.span, "layer \"%s\" is defined twice", t->name.text);
		diag_note(n->diag, n->layers.data[i].layer->name.span, "first defined here");
		return;
	}
	map_put(n->arena, &n->layer_names, t->name.text, n->layers.len);
	vec_push(n->arena, &n->layers, l);
}

/* ---- statements */

static const char *setting_for(struct network *n, const char *name)
{
	for (uint32_t i = 0; i < n->options->setting_count; i++) {
		if (strcmp(n->options->settings[i].key, name))
			continue;
		if (n->options->setting_used)
			n->options->setting_used[i] = true;
		return n->options->settings[i].value;
	}
	return NULL;
}

/* The value that --set gives: a number, on, off or text. */
static struct net_value set_value(const char *text, struct span span)
{
	struct net_value v = { .kind = NET_TEXT, .text = text, .span = span };
	char *end;
	double x;

	if (!strcmp(text, "on") || !strcmp(text, "off"))
		return (struct net_value){ .kind = NET_SWITCH, .integer = text[1] == 'n', .span = span };
	errno = 0;
	v.integer = strtoll(text, &end, 10);
	if (*text && !*end && !errno)
		return net_int(v.integer, span);
	x = strtod(text, &end);
	if (*text && !*end)
		return (struct net_value){ .kind = NET_REAL, .real = x, .span = span };
	return v;
}

static void run_let(struct network *n, const struct ast_stmt *t)
{
	const char *set = n->frame ? NULL : setting_for(n, t->name.text);
	struct net_value v = set ? set_value(set, t->span) : net_eval(n, t->values.data[0]);
	struct variable *old = net_own(n, t->name.text);

	if (v.kind == NET_TENSOR || v.results) {
		diag_error(n->diag, t->span, "\"let\" is for constants, and this is %s", net_kind_name(v.kind));
		diag_hint(n->diag, "A tensor gets its name without let: %s = ...;", t->name.text);
		v = NET_POISONED;
	}
	if (old && old->constant) {
		diag_error(n->diag, t->name.span, "\"%s\" has a value already", t->name.text);
		diag_note(n->diag, old->span, "given its value here");
		return;
	}
	net_push(n, t->name.text, v, t->name.span, !n->frame);
}

/* "1x3x224x224" */
static bool parse_shape(const char *text, struct shape *out)
{
	char *end;

	*out = (struct shape){ 0 };
	for (const char *p = text;; p = end + 1) {
		if (out->rank == MAX_RANK || *p < '0' || *p > '9')
			return false;
		errno = 0;
		out->dim[out->rank] = strtoll(p, &end, 10);
		if (errno || out->dim[out->rank++] < 1)
			return false;
		if (!*end)
			return true;
		if (*end != 'x')
			return false;
	}
}

static bool input_shape(struct network *n, const struct ast_stmt *t, struct shape *out)
{
	const char *set = setting_for(n, t->name.text);

	if (set && parse_shape(set, out))
		return true;
	if (set) {
		diag_error(n->diag, t->span, "\"%s\" is not a shape for input \"%s\"", set, t->name.text);
		diag_hint(n->diag, "Write sizes with x between them: 1x3x224x224.");
		return false;
	}
	if (t->dims.len > MAX_RANK) {
		diag_error(n->diag, t->span, "a tensor has at most %d dimensions, this one has %u", MAX_RANK, t->dims.len);
		return false;
	}
	out->rank = t->dims.len;
	for (uint32_t i = 0; i < t->dims.len; i++) {
		struct net_value v = net_eval(n, t->dims.data[i]);

		if (v.kind == NET_POISON)
			return false;
		if (v.kind != NET_INT || v.integer < 1 || v.integer > INT32_MAX) {
			diag_error(n->diag, t->dims.data[i]->span, "a dimension must be a whole number of at least 1");
			return false;
		}
		out->dim[i] = v.integer;
	}
	if (shape_elements(out) < 0) {
		diag_error(n->diag, t->span, "this shape has too many elements");
		return false;
	}
	return true;
}

static void run_input(struct network *n, const struct ast_stmt *t)
{
	struct variable *old = net_own(n, t->name.text);
	struct shape shape = { 0 };
	enum dtype type;
	value_id v;

	if (n->frame) {
		diag_error(n->diag, t->span, "inputs belong to the model, not to a layer");
		return;
	}
	if (old && old->value.kind != NET_POISON) {
		diag_error(n->diag, t->name.span, "\"%s\" is known already", t->name.text);
		diag_note(n->diag, old->span, "first given here");
		return;
	}
	if (!dtype_from_name(t->dtype.text, &type)) {
		diag_error(n->diag, t->dtype.span, "unknown type \"%s\"", t->dtype.text);
		diag_hint(n->diag, "Types are f32, f16, bf16, f64, i64, i32, i16, i8, u8 and bool.");
		net_push(n, t->name.text, NET_POISONED, t->name.span, false);
		return;
	}
	if (!input_shape(n, t, &shape)) {
		net_push(n, t->name.text, NET_POISONED, t->name.span, false);
		return;
	}
	v = graph_add_input(n->graph, t->name.text, type, shape);
	graph_value(n->graph, v)->span = t->span;
	net_push(n, t->name.text, net_tensor(v, t->span), t->name.span, false);
}

static void run_output(struct network *n, const struct ast_stmt *t)
{
	struct ast_expr name = { .kind = EXPR_NAME, .text = t->name.text, .span = t->name.span };
	struct net_value v = net_eval(n, t->values.len ? t->values.data[0] : &name);
	value_id out = v.tensor;
	uint32_t old;

	if (n->frame) {
		diag_error(n->diag, t->span, "outputs belong to the model, not to a layer");
		return;
	}
	if (t->values.len)
		net_assign(n, t->name, v);
	if (map_get(&n->output_names, t->name.text, &old)) {
		diag_error(n->diag, t->name.span, "output \"%s\" is there twice", t->name.text);
		return;
	}
	map_put(n->arena, &n->output_names, t->name.text, 1);
	if (v.kind == NET_POISON)
		return;
	if (v.kind != NET_TENSOR) {
		diag_error(n->diag, t->span, "an output must be a tensor, and this is %s", net_kind_name(v.kind));
		return;
	}
	if (graph_value(n->graph, out)->kind != VALUE_NODE)
		out = graph_op(n->graph, n->diag, OP_identity, &out, 1, NULL, 0, t->span, t->name.text);
	if (out != NO_ID)
		graph_add_output(n->graph, out, t->name.text);
}

static void run_assign(struct network *n, const struct ast_stmt *t)
{
	struct net_value v = net_eval(n, t->values.data[0]);
	uint32_t count = t->targets.len;

	if (v.kind == NET_POISON) {
		for (uint32_t i = 0; i < count; i++)
			net_assign(n, t->targets.data[i], v);
		return;
	}
	if (count == 1 && !v.results) {
		net_assign(n, t->targets.data[0], v);
		return;
	}
	if (!v.results || v.count != count) {
		diag_error(n->diag, t->span, "%u name%s for %u result%s", count, count == 1 ? "" : "s",
			   v.results ? v.count : 1, v.results && v.count != 1 ? "s" : "");
		v.count = 0;
	}
	for (uint32_t i = 0; i < count; i++)
		net_assign(n, t->targets.data[i], i < v.count ? v.item[i] : NET_POISONED);
}

static bool loop_bound(struct network *n, const struct ast_expr *e, int64_t *out)
{
	struct net_value v = net_eval(n, e);

	if (v.kind != NET_INT && v.kind != NET_POISON)
		diag_error(n->diag, e->span, "a loop counts whole numbers, and this is %s", net_kind_name(v.kind));
	*out = v.integer;
	return v.kind == NET_INT;
}

static void run_for(struct network *n, const struct ast_stmt *t)
{
	int64_t from, to;
	uint32_t variables = n->variables.len;
	unsigned before = n->diag->errors;

	if (!loop_bound(n, t->values.data[0], &from) || !loop_bound(n, t->values.data[1], &to))
		return;
	for (int64_t i = from; i < to && !n->stop && n->diag->errors == before; i++) {
		if (++n->statements > MAX_STATEMENTS)
			break; /* said by the next statement */
		net_push(n, t->name.text, net_int(i, t->name.span), t->name.span, false);
		run_list(n, &t->body);
		net_pop(n, variables);
		if (n->current && n->current->returned)
			return;
	}
}

static void run_return(struct network *n, const struct ast_stmt *t)
{
	struct net_value *item = arena_new_array(n->arena, struct net_value, t->values.len);
	bool poison = false;

	for (uint32_t i = 0; i < t->values.len; i++) {
		item[i] = net_eval(n, t->values.data[i]);
		poison |= item[i].kind == NET_POISON;
	}
	if (!n->current) {
		diag_error(n->diag, t->span, "\"return\" belongs into a layer");
		diag_hint(n->diag, "A model names its results: output NAME = ...;");
		return;
	}
	n->current->returned = true;
	n->current->result = poison ? NET_POISONED : t->values.len == 1 ? item[0]
			   : net_results(n, item, t->values.len, t->span);
}

static void run_statement(struct network *n, const struct ast_stmt *t)
{
	switch (t->kind) {
	case STMT_SETTING:
		if (n->level > 1) {
			diag_error(n->diag, t->span, "\"%s\" is no statement of the network language", t->name.text);
			diag_hint(n->diag, "Settings stand at the beginning of a model.");
		}
		break;
	case STMT_INPUT: run_input(n, t); break;
	case STMT_OUTPUT: run_output(n, t); break;
	case STMT_LET: run_let(n, t); break;
	case STMT_ASSIGN: run_assign(n, t); break;
	case STMT_FOR: run_for(n, t); break;
	case STMT_RETURN: run_return(n, t); break;
	case STMT_LAYER:
		if (n->level > 1)
			diag_error(n->diag, t->span, "layers are defined in a model or beside it, not here");
		break;
	}
}

static void run_list(struct network *n, const struct ast_list *list)
{
	for (uint32_t i = 0; i < list->len && !n->stop; i++) {
		const struct ast_stmt *t = list->data[i];

		if (++n->statements > MAX_STATEMENTS || n->graph->nodes.len > MAX_STATEMENTS) {
			diag_error(n->diag, t->span, "the network has more than %d statements with its loops unrolled",
				   MAX_STATEMENTS);
			n->stop = true;
			return;
		}
		if (!net_enter(n, t->span))
			return;
		run_statement(n, t);
		n->level--;
		if (n->current && n->current->returned)
			return;
	}
}

struct graph *import_network(struct arena *a, struct diag *d, const struct decl_model *m, const struct import_options *o)
{
	static const struct import_options none;
	struct network n = { .arena = a, .diag = d, .graph = graph_new(a, m->name), .model = m,
			     .options = o ? o : &none };
	unsigned before = d->errors;

	if (!weights_begin(&n))
		return NULL;
	for (uint32_t i = 0; m->ast && i < m->ast->decls.len; i++)
		if (m->ast->decls.data[i]->kind == AST_LAYER)
			add_layer(&n, m->ast->decls.data[i]->layer, false);
	for (uint32_t i = 0; i < m->body->len; i++)
		if (m->body->data[i]->kind == STMT_LAYER)
			add_layer(&n, m->body->data[i], true);
	run_list(&n, m->body);
	if (d->errors == before && !n.graph->outputs.len) {
		diag_error(d, m->span, "model \"%s\" has no output", m->name);
		diag_hint(d, "Add output NAME = ...;");
	}
	return d->errors == before ? n.graph : NULL;
}
