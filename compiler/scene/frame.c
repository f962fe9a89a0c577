/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.c - from a photograph to a frame: decode, composite, undistort, scale.
 *
 * What is transparent or masked becomes the background before anything is
 * mixed, so that no colour of hidden pixels bleeds in. Then rows of the
 * undistorted photograph are made one at a time, in float, and added to the
 * rows of the frame that they cover: an exact area filter, for sizes that
 * divide and for those that do not, without an image in between.
 *
 * Where the lens shows a pixel is computed for every 8th pixel of a row and
 * taken as straight between them; the bend that this ignores is thousandths of
 * a pixel for lenses that can be undone at all.
 */
#include "config.h"

#include "scene/lens.h"
#include "scene/photo.h"
#include "scene/scene.h"

#include "base/arena.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KNOT = 8 };

/* ---- background */

static uint8_t mix(uint8_t colour, uint8_t background, uint8_t alpha)
{
	return (uint8_t)((colour * alpha + background * (255 - alpha) + 127) / 255);
}

static void composite(struct photo *p, const float background[3])
{
	uint8_t under[3];

	if (!p->alpha)
		return;
	for (int c = 0; c < 3; c++)
		under[c] = (uint8_t)(background[c] * 255 + 0.5f);
	for (size_t i = 0; i < (size_t)p->width * p->height; i++)
		for (int c = 0; c < 3; c++)
			p->rgb[3 * i + c] = mix(p->rgb[3 * i + c], under[c], p->alpha[i]);
}

/* A mask is a picture of the same size: white shows, black hides, grey mixes. */
static bool apply_mask(struct photo *p, const char *path, char *why, size_t why_size)
{
	size_t n = (size_t)p->width * p->height;
	struct photo mask;
	char inner[200];

	if (!photo_read(path, &mask, inner, sizeof inner)) {
		snprintf(why, why_size, "mask \"%s\": %s", path, inner);
		return false;
	}
	if (mask.width != p->width || mask.height != p->height) {
		snprintf(why, why_size, "mask \"%s\" has %u x %u pixels, its photograph %u x %u", path, mask.width,
			 mask.height, p->width, p->height);
		photo_free(&mask);
		return false;
	}
	if (!p->alpha)
		p->alpha = memset(xmalloc(n), 255, n);
	for (size_t i = 0; i < n; i++)
		p->alpha[i] = mix(p->alpha[i], 0, mask.rgb[3 * i]);
	photo_free(&mask);
	return true;
}

/* ---- one row of the undistorted photograph */

static void sample(const struct photo *p, float u, float v, float *out)
{
	float x = u - 0.5f, y = v - 0.5f;
	int x0, y0, x1, y1;
	const uint8_t *a, *b;

	x = x < 0 ? 0 : x > (float)(p->width - 1) ? (float)(p->width - 1) : x;
	y = y < 0 ? 0 : y > (float)(p->height - 1) ? (float)(p->height - 1) : y;
	x0 = (int)x, y0 = (int)y;
	x1 = x0 + (x0 + 1 < (int)p->width), y1 = y0 + (y0 + 1 < (int)p->height);
	x -= (float)x0, y -= (float)y0;
	a = p->rgb + (size_t)y0 * p->width * 3;
	b = p->rgb + (size_t)y1 * p->width * 3;
	for (int c = 0; c < 3; c++) {
		float top = (float)a[3 * x0 + c] * (1 - x) + (float)a[3 * x1 + c] * x;
		float bottom = (float)b[3 * x0 + c] * (1 - x) + (float)b[3 * x1 + c] * x;

		out[c] = top * (1 - y) + bottom * y;
	}
}

/* Where the photograph shows the centre of pixel (i, row) of the undistorted one. */
static void locate(const struct scene_source *s, double i, double row, float *u, float *v)
{
	double xd, yd;

	lens_distort(&s->lens, (i + 0.5 - s->full[2]) / s->full[0], (row + 0.5 - s->full[3]) / s->full[1], &xd, &yd);
	*u = (float)(xd * s->lens.fx + s->lens.cx);
	*v = (float)(yd * s->lens.fy + s->lens.cy);
}

static void undistorted_row(const struct scene_source *s, const struct photo *p, uint32_t row, float *out)
{
	float u0, v0, u1, v1;

	locate(s, 0, row, &u1, &v1);
	for (uint32_t x = 0; x < p->width; x += KNOT) {
		uint32_t n = p->width - x < KNOT ? p->width - x : KNOT;

		u0 = u1, v0 = v1;
		locate(s, x + KNOT, row, &u1, &v1);
		for (uint32_t i = 0; i < n; i++) {
			float f = (float)i / KNOT;

			sample(p, u0 + (u1 - u0) * f, v0 + (v1 - v0) * f, out + 3 * (x + i));
		}
	}
}

static void straight_row(const struct photo *p, uint32_t row, float *out)
{
	const uint8_t *in = p->rgb + (size_t)row * p->width * 3;

	for (size_t i = 0; i < (size_t)p->width * 3; i++)
		out[i] = in[i];
}

/* ---- the area filter */

/* How a pixel of `from` falls onto pixels of `to`: part of it on the first, the rest on the one behind. */
struct share {
	uint32_t first;
	float part, rest; /* of an area of `to`, so that all shares of a pixel of `to` add up to 1 */
};

static void make_shares(struct share *out, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < from; i++) {
		double begin = (double)i * to / from, end = (double)(i + 1) * to / from;
		uint32_t first = (uint32_t)((uint64_t)i * to / from);
		double edge = (double)first + 1;

		out[i].first = first;
		out[i].part = (float)((end < edge ? end : edge) - begin);
		out[i].rest = first + 1 < to && end > edge ? (float)(end - edge) : 0;
	}
}

static void shrink_row(const struct share *s, const float *in, uint32_t from, float *out, uint32_t to)
{
	memset(out, 0, (size_t)(to + 1) * 3 * sizeof *out);
	for (uint32_t i = 0; i < from; i++) {
		float *o = out + 3 * s[i].first;

		for (int c = 0; c < 3; c++) {
			o[c] += in[3 * i + c] * s[i].part;
			o[c + 3] += in[3 * i + c] * s[i].rest;
		}
	}
}

static void store_row(const float *sum, uint32_t n, uint8_t *out)
{
	for (uint32_t i = 0; i < n; i++) {
		float v = sum[i] + 0.5f;

		out[i] = v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
	}
}

struct rows {
	struct share *across, *down;
	float *row, *narrow, *sum; /* of the photograph; of the frame: now, and the two being added up */
};

static void resample(const struct scene_source *s, const struct photo *p, uint32_t w, struct rows *r, uint8_t *rgb)
{
	size_t n = (size_t)w * 3;
	float *now = r->sum, *next = r->sum + n;
	uint32_t at = 0;

	memset(r->sum, 0, 2 * n * sizeof *r->sum);
	for (uint32_t y = 0; y < p->height; y++) {
		const struct share *d = &r->down[y];

		if (s->distorted)
			undistorted_row(s, p, y, r->row);
		else
			straight_row(p, y, r->row);
		shrink_row(r->across, r->row, p->width, r->narrow, w);
		if (d->first != at) { /* at is complete */
			float *swap = now;

			store_row(now, (uint32_t)n, rgb + at * n);
			now = next, next = swap;
			memset(next, 0, n * sizeof *next);
			at = d->first;
		}
		for (size_t i = 0; i < n; i++) {
			now[i] += r->narrow[i] * d->part;
			next[i] += r->narrow[i] * d->rest;
		}
	}
	store_row(now, (uint32_t)n, rgb + at * n);
}

static void make_frame(const struct scene_source *s, const struct photo *p, uint32_t w, uint32_t h, uint8_t *rgb)
{
	struct rows r;

	if (!s->distorted && w == p->width && h == p->height) {
		memcpy(rgb, p->rgb, (size_t)w * h * 3);
		return;
	}
	r.across = xmalloc(p->width * sizeof *r.across);
	r.down = xmalloc(p->height * sizeof *r.down);
	r.row = xmalloc((size_t)p->width * 3 * sizeof *r.row);
	r.narrow = xmalloc((size_t)(w + 1) * 3 * sizeof *r.narrow);
	r.sum = xmalloc((size_t)w * 3 * 2 * sizeof *r.sum);
	make_shares(r.across, p->width, w);
	make_shares(r.down, p->height, h);
	resample(s, p, w, &r, rgb);
	free(r.across);
	free(r.down);
	free(r.row);
	free(r.narrow);
	free(r.sum);
}

bool scene_frame(const struct scene *s, uint32_t view, uint8_t *rgb, char *why, size_t why_size)
{
	const struct scene_source *source = &s->sources.data[view];
	const struct scene_view *v = &s->views.data[view];
	char inner[400];
	struct photo p;
	bool ok;

	if (s->kept && s->kept[view]) {
		memcpy(rgb, s->kept[view], (size_t)v->width * v->height * 3);
		return true;
	}
	if (!photo_read(source->path, &p, inner, sizeof inner)) {
		snprintf(why, why_size, "\"%s\": %s", source->path, inner);
		return false;
	}
	ok = p.width == source->width && p.height == source->height;
	if (!ok) /* the file was replaced since */
		snprintf(inner, sizeof inner, "its size has changed to %u x %u", p.width, p.height);
	else if (source->mask)
		ok = apply_mask(&p, source->mask, inner, sizeof inner);
	if (ok) {
		composite(&p, s->background);
		make_frame(source, &p, v->width, v->height, rgb);
	} else {
		snprintf(why, why_size, "\"%s\": %s", source->path, inner);
	}
	photo_free(&p);
	return ok;
}
