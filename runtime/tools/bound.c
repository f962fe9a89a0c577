/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bound.c - how fast a streamed run could have been, from what was measured.
 *
 * Before step l can begin, everything that it needs must have come from the
 * disk, and after that all steps from l on must still run. The largest of
 * these sums is a time that no schedule can beat.
 *
 * Nor can weights be read before there is room for them. From the start of step i
 * on, whatever was read before, all but as many bytes as the plan has for weights
 * of what steps i to l need must still come, and step i itself could not begin
 * before its own bound. So a plan in little memory has a bound of its own.
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

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_READERS = 16, COPY_ROUNDS = 16 /* so short that starting threads would show */ };

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

static double disk_bound_ms(const struct edge_plan *p, const double *step_ms, double bytes_per_s, bool limited)
{
	double room = limited ? weight_memory(p) : 0, per_ms = bytes_per_s / 1e3;
	double read = 0, all = 0, end = 0, from = 0;
	uint32_t i, r = 0;

	for (i = 0; i < p->step_count; i++) {
		double start = end, before = all;

		for (; r < p->steps[i].reads_needed; r++) {
			double bytes = (double)p->chunks[p->reads[r].chunk].bytes;

			all += bytes;
			if (!(p->reads[r].flags & EDGE_READ_ONCE))
				read += bytes;
		}
		if (read / per_ms > start)
			start = read / per_ms;
		if (limited && from + (all - room) / per_ms > start)
			start = from + (all - room) / per_ms;
		if (i == 0 || start - before / per_ms > from)
			from = start - before / per_ms;
		end = start + step_ms[i];
	}
	return end;
}

double lower_bound_ms(const struct edge_plan *p, const double *step_ms, const struct storage *storage, bool limited)
{
	double bytes = 0, ms = 0;

	if (!storage->copies)
		return disk_bound_ms(p, step_ms, storage->bytes_per_s, limited);
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
	bool once;
	uint32_t readers, rounds;
	uint64_t largest;
	atomic_uint next;
	atomic_uint_fast64_t bytes;
	struct rate_reader {
		struct rate *rate;
		pthread_t thread;
		bool started;
		char *memory;
		struct failure failure;
	} reader[MOST_READERS];
};

static void *read_all(void *arg)
{
	struct rate_reader *self = arg;
	struct rate *r = self->rate;
	const struct edge_plan *p = r->plan;
	uint32_t told = 0, i;

	while ((i = atomic_fetch_add(&r->next, 1)) < p->read_count * r->rounds) {
		const struct edge_chunk *chunk = &p->chunks[p->reads[i %= p->read_count].chunk];

		if (!r->once && (p->reads[i].flags & EDGE_READ_ONCE))
			continue;
		told = plan_file_foresee(r->file, p, i, i ? told : 0);
		if (plan_file_read_chunk(r->file, chunk, p->reads[i].chunk, self->memory, &self->failure) != EDGE_OK)
			break;
		atomic_fetch_add(&r->bytes, chunk->bytes);
	}
	return NULL;
}

/* The first reader is this thread. Others that cannot be started are missed in the rate only. */
static enum edge_status read_together(struct rate *r, double *bytes_per_s, struct failure *f)
{
	uint32_t depth = r->readers < MOST_READERS ? r->readers : MOST_READERS, i;
	int64_t start;

	for (i = 0; i < depth; i++) {
		char *memory = r->reader[0].memory + i * r->largest;

		memset(memory, 0, r->largest); /* what the first touch takes is not the disk's */
		r->reader[i] = (struct rate_reader){ .rate = r, .memory = memory };
	}
	start = rt_now();
	for (i = 1; i < depth; i++)
		r->reader[i].started = pthread_create(&r->reader[i].thread, NULL, read_all, &r->reader[i]) == 0;
	read_all(&r->reader[0]);
	for (i = 1; i < depth; i++)
		if (r->reader[i].started)
			pthread_join(r->reader[i].thread, NULL);
	*bytes_per_s = (double)atomic_load(&r->bytes) / ((double)(rt_now() - start) / 1e9);
	for (i = 0; i < depth; i++) {
		if (r->reader[i].failure.status != EDGE_OK) {
			*f = r->reader[i].failure;
			return f->status;
		}
	}
	return EDGE_OK;
}

enum edge_status measure_storage(const char *path, const struct edge_plan *p, bool direct,
				 bool evicted, uint32_t threads, struct storage *out, struct failure *f)
{
	struct rt_account account = { 0 };
	struct rate r = { .plan = p, .once = evicted, .rounds = 1 };
	struct plan_file file;
	enum edge_status st;
	uint32_t i;

	*out = (struct storage){ 0, false };
	for (i = 0; i < p->chunk_count; i++)
		if (p->chunks[i].bytes > r.largest)
			r.largest = p->chunks[i].bytes;
	if (r.largest == 0)
		return EDGE_OK;
	if (evicted && (st = plan_file_evict(path, f)) != EDGE_OK)
		return st;
	st = plan_file_open(path, &file, f);
	if (st == EDGE_OK)
		plan_file_choose_io(&file, direct ? PLAN_IO_DIRECT : PLAN_IO_BUFFERED, p->meta->requests,
				    UINT64_MAX, true);
	r.file = &file;
	r.readers = plan_file_depth(&file);
	if (file.foresees && !evicted) {
		out->copies = true;
		r.readers = threads;
		r.rounds = COPY_ROUNDS;
	}
	if (st == EDGE_OK && !(r.reader[0].memory = rt_map(&account, RT_HOST, r.largest * MOST_READERS)))
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	if (st == EDGE_OK)
		st = read_together(&r, &out->bytes_per_s, f);
	rt_unmap(&account, RT_HOST, r.reader[0].memory, r.largest * MOST_READERS);
	plan_file_close(&file);
	return st;
}
