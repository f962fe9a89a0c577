/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - a view's photograph and the lens it was taken with. */
#ifndef EDGE_SCENE_SOURCE_H
#define EDGE_SCENE_SOURCE_H

#include "dsl.h"

/* Pixels of the photograph; the radial polynomial and the tangential part of Brown's model. */
struct scene_lens {
	double fx, fy, cx, cy;
	double k[4], p[2]; /* r2, r4, r6, r8 */
};

struct scene_source {
	const char *path, *mask; /* as they are opened; mask: NULL where there is none */
	uint32_t width, height;  /* of the photograph */
	struct scene_lens lens;
	bool distorted;
	double full[4]; /* fx, fy, cx, cy of the undistorted photograph before scaling */
};

#endif
