/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - from a file name to a session that is ready to run.
 *
 * The order is made for a fast start: the records that name the plan's reads are
 * read and checked, memory is reserved, and the I/O thread begins to fill it; only
 * then come the rest of the records, the driver and the kernels, while weights arrive.
 */
#include "config.h"

#include "base/clock.h"
#include "exec/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct failure open_failure;

static enum edge_status out_of_memory(struct edgert_session *s)
{
	return rt_fail(&s->failure, EDGE_MEMORY, "out of memory");
}

static enum plan_io session_io(const struct edgert_options *o)
{
	static const enum plan_io kinds[] = { [EDGERT_IO_AUTO] = PLAN_IO_AUTO, [EDGERT_IO_BUFFERED] = PLAN_IO_BUFFERED,
					      [EDGERT_IO_DIRECT] = PLAN_IO_DIRECT, [EDGERT_IO_URING] = PLAN_IO_DIRECT };

	return o->io < sizeof kinds / sizeof *kinds ? kinds[o->io] : PLAN_IO_AUTO;
}

static enum edge_status bad_plan(struct edgert_session *s, enum edge_status st, const char *why)
{
	return rt_fail(&s->failure, st, "plan \"%s\" %s: %s", s->file.path,
		       st == EDGE_UNSUPPORTED ? "is not supported" : "is damaged", why);
}

/* What no weight waits for. A purpose that adjusts records has it checked before, as it is in the file. */
static enum edge_status load_rest(struct edgert_session *s)
{
	enum edge_status st;
	char why[512];

	if (s->whole)
		return EDGE_OK;
	if ((st = plan_file_read_late(&s->file, &s->failure)) != EDGE_OK)
		return st;
	st = plan_check_late(&s->plan, why, sizeof(why));
	s->whole = st == EDGE_OK;
	return st == EDGE_OK ? EDGE_OK : bad_plan(s, st, why);
}

static enum edge_status adjust(struct edgert_session *s, const struct session_purpose *purpose)
{
	enum edge_status st;

	if (!purpose->adjust)
		return EDGE_OK;
	st = load_rest(s);
	return st == EDGE_OK ? purpose->adjust(purpose->ctx, &s->plan, &s->failure) : st;
}

static enum edge_status load_plan(struct edgert_session *s, const struct edgert_options *options,
				  const struct session_purpose *purpose)
{
	enum edge_status st;
	char why[512];

	if (!options->plan)
		return rt_fail(&s->failure, EDGE_ARGUMENT, "no plan was named");
	if ((st = plan_file_open_early(options->plan, &s->file, &s->failure)) != EDGE_OK)
		return st;
	if ((st = plan_check_early(s->file.data, s->file.size, &s->plan, why, sizeof(why))) != EDGE_OK)
		return bad_plan(s, st, why);
	if (options->no_native && plan_holds_code(&s->plan))
		return rt_fail(&s->failure, EDGE_UNSUPPORTED,
			       "plan \"%s\" holds machine code, which is not to be run here; "
			       "compile it for a device with backend opencl",
			       options->plan);
	if (options->text && s->plan.meta->kind != EDGE_PLAN_GENERATE)
		return rt_fail(&s->failure, EDGE_ARGUMENT, "plan \"%s\" does not generate text", options->plan);
	if (purpose && s->plan.meta->kind == purpose->kind)
		return adjust(s, purpose);
	if (purpose && purpose->kind == EDGE_PLAN_TRAIN)
		return rt_fail(&s->failure, EDGE_UNSUPPORTED, "plan \"%s\" does not train", options->plan);
	if (s->plan.meta->kind != EDGE_PLAN_RUN && s->plan.meta->kind != EDGE_PLAN_GENERATE)
		return rt_fail(&s->failure, EDGE_UNSUPPORTED,
			       "cannot run plan \"%s\": %s plans are not supported yet",
			       options->plan,
			       s->plan.meta->kind == EDGE_PLAN_TRAIN ? "training" : "generating");
	return EDGE_OK;
}

/* First read that is not for keeps, or read_count. */
static uint32_t first_streamed(const struct edge_plan *p)
{
	uint32_t i = 0;

	while (i < p->read_count && (p->reads[i].flags & EDGE_READ_ONCE))
		i++;
	return i;
}

static enum edge_status refuse_streaming(struct edgert_session *s)
{
	if (first_streamed(&s->plan) == s->plan.read_count)
		return EDGE_OK;
	return rt_fail(&s->failure, EDGE_ARGUMENT,
		       "plan \"%s\" is not resident: it streams %" PRIu64
		       " bytes in each run; compile it with a larger budget",
		       s->file.path, s->plan.meta->streamed_bytes);
}

static enum edge_status make_records(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;

	s->regions = rt_alloc(p->region_count, sizeof(*s->regions));
	s->memory = rt_alloc(p->region_count, sizeof(*s->memory));
	s->in_place = rt_alloc(p->region_count, sizeof(*s->in_place));
	s->buffers = rt_alloc(p->buffer_count, sizeof(*s->buffers));
	s->programs = rt_alloc(p->program_count, sizeof(*s->programs));
	s->steps = rt_alloc(p->step_count, sizeof(*s->steps));
	s->tensors = rt_alloc(p->tensor_count, sizeof(*s->tensors));
	s->model_ms = rt_alloc(p->model_count, sizeof(*s->model_ms));
	return s->regions && s->memory && s->in_place && s->buffers && s->programs && s->steps &&
			       s->tensors && s->model_ms
		       ? EDGE_OK
		       : out_of_memory(s);
}

static enum edge_status wait_step(void *ctx, uint32_t step, struct failure *f)
{
	struct edgert_session *s = ctx;

	return s->ops->fence_wait(s->device, &s->steps[step].fence, f);
}

static enum edge_status upload(void *ctx, uint32_t region, uint64_t offset, const void *data,
			       uint64_t bytes, struct failure *f)
{
	struct edgert_session *s = ctx;

	return s->ops->upload(s->device, s->regions[region], offset, data, bytes, f);
}

static void share(void *ctx, void (*work)(void *work_ctx, uint64_t begin, uint64_t end), void *work_ctx, uint64_t count)
{
	struct edgert_session *s = ctx;

	s->ops->share(s->device, work, work_ctx, count);
}

static enum edge_status start_reading(struct edgert_session *s,
				      const struct edgert_options *options)
{
	struct stream_config config = {
		.plan = &s->plan,
		.file = &s->file,
		.memory = s->in_place,
		.wait_step = wait_step,
		.upload = upload,
		.ctx = s,
		.ring = options->io == EDGERT_IO_URING ||
			(options->io == EDGERT_IO_AUTO && s->plan.meta->reading == EDGE_READING_URING),
		.record = options->profile,
	};

	if (s->staging != UINT32_MAX) {
		config.staging = s->memory[s->staging];
		config.staging_bytes = s->plan.regions[s->staging].bytes;
	}
	return stream_start(&config, &s->stream, &s->failure);
}

/* Somebody asks when a step is done: a read, the stall clock, the models' clock, or the caller. */
static void choose_fences(struct edgert_session *s, bool all)
{
	const struct edge_plan *p = &s->plan;
	uint32_t i, reads = 0;

	for (i = 0; i < p->read_count; i++)
		if (p->reads[i].after_step >= 0)
			s->steps[p->reads[i].after_step].fenced = true;
	for (i = 0; i < p->step_count; i++) {
		s->steps[i].starving = p->steps[i].reads_needed > reads;
		reads = p->steps[i].reads_needed;
		if (s->steps[i].starving && i > 0 && s->timed)
			s->steps[i - 1].fenced = true;
		if (all)
			s->steps[i].fenced = true;
	}
	for (i = 0; i < p->model_count; i++)
		if (s->timed && p->models[i].step_count > 0)
			s->steps[p->models[i].step_first + p->models[i].step_count - 1].fenced =
				true;
}

static enum edge_status open_device(struct edgert_session *s, const struct edgert_options *options)
{
	const struct edge_meta *meta = s->plan.meta;
	struct device_request request = {
		.name = options->device,
		.kernel_style = meta->kernel_style,
		.threads = options->threads ? options->threads : meta->threads,
		.no_cache = options->no_cache,
		.pin = options->pin, .streams = first_streamed(&s->plan) < s->plan.read_count,
	};
	enum edge_status st;

	/* a driver on the CPU keeps times for nothing; others may run slower for it */
	s->timed = request.profile = options->profile || meta->kernel_style == EDGE_KERNELS_CPU;
	if (!s->ops)
		s->ops = device_backend(meta->backend);
	if (!s->ops)
		return rt_fail(&s->failure, EDGE_UNSUPPORTED,
			       "plan \"%s\" is for a backend that this program lacks",
			       s->file.path);
	if ((st = s->ops->open(&request, &s->device, &s->failure)) != EDGE_OK)
		return st;
	if (s->staging == UINT32_MAX && (s->plan.read_count > 0 || s->plan.view_count > 0) && !s->ops->info(s->device)->unified)
		return rt_fail(&s->failure, EDGE_UNSUPPORTED,
			       "plan \"%s\" is for a device that shares memory with the host, and "
			       "\"%s\" does not",
			       s->file.path, s->ops->info(s->device)->name);
	return EDGE_OK;
}

/* Memory of the process that is not the plan's: what the driver and its compiler took. */
static uint64_t measure_driver(const struct edgert_session *s)
{
	uint64_t regions = 0, now = rt_rss(), peak = rt_peak_rss();
	uint32_t i;

	for (i = 0; i < s->plan.region_count; i++)
		if (s->memory[i])
			regions += rt_resident(s->memory[i], s->plan.regions[i].bytes);
	/* the peak may be from before the regions filled: rather too little than too much */
	now = now > regions ? now - regions : 0;
	peak = peak > regions ? peak - regions : 0;
	return now > peak ? now : peak;
}

enum edge_status session_open_as(const struct edgert_options *options, const struct device_ops *ops,
				 const struct session_purpose *purpose, struct edgert_session **out)
{
	struct edgert_session *s = rt_alloc(1, sizeof(*s));
	enum edge_status st;

	*out = NULL;
	rt_failure_clear(&open_failure);
	if (!s)
		return rt_fail(&open_failure, EDGE_MEMORY, "out of memory");
	s->opened = rt_now();
	s->ops = ops;
	s->file.fd = s->file.direct_fd = -1;
	if ((st = load_plan(s, options, purpose)) != EDGE_OK ||
	    (options->resident && (st = refuse_streaming(s)) != EDGE_OK))
		goto fail;
	if ((st = make_records(s)) != EDGE_OK || (st = session_take_memory(s)) != EDGE_OK)
		goto fail;
	plan_file_choose_io(&s->file, session_io(options), s->plan.meta->requests,
			    s->shared ? s->shared_bytes : s->account.current[RT_HOST],
			    first_streamed(&s->plan) < s->plan.read_count);
	/* memory of the device's own must exist before anything is read into it */
	if (!purpose && s->staging == UINT32_MAX && (st = start_reading(s, options)) != EDGE_OK)
		goto fail;
	if ((st = load_rest(s)) != EDGE_OK || (st = open_device(s, options)) != EDGE_OK ||
	    (st = session_prepare(s, options)) != EDGE_OK)
		goto fail;
	choose_fences(s, options->profile);
	if (!purpose && !s->stream && (st = start_reading(s, options)) != EDGE_OK)
		goto fail;
	if (s->stream && s->ops->share)
		stream_share_reads(s->stream, share);
	s->driver_rss = measure_driver(s);
	if (options->resident && !stream_preload(s->stream, &s->failure)) {
		st = s->failure.status != EDGE_OK ? s->failure.status
						  : rt_fail(&s->failure, EDGE_ARGUMENT,
							    "plan \"%s\" cannot have all weights "
							    "in memory before it runs",
							    options->plan);
		goto fail;
	}
	s->ready = rt_now();
	*out = s;
	return EDGE_OK;
fail:
	open_failure = s->failure;
	edgert_close(s);
	return st;
}

enum edge_status session_open(const struct edgert_options *options, const struct device_ops *ops,
			      struct edgert_session **out)
{
	return session_open_as(options, ops, NULL, out);
}

enum edge_status edgert_open(const struct edgert_options *options, struct edgert_session **out)
{
	return session_open(options, NULL, out);
}

const char *edgert_last_error(const struct edgert_session *s)
{
	return s ? s->failure.text : open_failure.text;
}
