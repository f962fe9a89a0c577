/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_html.c - how training went as one page without anything beside it:
 * numbers, the drawing, and views rendered beside their photographs.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "tools/train_tool.h"

#include <string.h>

static void text(FILE *out, const char *s)
{
	for (; *s; s++) {
		const char *as = *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '&' ? "&amp;" : *s == '"' ? "&quot;" : NULL;

		if (as)
			fputs(as, out);
		else if ((unsigned char)*s >= ' ')
			putc(*s, out);
	}
}

static void row(FILE *out, const char *name, const char *value)
{
	fprintf(out, "<tr><td>%s</td><td>", name);
	text(out, value);
	fputs("</td></tr>\n", out);
}

static __attribute__((format(printf, 3, 4))) void rowf(FILE *out, const char *name, const char *fmt, ...)
{
	char value[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	row(out, name, value);
}

static void facts(FILE *out, const struct train_record *r, const struct evaluation *e)
{
	const struct edge_plan *p = train_plan(r->train);
	struct train_totals t;

	train_totals(r->train, &t);
	fputs("<table>\n", out);
	rowf(out, e->held_out ? "Views held out" : "Views", "%u: PSNR %.2f dB, SSIM %.4f", e->count, e->psnr, e->ssim);
	rowf(out, "Gaussians", "%u of at most %u", train_gaussians(r->train), p->train->cap);
	if (r->curve && train_done(r->train))
		rowf(out, "Training", "%u steps in %.1f s, %.2f ms a step", train_done(r->train), r->curve->seconds,
		     r->curve->seconds * 1000 / train_done(r->train));
	rowf(out, "Device memory", "%s (planned %s)", tool_size(t.actual_device_bytes), tool_size(t.planned_device_bytes));
	if (p->meta->device_budget_bytes)
		row(out, "Budget", tool_size(p->meta->device_budget_bytes));
	row(out, "Process, resident", tool_size(rt_peak_rss()));
	rowf(out, "On", "%s, %u threads (%s)", t.device, t.threads, t.backend);
	fputs("</table>\n", out);
}

/* A picture as the source of an <img>. */
static bool picture(FILE *out, struct png *p, const float *rendered, const uint8_t *photograph, uint32_t width,
		    uint32_t height, uint8_t *line)
{
	struct base64 b = { .out = out };
	bool good;

	fputs("<img src=\"data:image/png;base64,", out);
	png_begin(p, sink_base64, &b, height);
	if (rendered)
		picture_rows(p, rendered, width, height, line);
	for (size_t y = 0; y < height && photograph; y++)
		png_row(p, photograph + 3 * y * width);
	good = png_end(p) && base64_end(&b);
	fprintf(out, "\" width=\"%u\" height=\"%u\">", width, height);
	return good;
}

static enum edge_status pair(FILE *out, struct evaluation *e, uint32_t index, struct failure *f)
{
	const struct edge_view *v = &train_plan(e->train)->views[e->view[index].view];
	enum edge_status st = evaluation_show(e, index, f);
	struct png *p = png_new(v->width);
	uint8_t *line = rt_alloc(v->width, 3);

	if (st == EDGE_OK && (!p || !line))
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	if (st == EDGE_OK) {
		fputs("<figure>", out);
		picture(out, p, e->rendered, NULL, v->width, v->height, line);
		picture(out, p, NULL, e->photograph, v->width, v->height, line);
		fputs("<figcaption>", out);
		text(out, evaluation_name(e, index));
		fprintf(out, ": rendered, photograph; %.2f dB, SSIM %.4f</figcaption></figure>\n", e->view[index].psnr,
			e->view[index].ssim);
	}
	png_delete(p);
	rt_free(line);
	return st;
}

enum edge_status train_html(FILE *out, const struct train_record *r, struct evaluation *e, uint32_t views,
			    struct failure *f)
{
	const struct edge_plan *p = train_plan(r->train);
	enum edge_status st = EDGE_OK;
	uint32_t n = views < e->count ? views : e->count;

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", out);
	text(out, plan_string(p, p->meta->name));
	fputs("</title><style>body{font:15px/1.5 sans-serif;max-width:1240px;margin:2em auto;padding:0 1em;color:#222}"
	      "td{padding:.1em 1.5em .1em 0}figure{margin:1.5em 0}img{max-width:49%;height:auto;margin-right:.5%}"
	      "figcaption{color:#555}svg{max-width:100%;height:auto}</style></head><body>\n<h1>",
	      out);
	text(out, plan_string(p, p->meta->name));
	fputs("</h1>\n", out);
	facts(out, r, e);
	if (r->curve) {
		fputs("<h2>Training</h2>\n", out);
		train_svg(out, r);
	}
	fprintf(out, "<h2>%s</h2>\n", e->held_out ? "Views that training has not seen" : "Views");
	for (uint32_t i = 0; i < n && st == EDGE_OK; i++)
		st = pair(out, e, (uint32_t)((uint64_t)i * e->count / n), f);
	fputs("</body></html>\n", out);
	return st;
}
