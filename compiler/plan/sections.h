/* SPDX-License-Identifier: Apache-2.0 */
/* sections.h - a schedule as the records of plan_format.h, before they have a place in the file. */
#ifndef EDGE_PLAN_SECTIONS_H
#define EDGE_PLAN_SECTIONS_H

#include "plan/plan.h"

/* All but the weights, in file order. */
enum section_index {
	SECTION_META, SECTION_STRINGS, SECTION_REGIONS, SECTION_BUFFERS, SECTION_PROGRAMS, SECTION_KERNELS,
	SECTION_PARAMS, SECTION_STEPS, SECTION_ARGS, SECTION_TENSORS, SECTION_MODELS, SECTION_CHUNKS,
	SECTION_READS, SECTION_CODE, SECTION_ENTRIES, SECTION_LOOKUPS, SECTION_LOADS,
	SECTION_TRAIN, SECTION_VIEWS, SECTION_POINTS, SECTION_EVENTS, SECTION_ROLES,
	SECTION_GENERATE, SECTION_VARIANTS, SECTION_STEP_VARIANTS,
	/* a run wants these when weights are on their way already */
	SECTION_BLOCKS, SECTION_TOKENIZER, SECTION_DEBUG, SECTION_LIFETIMES, SECTION_NOTES, SECTION_COUNT
};

struct section {
	uint32_t kind, stride;
	struct strbuf bytes;
};

struct sections {
	struct section section[SECTION_COUNT];
};

/* Chunk records are zero: they are filled when the chunks are written. False: an error was said. */
bool sections_make(struct arena *a, const struct schedule *s, const char *version, struct sections *out, struct diag *d);
void sections_free(struct sections *x);

/* plan_file.c: what writes all chunks at the stream's position, which is `at` of the file, and fills their records. */
struct chunk_writer {
	uint64_t bytes; /* of all chunks */
	bool (*write)(void *context, uint64_t at, FILE *out, struct edge_chunk *record);
	void *context;
};

/* The file appears only when it is complete. False: an error was said. */
bool sections_write(struct sections *x, const struct chunk_writer *c, const char *path, uint64_t *size, struct diag *d);

#endif
