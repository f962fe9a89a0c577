/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_svg.c - how training went as a drawing: quality, loss, Gaussians and
 * bytes over the steps, one panel below the other with one axis of steps.
 */
#include "config.h"

#include "tools/train_tool.h"

#include <math.h>

enum { WIDTH = 760, PANEL = 150, LEFT = 78, RIGHT = 16, TOP = 34, GAP = 44, MOST = 4 };

struct panel {
	const char *title, *unit;
	const char *colour;
	double low, high;
	double mark; /* a dashed line; NaN: none */
	const char *mark_name;
};

struct drawing {
	FILE *out;
	double steps;
	int top; /* of the panel */
};

static double x_of(const struct drawing *d, double step)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * (d->steps > 0 ? step / d->steps : 0);
}

static double y_of(const struct drawing *d, const struct panel *p, double v)
{
	double range = p->high > p->low ? p->high - p->low : 1;

	return d->top + PANEL - PANEL * (v - p->low) / range;
}

/* 1, 2 or 5 times a power of ten, at most `most` of them in the range. */
static double tick_of(double range, int most)
{
	double raw = range > 0 ? range / most : 1, power = pow(10, floor(log10(raw))), m = raw / power;

	return power * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

static void label(FILE *out, double v, const char *unit)
{
	if (fabs(v) >= 1e6)
		fprintf(out, "%gM%s", v / 1e6, unit);
	else if (fabs(v) >= 1e4)
		fprintf(out, "%gk%s", v / 1e3, unit);
	else
		fprintf(out, "%g%s", v, unit);
}

static void axes(const struct drawing *d, const struct panel *p)
{
	double tick = tick_of(p->high - p->low, 4), across = tick_of(d->steps, 8);

	fprintf(d->out, "<text x=\"%d\" y=\"%d\" class=\"t\">%s</text>\n", LEFT, d->top - 10, p->title);
	fprintf(d->out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"f\"/>\n", LEFT, d->top,
		WIDTH - LEFT - RIGHT, PANEL);
	for (double v = ceil(p->low / tick - 1e-9) * tick; v <= p->high + tick * 1e-6; v += tick) {
		fprintf(d->out, "<path d=\"M%d %.1fH%d\" class=\"g\"/><text x=\"%d\" y=\"%.1f\" class=\"a\">", LEFT,
			y_of(d, p, v), WIDTH - RIGHT, LEFT - 6, y_of(d, p, v) + 4);
		label(d->out, fabs(v) < tick * 1e-6 ? 0 : v, p->unit);
		fputs("</text>\n", d->out);
	}
	for (double s = 0; s <= d->steps; s += across) {
		fprintf(d->out, "<text x=\"%.1f\" y=\"%d\" class=\"s\">", x_of(d, s), d->top + PANEL + 15);
		label(d->out, s, "");
		fputs("</text>\n", d->out);
	}
	if (!isnan(p->mark))
		fprintf(d->out,
			"<path d=\"M%d %.1fH%d\" class=\"m\"/><text x=\"%d\" y=\"%.1f\" class=\"n\">%s</text>\n", LEFT,
			y_of(d, p, p->mark), WIDTH - RIGHT, WIDTH - RIGHT - 6, y_of(d, p, p->mark) - 5, p->mark_name);
}

enum what { LOSS, GAUSSIANS, BYTES };

static double value_of(const struct curve_point *p, enum what what)
{
	return what == LOSS ? p->loss : what == GAUSSIANS ? p->gaussians : (double)p->device_bytes / (1 << 20);
}

static void line_panel(struct drawing *d, const struct curve *c, enum what what, struct panel p)
{
	for (uint32_t i = 0; i < c->points; i++)
		p.high = fmax(p.high, value_of(&c->point[i], what) * 1.05);
	axes(d, &p);
	fprintf(d->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" points=\"", p.colour);
	for (uint32_t i = 0; i < c->points; i++)
		fprintf(d->out, "%.1f,%.1f ", x_of(d, c->point[i].step), y_of(d, &p, value_of(&c->point[i], what)));
	fputs("\"/>\n", d->out);
	d->top += PANEL + GAP;
}

static void psnr_panel(struct drawing *d, const struct curve *c)
{
	struct panel p = { "PSNR of the views that were held out", " dB", "#0b6e4f", 1e9, -1e9, NAN, "" };

	for (uint32_t i = 0; i < c->evaluations; i++) {
		p.low = fmin(p.low, c->evaluation[i].psnr);
		p.high = fmax(p.high, c->evaluation[i].psnr);
	}
	p.low = floor(p.low - 0.5);
	p.high = ceil(p.high + 0.5);
	axes(d, &p);
	fprintf(d->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" points=\"", p.colour);
	for (uint32_t i = 0; i < c->evaluations; i++)
		fprintf(d->out, "%.1f,%.1f ", x_of(d, c->evaluation[i].step), y_of(d, &p, c->evaluation[i].psnr));
	fputs("\"/>\n", d->out);
	for (uint32_t i = 0; i < c->evaluations; i++)
		fprintf(d->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>step %u: %.2f dB</title></circle>\n",
			x_of(d, c->evaluation[i].step), y_of(d, &p, c->evaluation[i].psnr), p.colour,
			c->evaluation[i].step, c->evaluation[i].psnr);
	d->top += PANEL + GAP;
}

void train_svg(FILE *out, const struct train_record *r)
{
	const struct edge_plan *plan = train_plan(r->train);
	const struct curve *c = r->curve;
	struct drawing d = { out, plan->train->steps, TOP };
	double cap = plan->train->cap, budget = (double)plan->meta->device_budget_bytes / (1 << 20);
	double planned = (double)plan->meta->planned_device_bytes / (1 << 20);
	int panels = c->evaluations ? MOST : MOST - 1, height = TOP + panels * (PANEL + GAP);

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<style>.t{font-weight:bold;fill:#222}.f{fill:none;stroke:#bbb}.g{stroke:#e4e4e4}.a{text-anchor:end;fill:#555}"
		".s{text-anchor:middle;fill:#555}.m{stroke:#c0392b;stroke-dasharray:5 4}.n{text-anchor:end;fill:#c0392b}</style>\n"
		"<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
		WIDTH, height, WIDTH, height, WIDTH, height);
	if (c->evaluations)
		psnr_panel(&d, c);
	line_panel(&d, c, LOSS, (struct panel){ "Loss", "", "#8e44ad", 0, 0, NAN, "" });
	line_panel(&d, c, GAUSSIANS,
		   (struct panel){ "Gaussians", "", "#2464a8", 0, cap * 1.15, cap, "cap" });
	line_panel(&d, c, BYTES,
		   (struct panel){ "Device memory, MiB", "", "#b8640a", 0, fmax(planned, budget) * 1.15,
				   budget > 0 ? budget : planned, budget > 0 ? "budget" : "planned peak" });
	fputs("</svg>\n", out);
}
