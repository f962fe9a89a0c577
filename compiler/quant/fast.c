/* SPDX-License-Identifier: Apache-2.0 */
/* fast.c - products and convolutions (transposed ones too) as tiles of four rows by eight outputs. */
#include "config.h"

#include "quant/fast.h"

#include <stdlib.h>
#include <string.h>

typedef float lanes __attribute__((vector_size(32), aligned(4)));

enum { LANES = 8, ROWS = 4 };

static void window_of(const struct graph *g, struct fast_product *f)
{
	const struct shape *x = &graph_value(g, f->n->in[0])->shape, *o = &graph_value(g, f->n->out[0])->shape;
	const struct shape *w = &graph_value(g, f->n->in[1])->shape;
	uint32_t count;

	f->dims = x->rank - 2;
	f->channels = x->dim[x->rank - 1];
	for (uint32_t i = 0; i < 3; i++) {
		f->in[i] = f->out[i] = f->kernel[i] = f->stride[i] = f->dilation[i] = 1;
		f->begin[i] = 0;
	}
	for (uint32_t i = 0; i < f->dims; i++) {
		uint32_t at = 3 - f->dims + i;

		f->in[at] = x->dim[1 + i];
		f->out[at] = o->dim[1 + i];
		f->kernel[at] = w->dim[2 + i];
		f->stride[at] = node_ints(f->n, ATTR_strides, &count)[i];
		f->dilation[at] = node_ints(f->n, ATTR_dilations, &count)[i];
		f->begin[at] = node_ints(f->n, ATTR_pads, &count)[i];
	}
}

bool fast_prepare(struct arena *a, const struct graph *g, const struct quant_matrix *m, const struct node *n,
		  struct fast_product *f, struct diag *d)
{
	const struct shape *o = &graph_value(g, n->out[0])->shape;
	float *w;

	*f = (struct fast_product){ .n = n, .groups = 1, .alpha = 1 };
	(void)a;
	if (!m->blocks || (n->op != OP_matmul && n->op != OP_conv && n->op != OP_conv_transpose) ||
	    (n->op != OP_matmul && graph_value(g, n->in[0])->shape.rank > 5))
		return false;
	if (n->op != OP_matmul) {
		f->groups = node_int(n, ATTR_group, 1);
		window_of(g, f);
	} else {
		f->alpha = node_float(n, ATTR_alpha, 1);
	}
	f->k = m->tensor.row;
	f->outputs = m->tensor.rows / f->groups;
	f->padded = (f->outputs + LANES - 1) / LANES * LANES;
	f->rows = shape_elements(o) / m->tensor.rows;
	w = quant_matrix_read(g, m, d);
	if (!w)
		return false;
	f->weights = calloc((size_t)(f->groups * f->k * f->padded) + 1, sizeof *f->weights);
	for (int64_t r = 0; f->weights && r < m->tensor.rows; r++)
		for (int64_t k = 0; k < f->k; k++)
			f->weights[(r / f->outputs * f->k + k) * f->padded + r % f->outputs] = w[r * f->k + k];
	free(w);
	return f->weights != NULL;
}

void fast_release(struct fast_product *f)
{
	free(f->weights);
	f->weights = NULL;
}

/* On axis i: the input that kernel position k brings to output o; -1: none. */
static int64_t input_at(const struct fast_product *f, int i, int64_t o, int64_t k)
{
	int64_t x;

	if (f->n->op == OP_conv) {
		x = o * f->stride[i] - f->begin[i] + k * f->dilation[i];
	} else { /* spread over every stride-th output */
		x = o + f->begin[i] - k * f->dilation[i];
		x = x % f->stride[i] ? -1 : x / f->stride[i];
	}
	return x < f->in[i] ? x : -1;
}

const float *fast_row(const struct fast_product *f, const float *x, int64_t row, int64_t group, float *room)
{
	int64_t each, o[3], at = row;
	float *to = room;

	if (f->n->op == OP_matmul)
		return x + row * f->k;
	each = f->channels / f->groups;
	for (int i = 2; i >= 0; i--) {
		o[i] = at % f->out[i];
		at /= f->out[i];
	}
	for (int64_t z = 0; z < f->kernel[0]; z++)
		for (int64_t y = 0; y < f->kernel[1]; y++)
			for (int64_t t = 0; t < f->kernel[2]; t++, to += each) {
				int64_t iz = input_at(f, 0, o[0], z), iy = input_at(f, 1, o[1], y);
				int64_t ix = input_at(f, 2, o[2], t);

				if (iz < 0 || iy < 0 || ix < 0)
					memset(to, 0, (size_t)each * sizeof *to);
				else
					memcpy(to, x + (((at * f->in[0] + iz) * f->in[1] + iy) * f->in[2] + ix) * f->channels +
							   group * each, (size_t)each * sizeof *to);
			}
	return room;
}

/* Four rows times eight outputs. */
static void tile(const float *const *a, const float *w, int64_t k, int64_t padded, lanes *out)
{
	lanes c0 = { 0 }, c1 = c0, c2 = c0, c3 = c0;

	for (int64_t i = 0; i < k; i++, w += padded) {
		lanes b = *(const lanes *)w;

		c0 += a[0][i] * b;
		c1 += a[1][i] * b;
		c2 += a[2][i] * b;
		c3 += a[3][i] * b;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

void fast_run(const struct fast_product *f, const float *x, float *out)
{
	float *room = xmalloc((size_t)(ROWS * f->k) * sizeof *room + 1), alpha = (float)f->alpha;
	const float *a[ROWS];
	lanes c[ROWS];

	for (int64_t g = 0; g < f->groups; g++)
		for (int64_t row = 0; row < f->rows; row += ROWS) {
			int64_t rows = f->rows - row < ROWS ? f->rows - row : ROWS;

			for (int64_t i = 0; i < ROWS; i++)
				a[i] = i < rows ? fast_row(f, x, row + i, g, room + i * f->k) : a[0];
			for (int64_t n = 0; n < f->outputs; n += LANES) {
				int64_t some = f->outputs - n < LANES ? f->outputs - n : LANES;

				tile(a, f->weights + g * f->k * f->padded + n, f->k, f->padded, c);
				for (int64_t i = 0; i < rows; i++) {
					float *to = out + (row + i) * f->outputs * f->groups + g * f->outputs + n;

					for (int64_t j = 0; j < some; j++)
						to[j] = c[i][j] * alpha;
				}
			}
		}
	free(room);
}

/* ---- epilogues ---- */

enum { MOST_STEPS = 16 };

/* An operand over rows of the output's last dim. */
struct operand {
	const float *data;
	int64_t row, one; /* what a row and an element of it are apart */
};

static bool find_operand(const struct node *n, const struct ref_tensor *in, uint32_t i, const struct shape *out,
			 struct operand *o)
{
	const struct ref_tensor *t = &in[n->epilogue_first_input + i];
	int64_t elements = shape_elements(&t->shape), last = out->dim[out->rank - 1];

	if (t->dtype != DTYPE_F32 || (n->view && n->view[i]))
		return false;
	*o = (struct operand){ t->data, 0, 0 };
	if (elements == 1)
		return true;
	o->one = 1;
	if (t->shape.rank && t->shape.dim[t->shape.rank - 1] == last && elements == last)
		return true;
	o->row = last;
	return elements == shape_elements(out);
}

static bool step_is_fast(const struct epilogue_step *s)
{
	switch (s->op) {
	case OP_add: case OP_sub: case OP_mul: case OP_relu:
		return s->dtype == DTYPE_F32;
	default:
		return s->dtype == DTYPE_F32 && op_class(s->op) == OP_UNARY && s->op != OP_cast;
	}
}

static void run_step(const struct epilogue_step *s, const float *x, int64_t dx, const float *y, int64_t dy, float *to,
		     int64_t n)
{
	double z;

	switch (s->op) {
	case OP_add:
		for (int64_t i = 0; i < n; i++)
			to[i] = x[i * dx] + y[i * dy];
		break;
	case OP_sub:
		for (int64_t i = 0; i < n; i++)
			to[i] = x[i * dx] - y[i * dy];
		break;
	case OP_mul:
		for (int64_t i = 0; i < n; i++)
			to[i] = x[i * dx] * y[i * dy];
		break;
	case OP_relu:
		for (int64_t i = 0; i < n; i++)
			to[i] = x[i * dx] > 0 ? x[i * dx] : 0;
		break;
	default:
		for (int64_t i = 0; i < n; i++)
			to[i] = ref_unary(s->op, s->attr, s->attr_count, (double)x[i * dx], &z) ? (float)z : 0;
		break;
	}
}

bool fast_epilogue(const struct node *n, const float *result, const struct ref_tensor *in, struct ref_tensor *out)
{
	const struct shape *s = &out->shape;
	struct operand operand[MOST_STEPS][2] = { 0 };
	int64_t last, rows;
	float *room;
	double z;

	if (n->epilogue_count > MOST_STEPS || !s->rank || out->dtype != DTYPE_F32 || !shape_elements(s))
		return false;
	for (uint32_t i = 0; i < n->epilogue_count; i++) {
		const struct epilogue_step *e = &n->epilogue[i];
		uint32_t arity = op_class(e->op) == OP_UNARY ? 1 : 2;

		if (!step_is_fast(e) || (arity == 1 && e->op != OP_relu && !ref_unary(e->op, e->attr, e->attr_count, 0.5, &z)))
			return false;
		for (uint32_t k = 0; k < arity; k++)
			if (e->in[k].is_input ? !find_operand(n, in, e->in[k].index, s, &operand[i][k]) :
						e->in[k].index == 0 && !result)
				return false;
	}
	last = s->dim[s->rank - 1];
	rows = shape_elements(s) / last;
	room = xmalloc((size_t)(n->epilogue_count * last) * sizeof *room + 1);
	for (int64_t r = 0; r < rows; r++) {
		for (uint32_t i = 0; i < n->epilogue_count; i++) {
			const struct epilogue_step *e = &n->epilogue[i];
			const float *x[2] = { NULL, NULL };
			int64_t step[2] = { 0, 0 };

			for (uint32_t k = 0; k < (op_class(e->op) == OP_UNARY ? 1u : 2u); k++) {
				const struct operand *o = &operand[i][k];

				if (e->in[k].is_input) {
					x[k] = o->data + r * o->row;
					step[k] = o->one;
				} else {
					x[k] = e->in[k].index ? room + (e->in[k].index - 1) * last : result + r * last;
					step[k] = 1;
				}
			}
			run_step(e, x[0], step[0], x[1], step[1],
				 i + 1 == n->epilogue_count ? (float *)out->data + r * last : room + i * last, last);
		}
	}
	free(room);
	return true;
}
