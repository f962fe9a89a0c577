/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup.c - steps that read rows of a table from the plan file.
 *
 * The indices are known only now, so the step waits for what computes them,
 * tells the kernel all the places that it is about to read, so that the disk
 * works on them at once, and then takes one chunk after the other. A chunk is
 * read whole into memory of our own, because its hash covers all of it.
 */
#include "config.h"

#include "base/clock.h"
#include "exec/session.h"

#include <string.h>

/* Memory of one lookup, only where the device's memory cannot be used in place. */
struct session_lookup {
	void *index, *output;
};

struct lookups {
	char *chunk; /* page-aligned */
	void *memory;
	struct session_lookup one[];
};

static void *in_place(const struct edgert_session *s, uint32_t buffer)
{
	const struct edge_buffer *b = &s->plan.buffers[buffer];
	char *region = s->in_place[b->region];

	return region ? region + b->offset : NULL;
}

enum edge_status session_prepare_lookups(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	uint32_t i;

	if (!p->lookup_count)
		return EDGE_OK;
	s->lookups = rt_alloc(1, sizeof *s->lookups + p->lookup_count * sizeof *s->lookups->one);
	if (s->lookups)
		s->lookups->memory = rt_alloc(1, EDGE_PLAN_LOOKUP_CHUNK + EDGE_PLAN_PAGE);
	if (!s->lookups || !s->lookups->memory)
		return rt_fail(&s->failure, EDGE_MEMORY, "out of memory");
	s->lookups->chunk = (char *)s->lookups->memory + EDGE_PLAN_PAGE -
			    (uintptr_t)s->lookups->memory % EDGE_PLAN_PAGE;
	for (i = 0; i < p->lookup_count; i++) {
		const struct edge_lookup *l = &p->lookups[i];
		struct session_lookup *one = &s->lookups->one[i];

		if (in_place(s, l->index_buffer) && in_place(s, l->output_buffer))
			continue;
		one->index = rt_alloc(l->count, edge_dtype_size(l->index_dtype));
		one->output = rt_alloc(l->count, l->row_bytes);
		if (!one->index || !one->output)
			return rt_fail(&s->failure, EDGE_MEMORY, "out of memory");
	}
	return EDGE_OK;
}

void session_close_lookups(struct edgert_session *s)
{
	uint32_t i;

	for (i = 0; s->lookups && i < s->plan.lookup_count; i++) {
		rt_free(s->lookups->one[i].index);
		rt_free(s->lookups->one[i].output);
	}
	if (s->lookups)
		rt_free(s->lookups->memory);
	rt_free(s->lookups);
}

/* Whatever the index holds, the row exists. */
static uint64_t row_of(const struct edge_lookup *l, const void *index, uint64_t i)
{
	int64_t at = l->index_dtype == EDGE_I64 ? ((const int64_t *)index)[i]
						: ((const int32_t *)index)[i];

	if (at < 0)
		at = at < -(int64_t)l->rows ? 0 : at + (int64_t)l->rows;
	return at >= (int64_t)l->rows ? l->rows - 1 : (uint64_t)at;
}

static enum edge_status read_rows(struct edgert_session *s, const struct edge_lookup *l,
				  const void *index, char *output, struct failure *f)
{
	uint32_t there = UINT32_MAX;

	for (uint64_t i = 0; i < l->count; i++) {
		uint64_t chunk = row_of(l, index, i) / l->chunk_rows;

		plan_file_expect(&s->file, &s->plan.chunks[l->chunk_first + chunk]);
	}
	for (uint64_t i = 0; i < l->count; i++) {
		uint64_t row = row_of(l, index, i);
		uint32_t chunk = l->chunk_first + (uint32_t)(row / l->chunk_rows);
		enum edge_status st;

		if (chunk != there) {
			st = plan_file_read_expected(&s->file, &s->plan.chunks[chunk], chunk,
						  s->lookups->chunk, f);
			if (st != EDGE_OK)
				return st;
			there = chunk;
			s->looked_up += s->plan.chunks[chunk].bytes;
		}
		memcpy(output + i * l->row_bytes,
		       s->lookups->chunk + row % l->chunk_rows * l->row_bytes, l->row_bytes);
	}
	return EDGE_OK;
}

static enum edge_status copied(struct edgert_session *s, uint32_t index, struct device_fence *fence,
			       struct failure *f)
{
	const struct edge_lookup *l = &s->plan.lookups[index];
	const struct edge_buffer *from = &s->plan.buffers[l->index_buffer];
	const struct edge_buffer *to = &s->plan.buffers[l->output_buffer];
	struct session_lookup *one = &s->lookups->one[index];
	enum edge_status st;

	st = s->ops->read(s->device, s->regions[from->region], from->offset, one->index,
			  l->count * edge_dtype_size(l->index_dtype), NULL, f);
	if (st != EDGE_OK || (st = s->ops->finish(s->device, f)) != EDGE_OK ||
	    (st = read_rows(s, l, one->index, one->output, f)) != EDGE_OK)
		return st;
	return s->ops->write(s->device, s->regions[to->region], to->offset, one->output,
			     l->count * l->row_bytes, fence, f);
}

enum edge_status session_lookup(struct edgert_session *s, uint32_t index,
				struct device_fence *fence, struct failure *f)
{
	const struct edge_lookup *l = &s->plan.lookups[index];
	int64_t begin = rt_now();
	enum edge_status st;

	if (s->lookups->one[index].index)
		return copied(s, index, fence, f);
	if ((st = s->ops->finish(s->device, f)) != EDGE_OK)
		return st;
	st = read_rows(s, l, in_place(s, l->index_buffer), in_place(s, l->output_buffer), f);
	if (st != EDGE_OK || !fence)
		return st;
	st = s->ops->mark(s->device, fence, f);
	if (!fence->handle)
		fence->start = begin;
	return st;
}
