/* SPDX-License-Identifier: Apache-2.0 */
/* neighbours.h - how far apart points are. */
#ifndef EDGE_SCENE_NEIGHBOURS_H
#define EDGE_SCENE_NEIGHBOURS_H

#include <stdint.h>

/*
 * For each of n points (xyz, three floats each): the mean of the squared
 * distances to the 3 nearest others, or to as many as there are. Exact, in
 * O(n log n) for points that do not all coincide.
 */
void neighbours_mean_square(const float *xyz, uint32_t n, float *out);

#endif
