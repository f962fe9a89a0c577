/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_run.c - edgert run. */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "tools/tool.h"

#include <string.h>

/* ms[] has room for count - 1 warm runs. */
static enum edge_status run_all(struct edgert_session *s, uint32_t count, double *ms,
				struct tool_times *times)
{
	struct edgert_report r;
	enum edge_status st;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if ((st = edgert_run(s)) != EDGE_OK)
			return st;
		if (i == 0) {
			times->cold_ms = rt_ms(rt_now() - tool_start);
			continue;
		}
		edgert_report(s, &r);
		ms[i - 1] = r.run_ms;
	}
	times->warm_ms = median_ms(ms, count - 1);
	return EDGE_OK;
}

static void summary(const struct edgert_session *s, const struct tool_times *times)
{
	char warm[48] = "", streamed[64] = "";
	struct edgert_report r;

	edgert_report(s, &r);
	if (times->warm_ms > 0)
		snprintf(warm, sizeof(warm), ", then %.2f ms a run", times->warm_ms);
	if (r.bytes_streamed)
		snprintf(streamed, sizeof(streamed), ", %s streamed in a run", tool_size(r.bytes_streamed));
	tool_say(stdout, "%s: %.2f ms from start to result%s; %s of device memory (planned %s)%s", r.plan,
		 times->cold_ms, warm, tool_size(r.actual_device_bytes), tool_size(r.planned_device_bytes), streamed);
}

static enum edge_status work(struct edgert_session *s, const struct tool_options *o,
			     struct tool_tensors *t, double *ms, struct failure *f)
{
	struct tool_times times = { 0 };
	enum edge_status st;

	if (o->samples)
		return samples_run(s, o, f);
	if ((st = tensors_bind(t, s, o, 0, f)) != EDGE_OK ||
	    (st = run_all(s, o->count, ms, &times)) != EDGE_OK)
		return st;
	if (o->output_dir && (st = tensors_save(t, o->output_dir, false, f)) != EDGE_OK)
		return st;
	if (o->report && (st = report_save(o->report, s, &times, f)) != EDGE_OK)
		return st;
	if (o->trace && (st = trace_save(o->trace, s, f)) != EDGE_OK)
		return st;
	summary(s, &times);
	return EDGE_OK;
}

static int run(const struct tool_options *o)
{
	struct failure f = { .status = EDGE_OK };
	struct tool_tensors t = { 0 };
	struct edgert_session *s;
	double *ms = rt_alloc(o->count, sizeof(*ms));
	int status = TOOL_OK;

	if (!ms)
		return tool_error("out of memory");
	if (edgert_open(&o->session, &s) != EDGE_OK) {
		status = tool_error("%s", edgert_last_error(NULL));
	} else if (edgert_plan(s)->meta->kind != EDGE_PLAN_RUN) {
		status = tool_error("plan \"%s\" is not for running; see: edgert execute", o->session.plan);
	} else if (work(s, o, &t, ms, &f) != EDGE_OK) {
		status = tool_error("%s", f.status != EDGE_OK ? f.text : edgert_last_error(s));
	}
	tensors_free(&t);
	edgert_close(s);
	rt_free(ms);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct tool_options o;
	int status = tool_options(argc, argv, false, &o);

	if (status == 0) {
		if (o.count == 0)
			o.count = 1;
		status = 1 + run(&o);
	}
	tool_options_free(&o);
	return status - 1;
}
