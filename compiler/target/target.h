/* SPDX-License-Identifier: Apache-2.0 */
/* target.h - what the compiler knows of the device that will run the plan. */
#ifndef EDGE_TARGET_H
#define EDGE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

enum target_backend { TARGET_OPENCL = 1, TARGET_NATIVE = 2 };
enum target_kernels { TARGET_CPU_KERNELS = 1, TARGET_GPU_KERNELS = 2 };
enum target_weights { TARGET_BUFFERS, TARGET_TEXTURES };
enum target_copies { TARGET_COPIES_QUEUE, TARGET_COPIES_KERNELS }; /* who moves streamed bytes into textures */
/* Of kernels that may carry weights: what they do with their operands, and how much later they may end. */
enum target_load { TARGET_LOAD_NONE, TARGET_LOAD_ELEMENTWISE, TARGET_LOAD_REUSABLE, TARGET_LOAD_CLASSES };

struct tuning; /* target/tuning.h */

struct target {
	const char *name;
	enum target_backend backend;
	enum target_kernels kernels;
	enum target_weights weights;
	enum target_copies copies;
	/* bytes that a kernel of that class may carry for each second of its own; it then takes 1 + growth times as long */
	double capacity[TARGET_LOAD_CLASSES];
	double upload_bytes_per_s;   /* of rectangles that the host writes into images */
	uint32_t isas;               /* native: bit (1 << enum native_isa) for each set to make code for */
	uint32_t threads;            /* 0: all that the device has */
	double storage_bytes_per_s;  /* reads of the plan file, several at a time past the page cache */
	bool direct;                 /* plans are read so; the schedule sets it */
	bool again;                  /* some weights are read in each run; the schedule sets it */
	bool cached;                 /* what later runs read lies in the page cache; the schedule sets it */
	double flops_per_s;          /* FMA peak, f32, all threads */
	double memory_bytes_per_s;   /* read bandwidth */
	double launch_ms;            /* one kernel launch */
	double latency_ms;           /* of a multiply-add whose operand is the one before; 0: not known */
	/* of a cold run */
	double start_ms;             /* from the start of the process until it could run a kernel */
	double seek_ms;              /* of a read that nothing has foreseen */
	double page_ms;              /* the first touch of a page */
	double touch_bytes_per_s;    /* the first touch of regions that consist of large pages */
	double cached_bytes_per_s;   /* copies out of the page cache, by all threads together, each checked */
	double request_ms;           /* of the disk for each direct read beside its bytes */
	bool uring;                  /* reads go through io_uring where the runtime can */
	uint32_t requests;           /* as in a plan's meta: reads on their way at once */
	uint32_t image_rows;         /* textures: of the largest image */
	uint64_t max_region_bytes;   /* largest single allocation that is safe (1 GiB) */
	uint32_t align;              /* of buffers in a region: 128 on CPUs, 512 on GPUs */
	bool unified;                /* the host can write device memory in place: no staging */
	const struct tuning *tuning; /* of the model that is compiled; NULL: none */
	const struct tuning *table;  /* of the class of devices; NULL: none */
};

/* By how much of its time a kernel that carries all it may is later; nothing for those that carry nothing. */
extern const double target_load_growth[TARGET_LOAD_CLASSES];

/* The built-in device `host`. */
struct target target_host(void);

struct decl_device; /* dsl.h */
/* A `device` block; what it does not say is as for `host`. NULL: the host. */
struct target target_from_decl(const struct decl_device *d);

#endif
