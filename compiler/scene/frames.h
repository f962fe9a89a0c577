/* SPDX-License-Identifier: Apache-2.0 */
/* frames.h - the frames of a scene one after the other, decoded on all processors. */
#ifndef EDGE_SCENE_FRAMES_H
#define EDGE_SCENE_FRAMES_H

#include "scene/scene.h"

/*
 * Calls use() for each view in order, on this thread. A few frames are decoded
 * ahead, so memory is that of a few frames beside those that the scene keeps. False: use() was, or a photograph
 * could not be read, which was said. what: for the progress shown.
 */
bool frames_each(const struct scene *s, struct diag *d, const char *what,
		 bool (*use)(void *context, uint32_t view, const uint8_t *rgb), void *context);

#endif
