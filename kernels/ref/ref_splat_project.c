/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_splat_project.c - from a Gaussian in space to one on the screen, and back.
 *
 * The mean goes through the camera exactly; the covariance through the
 * derivative J of the projection at the mean. J is taken at a point clamped to
 * a little more than the image, because far outside it the linear approximation
 * would blow splats up without limit.
 */
#include "config.h"

#include "ref/ref_splat.h"

#include <math.h>
#include <string.h>

#define SH0 0.28209479177387814
#define SH1 0.4886025119029199
#define SH2A 1.0925484305920792
#define SH2B 0.31539156525252005
#define SH2C 0.5462742152960396
#define SH3A 0.5900435899266435
#define SH3B 2.890611442640554
#define SH3C 0.4570457994644658
#define SH3D 0.3731763325901154
#define SH3E 1.445305721320277

/* The real spherical harmonics at a unit vector, and d[k] = their derivatives by x, y, z. */
static void harmonics(const double v[3], double y[REF_SPLAT_SH], double d[REF_SPLAT_SH][3])
{
	const double x = v[0], w = v[1], z = v[2], xx = x * x, ww = w * w, zz = z * z;
	const double value[REF_SPLAT_SH] = {
		SH0, -SH1 * w, SH1 * z, -SH1 * x, SH2A * x * w, -SH2A * w * z, SH2B * (2 * zz - xx - ww),
		-SH2A * x * z, SH2C * (xx - ww), -SH3A * w * (3 * xx - ww), SH3B * x * w * z,
		-SH3C * w * (4 * zz - xx - ww), SH3D * z * (2 * zz - 3 * xx - 3 * ww),
		-SH3C * x * (4 * zz - xx - ww), SH3E * z * (xx - ww), -SH3A * x * (xx - 3 * ww),
	};
	const double by[REF_SPLAT_SH][3] = {
		{ 0, 0, 0 },
		{ 0, -SH1, 0 },
		{ 0, 0, SH1 },
		{ -SH1, 0, 0 },
		{ SH2A * w, SH2A * x, 0 },
		{ 0, -SH2A * z, -SH2A * w },
		{ -2 * SH2B * x, -2 * SH2B * w, 4 * SH2B * z },
		{ -SH2A * z, 0, -SH2A * x },
		{ 2 * SH2C * x, -2 * SH2C * w, 0 },
		{ -6 * SH3A * x * w, -3 * SH3A * (xx - ww), 0 },
		{ SH3B * w * z, SH3B * x * z, SH3B * x * w },
		{ 2 * SH3C * x * w, -SH3C * (4 * zz - xx - 3 * ww), -8 * SH3C * w * z },
		{ -6 * SH3D * x * z, -6 * SH3D * w * z, SH3D * (6 * zz - 3 * xx - 3 * ww) },
		{ -SH3C * (4 * zz - 3 * xx - ww), 2 * SH3C * x * w, -8 * SH3C * x * z },
		{ 2 * SH3E * x * z, -2 * SH3E * w * z, SH3E * (xx - ww) },
		{ -3 * SH3A * (xx - ww), 6 * SH3A * x * w, 0 },
	};

	memcpy(y, value, sizeof(value));
	memcpy(d, by, sizeof(by));
}

/* All that the forward pass works out and the backward pass needs again. */
struct projection {
	double t[3], x, y;	   /* in the camera; t[0] / t[2], t[1] / t[2] */
	double xc, yc;		   /* the same, clamped */
	double view[2][3];	   /* J times the camera's rotation */
	double q[4], norm;	   /* the unit quaternion; what it was divided by */
	double turn[3][3], s[3];   /* its rotation; scales */
	double sigma[3][3];	   /* covariance in space */
	double direction[3], away; /* from the camera to the mean, unit; distance */
};

static void rotation_matrix(const double q[4], double r[3][3])
{
	const double w = q[0], x = q[1], y = q[2], z = q[3];
	const double m[3][3] = {
		{ 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y) },
		{ 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x) },
		{ 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y) },
	};

	memcpy(r, m, sizeof(m));
}

/* The covariance in space: turn diag(s^2) turn'. */
static void shape_in_space(const struct ref_gaussian *g, struct projection *p)
{
	p->norm = sqrt(g->rotation[0] * g->rotation[0] + g->rotation[1] * g->rotation[1] +
		       g->rotation[2] * g->rotation[2] + g->rotation[3] * g->rotation[3]);
	for (int i = 0; i < 4; i++)
		p->q[i] = g->rotation[i] / p->norm;
	rotation_matrix(p->q, p->turn);
	for (int k = 0; k < 3; k++)
		p->s[k] = exp(g->log_scale[k]);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			p->sigma[i][j] = 0;
			for (int k = 0; k < 3; k++)
				p->sigma[i][j] += p->turn[i][k] * p->s[k] * p->s[k] * p->turn[j][k];
		}
}

static double clamp(double x, double low, double high)
{
	return fmin(fmax(x, low), high);
}

/* False: not in front of the camera. */
static bool place(const struct ref_camera *c, const struct ref_gaussian *g, struct projection *p)
{
	double j[2][3] = { { 0 } }, d[3];

	for (int i = 0; i < 3; i++)
		p->t[i] = c->rotation[i][0] * g->mean[0] + c->rotation[i][1] * g->mean[1] +
			  c->rotation[i][2] * g->mean[2] + c->translation[i];
	if (!(p->t[2] > c->near))
		return false;
	p->x = p->t[0] / p->t[2];
	p->y = p->t[1] / p->t[2];
	p->xc = clamp(p->x, (-REF_SPLAT_CLAMP * c->width - c->cx) / c->fx,
		      ((1 + REF_SPLAT_CLAMP) * c->width - c->cx) / c->fx);
	p->yc = clamp(p->y, (-REF_SPLAT_CLAMP * c->height - c->cy) / c->fy,
		      ((1 + REF_SPLAT_CLAMP) * c->height - c->cy) / c->fy);
	j[0][0] = c->fx / p->t[2];
	j[0][2] = -c->fx * p->xc / p->t[2];
	j[1][1] = c->fy / p->t[2];
	j[1][2] = -c->fy * p->yc / p->t[2];
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 3; k++)
			p->view[i][k] = j[i][0] * c->rotation[0][k] + j[i][1] * c->rotation[1][k] +
					j[i][2] * c->rotation[2][k];
	/* The camera stands at -rotation' translation, so mean - camera = rotation' t. */
	for (int k = 0; k < 3; k++)
		d[k] = c->rotation[0][k] * p->t[0] + c->rotation[1][k] * p->t[1] +
		       c->rotation[2][k] * p->t[2];
	p->away = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
	for (int k = 0; k < 3; k++)
		p->direction[k] = d[k] / p->away;
	shape_in_space(g, p);
	return true;
}

static uint32_t coefficients(uint32_t sh_degree)
{
	return (sh_degree + 1) * (sh_degree + 1);
}

static void colour(const struct ref_gaussian *g, const struct projection *p, uint32_t sh_degree,
		   struct ref_splat *out)
{
	double y[REF_SPLAT_SH], d[REF_SPLAT_SH][3];

	harmonics(p->direction, y, d);
	for (int c = 0; c < 3; c++) {
		out->raw[c] = 0.5;
		for (uint32_t k = 0; k < coefficients(sh_degree); k++)
			out->raw[c] += y[k] * g->sh[k][c];
		out->colour[c] = fmax(out->raw[c], 0);
	}
}

void ref_splat_project(const struct ref_camera *camera, const struct ref_gaussian *g, uint32_t sh_degree,
		       struct ref_splat *out)
{
	struct projection p;
	double m[2][3], det;

	memset(out, 0, sizeof(*out));
	if (!place(camera, g, &p))
		return;
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 3; k++)
			m[i][k] = p.view[i][0] * p.sigma[0][k] + p.view[i][1] * p.sigma[1][k] +
				  p.view[i][2] * p.sigma[2][k];
	for (int k = 0; k < 3; k++) {
		out->covar[0] += m[0][k] * p.view[0][k];
		out->covar[1] += m[0][k] * p.view[1][k];
		out->covar[2] += m[1][k] * p.view[1][k];
	}
	out->covar[0] += REF_SPLAT_BLUR;
	out->covar[2] += REF_SPLAT_BLUR;
	det = out->covar[0] * out->covar[2] - out->covar[1] * out->covar[1];
	out->conic[0] = out->covar[2] / det;
	out->conic[1] = -out->covar[1] / det;
	out->conic[2] = out->covar[0] / det;
	out->depth = p.t[2];
	out->mean[0] = camera->fx * p.x + camera->cx - 0.5;
	out->mean[1] = camera->fy * p.y + camera->cy - 0.5;
	out->opacity = 1 / (1 + exp(-g->opacity));
	colour(g, &p, sh_degree, out);
	out->visible = det > 0 && out->opacity >= REF_SPLAT_ALPHA_MIN;
}

/* By the screen covariance's a, b, c: from the derivative by its inverse. */
static void covariance_gradient(const struct ref_splat *s, const double g[3], double out[3])
{
	const double a = s->covar[0], b = s->covar[1], c = s->covar[2], det = a * c - b * b;

	out[0] = (-c * c * g[0] + b * c * g[1] - b * b * g[2]) / (det * det);
	out[1] = (2 * b * c * g[0] - (det + 2 * b * b) * g[1] + 2 * a * b * g[2]) / (det * det);
	out[2] = (-b * b * g[0] + a * b * g[1] - a * a * g[2]) / (det * det);
}

/* By the mean in the camera: from the derivatives by view (2 by 3) and by the screen mean. */
static void camera_gradient(const struct ref_camera *c, const struct projection *p, double by_view[2][3],
			    const double by_mean[2], double out[3])
{
	const double z = p->t[2], tx = p->xc * z, ty = p->yc * z;
	const bool in_x = p->xc == p->x, in_y = p->yc == p->y;
	double j[2][3];

	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 3; k++)
			j[i][k] = by_view[i][0] * c->rotation[k][0] + by_view[i][1] * c->rotation[k][1] +
				  by_view[i][2] * c->rotation[k][2];
	out[0] = (in_x ? -c->fx / (z * z) * j[0][2] : 0) + c->fx / z * by_mean[0];
	out[1] = (in_y ? -c->fy / (z * z) * j[1][2] : 0) + c->fy / z * by_mean[1];
	/* A clamped coordinate moves with depth only through the 1 / z of J. */
	out[2] = -c->fx / (z * z) * j[0][0] - c->fy / (z * z) * j[1][1] +
		 (in_x ? 2 : 1) * c->fx * tx * j[0][2] / (z * z * z) +
		 (in_y ? 2 : 1) * c->fy * ty * j[1][2] / (z * z * z) -
		 (c->fx * p->x * by_mean[0] + c->fy * p->y * by_mean[1]) / z;
}

/* By scales and rotation: from the derivative by the covariance in space. */
static void shape_gradient(const struct projection *p, double by_sigma[3][3], struct ref_gaussian *out)
{
	const double w = p->q[0], x = p->q[1], y = p->q[2], z = p->q[3];
	double g[3][3], d[4], along = 0;

	for (int k = 0; k < 3; k++)
		for (int i = 0; i < 3; i++) {
			double m = 0; /* by turn times diag(s) */

			for (int j = 0; j < 3; j++)
				m += 2 * by_sigma[i][j] * p->turn[j][k] * p->s[k];
			out->log_scale[k] += p->s[k] * p->turn[i][k] * m;
			g[i][k] = m * p->s[k];
		}
	d[0] = 2 * (x * (g[2][1] - g[1][2]) + y * (g[0][2] - g[2][0]) + z * (g[1][0] - g[0][1]));
	d[1] = 2 * (y * (g[0][1] + g[1][0]) + z * (g[0][2] + g[2][0]) + w * (g[2][1] - g[1][2])) -
	       4 * x * (g[1][1] + g[2][2]);
	d[2] = 2 * (x * (g[0][1] + g[1][0]) + z * (g[1][2] + g[2][1]) + w * (g[0][2] - g[2][0])) -
	       4 * y * (g[0][0] + g[2][2]);
	d[3] = 2 * (x * (g[0][2] + g[2][0]) + y * (g[1][2] + g[2][1]) + w * (g[1][0] - g[0][1])) -
	       4 * z * (g[0][0] + g[1][1]);
	for (int i = 0; i < 4; i++)
		along += p->q[i] * d[i];
	for (int i = 0; i < 4; i++)
		out->rotation[i] = (d[i] - p->q[i] * along) / p->norm;
}

/* By the coefficients, and what the colour says about the mean. */
static void colour_gradient(const struct ref_gaussian *g, const struct projection *p, uint32_t sh_degree,
			    const struct ref_splat *splat, const double by_colour[3],
			    struct ref_gaussian *out)
{
	double y[REF_SPLAT_SH], d[REF_SPLAT_SH][3], by_direction[3] = { 0 }, along = 0;

	harmonics(p->direction, y, d);
	for (uint32_t k = 0; k < coefficients(sh_degree); k++)
		for (int c = 0; c < 3; c++) {
			double by = splat->raw[c] < 0 ? 0 : by_colour[c];

			out->sh[k][c] = y[k] * by;
			for (int i = 0; i < 3; i++)
				by_direction[i] += g->sh[k][c] * by * d[k][i];
		}
	for (int i = 0; i < 3; i++)
		along += p->direction[i] * by_direction[i];
	for (int i = 0; i < 3; i++)
		out->mean[i] += (by_direction[i] - p->direction[i] * along) / p->away;
}

void ref_splat_project_backward(const struct ref_camera *camera, const struct ref_gaussian *g,
				uint32_t sh_degree, const struct ref_splat *splat,
				const struct ref_splat_gradient *gradient, struct ref_gaussian *out)
{
	struct projection p;
	double by_covar[3], by_view[2][3], by_sigma[3][3], by_t[3];

	memset(out, 0, sizeof(*out));
	if (!splat->visible || !place(camera, g, &p))
		return;
	covariance_gradient(splat, gradient->conic, by_covar);
	const double m[2][2] = { { by_covar[0], by_covar[1] / 2 }, { by_covar[1] / 2, by_covar[2] } };

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			by_sigma[i][j] = 0;
			for (int a = 0; a < 2; a++)
				for (int b = 0; b < 2; b++)
					by_sigma[i][j] += p.view[a][i] * m[a][b] * p.view[b][j];
		}
	for (int a = 0; a < 2; a++)
		for (int j = 0; j < 3; j++) {
			by_view[a][j] = 0;
			for (int b = 0; b < 2; b++)
				for (int i = 0; i < 3; i++)
					by_view[a][j] += 2 * m[a][b] * p.view[b][i] * p.sigma[i][j];
		}
	camera_gradient(camera, &p, by_view, gradient->mean, by_t);
	for (int k = 0; k < 3; k++)
		out->mean[k] = camera->rotation[0][k] * by_t[0] + camera->rotation[1][k] * by_t[1] +
			       camera->rotation[2][k] * by_t[2];
	shape_gradient(&p, by_sigma, out);
	colour_gradient(g, &p, sh_degree, splat, gradient->colour, out);
	out->opacity = splat->opacity * (1 - splat->opacity) * gradient->opacity;
}
