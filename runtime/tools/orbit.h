/* SPDX-License-Identifier: Apache-2.0 */
/* orbit.h - a round trip around what the cameras look at. */
#ifndef EDGE_RT_ORBIT_H
#define EDGE_RT_ORBIT_H

#include "train/train.h"

struct orbit {
	double centre[3], up[3], side[3], ahead[3]; /* a frame: the circle lies in side and ahead */
	double radius, height;
	struct train_camera lens; /* its size and focal lengths; the rest is replaced */
};

/* width and height 0: as the first view. */
void orbit_plan(const struct edge_plan *p, uint32_t width, uint32_t height, struct orbit *out);
/* turn: 0 to 1. */
void orbit_camera(const struct orbit *o, double turn, struct train_camera *out);

#endif
