/* SPDX-License-Identifier: Apache-2.0 */
/* test_bound.c - how fast a streamed run could have been, with memory for all weights and with little. */
#include "config.h"

#include "stream/plan_file.h"
#include "tap.h"
#include "tools/tool.h"

enum { STEPS = 4, BYTES = 100 };

static const double rate = 1e5; /* a chunk takes a millisecond */

static double bound_on(const double *ms, uint64_t room, uint32_t once, bool limited, bool copies, const struct storage *disk)
{
	struct edge_region regions[] = { { .kind = EDGE_REGION_ACTIVATIONS, .bytes = 1000000 },
					 { .kind = EDGE_REGION_STREAM, .bytes = room } };
	struct edge_chunk chunks[STEPS];
	struct edge_read reads[STEPS];
	struct edge_step steps[STEPS];
	struct edge_plan p = { .regions = regions, .region_count = 2, .chunks = chunks, .chunk_count = STEPS,
			       .reads = reads, .read_count = STEPS, .steps = steps, .step_count = STEPS };

	for (uint32_t i = 0; i < STEPS; i++) {
		chunks[i] = (struct edge_chunk){ .bytes = BYTES };
		reads[i] = (struct edge_read){ .chunk = i, .flags = i < once ? EDGE_READ_ONCE : 0 };
		steps[i] = (struct edge_step){ .reads_needed = i + 1 };
	}
	return lower_bound_ms(&p, ms, disk ? disk : &(struct storage){ .bytes_per_s = rate, .copies = copies }, limited);
}

/* What stays is read before anything else, and is the last step's: beside a long first step no disk can do what the others need. */
static double bound_where_it_lies(bool limited)
{
	const double ms[STEPS] = { 10, 0, 0, 0 };
	struct edge_region regions[] = { { .kind = EDGE_REGION_RESIDENT, .bytes = BYTES }, { .kind = EDGE_REGION_STREAM, .bytes = BYTES } };
	struct edge_buffer buffers[] = { { .region = 0, .bytes = BYTES }, { .region = 1, .bytes = BYTES } };
	struct edge_arg args[] = { { .kind = EDGE_PARAM_GLOBAL, .buffer = 1 }, { .kind = EDGE_PARAM_GLOBAL, .buffer = 0 },
				   { .kind = EDGE_PARAM_I64 } };
	struct edge_chunk chunks[STEPS];
	struct edge_read reads[STEPS];
	struct edge_step steps[STEPS];
	struct edge_plan p = { .regions = regions, .region_count = 2, .buffers = buffers, .buffer_count = 2, .args = args, .arg_count = 3,
			       .chunks = chunks, .chunk_count = STEPS, .reads = reads, .read_count = STEPS, .steps = steps, .step_count = STEPS };

	for (uint32_t i = 0; i < STEPS; i++) {
		chunks[i] = (struct edge_chunk){ .bytes = BYTES };
		reads[i] = (struct edge_read){ .chunk = i, .region = i > 0, .flags = i == 0 ? EDGE_READ_ONCE : 0 };
		steps[i] = (struct edge_step){ .reads_needed = i < STEPS - 1 ? i + 2 : STEPS, .arg_count = 1 };
	}
	steps[STEPS - 1].arg_first = 1;
	steps[STEPS - 1].arg_count = 2;
	return lower_bound_ms(&p, ms, &(struct storage){ .bytes_per_s = rate }, limited);
}

static double bound_of(const double *ms, uint64_t room, uint32_t once, bool limited, bool copies)
{
	return bound_on(ms, room, once, limited, copies, NULL);
}

static double bound(const double *ms, uint64_t room, uint32_t once, bool limited)
{
	return bound_of(ms, room, once, limited, false);
}

static void expect(double got, double wanted, const char *what)
{
	tap_ok(got > wanted - 1e-9 && got < wanted + 1e-9, "%s: %g ms, expected %g", what, got, wanted);
}

int main(void)
{
	/* a disk that is slow to begin; and one of which 150 bytes in 3 ms are known */
	struct arrival slow_start[] = { { 4, BYTES }, { 4.5, 2 * BYTES }, { 5, 3 * BYTES }, { 5.5, 4 * BYTES } }, known[] = { { 3, 150 } };
	const struct storage late = { .bytes_per_s = 4 * BYTES / 5.5e-3, .arrival = slow_start, .arrival_count = 4 };
	const struct storage ahead = { .bytes_per_s = rate, .ahead = true };
	const struct storage part = { .bytes_per_s = rate, .arrival = known, .arrival_count = 1 };
	const double long_first[] = { 10, 0, 0, 0 }, even[] = { 1, 1, 1, 1 }, slow[] = { 3, 3, 3, 3 };

	expect(bound(long_first, BYTES, 0, false), 11, "all is read beside the first step");
	expect(bound(long_first, BYTES, 0, true), 13, "one chunk is, where there is room for one");
	expect(bound(long_first, 2 * BYTES, 0, true), 12, "two");
	expect(bound(long_first, 4 * BYTES, 0, true), 11, "room for all");
	expect(bound(even, 2 * BYTES, 0, true), 5, "as fast as the disk");
	expect(bound(even, BYTES, 0, false), 5, "whatever the memory");
	expect(bound(slow, 2 * BYTES, 0, true), 13, "steps that take longer than reads");
	expect(bound(slow, 4 * BYTES, 4, true), 12, "everything stays");
	expect(bound(long_first, 2 * BYTES, 1, true), 11, "the first stays, beside one more");
	expect(bound_of(even, BYTES, 1, false, true), 7, "copies are the processors' work");
	expect(bound_on(even, BYTES, 0, false, false, &late), 8, "the first takes four milliseconds, the others come faster than steps");
	expect(bound_on(slow, BYTES, 1, false, false, &late), 3 * 3 + 4, "a first step that waits for nothing runs meanwhile");
	expect(bound_on(long_first, BYTES, 0, false, false, &late), 14, "the first is waited for");
	expect(bound_on(even, BYTES, 0, false, false, &part), 5.5 + 1, "what is read in parts, and beyond them at the rate");
	expect(bound_on(long_first, BYTES, 0, true, false, &ahead), 11, "little memory does not keep the system from reading ahead");
	expect(bound_where_it_lies(false), 11, "what stays costs no reads");
	expect(bound_where_it_lies(true), 12, "what stays takes room until the step that needs it");
	return tap_done();
}
