/* SPDX-License-Identifier: Apache-2.0 */
/* photo_png.c - PNG through libpng, the only file of the compiler that knows it; always as 8-bit RGB or RGBA. */
#include "config.h"

#include "scene/photo.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const struct photo_source *source;
	size_t at;
	uint8_t *pixels; /* here because an error jumps over what would free it */
	char *why;
	size_t why_size;
};

static void stop(png_structp png, png_const_charp text)
{
	struct reader *r = png_get_error_ptr(png);

	snprintf(r->why, r->why_size, "damaged PNG: %s", text);
	png_longjmp(png, 1);
}

static void warn(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

static void take(png_structp png, png_bytep out, size_t n)
{
	struct reader *r = png_get_io_ptr(png);

	if (n > r->source->size - r->at)
		png_error(png, "the file ends early");
	memcpy(out, r->source->data + r->at, n);
	r->at += n;
}

/* What the file has as RGB or RGBA of 8 bits. */
static void convert(png_structp png, png_infop head, bool alpha)
{
	png_byte type = png_get_color_type(png, head);

	png_set_scale_16(png);
	png_set_expand(png); /* palettes, fewer bits, transparent colours */
	if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA)
		png_set_gray_to_rgb(png);
	if (!alpha)
		png_set_strip_alpha(png);
	png_set_interlace_handling(png);
	png_read_update_info(png, head);
}

static bool read_pixels(png_structp png, png_infop head, const struct photo_info *info, struct photo *out)
{
	size_t channels = info->alpha ? 4 : 3, stride = info->width * channels, n = (size_t)info->width * info->height;
	struct reader *r = png_get_io_ptr(png);
	uint8_t *p;

	convert(png, head, info->alpha);
	if (png_get_rowbytes(png, head) != stride)
		png_error(png, "its rows have an unexpected length");
	p = r->pixels = malloc(stride * info->height);
	if (!p)
		png_error(png, "out of memory");
	for (int pass = png_set_interlace_handling(png); pass > 0; pass--)
		for (uint32_t y = 0; y < info->height; y++)
			png_read_row(png, p + y * stride, NULL);
	png_read_end(png, NULL);
	for (size_t i = 0; i < n; i++) {
		memcpy(out->rgb + 3 * i, p + channels * i, 3);
		if (info->alpha)
			out->alpha[i] = p[channels * i + 3];
	}
	return true;
}

static bool decode(png_structp png, png_infop head, struct photo_info *info, struct photo *out, char *why, size_t why_size)
{
	png_byte type;

	png_set_user_limits(png, 65535, 65535);
	png_set_chunk_malloc_max(png, 64 << 20);
	png_read_info(png, head);
	type = png_get_color_type(png, head);
	*info = (struct photo_info){ png_get_image_width(png, head), png_get_image_height(png, head),
				     (type & PNG_COLOR_MASK_ALPHA) || png_get_valid(png, head, PNG_INFO_tRNS) };
	if (!out)
		return true;
	return photo_allocate(info, out, why, why_size) && read_pixels(png, head, info, out);
}

bool photo_png(const struct photo_source *s, struct photo_info *info, struct photo *out, char *why, size_t why_size)
{
	struct reader r = { .source = s, .why = why, .why_size = why_size };
	png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, stop, warn);
	png_infop head = png ? png_create_info_struct(png) : NULL;
	volatile bool ok = false;

	if (!head) {
		png_destroy_read_struct(&png, NULL, NULL);
		snprintf(why, why_size, "out of memory");
		return false;
	}
	png_set_read_fn(png, &r, take);
	if (!setjmp(png_jmpbuf(png)))
		ok = decode(png, head, info, out, why, why_size);
	png_destroy_read_struct(&png, &head, NULL);
	free(r.pixels);
	return ok;
}
