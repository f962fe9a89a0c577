/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solve.c - the four methods on one matrix, row by row on some threads.
 *
 * gptq: with U the upper Cholesky factor of the inverse of H, an error made at
 * weight i is made up for at best by taking error / U[i][i] times U[i][j] off
 * each later weight j. Grids are fitted when their group is reached, to the
 * weights as they are then.
 *
 * learned: each weight has an offset that is added before rounding, each group
 * a factor on its scale (and, asymmetric, on its minimum). They move by the
 * sign of the loss's gradient, rounding taken as the identity, in steps that
 * shrink to nothing; what was best is kept. It starts from gptq's codes, so it
 * is never worse, and it ends with single codes that go up or down by one where
 * that alone makes the loss smaller.
 */
#include "config.h"

#include "quant/solve.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- threads ---- */

struct crew {
	void (*work)(void *context, int64_t i);
	void *context;
	int64_t next, count;
	pthread_mutex_t lock;
};

static void *crew_member(void *p)
{
	struct crew *c = p;

	for (;;) {
		int64_t i;

		pthread_mutex_lock(&c->lock);
		i = c->next++;
		pthread_mutex_unlock(&c->lock);
		if (i >= c->count)
			return NULL;
		c->work(c->context, i);
	}
}

void quant_parallel(uint32_t threads, int64_t count, void (*work)(void *context, int64_t i), void *context)
{
	struct crew c = { .work = work, .context = context, .count = count, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t other[63];
	uint32_t started = 0;

	while (started + 1 < threads && started < 63 && (int64_t)started + 1 < count &&
	       pthread_create(&other[started], NULL, crew_member, &c) == 0)
		started++;
	crew_member(&c);
	for (uint32_t i = 0; i < started; i++)
		pthread_join(other[i], NULL);
	pthread_mutex_destroy(&c.lock);
}

/* ---- a row ---- */

static int64_t groups_of(const struct quant_problem *p)
{
	return (p->row + p->group - 1) / p->group;
}

static int64_t group_size(const struct quant_problem *p, int64_t g)
{
	int64_t left = p->row - g * p->group;

	return left < p->group ? left : p->group;
}

static struct quant_grid grid_at(const struct quant_problem *p, int64_t r, int64_t g)
{
	int64_t at = r * groups_of(p) + g;

	return quant_grid(p->scale[at], p->asymmetric ? p->minimum[at] : 0, p->bits, p->asymmetric);
}

static void set_grid(const struct quant_problem *p, int64_t r, int64_t g, struct quant_grid x)
{
	p->scale[r * groups_of(p) + g] = float_to_half(x.scale);
	if (p->asymmetric)
		p->minimum[r * groups_of(p) + g] = float_to_half(x.minimum);
}

static void round_row(void *context, int64_t r)
{
	const struct quant_problem *p = context;

	for (int64_t g = 0; g < groups_of(p); g++) {
		int64_t first = g * p->group, n = group_size(p, g);
		const float *w = p->w + r * p->row + first;
		struct quant_grid x = quant_fit(w, p->importance ? p->importance + first : NULL, n, p->bits, p->asymmetric,
						p->clip);

		set_grid(p, r, g, x);
		for (int64_t i = 0; i < n; i++)
			p->code[r * p->row + first + i] = quant_code(w[i], x, p->bits);
	}
}

/* (w - q)' H (w - q) of a row, with what is known of H. */
static double row_loss(const struct quant_problem *p, int64_t r)
{
	size_t n = (size_t)p->row;
	float *error = xmalloc(2 * n * sizeof *error), *later = error + n;
	double loss = 0;

	memset(later, 0, n * sizeof *later);
	for (size_t i = 0; i < n; i++) {
		struct quant_grid x = grid_at(p, r, (int64_t)i / p->group);

		error[i] = (float)p->code[(size_t)r * n + i] * x.scale + x.minimum - p->w[(size_t)r * n + i];
	}
	for (size_t i = 0; i < n; i++) {
		const float *h = p->hessian ? p->hessian + i * n : NULL;
		double diagonal = (double)(h ? h[i] : p->importance ? p->importance[i] : 1), e = (double)error[i];

		loss += e * (diagonal * e + 2 * (double)later[i]); /* later[i]: what the errors before it weigh on it */
		for (size_t j = i + 1; h && error[i] != 0 && j < n; j++)
			later[j] += error[i] * h[j];
	}
	free(error);
	return loss;
}

/* A row's codes and grids, kept aside. */
struct row_copy {
	uint8_t *code;
	uint16_t *scale, *minimum;
};

static struct row_copy row_keep(const struct quant_problem *p, int64_t r)
{
	size_t n = (size_t)p->row, groups = (size_t)groups_of(p);
	struct row_copy k = { xmalloc(n), xmalloc(groups * sizeof *k.scale), xmalloc(groups * sizeof *k.minimum) };

	memcpy(k.code, p->code + (size_t)r * n, n);
	memcpy(k.scale, p->scale + (size_t)r * groups, groups * sizeof *k.scale);
	if (p->asymmetric)
		memcpy(k.minimum, p->minimum + (size_t)r * groups, groups * sizeof *k.minimum);
	return k;
}

/* Back to what was kept where that was better; frees it. */
static void row_better(const struct quant_problem *p, int64_t r, struct row_copy k, double loss)
{
	size_t n = (size_t)p->row, groups = (size_t)groups_of(p);

	if (loss < row_loss(p, r)) {
		memcpy(p->code + (size_t)r * n, k.code, n);
		memcpy(p->scale + (size_t)r * groups, k.scale, groups * sizeof *k.scale);
		if (p->asymmetric)
			memcpy(p->minimum + (size_t)r * groups, k.minimum, groups * sizeof *k.minimum);
	}
	free(k.code);
	free(k.scale);
	free(k.minimum);
}

/* As if nothing were known of the inputs; *loss: with what is. */
static struct row_copy row_plain(const struct quant_problem *p, int64_t r, double *loss)
{
	struct quant_problem plain = *p;

	plain.importance = NULL;
	round_row(&plain, r);
	*loss = row_loss(p, r);
	return row_keep(p, r);
}

static void weighted_row(void *context, int64_t r)
{
	const struct quant_problem *p = context;
	double loss;
	struct row_copy plain = row_plain(p, r, &loss);

	round_row(context, r);
	row_better(p, r, plain, loss);
}

/* ---- gptq ---- */

/* The lower Cholesky factor in place; false: not positive definite. */
static bool cholesky(double *a, int64_t n)
{
	for (int64_t j = 0; j < n; j++) {
		double d = a[j * n + j];

		for (int64_t k = 0; k < j; k++)
			d -= a[j * n + k] * a[j * n + k];
		if (!(d > 0) || isinf(d))
			return false;
		a[j * n + j] = d = sqrt(d);
		for (int64_t i = j + 1; i < n; i++) {
			double s = a[i * n + j];

			for (int64_t k = 0; k < j; k++)
				s -= a[i * n + k] * a[j * n + k];
			a[i * n + j] = s / d;
		}
	}
	return true;
}

/*
 * U with U' U the inverse of H, as floats. With the order of the inputs turned
 * round, H = L L' gives it without an inverse of H: U is the inverse of L, turned round.
 */
static float *inverse_factor(const struct quant_problem *p)
{
	int64_t n = p->row;
	double *a = xmalloc((size_t)(n * n) * sizeof *a), *x = xmalloc((size_t)n * sizeof *x), mean = 0;
	float *u = xmalloc((size_t)(n * n) * sizeof *u);
	bool good;

	for (int64_t i = 0; i < n; i++)
		mean += (double)p->hessian[i * n + i] / (double)n;
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++)
			a[i * n + j] = (double)p->hessian[(n - 1 - i) * n + (n - 1 - j)];
	for (int64_t i = 0; i < n; i++)
		a[i * n + i] += p->damping * mean + 1e-20;
	good = cholesky(a, n);
	memset(u, 0, (size_t)(n * n) * sizeof *u);
	for (int64_t c = 0; good && c < n; c++) { /* column c of the inverse of L */
		for (int64_t i = c; i < n; i++) {
			double s = i == c;

			for (int64_t k = c; k < i; k++)
				s -= a[i * n + k] * x[k];
			x[i] = s / a[i * n + i];
			u[(n - 1 - i) * n + (n - 1 - c)] = (float)x[i];
		}
	}
	free(a);
	free(x);
	if (good)
		return u;
	free(u);
	return NULL;
}

struct gptq {
	const struct quant_problem *p;
	const float *u;
};

/* A row that was better as it was rounded stays so. */
static void gptq_row(void *context, int64_t r)
{
	const struct gptq *q = context;
	const struct quant_problem *p = q->p;
	float *w = xmalloc((size_t)p->row * sizeof *w);
	struct quant_grid x = { 0 };
	double loss;
	struct row_copy plain = row_plain(p, r, &loss);

	memcpy(w, p->w + r * p->row, (size_t)p->row * sizeof *w);
	for (int64_t i = 0; i < p->row; i++) {
		const float *u = q->u + i * p->row;
		uint8_t code;
		float e;

		if (i % p->group == 0) {
			x = quant_fit(w + i, p->importance ? p->importance + i : NULL, group_size(p, i / p->group), p->bits,
				      p->asymmetric, p->clip);
			set_grid(p, r, i / p->group, x);
		}
		code = quant_code(w[i], x, p->bits);
		p->code[r * p->row + i] = code;
		e = (w[i] - ((float)code * x.scale + x.minimum)) / u[i];
		for (int64_t j = i + 1; j < p->row; j++)
			w[j] -= e * u[j];
	}
	free(w);
	row_better(p, r, plain, loss);
}

/* ---- learned ---- */

enum { SCALE_STEPS = 10 };

struct learner {
	const struct quant_problem *p;
	float *w, *error, *next, *gradient, *offset, *best_offset; /* row each */
	float *factor, *shift, *best_factor, *best_shift;   /* of each group */
	struct quant_grid *base;
	uint8_t *code;
};

/* gradient += H (to - error), error = to: only what differs costs anything. */
static void move_error(const struct quant_problem *p, const float *to, float *error, float *gradient)
{
	for (int64_t i = 0; i < p->row; i++) {
		const float *h = p->hessian + i * p->row;
		float e = to[i] - error[i];

		error[i] = to[i];
		if (e != 0)
			for (int64_t j = 0; j < p->row; j++)
				gradient[j] += e * h[j];
	}
}

static double loss_of(const struct quant_problem *p, const float *error, const float *gradient)
{
	double loss = 0;

	for (int64_t i = 0; i < p->row; i++)
		loss += (double)error[i] * (double)gradient[i];
	return loss;
}

static struct quant_grid moved(const struct learner *l, int64_t g)
{
	const struct quant_problem *p = l->p;
	float scale = l->base[g].scale * l->factor[g];

	return quant_grid(float_to_half(scale), float_to_half(l->base[g].minimum + l->shift[g] * l->base[g].scale), p->bits,
			  p->asymmetric);
}

static void learner_round(struct learner *l)
{
	const struct quant_problem *p = l->p;

	for (int64_t i = 0; i < p->row; i++) {
		struct quant_grid x = moved(l, i / p->group);

		l->code[i] = quant_code(l->w[i] + l->offset[i] * x.scale, x, p->bits);
		l->next[i] = (float)l->code[i] * x.scale + x.minimum - l->w[i];
	}
	move_error(p, l->next, l->error, l->gradient);
}

static float sign_of(float x)
{
	return x > 0 ? 1 : x < 0 ? -1 : 0;
}

/* One step against the gradient's sign; scales move at some of them only, because then everything differs. */
static void learner_step(struct learner *l, float rate, float scale_rate)
{
	const struct quant_problem *p = l->p;
	float zero = p->asymmetric ? 0 : (float)(1 << (p->bits - 1)), most = (float)((1 << p->bits) - 1);

	for (int64_t g = 0; g < groups_of(p); g++) {
		struct quant_grid x = moved(l, g);
		float by_scale = 0, by_shift = 0;

		for (int64_t k = 0; k < group_size(p, g); k++) {
			int64_t i = g * p->group + k;
			float t = x.scale != 0 ? (l->w[i] - x.minimum) / x.scale : 0, q = (float)l->code[i];
			bool inside = t >= -0.5f && t <= most + 0.5f;

			by_scale += l->gradient[i] * (inside ? q - t : q - zero) * x.scale;
			if (!inside)
				by_shift += l->gradient[i] * x.scale;
			else
				l->offset[i] -= rate * sign_of(l->gradient[i] * x.scale);
			l->offset[i] = fmaxf(fminf(l->offset[i], 1), -1);
		}
		l->factor[g] -= 0.1f * scale_rate * sign_of(by_scale);
		if (p->asymmetric)
			l->shift[g] -= scale_rate * sign_of(by_shift);
	}
}

/* Codes that go up or down by one, each time the one at hand, as long as that helps. */
static void polish(const struct quant_problem *p, int64_t r, float *gradient)
{
	int most = (1 << p->bits) - 1;
	bool any = true;

	for (int turn = 0; turn < 8 && any; turn++) {
		any = false;
		for (int64_t i = 0; i < p->row; i++) {
			const float *h = p->hessian + i * p->row;
			uint8_t *code = &p->code[r * p->row + i];
			float s = grid_at(p, r, i / p->group).scale;
			int step = gradient[i] * s > 0 ? -1 : 1;
			float d = (float)step * s;

			if (*code + step < 0 || *code + step > most || !(d * (2 * gradient[i] + d * h[i]) < 0))
				continue;
			*code = (uint8_t)(*code + step);
			for (int64_t j = 0; j < p->row; j++)
				gradient[j] += d * h[j];
			any = true;
		}
	}
}

static void learn(struct learner *l, int64_t r)
{
	const struct quant_problem *p = l->p;
	size_t row = (size_t)p->row * sizeof(float), groups = (size_t)groups_of(p) * sizeof(float);
	double least = INFINITY;

	for (uint32_t t = 0; t <= p->iterations; t++) {
		double loss;
		float rate = (float)(p->learning_rate * (1 - (double)t / (p->iterations + 1)));

		learner_round(l);
		loss = loss_of(p, l->error, l->gradient);
		if (loss < least) {
			least = loss;
			memcpy(l->best_offset, l->offset, row);
			memcpy(l->best_factor, l->factor, groups);
			memcpy(l->best_shift, l->shift, groups);
		}
		learner_step(l, rate, t % SCALE_STEPS ? 0 : rate * SCALE_STEPS);
	}
	memcpy(l->offset, l->best_offset, row);
	memcpy(l->factor, l->best_factor, groups);
	memcpy(l->shift, l->best_shift, groups);
	learner_round(l);
	for (int64_t g = 0; g < groups_of(p); g++)
		set_grid(p, r, g, moved(l, g));
	memcpy(p->code + r * p->row, l->code, (size_t)p->row);
}

/* What a code of gptq needs to be rounded to is its offset. */
static void learn_row(void *context, int64_t r)
{
	const struct quant_problem *p = context;
	size_t n = (size_t)p->row, groups = (size_t)groups_of(p);
	float *memory = calloc(5 * n + 4 * groups + 1, sizeof *memory);
	struct learner l = { .p = p, .w = (float *)(uintptr_t)(p->w + r * p->row), .error = memory, .gradient = memory + n,
			     .offset = memory + 2 * n, .best_offset = memory + 3 * n, .next = memory + 4 * n,
			     .factor = memory + 5 * n, .shift = memory + 5 * n + groups,
			     .best_factor = memory + 5 * n + 2 * groups, .best_shift = memory + 5 * n + 3 * groups, .base = xmalloc(groups * sizeof *l.base),
			     .code = xmalloc(n) };

	for (int64_t g = 0; memory && g < (int64_t)groups; g++) {
		l.base[g] = grid_at(p, r, g);
		l.factor[g] = 1;
	}
	for (int64_t i = 0; memory && i < (int64_t)n; i++) {
		struct quant_grid x = l.base[i / p->group];
		float want = (float)p->code[r * p->row + i], have = x.scale != 0 ? (l.w[i] - x.minimum) / x.scale : want;

		have = have < 0 ? 0 : have > (float)((1 << p->bits) - 1) ? (float)((1 << p->bits) - 1) : have;
		l.offset[i] = rintf(have) == want ? 0 : fmaxf(fminf(want - have, 1), -1);
	}
	if (memory) {
		double loss = row_loss(p, r);
		struct row_copy before = row_keep(p, r);

		learn(&l, r);
		polish(p, r, l.gradient);
		row_better(p, r, before, loss); /* codes further off than an offset goes are not where it started */
	}
	free(memory);
	free(l.base);
	free(l.code);
}

bool quant_solve(struct quant_problem *p)
{
	struct gptq q = { .p = p };
	float *u;

	if (p->method == QUANT_ROUND || p->method == QUANT_WEIGHTED) {
		quant_parallel(p->threads, p->rows, p->method == QUANT_ROUND ? round_row : weighted_row, p);
		return true;
	}
	if (!p->hessian || !(u = inverse_factor(p)))
		return false;
	q.u = u;
	quant_parallel(p->threads, p->rows, gptq_row, &q);
	free(u);
	if (p->method == QUANT_LEARNED)
		quant_parallel(p->threads, p->rows, learn_row, p);
	return true;
}
