/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_image.c - images as codes, and convolutions of such images.
 *
 * Codes are made in single precision, operation by operation as the kernel does, so
 * that both round alike. A convolution gives its image back as numbers, frame and all, and
 * is then that of ref_conv.c without padding.
 */
#include "config.h"

#include "ref/ref_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The spatial dims with a frame around, and the image's first pixel in them. */
struct frame {
	struct shape inner, all;
	int64_t front[MAX_RANK], channels, bytes;
};

static bool frame_of(const struct shape *x, const int64_t *pads, struct frame *f)
{
	if (x->rank < 3 || x->rank > 5 || !pads)
		return false;
	f->inner.rank = f->all.rank = x->rank - 2;
	for (uint32_t i = 0; i < f->inner.rank; i++) {
		f->inner.dim[i] = x->dim[i + 1];
		f->front[i] = pads[i];
		f->all.dim[i] = x->dim[i + 1] + pads[i] + pads[i + f->inner.rank];
	}
	f->channels = x->dim[x->rank - 1];
	f->bytes = image_bytes(x, pads);
	return f->bytes >= 0;
}

/* The pixel of the image at place i of the frame; -1: it is beside the image. */
static int64_t pixel_at(const struct frame *f, const int64_t *i)
{
	int64_t at = 0;

	for (uint32_t d = 0; d < f->inner.rank; d++) {
		int64_t x = i[d] - f->front[d];

		if (x < 0 || x >= f->inner.dim[d])
			return -1;
		at = at * f->inner.dim[d] + x;
	}
	return at;
}

static void quantize(const struct frame *f, const struct ref_tensor *x, int64_t first, int64_t count, uint8_t *to)
{
	float low = 0, high = 0, number[2], inverse;
	int64_t i[MAX_RANK] = { 0 };
	uint8_t *code = to + IMAGE_HEADER;

	for (int64_t k = 0; k < count; k++) {
		low = fminf(low, (float)ref_get(x, first + k));
		high = fmaxf(high, (float)ref_get(x, first + k));
	}
	memset(to, 0, (size_t)f->bytes);
	inverse = high - low > 0 ? 255.0f / (high - low) : 0.0f;
	number[0] = (high - low) / 255.0f;
	number[1] = rintf(-low * inverse);
	memcpy(to + IMAGE_SCALE, number, sizeof number);
	if (!count)
		return;
	do {
		int64_t at = pixel_at(f, i);

		for (int64_t k = 0; k < f->channels; k++) {
			float scaled = at < 0 ? 0.0f : (float)ref_get(x, first + at * f->channels + k) * inverse;

			*code++ = (uint8_t)fminf(fmaxf(rintf(scaled) + number[1], 0.0f), 255.0f);
		}
	} while (ref_next(&f->all, i));
}

bool ref_quantize_image(const struct ref_call *c)
{
	const struct ref_tensor *x = &c->in[0];
	int64_t images = x->shape.dim[0], count = images ? shape_elements(&x->shape) / images : 0;
	struct frame f;

	if (!frame_of(&x->shape, ref_ints(c, ATTR_pads, 2 * (x->shape.rank - 2)), &f))
		return false;
	for (int64_t i = 0; i < images; i++)
		quantize(&f, x, i * count, count, (uint8_t *)c->out[0].data + i * f.bytes);
	return true;
}

bool ref_conv_image(const struct ref_call *c)
{
	const struct attr *shape = ref_attr(c, ATTR_shape);
	struct ref_tensor in[3] = { { .dtype = DTYPE_F32 } };
	struct ref_call conv = *c;
	struct frame f;
	int64_t at = 0;
	bool ok;

	if (!shape || shape->count < 3 || shape->count > 5)
		return false;
	in[0].shape.rank = shape->count;
	memcpy(in[0].shape.dim, shape->ints, shape->count * sizeof *shape->ints);
	if (!frame_of(&in[0].shape, ref_ints(c, ATTR_starts, 2 * (shape->count - 2)), &f))
		return false;
	in[0].data = xmalloc((size_t)shape_elements(&in[0].shape) * sizeof(float) + 1);
	for (int64_t n = 0; n < in[0].shape.dim[0]; n++) {
		const uint8_t *codes = (const uint8_t *)c->in[0].data + n * f.bytes, *code = codes + IMAGE_HEADER;
		int64_t i[MAX_RANK] = { 0 };
		float number[2];

		memcpy(number, codes + IMAGE_SCALE, sizeof number);
		do {
			bool inside = pixel_at(&f, i) >= 0;

			for (int64_t k = 0; k < f.channels; k++, code++)
				if (inside)
					ref_set(&in[0], at++, (double)(number[0] * ((float)*code - number[1])));
		} while (ref_next(&f.all, i));
	}
	for (uint32_t i = 1; i < 3 && i < c->in_count; i++)
		in[i] = c->in[i];
	conv.op = OP_conv;
	conv.in = in;
	ok = ref_conv(&conv);
	free(in[0].data);
	return ok;
}
