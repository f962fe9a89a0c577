/* SPDX-License-Identifier: Apache-2.0 */
/* llm_server.h - llm_server.py as a child: a chat endpoint that plays a part. */
#ifndef EDGE_TESTS_LLM_SERVER_H
#define EDGE_TESTS_LLM_SERVER_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct server {
	pid_t pid;
	int in;
	char url[64];
};

static inline bool start_server(struct server *s, const char *mode, const char *log)
{
	const char *source = getenv("EDGE_SRCDIR");
	int in[2], out[2];
	char script[4096], port[16] = "";
	size_t len = 0;
	ssize_t n;

	if (!source || pipe(in) || pipe(out))
		return false;
	snprintf(script, sizeof script, "%s/tests/llm_server.py", source);
	s->pid = fork();
	if (s->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execlp("python3", "python3", script, mode, log, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	s->in = in[1];
	do {
		n = read(out[0], port + len, sizeof port - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n < 0 && errno == EINTR) || (n > 0 && !strchr(port, '\n')));
	if (n <= 0)
		printf("# read: %zd %s\n", n, strerror(errno));
	close(out[0]);
	if (n <= 0)
		return false;
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/v1", atoi(port));
	return true;
}

static inline void stop_server(struct server *s)
{
	close(s->in);
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
}

#endif
