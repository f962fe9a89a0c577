/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deflate.h - a zlib stream, written as its input comes.
 *
 * Memory is one allocation when it begins; output goes to a sink in pieces.
 */
#ifndef EDGE_RT_DEFLATE_H
#define EDGE_RT_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: could not be written; errno says why. */
typedef bool (*byte_sink)(void *to, const void *data, size_t bytes);

struct deflate;

struct deflate *deflate_new(void); /* NULL: no memory */
void deflate_free(struct deflate *d);
void deflate_begin(struct deflate *d, byte_sink sink, void *to);
void deflate_write(struct deflate *d, const void *data, size_t bytes);
/* False: the sink failed at some time. */
bool deflate_end(struct deflate *d);

#endif
