/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - see process.h. */
#include "config.h"

#include "tune/process.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { MAX_OUT = 32 << 20, MAX_ERR = 64 << 10, TICK_MS = 50 };

static volatile sig_atomic_t stopped;

void process_stop(void)
{
	stopped = 1;
}

bool process_stopped(void)
{
	return stopped;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The environment without the key, which is for the endpoint alone: a runner may print what it has. */
static char **child_environment(void)
{
	size_t n = 0, kept = 0;
	char **out;

	while (environ[n])
		n++;
	out = xmalloc((n + 1) * sizeof *out);
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "EDGE_LLM_KEY=", 13) != 0 && strncmp(environ[i], "OPENAI_API_KEY=", 15) != 0)
			out[kept++] = environ[i];
	out[kept] = NULL;
	return out;
}

static bool spawn(const char *const *argv, int out, int err, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char **environment = child_environment();
	sigset_t none;
	int status;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, err, 2);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	status = posix_spawnp(pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv, environment);
	free(environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	errno = status;
	return status == 0;
}

/* False: the end was reached. */
static bool take(int fd, struct strbuf *to, size_t most)
{
	char buffer[8192];
	ssize_t n = read(fd, buffer, sizeof buffer);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (to->len < most)
		strbuf_add(to, buffer, (size_t)n < most - to->len ? (size_t)n : most - to->len);
	return n > 0;
}

/* Until both ends are closed, the time is over, or all is to stop. */
static void collect(int out, int err, double end, struct process *p)
{
	struct pollfd fd[2] = { { out, POLLIN, 0 }, { err, POLLIN, 0 } };

	while (fd[0].fd >= 0 || fd[1].fd >= 0) {
		p->timed_out = now_s() > end;
		if (p->timed_out || stopped)
			return;
		if (poll(fd, 2, TICK_MS) <= 0)
			continue;
		if (fd[0].revents && !take(out, &p->out, MAX_OUT))
			fd[0].fd = -1;
		if (fd[1].revents && !take(err, &p->err, MAX_ERR))
			fd[1].fd = -1;
	}
}

/* A child that closed its output may go on: the limit holds until it has ended. */
static void finish(pid_t pid, double end, struct process *p)
{
	struct timespec tick = { 0, 2000000 };

	while (!p->timed_out && !stopped) {
		pid_t w = waitpid(pid, &p->status, WNOHANG);

		if (w == pid)
			goto group;
		if (w < 0 && errno != EINTR)
			return;
		p->timed_out = now_s() > end;
		nanosleep(&tick, NULL);
	}
	kill(-pid, SIGKILL);
	while (waitpid(pid, &p->status, 0) < 0 && errno == EINTR)
		;
group:
	kill(-pid, SIGKILL); /* what it left running */
}

void process_run(const char *const *argv, double limit_s, struct process *out)
{
	int o[2], e[2];
	double end = now_s() + limit_s;
	pid_t pid;

	*out = (struct process){ 0 };
	if (stopped)
		return;
	if (pipe2(o, O_CLOEXEC) != 0)
		return;
	if (pipe2(e, O_CLOEXEC) != 0) {
		close(o[0]);
		close(o[1]);
		return;
	}
	out->started = spawn(argv, o[1], e[1], &pid);
	if (!out->started)
		strbuf_printf(&out->err, "could not start %s: %s", argv[0], strerror(errno));
	close(o[1]);
	close(e[1]);
	if (out->started) {
		collect(o[0], e[0], end, out);
		finish(pid, end, out);
	}
	close(o[0]);
	close(e[0]);
}

bool process_good(const struct process *p)
{
	return p->started && !p->timed_out && WIFEXITED(p->status) && WEXITSTATUS(p->status) == 0;
}

void process_explain(const struct process *p, double limit_s, char *out, size_t size)
{
	const char *said = strbuf_str(&p->err), *at = strstr(said, "error: ");
	int n;

	if (at)
		said = at + 7;
	n = (int)strcspn(said, "\r\n");
	if (n > 160)
		n = 160;
	if (stopped)
		snprintf(out, size, "interrupted");
	else if (!p->started)
		snprintf(out, size, "%.*s", n, n ? said : "could not start");
	else if (p->timed_out)
		snprintf(out, size, "took longer than %.0f s", limit_s);
	else if (WIFSIGNALED(p->status))
		snprintf(out, size, "signal %d%s%.*s", WTERMSIG(p->status), n ? ": " : "", n, said);
	else
		snprintf(out, size, "exit status %d%s%.*s", WEXITSTATUS(p->status), n ? ": " : "", n, said);
}

void process_free(struct process *p)
{
	strbuf_free(&p->out);
	strbuf_free(&p->err);
}
