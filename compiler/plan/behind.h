/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behind.h - chunks hashed and written behind the one that is being packed.
 *
 *	behind_start(&b, out, most)
 *	for each chunk:  p = behind_room(b); ...fill p...; behind_put(b, bytes, &hash)
 *	ok = behind_end(b)            the hashes are there now
 *
 * Between start and end nobody else uses the stream. Where no thread can be
 * had, behind_put() does the work itself.
 */
#ifndef EDGE_BEHIND_H
#define EDGE_BEHIND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct behind;

struct behind *behind_start(FILE *out, uint64_t most); /* most: bytes of the largest chunk */
/* NULL: a chunk could not be written. */
unsigned char *behind_room(struct behind *b);
void behind_put(struct behind *b, uint64_t bytes, uint64_t *hash);
/* False: something could not be written; errno says why. */
bool behind_end(struct behind *b);

#endif
