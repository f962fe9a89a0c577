/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import.c - from what a reader found to a scene: photographs looked at, views
 * sorted and split, sizes of frames, extent, points.
 */
#include "config.h"

#include "scene/capture.h"
#include "scene/lens.h"
#include "scene/photo.h"
#include "scene/points.h"

#include "base/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LEAST_SIDE = 8, RANDOM_POINTS = 100000 };

struct importing {
	struct arena *arena;
	struct diag *diag;
	const struct decl_scene *decl;
	struct capture capture;
	struct scene *scene;
	VEC(const char *) missing;
	bool rescaled; /* photographs of another size than their cameras: said once */
};

/* ---- photographs */

static bool is_missing(const char *path)
{
	struct stat st;

	return stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Missing photographs are said together, at the end. */
static bool report_missing(struct importing *m)
{
	uint32_t n = m->missing.len, all = m->capture.images.len, most = 100;
	struct strbuf names = { 0 };

	if (!n)
		return true;
	if (m->decl->allow_missing)
		diag_warning(m->diag, m->decl->path_span, "%u of the %u photographs of scene \"%s\" are missing and left out",
			     n, all, m->decl->name);
	else
		diag_error(m->diag, m->decl->path_span, "%u of the %u photographs of scene \"%s\" are missing", n, all,
			   m->decl->name);
	for (uint32_t i = 0; i < n && i < most; i++)
		strbuf_printf(&names, "%s%s", i ? ", " : "", m->missing.data[i]);
	if (n > most)
		strbuf_printf(&names, " and %u more", n - most);
	diag_note(m->diag, NO_SPAN, "%s %s not there", strbuf_str(&names), n > 1 ? "are" : "is");
	strbuf_free(&names);
	if (!m->decl->allow_missing)
		diag_hint(m->diag, "Add allow missing; to train without them.");
	return m->decl->allow_missing;
}

/* Calibrated at another size: the same picture scaled, up to the rounding of its sides. */
static bool fit_lens(struct importing *m, const struct capture_camera *c, const struct photo_info *p, const char *path,
		     struct scene_lens *out)
{
	double sx = (double)p->width / c->width, sy = (double)p->height / c->height;

	*out = c->lens;
	if (p->width == c->width && p->height == c->height)
		return true;
	if (fabs(c->height * sx - p->height) > 1 && fabs(c->width * sy - p->width) > 1) {
		diag_error(m->diag, m->decl->path_span, "photograph \"%s\" has %u x %u pixels, its camera %u x %u", path,
			   p->width, p->height, c->width, c->height);
		if (p->width == c->height && p->height == c->width)
			diag_hint(m->diag, "It was turned after the capture was made; its pixels are used as they are stored.");
		return false;
	}
	if (!m->rescaled)
		diag_warning(m->diag, m->decl->path_span,
			     "photographs have %u x %u pixels, their cameras %u x %u: the cameras are scaled", p->width,
			     p->height, c->width, c->height);
	m->rescaled = true;
	out->fx *= sx;
	out->cx *= sx;
	out->fy *= sy;
	out->cy *= sy;
	return true;
}

/* The photograph of a mask folder that belongs to it: its name with .png behind, or instead of its ending. */
static const char *find_mask(struct importing *m, const struct capture_image *image)
{
	const char *dot = strrchr(image->name, '.'), *candidate;
	struct stat st;

	if (image->mask || !m->decl->mask)
		return image->mask;
	candidate = path_join(m->arena, m->decl->mask, arena_printf(m->arena, "%s.png", image->name));
	if (stat(candidate, &st) == 0)
		return candidate;
	if (dot && !strchr(dot, '/')) {
		candidate = path_join(m->arena, m->decl->mask,
				      arena_printf(m->arena, "%.*s.png", (int)(dot - image->name), image->name));
		if (stat(candidate, &st) == 0)
			return candidate;
	}
	candidate = path_join(m->arena, m->decl->mask, image->name);
	if (stat(candidate, &st) == 0)
		return candidate;
	diag_error(m->diag, m->decl->mask_span, "photograph \"%s\" has no mask in \"%s\"", image->name, m->decl->mask);
	return NULL;
}

static bool add_view(struct importing *m, const struct capture_image *image, const struct photo_info *p)
{
	const struct capture_camera *c = &m->capture.cameras.data[image->camera];
	struct scene_source s = { .path = image->path, .width = p->width, .height = p->height };
	struct scene_view v = { .name = image->name, .width = p->width / m->decl->downscale,
				.height = p->height / m->decl->downscale, .held_out = image->split == CAPTURE_HELD_OUT };
	double sx, sy;

	if (v.width < LEAST_SIDE || v.height < LEAST_SIDE) {
		diag_error(m->diag, m->decl->path_span, "photograph \"%s\" has %u x %u pixels, at downscale %u %u x %u",
			   image->path, p->width, p->height, m->decl->downscale, v.width, v.height);
		return false;
	}
	s.mask = find_mask(m, image);
	if ((m->decl->mask && !s.mask) || !fit_lens(m, c, p, image->path, &s.lens))
		return false;
	if (!lens_pinhole(&s.lens, p->width, p->height, s.full)) {
		diag_error(m->diag, m->decl->path_span, "the distortion of the lens of \"%s\" cannot be undone over the whole "
			   "photograph", image->path);
		return false;
	}
	s.distorted = lens_distorts(&s.lens);
	sx = (double)v.width / p->width;
	sy = (double)v.height / p->height;
	v.fx = s.full[0] * sx;
	v.fy = s.full[1] * sy;
	v.cx = s.full[2] * sx;
	v.cy = s.full[3] * sy;
	memcpy(v.R, image->R, sizeof v.R);
	memcpy(v.t, image->t, sizeof v.t);
	vec_push(m->arena, &m->scene->views, v);
	vec_push(m->arena, &m->scene->sources, s);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct capture_image *)a)->name, ((const struct capture_image *)b)->name);
}

static bool look_at_photographs(struct importing *m)
{
	struct capture *c = &m->capture;
	char why[400];

	qsort(c->images.data, c->images.len, sizeof *c->images.data, by_name);
	for (uint32_t i = 0; i < c->images.len; i++) {
		const struct capture_image *image = &c->images.data[i];
		struct photo_info info;

		if (i && !strcmp(image->name, c->images.data[i - 1].name)) {
			diag_error(m->diag, m->decl->path_span, "photograph \"%s\" is there twice", image->name);
			return false;
		}
		if (is_missing(image->path)) {
			vec_push(m->arena, &m->missing, image->name);
			continue;
		}
		if (!photo_info(image->path, &info, why, sizeof why)) {
			diag_error(m->diag, m->decl->path_span, "could not read photograph \"%s\": %s", image->path, why);
			return false;
		}
		if (!add_view(m, image, &info))
			return false;
	}
	return report_missing(m);
}

/* ---- what follows from all views together */

static bool split_views(struct importing *m)
{
	struct scene *s = m->scene;
	bool own = m->capture.images.len && m->capture.images.data[0].split != CAPTURE_BY_NAME;

	for (uint32_t i = 0; i < s->views.len; i++) {
		struct scene_view *v = &s->views.data[i];
		uint64_t bytes = (uint64_t)v->width * v->height * 3;

		if (!own && m->decl->holdout)
			v->held_out = i % m->decl->holdout == 0;
		*(v->held_out ? &s->held_out_count : &s->train_count) += 1;
		s->width = v->width > s->width ? v->width : s->width;
		s->height = v->height > s->height ? v->height : s->height;
		s->frame_bytes = bytes > s->frame_bytes ? bytes : s->frame_bytes;
	}
	if (s->train_count)
		return true;
	diag_error(m->diag, m->decl->span, "scene \"%s\" has no view to train on, and %u held out", m->decl->name,
		   s->held_out_count);
	return false;
}

static void place_of(const struct scene_view *v, double out[3])
{
	for (int i = 0; i < 3; i++)
		out[i] = -(v->R[i] * v->t[0] + v->R[3 + i] * v->t[1] + v->R[6 + i] * v->t[2]);
}

static double distance(const double a[3], const double b[3])
{
	return sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]));
}

static double mean_distance(const struct scene_point *p, size_t n, const double from[3])
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += distance((double[3]){ (double)p[i].x, (double)p[i].y, (double)p[i].z }, from) / n;
	return sum;
}

/* Cameras in one place have no extent; then that of the points serves, or 1. */
static void measure_extent(struct importing *m)
{
	struct scene *s = m->scene;
	double place[3], most = 0, mean;

	for (uint32_t i = 0; i < s->views.len; i++) {
		place_of(&s->views.data[i], place);
		for (int c = 0; c < 3 && !s->views.data[i].held_out; c++)
			s->centre[c] += place[c] / s->train_count;
	}
	for (uint32_t i = 0; i < s->views.len; i++) {
		place_of(&s->views.data[i], place);
		if (!s->views.data[i].held_out)
			most = fmax(most, distance(place, s->centre));
	}
	s->extent = 1.1 * most;
	if (s->extent > 1e-9 * (1 + fabs(s->centre[0]) + fabs(s->centre[1]) + fabs(s->centre[2])))
		return;
	mean = mean_distance(m->capture.points.data, m->capture.points.len, s->centre);
	s->extent = mean > 0 ? 0.3 * mean : 1;
}

static bool take_points(struct importing *m)
{
	const struct decl_scene *decl = m->decl;
	const struct capture *c = &m->capture;
	struct scene *s = m->scene;

	if (decl->points == DECL_POINTS_SFM && !c->has_points) {
		diag_error(m->diag, decl->points_span, "the capture of scene \"%s\" has no points", decl->name);
		diag_hint(m->diag, "Write points random; or leave the statement out.");
		return false;
	}
	s->points_are_random = decl->points == DECL_POINTS_RANDOM || !c->has_points;
	s->seed = decl->seed;
	if (s->points_are_random) {
		if (!points_random(m->arena, m->diag, s, decl->point_count ? decl->point_count : RANDOM_POINTS, s->seed))
			return false;
	} else if (!c->points.len) {
		diag_error(m->diag, decl->path_span, "\"%s\" holds no points", c->points_file);
		diag_hint(m->diag, "Write points random; to start without them.");
		return false;
	} else {
		vec_reserve(m->arena, &s->points, c->points.len);
		memcpy(s->points.data, c->points.data, c->points.len * sizeof *s->points.data);
		s->points.len = c->points.len;
	}
	points_scale(s);
	return true;
}

/* The usual near plane is for scenes of some units across; where cameras and points lie closer together it would hide them. */
static void measure_near(struct scene *s)
{
	s->near = fmin(0.2, 0.05 * fmax(s->extent, mean_distance(s->points.data, s->points.len, s->centre)));
}

static bool sees(const struct scene_view *v, const struct scene_point *p)
{
	double at[3] = { (double)p->x, (double)p->y, (double)p->z }, c[3], x, y;

	for (int i = 0; i < 3; i++)
		c[i] = v->R[3 * i] * at[0] + v->R[3 * i + 1] * at[1] + v->R[3 * i + 2] * at[2] + v->t[i];
	x = v->fx * c[0] + v->cx * c[2];
	y = v->fy * c[1] + v->cy * c[2];
	return c[2] > 0 && x >= 0 && y >= 0 && x <= v->width * c[2] && y <= v->height * c[2];
}

/* Poses in another convention, or of another reconstruction, train to nothing. */
static void look_for_points(struct importing *m)
{
	const struct scene *s = m->scene;
	uint32_t blind = 0;

	for (uint32_t i = 0; i < s->views.len; i++) {
		uint32_t k = 0;

		while (k < s->points.len && !sees(&s->views.data[i], &s->points.data[k]))
			k++;
		blind += k == s->points.len;
	}
	if (!blind)
		return;
	diag_warning(m->diag, m->decl->path_span, "%u of the %u views of scene \"%s\" see none of its points", blind,
		     s->views.len, m->decl->name);
	diag_hint(m->diag, "The poses of cameras may be of another convention, or belong to other points.");
}

struct scene *scene_import(struct arena *a, struct diag *d, const struct decl_scene *decl)
{
	struct importing m = { .arena = a, .diag = d, .decl = decl, .scene = arena_new(a, struct scene) };
	bool white = decl->background == DECL_BACKGROUND_WHITE, ok;

	m.scene->name = decl->name;
	m.scene->span = decl->span;
	for (int i = 0; i < 3; i++)
		m.scene->background[i] = white ? 1 : 0;
	if (decl->background == DECL_BACKGROUND_RANDOM) {
		diag_error(d, decl->background_span, "background random is not supported");
		diag_hint(d, "Transparent pixels can become black or white.");
		return NULL;
	}
	ok = decl->capture == DECL_CAPTURE_COLMAP ? colmap_read(a, d, decl, &m.capture)
						   : transforms_read(a, d, decl, &m.capture);
	if (ok && !m.capture.images.len) {
		diag_error(d, decl->path_span, "scene \"%s\" has no photographs", decl->name);
		ok = false;
	}
	if (!ok || !look_at_photographs(&m) || !split_views(&m))
		return NULL;
	measure_extent(&m);
	if (!take_points(&m))
		return NULL;
	measure_near(m.scene);
	look_for_points(&m);
	return m.scene;
}
