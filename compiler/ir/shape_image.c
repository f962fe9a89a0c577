/* SPDX-License-Identifier: Apache-2.0 */
/* shape_image.c - shapes of images as codes, and of convolutions of such images. */
#include "config.h"

#include "ir/shape.h"

int64_t image_bytes(const struct shape *s, const int64_t *pads)
{
	const int64_t most = INT64_C(1) << 40;
	int64_t n = s->dim[s->rank - 1];
	uint32_t spatial = s->rank - 2;

	if (n < 0 || n > most)
		return -1;
	for (uint32_t i = 0; i < spatial; i++) {
		int64_t side = s->dim[i + 1];

		if (side < 0 || side > most || pads[i] < 0 || pads[i + spatial] < 0 || pads[i] > most || pads[i + spatial] > most)
			return -1;
		side += pads[i] + pads[i + spatial];
		if (side && n > most / side)
			return -1;
		n *= side;
	}
	return IMAGE_HEADER + (n + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN;
}

/* The codes of images of shape s. */
static bool codes_of(struct inference *c, const struct shape *s, enum attr_key frame, struct shape *out)
{
	const int64_t *pads;

	if (s->rank < 3 || s->rank > 5)
		return infer_fail(c, "its images do not have one to three spatial axes");
	pads = infer_list(c, frame, 2 * (s->rank - 2));
	if (!pads)
		return false;
	*out = (struct shape){ .rank = 2, .dim = { s->dim[0], image_bytes(s, pads) } };
	return out->dim[1] >= 0 || infer_fail(c, "its images are too large");
}

bool infer_image(struct inference *c)
{
	const struct value *x = infer_input(c, 0), *w = infer_input(c, 1), *bias = infer_input(c, 2);
	const struct attr *shape = node_attr(c->n, ATTR_shape);
	struct shape image = { 0 }, codes;

	if (c->n->op == OP_quantize_image) {
		if (x->dtype != DTYPE_F32)
			return infer_fail(c, "it takes images of f32");
		c->dtype[0] = DTYPE_I8;
		return codes_of(c, &x->shape, ATTR_pads, &c->shape[0]);
	}
	if (x->dtype != DTYPE_I8 || w->dtype != DTYPE_F32 || (bias && bias->dtype != DTYPE_F32))
		return infer_fail(c, "it takes images of i8 and weights of f32");
	if (!shape || shape->count < 3 || shape->count > 5)
		return infer_fail(c, "its shape is not that of images");
	image.rank = shape->count;
	for (uint32_t i = 0; i < image.rank; i++)
		image.dim[i] = shape->ints[i];
	if (!codes_of(c, &image, ATTR_starts, &codes))
		return false;
	if (!shape_equal(&codes, &x->shape))
		return infer_fail(c, "its codes do not fit its shape");
	c->dtype[0] = DTYPE_F32;
	return infer_convolution(c, &image, false);
}
