/* SPDX-License-Identifier: Apache-2.0 */
/* probe_disk.h - how fast plans come from the disk, and how they come fastest. */
#ifndef EDGE_PROBE_DISK_H
#define EDGE_PROBE_DISK_H

#include "base/failure.h"

#include <stdbool.h>
#include <stdint.h>

struct probe_disk {
	double bytes_per_s; /* of large reads in order, with that many requests */
	uint32_t requests;  /* reads at a time, past the page cache; 0: one, through it */
	bool uring;	    /* through io_uring, which is faster than as many threads */
	double request_s;   /* of the disk for each of them beside its bytes */
	double cached;	    /* bytes in a second of copies out of the page cache, by so many threads */
	double seek_s;	    /* a small read from anywhere; 0: it could not be measured */
};

/* Measured with the file `plan`, or, where that is NULL, with a temporary one in the working folder. */
enum edge_status probe_disk(const char *plan, uint32_t threads, struct probe_disk *out, struct failure *f);

#endif
