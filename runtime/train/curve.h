/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curve.h - how training went: a point every so many steps, and what evaluations said.
 *
 * Room for all of it is taken when it begins; nothing is taken while steps run.
 */
#ifndef EDGE_RT_CURVE_H
#define EDGE_RT_CURVE_H

#include "train/train.h"

/* One size on every machine: points are part of checkpoints. */
struct curve_point {
	uint32_t step, gaussians;
	uint64_t device_bytes;
	double loss; /* mean over the steps since the last point */
	double ms;   /* of a step, likewise */
};

struct curve_evaluation {
	uint32_t step, gaussians;
	double psnr, ssim; /* means over the views */
};

_Static_assert(sizeof(struct curve_point) == 32, "point");
_Static_assert(sizeof(struct curve_evaluation) == 24, "evaluation");

struct curve {
	struct curve_point *point;
	struct curve_evaluation *evaluation;
	uint32_t points, point_room, evaluations, evaluation_room;
	uint32_t every; /* steps from point to point */
	double loss, ms; /* sums since the last point */
	uint32_t since;
	double seconds; /* of all steps, also of those before a checkpoint */
	uint32_t skipped; /* steps with a loss that was not finite */
};

/* At most about `most` points over `steps`. False: no memory. */
bool curve_begin(struct curve *c, uint32_t steps, uint32_t most);
void curve_end(struct curve *c);
/* A step that was done; its point is set when it is due or when last. */
void curve_step(struct curve *c, const struct train_step_report *r, uint64_t device_bytes, bool last);
void curve_evaluate(struct curve *c, uint32_t step, uint32_t gaussians, double psnr, double ssim);

#endif
