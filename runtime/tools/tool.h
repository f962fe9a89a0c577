/* SPDX-License-Identifier: Apache-2.0 */
/* tool.h - what the commands of edgert share. */
#ifndef EDGE_RT_TOOL_H
#define EDGE_RT_TOOL_H

#include "base/failure.h"
#include "base/json.h"
#include "edge/edgert.h"

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

/* When the process began, on rt_now()'s clock. */
extern int64_t tool_start;

/* Each command gets its own name as argv[0] and returns the exit status. */
int cmd_execute(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_devices(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_render(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_perplexity(int argc, char **argv);
int cmd_tokenize(int argc, char **argv);

/* One line; what stands in it of names from files cannot act on the terminal. */
void tool_say(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tool_vsay(FILE *out, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* The same on stderr, "edgert: error: ..."; returns TOOL_FAILED. */
int tool_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* ... with a pointer to --help; returns TOOL_USAGE. */
int tool_usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The argument of --io; false: said what is wrong. */
bool tool_io(const char *text, enum edgert_io *out);
/* A whole number from least up to INT32_MAX; false: said what is wrong. */
bool tool_number(const char *option, const char *text, long least, uint32_t *out);
/* "12.3 MiB"; one of a few static buffers. */
const char *tool_size(uint64_t bytes);

/* ---- tool_options.c: options that run and bench have in common */

struct tool_options {
	struct edgert_options session;
	const char **input; /* NAME=FILE */
	uint32_t input_count;
	const char *output_dir, *report, *trace;
	uint32_t count; /* --repeat, -n */
	bool json, cold;
	bool samples; /* run's own: input files hold many samples */
	int child; /* bench's own: descriptor to report to, or -1 */
};

/*
 * Reads the options of run, or of bench, and one plan. Returns 0, or 1 + the exit status when
 * there is nothing left to do. tool_options_free() in any case.
 */
int tool_options(int argc, char **argv, bool bench, struct tool_options *out);
void tool_options_free(struct tool_options *o);

/* ---- cmd_info.c */

struct plan_file;

/* Opens a plan and checks all but its weights; plan_file_close() in any case. */
enum edge_status tool_open_checked(const char *path, struct plan_file *file, struct edge_plan *p, struct failure *f);

/* ---- tensor_files.c */

/* Memory of a plan's tensors, owned here and set in the session. */
struct tool_tensors {
	struct edgert_session *session;
	void **data; /* per tensor */
};

/* Loads --input files. A missing one is an error, or random if seed is not 0. */
enum edge_status tensors_bind(struct tool_tensors *t, struct edgert_session *s,
			      const struct tool_options *o, uint64_t seed, struct failure *f);
/* DIR/NAME.npy, what cannot be in a file's name replaced; NULL: out of memory. */
char *tensor_file_name(const char *directory, const char *name);
/* DIR/NAME.npy for every output; prints a line for each unless quiet. */
enum edge_status tensors_save(const struct tool_tensors *t, const char *directory, bool quiet,
			      struct failure *f);
void tensors_free(struct tool_tensors *t);

/* ---- samples.c */

/*
 * edgert run --samples: each input file holds many samples along its first
 * dimension, the plan runs once for each, outputs are put together the same way.
 */
enum edge_status samples_run(struct edgert_session *s, const struct tool_options *o, struct failure *f);

/* ---- report_json.c */

struct tool_times {
	double cold_ms, warm_ms; /* 0: unknown */
	/* of streamed plans, measured together: 0 where unknown */
	double storage_bytes_per_s, bound_ms, bound_run_ms, limited_bound_ms, warm_bound_ratio;
	double cold_process_ms; /* whole processes, median */
	uint64_t cold_peak_rss;
};

/* One object with the fixed keys. */
void report_json(FILE *out, const struct edgert_session *s, const struct tool_times *t);
enum edge_status report_save(const char *path, const struct edgert_session *s,
			     const struct tool_times *t, struct failure *f);

/* ---- trace.c */

/* Chrome trace-event JSON of the session's last run. */
enum edge_status trace_save(const char *path, const struct edgert_session *s, struct failure *f);

/* ---- weights_needed.c */

/* Bytes of weights that each step is the first to need; the caller frees it; NULL: out of memory. */
double *weights_needed(const struct edge_plan *p);

/* ---- bound.c */

/* Sorts v; 0 where there is none. */
double median_ms(double *v, uint32_t n);

struct arrival {
	double ms, bytes; /* so many were there then */
};

/* copies: out of the page cache, shared by the threads that run kernels; bytes_per_s is that of all of them. */
struct storage {
	double bytes_per_s;
	bool copies;
	bool ahead; /* the system reads into the page cache, for which no place in the plan's memory must be free */
	struct arrival *arrival; /* how much the disk had brought when; NULL: only the rate is known */
	uint32_t arrival_count;
};

/*
 * T* = max over l of [A(Q(l)) + the time of steps l and later], where Q(l) is what a later run must read before
 * step l, and A how long the disk takes to bring so much; step_ms has one time per step. limited: of the schedules
 * in the plan's memory. Where reads are copies: the time of all steps and copies.
 */
double lower_bound_ms(const struct edge_plan *p, const double *step_ms, const struct storage *storage, bool limited);
/* Rate of the plan's own reads, as many at a time as a run has, without any computing. storage_free() it. */
enum edge_status measure_storage(const char *path, const struct edge_plan *p, bool direct, bool evicted,
				 uint32_t threads, struct storage *out, struct failure *f);
void storage_free(struct storage *s);

#endif
