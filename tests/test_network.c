/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_network.c - networks of the language compute what their description
 * says: graphs are run with the plain-C references and compared with loops
 * written here from the definitions, in the user's layout.
 */
#include "config.h"

#include "dsl.h"
#include "eval_graph.h"
#include "tap.h"

#include "base/file.h"
#include "import/import.h"
#include "import/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct built {
	struct arena arena;
	struct diag diag;
	char *said;
	size_t said_len;
	struct graph *graph;
};

static char edge_path[300], tensor_path[300];

static void build(struct built *b, const char *text, const struct import_options *o)
{
	FILE *f = fopen(edge_path, "wb");
	const struct ast *ast;
	struct project *p;

	fputs(text, f);
	fclose(f);
	memset(b, 0, sizeof *b);
	diag_init(&b->diag, &b->arena, open_memstream(&b->said, &b->said_len));
	ast = dsl_parse(&b->arena, &b->diag, edge_path);
	p = ast ? dsl_resolve(&b->arena, &b->diag, ast) : NULL;
	b->graph = p ? import_network(&b->arena, &b->diag, &p->models.data[0], o) : NULL;
	fclose(b->diag.out);
	b->diag.out = stdout;
}

static void end_build(struct built *b)
{
	free(b->said);
	arena_release(&b->arena);
}

static float number(unsigned i)
{
	return (float)((i * 2654435761u >> 8) % 2001) / 1000 - 1;
}

static float *numbers(struct built *b, size_t n, unsigned from)
{
	float *x = arena_new_array(&b->arena, float, n);

	for (size_t i = 0; i < n; i++)
		x[i] = number(from + (unsigned)i);
	return x;
}

/* Runs the graph on one input of numbers; the first output, or NULL. */
static const float *run(struct built *b, const void *input)
{
	void *out[8];

	if (!b->graph) {
		printf("# %s\n", b->said);
		return NULL;
	}
	for (uint32_t i = 0; i < b->graph->outputs.len; i++)
		out[i] = arena_alloc(&b->arena, eval_bytes(b->graph, b->graph->outputs.data[i]));
	return eval_graph(b->graph, &input, out) ? out[0] : NULL;
}

static bool near(const float *x, const float *y, size_t n)
{
	for (size_t i = 0; x && i < n; i++) {
		if (fabsf(x[i] - y[i]) <= 1e-4f * (1 + fabsf(y[i])))
			continue;
		printf("# element %zu is %g and should be %g\n", i, (double)x[i], (double)y[i]);
		return false;
	}
	return x != NULL;
}

/* The elements of the weight that the graph calls `name`. */
static const float *weight(struct built *b, const char *name)
{
	for (uint32_t i = 0; b->graph && i < b->graph->values.len; i++) {
		const struct value *v = graph_value(b->graph, i);
		float *x;

		if (v->kind != VALUE_CONST || !v->name || strcmp(v->name, name))
			continue;
		x = arena_new_array(&b->arena, float, (size_t)shape_elements(&v->shape));
		return data_read_f32(b->graph, i, x, &b->diag) ? x : NULL;
	}
	printf("# no weight %s\n", name);
	return NULL;
}

static bool has_shape(struct built *b, const char *want)
{
	return b->graph && !strcmp(shape_string(&b->arena, &graph_value(b->graph, b->graph->outputs.data[0])->shape), want);
}

/* ---- safetensors */

/* a.weight f32 [3,4], a.bias f16 [3], h.weight bf16 [2,3], k i32 [2]; number i of a tensor is i / 4 */
static void write_tensors(void)
{
	static const char header[] =
		"{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]},"
		"\"a.bias\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[48,54]},"
		"\"h.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[54,66]},"
		"\"k\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[66,74]}}";
	unsigned char bytes[74] = { 0 };
	uint64_t len = sizeof header - 1;
	FILE *f = fopen(tensor_path, "wb");

	for (unsigned i = 0; i < 12; i++) {
		float x = (float)i / 4, y;
		uint16_t h = float_to_half((float)i / 4);
		uint32_t bits;

		memcpy(bytes + 4 * i, &x, 4);
		if (i < 3)
			memcpy(bytes + 48 + 2 * i, &h, 2);
		y = (float)i / 4;
		memcpy(&bits, &y, 4);
		h = (uint16_t)(bits >> 16);
		if (i < 6)
			memcpy(bytes + 54 + 2 * i, &h, 2);
	}
	fwrite(&len, 8, 1, f);
	fwrite(header, 1, sizeof header - 1, f);
	fwrite(bytes, 1, sizeof bytes, f);
	fclose(f);
}

static const char *with_tensors(struct arena *a, const char *statements)
{
	const char *slash = strrchr(tensor_path, '/');

	return arena_printf(a, "model m { weights safetensors \"%s\"; input x : f32[2, 4]; %s }",
			    slash ? slash + 1 : tensor_path, statements);
}

static void check_file(void)
{
	struct arena a = { 0 };
	struct built b;
	float want[4], x[8];

	for (unsigned i = 0; i < 8; i++)
		x[i] = number(i);
	build(&b, with_tensors(&a, "output y = linear(linear(x, \"a\"), \"h\", bias=off);"), NULL);
	for (unsigned n = 0; n < 2; n++) {
		float h[3];

		for (unsigned o = 0; o < 3; o++) {
			h[o] = (float)o / 4;
			for (unsigned i = 0; i < 4; i++)
				h[o] += x[n * 4 + i] * (float)(o * 4 + i) / 4;
		}
		for (unsigned o = 0; o < 2; o++)
			want[n * 2 + o] = h[0] * (float)(o * 3) / 4 + h[1] * (float)(o * 3 + 1) / 4 + h[2] * (float)(o * 3 + 2) / 4;
	}
	tap_ok(near(run(&b, x), want, 4) && has_shape(&b, "[2,2]"), "weights of a file, f32, f16 and bf16, sizes from there");
	end_build(&b);
	build(&b, with_tensors(&a, "output y = linear(x, \"b\");"), NULL);
	tap_ok(!b.graph && strstr(b.said, "has no tensor \"b.weight\"") && strstr(b.said, "Did you mean a.weight?"),
	       "a tensor that is not there");
	end_build(&b);
	build(&b, with_tensors(&a, "output y = linear(x, \"h\");"), NULL);
	tap_ok(!b.graph && strstr(b.said, "\"h.weight\" has shape [2,3], and linear needs [any,4]") &&
		       strstr(b.said, "\"x\" is f32[2,4]"),
	       "a tensor of another shape: both are named");
	end_build(&b);
	build(&b, with_tensors(&a, "output y = linear(x, \"a\", 5);"), NULL);
	tap_ok(!b.graph && strstr(b.said, "needs [5,4]"), "a size that the file does not have");
	end_build(&b);
	build(&b, with_tensors(&a, "output y = x + weight(\"k\");"), NULL);
	tap_ok(!b.graph && strstr(b.said, "must be of a floating type"), "a tensor of whole numbers is no weight");
	end_build(&b);
	build(&b, with_tensors(&a, "output y = matmul(x, transpose(weight(\"a.weight\"), [1, 0]));"), NULL);
	tap_ok(has_shape(&b, "[2,3]"), "a tensor by its name, shape from the file");
	end_build(&b);
	arena_release(&a);
}

/* ---- noise */

static void check_noise(void)
{
	static const char text[] = "model m { weights random seed 5; input x : f32[1, 400];"
				   " output y = linear(linear(layer_norm(x, \"n\"), \"a\", 300), \"b\", 300); }";
	struct built b, c, d;
	const float *w, *same, *other;
	double sum = 0, square = 0;
	size_t n = 400 * 300;

	build(&b, text, NULL);
	build(&c, text, NULL);
	build(&d, "model m { weights random seed 6; input x : f32[1, 400]; output y = linear(x, \"a\", 300); }", NULL);
	w = weight(&b, "a.weight");
	same = weight(&c, "a.weight");
	other = weight(&d, "a.weight");
	for (size_t i = 0; w && i < n; i++) {
		sum += (double)w[i];
		square += (double)w[i] * (double)w[i];
	}
	tap_ok(w && fabs(sum / (double)n) < 1e-3 && fabs(sqrt(square / (double)n) - 0.05) < 1e-3,
	       "noise has mean 0 and deviation 1/sqrt(400)");
	tap_ok(w && same && !memcmp(w, same, n * 4), "the same seed and name give the same noise");
	tap_ok(w && other && memcmp(w, other, n * 4) != 0, "another seed gives other noise");
	other = weight(&b, "b.weight");
	tap_ok(w && other && w[0] != other[0] && w[1] != other[1], "another name gives other noise");
	w = weight(&b, "n.weight");
	tap_ok(w && w[0] == 1 && w[399] == 1, "scales of norms are ones");
	w = weight(&b, "a.bias");
	tap_ok(w && w[0] != 0 && fabsf(w[0]) < 0.2f, "biases are small");
	end_build(&b);
	end_build(&c);
	end_build(&d);
}

/* ---- layers */

/* q, k, v [S, heads * d] */
static void attend(const float *q, const float *k, const float *v, int s, int heads, int d, bool causal, float *out)
{
	int width = heads * d;

	for (int h = 0; h < heads; h++)
		for (int i = 0; i < s; i++) {
			double score[16], sum = 0, most = -1e30;

			for (int j = 0; j < s; j++) {
				score[j] = 0;
				for (int c = 0; c < d; c++)
					score[j] += (double)q[i * width + h * d + c] * (double)k[j * width + h * d + c];
				score[j] = causal && j > i ? -1e30 : score[j] / sqrt(d);
				most = score[j] > most ? score[j] : most;
			}
			for (int j = 0; j < s; j++)
				sum += score[j] = exp(score[j] - most);
			for (int c = 0; c < d; c++) {
				double x = 0;

				for (int j = 0; j < s; j++)
					x += score[j] / sum * (double)v[j * width + h * d + c];
				out[i * width + h * d + c] = (float)x;
			}
		}
}

static void check_attention(void)
{
	struct built b;
	float x[5 * 18], part[3][30], want[30];

	for (int causal = 0; causal < 2; causal++) {
		build(&b, causal ? "model m { input x : f32[1, 5, 18]; q, k, v = split(x, 3); output y = attention(q, k, v, heads=3, causal=on); }"
				 : "model m { input x : f32[5, 18]; q, k, v = split(x, 3, axis=1); output y = attention(q, k, v, 3); }",
		      NULL);
		for (unsigned i = 0; i < 90; i++) {
			x[i] = number(i) * 3;
			part[i % 18 / 6][i / 18 * 6 + i % 6] = x[i];
		}
		attend(part[0], part[1], part[2], 5, 3, 2, causal, want);
		tap_ok(near(run(&b, x), want, 30), "attention with three heads%s", causal ? ", causal, in a batch" : "");
		end_build(&b);
	}
}

struct conv {
	int c, h, w, o, k, stride, pad, dilation, groups;
};

/* [C,H,W] with weights [O,C/groups,k,k] */
static void convolve(const struct conv *p, const float *x, const float *w, const float *bias, float *out)
{
	int reach = (p->k - 1) * p->dilation + 1, oh = (p->h + 2 * p->pad - reach) / p->stride + 1;
	int ow = (p->w + 2 * p->pad - reach) / p->stride + 1, cg = p->c / p->groups, og = p->o / p->groups;

	for (int o = 0; o < p->o; o++)
		for (int i = 0; i < oh * ow; i++) {
			double sum = (double)bias[o];

			for (int c = 0; c < cg; c++)
				for (int k = 0; k < p->k * p->k; k++) {
					int y = i / ow * p->stride - p->pad + k / p->k * p->dilation;
					int z = i % ow * p->stride - p->pad + k % p->k * p->dilation;

					if (y >= 0 && y < p->h && z >= 0 && z < p->w)
						sum += (double)x[((o / og * cg + c) * p->h + y) * p->w + z] *
						       (double)w[(o * cg + c) * p->k * p->k + k];
				}
			out[o * oh * ow + i] = (float)sum;
		}
}

static void check_conv(void)
{
	static const struct conv cases[] = {
		{ 3, 7, 6, 5, 3, 1, 1, 1, 1 }, { 4, 9, 8, 6, 3, 2, 1, 1, 2 }, { 4, 8, 8, 4, 3, 1, 2, 2, 4 },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct conv *p = &cases[i];
		struct arena a = { 0 };
		struct built b;
		float want[1000], *x;
		const float *got;

		build(&b, arena_printf(&a, "model m { weights random seed 2; input x : f32[1, %d, %d, %d];"
					   " output y = conv2d(x, \"c\", %d, %d, stride=%d, pad=%d, dilation=%d, groups=%d); }",
				       p->c, p->h, p->w, p->o, p->k, p->stride, p->pad, p->dilation, p->groups), NULL);
		x = numbers(&b, (size_t)(p->c * p->h * p->w), 7);
		got = run(&b, x);
		if (got)
			convolve(p, x, weight(&b, "c.weight"), weight(&b, "c.bias"), want);
		tap_ok(got && near(got, want, (size_t)shape_elements(
					&graph_value(b.graph, b.graph->outputs.data[0])->shape)),
		       "conv2d %u by its definition", i);
		end_build(&b);
		arena_release(&a);
	}
}

static void check_norms(void)
{
	struct built b;
	float want[24], *x;

	build(&b, "model m { weights random seed 2; input x : f32[1, 4, 2, 3]; output y = group_norm(x, \"g\", 2); }", NULL);
	x = numbers(&b, 24, 3);
	for (int g = 0; g < 2; g++) {
		double mean = 0, var = 0;

		for (int i = 0; i < 12; i++)
			mean += (double)x[g * 12 + i] / 12;
		for (int i = 0; i < 12; i++)
			var += ((double)x[g * 12 + i] - mean) * ((double)x[g * 12 + i] - mean) / 12;
		for (int i = 0; i < 12; i++)
			want[g * 12 + i] = (float)(((double)x[g * 12 + i] - mean) / sqrt(var + 1e-5));
	}
	if (weight(&b, "g.bias"))
		for (int i = 0; i < 24; i++)
			want[i] += weight(&b, "g.bias")[i / 6];
	tap_ok(near(run(&b, x), want, 24), "group_norm by its definition");
	end_build(&b);

	build(&b, "model m { weights random seed 2; input x : f32[1, 4, 2, 3]; output y = batch_norm(x, \"g\", eps=0.5); }", NULL);
	x = numbers(&b, 24, 3);
	if (weight(&b, "g.running_mean") && weight(&b, "g.bias"))
		for (int i = 0; i < 24; i++)
			want[i] = (x[i] - weight(&b, "g.running_mean")[i / 6]) / sqrtf(1.5f) + weight(&b, "g.bias")[i / 6];
	tap_ok(near(run(&b, x), want, 24), "batch_norm by its definition");
	end_build(&b);
}

/* Small things whose result can be written down. x is 1, 2, 3, ... */
static void check_small(void)
{
	static const struct {
		const char *shape, *expression, *result;
		uint32_t count;
		float want[12];
	} cases[] = {
		{ "1, 1, 3, 3", "max_pool2d(x, 2)", "[1,1,1,1]", 1, { 5 } },
		{ "1, 1, 3, 3", "max_pool2d(x, 2, ceil=on)", "[1,1,2,2]", 4, { 5, 6, 8, 9 } },
		{ "1, 1, 2, 2", "avg_pool2d(x, 2, stride=1, pad=1)", "[1,1,3,3]", 9,
		  { .25f, .75f, .5f, 1, 2.5f, 1.5f, .75f, 1.75f, 1 } },
		{ "1, 1, 2, 2", "avg_pool2d(x, 2, stride=1, pad=1, count_pad=off)", "[1,1,3,3]", 9,
		  { 1, 1.5f, 2, 2, 2.5f, 3, 3, 3.5f, 4 } },
		{ "1, 2, 4", "max_pool1d(x, 3, stride=1)", "[1,2,2]", 4, { 3, 4, 7, 8 } },
		{ "1, 2, 2, 2", "global_avg_pool(x)", "[1,2,1,1]", 2, { 2.5f, 6.5f } },
		{ "1, 2, 2, 2", "flatten(global_max_pool(x))", "[1,2]", 2, { 4, 8 } },
		{ "1, 1, 2, 2", "resize(x, scale=2)", "[1,1,4,4]", 8, { 1, 1, 2, 2, 1, 1, 2, 2 } },
		{ "1, 1, 1, 2", "resize(x, [1, 3], \"linear\", align_corners=on)", "[1,1,1,3]", 3, { 1, 1.5f, 2 } },
		{ "1, 1, 1, 2", "resize(x, [1, 4], mode=\"linear\")", "[1,1,1,4]", 4, { 1, 1.25f, 1.75f, 2 } },
		{ "2, 3", "transpose(x, [1, 0])", "[3,2]", 6, { 1, 4, 2, 5, 3, 6 } },
		{ "2, 3", "reshape(x, [3, -1])", "[3,2]", 6, { 1, 2, 3, 4, 5, 6 } },
		{ "2, 3", "concat(x, -x, axis=1)", "[2,6]", 6, { 1, 2, 3, -1, -2, -3 } },
		{ "2, 3", "slice(x, -1, 1, 3)", "[2,2]", 4, { 2, 3, 5, 6 } },
		{ "2, 3", "slice(x, 1, 0, step=2)", "[2,2]", 4, { 1, 3, 4, 6 } },
		{ "2, 2", "pad(x, [0, 1], [1, 0], value=9)", "[3,3]", 9, { 9, 1, 2, 9, 3, 4, 9, 9, 9 } },
		{ "1, 3", "pad(x, [0, 2], [0, 1], mode=\"reflect\")", "[1,6]", 6, { 3, 2, 1, 2, 3, 2 } },
		{ "1, 2", "expand(x, [2, 2])", "[2,2]", 4, { 1, 2, 1, 2 } },
		{ "1, 2", "tile(x, [1, 2])", "[1,4]", 4, { 1, 2, 1, 2 } },
		{ "2, 2", "sum(x, 0)", "[2]", 2, { 4, 6 } },
		{ "2, 2", "mean(x, [0, 1], keep=on)", "[1,1]", 1, { 2.5f } },
		{ "2, 2", "prod(x, -1)", "[2]", 2, { 2, 12 } },
		{ "2", "x - 1 - 2", "[2]", 2, { -2, -1 } },
		{ "2", "2 - x * 3 + 6 / 3 / x", "[2]", 2, { 1, -3 } },
		{ "2", "-x * -2", "[2]", 2, { 2, 4 } },
		{ "2", "x / 4 - (7 - 2.0) / 2", "[2]", 2, { -2.25f, -2 } },
		{ "2", "max(x, 1.5) + min(2, x) * pow(x, 2)", "[2]", 2, { 2.5f, 10 } },
		{ "2", "where(less(x, 2), x, 0)", "[2]", 2, { 1, 0 } },
		{ "2", "x * sqrt(16) * dim(x, 0)", "[2]", 2, { 8, 16 } },
		{ "4", "squeeze(unsqueeze(x, 0), 0)", "[4]", 4, { 1, 2, 3, 4 } },
		{ "2, 2", "matmul(x, x)", "[2,2]", 4, { 7, 10, 15, 22 } },
		{ "2", "clip(x * 4, 5, max=7)", "[2]", 2, { 5, 7 } },
		{ "2", "leaky_relu(-x, 0.5)", "[2]", 2, { -.5f, -1 } },
		{ "2", "hard_sigmoid(x)", "[2]", 2, { 4.f / 6, 5.f / 6 } },
	};
	float x[64];

	for (unsigned i = 0; i < 64; i++)
		x[i] = (float)i + 1;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena a = { 0 };
		struct built b;

		build(&b, arena_printf(&a, "model m { weights random; input x : f32[%s]; output y = %s; }", cases[i].shape,
				       cases[i].expression), NULL);
		tap_ok(has_shape(&b, cases[i].result) && near(run(&b, x), cases[i].want, cases[i].count), "%s of [%s]",
		       cases[i].expression, cases[i].shape);
		end_build(&b);
		arena_release(&a);
	}
}

/* ---- statements */

static void check_statements(void)
{
	struct built b;
	float x[2] = { 1, 2 };

	build(&b, "layer step(x, by=10) { for i in 0..2 { x = x + by; } return x, -x; }"
		  "model m { input x : f32[2]; let n = 3; y = x;"
		  " for i in 1..n { for j in 0..i { y = y * 2; } }"
		  " a, b = step(y); c, d = step(y, by=1); output z = a - d; output y; }", NULL);
	tap_ok(near(run(&b, x), (float[]){ 8 + 20 + 10, 16 + 20 + 18 }, 2), "loops, layers, defaults, two results");
	tap_ok(b.graph && b.graph->outputs.len == 2 && !strcmp(b.graph->output_names.data[1], "y"), "names of outputs");
	end_build(&b);

	build(&b, "model m { let scale = 3; layer times(x) { return x * scale; } input x : f32[2];"
		  " output y = times(x); output same = x; output twice = y; }", NULL);
	tap_ok(near(run(&b, x), (float[]){ 3, 6 }, 2), "a layer of the model sees its constants");
	tap_ok(b.graph && b.graph->outputs.len == 3, "an input and an output may be outputs again");
	end_build(&b);

	build(&b, "model m { weights random; let n = 2; input x : f32[1, n]; let on_top = on;"
		  " output y = linear(linear(x, \"tied\", n), \"tied\", n, bias=on_top); }", NULL);
	tap_ok(b.graph && weight(&b, "tied.weight"), "a weight may serve twice");
	if (b.graph) {
		unsigned consts = 0;

		for (uint32_t i = 0; i < b.graph->values.len; i++)
			consts += graph_value(b.graph, i)->kind == VALUE_CONST;
		tap_ok(consts == 2, "and is there once");
	}
	end_build(&b);
}

static void check_settings(void)
{
	static const char text[] = "model m { let n = 3; let mode = \"edge\"; input x : f32[1, n]; input y : f32[2];"
				   " output z = pad(x, [0, 1], [0, 0], mode=mode); }";
	const struct setting s[] = { { "n", "5" }, { "mode", "reflect" }, { "y", "4x2" }, { "other", "1" } };
	bool used[4] = { false };
	struct import_options o = { s, 4, used };
	struct built b;

	build(&b, text, &o);
	tap_ok(has_shape(&b, "[1,6]") && used[0] && used[1] && used[2] && !used[3] &&
		       graph_value(b.graph, b.graph->inputs.data[1])->shape.dim[0] == 4,
	       "settings of the command line replace constants and shapes");
	end_build(&b);
	o = (struct import_options){ &(struct setting){ "y", "4x" }, 1, used };
	build(&b, text, &o);
	tap_ok(!b.graph && strstr(b.said, "is not a shape"), "a wrong shape is refused");
	end_build(&b);
}

/* ---- every layer is described and tested */

static void check_tables(void)
{
	const struct { const struct layer_spec *spec; uint32_t count; } tables[] = {
		{ net_layers, net_layer_count }, { net_image_layers, net_image_layer_count },
		{ net_shape_layers, net_shape_layer_count },
	};
	const char *dir = getenv("EDGE_SRCDIR");
	const char *const files[] = { "doc/language.md", "tests/corpus/edge/good-layers.edge" };

	for (unsigned f = 0; dir && f < 2; f++) {
		struct arena a = { 0 };
		struct mapped_file m;
		unsigned missing = 0;
		char *text;

		if (!file_map(arena_printf(&a, "%s/%s", dir, files[f]), &m)) {
			tap_ok(false, "%s is there", files[f]);
			continue;
		}
		text = arena_strndup(&a, (const char *)m.data, m.size);
		for (unsigned t = 0; t < 3; t++)
			for (uint32_t i = 0; i < tables[t].count; i++) {
				const char *name = tables[t].spec[i].name, *p = text;
				size_t n = strlen(name);

				while ((p = strstr(p, name)) && (strchr("abcdefghijklmnopqrstuvwxyz_", p[-1]) ||
								 strchr("abcdefghijklmnopqrstuvwxyz_123", p[n])))
					p += n;
				if (p)
					continue;
				missing++;
				printf("# %s is not in %s\n", name, files[f]);
			}
		tap_ok(!missing, "every layer is in %s", files[f]);
		file_unmap(&m);
		arena_release(&a);
	}
}

int main(void)
{
	const char *dir = getenv("TMPDIR");

	snprintf(edge_path, sizeof edge_path, "%.200s/test_network-%ld.edge", dir ? dir : ".", (long)getpid());
	snprintf(tensor_path, sizeof tensor_path, "%.200s/test_network-%ld.safetensors", dir ? dir : ".", (long)getpid());
	write_tensors();
	check_file();
	check_noise();
	check_attention();
	check_conv();
	check_norms();
	check_small();
	check_statements();
	check_settings();
	check_tables();
	unlink(edge_path);
	unlink(tensor_path);
	return tap_done();
}
