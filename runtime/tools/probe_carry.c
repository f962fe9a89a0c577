/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_carry.c - what kernels can carry into images beside their own work.
 *
 * Two kernels stand for the classes that the compiler knows: one that does an
 * element each (elementwise), and a product of matrices through local memory
 * (reusable). Each is timed while its work-items move 0, 1, 2, 4 ... texels.
 * Where it takes so much longer as its class may, between two of these numbers,
 * lies its capacity: bytes for each second that it takes by itself.
 */
#include "config.h"

#include "tools/probe_carry.h"

#include "base/clock.h"
#include "base/memory.h"
#include "edge/plan_format.h"

#include <stdlib.h>
#include <string.h>

/* By how much of its time a kernel may be later: doc/language.md. */
#define ELEMENTWISE_GROWTH 3.0
#define REUSABLE_GROWTH 0.2

enum {
	SIDE = 256, ITEMS = SIDE * SIDE, INNER = 512, EACH_MOST = 16,
	IMAGE_BYTES = ITEMS * EACH_MOST * EDGE_PLAN_TEXEL, UPLOAD_BYTES = 1 << 20,
	TRIES = 7, LAUNCHES = 8, LONG_NS = 2000000 /* a launch that needs no company to be timed */
};

static const char source[] =
	"#define MOVE(i) { const int u = min(i, last); "
	"write_imagef(to, (int2)(u & 511, u >> 9), vload_half4(u, from)); }\n"
	"#define LOADS __write_only image2d_t to, __global const half *restrict from, const int last, const int each,\n"
	"#define ITEM ((int)(get_global_id(1) * get_global_size(0) + get_global_id(0)))\n"
	"#define ITEMS ((int)(get_global_size(0) * get_global_size(1)))\n"
	"__kernel void elementwise(LOADS __global const float *restrict in, __global float *restrict out)\n"
	"{\n"
	"	const int item = ITEM, items = ITEMS;\n"
	"	out[item] = fmax(in[item] * 1.5f + 0.25f, 0.0f);\n"
	"	for (int i = 0; i < each; i++)\n"
	"		MOVE(item + i * items)\n"
	"}\n"
	"__kernel __attribute__((reqd_work_group_size(16, 16, 1)))\n"
	"void reusable(LOADS __global const float *restrict in, __global float *restrict out)\n"
	"{\n"
	"	__local float a[16 * 17], b[16 * 16];\n"
	"	const int x = get_local_id(0), y = get_local_id(1), n = get_global_size(0), items = ITEMS;\n"
	"	const int row = get_global_id(1), col = get_global_id(0), step = (each + 31) / 32;\n"
	"	int at = ITEM, left = each;\n"
	"	float sum = 0.0f;\n"
	"	for (int k = 0; k < 512; k += 16) {\n"
	"		a[y * 17 + x] = in[row * 512 + k + x];\n"
	"		b[y * 16 + x] = in[(k + y) * n + col];\n"
	"		for (int j = min(step, left); j > 0; j--, left--, at += items)\n"
	"			MOVE(at)\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"		for (int i = 0; i < 16; i++)\n"
	"			sum += a[y * 17 + i] * b[i * 16 + x];\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	}\n"
	"	out[row * n + col] = sum;\n"
	"}\n";

struct carry_probe {
	const struct device_ops *ops;
	struct device *d;
	struct device_region *image, *stage, *in, *out;
	struct device_buffer *image_buffer, *stage_buffer, *in_buffer, *out_buffer;
	struct device_program *program;
};

static enum edge_status region(struct carry_probe *p, uint32_t space, uint64_t bytes, struct device_region **r,
			       struct device_buffer **b, struct failure *f)
{
	enum edge_status st = p->ops->region_create(p->d, space, bytes, NULL, r, f);

	return st == EDGE_OK ? p->ops->buffer_create(p->d, *r, 0, bytes, b, f) : st;
}

static enum edge_status prepare(struct carry_probe *p, struct failure *f)
{
	struct device_code code = { .source = source, .options = "-cl-std=CL1.2" };
	enum edge_status st;

	if ((st = region(p, EDGE_SPACE_IMAGE, IMAGE_BYTES, &p->image, &p->image_buffer, f)) != EDGE_OK ||
	    (st = region(p, EDGE_SPACE_DEVICE, IMAGE_BYTES, &p->stage, &p->stage_buffer, f)) != EDGE_OK ||
	    (st = region(p, EDGE_SPACE_DEVICE, sizeof(float) * SIDE * INNER, &p->in, &p->in_buffer, f)) != EDGE_OK ||
	    (st = region(p, EDGE_SPACE_DEVICE, sizeof(float) * ITEMS, &p->out, &p->out_buffer, f)) != EDGE_OK)
		return st;
	return p->ops->program_build(p->d, &code, &p->program, f);
}

static void clean(struct carry_probe *p)
{
	p->ops->program_destroy(p->d, p->program);
	p->ops->buffer_destroy(p->d, p->image_buffer);
	p->ops->buffer_destroy(p->d, p->stage_buffer);
	p->ops->buffer_destroy(p->d, p->in_buffer);
	p->ops->buffer_destroy(p->d, p->out_buffer);
	p->ops->region_destroy(p->d, p->image);
	p->ops->region_destroy(p->d, p->stage);
	p->ops->region_destroy(p->d, p->in);
	p->ops->region_destroy(p->d, p->out);
}

/* Least seconds of a launch whose work-items move `each` texels; a first one is not counted. */
static enum edge_status time_each(struct carry_probe *p, const char *kernel, uint32_t index, int each, double *seconds,
				  struct failure *f)
{
	struct device_argument arg[] = {
		{ .kind = EDGE_PARAM_IMAGE, .buffer = p->image_buffer },
		{ .kind = EDGE_PARAM_GLOBAL, .buffer = p->stage_buffer },
		{ .kind = EDGE_PARAM_I32, .value.i = each ? ITEMS * each - 1 : 0 },
		{ .kind = EDGE_PARAM_I32, .value.i = each },
		{ .kind = EDGE_PARAM_GLOBAL, .buffer = p->in_buffer },
		{ .kind = EDGE_PARAM_GLOBAL, .buffer = p->out_buffer },
	};
	struct device_launch_request request = { .program = p->program, .kernel = kernel, .kernel_index = index, .arg = arg,
						 .arg_count = 6, .global = { SIDE, SIDE, 1 }, .local = { 16, 16, 1 } };
	struct device_launch *launch = NULL;
	enum edge_status st = p->ops->launch_create(p->d, &request, &launch, f);
	int launches = 1;

	*seconds = 0;
	for (int try = -1; try < TRIES && st == EDGE_OK; try++) {
		int64_t start = rt_now();
		double took;

		for (int i = 0; i < launches && st == EDGE_OK; i++)
			st = p->ops->submit(p->d, launch, NULL, f);
		if (st == EDGE_OK)
			st = p->ops->finish(p->d, f);
		took = (double)(rt_now() - start) / 1e9 / launches;
		if (try <= 0 || took < *seconds)
			*seconds = took;
		if (try < 0 && took < LONG_NS / 1e9)
			launches = LAUNCHES;
	}
	if (launch)
		p->ops->launch_destroy(p->d, launch);
	return st;
}

/* Between the last number of texels that is within the limit and the first that is not, as on a line. */
static enum edge_status measure(struct carry_probe *p, const char *kernel, uint32_t index, double growth, double *capacity,
				struct failure *f)
{
	double alone, last, now = 0, texels = 0;
	enum edge_status st = time_each(p, kernel, index, 0, &alone, f);

	last = alone;
	for (int each = 1, before = 0; st == EDGE_OK && each <= EACH_MOST; before = each, each *= 2, last = now) {
		if ((st = time_each(p, kernel, index, each, &now, f)) != EDGE_OK)
			break;
		if (now < last)
			now = last;
		texels = each;
		if (now > alone * (1 + growth)) {
			texels = before + (each - before) * (alone * (1 + growth) - last) / (now - last);
			break;
		}
	}
	*capacity = alone > 0 ? texels * ITEMS * EDGE_PLAN_TEXEL / alone : 0;
	return st;
}

static enum edge_status measure_upload(struct carry_probe *p, double *rate, struct failure *f)
{
	void *bytes = rt_alloc(UPLOAD_BYTES, 1);
	enum edge_status st = EDGE_OK;
	double best = 0;

	if (!bytes)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	for (int i = 0; i < 2 * TRIES && st == EDGE_OK; i++) {
		int64_t start = rt_now();
		double took;

		st = p->ops->upload(p->d, p->image, (uint64_t)(i % 4) * UPLOAD_BYTES, bytes, UPLOAD_BYTES, f);
		took = (double)(rt_now() - start) / 1e9;
		if (i == 0 || took < best)
			best = took;
	}
	rt_free(bytes);
	*rate = best > 0 ? UPLOAD_BYTES / best : 0;
	return st;
}

enum edge_status probe_carry(const struct device_ops *ops, struct device *d, struct probe_carry *out, struct failure *f)
{
	struct carry_probe p = { .ops = ops, .d = d };
	enum edge_status st = prepare(&p, f);

	*out = (struct probe_carry){ 0 };
	if (st == EDGE_UNSUPPORTED) { /* no images: then nothing is carried there */
		rt_failure_clear(f);
		st = EDGE_OK;
	} else if (st == EDGE_OK && (st = measure(&p, "elementwise", 0, ELEMENTWISE_GROWTH, &out->elementwise, f)) == EDGE_OK &&
		   (st = measure(&p, "reusable", 1, REUSABLE_GROWTH, &out->reusable, f)) == EDGE_OK) {
		st = measure_upload(&p, &out->upload, f);
	}
	clean(&p);
	return st;
}
