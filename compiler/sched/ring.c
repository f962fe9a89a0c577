/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c - the stream area: blocks one after the other, round and round.
 *
 * Blocks are placed in order of first use. A list of segments by address says
 * who used which bytes last; a new block covers some of them and has to wait
 * for the latest of those users. The cursor only moves on, so placing n blocks
 * costs O(n). A held block sits at the start of the area, and the circle is
 * the rest of it, while the sub-ranges of its launch run.
 */
#include "config.h"

#include "sched/internal.h"

static uint32_t segment_new(struct ring *r, struct ring_segment s)
{
	uint32_t i = r->free;

	if (i != NO_ID) {
		r->free = r->seg.data[i].next;
		r->seg.data[i] = s;
		return i;
	}
	vec_push(r->a, &r->seg, s);
	return r->seg.len - 1;
}

void ring_init(struct ring *r, struct arena *a, uint64_t size)
{
	*r = (struct ring){ .size = size, .free = NO_ID, .a = a };
	/* the first segment made is always the one at address 0 */
	segment_new(r, (struct ring_segment){ 0, size, -1, NO_ID });
}

/* Where `bytes` would go: at the cursor, or from the base if they do not fit any more. */
static uint64_t next_place(struct ring *r, uint64_t bytes, uint32_t *segment)
{
	uint64_t at = r->at;

	*segment = r->cursor;
	if (at + bytes > r->size || r->cursor == NO_ID) {
		at = r->base;
		*segment = 0;
		while (r->seg.data[*segment].end <= at)
			*segment = r->seg.data[*segment].next;
	}
	return at;
}

static int32_t latest_user(const struct ring *r, uint32_t segment, uint64_t end)
{
	int32_t last = -1;

	for (; segment != NO_ID && r->seg.data[segment].start < end; segment = r->seg.data[segment].next)
		if (r->seg.data[segment].last > last)
			last = r->seg.data[segment].last;
	return last;
}

int32_t ring_peek(struct ring *r, uint64_t bytes)
{
	uint32_t segment;
	uint64_t at = next_place(r, bytes, &segment);

	return latest_user(r, segment, at + bytes);
}

/* Makes [at, end) one segment used by `last`; `segment` holds at. */
static void cover(struct ring *r, uint32_t segment, uint64_t at, uint64_t end, int32_t last)
{
	uint32_t e, next;

	if (r->seg.data[segment].start < at) {
		struct ring_segment rest = r->seg.data[segment];

		rest.start = at;
		e = segment_new(r, rest);
		r->seg.data[segment].end = at;
		r->seg.data[segment].next = e;
		segment = e;
	}
	for (e = segment; r->seg.data[e].end < end;) {
		next = r->seg.data[e].next;
		if (e != segment) {
			r->seg.data[e].next = r->free;
			r->free = e;
		}
		e = next;
	}
	if (r->seg.data[e].end > end) {
		if (e == segment) {
			struct ring_segment rest = r->seg.data[e];

			rest.start = end;
			next = segment_new(r, rest);
		} else {
			r->seg.data[e].start = end;
			next = e;
		}
	} else {
		next = r->seg.data[e].next;
		if (e != segment) {
			r->seg.data[e].next = r->free;
			r->free = e;
		}
	}
	r->seg.data[segment] = (struct ring_segment){ at, end, last, next };
	r->cursor = next;
	r->at = end;
}

uint64_t ring_take(struct ring *r, uint64_t bytes, int32_t last)
{
	uint32_t segment;
	uint64_t at = next_place(r, bytes, &segment);

	cover(r, segment, at, at + bytes, last);
	return at;
}

int32_t ring_peek_hold(struct ring *r, uint64_t bytes)
{
	return latest_user(r, 0, bytes);
}

uint64_t ring_take_hold(struct ring *r, uint64_t bytes, int32_t last)
{
	cover(r, 0, 0, bytes, last);
	r->base = bytes;
	return 0;
}

void ring_unhold(struct ring *r)
{
	r->base = 0;
}
