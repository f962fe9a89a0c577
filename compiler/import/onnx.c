/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx.c - from an ONNX file to a graph.
 *
 *	onnx_skim.c   the file without its weights, structure checked
 *	protobuf-c    that, as structs in an arena
 *	onnx_tensor.c initialisers
 *	onnx_inputs.c inputs, with numbers for symbolic dimensions
 *	onnx_order.c  the needed nodes, producers first
 *	onnx_ops*.c   each node; what is computable becomes a constant at once
 *
 * All unsupported operators are named in one message before anything is
 * converted. After a node that went wrong, those that read its results are
 * skipped, the others still say what is wrong with them.
 */
#include "config.h"

#include "import/onnx_import.h"
#include "import/onnx_skim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *arena_for_protobuf(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void free_for_protobuf(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

value_id onnx_lookup(struct onnx_import *im, const char *name, bool *found)
{
	uint32_t v = NO_ID;

	*found = false;
	for (struct onnx_scope *s = im->scope; s && !*found; s = s->sealed ? NULL : s->outer)
		*found = map_get(&s->values, name, &v);
	return v;
}

bool onnx_defined(struct onnx_import *im, const char *name)
{
	return map_get(&im->scope->values, name, NULL);
}

void onnx_define(struct onnx_import *im, const char *name, value_id v)
{
	if (v != NO_ID && !onnx_is_sequence(v) && !graph_value(im->g, v)->span.file)
		graph_value(im->g, v)->span = im->span;
	map_put(&im->file, &im->scope->values, name, v);
}

static bool is_standard_domain(const char *domain)
{
	return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

/* The key of an operator in the table, which may be made for the look-up. */
static const char *op_key(struct onnx_import *im, const Onnx__NodeProto *n)
{
	if (!n->op_type || is_standard_domain(n->domain))
		return n->op_type;
	return arena_printf(&im->scratch, "%s.%s", n->domain, n->op_type);
}

static const struct onnx_op *find_op(struct onnx_import *im, const Onnx__NodeProto *n)
{
	const char *key = op_key(im, n);
	uint32_t i;

	if (!key || !map_get(&im->ops, key, &i))
		return NULL;
	if (i >= onnx_op_count + onnx_contrib_op_count)
		return &onnx_ml_ops[i - onnx_op_count - onnx_contrib_op_count];
	if (i >= onnx_op_count)
		return &onnx_contrib_ops[i - onnx_op_count];
	return onnx_ops[i].changed && im->opset >= onnx_ops[i].changed ? NULL : &onnx_ops[i];
}

static const char *node_name(const Onnx__NodeProto *n)
{
	return n->name && *n->name ? n->name : n->n_output && n->output[0] ? n->output[0] : "";
}

/* Operators that will not be supported, and why. */
static const struct {
	const char *name, *why;
} beyond[] = {
	{ "Bernoulli", "random numbers are no part of a plan, which gives the same result at every run. Make them an input." },
	{ "Multinomial", "random numbers are no part of a plan, which gives the same result at every run. Make them an input." },
	{ "NonMaxSuppression", "how many boxes it keeps is known only when the model runs, and a plan's memory before." },
	{ "RandomNormal", "random numbers are no part of a plan, which gives the same result at every run. Make them an input." },
	{ "RandomNormalLike", "random numbers are no part of a plan, which gives the same result at every run. Make them an input." },
	{ "RandomUniform", "random numbers are no part of a plan, which gives the same result at every run. Make them an input." },
	{ "RandomUniformLike", "random numbers are no part of a plan, which gives the same result at every run. Make them an input." },
	{ "StringNormalizer", "tensors of text are no part of a plan. Tokenize before the model." },
	{ "TfIdfVectorizer", "tensors of text are no part of a plan. Tokenize before the model." },
	{ "Unique", "how many elements it keeps is known only when the model runs, and a plan's memory before." },
};

/* The node that computes a tensor; NULL: none does. */
static const Onnx__NodeProto *producer_of(const Onnx__GraphProto *graph, const char *name)
{
	for (size_t i = 0; i < graph->n_node; i++)
		for (size_t k = 0; k < graph->node[i]->n_output; k++)
			if (graph->node[i]->output[k] && strcmp(graph->node[i]->output[k], name) == 0)
				return graph->node[i];
	return NULL;
}

/* What the node reads that others compute, as statements that make the model end there. */
void onnx_hint_end(struct onnx_import *im, const Onnx__NodeProto *n)
{
	struct strbuf list = { 0 };

	if (im->end_hinted || im->body_depth || !im->graph)
		return;
	for (size_t i = 0; i < n->n_input; i++) {
		const char *name = n->input[i];
		const Onnx__NodeProto *by = name && *name ? producer_of(im->graph, name) : NULL;

		if (by && strcmp(by->op_type ? by->op_type : "", "Constant") != 0)
			strbuf_printf(&list, " output \"%s\";", name);
	}
	if (list.len) {
		im->end_hinted = true;
		diag_hint(im->d, "To end the model before node \"%s\", write this in its model block:%s", node_name(n),
			  strbuf_str(&list));
	}
	strbuf_free(&list);
}

static void say_why(struct onnx_import *im, const struct map *missing)
{
	for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
		if (map_get(missing, beyond[i].name, NULL))
			diag_hint(im->d, "%s: %s", beyond[i].name, beyond[i].why);
}

/* One message that names every operator and every node. */
static bool check_supported(struct onnx_import *im, const Onnx__GraphProto *graph,
			    const uint32_t *order, uint32_t count)
{
	struct strbuf list = { 0 };
	struct map seen = { 0 };
	const Onnx__NodeProto *first = NULL;
	struct strbuf *group = NULL;
	uint32_t groups = 0;

	for (uint32_t i = 0; i < count; i++) {
		const Onnx__NodeProto *n = graph->node[order[i]];
		const char *type = n->op_type ? n->op_type : "";
		bool standard = is_standard_domain(n->domain), is_new;
		const char *title;
		uint32_t k, known;

		if (find_op(im, n) || onnx_function(im, n))
			continue;
		first = first ? first : n;
		is_new = standard && map_get(&im->ops, type, &known);
		title = standard ? type : arena_printf(&im->file, "%s.%s", n->domain, type);
		if (is_new)
			title = arena_printf(&im->file, "%s as of opset %u", type,
					     onnx_ops[known].changed);
		if (!map_get(&seen, title, &k)) {
			k = groups++;
			map_put(&im->file, &seen, title, k);
			group = xrealloc(group, groups * sizeof *group);
			group[k] = (struct strbuf){ 0 };
			strbuf_printf(&group[k], "%s (node", title);
		} else {
			strbuf_puts(&group[k], ",");
		}
		strbuf_printf(&group[k], " \"%s\"", node_name(n));
	}
	for (uint32_t k = 0; k < groups; k++) {
		strbuf_printf(&list, "%s%s)", k ? ", " : "", strbuf_str(&group[k]));
		strbuf_free(&group[k]);
	}
	if (groups)
		diag_error(im->d, im->span, "unsupported operator%s: %s", groups > 1 ? "s" : "",
			   strbuf_str(&list));
	say_why(im, &seen);
	if (first)
		onnx_hint_end(im, first);
	strbuf_free(&list);
	free(group);
	return groups == 0;
}

/* A newer opset may have given the operator a new meaning, which then shows as a new attribute. */
static void check_attributes(struct call *c)
{
	if (c->failed || !c->op || c->opset <= OPSET_NEWEST)
		return;
	for (size_t i = 0; i < c->node->n_attribute && i < 64; i++) {
		const char *name = c->node->attribute[i]->name;

		if (!(c->attrs_read >> i & 1))
			call_fail(c,
				  "attribute \"%s\" of opset %lld is not known: version %u of the "
				  "operator is the "
				  "newest that is",
				  name ? name : "", (long long)c->opset, c->op->newest);
	}
}

/* Conversions that hand on what they are given. */
static bool knows_sequences(const struct call *c)
{
	static const char *const names[] = { "ConcatFromSequence", "Identity", "If", "Loop", "Optional", "OptionalGetElement",
					     "OptionalHasElement", "SequenceAt", "SequenceErase", "SequenceInsert",
					     "SequenceLength" };

	for (size_t i = 0; c->op && i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], c->op->name) == 0)
			return true;
	return !c->op; /* a function of the file */
}

/* False: an input is missing or came out of a node that failed. */
static bool inputs_ready(struct call *c)
{
	for (uint32_t i = 0; i < c->node->n_input; i++) {
		bool found;

		value_id v;

		if (!call_has(c, i))
			continue;
		v = onnx_lookup(c->im, c->node->input[i], &found);
		if (onnx_is_sequence(v) && !knows_sequences(c))
			return call_fail(c, "input %u (\"%s\") is a sequence", i, c->node->input[i]);
		if (v != NO_ID)
			continue;
		if (!found)
			return call_fail(c, "input %u (\"%s\") is produced by nothing", i,
					 c->node->input[i]);
		c->failed = true; /* said before */
		return false;
	}
	return true;
}

static bool outputs_new(struct call *c)
{
	for (uint32_t i = 0; i < c->node->n_output; i++)
		if (call_wants(c, i) && onnx_defined(c->im, c->node->output[i]))
			return call_fail(c, "\"%s\" is produced twice", c->node->output[i]);
	return true;
}

static void convert(struct onnx_import *im, const Onnx__NodeProto *n)
{
	struct call c = {
		.im = im, .g = im->g, .node = n, .op = find_op(im, n), .opset = im->opset
	};

	if (!outputs_new(&c))
		return;
	if (inputs_ready(&c))
		c.failed |= c.op ? !c.op->convert(&c) : !onnx_call_function(&c);
	check_attributes(&c);
	for (uint32_t i = 0; i < n->n_output; i++)
		if (c.failed && call_wants(&c, i))
			onnx_define(im, n->output[i], NO_ID);
	arena_release(&im->scratch);
}

void onnx_initialisers(struct onnx_import *im, const Onnx__GraphProto *graph)
{
	for (size_t i = 0; i < graph->n_initializer; i++) {
		const Onnx__TensorProto *t = graph->initializer[i];

		if (!t->name || !*t->name)
			diag_error(im->d, im->span, "initializer %zu has no name", i);
		else if (onnx_defined(im, t->name))
			diag_error(im->d, im->span, "initializer \"%s\" is there twice", t->name);
		else
			onnx_define(im, t->name, onnx_tensor(im, t, "initializer"));
	}
	for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
		const Onnx__TensorProto *t = graph->sparse_initializer[i]->values;

		diag_error(im->d, im->span, "sparse initializer \"%s\" is not supported",
			   t && t->name ? t->name : "");
	}
}

bool onnx_nodes(struct onnx_import *im, const Onnx__GraphProto *graph)
{
	unsigned before = im->d->errors;
	uint32_t count, *order = onnx_order(im, graph, &count);

	if (!order || !check_supported(im, graph, order, count))
		return false;
	for (uint32_t i = 0; i < count; i++)
		convert(im, graph->node[order[i]]);
	return im->d->errors == before;
}

static void add_outputs(struct onnx_import *im, const Onnx__GraphProto *graph)
{
	for (size_t i = 0; i < graph->n_output; i++) {
		const char *name = graph->output[i]->name;
		bool found;
		value_id v = onnx_lookup(im, name ? name : "", &found);

		if (!found) {
			diag_error(im->d, im->span, "output \"%s\" is produced by nothing",
				   name ? name : "");
			continue;
		}
		if (v == NO_ID)
			continue;
		if (onnx_is_sequence(v)) {
			diag_error(im->d, im->span, "output \"%s\" is a sequence: sequences as outputs are not supported", name);
			continue;
		}
		if (graph->output[i]->type && graph->output[i]->type->tensor_type &&
		    onnx_unsigned(graph->output[i]->type->tensor_type->elem_type)) {
			diag_error(im->d, im->span, "output \"%s\": tensors of %s are not supported", name,
				   onnx_dtype_name(graph->output[i]->type->tensor_type->elem_type));
			continue;
		}
		if (graph_value(im->g, v)->kind != VALUE_NODE)
			v = graph_op(im->g, im->d, OP_identity, &v, 1, NULL, 0, im->span, name);
		if (v != NO_ID)
			graph_add_output(im->g, v, name);
	}
	if (!graph->n_output)
		diag_error(im->d, im->span, "the model has no outputs");
}

static bool is_there(const Onnx__GraphProto *graph, const char *name)
{
	if (producer_of(graph, name))
		return true;
	for (size_t i = 0; i < graph->n_input; i++)
		if (graph->input[i]->name && strcmp(graph->input[i]->name, name) == 0)
			return true;
	for (size_t i = 0; i < graph->n_initializer; i++)
		if (graph->initializer[i]->name && strcmp(graph->initializer[i]->name, name) == 0)
			return true;
	return false;
}

/* The tensors that the model block names take the place of the file's outputs. */
static bool choose_outputs(struct onnx_import *im, Onnx__GraphProto *graph)
{
	const struct decl_model *m = im->model;
	Onnx__ValueInfoProto *info;
	bool good = true;

	if (!m || !m->outputs.len)
		return true;
	info = arena_new_array(&im->file, Onnx__ValueInfoProto, m->outputs.len);
	graph->n_output = m->outputs.len;
	graph->output = arena_new_array(&im->file, Onnx__ValueInfoProto *, m->outputs.len);
	for (uint32_t i = 0; i < m->outputs.len; i++) {
		onnx__value_info_proto__init(&info[i]);
		info[i].name = arena_strdup(&im->file, m->outputs.data[i].name);
		graph->output[i] = &info[i];
		if (!is_there(graph, info[i].name)) {
			diag_error(im->d, m->outputs.data[i].span, "the model has no tensor \"%s\"", info[i].name);
			good = false;
		}
	}
	return good;
}

/* The first files had no list of opsets; one of other domains alone says nothing of the standard's. */
static bool read_opset(struct onnx_import *im, const Onnx__ModelProto *model)
{
	im->opset = model->n_opset_import ? OPSET_NEWEST : OPSET_OLDEST;
	for (size_t i = 0; i < model->n_opset_import; i++)
		if (is_standard_domain(model->opset_import[i]->domain))
			im->opset = model->opset_import[i]->version;
	if (im->opset < OPSET_OLDEST) {
		diag_error(im->d, im->span, "opset %lld is not supported, %d and later are",
			   (long long)im->opset, OPSET_OLDEST);
		return false;
	}
	return true;
}

static void import_model(struct onnx_import *im, const Onnx__ModelProto *model)
{
	unsigned before = im->d->errors;
	struct onnx_scope top = { 0 };

	if (!model->graph) {
		diag_error(im->d, im->span, "this is not an ONNX model: it holds no graph");
		return;
	}
	if (!read_opset(im, model) || !choose_outputs(im, model->graph))
		return;
	im->graph = model->graph;
	im->functions = model->functions;
	im->function_count = model->n_functions;
	onnx_enter(im, &top, false);
	im->g = graph_new(im->a,
			  im->model && im->model->name ? im->model->name : model->graph->name);
	im->weight_file = graph_add_file(im->g, im->path, im->map.size);
	for (uint32_t i = 0; i < onnx_op_count; i++)
		map_put(&im->file, &im->ops, onnx_ops[i].name, i);
	for (uint32_t i = 0; i < onnx_contrib_op_count; i++)
		map_put(&im->file, &im->ops, arena_printf(&im->file, "com.microsoft.%s", onnx_contrib_ops[i].name),
			onnx_op_count + i);
	for (uint32_t i = 0; i < onnx_ml_op_count; i++)
		map_put(&im->file, &im->ops, arena_printf(&im->file, "ai.onnx.ml.%s", onnx_ml_ops[i].name),
			onnx_op_count + onnx_contrib_op_count + i);
	onnx_initialisers(im, model->graph);
	if (im->d->errors != before || !onnx_inputs(im, model->graph))
		return;
	if (onnx_nodes(im, model->graph))
		add_outputs(im, model->graph);
}

static Onnx__ModelProto *read_structure(struct onnx_import *im)
{
	ProtobufCAllocator allocator = { arena_for_protobuf, free_for_protobuf, &im->file };
	struct strbuf structure = { 0 };
	struct skim_error error;
	Onnx__ModelProto *model = NULL;

	if (!onnx_skim(im->map.data, im->map.size, &structure, &error)) {
		diag_error(im->d, im->span, "damaged at byte %llu: %s",
			   (unsigned long long)error.offset, error.what);
		diag_note(im->d, im->model->path_span, "this is not an ONNX file, or a part of one");
	} else {
		model = onnx__model_proto__unpack(&allocator, structure.len,
						  (const uint8_t *)strbuf_str(&structure));
		if (!model)
			diag_error(im->d, im->span, "damaged: a field has the wrong type");
	}
	strbuf_free(&structure);
	return model;
}

struct graph *import_onnx(struct arena *a, struct diag *d, const struct decl_model *m,
			  const struct import_options *o)
{
	struct onnx_import im = { .a = a, .d = d, .model = m, .options = o, .path = m->path };
	unsigned before = d->errors;
	Onnx__ModelProto *model;

	if (!file_map(m->path, &im.map)) {
		diag_error(d, m->path_span, "could not open \"%s\": %s", m->path, strerror(errno));
		return NULL;
	}
	im.span.file = diag_add_file(d, m->path, NULL, 0);
	im.directory = path_directory(&im.file, m->path);
	model = read_structure(&im);
	if (model)
		import_model(&im, model);
	arena_release(&im.file);
	arena_release(&im.scratch);
	file_unmap(&im.map);
	if (d->errors != before || !im.g)
		return NULL;
	graph_compact(im.g);
	return im.g;
}
