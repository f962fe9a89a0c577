/* SPDX-License-Identifier: Apache-2.0 */
/* space.c - knobs and configurations; see space.h. */
#include "config.h"

#include "tune/space.h"

#include "edge/plan_read.h"
#include "tune/constraint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t space_add(struct space *s, struct knob k)
{
	vec_push(s->arena, &s->knobs, k);
	return s->knobs.len - 1;
}

uint32_t space_add_list(struct space *s, const char *name, enum knob_kind kind, const char *const *values, uint32_t count,
			uint32_t initial, const char *help)
{
	return space_add(s, (struct knob){ .name = name, .kind = kind, .value = values, .count = count,
					   .initial = initial, .when = NO_ID, .help = help });
}

uint32_t space_find(const struct space *s, const char *name)
{
	for (uint32_t i = 0; i < s->knobs.len; i++)
		if (!strcmp(s->knobs.data[i].name, name))
			return i;
	return NO_ID;
}

double *config_new(const struct space *s)
{
	double *x = arena_new_array(s->arena, double, s->knobs.len + 1);

	for (uint32_t i = 0; i < s->knobs.len; i++)
		x[i] = s->knobs.data[i].initial;
	return x;
}

double *config_copy(const struct space *s, const double *x)
{
	double *out = arena_new_array(s->arena, double, s->knobs.len + 1);

	memcpy(out, x, s->knobs.len * sizeof *x);
	return out;
}

bool knob_active(const struct space *s, const double *x, uint32_t k)
{
	for (uint32_t depth = 0; depth <= s->knobs.len; depth++) {
		const struct knob *n = &s->knobs.data[k];

		if (n->when == NO_ID)
			return true;
		if (!(n->when_values >> (unsigned)x[n->when] & 1))
			return false;
		k = n->when;
	}
	return false; /* a circle of conditions */
}

void config_canonical(const struct space *s, double *x)
{
	for (uint32_t i = 0; i < s->knobs.len; i++) {
		const struct knob *k = &s->knobs.data[i];
		double least = k->kind == KNOB_FLOAT ? k->min : 0, most = k->kind == KNOB_FLOAT ? k->max : k->count - 1;

		if (!(x[i] >= least)) /* NaN too */
			x[i] = least;
		if (x[i] > most)
			x[i] = most;
		if (k->kind != KNOB_FLOAT)
			x[i] = round(x[i]);
	}
	for (uint32_t i = 0; i < s->knobs.len; i++)
		if (!knob_active(s, x, i))
			x[i] = s->knobs.data[i].initial;
}

const char *config_violates(const struct space *s, const double *x)
{
	for (uint32_t i = 0; i < s->constraints.len; i++)
		if (!constraint_holds(s, x, s->constraints.data[i].text))
			return s->constraints.data[i].text;
	return NULL;
}

const char *knob_text(const struct space *s, uint32_t k, double x)
{
	const struct knob *n = &s->knobs.data[k];

	if (n->kind != KNOB_FLOAT)
		return n->value[x >= 0 && x < n->count ? (uint32_t)x : 0];
	return arena_printf(s->arena, "%.6g", x);
}

bool knob_parse(const struct space *s, uint32_t k, const char *text, double *x, bool *exact)
{
	const struct knob *n = &s->knobs.data[k];
	double v, best = INFINITY;
	bool found = false;
	char *end;

	if (exact)
		*exact = true;
	for (uint32_t i = 0; n->kind != KNOB_FLOAT && i < n->count; i++)
		if (!strcmp(n->value[i], text)) {
			*x = i;
			return true;
		}
	v = strtod(text, &end);
	while (*end == ' ')
		end++;
	if (end == text || *end || !isfinite(v) || n->kind == KNOB_ENUM)
		return false;
	if (n->kind == KNOB_FLOAT) {
		*x = v < n->min ? n->min : v > n->max ? n->max : v;
		if (exact)
			*exact = *x == v;
		return true;
	}
	for (uint32_t i = 0; i < n->count; i++) {
		double distance = fabs(strtod(n->value[i], &end) - v);

		/* far away all are equally far: then the last on that side */
		if (end == n->value[i] || distance > best || (distance == best && v < strtod(n->value[i], NULL)))
			continue;
		best = distance;
		*x = i;
		found = true;
	}
	if (exact)
		*exact = best == 0;
	return found;
}

struct knob_values config_knobs(const struct space *s, const double *x, bool all)
{
	struct knob_values out = { 0 };

	for (uint32_t i = 0; i < s->knobs.len; i++)
		if (knob_active(s, x, i) && (all || x[i] != s->knobs.data[i].initial))
			vec_push(s->arena, &out, (struct knob_value){ s->knobs.data[i].name, knob_text(s, i, x[i]) });
	return out;
}

const char *config_text(const struct space *s, const double *x)
{
	struct knob_values v = config_knobs(s, x, false);
	struct strbuf b = { 0 };
	const char *out;

	for (uint32_t i = 0; i < v.len; i++)
		strbuf_printf(&b, "%s%s=%s", i ? " " : "", v.data[i].name, v.data[i].value);
	out = arena_strdup(s->arena, strbuf_str(&b));
	strbuf_free(&b);
	return out;
}

void config_json(const struct space *s, const double *x, struct strbuf *out)
{
	struct knob_values v = config_knobs(s, x, true);

	strbuf_puts(out, "{");
	for (uint32_t i = 0; i < v.len; i++) {
		strbuf_puts(out, i ? ", " : "");
		jtree_put_string(out, v.data[i].name);
		strbuf_puts(out, ": ");
		jtree_put_string(out, v.data[i].value);
	}
	strbuf_puts(out, "}");
}

uint64_t space_hash(const struct space *s)
{
	struct strbuf b = { 0 };
	uint64_t h;

	for (uint32_t i = 0; i < s->knobs.len; i++) {
		const struct knob *k = &s->knobs.data[i];

		strbuf_printf(&b, "%s %d %.17g %.17g %.17g %u %llx", k->name, (int)k->kind, k->min, k->max, k->initial,
			      k->when, (unsigned long long)k->when_values);
		for (uint32_t v = 0; v < k->count; v++)
			strbuf_printf(&b, " %s", k->value[v]);
		strbuf_puts(&b, "\n");
	}
	for (uint32_t i = 0; i < s->constraints.len; i++)
		strbuf_printf(&b, "%s\n", s->constraints.data[i].text);
	h = edge_xxh3(strbuf_str(&b), b.len);
	strbuf_free(&b);
	return h;
}

/* ---- chance */

static uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

double rng_uniform(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return n ? (uint32_t)(rng_uniform(r) * n) : 0;
}

double rng_normal(struct rng *r)
{
	double u = 1 - rng_uniform(r), v = rng_uniform(r);

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

double knob_random(const struct knob *k, struct rng *r)
{
	double u;

	if (k->kind != KNOB_FLOAT)
		return rng_below(r, k->count);
	u = rng_uniform(r);
	if (k->log)
		return exp(log(k->min) + u * (log(k->max) - log(k->min)));
	return k->min + u * (k->max - k->min);
}

void config_random(const struct space *s, struct rng *r, double *x)
{
	for (int attempt = 0; attempt < 1000; attempt++) {
		for (uint32_t i = 0; i < s->knobs.len; i++)
			x[i] = knob_random(&s->knobs.data[i], r);
		config_canonical(s, x);
		if (!config_violates(s, x))
			return;
	}
	for (uint32_t i = 0; i < s->knobs.len; i++)
		x[i] = s->knobs.data[i].initial;
}
