/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_file.h - a plan on disk: its records in memory, its weights read on demand.
 *
 * The weights section is never mapped: a plan may be larger than memory, and a
 * file that becomes shorter while it is used is an error, not a signal.
 */
#ifndef EDGE_RT_PLAN_FILE_H
#define EDGE_RT_PLAN_FILE_H

#include "base/failure.h"
#include "edge/plan_read.h"

#include <stdatomic.h>
#include <sys/types.h>

enum plan_io {
	PLAN_IO_AUTO,	  /* direct where memory is of large pages and the weights are not in the page cache */
	PLAN_IO_BUFFERED, /* through the page cache, with the kernel's read-ahead */
	PLAN_IO_DIRECT	  /* O_DIRECT where the file system has it, else buffered */
};

struct plan_file {
	char *path;
	int fd;
	int direct_fd; /* -1: not in use */
	void *data;    /* the file's size; zeros where the weights are */
	size_t size;
	int64_t modified[2]; /* when opened: s, ns */
	uint64_t weights[2]; /* where they begin and end, in whole pages */
	uint64_t read;	     /* bytes of the file's beginning that are in memory */
	atomic_bool slow;    /* so the page cache may be worth its copies */
	bool automatic;
	bool foresees;	     /* through the page cache, which is told what later runs read a little ahead */
	uint32_t depth;	     /* reads at a time, where they are direct */
};

/* Reads everything but the weights. Nothing is checked yet: that is plan_check()'s work. */
enum edge_status plan_file_open(const char *path, struct plan_file *out, struct failure *f);
/* The same in two steps: the first reads what plan_check_early() wants, and more where that costs nothing. */
enum edge_status plan_file_open_early(const char *path, struct plan_file *out, struct failure *f);
enum edge_status plan_file_read_late(struct plan_file *p, struct failure *f);
/*
 * How weights are read: before the first of them. requests: as in the plan's meta. memory: bytes of all
 * that is read into, in one piece. again: some are read in each run.
 */
void plan_file_choose_io(struct plan_file *p, enum plan_io io, uint32_t requests, uint64_t memory, bool again);
/* Copes with a zeroed and with a half-opened one. */
void plan_file_close(struct plan_file *p);

/*
 * Reads a chunk into a page-aligned place, however many calls it takes, and compares its hash.
 * Allocates nothing; safe from several threads. What the failure says depends on whether the
 * file has changed since it was opened.
 */
enum edge_status plan_file_read_chunk(const struct plan_file *p, const struct edge_chunk *chunk,
				      uint32_t index, void *out, struct failure *f);

/* Whether the chunk comes past the page cache into that place, and what has arrived there is whole. */
bool plan_file_suits(const struct plan_file *p, const struct edge_chunk *chunk, const void *out);
bool plan_file_is_sound(const struct edge_chunk *chunk, const void *data);

/* Whether chunks come past the page cache. */
bool plan_file_is_direct(const struct plan_file *p);
/* How many chunks to read at a time. */
uint32_t plan_file_depth(const struct plan_file *p);
/* The disk was found to be slow: PLAN_IO_AUTO goes on through the page cache. */
void plan_file_slow(struct plan_file *p);

/* The chunk will be read soon: the disk may begin to bring it into the page cache, where it is taken from. */
void plan_file_expect(const struct plan_file *p, const struct edge_chunk *chunk);
enum edge_status plan_file_read_expected(const struct plan_file *p, const struct edge_chunk *chunk,
					 uint32_t index, void *out, struct failure *f);

/*
 * Before a read of a later run: up to which read the system is to be told of what comes, when it knows of those
 * before `told` already; and telling it of reads [from, to). (In the first run the system's own read-ahead is as
 * good.) Not where weights go past the page cache.
 */
uint32_t plan_file_ahead(const struct plan_file *p, const struct edge_plan *plan, uint32_t index, uint32_t told);
void plan_file_foresee(const struct plan_file *p, const struct edge_plan *plan, uint32_t from, uint32_t to);

/* Whether the chunk's end lies in the page cache, and so, most likely, all of it. */
bool plan_file_is_here(const struct plan_file *p, const struct edge_chunk *chunk);
/* What was written reaches the disk and leaves the page cache. */
enum edge_status plan_file_evict(const char *path, struct failure *f);

/* pread, or what a test puts in its place: fault injection without a special build. */
extern ssize_t (*plan_file_pread)(int fd, void *out, size_t bytes, off_t offset);

#endif
