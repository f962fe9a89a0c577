/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - the facts behind an explanation, and their JSON form. */
#include "config.h"

#include "plan/explain.h"
#include "plan/explain_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

static int by_first_step(const void *a, const void *b)
{
	const struct edge_lifetime *x = *(const struct edge_lifetime *const *)a, *y = *(const struct edge_lifetime *const *)b;

	return (x->first_step > y->first_step) - (x->first_step < y->first_step);
}

static bool lies_before(const struct edge_lifetime *x, const struct edge_lifetime *y)
{
	return x->region != y->region ? x->region < y->region : x->offset < y->offset;
}

/* Bytes covered by places in order; a result computed in place shares its operand's. */
static uint64_t covered(const struct edge_lifetime *const *in_order, uint32_t count)
{
	uint64_t bytes = 0, end = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct edge_lifetime *l = in_order[i];

		if (i == 0 || l->region != in_order[i - 1]->region)
			end = 0;
		if (l->offset + l->bytes > end) {
			bytes += l->offset + l->bytes - (l->offset > end ? l->offset : end);
			end = l->offset + l->bytes;
		}
	}
	return bytes;
}

/* Per step, the bytes of the activations' regions that hold something. */
static void count_live(struct explain *e)
{
	const struct edge_plan *p = e->p;
	const struct edge_lifetime **all = xmalloc((p->lifetime_count + 1) * sizeof *all), **now;
	uint32_t count = 0, next = 0, alive = 0;

	now = xmalloc((p->lifetime_count + 1) * sizeof *now);
	e->live = xmalloc((p->step_count + 1) * sizeof *e->live);
	for (uint32_t i = 0; i < p->lifetime_count; i++)
		if (p->regions[p->lifetimes[i].region].kind == EDGE_REGION_ACTIVATIONS)
			all[count++] = &p->lifetimes[i];
	qsort(all, count, sizeof *all, by_first_step);
	for (uint32_t i = 0; i < p->step_count; i++) {
		uint32_t kept = 0;

		for (uint32_t k = 0; k < alive; k++)
			if (now[k]->last_step >= (int64_t)i)
				now[kept++] = now[k];
		alive = kept;
		for (; next < count && all[next]->first_step <= (int64_t)i; next++) {
			uint32_t k = alive++;

			for (; k > 0 && lies_before(all[next], now[k - 1]); k--)
				now[k] = now[k - 1];
			now[k] = all[next];
		}
		e->live[i] = covered(now, alive);
	}
	free(all);
	free(now);
}

/*
 * From the end of the step before, or the first read, to the arrival of all that a step needs. What else lies between
 * two steps is the start of the process, first touches of memory and code, and what reading takes from kernels.
 */
static void find_waits(struct explain *e)
{
	const struct edge_plan *p = e->p;
	double since = p->read_count ? p->reads[0].predicted_start_ms : 0, here = 0;

	e->wait = xmalloc((p->step_count + 1) * sizeof *e->wait);
	for (uint32_t i = 0, r = 0; i < p->step_count; i++) {
		const struct edge_step *s = &p->steps[i];
		double until;

		for (; r < s->reads_needed; r++)
			here = fmax(here, p->reads[r].predicted_end_ms);
		until = fmin(here, s->predicted_start_ms);
		e->wait[i] = until > since ? until - since : 0;
		since = fmax(since, s->predicted_start_ms + s->predicted_ms);
	}
}

void explain_init(struct explain *e, const struct edge_plan *p)
{
	uint32_t first = 0, end = 0, load = 0;

	*e = (struct explain){ .p = p };
	if (p->lifetimes)
		count_live(e);
	find_waits(e);
	e->read_first = xmalloc((p->step_count + 1) * sizeof *e->read_first);
	e->read_end = xmalloc((p->step_count + 1) * sizeof *e->read_end);
	e->load = xmalloc((p->step_count + 1) * sizeof *e->load);
	for (uint32_t i = 0; i < p->step_count; i++) {
		const struct edge_step *s = &p->steps[i];
		double stop = s->predicted_start_ms + s->predicted_ms;

		while (first < p->read_count && p->reads[first].predicted_end_ms <= s->predicted_start_ms)
			first++;
		if (end < first)
			end = first;
		while (end < p->read_count && p->reads[end].predicted_start_ms < stop)
			end++;
		e->read_first[i] = first;
		e->read_end[i] = end;
		/* loads are in the order of their steps */
		e->load[i] = load < p->load_count && p->loads[load].step == i ? load++ : NO_LOAD;
	}
}

void explain_free(struct explain *e)
{
	free(e->live);
	free(e->read_first);
	free(e->read_end);
	free(e->load);
	free(e->wait);
}

const char *explain_region_kind(uint32_t kind)
{
	static const char *const name[] = {
		[EDGE_REGION_ACTIVATIONS] = "activations", [EDGE_REGION_RESIDENT] = "resident",
		[EDGE_REGION_STREAM] = "stream", [EDGE_REGION_STAGING] = "staging", [EDGE_REGION_CARRIED] = "carried",
		[EDGE_REGION_MODEL] = "model", [EDGE_REGION_KEYS] = "keys", [EDGE_REGION_IMAGE] = "image", [EDGE_REGION_FRAMES] = "frames",
	};

	return kind < sizeof name / sizeof *name && name[kind] ? name[kind] : "unknown";
}

const char *explain_what(const struct edge_plan *p, uint32_t step)
{
	const struct edge_step *s = &p->steps[step];

	if (p->debug && plan_string(p, p->debug[step].op)[0])
		return plan_string(p, p->debug[step].op);
	return s->kind == EDGE_STEP_INPUT ? "input" :
	       s->kind == EDGE_STEP_OUTPUT ? "output" :
	       s->kind == EDGE_STEP_LOOKUP ? "lookup" : plan_string(p, p->kernels[s->index].name);
}

const char *explain_node(const struct edge_plan *p, uint32_t step)
{
	return p->debug ? plan_string(p, p->debug[step].node) : "";
}

void explain_json_string(const char *s, FILE *out)
{
	const char *end = s + strlen(s);

	putc('"', out);
	while (s < end) {
		size_t n = edge_utf8_length(s, (size_t)(end - s));
		unsigned char c = (unsigned char)*s;

		if (!n)
			fputs("\\ufffd", out);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fwrite(s, 1, n, out);
		s += n ? n : 1;
	}
	putc('"', out);
}

static void json_key_string(const char *key, const char *value, FILE *out)
{
	fprintf(out, "\"%s\":", key);
	explain_json_string(value, out);
	putc(',', out);
}

static void json_meta(const struct edge_plan *p, FILE *out)
{
	const struct edge_meta *m = p->meta;

	json_key_string("plan", plan_string(p, m->name), out);
	json_key_string("device", plan_string(p, m->device_name), out);
	json_key_string("compiler", plan_string(p, m->compiler), out);
	json_key_string("backend", m->backend == EDGE_BACKEND_NATIVE ? "native" : "opencl", out);
	json_key_string("kernels", m->kernel_style == EDGE_KERNELS_GPU ? "gpu" : "cpu", out);
	fprintf(out, "\"bytes\":%llu,", (ull)p->size);
	if (m->device_budget_bytes)
		fprintf(out, "\"device_budget_bytes\":%llu,", (ull)m->device_budget_bytes);
	fprintf(out,
		"\"planned_peak_bytes\":{\"device\":%llu,\"host\":%llu},\"smallest_budget_bytes\":%llu,"
		"\"weights_bytes\":%llu,\"resident_bytes\":%llu,\"streamed_bytes\":%llu,"
		"\"activation_peak_bytes\":%llu,\"activation_lower_bound_bytes\":%llu,\"flops\":%llu,"
		"\"predicted_ms\":%.6g,\"lower_bound_ms\":%.6g,\"storage_bytes_per_s\":%.6g",
		(ull)m->planned_device_bytes, (ull)m->planned_host_bytes, (ull)m->smallest_budget_bytes,
		(ull)m->weights_bytes, (ull)m->resident_bytes, (ull)m->streamed_bytes, (ull)m->activation_peak_bytes,
		(ull)m->activation_lower_bound_bytes, (ull)m->flops, m->predicted_ms, m->lower_bound_ms,
		m->storage_bytes_per_s);
}

static void json_steps(const struct explain *e, FILE *out)
{
	static const char *const kind[] = { "", "kernel", "input", "output", "lookup" };

	fputs(",\n\"steps\":[", out);
	for (uint32_t i = 0; i < e->p->step_count; i++) {
		const struct edge_step *s = &e->p->steps[i];

		fprintf(out, "%s\n{\"kind\":\"%s\",\"model\":%u,\"start_ms\":%.9g,\"ms\":%.9g,\"flops\":%llu,\"bytes\":%llu,"
			"\"reads_needed\":%u,\"wait_ms\":%.9g,", i ? "," : "", kind[s->kind], s->model, s->predicted_start_ms,
			s->predicted_ms, (ull)s->flops, (ull)s->bytes, s->reads_needed, e->wait[i]);
		if (e->live)
			fprintf(out, "\"live_bytes\":%llu,", (ull)e->live[i]);
		json_key_string("node", explain_node(e->p, i), out);
		fputs("\"what\":", out);
		explain_json_string(explain_what(e->p, i), out);
		putc('}', out);
	}
	fputs("]", out);
}

static void json_memory(const struct edge_plan *p, FILE *out)
{
	fputs(",\n\"regions\":[", out);
	for (uint32_t i = 0; i < p->region_count; i++)
		fprintf(out, "%s\n{\"kind\":\"%s\",\"space\":\"%s\",\"bytes\":%llu}", i ? "," : "",
			explain_region_kind(p->regions[i].kind),
			p->regions[i].space == EDGE_SPACE_HOST ? "host" : p->regions[i].space == EDGE_SPACE_IMAGE ? "image" :
														     "device", (ull)p->regions[i].bytes);
	fputs("],\n\"reads\":[", out);
	for (uint32_t i = 0; i < p->read_count; i++) {
		const struct edge_read *r = &p->reads[i];

		fprintf(out, "%s\n{\"chunk\":%u,\"region\":%u,\"offset\":%llu,\"bytes\":%llu,\"after_step\":%d,\"once\":%s,"
			"\"start_ms\":%.9g,\"end_ms\":%.9g}", i ? "," : "", r->chunk, r->region, (ull)r->offset,
			(ull)p->chunks[r->chunk].bytes, r->after_step, r->flags & EDGE_READ_ONCE ? "true" : "false",
			r->predicted_start_ms, r->predicted_end_ms);
	}
	fputs("],\n\"lifetimes\":[", out);
	for (uint32_t i = 0; i < p->lifetime_count; i++) {
		const struct edge_lifetime *l = &p->lifetimes[i];

		fprintf(out, "%s\n{\"region\":%u,\"offset\":%llu,\"bytes\":%llu,\"first_step\":%d,\"last_step\":%d,\"name\":",
			i ? "," : "", l->region, (ull)l->offset, (ull)l->bytes, l->first_step, l->last_step);
		explain_json_string(plan_string(p, l->name), out);
		putc('}', out);
	}
	fputs("]", out);
}

/* What launches carry beside their work, where they do. */
static void json_loads(const struct edge_plan *p, FILE *out)
{
	if (!p->load_count)
		return;
	fputs(",\n\"loads\":[", out);
	for (uint32_t i = 0; i < p->load_count; i++) {
		const struct edge_load *l = &p->loads[i];

		fprintf(out, "%s\n{\"step\":%u,\"read\":%u,\"from\":%u,\"from_offset\":%llu,\"to\":%u,\"to_offset\":%llu,"
			"\"bytes\":%llu}", i ? "," : "", l->step, l->read, l->from, (ull)l->from_offset, l->to,
			(ull)l->to_offset, (ull)l->bytes);
	}
	fputs("]", out);
}

void explain_json_object(const struct explain *e, FILE *out)
{
	const struct edge_plan *p = e->p;

	putc('{', out);
	json_meta(p, out);
	fputs(",\n\"models\":[", out);
	for (uint32_t i = 0; i < p->model_count; i++) {
		fprintf(out, "%s\n{\"step_first\":%u,\"step_count\":%u,\"name\":", i ? "," : "",
			p->models[i].step_first, p->models[i].step_count);
		explain_json_string(plan_string(p, p->models[i].name), out);
		putc('}', out);
	}
	fputs("],\n\"notes\":[", out);
	for (uint32_t i = 0; i < p->note_count; i++) {
		fprintf(out, "%s\n{\"topic\":", i ? "," : "");
		explain_json_string(plan_string(p, p->notes[i].topic), out);
		fputs(",\"text\":", out);
		explain_json_string(plan_string(p, p->notes[i].text), out);
		putc('}', out);
	}
	fputs("]", out);
	if (p->train)
		explain_train_json(p, out);
	json_memory(p, out);
	json_loads(p, out);
	json_steps(e, out);
	fputs("}\n", out);
}

int explain_json(const struct edge_plan *p, FILE *out)
{
	struct explain e;

	explain_init(&e, p);
	explain_json_object(&e, out);
	explain_free(&e);
	return fflush(out) || ferror(out) ? -1 : 0;
}
