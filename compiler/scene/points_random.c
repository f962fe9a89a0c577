/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points_random.c - points for a capture that has none.
 *
 * The subject is where the cameras look: the place nearest to all their axes,
 * at the distance F from the middle camera. A point lies on the ray through a
 * random pixel of a random training view, at a depth between F/2 and 16 F whose
 * inverse is uniform, so half of all depths are nearer than F and half lie
 * behind it. Of a few depths the one is taken at which the other views that see
 * the place agree best with the pixel's colour: where something is seen, there
 * points gather, and where nothing can be told, they stay spread. A point has
 * the mean colour of the views that agree.
 */
#include "config.h"

#include "scene/frames.h"
#include "scene/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Small pictures of the training views, for colours. */
enum { THUMB = 96, MAX_VIEWS = 64, KEPT_MOST = 256 << 20 };

struct thumb {
	uint32_t view;
	uint8_t rgb[THUMB * THUMB * 3];
};

struct sampler {
	struct arena *arena;
	const uint8_t **frames; /* kept */
	size_t kept;		/* bytes */
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

/* Mean colour of the part of a frame that one pixel of the small picture stands for. */
static void average(const struct scene_view *v, const uint8_t *rgb, uint32_t tx, uint32_t ty, uint8_t *out)
{
	uint32_t x0 = tx * v->width / THUMB, x1 = (tx + 1) * v->width / THUMB, y0 = ty * v->height / THUMB;
	uint32_t y1 = (ty + 1) * v->height / THUMB, sum[3] = { 0 }, n;

	x1 = x1 > x0 ? x1 : x0 + 1;
	y1 = y1 > y0 ? y1 : y0 + 1;
	n = (x1 - x0) * (y1 - y0);
	for (uint32_t y = y0; y < y1; y++)
		for (uint32_t x = x0; x < x1; x++)
			for (int c = 0; c < 3; c++)
				sum[c] += rgb[3 * ((size_t)y * v->width + x) + c];
	for (int c = 0; c < 3; c++)
		out[c] = (uint8_t)((sum[c] + n / 2) / n);
}

/* The plan wants the frames too: decoding takes longer than anything else does. */
static void keep_frame(struct sampler *p, uint32_t view, const uint8_t *rgb)
{
	const struct scene_view *v = &p->scene->views.data[view];
	size_t bytes = (size_t)v->width * v->height * 3;

	if (p->kept + bytes > KEPT_MOST)
		return;
	p->kept += bytes;
	p->frames[view] = memcpy(arena_alloc(p->arena, bytes), rgb, bytes);
}

static bool make_thumb(void *context, uint32_t view, const uint8_t *rgb)
{
	struct sampler *p = context;
	const struct scene_view *v = &p->scene->views.data[view];
	struct thumb *t;

	keep_frame(p, view, rgb);
	if (p->thumb_of[view] == UINT32_MAX)
		return true;
	t = &p->thumb[p->thumb_of[view]];
	t->view = view;
	for (uint32_t y = 0; y < THUMB; y++)
		for (uint32_t x = 0; x < THUMB; x++)
			average(v, rgb, x, y, t->rgb + 3 * (y * THUMB + x));
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
static bool look(const struct thumb *t, const struct scene_view *v, const double at[3], const uint8_t **rgb)
{
	double c[3], x, y;

	for (int i = 0; i < 3; i++)
		c[i] = v->R[3 * i] * at[0] + v->R[3 * i + 1] * at[1] + v->R[3 * i + 2] * at[2] + v->t[i];
	if (!(c[2] > 0))
		return false;
	x = (v->fx * c[0] / c[2] + v->cx) / v->width * THUMB;
	y = (v->fy * c[1] / c[2] + v->cy) / v->height * THUMB;
	if (!(x >= 0) || !(y >= 0) || x >= THUMB || y >= THUMB)
		return false;
	*rgb = t->rgb + 3 * ((uint32_t)y * THUMB + (uint32_t)x);
	return true;
}

/* ---- places */

struct ray {
	uint32_t thumb;
	double from[3], way[3]; /* way: of depth 1 */
	const uint8_t *rgb;
};

static struct ray random_ray(struct sampler *p)
{
	struct ray r = { .thumb = (uint32_t)(points_next(&p->state) % p->thumbs) };
	const struct scene_view *v = &p->scene->views.data[p->thumb[r.thumb].view];
	double x = points_uniform(&p->state), y = points_uniform(&p->state);
	double c[3] = { (x * v->width - v->cx) / v->fx, (y * v->height - v->cy) / v->fy, 1 };

	place_of(v, r.from);
	for (int i = 0; i < 3; i++)
		r.way[i] = v->R[i] * c[0] + v->R[3 + i] * c[1] + v->R[6 + i] * c[2];
	r.rgb = p->thumb[r.thumb].rgb + 3 * ((uint32_t)(y * THUMB) * THUMB + (uint32_t)(x * THUMB));
	return r;
}

struct sight {
	int difference; /* from the ray's colour, summed over the channels */
	const uint8_t *rgb;
};

static int by_difference(const void *a, const void *b)
{
	return ((const struct sight *)a)->difference - ((const struct sight *)b)->difference;
}

/*
 * How unlike the ray's colour the place looks from elsewhere: the mean
 * difference of the nearer half of the views that see it, since others may
 * have something in between. *mean: their mean colour, with the ray's.
 * Negative: no other view sees it.
 */
static double unlike(const struct sampler *p, const struct ray *r, const double at[3], uint8_t mean[3])
{
	struct sight sight[MAX_VIEWS];
	uint32_t n = 0, half, sum = 0, colour[3] = { r->rgb[0], r->rgb[1], r->rgb[2] };

	for (uint32_t t = 0; t < p->thumbs; t++) {
		const uint8_t *rgb;

		if (t == r->thumb || !look(&p->thumb[t], &p->scene->views.data[p->thumb[t].view], at, &rgb))
			continue;
		sight[n].rgb = rgb;
		sight[n++].difference = abs(rgb[0] - r->rgb[0]) + abs(rgb[1] - r->rgb[1]) + abs(rgb[2] - r->rgb[2]);
	}
	qsort(sight, n, sizeof *sight, by_difference);
	half = (n + 1) / 2;
	for (uint32_t i = 0; i < half; i++) {
		sum += (uint32_t)sight[i].difference;
		for (int c = 0; c < 3; c++)
			colour[c] += sight[i].rgb[c];
	}
	for (int c = 0; c < 3; c++)
		mean[c] = (uint8_t)(colour[c] / (half + 1));
	return n ? (double)sum / half : -1;
}

/* The best of a few places on a ray; another ray where no other view sees any. */
static struct scene_point random_point(struct sampler *p)
{
	enum { RAYS = 8, PLACES = 24 };
	double best[3] = { 0 }, least = -1;
	uint8_t colour[3] = { 0 };

	for (uint32_t ray = 0; ray < RAYS && least < 0; ray++) {
		struct ray r = random_ray(p);

		for (uint32_t i = 0; i < PLACES; i++) {
			double depth = p->distance / (2 + points_uniform(&p->state) * (1.0 / 16 - 2)), at[3], d;
			uint8_t mean[3];

			for (int k = 0; k < 3; k++)
				at[k] = r.from[k] + r.way[k] * depth;
			d = unlike(p, &r, at, mean);
			if (i && (d < 0 || (least >= 0 && d >= least)))
				continue;
			memcpy(best, at, sizeof best);
			memcpy(colour, mean, sizeof colour);
			least = d;
		}
	}
	return (struct scene_point){ .x = (float)best[0], .y = (float)best[1], .z = (float)best[2], .r = colour[0],
				     .g = colour[1], .b = colour[2] };
}

bool points_random(struct arena *a, struct diag *d, struct scene *s, uint32_t count, uint64_t seed)
{
	struct sampler p = { .scene = s, .arena = a, .state = seed, .distance = focus_distance(s) };
	bool ok;

	p.frames = arena_new_array(a, const uint8_t *, s->views.len);
	ok = make_thumbs(d, &p);
	s->kept = p.frames;
	if (ok)
		vec_reserve(a, &s->points, count);
	for (uint32_t i = 0; ok && i < count; i++)
		s->points.data[s->points.len++] = random_point(&p);
	free(p.thumb);
	free(p.thumb_of);
	return ok;
}
