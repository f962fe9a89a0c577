/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - what a backend can do: the one interface between the step loop
 * and whatever runs kernels.
 *
 * Life of a session: open; region_create for each region of the plan;
 * program_build and buffer_create; launch_create once for each kernel step,
 * with everything bound that can be; then, again and again, submit, write and
 * read in order, and one finish. After the launches exist nothing here
 * allocates on our side.
 *
 * Threads: one thread (the submitting one) calls everything, except that
 * fence_wait and upload may be called from one other thread at the same time.
 *
 * Order: submit, write and read take effect in the order of the calls, later
 * than the call itself. upload is outside that order and is done when it
 * returns; whoever calls it has waited for the fence that says that the place
 * is free.
 *
 * Every call that can fail takes the caller's failure record. tests/conformance
 * holds every registered backend to this text.
 */
#ifndef EDGE_RT_DEVICE_H
#define EDGE_RT_DEVICE_H

#include "base/failure.h"

struct device;
struct device_region;  /* one allocation */
struct device_buffer;  /* a range of a region, as a kernel sees it */
struct device_program; /* built code of one or more kernels */
struct device_launch;  /* a kernel with its arguments and its size */

/* An empty fence is zero. Owned by the caller, who resets it before using it again. */
struct device_fence {
	void *handle;
	int64_t start, end; /* of backends that are done when submit returns */
};

/* Kernels in the form that the backend takes; all of it outlives the program. */
struct device_code {
	const char *source, *options; /* opencl */
	const void *block;	      /* native: machine code, mapped executable */
	const uint64_t *entry;	      /* native: per kernel of the plan, its offset in the block */
	uint32_t entry_count;
};

struct device_request {
	const char *name;      /* only a device whose name contains this; NULL: any */
	uint32_t kernel_style; /* enum edge_kernel_style: which kind is preferred */
	uint32_t threads;      /* 0: all that it has */
	bool streams;          /* weights are read while kernels run: leave the reader a CPU */
	bool pin;              /* native: each of these threads stays on one CPU, the caller's too */
	bool profile;	       /* fence_times will be called */
	bool no_cache;	       /* build every program, and keep none */
};

struct device_info {
	/* texts live as long as the device, or as the listing call */
	const char *backend, *name, *driver;
	uint32_t threads; /* that run kernels */
	bool unified;	  /* kernels work on host memory in place: no staging */
	uint64_t memory_bytes, max_region_bytes; /* as the driver says; drivers err */
	uint32_t programs_cached; /* of those built so far, how many were kept from before */
};

struct device_argument {
	uint32_t kind; /* enum edge_param_kind */
	struct device_buffer *buffer;
	union {
		int64_t i;
		double f;
	} value;
};

struct device_launch_request {
	struct device_program *program;
	const char *kernel;
	uint32_t kernel_index; /* in the plan */
	const struct device_argument *arg;
	uint32_t arg_count;
	uint32_t global[3], local[3];
	uint64_t flops, bytes; /* arithmetic, and bytes read and written; both 0: not known */
};

struct device_ops {
	const char *name;
	uint32_t backend; /* enum edge_backend */

	/* Calls visit for each device there is. No device is not a failure; no driver is. */
	enum edge_status (*list)(void (*visit)(void *ctx, const struct device_info *), void *ctx,
				 struct failure *f);

	enum edge_status (*open)(const struct device_request *request, struct device **out,
				 struct failure *f);
	/* NULL is fine; everything made on it is destroyed before */
	void (*close)(struct device *d);
	const struct device_info *(*info)(const struct device *d);

	/*
	 * host is page-aligned memory of the caller that the region lives in
	 * (unified devices only), or NULL for the device's own memory. space:
	 * enum edge_space, DEVICE or IMAGE; an image takes uploads of whole pages,
	 * and its buffers are arguments of kind IMAGE alone.
	 */
	enum edge_status (*region_create)(struct device *d, uint32_t space, uint64_t bytes, void *host,
					  struct device_region **out, struct failure *f);
	void (*region_destroy)(struct device *d, struct device_region *r);
	/* offset: a multiple of 128; offset + bytes: within the region. Buffers may overlap. */
	enum edge_status (*buffer_create)(struct device *d, struct device_region *r,
					  uint64_t offset, uint64_t bytes,
					  struct device_buffer **out, struct failure *f);
	void (*buffer_destroy)(struct device *d, struct device_buffer *b);

	/* Ready to run when it returns: nothing is left to be compiled at the first launch. */
	enum edge_status (*program_build)(struct device *d, const struct device_code *code,
					  struct device_program **out, struct failure *f);
	void (*program_destroy)(struct device *d, struct device_program *p);
	enum edge_status (*launch_create)(struct device *d,
					  const struct device_launch_request *request,
					  struct device_launch **out, struct failure *f);
	void (*launch_destroy)(struct device *d, struct device_launch *l);

	/* fence: NULL, or an empty one that is complete when the launch is. */
	enum edge_status (*submit)(struct device *d, struct device_launch *l,
				   struct device_fence *fence, struct failure *f);
	/* The caller's bytes stay as they are (write) or unread (read) until finish. */
	enum edge_status (*write)(struct device *d, struct device_region *r, uint64_t offset,
				  const void *bytes, uint64_t size, struct device_fence *fence,
				  struct failure *f);
	enum edge_status (*read)(struct device *d, struct device_region *r, uint64_t offset,
				 void *bytes, uint64_t size, struct device_fence *fence,
				 struct failure *f);
	/* fence is complete when everything submitted before is. */
	enum edge_status (*mark)(struct device *d, struct device_fence *fence, struct failure *f);
	/* What was submitted starts even if nothing follows. */
	enum edge_status (*flush)(struct device *d, struct failure *f);
	/* Everything submitted is done. */
	enum edge_status (*finish)(struct device *d, struct failure *f);

	enum edge_status (*fence_wait)(struct device *d, const struct device_fence *fence,
				       struct failure *f);
	void (*fence_reset)(struct device *d, struct device_fence *fence);
	/*
	 * Start and end of what a completed fence stands for, on the clock of
	 * rt_now(). Only on a device opened with profile.
	 */
	enum edge_status (*fence_times)(struct device *d, const struct device_fence *fence,
					int64_t *start, int64_t *end, struct failure *f);

	/* Not on unified devices, except into images: bytes into a region, outside the order, done on return. */
	enum edge_status (*upload)(struct device *d, struct device_region *r, uint64_t offset,
				   const void *bytes, uint64_t size, struct failure *f);

	/*
	 * work on [0, count), shared by the threads that run kernels, done on return; NULL where these are not
	 * the caller's. What was submitted before is complete.
	 */
	void (*share)(struct device *d, void (*work)(void *ctx, uint64_t begin, uint64_t end), void *ctx, uint64_t count);
};

/* NULL-terminated. */
extern const struct device_ops *const device_backends[];
/* NULL: this build has none of that kind. */
const struct device_ops *device_backend(uint32_t backend);

#endif
