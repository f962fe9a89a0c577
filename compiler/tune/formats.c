/* SPDX-License-Identifier: Apache-2.0 */
/*
 * formats.c - knobs to rules of the quantiser.
 *
 * One plain format for everything needs no rule: the graph has a setting for
 * it, which converts as the plan is written. All else becomes one rule per
 * tensor, with its name as the pattern.
 */
#include "config.h"

#include "tune/formats.h"

#include "quant/quant.h"

#include <stdlib.h>
#include <string.h>

static const char *const settings[] = { "rate", "iterations", "clip", "damping" };

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(s, *words))
			return true;
	return false;
}

static const char *check_float(const char *value)
{
	char *end;
	double x = strtod(value, &end);

	return end != value && !*end && x > 0 && x <= 1e6 ? NULL : "a number above 0";
}

const char *format_knob_check(const char *name, const char *value)
{
	static const char *const formats[] = { "f32", "f16", "bf16", "q8", "q6", "q5", "q4", "q3", NULL };
	static const char *const groups[] = { "32", "64", "128", NULL };
	static const char *const methods[] = { "rtn", "weighted", "gptq", "learned", NULL };
	static const char *const kinds[] = { "symmetric", "asymmetric", NULL };
	size_t n = strcspn(name, ".:");
	enum tensor_class class;

	for (uint32_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (!strcmp(name, settings[i]))
			return check_float(value);
	if (!strcmp(name, "method"))
		return one_of(value, methods) ? NULL : "rtn, weighted, gptq or learned";
	if (!name[n] || !name[n + 1] ||
	    (name[n] == '.' && strcmp(name + n + 1, "all") != 0 && !tensor_class_from_name(name + n + 1, &class)))
		return "";
	if (n == 6 && !strncmp(name, "format", 6))
		return one_of(value, formats) ? NULL : "f32, f16, bf16, q8, q6, q5, q4 or q3";
	if (n == 5 && !strncmp(name, "group", 5))
		return one_of(value, groups) ? NULL : "32, 64 or 128";
	if (n == 4 && !strncmp(name, "kind", 4))
		return one_of(value, kinds) ? NULL : "symmetric or asymmetric";
	return "";
}

/* The first setting of the most exact name. */
const char *format_knob(const struct knob_values *knobs, const char *knob, const struct tensor *t)
{
	size_t n = strlen(knob);
	const char *class = NULL, *all = NULL;

	for (uint32_t i = 0; i < knobs->len; i++) {
		const struct knob_value *k = &knobs->data[i];

		if (strncmp(k->name, knob, n) != 0)
			continue;
		if (k->name[n] == ':' && !strcmp(k->name + n + 1, t->name))
			return k->value;
		if (k->name[n] != '.')
			continue;
		if (!class && !strcmp(k->name + n + 1, tensor_class_name(t->class)))
			class = k->value;
		else if (!all && !strcmp(k->name + n + 1, "all"))
			all = k->value;
	}
	return class ? class : all;
}

static double setting(const struct knob_values *knobs, const char *name)
{
	for (uint32_t i = 0; i < knobs->len; i++)
		if (!strcmp(knobs->data[i].name, name))
			return strtod(knobs->data[i].value, NULL);
	return 0;
}

/* The format that all tensors have, if it is a plain one; DTYPE_COUNT: there is none. */
static enum dtype uniform(const struct knob_values *knobs, const struct tensors *ts)
{
	const char *same = NULL;
	enum dtype t;

	for (uint32_t i = 0; i < ts->len; i++) {
		const char *f = format_knob(knobs, "format", &ts->data[i]);

		if (!f || (same && strcmp(f, same) != 0))
			return DTYPE_COUNT;
		same = f;
	}
	return same && dtype_from_name(same, &t) && (t == DTYPE_F32 || t == DTYPE_F16 || t == DTYPE_BF16) ? t : DTYPE_COUNT;
}

/* ^name$ with everything that regular expressions give a meaning taken literally. */
static const char *pattern_of(struct arena *a, const char *name)
{
	struct strbuf b = { 0 };
	const char *out;

	strbuf_puts(&b, "^");
	for (; *name; name++) {
		if (strchr(".[]()*+?{}|^$\\", *name))
			strbuf_puts(&b, "\\");
		strbuf_add(&b, name, 1);
	}
	strbuf_puts(&b, "$");
	out = arena_strdup(a, strbuf_str(&b));
	strbuf_free(&b);
	return out;
}

static struct quant_rule rule_of(struct arena *a, const struct knob_values *knobs, const struct tensor *t)
{
	const char *format = format_knob(knobs, "format", t), *group = format_knob(knobs, "group", t);
	const char *kind = format_knob(knobs, "kind", t), **pattern = arena_new(a, const char *);
	struct quant_rule r = { .pattern = pattern, .pattern_count = 1 };

	*pattern = pattern_of(a, t->name);
	quant_format_from_name(format, &r.format);
	r.group = group ? (uint32_t)strtoul(group, NULL, 10) : 0;
	r.asymmetric = kind && !strcmp(kind, "asymmetric");
	for (uint32_t i = 0; i < knobs->len; i++)
		if (!strcmp(knobs->data[i].name, "method")) {
			quant_method_from_name(knobs->data[i].value, &r.method);
			break;
		}
	return r;
}

bool formats_apply(struct arena *a, struct diag *d, const struct knob_values *knobs, const char *calibrate,
		   struct graph *g)
{
	struct tensors ts = tensors_of(a, g);
	enum dtype plain = uniform(knobs, &ts);
	struct quant_config c = { .calibrate = calibrate, .learning_rate = setting(knobs, "rate"),
				  .iterations = (uint32_t)setting(knobs, "iterations"),
				  .clip = setting(knobs, "clip"), .damping = setting(knobs, "damping") };
	VEC(struct quant_rule) rules = { 0 };

	if (plain != DTYPE_COUNT) {
		g->weight_storage = plain;
		return true;
	}
	for (uint32_t i = 0; i < ts.len; i++)
		if (format_knob(knobs, "format", &ts.data[i]))
			vec_push(a, &rules, rule_of(a, knobs, &ts.data[i]));
	c.rules = rules.data;
	c.rule_count = rules.len;
	return !rules.len || quant_apply(a, g, &c, NULL, d);
}
