/* SPDX-License-Identifier: Apache-2.0 */
/* train_plan.h - small plans that train, made by the compiler from photographs made here. */
#ifndef EDGE_TESTS_TRAIN_PLAN_H
#define EDGE_TESTS_TRAIN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

struct train_plan_request {
	uint32_t views, width, height, points, steps;
	bool opencl, gpu; /* backend; kernels */
	const char *statements; /* of the plan, or NULL */
	uint64_t budget;	/* 0: no limit */
	const char *cpu;	/* of native code, or NULL: the best that this CPU has */
};

/*
 * A capture and a plan of it in a folder of its own, which is removed by train_plan_remove().
 * Returns the plan's name, or NULL after the compiler has said why. The photographs show one
 * colour and a faint pattern that turns with the camera.
 */
const char *train_plan_make(const struct train_plan_request *r);
void train_plan_remove(void);

#endif
