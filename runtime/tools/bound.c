/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bound.c - how fast a streamed run could have been, from what was measured.
 *
 * Before step l can begin, everything that it needs must have come from the
 * disk, and after that all steps from l on must still run. The largest of
 * these sums is a time that no schedule can beat.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "stream/plan_file.h"
#include "tools/tool.h"

#include <stdlib.h>

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

double lower_bound_ms(const struct edge_plan *p, const double *step_ms, double bytes_per_s,
		      bool once)
{
	double rest = 0, read = 0, best = 0;
	uint32_t i, r = 0;

	for (i = 0; i < p->step_count; i++)
		rest += step_ms[i];
	for (i = 0; i < p->step_count; i++) {
		for (; r < p->steps[i].reads_needed; r++)
			if (once || !(p->reads[r].flags & EDGE_READ_ONCE))
				read += (double)p->chunks[p->reads[r].chunk].bytes;
		if (read / bytes_per_s * 1e3 + rest > best)
			best = read / bytes_per_s * 1e3 + rest;
		rest -= step_ms[i];
	}
	return best;
}

static enum edge_status read_all(const struct plan_file *file, const struct edge_plan *p, bool once,
				 void *memory, uint64_t *bytes, struct failure *f)
{
	enum edge_status st = EDGE_OK;
	uint32_t i;

	*bytes = 0;
	for (i = 0; i < p->read_count && st == EDGE_OK; i++) {
		if (!once && (p->reads[i].flags & EDGE_READ_ONCE))
			continue;
		st = plan_file_read_chunk(file, &p->chunks[p->reads[i].chunk], p->reads[i].chunk,
					  memory, f);
		*bytes += p->chunks[p->reads[i].chunk].bytes;
	}
	return st;
}

enum edge_status measure_storage(const char *path, const struct edge_plan *p, bool direct,
				 bool evicted, double *bytes_per_s, struct failure *f)
{
	uint64_t largest = 0, bytes = 0;
	struct rt_account account = { 0 };
	struct plan_file file;
	enum edge_status st;
	int64_t start;
	void *memory;
	uint32_t i;

	*bytes_per_s = 0;
	for (i = 0; i < p->chunk_count; i++)
		if (p->chunks[i].bytes > largest)
			largest = p->chunks[i].bytes;
	if (largest == 0)
		return EDGE_OK;
	if (evicted && (st = plan_file_evict(path, f)) != EDGE_OK)
		return st;
	st = plan_file_open(path, direct ? PLAN_IO_DIRECT : PLAN_IO_BUFFERED, &file, f);
	memory = st == EDGE_OK ? rt_map(&account, RT_HOST, largest) : NULL;
	if (st == EDGE_OK && !memory)
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	if (st == EDGE_OK) {
		start = rt_now();
		st = read_all(&file, p, evicted, memory, &bytes, f);
		if (st == EDGE_OK && bytes > 0)
			*bytes_per_s = (double)bytes / ((double)(rt_now() - start) / 1e9);
	}
	rt_unmap(&account, RT_HOST, memory, largest);
	plan_file_close(&file);
	return st;
}
