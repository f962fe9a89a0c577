/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.c - which token comes next.
 *
 * The logits, over the temperature, are a distribution; of its tokens the top_k
 * most likely are kept, of these the fewest whose probabilities reach top_p,
 * and one of them is drawn. Ties go by number, so a seed gives one text.
 */
#include "config.h"

#include "text/sample.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static uint64_t mix(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

/* xoshiro256**; a number in [0, 1). */
static double draw(struct sampler *s)
{
	uint64_t *x = s->state, out = rotate(x[1] * 5, 7) * 9, t = x[1] << 17;

	x[2] ^= x[0];
	x[3] ^= x[1];
	x[1] ^= x[2];
	x[0] ^= x[3];
	x[2] ^= t;
	x[3] = rotate(x[3], 45);
	return (double)(out >> 11) * 0x1p-53;
}

enum edge_status sampler_open(struct sampler *s, uint32_t vocabulary, double temperature, uint32_t top_k, double top_p,
			      uint64_t seed, struct failure *f)
{
	*s = (struct sampler){ .temperature = temperature, .top_k = top_k, .top_p = top_p, .vocabulary = vocabulary };
	for (int i = 0; i < 4; i++)
		s->state[i] = mix(&seed);
	s->candidate = rt_alloc(vocabulary, sizeof *s->candidate);
	return s->candidate ? EDGE_OK : rt_fail(f, EDGE_MEMORY, "out of memory");
}

void sampler_close(struct sampler *s)
{
	rt_free(s->candidate);
	s->candidate = NULL;
}

static int32_t most_likely(const float *logits, uint32_t n)
{
	uint32_t best = 0;
	float most = -INFINITY;

	for (uint32_t i = 0; i < n; i++)
		if (logits[i] > most) {
			most = logits[i];
			best = i;
		}
	return (int32_t)best;
}

static bool before(const struct candidate *a, const struct candidate *b)
{
	return a->logit != b->logit ? a->logit > b->logit : a->token < b->token;
}

/* Heap of the best, the worst of them on top. */
static void sink(struct candidate *c, uint32_t n, uint32_t i)
{
	struct candidate x = c[i];

	for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && before(&c[child], &c[child + 1]))
			child++;
		if (!before(&x, &c[child]))
			break;
		c[i] = c[child];
	}
	c[i] = x;
}

/* The k best first, in order. */
static void sort_best(struct candidate *c, uint32_t n, uint32_t k)
{
	for (uint32_t i = k / 2; i-- > 0;)
		sink(c, k, i);
	for (uint32_t i = k; i < n; i++)
		if (before(&c[i], &c[0])) {
			c[0] = c[i];
			sink(c, k, 0);
		}
	for (uint32_t i = k; i-- > 1;) {
		struct candidate x = c[0];

		c[0] = c[i];
		c[i] = x;
		sink(c, i, 0);
	}
}

static uint32_t keep_finite(struct sampler *s, const float *logits)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->vocabulary; i++)
		if (isfinite(logits[i]))
			s->candidate[n++] = (struct candidate){ logits[i], i };
	return n;
}

static double weight(const struct sampler *s, uint32_t i)
{
	return exp((double)(s->candidate[i].logit - s->candidate[0].logit) / s->temperature);
}

int32_t sampler_next(struct sampler *s, const float *logits)
{
	uint32_t n, kept = 0;
	double all = 0, sum = 0, at;

	if (s->temperature <= 0)
		return most_likely(logits, s->vocabulary);
	n = keep_finite(s, logits);
	if (!n)
		return 0;
	if (s->top_k && s->top_k < n) {
		sort_best(s->candidate, n, s->top_k);
		n = s->top_k;
	} else {
		sort_best(s->candidate, n, n);
	}
	for (uint32_t i = 0; i < n; i++)
		all += weight(s, i);
	for (; kept < n && (kept == 0 || sum < s->top_p * all); kept++)
		sum += weight(s, kept);
	at = draw(s) * sum;
	for (uint32_t i = 0; i < kept; i++) {
		at -= weight(s, i);
		if (at < 0)
			return (int32_t)s->candidate[i].token;
	}
	return (int32_t)s->candidate[kept - 1].token;
}

double token_loss(const float *logits, uint32_t vocabulary, int32_t token)
{
	double most = -INFINITY, sum = 0;

	for (uint32_t i = 0; i < vocabulary; i++)
		most = fmax(most, (double)logits[i]);
	for (uint32_t i = 0; i < vocabulary; i++)
		sum += exp((double)logits[i] - most);
	return most + log(sum) - (double)logits[token];
}
