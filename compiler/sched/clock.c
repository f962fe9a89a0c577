/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - disk and compute as two clocks.
 *
 * A read starts when the disk is free and its place is; a step starts when the
 * one before it has ended and what it needs has arrived. In a cold run the
 * resident weights come as well: in order of first use, and early where the
 * stream has to wait for room, since their places are free from the start.
 *
 * Through the page cache there is a third: the disk brings what comes next there
 * while threads copy out of it what came. In a later run everything is there, and
 * copies are work of the threads that run kernels.
 */
#include "config.h"

#include "sched/internal.h"

struct clock {
	const struct target *t;
	struct clock_step *step;
	uint32_t steps, done;
	struct clock_read *stream, *resident;
	uint32_t stream_done, resident_done; /* issued */
	double disk, end; /* when each clock is free */
	double platter; /* what was asked for so far is in the page cache */
	uint64_t bytes; /* read */
	bool cold;
};

static double step_end(const struct clock *c, int32_t i)
{
	return i < 0 ? 0 : c->step[i].start + c->step[i].ms + (c->cold ? c->step[i].touch_ms : 0);
}

/* Runs the steps for which every read has been issued. */
static void run_steps(struct clock *c)
{
	bool cold = c->cold;

	for (; c->done < c->steps; c->done++) {
		struct clock_step *s = &c->step[c->done];

		if (s->stream > c->stream_done || (cold && s->resident > c->resident_done))
			return;
		s->start = c->end;
		if (s->stream && c->stream[s->stream - 1].end > s->start)
			s->start = c->stream[s->stream - 1].end;
		if (cold && s->resident && c->resident[s->resident - 1].end > s->start)
			s->start = c->resident[s->resident - 1].end;
		c->end = s->start + s->ms + (cold ? s->touch_ms : 0);
	}
}

static void issue(struct clock *c, struct clock_read *r, double room)
{
	r->start = c->disk > room ? c->disk : room;
	if (c->t->direct || !(c->cold || c->t->cached)) {
		r->end = r->start + cost_read_ms(c->t, r->bytes);
	} else if (c->cold) {
		if (c->bytes == 0)
			c->platter = r->start;
		c->platter += cost_transfer_ms(c->t, r->bytes) + cost_ramp_ms(c->t, c->bytes, r->bytes);
		r->end = r->start + cost_cached_ms(c->t, r->bytes) + r->touch_ms;
		r->end = r->end > c->platter ? r->end : c->platter;
	} else if (cost_shares_copies(c->t)) {
		r->end = r->start = room;
		c->end += cost_copied_ms(c->t, r->bytes);
		return;
	} else {
		r->end = r->start + cost_cached_ms(c->t, r->bytes);
	}
	r->end += r->upload_ms;
	if (r->start < c->end)
		c->end += cost_theft_ms(c->t, r->bytes, c->cold ? r->touch_ms : 0);
	c->bytes += r->bytes;
	c->disk = r->end;
}

double clock_run(const struct target *t, struct clock_step *step, uint32_t steps, struct clock_read *stream,
		 uint32_t streams, struct clock_read *resident, uint32_t residents, bool cold, int32_t *order)
{
	struct clock c = { .t = t, .step = step, .steps = steps, .stream = stream, .resident = resident,
			   .cold = cold };
	uint32_t left = cold ? residents : 0;

	if (cold)
		c.disk = c.end = cost_start_ms(t);

	while (c.stream_done < streams || c.resident_done < left) {
		struct clock_read *s = c.stream_done < streams ? &stream[c.stream_done] : NULL;
		struct clock_read *p = c.resident_done < left ? &resident[c.resident_done] : NULL;
		double room;

		run_steps(&c);
		/* all that step s->after waits for comes before s, so its end is known by now */
		room = s ? step_end(&c, s->after) : 0;
		if (p && (!s || p->first <= s->first || c.disk + cost_read_ms(t, p->bytes) / 2 <= room)) {
			issue(&c, p, 0);
			if (order)
				*order++ = ~(int32_t)c.resident_done;
			c.resident_done++;
		} else {
			issue(&c, s, room);
			if (order)
				*order++ = (int32_t)c.stream_done;
			c.stream_done++;
		}
	}
	run_steps(&c);
	return c.end;
}
