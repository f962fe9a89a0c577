/* SPDX-License-Identifier: Apache-2.0 */
/* train.h - what the settings of a scene block, and of a plan that trains, mean. For sema.c. */
#ifndef EDGE_DSL_TRAIN_H
#define EDGE_DSL_TRAIN_H

#include "dsl.h"
#include "setting.h"

/* One matched statement of a scene block; what is wrong is said. */
void scene_setting(struct arena *a, struct diag *d, struct decl_scene *out, const struct setting *m);
/* What the block says as a whole. */
void scene_check(struct diag *d, struct decl_scene *out);

/* "train SCENE for N steps" */
void train_steps(struct diag *d, struct decl_train *out, const struct setting *m);
/* One matched statement of a plan. False: it is none of training's. */
bool train_setting(struct arena *a, struct diag *d, struct decl_train *out, const struct setting *m, struct span at);
void train_check(struct diag *d, struct decl_train *out);

#endif
