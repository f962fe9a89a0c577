/* SPDX-License-Identifier: Apache-2.0 */
/* ply_write.c - a set of Gaussians in the layout that viewers know. */
#include "config.h"

#include "train/ply.h"

#include <string.h>

enum { FILE_FLOATS = 62, REST = 15 };

enum edge_status ply_create(struct ply_writer *w, const char *path, uint64_t count, struct failure *f)
{
	static const char *const single[] = { "x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2" };
	enum edge_status st;
	FILE *out;

	w->left = count;
	if ((st = rt_outfile_open(&w->file, path, f)) != EDGE_OK)
		return st;
	out = w->file.stream;
	fprintf(out, "ply\nformat binary_little_endian 1.0\nelement vertex %llu\n", (unsigned long long)count);
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		fprintf(out, "property float %s\n", single[i]);
	for (int i = 0; i < 3 * REST; i++)
		fprintf(out, "property float f_rest_%d\n", i);
	fprintf(out, "property float opacity\n");
	for (int i = 0; i < 3; i++)
		fprintf(out, "property float scale_%d\n", i);
	for (int i = 0; i < 4; i++)
		fprintf(out, "property float rot_%d\n", i);
	fprintf(out, "end_header\n");
	return EDGE_OK;
}

static void put_float(uint8_t *to, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(bits >> 8 * i);
}

/* The file has each colour's higher coefficients together. */
static void to_file(const float row[PLY_FLOATS], float out[FILE_FLOATS])
{
	memset(out, 0, FILE_FLOATS * sizeof(*out));
	memcpy(out, row, 3 * sizeof(*out));
	memcpy(out + 6, row + PLY_COLOUR, 3 * sizeof(*out));
	for (int c = 0; c < 3; c++)
		for (int k = 0; k < REST; k++)
			out[9 + c * REST + k] = row[PLY_COLOUR + 3 * (k + 1) + c];
	out[54] = row[10];
	memcpy(out + 55, row + 3, 3 * sizeof(*out));
	memcpy(out + 58, row + 6, 4 * sizeof(*out));
}

enum edge_status ply_write(struct ply_writer *w, float (*row)[PLY_FLOATS], uint32_t n, struct failure *f)
{
	float v[FILE_FLOATS];
	uint8_t bytes[4 * FILE_FLOATS];

	for (uint32_t i = 0; i < n; i++) {
		to_file(row[i], v);
		for (int k = 0; k < FILE_FLOATS; k++)
			put_float(bytes + 4 * k, v[k]);
		if (fwrite(bytes, sizeof(bytes), 1, w->file.stream) != 1)
			return rt_fail_errno(f, EDGE_IO, "could not write \"%s\"", w->file.path);
	}
	w->left -= n;
	return EDGE_OK;
}

enum edge_status ply_commit(struct ply_writer *w, struct failure *f)
{
	return rt_outfile_commit(&w->file, f);
}

void ply_abandon(struct ply_writer *w)
{
	rt_outfile_abandon(&w->file);
}
