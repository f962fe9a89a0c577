/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem.c - from a tune block to knobs.
 *
 * The initial value of every knob is the best heuristic: f16 weights (or the
 * widest format that is allowed), and "auto" where the compiler works it out.
 * Formats carry estimates for the greedy search: the bytes that they take and
 * how far plain rounding moves the weights, which costs a pass over them.
 */
#include "config.h"

#include "tune/problem.h"

#include "codegen/activations.h"
#include "quant/quant.h"

#include <string.h>
#include <unistd.h>

enum { MAX_TILES = 10, MAX_TENSORS = 2000, SAMPLE = 1 << 16 };

static const struct {
	const char *name;
	double bits;
	int levels; /* of a symmetric code; 0: a float */
} formats[] = { { "f32", 32, 0 }, { "bf16", 16, 0 }, { "f16", 16, 0 }, { "q8", 8.5, 127 }, { "q6", 6.5, 31 },
		{ "q5", 5.5, 15 }, { "q4", 4.5, 7 }, { "q3", 3.5, 3 } };
enum { FORMATS = sizeof formats / sizeof *formats };

static bool listed(const struct decl_names *l, const char *name)
{
	for (uint32_t i = 0; i < l->len; i++)
		if (!strcmp(l->data[i], name))
			return true;
	return false;
}

static int format_index(const char *name)
{
	for (int i = 0; i < FORMATS; i++)
		if (!strcmp(formats[i].name, name))
			return i;
	return 0;
}

/* ---- how much rounding moves weights */

/* Mean square of what is lost over that of the weights, in groups of 32. */
static double rounding(const float *w, int64_t n, int levels)
{
	double error = 0, power = 0;

	for (int64_t i = 0; i < n; i += 32) {
		int64_t end = i + 32 < n ? i + 32 : n;
		float most = 0;

		for (int64_t k = i; k < end; k++)
			most = fabsf(w[k]) > most ? fabsf(w[k]) : most;
		for (int64_t k = i; k < end; k++) {
			float scale = most / (float)levels, q = most > 0 ? rintf(w[k] / scale) * scale : 0;

			error += (double)(w[k] - q) * (w[k] - q);
			power += (double)w[k] * w[k];
		}
	}
	return power > 0 ? error / power : 0;
}

/* Per format; large tensors stand for themselves by their beginning, if they can be read in part. */
static void sensitivity(struct problem *p, struct arena *scratch, struct diag *d, const struct tensor *t, double *out)
{
	int64_t n = t->elements < SAMPLE ? t->elements : SAMPLE;
	float *w = NULL;

	if (n == t->elements || data_in_order(p->graph, t->value)) {
		w = arena_array(scratch, (size_t)n, sizeof *w);
		if (!(n == t->elements ? data_read_f32(p->graph, t->value, w, d)
				       : data_read_range(p->graph, t->value, 0, (uint64_t)n, w, d)))
			w = NULL;
	}
	for (int f = 0; f < FORMATS; f++) {
		if (!formats[f].levels)
			out[f] = 0;
		else
			out[f] = w ? rounding(w, n, formats[f].levels) : pow(4, 1.5 - formats[f].bits);
	}
}

/* ---- formats */

static double tensor_bytes(const struct tensor *t, int f)
{
	return formats[f].bits / 8 * (double)t->elements;
}

/* A knob for tensors of a class (or for one tensor), with its estimates. */
static void add_format(struct problem *p, struct arena *a, struct diag *d, const char *unit, const char *const *values,
		       uint32_t count, uint32_t initial, enum tensor_class class, const struct tensor *only)
{
	double *bytes = arena_new_array(a, double, count), *damage = arena_new_array(a, double, count);
	struct arena scratch = { 0 };
	uint64_t quantised = 0;
	uint32_t k;

	for (uint32_t i = 0; i < p->tensors.len; i++) {
		const struct tensor *t = &p->tensors.data[i];
		double moved[FORMATS];

		if (only ? t != only : t->class != class)
			continue;
		sensitivity(p, &scratch, d, t, moved);
		for (uint32_t v = 0; v < count; v++) {
			int f = format_index(values[v]);

			bytes[v] += tensor_bytes(t, f);
			damage[v] += moved[f] * (t->class == TENSOR_FIRST || t->class == TENSOR_LAST ? 3 : 1);
		}
	}
	arena_release(&scratch);
	k = space_add_list(&p->space, arena_printf(a, "format%s", unit), KNOB_ENUM, values, count, initial,
			   "how the weights are stored; fewer bits take less memory and lose quality");
	p->space.knobs.data[k].bytes = bytes;
	p->space.knobs.data[k].damage = damage;
	for (uint32_t v = 0; v < count; v++)
		quantised |= (uint64_t)(values[v][0] == 'q') << v;
	if (quantised && !only) {
		static const char *const groups[] = { "32", "64", "128" };
		uint32_t g = space_add_list(&p->space, arena_printf(a, "group%s", unit), KNOB_INT, groups, 3, 0,
					    "weights that share a scale; larger groups are smaller and coarser");

		p->space.knobs.data[g].when = k;
		p->space.knobs.data[g].when_values = quantised;
	}
}

static void add_method(struct problem *p, const struct decl_tune *t)
{
	static const char *const iterations[] = { "50", "100", "200", "400" };
	uint32_t k, i, learned = 0;

	if (!t->methods.len)
		return;
	k = space_add_list(&p->space, "method", KNOB_ENUM, t->methods.data, t->methods.len, 0,
			   "how weights are rounded: nearest, weighted by inputs, with error feedback, or learned");
	while (learned < t->methods.len && strcmp(t->methods.data[learned], "learned") != 0)
		learned++;
	if (learned == t->methods.len)
		return;
	i = space_add_list(&p->space, "iterations", KNOB_INT, iterations, 4, 2, "steps of learned rounding for each layer");
	p->space.knobs.data[i].when = k;
	p->space.knobs.data[i].when_values = 1ull << learned;
	space_add(&p->space, (struct knob){ .name = "rate", .kind = KNOB_FLOAT, .min = 1e-3, .max = 0.1, .log = true,
					    .initial = 0.01, .when = k, .when_values = 1ull << learned,
					    .help = "learning rate of learned rounding, in steps of a code" });
}

/*
 * Where it is of use it stands for the heuristic, whose weights are not in few bits, and then for
 * everything that differs from it. Language models know by themselves which products gain.
 */
static void add_activations(struct problem *p, const char *const *formats_listed, uint32_t count)
{
	static const char *const values[] = { "auto", "f32", "q8" };
	uint32_t quantised = 0, k;

	for (uint32_t i = 0; i < count; i++)
		quantised |= formats_listed[i][0] == 'q';
	if (!quantised || p->target->kernels != TARGET_CPU_KERNELS)
		return;
	k = space_add_list(&p->space, "activations", KNOB_ENUM, values, 3, !p->graph->language && activations_pay(p->target) ? 2 : 0,
			   "whether products with weights q8 and less are those of integers; q8 is faster where the processor has dot products of bytes");
	p->space.knobs.data[k].idle = true;
}

static bool add_formats(struct problem *p, struct arena *a, struct diag *d, const struct decl_tune *t)
{
	const char **values = arena_new_array(a, const char *, FORMATS);
	uint32_t count = 0, initial = 0;

	for (int f = 0; f < FORMATS; f++) /* from wide to narrow */
		if (listed(&t->formats, formats[f].name)) {
			if (!strcmp(formats[f].name, "f16"))
				initial = count;
			values[count++] = formats[f].name;
		}
	if (!count)
		return true;
	if (!t->quality) {
		diag_error(d, t->span, "formats change the model's answers, so their quality has to be measured");
		diag_hint(d, "Add: quality divergence on \"X.npy\" within 1 %%;");
		return false;
	}
	if (t->per_tensor && p->tensors.len <= MAX_TENSORS) {
		for (uint32_t i = 0; i < p->tensors.len; i++)
			add_format(p, a, d, arena_printf(a, ":%s", p->tensors.data[i].name), values, count, initial,
				   TENSOR_OTHER, &p->tensors.data[i]);
	} else {
		for (int c = 0; c < TENSOR_CLASSES; c++)
			for (uint32_t i = 0; i < p->tensors.len; i++) {
				if (p->tensors.data[i].class != (enum tensor_class)c)
					continue;
				add_format(p, a, d, arena_printf(a, ".%s", tensor_class_name(p->tensors.data[i].class)),
					   values, count, initial, p->tensors.data[i].class, NULL);
				break;
			}
	}
	add_method(p, t);
	add_activations(p, values, count);
	return true;
}

/* ---- everything else */

static void add_tiles(struct problem *p, struct arena *a)
{
	static const char *const tiles[] = { "auto", "8x48", "6x48", "4x48", "8x32", "8x24", "6x32", "4x32", "2x32", "8x16", "4x16" };
	static const char *const single[] = { "auto", "1x16", "1x32" };

	for (uint32_t i = 0; i < p->products.len && i < MAX_TILES; i++) {
		const struct product_shape *s = &p->products.data[i];
		const char *name = arena_printf(a, "tile.%lldx%lld", (long long)s->rows, (long long)s->columns);
		bool one = s->rows == 1;

		if (s->flops < p->products.data[0].flops / 100)
			break;
		space_add_list(&p->space, name, KNOB_ENUM, one ? single : tiles,
			       one ? sizeof single / sizeof *single : sizeof tiles / sizeof *tiles, 0,
			       "rows x columns of the result that stay in registers");
	}
}

static void add_threads(struct problem *p, struct arena *a)
{
	long most = p->target->threads ? (long)p->target->threads : sysconf(_SC_NPROCESSORS_ONLN);
	const char **values = arena_new_array(a, const char *, 16);
	uint32_t n = 0;

	values[n++] = "auto";
	for (long i = 1; i < most && n < 15; i *= 2)
		values[n++] = arena_printf(a, "%ld", i);
	if (n > 1)
		space_add_list(&p->space, "threads", KNOB_ENUM, values, n, 0, "threads that run kernels; auto: all");
}

static void add_backends(struct problem *p, const struct decl_tune *t)
{
	const char *own = p->target->backend == TARGET_NATIVE ? "native" : "opencl";

	if (t->backends.len < 2)
		return;
	for (uint32_t i = 0; i < t->backends.len; i++)
		if (!strcmp(t->backends.data[i], own))
			space_add_list(&p->space, "backend", KNOB_ENUM, t->backends.data, t->backends.len, i,
				       "machine code in the plan, or kernels that the device's driver compiles");
}

static void add_streaming(struct problem *p)
{
	static const char *const depth[] = { "100", "75", "50", "25", "0" };

	space_add_list(&p->space, "stream", KNOB_INT, depth, 5, 0,
		       "memory for weights, in percent between the least that works and all resident; less streams more from disk");
}

bool problem_make(struct arena *a, struct diag *d, const struct decl_tune *t, const struct graph *g,
		  const struct target *target, struct problem *out)
{
	*out = (struct problem){ .tune = t, .graph = g, .target = target, .space = { .arena = a } };
	out->tensors = tensors_of(a, g);
	out->products = products_of(a, g);
	if (!add_formats(out, a, d, t))
		return false;
	if (t->kernels && target->kernels == TARGET_CPU_KERNELS)
		add_tiles(out, a);
	if (t->threads)
		add_threads(out, a);
	add_backends(out, t);
	if (t->streaming)
		add_streaming(out);
	if (out->space.knobs.len)
		return true;
	diag_error(d, t->span, "there is nothing to tune in \"%s\"", t->name);
	diag_hint(d, "Say what may change: formats f16, q8, q4; kernels; threads; streaming;");
	return false;
}

struct knob_values problem_knobs(const struct problem *p, const double *x)
{
	struct knob_values all = config_knobs(&p->space, x, true), out = { 0 };

	for (uint32_t i = 0; i < all.len; i++)
		if (strcmp(all.data[i].value, "auto") != 0)
			vec_push(p->space.arena, &out, all.data[i]);
	return out;
}

void problem_describe(const struct problem *p, struct strbuf *out)
{
	static const char *const goals[] = { "latency", "peak memory", "bytes of weights" };
	int64_t elements[TENSOR_CLASSES] = { 0 };
	uint32_t count[TENSOR_CLASSES] = { 0 };

	strbuf_printf(out, "model \"%s\", on device %s; minimise %s", p->tune->name,
		      device_identity(p->space.arena, p->target), goals[p->tune->minimize]);
	if (p->tune->quality)
		strbuf_printf(out, " while at most %.3g %% of %s is lost", p->tune->loss * 100,
			      p->tune->quality == DECL_QUALITY_ACCURACY ? "the accuracy"
			      : p->tune->quality == DECL_QUALITY_PERPLEXITY ? "the perplexity" : "the output (divergence)");
	strbuf_puts(out, "\ntensors by class (count, weights):");
	for (uint32_t i = 0; i < p->tensors.len; i++) {
		count[p->tensors.data[i].class]++;
		elements[p->tensors.data[i].class] += p->tensors.data[i].elements;
	}
	for (int c = 0; c < TENSOR_CLASSES; c++)
		if (count[c])
			strbuf_printf(out, " %s %u, %lld;", tensor_class_name((enum tensor_class)c), count[c], (long long)elements[c]);
	strbuf_puts(out, "\nlargest products (rows x columns x depth, times):");
	for (uint32_t i = 0; i < p->products.len && i < MAX_TILES; i++)
		strbuf_printf(out, " %lldx%lldx%lld, %u;", (long long)p->products.data[i].rows,
			      (long long)p->products.data[i].columns, (long long)p->products.data[i].depth, p->products.data[i].count);
	strbuf_puts(out, "\n");
}
