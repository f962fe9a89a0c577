/* SPDX-License-Identifier: Apache-2.0 */
/* fake_train.h - a trainer without kernels: what it holds changes with each step in a way that is easy to compare. */
#ifndef EDGE_FAKE_TRAIN_H
#define EDGE_FAKE_TRAIN_H

#include "train/train.h"

/* plan: its identity. */
struct train *fake_train(uint64_t plan, uint32_t capacity);

#endif
