/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behind.c - see behind.h.
 *
 * Packing waits for the source's disk and writing for the plan's; a few chunks
 * between them let both go on. Slots are used round and round: `filled` counts
 * the chunks that are complete, `written` those that are on their way to the disk.
 */
#include "config.h"

#include "plan/behind.h"

#include "base/arena.h"

#include "edge/plan_read.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 8 };

struct slot {
	unsigned char *bytes;
	uint64_t size, *hash;
};

struct behind {
	FILE *out;
	struct slot slot[SLOTS];
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock */
	uint64_t filled, written;
	bool end;
	int error;
};

static int write_slot(struct behind *b, const struct slot *s)
{
	*s->hash = edge_xxh3(s->bytes, s->size);
	errno = 0;
	if (fwrite(s->bytes, 1, s->size, b->out) == s->size)
		return 0;
	return errno ? errno : EIO;
}

static void *work(void *arg)
{
	struct behind *b = arg;

	pthread_mutex_lock(&b->lock);
	for (;;) {
		int error;

		while (b->filled == b->written && !b->end)
			pthread_cond_wait(&b->changed, &b->lock);
		if (b->filled == b->written || b->error)
			break;
		pthread_mutex_unlock(&b->lock);
		error = write_slot(b, &b->slot[b->written % SLOTS]);
		pthread_mutex_lock(&b->lock);
		b->error = error;
		b->written++;
		pthread_cond_signal(&b->changed);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

struct behind *behind_start(FILE *out, uint64_t most)
{
	struct behind *b = xmalloc(sizeof *b);

	*b = (struct behind){ .out = out };
	for (int i = 0; i < SLOTS; i++)
		b->slot[i].bytes = xmalloc(most);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	b->threaded = pthread_create(&b->thread, NULL, work, b) == 0;
	return b;
}

unsigned char *behind_room(struct behind *b)
{
	unsigned char *bytes;

	pthread_mutex_lock(&b->lock);
	while (b->filled - b->written == SLOTS && !b->error)
		pthread_cond_wait(&b->changed, &b->lock);
	bytes = b->error ? NULL : b->slot[b->filled % SLOTS].bytes;
	pthread_mutex_unlock(&b->lock);
	return bytes;
}

void behind_put(struct behind *b, uint64_t bytes, uint64_t *hash)
{
	struct slot *s = &b->slot[b->filled % SLOTS]; /* only this thread changes `filled` */

	s->size = bytes;
	s->hash = hash;
	if (!b->threaded && !b->error)
		b->error = write_slot(b, s);
	pthread_mutex_lock(&b->lock);
	b->filled++;
	b->written += !b->threaded;
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

bool behind_end(struct behind *b)
{
	int error;

	pthread_mutex_lock(&b->lock);
	b->end = true;
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->lock);
	if (b->threaded)
		pthread_join(b->thread, NULL);
	error = b->error;
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	for (int i = 0; i < SLOTS; i++)
		free(b->slot[i].bytes);
	free(b);
	errno = error;
	return !error;
}
