/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene.h - a capture as the trainer wants it: pinhole views, frames, points.
 *
 * Every way in (COLMAP, transforms.json) ends here. Photographs stay places on
 * disk; a frame is decoded, undistorted, scaled and composited when it is
 * asked for, by scene_frame(), so a scene of any size is held in the memory of
 * its structure. World coordinates are those of the file.
 */
#ifndef EDGE_SCENE_H
#define EDGE_SCENE_H

#include "scene/source.h"

struct scene_view {
	const char *name; /* the photograph's, as the file names it; views are sorted by it */
	uint32_t width, height; /* of the frame: undistorted and scaled */
	/* pixels of the frame; the centre of the top left pixel is (0.5, 0.5) */
	double fx, fy, cx, cy;
	double R[9], t[3]; /* world to camera, row-major: x right, y down, z forward */
	bool held_out;     /* for evaluation, never trained on */
};

struct scene_point {
	float x, y, z;
	uint8_t r, g, b, pad;
	float scale; /* root of the mean squared distance to the 3 nearest points: the initial radius */
};

struct scene {
	const char *name;
	struct span span; /* of the declaration */
	VEC(struct scene_view) views;
	VEC(struct scene_source) sources; /* parallel to views */
	VEC(struct scene_point) points;
	bool points_are_random; /* the capture has none, or "points random" */
	uint64_t seed;          /* of the random points */
	uint32_t train_count, held_out_count;
	uint32_t width, height; /* the largest of the views, each by itself */
	uint64_t frame_bytes;   /* the most of a view: 3 bytes a pixel, RGB */
	float background[3];    /* 0 .. 1 */
	double centre[3];       /* mean of the training cameras */
	const uint8_t **kept;   /* frames by view that were decoded already, or NULL; NULL: none */
	double extent;          /* 1.1 times the largest distance of a training camera from it */
	double near;            /* what is nearer to a camera is not drawn */
};

/* Reads the capture's structure and the size of every photograph. NULL: errors were said. */
struct scene *scene_import(struct arena *a, struct diag *d, const struct decl_scene *decl);

/*
 * Row-major RGB of a view, width * height * 3 bytes. Safe on several threads
 * at once. False: why[] says what is wrong with which file.
 */
bool scene_frame(const struct scene *s, uint32_t view, uint8_t *rgb, char *why, size_t why_size);

/*
 * At most `most` points, chosen uniformly by the seed where there are more,
 * with their scales recomputed: what a trainer starts from whose cap is lower.
 */
void scene_limit_points(struct scene *s, uint32_t most, uint64_t seed);

#endif
