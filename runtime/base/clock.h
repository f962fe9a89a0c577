/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time, and what the kernel says about this process. */
#ifndef EDGE_RT_CLOCK_H
#define EDGE_RT_CLOCK_H

#include <stdint.h>

/* Monotonic, in ns. */
int64_t rt_now(void);

static inline double rt_ms(int64_t ns)
{
	return (double)ns / 1e6;
}

/*
 * When this process began, on rt_now()'s clock: the kernel's record is in
 * steps of 10 ms, so the processor time used so far is taken off the present.
 * Exact to a fraction of a millisecond when called first thing in main().
 */
int64_t rt_process_start(void);

/* Resident memory now, and the most there has been; 0 where the kernel does not say. */
uint64_t rt_rss(void);
uint64_t rt_peak_rss(void);

#endif
