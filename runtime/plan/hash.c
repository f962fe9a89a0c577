/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - the only place that includes xxHash, header-only: no library at run time. */
#include "config.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "edge/plan_read.h"

uint64_t edge_xxh3(const void *data, size_t size)
{
	return XXH3_64bits(data, size);
}
