/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uring.c - see uring.h.
 *
 * Three system calls and two pieces of memory that the system makes and shares: a queue of requests and one of
 * what became of them, a few KiB. Only this thread and the system touch them, each its own end of each queue.
 * A request is told to the system at once, so the first queue never holds more than one. Nothing is tried twice:
 * who is told of a read that was not begun, or that brought less than was asked for, reads again as without a ring.
 */
#include "config.h"

#include "base/memory.h"
#include "stream/uring.h"

static int64_t as_it_is(int64_t got)
{
	return got;
}

int64_t (*uring_outcome)(int64_t got) = as_it_is;

#ifdef HAVE_URING

#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct uring {
	int fd;
	void *rings, *requests;
	size_t rings_bytes, requests_bytes;
	uint32_t *asked, *asked_seen, asked_mask; /* requests: where ours end, where the system's begin */
	uint32_t *ended, *ended_seen, ended_mask; /* outcomes: where the system's end, where ours begin */
	uint32_t *index;			  /* in the first queue: which request */
	const struct io_uring_cqe *outcome;
};

static uint32_t load(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static void *map(int fd, size_t bytes, off_t what)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	return p == MAP_FAILED ? NULL : p;
}

static bool map_queues(struct uring *u, const struct io_uring_params *p)
{
	size_t asked = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t ended = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	char *rings;

	if (!(p->features & IORING_FEAT_SINGLE_MMAP)) /* of Linux 5.4; reads like these are of 5.6 */
		return false;
	u->rings_bytes = asked > ended ? asked : ended;
	u->requests_bytes = p->sq_entries * sizeof(struct io_uring_sqe);
	u->rings = rings = map(u->fd, u->rings_bytes, IORING_OFF_SQ_RING);
	u->requests = map(u->fd, u->requests_bytes, IORING_OFF_SQES);
	if (!rings || !u->requests)
		return false;
	u->asked = (uint32_t *)(void *)(rings + p->sq_off.tail);
	u->asked_seen = (uint32_t *)(void *)(rings + p->sq_off.head);
	u->asked_mask = p->sq_entries - 1;
	u->index = (uint32_t *)(void *)(rings + p->sq_off.array);
	u->ended = (uint32_t *)(void *)(rings + p->cq_off.tail);
	u->ended_seen = (uint32_t *)(void *)(rings + p->cq_off.head);
	u->ended_mask = p->cq_entries - 1;
	u->outcome = (const struct io_uring_cqe *)(void *)(rings + p->cq_off.cqes);
	return true;
}

struct uring *uring_open(uint32_t depth)
{
	struct io_uring_params p = { 0 };
	struct uring *u = rt_alloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->fd = (int)syscall(SYS_io_uring_setup, depth, &p);
	if (u->fd >= 0 && map_queues(u, &p))
		return u;
	uring_close(u);
	return NULL;
}

void uring_close(struct uring *u)
{
	if (!u)
		return;
	if (u->requests)
		munmap(u->requests, u->requests_bytes);
	if (u->rings)
		munmap(u->rings, u->rings_bytes);
	if (u->fd >= 0)
		close(u->fd);
	rt_free(u);
}

static void enter(const struct uring *u, uint32_t asked, uint32_t wanted)
{
	syscall(SYS_io_uring_enter, u->fd, asked, wanted, wanted ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

bool uring_read(struct uring *u, uint32_t tag, int fd, void *out, uint64_t bytes, uint64_t offset)
{
	uint32_t at = *u->asked, slot = at & u->asked_mask;
	struct io_uring_sqe *request = (struct io_uring_sqe *)u->requests + slot;

	if (bytes > INT32_MAX)
		return false;
	memset(request, 0, sizeof(*request));
	request->opcode = IORING_OP_READ;
	request->fd = fd;
	request->addr = (uintptr_t)out;
	request->len = (uint32_t)bytes;
	request->off = offset;
	request->user_data = tag;
	u->index[slot] = slot;
	store(u->asked, at + 1);
	enter(u, 1, 0);
	if (load(u->asked_seen) == at + 1)
		return true;
	store(u->asked, at); /* the system looks only when it is told to */
	return false;
}

void uring_wait(struct uring *u, uint32_t *tag, int64_t *got)
{
	uint32_t at = *u->ended_seen;
	const struct io_uring_cqe *o = &u->outcome[at & u->ended_mask];

	while (load(u->ended) == at)
		enter(u, 0, 1); /* a signal ends it early */
	*tag = (uint32_t)o->user_data;
	*got = uring_outcome(o->res);
	store(u->ended_seen, at + 1);
}

#else

struct uring *uring_open(uint32_t depth)
{
	(void)depth;
	return NULL;
}

void uring_close(struct uring *u)
{
	(void)u;
}

bool uring_read(struct uring *u, uint32_t tag, int fd, void *out, uint64_t bytes, uint64_t offset)
{
	(void)u, (void)tag, (void)fd, (void)out, (void)bytes, (void)offset;
	return false;
}

void uring_wait(struct uring *u, uint32_t *tag, int64_t *got)
{
	(void)u, (void)tag, (void)got;
}

#endif
