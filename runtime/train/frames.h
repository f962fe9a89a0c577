/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.h - photographs from the plan into the device's memory, one ahead.
 *
 *	frames_start(...)             a thread that waits
 *	frames_want(f, 0, view)       read this one into slot 0 or 1 ...
 *	frames_await(f, 0, ...)       ... which takes as long as it takes
 */
#ifndef EDGE_RT_FRAMES_H
#define EDGE_RT_FRAMES_H

#include "base/failure.h"

struct frames;
struct train;

enum edge_status frames_start(struct train *t, struct frames **out, struct failure *f);
void frames_stop(struct frames *x); /* NULL is fine */
/* What is in the slot may be overwritten from now on. */
void frames_want(struct frames *x, uint32_t slot, uint32_t view);
/* Waits for what was wanted last for the slot. */
enum edge_status frames_await(struct frames *x, uint32_t slot, struct failure *f);
/* Which view is there or on its way; UINT32_MAX: none. */
uint32_t frames_view(const struct frames *x, uint32_t slot);
uint64_t frames_bytes(struct frames *x);

#endif
