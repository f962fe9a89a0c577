/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - run a program, with a limit on its time, and take what it prints. */
#ifndef EDGE_TUNE_PROCESS_H
#define EDGE_TUNE_PROCESS_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct process {
	struct strbuf out, err; /* out: at most 32 MiB, err: at most 64 KiB of its beginning */
	bool started, timed_out;
	int status;             /* as waitpid() gives it */
};

/*
 * The program gets a process group of its own, which is killed when the time
 * is over or when process_stop() was called, and the environment without the
 * key of the chat endpoint. Safe from several threads.
 */
void process_run(const char *const *argv, double limit_s, struct process *out);
bool process_good(const struct process *p); /* exit status 0 */
/* "exit status 1: first line of what it said", "signal 11", "took longer than 5 s" */
void process_explain(const struct process *p, double limit_s, char *out, size_t size);
void process_free(struct process *p);

/* For signal handlers: ends all that run and all that would start. */
void process_stop(void);
bool process_stopped(void);

#endif
