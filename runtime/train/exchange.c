/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - the set of a training session to and from .ply files, a few hundred Gaussians at a time. */
#include "config.h"

#include "base/memory.h"
#include "train/exchange.h"
#include "train/internal.h"

#include <math.h>

enum { ROWS = 256 };

struct block {
	float row[ROWS][PLY_FLOATS], column[ROWS];
};

/* How many of a row's numbers the plan has: the colour's higher coefficients come last. */
static uint32_t planes(const struct train *t)
{
	uint32_t n = train_plan(t)->train->parameters;

	return n < PLY_FLOATS ? n : PLY_FLOATS;
}

static enum edge_status read_block(struct train *t, struct block *b, uint32_t first, uint32_t count, struct failure *f)
{
	for (uint32_t k = 0; k < planes(t); k++) {
		enum edge_status st = train_parameter_read(t, k, first, count, b->column, f);

		if (st != EDGE_OK)
			return st;
		for (uint32_t i = 0; i < count; i++)
			b->row[i][k] = b->column[i];
	}
	return EDGE_OK;
}

/* Length 1: some trainers keep any, and numbers of 16 bits go to 2. */
static void normalise_rotations(struct block *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		float *q = b->row[i] + PARAMETER_ROTATION, length = sqrtf(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);

		for (uint32_t k = 0; k < 4 && length > 0 && isfinite(length); k++)
			q[k] /= length;
	}
}

static enum edge_status write_block(struct train *t, struct block *b, uint32_t first, uint32_t count,
				    struct failure *f)
{
	for (uint32_t k = 0; k < planes(t); k++) {
		enum edge_status st;

		for (uint32_t i = 0; i < count; i++)
			b->column[i] = b->row[i][k];
		if ((st = train_parameter_write(t, k, first, count, b->column, f)) != EDGE_OK)
			return st;
	}
	return EDGE_OK;
}

static uint32_t block_of(uint32_t first, uint32_t count)
{
	return count - first < ROWS ? count - first : ROWS;
}

enum edge_status exchange_save(struct train *t, const char *path, struct failure *f)
{
	struct block *b = rt_alloc(1, sizeof(*b));
	uint32_t count = train_gaussians(t);
	struct ply_writer w;
	enum edge_status st;

	if (!b)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	st = ply_create(&w, path, count, f);
	for (uint32_t i = 0; i < count && st == EDGE_OK; i += ROWS) {
		st = read_block(t, b, i, block_of(i, count), f);
		if (st == EDGE_OK)
			st = ply_write(&w, b->row, block_of(i, count), f);
	}
	if (st == EDGE_OK)
		st = ply_commit(&w, f);
	ply_abandon(&w);
	rt_free(b);
	return st;
}

static bool beyond(const struct block *b, uint32_t count, uint32_t planes)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = planes; k < PLY_FLOATS; k++)
			if (b->row[i][k] != 0)
				return true;
	return false;
}

enum edge_status exchange_load(struct train *t, struct ply_reader *from, bool *left_out, struct failure *f)
{
	struct train_counters c = { .gaussians = (uint32_t)ply_count(from), .degree = train_plan(t)->train->sh_degree };
	struct block *b = rt_alloc(1, sizeof(*b));
	enum edge_status st = EDGE_OK;

	*left_out = false;
	if (!b)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	if (ply_count(from) > train_capacity(t))
		st = rt_fail(f, EDGE_ARGUMENT, "%llu Gaussians do not fit into a plan for %u",
			     (unsigned long long)ply_count(from), train_capacity(t));
	for (uint32_t i = 0; i < c.gaussians && st == EDGE_OK; i += ROWS) {
		st = ply_read(from, b->row, block_of(i, c.gaussians), f);
		if (st == EDGE_OK && train_plan(t)->train->flags & EDGE_TRAIN_COMPACT)
			normalise_rotations(b, block_of(i, c.gaussians));
		if (st == EDGE_OK && !*left_out)
			*left_out = beyond(b, block_of(i, c.gaussians), planes(t));
		if (st == EDGE_OK)
			st = write_block(t, b, i, block_of(i, c.gaussians), f);
	}
	if (st == EDGE_OK)
		st = train_set_counters(t, &c, f);
	rt_free(b);
	return st;
}
