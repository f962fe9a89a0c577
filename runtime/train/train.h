/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train.h - a plan that trains, being trained.
 *
 *	train_open(&options, &t, &f)          memory taken, kernels built, points in place
 *	while (train_done(t) < steps)
 *	        train_step(t, &report, &f)    one photograph: forward, loss, backward; then the events due
 *	train_close(t)
 *
 * The session decides nothing that the plan has not decided: views come in an
 * order that follows from the seed, events where the plan has them. What it
 * holds besides the set itself follows from the number of the step, so a set
 * that is read with train_part_read() and put back with train_part_write() and
 * train_set_counters() into a new session goes on bit by bit as it would have.
 *
 * Nothing here prints. Memory for the device is the plan's regions and nothing
 * else, taken by train_open(); train_step() allocates nothing.
 */
#ifndef EDGE_RT_TRAIN_H
#define EDGE_RT_TRAIN_H

#include "base/failure.h"

struct train;

/* Zero is the default of each field. */
struct train_options {
	const char *plan;
	const char *device; /* only a device whose name contains this */
	uint32_t threads;   /* 0: what the plan says, else all */
	bool no_native, no_cache, pin;
	/*
	 * For rendering a set that training did not make: room for so many Gaussians, whatever the
	 * plan's capacity; no moments, and train_step() is not allowed. 0: train.
	 */
	uint32_t render_gaussians;
};

enum edge_status train_open(const struct train_options *options, struct train **out, struct failure *f);
/* NULL is fine. */
void train_close(struct train *t);

const struct edge_plan *train_plan(const struct train *t); /* meta, train, views, events ... */
uint32_t train_done(const struct train *t);                /* steps */
uint32_t train_gaussians(const struct train *t);
uint32_t train_capacity(const struct train *t);

/* ---- training ---- */

struct train_step_report {
	uint32_t step;	     /* the one just done; the first is 1 */
	uint32_t view;	     /* of the plan's views */
	uint32_t gaussians;  /* now, after the events */
	bool skipped;	     /* the loss was not finite: nothing was changed */
	uint32_t skipped_in_a_row;
	float loss;	     /* of this view, before the step */
	uint32_t visible, keys, bands; /* of this view */
	uint32_t event_first, event_count; /* of the plan's events: these were due and are done */
	uint32_t added, removed; /* by them */
	double ms, wait_ms;  /* the whole step; of which waiting for the photograph */
};

enum edge_status train_step(struct train *t, struct train_step_report *out, struct failure *f);

/* ---- the set ---- */

/*
 * What one Gaussian has, plane by plane, in the plan's formats: "parameters" first (f32), then moments and
 * statistics, and in a compact plan what the parameters' planes do not have. first and count are in Gaussians and may reach to
 * train_capacity().
 */
struct train_part {
	const char *name;
	uint32_t planes, element_bytes;
};

uint32_t train_part_count(const struct train *t);
void train_part_info(const struct train *t, uint32_t part, struct train_part *out);
enum edge_status train_part_read(struct train *t, uint32_t part, uint32_t plane, uint32_t first, uint32_t count,
				 void *out, struct failure *f);
enum edge_status train_part_write(struct train *t, uint32_t part, uint32_t plane, uint32_t first, uint32_t count,
				  const void *bytes, struct failure *f);

/* Parameter k of Gaussians, as floats whatever the plan's format (order: see struct edge_train). */
enum edge_status train_parameter_read(struct train *t, uint32_t k, uint32_t first, uint32_t count, float *out,
				      struct failure *f);
enum edge_status train_parameter_write(struct train *t, uint32_t k, uint32_t first, uint32_t count, const float *in,
				       struct failure *f);

/* What a checkpoint keeps besides the parts. All bytes are meaningful; no padding. */
struct train_counters {
	uint32_t done, gaussians, degree, skipped_in_a_row;
	uint64_t adam_steps; /* of the moments' age */
	uint64_t reserved[4];
};

void train_get_counters(const struct train *t, struct train_counters *out);
/* EDGE_ARGUMENT when they do not fit the plan. */
enum edge_status train_set_counters(struct train *t, const struct train_counters *c, struct failure *f);

/* ---- pictures ---- */

struct train_camera {
	uint32_t width, height; /* each at most the plan's */
	double fx, fy, cx, cy;
	double rotation[9], translation[3]; /* world to camera, as in struct edge_view */
};

void train_view_camera(const struct train *t, uint32_t view, struct train_camera *out);

/* The set as it is, seen from there: width * height times red green blue, not clamped. */
enum edge_status train_render(struct train *t, const struct train_camera *camera, float *rgb, struct failure *f);

/* A photograph as the plan holds it: width * height times red green blue. */
enum edge_status train_photograph(struct train *t, uint32_t view, uint8_t *rgb, struct failure *f);

/* ---- memory, time ---- */

struct train_totals {
	const char *backend, *device, *driver;
	uint32_t threads;
	uint64_t planned_device_bytes, planned_host_bytes, actual_device_bytes, actual_host_bytes;
	uint64_t device_bytes_now;
	uint64_t bytes_read; /* of photographs */
	double open_ms, step_ms, wait_ms; /* sums over the steps */
};

void train_totals(const struct train *t, struct train_totals *out);

#endif
