/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_harness.c - see kernel_harness.h.
 *
 * The few OpenCL calls needed are looked up by hand, so that tests link without
 * a loader and are skipped where there is none.
 */
#include "config.h"

#include "kernel_harness.h"

#include "eval_graph.h"
#include "kernel_native.h"
#include "codegen/native.h"
#include "tap.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	GUARD = 128,
	TEXEL = 48, /* where the weight starts in its image */
	IN_FLIGHT = 8 /* runs queued together when timing: waiting for one costs about 40 us */
};

#define CL_CALLS(X)                                                                                \
	X(clGetPlatformIDs) X(clGetDeviceIDs) X(clCreateContext) X(clCreateCommandQueue)           \
	X(clCreateProgramWithSource) X(clBuildProgram) X(clGetProgramBuildInfo) X(clCreateKernel)  \
	X(clCreateBuffer) X(clCreateSubBuffer) X(clReleaseMemObject) X(clSetKernelArg)             \
	X(clEnqueueNDRangeKernel) X(clFinish) X(clCreateImage) X(clEnqueueMapBuffer) X(clEnqueueUnmapMemObject)     \
	X(clReleaseKernel) X(clReleaseProgram) X(clReleaseCommandQueue) X(clReleaseContext)

static struct {
#define MEMBER(name) __typeof__(name) *name;
	CL_CALLS(MEMBER)
#undef MEMBER
	cl_context context;
	cl_device_id device;
	cl_command_queue queue;
	cl_program program;
} cl;

/* Not NULL: kernels run as native code instead, on the same memory. */
static struct kernel_native *native;

static bool device_open(void)
{
	cl_platform_id platform;
	cl_int err;
	void *lib = dlopen("libOpenCL.so.1", RTLD_NOW);

	if (!lib)
		return false;
#define LOOKUP(name)                                                                               \
	*(void **)&cl.name = dlsym(lib, #name);                                                    \
	if (!cl.name)                                                                              \
		return false;
	CL_CALLS(LOOKUP)
#undef LOOKUP
	setenv("POCL_WORK_GROUP_SPECIALIZATION", "0", 0);
	if (cl.clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
	    cl.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &cl.device, NULL) != CL_SUCCESS)
		return false;
	cl.context = cl.clCreateContext(NULL, 1, &cl.device, NULL, NULL, &err);
	if (err != CL_SUCCESS)
		return false;
	cl.queue = cl.clCreateCommandQueue(cl.context, cl.device, 0, &err);
	return err == CL_SUCCESS;
}

static void device_close(void)
{
	if (cl.program)
		cl.clReleaseProgram(cl.program);
	if (cl.queue)
		cl.clReleaseCommandQueue(cl.queue);
	if (cl.context)
		cl.clReleaseContext(cl.context);
	cl.program = NULL;
	cl.queue = NULL;
	cl.context = NULL;
}

/* ---- guarded memory ---- */

struct guarded {
	unsigned char *host; /* GUARD bytes, data, GUARD bytes */
	size_t bytes;
	cl_mem whole, data;
	bool image; /* data alone */
};

static struct guarded guarded_new(size_t bytes)
{
	size_t all = (GUARD + bytes + GUARD + 4095) / 4096 * 4096;
	struct guarded b = { .bytes = bytes };
	cl_buffer_region r = { GUARD, bytes ? bytes : 1 };
	cl_int err;

	if (posix_memalign((void **)&b.host, 4096, all) != 0)
		abort();
	memset(b.host, 0xff, all);
	if (native)
		return b;
	b.whole = cl.clCreateBuffer(cl.context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, all, b.host, &err);
	if (err == CL_SUCCESS)
		b.data = cl.clCreateSubBuffer(b.whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &r, &err);
	if (err != CL_SUCCESS) {
		printf("# clCreateBuffer of %zu bytes: %d\n", bytes, err);
		abort();
	}
	return b;
}

/* Lets the host see what the device wrote; a no-op where memory is shared. */
static void guarded_sync(const struct guarded *b)
{
	void *p;

	if (native)
		return;
	p = cl.clEnqueueMapBuffer(cl.queue, b->whole, CL_TRUE, CL_MAP_READ, 0, GUARD + b->bytes + GUARD, 0, NULL,
					NULL, NULL);

	cl.clEnqueueUnmapMemObject(cl.queue, b->whole, p, 0, NULL, NULL);
	cl.clFinish(cl.queue);
}

static bool guarded_free(struct guarded *b)
{
	bool intact = true;
	size_t i;

	if (b->image) {
		cl.clReleaseMemObject(b->data);
		memset(b, 0, sizeof *b);
	}
	if (!b->host)
		return true;
	guarded_sync(b);
	for (i = 0; i < GUARD; i++)
		intact &= b->host[i] == 0xff && b->host[GUARD + b->bytes + i] == 0xff;
	if (!native) {
		cl.clReleaseMemObject(b->data);
		cl.clReleaseMemObject(b->whole);
	}
	free(b->host);
	memset(b, 0, sizeof *b);
	return intact;
}

static unsigned char *guarded_data(const struct guarded *b)
{
	return b->host + GUARD;
}

/* ---- cases ---- */

void harness_init(struct harness *h, enum target_kernels kernels)
{
	memset(h, 0, sizeof *h);
	diag_init(&h->diag, &h->arena, stderr);
	h->target = (struct target){ .name = "test", .backend = TARGET_OPENCL, .kernels = kernels, .align = 128,
				     .unified = true, .max_region_bytes = 1u << 30 };
}

struct harness_case *harness_graph(struct harness *h, const char *name, struct graph *g)
{
	vec_push(&h->arena, &h->cases,
		 (struct harness_case){ .name = arena_strdup(&h->arena, name), .g = g, .target = h->target, .tolerance = 1e-5, .low = -1,
					.high = 1, .ilow = -4, .ihigh = 4 });
	if (g)
		h->cases.data[h->cases.len - 1].input = arena_new_array(&h->arena, const void *, g->inputs.len);
	return &h->cases.data[h->cases.len - 1];
}

struct harness_case *harness_text(struct harness *h, const char *name, const char *text)
{
	char *all = arena_printf(&h->arena, "graph \"case\"\n%s", text);
	uint32_t file = diag_add_file(&h->diag, arena_strdup(&h->arena, name), all, strlen(all));
	struct graph *g = graph_read(&h->arena, &h->diag, file);

	if (g && !graph_verify(g, &h->diag))
		g = NULL;
	return harness_graph(h, name, g);
}

struct harness_case *harness_textf(struct harness *h, const char *name, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = arena_vprintf(&h->arena, fmt, ap);
	va_end(ap);
	return harness_text(h, name, text);
}

void harness_input(struct harness *h, struct harness_case *c, uint32_t i, const void *data)
{
	c->input[i] = arena_copy(&h->arena, data, eval_bytes(c->g, c->g->inputs.data[i]));
}

static uint32_t random_state = 12345;

static double random_unit(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) / 16777216.0;
}

static void fill_random(const struct harness_case *c, const struct value *v, void *out)
{
	int64_t n = shape_elements(&v->shape), i;

	for (i = 0; i < n; i++) {
		double x = c->low + (c->high - c->low) * random_unit();
		int64_t k = c->ilow + (int64_t)(random_unit() * (double)(c->ihigh - c->ilow + 1));

		switch (v->dtype) {
		case DTYPE_F32: ((float *)out)[i] = (float)x; break;
		case DTYPE_F16: ((uint16_t *)out)[i] = float_to_half((float)x); break;
		case DTYPE_I64: ((int64_t *)out)[i] = k; break;
		case DTYPE_I32: ((int32_t *)out)[i] = (int32_t)k; break;
		case DTYPE_I16: ((int16_t *)out)[i] = (int16_t)k; break;
		case DTYPE_I8: ((int8_t *)out)[i] = (int8_t)k; break;
		case DTYPE_U8: ((uint8_t *)out)[i] = (uint8_t)k; break;
		case DTYPE_BOOL: ((uint8_t *)out)[i] = random_unit() < 0.5; break;
		default: memset((char *)out + i * (int64_t)dtype_size(v->dtype), 0, dtype_size(v->dtype)); break;
		}
	}
}

/* ---- building: one program of all kernels ---- */

static bool build_program(struct harness *h)
{
	struct strbuf source = { 0 };
	struct map seen = { 0 };
	const char *text, *options = "";
	cl_int err;
	uint32_t i, k;

	for (i = 0; i < h->cases.len; i++) {
		const struct kernel_set *ks = h->cases.data[i].ks;

		if (!ks)
			continue;
		if (!source.len)
			strbuf_puts(&source, ks->prelude);
		options = ks->build_options;
		for (k = 0; k < ks->kernels.len; k++) {
			if (map_get(&seen, ks->kernels.data[k].name, NULL))
				continue;
			map_put(&h->arena, &seen, ks->kernels.data[k].name, 1);
			strbuf_puts(&source, ks->kernels.data[k].source);
		}
	}
	printf("# %u kernels\n", seen.len);
	if (getenv("HARNESS_DUMP")) {
		FILE *f = fopen(getenv("HARNESS_DUMP"), "w");

		if (f) {
			fputs(strbuf_str(&source), f);
			fclose(f);
		}
	}
	if (h->quick)
		options = arena_printf(&h->arena, "%s -cl-opt-disable", options);
	text = strbuf_str(&source);
	cl.program = cl.clCreateProgramWithSource(cl.context, 1, &text, NULL, &err);
	if (err == CL_SUCCESS)
		err = cl.clBuildProgram(cl.program, 1, &cl.device, options, NULL, NULL);
	strbuf_free(&source);
	if (err == CL_SUCCESS)
		return true;
	char *log = calloc(1, 1 << 16);
	cl.clGetProgramBuildInfo(cl.program, cl.device, CL_PROGRAM_BUILD_LOG, (1 << 16) - 1, log, NULL);
	printf("# could not build the kernels: %d\n# %s\n", err, log);
	free(log);
	return false;
}

/* Every kernel once. */
static bool left_out(const struct harness *h, uint32_t i)
{
	return h->cases.data[i].target.kernels == TARGET_GPU_KERNELS ||
	       (h->every_isa && h->isa != NATIVE_X86_64_V4_VNNI && h->isa != NATIVE_AARCH64 && i % 2 != h->isa % 2);
}

static uint32_t list_kernels(struct harness *h, const struct kernel ***out, const char **prelude)
{
	VEC(const struct kernel *) list = { 0 };
	struct map seen = { 0 };

	*prelude = "";
	for (uint32_t i = 0; i < h->cases.len; i++) {
		const struct kernel_set *ks = h->cases.data[i].ks;

		if (!ks || left_out(h, i))
			continue;
		*prelude = ks->prelude;
		for (uint32_t k = 0; k < ks->kernels.len; k++) {
			if (map_get(&seen, ks->kernels.data[k].name, NULL))
				continue;
			map_put(&h->arena, &seen, ks->kernels.data[k].name, 1);
			vec_push(&h->arena, &list, &ks->kernels.data[k]);
		}
	}
	*out = list.data;
	return list.len;
}

/* What was read from the text of the same kernel in another case; false: some are new. */
static bool known(struct harness *h, struct map *seen, struct kernel_set *ks)
{
	uint32_t where;

	for (uint32_t i = 0; i < ks->kernels.len; i++) {
		struct kernel *k = &ks->kernels.data[i];
		const struct kernel *before;

		if (!map_get(seen, k->name, &where))
			return false;
		before = &h->cases.data[where >> 8].ks->kernels.data[where & 255];
		k->param = before->param;
		k->param_count = before->param_count;
	}
	return true;
}

static void select_cases(struct harness *h)
{
	struct map seen = { 0 };

	for (uint32_t i = 0; i < h->cases.len; i++) {
		struct harness_case *c = &h->cases.data[i];

		if (!c->g || c->ks)
			continue;
		c->ks = codegen_select(&h->arena, c->g, &c->target, &h->diag);
		if (!c->ks || known(h, &seen, c->ks))
			continue;
		if (!codegen_check(&h->arena, c->ks, &h->diag))
			c->ks = NULL;
		for (uint32_t k = 0; c->ks && k < c->ks->kernels.len && k < 256; k++)
			map_put(&h->arena, &seen, c->ks->kernels.data[k].name, i << 8 | k);
	}
}

bool harness_build(struct harness *h)
{
	if (!device_open())
		return false;
	select_cases(h);
	return build_program(h);
}

bool harness_build_native(struct harness *h, const char **what)
{
	const struct kernel **kernels;
	const char *prelude;
	uint32_t count;

	select_cases(h);
	count = list_kernels(h, &kernels, &prelude);
	native = kernel_native_new(kernels, count, prelude, h->one_thread, what);
	if (native)
		*what = kernel_native_isa(native);
	return native != NULL;
}

/* ---- running ---- */

struct run {
	struct harness *h;
	struct harness_case *c;
	struct guarded *value; /* by root value; place[] says whose */
	value_id *place;
	bool divided; /* split launches, outputs in place */
	bool ok;
};

static struct guarded *value_buffer(struct run *r, value_id v)
{
	return &r->value[r->place[r->c->ks->alias[v]]];
}

static struct guarded weight_buffer(struct run *r, const struct weight *w, uint32_t first, uint32_t count, bool split)
{
	unsigned char *all = malloc(w->bytes + 1);
	struct guarded b;

	if (!all || !pack_weight(r->c->g, w, all, &r->h->diag))
		r->ok = false;
	if (w->bytes != w->granule_bytes * w->granules) {
		printf("# a weight's bytes are not its granules\n");
		r->ok = false;
	}
	if (!split) {
		first = 0;
		count = w->granules;
	}
	b = guarded_new(count * w->granule_bytes);
	memcpy(guarded_data(&b), all + first * w->granule_bytes, count * w->granule_bytes);
	free(all);
	return b;
}

/* Rows of 512 texels of four halves, NaN where the weight is not. */
static struct guarded texture_new(struct run *r, struct guarded *weight)
{
	size_t height = (TEXEL * 8 + weight->bytes + 4095) / 4096;
	cl_image_format format = { CL_RGBA, CL_HALF_FLOAT };
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 512, .image_height = height };
	unsigned char *all = malloc(height * 4096);
	struct guarded b = { .image = true };
	cl_int err;

	memset(all, 0xff, height * 4096);
	memcpy(all + TEXEL * 8, guarded_data(weight), weight->bytes);
	b.data = cl.clCreateImage(cl.context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, &format, &desc, all, &err);
	if (err != CL_SUCCESS) {
		printf("# clCreateImage of %zu rows: %d\n", height, err);
		r->ok = false;
	}
	free(all);
	guarded_free(weight);
	return b;
}

/* As native code takes it; own: what is made for this launch. */
static uint64_t argument_word(struct run *r, const struct kernel_arg *a, uint32_t first, uint32_t count,
			      struct guarded *own)
{
	float f32 = (float)a->f;
	uint32_t bits;

	switch (a->kind) {
	case ARG_VALUE:
		return (uintptr_t)guarded_data(value_buffer(r, a->id));
	case ARG_WEIGHT:
		*own = weight_buffer(r, &r->c->ks->weights.data[a->id], first, count, a->split);
		return (uintptr_t)guarded_data(own);
	case ARG_SCRATCH:
		*own = guarded_new((size_t)a->i);
		return (uintptr_t)guarded_data(own);
	case ARG_F32:
		memcpy(&bits, &f32, sizeof bits);
		return bits;
	case ARG_FIRST_GRANULE:
		return first;
	default:
		return (uint64_t)a->i;
	}
}

static cl_int set_arg(struct run *r, cl_kernel k, uint32_t i, const struct kernel_arg *a, uint32_t first,
		      uint32_t count, struct guarded *own)
{
	const struct kernel_set *ks = r->c->ks;
	cl_int i32 = (cl_int)a->i;
	cl_long i64 = a->i;
	cl_float f32 = (cl_float)a->f;

	switch (a->kind) {
	case ARG_VALUE:
		return cl.clSetKernelArg(k, i, sizeof(cl_mem), &value_buffer(r, a->id)->data);
	case ARG_WEIGHT:
		*own = weight_buffer(r, &ks->weights.data[a->id], first, count, a->split);
		if (ks->weights.data[a->id].packing.texture)
			*own = texture_new(r, own);
		return cl.clSetKernelArg(k, i, sizeof(cl_mem), &own->data);
	case ARG_SCRATCH:
		*own = guarded_new((size_t)a->i);
		return cl.clSetKernelArg(k, i, sizeof(cl_mem), &own->data);
	case ARG_I32:
		return cl.clSetKernelArg(k, i, sizeof i32, &i32);
	case ARG_I64:
		return cl.clSetKernelArg(k, i, sizeof i64, &i64);
	case ARG_F32:
		return cl.clSetKernelArg(k, i, sizeof f32, &f32);
	case ARG_TEXEL:
		i32 = TEXEL;
		return cl.clSetKernelArg(k, i, sizeof i32, &i32);
	case ARG_FIRST_GRANULE:
		i32 = (cl_int)first;
		return cl.clSetKernelArg(k, i, sizeof i32, &i32);
	case ARG_STATE: /* caches are tested with whole language models */
		break;
	}
	return CL_INVALID_VALUE;
}

static bool issue_native(struct run *r, const struct launch *l, uint32_t first, uint32_t count, struct guarded *own)
{
	uint32_t global[3] = { l->global[0], l->global[1], l->global[2] };
	uint64_t *word = calloc(l->arg_count + 1, sizeof *word);
	bool ok;

	if (l->split_dim >= 0)
		global[l->split_dim] = count;
	for (uint32_t i = 0; i < l->arg_count; i++)
		word[i] = argument_word(r, &l->arg[i], first, count, &own[i]);
	ok = kernel_native_run(native, r->c->ks->kernels.data[l->kernel].name, word, global);
	free(word);
	return ok;
}

static cl_int issue_cl(struct run *r, const struct launch *l, uint32_t first, uint32_t count, struct guarded *own)
{
	const struct kernel *k = &r->c->ks->kernels.data[l->kernel];
	size_t global[3] = { l->global[0], l->global[1], l->global[2] };
	size_t local[3] = { k->local[0], k->local[1], k->local[2] };
	cl_kernel kernel;
	cl_int err;
	uint32_t i;

	if (l->split_dim >= 0)
		global[l->split_dim] = count;
	kernel = cl.clCreateKernel(cl.program, k->name, &err);
	for (i = 0; err == CL_SUCCESS && i < l->arg_count; i++)
		err = set_arg(r, kernel, i, &l->arg[i], first, count, &own[i]);
	if (err == CL_SUCCESS)
		err = cl.clEnqueueNDRangeKernel(cl.queue, kernel, 3, NULL, global, local, 0, NULL, NULL);
	if (err == CL_SUCCESS)
		err = cl.clFinish(cl.queue);
	if (kernel)
		cl.clReleaseKernel(kernel);
	return err;
}

static void issue(struct run *r, const struct launch *l, uint32_t first, uint32_t count)
{
	const struct kernel *k = &r->c->ks->kernels.data[l->kernel];
	struct guarded *own = calloc(l->arg_count, sizeof *own);
	int err = native ? !issue_native(r, l, first, count, own) : issue_cl(r, l, first, count, own);
	uint32_t i;

	if (err) {
		printf("# %s: error %d\n", k->name, err);
		r->ok = false;
	}
	for (i = 0; i < l->arg_count; i++)
		if (!guarded_free(&own[i])) {
			printf("# %s wrote beyond its argument %u\n", k->name, i);
			r->ok = false;
		}
	free(own);
}

static void issue_all(struct run *r)
{
	const struct kernel_set *ks = r->c->ks;
	uint32_t i, k;

	for (i = 0; i < ks->launches.len && r->ok; i++) {
		const struct launch *l = &ks->launches.data[i];
		uint32_t n = l->split_dim >= 0 ? l->global[l->split_dim] : 1;

		for (k = 0; k < l->arg_count; k++)
			if (l->arg[k].split && ks->weights.data[l->arg[k].id].granules != n) {
				printf("# a split weight's granules are not the launch's\n");
				r->ok = false;
			}
		if (!r->divided || n == 1) {
			issue(r, l, 0, n);
			continue;
		}
		issue(r, l, 0, 1);
		if (n > 2)
			issue(r, l, 1, n - 2);
		issue(r, l, n - 1, 1);
	}
}

static void place_values(struct run *r)
{
	const struct kernel_set *ks = r->c->ks;
	const struct graph *g = r->c->g;
	uint32_t i;

	for (i = 0; i < g->values.len; i++)
		r->place[i] = i;
	for (i = 0; r->divided && i < ks->launches.len; i++) {
		const struct launch *l = &ks->launches.data[i];

		if (l->in_place_of != NO_ID)
			r->place[ks->alias[graph_node(g, l->node)->out[0]]] = r->place[ks->alias[l->in_place_of]];
	}
	for (i = 0; i < g->values.len; i++)
		if (g->values.data[i].kind != VALUE_CONST && ks->alias[i] == i && r->place[i] == i)
			r->value[i] = guarded_new(eval_bytes(g, i));
}

/* Fills output[] with fresh copies of the graph's outputs. */
static bool run_case(struct harness *h, struct harness_case *c, const void *const *input, void **output, bool divided)
{
	const struct graph *g = c->g;
	struct run r = { .h = h, .c = c, .divided = divided, .ok = true };
	uint32_t i;

	r.value = calloc(g->values.len, sizeof *r.value);
	r.place = calloc(g->values.len, sizeof *r.place);
	place_values(&r);
	for (i = 0; i < g->inputs.len; i++)
		memcpy(guarded_data(value_buffer(&r, g->inputs.data[i])), input[i], eval_bytes(g, g->inputs.data[i]));
	issue_all(&r);
	for (i = 0; i < g->outputs.len; i++) {
		struct guarded *b = value_buffer(&r, g->outputs.data[i]);

		guarded_sync(b);
		memcpy(output[i], guarded_data(b), eval_bytes(g, g->outputs.data[i]));
	}
	for (i = 0; i < g->values.len; i++)
		if (!guarded_free(&r.value[i])) {
			printf("# written beyond value %%%u\n", i);
			r.ok = false;
		}
	free(r.value);
	free(r.place);
	return r.ok;
}

/* ---- comparing ---- */

static double element(const struct value *v, const void *p, int64_t i)
{
	if (v->dtype == DTYPE_F32)
		return ((const float *)p)[i];
	return half_to_float(((const uint16_t *)p)[i]);
}

static bool same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static bool close_enough(const struct harness_case *c, const struct value *v, const void *got, const void *want,
			 char *note, size_t size)
{
	int64_t n = shape_elements(&v->shape), i, worst = -1;
	double top = 0, diff = 0, tolerance = c->tolerance;

	if (v->dtype != DTYPE_F32 && v->dtype != DTYPE_F16) {
		for (i = 0; i < n * (int64_t)dtype_size(v->dtype); i++)
			if (((const char *)got)[i] != ((const char *)want)[i]) {
				snprintf(note, size, "element %lld differs", (long long)(i / (int64_t)dtype_size(v->dtype)));
				return false;
			}
		return true;
	}
	if (v->dtype == DTYPE_F16 && tolerance < 1e-3)
		tolerance = 1e-3;
	for (i = 0; i < n; i++)
		if (isfinite(element(v, want, i)) && fabs(element(v, want, i)) > top)
			top = fabs(element(v, want, i));
	for (i = 0; i < n; i++) {
		double a = element(v, got, i), b = element(v, want, i);
		double d = same(a, b) ? 0 : fabs(a - b);

		if (!(d <= diff)) { /* NaN too */
			diff = d;
			worst = i;
			if (isnan(d))
				break;
		}
	}
	if (diff <= tolerance * top || diff == 0)
		return true;
	snprintf(note, size, "element %lld is %g, not %g (largest %g)", (long long)worst, element(v, got, worst),
		 element(v, want, worst), top);
	return false;
}

static bool compare(struct harness *h, struct harness_case *c, char *note, size_t size)
{
	const struct graph *g = c->g;
	const void **input = calloc(g->inputs.len + 1, sizeof *input);
	void **want = calloc(g->outputs.len, sizeof *want), **got = calloc(g->outputs.len, sizeof *got);
	void **again = calloc(g->outputs.len, sizeof *again);
	bool ok = true;
	uint32_t i;

	for (i = 0; i < g->inputs.len; i++) {
		void *p = arena_alloc(&h->arena, eval_bytes(g, g->inputs.data[i]));

		fill_random(c, graph_value(g, g->inputs.data[i]), p);
		input[i] = c->input[i] ? c->input[i] : p;
	}
	for (i = 0; i < g->outputs.len; i++) {
		size_t bytes = eval_bytes(g, g->outputs.data[i]);

		want[i] = arena_alloc(&h->arena, bytes);
		got[i] = arena_alloc(&h->arena, bytes);
		again[i] = arena_alloc(&h->arena, bytes);
	}
	if (!eval_graph(g, input, want)) {
		snprintf(note, size, "the reference could not compute it");
		ok = false;
	}
	ok = ok && run_case(h, c, input, got, false);
	for (i = 0; ok && i < g->outputs.len; i++)
		ok = close_enough(c, graph_value(g, g->outputs.data[i]), got[i], want[i], note, size);
	ok = ok && run_case(h, c, input, again, true);
	for (i = 0; ok && i < g->outputs.len; i++)
		if (memcmp(got[i], again[i], eval_bytes(g, g->outputs.data[i])) != 0) {
			snprintf(note, size, "split or in place, output %u differs", i);
			ok = false;
		}
	free(input);
	free(want);
	free(got);
	free(again);
	return ok;
}

static void run_cases(struct harness *h, const char *backend)
{
	for (uint32_t i = 0; i < h->cases.len; i++) {
		struct harness_case *c = &h->cases.data[i];
		bool gpu = c->target.kernels == TARGET_GPU_KERNELS;
		char note[160] = "";

		if (native && left_out(h, i))
			continue;
		tap_ok(c->g && c->ks && compare(h, c, note, sizeof note), "%s%s%s%s", c->name,
		       !gpu ? backend : c->target.weights == TARGET_TEXTURES ? " (gpu, texture)" : " (gpu)",
		       *note ? ": " : "", note);
	}
}

void harness_ok(bool ok, const char *what)
{
	tap_ok(ok, "%s", what);
}

static void run_native(struct harness *h)
{
	const char *what;

	random_state = 12345;
	if (harness_build_native(h, &what))
		run_cases(h, arena_printf(&h->arena, " (%s)", what));
	else if (!strcmp(what, "no native code"))
		tap_ok(false, "the native code is built");
	else
		tap_skip("%s", what);
	kernel_native_free(native);
	native = NULL;
}

int harness_run(struct harness *h)
{

	if (harness_build(h))
		run_cases(h, "");
	else if (cl.program)
		tap_ok(false, "the kernels are built");
	else
		tap_skip("no OpenCL device");
	device_close();
	for (h->isa = 1; h->every_isa && h->isa < NATIVE_ISA_COUNT; h->isa++) {
		setenv("HARNESS_ISA", native_isa_name((enum native_isa)h->isa), 1);
		run_native(h);
	}
	if (!h->every_isa)
		run_native(h);
	harness_free(h);
	return tap_done();
}

void harness_free(struct harness *h)
{
	device_close();
	kernel_native_free(native);
	native = NULL;
	arena_release(&h->arena);
}

/* ---- timing ---- */

static double now(const struct harness *h)
{
	struct timespec t;

	clock_gettime(h->one_thread ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct prepared {
	struct run r;
	cl_kernel *kernel;
	uint64_t **word; /* native code's arguments */
	struct guarded **own;
};

static bool prepare(struct harness *h, struct harness_case *c, struct prepared *p)
{
	const struct kernel_set *ks = c->ks;
	uint32_t i, k;

	*p = (struct prepared){ .r = { .h = h, .c = c, .ok = true } };
	p->kernel = calloc(ks->launches.len, sizeof(cl_kernel));
	p->own = calloc(ks->launches.len, sizeof *p->own);
	p->word = calloc(ks->launches.len, sizeof *p->word);
	p->r.value = calloc(c->g->values.len, sizeof *p->r.value);
	p->r.place = calloc(c->g->values.len, sizeof *p->r.place);
	place_values(&p->r);
	for (i = 0; i < c->g->inputs.len; i++)
		fill_random(c, graph_value(c->g, c->g->inputs.data[i]),
			    guarded_data(value_buffer(&p->r, c->g->inputs.data[i])));
	for (i = 0; i < ks->launches.len; i++) {
		const struct launch *l = &ks->launches.data[i];
		cl_int err;

		if (l->lookup)
			continue;
		p->own[i] = calloc(l->arg_count, sizeof **p->own);
		p->word[i] = calloc(l->arg_count, sizeof **p->word);
		for (k = 0; native && k < l->arg_count; k++)
			p->word[i][k] = argument_word(&p->r, &l->arg[k], 0, l->split_dim >= 0 ? l->global[l->split_dim] : 1,
						      &p->own[i][k]);
		if (native)
			continue;
		p->kernel[i] = cl.clCreateKernel(cl.program, ks->kernels.data[l->kernel].name, &err);
		for (k = 0; err == CL_SUCCESS && k < l->arg_count; k++)
			err = set_arg(&p->r, p->kernel[i], k, &l->arg[k], 0,
				      l->split_dim >= 0 ? l->global[l->split_dim] : 1, &p->own[i][k]);
		p->r.ok &= err == CL_SUCCESS;
	}
	return p->r.ok;
}

static void unprepare(struct prepared *p)
{
	const struct harness_case *c = p->r.c;
	uint32_t i, k;

	for (i = 0; i < c->ks->launches.len; i++) {
		for (k = 0; k < c->ks->launches.data[i].arg_count; k++)
			guarded_free(&p->own[i][k]);
		free(p->own[i]);
		free(p->word[i]);
		if (p->kernel[i])
			cl.clReleaseKernel(p->kernel[i]);
	}
	for (i = 0; i < c->g->values.len; i++)
		guarded_free(&p->r.value[i]);
	free(p->kernel);
	free(p->own);
	free(p->word);
	free(p->r.value);
	free(p->r.place);
}

/* Best seconds of launches first .. end - 1, run together, of so many together. */
static double time_launches(struct prepared *p, uint32_t first, uint32_t end, int repeat, int in_flight)
{
	const struct kernel_set *ks = p->r.c->ks;
	double best = -1, t;
	uint32_t i;
	int j, k;

	for (j = 0; j < repeat; j++) {
		t = now(p->r.h);
		for (k = 0; k < in_flight; k++)
			for (i = first; i < end; i++) {
				const struct launch *l = &ks->launches.data[i];
				const struct kernel *q = &ks->kernels.data[l->lookup ? 0 : l->kernel];
				size_t global[3] = { l->global[0], l->global[1], l->global[2] };
				size_t local[3] = { q->local[0], q->local[1], q->local[2] };

				if (l->lookup)
					continue;
				if (native) {
					kernel_native_run(native, q->name, p->word[i], l->global);
					continue;
				}
				cl.clEnqueueNDRangeKernel(cl.queue, p->kernel[i], 3, NULL, global, local, 0, NULL, NULL);
			}
		if (!native)
			cl.clFinish(cl.queue);
		t = (now(p->r.h) - t) / in_flight;
		if (best < 0 || t < best)
			best = t;
	}
	return best;
}

double harness_time(struct harness *h, uint32_t index, int repeat, double *each)
{
	struct harness_case *c = &h->cases.data[index];
	struct prepared p;
	double best = -1;
	uint32_t i;

	if (!c->ks)
		return -1;
	if (prepare(h, c, &p)) {
		best = time_launches(&p, 0, c->ks->launches.len, repeat, IN_FLIGHT);
		for (i = 0; each && i < c->ks->launches.len; i++)
			each[i] = time_launches(&p, i, i + 1, repeat, IN_FLIGHT);
	}
	unprepare(&p);
	return best;
}

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

double harness_race(struct harness *h, uint32_t first, uint32_t count, int rounds, double *ratio)
{
	struct prepared *p = calloc(count, sizeof *p);
	double *all = calloc((size_t)count * (size_t)rounds, sizeof *all), best = -1;
	bool ok = true;
	int times = 1;

	for (uint32_t i = 0; i < count; i++) {
		struct harness_case *c = &h->cases.data[first + i];

		ok &= c->ks && prepare(h, c, &p[i]);
	}
	for (uint32_t i = 0; ok && i < count; i++) { /* once, so that everything is in place */
		double s = time_launches(&p[i], 0, p[i].r.c->ks->launches.len, 2, 1);

		if (i == 0)
			times = s < 1e-3 ? (int)(1e-3 / s) + 1 : 1;
	}
	for (int r = 0; ok && r < rounds; r++) {
		double base = 1;

		for (uint32_t i = 0; i < count; i++) {
			double s = time_launches(&p[i], 0, p[i].r.c->ks->launches.len, 1, times);

			if (i == 0) {
				base = s;
				best = best < 0 || s < best ? s : best;
			}
			all[i * (uint32_t)rounds + (uint32_t)r] = s / base;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		qsort(all + i * (uint32_t)rounds, (size_t)rounds, sizeof *all, by_value);
		ratio[i] = all[i * (uint32_t)rounds + (uint32_t)rounds / 2];
		if (p[i].r.c)
			unprepare(&p[i]);
	}
	free(all);
	free(p);
	return best;
}
