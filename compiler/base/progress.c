/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - bars and lines. */
#include "config.h"

#include "base/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void progress_begin(struct progress *p, const char *what, uint64_t total)
{
	*p = (struct progress){ .what = what, .total = total ? total : 1, .terminal = isatty(STDERR_FILENO) };
	p->started = now();
}

static void draw(struct progress *p, double t)
{
	enum { WIDTH = 30 };
	double part = (double)p->done / (double)p->total, left = part > 0 ? (t - p->started) * (1 - part) / part : 0;
	char bar[WIDTH + 1];

	for (int i = 0; i < WIDTH; i++)
		bar[i] = (double)i < part * WIDTH ? '#' : ' ';
	bar[WIDTH] = 0;
	fprintf(stderr, "\r%s [%s] %llu of %llu, %.0f s left \033[K", p->what, bar, (unsigned long long)p->done,
		(unsigned long long)p->total, left);
	fflush(stderr);
	p->drawn = t;
}

void progress_step(struct progress *p, uint64_t done)
{
	double t = now();

	p->done = done < p->total ? done : p->total;
	if (p->terminal) {
		if (t - p->drawn >= 0.1)
			draw(p, t);
		return;
	}
	if (t - p->started < 1 || p->done * 4 / p->total <= p->quarters)
		return;
	p->quarters = (unsigned)(p->done * 4 / p->total);
	fprintf(stderr, "%s: %llu of %llu\n", p->what, (unsigned long long)p->done, (unsigned long long)p->total);
}

void progress_end(struct progress *p)
{
	if (p->terminal && p->drawn > 0)
		fputs("\r\033[K", stderr);
	fflush(stderr);
}
