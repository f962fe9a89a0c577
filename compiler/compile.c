/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile.c - the stages of the compiler, in order:
 *
 *	parse, resolve | import, passes, select, check (per model) | schedule | write
 *
 * Each stage says what is wrong and the next one does not start; the output
 * appears only when everything is right.
 */
#include "config.h"

#include "choose.h"
#include "commands.h"
#include "compilation.h"
#include "compile_train.h"
#include "summary.h"

#include "base/file.h"
#include "base/size.h"
#include "generate.h"
#include "codegen/activations.h"
#include "codegen/kernel_set.h"
#include "pass/pass.h"
#include "plan/plan.h"
#include "quant/declared.h"
#include "scene/scene.h"
#include "sched/schedule.h"
#include "target/target.h"
#include "tune/apply.h"

#include <string.h>

static void stage_done(struct compilation *c, const char *name)
{
	double now = summary_now_ms();

	if (c->opt->time)
		fprintf(stderr, "%-10s %10.2f ms\n", name, now - c->stage_started);
	c->stage_started = now;
}

/* --- one model -------------------------------------------------------------- */

void compile_choose_batch(struct compilation *c, int64_t batch)
{
	variants_choose(c->variants, batch);
	c->batch = batch;
	c->graphs = c->variants->count;
	for (uint32_t i = 0; i < c->graphs; i++) {
		c->graph[i] = NULL;
		c->set[i] = NULL;
		c->model_of[i] = c->plan->steps.data[0].model;
	}
}

/* i: which variant, of a language model. */
static struct graph *import_model(struct compilation *c, const struct decl_model *m, uint32_t i)
{
	switch (m->kind) {
	case DECL_MODEL_ONNX: return import_onnx(c->arena, c->diag, m, &c->import);
	case DECL_MODEL_NETWORK: return import_network(c->arena, c->diag, m, &c->import);
	case DECL_MODEL_GGUF: break;
	}
	return variants_graph(c->variants, i);
}

/* The variants of a language model are its graphs. */
static bool open_variants(struct compilation *c)
{
	const struct decl_step *s = &c->plan->steps.data[0];

	c->variants = arena_new(c->arena, struct variants);
	if (!variants_open(c->arena, c->diag, &c->project->models.data[s->model], c->variants))
		return false;
	compile_choose_batch(c, c->project->models.data[s->model].batch ? c->project->models.data[s->model].batch : MOST_BATCH);
	return true;
}

static bool import_models(struct compilation *c)
{
	const struct decl_plan *p = c->plan;
	bool language = p->steps.data[0].action == DECL_GENERATE;

	for (uint32_t k = 0; k < (language ? c->graphs : p->steps.len); k++) {
		uint32_t i = language ? k : p->steps.data[k].model;
		const struct decl_model *m = &c->project->models.data[c->model_of[i]];

		if (!c->graph[i])
			c->graph[i] = import_model(c, m, i);
		if (!c->graph[i])
			return false;
		if (m->weights_format)
			dtype_from_name(m->weights_format, &c->graph[i]->weight_storage);
	}
	for (uint32_t i = 0; i < c->import.setting_count; i++)
		if (!c->import.setting_used[i])
			diag_error(c->diag, NO_SPAN, "--set %s=%s: no model of the plan has such a dimension or input",
				   c->import.settings[i].key, c->import.settings[i].value);
	return c->diag->errors == 0;
}

/* The lock file's decisions for the plan's models, after those of the command line. */
static bool load_tuning(struct compilation *c)
{
	struct target declared = c->target;
	struct lock lock = { 0 };
	const char *path = c->opt->lock ? c->opt->lock : lock_path(c->arena, c->opt->input);

	if (!c->opt->no_lock && !lock_read(c->arena, c->diag, path, c->opt->lock != NULL, &lock))
		return false;
	for (uint32_t k = 0; k < c->graphs; k++) {
		uint32_t m = c->model_of[k];
		const struct lock_entry *e = lock_find(&lock, c->project->models.data[m].name);
		struct tuned *t = &c->tuned[m];

		if (!c->graph[k] || (c->variants && k))
			continue;
		for (uint32_t i = 0; i < c->opt->knobs.len; i++)
			vec_push(c->arena, &t->knobs, (struct knob_value){ c->opt->knobs.data[i].key, c->opt->knobs.data[i].value });
		if (e && !lock_fresh(c->arena, c->diag, &lock, e, c->graph[k], &declared))
			return false;
		for (uint32_t i = 0; e && i < e->config.len; i++)
			vec_push(c->arena, &t->knobs, e->config.data[i]);
		if (!tuned_apply(c->arena, c->diag, t, &c->target))
			return false;
		if (t->stream >= 0)
			c->stream = t->stream;
	}
	c->target.table = tuning_table(c->arena, c->diag, &c->target);
	return c->diag->errors == 0;
}

/* What the quantize block of a model says; what a search found later counts more. */
static bool quantize(struct compilation *c, uint32_t m, struct graph *g)
{
	for (uint32_t i = 0; i < c->project->quantizes.len; i++)
		if (c->project->quantizes.data[i].model == m &&
		    !quant_declared(c->arena, g, &c->project->quantizes.data[i], c->diag))
			return false;
	return true;
}

static bool shares_table(const struct graph *g)
{
	for (uint32_t i = 0; i < g->nodes.len; i++)
		if (node_shares_table(g, graph_node(g, i)))
			return true;
	return false;
}

/* Whether products with weights in few bits take activations as bytes. */
static bool choose_activations(struct compilation *c)
{
	static const enum activations mode[] = { [DECL_ACTIVATIONS_ABSENT] = ACTIVATIONS_AUTO,
						 [DECL_ACTIVATIONS_AUTO] = ACTIVATIONS_AUTO,
						 [DECL_ACTIVATIONS_F32] = ACTIVATIONS_F32,
						 [DECL_ACTIVATIONS_Q8] = ACTIVATIONS_INT8 };

	for (uint32_t k = 0; k < c->graphs; k++) {
		const struct decl_quantize *q = NULL;
		int tuned = c->tuned[c->model_of[k]].activations;

		for (uint32_t i = 0; i < c->project->quantizes.len; i++)
			if (c->project->quantizes.data[i].model == c->model_of[k])
				q = &c->project->quantizes.data[i];
		if (c->graph[k]) {
			c->graph[k]->tables_in_memory = c->tables_in_memory;
			c->shared_table |= shares_table(c->graph[k]);
			tables_as_stored(c->graph[k]);
		}
		if (c->graph[k] && tuned >= 0)
			activations_quantize(c->graph[k], (enum activations)tuned, &c->target, NO_SPAN, NULL);
		else if (c->graph[k] && !activations_quantize(c->graph[k], q ? mode[q->activations] : ACTIVATIONS_AUTO, &c->target,
							 q ? q->activations_span : NO_SPAN, c->diag))
			return false;
	}
	return true;
}

static bool store_weights(struct compilation *c)
{
	for (uint32_t k = 0; k < c->graphs; k++) {
		uint32_t m = c->model_of[k];
		const char *calibrate = NULL;

		if (c->variants && c->stored) { /* found once: a variant's constants are those of the others */
			variants_share(c->graph[k], c->stored);
			continue;
		}
		if (c->graph[k] && !quantize(c, m, c->graph[k]))
			return false;

		for (uint32_t i = 0; i < c->project->tunes.len; i++)
			if (c->project->tunes.data[i].model == m)
				calibrate = c->project->tunes.data[i].calibrate;
		if (c->graph[k] && !tuned_formats(c->arena, c->diag, &c->tuned[m], calibrate, c->graph[k]))
			return false;
		c->stored = c->graph[k];
	}
	return c->diag->errors == 0;
}

static bool run_passes(struct compilation *c)
{
	struct pass_options po = { .print_after = c->opt->print_after,
				   .stop_after = c->opt->stop_after,
				   .time = c->opt->time,
				   .roundtrip = c->opt->roundtrip };

	for (uint32_t m = 0; m < c->graphs; m++)
		if (c->graph[m])
			c->graph[m]->separate_tails = c->separate_tails;
	for (uint32_t m = 0; m < c->graphs; m++)
		if (c->graph[m] && !passes_run(c->graph[m], c->diag, &po))
			return false;
	return c->diag->errors == 0;
}

bool compile_kernels(struct compilation *c)
{
	for (uint32_t m = 0; m < c->graphs; m++) {
		if (!c->graph[m])
			continue;
		c->target.tuning = &c->tuned[c->model_of[m]].tuning;
		c->set[m] = codegen_select(c->arena, c->graph[m], &c->target, c->diag);
		if (!c->set[m])
			return false;
	}
	stage_done(c, "select");
	for (uint32_t m = 0; m < c->graphs; m++)
		if (c->set[m] && !codegen_check(c->arena, c->set[m], c->diag))
			return false;
	stage_done(c, "check");
	return c->diag->errors == 0;
}

/* --- the plan --------------------------------------------------------------- */

/* A model that is run several times gets a number, so that names stay unique. */
static const char *run_name(struct compilation *c, uint32_t k)
{
	const struct decl_step *s = c->plan->steps.data;
	unsigned before = 0, all = 0;

	for (uint32_t i = 0; i < c->plan->steps.len; i++) {
		all += s[i].model == s[k].model;
		before += i < k && s[i].model == s[k].model;
	}
	if (all == 1 || before == 0)
		return s[k].subject;
	return arena_printf(c->arena, "%s_%u", s[k].subject, before + 1);
}

/* Feeds are declared between models; a chain's runs are in order. */
static bool find_run(struct compilation *c, uint32_t model, struct span span, uint32_t *out)
{
	for (uint32_t k = 0; k < c->plan->steps.len; k++)
		if (c->plan->steps.data[k].model == model) {
			*out = k;
			return true;
		}
	diag_error(c->diag, span, "the plan does not run %s", c->project->models.data[model].name);
	return false;
}

/* Again, with a budget part of the way from the smallest to the one that this one has. */
static struct schedule *schedule_between(struct compilation *c, struct sched_request *r)
{
	uint64_t least = c->schedule->smallest_budget, most = c->schedule->device_bytes;

	if (most <= least || c->stream >= 100)
		return c->schedule;
	r->device_budget = least + (most - least) / 100 * (uint64_t)c->stream;
	return schedule_make(c->arena, r, c->diag);
}

uint64_t compile_budget(const struct compilation *c)
{
	return c->opt->budget_set ? c->opt->budget : c->plan->budget.device_bytes;
}

/* measure: without a budget, to know what the smallest would be. */
bool compile_schedule(struct compilation *c, bool measure)
{
	const struct decl_plan *p = c->plan;
	uint32_t count = c->variants ? c->graphs : p->steps.len;
	struct sched_model *models = arena_new_array(c->arena, struct sched_model, count);
	struct sched_feed *feeds = arena_new_array(c->arena, struct sched_feed, p->feeds.len);
	struct sched_request r = { .name = p->name,
				   .models = models,
				   .model_count = count,
				   .variants = c->variants != NULL,
				   .generate = c->variants ? &c->variants->generate : NULL,
				   .feeds = feeds,
				   .feed_count = p->feeds.len,
				   .target = &c->target,
				   .device_budget = compile_budget(c),
				   .host_budget = p->budget.host_bytes,
				   .budget_span = c->opt->budget_set ? NO_SPAN : p->budget.span };

	if (measure)
		r.device_budget = 0;
	for (uint32_t k = 0; k < count; k++)
		models[k] = c->variants ? (struct sched_model){ p->steps.data[0].subject, c->set[k] } :
					  (struct sched_model){ run_name(c, k), c->set[p->steps.data[k].model] };
	for (uint32_t i = 0; i < p->feeds.len; i++) {
		const struct decl_feed *f = &p->feeds.data[i];

		feeds[i] = (struct sched_feed){ .to_name = f->to_name, .from_name = f->from_name, .span = f->span };
		if (!find_run(c, f->to_model, f->span, &feeds[i].to_model) ||
		    !find_run(c, f->from_model, f->span, &feeds[i].from_model))
			return false;
	}
	c->schedule = schedule_make(c->arena, &r, c->diag);
	if (c->schedule && c->stream >= 0 && !measure)
		c->schedule = schedule_between(c, &r);
	stage_done(c, "schedule");
	return c->schedule && c->diag->errors == 0;
}

static void print_json(const struct compilation *c, const char *path, const struct plan_numbers *n)
{
	struct strbuf b = { 0 };

	summary_json_begin(&b, path, n);
	summary_json_count(&b, "resident_bytes", n->resident_bytes);
	summary_json_count(&b, "activation_peak_bytes", n->activation_peak_bytes);
	summary_json_count(&b, "activation_lower_bound_bytes", n->activation_lower_bound_bytes);
	summary_json_ms(&b, "predicted_ms", n->predicted_ms);
	summary_json_ms(&b, "predicted_warm_ms", n->predicted_warm_ms);
	summary_json_ms(&b, "lower_bound_ms", n->lower_bound_ms);
	summary_json_end(&b, c->started);
}

static void print_summary(const char *path, const struct plan_numbers *n)
{
	fprintf(stderr, "%s: %u steps, %u kernels, weights %s (resident %s, streamed %s), peak %s, smallest budget %s\n",
		path, n->steps, n->kernels, size_text(n->weights_bytes), size_text(n->resident_bytes),
		size_text(n->streamed_bytes), size_text(n->planned_device_bytes), size_text(n->smallest_budget_bytes));
}

static const char *plan_path(const struct compilation *c)
{
	return c->opt->output ? c->opt->output : arena_printf(c->arena, "%s.plan", c->plan->name);
}

static int write_plan(struct compilation *c)
{
	const char *path = plan_path(c);
	struct plan_numbers n;

	if (!plan_write(c->arena, c->schedule, PACKAGE_VERSION, path, &n, c->diag))
		return 1;
	stage_done(c, "write");
	if (c->opt->json)
		print_json(c, path, &n);
	else
		print_summary(path, &n);
	return 0;
}

/* --- --emit ----------------------------------------------------------------- */

static bool emits(const struct compilation *c, const char *stage)
{
	return c->opt->emit && !strcmp(c->opt->emit, stage);
}

static int emit_text(struct strbuf *text)
{
	fwrite(strbuf_str(text), 1, text->len, stdout);
	strbuf_free(text);
	return 0;
}

static int emit_graphs(struct compilation *c)
{
	struct strbuf text = { 0 };

	for (uint32_t m = 0; m < (c->variants ? 1 : c->graphs); m++)
		if (c->graph[m])
			graph_print(c->graph[m], &text);
	return emit_text(&text);
}

static int emit_kernels(struct compilation *c)
{
	struct strbuf text = { 0 };
	bool first = true;

	for (uint32_t m = 0; m < c->graphs; m++) {
		const struct kernel_set *ks = c->set[m];

		if (!ks)
			continue;
		if (first)
			strbuf_puts(&text, ks->prelude);
		first = false;
		for (uint32_t i = 0; i < ks->kernels.len; i++)
			strbuf_puts(&text, ks->kernels.data[i].source);
	}
	return emit_text(&text);
}

static int emit_schedule(struct compilation *c)
{
	struct strbuf text = { 0 };

	schedule_print(c->schedule, &text);
	return emit_text(&text);
}

/* --- the list of stages ----------------------------------------------------- */

static void train_stage_done(void *c, const char *name)
{
	stage_done(c, name);
}

static int compile_scene(struct compilation *c)
{
	struct train_compilation t = { .arena = c->arena, .diag = c->diag, .opt = c->opt, .project = c->project,
				       .plan = c->plan, .target = &c->target, .started = c->started,
				       .stage_done = train_stage_done, .context = c };

	return compile_train(&t);
}

/* Up to the weights' formats. */
bool compile_graphs(struct compilation *c)
{
	if (!import_models(c))
		return false;
	stage_done(c, "import");
	if (!c->tuning_loaded && !load_tuning(c))
		return false;
	c->tuning_loaded = true;
	if (!run_passes(c) || !store_weights(c) || !choose_activations(c))
		return false;
	stage_done(c, "passes");
	return true;
}

static bool make_models(struct compilation *c)
{
	const struct decl_step *s = &c->plan->steps.data[0];

	if (s->action != DECL_GENERATE)
		return compile_graphs(c);
	if (!open_variants(c))
		return false;
	if (!c->project->models.data[s->model].batch && !c->opt->emit && !c->opt->stop_after && !c->opt->print_after)
		return again_fit_batch(c);
	return compile_graphs(c);
}

static struct choice choice_of(const struct compilation *c)
{
	return (struct choice){ .arena = c->arena, .diag = c->diag, .opt = c->opt, .project = c->project };
}

static int compile_plan(struct compilation *c)
{
	struct choice choice = choice_of(c);

	c->plan = choose_plan(&choice);
	if (!c->plan || !choose_target(&choice, c->plan, &c->target))
		return 1;
	if (!c->opt->emit && !c->opt->stop_after && !c->opt->print_after && !plan_check_place(plan_path(c), c->diag))
		return 1;
	if (c->plan->train)
		return compile_scene(c);
	if (!make_models(c))
		return 1;
	if (emits(c, "graph"))
		return emit_graphs(c);
	if (c->opt->stop_after || c->opt->print_after)
		return 0;
	if (!c->set[c->variants ? 0 : c->plan->steps.data[0].model] && !compile_kernels(c))
		return 1;
	if (emits(c, "kernels"))
		return emit_kernels(c);
	if (!compile_schedule(c, false) || !again_share_table(c) || !again_try_tails(c))
		return 1;
	if (c->least)
		c->schedule->smallest_budget = c->least;
	if (emits(c, "schedule"))
		return emit_schedule(c);
	return write_plan(c);
}

/* Every plan of the file, up to its kernels. */
static int check_plans(struct compilation *c)
{
	const struct project *p = c->project;

	for (uint32_t m = 0; m < p->models.len; m++) {
		const struct decl_model *model = &p->models.data[m];

		if (model->kind == DECL_MODEL_GGUF) {
			struct variants v;

			if (variants_open(c->arena, c->diag, model, &v)) {
				variants_choose(&v, 1);
				variants_graph(&v, 0);
			}
			continue;
		}
		c->graph[m] = import_model(c, model, m);
	}
	for (uint32_t i = 0; i < p->scenes.len; i++)
		scene_import(c->arena, c->diag, &p->scenes.data[i]);
	return c->diag->errors != 0;
}

static void begin(struct compilation *c)
{
	struct arena *a = c->arena;

	c->graphs = c->project->models.len;
	c->graph = arena_new_array(a, struct graph *, c->graphs + MAX_VARIANTS);
	c->set = arena_new_array(a, struct kernel_set *, c->graphs + MAX_VARIANTS);
	c->model_of = arena_new_array(a, uint32_t, c->graphs + MAX_VARIANTS);
	for (uint32_t i = 0; i < c->graphs; i++)
		c->model_of[i] = i;
	c->tuned = arena_new_array(a, struct tuned, c->project->models.len);
	c->stream = -1;
	c->import.settings = c->opt->settings.data;
	c->import.setting_count = c->opt->settings.len;
	c->import.setting_used = arena_new_array(a, bool, c->opt->settings.len);
}

bool compile_front(struct arena *a, struct diag *d, const struct options *o, struct project *p, uint32_t model,
		   struct front *out)
{
	struct compilation c = { .arena = a, .diag = d, .opt = o, .project = p };
	struct choice choice = choice_of(&c);

	begin(&c);
	c.plan = choose_plan_of(&choice, model);
	if (!c.plan || !choose_target(&choice, c.plan, &c.target))
		return false;
	if (c.plan->steps.len && c.plan->steps.data[0].action == DECL_GENERATE) {
		/* all variants have the same weights: one token at a time stands for them */
		if (!open_variants(&c))
			return false;
		compile_choose_batch(&c, 1);
		model = 0;
	}
	if (!import_models(&c))
		return false;
	if (!c.graph[model]) {
		diag_error(d, c.plan->span, "plan %s does not run model \"%s\"", c.plan->name, p->models.data[model].name);
		return false;
	}
	*out = (struct front){ .plan = c.plan, .named = p->plans.len > 0, .target = c.target, .graph = c.graph[model] };
	out->identity = model_identity(a, d, c.graph[model]);
	return out->identity && run_passes(&c);
}

int command_compile(struct arena *a, struct diag *d, const struct options *o)
{
	struct compilation c = { .arena = a, .diag = d, .opt = o };
	const struct ast *ast;

	c.started = c.stage_started = summary_now_ms();
	ast = dsl_parse(a, d, o->input);
	if (ast && emits(&c, "ast")) {
		struct strbuf text = { 0 };

		dsl_print_ast(ast, &text);
		return emit_text(&text);
	}
	c.project = ast ? dsl_resolve(a, d, ast) : NULL;
	if (!c.project || d->errors)
		return 1;
	stage_done(&c, "parse");
	begin(&c);
	return o->command == COMMAND_CHECK ? check_plans(&c) : compile_plan(&c);
}
