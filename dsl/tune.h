/* SPDX-License-Identifier: Apache-2.0 */
/* tune.h - what the settings of a tune block mean. */
#ifndef EDGE_DSL_TUNE_H
#define EDGE_DSL_TUNE_H

#include "dsl.h"
#include "setting.h"

void tune_defaults(struct decl_tune *out);
/* One matched setting, after tune_defaults(). */
void tune_setting(struct arena *a, struct diag *d, struct decl_tune *out, const struct setting *m);

#endif
