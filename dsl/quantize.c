/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantize.c - the settings of a quantize block as a declaration.
 *
 * Rules are kept in the order of the file, because the last one that matches a
 * tensor counts; whether a pattern matches anything is seen when the network
 * is there.
 */
#include "config.h"

#include "quantize.h"

#include <string.h>

static bool is(const struct setting *m, const char *name)
{
	return !strcmp(m->spec->name, name);
}

static void take_calibrate(struct arena *a, struct diag *d, struct decl_quantize *out, const struct setting_value *v)
{
	const char *path = ast_path(a, d, v->span, v->text);

	if (out->calibrate && strcmp(out->calibrate, path) != 0) {
		diag_error(d, v->span, "a quantize block has one file of calibration inputs");
		diag_note(d, out->calibrate_span, "first given here");
		return;
	}
	out->calibrate = path;
	out->calibrate_span = v->span;
}

static void take_rule(struct arena *a, struct diag *d, struct decl_quantize *out, const struct setting *m, struct span at)
{
	const struct setting_value *group = setting_get(m, "group"), *method = setting_get(m, "method");
	const struct setting_value *file = setting_get(m, "file"), *kind = setting_get(m, "kind");
	struct decl_quantize_rule r = { .format = setting_get(m, "format")->text, .span = at };

	if (group) {
		if (group->integer != 32 && group->integer != 64 && group->integer != 128)
			diag_error(d, group->span, "groups have 32, 64 or 128 weights, not %llu",
				   (unsigned long long)group->integer);
		r.group = (uint32_t)group->integer;
	}
	r.method = method ? method->text : NULL;
	r.asymmetric = kind && !strcmp(kind->text, "asymmetric");
	if (file)
		take_calibrate(a, d, out, file);
	for (uint32_t i = 0; i < m->values.len; i++) {
		const struct setting_value *v = &m->values.data[i];

		if (v->label_len != 7 || strncmp(v->label, "tensors", 7) != 0)
			continue;
		if (!strcmp(v->text, "first"))
			r.first = true;
		else if (!strcmp(v->text, "last"))
			r.last = true;
		else
			vec_push(a, &r.patterns, v->text);
	}
	vec_push(a, &out->rules, r);
}

static void take_except(struct arena *a, struct decl_quantize *out, const struct setting *m)
{
	for (uint32_t i = 0; i < m->values.len; i++) {
		const char *text = m->values.data[i].text;

		if (!strcmp(text, "first"))
			out->except_first = true;
		else if (!strcmp(text, "last"))
			out->except_last = true;
		else
			vec_push(a, &out->except, text);
	}
}

/* A part of one, from a percentage above 0 and at most `most`. */
static double part(struct diag *d, const struct setting_value *v, const char *what, double most)
{
	if (!(v->number > 0 && v->number <= most))
		diag_error(d, v->span, "%s must be above 0 and at most %g %%", what, most);
	return v->number / 100;
}

static uint32_t count(struct diag *d, const struct setting_value *v, const char *what, uint32_t most)
{
	if (v->integer < 1 || v->integer > most)
		diag_error(d, v->span, "%s must be 1 to %u", what, most);
	return (uint32_t)v->integer;
}

void quantize_setting(struct arena *a, struct diag *d, struct decl_quantize *out, const struct setting *m, struct span at)
{
	const struct setting_value *v = setting_get(m, "v");

	if (is(m, "weights")) {
		take_rule(a, d, out, m, at);
	} else if (is(m, "method")) {
		out->method = setting_get(m, "method")->text;
	} else if (is(m, "calibrate")) {
		take_calibrate(a, d, out, setting_get(m, "file"));
	} else if (is(m, "except")) {
		take_except(a, out, m);
		out->except_span = at;
	} else if (is(m, "activations")) {
		const char *format = setting_get(m, "format")->text;

		out->activations = !strcmp(format, "q8") ? DECL_ACTIVATIONS_Q8 : !strcmp(format, "f32") ? DECL_ACTIVATIONS_F32 :
				   DECL_ACTIVATIONS_AUTO;
		out->activations_span = at;
	} else if (is(m, "iterations")) {
		out->iterations = count(d, v, "iterations", 100000);
	} else if (is(m, "samples")) {
		out->samples = count(d, v, "samples", 1000000);
	} else if (is(m, "rate")) {
		out->learning_rate = part(d, v, "the rate", 100);
	} else if (is(m, "clip")) {
		out->clip = part(d, v, "the smallest range", 100);
	} else if (is(m, "damping")) {
		out->damping = part(d, v, "damping", 1000);
	}
}

void quantize_check(struct diag *d, struct decl_quantize *out)
{
	if (!out->rules.len && !out->activations && !d->errors) {
		diag_error(d, out->span, "this quantize block says nothing of weights");
		diag_hint(d, "Add: weights q8 group 32;");
	}
}
