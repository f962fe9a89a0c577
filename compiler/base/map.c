/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - string to number; FNV-1a, linear probing, at most half full. */
#include "config.h"

#include "base/map.h"

#include <string.h>

static uint32_t hash_string(const char *s)
{
	uint32_t h = 2166136261u;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

static struct map_slot *find(const struct map *m, const char *key, uint32_t hash)
{
	uint32_t i = hash & (m->cap - 1);

	while (m->slot[i].key && (m->slot[i].hash != hash || strcmp(m->slot[i].key, key) != 0))
		i = (i + 1) & (m->cap - 1);
	return &m->slot[i];
}

static void grow(struct arena *a, struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->slot = arena_new_array(a, struct map_slot, m->cap);
	for (uint32_t i = 0; i < old.cap; i++)
		if (old.slot[i].key)
			*find(m, old.slot[i].key, old.slot[i].hash) = old.slot[i];
}

void map_put(struct arena *a, struct map *m, const char *key, uint32_t value)
{
	uint32_t hash = hash_string(key);
	struct map_slot *s;

	if (m->len * 2 >= m->cap)
		grow(a, m);
	s = find(m, key, hash);
	if (!s->key) {
		s->key = arena_strdup(a, key);
		s->hash = hash;
		m->len++;
	}
	s->value = value;
}

bool map_get(const struct map *m, const char *key, uint32_t *value)
{
	struct map_slot *s;

	if (m->cap == 0)
		return false;
	s = find(m, key, hash_string(key));
	if (!s->key)
		return false;
	if (value)
		*value = s->value;
	return true;
}
