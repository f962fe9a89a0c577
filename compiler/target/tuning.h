/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuning.h - decisions that measuring has made, for the code generator.
 *
 * Tile sizes come from four places; the first that knows a product wins:
 *
 *	command line   --knob tile.ROWSxCOLUMNS[xDEPTH]=HEIGHTxWIDTH[p|r]
 *	lock file      FILE.tune.json, written by edgec tune
 *	table          kernels/tune/CLASS.txt, for a class of devices
 *	default        what the code generator works out
 */
#ifndef EDGE_TUNING_H
#define EDGE_TUNING_H

#include "base/vec.h"

#include <stdbool.h>

struct target;

enum tile_order { TILE_ORDER_AUTO, TILE_SHARE_PANEL, TILE_SHARE_ROWS };

/*
 * How a product of `rows` rows with `columns` columns over `depth` inputs is
 * cut; width in floats; order: what neighbouring work-items share. A convolution that has a
 * choice is done directly, not by fewer products (winograd.cl).
 */
struct tile_choice {
	int64_t rows, columns, depth; /* 0: any */
	uint32_t height, width;
	enum tile_order order;
};

struct tuning {
	VEC(struct tile_choice) tiles; /* the first that fits counts */
};

/* "196x64" or "196x64x128", and "6x32", "6x32p" (neighbours share the panel) or "6x32r" (the rows); false: not a choice that kernels have. */
bool tile_parse(const char *shape, const char *tile, struct tile_choice *out);
/* What is stored in the tables of this class of devices: "x86-64-v4", "opencl-cpu", ... */
const char *tuning_class(const struct target *t);
/* NULL: keep the default. */
const struct tile_choice *tuning_tile(const struct target *t, int64_t rows, int64_t columns, int64_t depth);
/*
 * One table: lines "tile SHAPE TILE", with # comments. Returns the number of
 * the first line that is wrong, 0 when all are right.
 */
unsigned tuning_read(struct arena *a, const char *text, struct tuning *out);

#endif
