/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump.c - a plan as text: what the file holds, record by record.
 *
 * One line a record, in the file's order, so that two dumps can be compared
 * by diff. Decisions are explained elsewhere, by the compiler.
 */
#include "config.h"

#include "plan/dump.h"

#include <inttypes.h>
#include <string.h>

void dump_string(FILE *out, const struct edge_plan *p, uint32_t s)
{
	const char *text = plan_string(p, s);
	size_t n;

	fputc('"', out);
	for (;; text += n + 1) {
		n = strcspn(text, "\"\\");
		edge_show(out, text, n);
		if (!text[n])
			break;
		fprintf(out, "\\%c", text[n]);
	}
	fputc('"', out);
}

/* Without quotes. */
static void dump_name(FILE *out, const struct edge_plan *p, uint32_t s)
{
	edge_show(out, plan_string(p, s), strlen(plan_string(p, s)));
}

static void dump_meta(FILE *out, const struct edge_plan *p)
{
	const struct edge_meta *m = p->meta;

	fputs("plan ", out);
	dump_string(out, p, m->name);
	fprintf(out, " format %u.%u kind %u backend %u kernels %u threads %u\n  device ",
		p->header->prefix.major, p->header->prefix.minor, m->kind, m->backend,
		m->kernel_style, m->threads);
	dump_string(out, p, m->device_name);
	fputs(" compiler ", out);
	dump_string(out, p, m->compiler);
	fprintf(out,
		"\n  budget device %" PRIu64 " host %" PRIu64 "\n  planned device %" PRIu64
		" host %" PRIu64 "\n",
		m->device_budget_bytes, m->host_budget_bytes, m->planned_device_bytes,
		m->planned_host_bytes);
	fprintf(out,
		"  smallest budget %" PRIu64 "\n  weights %" PRIu64 " resident %" PRIu64
		" streamed %" PRIu64 "\n",
		m->smallest_budget_bytes, m->weights_bytes, m->resident_bytes, m->streamed_bytes);
	fprintf(out, "  activations %" PRIu64 " lower bound %" PRIu64 "\n  flops %" PRIu64 "\n",
		m->activation_peak_bytes, m->activation_lower_bound_bytes, m->flops);
	fprintf(out, "  predicted %.6g ms lower bound %.6g ms\n", m->predicted_ms,
		m->lower_bound_ms);
	fprintf(out,
		"  assumed storage %.6g B/s memory %.6g B/s compute %.6g FLOP/s launch %.6g ms\n",
		m->storage_bytes_per_s, m->memory_bytes_per_s, m->flops_per_s, m->launch_ms);
	if (m->requests == EDGE_REQUESTS_BUFFERED)
		fprintf(out, "  reads one at a time, through the page cache\n");
	else if (m->requests)
		fprintf(out, "  %u reads at a time\n", m->requests);
	if (m->reading == EDGE_READING_URING)
		fprintf(out, "  reads through io_uring\n");
}

static const char *region_name(uint32_t kind)
{
	static const char *const names[] = {
		[EDGE_REGION_ACTIVATIONS] = "activations", [EDGE_REGION_RESIDENT] = "resident",
		[EDGE_REGION_STREAM] = "stream", [EDGE_REGION_STAGING] = "staging", [EDGE_REGION_CARRIED] = "carried", [EDGE_REGION_MODEL] = "model",
		[EDGE_REGION_KEYS] = "keys", [EDGE_REGION_IMAGE] = "image", [EDGE_REGION_FRAMES] = "frames",
	};

	return kind < sizeof names / sizeof *names && names[kind] ? names[kind] : "?";
}

static void dump_memory(FILE *out, const struct edge_plan *p)
{
	uint32_t i;

	for (i = 0; i < p->region_count; i++)
		fprintf(out, "region %" PRIu32 " %s %s %" PRIu64 "\n", i, region_name(p->regions[i].kind),
			p->regions[i].space == EDGE_SPACE_HOST	  ? "host"
			: p->regions[i].space == EDGE_SPACE_IMAGE ? "image"
								  : "device",
			p->regions[i].bytes);
	for (i = 0; i < p->buffer_count; i++)
		fprintf(out,
			"buffer %" PRIu32 " region %" PRIu32 " offset %" PRIu64 " bytes %" PRIu64
			"\n",
			i, p->buffers[i].region, p->buffers[i].offset, p->buffers[i].bytes);
}

static void dump_tensors(FILE *out, const struct edge_plan *p)
{
	uint32_t i, k;

	for (i = 0; i < p->tensor_count; i++) {
		const struct edge_tensor *t = &p->tensors[i];

		fprintf(out, "tensor %" PRIu32 " %s ", i,
			t->direction == EDGE_TENSOR_INPUT ? "input" : "output");
		dump_string(out, p, t->name);
		fprintf(out, " %s[", edge_dtype_name(t->dtype));
		for (k = 0; k < t->rank; k++)
			fprintf(out, "%s%" PRId64, k ? "," : "", t->dim[k]);
		fprintf(out, "] buffer %" PRIu32 " model %" PRIu32 "\n", t->buffer, t->model);
	}
	for (i = 0; i < p->model_count; i++) {
		fprintf(out, "model %" PRIu32 " ", i);
		dump_string(out, p, p->models[i].name);
		fprintf(out,
			" steps %" PRIu32 "+%" PRIu32 " weights %" PRIu64 " flops %" PRIu64 "\n",
			p->models[i].step_first, p->models[i].step_count,
			p->models[i].weights_bytes, p->models[i].flops);
	}
}

static void dump_kernels(FILE *out, const struct edge_plan *p)
{
	static const char *const kinds[] = { "?", "global", "i32", "i64", "f32", "image" };
	uint32_t i, k;

	for (i = 0; i < p->program_count; i++) {
		fprintf(out, "program %" PRIu32 " source %zu bytes options ", i,
			strlen(plan_string(p, p->programs[i].source)));
		dump_string(out, p, p->programs[i].options);
		fputc('\n', out);
	}
	for (i = 0; i < p->kernel_count; i++) {
		fprintf(out, "kernel %" PRIu32 " program %" PRIu32 " ", i, p->kernels[i].program);
		dump_name(out, p, p->kernels[i].name);
		fputc('(', out);
		for (k = 0; k < p->kernels[i].param_count; k++) {
			const struct edge_param *a = &p->params[p->kernels[i].param_first + k];

			fprintf(out, "%s%s%s%s ", k ? ", " : "", kinds[a->kind], a->access & EDGE_PARAM_READ ? " r" : "",
				a->access & EDGE_PARAM_WRITE ? " w" : "");
			dump_name(out, p, a->name);
		}
		fputs(")\n", out);
	}
}

static void dump_arg(FILE *out, const struct edge_arg *a)
{
	if (a->kind == EDGE_PARAM_GLOBAL || a->kind == EDGE_PARAM_IMAGE)
		fprintf(out, " b%" PRIu32, a->buffer);
	else if (a->kind == EDGE_PARAM_F32)
		fprintf(out, " %.9g", a->value.f);
	else
		fprintf(out, " %" PRId64, a->value.i);
}

static void dump_steps(FILE *out, const struct edge_plan *p)
{
	static const char *const kinds[] = { "?", "kernel", "input", "output", "lookup" };
	uint32_t i, k;

	for (i = 0; i < p->step_count; i++) {
		const struct edge_step *s = &p->steps[i];

		fprintf(out, "step %" PRIu32 " %s %" PRIu32, i, kinds[s->kind], s->index);
		if (s->kind == EDGE_STEP_KERNEL)
			fprintf(out,
				" global %" PRIu32 ",%" PRIu32 ",%" PRIu32 " local %" PRIu32
				",%" PRIu32 ",%" PRIu32 " args",
				s->global[0], s->global[1], s->global[2], s->local[0], s->local[1],
				s->local[2]);
		for (k = 0; k < s->arg_count; k++)
			dump_arg(out, &p->args[s->arg_first + k]);
		fprintf(out,
			" model %" PRIu32 " reads %" PRIu32 " flops %" PRIu64 " bytes %" PRIu64
			" ms %.6g at %.6g",
			s->model, s->reads_needed, s->flops, s->bytes, s->predicted_ms,
			s->predicted_start_ms);
		if (p->debug) {
			fputs(" op ", out);
			dump_string(out, p, p->debug[i].op);
			fputs(" node ", out);
			dump_string(out, p, p->debug[i].node);
		}
		fputc('\n', out);
	}
}

static void dump_stream(FILE *out, const struct edge_plan *p)
{
	uint32_t i;

	for (i = 0; i < p->chunk_count; i++)
		fprintf(out,
			"chunk %" PRIu32 " offset %" PRIu64 " bytes %" PRIu64 " xxh3 %016" PRIx64
			"\n",
			i, p->chunks[i].offset, p->chunks[i].bytes, p->chunks[i].xxh3);
	for (i = 0; i < p->read_count; i++) {
		const struct edge_read *r = &p->reads[i];

		fprintf(out,
			"read %" PRIu32 " chunk %" PRIu32 " region %" PRIu32 " offset %" PRIu64
			" after %" PRId32 "%s at %.6g to %.6g\n",
			i, r->chunk, r->region, r->offset, r->after_step,
			r->flags & EDGE_READ_ONCE ? " once" : "", r->predicted_start_ms,
			r->predicted_end_ms);
	}
}

static void dump_loads(FILE *out, const struct edge_plan *p)
{
	for (uint32_t i = 0; i < p->load_count; i++) {
		const struct edge_load *l = &p->loads[i];

		fprintf(out, "load step %" PRIu32 " read %" PRIu32 " bytes %" PRIu64 " region %" PRIu32 " offset %" PRIu64
			" to region %" PRIu32 " offset %" PRIu64 "\n", l->step, l->read, l->bytes, l->from, l->from_offset,
			l->to, l->to_offset);
	}
}

static void dump_extras(FILE *out, const struct edge_plan *p)
{
	uint32_t i;

	for (i = 0; i < p->lifetime_count; i++) {
		const struct edge_lifetime *l = &p->lifetimes[i];

		fprintf(out,
			"lifetime region %" PRIu32 " offset %" PRIu64 " bytes %" PRIu64
			" steps %" PRId32 "..%" PRId32 " ",
			l->region, l->offset, l->bytes, l->first_step, l->last_step);
		dump_string(out, p, l->name);
		fputc('\n', out);
	}
	for (i = 0; i < p->note_count; i++) {
		fputs("note ", out);
		dump_string(out, p, p->notes[i].topic);
		fputc(' ', out);
		dump_string(out, p, p->notes[i].text);
		fputc('\n', out);
	}
}

static void dump_sources(FILE *out, const struct edge_plan *p)
{
	for (uint32_t i = 0; i < p->program_count; i++) {
		const char *line = plan_string(p, p->programs[i].source);

		fprintf(out, "source of program %" PRIu32 ":\n", i);
		for (size_t n; n = strcspn(line, "\n"), line[n]; line += n + 1) {
			edge_show(out, line, n);
			fputc('\n', out);
		}
		edge_show(out, line, strlen(line));
		fputc('\n', out);
	}
}

void plan_dump(FILE *out, const struct edge_plan *p)
{
	dump_meta(out, p);
	dump_memory(out, p);
	dump_tensors(out, p);
	dump_kernels(out, p);
	dump_steps(out, p);
	dump_stream(out, p);
	dump_loads(out, p);
	dump_train(out, p);
	dump_generate(out, p);
	dump_extras(out, p);
	dump_sources(out, p); /* last, because they are long */
}
