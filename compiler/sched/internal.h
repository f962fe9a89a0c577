/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - between the files of the scheduler; schedule.h is for everybody else. */
#ifndef EDGE_SCHED_INTERNAL_H
#define EDGE_SCHED_INTERNAL_H

#include "sched/schedule.h"

static inline uint64_t round_up(uint64_t x, uint64_t to) { return (x + to - 1) / to * to; }

/* ---- cost.c: milliseconds ---- */
/* Of a whole launch. */
struct launch_work {
	const char *kernel;
	uint64_t flops, bytes;
	uint64_t weights;   /* of the bytes */
	uint64_t results;   /* elements that it stores */
	uint32_t functions; /* like gelu, of each */
	double padding;     /* weights as they are packed over what they are; 0: has none */
};

double cost_launch_ms(const struct target *t, const struct launch_work *w);
double cost_copy_ms(const struct target *t, uint64_t bytes);
double cost_transfer_ms(const struct target *t, uint64_t bytes); /* at the disk's full rate */
double cost_read_ms(const struct target *t, uint64_t bytes);     /* one request */
uint32_t cost_reads_at_once(const struct target *t);             /* that share the disk; 0: one waits for the other */
double cost_seek_ms(const struct target *t);                     /* of such a read, before its bytes come */
double cost_check_ms(uint64_t bytes);                            /* after they have */
/* What only a cold run pays: first touch of memory, first use of a kernel, and all before the first read. */
double cost_touch_ms(const struct target *t, uint64_t memory, uint64_t at, uint64_t bytes); /* of so much memory, from `at` on */
double cost_first_use_ms(const struct target *t);
double cost_copied_ms(const struct target *t, uint64_t bytes); /* out of the page cache, by all threads that run kernels */
bool cost_shares_copies(const struct target *t); /* those threads copy, rather than readers beside them */
double cost_cached_ms(const struct target *t, uint64_t bytes); /* by one */
double cost_ramp_ms(const struct target *t, uint64_t before, uint64_t bytes); /* before: bytes read so far */
/* What a read takes from kernels that would use every CPU. */
double cost_theft_ms(const struct target *t, uint64_t bytes, double touch_ms);
/* Whether the runtime will read past the page cache. again: some weights are read in each run. */
void cost_choose_io(struct target *t, uint64_t weights, bool again);
/* What a staged read takes besides: as a rectangle of an image, or linear. And what a launch of a class takes for carrying. */
double cost_upload_ms(const struct target *t, uint64_t bytes, bool rectangle);
double cost_carry_ms(const struct target *t, enum target_load load, uint64_t bytes);
double cost_tensor_ms(const struct target *t, uint64_t bytes); /* the caller's own, before the first step */
double cost_start_ms(const struct target *t);
double cost_lookup_ms(const struct target *t, const struct row_lookup *r, bool cold); /* warm: rows read before */

/* ---- memory.c: things that live for a range of events, into one arena ---- */
struct mem_item {
	uint64_t bytes; /* > 0 */
	uint32_t first, last; /* inclusive */
	uint64_t offset; /* out */
};

/* The largest sum of bytes that live at one event. live, if not NULL: the sum at each event. */
uint64_t memory_lower_bound(const struct mem_item *item, uint32_t n, uint32_t events, uint64_t *live);
/* Sets the offsets; returns the size of the arena. */
uint64_t memory_place(struct mem_item *item, uint32_t n);

/* ---- fill.c: when to read what, if memory were no limit ---- */
struct fill_weight {
	uint32_t use;   /* needed when this step starts; may be read during earlier ones */
	uint32_t units; /* of reading; all equal */
	uint32_t start; /* out: first step that reads a part of it; `use` if none does */
	uint32_t left;  /* out: units that no step can read in time: must be there before the run */
};

/* capacity[k]: units that can be read during step k. The smallest sum of `left`. */
uint64_t fill_minimum(const struct fill_weight *w, uint32_t n, const uint32_t *capacity, uint32_t steps);
/* w is sorted by use. in_flight[k] (or NULL): units there at the end of step k, to be used later. */
uint64_t fill_backward(struct fill_weight *w, uint32_t n, const uint32_t *capacity, uint32_t steps,
		       uint64_t *in_flight);

/* ---- lower.c: the request as a list of events, storages and uses of weights ---- */
struct event {
	enum sched_step_kind kind;
	uint32_t model;
	uint32_t index; /* launch, or tensor */
	uint32_t use;   /* SCHED_KERNEL: index into uses */
	double ms;
};

struct storage {
	uint64_t bytes; /* aligned */
	uint32_t first, last; /* events */
	uint32_t merged; /* union-find towards the storage whose place it takes */
	uint32_t taken_at; /* event whose result takes its place; NO_ID */
	uint32_t buffer;
	const char *name;
};

/* What a launch reads of the weights. */
struct weight_use {
	uint32_t event;
	uint32_t split_first, split_count;   /* in weight_list: granules go with the sub-range */
	uint32_t common_first, common_count; /* in weight_list: needed whole by every sub-range */
	uint32_t granules; /* 1: cannot be split */
	uint32_t quantum;  /* sub-ranges are multiples of this */
};

struct work {
	struct arena *a;
	struct diag *d;
	const struct sched_request *r;
	struct target *t; /* our copy */
	struct schedule *s;
	uint32_t *model_values;  /* per model: first index of its values in storage_of */
	uint32_t *model_weights; /* per model: first index of its weights in s->weights */
	uint32_t *storage_of;    /* NO_ID: no memory */
	VEC(struct storage) storages;
	VEC(struct event) events;
	VEC(struct weight_use) uses;
	VEC(uint32_t) weight_list;
	VEC(uint32_t) scratch; /* storages of ARG_SCRATCH, in order of events, variants and arguments */
	VEC(uint32_t) states;  /* storages of model 0's states */
	uint32_t *weight_uses; /* per weight: launches that use it */
	uint64_t *live;        /* per event */
	uint64_t *offset;      /* per storage, where it is its own root */
	uint64_t max_region;   /* page multiple */
	uint64_t max_stream;   /* the same for memory of weights that may be streamed */
	bool *fixed;           /* per weight: always resident whole, since the others are images and it is none */
	uint64_t fixed_bytes;  /* of their regions */
	uint64_t chunk_most;   /* largest single read */
};

static inline const struct launch *event_launch(const struct work *w, const struct event *e)
{
	return &w->r->models[e->model].ks->launches.data[e->index];
}

static inline const struct weight *work_weight(const struct work *w, uint32_t i)
{
	return &w->s->weights.data[i].ks->weights.data[w->s->weights.data[i].index];
}

/* How many launches an event stands for: one for each variant. */
static inline uint32_t work_variants(const struct work *w)
{
	return w->r->variants ? w->r->model_count : 1;
}

static inline const struct launch *variant_launch(const struct work *w, const struct event *e, uint32_t variant)
{
	return &w->r->models[w->r->variants ? variant : e->model].ks->launches.data[e->index];
}

/* Number in schedule.weights of a model's own weight; of variants, model is the variant. */
uint32_t weight_number(const struct work *w, uint32_t model, uint32_t index);
/* variants.c: whether the models are that. False: said why. */
bool variants_check(struct work *w);

uint32_t storage_root(struct work *w, uint32_t s);
/* The storage of a value; made where there is none. */
uint32_t value_storage(struct work *w, uint32_t model, value_id v);
const char *weight_name(const struct work *w, uint32_t weight);
/* Fills everything above from the request. False: an error was said. */
bool lower_request(struct work *w);

/* ---- stream.c: blocks of weights, what stays, the ring ---- */

/*
 * A unit is a step in the making: an event, or a sub-range of a launch. A
 * block holds the weights of consecutive units; it is resident, or read into
 * the ring for each run. A block of weights that all sub-ranges of a split
 * launch need is `common`: it stays while they run.
 */
struct unit {
	uint32_t event;
	uint32_t first, count; /* granules */
	uint32_t block, common; /* NO_ID: none */
	double ms;
};

struct block {
	uint32_t unit_first, unit_last;
	uint64_t bytes;  /* in the ring: multiple of the page */
	uint64_t pinned_bytes; /* in a resident region */
	uint64_t offset; /* in the ring */
	int32_t after;   /* unit whose end frees the place; -1: free */
	bool common, pinned;
	uint8_t image;   /* of the ring's images */
	/* where kernels copy */
	bool carried;    /* read into the place for that, at stage_offset */
	uint64_t stage_offset;
	int32_t stage_after; /* unit whose end frees that */
	uint32_t carried_first, carried_last; /* units that carry it */
};

/* The unit that waits for the block's reads. */
static inline uint32_t block_need(const struct block *b) { return b->carried ? b->carried_first : b->unit_first; }

/* A unit, or those that unit_merge() makes one step with it, carries rows of a block. */
struct carry {
	uint32_t unit, block, each;
	uint64_t from, bytes; /* of the block */
	double ms;
};

struct stream_plan {
	VEC(struct unit) units;
	VEC(struct block) blocks;
	bool *pinned_weight; /* whole, resident, for all its uses */
	uint64_t block_target; /* the size at which blocks are closed */
	uint64_t ring;         /* bytes of the stream area; 0: nothing streams */
	uint64_t image;        /* bytes of one of its images; all of it, where there is one */
	uint64_t stage;        /* bytes for what kernels carry; 0: they carry nothing, and there is one image */
	VEC(struct carry) carries; /* by unit */
	VEC(uint32_t) order;   /* blocks that are not pinned, as they are read */
	double queue_cold_ms, queue_warm_ms; /* of the best plan in which kernels carry nothing */
	uint64_t pinned_bytes;
	double cold_ms, warm_ms;
	/* for the notes */
	uint64_t hide_minimum; /* bytes that no schedule without a memory limit can hide */
	uint64_t hide_ring;    /* ring that reads as late as possible would need */
	uint32_t pinned_late, pinned_spare; /* blocks pinned because late; because there was room */
	uint32_t candidates;
};

/* Bytes of `count` granules of a use's split weights, each weight aligned; and of its common ones. */
void weights_fix(struct work *w); /* sets w->fixed, fixed_bytes and max_stream */
uint64_t use_split_bytes(const struct work *w, const struct weight_use *u, uint32_t count, const bool *skip);
uint64_t use_common_bytes(const struct work *w, const struct weight_use *u, const bool *skip);
/* The smallest stream area with which every launch can run. */
uint64_t stream_minimum(const struct work *w);
/* Units and blocks of at most `target` bytes, or what cannot be less, for a ring of `ring` bytes. */
void stream_cut(struct work *w, struct stream_plan *p, uint64_t target, uint64_t ring);
/* room: bytes for weights; 0: no limit. At least the minimum. */
void stream_choose(struct work *w, uint64_t room, struct stream_plan *out);
void stream_all_resident(struct work *w, struct stream_plan *out);

/* ---- carry.c: which launches move which rows into images ---- */
/* Of a plan whose blocks have their places in two images; what no launch can carry stays with the queue. */
void carry_choose(struct work *w, struct stream_plan *p, struct arena *tmp);
/* Blocks that are not pinned, by what they are needed for. */
void stream_order(struct work *w, struct stream_plan *p);

/* ---- ring.c: a stream area filled in a circle ---- */
struct ring_segment {
	uint64_t start, end;
	int32_t last;  /* unit that uses it last; -1: nothing */
	uint32_t next; /* by address */
};

struct ring {
	uint64_t size, base, at; /* base: where to go on after the end; below it a common block stays */
	uint32_t cursor;         /* segment that holds `at`; NO_ID: at the end */
	VEC(struct ring_segment) seg;
	uint32_t free;
	struct arena *a;
};

void ring_init(struct ring *r, struct arena *a, uint64_t size);
/* The next bytes of the circle: where, and the last unit that must have ended. */
int32_t ring_peek(struct ring *r, uint64_t bytes);
uint64_t ring_take(struct ring *r, uint64_t bytes, int32_t last);
/* From the start of the area, and nothing else before ring_unhold(). */
int32_t ring_peek_hold(struct ring *r, uint64_t bytes);
uint64_t ring_take_hold(struct ring *r, uint64_t bytes, int32_t last);
void ring_unhold(struct ring *r);

/* ---- clock.c: disk and compute as two clocks ---- */
struct clock_read {
	uint64_t bytes;
	int32_t after;   /* step; -1: at once */
	uint32_t first;  /* step that needs it first */
	bool once;
	double touch_ms; /* of a cold run */
	double upload_ms;
	double start, end; /* out */
};

struct clock_step {
	double ms;
	uint32_t stream, resident; /* this many of each list must be there; never decreases */
	double touch_ms;           /* of a cold run, beside ms */
	double start;              /* out */
};

/*
 * Runs the steps. Both lists are in order of first use; streamed reads wait
 * for their place, resident ones (left out unless cold) fill the gaps. order
 * (or NULL): the reads as issued, resident ones as ~index. Returns the end.
 */
double clock_run(const struct target *t, struct clock_step *step, uint32_t steps, struct clock_read *stream,
		 uint32_t streams, struct clock_read *resident, uint32_t residents, bool cold, int32_t *order);

/* ---- resident.c: where the weights that stay lie ---- */
struct run { /* granules of a weight, contiguous */
	uint32_t weight, first, count;
	uint32_t unit; /* that needs it first */
	uint32_t region; /* counts resident regions from 0 */
	uint64_t offset, bytes;
};

struct resident {
	VEC(struct run) runs; /* by region, then offset */
	uint32_t image_runs;  /* the first whose region is an image; those before it are of fixed weights */
	VEC(uint64_t) region_bytes;
	uint32_t image_regions; /* likewise */
	uint64_t bytes; /* of all regions */
	uint32_t *weight_run; /* per weight: its first run; NO_ID */
};

/* Resident units of one launch from `unit` on are one step: *count granules; returns the unit after. */
uint32_t unit_merge(const struct work *w, const struct stream_plan *p, uint32_t unit, uint32_t *count);
void resident_make(struct work *w, const struct stream_plan *p, struct resident *out);

/* ---- layout.c: the chosen plan as steps, buffers, chunks and reads ---- */
void layout_make(struct work *w, const struct stream_plan *p);

/* ---- tables.c: constants that are only looked up ---- */
/* Bytes of a chunk of rows, and how many rows it holds. */
uint64_t table_chunk(const struct row_lookup *r, uint64_t *rows);
/* The table of a lookup's weight; its chunks are made at the end of the file. */
uint32_t table_of(struct work *w, uint32_t weight);
void tables_make(struct work *w);

/* ---- notes.c ---- */
void notes_make(struct work *w, const struct stream_plan *p);

#endif
