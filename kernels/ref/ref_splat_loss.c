/* SPDX-License-Identifier: Apache-2.0 */
/* ref_splat_loss.c - how far a rendered image is from a photograph, Adam, and the sharing of opacity. */
#include "config.h"

#include "ref/ref_splat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RADIUS = 5 };

static const double c1 = 1e-4, c2 = 9e-4; /* (0.01)^2 and (0.03)^2 of the peak 1 */

/* One row or column of n numbers, `step` apart: zeros outside. */
static void blur_line(const double *in, double *out, uint32_t n, size_t step)
{
	double window[2 * RADIUS + 1], total = 0;

	for (int k = -RADIUS; k <= RADIUS; k++)
		total += window[k + RADIUS] = exp(-k * k / 4.5);
	for (int64_t i = 0; i < n; i++) {
		double sum = 0;

		for (int64_t k = -RADIUS; k <= RADIUS; k++)
			if (i + k >= 0 && i + k < n)
				sum += window[k + RADIUS] / total * in[(size_t)(i + k) * step];
		out[(size_t)i * step] = sum;
	}
}

/* out may be in; scratch is one plane. */
static void blur(const double *in, double *out, uint32_t width, uint32_t height, double *scratch)
{
	for (uint32_t y = 0; y < height; y++)
		blur_line(in + (size_t)y * width, scratch + (size_t)y * width, width, 1);
	for (uint32_t x = 0; x < width; x++)
		blur_line(scratch + x, out + x, height, width);
}

/* The planes of one channel. */
struct ssim {
	double *x, *y, *mx, *my, *xx, *yy, *xy, *by_m, *by_s, *by_xy, *scratch;
};

/* Similarity at pixel i; and its derivatives by the mean (also through the moments), by the variance
 * of x and by the covariance. */
static double ssim_pixel(const struct ssim *s, size_t i)
{
	const double mx = s->mx[i], my = s->my[i];
	const double a = 2 * mx * my + c1, b = 2 * (s->xy[i] - mx * my) + c2, c = mx * mx + my * my + c1,
		     d = (s->xx[i] - mx * mx) + (s->yy[i] - my * my) + c2;

	s->by_m[i] = 2 * my * (b - a) / (c * d) - 2 * mx * a * b / (c * c * d) + 2 * mx * a * b / (c * d * d);
	s->by_s[i] = -a * b / (c * d * d);
	s->by_xy[i] = 2 * a / (c * d);
	return a * b / (c * d);
}

/* Sum of the similarity over one channel; adds factor times its derivative to gradient. */
static double ssim_channel(struct ssim *s, const double *x, const double *y, uint32_t width, uint32_t height,
			   double factor, double *gradient)
{
	size_t n = (size_t)width * height;
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		s->x[i] = x[3 * i];
		s->y[i] = y[3 * i];
		s->xx[i] = s->x[i] * s->x[i];
		s->yy[i] = s->y[i] * s->y[i];
		s->xy[i] = s->x[i] * s->y[i];
	}
	blur(s->x, s->mx, width, height, s->scratch);
	blur(s->y, s->my, width, height, s->scratch);
	blur(s->xx, s->xx, width, height, s->scratch);
	blur(s->yy, s->yy, width, height, s->scratch);
	blur(s->xy, s->xy, width, height, s->scratch);
	for (size_t i = 0; i < n; i++)
		sum += ssim_pixel(s, i);
	if (!gradient)
		return sum;
	blur(s->by_m, s->by_m, width, height, s->scratch);
	blur(s->by_s, s->by_s, width, height, s->scratch);
	blur(s->by_xy, s->by_xy, width, height, s->scratch);
	for (size_t i = 0; i < n; i++)
		gradient[3 * i] += factor * (s->by_m[i] + 2 * s->x[i] * s->by_s[i] + s->y[i] * s->by_xy[i]);
	return sum;
}

/* Mean similarity; adds factor times the derivative of the sum to gradient if not NULL. */
static double ssim_mean(const double *x, const double *y, uint32_t width, uint32_t height, double factor,
			double *gradient)
{
	size_t n = (size_t)width * height;
	double *plane = calloc(11 * n + 1, sizeof(*plane)), sum = 0;
	struct ssim s = { plane,	 plane + n,	plane + 2 * n, plane + 3 * n, plane + 4 * n, plane + 5 * n,
			  plane + 6 * n, plane + 7 * n, plane + 8 * n, plane + 9 * n, plane + 10 * n };

	if (!plane)
		return NAN;
	for (int c = 0; c < 3; c++)
		sum += ssim_channel(&s, x + c, y + c, width, height, factor, gradient ? gradient + c : NULL);
	free(plane);
	return sum / (3 * (double)n);
}

double ref_splat_ssim(const double *x, const double *y, uint32_t width, uint32_t height)
{
	return ssim_mean(x, y, width, height, 0, NULL);
}

double ref_splat_psnr(const double *x, const double *y, uint32_t width, uint32_t height)
{
	size_t n = 3 * (size_t)width * height;
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (x[i] - y[i]) * (x[i] - y[i]) / (double)n;
	return -10 * log10(sum);
}

double ref_splat_loss(const double *x, const double *y, uint32_t width, uint32_t height, double weight,
		      double *gradient)
{
	size_t n = 3 * (size_t)width * height;
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += fabs(x[i] - y[i]);
		if (gradient)
			gradient[i] = (1 - weight) / (double)n * ((x[i] > y[i]) - (x[i] < y[i]));
	}
	return (1 - weight) * sum / (double)n +
	       weight * (1 - ssim_mean(x, y, width, height, -weight / (double)n, gradient));
}

void ref_splat_adam(double *parameter, double *m, double *v, const double *gradient, uint32_t n, double rate,
		    double epsilon, uint64_t step)
{
	const double b1 = 0.9, b2 = 0.999;

	for (uint32_t i = 0; i < n; i++) {
		m[i] = b1 * m[i] + (1 - b1) * gradient[i];
		v[i] = b2 * v[i] + (1 - b2) * gradient[i] * gradient[i];
		parameter[i] -= rate * (m[i] / (1 - pow(b1, (double)step))) /
				(sqrt(v[i] / (1 - pow(b2, (double)step))) + epsilon);
	}
}

void ref_splat_share(double opacity, uint32_t n, double *shared_opacity, double *scale)
{
	const double o = 1 - pow(1 - opacity, 1.0 / n);
	double sum = 0;

	for (uint32_t i = 1; i <= n; i++) {
		double binomial = 1; /* of i - 1 over k */

		for (uint32_t k = 0; k < i; k++) {
			sum += binomial * (k & 1 ? -1 : 1) * pow(o, k + 1) / sqrt(k + 1);
			binomial *= (double)(i - 1 - k) / (k + 1);
		}
	}
	*shared_opacity = o;
	*scale = opacity / sum;
}
