/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lower.c - a chain of networks as one list of events.
 *
 * An event is a launch, a tensor coming in (right before its first use) or one
 * going out (as soon as it is complete). A storage is memory that lives for a
 * range of events: a class of values that are the same bytes, or a launch's
 * scratch. A fed input is the storage of the output that feeds it; a result
 * computed in place takes the storage of the input that dies there.
 */
#include "config.h"

#include "sched/internal.h"

#include <string.h>

static uint64_t value_bytes(const struct graph *g, value_id v)
{
	const struct value *x = graph_value(g, v);

	return (uint64_t)shape_elements(&x->shape) * dtype_size(x->dtype);
}

static value_id value_root(const struct kernel_set *ks, value_id v)
{
	while (ks->alias && ks->alias[v] != v)
		v = ks->alias[v];
	return v;
}

uint32_t storage_root(struct work *w, uint32_t s)
{
	struct storage *x = w->storages.data;

	while (x[s].merged != s) {
		x[s].merged = x[x[s].merged].merged;
		s = x[s].merged;
	}
	return s;
}

const char *weight_name(const struct work *w, uint32_t weight)
{
	const struct kernel_set *ks = w->s->weights.data[weight].ks;
	value_id v = work_weight(w, weight)->value;
	const char *name = v < ks->graph->values.len ? graph_value(ks->graph, v)->name : NULL;

	return name ? name : arena_printf(w->a, "constant %u", v);
}

/* ---- models, weights, storages ---- */

static const char *instance_name(struct work *w, uint32_t m)
{
	uint32_t nth = 1;

	for (uint32_t i = 0; i < m; i++)
		nth += !strcmp(w->r->models[i].name, w->r->models[m].name);
	return nth == 1 ? w->r->models[m].name : arena_printf(w->a, "%s.%u", w->r->models[m].name, nth);
}

static void number_models(struct work *w)
{
	uint32_t values = 0;

	w->model_values = arena_new_array(w->a, uint32_t, w->r->model_count);
	w->model_weights = arena_new_array(w->a, uint32_t, w->r->model_count);
	for (uint32_t m = 0; m < (w->r->variants ? 1 : w->r->model_count); m++) {
		const struct kernel_set *ks = w->r->models[m].ks;
		uint32_t same = 0;

		w->model_values[m] = values;
		values += ks->graph->values.len;
		while (w->r->models[same].ks != ks)
			same++;
		w->model_weights[m] = same < m ? w->model_weights[same] : w->s->weights.len;
		for (uint32_t i = 0; same == m && i < ks->weights.len; i++) {
			vec_push(w->a, &w->s->weights, (struct sched_weight){ ks, i });
			w->s->weights_bytes += ks->weights.data[i].bytes;
		}
	}
	w->storage_of = arena_new_array(w->a, uint32_t, values + 1);
	for (uint32_t i = 0; i < values; i++)
		w->storage_of[i] = NO_ID;
	w->weight_uses = arena_new_array(w->a, uint32_t, w->s->weights.len + 1);
}

uint32_t weight_number(const struct work *w, uint32_t model, uint32_t index)
{
	return w->r->variants ? w->s->variant_weight[model][index] : w->model_weights[model] + index;
}

static uint32_t storage_new(struct work *w, uint64_t bytes, const char *name)
{
	struct storage s = { .bytes = round_up(bytes ? bytes : 1, w->t->align), .first = UINT32_MAX,
			     .merged = w->storages.len, .taken_at = NO_ID, .buffer = NO_ID, .name = name };

	vec_push(w->a, &w->storages, s);
	return w->storages.len - 1;
}

/* The storage of a value; made where there is none, and grown to the largest of its class. */
uint32_t value_storage(struct work *w, uint32_t model, value_id v)
{
	const struct kernel_set *ks = w->r->models[model].ks;
	uint64_t bytes = 1;
	value_id root = value_root(ks, v);
	uint32_t *at = &w->storage_of[w->model_values[model] + root];

	for (uint32_t i = 0; i < work_variants(w); i++) {
		const struct graph *g = w->r->models[w->r->variants ? i : model].ks->graph;

		if (bytes < value_bytes(g, v))
			bytes = value_bytes(g, v);
	}
	bytes = round_up(bytes, w->t->align);
	if (*at == NO_ID) {
		const char *name = graph_value(ks->graph, v)->name;

		*at = storage_new(w, bytes, name ? name : arena_printf(w->a, "value %u", root));
	}
	if (w->storages.data[*at].bytes < bytes)
		w->storages.data[*at].bytes = bytes;
	return *at;
}

static void touch(struct work *w, uint32_t storage, uint32_t event)
{
	struct storage *s = &w->storages.data[storage];

	if (event < s->first || s->first == UINT32_MAX)
		s->first = event;
	if (event > s->last)
		s->last = event;
}

/* ---- feeds ---- */

/* Names match also after every character that no identifier has became "_". */
static bool name_matches(const char *a, const char *b)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (!a || !b)
		return a == b;
	for (; *a && *b; a++, b++)
		if (*a != *b && (strchr(plain, *a) ? *a : '_') != (strchr(plain, *b) ? *b : '_'))
			return false;
	return *a == *b;
}

static uint32_t find_input(const struct graph *g, const char *name)
{
	for (uint32_t i = 0; i < g->inputs.len; i++)
		if (name_matches(graph_value(g, g->inputs.data[i])->name, name))
			return i;
	return NO_ID;
}

static uint32_t find_output(const struct graph *g, const char *name)
{
	for (uint32_t i = 0; i < g->outputs.len; i++)
		if (name_matches(g->output_names.data[i], name))
			return i;
	return NO_ID;
}

static bool apply_feed(struct work *w, const struct sched_feed *f)
{
	const struct sched_model *to = &w->r->models[f->to_model], *from = &w->r->models[f->from_model];
	uint32_t in = find_input(to->ks->graph, f->to_name), out = find_output(from->ks->graph, f->from_name);
	const struct value *a, *b;
	value_id root;

	if (in == NO_ID || out == NO_ID) {
		diag_error(w->d, f->span, "model %s has no %s %s", in == NO_ID ? to->name : from->name,
			   in == NO_ID ? "input" : "output", in == NO_ID ? f->to_name : f->from_name);
		return false;
	}
	if (f->from_model >= f->to_model) {
		diag_error(w->d, f->span, "model %s cannot be fed by %s, which runs later", to->name, from->name);
		return false;
	}
	a = graph_value(to->ks->graph, to->ks->graph->inputs.data[in]);
	b = graph_value(from->ks->graph, from->ks->graph->outputs.data[out]);
	if (a->dtype != b->dtype || !shape_equal(&a->shape, &b->shape)) {
		diag_error(w->d, f->span, "%s.%s is %s%s, but %s.%s gives %s%s", to->name, f->to_name,
			   dtype_name(a->dtype), shape_string(w->a, &a->shape), from->name, f->from_name,
			   dtype_name(b->dtype), shape_string(w->a, &b->shape));
		return false;
	}
	root = value_root(to->ks, to->ks->graph->inputs.data[in]);
	if (w->storage_of[w->model_values[f->to_model] + root] != NO_ID) {
		diag_error(w->d, f->span, "input %s.%s is fed twice", to->name, f->to_name);
		return false;
	}
	w->storage_of[w->model_values[f->to_model] + root] =
		value_storage(w, f->from_model, from->ks->graph->outputs.data[out]);
	vec_push(w->a, &w->s->feeds,
		 (struct sched_feed_value){ f->to_model, f->from_model, root, from->ks->graph->outputs.data[out] });
	return true;
}

/* ---- events ---- */

static uint32_t tensor_new(struct work *w, uint32_t model, value_id v, const char *name, bool output)
{
	const struct graph *g = w->r->models[model].ks->graph;
	struct sched_tensor t = { .output = output, .model = model, .value = v, .bytes = value_bytes(g, v) };

	t.shape_model = model;
	for (uint32_t i = 0; w->r->variants && i < w->r->model_count; i++) {
		if (value_bytes(w->r->models[i].ks->graph, v) <= t.bytes)
			continue;
		t.shape_model = i;
		t.bytes = value_bytes(w->r->models[i].ks->graph, v);
	}
	t.name = name ? name : arena_printf(w->a, output ? "output%u" : "input%u", v);
	if (w->r->model_count > 1 && !w->r->variants)
		t.name = arena_printf(w->a, "%s.%s", instance_name(w, model), t.name);
	vec_push(w->a, &w->s->tensors, t);
	return w->s->tensors.len - 1;
}

static uint32_t event_new(struct work *w, struct event e)
{
	vec_push(w->a, &w->events, e);
	return w->events.len - 1;
}

/* What each model still has to bring in or out, by root value. */
struct pending {
	uint32_t *input;  /* tensor that fills this value; NO_ID: none, or done */
	uint32_t *writer; /* last launch that writes it; NO_ID */
};

static void input_event(struct work *w, uint32_t model, uint32_t tensor)
{
	const struct sched_tensor *t = &w->s->tensors.data[tensor];
	uint32_t e = event_new(w, (struct event){ SCHED_INPUT, model, tensor, NO_ID,
						  cost_copy_ms(w->t, t->bytes) });

	touch(w, value_storage(w, model, t->value), e);
}

static void output_events(struct work *w, uint32_t model, const struct pending *p, uint32_t launch)
{
	const struct kernel_set *ks = w->r->models[model].ks;

	for (uint32_t i = 0; i < w->s->tensors.len; i++) {
		const struct sched_tensor *t = &w->s->tensors.data[i];

		if (!t->output || t->model != model || p->writer[value_root(ks, t->value)] != launch)
			continue;
		touch(w, value_storage(w, model, t->value),
		      event_new(w, (struct event){ SCHED_OUTPUT, model, i, NO_ID,
						   cost_copy_ms(w->t, t->bytes) }));
	}
}

static bool is_in_list(const struct work *w, uint32_t from, uint32_t weight)
{
	for (uint32_t i = from; i < w->weight_list.len; i++)
		if (w->weight_list.data[i] == weight)
			return true;
	return false;
}

static void collect_weights(struct work *w, uint32_t model, const struct launch *l, bool split)
{
	uint32_t from = w->weight_list.len;

	for (uint32_t i = 0; i < l->arg_count; i++) {
		uint32_t weight;

		if (l->arg[i].kind != ARG_WEIGHT || (l->split_dim >= 0 && l->arg[i].split) != split)
			continue;
		weight = weight_number(w, model, l->arg[i].id);
		if (!is_in_list(w, from, weight))
			vec_push(w->a, &w->weight_list, weight);
	}
}

/* A launch whose split weights do not go with its extent cannot be split. */
static bool splits_cleanly(const struct work *w, uint32_t model, const struct launch *l)
{
	const struct kernel_set *ks = w->r->models[model].ks;
	bool any = false;

	if (l->split_dim < 0 || l->split_dim > 2 || l->global[l->split_dim] < 2)
		return false;
	for (uint32_t i = 0; i < l->arg_count; i++) {
		if (l->arg[i].kind != ARG_WEIGHT || !l->arg[i].split)
			continue;
		if (ks->weights.data[l->arg[i].id].granules != l->global[l->split_dim])
			return false;
		for (uint32_t j = 0; j < i; j++) /* the same weight whole and split: keep it whole */
			if (l->arg[j].kind == ARG_WEIGHT && l->arg[j].id == l->arg[i].id && !l->arg[j].split)
				return false;
		any = true;
	}
	return any;
}

static uint32_t use_new(struct work *w, uint32_t model, uint32_t event, const struct launch *l)
{
	struct weight_use u = { .event = event, .granules = 1, .quantum = 1 };
	const struct kernel *k = &w->r->models[model].ks->kernels.data[l->kernel];
	struct launch whole = *l;

	if (splits_cleanly(w, model, l)) {
		u.granules = l->global[l->split_dim];
		u.quantum = k->local[l->split_dim] ? k->local[l->split_dim] : 1;
		if (u.granules % u.quantum)
			u.quantum = u.granules;
	} else {
		whole.split_dim = -1;
	}
	u.split_first = w->weight_list.len;
	collect_weights(w, model, &whole, true);
	u.split_count = w->weight_list.len - u.split_first;
	u.common_first = w->weight_list.len;
	collect_weights(w, model, &whole, false);
	u.common_count = w->weight_list.len - u.common_first;
	for (uint32_t i = u.split_first; i < w->weight_list.len; i++)
		w->weight_uses[w->weight_list.data[i]]++;
	vec_push(w->a, &w->uses, u);
	return w->uses.len - 1;
}

/* What one launch reads must be there; what it reads and writes lives now. */
static bool touch_launch(struct work *w, uint32_t event, const struct launch *l)
{
	const struct event *e = &w->events.data[event];

	for (uint32_t i = 0; i < l->arg_count; i++) {
		const struct kernel_arg *x = &l->arg[i];
		uint32_t s;

		if (x->kind == ARG_SCRATCH) {
			s = storage_new(w, x->i > 0 ? (uint64_t)x->i : 0, "scratch");
			touch(w, s, event);
			vec_push(w->a, &w->scratch, s);
		} else if (x->kind == ARG_VALUE) {
			s = value_storage(w, e->model, x->id);
			if (!x->written && w->storages.data[s].first == UINT32_MAX) {
				diag_error(w->d, NO_SPAN, "launch %u (%s) reads value %u, which nothing has written",
					   e->index, l->what ? l->what : "?", x->id);
				return false;
			}
			touch(w, s, event);
		}
	}
	return true;
}

static bool touch_arguments(struct work *w, uint32_t event)
{
	for (uint32_t v = 0; v < work_variants(w); v++)
		if (!touch_launch(w, event, variant_launch(w, &w->events.data[event], v)))
			return false;
	return true;
}

/* States live all the time. */
static void states_make(struct work *w, uint32_t model)
{
	const struct kernel_set *ks = w->r->models[model].ks;

	for (uint32_t i = 0; i < ks->states.len; i++)
		vec_push(w->a, &w->states, storage_new(w, ks->states.data[i].bytes, ks->states.data[i].name));
}

static void states_live(struct work *w)
{
	for (uint32_t i = 0; i < w->states.len && w->events.len; i++) {
		touch(w, w->states.data[i], 0);
		touch(w, w->states.data[i], w->events.len - 1);
	}
}

/* Dozens of instructions for each element, rather than one. */
static bool is_function(enum op op)
{
	return op == OP_gelu || op == OP_gelu_tanh || op == OP_silu || op == OP_sigmoid || op == OP_tanh || op == OP_erf ||
	       op == OP_exp || op == OP_softplus || op == OP_mish;
}

static struct launch_work work_of(const struct kernel_set *ks, const struct launch *l)
{
	const struct node *n = l->node == NO_ID ? NULL : graph_node(ks->graph, l->node);
	struct launch_work work = { ks->kernels.data[l->kernel].name, l->flops, l->bytes, 0, 0, 0, 0 };

	if (n && n->out_count)
		work.results = (uint64_t)shape_elements(&graph_value(ks->graph, n->out[0])->shape);
	for (uint32_t i = 0; n && i < n->epilogue_count; i++)
		work.functions += is_function(n->epilogue[i].op);
	for (uint32_t i = 0; i < l->arg_count; i++) {
		const struct weight *x = l->arg[i].kind == ARG_WEIGHT ? &ks->weights.data[l->arg[i].id] : NULL;
		const struct value *v;

		if (!x)
			continue;
		work.weights += x->bytes;
		if (x->packing.kind != PACK_PANELS && x->packing.kind != PACK_CONV)
			continue;
		v = graph_value(ks->graph, x->value);
		work.padding = (double)x->bytes / ((double)shape_elements(&v->shape) * dtype_size(x->packing.dtype));
	}
	return work;
}

/* Memory of one launch. The value it may overwrite is merged later. */
static bool launch_event(struct work *w, uint32_t model, uint32_t index, struct pending *p)
{
	const struct kernel_set *ks = w->r->models[model].ks;
	const struct launch *l = &ks->launches.data[index];
	struct launch_work work;
	uint32_t e;

	for (uint32_t i = 0; i < l->arg_count; i++) {
		value_id root = l->arg[i].kind == ARG_VALUE ? value_root(ks, l->arg[i].id) : NO_ID;

		if (root != NO_ID && p->input[root] != NO_ID) {
			input_event(w, model, p->input[root]);
			p->input[root] = NO_ID;
		}
	}
	if (!l->lookup)
		work = work_of(ks, l);
	e = event_new(w, (struct event){ l->lookup ? SCHED_LOOKUP : SCHED_KERNEL, model, index, NO_ID,
					 l->lookup ? cost_lookup_ms(w->t, l->lookup, false) : cost_launch_ms(w->t, &work) });
	if (!touch_arguments(w, e))
		return false;
	if (!l->lookup)
		w->events.data[e].use = use_new(w, model, e, l);
	output_events(w, model, p, index);
	return true;
}

static void pending_new(struct work *w, uint32_t model, struct pending *p)
{
	const struct kernel_set *ks = w->r->models[model].ks;
	uint32_t n = ks->graph->values.len;

	p->input = arena_new_array(w->a, uint32_t, n + 1);
	p->writer = arena_new_array(w->a, uint32_t, n + 1);
	for (uint32_t i = 0; i < n; i++)
		p->input[i] = p->writer[i] = NO_ID;
	for (uint32_t i = 0; i < w->s->tensors.len; i++) {
		const struct sched_tensor *t = &w->s->tensors.data[i];

		if (!t->output && t->model == model)
			p->input[value_root(ks, t->value)] = i;
	}
	for (uint32_t i = 0; i < ks->launches.len; i++)
		for (uint32_t k = 0; k < ks->launches.data[i].arg_count; k++) {
			const struct kernel_arg *x = &ks->launches.data[i].arg[k];

			if (x->kind == ARG_VALUE && x->written)
				p->writer[value_root(ks, x->id)] = i;
		}
}

/* Inputs that no launch reads come in at the end, and so do outputs that are inputs go out. */
static bool model_events(struct work *w, uint32_t model)
{
	const struct kernel_set *ks = w->r->models[model].ks;
	const struct graph *g = ks->graph;
	struct pending p;

	pending_new(w, model, &p);
	for (uint32_t i = 0; i < ks->launches.len; i++)
		if (!launch_event(w, model, i, &p))
			return false;
	for (uint32_t i = 0; i < g->values.len; i++)
		if (p.input[i] != NO_ID)
			input_event(w, model, p.input[i]);
	for (uint32_t i = 0; i < w->s->tensors.len; i++) {
		const struct sched_tensor *t = &w->s->tensors.data[i];
		uint32_t s;

		if (!t->output || t->model != model || p.writer[value_root(ks, t->value)] != NO_ID)
			continue;
		s = value_storage(w, model, t->value);
		if (w->storages.data[s].first == UINT32_MAX) {
			diag_error(w->d, NO_SPAN, t->bytes ? "output %s is neither computed nor an input" :
							     "output %s has no elements", t->name);
			return false;
		}
		touch(w, s, event_new(w, (struct event){ SCHED_OUTPUT, model, i, NO_ID,
							 cost_copy_ms(w->t, t->bytes) }));
	}
	return true;
}

/* ---- in place ---- */

/* Arguments of the launch that lie in storage s; *written: how many of them it writes. */
static uint32_t count_args(struct work *w, const struct event *e, uint32_t s, uint32_t *written)
{
	const struct launch *l = event_launch(w, e);
	uint32_t n = 0;

	*written = 0;
	for (uint32_t i = 0; i < l->arg_count; i++)
		if (l->arg[i].kind == ARG_VALUE &&
		    storage_root(w, value_storage(w, e->model, l->arg[i].id)) == s) {
			n++;
			*written += l->arg[i].written;
		}
	return n;
}

static void merge_in_place(struct work *w, uint32_t event)
{
	const struct event *e = &w->events.data[event];
	const struct launch *l = event_launch(w, e);
	uint32_t in, written;

	if (l->in_place_of == NO_ID)
		return;
	in = storage_root(w, value_storage(w, e->model, l->in_place_of));
	if (w->storages.data[in].last != event || count_args(w, e, in, &written) != 1 || written)
		return;
	for (uint32_t i = 0; i < l->arg_count; i++) {
		struct storage *from = &w->storages.data[in], *to;
		uint32_t out;

		if (l->arg[i].kind != ARG_VALUE || !l->arg[i].written)
			continue;
		out = storage_root(w, value_storage(w, e->model, l->arg[i].id));
		to = &w->storages.data[out];
		if (out == in || to->first != event || to->bytes != from->bytes ||
		    count_args(w, e, out, &written) != 1)
			continue;
		from->last = to->last;
		from->taken_at = event;
		to->merged = in;
		return;
	}
}

bool lower_request(struct work *w)
{
	uint32_t models = w->r->variants ? 1 : w->r->model_count;
	bool ok = true;

	number_models(w);
	if (w->r->variants && !variants_check(w))
		return false;
	for (uint32_t m = 0; m < models; m++)
		states_make(w, m);
	for (uint32_t i = 0; i < w->r->feed_count; i++)
		ok = apply_feed(w, &w->r->feeds[i]) && ok;
	for (uint32_t out = 0; out < 2; out++)
		for (uint32_t m = 0; m < models; m++) {
			const struct kernel_set *ks = w->r->models[m].ks;
			const struct graph *g = ks->graph;

			for (uint32_t i = 0; !out && i < g->inputs.len; i++) {
				value_id v = g->inputs.data[i];

				if (w->storage_of[w->model_values[m] + value_root(ks, v)] == NO_ID)
					tensor_new(w, m, v, graph_value(g, v)->name, false);
			}
			for (uint32_t i = 0; out && i < g->outputs.len; i++)
				tensor_new(w, m, g->outputs.data[i], g->output_names.data[i], true);
		}
	for (uint32_t m = 0; ok && m < models; m++)
		ok = model_events(w, m);
	states_live(w);
	for (uint32_t e = 0; ok && e < w->events.len; e++)
		if (w->events.data[e].kind == SCHED_KERNEL)
			merge_in_place(w, e);
	return ok;
}
