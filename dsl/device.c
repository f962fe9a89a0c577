/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - device and budget blocks. */
#include "config.h"

#include "sema.h"

#include <assert.h>
#include <string.h>

/* Instruction sets of native code; the bits are those of decl_device.isas. */
static const struct {
	const char *name;
	unsigned bit;
} cpus[] = { { "x86-64-v3", 1 }, { "x86-64-v4", 2 }, { "aarch64", 3 } };

static void device_cpu(struct sema *s, struct decl_device *out, const struct setting_value *v)
{
	for (uint32_t i = 0; i < COUNT(cpus); i++) {
		if (strcmp(cpus[i].name, v->text))
			continue;
		if (out->isas & 1u << cpus[i].bit)
			diag_error(s->diag, v->span, "\"%s\" stands twice in the list", v->text);
		out->isas |= 1u << cpus[i].bit;
		return;
	}
	diag_error(s->diag, v->span, "unknown instruction set \"%s\"", v->text);
	diag_hint(s->diag, "Known are x86-64-v3, x86-64-v4 and aarch64.");
}

static struct span device_cpus(struct sema *s, struct decl_device *out, const struct setting *m)
{
	for (uint32_t i = 0; i < m->values.len; i++)
		device_cpu(s, out, &m->values.data[i]);
	return m->values.data[0].span;
}

static void device_image(struct sema *s, struct decl_device *out, const struct setting_value *v)
{
	if (v->integer < 512 || v->integer > 1u << 20)
		diag_error(s->diag, v->span, "an image has 512 to 2^20 rows");
	else
		out->image_rows = (uint32_t)v->integer;
}

static void device_requests(struct sema *s, struct decl_device *out, const struct setting_value *v)
{
	if (v->integer > 32)
		diag_error(s->diag, v->span, "at most 32 reads are on their way at once");
	out->requests_set = true;
	out->requests = (uint32_t)v->integer;
}

/* Where kernels do it, for what must go with that. */
static struct span device_copies(struct decl_device *out, const struct setting_value *v)
{
	bool kernels = !strcmp(v->text, "kernels");

	out->copies = kernels ? DECL_COPIES_KERNELS : DECL_COPIES_QUEUE;
	return kernels ? v->span : (struct span){ 0 };
}

static void device_capacity(struct sema *s, struct decl_device *out, const struct setting *m)
{
	const struct setting_value *v = setting_get(m, "v"), *kind = setting_get(m, "kind");
	double *at = strcmp(kind->text, "reusable") ? &out->capacity_elementwise : &out->capacity_reusable;

	if (*at > 0)
		diag_error(s->diag, kind->span, "the capacity of %s kernels is given twice", kind->text);
	*at = v->number;
}

/* What is only a number: rates as they are, times in milliseconds. */
static void device_measured(struct decl_device *out, const struct setting *m, double x)
{
	const struct {
		const char *name;
		double *to, factor;
	} numbers[] = {
		{ "storage", &out->storage_bytes_per_s, 1 }, { "memory", &out->memory_bytes_per_s, 1 },
		{ "compute", &out->flops_per_s, 1 },	     { "touch", &out->touch_bytes_per_s, 1 },
		{ "cached", &out->cached_bytes_per_s, 1 },   { "upload", &out->upload_bytes_per_s, 1 },
		{ "request", &out->request_ms, 1e3 },
		{ "launch", &out->launch_ms, 1e3 },	     { "start", &out->start_ms, 1e3 },
		{ "seek", &out->seek_ms, 1e3 },		     { "page", &out->page_ms, 1e3 },
		{ "latency", &out->latency_ms, 1e3 },
	};

	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (sema_is(m, numbers[i].name)) {
			*numbers[i].to = x * numbers[i].factor;
			return;
		}
	assert(!"every setting of a device has a place");
}

void resolve_device(struct sema *s, const struct ast_decl *decl)
{
	struct decl_device out = { .name = decl->name.text, .span = decl->name.span };
	struct span cpu = { 0 }, copies = { 0 };

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = sema_match(s, BLOCK_DEVICE, decl, i);
		const struct setting_value *v;

		if (!m.spec)
			continue;
		v = setting_get(&m, "v");
		if (sema_is(&m, "backend"))
			out.backend = strcmp(v->text, "native") ? DECL_BACKEND_OPENCL : DECL_BACKEND_NATIVE;
		else if (sema_is(&m, "cpu"))
			cpu = device_cpus(s, &out, &m);
		else if (sema_is(&m, "kernels"))
			out.kernels = strcmp(v->text, "cpu") ? DECL_KERNELS_GPU : DECL_KERNELS_CPU;
		else if (sema_is(&m, "weights"))
			out.weights = strcmp(v->text, "buffer") ? DECL_WEIGHTS_TEXTURE : DECL_WEIGHTS_BUFFER;
		else if (sema_is(&m, "requests"))
			device_requests(s, &out, v);
		else if (sema_is(&m, "reading"))
			out.uring = !strcmp(v->text, "uring");
		else if (sema_is(&m, "image"))
			device_image(s, &out, v);
		else if (sema_is(&m, "copies"))
			copies = device_copies(&out, v);
		else if (sema_is(&m, "capacity"))
			device_capacity(s, &out, &m);
		else if (!sema_is(&m, "threads"))
			device_measured(&out, &m, v->number);
		else if (v->integer >= 1 && v->integer <= 1024)
			out.threads = (uint32_t)v->integer;
		else
			diag_error(s->diag, v->span, "a device has 1 to 1024 threads, not %lld", (long long)v->integer);
	}
	if (cpu.file && (out.backend == DECL_BACKEND_OPENCL || out.kernels == DECL_KERNELS_GPU)) {
		diag_error(s->diag, cpu, "\"cpu\" names instruction sets of native code, and device \"%s\" has none", out.name);
		diag_hint(s->diag, "Write backend native; and kernels cpu; or leave \"cpu\" out.");
	}
	if (copies.file && (out.weights != DECL_WEIGHTS_TEXTURE || out.kernels != DECL_KERNELS_GPU)) {
		diag_error(s->diag, copies, "kernels copy into textures, and device \"%s\" has none", out.name);
		diag_hint(s->diag, "Write kernels gpu; and weights texture; or copies queue;");
	}
	vec_push(s->arena, &s->project->devices, out);
}

void resolve_budget(struct sema *s, const struct ast_decl *decl)
{
	struct decl_budget out = { .name = decl->name.text, .span = decl->name.span };

	for (uint32_t i = 0; i < decl->body.len; i++) {
		struct setting m = sema_match(s, BLOCK_BUDGET, decl, i);

		if (!m.spec)
			continue;
		*(sema_is(&m, "host") ? &out.host_bytes : &out.device_bytes) = setting_get(&m, "v")->integer;
	}
	vec_push(s->arena, &s->project->budgets, out);
}
