/* SPDX-License-Identifier: Apache-2.0 */
/* lens.h - distortion, and the pinhole that replaces it. */
#ifndef EDGE_SCENE_LENS_H
#define EDGE_SCENE_LENS_H

#include "scene/source.h"

bool lens_distorts(const struct scene_lens *l);
/* From a direction (x/z, y/z) to where the lens shows it, in the same units. */
void lens_distort(const struct scene_lens *l, double x, double y, double *xd, double *yd);
/* The reverse; false: the lens shows no direction there, or several. */
bool lens_undistort(const struct scene_lens *l, double xd, double yd, double *x, double *y);

/*
 * The pinhole (fx, fy, cx, cy) for an undistorted photograph of the same size
 * all of whose pixels the photograph has: the largest upright rectangle
 * between its bent edges, stretched to its size. False: the distortion cannot
 * be undone over the whole photograph.
 */
bool lens_pinhole(const struct scene_lens *l, uint32_t width, uint32_t height, double out[4]);

#endif
