/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edgert.h - run plans that edgec has compiled.
 *
 *	struct edgert_options options = { .plan = "net.plan" };
 *	struct edgert_session *s;
 *
 *	if (edgert_open(&options, &s) != EDGE_OK)
 *		... edgert_last_error(NULL) ...
 *	edgert_set_input(s, edgert_find(s, "x"), x, sizeof(x));
 *	edgert_set_output(s, edgert_find(s, "y"), y, sizeof(y));
 *	if (edgert_run(s) != EDGE_OK)
 *		... edgert_last_error(s) ...
 *	edgert_close(s);
 *
 * Nothing here prints, exits or raises a signal. A session belongs to one
 * thread at a time; different sessions are independent. edgert_open() sets
 * environment variables that OpenCL drivers read (POCL_*) where they are not
 * set: call it before other threads use the environment.
 *
 * All memory that a run needs is taken in edgert_open(): regions exactly as
 * large as the plan says, and the session's own records. edgert_run() takes
 * none. Sizes are in bytes, times in milliseconds.
 *
 * Tensors are dense, row-major, little-endian.
 */
#ifndef EDGE_EDGERT_H
#define EDGE_EDGERT_H

#include "edge/plan_read.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edgert_session;

enum edgert_io {
	EDGERT_IO_AUTO = 0,	/* large plans that are not in the page cache: direct, else buffered */
	EDGERT_IO_BUFFERED = 1, /* weights are read through the page cache */
	EDGERT_IO_DIRECT = 2,	/* past the page cache, several at a time, where the file system can */
	EDGERT_IO_URING = 3	/* so, through io_uring where program and system have it */
};

/* Zero is the default of each field. */
struct edgert_options {
	const char *plan;   /* file name; not needed after edgert_open() */
	const char *device; /* only a device whose name contains this; NULL: the first that fits */
	uint32_t threads;   /* that run kernels; 0: what the plan says, else all */
	enum edgert_io io;
	bool pin;           /* native plans: each of these threads, the caller's too, stays on one CPU */
	bool no_native; /* refuse a plan that holds machine code */
	bool no_cache;	/* do not keep what the driver builds, nor use what was kept */
	bool text;	/* refuse a plan that generates no text */
	bool resident;	/* refuse a plan that streams; have all weights in memory when opened */
	bool profile; /* keep times: edgert_step_time(), edgert_read_time() */
};

/*
 * Checks the plan, takes its memory, starts reading weights, builds the
 * kernels. *out is NULL on failure; the reason is in edgert_last_error(NULL)
 * of this thread until its next failed edgert_open().
 */
enum edge_status edgert_open(const struct edgert_options *options, struct edgert_session **out);

/* Gives everything back. NULL is fine. */
void edgert_close(struct edgert_session *s);

/* One line about the session's last failure, or "". Valid until the next call with it. */
const char *edgert_last_error(const struct edgert_session *s);

struct edgert_tensor {
	const char *name; /* the network's own; valid while the session is */
	bool output;
	uint32_t dtype; /* enum edge_dtype */
	uint32_t rank;
	int64_t dim[EDGE_PLAN_MAX_RANK];
	uint64_t bytes;
};

/* Inputs come first, then outputs. */
uint32_t edgert_tensor_count(const struct edgert_session *s);
/* index < edgert_tensor_count(). */
void edgert_tensor_info(const struct edgert_session *s, uint32_t index, struct edgert_tensor *out);
/*
 * Index of the tensor of that name, or -1. A name also matches when it is
 * equal after each character outside A-Z a-z 0-9 _ . - is replaced by _,
 * unless that fits several tensors.
 */
int edgert_find(const struct edgert_session *s, const char *name);
/* "f32"; "?" for what is no dtype. */
const char *edgert_dtype_name(uint32_t dtype);

/*
 * The caller keeps the memory, and keeps it as it is during edgert_run(). It
 * stays set for later runs. bytes must be the tensor's. EDGE_ARGUMENT
 * otherwise. Every input must be set; an output that is not set is not copied.
 */
enum edge_status edgert_set_input(struct edgert_session *s, int index, const void *data,
				  uint64_t bytes);
enum edge_status edgert_set_output(struct edgert_session *s, int index, void *data, uint64_t bytes);

/*
 * One run, from inputs to outputs. EDGE_ARGUMENT when an input is missing.
 * After any other failure the session can only be closed.
 */
enum edge_status edgert_run(struct edgert_session *s);

struct edgert_report {
	const char *plan, *backend, *device, *driver; /* valid while the session is */
	uint32_t threads;
	uint64_t planned_device_bytes, planned_host_bytes; /* regions, as the plan says */
	uint64_t actual_device_bytes, actual_host_bytes;   /* the most that was allocated */
	uint64_t driver_rss_bytes; /* the process without the plan's regions, after opening */
	uint64_t peak_rss_bytes; /* of the process */
	uint32_t steps, kernels, models, runs;
	uint64_t bytes_streamed; /* read in the last run, rows of tables included, not counting what stays */
	uint64_t bytes_read;	 /* read in the last run */
	bool direct;		 /* past the page cache */
	bool uring;		 /* through io_uring */
	uint32_t programs_cached; /* programs that the driver had built in a run before this one */
	double load_ms;		 /* edgert_open() */
	double first_ms; /* from the begin of edgert_open() to the first run's end; 0 before */
	double run_ms;	 /* the last run */
	double stall_ms; /* of the last run: kernels waited for reads */
	double predicted_ms, lower_bound_ms; /* a cold run, by the plan */
	double predicted_warm_ms;	     /* a run after the first */
	uint64_t flops;
};

void edgert_report(const struct edgert_session *s, struct edgert_report *out);
/* Name and time in the last run of model index < report.models. */
const char *edgert_model(const struct edgert_session *s, uint32_t index, double *ms);

/* Of the last run, in ms after its begin; false when the session keeps no times. */
bool edgert_step_time(const struct edgert_session *s, uint32_t step, double *start_ms,
		      double *end_ms);
bool edgert_read_time(const struct edgert_session *s, uint32_t read, double *start_ms,
		      double *end_ms);

/* The plan itself, checked. */
const struct edge_plan *edgert_plan(const struct edgert_session *s);

const char *edgert_version(void);

#ifdef __cplusplus
}
#endif

#endif
