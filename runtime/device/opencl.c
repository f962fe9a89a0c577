/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl.c - the OpenCL backend.
 *
 * One in-order queue carries the steps; a second one, made only for devices
 * with memory of their own, carries uploads. On a CPU, regions are host memory
 * that the driver uses in place, so the I/O thread reads files straight into
 * what kernels see. A plan's buffer is a sub-buffer of its region: creating it
 * once means that a launch has all of its arguments set for good.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "device/cl_cache.h"
#include "device/cl_loader.h"
#include "device/opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLATFORMS = 16, MAX_DEVICES = 64 };

struct device {
	const struct cl_api *cl;
	cl_device_id id;
	cl_context context;
	cl_command_queue queue, uploads;
	struct device_info info;
	char name[256], driver[256], platform[256];
	bool profile, gpu_kernels;
	struct cl_cache cache;
	/* the first profiled command: when it was queued on both clocks */
	cl_event anchor;
	int64_t anchor_host;
};

struct device_region {
	cl_mem mem;
	uint64_t bytes;
	bool image;
};

struct device_buffer {
	cl_mem mem;
};

struct device_program {
	cl_program program;
};

struct device_launch {
	cl_kernel kernel;
	size_t global[3], local[3];
	bool any_local; /* the driver chooses */
};

static enum edge_status failed(struct failure *f, const char *call, cl_int code)
{
	return rt_fail(f, EDGE_DEVICE, "%s failed: %s", call, cl_error_name(code));
}

/* ---- finding a device */

struct candidate {
	cl_device_id id;
	cl_device_type type;
	char name[256], driver[256], platform[256];
	struct device_info info;
};

static void describe(const struct cl_api *cl, cl_platform_id platform, struct candidate *c)
{
	cl_ulong memory = 0, largest = 0;
	cl_uint units = 0;
	char vendor[128] = "", version[96] = "";

	cl->clGetDeviceInfo(c->id, CL_DEVICE_TYPE, sizeof(c->type), &c->type, NULL);
	cl->clGetDeviceInfo(c->id, CL_DEVICE_NAME, sizeof(c->name) - 1, c->name, NULL);
	cl->clGetDeviceInfo(c->id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL);
	cl->clGetDeviceInfo(c->id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(memory), &memory, NULL);
	cl->clGetDeviceInfo(c->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(largest), &largest, NULL);
	cl->clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(vendor) - 1, vendor, NULL);
	cl->clGetPlatformInfo(platform, CL_PLATFORM_VERSION, sizeof(c->platform) - 1, c->platform,
			      NULL);
	cl->clGetDeviceInfo(c->id, CL_DRIVER_VERSION, sizeof(version) - 1, version, NULL);
	snprintf(c->driver, sizeof(c->driver), "%s %s", vendor, version);
	c->info = (struct device_info){
		.backend = "opencl",
		.name = c->name,
		.driver = c->driver,
		.threads = units,
		.unified = (c->type & CL_DEVICE_TYPE_CPU) != 0,
		.memory_bytes = memory,
		.max_region_bytes = largest,
	};
}

/* Calls visit for every device of every platform. */
static enum edge_status each_device(const struct cl_api *cl,
				    void (*visit)(void *, struct candidate *), void *ctx,
				    struct failure *f)
{
	cl_platform_id platform[MAX_PLATFORMS];
	cl_device_id device[MAX_DEVICES];
	cl_uint platforms = 0, devices, p, d;
	cl_int code = cl->clGetPlatformIDs(MAX_PLATFORMS, platform, &platforms);

	if (code == -1001 || (code == CL_SUCCESS && platforms == 0))
		return rt_fail(f, EDGE_DEVICE,
			       "no OpenCL driver: the loader knows of none; install a driver such "
			       "as pocl-opencl-icd");
	if (code != CL_SUCCESS)
		return failed(f, "clGetPlatformIDs", code);
	for (p = 0; p < platforms && p < MAX_PLATFORMS; p++) {
		devices = 0;
		if (cl->clGetDeviceIDs(platform[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, device,
				       &devices) != CL_SUCCESS)
			continue; /* a platform without a device */
		for (d = 0; d < devices && d < MAX_DEVICES; d++) {
			struct candidate c = { .id = device[d] };

			describe(cl, platform[p], &c);
			visit(ctx, &c);
		}
	}
	return EDGE_OK;
}

struct listing {
	void (*visit)(void *ctx, const struct device_info *);
	void *ctx;
};

static void list_one(void *ctx, struct candidate *c)
{
	struct listing *l = ctx;

	l->visit(l->ctx, &c->info);
}

static enum edge_status opencl_list(void (*visit)(void *, const struct device_info *), void *ctx,
				    struct failure *f)
{
	struct listing l = { visit, ctx };
	const struct cl_api *cl = cl_load(f);

	return cl ? each_device(cl, list_one, &l, f) : f->status;
}

struct choice {
	const struct device_request *request;
	struct candidate best;
	int score; /* 0: none yet */
};

static void choose(void *ctx, struct candidate *c)
{
	struct choice *choice = ctx;
	cl_device_type wanted = choice->request->kernel_style == EDGE_KERNELS_GPU
					? CL_DEVICE_TYPE_GPU
					: CL_DEVICE_TYPE_CPU;
	int score = c->type & wanted ? 2 : 1;

	if (choice->request->name && !strstr(c->name, choice->request->name))
		return;
	if (score > choice->score) {
		choice->best = *c;
		choice->score = score;
	}
}

/* ---- life */

static void opencl_close(struct device *d)
{
	if (!d)
		return;
	if (d->anchor)
		d->cl->clReleaseEvent(d->anchor);
	if (d->uploads)
		d->cl->clReleaseCommandQueue(d->uploads);
	if (d->queue)
		d->cl->clReleaseCommandQueue(d->queue);
	if (d->context)
		d->cl->clReleaseContext(d->context);
	cl_cache_close(&d->cache);
	rt_free(d);
}

static enum edge_status create_queues(struct device *d, struct failure *f)
{
	cl_int code;

	d->context = d->cl->clCreateContext(NULL, 1, &d->id, NULL, NULL, &code);
	if (!d->context)
		return failed(f, "clCreateContext", code);
	d->queue = d->cl->clCreateCommandQueue(d->context, d->id,
					       d->profile ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
	if (!d->queue)
		return failed(f, "clCreateCommandQueue", code);
	return EDGE_OK;
}

static enum edge_status opencl_open(const struct device_request *request, struct device **out,
				    struct failure *f)
{
	struct choice choice = { .request = request };
	const struct cl_api *cl = cl_load(f);
	enum edge_status st;
	struct device *d;
	char text[16];

	*out = NULL;
	if (!cl)
		return f->status;
	if (request->threads) {
		/* PoCL reads it when its first platform is asked for, once in a process */
		snprintf(text, sizeof(text), "%u", request->threads);
		setenv("POCL_MAX_PTHREAD_COUNT", text, 1);
		setenv("POCL_CPU_MAX_CU_COUNT", text, 1);
	}
	if ((st = each_device(cl, choose, &choice, f)) != EDGE_OK)
		return st;
	if (choice.score == 0)
		return request->name ? rt_fail(f, EDGE_DEVICE,
					       "no OpenCL device whose name contains \"%s\"",
					       request->name)
				     : rt_fail(f, EDGE_DEVICE,
					       "no OpenCL device: the driver offers none");
	if (!(d = rt_alloc(1, sizeof(*d))))
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	d->cl = cl;
	d->id = choice.best.id;
	d->profile = request->profile;
	d->gpu_kernels = request->kernel_style == EDGE_KERNELS_GPU;
	d->info = choice.best.info;
	memcpy(d->name, choice.best.name, sizeof(d->name));
	memcpy(d->driver, choice.best.driver, sizeof(d->driver));
	memcpy(d->platform, choice.best.platform, sizeof(d->platform));
	d->info.name = d->name;
	d->info.driver = d->driver;
	d->cache.folder = -1;
	if (!request->no_cache)
		cl_cache_open(&d->cache);
	if ((st = create_queues(d, f)) != EDGE_OK) {
		opencl_close(d);
		return st;
	}
	*out = d;
	return EDGE_OK;
}

static const struct device_info *opencl_info(const struct device *d)
{
	return &d->info;
}

/* ---- memory */

static void opencl_region_destroy(struct device *d, struct device_region *r)
{
	if (!r)
		return;
	if (r->mem)
		d->cl->clReleaseMemObject(r->mem);
	rt_free(r);
}

/* Why the device cannot have such an image; false: it can. */
static bool image_refused(struct device *d, uint64_t rows, struct failure *f)
{
	size_t width = 0, height = 0;
	cl_bool images = CL_FALSE;

	d->cl->clGetDeviceInfo(d->id, CL_DEVICE_IMAGE_SUPPORT, sizeof(images), &images, NULL);
	d->cl->clGetDeviceInfo(d->id, CL_DEVICE_IMAGE2D_MAX_WIDTH, sizeof(width), &width, NULL);
	d->cl->clGetDeviceInfo(d->id, CL_DEVICE_IMAGE2D_MAX_HEIGHT, sizeof(height), &height, NULL);
	if (!images) {
		rt_fail(f, EDGE_UNSUPPORTED,
			"the plan's weights are textures and device \"%s\" has no images; compile it "
			"with: weights buffer;",
			d->name);
		return true;
	}
	if (width >= EDGE_PLAN_IMAGE_WIDTH && height >= rows)
		return false;
	rt_fail(f, EDGE_UNSUPPORTED,
		"the plan needs an image of %d x %llu texels and device \"%s\" has at most %zu x %zu; "
		"compile it with: image %zu;",
		EDGE_PLAN_IMAGE_WIDTH, (unsigned long long)rows, d->name, width, height,
		width < height ? width : height);
	return true;
}

static cl_mem create_image(struct device *d, uint64_t bytes, cl_int *code)
{
	cl_image_format format = { CL_RGBA, CL_HALF_FLOAT };
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D,
			       .image_width = EDGE_PLAN_IMAGE_WIDTH,
			       .image_height = (size_t)(bytes / EDGE_PLAN_PAGE) };

	return d->cl->clCreateImage(d->context, CL_MEM_READ_WRITE, &format, &desc, NULL, code);
}

static enum edge_status opencl_region_create(struct device *d, uint32_t space, uint64_t bytes, void *host,
					     struct device_region **out, struct failure *f)
{
	struct device_region *r = rt_alloc(1, sizeof(*r));
	cl_int code;

	*out = NULL;
	if (!r)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	r->bytes = bytes;
	r->image = space == EDGE_SPACE_IMAGE;
	if (r->image) {
		if (image_refused(d, bytes / EDGE_PLAN_PAGE, f)) {
			rt_free(r);
			return f->status;
		}
		if (!(r->mem = create_image(d, bytes, &code))) {
			rt_free(r);
			return rt_fail(f, EDGE_MEMORY, "clCreateImage failed: %s for %llu bytes",
				       cl_error_name(code), (unsigned long long)bytes);
		}
		*out = r;
		return EDGE_OK;
	}
	r->mem = d->cl->clCreateBuffer(d->context,
				       CL_MEM_READ_WRITE | (host ? CL_MEM_USE_HOST_PTR : 0),
				       (size_t)bytes, host, &code);
	if (!r->mem) {
		rt_free(r);
		return rt_fail(f, EDGE_MEMORY,
			       "clCreateBuffer failed: %s for %llu bytes; the device takes at most "
			       "%llu at once",
			       cl_error_name(code), (unsigned long long)bytes,
			       (unsigned long long)d->info.max_region_bytes);
	}
	*out = r;
	return EDGE_OK;
}

static void opencl_buffer_destroy(struct device *d, struct device_buffer *b)
{
	if (!b)
		return;
	if (b->mem)
		d->cl->clReleaseMemObject(b->mem);
	rt_free(b);
}

static enum edge_status opencl_buffer_create(struct device *d, struct device_region *r,
					     uint64_t offset, uint64_t bytes,
					     struct device_buffer **out, struct failure *f)
{
	cl_buffer_region range = { (size_t)offset, (size_t)bytes };
	struct device_buffer *b = rt_alloc(1, sizeof(*b));
	cl_int code;

	*out = NULL;
	if (!b)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	if (r->image) { /* a part of an image is the image and a texel, which the kernel is given */
		if ((code = d->cl->clRetainMemObject(r->mem)) != CL_SUCCESS) {
			rt_free(b);
			return failed(f, "clRetainMemObject", code);
		}
		b->mem = r->mem;
		*out = b;
		return EDGE_OK;
	}
	b->mem = d->cl->clCreateSubBuffer(r->mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
					  &range, &code);
	if (!b->mem) {
		rt_free(b);
		return rt_fail(f, EDGE_DEVICE, "clCreateSubBuffer failed: %s at offset %llu",
			       cl_error_name(code), (unsigned long long)offset);
	}
	*out = b;
	return EDGE_OK;
}

/* ---- code */

static void opencl_program_destroy(struct device *d, struct device_program *p)
{
	if (!p)
		return;
	if (p->program)
		d->cl->clReleaseProgram(p->program);
	rt_free(p);
}

/* The driver's words in one line, as many as fit the record. */
static enum edge_status build_failed(struct device *d, cl_program program, cl_int code,
				     struct failure *f)
{
	size_t size = 0;
	char *log;

	d->cl->clGetProgramBuildInfo(program, d->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
	log = rt_alloc(size + 1, 1);
	if (log)
		d->cl->clGetProgramBuildInfo(program, d->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
	for (char *c = log; c && *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	rt_fail(f, EDGE_DEVICE, "clBuildProgram failed: %s: %s", cl_error_name(code),
		log ? log : "");
	rt_free(log);
	return EDGE_DEVICE;
}

static enum edge_status build_from_source(struct device *d, const struct device_code *source,
					  cl_program *out, struct failure *f)
{
	enum edge_status st;
	cl_program program;
	cl_int code;

	program = d->cl->clCreateProgramWithSource(
		d->context, 1, (const char **)(uintptr_t)&source->source, NULL, &code);
	if (!program)
		return failed(f, "clCreateProgramWithSource", code);
	code = d->cl->clBuildProgram(program, 1, &d->id, source->options, NULL, NULL);
	if (code != CL_SUCCESS) {
		st = build_failed(d, program, code, f);
		d->cl->clReleaseProgram(program);
		return st;
	}
	*out = program;
	return EDGE_OK;
}

/* NULL: none was kept, or the driver does not want it any more. */
static cl_program build_from_cache(struct device *d, const struct cl_cache_key *key,
				   const char *options)
{
	cl_int state = CL_SUCCESS, code = CL_SUCCESS;
	cl_program program;
	size_t bytes;
	unsigned char *binary = cl_cache_get(&d->cache, key, &bytes);

	if (!binary)
		return NULL;
	program = d->cl->clCreateProgramWithBinary(d->context, 1, &d->id, &bytes,
						   (const unsigned char **)&binary, &state, &code);
	rt_free(binary);
	if (program && state == CL_SUCCESS && code == CL_SUCCESS &&
	    d->cl->clBuildProgram(program, 1, &d->id, options, NULL, NULL) == CL_SUCCESS)
		return program;
	if (program)
		d->cl->clReleaseProgram(program);
	cl_cache_drop(&d->cache, key);
	return NULL;
}

/* Asking for the size makes PoCL finish its code here, not at each first launch. */
static void keep_binary(struct device *d, cl_program program, const struct cl_cache_key *key)
{
	unsigned char *binary;
	size_t bytes = 0;

	if (d->cl->clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(bytes), &bytes,
				    NULL) != CL_SUCCESS ||
	    bytes == 0 || !key || !(binary = rt_alloc(bytes, 1)))
		return;
	if (d->cl->clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL) ==
	    CL_SUCCESS)
		cl_cache_put(&d->cache, key, binary, bytes);
	rt_free(binary);
}

static enum edge_status opencl_program_build(struct device *d, const struct device_code *source,
					     struct device_program **out, struct failure *f)
{
	const char *identity[] = { source->source, source->options, d->platform, d->name,
				   d->driver };
	struct device_program *p = rt_alloc(1, sizeof(*p));
	struct cl_cache_key key;
	enum edge_status st;
	bool keyed;

	*out = NULL;
	if (!p)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	keyed = d->cache.folder >= 0 && cl_cache_key(&key, identity, 5);
	if (keyed && (p->program = build_from_cache(d, &key, source->options)) != NULL) {
		d->info.programs_cached++;
	} else if ((st = build_from_source(d, source, &p->program, f)) != EDGE_OK) {
		opencl_program_destroy(d, p);
		return st;
	} else {
		keep_binary(d, p->program, keyed ? &key : NULL);
	}
	*out = p;
	return EDGE_OK;
}

static void opencl_launch_destroy(struct device *d, struct device_launch *l)
{
	if (!l)
		return;
	if (l->kernel)
		d->cl->clReleaseKernel(l->kernel);
	rt_free(l);
}

static cl_int set_argument(struct device *d, cl_kernel kernel, cl_uint index,
			   const struct device_argument *arg)
{
	cl_long i64 = arg->value.i;
	cl_int i32 = (cl_int)arg->value.i;
	cl_float f32 = (cl_float)arg->value.f;

	switch (arg->kind) {
	case EDGE_PARAM_GLOBAL:
	case EDGE_PARAM_IMAGE:
		return d->cl->clSetKernelArg(kernel, index, sizeof(cl_mem), &arg->buffer->mem);
	case EDGE_PARAM_I32:
		return d->cl->clSetKernelArg(kernel, index, sizeof(i32), &i32);
	case EDGE_PARAM_I64:
		return d->cl->clSetKernelArg(kernel, index, sizeof(i64), &i64);
	case EDGE_PARAM_F32:
		return d->cl->clSetKernelArg(kernel, index, sizeof(f32), &f32);
	default:
		return CL_INVALID_ARG_VALUE;
	}
}

static enum edge_status fill_launch(struct device *d, struct device_launch *l,
				    const struct device_launch_request *request, struct failure *f)
{
	cl_uint count = 0, i;
	cl_int code;

	l->kernel = d->cl->clCreateKernel(request->program->program, request->kernel, &code);
	if (!l->kernel)
		return rt_fail(f, EDGE_DEVICE, "clCreateKernel failed: %s for kernel \"%s\"",
			       cl_error_name(code), request->kernel);
	if ((code = d->cl->clGetKernelInfo(l->kernel, CL_KERNEL_NUM_ARGS, sizeof(count), &count,
					   NULL)) != CL_SUCCESS)
		return failed(f, "clGetKernelInfo", code);
	if (count != request->arg_count)
		return rt_fail(f, EDGE_DEVICE, "kernel \"%s\" takes %u arguments and is given %u",
			       request->kernel, count, request->arg_count);
	for (i = 0; i < count; i++)
		if ((code = set_argument(d, l->kernel, i, &request->arg[i])) != CL_SUCCESS)
			return rt_fail(f, EDGE_DEVICE,
				       "clSetKernelArg failed: %s for argument %u of kernel \"%s\"",
				       cl_error_name(code), i, request->kernel);
	for (i = 0; i < 3; i++) {
		l->global[i] = request->global[i];
		l->local[i] = request->local[i];
	}
	l->any_local = d->gpu_kernels && l->local[0] * l->local[1] * l->local[2] == 1;
	return EDGE_OK;
}

static enum edge_status opencl_launch_create(struct device *d,
					     const struct device_launch_request *request,
					     struct device_launch **out, struct failure *f)
{
	struct device_launch *l = rt_alloc(1, sizeof(*l));
	enum edge_status st;

	*out = NULL;
	if (!l)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	if ((st = fill_launch(d, l, request, f)) != EDGE_OK)
		opencl_launch_destroy(d, l);
	else
		*out = l;
	return st;
}

/* ---- execution */

/* Where the next command's event goes: the fence, or the anchor while it is wanted. */
static cl_event *event_place(struct device *d, struct device_fence *fence, cl_event *own)
{
	*own = NULL;
	if (d->profile && !d->anchor) {
		d->anchor_host = rt_now();
		return own;
	}
	return fence ? own : NULL;
}

static void event_keep(struct device *d, struct device_fence *fence, cl_event own, bool anchor)
{
	if (anchor) {
		d->anchor = own;
		if (fence && d->cl->clRetainEvent(own) == CL_SUCCESS)
			fence->handle = own;
	} else if (fence) {
		fence->handle = own;
	}
}

static enum edge_status opencl_submit(struct device *d, struct device_launch *l,
				      struct device_fence *fence, struct failure *f)
{
	bool anchor = d->profile && !d->anchor;
	cl_event own, *place = event_place(d, fence, &own);
	cl_int code = d->cl->clEnqueueNDRangeKernel(d->queue, l->kernel, 3, NULL, l->global,
						    l->any_local ? NULL : l->local, 0, NULL, place);

	if (code != CL_SUCCESS)
		return failed(f, "clEnqueueNDRangeKernel", code);
	event_keep(d, fence, own, anchor);
	return EDGE_OK;
}

static enum edge_status opencl_write(struct device *d, struct device_region *r, uint64_t offset,
				     const void *bytes, uint64_t size, struct device_fence *fence,
				     struct failure *f)
{
	bool anchor = d->profile && !d->anchor;
	cl_event own, *place = event_place(d, fence, &own);
	cl_int code = d->cl->clEnqueueWriteBuffer(d->queue, r->mem, CL_FALSE, (size_t)offset,
						  (size_t)size, bytes, 0, NULL, place);

	if (code != CL_SUCCESS)
		return failed(f, "clEnqueueWriteBuffer", code);
	event_keep(d, fence, own, anchor);
	return EDGE_OK;
}

static enum edge_status opencl_read(struct device *d, struct device_region *r, uint64_t offset,
				    void *bytes, uint64_t size, struct device_fence *fence,
				    struct failure *f)
{
	bool anchor = d->profile && !d->anchor;
	cl_event own, *place = event_place(d, fence, &own);
	cl_int code = d->cl->clEnqueueReadBuffer(d->queue, r->mem, CL_FALSE, (size_t)offset,
						 (size_t)size, bytes, 0, NULL, place);

	if (code != CL_SUCCESS)
		return failed(f, "clEnqueueReadBuffer", code);
	event_keep(d, fence, own, anchor);
	return EDGE_OK;
}

static enum edge_status opencl_mark(struct device *d, struct device_fence *fence, struct failure *f)
{
	cl_event event;
	cl_int code = d->cl->clEnqueueMarkerWithWaitList(d->queue, 0, NULL, &event);

	if (code != CL_SUCCESS)
		return failed(f, "clEnqueueMarkerWithWaitList", code);
	fence->handle = event;
	return EDGE_OK;
}

static enum edge_status opencl_flush(struct device *d, struct failure *f)
{
	cl_int code = d->cl->clFlush(d->queue);

	return code == CL_SUCCESS ? EDGE_OK : failed(f, "clFlush", code);
}

static enum edge_status opencl_finish(struct device *d, struct failure *f)
{
	cl_int code = d->cl->clFinish(d->queue);

	return code == CL_SUCCESS ? EDGE_OK : failed(f, "clFinish", code);
}

static enum edge_status opencl_fence_wait(struct device *d, const struct device_fence *fence,
					  struct failure *f)
{
	cl_event event = fence->handle;
	cl_int code = d->cl->clWaitForEvents(1, &event);

	return code == CL_SUCCESS ? EDGE_OK : failed(f, "clWaitForEvents", code);
}

static void opencl_fence_reset(struct device *d, struct device_fence *fence)
{
	if (fence->handle)
		d->cl->clReleaseEvent(fence->handle);
	fence->handle = NULL;
}

static enum edge_status opencl_fence_times(struct device *d, const struct device_fence *fence,
					   int64_t *start, int64_t *end, struct failure *f)
{
	cl_ulong queued = 0, began = 0, ended = 0;
	cl_event event = fence->handle;
	cl_int code = CL_INVALID_EVENT;

	if (d->anchor)
		code = d->cl->clGetEventProfilingInfo(d->anchor, CL_PROFILING_COMMAND_QUEUED,
						      sizeof(queued), &queued, NULL);
	if (code == CL_SUCCESS)
		code = d->cl->clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START,
						      sizeof(began), &began, NULL);
	if (code == CL_SUCCESS)
		code = d->cl->clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END,
						      sizeof(ended), &ended, NULL);
	if (code != CL_SUCCESS)
		return failed(f, "clGetEventProfilingInfo", code);
	*start = d->anchor_host + (int64_t)(began - queued);
	*end = d->anchor_host + (int64_t)(ended - queued);
	return EDGE_OK;
}

/* Only the uploading thread uses the second queue, so it may be made here. */
static enum edge_status opencl_upload(struct device *d, struct device_region *r, uint64_t offset,
				      const void *bytes, uint64_t size, struct failure *f)
{
	cl_int code = CL_SUCCESS;

	if (!d->uploads) {
		d->uploads = d->cl->clCreateCommandQueue(d->context, d->id, 0, &code);
		if (!d->uploads)
			return failed(f, "clCreateCommandQueue", code);
	}
	if (r->image) {
		size_t origin[3] = { 0, (size_t)(offset / EDGE_PLAN_PAGE), 0 };
		size_t extent[3] = { EDGE_PLAN_IMAGE_WIDTH, (size_t)(size / EDGE_PLAN_PAGE), 1 };

		code = d->cl->clEnqueueWriteImage(d->uploads, r->mem, CL_TRUE, origin, extent, 0, 0,
						  bytes, 0, NULL, NULL);
		return code == CL_SUCCESS ? EDGE_OK : failed(f, "clEnqueueWriteImage", code);
	}
	code = d->cl->clEnqueueWriteBuffer(d->uploads, r->mem, CL_TRUE, (size_t)offset,
					   (size_t)size, bytes, 0, NULL, NULL);
	return code == CL_SUCCESS ? EDGE_OK : failed(f, "clEnqueueWriteBuffer", code);
}

const struct device_ops opencl_ops = {
	.name = "opencl",
	.backend = EDGE_BACKEND_OPENCL,
	.list = opencl_list,
	.open = opencl_open,
	.close = opencl_close,
	.info = opencl_info,
	.region_create = opencl_region_create,
	.region_destroy = opencl_region_destroy,
	.buffer_create = opencl_buffer_create,
	.buffer_destroy = opencl_buffer_destroy,
	.program_build = opencl_program_build,
	.program_destroy = opencl_program_destroy,
	.launch_create = opencl_launch_create,
	.launch_destroy = opencl_launch_destroy,
	.submit = opencl_submit,
	.write = opencl_write,
	.read = opencl_read,
	.mark = opencl_mark,
	.flush = opencl_flush,
	.finish = opencl_finish,
	.fence_wait = opencl_fence_wait,
	.fence_reset = opencl_fence_reset,
	.fence_times = opencl_fence_times,
	.upload = opencl_upload,
};
