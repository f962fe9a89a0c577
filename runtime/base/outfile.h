/* SPDX-License-Identifier: Apache-2.0 */
/* outfile.h - an output file that appears under its name only when complete. */
#ifndef EDGE_RT_OUTFILE_H
#define EDGE_RT_OUTFILE_H

#include "base/failure.h"

#include <stdio.h>

struct rt_outfile {
	FILE *stream; /* NULL: not open */
	char *path, *temporary; /* temporary: NULL for a device or a pipe */
};

/*
 * Opens a temporary file beside path, or beside the file that a link leads to; a
 * device or a pipe is opened itself. A plan is no place for anything else: refused.
 */
enum edge_status rt_outfile_open(struct rt_outfile *o, const char *path, struct failure *f);
/* Writes what is left and renames. On failure only the temporary file is gone. */
enum edge_status rt_outfile_commit(struct rt_outfile *o, struct failure *f);
/* Removes the temporary file; nothing where none is open. */
void rt_outfile_abandon(struct rt_outfile *o);

/* Creates a directory and its missing parents; one that exists is fine. */
enum edge_status rt_make_directory(const char *path, struct failure *f);

#endif
