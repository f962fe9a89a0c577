/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png.h - 8-bit RGB images as PNG, a row at a time.
 *
 *	png_new(width)   png_begin(p, sink, to, height)   png_row() ...   png_end()
 *
 * One writer makes any number of images of its width, one after the other.
 */
#ifndef EDGE_RT_PNG_H
#define EDGE_RT_PNG_H

#include "base/failure.h"
#include "image/deflate.h"

#include <stdio.h>

struct png;

struct png *png_new(uint32_t width); /* NULL: no memory */
void png_delete(struct png *p); /* libpng has a png_free(), and tests link both */
void png_begin(struct png *p, byte_sink sink, void *to, uint32_t height);
void png_row(struct png *p, const uint8_t *rgb);
/* False: the sink failed. */
bool png_end(struct png *p);

/* A sink that writes to a FILE. */
bool sink_file(void *file, const void *data, size_t bytes);

/* A sink that writes base64 to a FILE; base64_end() writes what is left. */
struct base64 {
	FILE *out;
	uint8_t rest[3];
	uint32_t count;
};

bool sink_base64(void *base64, const void *data, size_t bytes);
bool base64_end(struct base64 *b);

#endif
