/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_cold.c - what only cold runs pay: processes, seeks, first touches.
 *
 * Each is the median of several tries: a run is cold once, so that the best
 * case is none to plan with.
 */
#include "config.h"

#include "tools/probe_cold.h"

#include "base/clock.h"
#include "base/memory.h"
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 9, SEEKS = 31, SEEK_BYTES = 4096, MOST_ARGUMENTS = 16 };

double probe_touch(uint64_t bytes)
{
	struct rt_account account = { { 0 }, { 0 } };
	double seconds[TRIES];

	for (int i = 0; i < TRIES; i++) {
		volatile char *p = rt_map(&account, RT_DEVICE, bytes);
		int64_t start = rt_now();

		if (!p)
			return -1;
		for (uint64_t at = 0; at < bytes; at += SEEK_BYTES)
			p[at] = 1;
		seconds[i] = (double)(rt_now() - start) / 1e9;
		rt_unmap(&account, RT_DEVICE, (void *)(uintptr_t)p, bytes);
	}
	return median_ms(seconds, TRIES);
}

double probe_seek(int fd, uint64_t size)
{
	double seconds[SEEKS];
	uint64_t state = 1, pages = size / SEEK_BYTES;
	char page[SEEK_BYTES];
	uint32_t n = 0;

	if (pages < SEEKS)
		return 0;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (int i = 0; i < SEEKS; i++) {
		int64_t start = rt_now();

		state = state * 6364136223846793005u + 1442695040888963407u;
		if (pread(fd, page, sizeof(page), (off_t)((state >> 16) % pages * SEEK_BYTES)) == SEEK_BYTES)
			seconds[n++] = (double)(rt_now() - start) / 1e9;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL);
	return n ? median_ms(seconds, n) : 0;
}

/* Seconds until the child said that it had started; 0: it did not. */
static double one_start(char **arguments, const int pipe_fd[2])
{
	int64_t start = rt_now(), then = 0;
	pid_t pid = fork();
	int code = 0;

	if (pid < 0)
		return 0;
	if (pid == 0) {
		execv("/proc/self/exe", arguments);
		_exit(127);
	}
	while (waitpid(pid, &code, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(code) || WEXITSTATUS(code) != 0 || read(pipe_fd[0], &then, sizeof(then)) != (ssize_t)sizeof(then))
		return 0;
	return (double)(then - start) / 1e9;
}

double probe_start(const char *const *arguments, uint32_t count)
{
	char *list[MOST_ARGUMENTS + 3], number[16];
	double seconds[TRIES];
	uint32_t n = 0;
	int pipe_fd[2];

	if (count > MOST_ARGUMENTS || pipe(pipe_fd) != 0)
		return 0;
	snprintf(number, sizeof(number), "%d", pipe_fd[1]);
	list[0] = (char *)(uintptr_t) "edgert";
	for (uint32_t i = 0; i < count; i++)
		list[1 + i] = (char *)(uintptr_t)arguments[i];
	list[1 + count] = number;
	list[2 + count] = NULL;
	for (int i = 0; i < TRIES; i++) {
		double s = one_start(list, pipe_fd);

		if (s > 0)
			seconds[n++] = s;
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return n ? median_ms(seconds, n) : 0;
}

void probe_started(int fd)
{
	int64_t now = rt_now();

	if (write(fd, &now, sizeof(now)) != (ssize_t)sizeof(now))
		tool_error("could not say that the process has started");
}
