/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kernels_int8.c - rows and images of codes times weights in few bits, in every format, over odd
 * shapes, on OpenCL and with the dot products of each instruction set that runs here.
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

/* The source as a file that packs codes of eight bits has it. */
static const struct packed_rows *pack(struct graph *g, struct data *d, uint32_t group)
{
	struct block_format f = block_format(d->source_dtype);
	struct packed_rows *p = arena_new(g->arena, struct packed_rows);
	int64_t k = data_row(d), rows = shape_elements(&d->source_shape) / k;
	uint64_t all = block_row_bytes(d->source_dtype, k);
	const uint8_t *from = d->bytes;
	uint8_t *heads, *codes = arena_alloc(g->arena, (size_t)(rows * k));

	p->bits = 8;
	p->rows_in_groups = group;
	p->rows = (uint64_t)rows;
	p->row_bytes = (uint64_t)k;
	p->head_bytes = all - (uint64_t)k;
	p->heads = heads = arena_alloc(g->arena, (size_t)rows * p->head_bytes);
	harness_ok(p->head_bytes == (uint64_t)((k + f.elements - 1) / f.elements) * block_head(&f), "a row is scales and codes");
	for (int64_t r = 0; r < rows; r++, from += all) {
		memcpy(heads + (uint64_t)r * p->head_bytes, from, p->head_bytes);
		memcpy(codes + r * k, from + p->head_bytes, (size_t)k);
	}
	d->bytes = codes;
	return p;
}

/* x[m,k] w' / 2 + b twice, with the same codes of x. */
static void product_in_groups(struct harness *h, enum dtype t, int m, int n, int k, uint32_t group)
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
	for (uint32_t i = 0; group && i < 2; i++) { /* as a file asks for it */
		struct data *w = graph_value(g, graph_node(g, i)->in[1])->data;

		w->packed = pack(g, w, group);
	}
	harness_ok(activations_quantize(g, group ? ACTIVATIONS_AUTO : ACTIVATIONS_INT8, &h->target, NO_SPAN, &h->diag) && g->nodes.len == 3,
	       "the products share their rows");
	harness_graph(h, arena_printf(&h->arena, "%d x %d x %d of %s", m, n, k, dtype_name(t)), g)->tolerance = 2e-5;
}

static void product(struct harness *h, enum dtype t, int m, int n, int k)
{
	product_in_groups(h, t, m, n, k, 0);
}

struct window { int dims, kernel, stride, dilation, begin, end, group; };

static value_id convolve(struct harness *h, struct graph *g, enum dtype t, value_id x, int out, const struct window *w)
{
	const struct shape *s = &graph_value(g, x)->shape;
	int64_t channels = s->dim[s->rank - 1], strides[3], dilations[3], pads[6], perm[5];
	struct shape source = { (uint32_t)w->dims + 2, { out } }, all = { source.rank, { out, channels / w->group } };
	struct data d = { .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .source_shape = { 1, { out } }, .deviation = 1 };
	value_id in[3] = { x };
	struct attr attr[4] = { attr_int(group, w->group) };

	for (int i = 0; i < w->dims; i++) {
		source.dim[i + 1] = all.dim[i + 2] = w->kernel;
		strides[i] = w->stride;
		dilations[i] = w->dilation;
		pads[i] = w->begin;
		pads[i + w->dims] = w->end;
		perm[i + 2] = i + 1;
	}
	source.dim[w->dims + 1] = all.dim[1];
	in[2] = graph_add_const(g, "b", DTYPE_F32, d.source_shape, d);
	d = quant_random_data(g->arena, t, source, seed++);
	perm[0] = 0;
	perm[1] = w->dims + 1;
	d.perm_set = true;
	for (uint32_t i = 0; i < source.rank; i++)
		d.perm[i] = (uint8_t)perm[i];
	in[1] = graph_add_const(g, "w", DTYPE_F32, all, d);
	attr[1] = attr_ints(strides, strides, (uint32_t)w->dims);
	attr[2] = attr_ints(dilations, dilations, (uint32_t)w->dims);
	attr[3] = attr_ints(pads, pads, 2 * (uint32_t)w->dims);
	return graph_op(g, &h->diag, OP_conv, in, 3, attr, 4, NO_SPAN, NULL);
}

/* Two convolutions of one image, whose frame is that of the wider one. */
static struct harness_case *images(struct harness *h, enum dtype t, struct shape x, int out, struct window a, struct window b)
{
	struct graph *g = graph_new(&h->arena, "g");
	value_id in = graph_add_input(g, "x", DTYPE_F32, x);
	struct harness_case *c;

	graph_add_output(g, convolve(h, g, t, in, out, &a), "y");
	graph_add_output(g, convolve(h, g, t, in, (out / b.group + 3) * b.group, &b), "z");
	harness_ok(activations_quantize(g, ACTIVATIONS_INT8, &h->target, NO_SPAN, &h->diag) && g->nodes.len == 3,
	       "the convolutions share their image");
	c = harness_graph(h, arena_printf(&h->arena, "%d-d %dx and %dx of %s", a.dims, a.kernel, b.kernel, dtype_name(t)), g);
	/* with minima, weights become bytes once more */
	c->tolerance = block_format(t).kind == BLOCK_ASYMMETRIC ? 1e-2 : 5e-5;
	return c;
}

static void convolutions(struct harness *h)
{
	const struct window point = { 2, 1, 1, 1, 0, 0, 1 }, three = { 2, 3, 1, 1, 1, 1, 1 };
	struct window w = three;

	images(h, block_grouped(8, 32, false), (struct shape){ 4, { 1, 9, 7, 16 } }, 33, point, three);
	w.stride = 2;
	w.end = 0;
	images(h, block_grouped(4, 64, false), (struct shape){ 4, { 2, 8, 11, 20 } }, 61, three, w)->low = 0; /* as after a relu */
	w = (struct window){ 2, 5, 2, 2, 4, 3, 2 };
	images(h, block_grouped(6, 128, false), (struct shape){ 4, { 3, 13, 9, 24 } }, 40, w, (struct window){ 2, 2, 1, 1, 1, 0, 3 });
	images(h, block_grouped(4, 32, true), (struct shape){ 4, { 1, 5, 6, 12 } }, 18, point, three);
	/* an image for more than one work-item */
	images(h, block_grouped(4, 128, false), (struct shape){ 4, { 2, 31, 30, 20 } }, 17, point, three);
	/* more inputs than the window has, in pieces */
	images(h, block_grouped(3, 128, false), (struct shape){ 4, { 1, 4, 3, 116 } }, 16, three, three);
	images(h, block_grouped(8, 64, false), (struct shape){ 3, { 2, 57, 52 } }, 70, (struct window){ 1, 7, 3, 1, 3, 2, 1 },
	       (struct window){ 1, 11, 1, 1, 0, 5, 1 });
	images(h, block_grouped(5, 32, false), (struct shape){ 5, { 1, 4, 5, 3, 8 } }, 9, (struct window){ 3, 2, 1, 1, 1, 0, 1 },
	       (struct window){ 3, 3, 2, 1, 1, 2, 2 });
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
	product(h, block_wide(4, 32, true), 2, 40, 96);
	product_in_groups(h, block_wide(8, 32, true), 3, 20, 150, 64);
	product_in_groups(h, block_grouped(8, 128, false), 7, 17, 300, 256);
	product(h, block_wide(8, 128, false), 9, 33, 140);
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
	convolutions(&h);
	return harness_run(&h);
}
