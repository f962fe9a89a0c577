/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what a session can say about itself and its last run. */
#include "config.h"

#include "base/clock.h"
#include "exec/session.h"

static uint64_t streamed_bytes(const struct edge_plan *p)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < p->read_count; i++)
		if (!(p->reads[i].flags & EDGE_READ_ONCE))
			total += p->chunks[p->reads[i].chunk].bytes;
	return total;
}

void edgert_report(const struct edgert_session *s, struct edgert_report *out)
{
	const struct device_info *info = s->ops->info(s->device);
	const struct edge_meta *meta = s->plan.meta;
	struct stream_totals totals;
	uint32_t i;

	stream_totals(s->stream, &totals);
	*out = (struct edgert_report){
		.plan = plan_string(&s->plan, meta->name),
		.backend = info->backend,
		.device = info->name,
		.driver = info->driver,
		.threads = info->threads,
		.planned_device_bytes = meta->planned_device_bytes,
		.planned_host_bytes = meta->planned_host_bytes,
		.actual_device_bytes = s->account.peak[RT_DEVICE],
		.actual_host_bytes = s->account.peak[RT_HOST],
		.driver_rss_bytes = s->driver_rss,
		.peak_rss_bytes = rt_peak_rss(),
		.steps = s->plan.step_count,
		.models = s->plan.model_count,
		.runs = s->runs,
		.bytes_streamed = s->runs ? streamed_bytes(&s->plan) + s->looked_up : 0,
		.bytes_read = totals.bytes,
		.direct = plan_file_is_direct(&s->file),
		.uring = stream_has_ring(s->stream),
		.programs_cached = info->programs_cached,
		.load_ms = session_ms(s->ready - s->opened),
		.first_ms = s->runs ? session_ms(s->first_end - s->opened) : 0,
		.run_ms = s->runs ? session_ms(s->run_end - s->run_begin) : 0,
		.stall_ms = session_ms(s->stall),
		.predicted_ms = meta->predicted_ms,
		.predicted_warm_ms = meta->predicted_warm_ms,
		.lower_bound_ms = meta->lower_bound_ms,
		.flops = meta->flops,
	};
	for (i = 0; i < s->plan.step_count; i++)
		out->kernels += s->plan.steps[i].kind == EDGE_STEP_KERNEL;
}

const char *edgert_model(const struct edgert_session *s, uint32_t index, double *ms)
{
	*ms = s->model_ms[index];
	return plan_string(&s->plan, s->plan.models[index].name);
}

bool edgert_step_time(const struct edgert_session *s, uint32_t step, double *start_ms,
		      double *end_ms)
{
	const struct step_state *state;

	if (!s->timed || step >= s->plan.step_count || !s->steps[step].fenced)
		return false;
	state = &s->steps[step];
	*start_ms = session_ms(state->start - s->run_begin);
	*end_ms = session_ms(state->end - s->run_begin);
	return true;
}

bool edgert_read_time(const struct edgert_session *s, uint32_t read, double *start_ms,
		      double *end_ms)
{
	const struct stream_record *records = stream_records(s->stream);

	if (!records || read >= s->plan.read_count)
		return false;
	*start_ms = session_ms(records[read].begin - s->run_begin);
	*end_ms = session_ms(records[read].arrived - s->run_begin);
	return true;
}

const struct edge_plan *edgert_plan(const struct edgert_session *s)
{
	return &s->plan;
}
