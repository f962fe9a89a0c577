/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pass.c - passes keep what a graph computes.
 *
 * tests/pass/NAME.ir hold a graph, the passes to run ("# run: fold simplify")
 * and, after "# expect:", the graph that must come out; with EDGE_UPDATE set
 * they are written anew. Every one of these graphs, many random ones, and the
 * real networks where they are at hand, are evaluated before and after.
 */
#include "config.h"

#include "eval_graph.h"
#include "tap.h"

#include "base/file.h"
#include "pass/pass.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct arena arena;
static struct diag diag;
static uint32_t seed = 1;

static uint32_t next_random(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(seed >> 4) * below) >> 28);
}

static struct graph *read_text(const char *text, size_t len, const char *name)
{
	return graph_read(&arena, &diag, diag_add_file(&diag, name, text, len));
}

static struct graph *copy_of(const struct graph *g)
{
	struct strbuf s = { 0 };
	struct graph *copy;

	graph_print(g, &s);
	copy = read_text(arena_strndup(&arena, s.data, s.len), s.len, "copy");
	strbuf_free(&s);
	return copy;
}

/* ---- evaluating ---- */

static void fill(void *p, enum dtype t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		switch (t) {
		case DTYPE_F32:
			((float *)p)[i] = (float)((double)next_random(4001) - 2000) / 1000;
			break;
		case DTYPE_I64:
			((int64_t *)p)[i] = next_random(2);
			break;
		case DTYPE_I32:
			((int32_t *)p)[i] = (int32_t)next_random(2);
			break;
		default:
			((uint8_t *)p)[i] = (uint8_t)next_random(2);
			break;
		}
	}
}

/* Largest difference over the largest value, or -1 where something cannot be computed. */
static double difference(const struct graph *a, const struct graph *b)
{
	const void **in = calloc(a->inputs.len + 1, sizeof *in);
	void **out = calloc(a->outputs.len + 1, sizeof *out),
	     **other = calloc(a->outputs.len + 1, sizeof *other);
	double worst = 0;
	bool good;

	for (uint32_t i = 0; i < a->inputs.len; i++) {
		const struct value *v = graph_value(a, a->inputs.data[i]);
		void *p = malloc(eval_bytes(a, a->inputs.data[i]) + 1);

		fill(p, v->dtype, (size_t)shape_elements(&v->shape));
		in[i] = p;
	}
	for (uint32_t i = 0; i < a->outputs.len; i++) {
		out[i] = malloc(eval_bytes(a, a->outputs.data[i]) + 1);
		other[i] = malloc(eval_bytes(b, b->outputs.data[i]) + 1);
	}
	good = eval_graph(a, in, out) && eval_graph(b, in, other);
	for (uint32_t i = 0; good && i < a->outputs.len; i++) {
		const struct value *v = graph_value(a, a->outputs.data[i]),
				   *w = graph_value(b, b->outputs.data[i]);
		size_t n = (size_t)shape_elements(&v->shape);
		double largest = 1e-6, most = 0;

		if (v->dtype != w->dtype || !shape_equal(&v->shape, &w->shape)) {
			good = false;
			break;
		}
		if (v->dtype != DTYPE_F32) {
			most = memcmp(out[i], other[i], eval_bytes(a, a->outputs.data[i])) != 0;
			largest = 1;
		}
		for (size_t k = 0; v->dtype == DTYPE_F32 && k < n; k++) {
			double x = ((float *)out[i])[k], y = ((float *)other[i])[k];

			if (isnan(x) != isnan(y) || isinf(x) != isinf(y))
				most = INFINITY;
			else if (isfinite(x)) {
				most = fmax(most, fabs(x - y));
				largest = fmax(largest, fabs(x));
			}
		}
		worst = fmax(worst, most / largest);
	}
	for (uint32_t i = 0; i < a->inputs.len; i++)
		free((void *)in[i]);
	for (uint32_t i = 0; i < a->outputs.len; i++) {
		free(out[i]);
		free(other[i]);
	}
	free(in);
	free(out);
	free(other);
	return good ? worst : -1;
}

/* ---- golden files ---- */

static bool run_passes(struct graph *g, const char *names)
{
	char word[32];
	int n;

	for (; sscanf(names, " %31[a-z]%n", word, &n) == 1; names += n) {
		bool changed;

		if (strcmp(word, "all") == 0) {
			if (!passes_run(g, &diag, &(struct pass_options){ .roundtrip = true }))
				return false;
		} else if (!pass_run(word, g, &diag, &changed)) {
			return false;
		}
		if (!graph_verify(g, &diag))
			return false;
	}
	return true;
}

static void update(const char *path, const char *text, size_t keep, const char *now)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return;
	fwrite(text, 1, keep, f);
	fprintf(f, "# expect:\n%s", now);
	fclose(f);
}

static void test_golden(const char *folder, const char *name)
{
	char *path = path_join(&arena, folder, name), *text, *expect, passes[256] = "";
	struct mapped_file m;
	struct strbuf now = { 0 };
	struct graph *g, *before;
	size_t keep;
	bool good;

	if (!file_map(path, &m)) {
		tap_ok(false, "%s can be read", name);
		return;
	}
	text = arena_strndup(&arena, (const char *)m.data, m.size);
	file_unmap(&m);
	expect = strstr(text, "# expect:\n");
	keep = expect ? (size_t)(expect - text) : strlen(text);
	sscanf(text, "# run: %255[^\n]", passes);
	g = read_text(text, keep, name);
	before = g ? copy_of(g) : NULL;
	good = g && run_passes(g, passes);
	if (good)
		graph_print(g, &now);
	if (good && getenv("EDGE_UPDATE"))
		update(path, text, keep, now.data);
	good = good &&
	       (getenv("EDGE_UPDATE") || (expect && strcmp(expect + 10, strbuf_str(&now)) == 0));
	tap_ok(good, "%s: %s gives what is expected", name, passes);
	if (!good)
		fprintf(stderr, "%s: now\n%s", name, strbuf_str(&now));
	if (good && !g->files.len) { /* the files do not exist */
		double d = difference(before, g);

		tap_ok(d >= 0 && d < 1e-5, "%s: the result is the same (%g)", name, d);
	}
	strbuf_free(&now);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_all_golden(void)
{
	const char *source = getenv("EDGE_SRCDIR");
	char *folder = path_join(&arena, source ? source : ".", "tests/pass");
	DIR *d = opendir(folder);
	char *names[256];
	size_t count = 0;

	if (!tap_ok(d != NULL, "tests/pass is there"))
		return;
	for (struct dirent *e; (e = readdir(d)) && count < 256;) {
		if (strlen(e->d_name) > 3 && strcmp(e->d_name + strlen(e->d_name) - 3, ".ir") == 0)
			names[count++] = arena_strdup(&arena, e->d_name);
	}
	closedir(d);
	qsort(names, count, sizeof *names, by_name);
	for (size_t i = 0; i < count; i++)
		test_golden(folder, names[i]);
	tap_ok(count >= 20, "%zu files", count);
}

/* ---- random graphs ---- */

enum { POOL = 40 };

struct maker {
	struct graph *g;
	value_id pool[POOL];
	uint32_t count;
};

static value_id pick(struct maker *m)
{
	return m->pool[next_random(m->count)];
}

static void keep(struct maker *m, value_id v)
{
	if (v == NO_ID || shape_elements(&graph_value(m->g, v)->shape) > 4000 ||
	    shape_elements(&graph_value(m->g, v)->shape) < 1)
		return;
	m->pool[m->count < POOL ? m->count++ : next_random(POOL)] = v;
}

static value_id constant(struct maker *m, const struct shape *s)
{
	float *x = arena_new_array(&arena, float, (size_t)shape_elements(s));

	fill(x, DTYPE_F32, (size_t)shape_elements(s));
	return graph_add_const_bytes(m->g, DTYPE_F32, *s, x);
}

static value_id node(struct maker *m, enum op op, value_id a, value_id b, value_id c,
		     const struct attr *attr, uint32_t count)
{
	value_id in[3] = { a, b, c };

	return graph_op(m->g, NULL, op, in,
			c != NO_ID   ? 3
			: b != NO_ID ? 2
				     : 1,
			attr, count, NO_SPAN, NULL);
}

static void make_unary(struct maker *m)
{
	static const enum op ops[] = { OP_relu, OP_neg, OP_abs,	     OP_sigmoid,
				       OP_tanh, OP_erf, OP_identity, OP_clip,
				       OP_silu, OP_abs, OP_softplus };
	enum op op = ops[next_random(sizeof ops / sizeof *ops)];
	struct attr range[] = { attr_float(min, 0), attr_float(max, 6) };

	keep(m, node(m, op, pick(m), NO_ID, NO_ID, op == OP_clip ? range : NULL,
		     op == OP_clip ? 2 : 0));
}

static void make_binary(struct maker *m)
{
	static const enum op ops[] = { OP_add, OP_mul, OP_sub, OP_add,
				       OP_mul, OP_max, OP_min, OP_less };
	enum op op = ops[next_random(sizeof ops / sizeof *ops)];
	value_id a = pick(m), b = pick(m);
	const struct shape *s = &graph_value(m->g, a)->shape;

	if (next_random(3) == 0)
		b = graph_add_scalar_f32(m->g, (float)next_random(4));
	else if (next_random(2) && s->rank)
		b = constant(m, &(struct shape){ 1, { s->dim[s->rank - 1] } });
	if (op == OP_less) { /* and use it */
		value_id c = node(m, op, a, b, NO_ID, NULL, 0);

		keep(m, c == NO_ID ? NO_ID : node(m, OP_where, c, a, b, NULL, 0));
		return;
	}
	keep(m, next_random(4) ? node(m, op, a, b, NO_ID, NULL, 0)
			       : node(m, op, b, a, NO_ID, NULL, 0));
}

static void shuffle(int64_t *list, uint32_t n)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t k = next_random(i);
		int64_t x = list[i - 1];

		list[i - 1] = list[k];
		list[k] = x;
	}
}

static void make_view(struct maker *m)
{
	value_id a = pick(m);
	const struct shape s = graph_value(m->g, a)->shape;
	int64_t list[2 * MAX_RANK], start[MAX_RANK], step[MAX_RANK], want[MAX_RANK];
	uint32_t r = s.rank, axis = r ? next_random(r) : 0;

	if (!r)
		return;
	switch (next_random(9)) {
	case 0:
	case 1:
	case 2:
		for (uint32_t i = 0; i < r; i++)
			list[i] = i;
		shuffle(list, r);
		keep(m, node(m, OP_transpose, a, NO_ID, NO_ID,
			     (struct attr[]){ attr_ints(perm, list, r) }, 1));
		break;
	case 3:
	case 4: { /* split one axis, or join two */
		uint32_t out = 0;

		for (uint32_t i = 0; i < r; i++) {
			if (i == axis && s.dim[i] % 2 == 0 && next_random(2)) {
				list[out++] = 2;
				list[out++] = s.dim[i] / 2;
			} else if (i == axis && i + 1 < r) {
				list[out++] = s.dim[i] * s.dim[i + 1];
				i++;
			} else {
				list[out++] = s.dim[i];
			}
		}
		if (next_random(4) == 0)
			list[out++] = 1;
		if (out <= 6)
			keep(m, node(m, OP_reshape, a, NO_ID, NO_ID,
				     (struct attr[]){ attr_ints(shape, list, out) }, 1));
		break;
	}
	case 5:
	case 6:
		for (uint32_t i = 0; i < r; i++) {
			bool back = next_random(5) == 0;

			step[i] = s.dim[i] > 3 && next_random(3) == 0 ? 2 : 1;
			want[i] =
				next_random(2) ? s.dim[i] / step[i] : (s.dim[i] + 1) / 2 / step[i];
			want[i] = want[i] < 1 ? 1 : want[i];
			start[i] = back ? (want[i] - 1) * step[i]
					: s.dim[i] - 1 - (want[i] - 1) * step[i];
			step[i] = back ? -step[i] : step[i];
		}
		keep(m,
		     node(m, OP_slice, a, NO_ID, NO_ID,
			  (struct attr[]){ attr_ints(starts, start, r), attr_ints(steps, step, r),
					   attr_ints(shape, want, r) },
			  3));
		break;
	case 7:
		for (uint32_t i = 0; i < 2 * r; i++)
			list[i] = next_random(3) == 0;
		keep(m, node(m, OP_pad, a, NO_ID, NO_ID,
			     (struct attr[]){ attr_ints(pads, list, 2 * r) }, 1));
		break;
	default:
		keep(m, node(m, OP_concat, a, next_random(2) ? a : constant(m, &s), NO_ID,
			     (struct attr[]){ attr_int(axis, axis) }, 1));
		break;
	}
}

static void make_reduce(struct maker *m)
{
	static const enum op ops[] = { OP_reduce_mean, OP_reduce_max, OP_reduce_sum, OP_softmax,
				       OP_layer_norm };
	enum op op = ops[next_random(5)];
	value_id a = pick(m);
	uint32_t r = graph_value(m->g, a)->shape.rank;
	int64_t axes[1] = { r ? next_random(r) : 0 };

	if (!r)
		return;
	if (op == OP_softmax || op == OP_layer_norm)
		keep(m,
		     node(m, op, a, NO_ID, NO_ID, (struct attr[]){ attr_int(axis, axes[0]) }, 1));
	else
		keep(m, node(m, op, a, NO_ID, NO_ID,
			     (struct attr[]){ attr_ints(axes, axes, 1),
					      attr_int(keepdims, next_random(2)) },
			     2));
}

/* A convolution as an importer of a channels-first network writes it. */
static void make_conv(struct maker *m)
{
	static const int64_t in[] = { 0, 2, 3, 1 }, back[] = { 0, 3, 1, 2 };
	value_id a = pick(m), x, w, bias;
	const struct shape s = graph_value(m->g, a)->shape;
	int64_t out = 1 + next_random(4);
	uint32_t k = 1 + next_random(2);

	if (s.rank != 4)
		return;
	x = node(m, OP_transpose, a, NO_ID, NO_ID, (struct attr[]){ attr_ints(perm, in, 4) }, 1);
	w = constant(m, &(struct shape){ 4, { out, s.dim[1], k, k } });
	bias = next_random(2) ? constant(m, &(struct shape){ 1, { out } }) : NO_ID;
	x = node(m, OP_conv, x, w, bias, NULL, 0);
	if (x == NO_ID)
		return;
	x = node(m, OP_transpose, x, NO_ID, NO_ID, (struct attr[]){ attr_ints(perm, back, 4) }, 1);
	if (next_random(2)) { /* what is left of a batch norm */
		struct shape c = { 4, { 1, out, 1, 1 } };

		x = node(m, OP_mul, x, constant(m, &c), NO_ID, NULL, 0);
		x = node(m, OP_add, x, constant(m, &c), NO_ID, NULL, 0);
	}
	keep(m, x);
}

static void make_matmul(struct maker *m)
{
	value_id a = pick(m), b;
	const struct shape s = graph_value(m->g, a)->shape;
	int64_t n = 1 + next_random(5);

	if (s.rank < 2)
		return;
	b = next_random(3) ? constant(m, &(struct shape){ 2, { s.dim[s.rank - 1], n } }) : pick(m);
	keep(m, node(m, OP_matmul, a, b, NO_ID, NULL, 0));
}

/* Flattened, then multiplied: as at the end of many classifiers. */
static void make_flatten(struct maker *m)
{
	value_id a = pick(m);
	const struct shape s = graph_value(m->g, a)->shape;
	int64_t rest = s.rank ? shape_elements(&s) / s.dim[0] : 0, n = 1 + next_random(5);
	struct attr flag = attr_int(trans_b, next_random(2));

	if (s.rank < 3 || rest < 1)
		return;
	a = node(m, OP_reshape, a, NO_ID, NO_ID,
		 (struct attr[]){ attr_ints(shape, ((int64_t[]){ s.dim[0], rest }), 2) }, 1);
	keep(m, node(m, OP_matmul, a,
		     constant(m, &(struct shape){ 2, { flag.i ? n : rest, flag.i ? rest : n } }),
		     NO_ID, &flag, 1));
}

static void make_gelu(struct maker *m)
{
	value_id x = pick(m), h;

	h = node(m, OP_mul, x, graph_add_scalar_f32(m->g, 0.70710678f), NO_ID, NULL, 0);
	h = node(m, OP_erf, h, NO_ID, NO_ID, NULL, 0);
	h = node(m, OP_add, h, graph_add_scalar_f32(m->g, 1), NO_ID, NULL, 0);
	h = next_random(2) ? node(m, OP_mul, x, h, NO_ID, NULL, 0)
			   : node(m, OP_mul, h, x, NO_ID, NULL, 0);
	keep(m, node(m, OP_mul, h, graph_add_scalar_f32(m->g, 0.5f), NO_ID, NULL, 0));
}

static struct graph *random_graph(void)
{
	struct maker m = { graph_new(&arena, "random"), { 0 }, 0 };
	uint32_t steps = 4 + next_random(28);

	keep(&m, graph_add_input(m.g, "a", DTYPE_F32, (struct shape){ 4, { 1, 4, 6, 6 } }));
	keep(&m, graph_add_input(m.g, "b", DTYPE_F32, (struct shape){ 2, { 6, 4 } }));
	keep(&m, graph_add_input(m.g, "c", DTYPE_F32, (struct shape){ 4, { 1, 4, 1, 1 } }));
	for (uint32_t i = 0; i < steps; i++) {
		switch (next_random(12)) {
		case 0:
		case 1:
			make_unary(&m);
			break;
		case 2:
		case 3:
		case 4:
			make_binary(&m);
			break;
		case 5:
		case 6:
			make_view(&m);
			break;
		case 7:
			make_reduce(&m);
			break;
		case 8:
			make_conv(&m);
			break;
		case 9:
			make_matmul(&m);
			break;
		case 10:
			make_flatten(&m);
			break;
		default:
			make_gelu(&m);
			break;
		}
	}
	for (uint32_t i = 0; i < 1 + next_random(3); i++)
		graph_add_output(m.g, m.pool[m.count - 1 - next_random(m.count < 4 ? m.count : 4)],
				 "y");
	return m.g;
}

static bool one_random(const char *passes, double *worst)
{
	struct graph *g = random_graph(), *before = copy_of(g);
	struct strbuf s = { 0 };
	double d = -1;
	bool good = before && run_passes(g, passes);

	if (good)
		d = difference(before, g);
	/* sums are taken in another order, and floor may then jump; scale matters, not bits */
	good = good && d >= 0 && d < 1e-4;
	if (!good) {
		graph_print(before ? before : g, &s);
		fprintf(stderr, "# %s: difference %g\n# before\n%s# after\n", passes, d,
			strbuf_str(&s));
		s.len = 0;
		graph_print(g, &s);
		fprintf(stderr, "%s", strbuf_str(&s));
	}
	*worst = fmax(*worst, d);
	strbuf_free(&s);
	return good;
}

static void test_random(void)
{
	static const char *const lists[] = { "fold",	  "simplify", "layout",
					     "batchnorm", "fuse",     "all" };
	const char *many = getenv("EDGE_RANDOM");
	int count = many ? atoi(many) : 150;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		double worst = 0;
		int good = 0, k;

		for (k = 0; k < count; k++) {
			struct arena keep_arena = arena;
			struct diag keep_diag = diag;
			bool same;

			arena = (struct arena){ 0 };
			diag_init(&diag, &arena, stderr);
			seed = 1000u * (uint32_t)k + 77;
			same = one_random(lists[i], &worst);
			if (!same)
				fprintf(stderr, "# random graph %d\n", k);
			good += same;
			arena_release(&arena);
			arena = keep_arena;
			diag = keep_diag;
			if (!same)
				break;
		}
		tap_ok(good == count, "%s keeps what %d random graphs compute (%g)", lists[i],
		       count, worst);
	}
}

/* ---- size ---- */

static struct graph *large(uint32_t blocks)
{
	static const int64_t to_last[] = { 0, 2, 3, 1 }, to_first[] = { 0, 3, 1, 2 };
	struct graph *g = graph_new(&arena, "large");
	struct maker m = { g, { 0 }, 0 };
	value_id x = graph_add_input(g, "x", DTYPE_F32, (struct shape){ 4, { 1, 4, 4, 4 } }), y;
	struct shape c = { 4, { 1, 4, 1, 1 } }, w = { 4, { 4, 4, 1, 1 } };

	for (uint32_t i = 0; i < blocks; i++) {
		y = node(&m, OP_transpose, x, NO_ID, NO_ID,
			 (struct attr[]){ attr_ints(perm, to_last, 4) }, 1);
		y = node(&m, OP_conv, y, constant(&m, &w), NO_ID, NULL, 0);
		y = node(&m, OP_transpose, y, NO_ID, NO_ID,
			 (struct attr[]){ attr_ints(perm, to_first, 4) }, 1);
		y = node(&m, OP_mul, y, constant(&m, &c), NO_ID, NULL, 0);
		y = node(&m, OP_add, y, constant(&m, &c), NO_ID, NULL, 0);
		y = node(&m, OP_relu, y, NO_ID, NO_ID, NULL, 0);
		y = node(&m, OP_add, y, x, NO_ID, NULL, 0);
		y = node(&m, OP_sigmoid, y, NO_ID, NO_ID, NULL, 0);
		y = node(&m, OP_mul, y, x, NO_ID, NULL, 0);
		x = node(&m, OP_tanh, y, NO_ID, NO_ID, NULL, 0);
	}
	graph_add_output(g, x, "y");
	return g;
}

static double pass_time(struct graph *g, bool *good)
{
	clock_t t = clock();

	*good = passes_run(g, &diag, NULL);
	return 1e3 * (double)(clock() - t) / CLOCKS_PER_SEC;
}

static void test_size(void)
{
	struct graph *one = large(1000), *chain = graph_new(&arena, "chain");
	struct maker m = { chain, { 0 }, 0 };
	value_id x = graph_add_input(chain, "x", DTYPE_F32, (struct shape){ 1, { 3 } });
	double ms, ms4;
	bool good;

	ms = pass_time(one, &good);
	tap_ok(good && one->nodes.len <= 1002 && ms < 3000,
	       "10,000 nodes take %.0f ms, and become %u", ms, one->nodes.len);
	ms4 = pass_time(large(4000), &good);
	tap_ok(good && ms4 < 10 * ms + 200, "40,000 nodes take %.0f ms: time is linear", ms4);
	for (int i = 0; i < 10000; i++)
		x = node(&m, i % 2 ? OP_sigmoid : OP_sin, x, NO_ID, NO_ID, NULL, 0);
	graph_add_output(chain, x, "y");
	ms = pass_time(chain, &good);
	tap_ok(good && chain->nodes.len == (10000 + 31) / 32 && ms < 3000,
	       "a chain of 10,000 takes %.0f ms, %u maps", ms, chain->nodes.len);
}

static void test_options(void)
{
	struct graph *g = graph_new(&arena, "options");
	struct maker m = { g, { 0 }, 0 };
	value_id x = graph_add_input(g, "x", DTYPE_F32, (struct shape){ 1, { 3 } });
	char *said;
	size_t len;
	FILE *out = open_memstream(&said, &len);
	struct diag d;

	diag_init(&d, &arena, out);
	x = node(&m, OP_identity, x, NO_ID, NO_ID, NULL, 0);
	x = node(&m, OP_exp, x, NO_ID, NO_ID, NULL, 0);
	graph_add_output(g, x, "y");
	tap_ok(!passes_run(g, &d, &(struct pass_options){ .stop_after = "optimize" }) &&
		       d.errors == 1,
	       "a pass that does not exist is an error");
	fclose(out);
	tap_ok(strstr(said, "there is no pass \"optimize\"") && strstr(said, "batchnorm"),
	       "which names those that do");
	free(said);
	tap_ok(passes_run(g, &diag, &(struct pass_options){ .stop_after = "batchnorm" }) &&
		       g->nodes.len == 1 && graph_node(g, 0)->op == OP_exp,
	       "stopped before fusing");
	tap_ok(passes_run(g, &diag, NULL) && graph_node(g, 0)->op == OP_map, "and then to the end");
}

int main(void)
{
	diag_init(&diag, &arena, stderr);
	test_all_golden();
	test_random();
	test_size();
	test_options();
	arena_release(&arena);
	return tap_done();
}
