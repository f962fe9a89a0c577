/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_rnn.c - lstm and gru after the ONNX definitions.
 *
 * X[T,B,I] (layout 1: [B,T,I]), W[D,G*H,I], R[D,G*H,H], B[D,2*G*H], states
 * [D,B,H] (layout 1: [B,D,H]), Y[T,D,B,H] (layout 1: [B,T,D,H]); D directions,
 * G gates: i o f c for lstm, z r h for gru. One sequence of one direction is
 * computed at a time; steps past its length give zeros. A state keeps its
 * initial value when the length is 0.
 */
#include "config.h"

#include "ref/ref_internal.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_GATES = 4, MAX_FUNCTIONS = 3 };

struct rnn {
	const struct ref_call *c;
	uint32_t gates, functions;
	int64_t steps, batch, input, hidden, directions;
	bool layout, reverse_only, input_forget, linear_before_reset;
	double clip;
	enum rnn_activation f[2 * MAX_FUNCTIONS];
	double alpha[2 * MAX_FUNCTIONS], beta[2 * MAX_FUNCTIONS];
	const struct ref_tensor *lens, *h0, *c0, *peephole;
	double *h, *cell, *pre, *pre_r; /* [H], [H], [G*H], [G*H] */
};

double ref_rnn_activation(enum rnn_activation f, double alpha, double beta, double x)
{
	switch (f) {
	case RNN_SIGMOID:
		return 1 / (1 + exp(-x));
	case RNN_TANH:
		return tanh(x);
	case RNN_RELU:
		return x < 0 ? 0 : x;
	case RNN_LEAKY_RELU:
		return x < 0 ? alpha * x : x;
	case RNN_THRESHOLDED_RELU:
		return x > alpha ? x : 0;
	case RNN_SCALED_TANH:
		return alpha * tanh(beta * x);
	case RNN_HARD_SIGMOID:
		return fmin(fmax(alpha * x + beta, 0), 1);
	case RNN_ELU:
		return x < 0 ? alpha * expm1(x) : x;
	case RNN_SOFTSIGN:
		return x / (1 + fabs(x));
	case RNN_SOFTPLUS:
		return fmax(x, 0) + log1p(exp(-fabs(x)));
	case RNN_AFFINE:
		return alpha * x + beta;
	}
	return x;
}

/* The activation number k (f, g, h) of a direction on x, clipped first. */
static double activate(const struct rnn *r, int64_t direction, uint32_t k, double x)
{
	uint32_t i = (uint32_t)direction * r->functions + k;

	if (r->clip > 0)
		x = fmin(fmax(x, -r->clip), r->clip);
	return ref_rnn_activation(r->f[i], r->alpha[i], r->beta[i], x);
}

static double activate_output(const struct rnn *r, int64_t direction, double x)
{
	uint32_t i = (uint32_t)direction * r->functions + 2;

	return ref_rnn_activation(r->f[i], r->alpha[i], r->beta[i], x);
}

static double default_alpha(enum rnn_activation f)
{
	return f == RNN_LEAKY_RELU ? 0.01 : f == RNN_HARD_SIGMOID ? 0.2 : 1;
}

static double default_beta(enum rnn_activation f)
{
	return f == RNN_HARD_SIGMOID ? 0.5 : f == RNN_AFFINE ? 0 : 1;
}

static bool read_activations(const struct ref_call *c, struct rnn *r)
{
	static const enum rnn_activation usual[MAX_FUNCTIONS] = { RNN_SIGMOID, RNN_TANH, RNN_TANH };
	uint32_t n = (uint32_t)r->directions * r->functions;
	const int64_t *list = ref_ints(c, ATTR_activations, n);
	const double *alphas = ref_floats(c, ATTR_alphas, n), *betas = ref_floats(c, ATTR_betas, n);

	if (ref_attr(c, ATTR_activations) && !list)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (list && (list[i] < 0 || list[i] > RNN_AFFINE))
			return false;
		r->f[i] = list ? (enum rnn_activation)list[i] : usual[i % r->functions];
		r->alpha[i] = alphas ? alphas[i] : default_alpha(r->f[i]);
		r->beta[i] = betas ? betas[i] : default_beta(r->f[i]);
	}
	return true;
}

static bool has_elements(const struct ref_tensor *t, int64_t n)
{
	return !t || shape_elements(&t->shape) == n;
}

static bool rnn_of(const struct ref_call *c, struct rnn *r)
{
	const struct shape *x = &c->in[0].shape;
	int64_t direction = ref_int(c, ATTR_direction, RNN_FORWARD), state, gh;

	r->c = c;
	if (!ref_in(c, 1) || !ref_in(c, 2) || x->rank != 3 || c->in[1].shape.rank != 3 || c->in[2].shape.rank != 3)
		return false;
	r->layout = ref_int(c, ATTR_layout, 0) != 0;
	r->steps = x->dim[r->layout ? 1 : 0];
	r->batch = x->dim[r->layout ? 0 : 1];
	r->input = x->dim[2];
	r->hidden = c->in[2].shape.dim[2];
	r->directions = direction == RNN_BIDIRECTIONAL ? 2 : 1;
	r->reverse_only = direction == RNN_REVERSE;
	r->clip = ref_float(c, ATTR_clip, 0);
	r->input_forget = ref_int(c, ATTR_input_forget, 0) != 0;
	r->linear_before_reset = ref_int(c, ATTR_linear_before_reset, 0) != 0;
	r->lens = ref_in(c, 4);
	r->h0 = ref_in(c, 5);
	r->c0 = r->gates == 4 ? ref_in(c, 6) : NULL;
	r->peephole = r->gates == 4 ? ref_in(c, 7) : NULL;
	gh = r->gates * r->hidden;
	state = r->directions * r->batch * r->hidden;
	return has_elements(&c->in[1], r->directions * gh * r->input)
	       && has_elements(&c->in[2], r->directions * gh * r->hidden)
	       && has_elements(ref_in(c, 3), r->directions * 2 * gh) && has_elements(r->lens, r->batch)
	       && has_elements(r->h0, state) && has_elements(r->c0, state)
	       && has_elements(r->peephole, r->directions * 3 * r->hidden) && read_activations(c, r);
}

static int64_t x_at(const struct rnn *r, int64_t t, int64_t b)
{
	return (r->layout ? b * r->steps + t : t * r->batch + b) * r->input;
}

static int64_t y_at(const struct rnn *r, int64_t t, int64_t d, int64_t b)
{
	return (r->layout ? (b * r->steps + t) * r->directions + d : (t * r->directions + d) * r->batch + b)
	       * r->hidden;
}

static int64_t state_at(const struct rnn *r, int64_t d, int64_t b)
{
	return (r->layout ? b * r->directions + d : d * r->batch + b) * r->hidden;
}

/* pre = X W^T + Wb, pre_r = H R^T + Rb, for all gates. */
static void project(const struct rnn *r, int64_t t, int64_t d, int64_t b)
{
	const struct ref_tensor *x = &r->c->in[0], *w = &r->c->in[1], *rec = &r->c->in[2], *bias = ref_in(r->c, 3);
	int64_t gh = r->gates * r->hidden;

	for (int64_t j = 0; j < gh; j++) {
		r->pre[j] = bias ? ref_get(bias, d * 2 * gh + j) : 0;
		r->pre_r[j] = bias ? ref_get(bias, d * 2 * gh + gh + j) : 0;
		for (int64_t i = 0; i < r->input; i++)
			r->pre[j] += ref_get(x, x_at(r, t, b) + i) * ref_get(w, (d * gh + j) * r->input + i);
		for (int64_t i = 0; i < r->hidden; i++)
			r->pre_r[j] += r->h[i] * ref_get(rec, (d * gh + j) * r->hidden + i);
	}
}

static double peep(const struct rnn *r, int64_t d, int64_t which, int64_t j, double cell)
{
	return r->peephole ? ref_get(r->peephole, (d * 3 + which) * r->hidden + j) * cell : 0;
}

static void lstm_step(const struct rnn *r, int64_t d)
{
	int64_t n = r->hidden;

	for (int64_t j = 0; j < n; j++) {
		double i = r->pre[j] + r->pre_r[j], o = r->pre[n + j] + r->pre_r[n + j];
		double f = r->pre[2 * n + j] + r->pre_r[2 * n + j], g = r->pre[3 * n + j] + r->pre_r[3 * n + j];

		i = activate(r, d, 0, i + peep(r, d, 0, j, r->cell[j]));
		f = r->input_forget ? 1 - i : activate(r, d, 0, f + peep(r, d, 2, j, r->cell[j]));
		r->cell[j] = f * r->cell[j] + i * activate(r, d, 1, g);
		o = activate(r, d, 0, o + peep(r, d, 1, j, r->cell[j]));
		r->h[j] = o * activate_output(r, d, r->cell[j]);
	}
}

static void gru_step(const struct rnn *r, int64_t d)
{
	const struct ref_tensor *rec = &r->c->in[2], *bias = ref_in(r->c, 3);
	int64_t n = r->hidden;

	for (int64_t j = 0; j < 2 * n; j++)
		r->pre[j] = activate(r, d, 0, r->pre[j] + r->pre_r[j]);
	for (int64_t j = 0; j < n; j++) {
		double h = r->pre[2 * n + j];

		if (r->linear_before_reset) {
			h += r->pre[n + j] * r->pre_r[2 * n + j];
		} else {
			h += bias ? ref_get(bias, d * 6 * n + 5 * n + j) : 0;
			for (int64_t i = 0; i < n; i++)
				h += r->pre[n + i] * r->h[i] * ref_get(rec, (d * 3 * n + 2 * n + j) * n + i);
		}
		r->cell[j] = activate(r, d, 1, h); /* all of h is still needed: kept apart */
	}
	for (int64_t j = 0; j < n; j++)
		r->h[j] = (1 - r->pre[j]) * r->cell[j] + r->pre[j] * r->h[j];
}

static void run_sequence(const struct rnn *r, int64_t d, int64_t b)
{
	struct ref_tensor *out = r->c->out;
	int64_t len = r->lens ? ref_get_int(r->lens, b) : r->steps, at = state_at(r, d, b);
	bool reverse = r->reverse_only || d == 1;

	len = len < 0 ? 0 : len > r->steps ? r->steps : len;
	for (int64_t j = 0; j < r->hidden; j++) {
		r->h[j] = r->h0 ? ref_get(r->h0, at + j) : 0;
		r->cell[j] = r->c0 ? ref_get(r->c0, at + j) : 0;
	}
	for (int64_t s = 0; s < r->steps; s++) {
		int64_t t = reverse && s < len ? len - 1 - s : s;

		if (s < len) {
			project(r, t, d, b);
			if (r->gates == 4)
				lstm_step(r, d);
			else
				gru_step(r, d);
		}
		for (int64_t j = 0; j < r->hidden && out[0].data; j++)
			ref_set(&out[0], y_at(r, t, d, b) + j, s < len ? r->h[j] : 0);
	}
	for (int64_t j = 0; j < r->hidden; j++) {
		if (r->c->out_count > 1 && out[1].data)
			ref_set(&out[1], at + j, r->h[j]);
		if (r->gates == 4 && r->c->out_count > 2 && out[2].data)
			ref_set(&out[2], at + j, r->cell[j]);
	}
}

static bool rnn_run(const struct ref_call *c, uint32_t gates, uint32_t functions)
{
	struct rnn r = { .gates = gates, .functions = functions };
	double *memory;

	if (!rnn_of(c, &r))
		return false;
	memory = calloc((size_t)r.hidden * (2 + 2 * MAX_GATES) + 1, sizeof(*memory));
	if (!memory)
		return false;
	r.h = memory;
	r.cell = r.h + r.hidden;
	r.pre = r.cell + r.hidden;
	r.pre_r = r.pre + MAX_GATES * r.hidden;
	for (int64_t d = 0; d < r.directions; d++)
		for (int64_t b = 0; b < r.batch; b++)
			run_sequence(&r, d, b);
	free(memory);
	return true;
}

bool ref_lstm(const struct ref_call *c)
{
	return rnn_run(c, 4, 3);
}

bool ref_gru(const struct ref_call *c)
{
	return rnn_run(c, 3, 2);
}
