/* SPDX-License-Identifier: Apache-2.0 */
/* ref_matmul.c - matmul and attention; sums in double. */
#include "config.h"

#include "ref/ref_internal.h"

#include <math.h>
#include <stdlib.h>

/* The batch dims: everything but the last two. */
static struct shape batch_of(const struct shape *s)
{
	struct shape b = *s;

	b.rank = s->rank >= 2 ? s->rank - 2 : 0;
	return b;
}

/* Strides of a tensor's matrices under broadcasting over the output's batch dims. */
static bool batch_strides(const struct shape *s, const struct shape *batch, int64_t stride[MAX_RANK])
{
	struct shape b = batch_of(s);

	if (s->rank < 2 || !ref_broadcast_strides(&b, batch, stride))
		return false;
	for (uint32_t i = 0; i < batch->rank; i++)
		stride[i] *= s->dim[s->rank - 2] * s->dim[s->rank - 1];
	return true;
}

struct product {
	int64_t m, n, k;
	bool trans_a, trans_b, integer;
	double alpha;
};

static int64_t product_a(const struct product *p, int64_t i, int64_t k)
{
	return p->trans_a ? k * p->m + i : i * p->k + k;
}

static int64_t product_b(const struct product *p, int64_t k, int64_t j)
{
	return p->trans_b ? j * p->k + k : k * p->n + j;
}

static void product_run(const struct ref_call *c, const struct product *p, int64_t a0, int64_t b0, int64_t out0,
			const struct ref_tensor *bias, const int64_t *bias_index, const int64_t *bias_stride)
{
	const struct ref_tensor *a = &c->in[0], *b = &c->in[1];
	uint32_t rank = c->out[0].shape.rank;

	for (int64_t i = 0; i < p->m; i++)
		for (int64_t j = 0; j < p->n; j++) {
			double sum = 0;
			uint64_t whole = 0;
			int64_t at = 0;

			for (int64_t k = 0; k < p->k; k++) {
				int64_t ka = a0 + product_a(p, i, k), kb = b0 + product_b(p, k, j);

				if (p->integer)
					whole += (uint64_t)ref_get_int(a, ka) * (uint64_t)ref_get_int(b, kb);
				else
					sum += ref_get(a, ka) * ref_get(b, kb);
			}
			if (bias)
				at = ref_offset(bias_index, bias_stride, rank - 2) + i * bias_stride[rank - 2]
				     + j * bias_stride[rank - 1];
			if (p->integer)
				ref_set_int(&c->out[0], out0 + i * p->n + j,
					    (int64_t)(whole + (bias ? (uint64_t)ref_get_int(bias, at) : 0)));
			else
				ref_set(&c->out[0], out0 + i * p->n + j,
					p->alpha * sum + (bias ? ref_get(bias, at) : 0));
		}
}

static bool product_of(const struct ref_call *c, struct product *p)
{
	const struct shape *a = &c->in[0].shape, *b = &c->in[1].shape, *o = &c->out[0].shape;
	int64_t kb;

	if (a->rank < 2 || b->rank < 2 || o->rank < 2)
		return false;
	p->trans_a = ref_int(c, ATTR_trans_a, 0) != 0;
	p->trans_b = ref_int(c, ATTR_trans_b, 0) != 0;
	p->alpha = ref_float(c, ATTR_alpha, 1);
	p->integer = !dtype_is_float(c->in[0].dtype);
	p->m = a->dim[a->rank - (p->trans_a ? 1 : 2)];
	p->k = a->dim[a->rank - (p->trans_a ? 2 : 1)];
	p->n = b->dim[b->rank - (p->trans_b ? 2 : 1)];
	kb = b->dim[b->rank - (p->trans_b ? 1 : 2)];
	return kb == p->k && o->dim[o->rank - 2] == p->m && o->dim[o->rank - 1] == p->n;
}

bool ref_matmul(const struct ref_call *c)
{
	const struct ref_tensor *bias = ref_in(c, 2);
	struct shape batch = batch_of(&c->out[0].shape);
	int64_t sa[MAX_RANK], sb[MAX_RANK], sbias[MAX_RANK], index[MAX_RANK] = { 0 }, at = 0;
	struct product p;

	if (!ref_in(c, 1) || !product_of(c, &p) || !batch_strides(&c->in[0].shape, &batch, sa)
	    || !batch_strides(&c->in[1].shape, &batch, sb))
		return false;
	if (bias && !ref_broadcast_strides(&bias->shape, &c->out[0].shape, sbias))
		return false;
	if (shape_elements(&c->out[0].shape) == 0)
		return true;
	do {
		product_run(c, &p, ref_offset(index, sa, batch.rank), ref_offset(index, sb, batch.rank), at, bias,
			    index, sbias);
		at += p.m * p.n;
	} while (ref_next(&batch, index));
	return true;
}

struct attend {
	const struct ref_tensor *q, *k, *v, *mask;
	int64_t sq, sk, d, dv, q0, k0, v0, mask0, mask_row, mask_col, out0;
	double scale, *score;
	bool causal;
};

/* score[j] for query row i; -inf where it must not look. */
static void attend_scores(const struct attend *a, int64_t i)
{
	for (int64_t j = 0; j < a->sk; j++) {
		double sum = 0;

		for (int64_t d = 0; d < a->d; d++)
			sum += ref_get(a->q, a->q0 + i * a->d + d) * ref_get(a->k, a->k0 + j * a->d + d);
		sum *= a->scale;
		if (a->mask)
			sum += ref_get(a->mask, a->mask0 + i * a->mask_row + j * a->mask_col);
		a->score[j] = a->causal && j > i ? -INFINITY : sum;
	}
}

static void attend_row(const struct attend *a, int64_t i, struct ref_tensor *out)
{
	double top = -INFINITY, total = 0;

	attend_scores(a, i);
	for (int64_t j = 0; j < a->sk; j++)
		top = fmax(top, a->score[j]);
	for (int64_t j = 0; j < a->sk; j++) {
		a->score[j] = top == -INFINITY ? 0 : exp(a->score[j] - top);
		total += a->score[j];
	}
	for (int64_t e = 0; e < a->dv; e++) {
		double sum = 0;

		for (int64_t j = 0; j < a->sk; j++)
			if (a->score[j] != 0)
				sum += a->score[j] * ref_get(a->v, a->v0 + j * a->dv + e);
		ref_set(out, a->out0 + i * a->dv + e, total != 0 ? sum / total : 0);
	}
}

static bool attend_shapes(const struct ref_call *c, struct attend *a)
{
	const struct shape *q = &c->in[0].shape, *k = &c->in[1].shape, *v = &c->in[2].shape, *o = &c->out[0].shape;

	if (q->rank < 2 || k->rank < 2 || v->rank < 2 || o->rank < 2)
		return false;
	a->sq = q->dim[q->rank - 2];
	a->d = q->dim[q->rank - 1];
	a->sk = k->dim[k->rank - 2];
	a->dv = v->dim[v->rank - 1];
	a->scale = ref_float(c, ATTR_scale, 1 / sqrt((double)a->d));
	a->causal = ref_int(c, ATTR_causal, 0) != 0;
	return k->dim[k->rank - 1] == a->d && v->dim[v->rank - 2] == a->sk && o->dim[o->rank - 2] == a->sq
	       && o->dim[o->rank - 1] == a->dv;
}

bool ref_attention(const struct ref_call *c)
{
	struct shape batch = batch_of(&c->out[0].shape), scores = c->out[0].shape;
	int64_t qs[MAX_RANK], ks[MAX_RANK], vs[MAX_RANK], ms[MAX_RANK] = { 0 }, index[MAX_RANK] = { 0 };
	struct attend a = { .q = &c->in[0], .k = ref_in(c, 1), .v = ref_in(c, 2), .mask = ref_in(c, 3) };

	if (!a.k || !a.v || !attend_shapes(c, &a) || !batch_strides(&a.q->shape, &batch, qs)
	    || !batch_strides(&a.k->shape, &batch, ks) || !batch_strides(&a.v->shape, &batch, vs))
		return false;
	scores.dim[scores.rank - 1] = a.sk;
	if (a.mask && !ref_broadcast_strides(&a.mask->shape, &scores, ms))
		return false;
	a.mask_row = ms[scores.rank - 2];
	a.mask_col = ms[scores.rank - 1];
	a.score = calloc((size_t)a.sk + 1, sizeof(*a.score));
	if (!a.score)
		return false;
	if (shape_elements(&c->out[0].shape) > 0)
		do {
			a.q0 = ref_offset(index, qs, batch.rank);
			a.k0 = ref_offset(index, ks, batch.rank);
			a.v0 = ref_offset(index, vs, batch.rank);
			a.mask0 = ref_offset(index, ms, batch.rank);
			for (int64_t i = 0; i < a.sq; i++)
				attend_row(&a, i, &c->out[0]);
			a.out0 += a.sq * a.dv;
		} while (ref_next(&batch, index));
	free(a.score);
	return true;
}
