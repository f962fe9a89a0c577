/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ply.h - sets of Gaussians as .ply files.
 *
 * Written: the layout that viewers know, 62 little-endian floats a Gaussian.
 * Read: what any trainer writes that calls its properties by the usual names:
 * in any order and type, among others, binary of either endianness or text,
 * with all, some or no higher colour coefficients. Files are untrusted.
 *
 * Both go a few Gaussians at a time; a Gaussian is a row of PLY_FLOATS.
 */
#ifndef EDGE_RT_PLY_H
#define EDGE_RT_PLY_H

#include "base/failure.h"
#include "base/outfile.h"

/*
 * A row: position 3, log of the scale 3, quaternion wxyz 4, logit of the
 * opacity 1, colour coefficients 16 times red green blue.
 */
enum { PLY_FLOATS = 59, PLY_COLOUR = 11 };

struct ply_reader;

/* Reads the header and checks it against the file's size. */
enum edge_status ply_open(const char *path, struct ply_reader **out, struct failure *f);
void ply_close(struct ply_reader *r); /* NULL is fine */
uint64_t ply_count(const struct ply_reader *r);
uint32_t ply_degree(const struct ply_reader *r); /* of the colour coefficients in the file: 0 to 3 */
/* The next n Gaussians. Missing coefficients are 0; a value that is no number is an error. */
enum edge_status ply_read(struct ply_reader *r, float (*row)[PLY_FLOATS], uint32_t n, struct failure *f);

struct ply_writer {
	struct rt_outfile file;
	uint64_t left; /* Gaussians still to come */
};

enum edge_status ply_create(struct ply_writer *w, const char *path, uint64_t count, struct failure *f);
enum edge_status ply_write(struct ply_writer *w, float (*row)[PLY_FLOATS], uint32_t n, struct failure *f);
/* The file appears under its name. On failure what was there before stays. */
enum edge_status ply_commit(struct ply_writer *w, struct failure *f);
void ply_abandon(struct ply_writer *w);

#endif
