/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_native_types.c - what native code does with types (kernels/native.clh):
 * conversions between all of them, loads and stores, halves, order, choice.
 */
#include "config.h"

#include "native_harness.h"
#include "tap.h"

#include "ir/graph.h"

#include <math.h>
#include <string.h>

static struct arena arena;

/* ---- conversions between all types, ordering and choosing */

#define TYPES(X)                                                                                   \
	X(char, int8_t)                                                                            \
	X(uchar, uint8_t)                                                                          \
	X(short, int16_t) X(ushort, uint16_t) X(int, int32_t) X(uint, uint32_t) X(long, int64_t)   \
		X(ulong, uint64_t) X(float, float)

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

#define TYPE_ROW(cl, c)                                                                            \
	{ #cl,	    sizeof(c), (c)-1 < (c)1, IS_FLOAT(c), get_##cl,                                \
	  put_##cl, make_##cl, lesser_##cl,  greater_##cl },
static const struct type types[] = { TYPES(TYPE_ROW) };
enum { TYPE_COUNT = sizeof types / sizeof types[0], TYPE_FLOAT = TYPE_COUNT - 1, SOME = 4096 };

/* What C does, in 64 bits. */
static void convert(const struct type *from, const struct type *to, const void *in, void *out,
		    uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		bool wide = to->is_float && !from->is_float,
		     narrow = from->is_float && !to->is_float;
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
	static const double high[] = { 127,	      255,	     32767,
				       65535,	      0x1.fffffcp30, 0x1.fffffep31,
				       0x1.fffffcp62, 0x1.fffffep63, 1e30 };

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
			native_run(m, first_convert + to * TYPE_COUNT + from, in, NULL, NULL, got,
				   SOME);
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
	return !strcmp(types[t].name, "int") || t == TYPE_FLOAT ? 31
	       : !strcmp(types[t].name, "uint")			? 17
								: 1;
}

static void check_order(const struct machine *m)
{
	uint8_t *a = arena_alloc(&arena, SOME * 8), *b = arena_alloc(&arena, SOME * 8),
		*c = arena_alloc(&arena, SOME * 8);
	uint8_t *low = arena_alloc(&arena, SOME * 8), *high = arena_alloc(&arena, SOME * 8);
	uint8_t *want = arena_alloc(&arena, SOME * 8),
		*got = arena_alloc(&arena, PLANES * SOME * 8);

	for (uint32_t t = 0; t < TYPE_COUNT; t++) {
		size_t bytes = SOME * types[t].size;
		bool same;

		types[t].make(a, SOME);
		types[t].make(b, SOME);
		types[t].make(c, SOME);
		types[t].lesser(b, c, low, SOME);
		types[t].greater(b, c, high, SOME);
		native_run(m, first_order + 3 * t, b, c, NULL, got, SOME);
		same = same_planes(low, got, bytes, order_planes(t));
		native_run(m, first_order + 3 * t + 1, b, c, NULL, got, SOME);
		same = same && same_planes(high, got, bytes, order_planes(t));
		native_run(m, first_order + 3 * t + 2, a, low, high, got, SOME);
		types[t].greater(a, low, want, SOME);
		types[t].lesser(want, high, want, SOME);
		tap_ok(same && same_planes(want, got, bytes, order_planes(t)),
		       "%s: min, max and clamp of %s", m->name, types[t].name);
	}
}

/* Loads and stores of every width at places that are aligned for one element only. */
static void check_copies(const struct machine *m)
{
	uint8_t *in = arena_alloc(&arena, (SOME + 1) * 8),
		*got = arena_alloc(&arena, (PLANES * SOME + 2) * 8);

	for (uint32_t t = 0; t < TYPE_COUNT; t++) {
		size_t size = types[t].size;
		bool same;

		types[t].make(in, SOME + 1);
		memset(got, 0x5a, (PLANES * SOME + 2) * size);
		native_run(m, first_copy + t, in + size, NULL, NULL, got + size, SOME);
		same = got[0] == 0x5a && got[(PLANES * SOME + 1) * size] == 0x5a;
		tap_ok(same && same_planes(in + size, got + size, SOME * size, 31),
		       "%s: vload and vstore of %s", m->name, types[t].name);
	}
}

/* All halves to float; floats on, between and around them to halves. */
static void check_halves(const struct machine *m)
{
	enum { HALVES = 65536 };
	uint16_t *h = arena_new_array(&arena, uint16_t, 5 * HALVES),
		 *want = arena_new_array(&arena, uint16_t, 4 * HALVES);
	float *x = arena_new_array(&arena, float, 4 * HALVES),
	      *y = arena_new_array(&arena, float, PLANES *HALVES);
	uint16_t *got = arena_new_array(&arena, uint16_t, PLANES * 4 * HALVES);
	bool same = true;
	uint32_t n = 0;

	for (uint32_t i = 0; i < HALVES; i++)
		h[i] = (uint16_t)i;
	native_run(m, half_load, h, NULL, NULL, y, HALVES);
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
	native_run(m, half_store, x, NULL, NULL, got, n);
	same = true;
	for (int p = 0; p < PLANES; p++) /* plane 1: vstore_half_rte */
		same = same && memcmp(want, got + (size_t)p * n, n * 2) == 0;
	tap_ok(same, "%s: floats become halves, rounded to nearest even", m->name);
}

/* select, isnan ..., abs: vectors say -1 where scalars say 1. */
static void check_choices(const struct machine *m)
{
	static const char *const tests[] = { "isnan", "isinf", "isfinite", "signbit" };
	static const float special[] = { 0, -0.0f, INFINITY, -INFINITY, NAN,  -NAN,
					 1, -1,	   1e-45f,   -1e-45f,	3e38f };
	float *a = arena_new_array(&arena, float, SOME), *b = arena_new_array(&arena, float, SOME);
	float *want = arena_new_array(&arena, float, SOME),
	      *got = arena_new_array(&arena, float, PLANES *SOME);
	int32_t *c = arena_new_array(&arena, int32_t, SOME),
		*told = arena_new_array(&arena, int32_t, PLANES * SOME);
	bool same = true;

	for (uint32_t i = 0; i < SOME; i++) {
		a[i] = i < COUNT(special) ? special[i] : float_of((uint32_t)random_bits());
		b[i] = (float)i;
		c[i] = random_bits() & 1 ? -1 : 0;
		want[i] = c[i] ? b[i] : a[i];
	}
	native_run(m, first_choose, a, b, c, got, SOME);
	tap_ok(same_planes(want, (uint8_t *)got, SOME * 4, 31), "%s: select", m->name);
	for (uint32_t k = 0; k < 4; k++) {
		same = true;
		native_run(m, first_choose + 1 + k, a, NULL, NULL, told, SOME);
		for (int p = 0; p < PLANES; p++)
			for (uint32_t i = 0; i < SOME; i++) {
				bool yes = k == 0   ? isnan(a[i])
					   : k == 1 ? isinf(a[i])
					   : k == 2 ? isfinite(a[i])
						    : signbit(a[i]);

				same = same && told[p * SOME + i] == (yes ? p ? -1 : 1 : 0);
			}
		tap_ok(same, "%s: %s", m->name, tests[k]);
	}
	same = true;
	native_run(m, first_choose + 5, c, NULL, NULL, told, SOME);
	for (uint32_t i = 0; i < SOME; i++)
		same = same && told[i] == -c[i];
	tap_ok(same, "%s: abs", m->name);
}

static uint32_t add_half_load(void)
{
	struct strbuf s = { 0 };

	strbuf_puts(&s, "__kernel void test_half_load(__global const half *x, __global float *y, "
			"const int n EDGE_WI)\n{\n"
			"\tconst int at = (int)get_global_id(0) * 16;\n\n"
			"\tfor (int i = 0; i < 16; i++)\n\t\ty[at + i] = vload_half(at + i, x);\n"
			"\tfor (int i = 0; i < 4; i++)\n\t\tvstore4(vload_half4(i, x + at), i, y + "
			"2 * n + at);\n"
			"\tfor (int i = 0; i < 2; i++)\n\t\tvstore8(vload_half8(i, x + at), i, y + "
			"3 * n + at);\n"
			"\tvstore16(vload_half16(0, x + at), 0, y + 4 * n + at);\n}\n");
	return native_add_kernel("test_half_load", 2, &s);
}

static uint32_t add_half_store(void)
{
	struct strbuf s = { 0 };

	strbuf_puts(&s, "__kernel void test_half_store(__global const float *x, __global half *y, "
			"const int n EDGE_WI)\n{\n"
			"\tconst int at = (int)get_global_id(0) * 16;\n\n"
			"\tfor (int i = 0; i < 16; i++) {\n\t\tvstore_half(x[at + i], at + i, y);\n"
			"\t\tvstore_half_rte(x[at + i], at + i, y + n);\n\t}\n"
			"\tfor (int i = 0; i < 4; i++)\n\t\tvstore_half4(vload4(i, x + at), i, y + "
			"2 * n + at);\n"
			"\tfor (int i = 0; i < 2; i++)\n\t\tvstore_half8(vload8(i, x + at), i, y + "
			"3 * n + at);\n"
			"\tvstore_half16(vload16(0, x + at), 0, y + 4 * n + at);\n}\n");
	return native_add_kernel("test_half_store", 2, &s);
}

/* select() has a condition of another type than its values. */
static uint32_t add_select(void)
{
	struct strbuf s = { 0 };

	strbuf_puts(&s, "__kernel void test_select(__global const float *a, __global const float "
			"*b, __global const int *c, "
			"__global float *y, const int n EDGE_WI)\n{\n\tconst int at = "
			"(int)get_global_id(0) * 16;\n\n"
			"\tfor (int i = 0; i < 16; i++)\n\t\ty[at + i] = select(a[at + i], b[at + "
			"i], c[at + i]);\n");
	for (int p = 1; p < PLANES; p++)
		strbuf_printf(&s,
			      "\tfor (int i = 0; i < %d; i++)\n"
			      "\t\tvstore%d(select(vload%d(i, a + at), vload%d(i, b + at), "
			      "vload%d(i, c + at)), i, y + %d * n + at);\n",
			      16 / lanes[p], lanes[p], lanes[p], lanes[p], lanes[p], p);
	strbuf_puts(&s, "}\n");
	return native_add_kernel("test_select", 4, &s);
}

static void add_all(void)
{
	char name[40];
	uint32_t k;

	for (uint32_t to = 0; to < TYPE_COUNT; to++)
		for (uint32_t from = 0; from < TYPE_COUNT; from++) {
			snprintf(name, sizeof name, "convert_%s", types[to].name);
			k = native_add(name, types[from].name, types[to].name, 1, 31);
			first_convert = to || from ? first_convert : k;
		}
	for (uint32_t t = 0; t < TYPE_COUNT; t++) {
		k = native_add("min", types[t].name, types[t].name, 2, order_planes(t));
		first_order = t ? first_order : k;
		native_add("max", types[t].name, types[t].name, 2, order_planes(t));
		native_add("clamp", types[t].name, types[t].name, 3, order_planes(t));
	}
	for (uint32_t t = 0; t < TYPE_COUNT; t++) {
		k = native_add("", types[t].name, types[t].name, 1, 31);
		first_copy = t ? first_copy : k;
	}
	half_load = add_half_load();
	half_store = add_half_store();
	first_choose = add_select();
	native_add("isnan", "float", "int", 1, 31);
	native_add("isinf", "float", "int", 1, 31);
	native_add("isfinite", "float", "int", 1, 31);
	native_add("signbit", "float", "int", 1, 31);
	native_add("abs", "int", "int", 1, 1);
}

static void check(const struct machine *m)
{
	check_conversions(m);
	check_order(m);
	check_copies(m);
	check_halves(m);
	check_choices(m);
}

int main(void)
{
	struct machine machine[NATIVE_MACHINES];
	uint32_t count;

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
