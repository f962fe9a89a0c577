/* SPDX-License-Identifier: Apache-2.0 */
/* splat_scene.c - random scenes of Gaussians for tests. */
#include "config.h"

#include "splat_scene.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double splat_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (double)((z ^ (z >> 31)) >> 40) / (1 << 24);
}

static double between(uint64_t *state, double low, double high)
{
	return (double)(float)(low + (high - low) * splat_random(state));
}

static double normal(uint64_t *state)
{
	double r = sqrt(-2 * log(splat_random(state) + 1e-9));

	return (double)(float)(r * cos(6.283185307179586 * splat_random(state)));
}

static void *room(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static void make_camera(struct ref_camera *c, uint64_t *r, uint32_t width, uint32_t height)
{
	double q[4], n = 0;

	for (int i = 0; i < 4; i++) {
		q[i] = normal(r);
		n += q[i] * q[i];
	}
	for (int i = 0; i < 4; i++)
		q[i] /= sqrt(n);
	const double w = q[0], x = q[1], y = q[2], z = q[3];
	const double m[3][3] = {
		{ 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y) },
		{ 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x) },
		{ 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y) },
	};

	for (int i = 0; i < 3; i++) {
		c->translation[i] = between(r, -1, 1);
		for (int j = 0; j < 3; j++)
			c->rotation[i][j] = (double)(float)m[i][j];
	}
	c->width = width;
	c->height = height;
	c->fx = between(r, 0.7, 1.6) * width;
	c->fy = c->fx * between(r, 0.9, 1.1);
	c->fx = (double)(float)c->fx;
	c->fy = (double)(float)c->fy;
	c->cx = (double)(float)(between(r, 0.4, 0.6) * width);
	c->cy = (double)(float)(between(r, 0.4, 0.6) * height);
	c->near = (double)0.2f;
}

/* A mean at a place on the screen, in images from its corner, and a depth. */
static void put(const struct ref_camera *c, double sx, double sy, double depth, double mean[3])
{
	double t[3] = { (sx * c->width - c->cx) / c->fx * depth, (sy * c->height - c->cy) / c->fy * depth,
			depth };

	for (int k = 0; k < 3; k++) {
		mean[k] = 0;
		for (int i = 0; i < 3; i++)
			mean[k] += c->rotation[i][k] * (t[i] - c->translation[i]);
		mean[k] = (double)(float)mean[k];
	}
}

static void make_gaussian(struct ref_gaussian *g, const struct ref_camera *c, uint64_t *r)
{
	double kind = splat_random(r), depth = between(r, 0.5, 8), size = log(depth / c->fx);

	put(c, between(r, -0.05, 1.05), between(r, -0.05, 1.05), depth, g->mean);
	if (kind < 0.08) /* behind, or just at the nearest plane */
		put(c, splat_random(r), splat_random(r), between(r, -3, 0.25), g->mean);
	else if (kind < 0.16) /* outside: the frustum clamp holds */
		put(c, between(r, -0.5, 1.5), between(r, 1.1, 1.6), depth, g->mean);
	for (int k = 0; k < 3; k++)
		g->log_scale[k] = (double)(float)(size + between(r, 0, 2.2));
	if (kind > 0.92) /* a needle */
		g->log_scale[0] = (double)(float)(size + 3);
	else if (kind > 0.84) /* a disc */
		g->log_scale[2] = (double)(float)(size - 5);
	else if (kind > 0.8)
		g->log_scale[1] = g->log_scale[0] = (double)(float)(size - 2);
	for (int k = 0; k < 4; k++)
		g->rotation[k] = normal(r);
	g->opacity = splat_random(r) < 0.15 ? between(r, 4, 9) : between(r, -6, 3);
	for (int k = 0; k < REF_SPLAT_SH; k++)
		for (int i = 0; i < 3; i++)
			g->sh[k][i] = (double)(float)(normal(r) * (k ? 0.2 : 0.8));
}

void splat_scene_make(struct splat_scene *s, uint64_t seed, uint32_t count, uint32_t width, uint32_t height)
{
	size_t pixels = (size_t)width * height;
	uint64_t r = seed * 1000003;

	memset(s, 0, sizeof(*s));
	make_camera(&s->camera, &r, width, height);
	s->count = count;
	s->sh_degree = (uint32_t)(seed % 4);
	s->gaussian = room(count, sizeof(*s->gaussian));
	s->splat = room(count, sizeof(*s->splat));
	s->screen = room(count, sizeof(*s->screen));
	s->gradient = room(count, sizeof(*s->gradient));
	s->order = room(count, sizeof(*s->order));
	s->importance = room(count, sizeof(*s->importance));
	s->image = room(3 * pixels, sizeof(*s->image));
	s->target = room(3 * pixels, sizeof(*s->target));
	s->image_gradient = room(3 * pixels, sizeof(*s->image_gradient));
	s->margin = room(pixels, sizeof(*s->margin));
	for (int c = 0; c < 3; c++)
		s->background[c] = between(&r, 0, 1);
	for (uint32_t i = 0; i < count; i++)
		make_gaussian(&s->gaussian[i], &s->camera, &r);
	for (size_t i = 0; i < 3 * pixels; i++) {
		s->target[i] = between(&r, 0, 1);
		s->image_gradient[i] = normal(&r);
	}
}

void splat_scene_free(struct splat_scene *s)
{
	free(s->gaussian);
	free(s->splat);
	free(s->screen);
	free(s->gradient);
	free(s->order);
	free(s->importance);
	free(s->image);
	free(s->target);
	free(s->image_gradient);
	free(s->margin);
	memset(s, 0, sizeof(*s));
}

void splat_scene_forward(struct splat_scene *s)
{
	const struct ref_pixels out = { .image = s->image, .margin = s->margin };

	for (uint32_t i = 0; i < s->count; i++)
		ref_splat_project(&s->camera, &s->gaussian[i], s->sh_degree, &s->splat[i]);
	s->visible = ref_splat_order(s->splat, s->count, s->order);
	memset(s->importance, 0, s->count * sizeof(*s->importance));
	ref_splat_blend(s->splat, s->order, s->visible, s->camera.width, s->camera.height, s->background, &out,
			s->importance);
}

void splat_scene_backward(struct splat_scene *s)
{
	memset(s->screen, 0, s->count * sizeof(*s->screen));
	if (!ref_splat_blend_backward(s->splat, s->order, s->visible, s->camera.width, s->camera.height,
				      s->background, s->image_gradient, s->screen)) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	for (uint32_t i = 0; i < s->count; i++)
		ref_splat_project_backward(&s->camera, &s->gaussian[i], s->sh_degree, &s->splat[i], &s->screen[i],
					   &s->gradient[i]);
}

void splat_scene_avoid(struct splat_scene *s, double margin)
{
	size_t pixels = (size_t)s->camera.width * s->camera.height;

	for (size_t i = 0; i < pixels; i++)
		if (s->margin[i] < margin)
			memset(&s->image_gradient[3 * i], 0, 3 * sizeof(double));
}
