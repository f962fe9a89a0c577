/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_file.c - a plan on disk: its records in memory, its weights read on demand.
 *
 * The plan's view wants the whole file at one address. An anonymous mapping of
 * the file's size gives that; only what lies outside the weights section is
 * read into it, what no weight waits for as the second part; the rest stays untouched zero pages that cost nothing. Copying
 * the records (a small part of a plan) is what makes a truncated file harmless.
 *
 * Weights are read past the page cache, several chunks at a time: nothing is
 * copied, so that reading takes next to nothing from the kernels, and a disk that
 * has several requests to work on is faster. That holds where memory is of large
 * pages: a disk that fills small ones is no faster than through the cache. Small
 * plans that read in each run do so through the cache, where the next run finds
 * it, and which is told of what a later run reads a little ahead. So is read what
 * lies there already, and what comes from a slow disk.
 */
#include "config.h"

#include "base/memory.h"
#include "stream/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	FIRST_BYTES = 192 << 10,    /* of a plan that are read first: most have no more records that cannot wait */
	AHEAD_BYTES = 2 << 20,	    /* that the disk works on */
	TOLD_BYTES = 256 << 10,	    /* more at a time: told all at once, it brings the first of it later */
	SAMPLES = 64		/* pages that are looked for in the page cache */
};

ssize_t (*plan_file_pread)(int fd, void *out, size_t bytes, off_t offset) = pread;

/* Says whether the file is still what it was; false: said. */
static bool unchanged(const struct plan_file *p, struct failure *f)
{
	struct stat info;

	if (fstat(p->fd, &info) != 0) {
		rt_fail_errno(f, EDGE_IO, "could not read plan \"%s\"", p->path);
		return false;
	}
	if ((uint64_t)info.st_size != p->size) {
		rt_fail(f, EDGE_IO,
			"plan \"%s\" changed while it was in use: it was %zu bytes and is %lld now",
			p->path, p->size, (long long)info.st_size);
		return false;
	}
	if (info.st_mtim.tv_sec != p->modified[0] || info.st_mtim.tv_nsec != p->modified[1]) {
		rt_fail(f, EDGE_IO, "plan \"%s\" changed while it was in use: it was written to",
			p->path);
		return false;
	}
	return true;
}

static enum edge_status read_range(const struct plan_file *p, uint64_t offset, uint64_t bytes, bool direct,
				   void *out, struct failure *f)
{
	uint64_t at = 0;

	while (at < bytes) {
		ssize_t n = plan_file_pread(direct ? p->direct_fd : p->fd, (char *)out + at,
					    (size_t)(bytes - at), (off_t)(offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && direct && errno == EINVAL) {
			direct = false; /* the file system took the flag and not the request */
			continue;
		}
		if (n < 0) {
			int saved = errno;

			if (unchanged(p, f)) {
				errno = saved;
				rt_fail_errno(f, EDGE_IO,
					      "could not read plan \"%s\" at offset %" PRIu64,
					      p->path, offset + at);
			}
			return f->status;
		}
		if (n == 0) {
			if (unchanged(p, f))
				rt_fail(f, EDGE_IO,
					"could not read plan \"%s\": it ends at offset %" PRIu64,
					p->path, offset + at);
			return f->status;
		}
		at += (uint64_t)n;
		/* the rest of a direct read may not be aligned any more */
		direct = direct && at % EDGE_PLAN_PAGE == 0;
	}
	return EDGE_OK;
}

static enum edge_status read_checked(const struct plan_file *p, const struct edge_chunk *chunk, uint32_t index,
				     bool direct, void *out, struct failure *f)
{
	enum edge_status st = read_range(p, chunk->offset, chunk->bytes, direct, out, f);

	if (st != EDGE_OK)
		return st;
	if (plan_file_is_sound(chunk, out))
		return EDGE_OK;
	if (!unchanged(p, f))
		return f->status;
	return rt_fail(f, EDGE_BAD,
		       "plan \"%s\" is damaged: weight chunk %" PRIu32 " at offset %" PRIu64
		       " does not match its hash",
		       p->path, index, chunk->offset);
}

bool plan_file_suits(const struct plan_file *p, const struct edge_chunk *chunk, const void *out)
{
	return plan_file_is_direct(p) && chunk->offset % EDGE_PLAN_PAGE == 0 && chunk->bytes % EDGE_PLAN_PAGE == 0 &&
	       (uintptr_t)out % EDGE_PLAN_PAGE == 0;
}

bool plan_file_is_sound(const struct edge_chunk *chunk, const void *data)
{
	return edge_xxh3(data, (size_t)chunk->bytes) == chunk->xxh3;
}

enum edge_status plan_file_read_chunk(const struct plan_file *p, const struct edge_chunk *chunk,
				      uint32_t index, void *out, struct failure *f)
{
	return read_checked(p, chunk, index, plan_file_suits(p, chunk, out), out, f);
}

enum edge_status plan_file_read_expected(const struct plan_file *p, const struct edge_chunk *chunk,
					 uint32_t index, void *out, struct failure *f)
{
	return read_checked(p, chunk, index, false, out, f);
}

void plan_file_expect(const struct plan_file *p, const struct edge_chunk *chunk)
{
	posix_fadvise(p->fd, (off_t)chunk->offset, (off_t)chunk->bytes, POSIX_FADV_WILLNEED);
}

/* Where the weights and the first late section are. The header is unchecked: it only says what to leave out. */
static void find_sections(const struct plan_file *p, uint64_t have, uint64_t *late, uint64_t *start, uint64_t *end)
{
	struct edge_section s;
	struct edge_header h;
	uint64_t table, i;

	*late = *start = *end = p->size;
	if (p->size < sizeof(h))
		return;
	memcpy(&h, p->data, sizeof(h));
	table = h.prefix.header_size;
	if (h.prefix.section_entry_size < sizeof(s))
		return;
	for (i = 0; i < h.prefix.section_count && i < 256; i++) {
		uint64_t at = table + i * h.prefix.section_entry_size;

		if (at > have - sizeof(s) || at + sizeof(s) > p->size)
			break;
		memcpy(&s, (char *)p->data + at, sizeof(s));
		if (s.offset > p->size || s.size > p->size - s.offset)
			continue;
		if (s.kind == EDGE_SECTION_WEIGHTS) {
			*start = s.offset;
			*end = s.offset + s.size;
			return;
		}
		/* late sections come last; where they do not, nothing is */
		*late = !plan_section_is_late(s.kind) ? p->size : *late < s.offset ? *late : s.offset;
	}
	*late = p->size; /* no end of the table, or no weights: all of it */
}

/* Whether most of some pages of [start, end) are in the page cache. Looking brings none there. */
static bool is_cached(const struct plan_file *p)
{
	unsigned char *map = mmap(NULL, p->size, PROT_READ, MAP_SHARED, p->fd, 0), there;
	uint64_t start = p->weights[0], pages = (p->weights[1] - start) / EDGE_PLAN_PAGE, found = 0, i;

	if (map == MAP_FAILED)
		return false;
	for (i = 0; i < SAMPLES; i++)
		if (mincore(map + start + pages * i / SAMPLES * EDGE_PLAN_PAGE, EDGE_PLAN_PAGE, &there) == 0)
			found += there & 1;
	munmap(map, p->size);
	return found > SAMPLES / 2;
}

void plan_file_choose_io(struct plan_file *p, enum plan_io io, uint32_t requests, uint64_t memory, bool again)
{
	uint64_t weights = p->weights[1] - p->weights[0], least = again ? EDGE_DIRECT_AGAIN_FROM : EDGE_DIRECT_FROM;

	if (io == PLAN_IO_AUTO && requests == EDGE_REQUESTS_BUFFERED)
		io = PLAN_IO_BUFFERED;
	p->depth = requests && requests <= EDGE_REQUESTS_MOST ? requests : again ? EDGE_REQUESTS_AGAIN : EDGE_REQUESTS_ONCE;
	p->automatic = io == PLAN_IO_AUTO;
	if (io == PLAN_IO_DIRECT || (p->automatic && weights >= least && memory >= RT_LARGE_PAGE && !is_cached(p)))
		p->direct_fd = open(p->path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	p->foresees = p->direct_fd < 0 && weights < EDGE_DIRECT_AGAIN_FROM;
	if (p->direct_fd < 0)
		posix_fadvise(p->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

uint32_t plan_file_ahead(const struct plan_file *p, const struct edge_plan *plan, uint32_t index, uint32_t told)
{
	uint64_t ahead = 0, more = 0;
	uint32_t i = index;

	if (!p->foresees)
		return told;
	for (; i < plan->read_count && ahead < AHEAD_BYTES && more < TOLD_BYTES; i++) {
		uint64_t bytes = plan->reads[i].flags & EDGE_READ_ONCE ? 0 : plan->chunks[plan->reads[i].chunk].bytes;

		if (i == told && ahead > AHEAD_BYTES - TOLD_BYTES)
			return told;
		ahead += bytes;
		more += i < told ? 0 : bytes;
	}
	return i > told ? i : told;
}

void plan_file_foresee(const struct plan_file *p, const struct edge_plan *plan, uint32_t from, uint32_t to)
{
	uint64_t begin = 0, end = 0;

	for (; from < to; from++) {
		const struct edge_chunk *c = &plan->chunks[plan->reads[from].chunk];

		if (plan->reads[from].flags & EDGE_READ_ONCE)
			continue;
		if (c->offset != end) {
			if (end)
				posix_fadvise(p->fd, (off_t)begin, (off_t)(end - begin), POSIX_FADV_WILLNEED);
			begin = c->offset;
		}
		end = c->offset + c->bytes;
	}
	if (end)
		posix_fadvise(p->fd, (off_t)begin, (off_t)(end - begin), POSIX_FADV_WILLNEED);
}

/* A byte of it, of which there is no waiting for the disk. */
static bool is_here(const struct plan_file *p, uint64_t at)
{
	char byte;
	struct iovec to = { &byte, 1 };

	/* not every C library knows the call; an offset is one word on 64-bit systems */
	return syscall(SYS_preadv2, p->fd, &to, 1, (long)at, 0, RWF_NOWAIT) == 1;
}

bool plan_file_is_here(const struct plan_file *p, const struct edge_chunk *chunk)
{
	return is_here(p, chunk->offset + chunk->bytes - 1);
}

/* Up to `end`, of the file's beginning. */
static enum edge_status read_until(struct plan_file *p, uint64_t end, bool direct, struct failure *f)
{
	uint64_t to = direct ? edge_plan_pages(end) : end;
	enum edge_status st;

	if (end <= p->read)
		return EDGE_OK;
	if (to > p->size) /* the last page is not a whole one */
		to = p->size / EDGE_PLAN_PAGE * EDGE_PLAN_PAGE;
	if (to > p->read) {
		if ((st = read_range(p, p->read, to - p->read, direct, (char *)p->data + p->read, f)) != EDGE_OK)
			return st;
		p->read = to;
	}
	return p->read < end ? read_until(p, end, false, f) : EDGE_OK;
}

/*
 * The records that come first, at once and past the page cache, which would bring a little at a time; plans with
 * few bytes of weights come with what surrounds these.
 */
static enum edge_status read_early(struct plan_file *p, struct failure *f)
{
	bool direct = p->size >= EDGE_DIRECT_FROM && !is_here(p, 0);
	uint64_t first = direct ? FIRST_BYTES : EDGE_PLAN_PAGE, late, after;
	enum edge_status st;

	if (direct)
		p->direct_fd = open(p->path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	direct = p->direct_fd >= 0;
	st = read_until(p, first < p->size ? first : p->size, direct, f);
	if (st == EDGE_OK) {
		find_sections(p, p->read, &late, &p->weights[0], &p->weights[1]);
		p->weights[0] = edge_plan_pages(p->weights[0]);
		p->weights[1] = p->weights[1] / EDGE_PLAN_PAGE * EDGE_PLAN_PAGE;
		if (p->weights[0] > p->size || p->weights[0] >= p->weights[1])
			p->weights[0] = p->weights[1] = p->size;
		/* code is mapped: read past the page cache it would come once more, behind the weights, when it first runs */
		if (direct && late < p->weights[0])
			posix_fadvise(p->fd, (off_t)late, (off_t)(p->weights[0] - late), POSIX_FADV_WILLNEED);
		st = read_until(p, late < p->weights[0] ? late : p->weights[0], direct, f);
		after = p->weights[1] > p->read ? p->weights[1] : p->read;
		if (st == EDGE_OK && after < p->size) /* not as the compiler writes plans */
			st = read_range(p, after, p->size - after, false, (char *)p->data + after, f);
	}
	if (p->direct_fd >= 0)
		close(p->direct_fd);
	p->direct_fd = -1;
	return st;
}

enum edge_status plan_file_read_late(struct plan_file *p, struct failure *f)
{
	uint64_t start = p->weights[0];
	enum edge_status st;

	if (start > p->read) /* asked for at once, or the system brings a little at a time */
		posix_fadvise(p->fd, (off_t)p->read, (off_t)(start - p->read), POSIX_FADV_WILLNEED);
	st = read_until(p, start, false, f);
	mprotect(p->data, p->size, PROT_READ);
	return st;
}

static enum edge_status describe(struct plan_file *p, struct failure *f)
{
	struct stat info;

	if (fstat(p->fd, &info) != 0)
		return rt_fail_errno(f, EDGE_IO, "could not open plan \"%s\"", p->path);
	if (!S_ISREG(info.st_mode))
		return rt_fail(f, EDGE_IO, "could not open plan \"%s\": not a file", p->path);
	if (info.st_size == 0)
		return rt_fail(f, EDGE_BAD, "\"%s\" is not a plan: it is empty", p->path);
	p->size = (size_t)info.st_size;
	p->modified[0] = info.st_mtim.tv_sec;
	p->modified[1] = info.st_mtim.tv_nsec;
	p->data = mmap(NULL, p->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->data == MAP_FAILED) {
		p->data = NULL;
		return rt_fail_errno(f, EDGE_MEMORY, "could not reserve addresses for plan \"%s\"",
				     p->path);
	}
	return EDGE_OK;
}

enum edge_status plan_file_open_early(const char *path, struct plan_file *out, struct failure *f)
{
	enum edge_status st;

	*out = (struct plan_file){ .path = rt_strdup(path), .fd = -1, .direct_fd = -1 };
	if (!out->path)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	out->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (out->fd < 0)
		return rt_fail_errno(f, EDGE_IO, "could not open plan \"%s\"", path);
	return (st = describe(out, f)) != EDGE_OK ? st : read_early(out, f);
}

enum edge_status plan_file_open(const char *path, struct plan_file *out, struct failure *f)
{
	enum edge_status st = plan_file_open_early(path, out, f);

	return st != EDGE_OK ? st : plan_file_read_late(out, f);
}

bool plan_file_is_direct(const struct plan_file *p)
{
	return p->direct_fd >= 0 && !atomic_load_explicit(&p->slow, memory_order_relaxed);
}

uint32_t plan_file_depth(const struct plan_file *p)
{
	return p->direct_fd >= 0 ? p->depth : 1;
}

void plan_file_slow(struct plan_file *p)
{
	if (p->automatic)
		atomic_store(&p->slow, true);
}

void plan_file_close(struct plan_file *p)
{
	if (p->data)
		munmap(p->data, p->size);
	if (p->path && p->fd >= 0)
		close(p->fd);
	if (p->path && p->direct_fd >= 0)
		close(p->direct_fd);
	rt_free(p->path);
	*p = (struct plan_file){ .fd = -1, .direct_fd = -1 };
}

enum edge_status plan_file_evict(const char *path, struct failure *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int code;

	if (fd < 0)
		return rt_fail_errno(f, EDGE_IO, "could not open \"%s\"", path);
	fsync(fd); /* dirty pages cannot be dropped */
	code = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	if (code != 0) {
		errno = code;
		return rt_fail_errno(f, EDGE_IO, "could not drop \"%s\" from the page cache", path);
	}
	return EDGE_OK;
}
