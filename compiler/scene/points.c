/* SPDX-License-Identifier: Apache-2.0 */
/* points.c - initial radii, and fewer points than there are. */
#include "config.h"

#include "scene/neighbours.h"
#include "scene/points.h"

#include <math.h>
#include <stdlib.h>

uint64_t points_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

double points_uniform(uint64_t *state)
{
	return (double)(points_next(state) >> 11) * 0x1p-53;
}

/* A point that others cover has no distance; one that is alone, or far out, has one too large to start with. */
void points_scale(struct scene *s)
{
	uint32_t n = s->points.len;
	float *xyz = xmalloc((size_t)n * 3 * sizeof *xyz + 1), *square = xmalloc((size_t)n * sizeof *square + 1);

	for (uint32_t i = 0; i < n; i++) {
		xyz[3 * (size_t)i] = s->points.data[i].x;
		xyz[3 * (size_t)i + 1] = s->points.data[i].y;
		xyz[3 * (size_t)i + 2] = s->points.data[i].z;
	}
	neighbours_mean_square(xyz, n, square);
	for (uint32_t i = 0; i < n; i++) {
		double d = n > 1 ? sqrt((double)square[i]) : 0.1 * s->extent;
		double least = 1e-5 * s->extent;

		s->points.data[i].scale = (float)(d > least ? d : least);
	}
	free(xyz);
	free(square);
}

/* Selection sampling (Knuth, Algorithm S): each subset of that size is equally likely, the order stays. */
void scene_limit_points(struct scene *s, uint32_t most, uint64_t seed)
{
	uint32_t n = s->points.len, kept = 0;
	uint64_t state = seed ^ 0x706f696e7473u;

	if (n <= most)
		return;
	for (uint32_t i = 0; i < n && kept < most; i++)
		if (points_uniform(&state) * (n - i) < most - kept)
			s->points.data[kept++] = s->points.data[i];
	s->points.len = kept;
	points_scale(s);
}
