/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_probe.c - edgert probe: measure this machine, write a device block.
 *
 * What the compiler's schedule needs: multiply-adds at their peak and one after the other, reading
 * memory, reading the disk, launching a kernel; and what cold runs pay: starting a
 * process, a read that nothing has foreseen, first touches of memory. Each is the
 * best of several tries, because other programs only ever make them worse (the
 * disk's the median, since a plan is read once: probe_disk.c).
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/outfile.h"
#include "device/device.h"
#include "device/isa.h"
#include "tools/probe_carry.h"
#include "tools/probe_cold.h"
#include "tools/probe_disk.h"
#include "tools/probe_native.h"
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TRIES = 7,
	QUIET_NS = 100000000, MOST_NS = 1000000000, /* tries go on until so long after the last that was better */
	PEAK_ROUNDS = 400000,
	LAUNCHES = 1000,
	LAUNCH_ITEMS = 16,   /* for each thread */
	LAUNCH_ROUNDS = 100, /* of each item: less than a microsecond */
	MEMORY_BYTES = 256 << 20, /* larger than the caches of a server */
	TOUCH_BYTES = 32 << 20,	    /* of large pages, where there are any */
	SMALL_TOUCH_BYTES = 1 << 20 /* of small ones */
};

/* Twelve sums hide the latency of one multiply-add on every CPU that has two units for it. */
static const char probe_source[] =
	"__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
	"void peak(__global float16 *out, float m, int n)\n"
	"{\n"
	"	float16 x = (float16)(m), y = out[0];\n"
	"	float16 a = y, b = y + 1, c = y + 2, d = y + 3, e = y + 4, f = y + 5;\n"
	"	float16 g = y + 6, h = y + 7, i = y + 8, j = y + 9, k = y + 10, l = y + 11;\n"
	"	for (int r = 0; r < n; r++) {\n"
	"		a = fma(a, x, y); b = fma(b, x, y); c = fma(c, x, y); d = fma(d, x, y);\n"
	"		e = fma(e, x, y); f = fma(f, x, y); g = fma(g, x, y); h = fma(h, x, y);\n"
	"		i = fma(i, x, y); j = fma(j, x, y); k = fma(k, x, y); l = fma(l, x, y);\n"
	"	}\n"
	"	out[1 + get_global_id(0)] = a + b + c + d + e + f + g + h + i + j + k + l;\n"
	"}\n"
	"__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
	"void read_memory(__global float16 *out, __global const float16 *in, int n)\n"
	"{\n"
	"	float16 a = 0, b = 0, c = 0, d = 0;\n"
	"	__global const float16 *p = in + (long)get_global_id(0) * n;\n"
	"	for (int i = 0; i < n; i += 4) {\n"
	"		a += p[i]; b += p[i + 1]; c += p[i + 2]; d += p[i + 3];\n"
	"	}\n"
	"	out[1 + get_global_id(0)] = a + b + c + d;\n"
	"}\n"
	"__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
	"void nothing(__global float16 *out)\n"
	"{\n"
	"	if (get_global_id(0) == 1)\n"
	"		out[0] = 0;\n"
	"}\n";

#define BETTER 0.002 /* by this share at least */

struct probe {
	const struct device_ops *ops;
	struct device *device;
	struct device_region *small, *large;
	struct device_buffer *small_buffer, *large_buffer;
	struct device_program *program;
	struct rt_account account;
	void *small_memory, *large_memory;
	uint64_t small_bytes;
	double flops_per_s, memory_bytes_per_s, launch_s;
	double latency_s; /* of code of this CPU; 0: not measured */
	struct probe_disk disk;
	struct probe_carry carry;
	double start_s, page_s, touch_bytes_per_s; /* of cold runs */
};

struct probe_options {
	const char *plan, *output, *name, *device;
	bool opencl;
	uint32_t threads;
	int child; /* not measuring, but being measured: see probe_start() */
};

/* ---- the device */

static enum edge_status make_region(struct probe *p, uint64_t bytes, void **memory,
				    struct device_region **region, struct device_buffer **buffer,
				    struct failure *f)
{
	bool unified = p->ops->info(p->device)->unified;
	enum edge_status st;

	if (unified && !(*memory = rt_map(&p->account, RT_DEVICE, bytes)))
		return rt_fail_errno(f, EDGE_MEMORY, "could not get %llu bytes",
				     (unsigned long long)bytes);
	if (unified)
		memset(*memory, 0, bytes); /* pages of its own, not one page of zeros */
	if ((st = p->ops->region_create(p->device, EDGE_SPACE_DEVICE, bytes, *memory, region, f)) != EDGE_OK)
		return st;
	return p->ops->buffer_create(p->device, *region, 0, bytes, buffer, f);
}

static enum edge_status prepare(struct probe *p, const struct probe_options *o, struct failure *f)
{
	struct device_request request = { .name = o->device,
					  .kernel_style = EDGE_KERNELS_CPU,
					  .threads = o->threads,
					  .profile = true };
	struct device_code code = { .source = probe_source,
				    .options = "-cl-std=CL1.2",
				    .entry = probe_native_entries(),
				    .entry_count = PROBE_KERNELS };
	enum edge_status st;

	p->ops = device_backend(o->opencl ? EDGE_BACKEND_OPENCL : EDGE_BACKEND_NATIVE);
	p->small_bytes = 64ull * 65536;
	if ((st = p->ops->open(&request, &p->device, f)) != EDGE_OK ||
	    (st = make_region(p, p->small_bytes, &p->small_memory, &p->small, &p->small_buffer,
			      f)) != EDGE_OK ||
	    (st = make_region(p, MEMORY_BYTES, &p->large_memory, &p->large, &p->large_buffer, f)) !=
		    EDGE_OK)
		return st;
	return p->ops->program_build(p->device, &code, &p->program, f);
}

static void clean(struct probe *p)
{
	if (!p->device)
		return;
	p->ops->program_destroy(p->device, p->program);
	p->ops->buffer_destroy(p->device, p->small_buffer);
	p->ops->buffer_destroy(p->device, p->large_buffer);
	p->ops->region_destroy(p->device, p->small);
	p->ops->region_destroy(p->device, p->large);
	p->ops->close(p->device);
	rt_unmap(&p->account, RT_DEVICE, p->small_memory, p->small_bytes);
	rt_unmap(&p->account, RT_DEVICE, p->large_memory, MEMORY_BYTES);
}

/*
 * Least time of `count` launches queued together: of several tries, and, of one launch, of more for as long as they get
 * better. What others take from this machine comes in spells longer than a few tries of milliseconds.
 */
static enum edge_status time_launch(struct probe *p, const char *kernel, uint32_t index,
				    const struct device_argument *arg, uint32_t args,
				    uint32_t items, uint32_t count, double *seconds,
				    struct failure *f)
{
	struct device_launch_request request = { .program = p->program,
						 .kernel = kernel,
						 .kernel_index = index,
						 .arg = arg,
						 .arg_count = args,
						 .global = { items, 1, 1 },
						 .local = { 1, 1, 1 } };
	struct device_launch *launch;
	enum edge_status st = p->ops->launch_create(p->device, &request, &launch, f);
	int64_t begin = rt_now(), since = begin, start = begin;
	uint32_t try, i;

	*seconds = 0;
	for (try = 0; st == EDGE_OK && (try < TRIES || (count == 1 && start - since < QUIET_NS && start - begin < MOST_NS)); try++) {
		double took;

		start = rt_now();
		for (i = 0; i < count && st == EDGE_OK; i++)
			st = p->ops->submit(p->device, launch, NULL, f);
		if (st == EDGE_OK)
			st = p->ops->finish(p->device, f);
		took = (double)(rt_now() - start) / 1e9;
		if (try == 0 || took < *seconds * (1 - BETTER))
			since = start;
		if (try == 0 || took < *seconds)
			*seconds = took;
	}
	if (launch)
		p->ops->launch_destroy(p->device, launch);
	return st;
}

/*
 * What a launch takes beside its work: of launches so short that it shows, and so long that every thread
 * takes its part. One with nothing to do would be over before another thread has seen it.
 */
static enum edge_status measure_launch(struct probe *p, struct device_argument *peak, uint32_t items, struct failure *f)
{
	double nothing, some, work = (double)items * LAUNCH_ROUNDS * 12 * 16 * 2 / p->flops_per_s;
	enum edge_status st;

	peak[2].value.i = LAUNCH_ROUNDS;
	if ((st = time_launch(p, "nothing", PROBE_NOTHING, peak, 1, items, LAUNCHES, &nothing, f)) != EDGE_OK ||
	    (st = time_launch(p, "peak", PROBE_PEAK, peak, 3, items, LAUNCHES, &some, f)) != EDGE_OK)
		return st;
	some = some / LAUNCHES - work;
	nothing /= LAUNCHES;
	some = some < nothing ? nothing : some;
	if (p->launch_s == 0 || some < p->launch_s)
		p->launch_s = some;
	return EDGE_OK;
}

static void keep_greater(double *best, double x)
{
	if (x > *best)
		*best = x;
}

/* Called more than once: what is best is kept, since others on the machine slow it down for a while. */
static enum edge_status measure_device(struct probe *p, struct failure *f)
{
	uint32_t threads = p->ops->info(p->device)->threads, items = threads * 4;
	uint32_t vectors = MEMORY_BYTES / 64 / items / 4 * 4;
	struct device_argument peak[3] = { { .kind = EDGE_PARAM_GLOBAL, .buffer = p->small_buffer },
					   { .kind = EDGE_PARAM_F32, .value.f = 0.5 },
					   { .kind = EDGE_PARAM_I32, .value.i = PEAK_ROUNDS } };
	struct device_argument memory[3] = { peak[0],
					     { .kind = EDGE_PARAM_GLOBAL,
					       .buffer = p->large_buffer },
					     { .kind = EDGE_PARAM_I32, .value.i = vectors } };
	enum edge_status st;
	double s;

	if (items > p->small_bytes / 64 - 1)
		items = (uint32_t)(p->small_bytes / 64 - 1);
	if ((st = time_launch(p, "peak", PROBE_PEAK, peak, 3, items, 1, &s, f)) != EDGE_OK)
		return st;
	keep_greater(&p->flops_per_s, (double)items * PEAK_ROUNDS * 12 * 16 * 2 / s);
	if ((st = time_launch(p, "read_memory", PROBE_READ_MEMORY, memory, 3, items, 1, &s, f)) !=
	    EDGE_OK)
		return st;
	keep_greater(&p->memory_bytes_per_s, (double)items * vectors * 64 / s);
	return measure_launch(p, peak, threads * LAUNCH_ITEMS, f);
}

/* ---- what cold runs pay */

static void measure_start(struct probe *p, const struct probe_options *o)
{
	const char *arguments[9] = { "probe", "--backend", o->opencl ? "opencl" : "native" };
	double touch = probe_touch(TOUCH_BYTES), page = probe_touch(SMALL_TOUCH_BYTES);
	char threads[16];
	uint32_t n = 3;

	if (o->device) {
		arguments[n++] = "--device";
		arguments[n++] = o->device;
	}
	if (o->threads) {
		snprintf(threads, sizeof(threads), "%u", o->threads);
		arguments[n++] = "--threads";
		arguments[n++] = threads;
	}
	arguments[n++] = "--child";
	p->start_s = probe_start(arguments, n);
	p->touch_bytes_per_s = touch > 0 ? TOUCH_BYTES / touch : 0;
	p->page_s = page > 0 ? page / (SMALL_TOUCH_BYTES / 4096) : 0;
}

/* ---- the command */

/* Whether plans can have code for this CPU. */
static bool own_isa(void)
{
	for (uint32_t i = EDGE_ISA_X86_64_V3; i <= EDGE_ISA_AARCH64; i++)
		if (isa_supported(i))
			return true;
	return false;
}

static void write_block(FILE *out, const struct probe *p, const struct probe_options *o)
{
	const struct device_info *info = p->ops->info(p->device);

	tool_say(out, "# Measured by edgert %s on %s (%s).", edgert_version(), info->name, info->driver);
	fprintf(out, "device %s {\n\tbackend %s;\n\tthreads %u;\n", o->name, info->backend,
		info->threads);
	if (!o->opencl && own_isa())
		fprintf(out, "\tcpu %s;\n", isa_cpu_name());
	if (p->disk.bytes_per_s > 0)
		fprintf(out, "\tstorage %.0f MB/s;\n\trequests %u;\n", p->disk.bytes_per_s / 1e6, p->disk.requests);
	if (p->disk.requests > 1)
		fprintf(out, "\treading %s;\n", p->disk.uring ? "uring" : "threads");
	fprintf(out, "\tmemory %.1f GB/s;\n\tcompute %.1f GFLOP/s;\n\tlaunch %.3f us;\n",
		p->memory_bytes_per_s / 1e9, p->flops_per_s / 1e9, p->launch_s * 1e6);
	if (p->latency_s > 0)
		fprintf(out, "\tlatency %.3f ns;\n", p->latency_s * 1e9);
	if (p->start_s > 0)
		fprintf(out, "\tstart %.3f ms;\n", p->start_s * 1e3);
	if (p->disk.seek_s > 0)
		fprintf(out, "\tseek %.1f us;\n", p->disk.seek_s * 1e6);
	if (p->disk.request_s > 0)
		fprintf(out, "\trequest %.1f us;\n", p->disk.request_s * 1e6);
	if (p->disk.cached > 0)
		fprintf(out, "\tcached %.2f GB/s;\n", p->disk.cached / 1e9);
	if (p->page_s > 0)
		fprintf(out, "\tpage %.3f us;\n", p->page_s * 1e6);
	if (p->touch_bytes_per_s > 0)
		fprintf(out, "\ttouch %.2f GB/s;\n", p->touch_bytes_per_s / 1e9);
	if (p->carry.upload > 0)
		fprintf(out, "\tupload %.2f GB/s;\n", p->carry.upload / 1e9);
	if (p->carry.elementwise >= 1e6)
		fprintf(out, "\tcapacity elementwise %.0f MB/s;\n", p->carry.elementwise / 1e6);
	if (p->carry.reusable >= 1e6)
		fprintf(out, "\tcapacity reusable %.0f MB/s;\n", p->carry.reusable / 1e6);
	fputs("}\n", out);
}

static bool is_identifier(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

	return n > 0 && s[n] == '\0' && (s[0] < '0' || s[0] > '9');
}

/* As much as any run does before its first kernel. */
static int be_measured(struct probe *p, const struct probe_options *o)
{
	struct device_request request = { .name = o->device, .kernel_style = EDGE_KERNELS_CPU, .threads = o->threads };
	struct failure f = { .status = EDGE_OK };

	p->ops = device_backend(o->opencl ? EDGE_BACKEND_OPENCL : EDGE_BACKEND_NATIVE);
	if (p->ops->open(&request, &p->device, &f) != EDGE_OK)
		return tool_error("%s", f.text);
	probe_started(o->child);
	p->ops->close(p->device);
	return TOOL_OK;
}

static int probe(const struct probe_options *o)
{
	struct failure f = { .status = EDGE_OK };
	struct rt_outfile out = { NULL, NULL, NULL };
	struct probe p = { 0 };
	enum edge_status st = EDGE_OK;

	if (o->child >= 0)
		return be_measured(&p, o);
	if (o->output)
		st = rt_outfile_open(&out, o->output, &f);
	if (st == EDGE_OK && (st = prepare(&p, o, &f)) == EDGE_OK &&
	    (st = measure_device(&p, &f)) == EDGE_OK &&
	    (st = probe_disk(o->plan, p.ops->info(p.device)->threads, &p.disk, &f)) == EDGE_OK && (st = measure_device(&p, &f)) == EDGE_OK) {
		if (o->opencl && (st = probe_carry(p.ops, p.device, &p.carry, &f)) != EDGE_OK)
			goto out;
		p.latency_s = o->opencl ? 0 : probe_latency();
		measure_start(&p, o);
		write_block(o->output ? out.stream : stdout, &p, o);
		if (o->output)
			st = rt_outfile_commit(&out, &f);
	}
out:
	rt_outfile_abandon(&out);
	clean(&p);
	return st == EDGE_OK ? TOOL_OK : tool_error("%s", f.text);
}

int cmd_probe(int argc, char **argv)
{
	static const struct option options[] = { { "name", required_argument, NULL, 'N' },
						 { "device", required_argument, NULL, 'd' },
						 { "threads", required_argument, NULL, 't' },
						 { "backend", required_argument, NULL, 'b' },
						 { "child", required_argument, NULL, 'C' },
						 { NULL, 0, NULL, 0 } };
	struct probe_options o = { .name = "here", .child = -1 };
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			o.output = optarg;
			break;
		case 'C':
			o.child = atoi(optarg);
			break;
		case 'd':
			o.device = optarg;
			break;
		case 'N':
			if (!is_identifier(optarg))
				return tool_usage_error("\"%s\" cannot be a device's name", optarg);
			o.name = optarg;
			break;
		case 'b':
			o.opencl = !strcmp(optarg, "opencl");
			if (!o.opencl && strcmp(optarg, "native"))
				return tool_usage_error(
					"\"%s\" is no backend; native and opencl are", optarg);
			break;
		case 't':
			if (!tool_number("--threads", optarg, 1, &o.threads))
				return TOOL_USAGE;
			break;
		default:
			return tool_usage_error(c == ':' ? "option \"%s\" needs a value"
							 : "probe has no option \"%s\"",
						argv[optind - 1]);
		}
	}
	if (optind + 1 < argc)
		return tool_usage_error("probe takes one plan; \"%s\" is too much",
					argv[optind + 1]);
	o.plan = argv[optind];
	return probe(&o);
}
