/* SPDX-License-Identifier: Apache-2.0 */
/* plan_train.h - timelines become plan files. */
#ifndef EDGE_PLAN_TRAIN_H
#define EDGE_PLAN_TRAIN_H

#include "plan/plan.h"
#include "timeline/timeline.h"

struct train_plan {
	const char *name, *version; /* of the plan; of the compiler */
	const struct scene *scene;  /* with as many points as the timeline starts from */
	const struct timeline *timeline;
	const struct target *target;
	uint64_t device_budget, host_budget; /* 0: no limit */
};

/* As plan_write(): the file appears when it is complete, photographs are decoded on the way. */
bool plan_write_train(struct arena *a, const struct train_plan *p, const char *path, struct plan_numbers *numbers,
		      struct diag *d);

#endif
