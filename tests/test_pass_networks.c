/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pass_networks.c - the real networks before and after all passes.
 *
 * The outputs must agree, no elementwise operation may be left by itself, and
 * transposes may stand only where the network needs them (counted).
 */
#include "config.h"

#include "eval_graph.h"
#include "tap.h"

#include "base/file.h"
#include "import/import.h"
#include "pass/pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned transposes; /* at most */
} networks[] = {
	{ "resnet20_cifar10", 1 }, { "squeezenet1.1", 1 }, { "kwt1", 0 },
	{ "silero_vad_16k", 2 },   { "fastestdet", 2 },	   { "ultraface_rfb320", 1 },
};

/* Named by their positions: what a graph does to three inputs does not depend on which they are. */
static void fill(float *x, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		x[i] = (float)(seed >> 8) / 8388608.f - 1;
	}
}

static bool run(const struct graph *g, void **out)
{
	const void **in = calloc(g->inputs.len + 1, sizeof *in);
	bool good;

	for (uint32_t i = 0; i < g->inputs.len; i++) {
		size_t bytes = eval_bytes(g, g->inputs.data[i]);
		float *x = malloc(bytes + 4);

		fill(x, bytes / 4, 7 + i);
		in[i] = x;
	}
	for (uint32_t i = 0; i < g->outputs.len; i++)
		out[i] = malloc(eval_bytes(g, g->outputs.data[i]) + 4);
	good = eval_graph(g, in, out);
	for (uint32_t i = 0; i < g->inputs.len; i++)
		free((void *)in[i]);
	free(in);
	return good;
}

static double difference(const struct graph *g, void **a, void **b)
{
	double worst = 0;

	for (uint32_t i = 0; i < g->outputs.len; i++) {
		double largest = 1e-6, most = 0;

		for (size_t k = 0; k < eval_bytes(g, g->outputs.data[i]) / 4; k++) {
			double x = ((float *)a[i])[k], y = ((float *)b[i])[k];

			most = fmax(most, isfinite(x) && isfinite(y) ? fabs(x - y) : INFINITY);
			largest = fmax(largest, fabs(x));
		}
		worst = fmax(worst, most / largest);
	}
	return worst;
}

static unsigned count_op(const struct graph *g, enum op op)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < g->nodes.len; i++)
		n += graph_node(g, i)->op == op;
	return n;
}

static unsigned count_elementwise(const struct graph *g)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < g->nodes.len; i++)
		n += op_is_elementwise(graph_node(g, i)->op);
	return n;
}

static void test_network(const char *path, const char *name, unsigned transposes)
{
	struct arena arena = { 0 };
	struct diag diag;
	struct decl_model m = { .name = name, .path = path };
	struct import_options o = { 0 };
	struct graph *g;
	void *before[8] = { 0 }, *after[8] = { 0 };
	uint32_t nodes;
	unsigned left;
	double d;

	diag_init(&diag, &arena, stderr);
	g = import_onnx(&arena, &diag, &m, &o);
	if (!tap_ok(g && g->outputs.len <= 8 && graph_verify(g, &diag), "%s is imported", name)) {
		arena_release(&arena);
		return;
	}
	nodes = g->nodes.len;
	tap_ok(run(g, before), "%s runs as it is", name);
	tap_ok(passes_run(g, &diag,
			  &(struct pass_options){ .roundtrip = true,
						  .print_after = getenv("EDGE_PRINT_AFTER") }),
	       "%s goes through all passes, printed and read after each", name);
	tap_ok(run(g, after), "%s runs afterwards", name);
	d = difference(g, before, after);
	left = count_op(g, OP_transpose);
	tap_ok(d < 1e-5, "%s: outputs are the same (%g)", name, d);
	tap_ok(left <= transposes && !count_elementwise(g),
	       "%s: %u nodes became %u, %u maps, %u transposes", name, nodes, g->nodes.len,
	       count_op(g, OP_map), left);
	for (int i = 0; i < 8; i++) {
		free(before[i]);
		free(after[i]);
	}
	arena_release(&arena);
}

int main(int argc, char **argv)
{
	const char *data = getenv("EDGE_DATA");
	struct arena arena = { 0 };

	for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
		char *path = arena_printf(&arena, "%s/models/%s.onnx",
					  data ? data : "../shared/data", networks[i].name);

		if (argc > 1 && strcmp(argv[1], networks[i].name) != 0)
			continue;
		if (access(path, R_OK) != 0)
			tap_skip("%s: no such file", path);
		else
			test_network(path, networks[i].name, networks[i].transposes);
	}
	arena_release(&arena);
	return tap_done();
}
