/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_disk.c - see probe_disk.h.
 *
 * A file is read from end to end through the page cache, and past it with one,
 * two, four and eight reads at a time: the ways in which a plan can be read. Past
 * the cache costs the processor next to nothing, so it is chosen unless it is
 * clearly slower; of its depths, the smallest that is nearly as fast as the best,
 * because each has a thread. One thread with a ring may have as many reads on
 * their way: it is chosen where that is clearly faster, measured in turn.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "stream/uring.h"
#include "tools/probe_cold.h"
#include "tools/probe_disk.h"
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	FILE_BYTES = 128 << 20, READ_BYTES = 1 << 20, TRIES = 3, MORE_TRIES = 25, MORE_NS = 1000000000, READERS = 8,
	SMALL_READ_BYTES = 128 << 10,
	COPIED_BYTES = 4 << 20, COPY_BYTES = 128 << 10, COPY_PASSES = 16, COPY_TRIES = 16, /* as in a run of a small plan */
	COPY_PLACES = 16
};

#define RING_GAIN 1.05 /* what does not reach it changes from probe to probe */

/* Reads of a file, shared by several threads. */
struct passage {
	int fd;
	uint64_t bytes, again; /* again: of a file that is read over and over; 0: once */
	uint64_t piece;	       /* of each read */
	char *places;	       /* COPY_PLACES of them, or NULL: each reader has its own memory */
	struct uring *uring;   /* one thread reads through it, or NULL */
	atomic_uint_fast64_t next; /* offset */
	atomic_bool failed;
};

struct reader {
	struct passage *passage;
	char *memory; /* READ_BYTES, at a page */
	uint64_t hash;
	pthread_t thread;
};

static void *read_pieces(void *arg)
{
	struct reader *r = arg;
	struct passage *p = r->passage;
	uint64_t at;

	while ((at = atomic_fetch_add(&p->next, p->piece)) + p->piece <= p->bytes) {
		char *to = p->places ? p->places + at / p->piece % COPY_PLACES * p->piece : r->memory;
		ssize_t n;

		do
			n = pread(p->fd, to, p->piece, (off_t)(p->again ? at % p->again : at));
		while (n < 0 && errno == EINTR);
		if (n != (ssize_t)p->piece) {
			atomic_store(&p->failed, true);
			break;
		}
		r->hash ^= edge_xxh3(to, p->piece); /* as a run checks what it reads */
	}
	return NULL;
}

/* Begins the next read of the file. False: there is none. */
static bool ask(struct passage *p, uint32_t place, char *to)
{
	uint64_t at = atomic_load(&p->next);

	if (at + p->piece > p->bytes || atomic_load(&p->failed))
		return false;
	atomic_store(&p->next, at + p->piece);
	if (uring_read(p->uring, place, p->fd, to, p->piece, at))
		return true;
	atomic_store(&p->failed, true);
	return false;
}

static bool read_by_ring(struct passage *p, uint32_t depth, char *memory)
{
	struct reader r = { .passage = p };
	uint32_t flying = 0, place;
	int64_t got;

	for (place = 0; place < depth; place++)
		flying += ask(p, place, memory + (size_t)place * READ_BYTES);
	while (flying > 0) {
		uring_wait(p->uring, &place, &got);
		flying--;
		if (got != (int64_t)p->piece)
			atomic_store(&p->failed, true);
		r.hash ^= edge_xxh3(memory + (size_t)place * READ_BYTES, p->piece);
		flying += ask(p, place, memory + (size_t)place * READ_BYTES);
	}
	return !atomic_load(&p->failed);
}

static bool read_by_threads(struct passage *p, uint32_t depth, char *memory)
{
	struct reader r[READERS];
	uint32_t started = 1;

	for (uint32_t i = 0; i < depth; i++)
		r[i] = (struct reader){ .passage = p, .memory = memory + (size_t)i * READ_BYTES };
	while (started < depth && pthread_create(&r[started].thread, NULL, read_pieces, &r[started]) == 0)
		started++;
	read_pieces(&r[0]);
	for (uint32_t i = 1; i < started; i++)
		pthread_join(r[i].thread, NULL);
	return !atomic_load(&p->failed) && started == depth;
}

/* Bytes in a second; 0: it cannot be read like that. */
static double pass(struct passage *p, uint32_t depth, char *memory)
{
	int64_t start = rt_now();

	if (!(p->uring ? read_by_ring(p, depth, memory) : read_by_threads(p, depth, memory)))
		return 0;
	return (double)(p->bytes / p->piece * p->piece) / ((double)(rt_now() - start) / 1e9);
}

static double cold_pass(int fd, struct passage p, uint32_t depth, char *memory)
{
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (p.fd == fd)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return pass(&p, depth, memory);
}

static double rate(int fd, int by, uint64_t bytes, uint64_t piece, uint32_t depth, char *memory)
{
	double tries[TRIES];

	if (by < 0)
		return 0;
	for (int i = 0; i < TRIES; i++)
		tries[i] = cold_pass(fd, (struct passage){ .fd = by, .bytes = bytes, .piece = piece }, depth, memory);
	return median_ms(tries, TRIES);
}

/* Of the depth that was taken: it may have been taken since luck was with its few tries, and a plan reads for longer. */
static double settled_rate(int fd, int direct, uint64_t bytes, uint32_t depth, char *memory)
{
	struct passage p = { .fd = direct, .bytes = bytes, .piece = READ_BYTES };
	double tries[MORE_TRIES];
	int64_t start = rt_now();
	uint32_t n = 0;

	while (n < MORE_TRIES && (n < TRIES || rt_now() - start < MORE_NS))
		tries[n++] = cold_pass(fd, p, depth, memory);
	return median_ms(tries, n);
}

/* Of a ring, in turn with as many threads; 0: there is none, or it is not faster. */
static double ring_rate(int fd, int direct, uint64_t bytes, uint32_t depth, char *memory)
{
	struct passage threads = { .fd = direct, .bytes = bytes, .piece = READ_BYTES }, ring = threads;
	double by_threads[TRIES], by_ring[TRIES], best;

	if (!(ring.uring = uring_open(depth)))
		return 0;
	for (int i = 0; i < TRIES; i++) {
		by_threads[i] = cold_pass(fd, threads, depth, memory);
		by_ring[i] = cold_pass(fd, ring, depth, memory);
	}
	uring_close(ring.uring);
	best = median_ms(by_ring, TRIES);
	return best >= RING_GAIN * median_ms(by_threads, TRIES) ? best : 0;
}

/*
 * A few MiB that lie in the page cache, over and over into a few places, as threads that run kernels do it. That is a processor's work,
 * which others only slow down: the best counts, as for kernels.
 */
static double copy_rate(int fd, uint64_t bytes, uint32_t threads, char *memory)
{
	double best = 0;

	if (bytes > COPIED_BYTES)
		bytes = COPIED_BYTES;
	bytes = bytes / COPY_BYTES * COPY_BYTES;
	for (int i = 0; i < COPY_TRIES; i++) {
		struct passage p = { .fd = fd, .bytes = bytes * COPY_PASSES, .again = bytes, .piece = COPY_BYTES, .places = memory };
		double rate = pass(&p, threads < READERS ? threads : READERS, memory);

		best = rate > best ? rate : best;
	}
	return best;
}

/* What small reads take longer than their bytes do at the rate of large ones, which have a request each as well. */
static double request_seconds(double large, double small)
{
	double s = SMALL_READ_BYTES / small - SMALL_READ_BYTES / large;

	return small > 0 && s > 0 ? s * READ_BYTES / (READ_BYTES - SMALL_READ_BYTES) : 0;
}

/* The same file once more: it may have no name any more. */
static int open_direct(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
}

static void choose(int fd, uint64_t bytes, char *memory, struct probe_disk *out)
{
	int direct = open_direct(fd);
	double through = rate(fd, fd, bytes, READ_BYTES, 1, memory), past[4], best = 0, ring;

	for (uint32_t i = 0; i < 4; i++) {
		past[i] = rate(fd, direct, bytes, READ_BYTES, 1u << i, memory);
		best = past[i] > best ? past[i] : best;
	}
	*out = (struct probe_disk){ .bytes_per_s = through };
	for (uint32_t i = 0; i < 4 && out->requests == 0 && best >= 0.8 * through; i++)
		if (past[i] >= 0.95 * best)
			*out = (struct probe_disk){ .bytes_per_s = past[i], .requests = 1u << i };
	if (out->requests > 1 && (ring = ring_rate(fd, direct, bytes, out->requests, memory)) > 0)
		*out = (struct probe_disk){ .bytes_per_s = ring, .requests = out->requests, .uring = true };
	else if (out->requests)
		out->bytes_per_s = settled_rate(fd, direct, bytes, out->requests, memory);
	if (out->requests)
		out->request_s = request_seconds(out->bytes_per_s, rate(fd, direct, bytes, SMALL_READ_BYTES, out->requests, memory));
	if (direct >= 0)
		close(direct);
}

/* A file of random bytes, because some disks make nothing of zeros. */
static enum edge_status write_file(int fd, char *memory, struct failure *f)
{
	uint64_t state = 1, *word = (uint64_t *)(void *)memory;

	for (size_t at = 0; at < FILE_BYTES; at += READ_BYTES) {
		for (size_t i = 0; i < READ_BYTES / 8; i++) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			word[i] = state ^ state >> 29;
		}
		if (write(fd, memory, READ_BYTES) != READ_BYTES)
			return rt_fail_errno(f, EDGE_IO, "could not write a temporary file of %s", tool_size(FILE_BYTES));
	}
	return EDGE_OK;
}

static enum edge_status measure(const char *path, int fd, uint32_t threads, char *memory, struct probe_disk *out,
				struct failure *f)
{
	off_t size;

	fsync(fd); /* dirty pages cannot be dropped */
	size = lseek(fd, 0, SEEK_END);
	if (size < READ_BYTES)
		return rt_fail(f, EDGE_ARGUMENT, "\"%s\" is too small to measure the disk: %lld bytes", path, (long long)size);
	choose(fd, (uint64_t)size, memory, out);
	if (out->bytes_per_s == 0)
		return rt_fail(f, EDGE_IO, "could not read \"%s\"", path);
	out->seek_s = probe_seek(fd, (uint64_t)size);
	out->cached = copy_rate(fd, (uint64_t)size, threads, memory);
	return EDGE_OK;
}

enum edge_status probe_disk(const char *plan, uint32_t threads, struct probe_disk *out, struct failure *f)
{
	char temporary[] = "./edgert-probe-XXXXXX";
	struct rt_account account = { 0 };
	char *memory = rt_map(&account, RT_HOST, READERS * (uint64_t)READ_BYTES);
	enum edge_status st = EDGE_OK;
	int fd;

	if (!memory)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	fd = plan ? open(plan, O_RDONLY | O_CLOEXEC) : mkstemp(temporary);
	if (fd < 0) {
		rt_fail_errno(f, EDGE_IO, "could not open \"%s\"", plan ? plan : temporary);
	} else {
		if (!plan) {
			unlink(temporary);
			st = write_file(fd, memory, f);
		}
		if (st == EDGE_OK)
			measure(plan ? plan : temporary, fd, threads, memory, out, f);
		close(fd);
	}
	rt_unmap(&account, RT_HOST, memory, READERS * (uint64_t)READ_BYTES);
	return f->status;
}
