/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - a few threads that run one piece of work at a time together.
 *
 * The caller of pool_run() works too, so a pool of one has no thread of its
 * own. Workers spin for a moment after each job, because the next kernel of a
 * plan usually follows within microseconds, and sleep after that.
 */
#ifndef EDGE_RT_POOL_H
#define EDGE_RT_POOL_H

#include "base/failure.h"

struct pool;

/* More items than these are no job. */
enum { POOL_ITEM_BITS = 40 };

/* Called with ranges that together cover [0, count) once, at the same time from several threads. */
typedef void (*pool_work)(void *ctx, uint64_t begin, uint64_t end);

/*
 * threads: 0 means one per CPU that the process may use. pin: thread i stays
 * on the i-th of them, the caller as thread 0 until it closes the pool. Without
 * it the pool's own threads do so where there is one for every CPU.
 */
enum edge_status pool_open(uint32_t threads, bool pin, struct pool **out, struct failure *f);
/*
 * From the next job on the pool's own threads give way to others of the
 * process: to the one that reads weights, which would otherwise wait for a CPU
 * while the kernels wait for what it reads.
 */
void pool_give_way(struct pool *p);
void pool_close(struct pool *p); /* NULL is fine */
/* CPUs that the process may use. */
uint32_t pool_usable_cpus(void);
uint32_t pool_threads(const struct pool *p);

/* Returns when all of it is done. From one thread at a time. */
void pool_run(struct pool *p, pool_work work, void *ctx, uint64_t count);

#endif
