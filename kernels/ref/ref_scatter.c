/* SPDX-License-Identifier: Apache-2.0 */
/* ref_scatter.c - writing rows where indices say, and the k best of a row. */
#include "config.h"

#include "ref/ref_internal.h"

#include <stdlib.h>

/* updates[u] into out[o]. */
static bool combine(enum scatter_mode mode, struct ref_tensor *out, int64_t o, const struct ref_tensor *updates, int64_t u)
{
	static const enum op op[] = { OP_identity, OP_add, OP_mul, OP_min, OP_max };
	int64_t whole;
	double x;

	if (mode == SCATTER_SET) {
		ref_copy(out, o, updates, u);
		return true;
	}
	if (dtype_is_float(out->dtype)) {
		if (!ref_binary(op[mode], ref_get(out, o), ref_get(updates, u), &x))
			return false;
		ref_set(out, o, x);
		return true;
	}
	if (!ref_binary_int(op[mode], ref_get_int(out, o), ref_get_int(updates, u), &whole))
		return false;
	ref_set_int(out, o, whole);
	return true;
}

bool ref_scatter(const struct ref_call *c)
{
	const struct ref_tensor *x = &c->in[0], *index = ref_in(c, 1), *updates = ref_in(c, 2);
	struct ref_tensor *out = &c->out[0];
	int64_t rows, n, count, mode = ref_int(c, ATTR_mode, SCATTER_SET);

	if (!index || !updates || x->shape.rank != 2 || !shape_equal(&x->shape, &out->shape) ||
	    out->dtype != x->dtype || updates->dtype != x->dtype || mode < SCATTER_SET || mode > SCATTER_MAX)
		return false;
	rows = x->shape.dim[0];
	n = x->shape.dim[1];
	count = shape_elements(&index->shape);
	if (shape_elements(&updates->shape) != count * n)
		return false;
	for (int64_t i = 0; i < rows * n; i++)
		ref_copy(out, i, x, i);
	for (int64_t k = 0; k < count; k++) {
		int64_t at = ref_get_int(index, k);

		at += at < 0 ? rows : 0;
		for (int64_t i = 0; at >= 0 && at < rows && i < n; i++)
			if (!combine((enum scatter_mode)mode, out, at * n + i, updates, k * n + i))
				return false;
	}
	return true;
}

/* Element a of the row stands before element b. */
static bool before(const struct ref_tensor *x, int64_t row, int64_t a, int64_t b, bool largest)
{
	if (dtype_is_float(x->dtype)) {
		double v = ref_get(x, row + a), w = ref_get(x, row + b);

		return v == w ? a < b : largest ? v > w : v < w;
	} else {
		int64_t v = ref_get_int(x, row + a), w = ref_get_int(x, row + b);

		return v == w ? a < b : largest ? v > w : v < w;
	}
}

/* Insertion into the k best so far. */
bool ref_top_k(const struct ref_call *c)
{
	const struct ref_tensor *x = &c->in[0];
	struct ref_tensor *out = &c->out[0];
	uint32_t rank = x->shape.rank;
	bool largest = ref_int(c, ATTR_mode, 1) != 0;
	int64_t n, k, rows, *best;

	if (!rank || out->shape.rank != rank || out->dtype != DTYPE_I64)
		return false;
	n = x->shape.dim[rank - 1];
	k = out->shape.dim[rank - 1];
	rows = ref_product(&x->shape, 0, rank - 1);
	if (k > n || ref_product(&out->shape, 0, rank - 1) != rows)
		return false;
	best = calloc((size_t)k + 1, sizeof(*best));
	if (!best)
		return false;
	for (int64_t r = 0; r < rows; r++) {
		for (int64_t i = 0, count = 0; i < n; i++) {
			int64_t at = count;

			for (; at > 0 && before(x, r * n, i, best[at - 1], largest); at--)
				if (at < k)
					best[at] = best[at - 1];
			if (at < k)
				best[at] = i;
			count += count < k;
		}
		for (int64_t i = 0; i < k; i++)
			ref_set_int(out, r * k + i, best[i]);
	}
	free(best);
	return true;
}
