/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - what a session holds.
 *
 * The plan is const. Everything that changes while steps run is in step_state
 * and tensor_state, one per step and tensor, made when the session opens.
 */
#ifndef EDGE_RT_SESSION_H
#define EDGE_RT_SESSION_H

#include "base/failure.h"
#include "base/memory.h"
#include "device/device.h"
#include "edge/edgert.h"
#include "stream/plan_file.h"
#include "stream/stream.h"

struct step_state {
	struct device_launch *launch; /* of kernels */
	struct device_fence fence;
	bool fenced;		 /* somebody wants to know when it is done */
	bool starving;		 /* needs more reads than the steps before it */
	int64_t waited, arrived; /* this run: the wait for its reads; 0: there was none */
	int64_t start, end;	 /* this run, where fenced and timed */
};

struct tensor_state {
	const void *input;
	void *output;
};

struct edgert_session {
	struct failure failure;
	bool broken; /* a run failed: what memory holds is unknown */

	struct plan_file file;
	struct edge_plan plan;
	bool whole; /* all of the plan but weights has been read and checked */

	const struct device_ops *ops;
	struct device *device;
	bool timed; /* the device keeps times */
	struct device_region **regions;
	struct device_buffer **buffers;
	struct device_program **programs;
	struct session_code {
		void *block; /* native plans: the code for this CPU, read-only and executable */
		size_t bytes;
		const uint64_t *entry; /* per kernel */
	} code;

	struct rt_account account;
	void **memory;	  /* per region: the host's address of it, or NULL */
	void **in_place;  /* per region: the same where kernels use that memory itself */
	void *shared;	  /* the mapping that the regions in place are parts of, or NULL */
	uint64_t shared_bytes;
	uint32_t staging; /* index of the staging region, or UINT32_MAX */
	struct stream *stream;

	struct lookups *lookups; /* NULL: the plan has none */
	uint64_t looked_up;      /* bytes that they have read in the last run */
	struct step_state *steps;
	struct tensor_state *tensors;
	double *model_ms;

	uint32_t variant; /* of plans that have several: whose steps the next run takes */
	uint32_t runs;
	uint64_t driver_rss;
	int64_t opened, ready, run_begin, run_end, first_end;
	int64_t stall;
};

/* Opens with a given backend; NULL: the plan's. Tests bring their own. */
enum edge_status session_open(const struct edgert_options *options, const struct device_ops *ops,
			      struct edgert_session **out);

/*
 * A plan of another kind than to run, whose owner follows its steps himself: no reads are issued.
 * adjust, if there is one, may put other records of its own in the place of the plan's.
 */
struct session_purpose {
	uint32_t kind; /* enum edge_plan_kind */
	enum edge_status (*adjust)(void *ctx, struct edge_plan *plan, struct failure *f);
	void *ctx;
};
enum edge_status session_open_as(const struct edgert_options *options, const struct device_ops *ops,
				 const struct session_purpose *purpose, struct edgert_session **out);

/* code.c: nothing to do for plans of other backends. */
enum edge_status session_map_code(struct edgert_session *s);
void session_unmap_code(struct edgert_session *s);

/* lookup.c: steps that read rows of a table. */
enum edge_status session_prepare_lookups(struct edgert_session *s);
void session_close_lookups(struct edgert_session *s);
enum edge_status session_lookup(struct edgert_session *s, uint32_t index, struct device_fence *fence,
				struct failure *f);

/* place.c: memory of the host, as soon as the plan is known. */
enum edge_status session_take_memory(struct edgert_session *s);
void session_give_memory(struct edgert_session *s);

/* Everything after the plan is checked and the I/O thread is on its way. */
enum edge_status session_prepare(struct edgert_session *s, const struct edgert_options *options);

/* Between runs: the first bytes of a tensor's memory, whatever is set for it. */
enum edge_status session_read_tensor(struct edgert_session *s, uint32_t tensor, void *out, uint64_t bytes);

static inline double session_ms(int64_t ns)
{
	return (double)ns / 1e6;
}

#endif
