/* SPDX-License-Identifier: Apache-2.0 */
/* picture.c - rendered pictures as PNG. */
#include "config.h"

#include "base/outfile.h"
#include "tools/train_tool.h"

static uint8_t byte_of(float v)
{
	return v > 0 ? (uint8_t)((v < 1 ? v : 1) * 255 + 0.5f) : 0; /* NaN is black */
}

void picture_rows(struct png *p, const float *rgb, uint32_t width, uint32_t height, uint8_t *row)
{
	for (size_t y = 0; y < height; y++) {
		for (size_t i = 0; i < 3 * (size_t)width; i++)
			row[i] = byte_of(rgb[3 * y * width + i]);
		png_row(p, row);
	}
}

enum edge_status picture_save(const char *path, struct png *p, const float *rgb, uint32_t width, uint32_t height,
			      uint8_t *row, struct failure *f)
{
	struct rt_outfile o;
	enum edge_status st = rt_outfile_open(&o, path, f);

	if (st != EDGE_OK)
		return st;
	png_begin(p, sink_file, o.stream, height);
	picture_rows(p, rgb, width, height, row);
	if (png_end(p))
		return rt_outfile_commit(&o, f);
	st = rt_fail_errno(f, EDGE_IO, "could not write \"%s\"", path);
	rt_outfile_abandon(&o);
	return st;
}
