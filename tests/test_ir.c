/* SPDX-License-Identifier: Apache-2.0 */
/* test_ir.c - building, inferring, printing, reading, verifying, and the data of constants. */
#include "config.h"

#include "tap.h"

#include "ir/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct arena arena;
static struct diag diag;
static char *said; /* what diag printed since the last quiet() */
static size_t said_len;

static void quiet(void)
{
	if (diag.out)
		fclose(diag.out);
	free(said);
	said = NULL;
	diag_init(&diag, &arena, open_memstream(&said, &said_len));
}

static bool said_has(const char *s)
{
	fflush(diag.out);
	return strstr(said, s) != NULL;
}

static struct shape shape(uint32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
	return (struct shape){ rank, { a, b, c, d } };
}

static value_id weights(struct graph *g, const char *name, struct shape s)
{
	return graph_add_const(g, name, DTYPE_F32, s,
			       (struct data){ .where = DATA_RANDOM,
					      .source_dtype = DTYPE_F32,
					      .source_shape = s,
					      .seed = 7,
					      .deviation = 0.05 });
}

/* One of nearly everything that can be printed. */
static struct graph *sample(void)
{
	struct graph *g = graph_new(&arena, "sample \"quoted\"\n");
	value_id x = graph_add_input(g, "x", DTYPE_F32, shape(4, 1, 8, 8, 3)), v[8], y;
	float few[4] = { 0.1f, -3e-30f, INFINITY, 1.5f };
	float more[40] = { 1 };
	int64_t index[3] = { 2, -1, 0 };
	uint8_t flags[2] = { 1, 0 };
	struct data d = { .where = DATA_FILE,
			  .source_dtype = DTYPE_F16,
			  .offset = 64,
			  .size = 3 * 4 * 9 * 2,
			  .source_shape = shape(4, 3, 3, 3, 4),
			  .perm_set = true,
			  .perm = { 3, 2, 0, 1 } };
	static const float scale[4] = { 1, 0.333333343f, 2, 4 };

	d.file = graph_add_file(g, "some file.bin", 100000);
	d.scale = scale;
	v[0] = x;
	v[1] = graph_add_const(g, "w", DTYPE_F32, shape(4, 4, 3, 3, 3), d);
	v[2] = graph_add_const_bytes(g, DTYPE_F32, shape(1, 4, 0, 0, 0), few);
	y = graph_op(g, &diag, OP_conv, v, 3,
		     (struct attr[]){ attr_ints(pads, ((int64_t[]){ 1, 1, 1, 1 }), 4) }, 1, NO_SPAN,
		     "conv0");
	v[0] = y;
	y = graph_op(g, &diag, OP_clip, v, 1,
		     (struct attr[]){ attr_float(max, 6), attr_float(min, 1e-45) }, 2, NO_SPAN,
		     NULL);
	v[0] = y;
	v[1] = graph_add_const_bytes(g, DTYPE_I64, shape(1, 3, 0, 0, 0), index);
	y = graph_op(g, &diag, OP_gather, v, 2, (struct attr[]){ attr_int(axis, -1) }, 1, NO_SPAN,
		     NULL);
	v[0] = y;
	v[1] = graph_add_const_bytes(g, DTYPE_F32, shape(2, 8, 5, 0, 0), more);
	v[1] = graph_op(g, &diag, OP_reduce_sum, v + 1, 1,
			(struct attr[]){ attr_ints(axes, ((int64_t[]){ -1 }), 1) }, 1, NO_SPAN,
			NULL);
	y = graph_op(g, &diag, OP_mul, v, 2, NULL, 0, NO_SPAN, NULL);
	v[0] = graph_add_const_bytes(g, DTYPE_BOOL, shape(2, 2, 1, 0, 0), flags);
	v[0] = graph_op(g, &diag, OP_slice, v, 1,
			(struct attr[]){ attr_ints(shape, ((int64_t[]){ 1, 1 }), 2) }, 1, NO_SPAN,
			NULL);
	v[1] = v[2] = y;
	y = graph_op(g, &diag, OP_where, v, 3, NULL, 0, NO_SPAN, NULL);
	graph_add_output(g, y, "y");

	v[0] = graph_add_input(g, "seq", DTYPE_F32, shape(3, 5, 1, 6, 0));
	v[1] = weights(g, "W", shape(3, 1, 16, 6, 0));
	v[2] = weights(g, "R", shape(3, 1, 16, 4, 0));
	v[3] = v[4] = NO_ID;
	v[5] = weights(g, "h0", shape(3, 1, 1, 4, 0));
	{
		node_id n =
			graph_add_node(g, &diag, OP_lstm, v, 6,
				       (struct attr[]){ attr_int(hidden, 4) }, 1, NO_SPAN, "lstm");

		for (int i = 0; n != NO_ID && i < 3; i++)
			graph_add_output(g, graph_node(g, n)->out[i], i ? "state" : "seq_out");
	}
	return g;
}

static struct graph *read_text(const char *text, size_t len)
{
	return graph_read(&arena, &diag, diag_add_file(&diag, "test.ir", text, len));
}

static const char *const with_epilogue =
	"graph \"fused\"\n"
	"%0 \"x\" = input f32[1,4]\n"
	"%1 = const f32[4,2] = random seed 3 mean 0.0 deviation 0.5 f32[4,2]\n"
	"%2 = const f32[2] = memory f32[2] {0.5, -1}\n"
	"%7 = matmul(%0, %1; %2) \"fc\" {trans_a = 0, trans_b = 0, alpha = 1.0} [add(r0, i0) f32, "
	"clip(r1) {min = 0.0} f32] : f32[1,2]\n"
	"%8 \"out\" = map(;%7 view 1 [0,-1], %2) [mul(i0, i1) f32] : f32[3,2]\n"
	"output \"y\" %8\n";

static void test_text(void)
{
	struct graph *g = sample(), *again;
	struct strbuf one = { 0 }, two = { 0 };
	size_t len;

	tap_ok(graph_verify(g, &diag), "a graph of many parts is valid");
	graph_print(g, &one);
	again = read_text(arena_strdup(&arena, strbuf_str(&one)), one.len);
	tap_ok(again != NULL, "its text is read");
	if (again)
		graph_print(again, &two);
	tap_ok(again && strcmp(strbuf_str(&one), strbuf_str(&two)) == 0,
	       "and printed to the same text");
	if (again && strcmp(strbuf_str(&one), strbuf_str(&two)))
		fprintf(stderr, "%s\n---\n%s", strbuf_str(&one), strbuf_str(&two));

	two.len = 0;
	len = strlen(with_epilogue);
	again = read_text(with_epilogue, len);
	if (again)
		graph_print(again, &two);
	tap_ok(again && strcmp(with_epilogue, strbuf_str(&two)) == 0,
	       "epilogues, maps and views round-trip");
	if (again && strcmp(with_epilogue, strbuf_str(&two)))
		fprintf(stderr, "%s", strbuf_str(&two));
	strbuf_free(&one);
	strbuf_free(&two);
}

static const struct {
	const char *what, *from, *to;
} manglings[] = {
	{ "a wrong output type", "f32[1,2]\n%8", "f32[2,2]\n%8" },
	{ "a use before the definition", "matmul(%0", "matmul(%8" },
	{ "a second definition", "%7 = matmul", "%0 = matmul" },
	{ "an attribute that does not belong", "alpha", "gamma" },
	{ "an attribute of the wrong kind", "trans_a = 0", "trans_a = 0.5" },
	{ "a register that is not there yet", "clip(r1)", "clip(r2)" },
	{ "an epilogue input that is not there", "i0) f32, clip", "i1) f32, clip" },
	{ "a view that leaves its input", "view 1 ", "view 2 " },
	{ "a view that begins before its input", "view 1 ", "view 0 " },
	{ "register 0 of a map", "mul(i0, i1)", "mul(r0, i1)" },
	{ "a step that is not elementwise", "mul(i0", "matmul(i0" },
	{ "a wrong type of a step", "i0) f32, clip", "i0) i64, clip" },
	{ "too few elements", "{0.5, -1}", "{0.5}" },
	{ "too many elements", "{0.5, -1}", "{0.5, -1, 3}" },
	{ "a source of another size", "memory f32[2]", "memory f32[3]" },
	{ "an unknown operation", "= matmul", "= matmull" },
	{ "an id out of all proportion", "%8 \"out\"", "%4000000000 \"out\"" },
	{ "an output that is not there", "output \"y\" %8", "output \"y\" %9" },
	{ "inner sizes that differ", "input f32[1,4]", "input f32[1,5]" },
	{ "a rank of nine", "input f32[1,4]", "input f32[1,1,1,1,1,1,1,1,4]" },
	{ "more elements than there are numbers", "input f32[1,4]",
	  "input f32[1099511627776,1099511627776,4]" },
	{ "a missing parenthesis", "(%0, %1; %2)", "(%0, %1; %2" },
};

static void test_mangled(void)
{
	for (size_t i = 0; i < sizeof manglings / sizeof *manglings; i++) {
		struct strbuf s = { 0 };
		const char *at = strstr(with_epilogue, manglings[i].from);

		quiet();
		strbuf_add(&s, with_epilogue, (size_t)(at - with_epilogue));
		strbuf_puts(&s, manglings[i].to);
		strbuf_puts(&s, at + strlen(manglings[i].from));
		tap_ok(!read_text(s.data, s.len) && diag.errors && said_has("error:"),
		       "refused: %s", manglings[i].what);
		strbuf_free(&s);
	}
}

/* The reader must survive whatever comes; that it does so is what this shows, under a sanitizer. */
static void test_hostile(void)
{
	struct strbuf s = { 0 };
	uint32_t seed = 1, read = 0;
	size_t len;
	char *text;

	graph_print(sample(), &s);
	strbuf_puts(&s, strchr(with_epilogue, '\n') + 1);
	len = s.len;
	for (size_t cut = 0; cut < len; cut += 7) {
		char *part = xmalloc(cut + 1); /* exact size: an overrun is seen */
		struct arena keep = arena;

		arena = (struct arena){ 0 };
		quiet();
		memcpy(part, s.data, cut);
		read += read_text(part, cut) != NULL;
		quiet();
		free(part);
		arena_release(&arena);
		arena = keep;
		quiet();
	}
	text = xmalloc(len);
	for (int i = 0; i < 3000; i++) {
		struct arena keep = arena;

		arena = (struct arena){ 0 };
		quiet();
		memcpy(text, s.data, len);
		for (int k = 0; k < 1 + i % 3; k++) {
			seed = seed * 1664525 + 1013904223;
			text[(seed >> 8) % len] =
				k & 1 ? (char)(seed >> 3)
				      : "0123456789%[]{}(),;ir-.e\" \n"[seed % 26];
		}
		read += read_text(text, len) != NULL;
		quiet();
		arena_release(&arena);
		arena = keep;
		quiet();
	}
	free(text);
	strbuf_free(&s);
	tap_ok(true, "truncated and mangled texts are survived (%u were still valid)", read);
}

static void test_messages(void)
{
	struct graph *g = graph_new(&arena, "m");
	value_id v[3];

	v[0] = graph_add_input(g, "left", DTYPE_F32, shape(2, 1, 768, 0, 0));
	v[1] = graph_add_input(g, "right", DTYPE_F32, shape(2, 512, 768, 0, 0));
	quiet();
	tap_ok(graph_op(g, &diag, OP_matmul, v, 2, NULL, 0, NO_SPAN, "fc") == NO_ID &&
		       said_has("768") && said_has("512") && said_has("[1,768]") &&
		       said_has("\"right\" is f32[512,768]"),
	       "a matmul that does not fit names both shapes");
	quiet();
	tap_ok(graph_op(g, &diag, OP_add, v, 2, NULL, 0, NO_SPAN, NULL) != NO_ID,
	       "broadcasting [1,768]");
	v[0] = graph_add_input(g, "odd", DTYPE_F32, shape(2, 3, 768, 0, 0));
	tap_ok(graph_op(g, &diag, OP_add, v, 2, NULL, 0, NO_SPAN, NULL) == NO_ID &&
		       said_has("[3,768]") && said_has("[512,768]"),
	       "an addition that does not broadcast names both shapes");
	quiet();
	v[0] = graph_add_input(g, "i", DTYPE_I64, shape(1, 3, 0, 0, 0));
	tap_ok(graph_op(g, &diag, OP_exp, v, 1, NULL, 0, NO_SPAN, NULL) == NO_ID && said_has("i64"),
	       "exp of integers is refused");
	quiet();
	tap_ok(graph_op(g, NULL, OP_exp, v, 1, NULL, 0, NO_SPAN, NULL) == NO_ID && !diag.errors,
	       "without a diag nothing is said");
}

static void test_data(void)
{
	struct graph *g = graph_new(&arena, "d");
	uint16_t half[6] = { 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600 }; /* 1 2 3 4 5 6 */
	static const float by[2] = { 1, 10 };
	float want[6] = { 1, 4, 20, 50, 3, 6 }, out[6], *many = xmalloc(4 * 1000000);
	struct data d = { .where = DATA_MEMORY,
			  .source_dtype = DTYPE_F16,
			  .source_shape = shape(2, 2, 3, 0, 0),
			  .perm_set = true,
			  .perm = { 1, 0 } };
	double sum = 0, square = 0, fourth = 0;
	char path[] = "test-ir-XXXXXX";
	int fd = mkstemp(path);
	value_id v;
	clock_t t;
	bool good;

	/* [[1,2,3],[4,5,6]] -> [[1,4],[2,5],[3,6]] -> as [3,2], second row times 10 */
	static const float rows[3] = { 1, 10, 1 };
	d.bytes = half;
	d.scale = rows;
	v = graph_add_const(g, "a", DTYPE_F32, shape(2, 3, 2, 0, 0), d);
	tap_ok(data_read_f32(g, v, out, &diag) && !memcmp(out, want, sizeof want),
	       "f16 permuted and scaled by rows");
	d.scale = by;
	d.scale_axis = 1;
	v = graph_add_const(g, "b", DTYPE_F32, shape(2, 3, 2, 0, 0), d);
	tap_ok(data_read(g, v, out, &diag) && out[1] == 40 && out[2] == 2 && out[5] == 60,
	       "scaled by columns");
	tap_ok(!data_bytes(g, v), "such data has no bytes of its own");

	good = fd >= 0 && write(fd, "xx", 2) == 2 && write(fd, half, sizeof half) == sizeof half;
	d.where = DATA_FILE;
	d.scale = NULL;
	d.offset = 2;
	d.size = sizeof half;
	d.file = graph_add_file(g, path, 14);
	v = graph_add_const(g, "c", DTYPE_F32, shape(1, 6, 0, 0, 0), d);
	tap_ok(good && data_read(g, v, out, &diag) && out[0] == 1 && out[1] == 4 && out[5] == 6,
	       "out of a file");
	good = ftruncate(fd, 8) == 0;
	quiet();
	tap_ok(good && !data_read(g, v, out, &diag) && said_has("ends at"),
	       "a file that became shorter is noticed");
	close(fd);
	unlink(path);
	tap_ok(!data_read(g, v, out, &diag) && said_has("could not open"), "and one that is gone");

	v = weights(g, "r", shape(1, 1000000, 0, 0, 0));
	t = clock();
	data_read_f32(g, v, many, &diag);
	t = clock() - t;
	for (int i = 0; i < 1000000; i++) {
		sum += many[i];
		square += (double)many[i] * many[i];
		fourth += pow(many[i], 4);
	}
	tap_ok(fabs(sum / 1e6) < 2e-4 && fabs(sqrt(square / 1e6) - 0.05) < 2e-4 &&
		       fabs(fourth * 1e6 / square / square - 2.85) < 0.05,
	       "random data is about normal (mean %g, deviation %g)", sum / 1e6,
	       sqrt(square / 1e6));
	tap_ok(many[0] == 0x1.07c884p-4f && many[3] == 0x1.58000ep-7f && t < CLOCKS_PER_SEC,
	       "it has the same bits everywhere, and a million took %.1f ms",
	       1e3 * (double)t / CLOCKS_PER_SEC);
	free(many);
}

static void test_half(void)
{
	uint32_t wrong = 0;

	for (uint32_t h = 0; h < 65536; h++) {
		float f = half_to_float((uint16_t)h);

		if (isnan(f) ? !isnan(half_to_float(float_to_half(f))) : float_to_half(f) != h)
			wrong++;
	}
	tap_ok(!wrong, "every half survives the way to float and back");
	tap_ok(float_to_half(65519.f) == 0x7bff && float_to_half(65520.f) == 0x7c00 &&
		       float_to_half(2.9802322e-8f) == 0 && float_to_half(2.9802326e-8f) == 1 &&
		       float_to_half(1.00048828125f) == 0x3c00,
	       "ties go to even, overflow to infinity");
}

static void test_large(void)
{
	struct graph *g = graph_new(&arena, "large"), *again = NULL;
	value_id x = graph_add_input(g, "x", DTYPE_F32, shape(2, 4, 4, 0, 0)), v[2];
	struct strbuf s = { 0 };
	clock_t t = clock();
	uint32_t last;

	for (int i = 0; i < 100000; i++) {
		v[0] = x;
		v[1] = i % 7 ? x : graph_add_scalar_f32(g, (float)i);
		x = graph_op(g, &diag, i % 3 ? OP_relu : OP_add, v, i % 3 ? 1 : 2, NULL, 0, NO_SPAN,
			     NULL);
	}
	graph_add_output(g, x, "y");
	/* appended late, needed early: compact must move it */
	v[0] = g->inputs.data[0];
	v[0] = graph_op(g, &diag, OP_neg, v, 1, NULL, 0, NO_SPAN, NULL);
	graph_node(g, 0)->in[0] = v[0];
	last = g->nodes.len;
	graph_kill(g, last - 2);
	graph_replace_uses(g, x, graph_node(g, last - 2)->in[0]);
	graph_compact(g);
	tap_ok(g->nodes.len == last - 1 && graph_node(g, 0)->op == OP_neg && graph_verify(g, &diag),
	       "compact sorts and removes among 100,000 nodes");
	graph_print(g, &s);
	again = read_text(s.data, s.len);
	t = clock() - t;
	tap_ok(again && again->nodes.len == g->nodes.len && t < 4 * CLOCKS_PER_SEC,
	       "built, compacted, printed and read in %.0f ms", 1e3 * (double)t / CLOCKS_PER_SEC);
	strbuf_free(&s);
}

int main(void)
{
	quiet();
	test_text();
	test_mangled();
	test_hostile();
	test_messages();
	test_data();
	test_half();
	test_large();
	fclose(diag.out);
	free(said);
	arena_release(&arena);
	return tap_done();
}
