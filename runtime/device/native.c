/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native.c - the driverless backend: kernels are machine code in the plan.
 *
 * The block is mapped from the plan file read-only and executable; it is never
 * writable and nothing is loaded beside it. Device memory is the host's, so a
 * buffer is a pointer and a launch is a call: submit() runs the kernel on the
 * pool and returns when it is done, and every fence is complete at once.
 */
#include "config.h"

#include "device/native.h"

#include "base/clock.h"
#include "base/memory.h"
#include "device/isa.h"
#include "device/pool.h"

#include <string.h>

/* A launch with less of both takes a thread about a microsecond, which is what it costs to have a second one help. */
enum { ALONE_FLOPS = 100000, ALONE_BYTES = 32 << 10 };

typedef void (*native_entry)(const uint64_t *arg, const uint64_t *range);

struct device {
	struct device_info info;
	struct pool *pool;
	struct rt_account memory; /* of regions that have no host memory of the caller's */
};

struct device_region {
	uint8_t *at;
	uint64_t bytes;
	bool mapped; /* ours */
};

struct device_buffer {
	uint8_t *at;
};

struct device_program {
	const uint8_t *block;
	const uint64_t *entry;
	uint32_t entry_count;
};

struct device_launch {
	native_entry entry;
	uint64_t global[3], count;
	bool alone; /* over before another thread would have begun */
	uint64_t arg[];
};

static void describe(struct device_info *info, uint32_t threads)
{
	*info = (struct device_info){ .backend = "native", .name = isa_cpu_name(), .driver = "none", .threads = threads,
				      .unified = true, .max_region_bytes = (uint64_t)1 << 46 };
}

static enum edge_status native_list(void (*visit)(void *ctx, const struct device_info *), void *ctx, struct failure *f)
{
	struct device_info info;

	(void)f;
	describe(&info, pool_usable_cpus());
	visit(ctx, &info);
	return EDGE_OK;
}

static void native_close(struct device *d)
{
	if (!d)
		return;
	pool_close(d->pool);
	rt_free(d);
}

static enum edge_status native_open(const struct device_request *request, struct device **out, struct failure *f)
{
	struct device *d = rt_alloc(1, sizeof *d);
	enum edge_status st;

	*out = NULL;
	if (request->name && !strstr("native", request->name) && !strstr(isa_cpu_name(), request->name)) {
		rt_free(d);
		return rt_fail(f, EDGE_DEVICE, "no native device is called \"%s\"; this CPU is %s", request->name,
			       isa_cpu_name());
	}
	if (!d)
		return rt_fail(f, EDGE_MEMORY, "could not allocate the device's record");
	st = pool_open(request->threads, request->pin, &d->pool, f);
	if (st != EDGE_OK) {
		native_close(d);
		return st;
	}
	if (request->streams)
		pool_give_way(d->pool);
	describe(&d->info, pool_threads(d->pool));
	*out = d;
	return EDGE_OK;
}

static const struct device_info *native_info(const struct device *d)
{
	return &d->info;
}

static enum edge_status native_region_create(struct device *d, uint32_t space, uint64_t bytes, void *host, struct device_region **out,
					     struct failure *f)
{
	struct device_region *r;

	*out = NULL;
	if (space != EDGE_SPACE_DEVICE)
		return rt_fail(f, EDGE_UNSUPPORTED, "native code has no images");
	if (!(r = rt_alloc(1, sizeof *r)))
		return rt_fail(f, EDGE_MEMORY, "could not allocate a region's record");
	r->bytes = bytes;
	r->at = host;
	if (!host) {
		r->at = rt_map(&d->memory, RT_DEVICE, bytes);
		r->mapped = true;
		if (!r->at) {
			rt_free(r);
			return rt_fail_errno(f, EDGE_MEMORY, "could not allocate a region of %llu bytes",
					     (unsigned long long)bytes);
		}
	}
	*out = r;
	return EDGE_OK;
}

static void native_region_destroy(struct device *d, struct device_region *r)
{
	if (!r)
		return;
	if (r->mapped)
		rt_unmap(&d->memory, RT_DEVICE, r->at, r->bytes);
	rt_free(r);
}

static enum edge_status native_buffer_create(struct device *d, struct device_region *r, uint64_t offset,
					     uint64_t bytes, struct device_buffer **out, struct failure *f)
{
	struct device_buffer *b = rt_alloc(1, sizeof *b);

	(void)d;
	(void)bytes;
	*out = b;
	if (!b)
		return rt_fail(f, EDGE_MEMORY, "could not allocate a buffer's record");
	b->at = r->at + offset;
	return EDGE_OK;
}

static void native_buffer_destroy(struct device *d, struct device_buffer *b)
{
	(void)d;
	rt_free(b);
}

static enum edge_status native_program_build(struct device *d, const struct device_code *code,
					     struct device_program **out, struct failure *f)
{
	struct device_program *p = rt_alloc(1, sizeof *p);

	(void)d;
	*out = p;
	if (!p)
		return rt_fail(f, EDGE_MEMORY, "could not allocate a program's record");
	*p = (struct device_program){ code->block, code->entry, code->entry_count };
	return EDGE_OK;
}

static void native_program_destroy(struct device *d, struct device_program *p)
{
	(void)d;
	rt_free(p);
}

static uint64_t argument_word(const struct device_argument *a)
{
	float x;
	uint32_t bits;

	switch (a->kind) {
	case EDGE_PARAM_GLOBAL: return (uint64_t)(uintptr_t)a->buffer->at;
	case EDGE_PARAM_F32:
		x = (float)a->value.f;
		memcpy(&bits, &x, sizeof bits);
		return bits;
	default: return (uint64_t)a->value.i;
	}
}

static enum edge_status native_launch_create(struct device *d, const struct device_launch_request *q,
					     struct device_launch **out, struct failure *f)
{
	struct device_launch *l;
	const uint8_t *at;

	(void)d;
	*out = NULL;
	if (q->kernel_index >= q->program->entry_count)
		return rt_fail(f, EDGE_DEVICE, "kernel %s has no native code", q->kernel);
	if (q->local[0] != 1 || q->local[1] != 1 || q->local[2] != 1)
		return rt_fail(f, EDGE_UNSUPPORTED, "kernel %s has work-groups of more than one work-item, which native code has not",
			       q->kernel);
	l = rt_alloc(1, sizeof *l + q->arg_count * sizeof l->arg[0]);
	if (!l)
		return rt_fail(f, EDGE_MEMORY, "could not allocate a launch's record");
	at = q->program->block + q->program->entry[q->kernel_index];
	memcpy(&l->entry, &at, sizeof at); /* ISO C has no cast from data to code */
	l->count = 1;
	for (int i = 0; i < 3; i++) {
		l->global[i] = q->global[i];
		l->count *= q->global[i];
	}
	l->alone = q->flops + q->bytes > 0 && q->flops < ALONE_FLOPS && q->bytes < ALONE_BYTES;
	if (l->count >> POOL_ITEM_BITS) {
		rt_free(l);
		return rt_fail(f, EDGE_UNSUPPORTED, "kernel %s has more than 2^%d work-items", q->kernel, (int)POOL_ITEM_BITS);
	}
	for (uint32_t i = 0; i < q->arg_count; i++)
		l->arg[i] = argument_word(&q->arg[i]);
	*out = l;
	return EDGE_OK;
}

static void native_launch_destroy(struct device *d, struct device_launch *l)
{
	(void)d;
	rt_free(l);
}

static void run_range(void *ctx, uint64_t begin, uint64_t end)
{
	const struct device_launch *l = ctx;
	const uint64_t range[5] = { begin, end, l->global[0], l->global[1], l->global[2] };

	l->entry(l->arg, range);
}

static enum edge_status native_submit(struct device *d, struct device_launch *l, struct device_fence *fence,
				      struct failure *f)
{
	(void)f;
	if (fence)
		fence->start = rt_now();
	if (l->alone)
		run_range(l, 0, l->count);
	else
		pool_run(d->pool, run_range, l, l->count);
	if (fence)
		fence->end = rt_now();
	return EDGE_OK;
}

enum { COPY_PIECE = 64 << 10 };

struct copy {
	uint8_t *to;
	const uint8_t *from;
	uint64_t size;
};

static void copy_range(void *ctx, uint64_t begin, uint64_t end)
{
	const struct copy *c = ctx;
	uint64_t first = begin * COPY_PIECE, last = end * COPY_PIECE;

	if (last > c->size)
		last = c->size;
	memcpy(c->to + first, c->from + first, last - first);
}

static enum edge_status copy_now(struct device *d, void *to, const void *from, uint64_t size, struct device_fence *fence)
{
	struct copy c = { to, from, size };

	if (fence)
		fence->start = rt_now();
	pool_run(d->pool, copy_range, &c, (size + COPY_PIECE - 1) / COPY_PIECE);
	if (fence)
		fence->end = rt_now();
	return EDGE_OK;
}

static enum edge_status native_write(struct device *d, struct device_region *r, uint64_t offset, const void *bytes,
				     uint64_t size, struct device_fence *fence, struct failure *f)
{
	(void)f;
	return copy_now(d, r->at + offset, bytes, size, fence);
}

static enum edge_status native_read(struct device *d, struct device_region *r, uint64_t offset, void *bytes,
				    uint64_t size, struct device_fence *fence, struct failure *f)
{
	(void)f;
	return copy_now(d, bytes, r->at + offset, size, fence);
}

/* Everything before it is done already. */
static enum edge_status native_mark(struct device *d, struct device_fence *fence, struct failure *f)
{
	(void)d;
	(void)f;
	fence->start = fence->end = rt_now();
	return EDGE_OK;
}

static enum edge_status native_nothing(struct device *d, struct failure *f)
{
	(void)d;
	(void)f;
	return EDGE_OK;
}

static enum edge_status native_fence_wait(struct device *d, const struct device_fence *fence, struct failure *f)
{
	(void)d;
	(void)fence;
	(void)f;
	return EDGE_OK;
}

static void native_fence_reset(struct device *d, struct device_fence *fence)
{
	(void)d;
	*fence = (struct device_fence){ 0 };
}

static enum edge_status native_fence_times(struct device *d, const struct device_fence *fence, int64_t *start,
					   int64_t *end, struct failure *f)
{
	(void)d;
	(void)f;
	*start = fence->start;
	*end = fence->end;
	return EDGE_OK;
}

static enum edge_status native_upload(struct device *d, struct device_region *r, uint64_t offset, const void *bytes,
				      uint64_t size, struct failure *f)
{
	return native_write(d, r, offset, bytes, size, NULL, f);
}

static void native_share(struct device *d, void (*work)(void *ctx, uint64_t begin, uint64_t end), void *ctx, uint64_t count)
{
	pool_run(d->pool, work, ctx, count);
}

const struct device_ops native_ops = {
	.name = "native",
	.backend = EDGE_BACKEND_NATIVE,
	.list = native_list,
	.open = native_open,
	.close = native_close,
	.info = native_info,
	.region_create = native_region_create,
	.region_destroy = native_region_destroy,
	.buffer_create = native_buffer_create,
	.buffer_destroy = native_buffer_destroy,
	.program_build = native_program_build,
	.program_destroy = native_program_destroy,
	.launch_create = native_launch_create,
	.launch_destroy = native_launch_destroy,
	.submit = native_submit,
	.write = native_write,
	.read = native_read,
	.mark = native_mark,
	.flush = native_nothing,
	.finish = native_nothing,
	.fence_wait = native_fence_wait,
	.fence_reset = native_fence_reset,
	.fence_times = native_fence_times,
	.upload = native_upload,
	.share = native_share,
};
