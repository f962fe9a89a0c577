/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_read.h - check a plan file once, then read it without further checks.
 *
 * plan_check() allocates nothing, never reads outside [data, data + size),
 * ends on any input, and after it has said EDGE_OK every index, offset and
 * string of the view is safe to follow.
 */
#ifndef EDGE_PLAN_READ_H
#define EDGE_PLAN_READ_H

#include "edge/plan_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum edge_status {
	EDGE_OK = 0,
	EDGE_BAD = 1,         /* damaged, or not a plan */
	EDGE_UNSUPPORTED = 2, /* a valid plan that this reader is too old for, or lacks the means for */
	EDGE_IO = 3,          /* a file or device read or write failed */
	EDGE_DEVICE = 4,      /* the device or its driver failed or is missing */
	EDGE_ARGUMENT = 5,    /* the caller's tensor, name or option does not fit the plan */
	EDGE_MEMORY = 6       /* an allocation that the plan asks for was refused */
};

struct edge_plan {
	const uint8_t *data;
	uint64_t size;
	const struct edge_header *header;
	const struct edge_meta *meta;
	const char *strings;
	const struct edge_region *regions;
	const struct edge_buffer *buffers;
	const struct edge_program *programs;
	const struct edge_kernel *kernels;
	const struct edge_param *params;
	const struct edge_step *steps;
	const struct edge_arg *args;
	const struct edge_tensor *tensors;
	const struct edge_model *models;
	const struct edge_chunk *chunks;
	const struct edge_read *reads;
	const struct edge_code *codes; /* native plans */
	const uint64_t *entries;       /* code_count * kernel_count */
	uint64_t blocks_offset, blocks_size; /* of the BLOCKS section in the file */
	const struct edge_lookup *lookups;
	const struct edge_load *loads;
	const struct edge_train *train; /* plans that train; else NULL */
	const struct edge_view *views;
	const struct edge_point *points;
	const struct edge_event *events;
	const struct edge_role *roles;
	const struct edge_debug *debug; /* NULL, or one per step */
	const struct edge_lifetime *lifetimes;
	const struct edge_note *notes;
	const struct edge_generate *generate; /* NULL: not such a plan */
	const struct edge_variant *variants;
	const uint32_t *step_variants; /* one per step */
	const struct edge_tokenizer *tokenizer;
	uint64_t tokenizer_size;
	uint64_t strings_size;
	uint32_t region_count, buffer_count, program_count, kernel_count, param_count, step_count,
		arg_count, tensor_count, model_count, chunk_count, read_count, lifetime_count, note_count,
		code_count, entry_count, lookup_count, load_count, train_count, view_count, point_count, event_count, role_count,
		generate_count, variant_count, step_variant_count;
};

/* The parts of a tokenizer section. */
struct edge_tokenizer_view {
	const struct edge_tokenizer *header;
	const uint32_t *offset, *by_text, *special;
	const float *score;
	const struct edge_merge *merge;
	const int32_t *byte_token;
	const uint8_t *type;
	const char *text;
};

/* False: the size is not that of its parts. Their contents are those of a checked plan. */
bool edge_tokenizer_parts(const struct edge_tokenizer *t, uint64_t size, struct edge_tokenizer_view *out);

/*
 * data must be 8-byte aligned (a mapping is) and stay as it is while the view
 * is used. Chunk bytes are not hashed here: see plan_check_chunks and the
 * stream, which checks them as they arrive. On failure why[] says what is
 * wrong, NUL-terminated, and *out is zeroed.
 */
enum edge_status plan_check(const void *data, size_t size, struct edge_plan *out, char *why, size_t why_size);

/*
 * The same in two calls: the first does without the contents of sections that no read of weights needs, which may be
 * absent yet (any bytes) and must not be used before the second has said EDGE_OK. The second leaves the view as it is.
 */
enum edge_status plan_check_early(const void *data, size_t size, struct edge_plan *out, char *why, size_t why_size);
enum edge_status plan_check_late(struct edge_plan *p, char *why, size_t why_size);

/* Machine code, the tokenizer, and what only people need. */
static inline bool plan_section_is_late(uint32_t kind)
{
	return kind == EDGE_SECTION_BLOCKS || kind == EDGE_SECTION_TOKENIZER || kind == EDGE_SECTION_DEBUG ||
	       kind == EDGE_SECTION_LIFETIMES || kind == EDGE_SECTION_NOTES;
}

/* Hashes every chunk. EDGE_BAD names the first one that differs. */
enum edge_status plan_check_chunks(const struct edge_plan *p, char *why, size_t why_size);

/* XXH3-64, as stored in sections and chunks. */
uint64_t edge_xxh3(const void *data, size_t size);

static inline const char *plan_string(const struct edge_plan *p, uint32_t s) { return p->strings + s; }
/* Machine code, which runs with all rights of the process. */
static inline bool plan_holds_code(const struct edge_plan *p)
{
	return p->code_count > 0 || p->meta->backend == EDGE_BACKEND_NATIVE;
}

/* Bytes of the well-formed UTF-8 character at text, of which n > 0 bytes are there; 0: it is none. */
size_t edge_utf8_length(const void *text, size_t n);

/*
 * The first character of text (n > 0 bytes) as a terminal may be shown it: UTF-8 as it is; \xNN for a byte that is
 * none, or of a character that acts instead of showing (controls but the tab, line separators, directions of writing). Returns the
 * bytes in out[]; *used is how many bytes of text they stand for.
 */
size_t edge_shown_char(const char *text, size_t n, char out[4], size_t *used);
/* The same for all n bytes, written to a stream. */
void edge_show(FILE *out, const char *text, size_t n);

size_t edge_dtype_size(uint32_t dtype);
const char *edge_dtype_name(uint32_t dtype);

#endif
