/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leftover.c - see leftover.h.
 *
 * A handler may come at any instruction and on any thread, so the list is a
 * fixed array, a slot counts from the moment its kind is set, and the handler
 * calls only what is allowed in one: a folder is emptied by rm(1).
 */
#include "config.h"

#include "base/leftover.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { FREE, TAKEN, IS_FILE, IS_FOLDER, IS_TOOL };

enum { SLOTS = 64 };

static struct {
	atomic_int kind;
	const char *path;
	pid_t pid;
} slots[SLOTS];

static void remove_folder(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", "--", path, (char *)NULL);
		_exit(1);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Tools first: they write into the folders. */
static void on_signal(int number)
{
	for (int i = 0; i < SLOTS; i++)
		if (atomic_load(&slots[i].kind) == IS_TOOL && kill(slots[i].pid, SIGKILL) == 0)
			waitpid(slots[i].pid, NULL, 0);
	for (int i = 0; i < SLOTS; i++) {
		if (atomic_load(&slots[i].kind) == IS_FILE)
			unlink(slots[i].path);
		else if (atomic_load(&slots[i].kind) == IS_FOLDER)
			remove_folder(slots[i].path);
	}
	raise(number); /* the action is the default again: whoever waits sees what ended us */
}

void leftover_watch(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND }, old;

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(&action.sa_mask, numbers[i]);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
}

static int add(enum kind kind, const char *path, pid_t pid)
{
	for (int i = 0; i < SLOTS; i++) {
		int expected = FREE;

		if (!atomic_compare_exchange_strong(&slots[i].kind, &expected, TAKEN))
			continue;
		slots[i].path = path;
		slots[i].pid = pid;
		atomic_store(&slots[i].kind, (int)kind);
		return i;
	}
	return -1;
}

int leftover_file(const char *path)
{
	return add(IS_FILE, path, 0);
}

int leftover_folder(const char *path)
{
	return add(IS_FOLDER, path, 0);
}

void leftover_gone(int number)
{
	if (number >= 0)
		atomic_store(&slots[number].kind, FREE);
}

void leftover_tool(pid_t pid)
{
	add(IS_TOOL, NULL, pid);
}

void leftover_tool_gone(pid_t pid)
{
	for (int i = 0; i < SLOTS; i++)
		if (atomic_load(&slots[i].kind) == IS_TOOL && slots[i].pid == pid)
			leftover_gone(i);
}
