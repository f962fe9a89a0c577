/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - the I/O threads: weights arrive in the plan's order.
 *
 * The threads go through the plan's READS, run after run. Before a read one
 * waits until the step that frees the place is complete; after it, it checks
 * the chunk's hash and publishes how many reads are done. They decide nothing.
 *
 *	stream_start(&config, &s)           reads of the first run begin at once
 *	for each run:  stream_begin(s)
 *	    for each step:  stream_await(s, step.reads_needed)  ...submit...  stream_publish(s, i)
 *	    stream_end(s)                    after everything submitted has completed
 *	stream_stop(s)
 */
#ifndef EDGE_RT_STREAM_H
#define EDGE_RT_STREAM_H

#include "base/failure.h"
#include "stream/plan_file.h"

struct stream;

/* When a read, with its check, took place, on rt_now()'s clock. */
struct stream_record {
	int64_t begin, arrived;
};

struct stream_config {
	const struct edge_plan *plan;
	struct plan_file *file;
	/* per region: the host's address of it; NULL: bytes go through staging and upload() */
	void *const *memory;
	void *staging;
	uint64_t staging_bytes;
	/* Returns when the step, which is published, is complete. Called by the I/O threads. */
	enum edge_status (*wait_step)(void *ctx, uint32_t step, struct failure *f);
	enum edge_status (*upload)(void *ctx, uint32_t region, uint64_t offset, const void *data,
				   uint64_t bytes, struct failure *f);
	void *ctx;
	bool ring;   /* one thread with a ring (uring.h) where several would read, if there is one */
	bool record; /* keep a stream_record per read */
};

/* Does work on [0, count), shared by all threads that run kernels, and returns when it is done. */
typedef void (*stream_share)(void *ctx, void (*work)(void *work_ctx, uint64_t begin, uint64_t end), void *work_ctx,
			     uint64_t count);

struct stream_totals {
	uint64_t bytes;	 /* read in the current or last run */
	int64_t busy_ns; /* reading and checking in that run */
};

enum edge_status stream_start(const struct stream_config *config, struct stream **out,
			      struct failure *f);
/* Returns soon, also in the middle of a run. NULL is fine. */
void stream_stop(struct stream *s);

/* Later runs' reads may be done like that, where they are copies out of the page cache and steps are complete on submission. */
void stream_share_reads(struct stream *s, stream_share share);

/* The rest is for the submitting thread, and allocates nothing. */
void stream_begin(struct stream *s);
/* True: that many reads have been done, without waiting. */
bool stream_ready(struct stream *s, uint32_t reads);
/* Waits for them; *arrived is when the last one was done. Fails when an I/O thread has. */
enum edge_status stream_await(struct stream *s, uint32_t reads, int64_t *arrived,
			      struct failure *f);
/* Step and all before it are submitted: wait_step() may be called for it. */
void stream_publish(struct stream *s, uint32_t step);
/* Waits for the run's last read. */
enum edge_status stream_end(struct stream *s, struct failure *f);

/* Waits until every read is done that waits for no step. False: some wait for one. */
bool stream_preload(struct stream *s, struct failure *f);

/* Whether reads go through a ring. */
bool stream_has_ring(const struct stream *s);
void stream_totals(struct stream *s, struct stream_totals *out);
/* One per read of the plan, or NULL. Stable between stream_end() and stream_begin(). */
const struct stream_record *stream_records(const struct stream *s);

#endif
