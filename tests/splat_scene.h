/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_scene.h - random scenes of Gaussians for tests.
 *
 * Every scene has its share of trouble: Gaussians behind the camera, on the
 * borders of the image and far outside it, needles and discs, tiny and huge
 * ones, opacities near 0 and 1, colours below 0. The numbers are those of
 * float, so that single precision starts from the same.
 */
#ifndef EDGE_SPLAT_SCENE_H
#define EDGE_SPLAT_SCENE_H

#include "ref/ref_splat.h"

struct splat_scene {
	struct ref_camera camera;
	double background[3];
	uint32_t count, sh_degree;
	struct ref_gaussian *gaussian;
	struct ref_splat *splat;
	struct ref_splat_gradient *screen; /* by the splats */
	struct ref_gaussian *gradient;
	uint32_t *order, visible;
	double *image, *target, *image_gradient, *margin, *importance;
};

/* From 0 up to, not with, 1; a multiple of 2^-24. */
double splat_random(uint64_t *state);

/* A scene of `count` Gaussians on width by height pixels; nothing is rendered yet. Exits without memory. */
void splat_scene_make(struct splat_scene *s, uint64_t seed, uint32_t count, uint32_t width, uint32_t height);
void splat_scene_free(struct splat_scene *s);
/* project, order, blend with margins and importance. */
void splat_scene_forward(struct splat_scene *s);
/* From image_gradient to screen and gradient. */
void splat_scene_backward(struct splat_scene *s);
/* Zeros image_gradient where a pixel's decisions are closer than margin to going the other way. */
void splat_scene_avoid(struct splat_scene *s, double margin);

#endif
