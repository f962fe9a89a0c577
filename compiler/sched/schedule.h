/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h - where every byte of a plan lives and when it moves.
 *
 * schedule_make() takes the launches of one or several networks and a byte
 * budget and returns the whole program of the device: regions, buffers, steps,
 * chunks of weights and the order in which they are read. It is exact: the
 * regions' sizes are what the runtime will allocate, and where it refuses, the
 * budget that it names is the smallest one that it accepts.
 *
 *	cost.c      launch -> milliseconds
 *	memory.c    lifetimes -> offsets of activations
 *	fill.c      the exact planner of flash reads without a ring
 *	stream.c    blocks of weights -> resident or ring, and two clocks
 *	schedule.c  all of it together
 *	replay.c    checks a finished schedule against its meaning
 */
#ifndef EDGE_SCHEDULE_H
#define EDGE_SCHEDULE_H

#include "base/diag.h"
#include "codegen/kernel_set.h"

enum { SCHED_PAGE = 4096 }; /* EDGE_PLAN_PAGE: of chunks, in the file and in memory */

/* One `run` statement. The same kernel_set may appear several times: its weights are stored once. */
struct sched_model {
	const char *name;
	const struct kernel_set *ks;
};

/* feed MODEL[to_model].to_name from MODEL[from_model].from_name; from_model < to_model. */
struct sched_feed {
	uint32_t to_model, from_model; /* index into sched_request.models */
	const char *to_name, *from_name;
	struct span span;
};

/* A program that generates text: what its session has to know. */
struct sched_generate {
	int64_t context, vocabulary, layers;
	const int64_t *rows, *scored; /* of each variant */
	const void *tokenizer;        /* the section */
	size_t tokenizer_bytes;
};

struct sched_request {
	const char *name; /* the plan's */
	const struct sched_model *models;
	uint32_t model_count;
	/*
	 * The models are not a chain but variants of one program, of which each run takes one: the same
	 * launches of the same values and weights, for different numbers of rows. Model 0 is what times
	 * and choices are about. No feeds.
	 */
	bool variants;
	const struct sched_generate *generate; /* NULL: a plan to run */
	const struct sched_feed *feeds;
	uint32_t feed_count;
	const struct target *target;
	uint64_t device_budget, host_budget; /* bytes; 0: no limit */
	struct span budget_span;             /* where it was written; NO_SPAN: on the command line */
};

enum sched_region_kind {
	SCHED_ACTIVATIONS = 1, SCHED_RESIDENT = 2, SCHED_STREAM = 3, SCHED_STAGING = 4, SCHED_CARRIED = 5
};

struct sched_region {
	enum sched_region_kind kind;
	bool host; /* in host memory; else the device's */
	bool image; /* the device's, as texels */
	uint64_t bytes;
};

struct sched_buffer {
	uint32_t region;
	uint64_t offset, bytes;
};

enum sched_step_kind { SCHED_KERNEL = 1, SCHED_INPUT = 2, SCHED_OUTPUT = 3, SCHED_LOOKUP = 4 };

struct sched_step {
	enum sched_step_kind kind;
	uint32_t model;
	uint32_t launch;        /* SCHED_KERNEL, SCHED_LOOKUP: index into the model's launches */
	uint32_t tensor;        /* SCHED_INPUT, SCHED_OUTPUT: index into schedule.tensors */
	uint32_t table;         /* SCHED_LOOKUP: index into schedule.tables */
	uint32_t granule_first; /* SCHED_KERNEL: sub-range of global[split_dim] */
	uint32_t granule_count;
	bool whole;             /* the launch is not split */
	uint32_t load;          /* index into schedule.loads; NO_ID: it carries nothing */
	uint32_t buffer_first;  /* in schedule.step_buffers: one per VALUE, WEIGHT, STATE, SCRATCH argument */
	uint32_t reads_needed;
	uint64_t flops, bytes;
	double ms, start_ms;
	uint64_t live_bytes; /* of activations, during the step */
};

/* What a launch carries beside its own work: rows of texels, from where reads bring them into an image. */
struct sched_load {
	uint32_t step;
	uint32_t read; /* that brought the last of it */
	uint32_t from, to; /* buffers */
	uint32_t each; /* texels for a work-item */
};

struct sched_tensor {
	const char *name; /* MODEL.NAME where there are several models */
	bool output;
	uint32_t model;
	value_id value;
	uint32_t buffer;
	uint64_t bytes;
	uint32_t shape_model; /* of variants: that in which it is largest; else model */
};

/* A weight of the plan: kernel sets that are run several times count once. */
struct sched_weight {
	const struct kernel_set *ks;
	uint32_t index; /* into ks->weights */
};

/* Bytes [offset, offset + bytes) of a packed weight, at `at` in its chunk. */
struct sched_piece {
	uint32_t weight;
	uint64_t offset, bytes, at;
};

/* Unit of reading; chunks are in file order. Bytes that no piece covers are zero. */
struct sched_chunk {
	uint32_t piece_first, piece_count; /* sorted by `at` */
	uint64_t bytes;                    /* multiple of SCHED_PAGE */
};

/* A weight that is only looked up: its rows in chunks that no read names, each with `rows` of them. */
struct sched_table {
	uint32_t weight; /* index into schedule.weights */
	uint32_t chunk_first, chunk_count;
	uint64_t rows;
};

struct sched_read {
	uint32_t chunk, region;
	uint64_t offset;
	int32_t after_step; /* -1: at once */
	bool once;
	double start_ms, end_ms;
};

struct sched_lifetime {
	uint32_t region;
	const char *name;
	uint64_t offset, bytes;
	int32_t first_step, last_step; /* first -1: before the run */
};

/* A feed with its names looked up. */
struct sched_feed_value {
	uint32_t to_model, from_model;
	value_id to, from; /* to: the root of its class */
};

struct sched_note {
	const char *topic, *text;
};

struct schedule {
	const struct sched_request *request; /* a copy in the arena */
	VEC(struct sched_region) regions;
	VEC(struct sched_buffer) buffers;
	VEC(struct sched_step) steps;
	VEC(uint32_t) step_buffers; /* index into buffers */
	VEC(struct sched_tensor) tensors; /* inputs, then outputs */
	VEC(struct sched_weight) weights;
	VEC(struct sched_chunk) chunks;
	VEC(struct sched_piece) pieces;
	VEC(struct sched_read) reads;
	VEC(struct sched_load) loads; /* by step */
	VEC(struct sched_table) tables;
	VEC(struct sched_lifetime) lifetimes;
	VEC(struct sched_note) notes;
	VEC(struct sched_feed_value) feeds;
	uint32_t **variant_weight; /* variants: for each model, the number in `weights` of each of its own */

	uint64_t device_bytes, host_bytes; /* sums of the regions */
	uint64_t smallest_budget;
	uint64_t weights_bytes;  /* of all packed weights, each once */
	uint64_t resident_bytes; /* of the resident regions */
	uint64_t streamed_bytes; /* read in each run after the first */
	uint64_t activation_peak, activation_lower_bound;
	uint64_t queued_bytes;   /* of these, where kernels are to copy: that the queue writes, for want of capacity */
	uint64_t flops;
	double predicted_ms, lower_bound_ms; /* of a cold run */
	double warm_ms;                      /* of a run after the first */
};

/* NULL: an error was said (a budget too small, a feed that does not fit). Deterministic. */
struct schedule *schedule_make(struct arena *a, const struct sched_request *r, struct diag *d);

/* For --emit=schedule. */
void schedule_print(const struct schedule *s, struct strbuf *out);

/*
 * Walks the steps and reads of a finished schedule twice, with every read as
 * early and as late as it may come, and verifies that each step finds exactly
 * its weights and values in its buffers. False: why says what is wrong (a bug).
 */
bool schedule_replay(const struct schedule *s, char *why, size_t why_size);

#endif
