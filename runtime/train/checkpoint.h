/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.h - the state of training in a file, from which it goes on bit by bit.
 *
 * A checkpoint belongs to one plan, to the byte. It is written beside its name
 * and renamed when it is whole and on the disk, so that whatever happens there is the
 * one before or the new one. All of it is hashed, and checked before any of it is used.
 */
#ifndef EDGE_RT_CHECKPOINT_H
#define EDGE_RT_CHECKPOINT_H

#include "train/curve.h"

/* On failure the file that was there stays. */
enum edge_status checkpoint_save(const char *path, struct train *t, const struct curve *c, struct failure *f);

/*
 * Into a session of the same plan that has done no step, and a curve just
 * begun. *found is false, and nothing is changed, where there is no such
 * file. EDGE_BAD: damaged; EDGE_ARGUMENT: of another plan.
 */
enum edge_status checkpoint_load(const char *path, struct train *t, struct curve *c, bool *found,
				 struct failure *f);

#endif
