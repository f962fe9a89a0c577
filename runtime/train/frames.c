/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.c - the thread that reads photographs.
 *
 * It reads chunk after chunk straight into the device's memory where that is
 * the host's, else through the plan's staging, and checks each chunk's hash. A
 * slot is read again only when the training thread has said so, which it does
 * when the step that used it is over.
 */
#include "config.h"

#include "train/frames.h"

#include "train/internal.h"

#include <stdatomic.h>
#include <string.h>

enum { SLOTS = 2 };

struct frames {
	struct train *t;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, arrived;
	bool started, leave;
	struct frame_slot {
		uint32_t view;
		bool wanted, done;
		enum edge_status status;
	} slot[SLOTS];
	struct failure failure;
	atomic_uint_fast64_t bytes;
};

static enum edge_status read_view(struct frames *x, uint32_t slot, uint32_t view, struct failure *f)
{
	struct train *t = x->t;
	struct edgert_session *s = t->s;
	const struct edge_view *v = &s->plan.views[view];
	uint32_t role = slot ? EDGE_BUFFER_FRAME_B : EDGE_BUFFER_FRAME_A;
	const struct edge_buffer *b = &s->plan.buffers[t->buffer[role]];
	char *place = train_in_place(t, role);
	uint64_t at = 0;

	for (uint32_t i = 0; i < v->chunk_count; i++) {
		const struct edge_chunk *c = &s->plan.chunks[v->chunk_first + i];
		void *to = place ? (void *)(place + at) : s->memory[s->staging];
		enum edge_status st = plan_file_read_chunk(&s->file, c, v->chunk_first + i, to, f);

		if (st == EDGE_OK && !place)
			st = s->ops->upload(s->device, s->regions[b->region], b->offset + at, to, c->bytes, f);
		if (st != EDGE_OK)
			return st;
		at += c->bytes;
		atomic_fetch_add(&x->bytes, c->bytes);
	}
	return EDGE_OK;
}

static int next_slot(const struct frames *x)
{
	for (int i = 0; i < SLOTS; i++)
		if (x->slot[i].wanted)
			return i;
	return -1;
}

static void *frames_main(void *arg)
{
	struct frames *x = arg;

	pthread_mutex_lock(&x->lock);
	while (!x->leave) {
		int i = next_slot(x);
		struct failure failure = { 0 };
		enum edge_status st;
		uint32_t view;

		if (i < 0) {
			pthread_cond_wait(&x->wake, &x->lock);
			continue;
		}
		view = x->slot[i].view;
		x->slot[i].wanted = false;
		pthread_mutex_unlock(&x->lock);
		st = read_view(x, (uint32_t)i, view, &failure);
		pthread_mutex_lock(&x->lock);
		if (!x->slot[i].wanted) { /* else something newer is wanted there */
			x->slot[i].status = st;
			x->slot[i].done = true;
		}
		if (st != EDGE_OK && x->failure.status == EDGE_OK)
			x->failure = failure;
		pthread_cond_signal(&x->arrived);
	}
	pthread_mutex_unlock(&x->lock);
	return NULL;
}

enum edge_status frames_start(struct train *t, struct frames **out, struct failure *f)
{
	struct frames *x = rt_alloc(1, sizeof(*x));

	*out = x;
	if (!x)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	x->t = t;
	for (int i = 0; i < SLOTS; i++)
		x->slot[i].view = UINT32_MAX;
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->wake, NULL);
	pthread_cond_init(&x->arrived, NULL);
	if (pthread_create(&x->thread, NULL, frames_main, x) != 0)
		return rt_fail(f, EDGE_MEMORY, "could not start the thread that reads photographs");
	x->started = true;
	return EDGE_OK;
}

void frames_stop(struct frames *x)
{
	if (!x)
		return;
	if (x->started) {
		pthread_mutex_lock(&x->lock);
		x->leave = true;
		pthread_cond_signal(&x->wake);
		pthread_mutex_unlock(&x->lock);
		pthread_join(x->thread, NULL);
	}
	pthread_mutex_destroy(&x->lock);
	pthread_cond_destroy(&x->wake);
	pthread_cond_destroy(&x->arrived);
	rt_free(x);
}

void frames_want(struct frames *x, uint32_t slot, uint32_t view)
{
	pthread_mutex_lock(&x->lock);
	x->slot[slot] = (struct frame_slot){ .view = view, .wanted = true };
	pthread_cond_signal(&x->wake);
	pthread_mutex_unlock(&x->lock);
}

enum edge_status frames_await(struct frames *x, uint32_t slot, struct failure *f)
{
	enum edge_status st;

	pthread_mutex_lock(&x->lock);
	while (!x->slot[slot].done)
		pthread_cond_wait(&x->arrived, &x->lock);
	st = x->slot[slot].status;
	if (st != EDGE_OK)
		rt_fail(f, st, "%s", x->failure.text);
	pthread_mutex_unlock(&x->lock);
	return st;
}

uint32_t frames_view(const struct frames *x, uint32_t slot)
{
	return x->slot[slot].view;
}

uint64_t frames_bytes(struct frames *x)
{
	return atomic_load(&x->bytes);
}
