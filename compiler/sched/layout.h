/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - between layout.c (steps) and reads.c (chunks, reads). */
#ifndef EDGE_SCHED_LAYOUT_H
#define EDGE_SCHED_LAYOUT_H

#include "sched/internal.h"

/* Granules of a weight in a streamed block, `at` from the block's start. */
struct segment {
	uint32_t block, weight, first, count;
	uint64_t at;
};

/* A piece of a resident region: a chunk to be. */
struct resident_chunk {
	uint32_t region; /* counts resident regions from 0 */
	uint32_t run;    /* the first that has bytes in it */
	uint64_t offset, bytes;
};

struct layout {
	struct work *w;
	const struct stream_plan *p;
	struct resident r;
	uint32_t activations, resident, stream, staged; /* regions; resident, stream: the first of them */
	uint64_t chunk_most;
	/* as a run places regions: in one piece of memory, the stream area first, then what stays, then activations */
	uint64_t memory, resident_at, activations_at;

	uint32_t *slot, slots; /* buffers by place */

	VEC(struct segment) segments;
	uint32_t *unit_segment;   /* per unit: its first segment */
	uint32_t *common_segment; /* per common block */
	uint64_t block_end;       /* of the block being filled */

	VEC(struct resident_chunk) chunks;
	uint32_t *step_of;        /* per unit */
	uint32_t *step_first;     /* likewise; of variants that of the first */
	uint32_t next_carry;
	uint32_t scratch_at, scratch_used;
	VEC(uint32_t) by_first;   /* storages in order of their first event */
	uint32_t next_storage;
	uint64_t touched;         /* bytes of the activations */
	struct map used;          /* kernels */
	uint32_t need_resident; /* of the steps so far */
	/* per step; reads.c fills in `stream` */
	VEC(struct clock_step) clock;
};

void segment_new(struct layout *l, uint32_t block, uint32_t weight, uint32_t first, uint32_t count, uint64_t *at);
/* Cuts the resident regions. */
void resident_chunks(struct layout *l);
/* The chunk that holds byte `at` of a run. */
uint32_t resident_chunk_of(const struct layout *l, const struct run *r, uint64_t at);
/* Chunks, their pieces, and the reads in order, with predicted times for reads and steps. */
void reads_make(struct layout *l);

#endif
