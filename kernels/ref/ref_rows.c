/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_rows.c - rows as codes, and products with them.
 *
 * Codes are made in single precision, operation by operation as the kernel does,
 * so that both round alike; products are sums in double of what codes mean.
 */
#include "config.h"

#include "ref/ref_internal.h"

#include <math.h>
#include <string.h>

static float most_of(const struct ref_tensor *x, int64_t at, int64_t count)
{
	float most = 0;

	for (int64_t i = 0; i < count; i++)
		most = fmaxf(most, fabsf((float)ref_get(x, at + i)));
	return most;
}

static void quantize_part(const struct ref_tensor *x, int64_t at, int64_t count, float most, int8_t *to)
{
	float inverse = most > 0 ? 127.0f / most : 0.0f, sum[2] = { 0, 0 }, number[4];

	for (int64_t i = 0; i < ROWS_PART; i++) {
		float scaled = i < count ? (float)ref_get(x, at + i) * inverse : 0.0f;

		to[i] = (int8_t)rintf(scaled);
		sum[i / 16] += to[i];
	}
	number[0] = most / 127.0f;
	number[1] = number[0] * (sum[0] + sum[1]);
	number[2] = number[0] * sum[0];
	number[3] = number[0] * sum[1];
	memcpy(to + ROWS_PART, number, sizeof number);
}

bool ref_quantize_rows(const struct ref_call *c)
{
	const struct ref_tensor *x = &c->in[0];
	int64_t k = x->shape.dim[x->shape.rank - 1], rows = k ? shape_elements(&x->shape) / k : 0;
	int64_t group = ref_int(c, ATTR_group, ROWS_PART);
	int8_t *to = c->out[0].data;
	float most = 0;

	for (int64_t r = 0; r < rows; r++)
		for (int64_t i = 0; i < k; i += ROWS_PART, to += ROWS_PART_BYTES) {
			if (i % group == 0)
				most = most_of(x, r * k + i, k - i < group ? k - i : group);
			quantize_part(x, r * k + i, k - i < ROWS_PART ? k - i : ROWS_PART, most, to);
		}
	return true;
}

bool ref_matmul_rows(const struct ref_call *c)
{
	const struct ref_tensor *w = ref_in(c, 1), *bias = ref_in(c, 2);
	bool turned = ref_int(c, ATTR_trans_b, 0) != 0;
	int64_t n = w->shape.dim[turned ? 0 : 1], k = w->shape.dim[turned ? 1 : 0];
	int64_t rows = shape_elements(&c->out[0].shape) / (n ? n : 1), stride[MAX_RANK], index[MAX_RANK] = { 0 };
	double alpha = ref_float(c, ATTR_alpha, 1);

	if (bias && !ref_broadcast_strides(&bias->shape, &c->out[0].shape, stride))
		return false;
	for (int64_t r = 0; r < rows; r++)
		for (int64_t j = 0; j < n; j++) {
			const int8_t *row = (const int8_t *)c->in[0].data + r * rows_bytes(k);
			double sum = 0;
			float scale;

			for (int64_t i = 0; i < k; i++) {
				const int8_t *part = row + i / ROWS_PART * ROWS_PART_BYTES;

				memcpy(&scale, part + ROWS_PART, sizeof scale);
				sum += (double)scale * part[i % ROWS_PART] * ref_get(w, turned ? j * k + i : i * n + j);
			}
			sum *= alpha;
			if (bias)
				sum += ref_get(bias, ref_offset(index, stride, c->out[0].shape.rank));
			ref_set(&c->out[0], r * n + j, sum);
			ref_next(&c->out[0].shape, index);
		}
	return true;
}
