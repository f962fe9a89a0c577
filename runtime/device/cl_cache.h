/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cl_cache.h - programs that a driver has built, kept in files.
 *
 * A driver takes longer to compile kernels than a small network takes to run.
 * The cache maps a key, made of everything that the result depends on, to the
 * driver's own bytes. It is only ever a shortcut: whatever is wrong with it, it
 * answers "not here", and nothing fails. It knows nothing of OpenCL.
 *
 * The files are in $EDGE_CACHE_DIR, else $XDG_CACHE_HOME/edgert, else
 * $HOME/.cache/edgert: the first of these that is set, and if that one cannot
 * be used, there is no cache. A program that runs with more rights than its
 * user has none either.
 */
#ifndef EDGE_RT_CL_CACHE_H
#define EDGE_RT_CL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CL_CACHE_LIMIT = 256 << 20 };

struct cl_cache {
	int folder;	/* a descriptor, or -1: no cache */
	uint64_t limit; /* of all files together */
};

struct cl_cache_key {
	uint64_t hash[2];
};

void cl_cache_open(struct cl_cache *c);
void cl_cache_close(struct cl_cache *c);

/* From texts; the order matters, and NULL is an empty one. false: no memory. */
bool cl_cache_key(struct cl_cache_key *key, const char *const *text, size_t count);

/* The bytes kept under a key, to be given to rt_free(); NULL: not here. */
void *cl_cache_get(struct cl_cache *c, const struct cl_cache_key *key, size_t *bytes);
/* Keeps them, and removes the oldest files where all together become too large. */
void cl_cache_put(struct cl_cache *c, const struct cl_cache_key *key, const void *data,
		  size_t bytes);
/* What was kept is of no use. */
void cl_cache_drop(struct cl_cache *c, const struct cl_cache_key *key);

#endif
