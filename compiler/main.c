/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the edgec program: one command, one exit status. */
#include "config.h"

#include "commands.h"

#include "base/leftover.h"

#include <string.h>

int main(int argc, char **argv)
{
	struct arena session = { 0 };
	struct options o;
	struct diag d;
	int status;

	diag_init(&d, &session, stderr);
	d.max_errors = 50;
	leftover_watch();
	status = options_parse(&session, argc, argv, &o);
	if (status < 0)
		status = command_run(&session, &d, &o);
	if (d.max_errors && d.errors > d.max_errors)
		fprintf(stderr, "edgec: %u more errors\n", d.errors - d.max_errors);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("edgec: could not write to standard output\n", stderr);
		status = status ? status : 1;
	}
	arena_release(&session);
	return status;
}
