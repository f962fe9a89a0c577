/* SPDX-License-Identifier: Apache-2.0 */
/* explain_text.c - an explanation for the terminal: summary, memory, decisions, steps. */
#include "config.h"

#include "plan/explain.h"
#include "plan/explain_train.h"

#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

void explain_say(FILE *out, const char *fmt, ...)
{
	struct strbuf line = { 0 };
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&line, fmt, ap);
	va_end(ap);
	edge_show(out, strbuf_str(&line), line.len);
	putc('\n', out);
	strbuf_free(&line);
}

static void print_head(const struct edge_plan *p, FILE *out)
{
	const struct edge_meta *m = p->meta;

	explain_say(out, "plan %s on %s (%s, %s kernels), compiled by %s", plan_string(p, m->name),
		plan_string(p, m->device_name), m->backend == EDGE_BACKEND_NATIVE ? "native" : "opencl",
		m->kernel_style == EDGE_KERNELS_GPU ? "gpu" : "cpu", plan_string(p, m->compiler));
	fprintf(out, "\n  budget           %s\n", m->device_budget_bytes ? size_text(m->device_budget_bytes) : "no limit");
	fprintf(out, "  planned peak     %s device, %s host\n", size_text(m->planned_device_bytes),
		size_text(m->planned_host_bytes));
	fprintf(out, "  smallest budget  %s\n", size_text(m->smallest_budget_bytes));
}

static void print_summary(const struct edge_plan *p, FILE *out)
{
	const struct edge_meta *m = p->meta;

	fprintf(out, "  weights          %s: %s resident, %s streamed in each run\n", size_text(m->weights_bytes),
		size_text(m->resident_bytes), size_text(m->streamed_bytes));
	fprintf(out, "  activations      %s, lower bound %s\n", size_text(m->activation_peak_bytes),
		size_text(m->activation_lower_bound_bytes));
	fprintf(out, "  time             %.3f ms predicted for a cold run, %.3f ms for a warm one; lower bound %.3f ms\n",
		m->predicted_ms, m->predicted_warm_ms, m->lower_bound_ms);
	fprintf(out, "  work             %.3f GFLOP in %u steps with %u kernels\n", (double)m->flops / 1e9, p->step_count,
		p->kernel_count);
}

static void print_memory(const struct edge_plan *p, FILE *out)
{
	uint64_t *things = xmalloc((p->region_count + 1) * sizeof *things);

	memset(things, 0, (p->region_count + 1) * sizeof *things);
	for (uint32_t k = 0; k < p->lifetime_count; k++)
		things[p->lifetimes[k].region]++;
	fputs("\nmemory\n", out);
	for (uint32_t i = 0; i < p->region_count; i++) {
		fprintf(out, "  region %-3u %-12s %12s", i, explain_region_kind(p->regions[i].kind),
			size_text(p->regions[i].bytes));
		if (things[i])
			fprintf(out, "   %llu things over the run", (unsigned long long)things[i]);
		putc('\n', out);
	}
	free(things);
}

void explain_notes(const struct edge_plan *p, FILE *out)
{
	uint32_t last = 0;

	if (!p->note_count)
		return;
	fputs("\ndecisions\n", out);
	for (uint32_t i = 0; i < p->note_count; i++) {
		const char *topic = p->notes[i].topic == last && i ? "" : plan_string(p, p->notes[i].topic);

		explain_say(out, "  %-12s %s", topic, plan_string(p, p->notes[i].text));
		last = p->notes[i].topic;
	}
}

/* "reads 3-7, 2.1 MiB" */
static void print_reads(const struct explain *e, uint32_t step, FILE *out)
{
	uint32_t first = e->read_first[step], end = e->read_end[step];
	uint64_t bytes = 0;

	for (uint32_t i = first; i < end; i++)
		bytes += e->p->chunks[e->p->reads[i].chunk].bytes;
	if (end - first == 1)
		fprintf(out, "  read %u, %s", first, size_text(bytes));
	else if (end > first)
		fprintf(out, "  reads %u-%u, %s", first, end - 1, size_text(bytes));
}

/* Appends what fits of a text, as it may be shown. */
static void fit(char *to, size_t size, const char *text)
{
	size_t at = strlen(to), n = strlen(text);
	char shown[4];

	for (size_t i = 0, used; i < n; i += used) {
		size_t bytes = edge_shown_char(text + i, n - i, shown, &used);

		if (at + bytes >= size)
			break;
		memcpy(to + at, shown, bytes);
		at += bytes;
	}
	to[at] = '\0';
}

static void print_step(const struct explain *e, uint32_t i, FILE *out)
{
	const struct edge_step *s = &e->p->steps[i];
	const char *node = explain_node(e->p, i);
	char what[48] = "";

	if (i == e->p->models[s->model].step_first && e->p->model_count > 1)
		explain_say(out, "  -- %s", plan_string(e->p, e->p->models[s->model].name));
	fit(what, sizeof what, explain_what(e->p, i));
	if (*node)
		fit(what, sizeof what, "  ");
	fit(what, sizeof what, node);
	fprintf(out, "  %5u %9.3f %9.3f %8.2f %11s  %-47s", i, s->predicted_start_ms, s->predicted_ms,
		(double)s->flops / 1e6, e->live ? size_text(e->live[i]) : "", what);
	if (e->wait[i] > 0.0005)
		fprintf(out, "  waits %.3f ms", e->wait[i]);
	if (e->load[i] != NO_LOAD)
		fprintf(out, "  carries %s", size_text(e->p->loads[e->load[i]].bytes));
	print_reads(e, i, out);
	putc('\n', out);
}

static void print_run(const struct edge_plan *p, FILE *out)
{
	struct explain e;

	explain_init(&e, p);
	print_summary(p, out);
	print_memory(p, out);
	explain_notes(p, out);
	fputs("\nsteps of a cold run, as predicted\n", out);
	fprintf(out, "  %5s %9s %9s %8s %11s  %-47s  %s\n", "step", "start ms", "ms", "MFLOP", "live", "what",
		"read meanwhile");
	for (uint32_t i = 0; i < p->step_count; i++)
		print_step(&e, i, out);
	explain_free(&e);
}

int explain_text(const struct edge_plan *p, FILE *out)
{
	print_head(p, out);
	if (p->train)
		explain_train_text(p, out);
	else
		print_run(p, out);
	return fflush(out) || ferror(out) ? -1 : 0;
}
