/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_runtime_place.c - where regions lie, how weights are read because of it,
 * and which bytes the system is told to expect.
 */
#include "config.h"

#include "exec/session.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MIB = 1 << 20, CHUNK = 128 << 10, CHUNKS = 64, FILE_BYTES = CHUNK * CHUNKS };

static char path[] = "test_runtime_place-XXXXXX";

static struct edge_region region(uint32_t kind, uint32_t space, uint64_t bytes)
{
	return (struct edge_region){ .kind = kind, .space = space, .bytes = bytes };
}

static bool lies_after(const void *a, uint64_t bytes, const void *b)
{
	return (const char *)b >= (const char *)a + bytes && (uintptr_t)b % EDGE_PLAN_PAGE == 0;
}

/* Weights first, those that pass through before those that stay; account and mapping hold no byte more. */
static void check_places(void)
{
	struct edge_region r[] = { region(EDGE_REGION_ACTIVATIONS, EDGE_SPACE_DEVICE, 3 * MIB + 5),
				   region(EDGE_REGION_RESIDENT, EDGE_SPACE_DEVICE, MIB + 4096),
				   region(EDGE_REGION_STREAM, EDGE_SPACE_DEVICE, MIB / 2) };
	void *memory[3] = { NULL }, *in_place[3] = { NULL };
	struct edgert_session s = { .memory = memory, .in_place = in_place };

	s.plan.regions = r;
	s.plan.region_count = 3;
	tap_ok(session_take_memory(&s) == EDGE_OK && s.staging == UINT32_MAX, "memory for three regions");
	tap_ok(s.shared == memory[2] && (uintptr_t)s.shared % (2 * MIB) == 0, "what passes through begins a large page");
	tap_ok(lies_after(memory[2], r[2].bytes, memory[1]) && lies_after(memory[1], r[1].bytes, memory[0]) &&
		       (char *)memory[0] + r[0].bytes <= (char *)s.shared + s.shared_bytes,
	       "then what stays, then activations, none over another");
	tap_ok(s.account.peak[RT_DEVICE] == r[0].bytes + r[1].bytes + r[2].bytes && s.account.peak[RT_HOST] == 0,
	       "%llu bytes are counted", (unsigned long long)s.account.peak[RT_DEVICE]);
	for (int i = 0; i < 3; i++)
		memset(memory[i], i, r[i].bytes);
	tap_ok(!memcmp(in_place, memory, sizeof memory), "kernels use them as they are");
	session_give_memory(&s);
	tap_ok(s.account.current[RT_DEVICE] == 0, "all is given back");
}

/* With memory of the device's own only the host's is taken. */
static void check_staging(void)
{
	struct edge_region r[] = { region(EDGE_REGION_STREAM, EDGE_SPACE_DEVICE, MIB),
				   region(EDGE_REGION_STAGING, EDGE_SPACE_HOST, MIB) };
	void *memory[2] = { NULL }, *in_place[2] = { NULL };
	struct edgert_session s = { .memory = memory, .in_place = in_place };

	s.plan.regions = r;
	s.plan.region_count = 2;
	tap_ok(session_take_memory(&s) == EDGE_OK && s.staging == 1 && !memory[0] && memory[1] && !in_place[1] && !s.shared,
	       "staging alone");
	tap_ok(s.account.current[RT_HOST] == MIB && s.account.current[RT_DEVICE] == 0, "is all that is counted");
	session_give_memory(&s);
	tap_ok(s.account.current[RT_HOST] == 0, "and given back");
}

/* A region that there are no addresses for: nothing is left behind, and closing it is harmless. */
static void check_too_large(void)
{
	struct edge_region r[] = { region(EDGE_REGION_RESIDENT, EDGE_SPACE_DEVICE, UINT64_MAX / 4),
				   region(EDGE_REGION_STREAM, EDGE_SPACE_DEVICE, UINT64_MAX / 4) };
	void *memory[2] = { NULL }, *in_place[2] = { NULL };
	struct edgert_session s = { .memory = memory, .in_place = in_place };

	s.plan.regions = r;
	s.plan.region_count = 2;
	tap_ok(session_take_memory(&s) == EDGE_MEMORY && strstr(s.failure.text, "could not get"), "no memory: %s",
	       s.failure.text);
	session_give_memory(&s);
	tap_ok(s.account.current[RT_DEVICE] == 0, "nothing is counted");
}

static bool make_file(void)
{
	static char piece[CHUNK];
	int fd = mkstemp(path);

	for (int i = 0; fd >= 0 && i < CHUNKS; i++)
		if (write(fd, piece, CHUNK) != CHUNK)
			return false;
	return fd >= 0 && close(fd) == 0;
}

/* Chunks of the file whose first page is in the page cache. */
static uint64_t cached_chunks(const struct plan_file *p)
{
	unsigned char *map = mmap(NULL, p->size, PROT_READ, MAP_SHARED, p->fd, 0), there;
	uint64_t found = 0;

	if (map == MAP_FAILED)
		return 0;
	for (uint64_t i = 0; i < CHUNKS; i++)
		if (mincore(map + i * CHUNK, EDGE_PLAN_PAGE, &there) == 0)
			found |= (uint64_t)(there & 1) << i;
	munmap(map, p->size);
	return found;
}

static bool opened(struct plan_file *p, uint64_t weights, uint64_t memory, bool again)
{
	struct failure f = { .status = EDGE_OK };

	if (plan_file_open(path, p, &f) != EDGE_OK)
		return false;
	p->weights[0] = 0;
	p->weights[1] = weights;
	plan_file_evict(path, &f);
	plan_file_choose_io(p, PLAN_IO_AUTO, 4, memory, again);
	return true;
}

/* Past the page cache only into large pages, and only what is large or read once. */
static void check_choice(bool evicts)
{
	static const struct {
		uint64_t weights, memory;
		bool again, direct, foresees;
	} t[] = { { FILE_BYTES, 8 * MIB, false, true, false }, { FILE_BYTES, MIB, false, false, true },
		  { FILE_BYTES, 8 * MIB, true, false, true }, { MIB, 8 * MIB, false, false, true } };
	struct plan_file p;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		if (!tap_ok(opened(&p, t[i].weights, t[i].memory, t[i].again), "weights %llu, memory %llu%s",
			    (unsigned long long)t[i].weights, (unsigned long long)t[i].memory,
			    t[i].again ? ", read again" : ""))
			continue;
		if (t[i].direct && (!evicts || p.direct_fd < 0))
			tap_skip("no reading past the page cache here");
		else
			tap_ok((p.direct_fd >= 0) == t[i].direct && p.foresees == t[i].foresees, "%s",
			       t[i].direct ? "past the page cache" : "through it, told ahead");
		plan_file_close(&p);
	}
}

/* Every second chunk is read in each run: a few are told before each read, up to 2 MiB ahead, each once, and no other. */
static void check_foresight(bool evicts)
{
	struct edge_chunk chunk[CHUNKS];
	struct edge_read read[CHUNKS];
	struct edge_plan plan = { .chunks = chunk, .chunk_count = CHUNKS, .reads = read, .read_count = CHUNKS };
	uint64_t want = 0, got = 0;
	struct plan_file p;

	for (uint32_t i = 0; i < CHUNKS; i++) {
		chunk[i] = (struct edge_chunk){ .offset = (uint64_t)i * CHUNK, .bytes = CHUNK };
		read[i] = (struct edge_read){ .chunk = i, .after_step = -1, .flags = i % 2 ? 0 : EDGE_READ_ONCE };
	}
	if (!tap_ok(opened(&p, FILE_BYTES, MIB, true), "a plan that reads again"))
		return;
	tap_ok(plan_file_ahead(&p, &plan, 1, 0) == 4, "of the first read on, 256 KiB are told");
	plan_file_foresee(&p, &plan, 0, 4);
	for (int i = 1; i < 4; i += 2)
		want |= (uint64_t)1 << i;
	for (int i = 0; evicts && i < 2000 && (got & want) != want; i++) {
		usleep(1000);
		got = cached_chunks(&p);
	}
	if (evicts)
		tap_ok(got == want, "and comes: chunks %llx of %llx", (unsigned long long)got, (unsigned long long)want);
	else
		tap_skip("files cannot leave the page cache here");
	tap_ok(plan_file_ahead(&p, &plan, 3, 4) == 8, "the second read adds as much");
	tap_ok(plan_file_ahead(&p, &plan, 1, 32) == 32, "where almost 2 MiB are told, nothing is added");
	tap_ok(plan_file_ahead(&p, &plan, 5, 32) == 36, "but where 256 KiB are over");
	tap_ok(plan_file_ahead(&p, &plan, CHUNKS - 1, CHUNKS - 2) == CHUNKS, "the last ends it");
	p.foresees = false;
	tap_ok(plan_file_ahead(&p, &plan, 1, 0) == 0, "past the page cache nobody is told");
	plan_file_close(&p);
}

int main(void)
{
	struct failure f = { .status = EDGE_OK };
	struct plan_file p;
	bool evicts;

	check_places();
	check_staging();
	check_too_large();
	if (!tap_ok(make_file() && plan_file_open(path, &p, &f) == EDGE_OK, "a file"))
		return tap_done();
	evicts = plan_file_evict(path, &f) == EDGE_OK && cached_chunks(&p) == 0;
	plan_file_close(&p);
	check_choice(evicts);
	check_foresight(evicts);
	unlink(path);
	return tap_done();
}
