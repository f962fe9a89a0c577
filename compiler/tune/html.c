/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html.c - a search as one page that needs nothing else: charts are inline SVG.
 *
 * Everything is drawn from the recorded trials, so that a report can be made
 * of a search that was interrupted, or long after it.
 */
#include "config.h"

#include "tune/tune.h"

#include <string.h>

enum { WIDTH = 640, HEIGHT = 320, LEFT = 64, RIGHT = 24, TOP = 16, BOTTOM = 44, MAX_ROWS = 2000 };

static const char style[] =
	"<style>:root{color-scheme:light;--page:#f6f5f2;--card:#fdfdfb;--line:#e2e0da;--grid:#ebe9e3;--ink:#1b1a17;--soft:#5c5950;"
	"--faint:#8d897e;--ok:#2a78d6;--no:#c2541a;--best:#15803d;--mark:#e4f4e8}"
	"@media(prefers-color-scheme:dark){:root{color-scheme:dark;--page:#131311;--card:#1c1c19;--line:#35342f;--grid:#292824;"
	"--ink:#f3f2ed;--soft:#b9b6ab;--faint:#858277;--ok:#4b93e6;--no:#e58a45;--best:#3fbf6d;--mark:#16301d}}"
	"*{box-sizing:border-box}body{font:15px/1.45 system-ui,sans-serif;max-width:1000px;margin:0 auto;padding:28px 16px 60px;"
	"color:var(--ink);background:var(--page)}h1{font-size:1.5em;margin:0 0 .4em}h2{font-size:1.1em;margin:2em 0 .4em}"
	".wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:6px 10px}"
	"table{border-collapse:collapse;font-size:13px;width:100%;font-variant-numeric:tabular-nums}"
	"td,th{border-bottom:1px solid var(--line);padding:3px 8px;text-align:right;vertical-align:top}tr:last-child td{border:0}"
	"td:last-child,th:last-child,td.t,th.t{text-align:left}td.c{font-family:ui-monospace,monospace;min-width:20em;overflow-wrap:anywhere}"
	"svg{display:block;width:100%;height:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}"
	"svg text{font:12px system-ui,sans-serif;fill:var(--soft)}svg text.small{font-size:10px}"
	".axis{stroke:var(--faint)}.grid{stroke:var(--grid)}.limit{stroke:var(--no);stroke-dasharray:5 4}"
	".ok{fill:var(--ok)}.no{fill:none;stroke:var(--no);stroke-width:1.5}.slow{fill:none;stroke:var(--faint);stroke-width:1.5}"
	".start{fill:var(--ink)}.best{fill:var(--best)}.front{fill:none;stroke:var(--best);stroke-width:1.5}"
	".bar{fill:var(--ok)}.bar2{fill:var(--no)}.muted{color:var(--soft);margin:.2em 0 .6em}"
	".key{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px;color:var(--soft);margin:.4em 0}"
	".key svg{width:14px;height:14px;display:inline-block;vertical-align:-2px;background:none;border:0;margin-right:5px}"
	"code{overflow-wrap:anywhere}tr.best td{background:var(--mark)}tr.no td{color:var(--faint)}</style>";

static void text(struct strbuf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			strbuf_puts(b, "&lt;");
		else if (*s == '>')
			strbuf_puts(b, "&gt;");
		else if (*s == '&')
			strbuf_puts(b, "&amp;");
		else if (*s == '"')
			strbuf_puts(b, "&quot;");
		else if ((unsigned char)*s >= 32)
			strbuf_add(b, s, 1);
	}
}

/* ---- charts */

struct axis {
	const char *label;
	double min, max, step; /* step: between ticks, a round number */
};

static void widen(struct axis *a, double v)
{
	if (!isfinite(v))
		return;
	a->min = v < a->min ? v : a->min;
	a->max = v > a->max ? v : a->max;
}

/* The ends become round numbers, four to eight steps apart. */
static void settle(struct axis *a)
{
	double room, power;

	if (!(a->max >= a->min)) {
		a->min = 0;
		a->max = 1;
	}
	room = a->max > a->min ? (a->max - a->min) * 0.04 : 0.1 + fabs(a->max) * 0.1;
	a->max += room;
	a->min = a->min >= 0 && a->min - room < 0 ? 0 : a->min - room;
	power = pow(10, floor(log10((a->max - a->min) / 4)));
	a->step = (a->max - a->min) / 4 >= 5 * power ? 5 * power : (a->max - a->min) / 4 >= 2 * power ? 2 * power : power;
	a->min = floor(a->min / a->step) * a->step;
	a->max = ceil(a->max / a->step) * a->step;
}

static double at_x(const struct axis *a, double v)
{
	return LEFT + (v - a->min) / (a->max - a->min) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct axis *a, double v)
{
	return HEIGHT - BOTTOM - (v - a->min) / (a->max - a->min) * (HEIGHT - TOP - BOTTOM);
}

static void frame(struct strbuf *b, const struct axis *x, const struct axis *y, const char *name)
{
	strbuf_printf(b, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH, HEIGHT, name);
	for (double v = y->min; v < y->max + y->step / 2; v += y->step) {
		strbuf_printf(b, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT, at_y(y, v),
			      at_y(y, v));
		strbuf_printf(b, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", LEFT - 6, at_y(y, v) + 4,
			      fabs(v) < y->step / 2 ? 0 : v);
	}
	for (double v = x->min; v < x->max + x->step / 2; v += x->step)
		strbuf_printf(b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.4g</text>\n", at_x(x, v), HEIGHT - BOTTOM + 16,
			      fabs(v) < x->step / 2 ? 0 : v);
	strbuf_printf(b, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/><line class=\"axis\" x1=\"%d\" x2=\"%d\" "
			 "y1=\"%d\" y2=\"%d\"/>", LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, HEIGHT - BOTTOM, LEFT, LEFT, TOP,
		      HEIGHT - BOTTOM);
	strbuf_printf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6);
	text(b, x->label);
	strbuf_printf(b, "</text><text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">", (TOP + HEIGHT - BOTTOM) / 2);
	text(b, y->label);
	strbuf_puts(b, "</text>\n");
}

static const char *class_of(uint32_t best, const struct trial *r)
{
	return r->number == best ? "best" : !r->number ? "start" : outcome_feasible(&r->o) ? "ok" : r->o.loss > 1 ? "no" : "slow";
}

static uint32_t best_of(const struct tuning_run *t)
{
	return t->verified ? t->best : loop_best(t);
}

static void dot(struct strbuf *b, const struct tuning_run *t, const struct trial *r, double x, double y)
{
	const char *class = class_of(best_of(t), r);
	bool large = !strcmp(class, "best") || !strcmp(class, "start");

	strbuf_printf(b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"><title>trial %u: ", class, x, y, large ? 6 : 4, r->number);
	text(b, *config_text(&t->problem.space, r->x) ? config_text(&t->problem.space, r->x) : "the heuristic");
	strbuf_puts(b, "</title></circle>\n");
}

/* The kinds of dots that there are. */
static void key(struct strbuf *b, const struct tuning_run *t)
{
	static const char *const kinds[][2] = { { "start", "the heuristic" }, { "best", "the best" }, { "ok", "good enough" },
						{ "no", "too much is lost" }, { "slow", "slower than the heuristic" } };

	strbuf_puts(b, "<div class=\"key\">");
	for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
		for (uint32_t i = 0; i < t->record.trials.len; i++) {
			const struct trial *r = &t->record.trials.data[i];

			if (r->o.failure || strcmp(class_of(best_of(t), r), kinds[k][0]) != 0)
				continue;
			strbuf_printf(b, "<span><svg viewBox=\"0 0 14 14\"><circle class=\"%s\" cx=\"7\" cy=\"7\" r=\"5\"/></svg>%s</span>",
				      kinds[k][0], kinds[k][1]);
			break;
		}
	strbuf_puts(b, "</div>\n");
}

/* What a trial costs on the horizontal axis and what it loses on the vertical one. */
static double cost(const struct tuning_run *t, const struct trial *r)
{
	return r->o.failure ? NAN : t->tune->minimize == DECL_MINIMIZE_LATENCY && !t->tune->formats.len ? r->o.latency_ms : r->o.bytes / 1e6;
}

static double pain(const struct tuning_run *t, const struct trial *r)
{
	if (r->o.failure)
		return NAN;
	return t->tune->quality ? r->o.loss * t->tune->loss * 100 : r->o.objective;
}

static void pareto(struct strbuf *b, const struct tuning_run *t)
{
	bool bytes = t->tune->formats.len || t->tune->minimize != DECL_MINIMIZE_LATENCY;
	struct axis x = { bytes ? "weights, MB" : "latency, ms", INFINITY, -INFINITY, 0 };
	struct axis y = { t->tune->quality ? "quality lost, %" : "what is minimised, over the heuristic's", INFINITY, -INFINITY, 0 };
	double highest;
	bool over = false;

	for (uint32_t i = 0; i < t->record.trials.len; i++)
		widen(&x, cost(t, &t->record.trials.data[i]));
	/* far-off losses would flatten what matters: ten times the limit is off the chart */
	highest = t->tune->quality ? t->tune->loss * 1000 : INFINITY;
	for (uint32_t i = 0; i < t->record.trials.len; i++) {
		double v = pain(t, &t->record.trials.data[i]);

		over |= v > highest;
		widen(&y, v > highest ? highest : v);
	}
	settle(&x);
	settle(&y);
	strbuf_printf(b, "<h2>Pareto front</h2>\n<p class=\"muted\">The line joins what no other trial as fast as the heuristic beats in both%s.</p>\n",
		      over ? "; dots at the top edge lie above it" : "");
	key(b, t);
	frame(b, &x, &y, "Pareto front");
	if (t->tune->quality && t->tune->loss * 100 < y.max)
		strbuf_printf(b, "<line class=\"limit\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"small\" x=\"%d\" y=\"%.1f\" "
				 "text-anchor=\"end\">allowed</text>", LEFT, WIDTH - RIGHT, at_y(&y, t->tune->loss * 100),
			      at_y(&y, t->tune->loss * 100), WIDTH - RIGHT - 2, at_y(&y, t->tune->loss * 100) - 3);
	strbuf_puts(b, "<polyline class=\"front\" points=\"");
	for (double from = -INFINITY;;) { /* from left to right, each step the least pain so far */
		const struct trial *next = NULL;

		for (uint32_t i = 0; i < t->record.trials.len; i++) {
			const struct trial *r = &t->record.trials.data[i];
			bool beaten = !isfinite(cost(t, r)) || !isfinite(pain(t, r)) || cost(t, r) <= from || pain(t, r) > highest ||
				      r->o.guard > 1;

			for (uint32_t k = 0; k < t->record.trials.len && !beaten; k++) {
				const struct trial *o = &t->record.trials.data[k];

				beaten = o->o.guard <= 1 && cost(t, o) <= cost(t, r) && pain(t, o) <= pain(t, r) &&
					 (cost(t, o) < cost(t, r) || pain(t, o) < pain(t, r));
			}
			if (!beaten && (!next || cost(t, r) < cost(t, next)))
				next = r;
		}
		if (!next)
			break;
		strbuf_printf(b, "%.1f,%.1f ", at_x(&x, cost(t, next)), at_y(&y, pain(t, next)));
		from = cost(t, next);
	}
	strbuf_puts(b, "\"/>\n");
	for (uint32_t i = 0; i < t->record.trials.len; i++) {
		const struct trial *r = &t->record.trials.data[i];
		double p = pain(t, r);

		if (isfinite(cost(t, r)) && isfinite(p))
			dot(b, t, r, at_x(&x, cost(t, r)), at_y(&y, p > highest ? highest : p));
	}
	strbuf_puts(b, "</svg>\n");
}

static void history(struct strbuf *b, const struct tuning_run *t)
{
	struct axis x = { "trial", 0, t->record.trials.len, 0 }, y = { "what is minimised, over the heuristic's", INFINITY, -INFINITY, 0 };
	double best = INFINITY;

	for (uint32_t i = 0; i < t->record.trials.len; i++)
		if (!t->record.trials.data[i].o.failure)
			widen(&y, t->record.trials.data[i].o.objective < 3 ? t->record.trials.data[i].o.objective : 3);
	settle(&x);
	settle(&y);
	strbuf_puts(b, "<h2>History</h2>\n<p class=\"muted\">The line is the best so far.</p>\n");
	frame(b, &x, &y, "History");
	strbuf_puts(b, "<polyline class=\"front\" points=\"");
	for (uint32_t i = 0; i < t->record.trials.len; i++) {
		const struct outcome *o = &t->record.trials.data[i].o;

		if (outcome_feasible(o) && o->objective < best) {
			if (isfinite(best))
				strbuf_printf(b, "%.1f,%.1f ", at_x(&x, i), at_y(&y, best));
			best = o->objective;
		}
		if (isfinite(best))
			strbuf_printf(b, "%.1f,%.1f ", at_x(&x, i), at_y(&y, best));
	}
	strbuf_puts(b, "\"/>\n");
	for (uint32_t i = 0; i < t->record.trials.len; i++) {
		const struct trial *r = &t->record.trials.data[i];

		if (!r->o.failure && isfinite(r->o.objective))
			dot(b, t, r, at_x(&x, i), at_y(&y, r->o.objective < 3 ? r->o.objective : 3));
	}
	strbuf_puts(b, "</svg>\n");
}

/* How far a knob's values differ in their mean, of what is minimised and of what is lost. */
static void effect(const struct tuning_run *t, uint32_t k, double *objective, double *loss)
{
	double least[2] = { INFINITY, INFINITY }, most[2] = { -INFINITY, -INFINITY };

	for (uint32_t v = 0; v < t->problem.space.knobs.data[k].count; v++) {
		double sum[2] = { 0, 0 };
		uint32_t n = 0;

		for (uint32_t i = 0; i < t->record.trials.len; i++) {
			const struct trial *r = &t->record.trials.data[i];

			if (r->x[k] != v || r->o.failure || !knob_active(&t->problem.space, r->x, k) ||
			    !isfinite(r->o.objective) || !isfinite(r->o.loss))
				continue;
			sum[0] += r->o.objective;
			sum[1] += r->o.loss * t->tune->loss * 100;
			n++;
		}
		for (int m = 0; m < 2 && n; m++) {
			least[m] = sum[m] / n < least[m] ? sum[m] / n : least[m];
			most[m] = sum[m] / n > most[m] ? sum[m] / n : most[m];
		}
	}
	*objective = most[0] >= least[0] ? most[0] - least[0] : 0;
	*loss = most[1] >= least[1] ? most[1] - least[1] : 0;
}

static void sensitivity(struct strbuf *b, const struct tuning_run *t)
{
	uint32_t n = t->problem.space.knobs.len < 60 ? t->problem.space.knobs.len : 60;
	double most[2] = { 1e-9, 1e-9 }, o, l;

	for (uint32_t k = 0; k < n; k++) {
		effect(t, k, &o, &l);
		most[0] = o > most[0] ? o : most[0];
		most[1] = l > most[1] ? l : most[1];
	}
	strbuf_puts(b, "<h2>Sensitivity</h2>\n<p class=\"muted\">How far the means of a knob's values lie apart: in what is minimised (blue) "
		       "and in quality lost (orange). Knobs were not changed one by one, so this is a hint.</p>\n");
	strbuf_printf(b, "<svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"Sensitivity\">\n", WIDTH, 26 * n + 10);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t y = 26 * k + 8;

		effect(t, k, &o, &l);
		strbuf_printf(b, "<text x=\"190\" y=\"%u\" text-anchor=\"end\">", y + 13);
		text(b, t->problem.space.knobs.data[k].name);
		strbuf_printf(b, "</text><rect class=\"bar\" x=\"196\" y=\"%u\" width=\"%.1f\" height=\"8\"><title>%.3g</title></rect>", y,
			      1 + o / most[0] * 330, o);
		strbuf_printf(b, "<text x=\"%.1f\" y=\"%u\" class=\"small\">%.3g</text>", 200 + o / most[0] * 330, y + 8, o);
		if (t->tune->quality)
			strbuf_printf(b, "<rect class=\"bar2\" x=\"196\" y=\"%u\" width=\"%.1f\" height=\"8\"><title>%.3g %%</title></rect>"
					 "<text x=\"%.1f\" y=\"%u\" class=\"small\">%.3g %%</text>\n",
				      y + 10, 1 + l / most[1] * 330, l, 200 + l / most[1] * 330, y + 18, l);
	}
	strbuf_puts(b, "</svg>\n");
}

/* ---- tables */

static void number(struct strbuf *b, const char *format, double x)
{
	char out[40];

	snprintf(out, sizeof out, format, x);
	strbuf_printf(b, "<td>%s</td>", isfinite(x) ? out : "");
}

static void failures(struct strbuf *b, const struct tuning_run *t)
{
	uint32_t count[FAILURE_KINDS] = { 0 }, all = 0;

	for (uint32_t i = 0; i < t->record.trials.len; i++) {
		count[t->record.trials.data[i].o.failure]++;
		all += t->record.trials.data[i].o.failure != FAILURE_NONE;
	}
	strbuf_puts(b, "<h2>Failures</h2>\n");
	if (!all) {
		strbuf_puts(b, "<p>No trial failed.</p>\n");
		return;
	}
	strbuf_puts(b, "<div class=\"wide\"><table><tr><th class=\"t\">kind</th><th>trials</th><th>one of them said</th></tr>\n");
	for (int k = 1; k < FAILURE_KINDS; k++) {
		if (!count[k])
			continue;
		strbuf_printf(b, "<tr><td class=\"t\">%s</td><td>%u</td><td class=\"c\">", failure_name((enum failure_kind)k), count[k]);
		for (uint32_t i = t->record.trials.len; i-- > 0;)
			if (t->record.trials.data[i].o.failure == (enum failure_kind)k) {
				text(b, t->record.trials.data[i].o.error ? t->record.trials.data[i].o.error : "");
				break;
			}
		strbuf_puts(b, "</td></tr>\n");
	}
	strbuf_puts(b, "</table></div>\n");
}

static void trials(struct strbuf *b, const struct tuning_run *t)
{
	strbuf_puts(b, "<h2>Trials</h2>\n<div class=\"wide\"><table><tr><th>#</th><th class=\"t\">by</th><th>minimised</th><th>loss, %</th><th>latency, ms</th>"
		       "<th>weights, MB</th><th>peak, MB</th><th>s</th><th>what differs from the heuristic</th></tr>\n");
	for (uint32_t i = 0; i < t->record.trials.len && i < MAX_ROWS; i++) {
		const struct trial *r = &t->record.trials.data[i];

		strbuf_printf(b, "<tr%s><td>%u</td><td class=\"t\">", r->number == best_of(t) ? " class=\"best\"" :
			      outcome_feasible(&r->o) ? "" : " class=\"no\"", r->number);
		text(b, r->by);
		strbuf_puts(b, "</td>");
		number(b, "%.4f", r->o.objective);
		number(b, "%.2f", t->tune->quality && !r->o.failure ? r->o.loss * t->tune->loss * 100 : NAN);
		number(b, "%.3f", r->o.latency_ms);
		number(b, "%.3f", r->o.bytes / 1e6);
		number(b, "%.3f", r->o.peak_bytes / 1e6);
		number(b, "%.1f", r->seconds);
		strbuf_puts(b, "<td class=\"c\">");
		text(b, config_text(&t->problem.space, r->x));
		if (r->o.failure) {
			strbuf_puts(b, i && r->o.error ? " &mdash; " : "");
			text(b, r->o.error ? r->o.error : failure_name(r->o.failure));
		}
		strbuf_puts(b, "</td></tr>\n");
	}
	strbuf_puts(b, "</table></div>\n");
}

void report_html(const struct tuning_run *t, struct strbuf *b)
{
	static const char *const goals[] = { "latency", "peak memory", "bytes of weights" };
	uint32_t best = best_of(t);

	strbuf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
		       "content=\"width=device-width,initial-scale=1\"><title>tune ");
	text(b, t->tune->name);
	strbuf_printf(b, "</title>%s</head><body>\n<h1>tune ", style);
	text(b, t->tune->name);
	strbuf_puts(b, "</h1>\n<p>");
	strbuf_printf(b, "%u trials to minimise %s", t->record.trials.len, goals[t->tune->minimize]);
	if (t->tune->quality)
		strbuf_printf(b, " with at most %.3g %% of %s lost", t->tune->loss * 100, t->header.quality);
	strbuf_puts(b, ", on ");
	text(b, t->header.device);
	strbuf_puts(b, ".</p>\n<p>");
	if (best == NO_TRIAL || best == 0) {
		strbuf_puts(b, "<b>The heuristic stays</b>");
		if (t->kept)
			strbuf_printf(b, ": %s", t->kept);
	} else {
		const struct outcome *o = t->verified ? &t->final : &t->record.trials.data[best].o;

		strbuf_printf(b, "<b>Best: trial %u</b>, %.3f of the heuristic", t->record.trials.data[best].number, o->objective);
		if (t->tune->quality)
			strbuf_printf(b, ", %.2f %% lost", o->loss * t->tune->loss * 100);
		strbuf_puts(b, t->verified ? ", measured again on samples that the search had not seen: <code>" : ": <code>");
		text(b, config_text(&t->problem.space, t->record.trials.data[best].x));
		strbuf_puts(b, "</code>");
	}
	strbuf_puts(b, ".</p>\n");
	pareto(b, t);
	sensitivity(b, t);
	history(b, t);
	failures(b, t);
	trials(b, t);
	strbuf_puts(b, "</body></html>\n");
}
