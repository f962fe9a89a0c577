/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - every invariant that the rest of the compiler relies on.
 *
 * Run after each pass in debug builds, and on every graph that was read from
 * text. It trusts ids and counts only after it has checked them, so that a
 * graph from a hostile text file cannot bring it down.
 */
#include "config.h"

#include "ir/block.h"
#include "ir/shape.h"

#include <stdarg.h>

static bool bad(struct diag *d, struct span s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool bad(struct diag *d, struct span s, const char *fmt, ...)
{
	struct arena tmp = { 0 };
	va_list ap;

	va_start(ap, fmt);
	if (d)
		diag_error(d, s, "the graph is not valid: %s", arena_vprintf(&tmp, fmt, ap));
	va_end(ap);
	arena_release(&tmp);
	return false;
}

static bool shape_ok(const struct shape *s)
{
	int64_t n;

	if (s->rank > MAX_RANK)
		return false;
	for (uint32_t i = 0; i < s->rank; i++) {
		if (s->dim[i] < 0 || s->dim[i] > INT64_C(1) << 40)
			return false;
	}
	n = shape_elements(s);
	return n >= 0 && n <= INT64_C(1) << 48;
}

static bool packed_ok(const struct data *x)
{
	const struct packed_rows *p = x->packed;
	struct block_format f = block_format(x->source_dtype);
	int64_t k = data_row(x), n = shape_elements(&x->source_shape);

	return f.grouped && k > 0 && (p->bits == 2 || p->bits == 4 || p->bits == 8) && p->heads &&
	       p->more < 1u << f.bits && ((1u << p->bits) - 1) + p->more < 1u << f.bits && p->rows == (uint64_t)(n / k) &&
	       p->row_bytes >= ((uint64_t)k * p->bits + 7) / 8 &&
	       (!p->rows_in_groups || (p->rows_in_groups >= ROWS_PART && !(p->rows_in_groups & (p->rows_in_groups - 1)))) &&
	       p->head_bytes == ((uint64_t)k + f.elements - 1) / f.elements * block_head(&f);
}

static bool data_ok(const struct graph *g, value_id id, struct diag *d)
{
	const struct value *v = graph_value(g, id);
	const struct data *x = v->data;
	uint64_t bytes;
	uint32_t seen = 0;

	if (!x)
		return bad(d, v->span, "constant %%%u has no data", id);
	if ((!dtype_size(x->source_dtype) && !dtype_is_block(x->source_dtype)) || !shape_ok(&x->source_shape) ||
	    shape_elements(&x->source_shape) != shape_elements(&v->shape))
		return bad(d, v->span, "constant %%%u has not as many elements as its source", id);
	if (dtype_is_block(x->source_dtype) && v->dtype != DTYPE_F32)
		return bad(d, v->span, "constant %%%u is %s and not f32", id, dtype_name(x->source_dtype));
	if (x->packed && !packed_ok(x))
		return bad(d, v->span, "constant %%%u is packed in a way that its rows are not", id);
	if (!data_source_bytes(x, &bytes))
		return bad(d, v->span, "constant %%%u has rows of no whole number of %s blocks", id,
			   dtype_name(x->source_dtype));
	if (x->where == DATA_MEMORY && !x->bytes && bytes)
		return bad(d, v->span, "constant %%%u has no bytes", id);
	if (x->where == DATA_FILE && (x->file >= g->files.len || x->size != bytes ||
				      x->offset > g->files.data[x->file].size ||
				      x->size > g->files.data[x->file].size - x->offset))
		return bad(d, v->span, "constant %%%u is outside of its file", id);
	if (x->where == DATA_RANDOM && x->source_dtype != DTYPE_F32)
		return bad(d, v->span, "constant %%%u is random and not f32", id);
	if (x->where != DATA_MEMORY && x->where != DATA_FILE && x->where != DATA_RANDOM)
		return bad(d, v->span, "constant %%%u comes from nowhere", id);
	for (uint32_t i = 0; x->perm_set && i < x->source_shape.rank; i++) {
		if (x->perm[i] >= x->source_shape.rank || seen >> x->perm[i] & 1)
			return bad(d, v->span, "constant %%%u is permuted by no permutation", id);
		seen |= 1u << x->perm[i];
	}
	if (x->scale && (x->scale_axis >= v->shape.rank || !dtype_is_float(v->dtype)))
		return bad(d, v->span, "constant %%%u cannot be scaled along axis %u", id,
			   x->scale_axis);
	return true;
}

static bool value_ok(const struct graph *g, value_id id, struct diag *d)
{
	const struct value *v;

	if (id >= g->values.len)
		return bad(d, NO_SPAN, "there is no value %%%u", id);
	v = graph_value(g, id);
	if (!dtype_size(v->dtype) || !shape_ok(&v->shape))
		return bad(d, v->span, "value %%%u has no valid type", id);
	switch (v->kind) {
	case VALUE_INPUT:
		return true;
	case VALUE_CONST:
		return data_ok(g, id, d);
	case VALUE_NODE:
		break;
	default:
		return bad(d, v->span, "value %%%u is of no kind", id);
	}
	if (v->producer >= g->nodes.len || graph_node(g, v->producer)->dead)
		return bad(d, v->span, "value %%%u comes from no node", id);
	for (uint32_t i = 0; i < graph_node(g, v->producer)->out_count; i++) {
		if (graph_node(g, v->producer)->out[i] == id)
			return true;
	}
	return bad(d, v->span, "value %%%u is not among its node's outputs", id);
}

static uint32_t arity(enum op op)
{
	return op_class(op) == OP_UNARY ? 1 : op_class(op) == OP_BINARY ? 2 : 3;
}

/* Every element that the view reaches lies inside the input. */
static bool view_ok(const struct value *in, const struct view *view, const struct shape *out)
{
	int64_t low = view->offset, high = view->offset, n = shape_elements(&in->shape);

	if (shape_elements(out) == 0)
		return true;
	if (view->offset < 0 || view->offset >= n)
		return false;
	for (uint32_t i = 0; i < out->rank; i++) {
		int64_t last = out->dim[i] - 1, stride = view->stride[i];

		if (!last)
			continue;
		if (stride > n || stride < -n ||
		    (stride && last > n / (stride < 0 ? -stride : stride)))
			return false;
		if (stride > 0)
			high += last * stride;
		else
			low += last * stride;
		if (low < 0 || high >= n)
			return false;
	}
	return true;
}

static bool epilogue_inputs_ok(const struct graph *g, const struct node *n, struct diag *d)
{
	const struct shape *out = &graph_value(g, n->out[0])->shape;

	for (uint32_t i = n->epilogue_first_input; i < n->in_count; i++) {
		const struct view *view = n->view ? n->view[i - n->epilogue_first_input] : NULL;
		const struct value *v = graph_value(g, n->in[i]);
		struct shape both;

		if (view && n->op != OP_map)
			return bad(d, n->span, "%s reads through a view", op_name(n->op));
		if (view && !view_ok(v, view, out))
			return bad(d, n->span, "the view of input %u leaves it", i);
		if (!view && (!shape_broadcast(&v->shape, out, &both) || !shape_equal(&both, out)))
			return bad(d, n->span, "epilogue input %u does not broadcast to the output",
				   i);
	}
	return true;
}

static bool step_ok(const struct graph *g, const struct node *n, uint32_t at, enum dtype own,
		    struct diag *d)
{
	const struct epilogue_step *s = &n->epilogue[at];
	struct node fake = { .op = s->op,
			     .attr = (struct attr *)s->attr,
			     .attr_count = s->attr_count,
			     .span = n->span };
	struct inference c = { .g = g, .n = &fake, .d = d };
	enum dtype in[3], want;

	if ((unsigned)s->op >= OP_COUNT || !op_is_elementwise(s->op))
		return bad(d, n->span, "epilogue step %u is not elementwise", at);
	if (!infer_attrs(&c))
		return false;
	for (uint32_t k = 0; k < arity(s->op); k++) {
		uint32_t i = s->in[k].index;

		if (s->in[k].is_input) {
			if (i >= n->in_count - n->epilogue_first_input)
				return bad(d, n->span, "epilogue step %u reads no input", at);
			in[k] = graph_value(g, n->in[n->epilogue_first_input + i])->dtype;
		} else {
			if (i > at || (i == 0 && n->op == OP_map))
				return bad(d, n->span, "epilogue step %u reads no register", at);
			in[k] = i ? n->epilogue[i - 1].dtype : own;
		}
	}
	want = elementwise_dtype(s->op, in, arity(s->op), node_int(&fake, ATTR_dtype, 0));
	if (want == DTYPE_COUNT || want != s->dtype)
		return bad(d, n->span, "epilogue step %u, %s, has the wrong type", at,
			   op_name(s->op));
	if (n->op != OP_map && s->dtype != DTYPE_F32)
		return bad(d, n->span, "the epilogue of %s is not f32", op_name(n->op));
	return true;
}

static bool epilogue_ok(const struct graph *g, const struct node *n, struct diag *d)
{
	struct node own = *n;
	enum dtype dtype[4] = { 0 };
	struct shape shape[4];

	if (!n->epilogue_count) {
		if (n->op == OP_map)
			return bad(d, n->span, "a map has no program");
		return true;
	}
	if (n->out_count != 1 || n->epilogue_first_input > n->in_count ||
	    (n->op == OP_map && n->epilogue_first_input) || op_is_elementwise(n->op))
		return bad(d, n->span, "%s cannot have this epilogue", op_name(n->op));
	own.epilogue_count = 0;
	own.in_count = n->epilogue_first_input;
	if (n->op != OP_map && !infer_node(g, &own, dtype, shape, d))
		return false;
	if (!epilogue_inputs_ok(g, n, d))
		return false;
	for (uint32_t i = 0; i < n->epilogue_count; i++) {
		if (!step_ok(g, n, i, dtype[0], d))
			return false;
	}
	return true;
}

static bool node_ok(const struct graph *g, node_id id, const bool *defined, struct diag *d)
{
	const struct node *n = graph_node(g, id);
	enum dtype dtype[4];
	struct shape shape[4];

	if ((unsigned)n->op >= OP_COUNT || n->out_count != (uint32_t)op_info(n->op)->outs)
		return bad(d, n->span, "node %u has the wrong operation or number of outputs", id);
	for (uint32_t i = 0; i < n->out_count; i++) {
		if (!value_ok(g, n->out[i], d))
			return false;
		if (graph_value(g, n->out[i])->kind != VALUE_NODE ||
		    graph_value(g, n->out[i])->producer != id)
			return bad(d, n->span, "%%%u is not the output of its node", n->out[i]);
		if (defined[n->out[i]])
			return bad(d, n->span, "%%%u is an output twice", n->out[i]);
	}
	for (uint32_t i = 0; i < n->in_count; i++) {
		if (n->in[i] == NO_ID)
			continue;
		if (!value_ok(g, n->in[i], d))
			return false;
		if (graph_value(g, n->in[i])->kind != VALUE_CONST && !defined[n->in[i]])
			return bad(d, n->span, "%%%u is used before it is there", n->in[i]);
	}
	for (uint32_t i = node_own_inputs(n); i < n->in_count; i++) {
		if (n->in[i] == NO_ID)
			return bad(d, n->span, "an epilogue input of %%%u is missing", n->out[0]);
	}
	if (!infer_node(g, n, dtype, shape, d))
		return false;
	for (uint32_t i = 0; i < n->out_count; i++) {
		const struct value *v = graph_value(g, n->out[i]);

		if (v->dtype != dtype[i] || !shape_equal(&v->shape, &shape[i]))
			return bad(d, n->span, "the type of %%%u is not what %s gives", n->out[i],
				   op_name(n->op));
	}
	return epilogue_ok(g, n, d);
}

bool graph_verify(const struct graph *g, struct diag *d)
{
	struct arena tmp = { 0 };
	bool *defined = arena_new_array(&tmp, bool, g->values.len), good = true;

	for (uint32_t i = 0; good && i < g->inputs.len; i++) {
		good = value_ok(g, g->inputs.data[i], d);
		if (good && graph_value(g, g->inputs.data[i])->kind != VALUE_INPUT)
			good = bad(d, NO_SPAN, "input %%%u is not one", g->inputs.data[i]);
		if (good)
			defined[g->inputs.data[i]] = true;
	}
	for (uint32_t i = 0; good && i < g->nodes.len; i++) {
		if (g->nodes.data[i].dead)
			continue;
		good = node_ok(g, i, defined, d);
		for (uint32_t k = 0; good && k < g->nodes.data[i].out_count; k++)
			defined[g->nodes.data[i].out[k]] = true;
	}
	if (good && g->output_names.len != g->outputs.len)
		good = bad(d, NO_SPAN, "outputs and their names differ in number");
	for (uint32_t i = 0; good && i < g->outputs.len; i++) {
		good = value_ok(g, g->outputs.data[i], d);
		if (good && graph_value(g, g->outputs.data[i])->kind != VALUE_CONST &&
		    !defined[g->outputs.data[i]])
			good = bad(d, NO_SPAN, "output %%%u is computed by nothing",
				   g->outputs.data[i]);
	}
	arena_release(&tmp);
	return good;
}
