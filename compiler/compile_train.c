/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile_train.c - the stages of a plan that trains a scene, in order:
 *
 *	capture -> scene | budget, steps -> timeline, kernels | frames -> file
 *
 * The timeline comes before the photographs are decoded, so a budget that is
 * too small is said within a second.
 */
#include "config.h"

#include "compile_train.h"

#include "base/size.h"
#include "plan/plan_train.h"
#include "summary.h"

#include <string.h>

typedef unsigned long long ull;

static bool refuse(const struct train_compilation *c)
{
	const struct target *t = c->target;

	for (uint32_t i = 0; i < c->opt->settings.len; i++)
		diag_error(c->diag, NO_SPAN, "--set %s=%s: a plan that trains has no such setting",
			   c->opt->settings.data[i].key, c->opt->settings.data[i].value);
	if (t->weights == TARGET_TEXTURES)
		diag_error(c->diag, c->plan->span, "weights texture is of no use to a plan that trains");
	return c->diag->errors == 0;
}

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = { "?", "densify", "prune", "compensate", "relocate", "reinitialise", "degree",
					     "evaluate", "checkpoint", "reorder" };

	return kind < sizeof names / sizeof *names ? names[kind] : "?";
}

/* --emit=schedule and --emit=kernels */
static int emit(const struct train_compilation *c, const struct timeline *t)
{
	if (!strcmp(c->opt->emit, "kernels")) {
		fputs(t->kernels.prelude, stdout);
		for (uint32_t i = 0; i < t->kernels.kernels.len; i++)
			fputs(t->kernels.kernels.data[i].source, stdout);
		return 0;
	}
	if (strcmp(c->opt->emit, "schedule") != 0) {
		diag_error(c->diag, NO_SPAN, "a plan that trains has no %s", c->opt->emit);
		return 1;
	}
	printf("train %u steps, cap %u, capacity %u, %u keys, moments of %u bits\n", t->train.steps, t->train.cap,
	       t->train.capacity, t->train.key_capacity, t->train.moment_bits);
	for (uint32_t i = 0; i < t->buffers.len; i++)
		printf("buffer %u %s: %llu bytes\n", i, t->buffer_names.data[i].name, (ull)t->buffers.data[i].bytes);
	for (uint32_t i = 0; i < t->steps.len; i++)
		printf("step %u %s: %u work-items\n", i, t->step_names.data[i].name, t->steps.data[i].global[0]);
	for (uint32_t i = 0; i < t->events.len; i++)
		printf("after %u: %s, at most %u, %llu bytes\n", t->events.data[i].step, kind_name(t->events.data[i].kind),
		       t->events.data[i].most, (ull)t->events.data[i].bytes);
	return 0;
}

static void print_json(const struct train_compilation *c, const char *path, const struct scene *s, const struct timeline *t,
		       const struct plan_numbers *n)
{
	struct strbuf b = { 0 };

	summary_json_begin(&b, path, n);
	summary_json_count(&b, "views", s->views.len);
	summary_json_count(&b, "held_out", s->held_out_count);
	summary_json_count(&b, "width", s->width);
	summary_json_count(&b, "height", s->height);
	summary_json_count(&b, "points", s->points.len);
	summary_json_count(&b, "cap", t->train.cap);
	summary_json_count(&b, "capacity", t->train.capacity);
	summary_json_count(&b, "moment_bits", t->train.moment_bits);
	summary_json_count(&b, "key_capacity", t->train.key_capacity);
	summary_json_count(&b, "events", t->events.len);
	summary_json_end(&b, c->started);
}

static void print_summary(const char *path, const struct scene *s, const struct timeline *t, const struct plan_numbers *n)
{
	fprintf(stderr, "%s: %u steps on %u views of %u x %u (%u held out), from %u points to at most %u Gaussians, "
		"peak %s, smallest budget %s\n",
		path, n->steps, s->train_count, s->width, s->height, s->held_out_count, t->train.first_gaussians, t->train.cap,
		size_text(n->planned_device_bytes), size_text(n->smallest_budget_bytes));
}

int compile_train(const struct train_compilation *c)
{
	const struct decl_plan *plan = c->plan;
	struct timeline_request request = { .train = plan->train, .target = c->target,
					    .device_budget = c->opt->budget_set ? c->opt->budget : plan->budget.device_bytes,
					    .host_budget = plan->budget.host_bytes,
					    .budget_span = c->opt->budget_set ? NO_SPAN : plan->budget.span };
	struct train_plan file = { .name = plan->name, .version = PACKAGE_VERSION, .target = c->target,
				   .device_budget = request.device_budget, .host_budget = request.host_budget };
	const char *path = c->opt->output ? c->opt->output : arena_printf(c->arena, "%s.plan", plan->name);
	struct plan_numbers numbers;
	struct timeline *t;
	struct scene *s;

	if (!refuse(c))
		return 1;
	s = scene_import(c->arena, c->diag, &c->project->scenes.data[plan->train->scene]);
	c->stage_done(c->context, "capture");
	if (!s || c->diag->errors)
		return 1;
	request.scene = file.scene = s;
	file.timeline = t = timeline_make(c->arena, &request, c->diag);
	c->stage_done(c->context, "timeline");
	if (!t || c->diag->errors)
		return 1;
	if (c->opt->emit)
		return emit(c, t);
	scene_limit_points(s, t->train.first_gaussians, plan->train->seed);
	if (!plan_write_train(c->arena, &file, path, &numbers, c->diag))
		return 1;
	c->stage_done(c->context, "write");
	if (c->opt->json)
		print_json(c, path, s, t, &numbers);
	else
		print_summary(path, s, t, &numbers);
	return 0;
}
