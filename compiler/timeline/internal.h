/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - between the files that make a timeline. */
#ifndef EDGE_TIMELINE_INTERNAL_H
#define EDGE_TIMELINE_INTERNAL_H

#include "timeline/timeline.h"

/* As in kernels/splat.clh and splat_loss.cl. */
enum {
	SPLAT_TILE = 16,
	SPLAT_BLOCKS = 16,
	SPLAT_CHUNK = 256,
	SPLAT_DIGITS = 2048,
	SPLAT_STATS = 5,
	SPLAT_RECORD = 11,
	SPLAT_COMPACT_RECORD = 7,
	SPLAT_GRADIENT = 9,
	SPLAT_SLOT = 11,
	SPLAT_STATE = 640,
	SPLAT_PARTS = 6,
	SPLAT_LOSS_W = 64,
	SPLAT_LOSS_H = 32
};

struct plan_maker {
	struct arena *arena;
	struct diag *diag;
	const struct timeline_request *r;
	struct timeline *t;
	uint32_t buffer[EDGE_BUFFER_ROLES]; /* index in t->buffers */
};

enum { MOST_DEGREE = 3 };

static inline void set_degree(struct edge_train *x, uint32_t degree)
{
	x->sh_degree = degree;
	x->parameters = 11 + 3 * (degree + 1) * (degree + 1);
}

static inline uint32_t tiles_across(const struct edge_train *x)
{
	return x->stride / SPLAT_TILE;
}

static inline uint32_t tiles_down(const struct edge_train *x)
{
	return x->rows / SPLAT_TILE;
}

/* Photograph's bytes in memory: whole pages. */
uint64_t frame_bytes(const struct scene *s);

/* memory.c: cap, capacity, moments, keys; then the regions. False: an error was said. */
bool derive_memory(struct plan_maker *k);
void place_buffers(struct plan_maker *k);

/* events.c: windows; rates, which go with the cap; the list of what happens when. */
void derive_schedule(struct plan_maker *k);
void derive_rates(struct plan_maker *k);
void list_events(struct plan_maker *k);

/* steps.c: kernels and how they are launched. False: an error was said. */
bool make_steps(struct plan_maker *k);

void add_note(struct plan_maker *k, const char *topic, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
