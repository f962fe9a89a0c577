/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - plan blocks. */
#include "config.h"

#include "sema.h"
#include "train.h"

#include <string.h>

static void plan_limit(struct sema *s, struct decl_plan *out, const struct setting_value *v, struct span *given)
{
	uint32_t budget;

	if (given->file) {
		diag_error(s->diag, v->span, "\"within\" is given twice");
		diag_note(s->diag, *given, "first given here");
		return;
	}
	*given = v->span;
	if (!v->text)
		out->budget = (struct decl_budget){ .span = v->span, .device_bytes = v->integer };
	else if (sema_lookup(s, BLOCK_BUDGET, v->text, v->span, &budget))
		out->budget = s->project->budgets.data[budget];
}

/* "train SCENE for N steps": at most one, and nothing beside it. */
static bool plan_train(struct sema *s, struct decl_plan *out, const struct setting *m, const struct ast_stmt *t)
{
	struct decl_train *train = arena_new(s->arena, struct decl_train);
	const struct setting_value *v = setting_get(m, "scene");

	train->span = t->span;
	if (!sema_lookup(s, BLOCK_SCENE, v->text, v->span, &train->scene))
		return false;
	out->train = train;
	train_steps(s->diag, train, m);
	return true;
}

/* Language models generate, and nothing else does. */
static void check_language(struct sema *s, bool generate, uint32_t model, const struct setting_value *v)
{
	if ((s->project->models.data[model].kind == DECL_MODEL_GGUF) == generate)
		return;
	diag_error(s->diag, v->span, generate ? "\"%s\" is no language model" : "\"%s\" is a language model and cannot be run",
		   v->text);
	diag_hint(s->diag, generate ? "Only models with \"import gguf\" generate; say: run %s;" : "Say: generate %s;", v->text);
}

static void plan_step(struct sema *s, struct decl_plan *out, const struct setting *m, const struct ast_stmt *t)
{
	struct decl_step step = { .span = t->span };
	const struct setting_value *v = setting_get(m, sema_is(m, "train") ? "scene" : "model");

	step.subject = v->text;
	step.action = sema_is(m, "run") ? DECL_RUN : sema_is(m, "train") ? DECL_TRAIN : DECL_GENERATE;
	if (step.action == DECL_TRAIN ? !plan_train(s, out, m, t) : !sema_lookup(s, BLOCK_MODEL, v->text, v->span, &step.model))
		return;
	if (step.action == DECL_GENERATE || step.action == DECL_RUN)
		check_language(s, step.action == DECL_GENERATE, step.model, v);
	vec_push(s->arena, &out->steps, step);
}

/* Where the model first runs in the plan; false: nowhere, which was said. */
static bool runs_at(struct sema *s, const struct decl_plan *out, uint32_t model, const struct setting_value *v, uint32_t *at)
{
	for (uint32_t i = 0; i < out->steps.len; i++) {
		if (out->steps.data[i].action == DECL_TRAIN || out->steps.data[i].model != model)
			continue;
		*at = i;
		return true;
	}
	diag_error(s->diag, v->span, "this plan does not run \"%s\"", v->text);
	return false;
}

static void plan_feed(struct sema *s, struct decl_plan *out, const struct setting *m, const struct ast_stmt *t)
{
	const struct setting_value *to = setting_get(m, "to"), *from = setting_get(m, "from");
	struct decl_feed feed = { .to_name = to->port, .from_name = from->port, .span = t->span };
	uint32_t to_at, from_at;

	if (!sema_lookup(s, BLOCK_MODEL, to->text, to->span, &feed.to_model) ||
	    !sema_lookup(s, BLOCK_MODEL, from->text, from->span, &feed.from_model) ||
	    !runs_at(s, out, feed.to_model, to, &to_at) || !runs_at(s, out, feed.from_model, from, &from_at))
		return;
	if (from_at >= to_at) {
		diag_error(s->diag, t->span, "\"%s\" does not run before \"%s\"", from->text, to->text);
		return;
	}
	for (uint32_t i = 0; i < out->feeds.len; i++)
		if (out->feeds.data[i].to_model == feed.to_model && !strcmp(out->feeds.data[i].to_name, feed.to_name)) {
			diag_error(s->diag, t->span, "input \"%s.%s\" is fed twice", to->text, to->port);
			diag_note(s->diag, out->feeds.data[i].span, "first fed here");
			return;
		}
	vec_push(s->arena, &out->feeds, feed);
}

static bool plan_statement(struct sema *s, struct decl_plan *out, const struct setting *m, const struct ast_stmt *t,
			   struct span *limit)
{
	const struct setting_value *v;
	uint32_t device;

	if (sema_is(m, "on")) {
		v = setting_get(m, "device");
		if (!strcmp(v->text, "host") && !sema_find(s, BLOCK_DEVICE, "host", NULL))
			out->device = NULL;
		else if (sema_lookup(s, BLOCK_DEVICE, v->text, v->span, &device))
			out->device = &s->project->devices.data[device];
	}
	v = setting_get(m, "limit");
	if (v)
		plan_limit(s, out, v, limit);
	if (sema_is(m, "run") || sema_is(m, "generate") || sema_is(m, "train"))
		plan_step(s, out, m, t);
	return sema_is(m, "feed");
}

/* The statements of training, which may stand before the "train" that they are about. */
static void plan_timeline(struct sema *s, struct decl_plan *out, const struct ast_decl *decl, const struct setting *timeline,
			  bool good)
{
	for (uint32_t i = 0; i < decl->body.len; i++) {
		const struct ast_stmt *t = decl->body.data[i];

		if (!timeline[i].spec)
			continue;
		if (out->train)
			train_setting(s->arena, s->diag, out->train, &timeline[i], t->span);
		else if (good)
			diag_error(s->diag, t->span, "\"%s\" belongs into a plan that trains a scene", t->name.text);
		good &= out->train != NULL;
	}
	if (!out->train)
		return;
	train_check(s->diag, out->train);
	if (out->steps.len > 1)
		diag_error(s->diag, out->train->span, "a plan that trains does nothing else");
}

void resolve_plan(struct sema *s, const struct ast_decl *decl)
{
	struct decl_plan out = { .name = decl->name.text, .span = decl->name.span };
	struct setting *feed = arena_new_array(s->arena, struct setting, decl->body.len);
	unsigned before = s->diag->errors;
	struct setting *timeline = arena_new_array(s->arena, struct setting, decl->body.len);
	struct span limit = NO_SPAN;

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = sema_match(s, BLOCK_PLAN, decl, i);
		const struct ast_stmt *t = decl->body.data[i];

		if (!m.spec)
			continue;
		if (plan_statement(s, &out, &m, t, &limit))
			feed[i] = m;
		else if (!sema_is(&m, "on") && !sema_is(&m, "within") && !sema_is(&m, "run") && !sema_is(&m, "generate") && !sema_is(&m, "train"))
			timeline[i] = m;
	}
	for (uint32_t i = 0; i < decl->body.len; i++)
		if (feed[i].spec)
			plan_feed(s, &out, &feed[i], decl->body.data[i]);
	plan_timeline(s, &out, decl, timeline, s->diag->errors == before);
	if (!out.steps.len && s->diag->errors == before) {
		diag_error(s->diag, out.span, "plan \"%s\" does nothing", out.name);
		diag_hint(s->diag, "Add run MODEL; or train SCENE for 7000 steps;");
	}
	vec_push(s->arena, &s->project->plans, out);
}
