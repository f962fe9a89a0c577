/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sections.c - a schedule as the records of plan_format.h.
 *
 * All kernels that steps run stand in one program for each prelude and set of
 * options, in order of first use; kernels of several models that are the same
 * text are one kernel. Strings are stored once.
 */
#include "config.h"

#include "plan/records.h"

#include <string.h>

_Static_assert((int)SCHED_PAGE == EDGE_PLAN_PAGE, "page");
_Static_assert((int)DTYPE_F32 == EDGE_F32 && (int)DTYPE_BF16 == EDGE_BF16 && (int)DTYPE_I64 == EDGE_I64 &&
		       (int)DTYPE_BOOL == EDGE_BOOL, "dtypes");
_Static_assert((int)SCHED_ACTIVATIONS == EDGE_REGION_ACTIVATIONS && (int)SCHED_RESIDENT == EDGE_REGION_RESIDENT &&
		       (int)SCHED_STREAM == EDGE_REGION_STREAM && (int)SCHED_STAGING == EDGE_REGION_STAGING &&
		       (int)SCHED_CARRIED == EDGE_REGION_CARRIED, "regions");
_Static_assert((int)SCHED_KERNEL == EDGE_STEP_KERNEL && (int)SCHED_INPUT == EDGE_STEP_INPUT &&
		       (int)SCHED_OUTPUT == EDGE_STEP_OUTPUT && (int)SCHED_LOOKUP == EDGE_STEP_LOOKUP, "steps");
_Static_assert((int)TARGET_OPENCL == EDGE_BACKEND_OPENCL && (int)TARGET_NATIVE == EDGE_BACKEND_NATIVE &&
		       (int)TARGET_CPU_KERNELS == EDGE_KERNELS_CPU && (int)TARGET_GPU_KERNELS == EDGE_KERNELS_GPU, "target");

struct writer {
	struct records r;
	struct arena *a;
	const struct schedule *s;
	struct sections *x;
	VEC(struct plan_kernel) kernels;
	VEC(struct plan_program) programs;
	struct map kernel_of; /* "program name" -> kernels */
	uint32_t **number;    /* per model, per kernel of its set and then per form of it that carries: index in kernels; NO_ID */
	struct diag *d;
};

static void put(struct writer *w, enum section_index i, const void *record)
{
	records_put(&w->r, i, record);
}

static uint32_t string(struct writer *w, const char *s)
{
	return records_string(&w->r, s);
}

static const char *clean(struct writer *w, const char *s)
{
	return records_clean(&w->r, s);
}

/* ---- kernels ---- */

static uint32_t program_of(struct writer *w, const struct kernel_set *ks)
{
	for (uint32_t i = 0; i < w->programs.len; i++)
		if (!strcmp(w->programs.data[i].prelude, ks->prelude) &&
		    !strcmp(w->programs.data[i].options, ks->build_options))
			return i;
	vec_push(w->a, &w->programs, (struct plan_program){ ks->prelude, ks->build_options });
	return w->programs.len - 1;
}

static uint32_t *number_at(struct writer *w, const struct sched_step *x)
{
	const struct kernel_set *ks = w->s->request->models[x->model].ks;

	return &w->number[x->model][ks->launches.data[x->launch].kernel + (x->load != NO_ID ? ks->kernels.len : 0)];
}

static const struct kernel *step_kernel(const struct writer *w, const struct sched_step *x)
{
	const struct kernel_set *ks = w->s->request->models[x->model].ks;
	const struct kernel *k = &ks->kernels.data[ks->launches.data[x->launch].kernel];

	return x->load != NO_ID ? k->loading : k;
}

static void number_kernel(struct writer *w, const struct sched_step *x)
{
	const struct kernel_set *ks = w->s->request->models[x->model].ks;
	const struct kernel *k = step_kernel(w, x);
	uint32_t *number = number_at(w, x), program;
	const char *key;

	if (*number != NO_ID)
		return;
	program = program_of(w, ks);
	key = arena_printf(w->a, "%u %s", program, k->name);
	if (map_get(&w->kernel_of, key, number)) {
		if (!strcmp(w->kernels.data[*number].k->source, k->source))
			return;
		/* two texts of one name cannot stand in one program */
		vec_push(w->a, &w->programs, (struct plan_program){ ks->prelude, ks->build_options });
		program = w->programs.len - 1;
	} else {
		map_put(w->a, &w->kernel_of, key, w->kernels.len);
	}
	*number = w->kernels.len;
	vec_push(w->a, &w->kernels, (struct plan_kernel){ k, program });
}

static void number_kernels(struct writer *w)
{
	const struct schedule *s = w->s;

	w->number = arena_new_array(w->a, uint32_t *, s->request->model_count);
	for (uint32_t m = 0; m < s->request->model_count; m++) {
		const struct kernel_set *ks = s->request->models[m].ks;

		w->number[m] = arena_new_array(w->a, uint32_t, 2 * (size_t)ks->kernels.len + 1);
		for (uint32_t i = 0; i < 2 * ks->kernels.len; i++)
			w->number[m][i] = NO_ID;
	}
	for (uint32_t i = 0; i < s->steps.len; i++) {
		const struct sched_step *x = &s->steps.data[i];

		if (x->kind == SCHED_KERNEL)
			number_kernel(w, x);
	}
}

static bool put_kernels(struct writer *w)
{
	number_kernels(w);
	return records_kernels(&w->r, w->s->request->target, w->kernels.data, w->kernels.len, w->programs.data, w->programs.len);
}

/* ---- steps ---- */

static struct edge_arg make_arg(const struct schedule *s, const struct sched_step *x, const struct kernel_arg *a,
				uint32_t *buffer)
{
	struct edge_arg out = { .kind = EDGE_PARAM_GLOBAL };

	switch (a->kind) {
	case ARG_WEIGHT:
		if (s->request->models[x->model].ks->weights.data[a->id].packing.texture)
			out.kind = EDGE_PARAM_IMAGE;
		/* fall through */
	case ARG_VALUE:
	case ARG_SCRATCH:
	case ARG_STATE:
		out.buffer = s->step_buffers.data[(*buffer)++];
		break;
	case ARG_I32:
	case ARG_I64:
		out.kind = a->kind == ARG_I32 ? EDGE_PARAM_I32 : EDGE_PARAM_I64;
		out.value.i = a->i;
		break;
	case ARG_F32:
		out.kind = EDGE_PARAM_F32;
		out.value.f = a->f;
		break;
	case ARG_TEXEL:
		out.kind = EDGE_PARAM_I32;
		out.value.i = (int64_t)(s->buffers.data[s->step_buffers.data[*buffer - 1]].offset / 8);
		break;
	case ARG_FIRST_GRANULE:
		out.kind = EDGE_PARAM_I32;
		out.value.i = x->whole ? 0 : x->granule_first;
		break;
	}
	return out;
}

/* The record, and the arguments that say the same to the kernel. */
static void put_load(struct writer *w, const struct sched_load *x)
{
	const struct sched_buffer *from = &w->s->buffers.data[x->from], *to = &w->s->buffers.data[x->to];
	const struct edge_arg arg[EDGE_LOAD_PARAMS] = {
		{ .kind = EDGE_PARAM_IMAGE, .buffer = x->to },
		{ .kind = EDGE_PARAM_GLOBAL, .buffer = x->from },
		{ .kind = EDGE_PARAM_I32, .value.i = (int64_t)(to->offset / EDGE_PLAN_TEXEL) },
		{ .kind = EDGE_PARAM_I32, .value.i = (int64_t)(to->bytes / EDGE_PLAN_TEXEL) - 1 },
		{ .kind = EDGE_PARAM_I32, .value.i = x->each },
	};
	struct edge_load r = { .step = x->step, .read = x->read, .from = from->region, .to = to->region,
			       .from_offset = from->offset, .to_offset = to->offset, .bytes = to->bytes };

	put(w, SECTION_LOADS, &r);
	for (uint32_t i = 0; i < EDGE_LOAD_PARAMS; i++)
		put(w, SECTION_ARGS, &arg[i]);
}

static bool put_launch(struct writer *w, uint32_t step, struct edge_step *out)
{
	const struct schedule *s = w->s;
	const struct sched_step *x = &s->steps.data[step];
	const struct kernel_set *ks = s->request->models[x->model].ks;
	const struct launch *l = &ks->launches.data[x->launch];
	const struct kernel *k = step_kernel(w, x);
	uint32_t buffer = x->buffer_first, loads = x->load != NO_ID ? EDGE_LOAD_PARAMS : 0;

	out->index = *number_at(w, x);
	out->arg_count = l->arg_count + loads;
	for (int i = 0; i < 3; i++) {
		out->global[i] = !x->whole && i == l->split_dim ? x->granule_count : l->global[i];
		out->local[i] = k->local[i] ? k->local[i] : 1;
		if (!out->global[i] || out->global[i] % out->local[i]) {
			diag_error(w->d, NO_SPAN, "launch %s: %u work-items cannot run in groups of %u",
				   l->what ? l->what : k->name, out->global[i], out->local[i]);
			return false;
		}
	}
	if (out->arg_count != k->param_count) {
		diag_error(w->d, NO_SPAN, "launch %s: %u arguments for the %u parameters of %s",
			   l->what ? l->what : "?", out->arg_count, k->param_count, k->name);
		return false;
	}
	if (loads)
		put_load(w, &s->loads.data[x->load]);
	for (uint32_t i = 0; i < l->arg_count; i++) {
		struct edge_arg a = make_arg(s, x, &l->arg[i], &buffer);

		put(w, SECTION_ARGS, &a);
	}
	return true;
}

/* Returns its number. */
static uint32_t put_lookup(struct writer *w, const struct sched_step *x)
{
	const struct row_lookup *l = w->s->request->models[x->model].ks->launches.data[x->launch].lookup;
	const struct sched_table *t = &w->s->tables.data[x->table];
	const uint32_t *buffer = &w->s->step_buffers.data[x->buffer_first];
	struct edge_lookup r = { .index_buffer = buffer[0], .output_buffer = buffer[1],
				 .index_dtype = l->index_dtype, .chunk_first = t->chunk_first,
				 .chunk_count = t->chunk_count, .chunk_rows = (uint32_t)t->rows, .count = l->count,
				 .rows = l->rows, .row_bytes = l->row_bytes };

	put(w, SECTION_LOOKUPS, &r);
	return (uint32_t)(w->x->section[SECTION_LOOKUPS].bytes.len / sizeof r) - 1;
}

static void put_debug(struct writer *w, uint32_t step)
{
	const struct schedule *s = w->s;
	const struct sched_step *x = &s->steps.data[step];
	struct edge_debug r = { 0 };

	if (x->kind == SCHED_KERNEL || x->kind == SCHED_LOOKUP) {
		const struct kernel_set *ks = s->request->models[x->model].ks;
		const struct launch *l = &ks->launches.data[x->launch];
		const struct node *n = l->node < ks->graph->nodes.len ? &ks->graph->nodes.data[l->node] : NULL;
		unsigned line = 0, column;

		r.op = string(w, clean(w, l->what));
		if (n && n->name)
			r.node = string(w, clean(w, n->name));
		if (n && n->span.file && n->span.file <= w->d->files.len && w->d->files.data[n->span.file - 1].text) {
			diag_locate(w->d, n->span.file, n->span.start, &line, &column);
			r.file = string(w, clean(w, w->d->files.data[n->span.file - 1].name));
			r.line = line;
		}
	} else {
		r.op = string(w, x->kind == SCHED_INPUT ? "input" : "output");
		r.node = string(w, clean(w, s->tensors.data[x->tensor].name));
	}
	put(w, SECTION_DEBUG, &r);
}

static bool put_steps(struct writer *w)
{
	const struct schedule *s = w->s;
	uint32_t args = 0;

	for (uint32_t i = 0; i < s->steps.len; i++) {
		const struct sched_step *x = &s->steps.data[i];
		struct edge_step r = { .kind = x->kind, .index = x->tensor, .arg_first = args, .global = { 1, 1, 1 },
				       .local = { 1, 1, 1 }, .model = s->request->variants ? 0 : x->model, .reads_needed = x->reads_needed,
				       .flops = x->flops, .bytes = x->bytes, .predicted_ms = x->ms,
				       .predicted_start_ms = x->start_ms };

		if (x->kind == SCHED_KERNEL && !put_launch(w, i, &r))
			return false;
		if (x->kind == SCHED_LOOKUP)
			r.index = put_lookup(w, x);
		args += r.arg_count;
		put(w, SECTION_STEPS, &r);
		put_debug(w, i);
	}
	return true;
}

static void put_tensors(struct writer *w)
{
	for (uint32_t i = 0; i < w->s->tensors.len; i++) {
		const struct sched_tensor *t = &w->s->tensors.data[i];
		const struct value *v = graph_value(w->s->request->models[t->shape_model].ks->graph, t->value);
		struct edge_tensor r = { .name = string(w, clean(w, t->name)),
					 .direction = t->output ? EDGE_TENSOR_OUTPUT : EDGE_TENSOR_INPUT,
					 .dtype = v->dtype, .rank = v->shape.rank, .buffer = t->buffer,
					 .model = t->model, .bytes = t->bytes };

		for (uint32_t k = 0; k < v->shape.rank; k++)
			r.dim[k] = v->shape.dim[k];
		put(w, SECTION_TENSORS, &r);
	}
}

static void put_models(struct writer *w)
{
	const struct schedule *s = w->s;
	uint32_t step = 0;

	for (uint32_t m = 0; m < (s->request->variants ? 1 : s->request->model_count); m++) {
		struct edge_model r = { .name = string(w, clean(w, s->request->models[m].name)), .step_first = step };

		for (; step < s->steps.len && (s->request->variants || s->steps.data[step].model == m); step++) {
			r.flops += s->steps.data[step].flops;
			r.step_count++;
		}
		for (uint32_t i = 0; i < s->request->models[m].ks->weights.len; i++)
			r.weights_bytes += s->request->models[m].ks->weights.data[i].bytes;
		put(w, SECTION_MODELS, &r);
	}
}

/* ---- memory ---- */

static void put_memory(struct writer *w)
{
	const struct schedule *s = w->s;

	for (uint32_t i = 0; i < s->regions.len; i++) {
		const struct sched_region *x = &s->regions.data[i];
		struct edge_region r = { x->kind, x->host	 ? EDGE_SPACE_HOST :
						  x->image ? EDGE_SPACE_IMAGE :
							     EDGE_SPACE_DEVICE, x->bytes };

		put(w, SECTION_REGIONS, &r);
	}
	for (uint32_t i = 0; i < s->buffers.len; i++) {
		const struct sched_buffer *x = &s->buffers.data[i];
		struct edge_buffer r = { x->region, 0, x->offset, x->bytes };

		put(w, SECTION_BUFFERS, &r);
	}
	for (uint32_t i = 0; i < s->chunks.len; i++)
		put(w, SECTION_CHUNKS, &(struct edge_chunk){ 0 });
	for (uint32_t i = 0; i < s->reads.len; i++) {
		const struct sched_read *x = &s->reads.data[i];
		struct edge_read r = { x->chunk, x->region, x->offset, x->after_step, x->once ? EDGE_READ_ONCE : 0,
				       x->start_ms, x->end_ms };

		put(w, SECTION_READS, &r);
	}
	for (uint32_t i = 0; i < s->lifetimes.len; i++) {
		const struct sched_lifetime *x = &s->lifetimes.data[i];
		struct edge_lifetime r = { x->region, string(w, clean(w, x->name)), x->offset, x->bytes,
					   x->first_step, x->last_step };

		put(w, SECTION_LIFETIMES, &r);
	}
}

static void put_meta(struct writer *w, const char *version)
{
	const struct schedule *s = w->s;
	const struct target *t = s->request->target;
	struct edge_meta m = {
		.kind = s->request->generate ? EDGE_PLAN_GENERATE : EDGE_PLAN_RUN,
		.backend = t->backend,
		.kernel_style = t->kernels,
		.threads = t->threads,
		.name = string(w, clean(w, s->request->name)),
		.device_name = string(w, clean(w, t->name)),
		.compiler = string(w, version),
		.device_budget_bytes = s->request->device_budget,
		.host_budget_bytes = s->request->host_budget,
		.planned_device_bytes = s->device_bytes,
		.planned_host_bytes = s->host_bytes,
		.smallest_budget_bytes = s->smallest_budget,
		.weights_bytes = s->weights_bytes,
		.resident_bytes = s->resident_bytes,
		.streamed_bytes = s->streamed_bytes,
		.activation_peak_bytes = s->activation_peak,
		.activation_lower_bound_bytes = s->activation_lower_bound,
		.flops = s->flops,
		.predicted_ms = s->predicted_ms,
		.predicted_warm_ms = s->warm_ms,
		.lower_bound_ms = s->lower_bound_ms,
		.storage_bytes_per_s = t->storage_bytes_per_s,
		.flops_per_s = t->flops_per_s,
		.memory_bytes_per_s = t->memory_bytes_per_s,
		.launch_ms = t->launch_ms,
		.requests = t->requests,
		.reading = t->uring ? EDGE_READING_URING : EDGE_READING_THREADS,
	};

	put(w, SECTION_META, &m);
	for (uint32_t i = 0; i < s->notes.len; i++) {
		struct edge_note r = { string(w, s->notes.data[i].topic), string(w, clean(w, s->notes.data[i].text)) };

		put(w, SECTION_NOTES, &r);
	}
}

static uint32_t find_tensor(const struct schedule *s, const char *name)
{
	uint32_t i = 0;

	while (i < s->tensors.len && strcmp(s->tensors.data[i].name, name) != 0)
		i++;
	return i;
}

static void put_generate(struct writer *w)
{
	const struct schedule *s = w->s;
	const struct sched_generate *g = s->request->generate;
	struct edge_generate r = { .context = (uint32_t)g->context, .vocabulary = (uint32_t)g->vocabulary,
				   .tokens = find_tensor(s, "tokens"), .state = find_tensor(s, "state"),
				   .wanted = find_tensor(s, "wanted"), .logits = find_tensor(s, "logits"),
				   .layers = (uint32_t)g->layers };
	uint32_t all = (uint32_t)((UINT64_C(1) << s->request->model_count) - 1);

	put(w, SECTION_GENERATE, &r);
	for (uint32_t i = 0; i < s->request->model_count; i++)
		put(w, SECTION_VARIANTS, &(struct edge_variant){ (uint32_t)g->rows[i], (uint32_t)g->scored[i] });
	for (uint32_t i = 0; i < s->steps.len; i++) {
		const struct sched_step *x = &s->steps.data[i];
		bool launch = x->kind == SCHED_KERNEL || x->kind == SCHED_LOOKUP;
		uint32_t mask = launch ? 1u << x->model : all;

		put(w, SECTION_STEP_VARIANTS, &mask);
	}
	strbuf_add(&w->x->section[SECTION_TOKENIZER].bytes, g->tokenizer, g->tokenizer_bytes);
}

bool sections_make(struct arena *a, const struct schedule *s, const char *version, struct sections *out, struct diag *d)
{
	struct writer w = { .a = a, .s = s, .x = out, .d = d };

	records_begin(&w.r, a, out, d);
	put_meta(&w, version);
	put_tensors(&w);
	put_models(&w);
	put_memory(&w);
	if (s->request->generate)
		put_generate(&w);
	if (!put_kernels(&w) || !put_steps(&w) || !records_end(&w.r)) {
		sections_free(out);
		return false;
	}
	return true;
}

void sections_free(struct sections *x)
{
	for (uint32_t i = 0; i < SECTION_COUNT; i++)
		strbuf_free(&x->section[i].bytes);
}
