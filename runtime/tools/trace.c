/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - the last run as Chrome trace-event JSON.
 *
 * Two processes of the viewer: what was measured, and what the plan predicted,
 * each with a lane for I/O and one for kernels. Times are in microseconds from
 * the earliest event.
 */
#include "config.h"

#include "base/outfile.h"
#include "tools/tool.h"

#include <inttypes.h>

enum { MEASURED = 1, PREDICTED = 2, LANE_IO = 1, LANE_COMPUTE = 2 };

static void name_of(struct json *j, const char *what, int process, int lane, const char *name)
{
	json_object(j, NULL);
	json_string(j, "name", what);
	json_string(j, "ph", "M");
	json_i64(j, "pid", process);
	if (lane)
		json_i64(j, "tid", lane);
	json_object(j, "args");
	json_string(j, "name", name);
	json_close(j);
	json_close(j);
}

/* Opens an event and its arguments; the caller adds to them and closes twice. */
static void event(struct json *j, const char *name, int process, int lane, double start_ms,
		  double end_ms)
{
	json_object(j, NULL);
	json_string(j, "name", name);
	json_string(j, "cat", lane == LANE_IO ? "io" : "compute");
	json_string(j, "ph", "X");
	json_i64(j, "pid", process);
	json_i64(j, "tid", lane);
	json_number(j, "ts", start_ms * 1000);
	json_number(j, "dur", end_ms > start_ms ? (end_ms - start_ms) * 1000 : 0);
	json_object(j, "args");
}

static const char *step_name(const struct edge_plan *p, uint32_t i)
{
	const struct edge_step *step = &p->steps[i];

	if (step->kind == EDGE_STEP_INPUT)
		return "input";
	if (step->kind == EDGE_STEP_OUTPUT)
		return "output";
	if (p->debug && plan_string(p, p->debug[i].op)[0])
		return plan_string(p, p->debug[i].op);
	if (step->kind == EDGE_STEP_LOOKUP)
		return "lookup";
	return plan_string(p, p->kernels[step->index].name);
}

static void step_event(struct json *j, const struct edge_plan *p, uint32_t i, int process,
		       double start, double end)
{
	event(j, step_name(p, i), process, LANE_COMPUTE, start, end);
	json_u64(j, "step", i);
	if (p->debug && plan_string(p, p->debug[i].node)[0])
		json_string(j, "node", plan_string(p, p->debug[i].node));
	json_string(j, "model", plan_string(p, p->models[p->steps[i].model].name));
	if (p->steps[i].flops) {
		json_u64(j, "flops", p->steps[i].flops);
		if (end > start)
			json_number(j, "gflops", (double)p->steps[i].flops / ((end - start) * 1e6));
	}
	json_u64(j, "bytes", p->steps[i].bytes);
	json_close(j);
	json_close(j);
}

static void read_event(struct json *j, const struct edge_plan *p, uint32_t i, int process,
		       double start, double end)
{
	const struct edge_read *r = &p->reads[i];
	char name[32];

	snprintf(name, sizeof(name), "chunk %" PRIu32, r->chunk);
	event(j, name, process, LANE_IO, start, end);
	json_u64(j, "bytes", p->chunks[r->chunk].bytes);
	json_u64(j, "region", r->region);
	json_u64(j, "offset", r->offset);
	if (r->after_step >= 0)
		json_i64(j, "after_step", r->after_step);
	json_bool(j, "stays", (r->flags & EDGE_READ_ONCE) != 0);
	json_close(j);
	json_close(j);
}

static void measured(struct json *j, const struct edgert_session *s)
{
	const struct edge_plan *p = edgert_plan(s);
	struct edgert_report report;
	double start, end, zero = 0;
	uint32_t i;

	edgert_report(s, &report);
	/* reads of the first run begin before the run does */
	for (i = 0; i < p->read_count && report.runs == 1; i++)
		if (edgert_read_time(s, i, &start, &end) && start < zero)
			zero = start;
	for (i = 0; i < p->read_count; i++)
		if ((report.runs == 1 || !(p->reads[i].flags & EDGE_READ_ONCE)) &&
		    edgert_read_time(s, i, &start, &end))
			read_event(j, p, i, MEASURED, start - zero, end - zero);
	for (i = 0; i < p->step_count; i++)
		if (edgert_step_time(s, i, &start, &end))
			step_event(j, p, i, MEASURED, start - zero, end - zero);
}

static void predicted(struct json *j, const struct edge_plan *p)
{
	uint32_t i;

	for (i = 0; i < p->read_count; i++)
		read_event(j, p, i, PREDICTED, p->reads[i].predicted_start_ms,
			   p->reads[i].predicted_end_ms);
	for (i = 0; i < p->step_count; i++)
		step_event(j, p, i, PREDICTED, p->steps[i].predicted_start_ms,
			   p->steps[i].predicted_start_ms + p->steps[i].predicted_ms);
}

enum edge_status trace_save(const char *path, const struct edgert_session *s, struct failure *f)
{
	struct rt_outfile o;
	enum edge_status st = rt_outfile_open(&o, path, f);
	struct json j;
	int process;

	if (st != EDGE_OK)
		return st;
	json_begin(&j, o.stream);
	j.compact = true;
	json_object(&j, NULL);
	json_string(&j, "displayTimeUnit", "ms");
	json_array(&j, "traceEvents");
	for (process = MEASURED; process <= PREDICTED; process++) {
		name_of(&j, "process_name", process, 0,
			process == MEASURED ? "measured" : "predicted (cold run)");
		name_of(&j, "thread_name", process, LANE_IO, "I/O");
		name_of(&j, "thread_name", process, LANE_COMPUTE, "compute");
	}
	measured(&j, s);
	predicted(&j, edgert_plan(s));
	json_close(&j);
	json_close(&j);
	json_end(&j);
	return rt_outfile_commit(&o, f);
}
