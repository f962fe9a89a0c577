/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - what schedules are predicted with: two clocks, reads that share a disk, places that must become free; what launches cost. */
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

/* What waits takes longer beside what multiplies where threads have units for themselves; products do not wait. */
static void test_latency(void)
{
	struct target shared = target_host(), own;
	struct launch_work pool = { .kernel = "pool_0", .flops = 1 << 20, .bytes = 1 << 20 };
	struct launch_work product = { .kernel = "matmul_0", .flops = 1 << 30, .bytes = 1 << 20, .weights = 1 << 18, .results = 1 << 10 };
	struct launch_work large = product;

	shared.threads = 2;
	shared.flops_per_s = 256e9;
	own = shared;
	shared.latency_ms = 1e-6; /* 128 operations in the time of one that waits, by each thread */
	own.latency_ms = 2e-6;
	large.weights = 8 << 20;
	tap_ok(cost_launch_ms(&own, &pool) > 1.3 * cost_launch_ms(&shared, &pool), "a window over pixels waits");
	tap_ok(cost_launch_ms(&own, &product) < 1.01 * cost_launch_ms(&shared, &product), "a product does not");
	tap_ok(cost_launch_ms(&own, &large) > cost_launch_ms(&own, &product) &&
	       cost_launch_ms(&shared, &large) < 1.001 * cost_launch_ms(&shared, &product),
	       "weights that no cache holds show where no other thread uses the units meanwhile");
	shared.latency_ms = 0;
	own.latency_ms = 1e-6;
	tap_ok(fabs(cost_launch_ms(&own, &pool) - cost_launch_ms(&shared, &pool)) < 1e-9, "not given: as if shared");
	product.padding = 2;
	tap_ok(cost_launch_ms(&own, &product) > 1.9 * cost_launch_ms(&shared, &(struct launch_work){ .kernel = "matmul_0",
	       .flops = 1 << 30, .bytes = 1 << 20 }), "columns that only fill a panel are computed, too");
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
	test_latency();
	return tap_done();
}
