/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_bench.c - edgert bench: one session measured, warm and cold.
 *
 * Warm: a first run, then N in the same session. Cold: N processes, the plan
 * evicted before each; the child says when it had its first output, the parent
 * knows when it was started. A streamed plan is also held against the lower
 * bound of its own step times and disk rate, both taken here and now.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "stream/plan_file.h"
#include "tools/tool.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEED = 7, WARM_RUNS = 20, COLD_RUNS = 5, BOUND_RUNS = 7, RUNS_KEPT = 20 };

/* What a child reports through its pipe, whole or not at all. */
struct child_report {
	int64_t first_output; /* on rt_now()'s clock, which processes share */
	uint64_t peak_rss;
};

/* ---- cold: whole processes */

static int child(const struct tool_options *o)
{
	struct failure f = { .status = EDGE_OK };
	struct tool_tensors t = { 0 };
	struct child_report report;
	struct edgert_session *s;
	int status = TOOL_OK;

	if (edgert_open(&o->session, &s) != EDGE_OK)
		return tool_error("%s", edgert_last_error(NULL));
	if (tensors_bind(&t, s, o, SEED, &f) != EDGE_OK || edgert_run(s) != EDGE_OK) {
		status = tool_error("%s", f.status != EDGE_OK ? f.text : edgert_last_error(s));
	} else {
		report = (struct child_report){ rt_now(), rt_peak_rss() };
		if (write(o->child, &report, sizeof(report)) != (ssize_t)sizeof(report))
			status = TOOL_FAILED;
	}
	tensors_free(&t);
	edgert_close(s);
	return status;
}

/* argv of the same command with --child FD at the end; the caller frees it. */
static char **child_arguments(int argc, char **argv, char *fd_text)
{
	char **a = rt_alloc((size_t)argc + 4, sizeof(*a));
	int n = 0, i;

	if (!a)
		return NULL;
	a[n++] = (char *)(uintptr_t) "edgert";
	for (i = 0; i < argc; i++)
		a[n++] = argv[i];
	a[n++] = (char *)(uintptr_t) "--child";
	a[n++] = fd_text;
	return a;
}

static enum edge_status one_process(char **arguments, int pipe_fd[2], struct child_report *report,
				    double *total_ms, int64_t *start, struct failure *f)
{
	int code = 0;
	ssize_t n;
	pid_t pid;

	*start = rt_now();
	pid = fork();
	if (pid < 0)
		return rt_fail_errno(f, EDGE_IO, "could not start a process");
	if (pid == 0) {
		execv("/proc/self/exe", arguments);
		_exit(127);
	}
	while (waitpid(pid, &code, 0) < 0 && errno == EINTR)
		;
	*total_ms = rt_ms(rt_now() - *start);
	if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
		return rt_fail(f, EDGE_IO, "a cold run failed");
	n = read(pipe_fd[0], report, sizeof(*report));
	return n == (ssize_t)sizeof(*report) ? EDGE_OK
					     : rt_fail(f, EDGE_IO, "a cold run did not report");
}

static enum edge_status cold_runs(const struct tool_options *o, int argc, char **argv,
				  struct tool_times *times, double *ms, double *total,
				  struct failure *f)
{
	struct child_report report;
	enum edge_status st = EDGE_OK;
	char fd_text[16], **arguments;
	int pipe_fd[2];
	int64_t start;
	uint32_t i;

	if (pipe(pipe_fd) != 0)
		return rt_fail_errno(f, EDGE_IO, "could not make a pipe");
	snprintf(fd_text, sizeof(fd_text), "%d", pipe_fd[1]);
	arguments = child_arguments(argc, argv, fd_text);
	if (!arguments)
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	for (i = 0; i < o->count && st == EDGE_OK; i++) {
		if ((st = plan_file_evict(o->session.plan, f)) != EDGE_OK ||
		    (st = one_process(arguments, pipe_fd, &report, &total[i], &start, f)) !=
			    EDGE_OK)
			break;
		ms[i] = rt_ms(report.first_output - start);
		if (report.peak_rss > times->cold_peak_rss)
			times->cold_peak_rss = report.peak_rss;
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	rt_free(arguments);
	if (st == EDGE_OK) {
		times->cold_ms = median_ms(ms, o->count);
		times->cold_process_ms = median_ms(total, o->count);
	}
	return st;
}

/* ---- warm, and the bound */

/* The last RUNS_KEPT runs: how long each took, and each of its steps. */
struct samples {
	double run_ms[RUNS_KEPT];
	double *step_ms; /* [run][step] */
	uint32_t steps, runs;
};

static void keep_times(const struct edgert_session *s, struct samples *kept, double run_ms)
{
	uint32_t run = kept->runs++ % RUNS_KEPT, i;
	double start, end;

	kept->run_ms[run] = run_ms;
	for (i = 0; i < kept->steps; i++) {
		if (!edgert_step_time(s, i, &start, &end))
			start = end = 0;
		kept->step_ms[(size_t)run * kept->steps + i] = end - start;
	}
}

/* ms: each run's time, or NULL. */
static enum edge_status warm_runs(struct edgert_session *s, uint32_t count, double *ms,
				  struct samples *kept, bool evict, const char *path,
				  struct failure *f)
{
	struct edgert_report r;
	enum edge_status st;
	uint32_t i;

	kept->runs = 0;
	for (i = 0; i < count; i++) {
		if ((evict && (st = plan_file_evict(path, f)) != EDGE_OK) ||
		    (st = edgert_run(s)) != EDGE_OK)
			return st;
		edgert_report(s, &r);
		if (ms)
			ms[i] = r.run_ms;
		keep_times(s, kept, r.run_ms);
	}
	return EDGE_OK;
}

/* The run whose ratio to the bound of its own step times is the median. */
static void choose_run(const struct edge_plan *p, const struct samples *kept, const struct storage *storage,
		       struct tool_times *times)
{
	uint32_t runs = kept->runs < RUNS_KEPT ? kept->runs : RUNS_KEPT, i;
	double ratio[RUNS_KEPT], sorted[RUNS_KEPT], bound[RUNS_KEPT], middle;

	for (i = 0; i < runs; i++) {
		bound[i] = lower_bound_ms(p, kept->step_ms + (size_t)i * kept->steps, storage, false);
		sorted[i] = ratio[i] = kept->run_ms[i] / bound[i];
	}
	median_ms(sorted, runs);
	middle = sorted[runs / 2];
	for (i = 0; i < runs; i++) {
		if (ratio[i] == middle) {
			times->bound_ms = bound[i];
			times->bound_run_ms = kept->run_ms[i];
			times->limited_bound_ms = lower_bound_ms(p, kept->step_ms + (size_t)i * kept->steps, storage, true);
		}
	}
}

/*
 * The disk is asked before and after, because it is not the same all the time. Copies are a processor's, which only
 * others slow down: what they could take at best bounds them.
 */
static enum edge_status bound_of_runs(struct edgert_session *s, const struct tool_options *o, bool evict,
				      struct tool_times *times, struct samples *kept, struct failure *f)
{
	const struct edge_plan *p = edgert_plan(s);
	struct edgert_report r;
	struct storage before = { 0 }, after = { 0 };
	enum edge_status st;
	bool direct;

	edgert_report(s, &r);
	direct = r.direct;
	st = measure_storage(o->session.plan, p, direct, evict, r.threads, &before, f);
	if (st == EDGE_OK && evict)
		st = warm_runs(s, BOUND_RUNS, NULL, kept, true, o->session.plan, f);
	if (st == EDGE_OK)
		st = measure_storage(o->session.plan, p, direct, evict, r.threads, &after, f);
	if (st == EDGE_OK) {
		bool faster = after.bytes_per_s > before.bytes_per_s;
		const struct storage *taken = faster == before.copies ? &after : &before;

		times->storage_bytes_per_s = taken->bytes_per_s;
		choose_run(p, kept, taken, times);
	}
	storage_free(&before);
	storage_free(&after);
	return st;
}

/*
 * What streaming costs beside the bound: of the warm runs, as the page cache has it, and, where the plan is
 * evicted, of runs that each begin with nothing in the page cache.
 */
static enum edge_status measure_bound(struct edgert_session *s, const struct tool_options *o,
				      struct tool_times *times, struct samples *kept, struct failure *f)
{
	enum edge_status st;

	if (edgert_plan(s)->meta->streamed_bytes == 0)
		return EDGE_OK;
	st = bound_of_runs(s, o, false, times, kept, f);
	times->warm_bound_ratio = times->bound_ms > 0 ? times->bound_run_ms / times->bound_ms : 0;
	return st == EDGE_OK && o->cold ? bound_of_runs(s, o, true, times, kept, f) : st;
}

static void table(const struct edgert_session *s, const struct tool_times *t, uint32_t count)
{
	struct edgert_report r;

	edgert_report(s, &r);
	tool_say(stdout, "plan                %s, %u steps, %u kernels", r.plan, r.steps, r.kernels);
	tool_say(stdout, "device              %s, %s, %u threads", r.backend, r.device, r.threads);
	printf("memory planned      %llu bytes (%s), host %llu\n",
	       (unsigned long long)r.planned_device_bytes, tool_size(r.planned_device_bytes),
	       (unsigned long long)r.planned_host_bytes);
	printf("memory taken        %llu bytes (%s), host %llu\n",
	       (unsigned long long)r.actual_device_bytes, tool_size(r.actual_device_bytes),
	       (unsigned long long)r.actual_host_bytes);
	printf("process             %s at most, %s of them the driver's and the program's\n",
	       tool_size(t->cold_peak_rss ? t->cold_peak_rss : r.peak_rss_bytes),
	       tool_size(r.driver_rss_bytes));
	printf("load                %.2f ms\n", r.load_ms);
	if (t->cold_process_ms > 0)
		printf("cold                %.2f ms from start to first output, %.2f ms the whole "
		       "process (median of %u)\n",
		       t->cold_ms, t->cold_process_ms, count);
	else
		printf("first output        %.2f ms after the start\n", t->cold_ms);
	printf("warm                %.3f ms (median)\n", t->warm_ms);
	if (r.flops)
		printf("                    %.2f GFLOP/s\n", (double)r.flops / (t->warm_ms * 1e6));
	if (r.predicted_ms > 0)
		printf("predicted           %.3f ms cold, %.3f ms warm; lower bound %.3f ms\n",
		       r.predicted_ms, r.predicted_warm_ms, r.lower_bound_ms);
	if (r.bytes_streamed) {
		printf("streamed            %s in a run, stalled %.3f ms\n",
		       tool_size(r.bytes_streamed), r.stall_ms);
		printf("storage             %.0f MB/s (%s)\n", t->storage_bytes_per_s / 1e6,
		       t->cold_process_ms > 0 ? "evicted" : "as the page cache has it");
		printf("T and T*            %.3f ms and %.3f ms, ratio %.3f\n", t->bound_run_ms,
		       t->bound_ms, t->bound_ms > 0 ? t->bound_run_ms / t->bound_ms : 0);
		if (t->cold_process_ms > 0)
			printf("T/T* warm           %.3f, as the page cache has it\n", t->warm_bound_ratio);
		printf("T* in this memory   %.3f ms, ratio %.3f\n", t->limited_bound_ms,
		       t->limited_bound_ms > 0 ? t->bound_run_ms / t->limited_bound_ms : 0);
	}
}

static enum edge_status measure(struct edgert_session *s, const struct tool_options *o,
				struct tool_tensors *t, struct tool_times *times, double *ms,
				struct samples *kept, struct failure *f)
{
	uint32_t warm = o->cold ? WARM_RUNS : o->count;
	enum edge_status st;

	if ((st = tensors_bind(t, s, o, SEED, f)) != EDGE_OK || (st = edgert_run(s)) != EDGE_OK)
		return st;
	if (!o->cold)
		times->cold_ms = rt_ms(rt_now() - tool_start);
	if ((st = warm_runs(s, warm, ms, kept, false, o->session.plan, f)) != EDGE_OK)
		return st;
	times->warm_ms = median_ms(ms, warm);
	if ((st = measure_bound(s, o, times, kept, f)) != EDGE_OK)
		return st;
	if (o->json)
		report_json(stdout, s, times);
	else
		table(s, times, o->count);
	return EDGE_OK;
}

static int bench(const struct tool_options *o, int argc, char **argv)
{
	uint32_t room = o->count > WARM_RUNS ? o->count : WARM_RUNS;
	double *ms = rt_alloc(room, sizeof(*ms)), *total = rt_alloc(room, sizeof(*total));
	struct failure f = { .status = EDGE_OK };
	struct samples kept = { .step_ms = NULL };
	struct tool_times times = { 0 };
	struct tool_tensors t = { 0 };
	struct edgert_session *s = NULL;
	int status = TOOL_OK;

	if (!ms || !total)
		status = tool_error("out of memory");
	else if (o->cold && cold_runs(o, argc, argv, &times, ms, total, &f) != EDGE_OK)
		status = tool_error("%s", f.text);
	else if (edgert_open(&o->session, &s) != EDGE_OK)
		status = tool_error("%s", edgert_last_error(NULL));
	else if (!(kept.step_ms = rt_alloc(kept.steps = edgert_plan(s)->step_count,
					   RUNS_KEPT * sizeof(double))))
		status = tool_error("out of memory");
	else if (measure(s, o, &t, &times, ms, &kept, &f) != EDGE_OK)
		status = tool_error("%s", f.status != EDGE_OK ? f.text : edgert_last_error(s));
	tensors_free(&t);
	edgert_close(s);
	rt_free(kept.step_ms);
	rt_free(total);
	rt_free(ms);
	return status;
}

int cmd_bench(int argc, char **argv)
{
	char **copy = rt_alloc((size_t)argc + 1, sizeof(*copy));
	struct tool_options o;
	int status, i;

	if (!copy)
		return tool_error("out of memory");
	for (i = 0; i < argc; i++) /* getopt_long sorts argv */
		copy[i] = argv[i];
	status = tool_options(argc, argv, true, &o);
	if (status == 0) {
		/* children measure what a user's run does, so they keep no times */
		o.session.profile = o.child < 0;
		if (o.count == 0)
			o.count = o.cold ? COLD_RUNS : WARM_RUNS;
		status = 1 + (o.child >= 0 ? child(&o) : bench(&o, argc, copy));
	}
	tool_options_free(&o);
	rt_free(copy);
	return status - 1;
}
