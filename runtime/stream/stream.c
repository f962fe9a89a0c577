/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - the I/O thread: weights arrive in the plan's order.
 *
 * Shared state is a few counters under one mutex: a read is hundreds of
 * microseconds, so nothing finer is worth its proof. Three counters only grow
 * within a run: `submitted` (steps, by the submitting thread), `done` (reads,
 * by this one) and `run`.
 *
 * The first run's reads start with the thread, before the device exists. Reads
 * with EDGE_READ_ONCE count as done in later runs; a plan that only has those
 * never wakes the thread again.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "stream/stream.h"

#include <pthread.h>

struct stream {
	struct stream_config config;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	pthread_cond_t to_reader, to_submitter;
	/* under the lock */
	uint32_t run;	    /* the run whose reads may be issued, from 1 */
	uint32_t begun;	    /* runs that the submitting thread has begun */
	uint32_t done;	    /* reads of this run that have arrived and are sound */
	uint32_t submitted; /* steps of this run whose completion can be waited for */
	bool stop, blocked; /* blocked: the reader waits for a step */
	int64_t arrived;    /* when done last grew */
	struct stream_totals totals;
	struct failure failure;

	/* the reader's own while a run goes on */
	struct stream_record *record;
	uint32_t first_streamed; /* read_count: nothing streams */
	int64_t completed;	 /* the last step known to be complete, or -1 */
};

static uint32_t read_count(const struct stream *s)
{
	return s->config.plan->read_count;
}

/* ---- the I/O thread */

/* False: stopped. */
static bool wait_published(struct stream *s, uint32_t step)
{
	bool go;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && s->submitted <= step) {
		s->blocked = true;
		pthread_cond_broadcast(&s->to_submitter);
		pthread_cond_wait(&s->to_reader, &s->lock);
	}
	s->blocked = false;
	go = !s->stop;
	pthread_mutex_unlock(&s->lock);
	return go;
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

static enum edge_status perform(struct stream *s, uint32_t index, struct stream_record *when,
				struct failure *f)
{
	const struct edge_read *r = &s->config.plan->reads[index];
	const struct edge_chunk *chunk = &s->config.plan->chunks[r->chunk];
	char *memory = s->config.memory[r->region];
	enum edge_status st;

	if (r->after_step >= 0 && r->after_step > s->completed) {
		st = s->config.wait_step(s->config.ctx, (uint32_t)r->after_step, f);
		if (st != EDGE_OK)
			return st;
		s->completed = r->after_step;
	}
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

/* False: stopped or failed. */
static bool one_read(struct stream *s, uint32_t index, uint32_t run)
{
	const struct edge_read *r = &s->config.plan->reads[index];
	struct stream_record when = { 0, 0 };
	struct failure f = { .status = EDGE_OK };
	bool go;

	if (r->after_step >= 0 && r->after_step > s->completed &&
	    !wait_published(s, (uint32_t)r->after_step))
		return false;
	perform(s, index, &when, &f);
	pthread_mutex_lock(&s->lock);
	if (f.status != EDGE_OK) {
		s->failure = f;
	} else {
		if (s->record)
			s->record[index] = when;
		s->totals.bytes += s->config.plan->chunks[r->chunk].bytes;
		s->totals.busy_ns += when.arrived - when.begin;
		s->done = skip_resident(s, index + 1, run);
		s->arrived = when.arrived;
	}
	go = f.status == EDGE_OK && !s->stop;
	pthread_cond_broadcast(&s->to_submitter);
	pthread_mutex_unlock(&s->lock);
	return go;
}

static bool next_run(struct stream *s, uint32_t run)
{
	bool go;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && s->run < run)
		pthread_cond_wait(&s->to_reader, &s->lock);
	go = !s->stop;
	pthread_mutex_unlock(&s->lock);
	return go;
}

static void *reader(void *arg)
{
	struct stream *s = arg;
	uint32_t run, i;

	rt_seal(true);
	for (run = 1; next_run(s, run); run++) {
		s->completed = -1;
		for (i = skip_resident(s, 0, run); i < read_count(s);
		     i = skip_resident(s, i + 1, run))
			if (!one_read(s, i, run))
				return NULL;
		if (s->first_streamed == read_count(s))
			return NULL;
	}
	return NULL;
}

/* ---- the submitting thread */

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
	s->first_streamed = skip_resident(s, 0, 2);
	if (config->record && !(s->record = rt_alloc(n, sizeof(*s->record)))) {
		rt_free(s);
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->to_reader, NULL);
	pthread_cond_init(&s->to_submitter, NULL);
	*out = s;
	if (n == 0)
		return EDGE_OK;
	code = pthread_create(&s->thread, NULL, reader, s);
	if (code != 0) {
		stream_stop(s);
		*out = NULL;
		return rt_fail(f, EDGE_MEMORY, "could not start the I/O thread: error %d", code);
	}
	s->started = true;
	return EDGE_OK;
}

void stream_stop(struct stream *s)
{
	if (!s)
		return;
	if (s->started) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_broadcast(&s->to_reader);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	pthread_cond_destroy(&s->to_reader);
	pthread_cond_destroy(&s->to_submitter);
	pthread_mutex_destroy(&s->lock);
	rt_free(s->record);
	rt_free(s);
}

void stream_begin(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	if (++s->begun > 1) {
		s->submitted = 0;
		s->done = s->first_streamed;
		s->totals = (struct stream_totals){ 0, 0 };
		s->run = s->begun;
		if (s->first_streamed < read_count(s))
			pthread_cond_broadcast(&s->to_reader);
	}
	pthread_mutex_unlock(&s->lock);
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
	while (s->done < reads && s->failure.status == EDGE_OK)
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
	pthread_cond_broadcast(&s->to_reader);
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
	while (s->done < read_count(s) && !s->blocked && s->failure.status == EDGE_OK)
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
