/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bound.c - how fast a streamed run could have been, from what was measured.
 *
 * Before step l can begin, everything that it needs must have come from the
 * disk, and after that all steps from l on must still run. The largest of
 * these sums is a time that no schedule can beat.
 *
 * What a disk brings in a time is not its rate times that: the first request takes
 * longer than its bytes do, and the system does not read far ahead at once. A plan
 * of few MiB is over before that has passed. So its reads are made as a run makes
 * them, but waiting for nothing, and what counts is how many bytes were there when,
 * whichever they were; between two arrivals as if they came evenly.
 *
 * Nor can weights be read before there is room for them. From the start of step i
 * on, whatever was read before, all but as many bytes as the plan has for weights
 * of what steps i to l need must still come, and step i itself could not begin
 * before its own bound. So a plan in little memory has a bound of its own, but where
 * the system reads ahead into the page cache: that is not the plan's memory.
 *
 * What lies in the page cache is no disk's work but a copy, by the processors that
 * run the kernels: then no run is shorter than its steps and, at the rate of all
 * processors together, its copies.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "stream/plan_file.h"
#include "tools/tool.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_READERS = 16,
	COPY_BYTES = 64 << 20, /* or it is over before the system has given each thread a CPU */
	PASSES = 7, PASSES_BYTES = 16 << 20  /* of plans with so many bytes at most, whose reads are over soon */
};

static int compare_ms(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median_ms(double *v, uint32_t n)
{
	qsort(v, n, sizeof(*v), compare_ms);
	return n == 0 ? 0 : n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Bytes in which weights are while a run lasts. */
static double weight_memory(const struct edge_plan *p)
{
	double bytes = 0;

	for (uint32_t i = 0; i < p->region_count; i++)
		if (p->regions[i].kind == EDGE_REGION_RESIDENT || p->regions[i].kind == EDGE_REGION_STREAM)
			bytes += (double)p->regions[i].bytes;
	return bytes;
}

/* When the disk has brought so many bytes. */
static double arrival_ms(const struct storage *s, double bytes)
{
	struct arrival last = { 0, 0 };
	uint32_t low = 0, high = s->arrival_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (s->arrival[mid].bytes < bytes)
			low = mid + 1;
		else
			high = mid;
	}
	if (low)
		last = s->arrival[low - 1];
	if (low == s->arrival_count)
		return last.ms + 1e3 * (bytes - last.bytes) / s->bytes_per_s;
	return last.ms + (s->arrival[low].ms - last.ms) * (bytes - last.bytes) / (s->arrival[low].bytes - last.bytes);
}

/* need: bytes of weights that each step is the first to need, or NULL: memory is no limit. */
static double disk_bound_ms(const struct edge_plan *p, const double *step_ms, const struct storage *s, const double *need)
{
	double room = need ? weight_memory(p) : 0, per_ms = s->bytes_per_s / 1e3;
	double read = 0, all = 0, end = 0, from = 0;
	uint32_t i, r = 0;

	for (i = 0; i < p->step_count; i++) {
		double start = end, before = all;

		for (; r < p->steps[i].reads_needed; r++)
			if (!(p->reads[r].flags & EDGE_READ_ONCE))
				read += (double)p->chunks[p->reads[r].chunk].bytes;
		if (read > 0)
			start = fmax(start, arrival_ms(s, read));
		if (need) {
			all += need[i];
			start = fmax(start, from + (all - room) / per_ms);
		}
		if (i == 0 || start - before / per_ms > from)
			from = start - before / per_ms;
		end = start + step_ms[i];
	}
	return end;
}

double lower_bound_ms(const struct edge_plan *p, const double *step_ms, const struct storage *storage, bool limited)
{
	double *need = limited && !storage->copies && !storage->ahead ? weights_needed(p) : NULL;
	double bytes = 0, ms = 0;

	if (!storage->copies) {
		ms = disk_bound_ms(p, step_ms, storage, need);
		rt_free(need);
		return ms;
	}
	for (uint32_t i = 0; i < p->read_count; i++)
		bytes += p->reads[i].flags & EDGE_READ_ONCE ? 0 : (double)p->chunks[p->reads[i].chunk].bytes;
	for (uint32_t i = 0; i < p->step_count; i++)
		ms += step_ms[i];
	return ms + 1e3 * bytes / storage->bytes_per_s;
}

/* Readers take the plan's reads one after the other, each into a place of its own. */
struct rate {
	const struct plan_file *file;
	const struct edge_plan *plan;
	bool keep; /* when each has come; of passes of one round */
	bool copies; /* to where a run has them, since what a cache holds is filled sooner; each reader in memory of its own */
	uint32_t readers, rounds;
	uint64_t room; /* of a reader */
	int64_t start;
	struct arrival *arrival; /* of each read */
	atomic_uint next, arrivals;
	atomic_uint_fast64_t bytes;
	struct rate_reader {
		struct rate *rate;
		pthread_t thread;
		bool started;
		char *memory;
		struct failure failure;
	} reader[MOST_READERS];
};

static void note_arrival(struct rate *r, uint64_t bytes)
{
	double all = (double)(atomic_fetch_add(&r->bytes, bytes) + bytes);

	if (r->keep)
		r->arrival[atomic_fetch_add(&r->arrivals, 1)] = (struct arrival){ (double)(rt_now() - r->start) / 1e6, all };
}

static void *read_all(void *arg)
{
	struct rate_reader *self = arg;
	struct rate *r = self->rate;
	const struct edge_plan *p = r->plan;
	uint32_t told = 0, i;

	while ((i = atomic_fetch_add(&r->next, 1)) < p->read_count * r->rounds) {
		const struct edge_chunk *chunk = &p->chunks[p->reads[i %= p->read_count].chunk];
		char *to = self->memory + (r->copies ? p->reads[i].offset : 0);

		if (p->reads[i].flags & EDGE_READ_ONCE)
			continue;
		if (!r->copies) { /* they have nothing to foresee */
			uint32_t before = i ? told : 0;

			told = plan_file_ahead(r->file, p, i, before);
			plan_file_foresee(r->file, p, before, told);
		}
		if (plan_file_read_chunk(r->file, chunk, p->reads[i].chunk, to, &self->failure) != EDGE_OK)
			break;
		note_arrival(r, chunk->bytes);
	}
	return NULL;
}

/* The first reader is this thread. Others that cannot be started are missed in the rate only. */
static enum edge_status read_together(struct rate *r, double *bytes_per_s, struct failure *f)
{
	uint32_t depth = r->readers < MOST_READERS ? r->readers : MOST_READERS, i;

	for (i = 0; i < depth; i++) {
		char *memory = r->reader[0].memory + i * r->room;

		memset(memory, 0, r->room); /* what the first touch takes is not the disk's */
		r->reader[i] = (struct rate_reader){ .rate = r, .memory = memory };
	}
	atomic_store(&r->next, 0);
	atomic_store(&r->arrivals, 0);
	atomic_store(&r->bytes, 0);
	r->start = rt_now();
	for (i = 1; i < depth; i++)
		r->reader[i].started = pthread_create(&r->reader[i].thread, NULL, read_all, &r->reader[i]) == 0;
	read_all(&r->reader[0]);
	for (i = 1; i < depth; i++)
		if (r->reader[i].started)
			pthread_join(r->reader[i].thread, NULL);
	*bytes_per_s = (double)atomic_load(&r->bytes) / ((double)(rt_now() - r->start) / 1e9);
	for (i = 0; i < depth; i++) {
		if (r->reader[i].failure.status != EDGE_OK) {
			*f = r->reader[i].failure;
			return f->status;
		}
	}
	return EDGE_OK;
}

/* Readers that came at the same time may have noted it in either order. */
static int compare_arrivals(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;

	return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static void keep_arrivals(struct rate *r, struct storage *out)
{
	uint32_t n = atomic_load(&r->arrivals);

	qsort(r->arrival, n, sizeof(*r->arrival), compare_arrivals);
	for (uint32_t i = 1; i < n; i++)
		if (r->arrival[i].ms < r->arrival[i - 1].ms)
			r->arrival[i].ms = r->arrival[i - 1].ms;
	rt_free(out->arrival);
	out->arrival = r->arrival;
	out->arrival_count = n;
	r->arrival = NULL;
}

/* The pass of median rate, of copies that of the highest. Of an evicted plan each begins with nothing in the page cache. */
static enum edge_status measure_passes(const char *path, struct rate *r, bool evicted, uint32_t passes,
				       struct storage *out, struct failure *f)
{
	double rate[PASSES] = { 0 }, sorted[PASSES];
	struct storage pass[PASSES] = { { 0 } };
	enum edge_status st = EDGE_OK;
	uint32_t i;

	for (i = 0; i < passes && st == EDGE_OK; i++) {
		if (evicted && (st = plan_file_evict(path, f)) != EDGE_OK)
			break;
		if (!(r->arrival = rt_alloc(r->plan->read_count + 1u, sizeof(*r->arrival))))
			st = rt_fail(f, EDGE_MEMORY, "out of memory");
		else if ((st = read_together(r, &rate[i], f)) == EDGE_OK)
			keep_arrivals(r, &pass[i]);
		rt_free(r->arrival);
		r->arrival = NULL;
	}
	memcpy(sorted, rate, sizeof(rate));
	if (st == EDGE_OK)
		median_ms(sorted, passes);
	for (i = 0; i < passes; i++) {
		if (st == EDGE_OK && rate[i] == sorted[out->copies ? passes - 1 : passes / 2] && out->bytes_per_s == 0) {
			*out = (struct storage){ rate[i], out->copies, out->ahead, pass[i].arrival, pass[i].arrival_count };
			pass[i].arrival = NULL;
		}
		rt_free(pass[i].arrival);
	}
	return st;
}

void storage_free(struct storage *s)
{
	rt_free(s->arrival);
	*s = (struct storage){ 0 };
}

/* Bytes of each run; the largest chunk, or the end of the places where chunks that stream go. */
static uint64_t count_bytes(const struct edge_plan *p, bool places, uint64_t *room)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < p->read_count; i++) {
		const struct edge_chunk *c = &p->chunks[p->reads[i].chunk];
		bool streams = !(p->reads[i].flags & EDGE_READ_ONCE);
		uint64_t end = c->bytes + (places && streams ? p->reads[i].offset : 0);

		*room = end > *room ? end : *room;
		bytes += streams ? c->bytes : 0;
	}
	return bytes;
}

enum edge_status measure_storage(const char *path, const struct edge_plan *p, bool direct,
				 bool evicted, uint32_t threads, struct storage *out, struct failure *f)
{
	struct rt_account account = { 0 };
	struct rate r = { .plan = p, .rounds = 1 };
	uint64_t bytes = count_bytes(p, false, &r.room);
	struct plan_file file;
	enum edge_status st;

	*out = (struct storage){ 0 };
	if (bytes == 0)
		return EDGE_OK;
	if (evicted && (st = plan_file_evict(path, f)) != EDGE_OK)
		return st;
	st = plan_file_open(path, &file, f);
	if (st == EDGE_OK)
		plan_file_choose_io(&file, direct ? PLAN_IO_DIRECT : PLAN_IO_BUFFERED, p->meta->requests,
				    UINT64_MAX, true);
	r.file = &file;
	r.readers = plan_file_depth(&file);
	r.keep = evicted || !file.foresees;
	out->ahead = file.foresees;
	if (file.foresees && !evicted) {
		out->copies = r.copies = true;
		count_bytes(p, true, &r.room);
		r.readers = threads;
		r.rounds = 1 + (uint32_t)(COPY_BYTES / bytes);
	}
	if (st == EDGE_OK && !(r.reader[0].memory = rt_map(&account, RT_HOST, r.room * MOST_READERS)))
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	if (st == EDGE_OK)
		st = measure_passes(path, &r, evicted, bytes < PASSES_BYTES && (evicted || out->copies) ? PASSES : 1, out, f);
	rt_unmap(&account, RT_HOST, r.reader[0].memory, r.room * MOST_READERS);
	plan_file_close(&file);
	return st;
}
