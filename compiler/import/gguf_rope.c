/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gguf_rope.c - by how much each rotary pair turns from one position to the next.
 *
 * Pair i of n turns by base^(-i/n) radians. Models that were trained further, on
 * longer contexts, change that: linear scaling divides all of them; factors of
 * their own (rope_freqs.weight) divide each; YaRN divides the slow ones, keeps
 * the fast ones, blends between two bounds on the turns that a pair makes in the
 * context of the first training, and makes attention a little sharper.
 */
#include "config.h"

#include "base/file.h"
#include "import/gguf_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FULL_TURN 6.283185307179586476925

/* The pair (a real number) that makes `turns` turns in the training context. */
static double yarn_pair(const struct model_config *m, double turns)
{
	return (double)m->rotary * log(m->train_context / (turns * FULL_TURN)) / (2 * log(m->base));
}

static double yarn_blend(const struct model_config *m, int64_t i)
{
	double low = floor(yarn_pair(m, m->yarn_fast)), high = ceil(yarn_pair(m, m->yarn_slow)), x;

	low = fmax(low, 0);
	high = fmin(high, (double)m->rotary - 1);
	x = ((double)i - low) / fmax(0.001, high - low);
	return 1 - fmin(1, fmax(0, x)); /* 1: as trained */
}

/* Of the file's own factors, if it has any. */
static bool read_factors(struct gguf *g, int64_t n, float *out)
{
	const struct gguf_tensor *t = gguf_tensor(g, "rope_freqs.weight");
	struct mapped_file f;

	for (int64_t i = 0; i < n; i++)
		out[i] = 1;
	if (!t)
		return true;
	if (t->dtype != DTYPE_F32 || shape_elements(&t->shape) != n) {
		diag_error(g->diag, g->span, "cannot import \"%s\": tensor \"%s\" does not fit %lld rotary pairs", g->path,
			   t->name, (long long)n);
		return false;
	}
	if (!file_map(g->path, &f) || f.size < t->offset + t->size) {
		diag_error(g->diag, g->span, "could not read \"%s\"", g->path);
		return false;
	}
	memcpy(out, f.data + t->offset, (size_t)n * sizeof *out);
	file_unmap(&f);
	for (int64_t i = 0; i < n; i++)
		if (!(out[i] > 0) || !isfinite(out[i])) {
			diag_error(g->diag, g->span, "cannot import \"%s\": factor %lld of \"%s\" is %g", g->path, (long long)i,
				   t->name, (double)out[i]);
			return false;
		}
	return true;
}

bool model_turns(struct gguf *g, const struct model_config *m, bool window, float *turns, double *scale)
{
	double base = window ? m->window_base : m->base;
	int64_t n = m->rotary / 2;
	float *factor = arena_new_array(g->arena, float, (size_t)n);

	if (!read_factors(g, n, factor))
		return false;
	*scale = 1;
	if (m->scaling == ROPE_YARN && !window)
		*scale = m->attention_factor * (1 + 0.1 * log(fmax(1, m->scaling_factor)));
	for (int64_t i = 0; i < n; i++) {
		double x = pow(base, -(double)i / (double)n) / (double)factor[i], keep = 0;

		if (m->scaling == ROPE_YARN)
			keep = yarn_blend(m, i);
		if (m->scaling != ROPE_PLAIN && !window)
			x = x * keep + x / m->scaling_factor * (1 - keep);
		x /= FULL_TURN;
		turns[i] = (float)x;
		turns[n + i] = (float)(x - (double)(float)x);
	}
	return true;
}
