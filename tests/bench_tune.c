/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_tune.c - proposers with equal budgets, as a table for doc/tuning.md.
 *
 * Three objectives: the digits network of the examples, whose formats are
 * really applied and whose outputs on held-out digits are really computed
 * (by the plain C references: what counts is bytes and divergence, not time), and
 * two formulas, of formats and of tiles. Five seeds each; what a configuration
 * gives is computed once.
 *
 *	bench_tune [TRANSCRIPTS-FOLDER]
 */
#include "config.h"

#include "eval_graph.h"
#include "llm_server.h"

#include "base/npy_array.h"
#include "dsl.h"
#include "import/import.h"
#include "pass/pass.h"
#include "tune/dialogue.h"
#include "tune/formats.h"
#include "quant/quant.h"

#include <math.h>

enum { SEEDS = 5, TRIALS = 40, MARKS = 3, CLASSES = 10, SAMPLES = 25 };
static const uint32_t mark[MARKS] = { 10, 20, 40 };
static const char *const searches[] = { "random", "tpe", "anneal", "greedy", "llm", "replay" };
enum { SEARCHES = 6 };

struct objective {
	const char *name;
	struct space *space;
	const struct problem *problem;
	struct outcome (*f)(const double *);
};

/* ---- the digits network */

static struct arena session;
static struct diag diag;
static struct project *project;
static struct problem digits;
static struct npy_array held_out;
static float *reference;
static VEC(struct memo { double *x; struct outcome o; }) memo;
static double float_bytes;

static struct graph *import_digits(struct arena *a)
{
	struct import_options io = { 0 };
	struct pass_options po = { 0 };
	struct graph *g = NULL;

	for (uint32_t i = 0; i < project->models.len; i++)
		if (!strcmp(project->models.data[i].name, "hundred")) {
			struct decl_model m = project->models.data[i];

			m.inputs.data[0].dim[0] = SAMPLES; /* of the hundred */
			g = import_onnx(a, &diag, &m, &io);
		}
	return g && passes_run(g, &diag, &po) ? g : NULL;
}

static double bytes_of(const struct graph *g, const struct knob_values *knobs, struct arena *a)
{
	struct tensors ts = tensors_of(a, g);
	double sum = 0;

	for (uint32_t i = 0; i < ts.len; i++) {
		const char *format = format_knob(knobs, "format", &ts.data[i]), *group = format_knob(knobs, "group", &ts.data[i]);
		const struct shape *s = &graph_value(g, ts.data[i].value)->shape;
		enum quant_format f;

		quant_format_from_name(format, &f);
		sum += (double)quant_bytes(f, group ? (uint32_t)atoi(group) : 32, false, s->dim[0], ts.data[i].elements / s->dim[0]);
	}
	return sum;
}

/* The network's scores with these formats; false: they cannot be made. */
static bool scores(const double *x, float *out, double *bytes)
{
	struct arena a = { 0 };
	struct graph *g = import_digits(&a);
	struct knob_values knobs = { 0 };
	const void *in[1] = { held_out.data };
	void *result[1] = { out };
	bool good = g != NULL;

	if (good && x) {
		knobs = problem_knobs(&digits, x);
		*bytes = bytes_of(g, &knobs, &a);
		good = formats_apply(&a, &diag, &knobs, NULL, g);
	}
	good = good && eval_graph(g, in, result);
	arena_release(&a);
	return good;
}

static struct outcome digits_outcome(const double *x)
{
	uint64_t rows = SAMPLES;
	size_t size = digits.space.knobs.len * sizeof *x;
	float *y;
	struct outcome o = { 0 };
	double kl = 0, bytes = 0;

	for (uint32_t i = 0; i < memo.len; i++)
		if (!memcmp(memo.data[i].x, x, size))
			return memo.data[i].o;
	y = arena_new_array(&session, float, rows * CLASSES);
	if (!scores(x, y, &bytes)) {
		o.failure = FAILURE_COMPILE;
	} else {
		for (uint64_t i = 0; i < rows * CLASSES; i++)
			kl += reference[i] > 1e-12f ? reference[i] * log((double)reference[i] / (y[i] > 1e-12f ? y[i] : 1e-12)) : 0;
		o.objective = bytes / float_bytes;
		o.loss = kl / (double)rows / 0.01;
		o.bytes = bytes;
	}
	vec_push(&session, &memo, (struct memo){ config_copy(&digits.space, x), o });
	return o;
}

static bool prepare_digits(const char *source)
{
	static const char *formats[] = { "f16", "q8", "q6", "q5", "q4", "q3" };
	static struct decl_tune tune = { .name = "digits", .quality = DECL_QUALITY_DIVERGENCE, .loss = 0.01,
					 .minimize = DECL_MINIMIZE_BYTES, .formats = { formats, 6, 6 }, .per_tensor = false };
	static struct target target;
	const struct ast *ast;
	struct graph *g;
	double one;

	target = target_host();
	diag_init(&diag, &session, stderr);
	ast = dsl_parse(&session, &diag, arena_printf(&session, "%s/examples/digits/digits.edge", source));
	project = ast ? dsl_resolve(&session, &diag, ast) : NULL;
	if (!project || !npy_array_read(&session, &diag, NO_SPAN, arena_printf(&session, "%s/examples/digits/held-out.npy", source), &held_out))
		return false;
	g = import_digits(&session);
	if (!g || !problem_make(&session, &diag, &tune, g, &target, &digits))
		return false;
	reference = arena_new_array(&session, float, SAMPLES * CLASSES);
	if (!scores(NULL, reference, &one))
		return false;
	return scores(config_new(&digits.space), arena_new_array(&session, float, SAMPLES * CLASSES), &float_bytes);
}

/* ---- formulas */

static const char *const bits[] = { "f16", "q8", "q6", "q5", "q4", "q3" };
static const double width[] = { 16, 8.5, 6.5, 5.5, 4.5, 3.5 };

/* Twelve tensors of different sizes; what rounding estimates is wrong for every fourth. */
static struct outcome formats_outcome(const double *x)
{
	struct outcome o = { 0 };

	for (int i = 0; i < 12; i++) {
		o.objective += width[(int)x[i]] / 16 * (1 + i * i) / 518;
		o.loss += x[i] == 0 ? 0 : pow(4, -width[(int)x[i]]) * 150 * (12 - i) * (i % 4 == 3 ? 5 : 1);
	}
	return o;
}

static struct space *formats_space(struct arena *a)
{
	struct space *s = arena_new(a, struct space);

	s->arena = a;
	for (int i = 0; i < 12; i++) {
		uint32_t k = space_add_list(s, arena_printf(a, "format.%d", i), KNOB_ENUM, bits, 6, 0, NULL);
		double *bytes = arena_new_array(a, double, 6), *damage = arena_new_array(a, double, 6);

		for (int v = 0; v < 6; v++) {
			bytes[v] = width[v] * (1 + i * i);
			damage[v] = v == 0 ? 0 : pow(4, -width[v]) * (12 - i);
		}
		s->knobs.data[k].bytes = bytes;
		s->knobs.data[k].damage = damage;
	}
	return s;
}

/* Work per load, vectors that spill, a tail that is wasted: the shape of a kernel's landscape, with crashes. */
static struct outcome tiles_outcome(const double *x)
{
	static const double height[] = { 1, 2, 3, 4, 5, 6, 8 }, wide[] = { 16, 32, 48, 64 }, unroll[] = { 1, 2, 4, 8 };
	double h = height[(int)x[0]], w = wide[(int)x[1]], u = unroll[(int)x[2]], registers = h * w / 16 + w / 16 + 1;
	double time = 0.5 + (1 / h + 16 / w) * 0.35 + 0.04 / u + 0.01 * u;

	if (registers > 32)
		time += 0.15 * (registers - 32) / 8;
	time += 0.05 * (fmod(196, h) > 0) + (x[3] > 0 ? 0.03 * fabs(x[4] - 0.3) - 0.03 : 0);
	if (h * w * u > 2500)
		return (struct outcome){ .failure = FAILURE_COMPILE, .objective = NAN };
	return (struct outcome){ .objective = time };
}

static struct space *tiles_space(struct arena *a)
{
	static const char *const heights[] = { "1", "2", "3", "4", "5", "6", "8" }, *const widths[] = { "16", "32", "48", "64" };
	static const char *const unrolls[] = { "1", "2", "4", "8" }, *const yes[] = { "0", "1" };
	struct space *s = arena_new(a, struct space);

	s->arena = a;
	space_add_list(s, "tile_h", KNOB_INT, heights, 7, 0, "rows in registers");
	space_add_list(s, "tile_w", KNOB_INT, widths, 4, 0, "columns in registers");
	space_add_list(s, "unroll", KNOB_INT, unrolls, 4, 0, NULL);
	space_add_list(s, "prefetch", KNOB_INT, yes, 2, 0, NULL);
	space_add(s, (struct knob){ .name = "distance", .kind = KNOB_FLOAT, .min = 0, .max = 1, .initial = 1, .when = 3, .when_values = 2 });
	vec_push(a, &s->constraints, (struct constraint){ "tile_h * tile_w <= 400" });
	return s;
}

/* ---- runs */

struct result {
	double best[MARKS];
	uint32_t failed, invalid;
};

static struct search *make(struct arena *a, const char *name, const struct objective *o, uint64_t seed, const char *url,
			   const char *transcript)
{
	struct search_setup s = { .arena = a, .space = o->space, .seed = seed, .trials = TRIALS };
	struct dialogue_setup d = { .search = s, .problem = o->problem, .endpoint = url, .transcript = transcript,
				    .replay = !strcmp(name, "replay"), .quiet = true };

	return !strcmp(name, "random") ? search_random(&s) : !strcmp(name, "tpe") ? search_tpe(&s)
		: !strcmp(name, "anneal") ? search_anneal(&s) : !strcmp(name, "greedy") ? search_greedy(&s)
		: search_dialogue(&d, &diag);
}

static struct result run(struct arena *a, struct search *s, const struct objective *o, uint64_t seed)
{
	double *x = config_new(o->space), **seen = arena_new_array(a, double *, TRIALS + 1), best;
	struct outcome y = o->f(x);
	struct rng rng = { seed };
	struct result r = { 0 };
	struct strbuf report = { 0 };
	const struct jtree *j;

	search_tell(s, x, &y);
	best = outcome_score(&y);
	seen[0] = config_copy(o->space, x);
	for (uint32_t n = 1; n <= TRIALS; n++) {
		bool fresh = false;

		for (int i = 0; i < 400 && !fresh; i++) { /* what is known costs no trial */
			bool asked = i < 60 && search_ask(s, x);

			if (!asked)
				config_random(o->space, &rng, x);
			config_canonical(o->space, x);
			fresh = !config_violates(o->space, x);
			for (uint32_t k = 0; k < n && fresh; k++)
				fresh = memcmp(seen[k], x, o->space->knobs.len * sizeof *x) != 0;
			if (!fresh && asked && !config_violates(o->space, x)) {
				y = o->f(x);
				search_tell(s, x, &y);
			}
		}
		y = o->f(x);
		seen[n] = config_copy(o->space, x);
		search_tell(s, x, &y);
		r.failed += y.failure != FAILURE_NONE;
		best = outcome_score(&y) < best ? outcome_score(&y) : best;
		for (int m = 0; m < MARKS; m++)
			if (n == mark[m])
				r.best[m] = best;
	}
	if (s->ops->report) {
		s->ops->report(s->state, &report);
		j = jtree_parse(a, strbuf_str(&report), report.len);
		r.invalid = (uint32_t)(jtree_number(j, "invalid", 0) + jtree_number(j, "rejected", 0) + jtree_number(j, "repeated", 0));
		strbuf_free(&report);
	}
	return r;
}

static void table(const struct objective *o, const char *folder)
{
	printf("\n| %s | best of 10 | best of 20 | best of 40 | trials that failed | replies refused |\n|---|---|---|---|---|---|\n", o->name);
	for (int i = 0; i < SEARCHES; i++) {
		double sum[MARKS] = { 0 }, square[MARKS] = { 0 };
		uint32_t failed = 0, invalid = 0;

		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct arena a = { 0 };
			const char *transcript = arena_printf(&a, "%s/%c%llu.jsonl", folder, o->name[0], (unsigned long long)seed);
			struct server server;
			bool llm = !strcmp(searches[i], "llm");
			struct result r;
			struct search *s;

			if (llm && !start_server(&server, "good", "/dev/null")) {
				printf("| llm | no server | | | | |\n");
				return;
			}
			if (llm)
				unlink(transcript);
			s = make(&a, searches[i], o, seed, llm ? server.url : NULL, transcript);
			if (s) {
				r = run(&a, s, o, seed);
				for (int m = 0; m < MARKS; m++) {
					sum[m] += r.best[m];
					square[m] += r.best[m] * r.best[m];
				}
				failed += r.failed;
				invalid += r.invalid;
			}
			if (llm)
				stop_server(&server);
			arena_release(&a);
		}
		printf("| %s |", searches[i]);
		for (int m = 0; m < MARKS; m++) {
			double mean = sum[m] / SEEDS, variance = square[m] / SEEDS - mean * mean;

			printf(" %.3f &plusmn; %.3f |", mean, sqrt(variance > 0 ? variance : 0));
		}
		printf(" %u of %d | %s |\n", failed, SEEDS * TRIALS, i < 4 ? "" : arena_printf(&session, "%u", invalid));
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	const char *source = getenv("EDGE_SRCDIR"), *folder = argc > 1 ? argv[1] : ".";
	struct objective formulas[] = { { "formats of twelve tensors (a formula)", formats_space(&session), NULL, formats_outcome },
					{ "tiles (a formula)", tiles_space(&session), NULL, tiles_outcome } };
	struct objective network = { "digits (formats and groups by class)", &digits.space, &digits, digits_outcome };

	signal(SIGPIPE, SIG_IGN);
	if (!source || !prepare_digits(source)) {
		fprintf(stderr, "bench_tune: could not read examples/digits below $EDGE_SRCDIR\n");
		return 1;
	}
	table(&network, folder);
	table(&formulas[0], folder);
	table(&formulas[1], folder);
	arena_release(&session);
	return 0;
}
