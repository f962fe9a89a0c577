/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_splat_blend.c - the order of splats, blending from front to back, and its derivative.
 *
 * Every pixel looks at every splat: there are no tiles and no extents here, so
 * that whatever a kernel leaves out it must leave out without changing a pixel.
 */
#include "config.h"

#include "ref/ref_splat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct by_depth {
	double depth;
	uint32_t index;
};

static int compare_depth(const void *a, const void *b)
{
	const struct by_depth *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

uint32_t ref_splat_order(const struct ref_splat *splat, uint32_t count, uint32_t *order)
{
	struct by_depth *sorted = calloc(count ? count : 1, sizeof(*sorted));
	uint32_t n = 0;

	if (!sorted)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		if (splat[i].visible)
			sorted[n++] = (struct by_depth){ splat[i].depth, i };
	qsort(sorted, n, sizeof(*sorted), compare_depth);
	for (uint32_t i = 0; i < n; i++)
		order[i] = sorted[i].index;
	free(sorted);
	return n;
}

/* One splat at one pixel. */
struct touch {
	double dx, dy;
	double falloff; /* e to the power of the quadratic form */
	double alpha;
	bool cut; /* alpha was larger */
};

static void closer(double *margin, double value, double limit)
{
	*margin = fmin(*margin, fabs(value / limit - 1));
}

/* False: contributes nothing. */
static bool touch_pixel(const struct ref_splat *s, uint32_t x, uint32_t y, struct touch *t, double *margin)
{
	double power;

	t->dx = s->mean[0] - x;
	t->dy = s->mean[1] - y;
	power = -0.5 * (s->conic[0] * t->dx * t->dx + s->conic[2] * t->dy * t->dy) -
		s->conic[1] * t->dx * t->dy;
	if (!(power <= 0) || power < -12) /* e^-12 is far below the least alpha */
		return false;
	t->falloff = exp(power);
	t->alpha = s->opacity * t->falloff;
	closer(margin, t->alpha, REF_SPLAT_ALPHA_MIN);
	closer(margin, t->alpha, REF_SPLAT_ALPHA_MAX);
	t->cut = t->alpha > REF_SPLAT_ALPHA_MAX;
	if (t->cut)
		t->alpha = REF_SPLAT_ALPHA_MAX;
	return t->alpha >= REF_SPLAT_ALPHA_MIN;
}

/* One pixel; calls itself done where transmittance would fall below the least. */
struct pixel {
	double colour[3], transmittance, margin, depth;
	uint32_t contributors;
};

/* step, if not NULL, gets what each contributor was: its index in which[]. */
static void blend_pixel(const struct ref_splat *splat, const uint32_t *order, uint32_t count, uint32_t x,
			uint32_t y, struct pixel *p, double *importance, struct touch *step, uint32_t *which)
{
	*p = (struct pixel){ .transmittance = 1, .margin = 1 };
	for (uint32_t k = 0; k < count; k++) {
		const struct ref_splat *s = &splat[order[k]];
		struct touch t;
		double left, weight;

		if (!touch_pixel(s, x, y, &t, &p->margin))
			continue;
		left = p->transmittance * (1 - t.alpha);
		closer(&p->margin, left, REF_SPLAT_TRANSMITTANCE_MIN);
		if (left < REF_SPLAT_TRANSMITTANCE_MIN)
			break;
		weight = t.alpha * p->transmittance;
		for (int c = 0; c < 3; c++)
			p->colour[c] += weight * s->colour[c];
		p->depth += weight * s->depth;
		if (importance)
			importance[order[k]] = fmax(importance[order[k]], weight);
		if (step) {
			step[p->contributors] = t;
			which[p->contributors] = order[k];
		}
		p->transmittance = left;
		p->contributors++;
	}
}

void ref_splat_blend(const struct ref_splat *splat, const uint32_t *order, uint32_t count, uint32_t width,
		     uint32_t height, const double background[3], const struct ref_pixels *out,
		     double *importance)
{
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++) {
			size_t at = (size_t)y * width + x;
			struct pixel p;

			blend_pixel(splat, order, count, x, y, &p, importance, NULL, NULL);
			for (int c = 0; c < 3 && out->image; c++)
				out->image[3 * at + (size_t)c] = p.colour[c] + p.transmittance * background[c];
			if (out->transmittance)
				out->transmittance[at] = p.transmittance;
			if (out->contributors)
				out->contributors[at] = p.contributors;
			if (out->margin)
				out->margin[at] = p.margin;
			if (out->depth)
				out->depth[at] = p.depth;
		}
}

/* dL/dalpha = h / alpha of one contributor goes to what alpha is made of. */
static void touch_backward(const struct ref_splat *s, const struct touch *t, double by_alpha,
			   struct ref_splat_gradient *g)
{
	const double h = t->alpha * by_alpha, u = -(s->conic[0] * t->dx + s->conic[1] * t->dy) * h,
		     v = -(s->conic[2] * t->dy + s->conic[1] * t->dx) * h;

	if (t->cut)
		return;
	g->opacity += t->falloff * by_alpha;
	g->mean[0] += u;
	g->mean[1] += v;
	g->mean_abs[0] += fabs(u);
	g->mean_abs[1] += fabs(v);
	g->conic[0] -= 0.5 * t->dx * t->dx * h;
	g->conic[1] -= t->dx * t->dy * h;
	g->conic[2] -= 0.5 * t->dy * t->dy * h;
}

/* From back to front: transmittance is recovered by division, the colour behind by summing. */
static void pixel_backward(const struct ref_splat *splat, const struct pixel *p, const struct touch *step,
			   const uint32_t *which, const double background[3], const double *by_colour,
			   struct ref_splat_gradient *gradient)
{
	double t = p->transmittance, behind[3] = { 0 };

	for (uint32_t k = p->contributors; k-- > 0;) {
		const struct ref_splat *s = &splat[which[k]];
		const double alpha = step[k].alpha;
		double by_alpha = 0;

		t /= 1 - alpha;
		for (int c = 0; c < 3; c++) {
			gradient[which[k]].colour[c] += alpha * t * by_colour[c];
			by_alpha += by_colour[c] * (t * s->colour[c] - behind[c] / (1 - alpha) -
						    p->transmittance / (1 - alpha) * background[c]);
			behind[c] += alpha * t * s->colour[c];
		}
		touch_backward(s, &step[k], by_alpha, &gradient[which[k]]);
	}
}

bool ref_splat_blend_backward(const struct ref_splat *splat, const uint32_t *order, uint32_t count,
			      uint32_t width, uint32_t height, const double background[3],
			      const double *image_gradient, struct ref_splat_gradient *gradient)
{
	struct touch *step = calloc(count ? count : 1, sizeof(*step));
	uint32_t *which = calloc(count ? count : 1, sizeof(*which));

	for (uint32_t y = 0; y < height && step && which; y++)
		for (uint32_t x = 0; x < width; x++) {
			const double *by_colour = image_gradient + 3 * ((size_t)y * width + x);
			struct pixel p;

			if (by_colour[0] == 0 && by_colour[1] == 0 && by_colour[2] == 0)
				continue;
			blend_pixel(splat, order, count, x, y, &p, NULL, step, which);
			pixel_backward(splat, &p, step, which, background, by_colour, gradient);
		}
	free(step);
	free(which);
	return step && which;
}
