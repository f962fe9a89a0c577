/* SPDX-License-Identifier: Apache-2.0 */
/* probe_cold.h - what only cold runs pay, in seconds. */
#ifndef EDGE_PROBE_COLD_H
#define EDGE_PROBE_COLD_H

#include "base/failure.h"

#include <stdint.h>

/* The first touch of so many bytes of a region. Negative: there is no memory. */
double probe_touch(uint64_t bytes);
/* A small read from anywhere in a file that is not cached. 0: it could not be measured. */
double probe_seek(int fd, uint64_t size);
/*
 * From the start of a process, this program with `arguments` and the number of a
 * file descriptor, until it calls probe_started(). 0: it did not.
 */
double probe_start(const char *const *arguments, uint32_t count);
void probe_started(int fd);

#endif
