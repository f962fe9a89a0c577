/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - spin, then sleep.
 *
 * Each thread has a span of every job, the same part of each: what one kernel
 * writes is mostly read by the next one on the same CPU, out of its own cache. A
 * thread takes from the front of its own span; when that is over it takes from
 * the backs of the others', so that all end together even when one of them was
 * held up by the system, or sleeps. What is taken shrinks towards the end (a share of what is left).
 *
 * A span holds the number of its job, its begin and its end in one word: a
 * worker that wakes up late finds the span of another job there, or nothing left,
 * and never touches a job that is over. A job ends when all of it is done, so
 * nobody waits for a sleeper.
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

enum { POOL_MAX = 256, POOL_SPINS = 4000, POOL_STACK = 1 << 20, POOL_NICE = 4, UNIT_BITS = 16, MOST_UNITS = (1 << UNIT_BITS) - 1 };

/* Units of a job that nobody has taken. */
struct span {
	uint32_t job, begin, end;
};

struct pool_seat {
	_Alignas(64) _Atomic uint64_t span; /* job, begin, end: see pack() */
	struct pool *pool;
	pthread_t thread; /* of all but the first, which is the caller's */
	uint32_t number;
};

struct pool {
	uint32_t threads; /* the caller included */
	uint32_t started; /* workers that must be joined */
	bool pin, settle;
	atomic_bool give_way;
	cpu_set_t cpus; /* pin: the caller's when the pool was opened, and again when it is closed */
	uint32_t home;	/* settle: which of them the caller ran on */
	uint32_t job;  /* how many there were: the publisher's */
	/* the job; read only between taking a range of it and reporting the range done */
	pool_work work;
	void *ctx;
	uint64_t count, unit; /* items, and how many of them are taken as one */
	_Alignas(64) atomic_uint generation; /* of jobs; the last one means: leave */
	atomic_bool leave;
	atomic_uint sleepers;
	_Alignas(64) atomic_uint done; /* units */
	struct pool_seat seat[];
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

static uint64_t pack(struct span s)
{
	return (uint64_t)s.job << (2 * UNIT_BITS) | s.begin << UNIT_BITS | s.end;
}

static struct span unpack(uint64_t word)
{
	return (struct span){ (uint32_t)(word >> (2 * UNIT_BITS)), (uint32_t)(word >> UNIT_BITS) & MOST_UNITS,
			      (uint32_t)word & MOST_UNITS };
}

/* Some of what is left of a seat's span: from its front for the thread that sits there, else from its back. */
static bool take(struct pool_seat *of, bool own, struct span *taken)
{
	uint64_t word = atomic_load_explicit(&of->span, memory_order_acquire);
	struct span s;
	uint32_t share;

	do {
		s = unpack(word);
		if (s.begin >= s.end)
			return false;
		share = (s.end - s.begin) / 3;
		share = share ? share : 1;
		*taken = s;
		if (own)
			taken->end = s.begin += share;
		else
			taken->begin = s.end -= share;
	} while (!atomic_compare_exchange_weak_explicit(&of->span, &word, pack(s), memory_order_acq_rel,
							memory_order_acquire));
	return true;
}

static void run_units(struct pool *p, const struct span *s)
{
	uint64_t end = s->end * p->unit;

	p->work(p->ctx, s->begin * p->unit, end < p->count ? end : p->count);
	atomic_fetch_add_explicit(&p->done, s->end - s->begin, memory_order_release);
}

static void take_ranges(struct pool *p, uint32_t me)
{
	struct span s;

	for (uint32_t i = 0; i < p->threads; i++) {
		uint32_t of = me + i < p->threads ? me + i : me + i - p->threads;

		while (take(&p->seat[of], of == me, &s))
			run_units(p, &s);
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
		take_ranges(p, seat->number);
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
static struct pool *pool_alloc(uint32_t threads)
{
	struct pool *p;
	void *at;

	if (posix_memalign(&at, 64, sizeof *p + threads * sizeof p->seat[0]) != 0)
		return NULL;
	p = at;
	*p = (struct pool){ .threads = threads };
	for (uint32_t i = 0; i < threads; i++)
		p->seat[i] = (struct pool_seat){ .pool = p, .number = i };
	return p;
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
		error = pthread_create(&p->seat[i].thread, &attr, worker_main, &p->seat[i]);
	if (!error && (p->pin || p->settle))
		pin_to(p->seat[i].thread, &p->cpus, p->home + i);
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
	p = pool_alloc(threads);
	if (!p)
		return rt_fail(f, EDGE_MEMORY, "could not allocate a pool of %u threads", threads);
	p->pin = pin && sched_getaffinity(0, sizeof p->cpus, &p->cpus) == 0;
	if (p->pin)
		pin_to(pthread_self(), &p->cpus, 0);
	else if (threads > 1)
		find_home(p);
	for (uint32_t i = 1; i < threads; i++) {
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
		pthread_join(p->seat[i].thread, NULL);
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
	uint32_t units;

	if (p->threads == 1 || count < 2) {
		if (count)
			work(ctx, 0, count);
		return;
	}
	p->work = work;
	p->ctx = ctx;
	p->count = count;
	p->unit = (count - 1) / MOST_UNITS + 1;
	units = (uint32_t)((count - 1) / p->unit + 1);
	p->job++;
	atomic_store_explicit(&p->done, 0, memory_order_relaxed);
	for (uint32_t i = 0; i < p->threads; i++)
		atomic_store_explicit(&p->seat[i].span, pack((struct span){ p->job, units * (uint64_t)i / p->threads,
									     units * (uint64_t)(i + 1) / p->threads }),
				      memory_order_release);
	publish(p);
	take_ranges(p, 0);
	while (atomic_load_explicit(&p->done, memory_order_acquire) != units)
		relax();
}
