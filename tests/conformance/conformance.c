/* SPDX-License-Identifier: Apache-2.0 */
/* conformance.c - what every backend has to do. */
#include "config.h"

#include "conformance.h"

#include "base/clock.h"
#include "base/memory.h"
#include "../tap.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

const char conformance_opencl[] =
	"__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
	"void fill(__global int *y, int a, long b, float c)\n"
	"{\n"
	"	size_t i = get_global_id(0) * 3;\n"
	"	y[i] = a; y[i + 1] = (int)(b >> 32); y[i + 2] = (int)(c * 4);\n"
	"}\n"
	"__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
	"void add(__global const int *x, __global int *y)\n"
	"{\n"
	"	y[get_global_id(0)] += x[get_global_id(0)];\n"
	"}\n"
	"__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
	"void visit(__global int *y, int nx, int ny)\n"
	"{\n"
	"	size_t i = get_global_id(0) + nx * (get_global_id(1) + ny * get_global_id(2));\n"
	"	y[i] += 1 + (int)i;\n"
	"}\n"
	"__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
	"void texels(__read_only image2d_t x, __global int *y, int first)\n"
	"{\n"
	"	int i = first + get_global_id(0);\n"
	"	float4 t = read_imagef(x, (int2)(i & 511, i >> 9));\n"
	"	y[get_global_id(0)] = (int)t.x + 8 * (int)t.y + 64 * (int)t.z + 512 * (int)t.w;\n"
	"}\n";

enum { REGION = 1 << 20, GUARD = 0x5a5a5a5a };

/* A device with one region and the program. */
struct bench {
	const struct conformance_subject *subject;
	const struct device_ops *ops;
	struct device *d;
	struct device_region *region;
	struct device_program *program;
	void *host; /* NULL: the device's own memory */
	struct failure f;
};

static bool ok(struct bench *b, enum edge_status st)
{
	if (st != EDGE_OK)
		printf("# %s\n", b->f.text);
	return st == EDGE_OK;
}

static bool put(struct bench *b, uint64_t offset, const void *data, uint64_t bytes)
{
	return ok(b, b->ops->write(b->d, b->region, offset, data, bytes, NULL, &b->f));
}

static bool get(struct bench *b, uint64_t offset, void *data, uint64_t bytes)
{
	return ok(b, b->ops->read(b->d, b->region, offset, data, bytes, NULL, &b->f)) &&
	       ok(b, b->ops->finish(b->d, &b->f));
}

static struct device_buffer *buffer(struct bench *b, uint64_t offset, uint64_t bytes)
{
	struct device_buffer *out = NULL;

	ok(b, b->ops->buffer_create(b->d, b->region, offset, bytes, &out, &b->f));
	return out;
}

static uint32_t kernel_index(const struct bench *b, const char *name)
{
	uint32_t i = 0;

	while (b->subject->kernels[i] && strcmp(b->subject->kernels[i], name))
		i++;
	return i;
}

static struct device_launch *launch(struct bench *b, const char *kernel,
				    const struct device_argument *arg, uint32_t args, uint32_t x,
				    uint32_t y, uint32_t z)
{
	struct device_launch_request r = { .program = b->program,
					   .kernel = kernel,
					   .kernel_index = kernel_index(b, kernel),
					   .arg = arg,
					   .arg_count = args,
					   .global = { x, y, z },
					   .local = { 1, 1, 1 } };
	struct device_launch *out = NULL;

	ok(b, b->ops->launch_create(b->d, &r, &out, &b->f));
	return out;
}

static struct device_argument global(struct device_buffer *b)
{
	return (struct device_argument){ .kind = EDGE_PARAM_GLOBAL, .buffer = b };
}

/* ---- memory */

static void check_transfers(struct bench *b, const char *what)
{
	static unsigned char in[5000], out[5000], whole[REGION];
	bool intact = true;
	size_t i;

	for (i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)(i * 7 + 1);
	memset(whole, 0xa5, sizeof(whole));
	tap_ok(put(b, 0, whole, REGION) && put(b, 12345, in, sizeof(in)) &&
		       get(b, 12345, out, sizeof(out)) && !memcmp(in, out, sizeof(in)),
	       "%s: what is written is read", what);
	get(b, 0, whole, REGION);
	for (i = 0; i < REGION; i++)
		if ((i < 12345 || i >= 12345 + sizeof(in)) && whole[i] != 0xa5)
			intact = false;
	tap_ok(intact, "%s: and nothing beside it is touched", what);
	if (b->host)
		tap_ok(!memcmp((char *)b->host + 12345, in, sizeof(in)),
		       "%s: host memory is used in place", what);
}

static void check_upload(struct bench *b, const char *what)
{
	static const char text[128] = "beside the order";
	char out[128];

	if (b->host)
		return;
	tap_ok(ok(b, b->ops->upload(b->d, b->region, 4096, text, sizeof(text), &b->f)) &&
		       get(b, 4096, out, sizeof(out)) && !memcmp(text, out, sizeof(text)),
	       "%s: an upload is there when it returns", what);
}

/* ---- launches */

static void check_arguments(struct bench *b, const char *what)
{
	struct device_buffer *y = buffer(b, 1024, 120);
	struct device_argument arg[4] = { global(y),
					  { .kind = EDGE_PARAM_I32, .value.i = -7 },
					  { .kind = EDGE_PARAM_I64,
					    .value.i = (int64_t)123456 << 32 },
					  { .kind = EDGE_PARAM_F32, .value.f = 2.25 } };
	struct device_launch *l = launch(b, "fill", arg, 4, 10, 1, 1);
	int32_t memory[64], guard[64];
	bool good = l != NULL;
	int i;

	for (i = 0; i < 64; i++)
		guard[i] = GUARD;
	good = good && put(b, 1024 - 64, guard, sizeof(guard)) &&
	       ok(b, b->ops->submit(b->d, l, NULL, &b->f)) &&
	       get(b, 1024 - 64, memory, sizeof(memory));
	for (i = 0; i < 10 && good; i++)
		good = memory[16 + 3 * i] == -7 && memory[17 + 3 * i] == 123456 &&
		       memory[18 + 3 * i] == 9;
	tap_ok(good, "%s: arguments of every kind arrive", what);
	for (i = 0, good = true; i < 64; i++)
		if (i < 16 || i >= 46)
			good = good && memory[i] == GUARD;
	tap_ok(good, "%s: a kernel writes into its own buffer only", what);
	b->ops->launch_destroy(b->d, l);
	b->ops->buffer_destroy(b->d, y);
}

static void check_order(struct bench *b, const char *what)
{
	enum { N = 256, TIMES = 200 };
	struct device_buffer *x = buffer(b, 0, N * 4), *y = buffer(b, N * 4, N * 4),
			     *both = buffer(b, 128, N * 4);
	struct device_launch *add =
		launch(b, "add", (struct device_argument[]){ global(x), global(y) }, 2, N, 1, 1);
	struct device_launch *twice =
		launch(b, "add", (struct device_argument[]){ global(y), global(x) }, 2, N, 1, 1);
	int32_t in[N], zero[N] = { 0 }, out[N];
	bool good = add && twice && both;
	int i;

	for (i = 0; i < N; i++)
		in[i] = i;
	good = good && put(b, 0, in, sizeof(in)) && put(b, N * 4, zero, sizeof(zero));
	for (i = 0; i < TIMES && good; i++)
		good = ok(b, b->ops->submit(b->d, add, NULL, &b->f));
	/* y is 200 x now, and x becomes 201 x; then y starts again from zeros */
	good = good && ok(b, b->ops->submit(b->d, twice, NULL, &b->f)) &&
	       put(b, N * 4, zero, sizeof(zero)) && ok(b, b->ops->submit(b->d, add, NULL, &b->f)) &&
	       get(b, N * 4, out, sizeof(out));
	for (i = 0; i < N && good; i++)
		good = out[i] == i * (TIMES + 1);
	tap_ok(good, "%s: launches and transfers take effect in order", what);
	b->ops->launch_destroy(b->d, add);
	b->ops->launch_destroy(b->d, twice);
	b->ops->buffer_destroy(b->d, both);
	b->ops->buffer_destroy(b->d, y);
	b->ops->buffer_destroy(b->d, x);
}

static void check_sizes(struct bench *b, const char *what)
{
	static const uint32_t size[][3] = { { 1, 1, 1 },    { 7, 1, 1 },  { 1, 5, 1 },
					    { 1, 1, 9 },    { 3, 4, 5 },  { 1000, 1, 1 },
					    { 17, 13, 11 }, { 2, 300, 3 } };
	static int32_t memory[4096];
	struct device_buffer *y = buffer(b, 0, sizeof(memory));
	bool good = true;
	size_t s, i;

	for (s = 0; s < sizeof(size) / sizeof(size[0]) && good; s++) {
		size_t n = (size_t)size[s][0] * size[s][1] * size[s][2];
		struct device_argument arg[3] = { global(y),
						  { .kind = EDGE_PARAM_I32, .value.i = size[s][0] },
						  { .kind = EDGE_PARAM_I32,
						    .value.i = size[s][1] } };
		struct device_launch *l =
			launch(b, "visit", arg, 3, size[s][0], size[s][1], size[s][2]);

		memset(memory, 0, sizeof(memory));
		good = l && put(b, 0, memory, sizeof(memory)) &&
		       ok(b, b->ops->finish(b->d, &b->f)) &&
		       ok(b, b->ops->submit(b->d, l, NULL, &b->f)) &&
		       get(b, 0, memory, sizeof(memory));
		for (i = 0; i < 4096 && good; i++)
			good = memory[i] == (i < n ? 1 + (int32_t)i : 0);
		b->ops->launch_destroy(b->d, l);
	}
	tap_ok(good, "%s: every work-item of three dimensions runs once", what);
	b->ops->buffer_destroy(b->d, y);
}

/* ---- fences */

struct waiting {
	struct bench *b;
	struct device_fence *fence;
	struct failure f;
	enum edge_status st;
	int64_t when;
};

static void *wait_elsewhere(void *arg)
{
	struct waiting *w = arg;

	w->st = w->b->ops->fence_wait(w->b->d, w->fence, &w->f);
	w->when = rt_now();
	return NULL;
}

static void check_fences(struct bench *b, const char *what)
{
	enum { N = 65536 };
	struct device_buffer *x = buffer(b, 0, N * 4), *y = buffer(b, N * 4, N * 4);
	struct device_launch *l =
		launch(b, "add", (struct device_argument[]){ global(x), global(y) }, 2, N, 1, 1);
	struct device_fence fence[3];
	struct waiting w = { .b = b, .fence = &fence[0] };
	int64_t before = rt_now(), s0 = 0, e0 = 0, s1 = 0, e1 = 0, after;
	bool good = l != NULL;
	pthread_t thread;

	memset(fence, 0, sizeof(fence));
	good = good && ok(b, b->ops->submit(b->d, l, &fence[0], &b->f)) &&
	       ok(b, b->ops->submit(b->d, l, &fence[1], &b->f)) &&
	       ok(b, b->ops->mark(b->d, &fence[2], &b->f)) && ok(b, b->ops->flush(b->d, &b->f));
	if (good && pthread_create(&thread, NULL, wait_elsewhere, &w) == 0)
		pthread_join(thread, NULL);
	tap_ok(good && w.st == EDGE_OK && w.when > before,
	       "%s: another thread can wait for a fence", what);
	good = good && ok(b, b->ops->fence_wait(b->d, &fence[2], &b->f)) &&
	       ok(b, b->ops->fence_wait(b->d, &fence[1], &b->f));
	tap_ok(good, "%s: fences can be waited for in any order", what);
	after = rt_now();
	good = good && ok(b, b->ops->finish(b->d, &b->f)) &&
	       ok(b, b->ops->fence_times(b->d, &fence[0], &s0, &e0, &b->f)) &&
	       ok(b, b->ops->fence_times(b->d, &fence[1], &s1, &e1, &b->f));
	/* two clocks are matched to within a millisecond */
	tap_ok(good && s0 <= e0 && e0 <= s1 && s1 <= e1 && s0 >= before - 1000000 &&
		       e1 <= after + 1000000,
	       "%s: times are ordered and on the host's clock", what);
	b->ops->fence_reset(b->d, &fence[0]);
	b->ops->fence_reset(b->d, &fence[0]);
	tap_ok(ok(b, b->ops->submit(b->d, l, &fence[0], &b->f)) &&
		       ok(b, b->ops->fence_wait(b->d, &fence[0], &b->f)),
	       "%s: a fence can be used again", what);
	for (int i = 0; i < 3; i++)
		b->ops->fence_reset(b->d, &fence[i]);
	b->ops->finish(b->d, &b->f);
	b->ops->launch_destroy(b->d, l);
	b->ops->buffer_destroy(b->d, y);
	b->ops->buffer_destroy(b->d, x);
}

/* ---- failures */

static void check_failures(struct bench *b, const char *what)
{
	struct device_buffer *y = buffer(b, 0, 1024);
	struct device_argument arg[2] = { global(y), global(y) };
	struct device_launch_request r = { .program = b->program,
					   .kernel = "no_such_kernel",
					   .kernel_index = kernel_index(b, "no_such_kernel"),
					   .arg = arg,
					   .arg_count = 2,
					   .global = { 1, 1, 1 },
					   .local = { 1, 1, 1 } };
	struct failure f = { .status = EDGE_OK };
	struct device_program *p;
	struct device_launch *l;

	tap_ok(b->ops->launch_create(b->d, &r, &l, &f) == EDGE_DEVICE && !l &&
		       strstr(f.text, "no_such_kernel"),
	       "%s: an unknown kernel: %s", what, f.text);
	if (b->subject->bad) {
		rt_failure_clear(&f);
		r.kernel = "add";
		r.arg_count = 1;
		tap_ok(b->ops->launch_create(b->d, &r, &l, &f) == EDGE_DEVICE && !l,
		       "%s: too few arguments: %s", what, f.text);
		rt_failure_clear(&f);
		tap_ok(b->ops->program_build(b->d, b->subject->bad, &p, &f) == EDGE_DEVICE && !p &&
			       f.text[0],
		       "%s: a program that cannot be built", what);
	}
	b->ops->buffer_destroy(b->d, y);
	b->ops->buffer_destroy(b->d, NULL);
	b->ops->launch_destroy(b->d, NULL);
	b->ops->program_destroy(b->d, NULL);
	b->ops->region_destroy(b->d, NULL);
	b->ops->close(NULL);
	tap_ok(ok(b, b->ops->flush(b->d, &b->f)) && ok(b, b->ops->finish(b->d, &b->f)),
	       "%s: nothing to do is done", what);
}

/* Halves 0 to 7, their numbers the digits of the texel's. */
static void fill_texels(uint16_t *page, uint32_t first)
{
	static const uint16_t half[8] = { 0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700 };

	for (uint32_t i = 0; i < EDGE_PLAN_PAGE / 2; i++)
		page[i] = half[(first + i / 4) >> i % 4 * 3 & 7];
}

/* Pages of an image come in any order, and a buffer of it is the image. */
static void check_images(struct bench *b, const char *what)
{
	enum { PAGES = 5, FIRST = 700, COUNT = 1000 };
	static uint16_t page[EDGE_PLAN_PAGE / 2 * 2];
	struct device_region *image = NULL;
	struct device_buffer *x = NULL, *y;
	struct failure f = { .status = EDGE_OK };
	struct device_launch *l;
	int32_t out[COUNT];
	bool good = true;

	if (b->ops->region_create(b->d, EDGE_SPACE_IMAGE, PAGES * EDGE_PLAN_PAGE, NULL, &image, &f) != EDGE_OK) {
		tap_ok(f.status == EDGE_UNSUPPORTED && !image, "%s: no images: %s", what, f.text);
		return;
	}
	for (uint32_t p = PAGES; p-- > 0;) {
		fill_texels(page, p * EDGE_PLAN_IMAGE_WIDTH);
		fill_texels(page + EDGE_PLAN_PAGE / 2, (p + 1) * EDGE_PLAN_IMAGE_WIDTH);
		good = good && ok(b, b->ops->upload(b->d, image, p * EDGE_PLAN_PAGE, page,
						    p == 1 ? 2 * EDGE_PLAN_PAGE : EDGE_PLAN_PAGE, &b->f));
	}
	tap_ok(good && ok(b, b->ops->buffer_create(b->d, image, 2 * EDGE_PLAN_PAGE, EDGE_PLAN_PAGE, &x, &b->f)),
	       "%s: an image takes pages", what);
	y = buffer(b, 0, sizeof(out));
	l = launch(b, "texels", (struct device_argument[]){ { .kind = EDGE_PARAM_IMAGE, .buffer = x }, global(y),
							    { .kind = EDGE_PARAM_I32, .value.i = FIRST } },
		   3, COUNT, 1, 1);
	good = l && ok(b, b->ops->submit(b->d, l, NULL, &b->f)) && get(b, 0, out, sizeof(out));
	for (int i = 0; i < COUNT; i++)
		good = good && out[i] == FIRST + i;
	tap_ok(good, "%s: kernels read its texels", what);
	b->ops->launch_destroy(b->d, l);
	b->ops->buffer_destroy(b->d, x);
	b->ops->buffer_destroy(b->d, y);
	b->ops->region_destroy(b->d, image);
	rt_failure_clear(&f);
	tap_ok(b->ops->region_create(b->d, EDGE_SPACE_IMAGE, (uint64_t)EDGE_PLAN_PAGE << 22, NULL, &image, &f) ==
			       EDGE_UNSUPPORTED && !image && strstr(f.text, "at most"),
	       "%s: an image that is too large: %s", what, f.text);
}

static void one_memory(struct bench *b, const char *what)
{
	if (!tap_ok(ok(b, b->ops->region_create(b->d, EDGE_SPACE_DEVICE, REGION, b->host, &b->region, &b->f)),
		    "%s: a region", what))
		return;
	check_transfers(b, what);
	check_upload(b, what);
	check_arguments(b, what);
	check_order(b, what);
	check_sizes(b, what);
	check_fences(b, what);
	check_failures(b, what);
	check_images(b, what);
	b->ops->region_destroy(b->d, b->region);
}

static void count_device(void *ctx, const struct device_info *info)
{
	*(int *)ctx += info->name && info->name[0] && info->driver && info->threads > 0;
}

void conformance(const struct conformance_subject *subject)
{
	struct device_request request = { .kernel_style = EDGE_KERNELS_CPU, .profile = true };
	struct bench b = { .subject = subject, .ops = subject->ops, .f = { .status = EDGE_OK } };
	const char *name = b.ops->name;
	char what[64];
	int found = 0;

	if (b.ops->open(&request, &b.d, &b.f) != EDGE_OK) {
		tap_skip("%s: %s", name, b.f.text);
		return;
	}
	ok(&b, b.ops->list(count_device, &found, &b.f));
	tap_ok(found > 0, "%s: lists %d devices", name, found);
	tap_ok(!strcmp(b.ops->info(b.d)->backend, name) && b.ops->info(b.d)->threads > 0,
	       "%s: describes itself", name);
	if (tap_ok(ok(&b, b.ops->program_build(b.d, &subject->code, &b.program, &b.f)),
		   "%s: builds", name)) {
		snprintf(what, sizeof(what), "%s, its own memory", name);
		one_memory(&b, what);
		snprintf(what, sizeof(what), "%s, host memory", name);
		b.host = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
		if (b.ops->info(b.d)->unified && b.host != MAP_FAILED)
			one_memory(&b, what);
		munmap(b.host, REGION);
	}
	b.ops->program_destroy(b.d, b.program);
	b.ops->close(b.d);
	request.name = "no device has this name";
	tap_ok(b.ops->open(&request, &b.d, &b.f) == EDGE_DEVICE && !b.d && b.f.text[0],
	       "%s: an unknown device: %s", name, b.f.text);
}

int conformance_done(void)
{
	return tap_done();
}
