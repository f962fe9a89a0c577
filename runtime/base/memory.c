/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - the runtime's two ways to get memory, both counted.
 *
 * Regions come straight from the kernel: page-aligned for direct I/O, zero
 * without being touched, and given back whole when the session closes.
 */
#include "config.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Thread_local bool thread_sealed;
static atomic_uint_fast64_t sealed_allocations;

void *rt_alloc(size_t count, size_t size)
{
	if (thread_sealed) {
		atomic_fetch_add(&sealed_allocations, 1);
#ifdef EDGE_DEBUG
		assert(!"allocation in the step loop");
#endif
	}
	if (size && count > SIZE_MAX / size)
		return NULL;
	/* one object at least, so that NULL always means failure */
	return calloc(count ? count : 1, size ? size : 1);
}

char *rt_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = rt_alloc(n, 1);

	return copy ? memcpy(copy, s, n) : NULL;
}

void rt_free(void *p)
{
	free(p);
}

bool rt_seal(bool sealed)
{
	bool before = thread_sealed;

	thread_sealed = sealed;
	return before;
}

uint64_t rt_sealed_allocations(void)
{
	return atomic_load(&sealed_allocations);
}

void rt_account_add(struct rt_account *a, enum rt_space space, uint64_t bytes)
{
	a->current[space] += bytes;
	if (a->current[space] > a->peak[space])
		a->peak[space] = a->current[space];
}

void rt_account_remove(struct rt_account *a, enum rt_space space, uint64_t bytes)
{
	a->current[space] -= bytes;
}

/*
 * Large memory begins where large pages do, and asks for them: the first touch
 * of it then costs a fifth, which is most of what a cold run does beside
 * reading, and kernels miss fewer translations. Only pages that lie wholly
 * inside are asked for, so that no byte more is ever taken.
 */
static void *map_aligned(size_t bytes)
{
	size_t room = bytes + RT_LARGE_PAGE;
	char *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at;
	size_t skip;

	if (p == MAP_FAILED)
		return p;
	skip = -(uintptr_t)p & (RT_LARGE_PAGE - 1);
	at = p + skip;
	if (skip)
		munmap(p, skip);
	if (skip < RT_LARGE_PAGE)
		munmap(at + bytes, RT_LARGE_PAGE - skip);
#ifdef MADV_HUGEPAGE
	madvise(at, bytes & ~(size_t)(RT_LARGE_PAGE - 1), MADV_HUGEPAGE);
#endif
	return at;
}

void *rt_reserve(uint64_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes_up;
	void *p;

	if (bytes == 0 || bytes > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	bytes_up = ((size_t)bytes + page - 1) & ~(page - 1);
	p = bytes >= RT_LARGE_PAGE ? map_aligned(bytes_up)
				: mmap(NULL, bytes_up, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

bool rt_touch(void *p, uint64_t bytes)
{
#ifdef MADV_POPULATE_WRITE
	return madvise(p, (size_t)bytes, MADV_POPULATE_WRITE) == 0;
#else
	(void)p, (void)bytes;
	return false;
#endif
}

void rt_release(void *p, uint64_t bytes)
{
	if (p)
		munmap(p, (size_t)bytes);
}

void *rt_map(struct rt_account *a, enum rt_space space, uint64_t bytes)
{
	void *p = rt_reserve(bytes);

	if (p)
		rt_account_add(a, space, bytes);
	return p;
}

void rt_unmap(struct rt_account *a, enum rt_space space, void *p, uint64_t bytes)
{
	if (!p)
		return;
	rt_release(p, bytes);
	rt_account_remove(a, space, bytes);
}

uint64_t rt_resident(const void *p, uint64_t bytes)
{
	unsigned char map[1024];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), total = 0, at = 0;

	while (at < bytes) {
		uint64_t n = bytes - at, i, pages;

		if (n > page * sizeof(map))
			n = page * sizeof(map);
		if (mincore((char *)(uintptr_t)p + at, (size_t)n, map) != 0)
			return total;
		pages = (n + page - 1) / page;
		for (i = 0; i < pages; i++)
			total += map[i] & 1 ? page : 0;
		at += n;
	}
	return total;
}
