/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uring.h - reads through io_uring: one thread begins them and takes what arrives.
 *
 *	uring_open(depth)
 *	uring_read(...)       begins one; at most `depth` are on their way
 *	uring_wait(...)       one of them has ended
 *	uring_close()
 *
 * From one thread. A program that was built without it opens none, and neither does a system that refuses.
 */
#ifndef EDGE_RT_URING_H
#define EDGE_RT_URING_H

#include <stdbool.h>
#include <stdint.h>

struct uring;

/* NULL: not here. */
struct uring *uring_open(uint32_t depth);
/* Nothing may be on its way. NULL is fine. */
void uring_close(struct uring *u);

/* False: it could not be begun, and is not on its way. */
bool uring_read(struct uring *u, uint32_t tag, int fd, void *out, uint64_t bytes, uint64_t offset);

/* Waits until one has ended; got: as read() returns it, or an error number below zero. */
void uring_wait(struct uring *u, uint32_t *tag, int64_t *got);

/* What has become of a read, or what a test makes of it. */
extern int64_t (*uring_outcome)(int64_t got);

#endif
