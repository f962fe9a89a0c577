/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - time, and what the kernel says about this process. */
#include "config.h"

#include "base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t rt_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t rt_process_start(void)
{
	return rt_now() - read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Value of a "Name:   123 kB" line of /proc/self/status, in bytes. No allocation. */
static uint64_t status_field(const char *name)
{
	char text[4096];
	ssize_t n;
	char *p;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strstr(text, name);
	return p ? (uint64_t)strtoull(p + strlen(name), NULL, 10) * 1024 : 0;
}

uint64_t rt_rss(void)
{
	return status_field("VmRSS:");
}

uint64_t rt_peak_rss(void)
{
	return status_field("VmHWM:");
}
