/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points_random.c - points for a capture that has none.
 *
 * The subject is where the cameras look: the place nearest to all their axes,
 * at the distance F from the middle camera. A point is a random pixel of a
 * random training view at a depth between F/2 and 16 F whose inverse is
 * uniform, so half the points are nearer than F and half lie behind it, and all
 * are about equally dense as the cameras see them. Of these only such are kept
 * that another view sees too. A point has the mean colour of the views that see
 * it.
 */
#include "config.h"

#include "scene/frames.h"
#include "scene/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Small pictures of the training views, for colours. */
enum { THUMB = 48, MAX_VIEWS = 64 };

struct thumb {
	uint32_t view;
	uint8_t rgb[THUMB * THUMB * 3];
};

struct sampler {
	const struct scene *scene;
	struct thumb *thumb; /* by number of training view, at most MAX_VIEWS of them, spread over all */
	uint32_t thumbs;
	uint32_t *thumb_of; /* by view; UINT32_MAX: none */
	uint64_t state;
	double distance;
};

static void place_of(const struct scene_view *v, double out[3])
{
	for (int i = 0; i < 3; i++)
		out[i] = -(v->R[i] * v->t[0] + v->R[3 + i] * v->t[1] + v->R[6 + i] * v->t[2]);
}

/* Solves the symmetric 3 x 3 system; it is positive definite by construction. */
static void solve(double A[9], double b[3])
{
	for (int i = 0; i < 3; i++)
		for (int k = i + 1; k < 3; k++) {
			double f = A[3 * k + i] / A[3 * i + i];

			for (int c = i; c < 3; c++)
				A[3 * k + c] -= f * A[3 * i + c];
			b[k] -= f * b[i];
		}
	for (int i = 2; i >= 0; i--) {
		for (int c = i + 1; c < 3; c++)
			b[i] -= A[3 * i + c] * b[c];
		b[i] /= A[3 * i + i];
	}
}

/*
 * The place with the least squared distance to all axes. A little weight on a
 * place in front of the cameras decides where the axes are parallel.
 */
static void find_focus(const struct scene *s, double focus[3])
{
	double A[9] = { 0 }, b[3] = { 0 }, mean[3] = { 0 }, weight = 0.01 * s->train_count;

	for (uint32_t v = 0; v < s->views.len; v++) {
		const double *axis = s->views.data[v].R + 6;
		double place[3];

		if (s->views.data[v].held_out)
			continue;
		place_of(&s->views.data[v], place);
		for (int i = 0; i < 3; i++) {
			mean[i] += axis[i] / s->train_count;
			for (int k = 0; k < 3; k++) {
				double m = (i == k) - axis[i] * axis[k];

				A[3 * i + k] += m;
				b[i] += m * place[k];
			}
		}
	}
	for (int i = 0; i < 3; i++) {
		A[4 * i] += weight;
		b[i] += weight * (s->centre[i] + 2 * s->extent * mean[i]);
	}
	solve(A, b);
	memcpy(focus, b, 3 * sizeof *focus);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median depth of the focus in the training views that have it before them. */
static double focus_distance(const struct scene *s)
{
	double *depth = xmalloc((s->train_count + 1) * sizeof *depth), focus[3], out;
	uint32_t n = 0;

	find_focus(s, focus);
	for (uint32_t v = 0; v < s->views.len; v++) {
		const struct scene_view *view = &s->views.data[v];
		double z = view->R[6] * focus[0] + view->R[7] * focus[1] + view->R[8] * focus[2] + view->t[2];

		if (!view->held_out && z > 0)
			depth[n++] = z;
	}
	qsort(depth, n, sizeof *depth, by_value);
	out = n ? depth[n / 2] : 0;
	free(depth);
	return out > 0.05 * s->extent ? out : s->extent;
}

/* ---- colours */

static bool make_thumb(void *context, uint32_t view, const uint8_t *rgb)
{
	struct sampler *p = context;
	const struct scene_view *v = &p->scene->views.data[view];
	struct thumb *t;

	if (p->thumb_of[view] == UINT32_MAX)
		return true;
	t = &p->thumb[p->thumb_of[view]];
	t->view = view;
	for (uint32_t y = 0; y < THUMB; y++)
		for (uint32_t x = 0; x < THUMB; x++) {
			size_t row = (size_t)y * v->height / THUMB, column = (size_t)x * v->width / THUMB;

			memcpy(t->rgb + 3 * (y * THUMB + x), rgb + 3 * (row * v->width + column), 3);
		}
	return true;
}

static bool make_thumbs(struct diag *d, struct sampler *p)
{
	const struct scene *s = p->scene;
	uint32_t seen = 0;

	p->thumbs = s->train_count < MAX_VIEWS ? s->train_count : MAX_VIEWS;
	p->thumb = xmalloc(p->thumbs * sizeof *p->thumb);
	p->thumb_of = xmalloc(s->views.len * sizeof *p->thumb_of);
	for (uint32_t v = 0; v < s->views.len; v++) {
		uint32_t before = (uint32_t)((uint64_t)seen * p->thumbs / s->train_count);

		p->thumb_of[v] = UINT32_MAX;
		if (s->views.data[v].held_out)
			continue;
		seen++;
		if ((uint64_t)seen * p->thumbs / s->train_count > before)
			p->thumb_of[v] = before;
	}
	return frames_each(s, d, "looking at the photographs", make_thumb, p);
}

/* The colour that a view has there; false: it does not see the place. */
static bool look(const struct thumb *t, const struct scene_view *v, const double at[3], uint32_t sum[3])
{
	double c[3], x, y;
	const uint8_t *rgb;

	for (int i = 0; i < 3; i++)
		c[i] = v->R[3 * i] * at[0] + v->R[3 * i + 1] * at[1] + v->R[3 * i + 2] * at[2] + v->t[i];
	if (!(c[2] > 0))
		return false;
	x = (v->fx * c[0] / c[2] + v->cx) / v->width * THUMB;
	y = (v->fy * c[1] / c[2] + v->cy) / v->height * THUMB;
	if (!(x >= 0) || !(y >= 0) || x >= THUMB || y >= THUMB)
		return false;
	rgb = t->rgb + 3 * ((uint32_t)y * THUMB + (uint32_t)x);
	for (int i = 0; i < 3; i++)
		sum[i] += rgb[i];
	return true;
}

/* ---- places */

static void random_place(struct sampler *p, double out[3])
{
	const struct thumb *t = &p->thumb[points_next(&p->state) % p->thumbs];
	const struct scene_view *v = &p->scene->views.data[t->view];
	double inverse = 2 + points_uniform(&p->state) * (1.0 / 16 - 2), z = p->distance / inverse, place[3];
	double c[3] = { (points_uniform(&p->state) * v->width - v->cx) / v->fx * z,
			(points_uniform(&p->state) * v->height - v->cy) / v->fy * z, z };

	place_of(v, place);
	for (int i = 0; i < 3; i++)
		out[i] = place[i] + v->R[i] * c[0] + v->R[3 + i] * c[1] + v->R[6 + i] * c[2];
}

static struct scene_point random_point(struct sampler *p)
{
	enum { TRIES = 20 };
	uint32_t need = p->thumbs > 2 ? 2 : 1, seen = 0, sum[3] = { 0 };
	double at[3] = { 0 };

	for (int i = 0; i < TRIES && seen < need; i++) {
		random_place(p, at);
		memset(sum, 0, sizeof sum);
		seen = 0;
		for (uint32_t t = 0; t < p->thumbs; t++)
			seen += look(&p->thumb[t], &p->scene->views.data[p->thumb[t].view], at, sum);
	}
	if (!seen)
		seen = 1;
	return (struct scene_point){ .x = (float)at[0], .y = (float)at[1], .z = (float)at[2],
				     .r = (uint8_t)(sum[0] / seen), .g = (uint8_t)(sum[1] / seen),
				     .b = (uint8_t)(sum[2] / seen) };
}

bool points_random(struct arena *a, struct diag *d, struct scene *s, uint32_t count, uint64_t seed)
{
	struct sampler p = { .scene = s, .state = seed, .distance = focus_distance(s) };
	bool ok = make_thumbs(d, &p);

	if (ok)
		vec_reserve(a, &s->points, count);
	for (uint32_t i = 0; ok && i < count; i++)
		s->points.data[s->points.len++] = random_point(&p);
	free(p.thumb);
	free(p.thumb_of);
	return ok;
}
