/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kernels_int8.c - rows of codes times weights in few bits, in every format, over
 * odd shapes, on OpenCL and with the dot products of each instruction set that runs here.
 */
#include "config.h"

#include "codegen/activations.h"
#include "codegen/native.h"
#include "kernel_harness.h"
#include "quant_blocks.h"

static uint32_t seed = 1;

static value_id constant(struct graph *g, enum dtype t, int64_t rows, int64_t k)
{
	struct shape s = { 2, { rows, k } };

	return graph_add_const(g, "w", DTYPE_F32, s, quant_random_data(g->arena, t, s, seed++));
}

/* x[m,k] w' / 2 + b twice, with the same codes of x. */
static void product(struct harness *h, enum dtype t, int m, int n, int k)
{
	struct graph *g = graph_new(&h->arena, "g");
	struct data d = { .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .source_shape = { 1, { n } }, .deviation = 1 };
	struct attr attr[] = { attr_int(trans_b, 1), attr_float(alpha, 0.5) };
	value_id in[3] = { graph_add_input(g, "x", DTYPE_F32, (struct shape){ 2, { m, k } }), constant(g, t, n, k) };
	value_id y, z;

	in[2] = graph_add_const(g, "b", DTYPE_F32, d.source_shape, d);
	y = graph_op(g, &h->diag, OP_matmul, in, 3, attr, 2, NO_SPAN, NULL);
	in[1] = constant(g, t, n, k);
	z = graph_op(g, &h->diag, OP_matmul, in, 3, attr, 2, NO_SPAN, NULL);
	graph_add_output(g, y, "y");
	graph_add_output(g, z, "z");
	harness_ok(activations_quantize(g, ACTIVATIONS_INT8, &h->target, NO_SPAN, &h->diag) && g->nodes.len == 3,
	       "the products share their rows");
	harness_graph(h, arena_printf(&h->arena, "%d x %d x %d of %s", m, n, k, dtype_name(t)), g)->tolerance = 2e-5;
}

/* Every kernel costs some tenths of a second, so formats take turns. */
static void formats(struct harness *h)
{
	static const int m[] = { 1, 9, 3, 70, 1, 5, 2, 150 };
	uint32_t i = 0;

	for (enum dtype t = DTYPE_Q8_0; t < DTYPE_GROUPED; t++, i++)
		product(h, t, m[i % 8], 33 + (int)i * 7, (int)block_format(t).elements * (block_format(t).elements == 32 ? 5 : 1));
	product(h, DTYPE_Q8_0, 6, 20, 96);
	product(h, DTYPE_Q4_0, 65, 70, 416);
	product(h, block_grouped(3, 64, false), 7, 47, 171);
	product(h, block_grouped(4, 32, true), 1, 64, 1);
	product(h, block_grouped(8, 128, false), 1, 50, 300);
	product(h, block_grouped(5, 128, true), 3, 18, 130);
}

static bool refused(struct harness *h, uint32_t isa, enum dtype t, enum activations mode, bool language, int64_t n)
{
	struct target target = target_host();
	struct diag said;

	struct graph *g = graph_new(&h->arena, "g");
	value_id in[2] = { graph_add_input(g, "x", DTYPE_F32, (struct shape){ 2, { 1, 64 } }), NO_ID };
	struct attr turned = attr_int(trans_b, 1);
	struct data d = { .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .source_shape = { 2, { n, 64 } }, .deviation = 1 };

	in[1] = t == DTYPE_F32 ? graph_add_const(g, "w", DTYPE_F32, d.source_shape, d) : constant(g, t, n, 64);
	graph_add_output(g, graph_op(g, &h->diag, OP_matmul, in, 2, &turned, 1, NO_SPAN, NULL), "y");
	g->language = language;
	target.isas = 1u << isa;
	diag_init(&said, &h->arena, stderr);
	return !activations_quantize(g, mode, &target, NO_SPAN, &said) || g->nodes.len == 1;
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	h.quick = true;
	h.every_isa = true;
	harness_ok(refused(&h, NATIVE_X86_64_V4, DTYPE_Q8_0, ACTIVATIONS_AUTO, false, 4096), "a network keeps its floats unless asked");
	harness_ok(refused(&h, NATIVE_X86_64_V4, DTYPE_Q8_0, ACTIVATIONS_AUTO, true, 64), "so does a small product of a language model");
	harness_ok(!refused(&h, NATIVE_X86_64_V4, DTYPE_Q8_0, ACTIVATIONS_AUTO, true, 4096), "a large one does not");
	harness_ok(refused(&h, NATIVE_X86_64_V4, DTYPE_Q8_0, ACTIVATIONS_F32, true, 4096), "unless it is to");
	harness_ok(refused(&h, NATIVE_X86_64_V4, DTYPE_F32, ACTIVATIONS_INT8, true, 4096), "weights in f32 have no such products");
	harness_ok(refused(&h, NATIVE_X86_64_V3, DTYPE_Q8_0, ACTIVATIONS_AUTO, true, 4096), "nothing is gained without dot products");
	formats(&h);
	return harness_run(&h);
}
