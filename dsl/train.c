/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train.c - scene blocks and the timeline statements of plans.
 *
 * Only what can be judged from the text is judged here: ranges, order,
 * contradictions. What a statement leaves out stays 0; defaults belong to the
 * stage that makes the timeline, which knows the scene and the budget.
 */
#include "config.h"

#include "train.h"

#include <string.h>

enum { MAX_STEPS = 10000000, MAX_DOWNSCALE = 64, MAX_RANDOM_POINTS = 20000000 };

static bool is(const struct setting *m, const char *name)
{
	return !strcmp(m->spec->name, name);
}

/* A number of 1 .. most, or 0 after an error. */
static uint32_t bounded(struct diag *d, const struct setting_value *v, const char *what, uint32_t most)
{
	if (v->integer >= 1 && v->integer <= most)
		return (uint32_t)v->integer;
	diag_error(d, v->span, "%s must be 1 to %u, not %llu", what, most, (unsigned long long)v->integer);
	return 0;
}

static void capture(struct arena *a, struct diag *d, struct decl_scene *out, const struct setting *m)
{
	const struct setting_value *dir = setting_get(m, "dir");

	if (out->capture) {
		diag_error(d, dir->span, "a scene has one capture");
		diag_note(d, out->path_span, "first given here");
		return;
	}
	out->capture = is(m, "colmap") ? DECL_CAPTURE_COLMAP : DECL_CAPTURE_TRANSFORMS;
	out->path = ast_path(a, d, dir->span, dir->text);
	out->path_span = dir->span;
}

static void points(struct diag *d, struct decl_scene *out, const struct setting *m)
{
	const struct setting_value *count = setting_get(m, "count"), *seed = setting_get(m, "seed");

	out->points_span = m->values.data[0].span;
	out->points = strcmp(setting_get(m, "kind")->text, "sfm") ? DECL_POINTS_RANDOM : DECL_POINTS_SFM;
	if (count)
		out->point_count = bounded(d, count, "the number of points", MAX_RANDOM_POINTS);
	out->seed = seed ? seed->integer : 0;
}

static void background(struct decl_scene *out, const struct setting_value *v)
{
	out->background = !strcmp(v->text, "black") ? DECL_BACKGROUND_BLACK
			  : !strcmp(v->text, "white") ? DECL_BACKGROUND_WHITE : DECL_BACKGROUND_RANDOM;
	out->background_span = v->span;
}

void scene_setting(struct arena *a, struct diag *d, struct decl_scene *out, const struct setting *m)
{
	const struct setting_value *v = setting_get(m, "v"), *dir = setting_get(m, "dir");

	if (is(m, "colmap") || is(m, "transforms")) {
		capture(a, d, out, m);
	} else if (is(m, "downscale")) {
		out->downscale = bounded(d, v, "downscale", MAX_DOWNSCALE);
	} else if (is(m, "holdout")) {
		out->holdout = (uint32_t)(v->integer > UINT32_MAX ? UINT32_MAX : v->integer);
		if (v->integer == 1 || v->integer == 0) {
			diag_error(d, v->span, "holding out every %llu views leaves %s", (unsigned long long)v->integer,
				   v->integer ? "none to train on" : "no meaning");
			diag_hint(d, "The usual split is holdout every 8; without the statement none is held out.");
		}
	} else if (is(m, "allow")) {
		out->allow_missing = true;
	} else if (is(m, "images")) {
		out->images = dir->text;
		out->images_here = ast_path(a, d, dir->span, dir->text);
		out->images_span = dir->span;
	} else if (is(m, "mask")) {
		out->mask = ast_path(a, d, dir->span, dir->text);
		out->mask_span = dir->span;
	} else if (is(m, "background")) {
		background(out, v);
	} else {
		points(d, out, m);
	}
}

void scene_check(struct diag *d, struct decl_scene *out)
{
	if (!out->downscale)
		out->downscale = 1;
	if (out->images && out->capture == DECL_CAPTURE_TRANSFORMS)
		diag_error(d, out->images_span, "transforms.json names the places of its photographs itself");
	if (out->capture)
		return;
	diag_error(d, out->span, "scene \"%s\" has no capture", out->name);
	diag_hint(d, "Add colmap \"FOLDER\"; or transforms \"FOLDER\";");
}

/* ---- plans */

void train_steps(struct diag *d, struct decl_train *out, const struct setting *m)
{
	out->steps = bounded(d, setting_get(m, "steps"), "the number of steps", MAX_STEPS);
}

static uint32_t step_number(struct diag *d, const struct setting_value *v, const char *what)
{
	if (!v)
		return 0;
	if (v->integer <= MAX_STEPS)
		return (uint32_t)v->integer;
	diag_error(d, v->span, "%s must be 0 to %u, not %llu", what, (unsigned)MAX_STEPS, (unsigned long long)v->integer);
	return 0;
}

static void window(struct diag *d, struct decl_window *out, const struct setting *m, struct span at)
{
	const struct setting_value *every = setting_get(m, "n"), *until = setting_get(m, "until");

	out->given = true;
	out->span = at;
	out->every = every ? bounded(d, every, "the distance of events", MAX_STEPS) : 0;
	out->from = step_number(d, setting_get(m, "from"), "the first step");
	out->until = until ? bounded(d, until, "the last step", MAX_STEPS) : 0;
	if (out->until && out->from >= out->until)
		diag_error(d, at, "\"%s\" ends at step %u, before it begins at step %u", m->spec->name, out->until, out->from);
}

static void reinitialise(struct arena *a, struct diag *d, struct decl_train *out, const struct setting_value *v)
{
	enum { MOST = 16 };
	uint32_t at = bounded(d, v, "the step", MAX_STEPS);

	if (out->reinitialise.len && at && at <= out->reinitialise.data[out->reinitialise.len - 1])
		diag_error(d, v->span, "the steps of \"reinitialise\" must ascend");
	else if (out->reinitialise.len == MOST)
		diag_error(d, v->span, "a plan reinitialises at most %d times", (int)MOST);
	else
		vec_push(a, &out->reinitialise, at);
}

bool train_setting(struct arena *a, struct diag *d, struct decl_train *out, const struct setting *m, struct span at)
{
	static const char *const policies[] = { "auto", "diet", "relocate", "plain" };

	if (is(m, "densify")) {
		window(d, &out->densify, m, at);
	} else if (is(m, "prune")) {
		window(d, &out->prune, m, at);
	} else if (is(m, "compensate")) {
		window(d, &out->compensate, m, at);
	} else if (is(m, "policy")) {
		for (uint32_t i = 0; i < sizeof policies / sizeof *policies; i++)
			if (!strcmp(setting_get(m, "v")->text, policies[i]))
				out->policy = (enum decl_policy)i;
	} else if (is(m, "reinitialise")) {
		reinitialise(a, d, out, setting_get(m, "at"));
	} else if (is(m, "evaluate")) {
		out->evaluate_every = bounded(d, setting_get(m, "n"), "the distance of evaluations", MAX_STEPS);
	} else if (is(m, "checkpoint")) {
		out->checkpoint_every = bounded(d, setting_get(m, "n"), "the distance of checkpoints", MAX_STEPS);
	} else if (is(m, "seed")) {
		out->seed = setting_get(m, "v")->integer;
	} else {
		return false;
	}
	return true;
}

void train_check(struct diag *d, struct decl_train *out)
{
	const struct decl_window *const all[] = { &out->densify, &out->prune, &out->compensate };

	for (uint32_t i = 0; i < sizeof all / sizeof *all; i++)
		if (out->steps && all[i]->from >= out->steps)
			diag_warning(d, all[i]->span, "this begins at step %u and training ends at step %u", all[i]->from,
				     out->steps);
	for (uint32_t i = 0; out->steps && i < out->reinitialise.len; i++)
		if (out->reinitialise.data[i] >= out->steps)
			diag_error(d, out->span, "reinitialising at step %u needs more than the %u steps of the training",
				   out->reinitialise.data[i], out->steps);
}
