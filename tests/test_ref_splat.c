/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ref_splat.c - the splatting reference against central differences, against the numbers of
 * an independent program, and against what can be worked out by hand.
 */
#include "config.h"

#include "splat_scene.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCENES = 200, ORACLE = 4 };

/* The loss that the gradients are of: the image weighted with image_gradient. */
static double weighted(struct splat_scene *s)
{
	double sum = 0;

	splat_scene_forward(s);
	for (size_t i = 0; i < 3 * (size_t)s->camera.width * s->camera.height; i++)
		sum += s->image[i] * s->image_gradient[i];
	return sum;
}

static double difference(struct splat_scene *s, double *parameter, double h)
{
	double at = *parameter, up, down;

	*parameter = at + h;
	up = weighted(s);
	*parameter = at - h;
	down = weighted(s);
	*parameter = at;
	return (up - down) / (2 * h);
}

/* The worst error of one Gaussian's group of parameters, relative to the largest of the group. */
static double group_error(struct splat_scene *s, uint32_t g, int from, int count)
{
	double *parameter = (double *)&s->gaussian[g] + from, worst = 0, largest = 1e-3;

	for (int k = 0; k < count; k++) {
		double got = ((double *)&s->gradient[g])[from + k], fine = difference(s, parameter + k, 1e-5);

		worst = fmax(worst, fabs(got - fine));
		largest = fmax(largest, fabs(fine));
	}
	return worst / largest;
}

static void test_differences(void)
{
	static const struct {
		const char *name;
		int from, count;
	} group[] = { { "mean", 0, 3 }, { "scale", 3, 3 }, { "rotation", 6, 4 }, { "opacity", 10, 1 }, { "harmonics", 11, 48 } };
	double worst[5] = { 0 };
	uint32_t seen = 0, behind = 0;

	for (uint64_t seed = 1; seed <= SCENES; seed++) {
		struct splat_scene s;
		uint32_t g = (uint32_t)(seed % 10);

		splat_scene_make(&s, seed, 10, 20, 15);
		splat_scene_forward(&s);
		splat_scene_avoid(&s, 1e-3);
		splat_scene_backward(&s);
		seen += s.splat[g].visible;
		behind += !s.splat[g].visible;
		for (int k = 0; k < 5; k++)
			worst[k] = fmax(worst[k], group_error(&s, g, group[k].from, group[k].count));
		splat_scene_free(&s);
	}
	tap_ok(seen > SCENES / 2 && behind > 3, "%u Gaussians seen and %u not, of %d scenes", seen, behind, SCENES);
	for (int k = 0; k < 5; k++)
		tap_ok(worst[k] < 1e-5, "gradient by %s agrees with differences (%.1e)", group[k].name, worst[k]);
}

static bool read_numbers(FILE *f, double *out, int n)
{
	for (int i = 0; i < n; i++)
		if (fscanf(f, "%lf", &out[i]) != 1)
			return false;
	return true;
}

static bool read_oracle(FILE *f, struct splat_scene *s, struct ref_gaussian *want, double *loss)
{
	double size[6], pixels, at[5];
	char line[256];

	for (int i = 0; i < 3; i++)
		if (!fgets(line, sizeof(line), f))
			return false;
	if (!read_numbers(f, &s->camera.rotation[0][0], 9) || !read_numbers(f, s->camera.translation, 3) ||
	    !read_numbers(f, size, 6) || !read_numbers(f, s->background, 3))
		return false;
	s->camera.fx = size[0];
	s->camera.fy = size[1];
	s->camera.cx = size[2];
	s->camera.cy = size[3];
	for (int i = 0; i < ORACLE; i++)
		if (!read_numbers(f, (double *)&s->gaussian[i], REF_SPLAT_PARAMETERS) ||
		    !read_numbers(f, (double *)&want[i], REF_SPLAT_PARAMETERS))
			return false;
	memset(s->image_gradient, 0, 3 * (size_t)s->camera.width * s->camera.height * sizeof(double));
	if (!read_numbers(f, &pixels, 1))
		return false;
	for (int i = 0; i < (int)pixels; i++) {
		if (!read_numbers(f, at, 5) || at[0] >= s->camera.width || at[1] >= s->camera.height)
			return false;
		memcpy(&s->image_gradient[3 * ((size_t)at[1] * s->camera.width + (size_t)at[0])], at + 2,
		       3 * sizeof(double));
	}
	return read_numbers(f, loss, 1);
}

static void test_oracle(void)
{
	const char *top = getenv("EDGE_SRCDIR");
	struct ref_gaussian want[ORACLE];
	struct splat_scene s;
	double loss = 0, worst = 0, got;
	char path[4096];
	bool read;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/splat/oracle.txt", top ? top : ".");
	splat_scene_make(&s, 3, ORACLE, 40, 32);
	f = fopen(path, "r");
	read = f && read_oracle(f, &s, want, &loss);
	if (f)
		fclose(f);
	/* Its image is wider than the one that its frustum clamp is taken from: two cameras. */
	if (tap_ok(read, "the oracle's numbers are there")) {
		const struct ref_pixels out = { .image = s.image };

		s.camera.width = 32;
		s.camera.height = 30;
		for (uint32_t i = 0; i < ORACLE; i++)
			ref_splat_project(&s.camera, &s.gaussian[i], 3, &s.splat[i]);
		s.visible = ref_splat_order(s.splat, ORACLE, s.order);
		ref_splat_blend(s.splat, s.order, s.visible, 40, 32, s.background, &out, NULL);
		got = 0;
		for (size_t i = 0; i < 3 * 40 * 32; i++)
			got += s.image[i] * s.image_gradient[i];
		tap_ok(fabs(got - loss) < 1e-11 * fabs(loss), "its loss: %.15g", got);
		ref_splat_blend_backward(s.splat, s.order, s.visible, 40, 32, s.background, s.image_gradient, s.screen);
		for (uint32_t i = 0; i < ORACLE; i++) {
			ref_splat_project_backward(&s.camera, &s.gaussian[i], 3, &s.splat[i], &s.screen[i],
						   &s.gradient[i]);
			for (int k = 0; k < REF_SPLAT_PARAMETERS; k++) {
				double a = ((double *)&s.gradient[i])[k], b = ((double *)&want[i])[k];

				worst = fmax(worst, fabs(a - b) / (fabs(b) + 1e-6));
			}
		}
		tap_ok(worst < 1e-8, "its gradients (%.1e)", worst);
	}
	splat_scene_free(&s);
}

/* The loss by every pixel, on sizes with more and less than a window. */
static void test_loss(void)
{
	static const uint32_t size[][2] = { { 14, 17 }, { 3, 5 }, { 1, 1 }, { 23, 8 } };
	double worst = 0, same;

	for (int t = 0; t < 4; t++) {
		uint32_t w = size[t][0], h = size[t][1];
		size_t n = 3 * (size_t)w * h;
		double x[1024], y[1024], g[1024], largest = 0, off = 0;
		uint64_t r = (uint64_t)t + 1;

		for (size_t i = 0; i < n; i++) {
			x[i] = splat_random(&r);
			y[i] = splat_random(&r);
		}
		ref_splat_loss(x, y, w, h, 0.2, g);
		for (size_t i = 0; i < n; i++) {
			double at = x[i], up, down;

			x[i] = at + 1e-6;
			up = ref_splat_loss(x, y, w, h, 0.2, NULL);
			x[i] = at - 1e-6;
			down = ref_splat_loss(x, y, w, h, 0.2, NULL);
			x[i] = at;
			largest = fmax(largest, fabs(g[i]));
			off = fmax(off, fabs((up - down) / 2e-6 - g[i]));
		}
		worst = fmax(worst, off / largest);
		same = ref_splat_loss(y, y, w, h, 0.2, NULL);
		tap_ok(fabs(same) < 1e-12, "an image is at no distance from itself (%u by %u)", w, h);
	}
	tap_ok(worst < 1e-7, "gradient of the loss agrees with differences (%.1e)", worst);
	{
		double x[12], y[12];

		for (int i = 0; i < 12; i++) {
			x[i] = 0.5;
			y[i] = 0.6;
		}
		tap_ok(fabs(ref_splat_psnr(x, y, 2, 2) - 20) < 1e-9, "a tenth off is 20 dB");
	}
}

/* One Gaussian straight ahead: what can be worked out by hand. */
static void test_by_hand(void)
{
	struct ref_camera c = { .rotation = { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } },
				.fx = 100, .fy = 100, .cx = 8.5, .cy = 8.5, .near = 0.2, .width = 17, .height = 17 };
	struct ref_gaussian g = { .mean = { 0, 0, 4 }, .rotation = { 2, 0, 0, 0 }, .opacity = 0 };
	struct ref_splat s[2];
	double image[3 * 17 * 17], left[17 * 17], black[3] = { 0 }, importance[2] = { 0 };
	struct ref_pixels out = { .image = image, .transmittance = left };
	uint32_t order[2];

	for (int k = 0; k < 3; k++)
		g.log_scale[k] = log(0.08); /* two pixels */
	ref_splat_project(&c, &g, 0, &s[0]);
	tap_ok(s[0].visible && fabs(s[0].mean[0] - 8) < 1e-12 && fabs(s[0].covar[0] - 4.3) < 1e-12 &&
		       fabs(s[0].covar[1]) < 1e-12 && s[0].depth == 4, "a Gaussian straight ahead");
	tap_ok(s[0].colour[0] == 0.5 && s[0].opacity == 0.5, "half grey and half opaque");
	g.mean[2] = 3;
	g.sh[0][0] = -10;
	ref_splat_project(&c, &g, 0, &s[1]);
	tap_ok(s[1].colour[0] == 0 && s[1].raw[0] < 0, "no colour is below nothing");
	tap_ok(ref_splat_order(s, 2, order) == 2 && order[0] == 1 && order[1] == 0, "the nearer one comes first");
	ref_splat_blend(s, order, 2, 17, 17, black, &out, importance);
	tap_ok(fabs(image[3 * (8 * 17 + 8)] - 0.125) < 1e-12 && fabs(left[8 * 17 + 8] - 0.25) < 1e-12,
	       "what is behind shines through by half");
	tap_ok(importance[1] == 0.5 && importance[0] == 0.25, "importance is the largest weight");
	g.mean[2] = 0.2;
	ref_splat_project(&c, &g, 0, &s[0]);
	tap_ok(!s[0].visible, "nothing is drawn on the nearest plane");
	g.mean[2] = 4;
	g.opacity = -8;
	ref_splat_project(&c, &g, 0, &s[0]);
	tap_ok(!s[0].visible, "nor what is fainter than the least alpha");
}

static void test_adam_and_share(void)
{
	double p = 1, m = 0, v = 0, g = 5, o, scale;

	ref_splat_adam(&p, &m, &v, &g, 1, 0.01, 1e-15, 1);
	tap_ok(fabs(p - 0.99) < 1e-12, "the first step of Adam is its rate, whatever the gradient");
	ref_splat_share(0.7, 1, &o, &scale);
	tap_ok(fabs(o - 0.7) < 1e-12 && fabs(scale - 1) < 1e-12, "shared with nobody, all stays");
	ref_splat_share(0.75, 2, &o, &scale);
	tap_ok(fabs(o - 0.5) < 1e-12 && scale > 0.5 && scale < 1, "two halves let through what one lets through");
}

int main(void)
{
	test_by_hand();
	test_oracle();
	test_loss();
	test_adam_and_share();
	test_differences();
	return tap_done();
}
