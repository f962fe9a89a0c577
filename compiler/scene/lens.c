/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lens.c - Brown's model: radial polynomial in r2, two tangential terms.
 *
 *	rad = 1 + k1 r2 + k2 r2^2 + k3 r2^3 + k4 r2^4
 *	xd = x rad + 2 p1 x y + p2 (r2 + 2 x^2)
 *	yd = y rad + p1 (r2 + 2 y^2) + 2 p2 x y
 *
 * Undoing it is Newton's method from the distorted point. Where the Jacobian's
 * determinant is not positive the lens has folded the plane, and there is
 * nothing to undo.
 */
#include "config.h"

#include "scene/lens.h"

#include <math.h>

bool lens_distorts(const struct scene_lens *l)
{
	return l->k[0] != 0 || l->k[1] != 0 || l->k[2] != 0 || l->k[3] != 0 || l->p[0] != 0 || l->p[1] != 0;
}

void lens_distort(const struct scene_lens *l, double x, double y, double *xd, double *yd)
{
	double r2 = x * x + y * y;
	double rad = 1 + r2 * (l->k[0] + r2 * (l->k[1] + r2 * (l->k[2] + r2 * l->k[3])));

	*xd = x * rad + 2 * l->p[0] * x * y + l->p[1] * (r2 + 2 * x * x);
	*yd = y * rad + l->p[0] * (r2 + 2 * y * y) + 2 * l->p[1] * x * y;
}

/* d(xd, yd)/d(x, y) as a, b, c, d row-major; returns the determinant. */
static double jacobian(const struct scene_lens *l, double x, double y, double j[4])
{
	double r2 = x * x + y * y;
	double rad = 1 + r2 * (l->k[0] + r2 * (l->k[1] + r2 * (l->k[2] + r2 * l->k[3])));
	double slope = 2 * (l->k[0] + r2 * (2 * l->k[1] + r2 * (3 * l->k[2] + r2 * 4 * l->k[3])));

	j[0] = rad + x * x * slope + 2 * l->p[0] * y + 6 * l->p[1] * x;
	j[1] = x * y * slope + 2 * l->p[0] * x + 2 * l->p[1] * y;
	j[2] = j[1];
	j[3] = rad + y * y * slope + 6 * l->p[0] * y + 2 * l->p[1] * x;
	return j[0] * j[3] - j[1] * j[2];
}

bool lens_undistort(const struct scene_lens *l, double xd, double yd, double *x, double *y)
{
	double j[4], det, ex, ey;

	*x = xd;
	*y = yd;
	for (int i = 0; i < 60; i++) {
		lens_distort(l, *x, *y, &ex, &ey);
		ex -= xd;
		ey -= yd;
		det = jacobian(l, *x, *y, j);
		if (!(det > 1e-6))
			return false;
		if (ex * ex + ey * ey < 1e-24)
			return true;
		*x -= (j[3] * ex - j[1] * ey) / det;
		*y -= (j[0] * ey - j[2] * ex) / det;
	}
	return ex * ex + ey * ey < 1e-16;
}

/* u, v between the centres of the outermost pixels: a sample between them needs no pixel outside. */
static bool undistort_pixel(const struct scene_lens *l, double u, double v, double *x, double *y)
{
	return lens_undistort(l, (u - l->cx) / l->fx, (v - l->cy) / l->fy, x, y);
}

/* Over a grid: the determinant is positive everywhere, so that nothing is shown twice. */
static bool is_one_to_one(const struct scene_lens *l, double x0, double x1, double y0, double y1)
{
	enum { GRID = 24 };
	double j[4];

	for (int i = 0; i <= GRID; i++)
		for (int k = 0; k <= GRID; k++)
			if (!(jacobian(l, x0 + (x1 - x0) * i / GRID, y0 + (y1 - y0) * k / GRID, j) > 1e-6))
				return false;
	return true;
}

bool lens_pinhole(const struct scene_lens *l, uint32_t width, uint32_t height, double out[4])
{
	enum { STEPS = 64 };
	double left = -INFINITY, right = INFINITY, top = -INFINITY, bottom = INFINITY;
	double w = width, h = height;

	out[0] = l->fx, out[1] = l->fy, out[2] = l->cx, out[3] = l->cy;
	if (!lens_distorts(l))
		return true;
	if (width < 2 || height < 2)
		return false;
	for (int i = 0; i <= STEPS; i++) {
		double u = 0.5 + (w - 1) * i / STEPS, v = 0.5 + (h - 1) * i / STEPS, x, y;

		if (!undistort_pixel(l, 0.5, v, &x, &y))
			return false;
		left = fmax(left, x);
		if (!undistort_pixel(l, w - 0.5, v, &x, &y))
			return false;
		right = fmin(right, x);
		if (!undistort_pixel(l, u, 0.5, &x, &y))
			return false;
		top = fmax(top, y);
		if (!undistort_pixel(l, u, h - 0.5, &x, &y))
			return false;
		bottom = fmin(bottom, y);
	}
	if (!(right - left > 1e-6) || !(bottom - top > 1e-6) || !is_one_to_one(l, left, right, top, bottom))
		return false;
	out[0] = (w - 1) / (right - left);
	out[1] = (h - 1) / (bottom - top);
	out[2] = 0.5 - left * out[0];
	out[3] = 0.5 - top * out[1];
	return true;
}
