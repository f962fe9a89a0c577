/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - what edgec does; each command returns the exit status. */
#ifndef EDGE_COMMANDS_H
#define EDGE_COMMANDS_H

#include "options.h"

int command_run(struct arena *a, struct diag *d, const struct options *o);

/* compile.c: all stages; with `check` it stops before the schedule and prints nothing. */
int command_compile(struct arena *a, struct diag *d, const struct options *o);

#endif
