/* SPDX-License-Identifier: Apache-2.0 */
/* test_quant.c - the methods on single matrices, and configurations applied to graphs. */
#include "config.h"

#include "tap.h"

#include "ir/block.h"
#include "quant/fast.h"
#include "quant/quant.h"
#include "quant/solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;
static struct diag diag;
static char *said;
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

static uint32_t state = 12345;

static float uniform(void)
{
	state = state * 1664525u + 1013904223u;
	return (float)(state >> 8) / (1 << 23) - 1;
}

enum { ROWS = 12, ROW = 77, SAMPLES = 400 };

/* Inputs that go together in pairs and differ in size, as real ones do. */
static float *hessian_of(float *importance)
{
	float *h = calloc(ROW * ROW, sizeof *h), x[ROW];

	for (int s = 0; s < SAMPLES; s++) {
		for (int i = 0; i < ROW; i++)
			x[i] = (i % 7 ? 0.2f : 1.5f) * uniform() + (i ? 0.6f * x[i - 1] : 0);
		for (int i = 0; i < ROW; i++)
			for (int j = 0; j < ROW; j++)
				h[i * ROW + j] += x[i] * x[j] / SAMPLES;
	}
	for (int i = 0; i < ROW; i++)
		importance[i] = h[i * ROW + i];
	return h;
}

static double loss(const struct quant_problem *p, const float *h)
{
	int64_t groups = (p->row + p->group - 1) / p->group;
	double sum = 0;

	for (int64_t r = 0; r < p->rows; r++) {
		double e[ROW];

		for (int64_t i = 0; i < p->row; i++) {
			int64_t at = r * groups + i / p->group;
			struct quant_grid g = quant_grid(p->scale[at], p->minimum[at], p->bits, p->asymmetric);

			e[i] = (double)((float)p->code[r * p->row + i] * g.scale + g.minimum - p->w[r * p->row + i]);
		}
		for (int64_t i = 0; i < p->row; i++)
			for (int64_t j = 0; j < p->row; j++)
				sum += h ? e[i] * (double)h[i * p->row + j] * e[j] : i == j ? e[i] * e[i] : 0;
	}
	return sum;
}

/* One scale a row, the largest weight over the largest code: what everything has to beat. */
static double plain_loss(const float *w, uint32_t bits, const float *h)
{
	double sum = 0;

	for (int r = 0; r < ROWS; r++) {
		float most = 0, e[ROW], scale;

		for (int i = 0; i < ROW; i++)
			most = fmaxf(most, fabsf(w[r * ROW + i]));
		scale = most / (float)((1 << (bits - 1)) - 1);
		for (int i = 0; i < ROW; i++)
			e[i] = rintf(w[r * ROW + i] / scale) * scale - w[r * ROW + i];
		for (int i = 0; i < ROW; i++)
			for (int j = 0; j < ROW; j++)
				sum += (double)(h ? e[i] * h[i * ROW + j] * e[j] : i == j ? e[i] * e[i] : 0);
	}
	return sum;
}

/* Each row on the inputs: weighted, gptq and learned against rounding, minima against none. */
static void test_never_worse(void)
{
	float w[ROWS * ROW], importance[ROW], *h = hessian_of(importance);
	uint8_t code[ROWS * ROW];
	uint16_t scale[ROWS * 3], minimum[ROWS * 3] = { 0 };
	struct quant_problem p = { .rows = 1, .row = ROW, .learning_rate = 0.05, .clip = 0.6, .damping = 0.01,
				   .iterations = 7, .threads = 1, .code = code, .scale = scale, .minimum = minimum };
	static const uint32_t bits[5] = { 3, 4, 5, 6, 8 };
	int worse[5] = { 0 };

	for (int i = 0; i < ROWS * ROW; i++)
		w[i] = uniform() * uniform() * (i % 29 ? 0.1f : 3);
	for (int k = 0; k < 5 * ROWS * 6; k++) {
		double round = 0, loose = 0;

		p.w = w + k % ROWS * ROW;
		p.bits = bits[k / ROWS % 5];
		p.group = 32u << k / ROWS / 5 % 3;
		for (int asymmetric = 0; asymmetric < 2; asymmetric++) {
			p.asymmetric = asymmetric;
			for (int method = QUANT_ROUND; method <= QUANT_LEARNED; method++) {
				double l;

				p.method = (enum quant_method)method;
				p.importance = method ? importance : NULL;
				p.hessian = method ? h : NULL;
				quant_solve(&p);
				l = loss(&p, h);
				if (method == QUANT_ROUND) {
					double own = loss(&p, NULL);

					worse[4] += asymmetric && own > loose * (1 + 1e-5);
					loose = own;
					round = l;
				}
				worse[method] += l > round * (1 + 1e-5);
			}
		}
	}
	tap_ok(!worse[1] && !worse[2] && !worse[3], "rows that are worse than rounded: weighted %d, gptq %d, learned %d", worse[1],
	       worse[2], worse[3]);
	tap_ok(!worse[4], "rows that are worse for having minima: %d", worse[4]);
	free(h);
}

static void test_methods(void)
{
	float w[ROWS * ROW], importance[ROW], *h = hessian_of(importance);
	uint8_t code[ROWS * ROW];
	uint16_t scale[ROWS * 3], minimum[ROWS * 3] = { 0 };
	struct quant_problem p = { .w = w, .rows = ROWS, .row = ROW, .group = 32, .learning_rate = 0.01, .clip = 0.6,
				   .damping = 0.01, .iterations = 100, .threads = 2, .code = code, .scale = scale,
				   .minimum = minimum };

	for (int i = 0; i < ROWS * ROW; i++)
		w[i] = uniform() * uniform() * uniform();
	for (int k = 0; k < 10; k++) {
		static const uint32_t bits[5] = { 3, 4, 5, 6, 8 };
		double round, weighted, gptq, learned, plain;

		p.bits = bits[k / 2];
		p.asymmetric = k & 1;
		plain = plain_loss(w, p.bits, NULL);
		p.method = QUANT_ROUND;
		p.importance = p.hessian = NULL;
		quant_solve(&p);
		round = loss(&p, h);
		tap_ok(loss(&p, NULL) < plain, "%u bits%s: rounding is better than one scale a row (%.4g, %.4g)", p.bits,
		       p.asymmetric ? " asymmetric" : "", loss(&p, NULL), plain);
		p.importance = importance;
		p.hessian = h;
		p.method = QUANT_WEIGHTED;
		quant_solve(&p);
		weighted = loss(&p, h);
		p.method = QUANT_GPTQ;
		quant_solve(&p);
		gptq = loss(&p, h);
		p.method = QUANT_LEARNED;
		quant_solve(&p);
		learned = loss(&p, h);
		tap_ok(learned < gptq && gptq < weighted && gptq < round && weighted <= round,
		       "%u bits%s: learned %.4g < gptq %.4g < weighted %.4g <= rounded %.4g", p.bits,
		       p.asymmetric ? " asymmetric" : "", learned, gptq, weighted, round);
	}
	p.hessian = NULL;
	p.method = QUANT_GPTQ;
	tap_ok(!quant_solve(&p), "gptq without a Hessian is refused");
	memset(w, 0, sizeof w);
	p.method = QUANT_ROUND;
	quant_solve(&p);
	tap_ok(loss(&p, NULL) == 0, "zeros stay zeros");
	free(h);
}

/* x[1,6] -> 40 -> 3, with names. */
static struct graph *network(void)
{
	struct graph *g = graph_new(&arena, "net");
	struct data d = { .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .deviation = 0.3, .seed = 3 };
	struct shape a = { 2, { 6, 40 } }, b = { 2, { 3, 40 } };
	value_id in[2] = { graph_add_input(g, "x", DTYPE_F32, (struct shape){ 2, { 1, 6 } }) };

	d.source_shape = a;
	in[1] = graph_add_const(g, "body.weight", DTYPE_F32, a, d);
	in[0] = graph_op(g, &diag, OP_matmul, in, 2, NULL, 0, NO_SPAN, "body");
	d.source_shape = b;
	d.seed = 4;
	in[1] = graph_add_const(g, "head.weight", DTYPE_F32, b, d);
	in[0] = graph_op(g, &diag, OP_matmul, in, 2, (struct attr[]){ attr_int(trans_b, 1) }, 1, NO_SPAN, "head");
	graph_add_output(g, in[0], "y");
	return g;
}

static enum dtype stored(const struct graph *g, const char *name)
{
	for (uint32_t i = 0; i < g->values.len; i++)
		if (g->values.data[i].name && !strcmp(g->values.data[i].name, name))
			return g->values.data[i].data->source_dtype;
	return DTYPE_COUNT;
}

static void test_rules(void)
{
	struct quant_rule rules[2] = { { .format = QUANT_Q4, .group = 64 },
				       { .format = QUANT_Q8, .asymmetric = true, .pattern = (const char *[]){ "^head" },
					 .pattern_count = 1 } };
	struct quant_config c = { .rules = rules, .rule_count = 2 };
	struct quant_report report;
	struct graph *g = network();
	float before[240], after[240];
	double e = 0;

	quiet();
	data_read_f32(g, 1, before, &diag);
	tap_ok(quant_apply(&arena, g, &c, &report, &diag) && report.count == 2, "two tensors are quantised");
	tap_ok(stored(g, "body.weight") == block_grouped(4, 64, false) && stored(g, "head.weight") == block_grouped(8, 32, true),
	       "the last rule that matches counts");
	tap_ok(graph_verify(g, &diag) && data_read_f32(g, 1, after, &diag), "the graph is valid");
	for (int i = 0; i < 240; i++)
		e += (double)((before[i] - after[i]) * (before[i] - after[i]));
	tap_ok(e > 0 && e < 0.02 * 240 * 0.09 && fabs(report.result[0].error - e / 21.6) < 0.02,
	       "and its matrix is nearly what it was");
	g = network();
	c.except_first = true;
	tap_ok(quant_apply(&arena, g, &c, &report, &diag) && report.count == 1 && stored(g, "body.weight") == DTYPE_F32,
	       "the first is left out");
	g = network();
	c.except_first = false;
	c.except = (const char *[]){ "head$|nothing" };
	c.except_count = 1;
	tap_ok(quant_apply(&arena, g, &c, &report, &diag) && report.count == 1 && stored(g, "head.weight") == DTYPE_F32,
	       "a pattern may be that of a node");
	rules[1].format = QUANT_F16;
	c.except_count = 0;
	g = network();
	g->weight_storage = DTYPE_BF16;
	rules[0].pattern = rules[1].pattern;
	rules[0].pattern_count = 1;
	tap_ok(quant_apply(&arena, g, &c, &report, &diag) && stored(g, "head.weight") == DTYPE_F16 &&
	       stored(g, "body.weight") == DTYPE_BF16, "f16 for one, and what the model says for the rest");
}

static void refused(struct quant_config c, const char *why)
{
	quiet();
	tap_ok(!quant_apply(&arena, network(), &c, NULL, &diag) && said_has(why), "refused: %s", why);
}

static void test_errors(void)
{
	struct quant_rule r = { .format = QUANT_Q4, .group = 48 };
	struct quant_config c = { .rules = &r, .rule_count = 1, .calibrate = "no-such-file.npy" };

	refused(c, "32, 64 or 128");
	r.group = 32;
	r.pattern = (const char *[]){ "tail" };
	r.pattern_count = 1;
	refused(c, "no weight is called \"tail\"");
	r.pattern = (const char *[]){ "(" };
	refused(c, "no regular expression");
	r.pattern_count = 0;
	r.method = QUANT_GPTQ;
	refused(c, "no-such-file.npy");
	c.calibrate = NULL;
	refused(c, "needs calibration inputs");
}

/* float32 samples [n][6] */
static void write_npy(const char *path, int n, int each)
{
	char head[128] = "\x93NUMPY\x01\x00v\x00";
	FILE *f = fopen(path, "wb");

	memset(head + 10, ' ', 118);
	snprintf(head + 10, 110, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", n, each);
	head[10 + strlen(head + 10)] = ' ';
	head[127] = '\n';
	fwrite(head, 1, 128, f);
	for (int i = 0; i < n * each; i++) {
		float x = uniform();

		fwrite(&x, 4, 1, f);
	}
	fclose(f);
}

static void test_calibration(void)
{
	struct quant_rule r = { .format = QUANT_Q3, .method = QUANT_LEARNED };
	struct quant_config c = { .rules = &r, .rule_count = 1 };
	struct quant_report report;
	char path[] = "/tmp/test_quant.XXXXXX";
	int fd = mkstemp(path);

	quiet();
	close(fd);
	c.calibrate = path;
	write_npy(path, 50, 6);
	tap_ok(quant_apply(&arena, network(), &c, &report, &diag) && report.count == 2 &&
	       report.result[0].method == QUANT_LEARNED, "learned from fifty samples");
	write_npy(path, 50, 7);
	refused(c, "has 7 numbers a sample");
	unlink(path);
}

/* y of a transposed convolution, x [1, 4, 5, 3]: windows that meet and windows with holes. */
static struct graph *transposed(void)
{
	static const int64_t strides[] = { 2, 3 }, pads[] = { 1, 0, 2, 1 }, dilations[] = { 2, 1 }, extra[] = { 1, 0 };
	struct graph *g = graph_new(&arena, "net");
	struct data d = { .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .deviation = 0.3, .seed = 5,
			  .source_shape = { 4, { 3, 7, 3, 2 } } };
	struct attr a[] = { attr_ints(strides, strides, 2), attr_ints(pads, pads, 4), attr_ints(dilations, dilations, 2),
			    attr_int(group, 1), attr_ints(output_padding, extra, 2) };
	value_id in[2] = { graph_add_input(g, "x", DTYPE_F32, (struct shape){ 4, { 1, 4, 5, 3 } }) };

	in[1] = graph_add_const(g, "up.weight", DTYPE_F32, d.source_shape, d);
	in[0] = graph_op(g, &diag, OP_conv_transpose, in, 2, a, 5, NO_SPAN, "up");
	graph_add_output(g, in[0], "y");
	return g;
}

static void test_transposed(void)
{
	struct quant_rule r = { .format = QUANT_Q3, .method = QUANT_GPTQ };
	struct quant_config c = { .rules = &r, .rule_count = 1 };
	struct graph *g = transposed();
	const struct node *n = graph_node(g, 0);
	struct shape out = graph_value(g, n->out[0])->shape;
	size_t elements = (size_t)shape_elements(&out);
	float x[60], w[126], *y = calloc(elements, sizeof *y), *want = calloc(elements, sizeof *want), worst = 0;
	struct ref_tensor in[2] = { { DTYPE_F32, graph_value(g, n->in[0])->shape, x },
				    { DTYPE_F32, graph_value(g, n->in[1])->shape, w } };
	struct ref_tensor to = { DTYPE_F32, out, want };
	struct quant_report report;
	struct fast_product f;
	uint32_t count;
	char path[] = "/tmp/test_quant.XXXXXX";
	int fd = mkstemp(path);

	quiet();
	for (int i = 0; i < 60; i++)
		x[i] = uniform();
	tap_ok(data_read_f32(g, n->in[1], w, &diag) && fast_prepare(&arena, g, quant_matrices(&arena, g, &count), n, &f, &diag) &&
	       ref_node(n, in, 2, &to, 1), "a transposed convolution is prepared");
	fast_run(&f, x, y);
	fast_release(&f);
	for (size_t i = 0; i < elements; i++)
		worst = fmaxf(worst, fabsf(y[i] - want[i]));
	tap_ok(worst < 1e-5f, "its result is the reference's: %g", (double)worst);
	close(fd);
	c.calibrate = path;
	write_npy(path, 50, 60);
	tap_ok(quant_apply(&arena, g, &c, &report, &diag) && report.count == 1 && report.result[0].method == QUANT_GPTQ,
	       "its weights are rounded with what they are multiplied with");
	unlink(path);
	free(want);
	free(y);
}

int main(void)
{
	diag_init(&diag, &arena, stderr);
	test_methods();
	test_never_worse();
	test_rules();
	test_errors();
	test_calibration();
	test_transposed();
	if (diag.out)
		fclose(diag.out);
	free(said);
	arena_release(&arena);
	return tap_done();
}
