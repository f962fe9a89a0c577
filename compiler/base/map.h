/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - string to 32-bit number, open addressing, keys copied into the arena. */
#ifndef EDGE_BASE_MAP_H
#define EDGE_BASE_MAP_H

#include "base/arena.h"

#include <stdbool.h>

struct map_slot {
	const char *key; /* NULL: empty */
	uint32_t hash, value;
};

struct map {
	struct map_slot *slot;
	uint32_t len, cap;
};

/* Adds or replaces. */
void map_put(struct arena *a, struct map *m, const char *key, uint32_t value);
/* false, and *value untouched, where the key is absent. value may be NULL. */
bool map_get(const struct map *m, const char *key, uint32_t *value);

#endif
