/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h - the set of a training session to and from .ply files. */
#ifndef EDGE_RT_EXCHANGE_H
#define EDGE_RT_EXCHANGE_H

#include "train/ply.h"
#include "train/train.h"

/* The set as it is. What was there under the name stays on failure. */
enum edge_status exchange_save(struct train *t, const char *path, struct failure *f);

/*
 * All of the file becomes the set of a session that was opened for so many.
 * Coefficients that the plan's kernels do not know are left out; *left_out: some were not 0.
 */
enum edge_status exchange_load(struct train *t, struct ply_reader *from, bool *left_out, struct failure *f);

#endif
