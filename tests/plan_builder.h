/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_builder.h - plans made by hand: a second producer of the format.
 *
 * Tests add records in any order and write the file; the builder lays out the
 * sections, hashes them and the chunks. It shares no code with the compiler,
 * so that a plan that both agree on is the format's, not one program's.
 */
#ifndef EDGE_TEST_PLAN_BUILDER_H
#define EDGE_TEST_PLAN_BUILDER_H

#include "edge/plan_format.h"

#include <stdbool.h>
#include <stddef.h>

struct records {
	unsigned char *data;
	uint32_t count, stride;
};

struct plan_builder {
	struct edge_meta meta;
	struct records section[64]; /* by enum edge_section_kind */
	unsigned char *weights;
	uint64_t weights_size;
};

void builder_init(struct plan_builder *b);
void builder_free(struct plan_builder *b);

/* Each returns the index of the new record (string: the offset). */
uint32_t builder_string(struct plan_builder *b, const char *text);
uint32_t builder_add(struct plan_builder *b, uint32_t kind, const void *record, uint32_t stride);
/* bytes is rounded up to pages and padded with zeros. */
uint32_t builder_chunk(struct plan_builder *b, const void *data, uint64_t bytes);

/* The whole file; the caller frees it. */
unsigned char *builder_finish(struct plan_builder *b, size_t *size);
bool builder_write(struct plan_builder *b, const char *path);

/*
 * y = x + sum of `chunks` vectors of chunk_floats, added one step at a time in order:
 * y += w[i] * (i + 1). The weights are w[i][k] = ((i * 31 + k) % 101) / 64.
 * `slots` of them fit the stream region; `resident` of them (the first) are read once.
 * staging: weights pass through host memory. The plan has one model, input "x", output "y:0".
 */
struct axpy_plan {
	uint32_t chunks, chunk_floats, slots, resident;
	uint32_t rounds; /* work per step: the kernel repeats itself so often */
	bool staging;
};

void builder_axpy(struct plan_builder *b, const struct axpy_plan *a);
/* What y must be, exactly. */
void axpy_expected(const struct axpy_plan *a, const float *x, float *y);

#endif
