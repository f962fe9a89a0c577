/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_axpy.c - a plan by hand, for tests in shell
 *
 *	make_axpy PLAN CHUNKS FLOATS SLOTS RESIDENT ROUNDS [staging]
 *
 * Writes PLAN, and beside it PLAN.x.npy and PLAN.y.npy: an input and its exact output.
 */
#include "config.h"

#include "base/npy.h"
#include "plan_builder.h"

#include <stdio.h>
#include <stdlib.h>

static bool save(const char *plan, const char *suffix, const float *v, uint32_t n)
{
	struct npy t = { .dtype = EDGE_F32, .rank = 2, .dim = { 1, n } };
	struct failure f = { .status = EDGE_OK };
	char path[4096];

	snprintf(path, sizeof(path), "%s.%s.npy", plan, suffix);
	if (npy_save(path, &t, v, &f) == EDGE_OK)
		return true;
	fprintf(stderr, "%s\n", f.text);
	return false;
}

int main(int argc, char **argv)
{
	struct axpy_plan a = { 0 };
	struct plan_builder b;
	float *x, *y;
	uint32_t i;
	bool good;

	if (argc < 7) {
		fputs("usage: make_axpy PLAN CHUNKS FLOATS SLOTS RESIDENT ROUNDS [staging]\n",
		      stderr);
		return 2;
	}
	a = (struct axpy_plan){ .chunks = (uint32_t)atoi(argv[2]),
				.chunk_floats = (uint32_t)atoi(argv[3]),
				.slots = (uint32_t)atoi(argv[4]),
				.resident = (uint32_t)atoi(argv[5]),
				.rounds = (uint32_t)atoi(argv[6]),
				.staging = argc > 7 };
	x = calloc(a.chunk_floats, sizeof(*x));
	y = calloc(a.chunk_floats, sizeof(*y));
	if (!x || !y)
		return 1;
	for (i = 0; i < a.chunk_floats; i++)
		x[i] = (float)(i % 13) - 6;
	axpy_expected(&a, x, y);
	builder_init(&b);
	builder_axpy(&b, &a);
	good = builder_write(&b, argv[1]) && save(argv[1], "x", x, a.chunk_floats) &&
	       save(argv[1], "y", y, a.chunk_floats);
	builder_free(&b);
	free(x);
	free(y);
	return good ? 0 : 1;
}
