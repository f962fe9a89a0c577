/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orbit.c - a round trip around what the cameras look at.
 *
 * The centre is the point nearest to all of their axes, up is the mean of their
 * ups; radius and height are their means about the centre.
 */
#include "config.h"

#include "tools/orbit.h"

#include <math.h>
#include <string.h>

static double dot(const double a[3], const double b[3])
{
	return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void cross(const double a[3], const double b[3], double out[3])
{
	out[0] = a[1] * b[2] - a[2] * b[1];
	out[1] = a[2] * b[0] - a[0] * b[2];
	out[2] = a[0] * b[1] - a[1] * b[0];
}

static bool unit(double v[3])
{
	double n = sqrt(dot(v, v));

	for (int i = 0; i < 3; i++)
		v[i] = n > 1e-12 ? v[i] / n : 0;
	return n > 1e-12;
}

static void position(const struct edge_view *v, double out[3])
{
	for (int k = 0; k < 3; k++)
		out[k] = -(v->rotation[k] * v->translation[0] + v->rotation[3 + k] * v->translation[1] +
			   v->rotation[6 + k] * v->translation[2]);
}

/* The least squares point of all axes: sum (1 - d d') (x - c) = 0, kept near the mean where axes are parallel. */
static void meeting_point(const struct edge_plan *p, double out[3])
{
	double m[3][4] = { { 0 } }, mean[3] = { 0 }, c[3];

	for (uint32_t i = 0; i < p->view_count; i++) {
		position(&p->views[i], c);
		for (int k = 0; k < 3; k++)
			mean[k] += c[k] / p->view_count;
	}
	for (uint32_t i = 0; i < p->view_count; i++) {
		const double *d = p->views[i].rotation + 6;

		position(&p->views[i], c);
		for (int r = 0; r < 3; r++)
			for (int k = 0; k < 3; k++) {
				double a = (r == k) - d[r] * d[k];

				m[r][k] += a + (r == k ? 1e-6 : 0);
				m[r][3] += a * (c[k] - mean[k]);
			}
	}
	for (int k = 0; k < 3; k++) /* positive definite: no pivoting */
		for (int r = 0; r < 3; r++)
			for (int i = 3; r != k && i >= k; i--)
				m[r][i] -= m[r][k] / m[k][k] * m[k][i];
	for (int k = 0; k < 3; k++)
		out[k] = mean[k] + m[k][3] / m[k][k];
}

void orbit_plan(const struct edge_plan *p, uint32_t width, uint32_t height, struct orbit *out)
{
	const struct edge_view *v = &p->views[0];
	double c[3], off[3], up;

	memset(out, 0, sizeof(*out));
	out->lens = (struct train_camera){ .width = width ? width : v->width, .height = height ? height : v->height };
	out->lens.fx = v->fx * out->lens.width / v->width;
	out->lens.fy = v->fy * out->lens.width / v->width;
	out->lens.cx = out->lens.width / 2.0;
	out->lens.cy = out->lens.height / 2.0;
	meeting_point(p, out->centre);
	for (uint32_t i = 0; i < p->view_count; i++)
		for (int k = 0; k < 3; k++)
			out->up[k] -= p->views[i].rotation[3 + k];
	if (!unit(out->up))
		out->up[2] = 1;
	for (uint32_t i = 0; i < p->view_count; i++) {
		position(&p->views[i], c);
		for (int k = 0; k < 3; k++)
			off[k] = c[k] - out->centre[k];
		up = dot(off, out->up);
		out->height += up / p->view_count;
		out->radius += sqrt(fmax(dot(off, off) - up * up, 0)) / p->view_count;
	}
	/* The trip starts where the first camera stands. */
	position(v, c);
	for (int k = 0; k < 3; k++)
		off[k] = c[k] - out->centre[k];
	up = dot(off, out->up);
	for (int k = 0; k < 3; k++)
		out->ahead[k] = off[k] - up * out->up[k];
	if (!unit(out->ahead)) {
		const double any[3] = { out->up[1], out->up[2], -out->up[0] };

		cross(out->up, any, out->ahead);
		unit(out->ahead);
	}
	cross(out->up, out->ahead, out->side);
}

void orbit_camera(const struct orbit *o, double turn, struct train_camera *out)
{
	const double angle = 6.283185307179586 * turn;
	double at[3], right[3], down[3], ahead[3];

	for (int k = 0; k < 3; k++)
		at[k] = o->centre[k] + o->height * o->up[k] +
			o->radius * (cos(angle) * o->ahead[k] + sin(angle) * o->side[k]);
	for (int k = 0; k < 3; k++)
		ahead[k] = o->centre[k] - at[k];
	if (!unit(ahead))
		ahead[2] = 1;
	cross(ahead, o->up, right);
	if (!unit(right))
		memcpy(right, o->side, sizeof(right));
	cross(ahead, right, down);
	*out = o->lens;
	memcpy(out->rotation, right, sizeof(right));
	memcpy(out->rotation + 3, down, sizeof(down));
	memcpy(out->rotation + 6, ahead, sizeof(ahead));
	for (int r = 0; r < 3; r++)
		out->translation[r] = -dot(out->rotation + (size_t)3 * (size_t)r, at);
}
