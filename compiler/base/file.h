/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - whole-file input, and output that appears only when complete.
 */
#ifndef EDGE_BASE_FILE_H
#define EDGE_BASE_FILE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdio.h>

/* A file mapped read-only; data is NULL for an empty file. */
struct mapped_file {
	const unsigned char *data;
	size_t size;
};

/* On failure returns false and sets errno. */
bool file_map(const char *path, struct mapped_file *out);
void file_unmap(struct mapped_file *f);

/*
 * An output file is written beside its final name and renamed when committed;
 * an error or output_abandon() leaves the previous file as it was. Where path is
 * a link, the file that it leads to is replaced. A device or a pipe is written to.
 */
struct output_file {
	FILE *stream;
	char *path, *temporary; /* temporary: NULL for a device or a pipe */
	int watched;
};

/* On failure returns false and sets errno. */
bool output_open(struct output_file *o, const char *path);
/* Flushes, syncs and renames. On failure removes the temporary, sets errno, returns false. */
bool output_commit(struct output_file *o);
void output_abandon(struct output_file *o);

/* Both are there and are one file, whatever they are called. */
bool same_file(const char *a, const char *b);

/* "dir/of/file" of "dir/of/file/x", "." where there is no slash. */
char *path_directory(struct arena *a, const char *path);
/* path itself when absolute, else directory/path. */
char *path_join(struct arena *a, const char *directory, const char *path);

#endif
