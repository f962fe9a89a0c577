/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weights_needed.c - which step is the first to need how many bytes of weights.
 *
 * Reads are listed in the order in which a first run makes them, and what stays in
 * memory is read whenever the disk has nothing better to do: long before the step that
 * needs it. So what stays is looked for where it lies, in the arguments of the steps.
 */
#include "config.h"

#include "base/memory.h"
#include "tools/tool.h"

#include <stdlib.h>

/* A chunk that stays, and the first step that looks at it. */
struct stay {
	uint32_t region, step;
	uint64_t from, to, bytes;
};

static int compare_stays(const void *a, const void *b)
{
	const struct stay *x = a, *y = b;

	if (x->region != y->region)
		return x->region < y->region ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

/* The first that ends behind an offset of a region. */
static uint32_t find_stay(const struct stay *stays, uint32_t count, uint32_t region, uint64_t offset)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (stays[mid].region < region || (stays[mid].region == region && stays[mid].to <= offset))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Steps are visited from the last to the first, so that the first one's word is the last. */
static void mark(const struct edge_plan *p, struct stay *stays, uint32_t count)
{
	for (uint32_t i = p->step_count; i-- > 0;) {
		for (uint32_t k = 0; k < p->steps[i].arg_count; k++) {
			const struct edge_arg *a = &p->args[p->steps[i].arg_first + k];
			const struct edge_buffer *b = a->kind == EDGE_PARAM_GLOBAL ? &p->buffers[a->buffer] : NULL;
			uint32_t s = b ? find_stay(stays, count, b->region, b->offset) : count;

			for (; s < count && stays[s].region == b->region && stays[s].from < b->offset + b->bytes; s++)
				stays[s].step = i;
		}
	}
}

double *weights_needed(const struct edge_plan *p)
{
	double *bytes = rt_alloc(p->step_count + 1u, sizeof(*bytes));
	struct stay *stays = rt_alloc(p->read_count + 1u, sizeof(*stays));
	uint32_t count = 0, i, r = 0;

	for (i = 0; bytes && stays && i < p->step_count; i++) {
		bytes[i] = 0;
		for (; r < p->steps[i].reads_needed; r++) {
			const struct edge_read *read = &p->reads[r];
			uint64_t n = p->chunks[read->chunk].bytes;

			if (read->flags & EDGE_READ_ONCE)
				stays[count++] = (struct stay){ read->region, i, read->offset, read->offset + n, n };
			else
				bytes[i] += (double)n;
		}
	}
	if (bytes && stays) {
		qsort(stays, count, sizeof(*stays), compare_stays);
		mark(p, stays, count);
		for (i = 0; i < count; i++)
			bytes[stays[i].step] += (double)stays[i].bytes;
	}
	if (!stays) {
		rt_free(bytes);
		bytes = NULL;
	}
	rt_free(stays);
	return bytes;
}
