/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_frames.c - pixels of frames and distances of points against references
 * that are written the obvious way: an area filter in double over every pair
 * of pixels, a lens undone by its formula, neighbours by comparing all.
 */
#include "config.h"

#include "image/png.h"
#include "scene/lens.h"
#include "scene/neighbours.h"
#include "scene/scene.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char photo[600];

static uint64_t state = 11;

static double uniform(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (double)(state >> 11) * 0x1p-53;
}

static bool write_photo(const uint8_t *rgb, uint32_t w, uint32_t h)
{
	FILE *f = fopen(photo, "wb");
	struct png *p = png_new(w);
	bool ok;

	png_begin(p, sink_file, f, h);
	for (uint32_t y = 0; y < h; y++)
		png_row(p, rgb + (size_t)y * w * 3);
	ok = png_end(p);
	png_delete(p);
	return fclose(f) == 0 && ok;
}

/* A scene of this one photograph. */
static bool one_frame(const struct scene_lens *lens, uint32_t w, uint32_t h, uint32_t downscale, struct scene_source *source,
		      struct scene_view *view, uint8_t *out)
{
	struct scene s = { 0 };
	char why[500] = "";

	*source = (struct scene_source){ .path = photo, .width = w, .height = h, .lens = *lens,
					 .distorted = lens_distorts(lens) };
	*view = (struct scene_view){ .width = w / downscale, .height = h / downscale };
	if (!lens_pinhole(lens, w, h, source->full))
		return false;
	s.views.data = view;
	s.sources.data = source;
	s.views.len = s.sources.len = 1;
	if (scene_frame(&s, 0, out, why, sizeof why))
		return true;
	printf("# %s\n", why);
	return false;
}

/* ---- the area filter */

static double overlap(double a0, double a1, double b0, double b1)
{
	double from = a0 > b0 ? a0 : b0, to = a1 < b1 ? a1 : b1;

	return to > from ? to - from : 0;
}

static double area(const uint8_t *rgb, uint32_t w, uint32_t h, uint32_t to_w, uint32_t to_h, uint32_t x, uint32_t y, int c)
{
	double sum = 0;

	for (uint32_t j = 0; j < h; j++)
		for (uint32_t i = 0; i < w; i++)
			sum += rgb[3 * ((size_t)j * w + i) + c] *
			       overlap(i, i + 1.0, (double)x * w / to_w, (x + 1.0) * w / to_w) *
			       overlap(j, j + 1.0, (double)y * h / to_h, (y + 1.0) * h / to_h);
	return sum * to_w * to_h / ((double)w * h);
}

static void check_area(uint32_t w, uint32_t h, uint32_t downscale)
{
	static const struct scene_lens lens = { .fx = 50, .fy = 50, .cx = 20, .cy = 20 };
	uint8_t *rgb = malloc((size_t)w * h * 3), *out = malloc((size_t)w * h * 3);
	struct scene_source source;
	struct scene_view v;
	double worst = 0;
	bool ok;

	for (size_t i = 0; i < (size_t)w * h * 3; i++)
		rgb[i] = (uint8_t)(uniform() * 256);
	ok = write_photo(rgb, w, h) && one_frame(&lens, w, h, downscale, &source, &v, out);
	for (uint32_t y = 0; ok && y < v.height; y++)
		for (uint32_t x = 0; x < v.width; x++)
			for (int c = 0; c < 3; c++)
				worst = fmax(worst, fabs(out[3 * ((size_t)y * v.width + x) + c] -
							 area(rgb, w, h, v.width, v.height, x, y, c)));
	tap_ok(ok && worst <= 0.5 + 1e-3, "%u x %u by %u: off by at most %.4f", w, h, downscale, worst);
	free(rgb);
	free(out);
}

/* ---- the lens */

/* A picture without sharp edges, by place on the photograph. */
static double picture(double u, double v, int c)
{
	return 127.5 + 60 * sin(u * 0.05 + c) + 60 * cos(v * 0.07 - c);
}

static void check_lens(const char *name, const struct scene_lens *l, uint32_t w, uint32_t h)
{
	uint8_t *rgb = malloc((size_t)w * h * 3), *out = malloc((size_t)w * h * 3);
	struct scene_source s;
	struct scene_view view;
	double worst = 0, outside = 0;
	bool ok;

	for (uint32_t y = 0; y < h; y++)
		for (uint32_t x = 0; x < w; x++)
			for (int c = 0; c < 3; c++)
				rgb[3 * ((size_t)y * w + x) + c] = (uint8_t)(picture(x + 0.5, y + 0.5, c) + 0.5);
	ok = write_photo(rgb, w, h) && one_frame(l, w, h, 1, &s, &view, out);
	for (uint32_t y = 0; ok && y < h; y++)
		for (uint32_t x = 0; x < w; x++) {
			double xd, yd, u, v;

			lens_distort(l, (x + 0.5 - s.full[2]) / s.full[0], (y + 0.5 - s.full[3]) / s.full[1], &xd, &yd);
			u = xd * l->fx + l->cx;
			v = yd * l->fy + l->cy;
			outside = fmax(outside, fmax(fmax(0.5 - u, u - w + 0.5), fmax(0.5 - v, v - h + 0.5)));
			for (int c = 0; c < 3; c++)
				worst = fmax(worst, fabs(out[3 * ((size_t)y * w + x) + c] - picture(u, v, c)));
		}
	tap_ok(ok && worst < 1.6, "%s: off by at most %.3f", name, worst);
	tap_ok(ok && outside < 0.02, "%s: no pixel is outside the photograph (%.4f)", name, outside);
	free(rgb);
	free(out);
}

static void check_round_trip(const struct scene_lens *l)
{
	double worst = 0, x, y, xd, yd;
	bool ok = true;

	for (int i = 0; i < 1000; i++) {
		double a = uniform() - 0.5, b = uniform() - 0.5;

		lens_distort(l, a, b, &xd, &yd);
		ok &= lens_undistort(l, xd, yd, &x, &y);
		worst = fmax(worst, fabs(x - a) + fabs(y - b));
	}
	tap_ok(ok && worst < 1e-10, "distortion is undone (%.2g)", worst);
}

static void check_lenses(void)
{
	static const struct scene_lens barrel = { .fx = 150, .fy = 150, .cx = 100, .cy = 75, .k = { -0.2, 0.05 } };
	static const struct scene_lens cushion = { .fx = 150, .fy = 160, .cx = 96, .cy = 80, .k = { 0.15, -0.02, 0.01 } };
	static const struct scene_lens phone = { .fx = 137.5, .fy = 137.4, .cx = 55.4, .cy = 96.5,
						 .k = { 0.0578421, -0.0805099 }, .p = { -0.000980296, 0.00015575 } };
	static const struct scene_lens tilted = { .fx = 120, .fy = 120, .cx = 70, .cy = 60, .p = { 0.02, -0.03 } };
	static const struct scene_lens folded = { .fx = 40, .fy = 40, .cx = 80, .cy = 60, .k = { -1.5 } };
	double full[4];

	check_lens("barrel", &barrel, 200, 150);
	check_lens("cushion", &cushion, 200, 150);
	check_lens("telephone", &phone, 108, 192);
	check_lens("tilted", &tilted, 141, 121);
	check_round_trip(&barrel);
	check_round_trip(&cushion);
	check_round_trip(&tilted);
	tap_ok(!lens_pinhole(&folded, 160, 120, full), "a lens that shows things twice is refused");
}

/* ---- neighbours */

static double mean_of_nearest(const float *p, uint32_t n, uint32_t self)
{
	double best[3] = { 1e300, 1e300, 1e300 };
	uint32_t count = n > 3 ? 3 : n - 1;

	for (uint32_t i = 0; i < n; i++) {
		double d = 0;

		for (int c = 0; c < 3; c++)
			d += ((double)p[3 * i + c] - (double)p[3 * self + c]) * ((double)p[3 * i + c] - (double)p[3 * self + c]);
		if (i == self)
			continue;
		for (int k = 0; k < 3; k++)
			if (d < best[k]) {
				double swap = best[k];

				best[k] = d;
				d = swap;
			}
	}
	for (uint32_t k = 1; k < count; k++)
		best[0] += best[k];
	return count ? best[0] / count : 0;
}

static void check_neighbours(const char *what, uint32_t n, double spread, int dims)
{
	float *p = calloc((size_t)n * 3 + 1, sizeof *p), *got = calloc((size_t)n + 1, sizeof *got);
	double worst = 0;

	for (uint32_t i = 0; i < 3 * n; i++)
		p[i] = (int)(i % 3) < dims ? (float)(spread ? uniform() * 10 : floor(uniform() * 4)) : 1;
	neighbours_mean_square(p, n, got);
	for (uint32_t i = 0; i < n; i++) {
		double want = mean_of_nearest(p, n, i);

		worst = fmax(worst, fabs((double)got[i] - want) / (want + 1e-6));
	}
	tap_ok(worst < 1e-4, "%s: %u points, off by %.2g", what, n, worst);
	free(p);
	free(got);
}

int main(void)
{
	static const uint32_t few[] = { 0, 1, 2, 3, 4, 5, 12, 13, 14, 50 };
	char cwd[500];

	if (!getcwd(cwd, sizeof cwd))
		return 99;
	snprintf(photo, sizeof photo, "%s/test_frames-%ld.png", cwd, (long)getpid());
	check_area(31, 17, 2);
	check_area(31, 17, 3);
	check_area(32, 24, 2);
	check_area(33, 25, 1);
	check_area(50, 9, 4);
	check_area(64, 64, 7);
	check_lenses();
	for (unsigned i = 0; i < sizeof few / sizeof *few; i++)
		check_neighbours("few", few[i], 1, 3);
	check_neighbours("in space", 2000, 1, 3);
	check_neighbours("on a plane", 1500, 1, 2);
	check_neighbours("on a line", 1000, 1, 1);
	check_neighbours("all in one place", 1000, 1, 0);
	check_neighbours("many in few places", 2000, 0, 3);
	unlink(photo);
	return tap_done();
}
