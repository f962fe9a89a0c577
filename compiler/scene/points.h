/* SPDX-License-Identifier: Apache-2.0 */
/* points.h - what training starts from. */
#ifndef EDGE_SCENE_POINTS_H
#define EDGE_SCENE_POINTS_H

#include "scene/scene.h"

/* Fills the points' scales from their neighbours; the extent must be there. */
void points_scale(struct scene *s);

/* Adds `count` points where the training views look, in their colours. False: a photograph could not be read. */
bool points_random(struct arena *a, struct diag *d, struct scene *s, uint32_t count, uint64_t seed);

/* splitmix64: the next of a row of numbers, and one in [0, 1). */
uint64_t points_next(uint64_t *state);
double points_uniform(uint64_t *state);

#endif
