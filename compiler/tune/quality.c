/* SPDX-License-Identifier: Apache-2.0 */
/* quality.c - samples in, losses out; see quality.h. */
#include "config.h"

#include "tune/quality.h"

#include "base/file.h"
#include "tune/space.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_SAMPLES = 3, LEAST_SPLIT = 8 };

/* ---- files */

static bool write_npy(struct diag *d, const char *path, const char *type, uint32_t rank, const int64_t *dim,
		      const void *data, size_t bytes)
{
	struct strbuf shape = { 0 };
	char header[256];
	FILE *f = fopen(path, "wb");
	size_t n;
	bool good;

	for (uint32_t i = 0; i < rank; i++)
		strbuf_printf(&shape, "%lld%s", (long long)dim[i], i + 1 < rank ? ", " : rank == 1 ? "," : "");
	n = (size_t)snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type,
			     strbuf_str(&shape));
	strbuf_free(&shape);
	while ((10 + n + 1) % 64)
		header[n++] = ' ';
	header[n++] = '\n';
	good = f && fwrite("\x93NUMPY\x01", 1, 7, f) == 7 && fputc(0, f) == 0 && fputc((int)(n & 255), f) != EOF &&
	       fputc((int)(n >> 8), f) != EOF && fwrite(header, 1, n, f) == n && fwrite(data, 1, bytes, f) == bytes;
	if (f)
		good &= fclose(f) == 0;
	if (!good)
		diag_error(d, NO_SPAN, "could not write \"%s\": %s", path, strerror(errno));
	return good;
}

static const char *type_of(enum dtype t)
{
	switch (t) {
	case DTYPE_F32: return "<f4";
	case DTYPE_F16: return "<f2";
	case DTYPE_F64: return "<f8";
	case DTYPE_I64: return "<i8";
	case DTYPE_I32: return "<i4";
	case DTYPE_I16: return "<i2";
	case DTYPE_I8: return "|i1";
	case DTYPE_U8: return "|u1";
	case DTYPE_BOOL: return "|b1";
	default: return NULL;
	}
}

/* Random numbers of the input's type: floats about zero, whole numbers 0 or 1. */
static bool random_input(struct arena *a, struct diag *d, const struct value *v, const char *path)
{
	int64_t dim[MAX_RANK + 1] = { RANDOM_SAMPLES }, n = RANDOM_SAMPLES * shape_elements(&v->shape);
	unsigned char *bytes = arena_array(a, (size_t)n, dtype_size(v->dtype));
	struct rng r = { 7 };

	if (!type_of(v->dtype)) {
		diag_error(d, NO_SPAN, "inputs of type %s cannot be made up", dtype_name(v->dtype));
		return false;
	}
	memcpy(dim + 1, v->shape.dim, v->shape.rank * sizeof *dim);
	for (int64_t i = 0; i < n; i++) {
		float f = (float)rng_normal(&r);
		uint16_t h = float_to_half(f);
		double x = f;

		switch (v->dtype) {
		case DTYPE_F32: memcpy(bytes + i * 4, &f, 4); break;
		case DTYPE_F16: memcpy(bytes + i * 2, &h, 2); break;
		case DTYPE_F64: memcpy(bytes + i * 8, &x, 8); break;
		default: bytes[(size_t)i * dtype_size(v->dtype)] = f > 0; break; /* little-endian */
		}
	}
	return write_npy(d, path, type_of(v->dtype), v->shape.rank + 1, dim, bytes, (size_t)n * dtype_size(v->dtype));
}

static bool random_inputs(struct arena *a, struct diag *d, const struct graph *g, const char *folder, struct quality *q)
{
	for (uint32_t i = 0; i < g->inputs.len; i++) {
		const struct value *v = graph_value(g, g->inputs.data[i]);
		const char *path = arena_printf(a, "%s/random%u.npy", folder, i);

		if (!random_input(a, d, v, path))
			return false;
		vec_push(a, &q->inputs[SPLIT_SEARCH], arena_printf(a, "%s=%s", v->name, path));
	}
	q->samples[SPLIT_SEARCH] = RANDOM_SAMPLES;
	return true;
}

/* ---- samples */

static bool read_labels(struct diag *d, const struct decl_tune *t, uint64_t count, int32_t *out)
{
	struct mapped_file f;
	uint64_t n = 0;
	size_t i = 0;

	if (!file_map(t->labels, &f)) {
		diag_error(d, t->labels_span, "could not open \"%s\": %s", t->labels, strerror(errno));
		return false;
	}
	while (i < f.size && n <= count) {
		size_t end = i, p = i;
		long v = 0;

		while (end < f.size && f.data[end] != '\n')
			end++;
		while (p < end && !isdigit(f.data[p]))
			p++;
		if (p < end) {
			for (; p < end && isdigit(f.data[p]) && v < 100000000; p++)
				v = v * 10 + (f.data[p] - '0');
			if (n < count)
				out[n] = (int32_t)v;
			n++;
		}
		i = end + 1;
	}
	file_unmap(&f);
	if (n == count)
		return true;
	diag_error(d, t->labels_span, "\"%s\" has %s%llu labels for %llu samples", t->labels, n > count ? "more than " : "",
		   (unsigned long long)(n > count ? count : n), (unsigned long long)count);
	return false;
}

/* How many samples the array holds for the input; 0: it does not fit. */
static uint64_t samples_of(const struct value *v, const struct npy_array *x)
{
	int64_t one = shape_elements(&v->shape);
	bool longer = x->rank == v->shape.rank + 1, same = x->rank == v->shape.rank;
	uint32_t skip = longer ? 0 : 1;

	if (one <= 0 || (!longer && !same) || x->elements % (uint64_t)one != 0)
		return 0;
	for (uint32_t i = skip; i < v->shape.rank; i++)
		if (x->dim[i + longer] != v->shape.dim[i])
			return 0;
	return x->elements / (uint64_t)one;
}

/* Sample i goes to one half or the other: in turn, so that order in the file does not matter. */
static bool split_samples(struct arena *a, struct diag *d, const struct value *v, const struct npy_array *x, const int32_t *labels, const char *folder, struct quality *q)
{
	uint64_t n = samples_of(v, x), one = (uint64_t)shape_elements(&v->shape);

	q->split = n >= LEAST_SPLIT;
	for (int s = 0; s < (q->split ? SPLITS : 1); s++) {
		uint64_t count = q->split ? (n + (s == 0)) / 2 : n, k = 0;
		float *part = arena_array(a, count * one, sizeof *part);
		int32_t *label = arena_new_array(a, int32_t, count);
		int64_t dim[MAX_RANK + 1] = { (int64_t)count };
		const char *path = arena_printf(a, "%s/samples%d.npy", folder, s);

		for (uint64_t i = 0; i < n; i++) {
			if (q->split && (int)(i & 1) != s)
				continue;
			memcpy(part + k * one, x->data + i * one, one * sizeof *part);
			label[k++] = labels ? labels[i] : 0;
		}
		memcpy(dim + 1, v->shape.dim, v->shape.rank * sizeof *dim);
		if (!write_npy(d, path, "<f4", v->shape.rank + 1, dim, part, count * one * sizeof *part))
			return false;
		vec_push(a, &q->inputs[s], arena_printf(a, "%s=%s", v->name, path));
		q->label[s] = label;
		q->samples[s] = count;
	}
	return true;
}

static bool sample_file(struct arena *a, struct diag *d, const struct decl_tune *t, const struct graph *g,
			const char *folder, struct quality *q)
{
	const struct value *v = g->inputs.len ? graph_value(g, g->inputs.data[0]) : NULL;
	struct npy_array x;
	int32_t *labels = NULL;

	if (g->inputs.len != 1 || v->dtype != DTYPE_F32) {
		diag_error(d, t->data_span, "model \"%s\" has %u inputs%s, and a quality is measured on one of type f32", t->name,
			   g->inputs.len, v && v->dtype != DTYPE_F32 ? arena_printf(a, ", the first of type %s", dtype_name(v->dtype)) : "");
		diag_hint(d, g->language ? "Say quality perplexity on \"TEXT.txt\" for a language model."
					 : "Leave the quality out and tune kernels, threads or streaming.");
		return false;
	}
	if (!npy_array_read(a, d, t->data_span, t->data, &x))
		return false;
	if (!samples_of(v, &x)) {
		diag_error(d, t->data_span, "\"%s\" holds no samples of input \"%s\", which is %s", t->data, v->name,
			   shape_string(a, &v->shape));
		return false;
	}
	if (t->labels) {
		labels = arena_new_array(a, int32_t, samples_of(v, &x));
		if (!read_labels(d, t, samples_of(v, &x), labels))
			return false;
	}
	return split_samples(a, d, v, &x, labels, folder, q);
}

/* The text in two, after the line that its middle is in. */
static bool split_text(struct arena *a, struct diag *d, const struct decl_tune *t, const char *folder, struct quality *q)
{
	struct mapped_file f;
	size_t middle;
	bool good = true;

	if (!file_map(t->data, &f)) {
		diag_error(d, t->data_span, "could not open \"%s\": %s", t->data, strerror(errno));
		return false;
	}
	if (!f.size) {
		diag_error(d, t->data_span, "\"%s\" is empty", t->data);
		return false;
	}
	middle = f.size / 2;
	while (middle < f.size && f.data[middle] != '\n')
		middle++;
	middle += middle < f.size;
	q->split = middle < f.size && f.size >= 1000;
	for (int s = 0; s < (q->split ? SPLITS : 1) && good; s++) {
		size_t from = s ? middle : 0, to = s || !q->split ? f.size : middle;
		FILE *out;

		q->text[s] = arena_printf(a, "%s/text%d.txt", folder, s);
		out = fopen(q->text[s], "wb");
		good = out && fwrite(f.data + from, 1, to - from, out) == to - from;
		if (out)
			good &= fclose(out) == 0;
		if (!good)
			diag_error(d, NO_SPAN, "could not write \"%s\": %s", q->text[s], strerror(errno));
	}
	file_unmap(&f);
	return good;
}

static void quality_outputs(struct arena *a, struct quality *q, const struct graph *g)
{
	for (uint32_t i = 0; i < g->outputs.len; i++) {
		char *name = arena_strdup(a, g->output_names.data[i]);

		for (char *p = name; *p; p++)
			if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
				*p = '_';
		vec_push(a, &q->outputs, (struct quality_output){ .name = name });
	}
}

bool quality_prepare(struct arena *a, struct diag *d, const struct decl_tune *t, const struct graph *g,
		     const char *folder, struct quality *out)
{
	bool good;

	*out = (struct quality){ .kind = t->quality, .allowed = t->loss };
	quality_outputs(a, out, g);
	switch (t->quality) {
	case DECL_QUALITY_NONE: return random_inputs(a, d, g, folder, out);
	case DECL_QUALITY_PERPLEXITY: good = split_text(a, d, t, folder, out); break;
	default: good = sample_file(a, d, t, g, folder, out);
	}
	if (good && !out->split)
		diag_warning(d, t->data_span, "\"%s\" is too small to be divided: the winner is judged on what it was searched with",
			     t->data);
	return good;
}

/* ---- outputs */

static double accuracy(const struct quality *q, int split, const float *y, uint32_t classes)
{
	uint64_t right = 0;

	for (uint64_t i = 0; i < q->samples[split]; i++) {
		const float *row = y + i * classes;
		uint32_t best = 0;

		for (uint32_t c = 1; c < classes; c++)
			if (row[c] > row[best])
				best = c;
		right += (int32_t)best == q->label[split][i];
	}
	return (double)right / (double)q->samples[split];
}

/* Rows that are probabilities already are taken as they are; others are scores. */
static void to_log(const float *row, uint32_t n, bool probabilities, double *out)
{
	double most = -INFINITY, sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		out[i] = probabilities ? log(row[i] > 1e-30f ? row[i] : 1e-30) : row[i];
		most = out[i] > most ? out[i] : most;
	}
	for (uint32_t i = 0; i < n; i++)
		sum += exp(out[i] - most);
	for (uint32_t i = 0; i < n; i++)
		out[i] -= most + log(sum);
}

static bool is_distribution(const float *row, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (row[i] < 0)
			return false;
		sum += row[i];
	}
	return fabs(sum - 1) < 1e-3;
}

static double divergence(struct arena *scratch, const struct quality_output *o, int split, const float *y)
{
	uint64_t n = o->elements[split], rows = o->classes ? n / o->classes : 0;
	const float *r = o->reference[split];
	double error = 0, power = 0, kl = 0;

	if (rows) {
		double *p = arena_new_array(scratch, double, o->classes), *s = arena_new_array(scratch, double, o->classes);

		for (uint64_t i = 0; i < rows; i++) {
			bool known = is_distribution(r + i * o->classes, o->classes);

			to_log(r + i * o->classes, o->classes, known, p);
			to_log(y + i * o->classes, o->classes, known, s);
			for (uint32_t c = 0; c < o->classes; c++)
				kl += exp(p[c]) > 0 ? exp(p[c]) * (p[c] - s[c]) : 0; /* a score may be -inf */
		}
		return kl / (double)rows;
	}
	for (uint64_t i = 0; i < n; i++) {
		error += ((double)y[i] - r[i]) * ((double)y[i] - r[i]);
		power += (double)r[i] * r[i];
	}
	return power > 0 ? sqrt(error / power) : error > 0 ? 1 : 0;
}

static bool finite_all(const float *y, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (!isfinite(y[i]))
			return false;
	return true;
}

/* Classes: an output of two dimensions after taking samples together, the last between 2 and 100000. */
static void classify(struct quality_output *o, const struct npy_array *y, const struct quality *q, int split)
{
	int64_t last = y->rank ? y->dim[y->rank - 1] : 0;

	if (last >= 2 && last <= 100000 && y->elements == q->samples[split] * (uint64_t)last &&
	    q->kind != DECL_QUALITY_NONE)
		o->classes = (uint32_t)last;
}

bool quality_reference(struct arena *a, struct diag *d, struct quality *q, int split, const char *directory,
		       double perplexity)
{
	q->reference[split] = perplexity;
	for (uint32_t i = 0; i < q->outputs.len && q->kind != DECL_QUALITY_PERPLEXITY; i++) {
		struct quality_output *o = &q->outputs.data[i];
		struct npy_array y;

		if (!npy_array_read(a, d, NO_SPAN, arena_printf(a, "%s/%s.npy", directory, o->name), &y))
			return false;
		o->reference[split] = y.data;
		o->elements[split] = y.elements;
		classify(o, &y, q, split);
	}
	if (q->kind != DECL_QUALITY_ACCURACY)
		return true;
	if (!q->outputs.len || !q->outputs.data[0].classes) {
		diag_error(d, NO_SPAN, "accuracy needs an output with a row of scores for each sample");
		return false;
	}
	q->reference[split] = accuracy(q, split, q->outputs.data[0].reference[split], q->outputs.data[0].classes);
	if (q->reference[split] > 0)
		return true;
	diag_error(d, NO_SPAN, "the float model has no sample right: do the labels belong to the samples?");
	return false;
}

static struct quality_result wrong(const char *why)
{
	return (struct quality_result){ NAN, INFINITY, NAN, true, why };
}

struct quality_result quality_judge(struct arena *scratch, const struct quality *q, int split, const char *directory,
				    double perplexity)
{
	struct quality_result r = { .divergence = 0 };
	struct diag silent;
	FILE *null;

	if (q->kind == DECL_QUALITY_PERPLEXITY) {
		if (!isfinite(perplexity))
			return wrong("the perplexity is not finite");
		r.value = perplexity;
		r.loss = perplexity / q->reference[split] - 1;
		r.divergence = NAN;
		return r;
	}
	null = fopen("/dev/null", "w");
	diag_init(&silent, scratch, null ? null : stderr);
	for (uint32_t i = 0; i < q->outputs.len && !r.wrong; i++) {
		const struct quality_output *o = &q->outputs.data[i];
		struct npy_array y;
		double v;

		if (!npy_array_read(scratch, &silent, NO_SPAN, arena_printf(scratch, "%s/%s.npy", directory, o->name), &y) ||
		    y.elements != o->elements[split])
			r = wrong("an output is missing or has another shape");
		else if (finite_all(o->reference[split], o->elements[split]) && !finite_all(y.data, y.elements))
			r = wrong("an output is not finite");
		if (r.wrong)
			break;
		v = divergence(scratch, o, split, y.data);
		if (!isfinite(v)) {
			r = wrong("an output cannot be compared with the float model's");
			break;
		}
		r.divergence = v > r.divergence ? v : r.divergence;
		if (i == 0 && q->kind == DECL_QUALITY_ACCURACY)
			r.value = accuracy(q, split, y.data, o->classes);
	}
	if (null)
		fclose(null);
	if (r.wrong)
		return r;
	if (q->kind == DECL_QUALITY_ACCURACY)
		r.loss = (q->reference[split] - r.value) / q->reference[split];
	else
		r.value = r.loss = r.divergence;
	if (q->kind == DECL_QUALITY_NONE)
		r.loss = 0;
	return r;
}
