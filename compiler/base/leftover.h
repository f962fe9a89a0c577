/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leftover.h - what a program that is stopped halfway must not leave behind.
 *
 * Whoever makes a temporary file or folder, or starts a tool that works in one,
 * says so, and says when it is gone. SIGINT, SIGTERM and SIGHUP then end the
 * program as they always do, after its tools were ended and its files removed.
 */
#ifndef EDGE_BASE_LEFTOVER_H
#define EDGE_BASE_LEFTOVER_H

#include <sys/types.h>

/* Once, at the start of a program. A signal that is ignored stays ignored. */
void leftover_watch(void);

/* A number for leftover_gone(). path must stay until then. -1: no room, nothing is watched. */
int leftover_file(const char *path);
int leftover_folder(const char *path);
/* Accepts -1. */
void leftover_gone(int number);

/* A tool that was started, and that was waited for. */
void leftover_tool(pid_t pid);
void leftover_tool_gone(pid_t pid);

#endif
