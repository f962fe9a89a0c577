/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost.c - how long things take, by the device block's rates.
 *
 * A launch takes what its arithmetic takes at the share of the peak that its
 * kind of kernel reaches, or what its bytes take, whichever is longer. Bytes are
 * bounded by memory where they do not fit a cache, and by instructions: a copy
 * of rows or a window over pixels moves so many bytes in the time of one
 * multiply-add, which goes with the peak from one CPU to the next. The shares are
 * those of the kernel benchmark (make bench).
 *
 * Not everything goes with the peak. They were measured where two threads share a
 * core's units: one multiplies while the other waits. Where each has units for itself
 * the peak is twice as high, but what waits (for a result, a branch, a line of another
 * cache) waits as long as before, so that its part of the time goes with the latency of
 * one multiply-add.
 *
 * A cold run pays more: the process and the plan's records, the first touch of
 * every page, whether a read or a kernel touches it, and the first use of code.
 * What a later run reads through the page cache lies there, and is copied at the
 * rate of all threads together.
 */
#include "config.h"

#include "sched/internal.h"

#include "edge/plan_format.h"

#include <string.h>

/* Of a read, whatever its size: the system call, and handing over to the thread that waits. */
#define REQUEST_MS 0.02
/* The same of a copy out of the page cache, where nobody is woken; and that not all threads end at once. */
#define COPY_REQUEST_MS 0.0025
/* Bytes in a second of one thread: checked by XXH3; copied out of the page cache and checked; so read at most. */
#define HASH_RATE 12e9
#define COPY_RATE 3.5e9 /* of what the disk brings there meanwhile */
#define BUFFERED_RATE 2e9
/* Bytes in a second of tensors that a program makes or reads before its first run. */
#define TENSOR_RATE 2.5e9
/* Until the first of several direct reads has arrived, whose rate is that of many. */
#define DIRECT_MS 0.5
/* Multiply-adds for each byte of an attention that cost as much as its rows do beside them. */
#define ATTENTION_ROW 10
/* Of the time in which memory brings a launch's weights, where each thread has its own units. */
#define WEIGHTS_SHOW 0.25
/* A function like gelu of each result of a product: as many terms of its sum. */
#define FUNCTION_TERMS 30

enum {
	CACHE_BYTES = 4 << 20, /* of a launch; what is less is read and written faster than memory does */
	LARGE_PAGE = 2 << 20,  /* of which memory consists, as far as they fit into it */
	LARGE_READ = 1 << 20,  /* of which the disk's rate was taken */
	COPY_PIECE = 128 << 10, /* and that of copies */
	CODE_PAGES = 2,        /* of the page cache, mapped by the first launch of a kernel: 16 at a time */
	RAMP_FIRST = 1 << 20, RAMP_LAST = 8 << 20, /* while the system has not yet read far ahead */
	LARGE_WEIGHTS = 1 << 20, /* of a launch: beside them others do not stay in a cache */
	RECORD_READS = 3       /* of a plan that is not cached before its weights: header, records, code */
};

/* Beginning, finishing and storing the results of a product's tile takes as long as so many more terms of their sums. */
#define RESULT_TERMS 16
/* So many operations of the peak in the time of a thread's multiply-add that waits, where the shares were measured. */
#define PEAK_WAITS 128

/*
 * Share of the multiply-add peak; bytes for each multiply-add of the peak (0: only memory counts); the part of that
 * time which waits, and so goes with latency instead; of products, which have terms for each result besides, of
 * the time of these.
 */
struct kernel_class {
	const char *prefix; /* of the template's name; the first that fits counts */
	double flops, bytes, waits;
	uint32_t terms;
	bool panels; /* columns are computed in whole panels */
};

static const struct kernel_class classes[] = {
	{ "matmul_batch", 0.7, 0, 0, 0, false },
	{ "matmul", 0.93, 0, 0, RESULT_TERMS, true },
	{ "conv_few", 0.95, 0, 1, 10, false },
	{ "conv", 0.95, 0, 0, RESULT_TERMS / 2, true },
	{ "winograd", 0.74, 0, 1, 10, false },
	{ "gemv", 0.85, 0, 0, 0, false },
	{ "attention", 0.91, 0, 0, 0, false },
	{ "depthwise", 0.5, 0.25, 0.4, 0, false },
	{ "copy", 0.85, 0.3, 0, 0, false },
	{ "transpose", 0.85, 0.17, 1, 0, false },
	{ "resize", 0.85, 0.06, 0.4, 0, false },
	{ "pool", 0.85, 0.17, 0.7, 0, false },
	{ "pad", 0.85, 0.05, 1, 0, false },
	{ "gather", 0.85, 0.05, 0, 0, false },
	{ "concat", 0.85, 0.3, 0, 0, false },
	{ "norm", 0.85, 0.18, 0.3, 0, false },
	{ "group_norm", 0.85, 0.15, 0.5, 0, false },
	{ "softmax", 0.85, 0.1, 0.3, 0, false },
	{ "reduce", 0.85, 0.2, 0.5, 0, false },
	{ "map", 0.85, 0.25, 0, 0, false },
	{ "recurrent", 0.3, 0, 1, 0, false },
	{ "mix_norm", 0.52, 0.1, 0, 0, false },
	{ "gpu_", 0.5, 0, 0, 0, false },
};

static const struct kernel_class *class_of(const char *kernel)
{
	static const struct kernel_class other = { "", 0.7, 0, 0, 0, false };

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (!strncmp(kernel, classes[i].prefix, strlen(classes[i].prefix)))
			return &classes[i];
	return &other;
}

static uint32_t threads_of(const struct target *t)
{
	return t->threads ? t->threads : 2;
}

/* How much longer what waits takes than what multiplies, beside the CPU where the shares were measured. */
static double waiting(const struct target *t)
{
	return t->latency_ms > 0 ? t->flops_per_s * t->latency_ms / 1e3 / (PEAK_WAITS * threads_of(t)) : 1;
}

/* Work at the peak's rate, whose part `waits` has another. */
static double work_ms(const struct target *t, double flops, double waits)
{
	return 1e3 * flops / t->flops_per_s * (1 + waits * (waiting(t) - 1));
}

/*
 * Weights that no cache holds from one run to the next: a thread that shares its units with another hides
 * that under the other's work, one that has them for itself only in part.
 */
static double weights_ms(const struct target *t, uint64_t bytes)
{
	double part = WEIGHTS_SHOW * (waiting(t) - 1);

	return bytes < LARGE_WEIGHTS || part <= 0 ? 0 : (part < 1 ? part : 1) * 1e3 * (double)bytes / t->memory_bytes_per_s;
}

static double longest(double a, double b)
{
	return a > b ? a : b;
}

static double cpu_ms(const struct target *t, const struct kernel_class *c, const struct launch_work *w)
{
	double flops = (double)w->flops * (c->panels && w->padding > 1 ? w->padding : 1);
	double results = flops > 0 && c->terms ? 2 * (double)w->results : 0;
	double most = work_ms(t, flops, c->terms ? 0 : c->waits) + work_ms(t, c->terms * results, c->waits) +
		      work_ms(t, FUNCTION_TERMS * w->functions * results, 0);

	most /= c->flops;
	if (c->terms)
		most += weights_ms(t, w->weights);
	if (c->bytes > 0)
		most = longest(most, work_ms(t, (double)w->bytes / c->bytes, c->waits));
	if (flops > 0 && !strncmp(c->prefix, "attention", 9)) /* rows of few scores: what each row costs shows */
		most *= 1 + ATTENTION_ROW * waiting(t) * (double)w->bytes / flops;
	return w->bytes > CACHE_BYTES ? longest(most, 1e3 * (double)w->bytes / t->memory_bytes_per_s) : most;
}

double cost_launch_ms(const struct target *t, const struct launch_work *w)
{
	const struct kernel_class *c = class_of(w->kernel);

	if (t->kernels == TARGET_CPU_KERNELS)
		return t->launch_ms + cpu_ms(t, c, w);
	return t->launch_ms + longest(1e3 * (double)w->flops / (c->flops * t->flops_per_s),
				      1e3 * (double)w->bytes / t->memory_bytes_per_s);
}

double cost_copy_ms(const struct target *t, uint64_t bytes)
{
	struct launch_work w = { .kernel = "copy", .bytes = 2 * bytes };

	if (t->kernels == TARGET_CPU_KERNELS && t->unified)
		return cpu_ms(t, class_of(w.kernel), &w);
	return 1e3 * 2 * (double)bytes / t->memory_bytes_per_s;
}

double cost_transfer_ms(const struct target *t, uint64_t bytes)
{
	double rate = t->storage_bytes_per_s;

	return 1e3 * (double)bytes / (!t->direct && rate > BUFFERED_RATE ? BUFFERED_RATE : rate);
}

double cost_lookup_ms(const struct target *t, const struct row_lookup *r, bool cold)
{
	uint64_t rows, bytes = table_chunk(r, &rows), chunks = (r->rows + rows - 1) / rows;
	double ms = cold ? t->seek_ms + cost_read_ms(t, bytes) : cost_copied_ms(t, bytes);

	return (double)(r->count < chunks ? r->count : chunks) * ms;
}

double cost_read_ms(const struct target *t, uint64_t bytes)
{
	double ms = cost_transfer_ms(t, bytes);

	/* side by side, one read is checked while the others are on their way; the rate is that of large ones */
	if (t->direct)
		return bytes < LARGE_READ ? ms + t->request_ms * (1 - (double)bytes / LARGE_READ) : ms;
	return REQUEST_MS + ms + 1e3 * (double)bytes / HASH_RATE;
}

uint32_t cost_reads_at_once(const struct target *t)
{
	return !t->direct || !t->unified ? 0 : t->requests ? t->requests : t->again ? EDGE_REQUESTS_AGAIN : EDGE_REQUESTS_ONCE;
}

double cost_seek_ms(const struct target *t)
{
	return t->seek_ms;
}

double cost_check_ms(uint64_t bytes)
{
	return 1e3 * (double)bytes / HASH_RATE;
}

double cost_copied_ms(const struct target *t, uint64_t bytes)
{
	double ms = 1e3 * (double)bytes / t->cached_bytes_per_s;

	/* the rate is that of pieces which are a request each; all threads make them at the same time */
	return bytes < COPY_PIECE ? ms + COPY_REQUEST_MS / threads_of(t) * (1 - (double)bytes / COPY_PIECE) : ms;
}

bool cost_shares_copies(const struct target *t)
{
	return t->cached && t->backend == TARGET_NATIVE && t->unified;
}

double cost_cached_ms(const struct target *t, uint64_t bytes)
{
	return COPY_REQUEST_MS + threads_of(t) * 1e3 * (double)bytes / t->cached_bytes_per_s;
}

double cost_ramp_ms(const struct target *t, uint64_t before, uint64_t bytes)
{
	return !t->direct && before >= RAMP_FIRST && before < RAMP_LAST ? cost_transfer_ms(t, bytes) : 0;
}

double cost_theft_ms(const struct target *t, uint64_t bytes, double touch_ms)
{
	uint32_t threads = threads_of(t);
	double ms = t->direct ? REQUEST_MS + 1e3 * (double)bytes / HASH_RATE + touch_ms : 1e3 * (double)bytes / COPY_RATE;

	return t->kernels == TARGET_CPU_KERNELS ? ms / threads : 0;
}

void cost_choose_io(struct target *t, uint64_t weights, bool again)
{
	t->again = again;
	t->direct = t->requests != EDGE_REQUESTS_BUFFERED && weights >= (again ? EDGE_DIRECT_AGAIN_FROM : EDGE_DIRECT_FROM);
	t->cached = !t->direct && weights < EDGE_DIRECT_AGAIN_FROM;
}

double cost_touch_ms(const struct target *t, uint64_t memory, uint64_t at, uint64_t bytes)
{
	uint64_t end = memory / LARGE_PAGE * LARGE_PAGE, large = at < end ? end - at : 0;

	if (!t->unified)
		return 0;
	if (large > bytes)
		large = bytes;
	return 1e3 * (double)large / t->touch_bytes_per_s + t->page_ms * (double)((bytes - large) / SCHED_PAGE);
}

double cost_first_use_ms(const struct target *t)
{
	return t->backend == TARGET_NATIVE ? CODE_PAGES * t->page_ms : 0;
}

double cost_upload_ms(const struct target *t, uint64_t bytes, bool rectangle)
{
	if (t->weights != TARGET_TEXTURES)
		return 0;
	return 1e3 * (double)bytes / (rectangle ? t->upload_bytes_per_s : t->memory_bytes_per_s / 2);
}

/* Growth goes with what is carried, up to that of the capacity. */
double cost_carry_ms(const struct target *t, enum target_load load, uint64_t bytes)
{
	return load ? 1e3 * target_load_growth[load] * (double)bytes / t->capacity[load] : 0;
}

double cost_tensor_ms(const struct target *t, uint64_t bytes)
{
	return t->page_ms * (double)(bytes / SCHED_PAGE) + 1e3 * (double)bytes / TENSOR_RATE;
}

double cost_start_ms(const struct target *t)
{
	return t->start_ms + RECORD_READS * t->seek_ms + (t->direct ? DIRECT_MS : 0);
}
