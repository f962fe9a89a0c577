/* SPDX-License-Identifier: Apache-2.0 */
/* resize.h - the plan's memory for another number of Gaussians. */
#ifndef EDGE_RT_RESIZE_H
#define EDGE_RT_RESIZE_H

#include "train/internal.h"

/* For struct session_purpose; ctx: struct train_resize. */
enum edge_status train_resize(void *ctx, struct edge_plan *p, struct failure *f);
void train_resize_free(struct train_resize *z);

#endif
