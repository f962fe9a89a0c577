/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - a search in lines, as JSON, and as the lock file's entry. */
#include "config.h"

#include "tune/tune.h"

#include <string.h>

static const char *const goals[] = { "time", "memory", "bytes" };

static void describe(const struct tuning_run *t, const struct outcome *o, char *out, size_t size)
{
	size_t n;

	if (o->failure) {
		snprintf(out, size, "%s: %s", failure_name(o->failure), o->error ? o->error : "");
		return;
	}
	n = (size_t)snprintf(out, size, "%s %.3fx", goals[t->tune->minimize], o->objective);
	if (t->tune->quality && n < size)
		n += (size_t)snprintf(out + n, size - n, ", loss %.2f %%%s", o->loss * t->tune->loss * 100,
				      o->loss > 1 ? " (too much)" : "");
	if (isfinite(o->latency_ms) && t->tune->minimize && n < size)
		n += (size_t)snprintf(out + n, size - n, ", time %.3fx%s", o->latency_ms / t->measure.reference_ms,
				      o->guard > 1 ? " (too slow)" : "");
	if (isfinite(o->spread) && n < size)
		snprintf(out + n, size - n, " +-%.3f", o->spread);
}

void report_progress(const struct tuning_run *t, const struct trial *last)
{
	uint32_t best = loop_best(t);
	char text[400];

	describe(t, &last->o, text, sizeof text);
	fprintf(stderr, "trial %u/%u %s: %s", last->number, t->trials, last->by, text);
	if (best != NO_TRIAL)
		fprintf(stderr, "; best %.3fx (trial %u)", t->record.trials.data[best].o.objective,
			t->record.trials.data[best].number);
	if (last->number)
		fprintf(stderr, "; %s", config_text(&t->problem.space, last->x));
	fputc('\n', stderr);
}

/* Of what is kept. */
static double *report_config(const struct tuning_run *t)
{
	if (t->best == NO_TRIAL)
		return config_new(&t->problem.space);
	return config_copy(&t->problem.space, t->record.trials.data[t->best].x);
}

void report_summary(const struct tuning_run *t)
{
	char text[400];

	describe(t, &t->final, text, sizeof text);
	if (t->kept)
		fprintf(stderr, "the heuristic stays: %s\n", t->kept);
	else
		fprintf(stderr, "best of %u: trial %u, measured again: %s\n  %s\n", t->record.trials.len, t->best, text,
			config_text(&t->problem.space, t->record.trials.data[t->best].x));
}

static void put(struct strbuf *b, const char *key, double x, bool *first)
{
	if (isnan(x) || isinf(x))
		return;
	strbuf_printf(b, "%s\"%s\": ", *first ? "" : ", ", key);
	jtree_put_number(b, x);
	*first = false;
}

static const char *quality_name(const struct tuning_run *t)
{
	static const char *const names[] = { "none", "accuracy", "perplexity", "divergence" };

	return names[t->tune->quality];
}

static void metrics(const struct tuning_run *t, const struct outcome *o, struct strbuf *b)
{
	bool first = true;

	strbuf_puts(b, "{");
	put(b, "bytes", o->bytes, &first);
	put(b, "latency_ms", o->latency_ms, &first);
	put(b, "latency_spread", o->spread * t->measure.reference_ms, &first);
	put(b, "latency_low_ms", o->low * t->measure.reference_ms, &first);
	put(b, "latency_high_ms", o->high * t->measure.reference_ms, &first);
	put(b, "peak_bytes", o->peak_bytes, &first);
	if (t->tune->quality) {
		put(b, quality_name(t), o->quality, &first);
		put(b, "loss", o->loss * t->tune->loss, &first);
	}
	strbuf_puts(b, "}");
}

/* What edgec compile is to do: a knob that is "auto" is left out. */
static void knobs_json(const struct tuning_run *t, const double *x, struct strbuf *b)
{
	struct knob_values k = problem_knobs(&t->problem, x);

	strbuf_puts(b, "{");
	for (uint32_t i = 0; i < k.len; i++) {
		strbuf_puts(b, i ? ", " : "");
		jtree_put_string(b, k.data[i].name);
		strbuf_puts(b, ": ");
		jtree_put_string(b, k.data[i].value);
	}
	strbuf_puts(b, "}");
}

static void pair(const struct tuning_run *t, const char *key, const double *x, const struct outcome *o, struct strbuf *b)
{
	strbuf_printf(b, "\"%s\": {\"config\": ", key);
	knobs_json(t, x, b);
	strbuf_puts(b, ", \"metrics\": ");
	metrics(t, o, b);
	strbuf_puts(b, "}");
}

static void failures(const struct tuning_run *t, struct strbuf *b)
{
	uint32_t count[FAILURE_KINDS] = { 0 };
	bool first = true;

	for (uint32_t i = 0; i < t->record.trials.len; i++)
		count[t->record.trials.data[i].o.failure]++;
	strbuf_puts(b, "{");
	for (int k = 1; k < FAILURE_KINDS; k++)
		put(b, failure_name((enum failure_kind)k), count[k] ? count[k] : NAN, &first);
	strbuf_puts(b, "}");
}

void report_json(const struct tuning_run *t, const char *lock)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, "{\"model\": ");
	jtree_put_string(&b, t->tune->name);
	strbuf_puts(&b, ", ");
	pair(t, "best", report_config(t), &t->final, &b);
	strbuf_puts(&b, ", ");
	pair(t, "baseline", config_new(&t->problem.space), &t->heuristic, &b);
	strbuf_printf(&b, ", \"trials\": %u, \"failures\": ", t->record.trials.len);
	failures(t, &b);
	strbuf_printf(&b, ", \"search\": \"%s\", \"seed\": %llu, \"reused\": %u, \"kept_heuristic\": %s", t->search_name,
		      (unsigned long long)t->seed, t->reused, t->best == NO_TRIAL ? "true" : "false");
	if (t->best != NO_TRIAL)
		strbuf_printf(&b, ", \"best_trial\": %u", t->best);
	if (t->search->ops->report) {
		strbuf_puts(&b, ", \"dialogue\": ");
		t->search->ops->report(t->search->state, &b);
	}
	strbuf_printf(&b, ", \"held_out\": %s, \"noise\": ", t->measure.quality.split ? "true" : "false");
	jtree_put_number(&b, t->measure.noise);
	strbuf_puts(&b, ", \"seconds\": ");
	jtree_put_number(&b, tune_now() - t->started_s);
	strbuf_puts(&b, ", \"record\": ");
	jtree_put_string(&b, t->record.path);
	strbuf_puts(&b, ", \"lock\": ");
	jtree_put_string(&b, lock);
	strbuf_puts(&b, "}\n");
	fwrite(strbuf_str(&b), 1, b.len, stdout);
	strbuf_free(&b);
}

void report_lock(const struct tuning_run *t, struct strbuf *b)
{
	strbuf_puts(b, "{\"model\": ");
	jtree_put_string(b, t->front.identity);
	strbuf_puts(b, ", \"device\": ");
	jtree_put_string(b, t->header.device);
	strbuf_puts(b, ", \"config\": ");
	knobs_json(t, report_config(t), b);
	strbuf_puts(b, ", \"metrics\": ");
	metrics(t, &t->final, b);
	strbuf_puts(b, ", \"baseline\": ");
	metrics(t, &t->heuristic, b);
	strbuf_printf(b, ", \"search\": \"%s\", \"seed\": %llu, \"trials\": %u}", t->search_name, (unsigned long long)t->seed,
		      t->record.trials.len);
}
