/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_body.c - graphs inside of nodes (If, Loop, Scan), and operators that the
 * file defines by nodes of its own.
 *
 * All of them become part of the graph around them: the branch that is taken,
 * each turn of a loop, the body of a function with its caller's attributes. A
 * scope keeps their names apart. What bodies may become is bounded, whatever
 * the file says of turns and depth.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

void onnx_enter(struct onnx_import *im, struct onnx_scope *scope, bool sealed)
{
	*scope = (struct onnx_scope){ .outer = im->scope, .sealed = sealed };
	im->scope = scope;
}

static void onnx_leave(struct onnx_import *im)
{
	im->scope = im->scope->outer;
}

/* A body is to be read once more. */
static bool may_grow(struct call *c, size_t nodes)
{
	struct onnx_import *im = c->im;

	if (im->body_depth == MAX_BODY_DEPTH)
		return call_fail(c, "nested too deeply");
	if (nodes > MAX_BODY_NODES || im->body_nodes + nodes + 1 > MAX_BODY_NODES)
		return call_fail(c, "it would become more than %d nodes", MAX_BODY_NODES);
	im->body_nodes += nodes + 1;
	return true;
}

/* Nodes of a body in the current scope; then its outputs, NO_ID after an error that was said. */
static bool read_body(struct call *c, const Onnx__GraphProto *body, value_id *out)
{
	struct onnx_import *im = c->im;
	bool good;

	im->body_depth++;
	onnx_initialisers(im, body);
	good = onnx_nodes(im, body);
	im->body_depth--;
	for (size_t i = 0; i < body->n_output; i++) {
		const char *name = body->output[i]->name;
		bool found = false;

		out[i] = name ? onnx_lookup(im, name, &found) : NO_ID;
		if (!found && good)
			return call_fail(c, "output \"%s\" of its body is produced by nothing", name ? name : "");
		c->failed |= out[i] == NO_ID; /* said while converting the body */
	}
	return !c->failed;
}

/* Outputs of one branch, in a scope of its own. */
static value_id *read_branch(struct call *c, const char *which)
{
	const Onnx__AttributeProto *branch = call_attr(c, which);
	struct onnx_scope scope;
	value_id *out;

	if (!branch || !branch->g || branch->g->n_output != c->node->n_output) {
		call_fail(c, "attribute \"%s\" is missing or has other outputs", which);
		return NULL;
	}
	if (!may_grow(c, branch->g->n_node))
		return NULL;
	out = arena_new_array(&c->im->file, value_id, c->node->n_output + 1);
	onnx_enter(c->im, &scope, false);
	read_body(c, branch->g, out);
	onnx_leave(c->im);
	return c->failed ? NULL : out;
}

/* Only a run knows which: both are computed, and one is chosen. */
static bool choose_branch(struct call *c)
{
	value_id condition = call_in(c, 0), *a, *b;
	struct shape s = shape_of(c, condition);

	if (dtype_of(c, condition) != DTYPE_BOOL || shape_elements(&s) != 1)
		return call_fail(c, "the condition must be one value");
	a = read_branch(c, "then_branch");
	b = a ? read_branch(c, "else_branch") : NULL;
	if (!b)
		return false;
	condition = emit_reshape(c, condition, &(struct shape){ 0 });
	for (uint32_t i = 0; i < c->node->n_output; i++) {
		struct shape sa = shape_of(c, a[i]), sb = shape_of(c, b[i]);

		if (!shape_equal(&sa, &sb) || dtype_of(c, a[i]) != dtype_of(c, b[i]))
			return call_fail(c,
					 "the condition is computed while the model runs, and output %u is %s%s in one branch and "
					 "%s%s in the other: shapes must be known when compiling",
					 i, dtype_name(dtype_of(c, a[i])), shape_string(&c->im->scratch, &sa),
					 dtype_name(dtype_of(c, b[i])), shape_string(&c->im->scratch, &sb));
		call_out(c, i, emit3(c, OP_where, condition, a[i], b[i]));
	}
	return !c->failed;
}

/* The branch that is taken becomes part of the graph around it. */
bool op_if(struct call *c)
{
	const int64_t *condition;
	value_id *out;
	uint32_t n;

	if (call_in(c, 0) != NO_ID && !is_known(c, call_in(c, 0)))
		return choose_branch(c);
	condition = call_known_ints(c, 0, "the condition", &n);
	if (!condition || n != 1)
		return call_fail(c, "the condition must be one value");
	call_attr(c, *condition ? "else_branch" : "then_branch");
	out = read_branch(c, *condition ? "then_branch" : "else_branch");
	for (uint32_t i = 0; out && i < c->node->n_output; i++)
		call_out(c, i, out[i]);
	return !c->failed;
}

/* ---- Loop and Scan: turn by turn */

struct turns {
	const Onnx__GraphProto *body;
	value_id *state, *out;
	size_t carried, scanned; /* values that go from turn to turn; results that are put together */
	value_id *parts;	 /* of `scanned` results in each turn */
	size_t done, room;
};

static bool begin_turns(struct call *c, struct turns *t, size_t extra_outputs)
{
	const Onnx__AttributeProto *body = call_attr(c, "body");

	if (!body || !body->g)
		return call_fail(c, "its body is missing");
	t->body = body->g;
	if (t->body->n_output < extra_outputs + t->carried ||
	    t->body->n_output - extra_outputs != c->node->n_output)
		return call_fail(c, "its outputs are not those of its body");
	t->scanned = c->node->n_output - t->carried;
	t->out = arena_new_array(&c->im->file, value_id, t->body->n_output);
	return true;
}

static void keep_part(struct call *c, struct turns *t, const value_id *out)
{
	if (t->done == t->room) {
		value_id *more = arena_new_array(&c->im->file, value_id, (t->room * 2 + 16) * (t->scanned + 1));

		if (t->done)
			memcpy(more, t->parts, t->done * t->scanned * sizeof *more);
		t->parts = more;
		t->room = t->room * 2 + 16;
	}
	if (t->scanned)
		memcpy(t->parts + t->done * t->scanned, out, t->scanned * sizeof *out);
	t->done++;
}

static void define_input(struct call *c, const struct turns *t, size_t i, value_id v)
{
	const char *name = t->body->input[i]->name;

	if (name && *name && !onnx_defined(c->im, name))
		onnx_define(c->im, name, v);
}

/* Result k of all turns along a new axis. */
static value_id put_together(struct call *c, const struct turns *t, size_t k, int64_t where, bool backwards)
{
	value_id *in = arena_new_array(&c->im->scratch, value_id, t->done + 1);
	uint32_t axis;

	if (!t->done) {
		call_fail(c, "it makes no turn, so the shape of output %zu is not known", t->carried + k);
		return NO_ID;
	}
	for (size_t i = 0; i < t->done; i++) {
		value_id v = t->parts[(backwards ? t->done - 1 - i : i) * t->scanned + k];
		struct shape s = shape_of(c, v), one = { .rank = s.rank + 1 };
		uint32_t from = 0;

		if (s.rank == MAX_RANK || !call_axis(c, where, s.rank + 1, &axis)) {
			call_fail(c, "output %zu has too many axes", t->carried + k);
			return NO_ID;
		}
		for (uint32_t d = 0; d < one.rank; d++)
			one.dim[d] = d == axis ? 1 : s.dim[from++];
		in[i] = emit_reshape(c, v, &one);
	}
	return t->done == 1 ? in[0] : emit(c, OP_concat, in, (uint32_t)t->done, &attr_int(axis, axis), 1);
}

/* 1 or 0 where it is known; -1: said why not. */
static int known_condition(struct call *c, value_id v)
{
	const void *p;

	if (v == NO_ID)
		return 1;
	if (!is_known(c, v) || dtype_of(c, v) != DTYPE_BOOL || !(p = known_data(c, v))) {
		call_fail(c, "how often it runs must be known when compiling, but its condition is computed while the "
			     "model runs");
		return -1;
	}
	return *(const unsigned char *)p != 0;
}

static bool loop_turn(struct call *c, struct turns *t, int64_t i, int *go_on)
{
	struct onnx_scope scope;
	bool good;

	if (!may_grow(c, t->body->n_node))
		return false;
	onnx_enter(c->im, &scope, false);
	define_input(c, t, 0, graph_add_const_bytes(c->g, DTYPE_I64, (struct shape){ 0 }, &i));
	define_input(c, t, 1, emit_scalar(c, DTYPE_BOOL, 1));
	for (size_t k = 0; k < t->carried; k++)
		define_input(c, t, 2 + k, t->state[k]);
	good = read_body(c, t->body, t->out);
	onnx_leave(c->im);
	if (!good)
		return false;
	*go_on = known_condition(c, t->out[0]);
	memcpy(t->state, t->out + 1, t->carried * sizeof *t->state);
	keep_part(c, t, t->out + 1 + t->carried);
	return *go_on >= 0;
}

bool op_loop(struct call *c)
{
	struct turns t = { .carried = c->node->n_input > 2 ? c->node->n_input - 2 : 0 };
	int64_t most = INT64_MAX;
	int go_on;
	uint32_t n;

	if (call_has(c, 0)) {
		const int64_t *trips = call_known_ints(c, 0, "how often it runs", &n);

		if (!trips || n != 1)
			return call_fail(c, "how often it runs must be one number");
		most = *trips;
	}
	if (!begin_turns(c, &t, 1))
		return false;
	if (t.body->n_input != 2 + t.carried)
		return call_fail(c, "its inputs are not those of its body");
	t.state = arena_new_array(&c->im->file, value_id, t.carried + 1);
	for (uint32_t i = 0; i < t.carried; i++) {
		t.state[i] = call_in(c, 2 + i);
		if (t.state[i] == NO_ID)
			return call_fail(c, "input %u is missing", 2 + i);
	}
	go_on = known_condition(c, call_in(c, 1));
	for (int64_t i = 0; i < most && go_on == 1; i++)
		if (!loop_turn(c, &t, i, &go_on))
			return false;
	if (go_on < 0)
		return false;
	for (uint32_t i = 0; i < t.carried; i++)
		call_out(c, i, t.state[i]);
	for (size_t k = 0; k < t.scanned; k++)
		if (call_wants(c, (uint32_t)(t.carried + k)))
			call_out(c, (uint32_t)(t.carried + k), put_together(c, &t, k, 0, false));
	return !c->failed;
}

static int64_t listed(const int64_t *list, uint32_t n, size_t i)
{
	return list && i < n ? list[i] : 0;
}

/* Element `at` along an axis of what is scanned. */
static value_id one_of(struct call *c, value_id x, uint32_t axis, int64_t at)
{
	struct shape s = shape_of(c, x), less = { .rank = s.rank - 1 };
	uint32_t to = 0;

	for (uint32_t d = 0; d < s.rank; d++)
		if (d != axis)
			less.dim[to++] = s.dim[d];
	return emit_reshape(c, emit_slice(c, x, axis, at, 1), &less);
}

static bool scan_turn(struct call *c, struct turns *t, size_t inputs, const uint32_t *axis, const int64_t *back, int64_t at,
		      int64_t steps)
{
	struct onnx_scope scope;
	bool good;

	if (!may_grow(c, t->body->n_node))
		return false;
	onnx_enter(c->im, &scope, false);
	for (size_t k = 0; k < t->carried; k++)
		define_input(c, t, k, t->state[k]);
	for (size_t k = 0; k < inputs; k++)
		define_input(c, t, t->carried + k,
			     one_of(c, call_in(c, (uint32_t)(t->carried + k)), axis[k], back[k] ? steps - 1 - at : at));
	good = !c->failed && read_body(c, t->body, t->out);
	onnx_leave(c->im);
	if (!good)
		return false;
	memcpy(t->state, t->out, t->carried * sizeof *t->state);
	keep_part(c, t, t->out + t->carried);
	return true;
}

bool op_scan(struct call *c)
{
	int64_t inputs = call_int(c, "num_scan_inputs", 0), steps = -1, *back;
	uint32_t n_axes, n_directions, n_out_axes, n_out_directions, *axis;
	const int64_t *axes = call_ints(c, "scan_input_axes", &n_axes);
	const int64_t *directions = call_ints(c, "scan_input_directions", &n_directions);
	const int64_t *out_axes = call_ints(c, "scan_output_axes", &n_out_axes);
	const int64_t *out_directions = call_ints(c, "scan_output_directions", &n_out_directions);
	struct turns t = { 0 };

	if (c->opset < 9)
		return call_fail(c, "version 8 of it is not supported");
	if (inputs < 1 || inputs > (int64_t)c->node->n_input)
		return call_fail(c, "num_scan_inputs is %lld", (long long)inputs);
	t.carried = c->node->n_input - (size_t)inputs;
	if (!begin_turns(c, &t, 0))
		return false;
	if (t.body->n_input != c->node->n_input)
		return call_fail(c, "its inputs are not those of its body");
	t.state = arena_new_array(&c->im->file, value_id, t.carried + 1);
	axis = arena_new_array(&c->im->file, uint32_t, (size_t)inputs);
	back = arena_new_array(&c->im->file, int64_t, (size_t)inputs);
	for (uint32_t i = 0; i < c->node->n_input; i++) {
		struct shape s = shape_of(c, call_in(c, i));
		size_t k = i - t.carried;

		if (call_in(c, i) == NO_ID)
			return call_fail(c, "input %u is missing", i);
		if (i < t.carried) {
			t.state[i] = call_in(c, i);
			continue;
		}
		if (!call_axis(c, listed(axes, n_axes, k), s.rank, &axis[k]))
			return false;
		back[k] = listed(directions, n_directions, k);
		if (steps >= 0 && s.dim[axis[k]] != steps)
			return call_fail(c, "its inputs have different lengths");
		steps = s.dim[axis[k]];
	}
	for (int64_t i = 0; i < steps; i++)
		if (!scan_turn(c, &t, (size_t)inputs, axis, back, i, steps))
			return false;
	for (uint32_t i = 0; i < t.carried; i++)
		call_out(c, i, t.state[i]);
	for (size_t k = 0; k < t.scanned; k++)
		if (call_wants(c, (uint32_t)(t.carried + k)))
			call_out(c, (uint32_t)(t.carried + k),
				 put_together(c, &t, k, listed(out_axes, n_out_axes, k), listed(out_directions, n_out_directions, k)));
	return !c->failed;
}

/* ---- operators that the file defines */

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

const Onnx__FunctionProto *onnx_function(struct onnx_import *im, const Onnx__NodeProto *n)
{
	for (size_t i = 0; i < im->function_count; i++) {
		const Onnx__FunctionProto *f = im->functions[i];

		if (same(f->name, n->op_type) && same(f->domain, n->domain) && same(f->overload, n->overload))
			return f;
	}
	return NULL;
}

static Onnx__AttributeProto *find_attribute(Onnx__AttributeProto **list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (list[i]->name && strcmp(list[i]->name, name) == 0)
			return list[i];
	return NULL;
}

static Onnx__GraphProto *bind_graph(struct call *c, const Onnx__FunctionProto *f, const Onnx__GraphProto *g);

/* The node of a body with what its attributes refer to; absent ones are left out. */
static Onnx__NodeProto *bind_node(struct call *c, const Onnx__FunctionProto *f, const Onnx__NodeProto *n)
{
	struct arena *a = &c->im->file;
	Onnx__NodeProto *copy = arena_copy(a, n, sizeof *n);

	copy->attribute = arena_new_array(a, Onnx__AttributeProto *, n->n_attribute);
	copy->n_attribute = 0;
	for (size_t i = 0; i < n->n_attribute; i++) {
		Onnx__AttributeProto *from = n->attribute[i], *given = from;

		if (from->ref_attr_name && *from->ref_attr_name) {
			given = find_attribute(c->node->attribute, c->node->n_attribute, from->ref_attr_name);
			if (!given)
				given = find_attribute(f->attribute_proto, f->n_attribute_proto, from->ref_attr_name);
			if (!given)
				continue;
		}
		given = arena_copy(a, given, sizeof *given);
		given->name = from->name;
		given->ref_attr_name = NULL;
		if (from == n->attribute[i] && from->g && given->g)
			given->g = bind_graph(c, f, given->g);
		copy->attribute[copy->n_attribute++] = given;
	}
	return copy;
}

static Onnx__GraphProto *bind_graph(struct call *c, const Onnx__FunctionProto *f, const Onnx__GraphProto *g)
{
	Onnx__GraphProto *copy = arena_copy(&c->im->file, g, sizeof *g);

	copy->node = arena_new_array(&c->im->file, Onnx__NodeProto *, g->n_node);
	for (size_t i = 0; i < g->n_node; i++)
		copy->node[i] = bind_node(c, f, g->node[i]);
	return copy;
}

/* The function's nodes as a graph. */
static Onnx__GraphProto *body_of(struct call *c, const Onnx__FunctionProto *f)
{
	struct arena *a = &c->im->file;
	Onnx__GraphProto plain = ONNX__GRAPH_PROTO__INIT;
	Onnx__ValueInfoProto *outputs = arena_new_array(a, Onnx__ValueInfoProto, f->n_output);

	plain.n_node = f->n_node;
	plain.node = f->node;
	plain.n_output = f->n_output;
	plain.output = arena_new_array(a, Onnx__ValueInfoProto *, f->n_output);
	for (size_t i = 0; i < f->n_output; i++) {
		onnx__value_info_proto__init(&outputs[i]);
		outputs[i].name = f->output[i];
		plain.output[i] = &outputs[i];
	}
	return bind_graph(c, f, &plain);
}

/* An input or output that the caller leaves out is absent inside, too: its name stands for nothing. */
static void drop_absent(struct call *c, const Onnx__FunctionProto *f, Onnx__GraphProto *body)
{
	for (size_t i = 0; i < body->n_node; i++)
		for (size_t k = 0; k < body->node[i]->n_input; k++)
			for (uint32_t p = 0; p < f->n_input; p++)
				if (!call_has(c, p) && same(body->node[i]->input[k], f->input[p])) {
					Onnx__NodeProto *n = body->node[i];

					n->input = arena_copy(&c->im->file, n->input, n->n_input * sizeof *n->input);
					n->input[k] = arena_strdup(&c->im->file, "");
				}
}

bool onnx_call_function(struct call *c)
{
	struct onnx_import *im = c->im;
	const Onnx__FunctionProto *f = onnx_function(im, c->node);
	int64_t opset = im->opset;
	struct onnx_scope scope;
	Onnx__GraphProto *body;
	value_id *out;

	if (!f || c->node->n_input > f->n_input || c->node->n_output > f->n_output)
		return call_fail(c, "it has more inputs or outputs than its definition");
	if (!may_grow(c, f->n_node))
		return false;
	body = body_of(c, f);
	body->n_output = c->node->n_output;
	drop_absent(c, f, body);
	out = arena_new_array(&im->file, value_id, f->n_output);
	onnx_enter(im, &scope, true);
	for (uint32_t i = 0; i < c->node->n_input; i++) {
		bool found = false;
		value_id v = NO_ID;

		if (!call_has(c, i) || !f->input[i] || onnx_defined(im, f->input[i]))
			continue;
		im->scope = scope.outer;
		v = onnx_lookup(im, c->node->input[i], &found);
		im->scope = &scope;
		onnx_define(im, f->input[i], v);
	}
	for (size_t i = 0; i < f->n_opset_import; i++)
		if (!f->opset_import[i]->domain || !*f->opset_import[i]->domain || same(f->opset_import[i]->domain, "ai.onnx"))
			im->opset = f->opset_import[i]->version;
	read_body(c, body, out);
	im->opset = opset;
	onnx_leave(im);
	for (uint32_t i = 0; i < c->node->n_output; i++)
		call_out(c, i, out[i]);
	return !c->failed;
}
