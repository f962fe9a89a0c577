/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.c - the two prompts and the schema.
 *
 * Numbers are relative to the heuristic and have few digits: that is all a
 * model can use, and it keeps the history short. The best entry stands last,
 * next to where the answer begins.
 */
#include "config.h"

#include "tune/prompt.h"

#include <stdlib.h>
#include <string.h>

enum { SHOW_BEST = 10, SHOW_LAST = 6, SHOW_FAILURES = 8 };

const char *prompt_system(void)
{
	return "You tune how a neural network is stored and computed on one device. You are shown the search space and what was "
	       "measured so far, and propose configurations to measure next. Scores are relative to trial 0, the best heuristic: "
	       "below 1 is better. A configuration counts only if its loss and guard are at most 1. Answer with one JSON object: "
	       "{\"thought\": \"at most two sentences\", \"action\": \"propose\", \"proposals\": [{knob: value, ...}, ...]} with one "
	       "to four proposals. Use only the knobs and values that are listed; a knob that you leave out keeps its value of the "
	       "best configuration. Do not repeat a configuration that was measured.";
}

static void one_knob(const struct space *s, const struct knob *k, struct strbuf *out)
{
	static const char *const kinds[] = { "enum", "int", "float" };

	strbuf_puts(out, "{\"name\": ");
	jtree_put_string(out, k->name);
	strbuf_printf(out, ", \"type\": \"%s\"", kinds[k->kind]);
	if (k->kind == KNOB_FLOAT) {
		strbuf_printf(out, ", \"min\": %.6g, \"max\": %.6g, \"scale\": \"%s\", \"initial\": %.6g", k->min, k->max,
			      k->log ? "log" : "linear", k->initial);
	} else {
		strbuf_puts(out, ", \"values\": [");
		for (uint32_t v = 0; v < k->count; v++) {
			strbuf_puts(out, v ? ", " : "");
			jtree_put_string(out, k->value[v]);
		}
		strbuf_puts(out, "], \"initial\": ");
		jtree_put_string(out, k->value[(uint32_t)k->initial]);
	}
	if (k->when != NO_ID) {
		const struct knob *parent = &s->knobs.data[k->when];
		bool first = true;

		strbuf_printf(out, ", \"when\": {\"knob\": \"%s\", \"in\": [", parent->name);
		for (uint32_t v = 0; v < parent->count && v < 64; v++)
			if (k->when_values >> v & 1) {
				strbuf_puts(out, first ? "" : ", ");
				jtree_put_string(out, parent->value[v]);
				first = false;
			}
		strbuf_puts(out, "]}");
	}
	if (k->bytes) {
		strbuf_puts(out, ", \"bytes\": [");
		for (uint32_t v = 0; v < k->count; v++)
			strbuf_printf(out, "%s%.0f", v ? ", " : "", k->bytes[v]);
		strbuf_puts(out, "]");
	}
	if (k->damage) { /* greedy's estimate helps everybody */
		strbuf_puts(out, ", \"rounding_error\": [");
		for (uint32_t v = 0; v < k->count; v++)
			strbuf_printf(out, "%s%.2g", v ? ", " : "", k->damage[v]);
		strbuf_puts(out, "]");
	}
	if (k->help) {
		strbuf_puts(out, ", \"help\": ");
		jtree_put_string(out, k->help);
	}
	strbuf_puts(out, "}\n");
}

void prompt_static(const struct space *s, const struct problem *p, struct strbuf *out)
{
	if (p) {
		strbuf_puts(out, "# Task\n");
		problem_describe(p, out);
		strbuf_puts(out, "# What is known to help\n"
				 "- The first and the last layer suffer most from few bits, attention less, wide feed-forward layers least.\n"
				 "- Fewer bits are not always faster: a format without arithmetic of its own has to be unpacked first.\n"
				 "- Between 3 and 6 bits quality falls steeply; find where, one class at a time, then combine.\n"
				 "- A tile of rows x columns should fill the vector registers (16 or 32 of 8 or 16 floats) and not spill.\n");
	}
	strbuf_puts(out, "# Search space, one knob a line\n");
	for (uint32_t k = 0; k < s->knobs.len; k++)
		one_knob(s, &s->knobs.data[k], out);
	if (s->constraints.len)
		strbuf_puts(out, "# Constraints\n");
	for (uint32_t i = 0; i < s->constraints.len; i++)
		strbuf_printf(out, "%s\n", s->constraints.data[i].text);
}

static void line(const struct space *s, const struct past *p, struct strbuf *out)
{
	const char *text = config_text(s, p->x);

	strbuf_printf(out, "#%u %s -> ", p->number, *text ? text : "(heuristic)");
	if (p->o.failure) {
		strbuf_printf(out, "failed: %s%s%.80s\n", failure_name(p->o.failure), p->o.error ? ", " : "",
			      p->o.error ? p->o.error : "");
		return;
	}
	strbuf_printf(out, "score %.4g, loss %.3g", p->o.objective, p->o.loss);
	if (p->o.guard > 0)
		strbuf_printf(out, ", guard %.3g", p->o.guard);
	if (p->o.spread > 0)
		strbuf_printf(out, ", spread %.2g", p->o.spread);
	strbuf_puts(out, outcome_feasible(&p->o) ? "\n" : " (does not count)\n");
}

static int worst_first(const void *x, const void *y)
{
	const struct past *a = x, *b = y;
	double sa = outcome_score(&a->o), sb = outcome_score(&b->o);

	return sa != sb ? (sa < sb) - (sa > sb) : (a->number > b->number) - (a->number < b->number);
}

void prompt_dynamic(const struct space *s, const struct past *past, uint32_t count, uint32_t left, const char *notes,
		    struct strbuf *out)
{
	struct past *sorted = arena_array(s->arena, count + 1, sizeof *sorted);
	uint32_t failures = 0;

	strbuf_printf(out, "# Trials left: %u\n", left);
	if (notes && *notes)
		strbuf_printf(out, "# Corrections of your last reply\n%s", notes);
	strbuf_puts(out, "# Failures\n");
	for (uint32_t i = count; i-- > 0 && failures < SHOW_FAILURES;)
		if (past[i].o.failure) {
			line(s, &past[i], out);
			failures++;
		}
	strbuf_puts(out, "# Last results\n");
	for (uint32_t i = count > SHOW_LAST ? count - SHOW_LAST : 0; i < count; i++)
		line(s, &past[i], out);
	memcpy(sorted, past, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, worst_first);
	strbuf_puts(out, "# Best results, the best last\n");
	for (uint32_t i = count > SHOW_BEST ? count - SHOW_BEST : 0; i < count; i++)
		line(s, &sorted[i], out);
	strbuf_puts(out, "# Your proposals, as one JSON object:\n");
}

void prompt_schema(const struct space *s, struct strbuf *out)
{
	strbuf_puts(out, "{\"type\": \"object\", \"properties\": {\"thought\": {\"type\": \"string\"}, "
			 "\"action\": {\"type\": \"string\", \"enum\": [\"propose\", \"stop\"]}, "
			 "\"proposals\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {");
	for (uint32_t k = 0; k < s->knobs.len; k++) {
		const struct knob *n = &s->knobs.data[k];

		strbuf_puts(out, k ? ", " : "");
		jtree_put_string(out, n->name);
		if (n->kind == KNOB_FLOAT) {
			strbuf_puts(out, ": {\"type\": \"number\"}");
			continue;
		}
		strbuf_puts(out, ": {\"type\": \"string\", \"enum\": [");
		for (uint32_t v = 0; v < n->count; v++) {
			strbuf_puts(out, v ? ", " : "");
			jtree_put_string(out, n->value[v]);
		}
		strbuf_puts(out, "]}");
	}
	strbuf_puts(out, "}, \"required\": [");
	for (uint32_t k = 0; k < s->knobs.len; k++) { /* strict schemas want all of them */
		strbuf_puts(out, k ? ", " : "");
		jtree_put_string(out, s->knobs.data[k].name);
	}
	strbuf_puts(out, "], \"additionalProperties\": false}}}, \"required\": [\"thought\", \"action\", \"proposals\"], "
			 "\"additionalProperties\": false}");
}
