/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timeline.h - from a scene, a number of steps and a number of bytes to a plan.
 *
 * timeline_make() derives the cap on Gaussians, the precision of the moments,
 * the key buffer, every buffer's place and every event's step, and renders the
 * kernels with those constants. Nothing of it depends on the photographs'
 * contents. The result has the records of the plan file in it; whoever writes
 * the file adds strings, chunks and code.
 */
#ifndef EDGE_TIMELINE_H
#define EDGE_TIMELINE_H

#include "codegen/kernel_set.h"
#include "edge/plan_format.h"
#include "scene/scene.h"

struct decl_train; /* dsl.h */

struct timeline_request {
	const struct scene *scene;
	const struct decl_train *train;
	const struct target *target;
	uint64_t device_budget, host_budget; /* 0: no limit */
	struct span budget_span;
};

struct timeline_name {
	const char *name;
};

struct timeline_note {
	const char *topic, *text;
};

/* Arguments of kernel steps name buffers by index. */
struct timeline {
	struct edge_train train;
	struct kernel_set kernels; /* checked; graph is NULL, launches are the steps */
	VEC(struct edge_region) regions;
	VEC(struct edge_buffer) buffers;
	VEC(struct timeline_name) buffer_names; /* parallel: for explain */
	VEC(struct edge_step) steps; /* one per role; index = kernel of kernels, arg_first in args */
	VEC(struct timeline_name) step_names;
	VEC(struct edge_arg) args;
	VEC(struct edge_role) roles;
	VEC(struct edge_event) events;
	VEC(struct timeline_note) notes;
	uint64_t device_bytes, host_bytes, smallest_budget;
};

/*
 * NULL: an error was said. scene_limit_points() must be called afterwards by
 * the caller with timeline->train.first_gaussians.
 */
struct timeline *timeline_make(struct arena *a, const struct timeline_request *r, struct diag *d);

#endif
