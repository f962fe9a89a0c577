/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - the I/O threads: weights arrive in the plan's order.
 *
 * Shared state is a few counters under one mutex: a read is hundreds of
 * microseconds, so nothing finer is worth its proof. Three counters only grow
 * within a run: `submitted` (steps, by the submitting thread), `done` (reads)
 * and `run`.
 *
 * Reads are issued in the plan's order, as many at a time as the way of reading
 * wants (plan_file_depth()). Only the first in line looks at what the next read
 * waits for, so that a step that ends wakes one thread. They arrive in any order
 * and count as done in the plan's: a read's place is free of earlier reads, since
 * the step that it waits for needed them. The thread that reads also checks: what
 * one read costs the processor passes while the disk works on the others.
 *
 * With a ring one thread has as many reads on their way as it would have had
 * company. It takes what has arrived before it looks for what may be read next.
 *
 * The first run's reads start with the threads, before the device exists. Reads
 * with EDGE_READ_ONCE count as done in later runs; a plan that only has those
 * never wakes a thread again.
 *
 * The submitting thread waits for nothing that it can do itself: a read that it
 * needs and that no reader has begun.
 *
 * A reader keeps off the submitting thread's CPU from the start. It is begun and
 * woken by that thread, and the system would run it in its place, while a worker of
 * the pool spins on the CPU beside it, waiting for a kernel that nobody submits, or
 * have it wait for that thread's next tick, milliseconds later.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "stream/stream.h"
#include "stream/uring.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOW_DISK 4e8 /* bytes in a second */
#define TURN 100000 /* ns: the least that Linux takes */
#define NONE UINT32_MAX

enum { READERS_MAX = 16, STACK = 256 << 10, JUDGE_BYTES = 2 << 20, TOGETHER_BYTES = 512 << 10, PROBES = 8 };

struct reader {
	struct stream *stream;
	pthread_t thread;
	uint32_t at; /* the read that it is busy with, or NONE; under the lock */
	int away;    /* from this CPU; -1: from none */
	int64_t begin; /* of the read, where it is in the ring */
};

struct stream {
	struct stream_config config;
	struct reader reader[READERS_MAX];
	uint32_t readers; /* started; with a ring reads that it may hold, all of them one thread's */
	struct uring *ring;
	cpu_set_t cpus;	  /* that the process may use */

	pthread_mutex_t lock;
	pthread_cond_t to_first, to_readers, to_submitter;
	/* under the lock */
	uint32_t run;	    /* the run whose reads may be issued, from 1 */
	uint32_t begun;	    /* runs that the submitting thread has begun */
	uint32_t next;	    /* read of this run that is issued next; read_count: all were */
	uint32_t done;	    /* reads of this run that have arrived and are sound, with all before them */
	uint32_t cleared;   /* reads before this one need no more memory: see clear_ahead() */
	uint32_t foreseen;  /* reads of this run that come before this one: the system was told of them */
	uint32_t submitted; /* steps of this run whose completion can be waited for */
	uint32_t wanted;    /* by the submitting thread: this many of `done` */
	uint32_t busy;	    /* threads with a read */
	uint32_t own;	    /* the first read that the submitting thread is busy with, or NONE */
	int home;	    /* the submitting thread's CPU when it began the run */
	bool stop, judged;
	bool together;	    /* this run's reads are the threads' that run kernels */
	bool taken;	    /* a reader is the first in line */
	bool blocked;	    /* it waits for a step */
	int64_t completed;  /* the last step known to be complete, or -1 */
	int64_t arrived;    /* when done last grew */
	int64_t busy_since;
	struct stream_totals totals;
	struct failure failure;

	stream_share share; /* or NULL */
	struct stream_record *record;
	uint32_t first_streamed; /* read_count: nothing streams */
};

static uint32_t read_count(const struct stream *s)
{
	return s->config.plan->read_count;
}

static enum edge_status through_staging(struct stream *s, const struct edge_read *r,
					struct failure *f)
{
	const struct edge_chunk *chunk = &s->config.plan->chunks[r->chunk];
	enum edge_status st;

	if (chunk->bytes > s->config.staging_bytes)
		return rt_fail(f, EDGE_UNSUPPORTED,
			       "plan has %llu bytes of staging memory for a chunk of %llu",
			       (unsigned long long)s->config.staging_bytes,
			       (unsigned long long)chunk->bytes);
	st = plan_file_read_chunk(s->config.file, chunk, r->chunk, s->config.staging, f);
	if (st != EDGE_OK)
		return st;
	return s->config.upload(s->config.ctx, r->region, r->offset, s->config.staging,
				chunk->bytes, f);
}

static enum edge_status perform(struct stream *s, uint32_t index, bool step_runs, struct stream_record *when,
				struct failure *f)
{
	const struct edge_read *r = &s->config.plan->reads[index];
	const struct edge_chunk *chunk = &s->config.plan->chunks[r->chunk];
	char *memory = s->config.memory[r->region];
	enum edge_status st;

	if (step_runs && (st = s->config.wait_step(s->config.ctx, (uint32_t)r->after_step, f)) != EDGE_OK)
		return st;
	when->begin = rt_now();
	if (memory)
		st = plan_file_read_chunk(s->config.file, chunk, r->chunk, memory + r->offset, f);
	else
		st = through_staging(s, r, f);
	when->arrived = rt_now();
	return st;
}

/*
 * What counts as done once `done` reads are: after the first run, resident
 * reads do not have to be waited for. They count at once, because the next
 * streamed read may itself wait for a step that needs them.
 */
static uint32_t skip_resident(const struct stream *s, uint32_t done, uint32_t run)
{
	while (run > 1 && done < read_count(s) &&
	       (s->config.plan->reads[done].flags & EDGE_READ_ONCE))
		done++;
	return done;
}

/* ---- readers; all under the lock but perform() */

static bool over(const struct stream *s)
{
	return s->stop || s->failure.status != EDGE_OK;
}

/* Whether a read waits for a step that nobody has submitted. */
static bool read_waits(const struct stream *s, uint32_t index)
{
	int64_t after = s->config.plan->reads[index].after_step;

	return after > s->completed && (int64_t)s->submitted <= after;
}

static bool waits(const struct stream *s)
{
	return read_waits(s, s->next);
}

/*
 * The next read, when its place is free or will be once a step is complete that runs. NONE: no more, or none
 * yet, where nobody is patient.
 */
static uint32_t next_read(struct stream *s, bool patient, bool *step_runs)
{
	const struct edge_read *r;
	uint32_t index = NONE;

	while (s->taken && !over(s))
		pthread_cond_wait(&s->to_readers, &s->lock);
	s->taken = true;
	while (!over(s)) {
		r = s->next < read_count(s) && !s->together ? &s->config.plan->reads[s->next] : NULL;
		if (!r && (!patient || s->first_streamed == read_count(s)))
			break;
		s->blocked = r && waits(s);
		if (r && !s->blocked) {
			*step_runs = r->after_step >= 0 && r->after_step > s->completed;
			index = s->next;
			s->next = skip_resident(s, index + 1, s->run);
			break;
		}
		if (!patient)
			break;
		if (s->blocked)
			pthread_cond_broadcast(&s->to_submitter);
		pthread_cond_wait(&s->to_first, &s->lock);
	}
	s->blocked = false;
	s->taken = false;
	pthread_cond_signal(&s->to_readers);
	return index;
}

/* Reads arrive in any order and count in the plan's. */
static void count_done(struct stream *s, int64_t now)
{
	uint32_t done = s->next < s->own ? s->next : s->own;

	for (uint32_t i = 0; i < s->readers; i++)
		if (s->reader[i].at < done)
			done = s->reader[i].at;
	if (done == s->done)
		return;
	s->done = done;
	s->arrived = now;
	if (done >= s->wanted)
		pthread_cond_broadcast(&s->to_submitter);
}

/*
 * Past the page cache, a process that starts again reads everything again. Where
 * the disk is that slow, copying costs little beside it, and the cache is worth it.
 */
static void judge_disk(struct stream *s, int64_t now)
{
	int64_t busy = s->totals.busy_ns + (s->busy ? now - s->busy_since : 0);

	s->judged = true;
	if ((double)s->totals.bytes * 1e9 < SLOW_DISK * (double)busy)
		plan_file_slow(s->config.file);
}

static void finish_read(struct stream *s, uint32_t index, const struct stream_record *when, const struct failure *f)
{
	const struct edge_read *r = &s->config.plan->reads[index];

	if (f->status != EDGE_OK && s->failure.status == EDGE_OK) {
		s->failure = *f;
		pthread_cond_broadcast(&s->to_submitter);
		pthread_cond_broadcast(&s->to_first);
		pthread_cond_broadcast(&s->to_readers);
	}
	if (s->failure.status != EDGE_OK)
		return;
	if (s->record)
		s->record[index] = *when;
	if (r->after_step > s->completed)
		s->completed = r->after_step;
	s->totals.bytes += s->config.plan->chunks[r->chunk].bytes;
	count_done(s, when->arrived);
	if (s->blocked && s->busy == 0)
		pthread_cond_broadcast(&s->to_submitter); /* stream_preload() */
	if (s->run == 1 && !s->judged && s->totals.bytes >= JUDGE_BYTES)
		judge_disk(s, when->arrived);
}

/* Moves a reader off a CPU, where the process has others. */
static void keep_off(const struct stream *s, pthread_t reader, int cpu)
{
	cpu_set_t set = s->cpus;

	if (cpu >= 0 && cpu < CPU_SETSIZE)
		CPU_CLR((unsigned)cpu, &set);
	if (CPU_COUNT(&set) > 0)
		pthread_setaffinity_np(reader, sizeof(set), &set);
}

static void count_busy(struct stream *s)
{
	if (s->busy++ == 0)
		s->busy_since = rt_now();
}

static void count_idle(struct stream *s)
{
	if (--s->busy == 0)
		s->totals.busy_ns += rt_now() - s->busy_since;
}

/*
 * Linux lets a thread that wakes up interrupt another when its turn would end sooner. With turns of equal length it waits
 * until that of a thread that runs kernels, and never sleeps, is over: 3 to 4 ms, in which the disk idles. So readers ask
 * for the shortest turns there are; kernels before 6.12 do not know that, and many of them interrupt anyway.
 */
static void ask_for_short_turns(void)
{
	struct { /* struct sched_attr, which not every C library has */
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = sizeof(a) };

	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) != 0 || a.policy != SCHED_OTHER)
		return;
	a.runtime = TURN;
	syscall(SYS_sched_setattr, 0, &a, 0);
}

struct foresight {
	uint32_t from, to;
};

/* What the system is to be told of before a read: by one thread, and without the lock. What is here needs none. */
static struct foresight foresee(struct stream *s, uint32_t index)
{
	struct foresight x = { s->foreseen, s->foreseen };

	if (s->run > 1 && !s->together)
		x.to = s->foreseen = plan_file_ahead(s->config.file, s->config.plan, index, x.from);
	return x;
}

static void tell(const struct stream *s, struct foresight x)
{
	if (x.from < x.to)
		plan_file_foresee(s->config.file, s->config.plan, x.from, x.to);
}

/* Does one read; `at` says meanwhile which. The lock is free while the disk works. */
static void do_read(struct stream *s, uint32_t *at, uint32_t index, bool step_runs)
{
	struct stream_record when = { 0, 0 };
	struct failure f = { .status = EDGE_OK };
	struct foresight x = foresee(s, index);

	*at = index;
	count_busy(s);
	pthread_mutex_unlock(&s->lock);
	tell(s, x);
	perform(s, index, step_runs, &when, &f);
	pthread_mutex_lock(&s->lock);
	*at = NONE;
	count_idle(s);
	finish_read(s, index, &when, &f);
}

static void *reader(void *arg)
{
	struct reader *self = arg;
	struct stream *s = self->stream;
	uint32_t index;
	bool step_runs;

	rt_seal(true);
	ask_for_short_turns();
	pthread_mutex_lock(&s->lock);
	while ((index = next_read(s, true, &step_runs)) != NONE) {
		if (self->away != s->home)
			keep_off(s, pthread_self(), self->away = s->home);
		do_read(s, &self->at, index, step_runs);
	}
	/* what has no more reads must not keep the others waiting for their turn */
	pthread_cond_broadcast(&s->to_readers);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- one reader with a ring; under the lock where nothing is said */

/* A read has ended. What is not whole or not sound is read again without the ring, which says what is wrong. */
static void land(struct stream *s, struct reader *slot, int64_t got, bool step_runs)
{
	const struct edge_read *r = &s->config.plan->reads[slot->at];
	const struct edge_chunk *chunk = &s->config.plan->chunks[r->chunk];
	struct stream_record when = { slot->begin, 0 };
	struct failure f = { .status = EDGE_OK };
	uint32_t index = slot->at;

	pthread_mutex_unlock(&s->lock);
	if (got == (int64_t)chunk->bytes && plan_file_is_sound(chunk, (char *)s->config.memory[r->region] + r->offset))
		when.arrived = rt_now();
	else
		perform(s, index, step_runs, &when, &f);
	pthread_mutex_lock(&s->lock);
	slot->at = NONE;
	count_idle(s);
	finish_read(s, index, &when, &f);
}

/* Begins a read; false: it is over already, because it is none for the ring or the ring did not take it. */
static bool fly(struct stream *s, struct reader *slot, uint32_t index, bool step_runs)
{
	const struct edge_read *r = &s->config.plan->reads[index];
	const struct edge_chunk *chunk = &s->config.plan->chunks[r->chunk];
	char *to = (char *)s->config.memory[r->region] + r->offset;
	struct failure f = { .status = EDGE_OK };
	bool begun = false;

	if (!plan_file_suits(s->config.file, chunk, to)) {
		do_read(s, &slot->at, index, step_runs);
		return false;
	}
	slot->at = index;
	count_busy(s);
	pthread_mutex_unlock(&s->lock);
	if (!step_runs || s->config.wait_step(s->config.ctx, (uint32_t)r->after_step, &f) == EDGE_OK) {
		slot->begin = rt_now();
		begun = uring_read(s->ring, (uint32_t)(slot - s->reader), s->config.file->direct_fd, to, chunk->bytes, chunk->offset);
	}
	pthread_mutex_lock(&s->lock);
	if (!begun)
		land(s, slot, -1, step_runs);
	return begun;
}

static struct reader *free_slot(struct stream *s)
{
	uint32_t i = 0;

	while (s->reader[i].at != NONE)
		i++;
	return &s->reader[i];
}

static void *ring_reader(void *arg)
{
	struct reader *self = arg;
	struct stream *s = self->stream;
	uint32_t flying = 0, index, slot = 0;
	int64_t got = -1;
	bool step_runs;

	rt_seal(true);
	ask_for_short_turns();
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (flying < s->readers && (index = next_read(s, flying == 0, &step_runs)) != NONE) {
			if (self->away != s->home)
				keep_off(s, pthread_self(), self->away = s->home);
			flying += fly(s, free_slot(s), index, step_runs);
		}
		if (flying == 0)
			break;
		pthread_mutex_unlock(&s->lock);
		uring_wait(s->ring, &slot, &got);
		pthread_mutex_lock(&s->lock);
		land(s, &s->reader[slot], got, false);
		flying--;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- the submitting thread */

/* Staging has room for one read at a time. */
static uint32_t choose_depth(const struct stream *s)
{
	uint32_t depth = s->config.staging ? 1 : plan_file_depth(s->config.file);

	if (depth > READERS_MAX)
		depth = READERS_MAX;
	return depth < read_count(s) ? depth : read_count(s);
}

static void count_reader(struct stream *s, int change)
{
	pthread_mutex_lock(&s->lock);
	s->readers += (uint32_t)change;
	pthread_mutex_unlock(&s->lock);
}

static uint32_t thread_count(const struct stream *s)
{
	return s->ring ? s->readers > 0 : s->readers;
}

/* One reader is enough; the first that cannot be started ends the attempt. With a ring one thread has all their reads. */
static int start_readers(struct stream *s)
{
	uint32_t depth = choose_depth(s), each = s->ring ? depth : 1;
	pthread_attr_t attr;
	int code = pthread_attr_init(&attr);

	if (code != 0)
		return code;
	pthread_attr_setstacksize(&attr, STACK);
	for (uint32_t i = 0; i < depth; i++)
		s->reader[i] = (struct reader){ .stream = s, .at = NONE, .away = s->home };
	/* the lock is free while a thread is made: the first of them read meanwhile */
	for (uint32_t i = 0; i < depth && code == 0; i += each) {
		count_reader(s, (int)each);
		code = pthread_create(&s->reader[i].thread, &attr, s->ring ? ring_reader : reader, &s->reader[i]);
		if (code == 0 && s->home >= 0)
			keep_off(s, s->reader[i].thread, s->home);
		if (code != 0)
			count_reader(s, -(int)each);
	}
	pthread_attr_destroy(&attr);
	return s->readers > 0 || depth == 0 ? 0 : code;
}

/* Where several threads would read past the page cache, and the system lets us. */
static void open_ring(struct stream *s)
{
	uint32_t depth = choose_depth(s);

	if (s->config.ring && !s->config.staging && depth > 1)
		s->ring = uring_open(depth);
}

bool stream_has_ring(const struct stream *s)
{
	return s && s->ring;
}

enum edge_status stream_start(const struct stream_config *config, struct stream **out,
			      struct failure *f)
{
	struct stream *s = rt_alloc(1, sizeof(*s));
	uint32_t n = config->plan->read_count;
	int code;

	*out = NULL;
	if (!s)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	s->config = *config;
	s->run = 1;
	s->completed = -1;
	s->own = NONE;
	s->first_streamed = skip_resident(s, 0, 2);
	s->home = sched_getaffinity(0, sizeof(s->cpus), &s->cpus) == 0 ? sched_getcpu() : -1;
	if (config->record && !(s->record = rt_alloc(n, sizeof(*s->record)))) {
		rt_free(s);
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->to_first, NULL);
	pthread_cond_init(&s->to_readers, NULL);
	pthread_cond_init(&s->to_submitter, NULL);
	open_ring(s);
	code = start_readers(s);
	if (code != 0) {
		stream_stop(s);
		return rt_fail(f, EDGE_MEMORY, "could not start the I/O thread: error %d", code);
	}
	*out = s;
	return EDGE_OK;
}

void stream_stop(struct stream *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->to_first);
	pthread_cond_broadcast(&s->to_readers);
	pthread_mutex_unlock(&s->lock);
	for (uint32_t i = 0; i < thread_count(s); i++)
		pthread_join(s->reader[i].thread, NULL);
	uring_close(s->ring);
	pthread_cond_destroy(&s->to_first);
	pthread_cond_destroy(&s->to_readers);
	pthread_cond_destroy(&s->to_submitter);
	pthread_mutex_destroy(&s->lock);
	rt_free(s->record);
	rt_free(s);
}

/* Whether what a run still reads lies in the page cache, by a few of its reads: those that come last from the disk first. */
static bool reads_are_here(const struct stream *s)
{
	const struct edge_plan *p = s->config.plan;
	uint32_t n = read_count(s) - s->next, i;

	for (i = 0; i < n; i += 1 + n / PROBES)
		if (!plan_file_is_here(s->config.file, &p->chunks[p->reads[read_count(s) - 1 - i].chunk]))
			return false;
	return n > 0;
}

static bool may_share(const struct stream *s)
{
	return s->share && s->config.file->foresees && s->run > 1;
}

/* Asking brings what is asked for, a little of it: so only where the disk was told of all. */
static bool rest_is_here(const struct stream *s)
{
	return may_share(s) && s->foreseen >= read_count(s) && reads_are_here(s);
}

void stream_begin(struct stream *s)
{
	struct foresight x = { 0, 0 };

	pthread_mutex_lock(&s->lock);
	s->home = s->home < 0 ? -1 : sched_getcpu();
	if (++s->begun > 1) {
		s->submitted = 0;
		s->foreseen = 0;
		s->wanted = 0;
		s->completed = -1;
		s->done = s->next = s->first_streamed;
		s->totals = (struct stream_totals){ 0, 0 };
		s->run = s->begun;
		s->together = may_share(s) && reads_are_here(s);
		if (s->first_streamed < read_count(s) && !s->together) {
			pthread_cond_broadcast(&s->to_first);
			x = foresee(s, s->first_streamed); /* a reader takes a while to wake up */
		}
	}
	pthread_mutex_unlock(&s->lock);
	tell(s, x);
}

/*
 * Who waits for a read that no reader has begun does it: a reader that was told a
 * moment ago may not run yet. Staging has room for one. False: nothing to do.
 */
static bool help(struct stream *s, uint32_t reads)
{
	uint32_t index = s->next;
	bool step_runs;

	if (s->config.staging || index >= reads || waits(s))
		return false;
	step_runs = s->config.plan->reads[index].after_step > s->completed;
	s->next = skip_resident(s, index + 1, s->run);
	if (s->blocked && s->next < read_count(s) && !waits(s))
		pthread_cond_signal(&s->to_first);
	do_read(s, &s->own, index, step_runs);
	return true;
}

struct batch {
	struct stream *stream;
	uint32_t first;
};

static void read_some(void *ctx, uint64_t begin, uint64_t end)
{
	const struct batch *b = ctx;
	struct stream *s = b->stream;
	bool before = rt_seal(true);

	pthread_mutex_lock(&s->lock);
	for (uint64_t i = b->first + begin; i < b->first + end && !over(s); i++) {
		uint32_t at;

		if (!(s->config.plan->reads[i].flags & EDGE_READ_ONCE))
			do_read(s, &at, (uint32_t)i, false);
	}
	pthread_mutex_unlock(&s->lock);
	rt_seal(before);
}

/*
 * What lies in the page cache is there for a copy, which is a processor's work as a kernel is: threads that
 * run kernels share it, and nobody is woken and nobody preempted. More than one read at a time, so that all
 * have something to do. False: the next read waits for a step.
 */
static bool read_together(struct stream *s, uint32_t reads)
{
	struct batch b = { s, s->next };
	uint64_t bytes = 0;
	uint32_t end = s->next;

	for (; end < read_count(s) && (end < reads || bytes < TOGETHER_BYTES) && !read_waits(s, end); end++)
		if (!(s->config.plan->reads[end].flags & EDGE_READ_ONCE))
			bytes += s->config.plan->chunks[s->config.plan->reads[end].chunk].bytes;
	if (end == b.first)
		return false;
	s->own = b.first;
	s->next = skip_resident(s, end, s->run);
	pthread_mutex_unlock(&s->lock);
	s->share(s->config.ctx, read_some, &b, end - b.first);
	pthread_mutex_lock(&s->lock);
	s->own = NONE;
	count_done(s, rt_now());
	return true;
}

/* Of a read's place, the large pages that begin in it: those that no other read's place has. False: none. */
static bool large_pages(const struct stream *s, const struct edge_read *r, uintptr_t *from, uintptr_t *to)
{
	const uintptr_t page = RT_LARGE_PAGE - 1, memory = (uintptr_t)s->config.memory[r->region];
	uintptr_t end = memory + edge_plan_pages(s->config.plan->regions[r->region].bytes);

	if (!memory || r->after_step >= 0) /* the place was another read's before */
		return false;
	*from = (memory + r->offset + page) & ~page;
	*to = (memory + r->offset + s->config.plan->chunks[r->chunk].bytes + page) & ~page;
	*to = *to < end ? *to : end;
	return *from < *to;
}

/*
 * Who has nothing to do but wait clears memory for reads to come, a large page at a time. Readers would do it
 * within their reads, two of them the same page where both begin in it, and one after the other where the host
 * of a virtual machine has to bring the page first. The reads that come next are the readers' own.
 * False: there is none, or the system cannot.
 */
static bool clear_ahead(struct stream *s)
{
	uint32_t n = read_count(s), i = s->next + s->readers;
	uintptr_t from, to;
	bool done;

	if (s->run > 1 || !plan_file_is_direct(s->config.file))
		return false;
	i = s->cleared > i ? s->cleared : i;
	while (i < n && !large_pages(s, &s->config.plan->reads[i], &from, &to))
		i++;
	s->cleared = i < n ? i + 1 : n;
	if (i >= n)
		return false;
	pthread_mutex_unlock(&s->lock);
	done = rt_touch((void *)from, to - from);
	pthread_mutex_lock(&s->lock);
	if (!done)
		s->cleared = n;
	return true;
}

void stream_share_reads(struct stream *s, stream_share share)
{
	if (!s->config.staging)
		s->share = share;
}

bool stream_ready(struct stream *s, uint32_t reads)
{
	bool ready;

	pthread_mutex_lock(&s->lock);
	ready = s->done >= reads;
	pthread_mutex_unlock(&s->lock);
	return ready;
}

enum edge_status stream_await(struct stream *s, uint32_t reads, int64_t *arrived, struct failure *f)
{
	enum edge_status st = EDGE_OK;

	pthread_mutex_lock(&s->lock);
	s->wanted = reads;
	/* the disk has brought the rest of the run: a read is a copy from here on */
	if (s->done < reads && !s->together && rest_is_here(s))
		s->together = true;
	while (s->done < reads && s->failure.status == EDGE_OK)
		if (!(s->together ? read_together(s, reads) : help(s, reads) || clear_ahead(s)))
			pthread_cond_wait(&s->to_submitter, &s->lock);
	if (s->done < reads)
		st = rt_fail(f, s->failure.status, "%s", s->failure.text);
	*arrived = s->arrived;
	pthread_mutex_unlock(&s->lock);
	return st;
}

void stream_publish(struct stream *s, uint32_t step)
{
	pthread_mutex_lock(&s->lock);
	s->submitted = step + 1;
	if (s->blocked && s->next < read_count(s) && (int64_t)step >= s->config.plan->reads[s->next].after_step)
		pthread_cond_signal(&s->to_first);
	pthread_mutex_unlock(&s->lock);
}

enum edge_status stream_end(struct stream *s, struct failure *f)
{
	int64_t arrived;

	return stream_await(s, read_count(s), &arrived, f);
}

bool stream_preload(struct stream *s, struct failure *f)
{
	bool all;

	pthread_mutex_lock(&s->lock);
	s->wanted = read_count(s);
	while (s->done < read_count(s) && !(s->blocked && s->busy == 0) && s->failure.status == EDGE_OK)
		if (!clear_ahead(s))
			pthread_cond_wait(&s->to_submitter, &s->lock);
	all = s->done == read_count(s);
	if (s->failure.status != EDGE_OK)
		rt_fail(f, s->failure.status, "%s", s->failure.text);
	pthread_mutex_unlock(&s->lock);
	return all;
}

void stream_totals(struct stream *s, struct stream_totals *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->totals;
	pthread_mutex_unlock(&s->lock);
}

const struct stream_record *stream_records(const struct stream *s)
{
	return s->record;
}
