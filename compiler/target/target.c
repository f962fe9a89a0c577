/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c - the built-in device, and devices from `device` blocks.
 *
 * The numbers steer the schedule only (what is worth pinning, how far to read
 * ahead); results do not depend on them. They are fixed, not measured here,
 * so that a plan does not depend on the machine that compiled it; `edgert
 * probe` measures a device and writes its block.
 */
#include "config.h"

#include "target/target.h"

#include "codegen/native.h"
#include "dsl.h"
#include "edge/plan_format.h"

const double target_load_growth[TARGET_LOAD_CLASSES] = { 0, 3.0, 0.2 };

/* What textures cost. Not given: as if nothing could hide: every byte carried is read from memory and written to it. */
static void fill_capacity(struct target *t, const struct decl_device *d)
{
	t->capacity[TARGET_LOAD_ELEMENTWISE] = d->capacity_elementwise;
	t->capacity[TARGET_LOAD_REUSABLE] = d->capacity_reusable;
	t->upload_bytes_per_s = d->upload_bytes_per_s > 0 ? d->upload_bytes_per_s : t->memory_bytes_per_s / 4;
	for (int i = TARGET_LOAD_ELEMENTWISE; i < TARGET_LOAD_CLASSES; i++)
		if (t->capacity[i] <= 0)
			t->capacity[i] = target_load_growth[i] * t->memory_bytes_per_s / 2;
}

/* For the kind of machine that compiles; a device block may name others. */
static uint32_t own_isas(void)
{
#if defined(__aarch64__)
	return 1u << NATIVE_AARCH64;
#else
	return 1u << NATIVE_X86_64_V3 | 1u << NATIVE_X86_64_V4;
#endif
}

struct target target_host(void)
{
	return (struct target){
		.name = "host",
		.backend = TARGET_NATIVE,
		.kernels = TARGET_CPU_KERNELS,
		.weights = TARGET_BUFFERS,
		.isas = own_isas(),
		.threads = 0,
		.storage_bytes_per_s = 1.0e9,
		.flops_per_s = 200e9,
		.memory_bytes_per_s = 20e9,
		.launch_ms = 0.002,
		.start_ms = 1.2,
		.seek_ms = 0.1,
		.page_ms = 0.0015,
		.touch_bytes_per_s = 8e9,
		.cached_bytes_per_s = 8e9,
		.image_rows = 16384,
		.max_region_bytes = (uint64_t)1 << 30,
		.align = 128,
		.unified = true,
	};
}

struct target target_from_decl(const struct decl_device *d)
{
	struct target t = target_host();

	if (!d)
		return t;
	t.name = d->name;
	if (d->backend == DECL_BACKEND_OPENCL || (!d->backend && d->kernels == DECL_KERNELS_GPU)) {
		t.backend = TARGET_OPENCL;
		t.launch_ms = 0.01;
		t.start_ms = 70; /* a driver is loaded, programs come from its cache */
	}
	if (d->isas)
		t.isas = d->isas;
	if (d->kernels == DECL_KERNELS_GPU) {
		t.kernels = TARGET_GPU_KERNELS;
		t.align = 512;
		t.unified = false;
	}
	if (d->weights == DECL_WEIGHTS_TEXTURE)
		t.weights = TARGET_TEXTURES;
	if (d->copies == DECL_COPIES_KERNELS)
		t.copies = TARGET_COPIES_KERNELS;
	if (d->image_rows)
		t.image_rows = d->image_rows;
	t.threads = d->threads;
	if (d->storage_bytes_per_s > 0)
		t.storage_bytes_per_s = d->storage_bytes_per_s;
	if (d->flops_per_s > 0)
		t.flops_per_s = d->flops_per_s;
	if (d->memory_bytes_per_s > 0)
		t.memory_bytes_per_s = d->memory_bytes_per_s;
	if (d->launch_ms > 0)
		t.launch_ms = d->launch_ms;
	if (d->latency_ms > 0)
		t.latency_ms = d->latency_ms;
	if (d->start_ms > 0)
		t.start_ms = d->start_ms;
	if (d->seek_ms > 0)
		t.seek_ms = d->seek_ms;
	if (d->page_ms > 0)
		t.page_ms = d->page_ms;
	if (d->cached_bytes_per_s > 0)
		t.cached_bytes_per_s = d->cached_bytes_per_s;
	if (d->request_ms > 0)
		t.request_ms = d->request_ms;
	if (d->touch_bytes_per_s > 0)
		t.touch_bytes_per_s = d->touch_bytes_per_s;
	t.uring = d->uring;
	if (d->requests_set)
		t.requests = d->requests ? d->requests : EDGE_REQUESTS_BUFFERED;
	fill_capacity(&t, d);
	return t;
}
