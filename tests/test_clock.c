/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - the two clocks that schedules are predicted with: reads that share a disk, and places that must become free. */
#include "config.h"

#include "sched/internal.h"
#include "tap.h"
#include "target/target.h"

#include <math.h>

enum { READS = 8, BYTES = 1 << 20 };

/* A read of the whole disk's rate takes a millisecond, and nothing else takes any time. */
static struct target disk(uint32_t requests)
{
	struct target t = target_host();

	t.direct = true;
	t.cached = false;
	t.requests = requests;
	t.storage_bytes_per_s = 1e3 * BYTES;
	t.start_ms = t.seek_ms = t.page_ms = 0;
	t.threads = 1000000; /* checking takes no time from kernels */
	return t;
}

/* A step for each read, whose place is free once the step `room` before has ended; 0: always. */
static double run(uint32_t requests, double step_ms, uint32_t room, struct clock_step *step, struct clock_read *read)
{
	struct target t = disk(requests);

	for (uint32_t i = 0; i < READS; i++) {
		read[i] = (struct clock_read){ .bytes = BYTES, .after = room && i >= room ? (int32_t)(i - room) : -1, .first = i };
		step[i] = (struct clock_step){ .ms = step_ms, .stream = i + 1 };
	}
	return clock_run(&t, step, READS, read, READS, NULL, 0, false, NULL);
}

static void expect(double got, double wanted, const char *what)
{
	/* each read is checked once it is there: less than a tenth of a millisecond */
	tap_ok(got > wanted - 1e-6 && got < wanted + READS * 0.1, "%s: %g ms, expected %g", what, got, wanted);
}

int main(void)
{
	struct clock_step step[READS];
	struct clock_read read[READS];
	double one, four;

	expect(run(1, 0, 0, step, read), 8, "reads alone");
	expect(run(1, 1, 0, step, read), 9, "kernels beside them");
	expect(run(4, 0, 0, step, read), 8, "several reads take as long together");
	expect(read[0].end, 4, "four that begin together end together");
	expect(run(4, 1, 0, step, read), 12, "kernels wait for the first");
	one = run(1, 1, 4, step, read);
	four = run(4, 1, 4, step, read);
	expect(one, 9, "four places, one read after the other: always one is read and one used");
	expect(four, 12, "four reads on their way fill the places");
	tap_ok(four > one, "which costs time");
	for (uint32_t i = 0, bad = 0; i < READS; i++) {
		bad += read[i].end < read[i].start || step[i].start < read[i].end - 1e-9 ||
		       (read[i].after >= 0 && read[i].start < step[read[i].after].start + 1 - 1e-9);
		if (i + 1 == READS)
			tap_ok(!bad, "no read before its place is free, no step before its read has come: %u wrong", bad);
	}
	return tap_done();
}
