/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_file.c - a plan on disk: its records in memory, its weights read on demand.
 *
 * The plan's view wants the whole file at one address. An anonymous mapping of
 * the file's size gives that; only what lies outside the weights section is
 * read into it, the rest stays untouched zero pages that cost nothing. Copying
 * the records (a small part of a plan) is what makes a truncated file harmless.
 *
 * Buffered reads are the default: the kernel's read-ahead goes on while the
 * reader waits for a slot, which one direct read at a time cannot do, and the
 * second run may find its weights in memory that nobody else wanted.
 */
#include "config.h"

#include "base/memory.h"
#include "stream/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

enum edge_status plan_file_read(const struct plan_file *p, uint64_t offset, uint64_t bytes,
				void *out, struct failure *f)
{
	bool direct = p->direct_fd >= 0 && offset % EDGE_PLAN_PAGE == 0 &&
		      bytes % EDGE_PLAN_PAGE == 0 && (uintptr_t)out % EDGE_PLAN_PAGE == 0;
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

enum edge_status plan_file_read_chunk(const struct plan_file *p, const struct edge_chunk *chunk,
				      uint32_t index, void *out, struct failure *f)
{
	enum edge_status st = plan_file_read(p, chunk->offset, chunk->bytes, out, f);

	if (st != EDGE_OK)
		return st;
	if (edge_xxh3(out, (size_t)chunk->bytes) == chunk->xxh3)
		return EDGE_OK;
	if (!unchanged(p, f))
		return f->status;
	return rt_fail(f, EDGE_BAD,
		       "plan \"%s\" is damaged: weight chunk %" PRIu32 " at offset %" PRIu64
		       " does not match its hash",
		       p->path, index, chunk->offset);
}

void plan_file_expect(const struct plan_file *p, const struct edge_chunk *chunk)
{
	if (p->direct_fd < 0)
		posix_fadvise(p->fd, (off_t)chunk->offset, (off_t)chunk->bytes, POSIX_FADV_WILLNEED);
}

/* Where the weights section is. The header is unchecked: it only says what to leave out. */
static void find_weights(const struct plan_file *p, uint64_t *start, uint64_t *end)
{
	struct edge_section s;
	struct edge_header h;
	uint64_t table, i;

	*start = *end = p->size;
	if (p->size < sizeof(h))
		return;
	memcpy(&h, p->data, sizeof(h));
	table = h.prefix.header_size;
	if (h.prefix.section_entry_size < sizeof(s))
		return;
	for (i = 0; i < h.prefix.section_count && i < 256; i++) {
		uint64_t at = table + i * h.prefix.section_entry_size;

		if (at > EDGE_PLAN_PAGE - sizeof(s) || at + sizeof(s) > p->size)
			return;
		memcpy(&s, (char *)p->data + at, sizeof(s));
		if (s.kind == EDGE_SECTION_WEIGHTS && s.offset <= p->size &&
		    s.size <= p->size - s.offset) {
			*start = s.offset;
			*end = s.offset + s.size;
			return;
		}
	}
}

static enum edge_status read_records(struct plan_file *p, struct failure *f)
{
	uint64_t head = p->size < EDGE_PLAN_PAGE ? p->size : EDGE_PLAN_PAGE, start, end;
	enum edge_status st;

	/* whole pages on either side of the weights */
	if ((st = plan_file_read(p, 0, head, p->data, f)) != EDGE_OK)
		return st;
	find_weights(p, &start, &end);
	start = (start + EDGE_PLAN_PAGE - 1) / EDGE_PLAN_PAGE * EDGE_PLAN_PAGE;
	end = end / EDGE_PLAN_PAGE * EDGE_PLAN_PAGE;
	if (start > p->size || start >= end)
		start = end = p->size;
	if (start > head &&
	    (st = plan_file_read(p, head, start - head, (char *)p->data + head, f)) != EDGE_OK)
		return st;
	if (end < head)
		end = head;
	return plan_file_read(p, end, p->size - end, (char *)p->data + end, f);
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

enum edge_status plan_file_open(const char *path, enum plan_io io, struct plan_file *out,
				struct failure *f)
{
	enum edge_status st;

	*out = (struct plan_file){ .path = rt_strdup(path), .fd = -1, .direct_fd = -1 };
	if (!out->path)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	out->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (out->fd < 0)
		return rt_fail_errno(f, EDGE_IO, "could not open plan \"%s\"", path);
	if ((st = describe(out, f)) != EDGE_OK || (st = read_records(out, f)) != EDGE_OK)
		return st;
	mprotect(out->data, out->size, PROT_READ);
	posix_fadvise(out->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (io == PLAN_IO_DIRECT)
		out->direct_fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	return EDGE_OK;
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
