/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.c - photographs of things that do not exist: a capture for the example.
 *
 *	draw FOLDER [--lens]
 *
 * Rays through nine places of each pixel meet a floor, four balls and two
 * boxes under one lamp. FOLDER gets view-00.png ... view-29.png, 160 x 120, and
 * transforms.json. With --lens they look as through a lens that bends straight
 * lines; transforms.json says how.
 */
#include "config.h"

#include "image/png.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WIDTH = 160, HEIGHT = 120, VIEWS = 30, FINE = 3 };

static const double focal = 150;
static double k1, k2, p1; /* of the lens */

struct vec {
	double x, y, z;
};

static struct vec add(struct vec a, struct vec b) { return (struct vec){ a.x + b.x, a.y + b.y, a.z + b.z }; }
static struct vec sub(struct vec a, struct vec b) { return (struct vec){ a.x - b.x, a.y - b.y, a.z - b.z }; }
static struct vec scale(struct vec a, double s) { return (struct vec){ a.x * s, a.y * s, a.z * s }; }
static double dot(struct vec a, struct vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static struct vec unit(struct vec a) { return scale(a, 1 / sqrt(dot(a, a))); }

static struct vec cross(struct vec a, struct vec b)
{
	return (struct vec){ a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x };
}

/* ---- the things; z is up ---- */

struct ball {
	struct vec at;
	double radius;
	struct vec colour, stripe;
};

static const struct ball balls[] = {
	{ { 0, 0, 0.55 }, 0.55, { 0.85, 0.25, 0.15 }, { 0.95, 0.85, 0.7 } },
	{ { 1.05, 0.5, 0.3 }, 0.3, { 0.15, 0.4, 0.8 }, { 0.15, 0.4, 0.8 } },
	{ { -0.8, 0.75, 0.35 }, 0.35, { 0.2, 0.65, 0.3 }, { 0.9, 0.9, 0.3 } },
	{ { 0.35, -0.95, 0.22 }, 0.22, { 0.9, 0.75, 0.15 }, { 0.3, 0.2, 0.1 } },
};

struct box {
	struct vec low, high, colour;
};

static const struct box boxes[] = {
	{ { -1.2, -0.7, 0 }, { -0.6, -0.2, 0.7 }, { 0.6, 0.5, 0.75 } },
	{ { 0.6, -0.45, 0 }, { 1.1, -0.05, 0.35 }, { 0.75, 0.55, 0.4 } },
};

enum { BALLS = sizeof balls / sizeof *balls, BOXES = sizeof boxes / sizeof *boxes };

struct hit {
	double t;
	struct vec at, normal, colour;
};

static void meet_floor(struct vec from, struct vec way, struct hit *h)
{
	double t = way.z < -1e-9 ? -from.z / way.z : 0, r, wave;
	struct vec at = add(from, scale(way, t));

	r = sqrt(at.x * at.x + at.y * at.y);
	if (t <= 1e-6 || t >= h->t || r > 3)
		return;
	wave = 0.06 * sin(5 * at.x + 2 * sin(3 * at.y)) + 0.05 * sin(7 * at.y - 3 * sin(2 * at.x));
	*h = (struct hit){ t, at, { 0, 0, 1 }, { 0.55 + wave, 0.5 + wave, 0.45 + wave } };
	if (((int)floor(at.x * 2 + 100) + (int)floor(at.y * 2 + 100)) % 2)
		h->colour = scale(h->colour, 0.6);
	if (r > 2.85)
		h->colour = (struct vec){ 0.25, 0.12, 0.08 };
}

static void meet_ball(const struct ball *b, struct vec from, struct vec way, struct hit *h)
{
	struct vec to = sub(from, b->at);
	double half = dot(to, way), rest = half * half - dot(to, to) + b->radius * b->radius, t;

	t = rest > 0 ? -half - sqrt(rest) : 0;
	if (t <= 1e-6 || t >= h->t)
		return;
	h->t = t;
	h->at = add(from, scale(way, t));
	h->normal = scale(sub(h->at, b->at), 1 / b->radius);
	h->colour = (int)floor((h->normal.z + 1) * 3.5) % 2 ? b->stripe : b->colour;
}

static void meet_box(const struct box *b, struct vec from, struct vec way, struct hit *h)
{
	const double low[3] = { b->low.x, b->low.y, b->low.z }, high[3] = { b->high.x, b->high.y, b->high.z };
	const double o[3] = { from.x, from.y, from.z }, d[3] = { way.x, way.y, way.z };
	double enter = -1e9, leave = 1e9, n[3] = { 0, 0, 0 };
	int axis = 0;

	for (int a = 0; a < 3; a++) {
		double t0 = (low[a] - o[a]) / d[a], t1 = (high[a] - o[a]) / d[a], swap = t0 > t1 ? t0 : t1;

		t0 = t0 < t1 ? t0 : t1;
		t1 = swap;
		if (t0 > enter)
			enter = t0, axis = a;
		leave = t1 < leave ? t1 : leave;
	}
	if (enter >= leave || enter <= 1e-6 || enter >= h->t)
		return;
	n[axis] = d[axis] > 0 ? -1 : 1;
	*h = (struct hit){ enter, add(from, scale(way, enter)), { n[0], n[1], n[2] }, b->colour };
	if (fmod(h->at.z * 6 + 10, 2) < 0.5 && axis != 2)
		h->colour = scale(h->colour, 0.55);
}

static struct hit meet(struct vec from, struct vec way)
{
	struct hit h = { .t = 1e9 };

	meet_floor(from, way, &h);
	for (int i = 0; i < BALLS; i++)
		meet_ball(&balls[i], from, way, &h);
	for (int i = 0; i < BOXES; i++)
		meet_box(&boxes[i], from, way, &h);
	return h;
}

static struct vec look(struct vec from, struct vec way)
{
	const struct vec lamp = { 1.5, -2, 4 };
	struct hit h = meet(from, way);
	struct vec to_lamp;
	double light;

	if (h.t >= 1e9)
		return (struct vec){ 0.12, 0.14, 0.18 };
	to_lamp = unit(sub(lamp, h.at));
	light = dot(h.normal, to_lamp);
	if (light < 0 || meet(add(h.at, scale(h.normal, 1e-5)), to_lamp).t < 1e9)
		light = 0;
	return scale(h.colour, 0.35 + 0.65 * light);
}

/* ---- the camera ---- */

struct camera {
	struct vec at, right, down, forward;
};

static struct camera stand(int view)
{
	double turn = 2 * 3.14159265358979 * view / VIEWS, height = 1.3 + 0.9 * sin(2.4 * view), far = 3.0 + 0.3 * cos(1.7 * view);
	struct camera c = { .at = { far * cos(turn), far * sin(turn), height } };

	c.forward = unit(sub((struct vec){ 0, 0, 0.3 }, c.at));
	c.right = unit(cross(c.forward, (struct vec){ 0, 0, 1 }));
	c.down = cross(c.forward, c.right);
	return c;
}

/* From where the lens shows a direction to the direction: the distortion is small, so repeating converges. */
static void straighten(double *x, double *y)
{
	double xd = *x, yd = *y;

	for (int i = 0; i < 30; i++) {
		double r2 = *x * *x + *y * *y, bend = 1 + k1 * r2 + k2 * r2 * r2;
		double dx = 2 * p1 * *x * *y, dy = p1 * (r2 + 2 * *y * *y);

		*x = (xd - dx) / bend;
		*y = (yd - dy) / bend;
	}
}

static struct vec pixel(const struct camera *c, double u, double v)
{
	double x = (u - WIDTH / 2.0) / focal, y = (v - HEIGHT / 2.0) / focal;

	straighten(&x, &y);
	return look(c->at, unit(add(c->forward, add(scale(c->right, x), scale(c->down, y)))));
}

static uint8_t byte(double x)
{
	x = x * 255 / (FINE * FINE) + 0.5;
	return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

static bool draw_view(const struct camera *c, const char *path)
{
	FILE *f = fopen(path, "wb");
	struct png *p = png_new(WIDTH);
	uint8_t row[3 * WIDTH];
	bool ok = f && p;

	if (ok)
		png_begin(p, sink_file, f, HEIGHT);
	for (int y = 0; ok && y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++) {
			struct vec sum = { 0, 0, 0 };

			for (int i = 0; i < FINE * FINE; i++)
				sum = add(sum, pixel(c, x + (i % FINE + 0.5) / FINE, y + (i / FINE + 0.5) / FINE));
			row[3 * x] = byte(sum.x);
			row[3 * x + 1] = byte(sum.y);
			row[3 * x + 2] = byte(sum.z);
		}
		png_row(p, row);
	}
	ok = ok && png_end(p);
	if (p)
		png_delete(p);
	return f && fclose(f) == 0 && ok;
}

/* Camera to world, with y up and z backward. */
static void write_frame(FILE *json, const struct camera *c, int view)
{
	const double m[3][4] = { { c->right.x, -c->down.x, -c->forward.x, c->at.x },
				 { c->right.y, -c->down.y, -c->forward.y, c->at.y },
				 { c->right.z, -c->down.z, -c->forward.z, c->at.z } };

	fprintf(json, "%s\n  { \"file_path\": \"view-%02d.png\", \"transform_matrix\": [", view ? "," : "", view);
	for (int i = 0; i < 3; i++)
		fprintf(json, "[%.9f, %.9f, %.9f, %.9f], ", m[i][0], m[i][1], m[i][2], m[i][3]);
	fputs("[0, 0, 0, 1]] }", json);
}

static int draw(const char *folder)
{
	char path[4096];
	FILE *json;
	bool ok;

	snprintf(path, sizeof path, "%s/transforms.json", folder);
	json = fopen(path, "w");
	ok = json != NULL;
	if (ok)
		fprintf(json, "{ \"fl_x\": %g, \"fl_y\": %g, \"cx\": %g, \"cy\": %g, \"w\": %d, \"h\": %d,\n"
			"  \"k1\": %g, \"k2\": %g, \"p1\": %g, \"p2\": 0,\n  \"frames\": [",
			focal, focal, WIDTH / 2.0, HEIGHT / 2.0, WIDTH, HEIGHT, k1, k2, p1);
	for (int i = 0; ok && i < VIEWS; i++) {
		struct camera c = stand(i);

		snprintf(path, sizeof path, "%s/view-%02d.png", folder, i);
		write_frame(json, &c, i);
		ok = draw_view(&c, path);
	}
	if (json)
		fputs("\n] }\n", json);
	if (json && fclose(json) != 0)
		ok = false;
	if (!ok)
		fprintf(stderr, "draw: could not write \"%s\": %s\n", path, strerror(errno));
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "--lens") != 0)) {
		fputs("usage: draw FOLDER [--lens]\n", stderr);
		return 2;
	}
	if (argc == 3) {
		k1 = -0.15;
		k2 = 0.04;
		p1 = 0.002;
	}
	mkdir(argv[1], 0777);
	return draw(argv[1]);
}
