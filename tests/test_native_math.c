/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_native_math.c - the mathematical functions of native code
 * (kernels/native.clh) and the vector functions of the prelude, against the C
 * library in double: special values, thresholds, ranges in which the functions
 * are at work, and random bit patterns.
 */
#include "config.h"

#include "native_harness.h"
#include "tap.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ULP = 4 };

static struct arena arena;

/* ---- functions of one float */

static double silu_d(double x)
{
	return x / (1 + exp(-x));
}
static double rsqrt_d(double x)
{
	return 1 / sqrt(x);
}
static double sigmoid_d(double x)
{
	return 1 / (1 + exp(-x));
}
static double gelu_d(double x)
{
	return x < -50 ? 0 : x * 0.5 * erfc(-x * 0.70710678118654752); /* of -infinity, too */
}

static double softplus_d(double x)
{
	return fmax(x, 0) + log1p(exp(-fabs(x)));
}

#define WITHIN(f)                                                                                  \
	{                                                                                          \
#f, f, MAX_ULP, 31, 0                                                              \
	}
#define EXACT(f)                                                                                   \
	{                                                                                          \
#f, f, 0, 31, 0                                                                    \
	}

static const struct unary {
	const char *name;
	double (*exact)(double);
	double ulp;	 /* the most that is allowed; 0: equal */
	unsigned planes; /* bits: which numbers of lanes exist */
	double lost;	 /* what is smaller may become 0 */
} unaries[] = {
	WITHIN(exp),
	WITHIN(exp2),
	WITHIN(expm1),
	WITHIN(log),
	WITHIN(log2),
	WITHIN(log10),
	WITHIN(log1p),
	WITHIN(sin),
	WITHIN(cos),
	WITHIN(tan),
	WITHIN(asin),
	WITHIN(acos),
	WITHIN(atan),
	WITHIN(sinh),
	WITHIN(cosh),
	WITHIN(tanh),
	WITHIN(asinh),
	WITHIN(acosh),
	WITHIN(atanh),
	{ "rsqrt", rsqrt_d, MAX_ULP, 31, 0 },
	{ "sqrt", sqrt, 0.5001, 31, 0 },
	EXACT(fabs),
	EXACT(floor),
	EXACT(ceil),
	EXACT(trunc),
	EXACT(rint),
	EXACT(round),
	/* the prelude's, which networks spend time in */
	{ "edge_exp", exp, MAX_ULP, 17, FLT_MIN },
	{ "edge_erf", erf, MAX_ULP, 17, FLT_MIN },
	{ "edge_tanh", tanh, MAX_ULP, 17, FLT_MIN },
	{ "edge_expm1", expm1, MAX_ULP, 17, FLT_MIN },
	{ "edge_sigmoid", sigmoid_d, MAX_ULP, 17, FLT_MIN },
	{ "edge_silu", silu_d, MAX_ULP, 17, 1e-36 },
	{ "edge_gelu", gelu_d, 8, 17, 0.1 },
	{ "edge_softplus", softplus_d, MAX_ULP, 17, FLT_MIN },
};

/* ---- functions of two floats */

static double copysign_d(double x, double y)
{
	return copysign(x, y);
}

static const struct binary {
	const char *name;
	double (*exact)(double, double);
	double ulp;
	unsigned planes;
} binaries[] = {
	{ "pow", pow, MAX_ULP, 17 }, { "fmod", fmod, 0, 17 },		{ "fmin", fmin, 0, 31 },
	{ "fmax", fmax, 0, 31 },     { "copysign", copysign_d, 0, 31 },
};

#define COUNT(x) ((uint32_t)(sizeof(x) / sizeof *(x)))

/* ---- numbers */

static float *numbers;
static uint32_t number_count;

static void number(double x)
{
	numbers[number_count++] = (float)x;
}

static void around(double x)
{
	number(x);
	number(-x);
	number(nextafterf((float)x, INFINITY));
	number(-nextafterf((float)x, INFINITY));
	number(nextafterf((float)x, -INFINITY));
	number(-nextafterf((float)x, -INFINITY));
}

/* Special values first, then thresholds, ranges in which functions are at work, and bit patterns.
 */
static void make_numbers(void)
{
	enum { EACH = 16384 };

	numbers = arena_new_array(&arena, float, 20 * EACH);
	number(NAN);
	around(0);
	around(INFINITY);
	around(FLT_MAX);
	around(FLT_MIN);
	for (int e = -149; e < 128; e++)
		around(ldexp(1, e));
	for (int i = 1; i < 400; i++)
		around(i * 0.25);
	for (int i = 1; i < 400; i++)
		around(i * 1.5707963267948966);
	for (int e = 4; e < 128; e++) /* close to multiples of pi/2, however large */
		around(floor(ldexp(1, e) / 1.5707963267948966) * 1.5707963267948966);
	around(88.72283);
	around(103.97207);
	around(87.33654);
	around(16777215);
	for (int i = 0; i < EACH; i++) {
		number(random_between(-1, 1));
		number(random_between(-10, 10));
		number(random_between(-105, 90));
		number(random_between(-1e6, 1e6));
		number(1 + random_between(-1e-3, 1e-3));
	}
	for (int i = 0; i < 8 * EACH; i++)
		numbers[number_count++] = float_of((uint32_t)random_bits());
	while (number_count % 16)
		number(1);
}

/* How far y is from the exact value, in units of the last place of a float there; 1e30: of another
 * kind. */
static double ulps(float y, double exact)
{
	double unit;
	int e;

	if (isnan(exact) || isnan(y))
		return isnan(exact) && isnan(y) ? 0 : 1e30;
	if (exact == 0)
		return y == 0 && !signbit(y) == !signbit(exact) ? 0 : 1e30;
	if (isinf(exact) || fabs(exact) >= 0x1.ffffffp127) /* rounds to infinity */
		return isinf(y) && (y > 0) == (exact > 0) ? 0 : 1e30;
	frexp(exact, &e);
	unit = ldexp(1, (e < -125 ? -125 : e) - 24);
	return isinf(y) ? fabs(copysign(0x1p128, y) - exact) / unit
			: fabs((double)y - exact) / unit;
}

struct worst {
	double ulp;
	float x, y, got;
	int lanes;
};

static void report(const struct machine *m, const char *name, const struct worst *w, double limit)
{
	tap_ok(w->ulp <= limit, "%s: %s within %.3g ulp: %.3g", m->name, name, limit, w->ulp);
	if (w->ulp > limit)
		printf("# x = %a (%.9g), y = %a, got %a (%.9g), %d lanes\n", (double)w->x,
		       (double)w->x, (double)w->y, (double)w->got, (double)w->got, w->lanes);
}

static void check_planes(const float *x, const float *y, const double *exact, const float *got,
			 uint32_t n, unsigned planes, double lost, struct worst *w)
{
	for (int p = 0; p < PLANES; p++)
		for (uint32_t i = 0; i < n && planes & 1u << p; i++) {
			float v = got[(size_t)p * n + i];
			double u = ulps(v, exact[i]);

			if (fabs(exact[i]) < lost && fabs((double)v) <= lost)
				u = 0;
			if (u > w->ulp)
				*w = (struct worst){ u, x[i], y ? y[i] : 0, v, lanes[p] };
		}
}

static uint32_t first_unary, first_binary, first_fused;

static void check_unaries(const struct machine *m)
{
	double *exact = arena_new_array(&arena, double, number_count);
	float *got = arena_new_array(&arena, float, (size_t)PLANES *number_count);

	for (uint32_t f = 0; f < COUNT(unaries); f++) {
		const struct unary *u = &unaries[f];
		struct worst w = { 0 };

		for (uint32_t i = 0; i < number_count; i++)
			exact[i] = u->exact((double)numbers[i]);
		native_run(m, first_unary + f, numbers, NULL, NULL, got, number_count);
		check_planes(numbers, NULL, exact, got, number_count, u->planes, u->lost, &w);
		report(m, u->name, &w, u->ulp);
	}
}

/* Pairs: all of the first numbers with each other, then those at random, then what powers are made
 * of. */
static uint32_t make_pairs(float *x, float *y)
{
	enum { GRID = 96, RANDOM = 65536 };
	uint32_t n = 0;

	for (uint32_t i = 0; i < GRID; i++)
		for (uint32_t j = 0; j < GRID; j++, n++) {
			uint32_t a = i < 32 ? i : i * 73, b = j < 32 ? j : j * 73;

			x[n] = numbers[a];
			y[n] = numbers[b];
		}
	for (int i = 0; i < RANDOM; i++, n++) {
		x[n] = numbers[random_bits() % number_count];
		y[n] = numbers[random_bits() % number_count];
	}
	for (int i = 0; i < RANDOM; i++, n++) {
		x[n] = (float)random_between(0, 20);
		y[n] = (float)random_between(-30, 30);
	}
	for (int i = 0; i < 1024; i++, n++) {
		x[n] = (float)random_between(-20, 20);
		y[n] = (float)rint(random_between(-12, 12));
	}
	return n;
}

static void check_binaries(const struct machine *m)
{
	uint32_t capacity = 96 * 96 + 2 * 65536 + 1024, n;
	float *x = arena_new_array(&arena, float, capacity),
	      *y = arena_new_array(&arena, float, capacity);
	float *got = arena_new_array(&arena, float, (size_t)PLANES *capacity);
	double *exact = arena_new_array(&arena, double, capacity);
	struct worst w = { 0 };

	n = make_pairs(x, y);
	for (uint32_t f = 0; f < COUNT(binaries); f++) {
		w = (struct worst){ 0 };
		for (uint32_t i = 0; i < n; i++)
			exact[i] = binaries[f].exact((double)x[i], (double)y[i]);
		if (binaries[f].exact == fmin || binaries[f].exact == fmax)
			for (uint32_t i = 0; i < n; i++) /* which of two zeros is left open */
				if (x[i] == 0 && y[i] == 0)
					x[i] = y[i] = (float)(exact[i] = 1);
		native_run(m, first_binary + f, x, y, NULL, got, n);
		check_planes(x, y, exact, got, n, binaries[f].planes, 0, &w);
		report(m, binaries[f].name, &w, binaries[f].ulp);
	}
	for (uint32_t f = 0; f < 2; f++) {
		w = (struct worst){ 0 };
		for (uint32_t i = 0; i < n; i++)
			exact[i] = (double)fmaf(x[i], y[i], x[n - 1 - i]);
		float *z = arena_new_array(&arena, float, n);
		for (uint32_t i = 0; i < n; i++)
			z[i] = x[n - 1 - i];
		native_run(m, first_fused + f, x, y, z, got, n);
		check_planes(x, y, exact, got, n, 31, 0, &w);
		report(m, f ? "mad" : "fma", &w, 0);
	}
}

static void add_all(void)
{
	first_unary = native_add(unaries[0].name, "float", "float", 1, unaries[0].planes);
	for (uint32_t f = 1; f < COUNT(unaries); f++)
		native_add(unaries[f].name, "float", "float", 1, unaries[f].planes);
	first_binary = native_add(binaries[0].name, "float", "float", 2, binaries[0].planes);
	for (uint32_t f = 1; f < COUNT(binaries); f++)
		native_add(binaries[f].name, "float", "float", 2, binaries[f].planes);
	first_fused = native_add("fma", "float", "float", 3, 31);
	native_add("mad", "float", "float", 3, 31);
}

static void check(const struct machine *m)
{
	check_unaries(m);
	check_binaries(m);
}

int main(void)
{
	struct machine machine[NATIVE_MACHINES];
	uint32_t count;

	make_numbers();
	add_all();
	count = native_build(machine);
	tap_ok(count > 0, "the kernels compile");
	for (uint32_t i = 0; i < count; i++)
		if (machine[i].block)
			check(&machine[i]);
		else
			tap_skip("this CPU has no %s", machine[i].name);
	native_release();
	arena_release(&arena);
	return tap_done();
}
