/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what a training session holds. */
#ifndef EDGE_RT_TRAIN_INTERNAL_H
#define EDGE_RT_TRAIN_INTERNAL_H

#include "exec/session.h"
#include "train/frames.h"
#include "train/train.h"

#include <pthread.h>

/* Words of the state buffer; kernels/splat.clh has the same list. */
enum state_word {
	STATE_COUNT = 0, STATE_CAPACITY = 1, STATE_DEGREE = 2, STATE_WIDTH = 3, STATE_HEIGHT = 4, STATE_TILES_X = 5,
	STATE_TILES_Y = 6, STATE_KEYS = 7, STATE_STEP = 8, STATE_SEED = 9, STATE_TILE_FIRST = 10, STATE_TILE_END = 11,
	STATE_BAND_ADD = 12, STATE_STRIDE = 13, STATE_ROWS = 14, STATE_CATCH_UP = 15, STATE_ROTATION = 16, STATE_TRANSLATION = 25,
	STATE_FOCAL = 28, STATE_CENTRE = 30, STATE_CLAMP = 32, STATE_CAMERA = 36, STATE_BACKGROUND = 39,
	STATE_RATES = 42, STATE_UNBIAS1 = 48, STATE_UNBIAS2 = 49, STATE_EPSILON = 50, STATE_OPACITY_DECAY = 51,
	STATE_SCALE_DECAY = 52, STATE_NOISE = 53, STATE_SSIM_WEIGHT = 54, STATE_EXTENT = 55, STATE_ARGUMENT = 56,
	STATE_ENTRY_FIRST = 56, STATE_ENTRY_END = 57, /* between events */
	STATE_OUT = 64, STATE_VISIBLE = 64, STATE_TOTAL_KEYS = 65, STATE_BANDS = 66, STATE_ADDED = 68,
	STATE_REMOVED = 69, STATE_WORDS = 128, STATE_DRIFT = 128
};

/* A Gaussian's numbers in the order of kernels/splat.clh: place, sizes (logarithms), rotation (w first), opacity, colour. */
enum train_parameter {
	PARAMETER_PLACE = 0, PARAMETER_SCALE = EDGE_TRAIN_PLACE, PARAMETER_ROTATION = 6, PARAMETER_OPACITY = 10,
	PARAMETER_COLOUR = 11, PARAMETER_HIGHER = EDGE_TRAIN_BASE
};

enum { STATISTICS = 5, MISSED_MOST = 255 }; /* columns; steps that a Gaussian may miss */

/* What a session for rendering puts in the place of the plan's records. */
struct train_resize {
	uint32_t gaussians; /* asked for; 0: the plan's own */
	struct edge_region *regions;
	struct edge_buffer *buffers;
	struct edge_step *steps;
	struct edge_train train;
};

struct train {
	struct edgert_session *s;
	struct train_resize resize;
	const struct edge_train *plan; /* the plan's, or resize.train */
	uint32_t buffer[EDGE_BUFFER_ROLES], step[EDGE_TRAIN_STEP_ROLES]; /* by role */
	uint32_t *training;	/* the views that are trained on */
	uint32_t *order[2];	/* two epochs' permutations of them */
	uint64_t epoch[2];	/* which ones; UINT64_MAX: none */
	struct frames *frames;
	uint32_t state[STATE_WORDS];
	float drift[2][MISSED_MOST + 1]; /* of the steps missed, by their number: all but positions; positions */
	float *losses;		/* of the loss's blocks */
	uint32_t *bands;	/* first tiles */
	float *pixels;		/* one row of a picture, three planes */
	uint32_t after_band; /* role of a step that each band of a picture is followed by; 0: none */
	struct train_counters counters;
	struct train_totals totals;

};

/* device.c: memory of the device by role */
enum edge_status train_write(struct train *t, uint32_t role, uint64_t offset, const void *bytes, uint64_t size,
			     struct failure *f);
enum edge_status train_read(struct train *t, uint32_t role, uint64_t offset, void *bytes, uint64_t size,
			    struct failure *f);
enum edge_status train_launch(struct train *t, uint32_t role, struct failure *f);
enum edge_status train_finish(struct train *t, struct failure *f);
void *train_in_place(struct train *t, uint32_t role); /* NULL: not the host's memory */

/* draw.c: everything up to the finished picture */
void draw_state(struct train *t, const struct train_camera *camera);
enum edge_status draw(struct train *t, struct failure *f);
enum edge_status draw_band(struct train *t, uint32_t band, bool add, struct failure *f);
enum edge_status draw_recount(struct train *t, struct failure *f);

/* step.c: what is left of the rates at a step; the positions' falls all the time, by itself */
double settled_rate(const struct edge_train *x, double step);
/* step.c: from the gradient of the picture, and the lists that drawing it left, to the sums of each Gaussian */
enum edge_status draw_backward(struct train *t, struct failure *f);

/* drift.c: what Gaussians without a gradient owe */
enum edge_status drift_write(struct train *t, uint32_t step, struct failure *f);
enum edge_status drift_settle(struct train *t, struct failure *f); /* nothing is owed afterwards */

/* order.c */
uint32_t order_view(struct train *t, uint64_t step); /* of the plan's views; step counts from 1 */

/* event.c: the events due after the step; counts into out */
enum edge_status train_events(struct train *t, uint32_t step, struct train_step_report *out, struct failure *f);

#endif
