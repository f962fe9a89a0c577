/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool.c - the thread pool: every item of every job runs once, whatever
 * the number of threads, jobs that follow each other closely do not mix, and
 * what a thread does of a job lies together.
 */
#include "config.h"

#include "device/pool.h"
#include "tap.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS = 512 };

struct job {
	atomic_uchar times[ITEMS];
	atomic_uint outside;
	uint32_t count;
};

static void work(void *ctx, uint64_t begin, uint64_t end)
{
	struct job *j = ctx;

	for (uint64_t i = begin; i < end; i++)
		if (i < j->count)
			atomic_fetch_add_explicit(&j->times[i], 1, memory_order_relaxed);
		else
			atomic_fetch_add(&j->outside, 1);
}

static bool each_once(const struct job *j)
{
	for (uint32_t i = 0; i < j->count; i++)
		if (atomic_load_explicit(&j->times[i], memory_order_relaxed) != 1)
			return false;
	return atomic_load(&j->outside) == 0;
}

/* A later job is often larger than the one before: a worker that is late must not take its items
 * twice. */
static void check_jobs(uint32_t threads, uint32_t count, bool pin)
{
	static struct job jobs[2];
	struct failure f = { .status = EDGE_OK };
	struct pool *p;
	uint32_t wrong = 0, random = 1;

	if (!tap_ok(pool_open(threads, pin, &p, &f) == EDGE_OK, "a pool of %u%s", threads,
		    pin ? ", pinned" : ""))
		return;
	for (uint32_t i = 0; i < count; i++) {
		struct job *j = &jobs[i & 1];

		if (i == count / 2)
			pool_give_way(p);
		random = random * 1664525 + 1013904223;
		memset(j->times, 0, sizeof j->times);
		j->count = random >> 16 & 3 ? 1 + (random >> 20) % 12 : (random >> 20) % ITEMS;
		pool_run(p, work, j, j->count);
		wrong += !each_once(j);
	}
	pool_close(p);
	tap_ok(wrong == 0, "%u jobs with %u threads: %u went wrong", count, threads, wrong);
}

/* Pinned threads have different CPUs, and the caller gets his own choice back. */
static void check_pinning(void)
{
	cpu_set_t before, during, after;
	struct failure f = { .status = EDGE_OK };
	struct pool *p;

	sched_getaffinity(0, sizeof before, &before);
	if (!tap_ok(pool_open(2, true, &p, &f) == EDGE_OK, "a pinned pool"))
		return;
	sched_getaffinity(0, sizeof during, &during);
	pool_close(p);
	sched_getaffinity(0, sizeof after, &after);
	tap_ok(CPU_COUNT(&during) == 1, "the caller is pinned");
	tap_ok(CPU_EQUAL(&before, &after), "and free again afterwards");
}

struct share {
	atomic_int by[ITEMS]; /* thread */
	pthread_t caller;
};

static void work_slowly(void *ctx, uint64_t begin, uint64_t end)
{
	struct share *s = ctx;

	for (uint64_t i = begin; i < end; i++) {
		for (volatile int k = 0; k < 200; k++)
			;
		atomic_store(&s->by[i], pthread_equal(pthread_self(), s->caller) ? 1 : 2);
	}
}

/* The caller goes from the first item on, the worker from the middle; who is done first helps from the other's end on. */
static void check_spans(void)
{
	static struct share s;
	struct failure f = { .status = EDGE_OK };
	struct pool *p;
	uint32_t apart = 0, together = 0;

	if (!tap_ok(pool_open(2, false, &p, &f) == EDGE_OK, "a pool of two"))
		return;
	s.caller = pthread_self();
	for (uint32_t job = 0; job < 2000; job++) {
		uint32_t changes = 0;

		pool_run(p, work_slowly, &s, ITEMS);
		for (uint32_t i = 1; i < ITEMS; i++)
			changes += atomic_load(&s.by[i]) != atomic_load(&s.by[i - 1]);
		apart += changes > 2;
		together += changes > 0;
	}
	pool_close(p);
	tap_ok(apart == 0, "what a thread does lies together: not in %u of %u shared jobs", apart, together);
}

/* More items than a span can count: they go by units of several. */
static void sum_up(void *ctx, uint64_t begin, uint64_t end)
{
	atomic_fetch_add((_Atomic uint64_t *)ctx, (end - begin) * (begin + end - 1) / 2);
}

static void check_large(void)
{
	static const uint64_t count[] = { 65534, 65535, 65536, 131070, 131071, (1 << 20) + 7, ((uint64_t)1 << 31) + 1 };
	struct failure f = { .status = EDGE_OK };
	struct pool *p;
	uint32_t wrong = 0;

	if (!tap_ok(pool_open(3, false, &p, &f) == EDGE_OK, "a pool of three"))
		return;
	for (uint32_t i = 0; i < sizeof count / sizeof count[0]; i++) {
		_Atomic uint64_t sum = 0;

		pool_run(p, sum_up, &sum, count[i]);
		wrong += sum != (count[i] % 2 ? count[i] * ((count[i] - 1) / 2) : count[i] / 2 * (count[i] - 1));
	}
	pool_close(p);
	tap_ok(wrong == 0, "large jobs are done once as well: %u are not", wrong);
}

int main(void)
{
	alarm(120); /* a job that never ends */
	check_jobs(1, 1000, false);
	check_jobs(2, 100000, false);
	check_jobs(4, 100000, false);
	check_pinning();
	check_jobs(2, 20000, true);
	check_spans();
	check_large();
	return tap_done();
}
