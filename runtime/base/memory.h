/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h - the runtime's two ways to get memory, both counted.
 *
 * rt_alloc() is for the runtime's own records (steps, handles, file names). It
 * is used while a session opens; a thread that has entered the step loop is
 * sealed, and an allocation by a sealed thread is a bug that a debug build
 * stops at.
 *
 * An account counts the memory that the plan has budgeted: regions. What it
 * says at the end is the run's actual peak.
 */
#ifndef EDGE_RT_MEMORY_H
#define EDGE_RT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory for count objects; NULL when there is none or the product overflows. */
void *rt_alloc(size_t count, size_t size);
char *rt_strdup(const char *s);
void rt_free(void *p);

/* Returns the previous state, to be restored. */
bool rt_seal(bool sealed);
/* Allocations made by sealed threads since the process began: 0, or a bug. */
uint64_t rt_sealed_allocations(void);

enum { RT_LARGE_PAGE = 2 << 20 }; /* memory from this size on consists of such pages, but for the end */

enum rt_space { RT_DEVICE, RT_HOST, RT_SPACES };

struct rt_account {
	uint64_t current[RT_SPACES], peak[RT_SPACES];
};

void rt_account_add(struct rt_account *a, enum rt_space space, uint64_t bytes);
void rt_account_remove(struct rt_account *a, enum rt_space space, uint64_t bytes);

/*
 * Counted, page-aligned, zero memory that takes up RAM only where it is
 * touched. NULL with errno when refused.
 */
void *rt_map(struct rt_account *a, enum rt_space space, uint64_t bytes);
void rt_unmap(struct rt_account *a, enum rt_space space, void *p, uint64_t bytes);
/* The same, and not counted: for what several regions share, each of which is then added to the account. */
void *rt_reserve(uint64_t bytes);
/* Takes it now what the first touch would take; what it holds stays. False: it could not. */
bool rt_touch(void *p, uint64_t bytes);
void rt_release(void *p, uint64_t bytes);
/* Bytes of [p, p + bytes) that are in RAM now. */
uint64_t rt_resident(const void *p, uint64_t bytes);

#endif
