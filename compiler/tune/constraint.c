/* SPDX-License-Identifier: Apache-2.0 */
/*
 * constraint.c - a recursive descent over one line of arithmetic.
 *
 * Levels, loosest first: || && comparisons + - * / %. Parentheses are counted,
 * so that no text goes deep.
 */
#include "config.h"

#include "tune/constraint.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NESTING = 50 };

struct reader {
	const struct space *s;
	const double *x;
	const char *p;
	int nesting;
	bool bad;
};

static void blanks(struct reader *r)
{
	while (*r->p == ' ' || *r->p == '\t')
		r->p++;
}

static bool take(struct reader *r, const char *op)
{
	size_t n = strlen(op);

	blanks(r);
	if (strncmp(r->p, op, n) != 0)
		return false;
	r->p += n;
	return true;
}

static double knob_number(struct reader *r, const char *name, size_t len)
{
	for (uint32_t i = 0; i < r->s->knobs.len; i++) {
		const struct knob *k = &r->s->knobs.data[i];
		char *end;
		double v;

		if (strncmp(k->name, name, len) != 0 || k->name[len])
			continue;
		if (k->kind == KNOB_FLOAT)
			return r->x[i];
		v = strtod(k->value[(uint32_t)r->x[i]], &end);
		return *end ? r->x[i] : v;
	}
	r->bad = true;
	return 0;
}

static double either(struct reader *r);

static double factor(struct reader *r)
{
	const char *start;
	double v;
	char *end;

	blanks(r);
	if (take(r, "(")) {
		if (++r->nesting > MAX_NESTING) {
			r->bad = true;
			return 0;
		}
		v = either(r);
		r->nesting--;
		r->bad |= !take(r, ")");
		return v;
	}
	start = r->p;
	if (isdigit((unsigned char)*start)) {
		v = strtod(start, &end);
		r->p = end;
		return v;
	}
	while (isalnum((unsigned char)*r->p) || (*r->p && strchr("_.:", *r->p)))
		r->p++;
	if (r->p == start) {
		r->bad = true;
		return 0;
	}
	return knob_number(r, start, (size_t)(r->p - start));
}

static double product(struct reader *r)
{
	double v = factor(r);

	for (;;) {
		if (take(r, "*"))
			v *= factor(r);
		else if (take(r, "/"))
			v /= factor(r);
		else if (take(r, "%"))
			v = fmod(v, factor(r));
		else
			return v;
	}
}

static double sum(struct reader *r)
{
	double v = product(r);

	for (;;) {
		if (take(r, "+"))
			v += product(r);
		else if (take(r, "-"))
			v -= product(r);
		else
			return v;
	}
}

static double comparison(struct reader *r)
{
	double v = sum(r);

	if (take(r, "<="))
		return v <= sum(r);
	if (take(r, ">="))
		return v >= sum(r);
	if (take(r, "=="))
		return v == sum(r);
	if (take(r, "!="))
		return v != sum(r);
	if (take(r, "<"))
		return v < sum(r);
	if (take(r, ">"))
		return v > sum(r);
	return v;
}

static double both(struct reader *r)
{
	double v = comparison(r);

	while (take(r, "&&")) {
		double w = comparison(r);

		v = v != 0 && w != 0;
	}
	return v;
}

static double either(struct reader *r)
{
	double v = both(r);

	while (take(r, "||")) {
		double w = both(r);

		v = v != 0 || w != 0;
	}
	return v;
}

bool constraint_holds(const struct space *s, const double *x, const char *text)
{
	struct reader r = { .s = s, .x = x, .p = text };
	double v = either(&r);

	blanks(&r);
	return !r.bad && !*r.p && v != 0;
}
