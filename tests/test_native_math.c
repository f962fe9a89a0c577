/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_native_math.c - the builtin functions of native code (kernels/native.clh)
 * and the vector functions of the prelude, as machine code for every instruction
 * set of this CPU, against the C library in double.
 *
 * Each function becomes a kernel that computes the same 16 elements five times,
 * as 1, 2, 4, 8 and 16 lanes, into five planes of its output.
 */
#include "config.h"

#include "codegen/codegen.h"
#include "codegen/native.h"
#include "device/isa.h"
#include "ir/graph.h"
#include "tap.h"

#include "base/strbuf.h"
#include "edge/plan_format.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PLANES = 5, MAX_KERNELS = 400, MAX_ULP = 4 };
static const int lanes[PLANES] = { 1, 2, 4, 8, 16 };

static struct arena arena;
static struct kernel kernels[MAX_KERNELS];
static uint32_t kernel_count;

/* ---- functions of one float */

static double silu_d(double x) { return x / (1 + exp(-x)); }
static double rsqrt_d(double x) { return 1 / sqrt(x); }
static double sigmoid_d(double x) { return 1 / (1 + exp(-x)); }
static double softplus_d(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

#define WITHIN(f) { #f, f, MAX_ULP, 31, 0 }
#define EXACT(f) { #f, f, 0, 31, 0 }

static const struct unary {
	const char *name;
	double (*exact)(double);
	double ulp;   /* the most that is allowed; 0: equal */
	unsigned planes; /* bits: which numbers of lanes exist */
	double lost;     /* what is smaller may become 0 */
} unaries[] = {
	WITHIN(exp), WITHIN(exp2), WITHIN(expm1), WITHIN(log), WITHIN(log2), WITHIN(log10),
	WITHIN(log1p), WITHIN(sin), WITHIN(cos), WITHIN(tan), WITHIN(asin), WITHIN(acos),
	WITHIN(atan), WITHIN(sinh), WITHIN(cosh), WITHIN(tanh), WITHIN(asinh), WITHIN(acosh),
	WITHIN(atanh),
	{ "rsqrt", rsqrt_d, MAX_ULP, 31, 0 }, { "sqrt", sqrt, 0.5001, 31, 0 },
	EXACT(fabs), EXACT(floor), EXACT(ceil), EXACT(trunc), EXACT(rint), EXACT(round),
	/* the prelude's, which networks spend time in */
	{ "edge_exp", exp, MAX_ULP, 17, FLT_MIN },
	{ "edge_erf", erf, MAX_ULP, 17, FLT_MIN },
	{ "edge_tanh", tanh, MAX_ULP, 17, FLT_MIN },
	{ "edge_expm1", expm1, MAX_ULP, 17, FLT_MIN },
	{ "edge_sigmoid", sigmoid_d, MAX_ULP, 17, FLT_MIN },
	{ "edge_silu", silu_d, MAX_ULP, 17, 1e-36 },
	{ "edge_softplus", softplus_d, MAX_ULP, 17, FLT_MIN },
};

/* ---- functions of two floats */

static double copysign_d(double x, double y) { return copysign(x, y); }

static const struct binary {
	const char *name;
	double (*exact)(double, double);
	double ulp;
	unsigned planes;
} binaries[] = {
	{ "pow", pow, MAX_ULP, 17 },   { "fmod", fmod, 0, 17 },
	{ "fmin", fmin, 0, 31 },       { "fmax", fmax, 0, 31 },
	{ "copysign", copysign_d, 0, 31 },
};

#define COUNT(x) ((uint32_t)(sizeof(x) / sizeof *(x)))

/* ---- making kernels */

static uint32_t add_kernel(const char *name, uint32_t pointers, struct strbuf *source)
{
	struct kernel *k = &kernels[kernel_count];
	struct kernel_param *p = arena_new_array(&arena, struct kernel_param, pointers + 1);

	for (uint32_t i = 0; i <= pointers; i++)
		p[i] = (struct kernel_param){ i < pointers ? EDGE_PARAM_GLOBAL : EDGE_PARAM_I32, EDGE_PARAM_READ, "p" };
	*k = (struct kernel){ .name = arena_strdup(&arena, name), .source = arena_strdup(&arena, strbuf_str(source)),
			      .param = p, .param_count = pointers + 1, .local = { 1, 1, 1 } };
	strbuf_free(source);
	return kernel_count++;
}

static const char *lane_name(int n)
{
	static const char *const names[17] = { [1] = "", [2] = "2", [4] = "4", [8] = "8", [16] = "16" };

	return names[n];
}

/* y = name(x, ...) with operands of type `in`, 16 elements an item, one plane for each number of lanes. */
static uint32_t add_function(const char *name, const char *in, const char *out, uint32_t operands, unsigned planes)
{
	static const char *const operand[] = { "a", "b", "c" };
	struct strbuf s = { 0 };
	char kernel[100];

	snprintf(kernel, sizeof kernel, "test_%s_%s_%s", name, in, out);
	strbuf_printf(&s, "__kernel void %s(", kernel);
	for (uint32_t i = 0; i < operands; i++)
		strbuf_printf(&s, "__global const %s *%s, ", in, operand[i]);
	strbuf_printf(&s, "__global %s *y, const int n EDGE_WI)\n{\n\tconst int at = (int)get_global_id(0) * 16;\n\n", out);
	for (int p = 0; p < PLANES; p++) {
		const char *n = lane_name(lanes[p]);

		if (!(planes & 1u << p))
			continue;
		strbuf_printf(&s, "\tfor (int i = 0; i < %d; i++)\n\t\t", 16 / lanes[p]);
		if (p == 0)
			strbuf_puts(&s, "y[at + i] = ");
		else
			strbuf_printf(&s, "vstore%s(", n);
		/* convert_T is called convert_T4 for four lanes */
		strbuf_printf(&s, "%s%s(", name, strncmp(name, "convert_", 8) ? "" : n);
		for (uint32_t i = 0; i < operands; i++) {
			if (i)
				strbuf_puts(&s, ", ");
			if (p == 0)
				strbuf_printf(&s, "%s[at + i]", operand[i]);
			else
				strbuf_printf(&s, "vload%s(i, %s + at)", n, operand[i]);
		}
		if (p == 0)
			strbuf_puts(&s, ");\n");
		else
			strbuf_printf(&s, "), i, y + %d * n + at);\n", p);
	}
	strbuf_puts(&s, "}\n");
	return add_kernel(kernel, operands + 1, &s);
}

/* ---- running them */

struct machine {
	const char *name;
	const uint8_t *block;
	const uint64_t *entry;
};

static void run(const struct machine *m, uint32_t kernel, const void *a, const void *b, const void *c, void *y, uint32_t n)
{
	const uint64_t range[5] = { 0, n / 16, n / 16, 1, 1 };
	const uint8_t *at = m->block + m->entry[kernel];
	void (*entry)(const uint64_t *, const uint64_t *);
	uint64_t arg[5];
	uint32_t count = 0;

	if (a)
		arg[count++] = (uint64_t)(uintptr_t)a;
	if (b)
		arg[count++] = (uint64_t)(uintptr_t)b;
	if (c)
		arg[count++] = (uint64_t)(uintptr_t)c;
	arg[count++] = (uint64_t)(uintptr_t)y;
	arg[count++] = n;
	memcpy(&entry, &at, sizeof entry);
	entry(arg, range);
}

/* ---- numbers */

static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 2685821657736338717u;
}

static double random_between(double low, double high)
{
	return low + (high - low) * (double)(random_bits() >> 11) * 0x1p-53;
}

static float float_of(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

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

/* Special values first, then thresholds, ranges in which functions are at work, and bit patterns. */
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

/* How far y is from the exact value, in units of the last place of a float there; 1e30: of another kind. */
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
	return isinf(y) ? fabs(copysign(0x1p128, y) - exact) / unit : fabs((double)y - exact) / unit;
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
		printf("# x = %a (%.9g), y = %a, got %a (%.9g), %d lanes\n", (double)w->x, (double)w->x, (double)w->y,
		       (double)w->got, (double)w->got, w->lanes);
}

static void check_planes(const float *x, const float *y, const double *exact, const float *got, uint32_t n, unsigned planes,
			 double lost, struct worst *w)
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
	float *got = arena_new_array(&arena, float, (size_t)PLANES * number_count);

	for (uint32_t f = 0; f < COUNT(unaries); f++) {
		const struct unary *u = &unaries[f];
		struct worst w = { 0 };

		for (uint32_t i = 0; i < number_count; i++)
			exact[i] = u->exact((double)numbers[i]);
		run(m, first_unary + f, numbers, NULL, NULL, got, number_count);
		check_planes(numbers, NULL, exact, got, number_count, u->planes, u->lost, &w);
		report(m, u->name, &w, u->ulp);
	}
}

/* Pairs: all of the first numbers with each other, then those at random, then what powers are made of. */
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
	float *x = arena_new_array(&arena, float, capacity), *y = arena_new_array(&arena, float, capacity);
	float *got = arena_new_array(&arena, float, (size_t)PLANES * capacity);
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
		run(m, first_binary + f, x, y, NULL, got, n);
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
		run(m, first_fused + f, x, y, z, got, n);
		check_planes(x, y, exact, got, n, 31, 0, &w);
		report(m, f ? "mad" : "fma", &w, 0);
	}
}

/* ---- conversions between all types, ordering and choosing */

#define TYPES(X) X(char, int8_t) X(uchar, uint8_t) X(short, int16_t) X(ushort, uint16_t) X(int, int32_t) \
	X(uint, uint32_t) X(long, int64_t) X(ulong, uint64_t) X(float, float)

struct type {
	const char *name;
	size_t size;
	bool is_signed, is_float;
	uint64_t (*get)(const void *in, uint32_t i); /* sign-extended; of a float: its bits */
	void (*put)(void *out, uint32_t i, uint64_t v);
	void (*make)(void *out, uint32_t n);
	void (*lesser)(const void *a, const void *b, void *out, uint32_t n);
	void (*greater)(const void *a, const void *b, void *out, uint32_t n);
};

#define IS_FLOAT(c) ((c)0.5 != 0)
#define TYPE_FUNCTIONS(cl, c)                                                                      \
	static uint64_t get_##cl(const void *in, uint32_t i)                                       \
	{                                                                                          \
		c x = ((const c *)in)[i];                                                          \
		uint32_t bits = 0;                                                                 \
		if (!IS_FLOAT(c))                                                                  \
			return (uint64_t)(int64_t)x;                                               \
		memcpy(&bits, &x, sizeof x < 4 ? sizeof x : 4);                                    \
		return bits;                                                                       \
	}                                                                                          \
	static void put_##cl(void *out, uint32_t i, uint64_t v)                                    \
	{                                                                                          \
		c x = IS_FLOAT(c) ? (c)float_of((uint32_t)v) : (c)v;                               \
		((c *)out)[i] = x;                                                                 \
	}                                                                                          \
	static void make_##cl(void *out, uint32_t n)                                               \
	{                                                                                          \
		c *p = out;                                                                        \
		for (uint32_t i = 0; i < n; i++)                                                   \
			p[i] = (c)random_bits();                                                   \
	}                                                                                          \
	static void lesser_##cl(const void *a, const void *b, void *out, uint32_t n)               \
	{                                                                                          \
		const c *x = a, *y = b;                                                            \
		for (uint32_t i = 0; i < n; i++)                                                   \
			((c *)out)[i] = y[i] < x[i] ? y[i] : x[i];                                 \
	}                                                                                          \
	static void greater_##cl(const void *a, const void *b, void *out, uint32_t n)              \
	{                                                                                          \
		const c *x = a, *y = b;                                                            \
		for (uint32_t i = 0; i < n; i++)                                                   \
			((c *)out)[i] = x[i] < y[i] ? y[i] : x[i];                                 \
	}
TYPES(TYPE_FUNCTIONS)

#define TYPE_ROW(cl, c) { #cl, sizeof(c), (c)-1 < (c)1, IS_FLOAT(c), get_##cl, put_##cl, make_##cl, lesser_##cl, greater_##cl },
static const struct type types[] = { TYPES(TYPE_ROW) };
enum { TYPE_COUNT = sizeof types / sizeof types[0], TYPE_FLOAT = TYPE_COUNT - 1, SOME = 4096 };

/* What C does, in 64 bits. */
static void convert(const struct type *from, const struct type *to, const void *in, void *out, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		bool wide = to->is_float && !from->is_float, narrow = from->is_float && !to->is_float;
		uint64_t v = from->get(in, i);
		float x;

		if (wide) {
			x = from->is_signed ? (float)(int64_t)v : (float)v;
			memcpy((uint8_t *)out + i * sizeof x, &x, sizeof x);
			continue;
		}
		if (narrow) {
			x = float_of((uint32_t)v);
			v = to->is_signed ? (uint64_t)(int64_t)x : (uint64_t)x;
		}
		to->put(out, i, v);
	}
}

static uint32_t first_convert, first_order, first_copy, half_load, half_store, first_choose;

static bool same_planes(const void *want, const uint8_t *got, size_t bytes, unsigned planes)
{
	for (int p = 0; p < PLANES; p++)
		if (planes & 1u << p && memcmp(want, got + (size_t)p * bytes, bytes) != 0)
			return false;
	return true;
}

static void float_inputs(float *x, uint32_t n, uint32_t to)
{
	static const double low[] = { -128, 0, -32768, 0, -0x1p31, 0, -0x1p63, 0, -1e30 };
	static const double high[] = { 127, 255, 32767, 65535, 0x1.fffffcp30, 0x1.fffffep31, 0x1.fffffcp62, 0x1.fffffep63, 1e30 };

	for (uint32_t i = 0; i < n; i++) {
		x[i] = (float)random_between(low[to], high[to]);
		if (i < n / 2)
			x[i] = (float)random_between(low[to] < 0 ? -100 : 0, 100);
	}
}

static void check_conversions(const struct machine *m)
{
	uint8_t *in = arena_alloc(&arena, SOME * 8), *want = arena_alloc(&arena, SOME * 8);
	uint8_t *got = arena_alloc(&arena, PLANES * SOME * 8);

	for (uint32_t to = 0; to < TYPE_COUNT; to++) {
		bool same = true;

		for (uint32_t from = 0; from < TYPE_COUNT; from++) {
			types[from].make(in, SOME);
			if (from == TYPE_FLOAT)
				float_inputs((float *)(void *)in, SOME, to);
			convert(&types[from], &types[to], in, want, SOME);
			run(m, first_convert + to * TYPE_COUNT + from, in, NULL, NULL, got, SOME);
			if (!same_planes(want, got, SOME * types[to].size, 31)) {
				printf("# from %s\n", types[from].name);
				same = false;
			}
		}
		tap_ok(same, "%s: convert_%s of every type", m->name, types[to].name);
	}
}

static unsigned order_planes(uint32_t t)
{
	return !strcmp(types[t].name, "int") || t == TYPE_FLOAT ? 31 : !strcmp(types[t].name, "uint") ? 17 : 1;
}

static void check_order(const struct machine *m)
{
	uint8_t *a = arena_alloc(&arena, SOME * 8), *b = arena_alloc(&arena, SOME * 8), *c = arena_alloc(&arena, SOME * 8);
	uint8_t *low = arena_alloc(&arena, SOME * 8), *high = arena_alloc(&arena, SOME * 8);
	uint8_t *want = arena_alloc(&arena, SOME * 8), *got = arena_alloc(&arena, PLANES * SOME * 8);

	for (uint32_t t = 0; t < TYPE_COUNT; t++) {
		size_t bytes = SOME * types[t].size;
		bool same;

		types[t].make(a, SOME);
		types[t].make(b, SOME);
		types[t].make(c, SOME);
		types[t].lesser(b, c, low, SOME);
		types[t].greater(b, c, high, SOME);
		run(m, first_order + 3 * t, b, c, NULL, got, SOME);
		same = same_planes(low, got, bytes, order_planes(t));
		run(m, first_order + 3 * t + 1, b, c, NULL, got, SOME);
		same = same && same_planes(high, got, bytes, order_planes(t));
		run(m, first_order + 3 * t + 2, a, low, high, got, SOME);
		types[t].greater(a, low, want, SOME);
		types[t].lesser(want, high, want, SOME);
		tap_ok(same && same_planes(want, got, bytes, order_planes(t)), "%s: min, max and clamp of %s", m->name,
		       types[t].name);
	}
}

/* Loads and stores of every width at places that are aligned for one element only. */
static void check_copies(const struct machine *m)
{
	uint8_t *in = arena_alloc(&arena, (SOME + 1) * 8), *got = arena_alloc(&arena, (PLANES * SOME + 2) * 8);

	for (uint32_t t = 0; t < TYPE_COUNT; t++) {
		size_t size = types[t].size;
		bool same;

		types[t].make(in, SOME + 1);
		memset(got, 0x5a, (PLANES * SOME + 2) * size);
		run(m, first_copy + t, in + size, NULL, NULL, got + size, SOME);
		same = got[0] == 0x5a && got[(PLANES * SOME + 1) * size] == 0x5a;
		tap_ok(same && same_planes(in + size, got + size, SOME * size, 31), "%s: vload and vstore of %s", m->name,
		       types[t].name);
	}
}

/* All halves to float; floats on, between and around them to halves. */
static void check_halves(const struct machine *m)
{
	enum { HALVES = 65536 };
	uint16_t *h = arena_new_array(&arena, uint16_t, 5 * HALVES), *want = arena_new_array(&arena, uint16_t, 4 * HALVES);
	float *x = arena_new_array(&arena, float, 4 * HALVES), *y = arena_new_array(&arena, float, PLANES * HALVES);
	uint16_t *got = arena_new_array(&arena, uint16_t, PLANES * 4 * HALVES);
	bool same = true;
	uint32_t n = 0;

	for (uint32_t i = 0; i < HALVES; i++)
		h[i] = (uint16_t)i;
	run(m, half_load, h, NULL, NULL, y, HALVES);
	for (int p = 0; p < PLANES; p++)
		for (uint32_t i = 0; i < HALVES && p != 1; i++) {
			float a = half_to_float(h[i]), b = y[p * HALVES + i];

			same = same && (isnan(a) ? isnan(b) : memcmp(&a, &b, sizeof a) == 0);
		}
	tap_ok(same, "%s: all halves become floats", m->name);
	for (uint32_t i = 0; i < HALVES; i++) {
		float a = half_to_float((uint16_t)i), b = half_to_float((uint16_t)(i + 1));
		float middle = (i & 0x7fff) == 0x7bff ? copysignf(65520, a) : (a + b) * 0.5f;

		if (isnan(a) || isnan(b) || isinf(a))
			a = b = middle = 1;
		x[n++] = a;
		x[n++] = middle;
		x[n++] = nextafterf(middle, INFINITY);
		x[n++] = nextafterf(middle, -INFINITY);
	}
	for (uint32_t i = 0; i < n; i++)
		want[i] = float_to_half(x[i]);
	run(m, half_store, x, NULL, NULL, got, n);
	same = true;
	for (int p = 0; p < PLANES; p++) /* plane 1: vstore_half_rte */
		same = same && memcmp(want, got + (size_t)p * n, n * 2) == 0;
	tap_ok(same, "%s: floats become halves, rounded to nearest even", m->name);
}

/* select, isnan ..., abs: vectors say -1 where scalars say 1. */
static void check_choices(const struct machine *m)
{
	static const char *const tests[] = { "isnan", "isinf", "isfinite", "signbit" };
	float *a = arena_new_array(&arena, float, SOME), *b = arena_new_array(&arena, float, SOME);
	float *want = arena_new_array(&arena, float, SOME), *got = arena_new_array(&arena, float, PLANES * SOME);
	int32_t *c = arena_new_array(&arena, int32_t, SOME), *told = arena_new_array(&arena, int32_t, PLANES * SOME);
	bool same = true;

	for (uint32_t i = 0; i < SOME; i++) {
		a[i] = i < 64 ? numbers[i] : float_of((uint32_t)random_bits());
		b[i] = (float)i;
		c[i] = random_bits() & 1 ? -1 : 0;
		want[i] = c[i] ? b[i] : a[i];
	}
	run(m, first_choose, a, b, c, got, SOME);
	tap_ok(same_planes(want, (uint8_t *)got, SOME * 4, 31), "%s: select", m->name);
	for (uint32_t k = 0; k < 4; k++) {
		same = true;
		run(m, first_choose + 1 + k, a, NULL, NULL, told, SOME);
		for (int p = 0; p < PLANES; p++)
			for (uint32_t i = 0; i < SOME; i++) {
				bool yes = k == 0 ? isnan(a[i]) : k == 1 ? isinf(a[i]) : k == 2 ? isfinite(a[i]) : signbit(a[i]);

				same = same && told[p * SOME + i] == (yes ? p ? -1 : 1 : 0);
			}
		tap_ok(same, "%s: %s", m->name, tests[k]);
	}
	same = true;
	run(m, first_choose + 5, c, NULL, NULL, told, SOME);
	for (uint32_t i = 0; i < SOME; i++)
		same = same && told[i] == -c[i];
	tap_ok(same, "%s: abs", m->name);
}

/* ---- the list of kernels */

static uint32_t add_half_load(void)
{
	struct strbuf s = { 0 };

	strbuf_puts(&s, "__kernel void test_half_load(__global const half *x, __global float *y, const int n EDGE_WI)\n{\n"
			"\tconst int at = (int)get_global_id(0) * 16;\n\n"
			"\tfor (int i = 0; i < 16; i++)\n\t\ty[at + i] = vload_half(at + i, x);\n"
			"\tfor (int i = 0; i < 4; i++)\n\t\tvstore4(vload_half4(i, x + at), i, y + 2 * n + at);\n"
			"\tfor (int i = 0; i < 2; i++)\n\t\tvstore8(vload_half8(i, x + at), i, y + 3 * n + at);\n"
			"\tvstore16(vload_half16(0, x + at), 0, y + 4 * n + at);\n}\n");
	return add_kernel("test_half_load", 2, &s);
}

static uint32_t add_half_store(void)
{
	struct strbuf s = { 0 };

	strbuf_puts(&s, "__kernel void test_half_store(__global const float *x, __global half *y, const int n EDGE_WI)\n{\n"
			"\tconst int at = (int)get_global_id(0) * 16;\n\n"
			"\tfor (int i = 0; i < 16; i++) {\n\t\tvstore_half(x[at + i], at + i, y);\n"
			"\t\tvstore_half_rte(x[at + i], at + i, y + n);\n\t}\n"
			"\tfor (int i = 0; i < 4; i++)\n\t\tvstore_half4(vload4(i, x + at), i, y + 2 * n + at);\n"
			"\tfor (int i = 0; i < 2; i++)\n\t\tvstore_half8(vload8(i, x + at), i, y + 3 * n + at);\n"
			"\tvstore_half16(vload16(0, x + at), 0, y + 4 * n + at);\n}\n");
	return add_kernel("test_half_store", 2, &s);
}

/* select() has a condition of another type than its values. */
static uint32_t add_select(void)
{
	struct strbuf s = { 0 };

	strbuf_puts(&s, "__kernel void test_select(__global const float *a, __global const float *b, __global const int *c, "
			"__global float *y, const int n EDGE_WI)\n{\n\tconst int at = (int)get_global_id(0) * 16;\n\n"
			"\tfor (int i = 0; i < 16; i++)\n\t\ty[at + i] = select(a[at + i], b[at + i], c[at + i]);\n");
	for (int p = 1; p < PLANES; p++)
		strbuf_printf(&s, "\tfor (int i = 0; i < %d; i++)\n"
			"\t\tvstore%d(select(vload%d(i, a + at), vload%d(i, b + at), vload%d(i, c + at)), i, y + %d * n + at);\n",
			16 / lanes[p], lanes[p], lanes[p], lanes[p], lanes[p], p);
	strbuf_puts(&s, "}\n");
	return add_kernel("test_select", 4, &s);
}

static void add_all(void)
{
	char name[40];

	first_unary = kernel_count;
	for (uint32_t f = 0; f < COUNT(unaries); f++)
		add_function(unaries[f].name, "float", "float", 1, unaries[f].planes);
	first_binary = kernel_count;
	for (uint32_t f = 0; f < COUNT(binaries); f++)
		add_function(binaries[f].name, "float", "float", 2, binaries[f].planes);
	first_fused = add_function("fma", "float", "float", 3, 31);
	add_function("mad", "float", "float", 3, 31);
	first_convert = kernel_count;
	for (uint32_t to = 0; to < TYPE_COUNT; to++)
		for (uint32_t from = 0; from < TYPE_COUNT; from++) {
			snprintf(name, sizeof name, "convert_%s", types[to].name);
			add_function(name, types[from].name, types[to].name, 1, 31);
		}
	first_order = kernel_count;
	for (uint32_t t = 0; t < TYPE_COUNT; t++) {
		add_function("min", types[t].name, types[t].name, 2, order_planes(t));
		add_function("max", types[t].name, types[t].name, 2, order_planes(t));
		add_function("clamp", types[t].name, types[t].name, 3, order_planes(t));
	}
	first_copy = kernel_count;
	for (uint32_t t = 0; t < TYPE_COUNT; t++)
		add_function("", types[t].name, types[t].name, 1, 31);
	half_load = add_half_load();
	half_store = add_half_store();
	first_choose = add_select();
	add_function("isnan", "float", "int", 1, 31);
	add_function("isinf", "float", "int", 1, 31);
	add_function("isfinite", "float", "int", 1, 31);
	add_function("signbit", "float", "int", 1, 31);
	add_function("abs", "int", "int", 1, 1);
}

static bool map_block(const struct native_code *code, struct machine *m)
{
	void *p = mmap(NULL, code->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	memcpy(p, code->block, code->bytes);
	__builtin___clear_cache(p, (char *)p + code->bytes);
	*m = (struct machine){ native_isa_name(code->isa), p, code->entry };
	return mprotect(p, code->bytes, PROT_READ | PROT_EXEC) == 0;
}

static void check_machine(const struct native_code *code)
{
	struct machine m = { 0 };

	if (!isa_supported((uint32_t)code->isa)) {
		tap_skip("this CPU has no %s", native_isa_name(code->isa));
		return;
	}
	if (!tap_ok(map_block(code, &m), "%s: %llu bytes of code", native_isa_name(code->isa), (unsigned long long)code->bytes))
		return;
	check_unaries(&m);
	check_binaries(&m);
	check_conversions(&m);
	check_order(&m);
	check_copies(&m);
	check_halves(&m);
	check_choices(&m);
}

int main(void)
{
#if defined(__aarch64__)
	static const enum native_isa isa[] = { NATIVE_AARCH64 };
#else
	static const enum native_isa isa[] = { NATIVE_X86_64_V3, NATIVE_X86_64_V4 };
#endif
	const struct kernel *list[MAX_KERNELS];
	struct native_code code[COUNT(isa)];
	struct diag d;

	diag_init(&d, &arena, stderr);
	make_numbers();
	add_all();
	for (uint32_t i = 0; i < kernel_count; i++)
		list[i] = &kernels[i];
	if (tap_ok(native_compile(&arena, list, kernel_count, prelude_text(), isa, COUNT(isa), code, &d),
		   "%u kernels compile", kernel_count))
		for (uint32_t i = 0; i < COUNT(isa); i++)
			check_machine(&code[i]);
	arena_release(&arena);
	return tap_done();
}
