/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_splat_gradient.c - the kernels of training against the reference in double.
 *
 * Random scenes are put into a session, drawn, and given a random gradient of
 * the picture; the parameters' gradients are read from the first moments that
 * one step of Adam leaves behind. Where single precision may decide otherwise
 * than double (a pixel at a limit of alpha or transmittance) the gradient is
 * zero for both.
 */
#include "config.h"

#include "splat_scene.h"
#include "tap.h"
#include "train/internal.h"
#include "train_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 54, HEIGHT = 41, GAUSSIANS = 60, PARAMETERS = 59, SCENES = 200 };

static float parameter(const struct ref_gaussian *g, uint32_t k)
{
	return (float)(k < 3 ? g->mean[k] : k < 6 ? g->log_scale[k - 3] : k < 10 ? g->rotation[k - 6] :
		       k == 10 ? g->opacity : g->sh[(k - 11) / 3][(k - 11) % 3]);
}

/* The same in a compact plan, whose rotations go to 2: their length does not show. */
static float compact_parameter(const struct ref_gaussian *g, uint32_t k)
{
	const double *q = g->rotation;

	return k < 6 || k > 9 ? parameter(g, k) :
	       (float)(q[k - 6] / sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]));
}

static void must(enum edge_status st, const struct failure *f)
{
	if (st != EDGE_OK) {
		printf("Bail out! %s\n", f->text);
		exit(1);
	}
}

static void put_scene(struct train *t, const struct splat_scene *s, struct failure *f)
{
	static const float zero[GAUSSIANS];
	float column[GAUSSIANS];

	for (uint32_t k = 0; k < PARAMETERS; k++) {
		for (uint32_t i = 0; i < s->count; i++)
			column[i] = t->plan->flags ? compact_parameter(&s->gaussian[i], k) : parameter(&s->gaussian[i], k);
		must(train_parameter_write(t, k, 0, s->count, column, f), f);
		if (t->plan->flags)
			continue;
		must(train_part_write(t, 1, k, 0, s->count, zero, f), f);
		must(train_part_write(t, 2, k, 0, s->count, zero, f), f);
	}
	t->counters.gaussians = s->count;
	t->counters.degree = s->sh_degree;
}

static struct train_camera camera_of(const struct ref_camera *c)
{
	struct train_camera out = { c->width, c->height, c->fx, c->fy, c->cx, c->cy, { 0 }, { 0 } };

	memcpy(out.rotation, c->rotation, sizeof out.rotation);
	memcpy(out.translation, c->translation, sizeof out.translation);
	return out;
}

static void draw_scene(struct train *t, const struct splat_scene *s, float *rgb, struct failure *f)
{
	struct train_camera c = camera_of(&s->camera);
	uint64_t plane = (uint64_t)t->plan->stride * t->plan->rows;

	draw_state(t, &c);
	for (uint32_t i = 0; i < 3; i++) {
		float b = (float)s->background[i];

		memcpy(&t->state[STATE_BACKGROUND + i], &b, sizeof b);
	}
	must(draw(t, f), f);
	must(train_finish(t, f), f);
	for (uint32_t y = 0; y < c.height; y++)
		for (uint32_t k = 0; k < 3; k++)
			must(train_read(t, EDGE_BUFFER_IMAGE, 4 * (k * plane + (uint64_t)y * t->plan->stride),
					rgb + ((uint64_t)k * c.height + y) * c.width, 4 * (uint64_t)c.width, f), f);
	must(train_finish(t, f), f);
}

/* The gradient's planes. */
static void put_gradient(struct train *t, const struct splat_scene *s, struct failure *f)
{
	uint32_t w = s->camera.width, h = s->camera.height;
	uint64_t plane = (uint64_t)t->plan->stride * t->plan->rows;
	float *out = calloc(3 * plane, sizeof *out);

	for (uint32_t y = 0; y < h; y++)
		for (uint32_t x = 0; x < w; x++)
			for (uint32_t k = 0; k < 3; k++) {
				uint64_t at = (uint64_t)y * t->plan->stride + x;
				float g = (float)s->image_gradient[3 * ((uint64_t)y * w + x) + k];

				out[k * plane + at] = g;
			}
	must(train_write(t, EDGE_BUFFER_IMAGE_GRADIENT, 0, out, 12 * plane, f), f);
	must(train_finish(t, f), f);
	free(out);
}

static void backward(struct train *t, struct failure *f)
{
	float one = 1.0f;

	memset(t->state + STATE_RATES, 0, 6 * 4);
	memcpy(t->state + STATE_UNBIAS1, &one, 4);
	memcpy(t->state + STATE_UNBIAS2, &one, 4);
	memset(t->state + STATE_EPSILON, 0, 4 * 4);
	must(train_write(t, EDGE_BUFFER_STATE, 0, t->state, 4 * STATE_OUT, f), f);
	must(draw_backward(t, f), f);
	must(train_launch(t, EDGE_TRAIN_UPDATE, f), f);
	must(train_finish(t, f), f);
}

static struct train *open_plan(bool opencl, bool gpu, const char *cpu, uint64_t budget, struct failure *f)
{
	struct train_plan_request r = { .views = 4, .width = WIDTH, .height = HEIGHT, .points = GAUSSIANS, .steps = 10,
					.opencl = opencl, .gpu = gpu, .cpu = cpu, .budget = budget };
	struct train_options o = { .plan = train_plan_make(&r), .no_cache = true };
	struct train *t = NULL;

	if (!o.plan)
		return NULL;
	return train_open(&o, &t, f) == EDGE_OK ? t : NULL;
}

/* ---- compact plans ---- */

static void read_sums(struct train *t, float *out, struct failure *f)
{
	static uint16_t half[9 * GAUSSIANS];
	const bool compact = t->plan->flags & EDGE_TRAIN_COMPACT;

	must(train_read(t, EDGE_BUFFER_GRADIENTS, 0, compact ? (void *)half : (void *)out,
			(compact ? 2 : 4) * 9 * GAUSSIANS, f), f);
	must(train_finish(t, f), f);
	for (uint32_t i = 0; compact && i < 9 * GAUSSIANS; i++) {
		uint32_t bits = (uint32_t)half[i] << 16;

		memcpy(&out[i], &bits, sizeof bits);
	}
}

/* Pictures and sums on the screen of a compact plan, against those of a plan that is not. */
static void test_compact(bool opencl, bool gpu)
{
	static float rgb[2][3 * WIDTH * HEIGHT], sum[2][9 * GAUSSIANS];
	const char *name = gpu ? "opencl by work-groups" : opencl ? "opencl" : "native";
	struct failure f = { 0 };
	struct train *t[2] = { open_plan(opencl, gpu, NULL, 0, &f), NULL };
	double image = 0, off = 0, count = 0;

	if (t[0]) /* 205 bytes a Gaussian, and its slot */
		t[1] = open_plan(opencl, gpu, NULL, t[0]->plan->bytes_fixed - 44 * (uint64_t)t[0]->plan->slot_capacity +
				 (205 + 44) * (uint64_t)t[0]->plan->capacity, &f);
	if (!t[0] || !t[1]) {
		tap_skip("%s: %s", name, f.text);
		train_close(t[0]);
		return;
	}
	tap_ok(t[1]->plan->flags == EDGE_TRAIN_COMPACT && t[1]->plan->sh_degree == 3, "%s: a plan that is compact", name);
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct splat_scene s;

		splat_scene_make(&s, seed, GAUSSIANS, WIDTH, HEIGHT);
		for (uint32_t i = 0; i < s.count; i++) /* as compact columns can have it */
			for (uint32_t k = 1; k < 16; k++)
				for (uint32_t c = 0; c < 3; c++)
					s.gaussian[i].sh[k][c] = round(s.gaussian[i].sh[k][k < 4 ? c : 0] * 1024) / 1024;
		splat_scene_forward(&s);
		splat_scene_avoid(&s, 2e-2);
		for (uint32_t i = 0; i < 2; i++) {
			put_scene(t[i], &s, &f);
			draw_scene(t[i], &s, rgb[i], &f);
			put_gradient(t[i], &s, &f);
			must(draw_backward(t[i], &f), &f);
			read_sums(t[i], sum[i], &f);
			for (uint32_t g = 0; g < GAUSSIANS; g++) /* what is not shown has none */
				for (uint32_t k = 0; k < 9 && !s.splat[g].visible; k++)
					sum[i][9 * g + k] = 0;
		}
		for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
			for (uint32_t c = 0; c < 3; c++)
				if (s.margin[i] >= 2e-2)
					image = fmax(image, fabs((double)(rgb[0][c * WIDTH * HEIGHT + i] - rgb[1][c * WIDTH * HEIGHT + i])));
		for (uint32_t k = 0; k < 9; k++) {
			double most = 1e-12, sum2 = 0;

			for (uint32_t g = 0; g < GAUSSIANS; g++) {
				most = fmax(most, fabs((double)sum[0][9 * g + k]));
				sum2 = fmax(sum2, fabs((double)(sum[0][9 * g + k] - sum[1][9 * g + k])));
			}
			off += sum2 / most;
			count++;
		}
		splat_scene_free(&s);
	}
	train_close(t[0]);
	train_close(t[1]);
	tap_ok(image < 0.02, "%s, compact: pictures within %.2g", name, image);
	tap_ok(off / count < 0.02, "%s, compact: sums within %.2g of the largest", name, off / count);
}

struct worst {
	double image, gradient;
	uint64_t scene;
	uint32_t part;
};

/* The parameters of one kind of all Gaussians are compared with the largest among them. */
static const uint32_t part_end[] = { 3, 6, 10, 11, 14, 59 };

static void compare(struct train *t, const struct splat_scene *s, uint64_t seed, struct worst *w, struct failure *f)
{
	float column[GAUSSIANS];

	for (uint32_t p = 0, k = 0; p < sizeof part_end / sizeof *part_end; p++) {
		double most = 1e-12, off = 0;

		for (; k < part_end[p]; k++) {
			must(train_part_read(t, 1, k, 0, s->count, column, f), f);
			for (uint32_t i = 0; i < s->count; i++) {
				double expected = (double)parameter(&s->gradient[i], k), got = 10.0 * (double)column[i];

				most = fmax(most, fabs(expected));
				off = fmax(off, isfinite(got) ? fabs(got - expected) : INFINITY);
			}
		}
		if (off / most > w->gradient) {
			w->gradient = off / most;
			w->scene = seed;
			w->part = p;
		}
	}
}

static void try_scene(struct train *t, uint64_t seed, struct worst *w, struct failure *f)
{
	static float rgb[3 * WIDTH * HEIGHT];
	struct splat_scene s;

	splat_scene_make(&s, seed, GAUSSIANS, WIDTH, HEIGHT);
	splat_scene_forward(&s);
	splat_scene_avoid(&s, 2e-4);
	splat_scene_backward(&s);
	put_scene(t, &s, f);
	draw_scene(t, &s, rgb, f);
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
		for (uint32_t k = 0; k < 3; k++)
			if (s.margin[i] >= 2e-4)
				w->image = fmax(w->image, fabs((double)rgb[k * WIDTH * HEIGHT + i] - s.image[3 * i + k]));
	put_gradient(t, &s, f);
	backward(t, f);
	compare(t, &s, seed, w, f);
	splat_scene_free(&s);
}

static void test_gradients(bool opencl, bool gpu, const char *cpu)
{
	const char *name = gpu ? "opencl by work-groups" : opencl ? "opencl" : cpu ? cpu : "native";
	uint64_t scenes = gpu ? 5 : opencl || cpu ? SCENES / 4 : SCENES;
	struct failure f = { 0 };
	struct train *t = open_plan(opencl, gpu, cpu, 0, &f);
	struct worst w = { 0 };

	if (!t) {
		if (opencl)
			tap_skip("%s", f.text);
		else
			tap_ok(false, "a plan on %s: %s", name, f.text);
		return;
	}
	for (uint64_t i = 1; i <= scenes; i++)
		try_scene(t, i, &w, &f);
	tap_ok(w.image < 1e-4, "%s: %llu pictures within %.2g of the reference", name, (unsigned long long)scenes, w.image);
	tap_ok(w.gradient <= 1e-4, "%s: gradients of %llu scenes within %.2g of the largest (scene %llu, part %u)", name,
	       (unsigned long long)scenes, w.gradient, (unsigned long long)w.scene, w.part);
	train_close(t);
}

int main(void)
{
	test_gradients(false, false, NULL);
#if defined(__x86_64__)
	test_gradients(false, false, "x86-64-v3"); /* vectors of another width */
#endif
	test_gradients(true, false, NULL);
	test_gradients(true, true, NULL);
	test_compact(false, false);
	test_compact(true, true);
	train_plan_remove();
	return tap_done();
}
