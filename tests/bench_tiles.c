/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_tiles.c - tiles by default against all others, over the distinct products
 * and convolutions of networks.
 *
 * For each shape every tile of a grid is compiled and timed on one thread, in its
 * processor time, in turn with what the code generator chooses by itself:
 * three rounds of all, then fifteen of the four best. Large shapes are cut to
 * fewer rows and columns (a tile does not see how many there are), so that the
 * whole takes minutes.
 *
 *	bench_tiles [-q COMMAND] NETWORK.onnx...
 *
 *	-q	a command that keeps the machine quiet: measuring waits for its first
 *		line and goes on until it ends; then it is started again
 *
 * A line a shape on standard output: what it is, how often it occurs, microseconds by
 * default, the best tile, its time over the default's; # lines sum up.
 */
#include "config.h"

#include "kernel_harness.h"

#include "base/file.h"
#include "codegen/codegen.h"
#include "dsl.h"
#include "import/import.h"
#include "pass/pass.h"
#include "target/tuning.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FLOPS = 250000000, MOST_WEIGHTS = 1000000, ALL_WEIGHTS = 4 << 20, FEW_ROUNDS = 3, ROUNDS = 15, FINALISTS = 4 };

/* rows, columns, depth of a product; size, kernel... of a convolution, which has rows 0 */
struct shape_key {
	int64_t rows, columns, depth;
	int64_t h, w, in, out, kh, kw, stride, dilation, group, pad;
};

struct work {
	struct shape_key key;
	uint32_t count;
	double flops; /* of all, in full */
};

static struct arena arena;
static struct diag diag;
static VEC(struct work) works;
static uint32_t networks;

/* ---- shapes */

static void add(const struct shape_key *k, double flops)
{
	for (uint32_t i = 0; i < works.len; i++)
		if (!memcmp(&works.data[i].key, k, sizeof *k)) {
			works.data[i].count++;
			works.data[i].flops += flops;
			return;
		}
	vec_push(&arena, &works, (struct work){ *k, 1, flops });
}

static int64_t at(const struct node *n, enum attr_key key, uint32_t i, int64_t otherwise)
{
	const struct attr *a = node_attr(n, key);

	return a && i < a->count ? a->ints[i] : otherwise;
}

static void add_node(const struct graph *g, const struct node *n)
{
	struct shape_key k;
	const struct shape *x, *w, *y;

	memset(&k, 0, sizeof k);
	if (n->dead || (n->op != OP_matmul && n->op != OP_conv) || graph_value(g, n->in[1])->kind != VALUE_CONST)
		return;
	x = &graph_value(g, n->in[0])->shape, w = &graph_value(g, n->in[1])->shape, y = &graph_value(g, n->out[0])->shape;
	if (n->op == OP_matmul) {
		k.columns = y->dim[y->rank - 1];
		k.rows = shape_elements(y) / k.columns;
		k.depth = shape_elements(w) / k.columns;
		if (k.rows > 1)
			add(&k, 2.0 * (double)(k.rows * k.columns) * (double)k.depth);
		return;
	}
	if (x->rank != 4 || x->dim[0] != 1 || node_int(n, ATTR_group, 1) != 1)
		return; /* grouped ones are depthwise in these networks */
	k.h = x->dim[1], k.w = x->dim[2], k.in = x->dim[3], k.out = w->dim[0], k.kh = w->dim[2], k.kw = w->dim[3];
	k.stride = at(n, ATTR_strides, 0, 1);
	k.dilation = at(n, ATTR_dilations, 0, 1);
	k.pad = at(n, ATTR_pads, 0, 0);
	if (k.kh == 1 && k.kw == 1 && k.stride == 1 && !k.pad) { /* a product over pixels */
		struct shape_key p;

		memset(&p, 0, sizeof p);
		p.rows = k.h * k.w, p.columns = k.out, p.depth = k.in;
		k = p;
	}
	add(&k, 2.0 * (double)shape_elements(y) * (double)(k.rows ? k.depth : k.in * k.kh * k.kw));
}

static bool add_network(const char *path)
{
	struct arena a = { 0 };
	struct decl_model m = { .name = "m", .kind = DECL_MODEL_ONNX, .path = path };
	struct import_options io = { 0 };
	struct pass_options po = { 0 };
	struct graph *g = import_onnx(&a, &diag, &m, &io);

	if (!g || !passes_run(g, &diag, &po))
		return false;
	for (uint32_t i = 0; i < g->nodes.len; i++)
		add_node(g, graph_node(g, i));
	arena_release(&a);
	networks++;
	return true;
}

/* ---- cases */

static const char *describe(const struct shape_key *k)
{
	if (k->rows)
		return arena_printf(&arena, "product %lldx%lldx%lld", (long long)k->rows, (long long)k->columns, (long long)k->depth);
	return arena_printf(&arena, "conv %lldx%lld%s%s %lldx%lld %lld->%lld", (long long)k->kh, (long long)k->kw,
			    k->stride > 1 ? arena_printf(&arena, " s%lld", (long long)k->stride) : "",
			    k->dilation > 1 ? arena_printf(&arena, " d%lld", (long long)k->dilation) : "", (long long)k->h,
			    (long long)k->w, (long long)k->in, (long long)k->out);
}

static bool too_large(const struct shape_key *k)
{
	double weights = k->rows ? (double)(k->columns * k->depth) : (double)(k->out * k->in) * (double)(k->kh * k->kw);
	double pixels = k->rows ? (double)k->rows : (double)(k->h * k->w) / (double)(k->stride * k->stride);

	return weights > MOST_WEIGHTS || 2 * weights * pixels > MOST_FLOPS;
}

/* Fewer rows, columns and inputs, as far as a tile does not notice. */
static struct shape_key cut(struct shape_key k)
{
	while (too_large(&k)) {
		if (k.rows && k.rows > 400)
			k.rows = k.rows / 2 + k.rows % 2;
		else if (!k.rows && k.h * k.w / k.stride / k.stride > 400 && k.h > 8)
			k.h = k.h / 2 + k.h % 2;
		else if (k.rows && k.columns > 400)
			k.columns /= 2;
		else if (!k.rows && k.out > 250)
			k.out /= 2;
		else if (k.rows && k.depth > 2048)
			k.depth /= 2;
		else if (!k.rows && k.in > 250)
			k.in /= 2;
		else if (k.rows > 200)
			k.rows = k.rows / 2 + k.rows % 2;
		else
			break;
	}
	return k;
}

/* Weights that are all the same memory: making random ones would take longer than everything else. */
static void share_weights(struct harness_case *c)
{
	static float *weights;

	if (!weights) {
		weights = calloc(ALL_WEIGHTS, sizeof *weights);
		for (int i = 0; i < ALL_WEIGHTS; i++)
			weights[i] = (float)(i * 2654435761u >> 16 & 255) / 256 - 0.5f;
	}
	for (uint32_t i = 0; c->g && i < c->g->values.len; i++) {
		struct value *v = &c->g->values.data[i];
		struct data *d;

		if (v->kind != VALUE_CONST || shape_elements(&v->shape) > ALL_WEIGHTS)
			continue;
		d = arena_new(&arena, struct data);
		*d = *v->data;
		d->where = DATA_MEMORY;
		d->bytes = weights;
		v->data = d;
	}
}

static void add_case(struct harness *h, const struct shape_key *full, struct tuning *tuning)
{
	struct shape_key k = cut(*full);
	long long oh = (k.h + 2 * k.pad - k.dilation * (k.kh - 1) - 1) / (k.stride ? k.stride : 1) + 1;
	long long ow = (k.w + 2 * k.pad - k.dilation * (k.kw - 1) - 1) / (k.stride ? k.stride : 1) + 1;

	struct harness_case *c;

	h->target.tuning = tuning;
	if (k.rows)
		c = harness_textf(h, "c",
			      "%%0 \"x\" = input f32[%lld,%lld]\n"
			      "%%1 = const f32[%lld,%lld] = random seed 3 mean 0.0 deviation 0.5 f32[%lld,%lld]\n"
			      "%%2 = matmul(%%0, %%1) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[%lld,%lld]\noutput \"y\" %%2\n",
			      (long long)k.rows, (long long)k.depth, (long long)k.depth, (long long)k.columns,
			      (long long)k.depth, (long long)k.columns, (long long)k.rows, (long long)k.columns);
	else
		c = harness_textf(h, "c",
			      "%%0 \"x\" = input f32[1,%lld,%lld,%lld]\n"
			      "%%1 = const f32[%lld,%lld,%lld,%lld] = random seed 3 mean 0.0 deviation 0.5 f32[%lld,%lld,%lld,%lld]\n"
			      "%%2 = conv(%%0, %%1) {strides = [%lld,%lld], pads = [%lld,%lld,%lld,%lld], dilations = [%lld,%lld], "
			      "group = 1} : f32[1,%lld,%lld,%lld]\noutput \"y\" %%2\n",
			      (long long)k.h, (long long)k.w, (long long)k.in, (long long)k.out, (long long)k.in, (long long)k.kh,
			      (long long)k.kw, (long long)k.out, (long long)k.in, (long long)k.kh, (long long)k.kw,
			      (long long)k.stride, (long long)k.stride, (long long)k.pad, (long long)k.pad, (long long)k.pad,
			      (long long)k.pad, (long long)k.dilation, (long long)k.dilation, oh, ow, (long long)k.out);
	share_weights(c);
}

/* ---- the grid */

static const uint32_t heights[] = { 2, 4, 5, 6, 7, 8 }, widths[] = { 16, 24, 32, 48 };
enum { HEIGHTS = 6, WIDTHS = 4, GRID = HEIGHTS * WIDTHS * 2 };

static struct tile_choice grid(uint32_t i)
{
	return (struct tile_choice){ .height = heights[i / 2 % HEIGHTS], .width = widths[i / 2 / HEIGHTS],
				     .order = i % 2 ? TILE_SHARE_PANEL : TILE_SHARE_ROWS };
}

static const char *tile_text(const struct tile_choice *c)
{
	return arena_printf(&arena, "%ux%u%c", c->height, c->width, c->order == TILE_SHARE_PANEL ? 'p' : 'r');
}

static struct tuning *one_tile(struct tile_choice c)
{
	struct tuning *t = arena_new(&arena, struct tuning);

	vec_push(&arena, &t->tiles, c);
	return t;
}

/* ---- quiet */

static const char *quiet;
static FILE *keeper;

static void keep_quiet(bool on)
{
	char line[64];
	struct pollfd ended = { .fd = keeper ? fileno(keeper) : -1, .events = POLLIN };

	if (!quiet)
		return;
	if (keeper && (!on || poll(&ended, 1, 0) > 0)) { /* its end reads as end of file */
		pclose(keeper);
		keeper = NULL;
	}
	if (on && !keeper && (keeper = popen(quiet, "r")) && !fgets(line, sizeof line, keeper)) {
		fprintf(stderr, "bench_tiles: \"%s\" says nothing\n", quiet);
		exit(1);
	}
}

/* ---- races */

static int compare_works(const void *x, const void *y)
{
	const struct work *a = x, *b = y;

	return a->flops != b->flops ? (a->flops < b->flops) - (a->flops > b->flops) : memcmp(&a->key, &b->key, sizeof a->key);
}

static double sum_log, sum_weight, sum_weighted;
static uint32_t shapes, within;

static void race(struct harness *h, uint32_t base, const struct work *w)
{
	double ratio[GRID + 1], last[GRID + 1], s;
	uint32_t pick[FINALISTS + 1] = { 0 }, n = 0, best = 0;
	struct harness_case *saved = h->cases.data + base, finals[FINALISTS + 1];
	struct tile_choice c;

	if (harness_race(h, base, GRID + 1, FEW_ROUNDS, ratio) < 0)
		return;
	for (n = 1; n <= FINALISTS; n++) {
		uint32_t least = 0;

		for (uint32_t i = 1; i <= GRID; i++) {
			bool taken = false;

			for (uint32_t k = 1; k < n; k++)
				taken |= pick[k] == i;
			if (!taken && (!least || ratio[i] < ratio[least]))
				least = i;
		}
		pick[n] = least;
	}
	for (uint32_t k = 0; k <= FINALISTS; k++)
		finals[k] = saved[pick[k]];
	struct harness sub = *h;

	sub.cases.data = finals;
	sub.cases.len = FINALISTS + 1;
	s = harness_race(&sub, 0, FINALISTS + 1, ROUNDS, last);
	for (uint32_t k = 1; k <= FINALISTS; k++)
		if (!best || last[k] < last[best])
			best = k;
	c = grid(pick[best] - 1);
	printf("%s\t%u\t%.1f\t%s\t%.3f\n", describe(&w->key), w->count, s * 1e6, tile_text(&c), last[best]);
	fflush(stdout);
	s = last[best] < 1 ? last[best] : 1; /* the default is in the grid of what may be chosen */
	sum_log += log(s);
	sum_weighted += w->flops * s;
	sum_weight += w->flops;
	within += s > 0.95;
	shapes++;
}

static bool races(void)
{
	struct harness h;
	const char *what;

	harness_init(&h, TARGET_CPU_KERNELS);
	h.one_thread = true;
	for (uint32_t i = 0; i < works.len; i++) {
		add_case(&h, &works.data[i].key, NULL);
		for (uint32_t t = 0; t < GRID; t++)
			add_case(&h, &works.data[i].key, one_tile(grid(t)));
	}
	if (!harness_build_native(&h, &what)) {
		fprintf(stderr, "bench_tiles: %s\n", what);
		return false;
	}
	for (uint32_t i = 0; i < works.len; i++) {
		keep_quiet(true);
		race(&h, i * (GRID + 1), &works.data[i]);
	}
	keep_quiet(false);
	harness_free(&h);
	return true;
}

int main(int argc, char **argv)
{
	int i = 1;

	diag_init(&diag, &arena, stderr);
	if (argc > 2 && !strcmp(argv[1], "-q")) {
		quiet = argv[2];
		i = 3;
	}
	for (; i < argc; i++)
		if (!add_network(argv[i]))
			return 1;
	qsort(works.data, works.len, sizeof *works.data, compare_works);
	fprintf(stderr, "%u networks, %u shapes, %d tiles each\n", networks, works.len, (int)GRID);
	if (!races())
		return 1;
	if (shapes)
		printf("# %u shapes of %u networks: the best tile takes %.3f of the default's time (geometric mean), %.3f weighted by "
		       "work; the default is within 5 %% for %u\n", shapes, networks, exp(sum_log / shapes), sum_weighted / sum_weight, within);
	arena_release(&arena);
	return 0;
}
