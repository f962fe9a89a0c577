/* SPDX-License-Identifier: Apache-2.0 */
/* plan_builder.c - plans made by hand: a second producer of the format. */
#include "config.h"

#include "plan_builder.h"

#include "edge/plan_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HIGHEST_KIND = 63 };

static void *grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		abort();
	return p;
}

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

void builder_init(struct plan_builder *b)
{
	static const uint32_t stride[] = {
		[EDGE_SECTION_META] = sizeof(struct edge_meta),
		[EDGE_SECTION_STRINGS] = 1,
		[EDGE_SECTION_REGIONS] = sizeof(struct edge_region),
		[EDGE_SECTION_BUFFERS] = sizeof(struct edge_buffer),
		[EDGE_SECTION_PROGRAMS] = sizeof(struct edge_program),
		[EDGE_SECTION_KERNELS] = sizeof(struct edge_kernel),
		[EDGE_SECTION_PARAMS] = sizeof(struct edge_param),
		[EDGE_SECTION_STEPS] = sizeof(struct edge_step),
		[EDGE_SECTION_ARGS] = sizeof(struct edge_arg),
		[EDGE_SECTION_TENSORS] = sizeof(struct edge_tensor),
		[EDGE_SECTION_MODELS] = sizeof(struct edge_model),
		[EDGE_SECTION_CHUNKS] = sizeof(struct edge_chunk),
		[EDGE_SECTION_READS] = sizeof(struct edge_read),
	};
	uint32_t kind;

	memset(b, 0, sizeof(*b));
	for (kind = 0; kind < sizeof(stride) / sizeof(stride[0]); kind++)
		b->section[kind].stride = stride[kind];
	builder_string(b, "");
	b->meta.kind = EDGE_PLAN_RUN;
	b->meta.backend = EDGE_BACKEND_OPENCL;
	b->meta.kernel_style = EDGE_KERNELS_CPU;
}

void builder_free(struct plan_builder *b)
{
	int i;

	for (i = 0; i <= HIGHEST_KIND; i++)
		free(b->section[i].data);
	free(b->weights);
	memset(b, 0, sizeof(*b));
}

uint32_t builder_string(struct plan_builder *b, const char *text)
{
	struct records *r = &b->section[EDGE_SECTION_STRINGS];
	uint32_t at = r->count, n = (uint32_t)strlen(text) + 1;

	r->data = grow(r->data, at + n);
	memcpy(r->data + at, text, n);
	r->count += n;
	return at;
}

uint32_t builder_add(struct plan_builder *b, uint32_t kind, const void *record, uint32_t stride)
{
	struct records *r = &b->section[kind];

	r->stride = stride;
	r->data = grow(r->data, (size_t)(r->count + 1) * stride);
	memcpy(r->data + (size_t)r->count * stride, record, stride);
	return r->count++;
}

uint32_t builder_chunk(struct plan_builder *b, const void *data, uint64_t bytes)
{
	struct edge_chunk chunk = { .offset = b->weights_size,
				    .bytes = round_up(bytes, EDGE_PLAN_PAGE) };

	b->weights = grow(b->weights, b->weights_size + chunk.bytes);
	memset(b->weights + b->weights_size, 0, chunk.bytes);
	memcpy(b->weights + b->weights_size, data, bytes);
	chunk.xxh3 = edge_xxh3(b->weights + b->weights_size, chunk.bytes);
	b->weights_size += chunk.bytes;
	return builder_add(b, EDGE_SECTION_CHUNKS, &chunk, sizeof(chunk));
}

static bool required(uint32_t kind)
{
	return kind < EDGE_SECTION_DEBUG;
}

unsigned char *builder_finish(struct plan_builder *b, size_t *size)
{
	struct edge_section table[HIGHEST_KIND + 1];
	uint32_t count = 0, kind, i;
	struct edge_header h = { 0 };
	uint64_t at, table_size;
	unsigned char *file;

	b->section[EDGE_SECTION_META].count = 0;
	builder_add(b, EDGE_SECTION_META, &b->meta, sizeof(b->meta));
	memset(table, 0, sizeof(table));
	for (kind = 1; kind <= HIGHEST_KIND; kind++) {
		struct records *r = &b->section[kind];

		if (kind == EDGE_SECTION_WEIGHTS)
			table[count++] = (struct edge_section){
				.kind = kind,
				.size = b->weights_size,
				.count = (uint32_t)(b->weights_size / EDGE_PLAN_PAGE),
				.stride = EDGE_PLAN_PAGE
			};
		else if (r->stride)
			table[count++] = (struct edge_section){
				.kind = kind,
				.size = (uint64_t)r->count * r->stride,
				.count = r->count,
				.stride = r->stride,
				.xxh3 = edge_xxh3(r->data, (size_t)r->count * r->stride)
			};
	}
	table_size = count * sizeof(table[0]);
	at = sizeof(h) + table_size;
	for (i = 0; i < count; i++) {
		table[i].flags = required(table[i].kind) ? EDGE_SECTION_REQUIRED : 0;
		at = round_up(at, table[i].kind == EDGE_SECTION_WEIGHTS ? EDGE_PLAN_PAGE : 64);
		table[i].offset = at;
		at += table[i].size;
	}
	memcpy(h.prefix.magic, EDGE_PLAN_MAGIC, 8);
	h.prefix.major = EDGE_PLAN_MAJOR;
	h.prefix.minor = EDGE_PLAN_MINOR;
	h.prefix.header_size = sizeof(h);
	h.prefix.section_count = count;
	h.prefix.section_entry_size = sizeof(table[0]);
	h.prefix.file_size = at;

	file = grow(NULL, at);
	memset(file, 0, at);
	for (i = 0; i < count; i++) {
		if (table[i].kind == EDGE_SECTION_WEIGHTS) {
			memcpy(file + table[i].offset, b->weights, b->weights_size);
			continue;
		}
		if (table[i].kind == EDGE_SECTION_CHUNKS) {
			/* chunks are counted from the start of the file */
			struct edge_chunk *c = (void *)b->section[EDGE_SECTION_CHUNKS].data;
			uint64_t base = 0;
			uint32_t k, next;

			for (next = i + 1; next < count; next++)
				if (table[next].kind == EDGE_SECTION_WEIGHTS)
					base = table[next].offset;
			for (k = 0; k < table[i].count; k++)
				c[k].offset += base;
			table[i].xxh3 = edge_xxh3(c, table[i].size);
		}
		if (table[i].size > 0)
			memcpy(file + table[i].offset, b->section[table[i].kind].data, table[i].size);
	}
	h.table_xxh3 = edge_xxh3(table, table_size);
	h.header_xxh3 = edge_xxh3(&h, offsetof(struct edge_header, header_xxh3));
	memcpy(file, &h, sizeof(h));
	memcpy(file + sizeof(h), table, table_size);
	*size = at;
	return file;
}

bool builder_write(struct plan_builder *b, const char *path)
{
	size_t size;
	unsigned char *file = builder_finish(b, &size);
	FILE *out = fopen(path, "wb");
	bool ok = out && fwrite(file, 1, size, out) == size;

	ok = out && fclose(out) == 0 && ok;
	free(file);
	return ok;
}

/* ---- the axpy plan */

static const char axpy_source[] =
	"__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
	"void axpy(__global const float *w, __global float *y, float a, int n, int rounds)\n"
	"{\n"
	"	int i = get_global_id(0) * 256, end = min(i + 256, n);\n"
	"	for (; i < end; i++) {\n"
	"		float v = w[i] * a;\n"
	"		for (int r = 1; r < rounds; r++)\n"
	"			v = v * 0.5f + w[i] * (a * 0.5f);\n"
	"		y[i] += v;\n"
	"	}\n"
	"}\n";

static float weight(uint32_t i, uint32_t k)
{
	return (float)((i * 31 + k) % 101) / 64;
}

void axpy_expected(const struct axpy_plan *a, const float *x, float *y)
{
	uint32_t i, k, r;

	for (k = 0; k < a->chunk_floats; k++) {
		float sum = x[k];

		for (i = 0; i < a->chunks; i++) {
			float w = weight(i, k), scale = (float)(i + 1), v = w * scale;

			for (r = 1; r < a->rounds; r++)
				v = v * 0.5f + w * (scale * 0.5f);
			sum += v;
		}
		y[k] = sum;
	}
}

static uint32_t add_region(struct plan_builder *b, uint32_t kind, uint64_t bytes)
{
	struct edge_region r = { kind,
				 kind == EDGE_REGION_STAGING ? EDGE_SPACE_HOST : EDGE_SPACE_DEVICE,
				 round_up(bytes, 128) };

	if (r.space == EDGE_SPACE_DEVICE)
		b->meta.planned_device_bytes += r.bytes;
	else
		b->meta.planned_host_bytes += r.bytes;
	return builder_add(b, EDGE_SECTION_REGIONS, &r, sizeof(r));
}

static uint32_t add_buffer(struct plan_builder *b, uint32_t region, uint64_t offset, uint64_t bytes)
{
	struct edge_buffer r = { .region = region, .offset = offset, .bytes = bytes };

	return builder_add(b, EDGE_SECTION_BUFFERS, &r, sizeof(r));
}

static void add_kernel(struct plan_builder *b)
{
	static const struct {
		const char *name;
		uint32_t kind, access;
	} params[] = {
		{ "w", EDGE_PARAM_GLOBAL, EDGE_PARAM_READ },
		{ "y", EDGE_PARAM_GLOBAL, EDGE_PARAM_READ | EDGE_PARAM_WRITE },
		{ "a", EDGE_PARAM_F32, 0 },
		{ "n", EDGE_PARAM_I32, 0 },
		{ "rounds", EDGE_PARAM_I32, 0 },
	};
	struct edge_program program = { builder_string(b, axpy_source),
					builder_string(b, "-cl-std=CL1.2") };
	struct edge_kernel kernel = { .name = builder_string(b, "axpy"), .param_count = 5 };
	uint32_t i;

	kernel.program = builder_add(b, EDGE_SECTION_PROGRAMS, &program, sizeof(program));
	builder_add(b, EDGE_SECTION_KERNELS, &kernel, sizeof(kernel));
	for (i = 0; i < 5; i++) {
		struct edge_param p = { params[i].kind, params[i].access,
					builder_string(b, params[i].name), 0 };

		builder_add(b, EDGE_SECTION_PARAMS, &p, sizeof(p));
	}
}

static void add_step(struct plan_builder *b, const struct axpy_plan *a, uint32_t i, uint32_t w,
		     uint32_t y)
{
	struct edge_step step = { .kind = EDGE_STEP_KERNEL,
				  .arg_first = i * 5,
				  .arg_count = 5,
				  .global = { 1, 1, 1 },
				  .local = { 1, 1, 1 },
				  .reads_needed = i + 1,
				  .flops = 2ull * a->chunk_floats,
				  .bytes = 12ull * a->chunk_floats,
				  .predicted_ms = 0.1,
				  .predicted_start_ms = 0.1 * i };
	struct edge_arg arg[5] = { { .kind = EDGE_PARAM_GLOBAL, .buffer = w },
				   { .kind = EDGE_PARAM_GLOBAL, .buffer = y },
				   { .kind = EDGE_PARAM_F32, .value.f = i + 1 },
				   { .kind = EDGE_PARAM_I32, .value.i = a->chunk_floats },
				   { .kind = EDGE_PARAM_I32,
				     .value.i = a->rounds ? a->rounds : 1 } };
	int k;

	step.global[0] = (a->chunk_floats + 255) / 256;
	for (k = 0; k < 5; k++)
		builder_add(b, EDGE_SECTION_ARGS, &arg[k], sizeof(arg[k]));
	builder_add(b, EDGE_SECTION_STEPS, &step, sizeof(step));
}

static void add_tensor(struct plan_builder *b, const struct axpy_plan *a, const char *name,
		       uint32_t direction, uint32_t buffer)
{
	struct edge_tensor t = { .name = builder_string(b, name),
				 .direction = direction,
				 .dtype = EDGE_F32,
				 .rank = 2,
				 .dim = { 1, a->chunk_floats },
				 .buffer = buffer,
				 .bytes = 4ull * a->chunk_floats };

	builder_add(b, EDGE_SECTION_TENSORS, &t, sizeof(t));
}

void builder_axpy(struct plan_builder *b, const struct axpy_plan *a)
{
	uint64_t slot = round_up(4ull * a->chunk_floats, EDGE_PLAN_PAGE);
	uint32_t activations, resident = 0, stream = 0, y, i, k;
	struct edge_step io = { .kind = EDGE_STEP_INPUT,
				.global = { 1, 1, 1 },
				.local = { 1, 1, 1 } };
	float *w = grow(NULL, 4ull * a->chunk_floats);
	struct edge_model model = { .name = 0, .step_count = a->chunks + 2 };

	b->meta.name = builder_string(b, "axpy");
	b->meta.device_name = builder_string(b, "host");
	b->meta.compiler = builder_string(b, "by hand");
	add_kernel(b);
	activations = add_region(b, EDGE_REGION_ACTIVATIONS, 4ull * a->chunk_floats);
	if (a->resident)
		resident = add_region(b, EDGE_REGION_RESIDENT, slot * a->resident);
	if (a->resident < a->chunks)
		stream = add_region(b, EDGE_REGION_STREAM, slot * a->slots);
	if (a->staging)
		add_region(b, EDGE_REGION_STAGING, slot);
	y = add_buffer(b, activations, 0, 4ull * a->chunk_floats);
	add_tensor(b, a, "x", EDGE_TENSOR_INPUT, y);
	add_tensor(b, a, "y:0", EDGE_TENSOR_OUTPUT, y);
	builder_add(b, EDGE_SECTION_STEPS, &io, sizeof(io));
	for (i = 0; i < a->chunks; i++) {
		bool once = i < a->resident;
		uint64_t offset = slot * (once ? i : (i - a->resident) % a->slots);
		struct edge_read read = { .region = once ? resident : stream,
					  .offset = offset,
					  .after_step = EDGE_NONE,
					  .flags = once ? EDGE_READ_ONCE : 0 };

		for (k = 0; k < a->chunk_floats; k++)
			w[k] = weight(i, k);
		read.chunk = builder_chunk(b, w, 4ull * a->chunk_floats);
		/* step 0 is the input; chunk j is used by step j + 1 */
		if (!once && i - a->resident >= a->slots)
			read.after_step = (int32_t)(i - a->slots) + 1;
		builder_add(b, EDGE_SECTION_READS, &read, sizeof(read));
		add_step(b, a, i,
			 add_buffer(b, once ? resident : stream, offset, 4ull * a->chunk_floats),
			 y);
	}
	io.kind = EDGE_STEP_OUTPUT;
	io.index = 1;
	io.arg_first = a->chunks * 5;
	io.reads_needed = a->chunks;
	builder_add(b, EDGE_SECTION_STEPS, &io, sizeof(io));
	model.name = builder_string(b, "axpy");
	model.weights_bytes = b->weights_size;
	model.flops = b->meta.flops = 2ull * a->chunks * a->chunk_floats;
	builder_add(b, EDGE_SECTION_MODELS, &model, sizeof(model));
	b->meta.weights_bytes = b->weights_size;
	b->meta.resident_bytes = slot * a->resident;
	b->meta.streamed_bytes = slot * (a->chunks - a->resident);
	b->meta.activation_peak_bytes = b->meta.activation_lower_bound_bytes =
		round_up(4ull * a->chunk_floats, 128);
	b->meta.smallest_budget_bytes = b->meta.planned_device_bytes;
	free(w);
}
