/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - spin, then sleep.
 *
 * `next` holds the number of the job and the first item of it that nobody has
 * taken, in one word: a worker that wakes up late finds another job there, or
 * none left, and never touches one that is over. A job ends when all its items
 * are done, so nobody waits for a sleeper. Ranges shrink towards the end (a
 * share of what is left), so that threads end together even when one of them
 * was held up by the system.
 */
#include "config.h"

#include "device/pool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { POOL_MAX = 256, POOL_SPINS = 4000, POOL_STACK = 1 << 20, POOL_NICE = 4, ITEM_BITS = POOL_ITEM_BITS };

static const uint64_t ITEM_MASK = ((uint64_t)1 << ITEM_BITS) - 1;

struct pool {
	uint32_t threads; /* the caller included */
	uint32_t started; /* workers that must be joined */
	bool pin, settle;
	atomic_bool give_way;
	cpu_set_t cpus; /* pin: the caller's when the pool was opened, and again when it is closed */
	uint32_t home;	/* settle: which of them the caller ran on */
	pthread_t worker[POOL_MAX];
	struct pool_seat {
		struct pool *pool;
		uint32_t number;
	} seat[POOL_MAX];
	/* the job; read only between taking a range of it and reporting the range done */
	pool_work work;
	void *ctx;
	_Atomic uint64_t count;
	_Alignas(64) atomic_uint generation; /* of jobs; the last one means: leave */
	atomic_bool leave;
	atomic_uint sleepers;
	_Alignas(64) _Atomic uint64_t next; /* job << ITEM_BITS | item */
	_Alignas(64) _Atomic uint64_t done; /* items */
};

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void futex_wait(atomic_uint *word, unsigned value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(atomic_uint *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, POOL_MAX, NULL, NULL, 0);
}

static void take_ranges(struct pool *p)
{
	for (;;) {
		uint64_t at = atomic_load_explicit(&p->next, memory_order_acquire), begin, count, share;

		do {
			/* count may be that of a later job: `next` was closed before, so the exchange fails */
			count = atomic_load_explicit(&p->count, memory_order_acquire);
			begin = at & ITEM_MASK;
			if (begin >= count)
				return;
			share = (count - begin) / (p->threads * 3);
			share = share ? share : 1;
		} while (!atomic_compare_exchange_weak_explicit(&p->next, &at, at + share, memory_order_acq_rel,
								memory_order_acquire));
		p->work(p->ctx, begin, begin + share);
		atomic_fetch_add_explicit(&p->done, share, memory_order_release);
	}
}

static void wait_for_job(struct pool *p, unsigned seen)
{
	for (unsigned i = 0; i < POOL_SPINS; i++) {
		if (atomic_load_explicit(&p->generation, memory_order_acquire) != seen)
			return;
		relax();
	}
	atomic_fetch_add(&p->sleepers, 1);
	while (atomic_load(&p->generation) == seen)
		futex_wait(&p->generation, seen);
	atomic_fetch_sub(&p->sleepers, 1);
}

/* Threads inherit the set of the one that starts them, which is pinned already: so from the pool's. */
static void pin_to(pthread_t thread, const cpu_set_t *all, uint32_t number)
{
	cpu_set_t one;
	uint32_t k = 0;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, all) && k++ == number % (uint32_t)CPU_COUNT(all)) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			pthread_setaffinity_np(thread, sizeof one, &one);
			return;
		}
}

/* Linux keeps a priority for each thread, under its own id. */
static bool step_back(struct pool *p, bool done)
{
	if (!done && atomic_load_explicit(&p->give_way, memory_order_relaxed)) {
		setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), POOL_NICE);
		done = true;
	}
	return done;
}

/*
 * Two threads that spin on one CPU while another idles would go on so for many
 * launches. Where there is a thread for every CPU nothing is lost by giving each
 * worker its own; the caller stays free, and goes where there is room.
 */
static void find_home(struct pool *p)
{
	int here = sched_getcpu();

	p->settle = !p->pin && sched_getaffinity(0, sizeof p->cpus, &p->cpus) == 0 &&
		    (uint32_t)CPU_COUNT(&p->cpus) == p->threads;
	for (int cpu = 0; cpu < here && cpu < CPU_SETSIZE; cpu++)
		p->home += CPU_ISSET(cpu, &p->cpus) != 0;
}

static void *worker_main(void *arg)
{
	struct pool_seat *seat = arg;
	struct pool *p = seat->pool;
	bool stepped_back = false;
	unsigned seen = 0;

	for (;;) {
		wait_for_job(p, seen);
		seen = atomic_load_explicit(&p->generation, memory_order_acquire);
		if (atomic_load_explicit(&p->leave, memory_order_acquire))
			return NULL;
		stepped_back = step_back(p, stepped_back);
		take_ranges(p);
	}
}

uint32_t pool_usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		return (uint32_t)CPU_COUNT(&set);
	return 1;
}

/* The counters must not share cache lines with other things. */
static struct pool *pool_alloc(void)
{
	void *p;

	return posix_memalign(&p, 64, sizeof(struct pool)) == 0 ? p : NULL;
}

/*
 * Kernels keep tiles on the stack, more than the 128 KiB that some C libraries give.
 * The system may queue a new thread behind the one that makes it, for the milliseconds of a
 * tick, although another CPU idles: so it is sent to its own from here and does not go by itself.
 */
static int start_worker(struct pool *p, uint32_t i)
{
	pthread_attr_t attr;
	int error = pthread_attr_init(&attr);

	if (error)
		return error;
	error = pthread_attr_setstacksize(&attr, POOL_STACK);
	if (!error)
		error = pthread_create(&p->worker[i], &attr, worker_main, &p->seat[i]);
	if (!error && (p->pin || p->settle))
		pin_to(p->worker[i], &p->cpus, p->home + i);
	pthread_attr_destroy(&attr);
	return error;
}

enum edge_status pool_open(uint32_t threads, bool pin, struct pool **out, struct failure *f)
{
	struct pool *p;
	int error;

	*out = NULL;
	if (threads == 0)
		threads = pool_usable_cpus();
	if (threads > POOL_MAX)
		threads = POOL_MAX;
	p = pool_alloc();
	if (!p)
		return rt_fail(f, EDGE_MEMORY, "could not allocate a pool of %u threads", threads);
	*p = (struct pool){ .threads = threads };
	p->pin = pin && sched_getaffinity(0, sizeof p->cpus, &p->cpus) == 0;
	if (p->pin)
		pin_to(pthread_self(), &p->cpus, 0);
	else if (threads > 1)
		find_home(p);
	for (uint32_t i = 1; i < threads; i++) {
		p->seat[i] = (struct pool_seat){ p, i };
		error = start_worker(p, i);
		if (error) {
			errno = error;
			rt_fail_errno(f, EDGE_MEMORY, "could not start thread %u of %u", i + 1, threads);
			pool_close(p);
			return EDGE_MEMORY;
		}
		p->started++;
	}
	*out = p;
	return EDGE_OK;
}

void pool_give_way(struct pool *p)
{
	atomic_store(&p->give_way, true);
}

static void publish(struct pool *p)
{
	atomic_fetch_add(&p->generation, 1);
	if (atomic_load(&p->sleepers))
		futex_wake_all(&p->generation);
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	atomic_store(&p->leave, true);
	publish(p);
	for (uint32_t i = 1; i <= p->started; i++)
		pthread_join(p->worker[i], NULL);
	if (p->pin)
		sched_setaffinity(0, sizeof p->cpus, &p->cpus);
	free(p);
}

uint32_t pool_threads(const struct pool *p)
{
	return p->threads;
}

void pool_run(struct pool *p, pool_work work, void *ctx, uint64_t count)
{
	uint64_t job;

	if (p->threads == 1 || count < 2) {
		if (count)
			work(ctx, 0, count);
		return;
	}
	job = (atomic_load_explicit(&p->next, memory_order_relaxed) >> ITEM_BITS) + 1;
	/* closed: a late worker must not see the last job's end together with this one's larger count */
	atomic_store_explicit(&p->next, job << ITEM_BITS | ITEM_MASK, memory_order_relaxed);
	p->work = work;
	p->ctx = ctx;
	atomic_store_explicit(&p->done, 0, memory_order_relaxed);
	atomic_store_explicit(&p->count, count, memory_order_release);
	atomic_store_explicit(&p->next, job << ITEM_BITS, memory_order_release);
	publish(p);
	take_ranges(p);
	while (atomic_load_explicit(&p->done, memory_order_acquire) != count)
		relax();
}
