/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid.c - the scale of a group of weights, searched for the least error.
 *
 * Ranges from a part of the largest weight to a little more than it are tried;
 * for the codes that each of them gives, the best scale (and minimum) is the
 * solution of a small least-squares problem. A symmetric grid has one code
 * more on one side, so both signs are tried. A grid with a minimum is never worse
 * than one without, nor one that knows what inputs weigh than one that does not.
 */
#include "config.h"

#include "quant/solve.h"

#include <math.h>

enum { STEPS = 24 };
#define MOST_HALF 65504.0f /* the largest number of f16 */

struct quant_grid quant_grid(uint16_t scale, uint16_t minimum, uint32_t bits, bool asymmetric)
{
	float s = half_to_float(scale);

	return (struct quant_grid){ s, asymmetric ? half_to_float(minimum) : -s * (float)(1 << (bits - 1)) };
}

static struct quant_grid rounded(float scale, float minimum, uint32_t bits, bool asymmetric)
{
	/* zero would lose the sign of every weight, and what f16 cannot hold is cut */
	scale = fmaxf(fminf(scale, MOST_HALF), -MOST_HALF);
	minimum = fmaxf(fminf(minimum, MOST_HALF), -MOST_HALF);
	return quant_grid(float_to_half(scale), float_to_half(minimum), bits, asymmetric);
}

uint8_t quant_code(float w, struct quant_grid g, uint32_t bits)
{
	float most = (float)((1 << bits) - 1), q = g.scale != 0 ? rintf((w - g.minimum) / g.scale) : most / 2;

	return (uint8_t)(q > most ? most : q > 0 ? q : 0);
}

static double error_of(const float *w, const float *importance, int64_t n, struct quant_grid g, uint32_t bits)
{
	float most = (float)((1 << bits) - 1), inverse = g.scale != 0 ? 1 / g.scale : 0, sum = 0;

	for (int64_t i = 0; i < n; i++) {
		float q = rintf((w[i] - g.minimum) * inverse), e;

		q = q > most ? most : q > 0 ? q : 0;
		e = w[i] - (q * g.scale + g.minimum);
		sum += (importance ? importance[i] : 1) * e * e;
	}
	return (double)sum;
}

/* The best scale, and minimum, for the codes that grid g gives. */
static struct quant_grid refit(const float *w, const float *importance, int64_t n, struct quant_grid g, uint32_t bits,
			       bool asymmetric)
{
	double sw = 0, sq = 0, sx = 0, sqq = 0, sqx = 0, d;
	float most = (float)((1 << bits) - 1), inverse = g.scale != 0 ? 1 / g.scale : 0;
	float zero = asymmetric ? 0 : (float)(1 << (bits - 1));

	for (int64_t i = 0; i < n; i++) {
		float q = rintf((w[i] - g.minimum) * inverse), k = importance ? importance[i] : 1;

		q = (q > most ? most : q > 0 ? q : 0) - zero;
		sw += (double)k;
		sq += (double)(k * q);
		sx += (double)(k * w[i]);
		sqq += (double)(k * q * q);
		sqx += (double)(k * q * w[i]);
	}
	if (!asymmetric)
		return sqq > 0 ? rounded((float)(sqx / sqq), 0, bits, false) : g;
	d = sw * sqq - sq * sq;
	if (!(d > 1e-12 * sw * sqq))
		return g;
	return rounded((float)((sw * sqx - sq * sx) / d), (float)((sqq * sx - sq * sqx) / d), bits, true);
}

struct quant_search {
	const float *w, *importance;
	int64_t n;
	uint32_t bits;
	bool asymmetric;
	struct quant_grid best;
	double least;
};

static void try_one(struct quant_search *s, struct quant_grid g)
{
	double e = error_of(s->w, s->importance, s->n, g, s->bits);

	if (e < s->least) {
		s->least = e;
		s->best = g;
	}
}

/* It, and the best for the codes that it gives. */
static void try(struct quant_search *s, struct quant_grid g)
{
	try_one(s, g);
	try_one(s, refit(s->w, s->importance, s->n, g, s->bits, s->asymmetric));
}

static void try_all(struct quant_search *s, float low, float high, double clip)
{
	float most = (float)((1 << s->bits) - 1), half = (float)(1 << (s->bits - 1));

	for (int i = 0; i <= STEPS; i++) {
		float part = (float)(clip + (1.12 - clip) * i / STEPS);

		if (s->asymmetric) {
			float centre = (high + low) / 2, reach = (high - low) / 2 * part;

			try(s, rounded(2 * reach / most, centre - reach, s->bits, true));
			try(s, rounded((high - low) * part / most, low, s->bits, true));
		} else {
			float reach = fmaxf(high, -low) * part;

			try(s, rounded(reach / half, 0, s->bits, false));
			try(s, rounded(-reach / half, 0, s->bits, false));
		}
	}
}

struct quant_grid quant_fit(const float *w, const float *importance, int64_t n, uint32_t bits, bool asymmetric,
			    double clip)
{
	struct quant_search s = { .w = w, .importance = importance, .n = n, .bits = bits, .asymmetric = asymmetric,
				  .least = INFINITY };
	float low = w[0], high = w[0];
	struct quant_grid other;

	for (int64_t i = 1; i < n; i++) {
		low = fminf(low, w[i]);
		high = fmaxf(high, w[i]);
	}
	s.best = rounded(asymmetric ? 1 : 0, low, bits, asymmetric);
	if (low == high && asymmetric)
		return s.best;
	try_all(&s, low, high, clip);
	if (asymmetric) { /* the symmetric grids are among its own */
		other = quant_fit(w, importance, n, bits, false, clip);
		if (fabsf(other.minimum) <= MOST_HALF)
			try_one(&s, other);
	}
	if (importance) /* and what weighs all alike may do well by chance */
		try_one(&s, quant_fit(w, NULL, n, bits, asymmetric, clip));
	return s.best;
}
