/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory by lifetime.
 *
 * The compiler allocates from arenas named after how long their contents live
 * and frees a whole arena at once. Allocation never fails: out of memory
 * prints one line and exits with status 1.
 */
#ifndef EDGE_BASE_ARENA_H
#define EDGE_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t total; /* bytes handed out */
};

/* Zeroed memory, aligned to 16 bytes. size 0 gives a valid unique pointer. */
void *arena_alloc(struct arena *a, size_t size);
/* count * size with overflow check. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* Grows an array: copies old_count elements into a new block of new_count. */
void *arena_grow(struct arena *a, const void *old, size_t old_count, size_t new_count, size_t size);
void *arena_copy(struct arena *a, const void *data, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap);
/* Frees everything; the arena may be used again. */
void arena_release(struct arena *a);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_array(a, type, n) ((type *)arena_array((a), (n), sizeof(type)))

/* malloc and realloc that print and exit when memory is out. */
void *xmalloc(size_t size);
void *xrealloc(void *p, size_t size);

#endif
