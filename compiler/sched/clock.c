/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - disk and compute as two clocks.
 *
 * A read starts when the disk is free and its place is; a step starts when the
 * one before it has ended and what it needs has arrived. In a cold run the
 * resident weights come as well: in order of first use, and early where the
 * stream has to wait for room, since their places are free from the start.
 *
 * Past the page cache several reads are on their way at once and share the disk:
 * those that are issued together arrive together, each after the time of all of
 * them. So large blocks in a small ring make disk and kernels take turns, which a
 * disk that brings one after the other would not.
 *
 * Through the page cache there is a third: the disk brings what comes next there
 * while threads copy out of it what came. In a later run everything is there, and
 * copies are work of the threads that run kernels.
 */
#include "config.h"

#include "sched/internal.h"

#include <assert.h>
#include <math.h>

enum { READERS = 16 }; /* at most, as the runtime has it */

/* A read on its way past the page cache. */
struct flight {
	struct clock_read *read;
	double from; /* before, the disk looks for it */
	double left; /* ms of the whole disk */
};

struct clock {
	const struct target *t;
	struct clock_step *step;
	uint32_t steps, done;
	struct clock_read *stream, *resident;
	uint32_t streams, residents;	       /* to be read */
	uint32_t stream_done, resident_done;   /* issued */
	uint32_t stream_here, resident_here;   /* arrived, with all before them */
	double disk, end; /* when each clock is free */
	double platter; /* what was asked for so far is in the page cache */
	uint64_t bytes; /* read */
	bool cold;
	struct flight flight[READERS];
	uint32_t flying, most; /* 0: one read after the other */
};

static double step_end(const struct clock *c, int32_t i)
{
	return i < 0 ? 0 : c->step[i].start + c->step[i].ms + (c->cold ? c->step[i].touch_ms : 0);
}

/* Reads count in the plan's order, whichever comes first. */
static uint32_t count_here(const struct clock_read *r, uint32_t here, uint32_t issued)
{
	for (; here < issued && r[here].end >= 0; here++)
		;
	return here;
}

/* Runs the steps for which every read has come. */
static void run_steps(struct clock *c)
{
	bool cold = c->cold;

	c->stream_here = count_here(c->stream, c->stream_here, c->stream_done);
	c->resident_here = count_here(c->resident, c->resident_here, c->resident_done);
	for (; c->done < c->steps; c->done++) {
		struct clock_step *s = &c->step[c->done];
		uint32_t first = c->done ? s[-1].stream : 0, first_resident = c->done ? s[-1].resident : 0;

		if (s->stream > c->stream_here || (cold && s->resident > c->resident_here))
			return;
		s->start = c->end;
		for (uint32_t i = first; i < s->stream; i++)
			s->start = fmax(s->start, c->stream[i].end);
		for (uint32_t i = first_resident; cold && i < s->resident; i++)
			s->start = fmax(s->start, c->resident[i].end);
		c->end = s->start + s->ms + (cold ? s->touch_ms : 0);
	}
}

/* What a read takes from kernels that run meanwhile. */
static void steal(struct clock *c, const struct clock_read *r, double at)
{
	if (at < c->end)
		c->end += cost_theft_ms(c->t, r->bytes, c->cold ? r->touch_ms : 0);
}

/* ---- one read after the other */

static void issue(struct clock *c, struct clock_read *r, double room)
{
	r->start = fmax(c->disk, room);
	if (c->t->direct || !(c->cold || c->t->cached)) {
		r->end = r->start + cost_read_ms(c->t, r->bytes);
	} else if (c->cold) {
		if (c->bytes == 0)
			c->platter = r->start;
		c->platter += cost_transfer_ms(c->t, r->bytes) + cost_ramp_ms(c->t, c->bytes, r->bytes);
		r->end = fmax(r->start + cost_cached_ms(c->t, r->bytes) + r->touch_ms, c->platter);
	} else if (cost_shares_copies(c->t)) {
		r->end = r->start = room;
		c->end += cost_copied_ms(c->t, r->bytes);
		return;
	} else {
		r->end = r->start + cost_cached_ms(c->t, r->bytes);
	}
	r->end += r->upload_ms;
	steal(c, r, r->start);
	c->bytes += r->bytes;
	c->disk = r->end;
}

/* ---- several at once */

static void launch(struct clock *c, struct clock_read *r, double at)
{
	c->disk = r->start = fmax(c->disk, at);
	r->end = -1;
	c->flight[c->flying++] = (struct flight){ r, r->start + cost_seek_ms(c->t), cost_read_ms(c->t, r->bytes) };
}

/* Those that the disk has found share it, until `until` at most or until one has come. Whether one has. */
static bool fly(struct clock *c, double until)
{
	while (c->flying && c->disk < until) {
		double next = until;
		uint32_t busy = 0, i;

		for (i = 0; i < c->flying; i++)
			busy += c->flight[i].from <= c->disk;
		for (i = 0; i < c->flying; i++)
			next = fmin(next, c->flight[i].from > c->disk ? c->flight[i].from : c->disk + c->flight[i].left * busy);
		for (i = 0; i < c->flying; i++)
			if (c->flight[i].from <= c->disk)
				c->flight[i].left -= (next - c->disk) / busy;
		c->disk = next;
		for (i = 0; i < c->flying; i++) {
			struct clock_read *r = c->flight[i].read;

			if (c->flight[i].left > 1e-9)
				continue;
			r->end = c->disk + cost_check_ms(r->bytes);
			steal(c, r, c->disk);
			c->flight[i] = c->flight[--c->flying];
			return true;
		}
	}
	return false;
}

/* ---- both */

/* The read that is issued next: streamed, resident, or NULL: first, one must come. *room: from when on it may be. */
static struct clock_read *next_read(const struct clock *c, double *room)
{
	struct clock_read *s = c->stream_done < c->streams ? &c->stream[c->stream_done] : NULL;
	struct clock_read *p = c->resident_done < c->residents ? &c->resident[c->resident_done] : NULL;

	*room = 0;
	if (s && s->after >= 0)
		*room = (uint32_t)s->after < c->done ? step_end(c, s->after) : INFINITY;
	if (p && (!s || p->first <= s->first || c->disk + cost_read_ms(c->t, p->bytes) / 2 <= *room)) {
		*room = 0;
		return p;
	}
	return *room < INFINITY ? s : NULL;
}

static int32_t count_issued(struct clock *c, const struct clock_read *r)
{
	return r->once ? ~(int32_t)c->resident_done++ : (int32_t)c->stream_done++;
}

double clock_run(const struct target *t, struct clock_step *step, uint32_t steps, struct clock_read *stream,
		 uint32_t streams, struct clock_read *resident, uint32_t residents, bool cold, int32_t *order)
{
	struct clock c = { .t = t, .step = step, .steps = steps, .stream = stream, .resident = resident,
			   .streams = streams, .residents = cold ? residents : 0, .cold = cold, .most = cost_reads_at_once(t) };

	if (c.most > READERS)
		c.most = READERS;
	if (cold)
		c.disk = c.end = cost_start_ms(t);
	while (c.stream_done < streams || c.resident_done < c.residents || c.flying) {
		struct clock_read *r;
		int32_t number;
		double room;

		run_steps(&c);
		r = next_read(&c, &room);
		assert(r || c.flying); /* what a step needs comes before what waits for it */
		if (c.flying && (!r || c.flying == c.most || room > c.disk) && fly(&c, r && c.flying < c.most ? room : INFINITY))
			continue;
		if (c.most)
			launch(&c, r, room);
		else
			issue(&c, r, room);
		number = count_issued(&c, r);
		if (order)
			*order++ = number;
	}
	run_steps(&c);
	return c.end;
}
