/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_write.c - a schedule as a file.
 *
 * Weights are packed while they are written, one chunk at a time. A packed weight, or the part of a large one that is at hand, is
 * kept only while chunks still need parts of it, so the memory used is that of
 * a launch's weights, not of the network's.
 * Nothing in the file depends on anything but the schedule.
 */
#include "config.h"

#include "plan/behind.h"
#include "plan/plan.h"
#include "plan/sections.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

/* ---- weights, packed on demand ---- */

enum {
	WINDOW = 64 << 20, /* larger weights are packed this much at a time */
	KEPT = 256 << 20   /* packed weights that wait for their next piece; beyond it the oldest are packed again */
};

struct packed {
	unsigned char *bytes;
	uint64_t from, size; /* the part of the weight that is there */
	uint32_t pieces_left;
	bool dropped; /* once, for want of room: from then on it is packed piece by piece */
	uint64_t used; /* when, counted in pieces */
};

struct packer {
	const struct schedule *s;
	struct packed *packed; /* per weight */
	uint64_t kept, pieces; /* bytes that are there; pieces so far */
	struct diag *d;
};

static void drop(struct packer *k, struct packed *p)
{
	if (p->bytes)
		k->kept -= p->size;
	free(p->bytes);
	p->bytes = NULL;
}

/* Weights of which a part stays in memory have pieces far apart in the file. */
static void make_room(struct packer *k, uint64_t bytes)
{
	while (k->kept && k->kept + bytes > KEPT) {
		struct packed *oldest = NULL;

		for (uint32_t i = 0; i < k->s->weights.len; i++)
			if (k->packed[i].bytes && (!oldest || k->packed[i].used < oldest->used))
				oldest = &k->packed[i];
		oldest->dropped = true;
		drop(k, oldest);
	}
}

/* Makes [offset, offset + bytes) of a weight be there, and what follows, which is wanted next. */
static bool pack(struct packer *k, const struct sched_piece *x)
{
	const struct sched_weight *sw = &k->s->weights.data[x->weight];
	const struct weight *w = &sw->ks->weights.data[sw->index];
	struct packed *p = &k->packed[x->weight];
	uint64_t unit, last = x->offset + x->bytes;

	p->used = ++k->pieces;
	if (p->bytes && x->offset >= p->from && last <= p->from + p->size)
		return true;
	drop(k, p);
	p->from = 0;
	p->size = w->bytes;
	if ((w->bytes > WINDOW || p->dropped) && (unit = pack_part_unit(sw->ks->graph, w)) < w->bytes) {
		p->from = x->offset / unit * unit;
		p->size = last - p->from;
		if (p->size < WINDOW && !p->dropped)
			p->size = WINDOW;
		p->size = (p->size + unit - 1) / unit * unit;
		if (p->size > w->bytes - p->from)
			p->size = w->bytes - p->from;
	}
	make_room(k, p->size);
	p->bytes = xmalloc(p->size ? p->size : 1);
	k->kept += p->size;
	return pack_part(sw->ks->graph, w, p->from, p->size, p->bytes, k->d);
}

static bool fill_chunk(struct packer *k, const struct sched_chunk *c, unsigned char *out)
{
	memset(out, 0, c->bytes);
	for (uint32_t i = c->piece_first; i < c->piece_first + c->piece_count; i++) {
		const struct sched_piece *x = &k->s->pieces.data[i];
		struct packed *p = &k->packed[x->weight];

		if (!pack(k, x))
			return false;
		memcpy(out + x->at, p->bytes + (x->offset - p->from), x->bytes);
		if (!--p->pieces_left)
			drop(k, p);
	}
	return true;
}

struct weights {
	struct arena *arena;
	const struct schedule *schedule;
	struct diag *diag;
};

static bool write_weights(void *context, uint64_t at, FILE *out, struct edge_chunk *record)
{
	const struct weights *w = context;
	const struct schedule *s = w->schedule;
	struct packer k = { .s = s, .packed = arena_new_array(w->arena, struct packed, s->weights.len + 1), .d = w->diag };
	uint64_t most = SCHED_PAGE;
	struct behind *behind;
	bool ok = true;

	for (uint32_t i = 0; i < s->pieces.len; i++)
		k.packed[s->pieces.data[i].weight].pieces_left++;
	for (uint32_t i = 0; i < s->chunks.len; i++)
		if (s->chunks.data[i].bytes > most)
			most = s->chunks.data[i].bytes;
	behind = behind_start(out, most);
	for (uint32_t i = 0; ok && i < s->chunks.len; i++) {
		const struct sched_chunk *c = &s->chunks.data[i];

		unsigned char *bytes = behind_room(behind);

		ok = bytes && fill_chunk(&k, c, bytes);
		record[i] = (struct edge_chunk){ .offset = at, .bytes = c->bytes };
		if (ok)
			behind_put(behind, c->bytes, &record[i].xxh3);
		at += c->bytes;
	}
	for (uint32_t i = 0; i < s->weights.len; i++)
		drop(&k, &k.packed[i]);
	return behind_end(behind) && ok;
}

/* ---- the file ---- */

static void count_numbers(const struct schedule *s, const struct sections *x, uint64_t bytes, struct plan_numbers *n)
{
	*n = (struct plan_numbers){
		.bytes = bytes,
		.steps = s->steps.len,
		.kernels = (uint32_t)(x->section[SECTION_KERNELS].bytes.len / sizeof(struct edge_kernel)),
		.planned_device_bytes = s->device_bytes,
		.planned_host_bytes = s->host_bytes,
		.smallest_budget_bytes = s->smallest_budget,
		.weights_bytes = s->weights_bytes,
		.resident_bytes = s->resident_bytes,
		.streamed_bytes = s->streamed_bytes,
		.activation_peak_bytes = s->activation_peak,
		.activation_lower_bound_bytes = s->activation_lower_bound,
		.predicted_ms = s->predicted_ms,
		.predicted_warm_ms = s->warm_ms,
		.lower_bound_ms = s->lower_bound_ms,
	};
}

#ifndef NDEBUG
/* A finished plan that does not mean what the launches mean is a bug, found here. */
static void check_meaning(const struct schedule *s)
{
	char why[256];

	/* the effort is steps times bytes at worst */
	if ((double)s->steps.len * (double)s->device_bytes < 1e12 && !schedule_replay(s, why, sizeof why)) {
		fprintf(stderr, "edgec: internal error: %s\n", why);
		abort();
	}
}
#endif

bool plan_write(struct arena *a, const struct schedule *s, const char *version, const char *path,
		struct plan_numbers *numbers, struct diag *d)
{
	struct weights w = { a, s, d };
	struct chunk_writer chunks = { 0, write_weights, &w };
	struct sections x;
	uint64_t size;
	bool ok;

#ifndef NDEBUG
	check_meaning(s);
#endif
	if (!sections_make(a, s, version, &x, d))
		return false;
	for (uint32_t i = 0; i < s->chunks.len; i++)
		chunks.bytes += s->chunks.data[i].bytes;
	ok = sections_write(&x, &chunks, path, &size, d);
	if (ok && numbers)
		count_numbers(s, &x, size, numbers);
	sections_free(&x);
	return ok;
}
