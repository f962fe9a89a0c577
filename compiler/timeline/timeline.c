/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timeline.c - from a scene and a number of bytes to everything that a training run does.
 *
 *	schedule (windows)  ->  memory (cap, colours, moments, keys)  ->  rates, buffers, events, kernels
 */
#include "config.h"

#include "timeline/internal.h"

#include "dsl.h"

void add_note(struct plan_maker *k, const char *topic, const char *fmt, ...)
{
	struct timeline_note n = { .topic = topic };
	va_list ap;

	va_start(ap, fmt);
	n.text = arena_vprintf(k->arena, fmt, ap);
	va_end(ap);
	vec_push(k->arena, &k->t->notes, n);
}

static uint32_t whole_tiles(uint32_t n)
{
	return (n + SPLAT_TILE - 1) / SPLAT_TILE * SPLAT_TILE;
}

static bool check_scene(struct plan_maker *k)
{
	const struct scene *s = k->r->scene;

	if (!s->train_count || !s->points.len || !s->width || !s->height) {
		diag_error(k->diag, s->span, "scene %s has %u views to train on and %u points", s->name, s->train_count,
			   s->points.len);
		return false;
	}
	if (s->width > 16384 || s->height > 16384) {
		diag_error(k->diag, s->span, "scene %s: views of %u x %u pixels are not supported", s->name, s->width,
			   s->height);
		diag_hint(k->diag, "Say: downscale N; the most is 16384 pixels on a side.");
		return false;
	}
	return true;
}

struct timeline *timeline_make(struct arena *a, const struct timeline_request *r, struct diag *d)
{
	struct timeline *t = arena_new(a, struct timeline);
	struct plan_maker k = { .arena = a, .diag = d, .r = r, .t = t };
	struct edge_train *x = &t->train;

	if (!check_scene(&k))
		return NULL;
	x->steps = r->train->steps;
	set_degree(x, MOST_DEGREE);
	x->tile_width = x->tile_height = SPLAT_TILE;
	x->width = r->scene->width;
	x->height = r->scene->height;
	x->stride = whole_tiles(x->width);
	x->rows = whole_tiles(x->height);
	x->train_views = r->scene->train_count;
	x->held_out_views = r->scene->held_out_count;
	derive_schedule(&k);
	if (!derive_memory(&k))
		return NULL;
	derive_rates(&k);
	place_buffers(&k);
	list_events(&k);
	return make_steps(&k) ? t : NULL;
}
