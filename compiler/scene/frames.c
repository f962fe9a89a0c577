/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.c - decoding ahead, in order.
 *
 * Threads take the next view as long as a slot is free; the caller's thread
 * takes finished frames in order and frees their slots. Photographs are large
 * and the threads few, so one mutex is enough.
 */
#include "config.h"

#include "scene/frames.h"

#include "base/progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_THREADS = 16 };

struct slot {
	uint8_t *rgb;
	bool ready, failed;
	char why[500];
};

struct frames {
	const struct scene *scene;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t next, used; /* views taken, views used */
	uint32_t slots;
	struct slot slot[MAX_THREADS + 2]; /* of view i: i % slots */
	bool stop;
};

static void *decode_views(void *context)
{
	struct frames *f = context;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		struct slot *s;
		uint32_t view;

		while (!f->stop && f->next < f->scene->views.len && f->next >= f->used + f->slots)
			pthread_cond_wait(&f->changed, &f->lock);
		if (f->stop || f->next == f->scene->views.len)
			break;
		view = f->next++;
		s = &f->slot[view % f->slots];
		pthread_mutex_unlock(&f->lock);
		s->failed = !scene_frame(f->scene, view, s->rgb, s->why, sizeof s->why);
		pthread_mutex_lock(&f->lock);
		s->ready = true;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

static bool use_views(struct frames *f, struct diag *d, const char *what,
		      bool (*use)(void *, uint32_t, const uint8_t *), void *context)
{
	struct progress p;
	bool ok = true;

	progress_begin(&p, what, f->scene->views.len);
	for (uint32_t view = 0; ok && view < f->scene->views.len; view++) {
		struct slot *s = &f->slot[view % f->slots];

		pthread_mutex_lock(&f->lock);
		while (!s->ready)
			pthread_cond_wait(&f->changed, &f->lock);
		pthread_mutex_unlock(&f->lock);
		if (s->failed)
			diag_error(d, NO_SPAN, "could not read photograph %s", s->why);
		ok = !s->failed && use(context, view, s->rgb);
		pthread_mutex_lock(&f->lock);
		s->ready = false;
		f->used = view + 1;
		f->stop = !ok;
		pthread_cond_broadcast(&f->changed);
		pthread_mutex_unlock(&f->lock);
		progress_step(&p, view + 1);
	}
	progress_end(&p);
	return ok;
}

bool frames_each(const struct scene *s, struct diag *d, const char *what,
		 bool (*use)(void *context, uint32_t view, const uint8_t *rgb), void *context)
{
	struct frames *f = xmalloc(sizeof *f);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t threads = processors < 1 ? 1 : processors > MAX_THREADS ? MAX_THREADS : (uint32_t)processors, started = 0;
	pthread_t thread[MAX_THREADS];
	bool ok;

	*f = (struct frames){ .scene = s, .slots = threads + 2 };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	for (uint32_t i = 0; i < f->slots; i++)
		f->slot[i].rgb = xmalloc(s->frame_bytes + 1);
	while (started < threads && pthread_create(&thread[started], NULL, decode_views, f) == 0)
		started++;
	ok = started > 0;
	if (ok)
		ok = use_views(f, d, what, use, context);
	else
		diag_error(d, NO_SPAN, "could not start a thread");
	for (uint32_t i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	for (uint32_t i = 0; i < f->slots; i++)
		free(f->slot[i].rgb);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return ok;
}
