/* SPDX-License-Identifier: Apache-2.0 */
/*
 * photo_jpeg.c - JPEG through libjpeg, the only file that knows it.
 *
 * libjpeg goes on after damage and fills in grey; a photograph that is damaged
 * must not be trained on, so the warnings that mean lost pixels are errors.
 */
#include "config.h"

#include "scene/photo.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

struct errors {
	struct jpeg_error_mgr base;
	jmp_buf out;
	char *why;
	size_t why_size;
};

static void stop(j_common_ptr j)
{
	struct errors *e = (struct errors *)(void *)j->err;
	char text[JMSG_LENGTH_MAX];

	e->base.format_message(j, text);
	snprintf(e->why, e->why_size, "damaged JPEG: %s", text);
	longjmp(e->out, 1);
}

/* level < 0: a warning. Some only say that a writer was sloppy. */
static void message(j_common_ptr j, int level)
{
	int code = j->err->msg_code;

	if (level >= 0 || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR)
		return;
	stop(j);
}

/* Ink on paper, as far as a screen can show it. Files of Adobe's programs hold how much ink is missing. */
static void inks_to_rgb(const uint8_t *ink, uint32_t width, bool missing, uint8_t *rgb)
{
	for (uint32_t x = 0; x < width; x++)
		for (int c = 0; c < 3; c++) {
			int light = missing ? ink[4 * x + c] : 255 - ink[4 * x + c];
			int black = missing ? ink[4 * x + 3] : 255 - ink[4 * x + 3];

			rgb[3 * x + c] = (uint8_t)((light * black + 127) / 255);
		}
}

static bool read_inks(struct jpeg_decompress_struct *j, struct photo *out)
{
	/* libjpeg's own memory: an error frees it */
	JSAMPROW row = j->mem->alloc_large((j_common_ptr)j, JPOOL_IMAGE, (size_t)out->width * 4);

	while (j->output_scanline < j->output_height) {
		uint8_t *rgb = out->rgb + (size_t)j->output_scanline * out->width * 3;

		jpeg_read_scanlines(j, &row, 1);
		inks_to_rgb(row, out->width, j->saw_Adobe_marker, rgb);
	}
	return jpeg_finish_decompress(j);
}

static bool read_pixels(struct jpeg_decompress_struct *j, struct photo *out)
{
	while (j->output_scanline < j->output_height) {
		JSAMPROW row = out->rgb + (size_t)j->output_scanline * out->width * 3;

		jpeg_read_scanlines(j, &row, 1);
	}
	return jpeg_finish_decompress(j);
}

static bool decode(struct jpeg_decompress_struct *j, const struct photo_source *s, struct photo_info *info, struct photo *out,
		   char *why, size_t why_size)
{
	bool inks;

	jpeg_create_decompress(j);
	j->mem->max_memory_to_use = 1L << 30;
	jpeg_mem_src(j, s->data, (unsigned long)s->size);
	jpeg_read_header(j, TRUE);
	inks = j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK;
	*info = (struct photo_info){ j->image_width, j->image_height, false };
	if (!out)
		return true;
	if (!photo_allocate(info, out, why, why_size))
		return false;
	j->out_color_space = inks ? JCS_CMYK : JCS_RGB;
	j->dct_method = JDCT_ISLOW;
	jpeg_start_decompress(j);
	return inks ? read_inks(j, out) : read_pixels(j, out);
}

bool photo_jpeg(const struct photo_source *s, struct photo_info *info, struct photo *out, char *why, size_t why_size)
{
	struct jpeg_decompress_struct j;
	struct errors e = { .why = why, .why_size = why_size };
	volatile bool ok = false;

	memset(&j, 0, sizeof j);
	j.err = jpeg_std_error(&e.base);
	e.base.error_exit = stop;
	e.base.emit_message = message;
	if (!setjmp(e.out))
		ok = decode(&j, s, info, out, why, why_size);
	jpeg_destroy_decompress(&j);
	return ok;
}
