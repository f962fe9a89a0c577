/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernels_quant.c - products, convolutions and lookups with weights in few bits, in every format, over odd shapes. */
#include "config.h"

#include "kernel_harness.h"
#include "quant_blocks.h"

#include <stdio.h>

static uint32_t seed = 1;

static value_id constant(struct graph *g, enum dtype t, struct shape source, struct shape s, const char *perm)
{
	struct data d = quant_random_data(g->arena, t, source, seed++);

	for (uint32_t i = 0; perm && perm[i]; i++) {
		d.perm_set = true;
		d.perm[i] = (uint8_t)(perm[i] - '0');
	}
	return graph_add_const(g, "w", DTYPE_F32, s, d);
}

static void finish(struct harness *h, struct graph *g, const char *what, enum dtype t, value_id y)
{
	graph_add_output(g, y, "y");
	harness_graph(h, arena_printf(&h->arena, "%s of %s", what, dtype_name(t)), g)->tolerance = 2e-5;
}

/* x[m,k] w' + b, w[n,k]; or w as the transpose of such a matrix. */
static void product(struct harness *h, enum dtype t, int m, int n, int k, bool turned)
{
	struct graph *g = graph_new(&h->arena, "g");
	struct shape source = { 2, { n, k } }, s = { 2, { turned ? k : n, turned ? n : k } };
	value_id in[3] = { graph_add_input(g, "x", DTYPE_F32, (struct shape){ 2, { m, k } }),
			   constant(g, t, source, s, turned ? "10" : NULL) };
	struct data d = { .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .source_shape = { 1, { n } }, .deviation = 1 };

	in[2] = graph_add_const(g, "b", DTYPE_F32, d.source_shape, d);
	in[0] = graph_op(g, &h->diag, OP_matmul, in, 3, (struct attr[]){ attr_int(trans_b, !turned) }, 1, NO_SPAN, NULL);
	finish(h, g, arena_printf(&h->arena, "%d x %d x %d%s", m, n, k, turned ? " turned" : ""), t, in[0]);
}

/* Channels last; w[outputs][inputs / group][kernel..] whose source has the inputs innermost. */
static void conv(struct harness *h, enum dtype t, int size, int in, int out, int kernel, int stride, int group, bool transposed)
{
	struct graph *g = graph_new(&h->arena, "g");
	int each = in / group, pad = kernel / 2;
	struct shape source = { 4, { out, kernel, kernel, each } };
	struct shape s = { 4, { transposed ? each : out, transposed ? out : each, kernel, kernel } };
	value_id v[2] = { graph_add_input(g, "x", DTYPE_F32, (struct shape){ 4, { 2, size, size - 1, in } }),
			  constant(g, t, source, s, transposed ? "3012" : "0312") };
	struct attr attr[] = { attr_ints(strides, ((int64_t[]){ stride, stride }), 2), attr_int(group, group),
			       attr_ints(pads, ((int64_t[]){ pad, pad, pad, pad }), 4) };

	v[0] = graph_op(g, &h->diag, transposed ? OP_conv_transpose : OP_conv, v, 2, attr, 3, NO_SPAN, NULL);
	finish(h, g, arena_printf(&h->arena, "%s %dx%d /%d groups %d, %d -> %d", transposed ? "transposed conv" : "conv",
				  kernel, kernel, stride, group, in, out), t, v[0]);
}

static void lookup(struct harness *h, enum dtype t, int rows, int k, int count)
{
	struct graph *g = graph_new(&h->arena, "g");
	struct shape s = { 2, { rows, k } };
	value_id in[2] = { constant(g, t, s, s, NULL), graph_add_input(g, "i", DTYPE_I64, (struct shape){ 2, { 1, count } }) };
	struct harness_case *c;

	in[0] = graph_op(g, &h->diag, OP_gather, in, 2, (struct attr[]){ attr_int(axis, 0) }, 1, NO_SPAN, NULL);
	finish(h, g, arena_printf(&h->arena, "lookup of %d in %d x %d", count, rows, k), t, in[0]);
	c = &h->cases.data[h->cases.len - 1];
	c->ilow = -rows;
	c->ihigh = rows - 1;
}

/* A table that is also the matrix of a product, in whose panels its rows are. */
static void shared(struct harness *h, enum dtype t, int rows, int k, int count)
{
	struct graph *g = graph_new(&h->arena, "g");
	struct shape s = { 2, { rows, k } };
	struct data random = { .where = DATA_RANDOM, .source_dtype = t, .source_shape = s, .deviation = 1 };
	value_id table = dtype_is_block(t) ? constant(g, t, s, s, NULL) : graph_add_const(g, "w", DTYPE_F32, s, random);
	value_id in[2] = { table, graph_add_input(g, "i", DTYPE_I64, (struct shape){ 1, { count } }) };
	value_id x[2] = { graph_add_input(g, "x", DTYPE_F32, (struct shape){ 2, { 1, k } }), table };
	struct harness_case *c;

	g->tables_in_memory = g->language = true;
	in[0] = graph_op(g, &h->diag, OP_gather, in, 2, (struct attr[]){ attr_int(axis, 0) }, 1, NO_SPAN, NULL);
	x[0] = graph_op(g, &h->diag, OP_matmul, x, 2, (struct attr[]){ attr_int(trans_b, 1) }, 1, NO_SPAN, NULL);
	graph_add_output(g, x[0], "product");
	finish(h, g, arena_printf(&h->arena, "table and matrix %d x %d", rows, k), t, in[0]);
	c = &h->cases.data[h->cases.len - 1];
	c->ilow = -rows;
	c->ihigh = rows - 1;
	if (t == DTYPE_F16 || t == DTYPE_BF16)
		c->tolerance = t == DTYPE_F16 ? 1e-3 : 1e-2; /* the reference has them as floats */
}

/* Every kernel costs the test some tenths of a second, so formats take turns. */
static void formats(struct harness *h)
{
	static const int m[] = { 2, 9, 3, 70, 4, 5, 1, 150 };
	uint32_t i = 0;

	for (enum dtype t = DTYPE_Q8_0; t < DTYPE_GROUPED; t++, i++) {
		int k = (int)block_format(t).elements * (block_format(t).elements == 32 ? 3 : 1);

		shared(h, t, 33, k, 5);
		if (i % 2)
			product(h, t, m[i % 8], 47, k, true);
		else if (i % 4 != 2 || i > 5)
			lookup(h, t, 9, k, 7);
	}
	for (i = 0; i < 30; i += 1 + i % 4) {
		enum dtype t = (enum dtype)(DTYPE_GROUPED + i);
		int k = 172 + (int)i * 7 % 40;

		if (i % 5 == 3)
			lookup(h, t, 9, 45 + (int)i, 7);
		else
			product(h, t, m[i % 8], 5 + (int)i * 11 % 60, k, i & 1);
	}
	for (i = 0; i < 12; i += 1 + i % 2) { /* scales of floats */
		enum dtype t = (enum dtype)(DTYPE_WIDE + i);

		product(h, t, m[(i + 1) % 8], 17 + (int)i * 5, 148 + (int)i * 9, i & 1);
		if (i % 3 == 1)
			lookup(h, t, 9, 45 + (int)i, 7);
	}
	conv(h, block_wide(4, 32, true), 6, 8, 20, 3, 1, 1, false);
	shared(h, block_wide(4, 64, true), 35, 70, 3);
	conv(h, block_grouped(4, 32, false), 9, 5, 20, 3, 1, 1, false);
	conv(h, block_grouped(8, 128, true), 13, 48, 40, 3, 2, 1, false);
	conv(h, block_grouped(5, 64, false), 7, 12, 20, 3, 1, 2, false);
	conv(h, block_grouped(6, 64, true), 6, 9, 33, 1, 1, 1, false);
	conv(h, block_grouped(3, 64, false), 5, 7, 18, 3, 2, 1, true);
	/* by fewer products (winograd.cl), with more channels than it takes at a time and blocks that are cut by taps */
	conv(h, block_grouped(8, 32, false), 17, 16, 20, 3, 1, 1, false);
	conv(h, block_grouped(4, 32, true), 18, 24, 33, 3, 1, 1, false);
	conv(h, block_grouped(6, 128, true), 15, 136, 40, 3, 1, 1, false);
	for (i = 0; i < 3; i++)
		shared(h, (enum dtype[]){ DTYPE_F32, DTYPE_F16, DTYPE_BF16 }[i], 35, 21, 4);
	shared(h, block_grouped(3, 64, true), 21, 45, 3);
	product(h, DTYPE_Q4_0, 1, 1, 32, false);
	product(h, DTYPE_Q8_0, 65, 70, 96, false);
	product(h, block_grouped(4, 32, false), 1, 64, 1, false);
	product(h, block_grouped(8, 32, false), 1, 500, 300, false);
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	h.quick = true;
	formats(&h);
	h.target.kernels = TARGET_GPU_KERNELS;
	product(&h, DTYPE_Q4_K, 1, 40, 256, false);
	return harness_run(&h);
}
