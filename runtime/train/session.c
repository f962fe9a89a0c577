/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - from a plan to a set that can be trained.
 *
 * The plan's regions, launches and code come up as for any plan; then the
 * initial points become Gaussians, a few thousand at a time.
 */
#include "config.h"

#include "train/internal.h"

#include "base/clock.h"
#include "train/resize.h"

#include <math.h>
#include <string.h>

enum { BATCH = 1024 };

static enum edge_status find_roles(struct train *t, struct failure *f)
{
	const struct edge_plan *p = &t->s->plan;

	for (uint32_t i = 0; i < EDGE_BUFFER_ROLES; i++)
		t->buffer[i] = UINT32_MAX;
	for (uint32_t i = 0; i < EDGE_TRAIN_STEP_ROLES; i++)
		t->step[i] = UINT32_MAX;
	for (uint32_t i = 0; i < p->role_count; i++)
		if (p->roles[i].kind == EDGE_ROLE_BUFFER)
			t->buffer[p->roles[i].role] = p->roles[i].index;
		else
			t->step[p->roles[i].role] = p->roles[i].index;
	for (uint32_t i = 1; i < EDGE_BUFFER_ROLES; i++)
		if (t->buffer[i] == UINT32_MAX)
			return rt_fail(f, EDGE_UNSUPPORTED, "plan \"%s\" has no buffer of role %u", t->s->file.path, i);
	for (uint32_t i = 1; i <= EDGE_TRAIN_UPDATE; i++)
		if (t->step[i] == UINT32_MAX)
			return rt_fail(f, EDGE_UNSUPPORTED, "plan \"%s\" has no step of role %u", t->s->file.path, i);
	return EDGE_OK;
}

static enum edge_status make_records(struct train *t, struct failure *f)
{
	const struct edge_plan *p = &t->s->plan;
	const struct edge_train *x = t->plan;
	uint64_t tiles = (uint64_t)(x->stride / 16) * (x->rows / 16);
	uint32_t n = 0;

	t->training = rt_alloc(x->train_views, sizeof *t->training);
	t->order[0] = rt_alloc(x->train_views, sizeof *t->order[0]);
	t->order[1] = rt_alloc(x->train_views, sizeof *t->order[1]);
	t->losses = rt_alloc(p->buffers[t->buffer[EDGE_BUFFER_LOSS]].bytes, 1);
	t->bands = rt_alloc(tiles + 2, sizeof *t->bands);
	t->pixels = rt_alloc(3 * (uint64_t)x->stride, sizeof *t->pixels);
	if (!t->training || !t->order[0] || !t->order[1] || !t->losses || !t->bands || !t->pixels)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	t->epoch[0] = t->epoch[1] = UINT64_MAX;
	for (uint32_t i = 0; i < p->view_count; i++)
		if (!p->views[i].held_out)
			t->training[n++] = i;
	return EDGE_OK;
}

/* Memory of a device's own starts with anything in it. */
static enum edge_status clear(struct train *t, uint32_t role, struct failure *f)
{
	static const char zeros[4096];
	uint64_t bytes = t->s->plan.buffers[t->buffer[role]].bytes;
	enum edge_status st = EDGE_OK;

	if (train_in_place(t, role))
		return EDGE_OK;
	for (uint64_t at = 0; at < bytes && st == EDGE_OK; at += sizeof zeros)
		st = train_write(t, role, at, zeros, bytes - at < sizeof zeros ? bytes - at : sizeof zeros, f);
	return st == EDGE_OK ? train_finish(t, f) : st;
}


/* Parameter k of a Gaussian at a point. */
static float point_parameter(const struct edge_point *p, uint32_t k)
{
	const uint8_t rgb[3] = { p->r, p->g, p->b };
	const float xyz[3] = { p->x, p->y, p->z };

	if (k < PARAMETER_SCALE)
		return xyz[k];
	if (k < PARAMETER_ROTATION)
		return p->log_scale;
	if (k == PARAMETER_ROTATION)
		return 1.0f; /* no rotation */
	if (k == PARAMETER_OPACITY)
		return -2.19722458f; /* opacity 0.1 */
	if (k >= PARAMETER_COLOUR && k < PARAMETER_HIGHER)
		return (float)((rgb[k - PARAMETER_COLOUR] / 255.0 - 0.5) / 0.28209479177387814);
	return 0.0f;
}

static enum edge_status place_points(struct train *t, struct failure *f)
{
	const struct edge_plan *p = &t->s->plan;
	uint32_t count = t->plan->first_gaussians;
	float value[BATCH];
	enum edge_status st = EDGE_OK;

	for (uint32_t first = 0; first < count && st == EDGE_OK; first += BATCH) {
		uint32_t n = count - first < BATCH ? count - first : BATCH;

		for (uint32_t k = 0; k < t->plan->parameters && st == EDGE_OK; k++) {
			for (uint32_t i = 0; i < n; i++)
				value[i] = point_parameter(&p->points[first + i], k);
			st = train_parameter_write(t, k, first, n, value, f);
		}
	}
	t->counters.gaussians = count;
	return st;
}

static enum edge_status begin(struct train *t, struct failure *f)
{
	enum edge_status st;

	if ((st = clear(t, EDGE_BUFFER_PARAMETERS, f)) != EDGE_OK || (st = clear(t, EDGE_BUFFER_STATISTICS, f)) != EDGE_OK)
		return st;
	if (t->resize.gaussians) {
		t->counters.degree = t->plan->sh_degree;
		return EDGE_OK;
	}
	if ((st = clear(t, EDGE_BUFFER_MOMENT1, f)) != EDGE_OK || (st = clear(t, EDGE_BUFFER_MOMENT2, f)) != EDGE_OK)
		return st;
	return place_points(t, f);
}

enum edge_status train_open(const struct train_options *options, struct train **out, struct failure *f)
{
	struct train *t = rt_alloc(1, sizeof *t);
	struct session_purpose purpose = { .kind = EDGE_PLAN_TRAIN, .adjust = train_resize };
	struct edgert_options o = { .plan = options->plan, .device = options->device, .threads = options->threads,
				    .pin = options->pin, .no_native = options->no_native,
				    .no_cache = options->no_cache };
	int64_t start = rt_now();
	enum edge_status st;

	*out = NULL;
	if (!t)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	t->resize.gaussians = options->render_gaussians;
	purpose.ctx = &t->resize;
	st = session_open_as(&o, NULL, &purpose, &t->s);
	if (st != EDGE_OK) {
		rt_fail(f, st, "%s", edgert_last_error(NULL));
		train_close(t);
		return st;
	}
	t->plan = t->s->plan.train;
	if ((st = find_roles(t, f)) != EDGE_OK || (st = make_records(t, f)) != EDGE_OK ||
	    (st = begin(t, f)) != EDGE_OK || (st = frames_start(t, &t->frames, f)) != EDGE_OK) {
		train_close(t);
		return st;
	}
	t->totals.open_ms = rt_ms(rt_now() - start);
	*out = t;
	return EDGE_OK;
}

void train_close(struct train *t)
{
	if (!t)
		return;
	frames_stop(t->frames);
	edgert_close(t->s);
	train_resize_free(&t->resize);
	rt_free(t->training);
	rt_free(t->order[0]);
	rt_free(t->order[1]);
	rt_free(t->losses);
	rt_free(t->bands);
	rt_free(t->pixels);
	rt_free(t);
}

const struct edge_plan *train_plan(const struct train *t)
{
	return &t->s->plan;
}

uint32_t train_done(const struct train *t)
{
	return t->counters.done;
}

uint32_t train_gaussians(const struct train *t)
{
	return t->counters.gaussians;
}

uint32_t train_capacity(const struct train *t)
{
	return t->plan->capacity;
}

/* ---- memory, time ---- */

void train_totals(const struct train *t, struct train_totals *out)
{
	const struct device_info *info = t->s->ops->info(t->s->device);
	const struct edge_plan *p = &t->s->plan;

	*out = t->totals;
	out->backend = info->backend;
	out->device = info->name;
	out->driver = info->driver;
	out->threads = info->threads;
	for (uint32_t i = 0; i < p->region_count; i++)
		if (p->regions[i].space == EDGE_SPACE_HOST)
			out->planned_host_bytes += p->regions[i].bytes;
		else
			out->planned_device_bytes += p->regions[i].bytes;
	out->actual_device_bytes = t->s->account.peak[RT_DEVICE];
	out->actual_host_bytes = t->s->account.peak[RT_HOST];
	out->device_bytes_now = t->s->account.current[RT_DEVICE];
	out->bytes_read = frames_bytes(t->frames);
}
