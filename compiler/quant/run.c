/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - see run.h. */
#include "config.h"

#include "quant/run.h"

#include "base/npy_array.h"
#include "quant/fast.h"
#include "quant/solve.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_IN_ALL = 6144, LEAST_ROWS = 16 };

struct run {
	const struct graph *g;
	const struct quant_matrix *tensors;
	struct quant_seen *seen;
	uint32_t *tensor_of; /* by node; NO_ID: none */
	struct fast_product *fast; /* by node; weights NULL: none */
	void **constant; /* by value */
	const struct npy_array *samples;
	int64_t sample_count, sample_elements;
	pthread_mutex_t lock;
	const struct node *failed;
};

static size_t value_bytes(const struct graph *g, value_id v)
{
	return (size_t)shape_elements(&graph_value(g, v)->shape) * dtype_size(graph_value(g, v)->dtype);
}

/* Adds rows [count][k] of inputs. */
static void see(struct run *r, uint32_t tensor, const float *rows, int64_t count, int64_t k)
{
	struct quant_seen *s = &r->seen[tensor];
	size_t n = (size_t)(s->want_all ? k * k : k);
	float *sum = calloc(n, sizeof *sum);

	if (!sum)
		return;
	for (int64_t i = 0; i < k; i++)
		for (int64_t c = 0; c < count; c++) {
			const float *x = rows + c * k;
			float a = x[i], *to = sum + i * k;

			if (!s->want_all)
				sum[i] += a * a;
			else if (a != 0)
				for (int64_t j = i; j < k; j++)
					to[j] += a * x[j];
		}
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < n; i++)
		s->sum[i] += (double)sum[i];
	s->count += (uint64_t)count;
	pthread_mutex_unlock(&r->lock);
	free(sum);
}

/* Some of the rows that the product reads, others for each sample. */
static void sample_rows(struct run *r, uint32_t tensor, const struct fast_product *f, const float *x, int64_t sample)
{
	int64_t most = ROWS_IN_ALL / r->sample_count, step, count = 0;
	float *rows;

	if (!r->seen[tensor].want)
		return;
	most = most < LEAST_ROWS ? LEAST_ROWS : most;
	step = (f->rows + most - 1) / most;
	rows = xmalloc((size_t)(most * f->groups * f->k) * sizeof *rows);
	for (int64_t g = 0; g < f->groups; g++)
		for (int64_t at = sample * 7 % step, i = 0; at < f->rows && i < most; at += step, i++, count++) {
			const float *row = fast_row(f, x, at, g, rows + count * f->k);

			if (row != rows + count * f->k)
				memcpy(rows + count * f->k, row, (size_t)f->k * sizeof *rows);
		}
	see(r, tensor, rows, count, f->k);
	free(rows);
}

static struct ref_tensor tensor_at(const struct run *r, void **value, value_id v)
{
	if (v == NO_ID)
		return (struct ref_tensor){ 0 };
	if (graph_value(r->g, v)->kind == VALUE_CONST)
		return (struct ref_tensor){ graph_value(r->g, v)->dtype, graph_value(r->g, v)->shape, r->constant[v] };
	if (!value[v])
		value[v] = xmalloc(value_bytes(r->g, v) + 64);
	return (struct ref_tensor){ graph_value(r->g, v)->dtype, graph_value(r->g, v)->shape, value[v] };
}

/* The product itself; its bias, where it has one; its epilogue. */
static bool run_product(struct run *r, const struct node *n, const struct fast_product *f, const struct ref_tensor *in,
			struct ref_tensor *out)
{
	float *y = out->data;
	int64_t last = out->shape.dim[out->shape.rank - 1], rows = shape_elements(&out->shape) / last;
	struct ref_tensor result = *out;

	(void)r;
	fast_run(f, in[0].data, y);
	if (node_own_inputs(n) > 2 && n->in[2] != NO_ID) {
		const float *bias = in[2].data;
		int64_t one = shape_elements(&in[2].shape) == 1 ? 0 : 1;

		if (one && shape_elements(&in[2].shape) != last)
			return false;
		for (int64_t i = 0; i < rows; i++)
			for (int64_t j = 0; j < last; j++)
				y[i * last + j] += bias[j * one];
	}
	if (!n->epilogue_count || fast_epilogue(n, y, in, out))
		return true;
	result.data = xmalloc((size_t)(rows * last) * sizeof *y);
	memcpy(result.data, y, (size_t)(rows * last) * sizeof *y);
	if (!ref_epilogue(n, &result, in, n->in_count, out)) {
		free(result.data);
		return false;
	}
	free(result.data);
	return true;
}

static bool run_node(struct run *r, void **value, uint32_t id, int64_t sample)
{
	const struct node *n = graph_node(r->g, id);
	struct ref_tensor *in = xmalloc((n->in_count + 1) * sizeof *in), *out = xmalloc((n->out_count + 1) * sizeof *out);
	const struct fast_product *f = &r->fast[id];
	bool good = false;

	for (uint32_t i = 0; i < n->in_count; i++)
		in[i] = tensor_at(r, value, n->in[i]);
	for (uint32_t i = 0; i < n->out_count; i++)
		out[i] = tensor_at(r, value, n->out[i]);
	if (f->weights) {
		sample_rows(r, r->tensor_of[id], f, in[0].data, sample);
		good = run_product(r, n, f, in, out);
	} else if (n->op == OP_map && n->out_count == 1) {
		good = fast_epilogue(n, NULL, in, out);
	}
	good = good || ref_node(n, in, n->in_count, out, n->out_count);
	free(in);
	free(out);
	return good;
}

static void put_input(const struct run *r, void **value, int64_t sample)
{
	value_id v = r->g->inputs.data[0];
	struct ref_tensor t = tensor_at(r, value, v);
	const float *x = r->samples->data + sample * r->sample_elements;

	for (int64_t i = 0; i < r->sample_elements; i++)
		ref_set(&t, i, (double)x[i]);
}

static void run_sample(void *context, int64_t sample)
{
	struct run *r = context;
	struct arena tmp = { 0 };
	void **value = calloc(r->g->values.len + 1, sizeof *value);
	uint32_t *uses = graph_count_uses(r->g, &tmp);

	put_input(r, value, sample);
	for (uint32_t i = 0; i < r->g->nodes.len && !r->failed; i++) {
		const struct node *n = graph_node(r->g, i);

		if (n->dead)
			continue;
		if (!run_node(r, value, i, sample))
			r->failed = n;
		for (uint32_t k = 0; k < n->in_count; k++)
			if (n->in[k] != NO_ID && --uses[n->in[k]] == 0) {
				free(value[n->in[k]]);
				value[n->in[k]] = NULL;
			}
	}
	for (uint32_t i = 0; i < r->g->values.len; i++)
		free(value[i]);
	free(value);
	arena_release(&tmp);
}

/* The file against the network's input. */
static bool check_samples(struct run *r, const struct quant_config *c, struct diag *d)
{
	const struct npy_array *x = r->samples;
	const struct shape *s;

	if (r->g->inputs.len != 1) {
		diag_error(d, c->calibrate_span, "calibration needs a network of one input, this one has %u", r->g->inputs.len);
		return false;
	}
	s = &graph_value(r->g, r->g->inputs.data[0])->shape;
	r->sample_elements = shape_elements(s);
	r->sample_count = x->rank ? x->dim[0] : 0;
	if (r->sample_elements < 1 || r->sample_count < 1 ||
	    x->elements / (uint64_t)r->sample_count != (uint64_t)r->sample_elements) {
		struct arena tmp = { 0 };

		diag_error(d, c->calibrate_span, "\"%s\" has %llu numbers a sample, and the network's input %s has %lld", c->calibrate,
			   (unsigned long long)(r->sample_count > 0 ? x->elements / (uint64_t)r->sample_count : 0),
			   shape_string(&tmp, s), (long long)r->sample_elements);
		diag_hint(d, "The first dimension of the file counts samples.");
		arena_release(&tmp);
		return false;
	}
	if (r->sample_count > (c->samples ? c->samples : 128))
		r->sample_count = c->samples ? c->samples : 128;
	return true;
}

static bool prepare(struct arena *a, struct run *r, uint32_t count, struct diag *d)
{
	const struct graph *g = r->g;

	r->tensor_of = arena_new_array(a, uint32_t, g->nodes.len + 1);
	r->fast = calloc(g->nodes.len + 1, sizeof *r->fast);
	r->constant = calloc(g->values.len + 1, sizeof *r->constant);
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = graph_node(g, i);

		r->tensor_of[i] = NO_ID;
		for (uint32_t t = 0; !n->dead && t < count; t++)
			if (n->in_count > 1 && n->in[1] == r->tensors[t].tensor.value &&
			    fast_prepare(a, g, &r->tensors[t], n, &r->fast[i], d))
				r->tensor_of[i] = t;
		for (uint32_t k = 0; !n->dead && k < n->in_count; k++) {
			value_id v = n->in[k];

			if (v == NO_ID || graph_value(g, v)->kind != VALUE_CONST || r->constant[v] ||
			    (k == 1 && r->fast[i].weights))
				continue;
			r->constant[v] = xmalloc(value_bytes(g, v) + 64);
			if (!data_read(g, v, r->constant[v], d))
				return false;
		}
	}
	return d->errors == 0;
}

static void finish(struct arena *a, struct quant_seen *s, int64_t k)
{
	double n = s->count ? (double)s->count : 1;

	s->importance = arena_new_array(a, float, (size_t)k);
	for (int64_t i = 0; i < k; i++)
		s->importance[i] = (float)(s->sum[s->want_all ? i * k + i : i] / n);
	if (s->want_all) {
		s->hessian = arena_new_array(a, float, (size_t)(k * k));
		for (int64_t i = 0; i < k; i++)
			for (int64_t j = i; j < k; j++)
				s->hessian[i * k + j] = s->hessian[j * k + i] = (float)(s->sum[i * k + j] / n);
	}
	if (!s->count) /* nothing was seen: an input of no product */
		s->importance = s->hessian = NULL;
}

bool quant_run(struct arena *a, const struct graph *g, const struct quant_config *c, const struct quant_matrix *tensors,
	       uint32_t count, struct quant_seen *seen, struct diag *d)
{
	struct run r = { .g = g, .tensors = tensors, .seen = seen, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct npy_array samples;
	struct arena tmp = { 0 };
	bool good;

	r.samples = &samples;
	good = npy_array_read(&tmp, d, c->calibrate_span, c->calibrate, &samples) && check_samples(&r, c, d);
	for (uint32_t t = 0; good && t < count; t++) {
		int64_t k = tensors[t].tensor.row;

		if (seen[t].want)
			seen[t].sum = calloc((size_t)(seen[t].want_all ? k * k : k), sizeof *seen[t].sum);
		good = !seen[t].want || seen[t].sum;
		if (!good)
			diag_error(d, c->calibrate_span, "out of memory for what weight \"%s\" is multiplied with", tensors[t].tensor.name);
	}
	good = good && prepare(&tmp, &r, count, d);
	if (good)
		quant_parallel(c->threads, r.sample_count, run_sample, &r);
	if (good && r.failed) {
		diag_error(d, c->calibrate_span, "calibration cannot compute \"%s\" of node \"%s\"", op_name(r.failed->op),
			   r.failed->name ? r.failed->name : "");
		good = false;
	}
	for (uint32_t t = 0; t < count; t++) {
		if (good && seen[t].want)
			finish(a, &seen[t], tensors[t].tensor.row);
		free(seen[t].sum);
		seen[t].sum = NULL;
	}
	for (uint32_t i = 0; r.fast && i < g->nodes.len; i++)
		fast_release(&r.fast[i]);
	for (uint32_t i = 0; r.constant && i < g->values.len; i++)
		free(r.constant[i]);
	free(r.fast);
	free(r.constant);
	arena_release(&tmp);
	return good;
}
