/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_train.c - the records of a plan that trains.
 *
 * What the runtime does with them besides launching kernels is index, copy and
 * divide; after this every index lies inside, every copy fits its buffer, and
 * nothing that it divides by is zero.
 */
#include "config.h"

#include "plan/check.h"

#include <math.h>
#include <string.h>

#define BAD(...) return check_fail(c, EDGE_BAD, __VA_ARGS__)
typedef unsigned long long ull;

enum { TILE = 16, STATE_BYTES = 2560, SLOT_BYTES = 44, LOSS_W = 64, LOSS_H = 32, PLACES = 1 << 24 };

static bool compact(const struct edge_train *x)
{
	return (x->flags & EDGE_TRAIN_COMPACT) != 0;
}

static bool window_ok(const struct edge_window *w)
{
	return w->every || (!w->from && !w->until);
}

static enum edge_status check_numbers(struct check *c)
{
	const struct edge_train *x = c->p->train;
	const float number[] = { x->background[0], x->background[1], x->background[2], x->extent, x->centre[0],
				 x->centre[1], x->centre[2], x->rate_position_first, x->rate_position_last,
				 x->rate_scale, x->rate_rotation, x->rate_opacity, x->rate_colour, x->rate_sh,
				 x->epsilon, x->ssim_weight, x->gradient_threshold, x->split_scale, x->opacity_min,
				 x->scale_max, x->growth, x->noise, x->opacity_decay, x->scale_decay, x->new_opacity,
				 x->settle_from, x->rate_settled };

	for (size_t i = 0; i < sizeof number / sizeof *number; i++)
		if (!isfinite(number[i]))
			BAD("train: number %zu is not finite", i);
	for (size_t i = 7; i < sizeof number / sizeof *number; i++) /* behind colours and places */
		if (number[i] < 0)
			BAD("train: number %zu is %g", i, (double)number[i]);
	if (x->rate_position_first <= 0 || x->rate_position_last <= 0)
		BAD("train: the positions' rate is not above 0");
	if (x->settle_from > 1 || x->rate_settled > 1)
		BAD("train: rates fall from %g of the steps on to %g", (double)x->settle_from, (double)x->rate_settled);
	if (x->reserved != 0 && c->p->header->prefix.minor == EDGE_PLAN_MINOR)
		BAD("train: a reserved field is not zero");
	return EDGE_OK;
}

static enum edge_status check_timeline(struct check *c)
{
	const struct edge_train *x = c->p->train;

	if (x->policy < EDGE_POLICY_DIET || x->policy > EDGE_POLICY_PLAIN)
		return check_fail(c, EDGE_UNSUPPORTED, "training policy %u", x->policy);
	if (x->sh_degree > 3 || (x->moment_bits != 32 && x->moment_bits != 16 && x->moment_bits != 8) ||
	    x->tile_width != TILE || x->tile_height != TILE || x->flags > (EDGE_TRAIN_COMPACT | EDGE_TRAIN_GREY) ||
	    x->flags == EDGE_TRAIN_GREY)
		return check_fail(c, EDGE_UNSUPPORTED, "degree %u, moments of %u bits, tiles of %u x %u, flags %#x",
				  x->sh_degree, x->moment_bits, x->tile_width, x->tile_height, x->flags);
	if (!x->steps || !x->sh_every || x->parameters != 11 + 3 * (x->sh_degree + 1) * (x->sh_degree + 1))
		BAD("train: %u steps, %u parameters of degree %u", x->steps, x->parameters, x->sh_degree);
	if (!x->cap || x->cap > x->capacity || x->capacity % 16 || x->capacity > 1u << 30 || x->key_capacity < x->capacity ||
	    x->first_gaussians > x->cap || x->first_gaussians > c->p->point_count || !x->first_gaussians)
		BAD("train: cap %u, capacity %u, %u keys, %u Gaussians to begin with of %u points", x->cap, x->capacity,
		    x->key_capacity, x->first_gaussians, c->p->point_count);
	if (!x->width || !x->height || x->stride % TILE || x->rows % TILE || x->stride < x->width || x->rows < x->height ||
	    x->stride > 1 << 15 || x->rows > 1 << 15)
		BAD("train: pictures of %u x %u in %u x %u", x->width, x->height, x->stride, x->rows);
	if ((uint64_t)x->capacity * (x->stride / TILE) * (x->rows / TILE) > UINT32_MAX)
		BAD("train: more places in lists than can be counted");
	if (compact(x) && (x->moment_bits != 8 || x->stride / TILE > 255 || x->rows / TILE > 255))
		BAD("train: compact, but moments of %u bits and pictures of %u x %u", x->moment_bits, x->stride, x->rows);
	if (!x->slot_capacity)
		BAD("train: no room for sums of list entries");
	if (!window_ok(&x->densify) || !window_ok(&x->prune) || !window_ok(&x->compensate) || !window_ok(&x->relocate))
		BAD("train: a window without a step");
	if (x->bytes_per_gaussian > PLACES || x->bytes_per_key > PLACES ||
	    x->bytes_per_gaussian * x->capacity + x->bytes_per_key * x->key_capacity > c->p->meta->planned_device_bytes ||
	    x->bytes_fixed != c->p->meta->planned_device_bytes - x->bytes_per_gaussian * x->capacity -
				      x->bytes_per_key * x->key_capacity)
		BAD("train: the bytes of Gaussians and keys are not the planned ones");
	return check_numbers(c);
}

static bool camera_ok(const struct edge_view *v)
{
	double sum = v->fx + v->fy + v->cx + v->cy;

	for (int i = 0; i < 9; i++)
		sum += fabs(v->rotation[i]);
	for (int i = 0; i < 3; i++)
		sum += fabs(v->translation[i]);
	return isfinite(sum) && v->fx > 0 && v->fy > 0;
}

static enum edge_status check_views(struct check *c)
{
	const struct edge_plan *p = c->p;
	const struct edge_train *x = p->train;
	uint32_t training = 0, chunk = 0;

	for (uint32_t i = 0; i < p->view_count; i++) {
		const struct edge_view *v = &p->views[i];
		uint64_t bytes = 0;

		if (v->name >= p->strings_size || v->held_out > 1 || !v->width || !v->height || v->width > x->width ||
		    v->height > x->height || !camera_ok(v))
			BAD("view %u: its name, size or camera is wrong", i);
		if (v->chunk_first != chunk || !check_range(chunk, v->chunk_count, p->chunk_count))
			BAD("view %u: chunks %u to %llu of %u", i, v->chunk_first, (ull)v->chunk_first + v->chunk_count,
			    p->chunk_count);
		for (uint32_t k = 0; k < v->chunk_count; k++)
			bytes += p->chunks[chunk + k].bytes;
		if (bytes < 3 * (uint64_t)v->width * v->height || bytes >= 3 * (uint64_t)v->width * v->height + EDGE_PLAN_PAGE)
			BAD("view %u: %llu bytes for %u x %u pixels", i, (ull)bytes, v->width, v->height);
		chunk += v->chunk_count;
		training += !v->held_out;
	}
	if (chunk != p->chunk_count || p->read_count)
		BAD("chunks that are no view's, or that are read as weights");
	if (!training || training != x->train_views || p->view_count - training != x->held_out_views)
		BAD("train: %u of %u views to train on", x->train_views, p->view_count);
	return EDGE_OK;
}

static enum edge_status check_points(struct check *c)
{
	for (uint32_t i = 0; i < c->p->point_count; i++) {
		const struct edge_point *x = &c->p->points[i];

		if (!isfinite(x->x) || !isfinite(x->y) || !isfinite(x->z) || !isfinite(x->log_scale) || x->zero)
			BAD("point %u is not finite", i);
	}
	return EDGE_OK;
}

/* Bytes that the runtime itself reads or writes in a buffer. */
static uint64_t least_bytes(const struct check *c, uint32_t role)
{
	const struct edge_train *x = c->p->train;
	const uint32_t whole = edge_train_whole(x->parameters, x->flags);
	uint64_t cap = x->capacity, tiles = (uint64_t)(x->stride / TILE) * (x->rows / TILE), bytes = 0;

	switch (role) {
	case EDGE_BUFFER_PARAMETERS: return cap * (4 * whole + 2 * edge_train_columns(x->parameters, x->flags));
	case EDGE_BUFFER_MOMENT1:
	case EDGE_BUFFER_MOMENT2: return x->moment_bits / 8 * cap * edge_train_moments(x->parameters, x->flags);
	case EDGE_BUFFER_STATISTICS: return (compact(x) ? 10 : 20) * cap;
	case EDGE_BUFFER_SLOTS: return SLOT_BYTES * (uint64_t)x->slot_capacity;
	case EDGE_BUFFER_TILES: return 4 * (2 * tiles + 2);
	case EDGE_BUFFER_IMAGE: return 12 * (uint64_t)x->stride * x->rows;
	case EDGE_BUFFER_LOSS:
		return 4 * (uint64_t)((x->width + LOSS_W - 1) / LOSS_W) * ((x->height + LOSS_H - 1) / LOSS_H);
	case EDGE_BUFFER_STATE: return STATE_BYTES;
	case EDGE_BUFFER_FRAME_A:
	case EDGE_BUFFER_FRAME_B:
		for (uint32_t i = 0; i < c->p->view_count; i++) {
			const struct edge_view *v = &c->p->views[i];
			uint64_t n = edge_plan_pages(3 * (uint64_t)v->width * v->height);

			bytes = n > bytes ? n : bytes;
		}
		return bytes;
	default: return 0;
	}
}

static enum edge_status check_buffer_role(struct check *c, uint32_t i)
{
	const struct edge_plan *p = c->p;
	const struct edge_role *r = &p->roles[i];
	const struct edge_buffer *b;
	uint64_t grows;

	if (r->role < 1 || r->role >= EDGE_BUFFER_ROLES)
		return check_fail(c, EDGE_UNSUPPORTED, "role %u: a buffer for %u", i, r->role);
	if (r->index >= p->buffer_count || r->gaussians_per_item || r->bytes_per_gaussian > PLACES ||
	    r->bytes_per_key > PLACES)
		BAD("role %u: buffer %u of %u", i, r->index, p->buffer_count);
	b = &p->buffers[r->index];
	grows = (uint64_t)r->bytes_per_gaussian * p->train->capacity + (uint64_t)r->bytes_per_key * p->train->key_capacity;
	if (b->bytes < least_bytes(c, r->role) || b->bytes < grows || b->bytes % 128)
		BAD("role %u: %llu bytes are too few", i, (ull)b->bytes);
	if (b->offset || b->bytes != p->regions[b->region].bytes)
		BAD("role %u: buffer %u does not have a region to itself", i, r->index);
	return EDGE_OK;
}

static enum edge_status check_roles(struct check *c)
{
	const struct edge_plan *p = c->p;
	bool buffer[EDGE_BUFFER_ROLES] = { false }, step[EDGE_TRAIN_STEP_ROLES] = { false };

	for (uint32_t i = 0; i < p->role_count; i++) {
		const struct edge_role *r = &p->roles[i];
		enum edge_status st;

		if (r->kind == EDGE_ROLE_BUFFER) {
			if ((st = check_buffer_role(c, i)))
				return st;
			if (buffer[r->role])
				BAD("role %u appears twice", i);
			buffer[r->role] = true;
			continue;
		}
		if (r->kind != EDGE_ROLE_STEP || r->role < 1 || r->role >= EDGE_TRAIN_STEP_ROLES)
			return check_fail(c, EDGE_UNSUPPORTED, "role %u of kind %u", i, r->kind);
		if (r->index >= p->step_count || p->steps[r->index].kind != EDGE_STEP_KERNEL || r->bytes_per_gaussian ||
		    r->bytes_per_key || step[r->role])
			BAD("role %u: step %u of %u", i, r->index, p->step_count);
		step[r->role] = true;
	}
	return EDGE_OK;
}

static enum edge_status check_events(struct check *c)
{
	const struct edge_plan *p = c->p;
	uint32_t step = 1;

	for (uint32_t i = 0; i < p->event_count; i++) {
		const struct edge_event *e = &p->events[i];

		if (e->kind < EDGE_EVENT_DENSIFY || e->kind > EDGE_EVENT_REORDER)
			return check_fail(c, EDGE_UNSUPPORTED, "event %u of kind %u", i, e->kind);
		if (e->step < step || e->step > p->train->steps || e->most > p->train->capacity ||
		    e->bytes > p->meta->planned_device_bytes)
			BAD("event %u: at step %u, %u Gaussians, %llu bytes", i, e->step, e->most, (ull)e->bytes);
		if (e->kind == EDGE_EVENT_DEGREE && e->argument > p->train->sh_degree)
			BAD("event %u: degree %u", i, e->argument);
		step = e->step;
	}
	return EDGE_OK;
}

enum edge_status check_train(struct check *c)
{
	static enum edge_status (*const check[])(struct check *) = { check_timeline, check_views, check_points,
								     check_roles, check_events };
	const struct edge_plan *p = c->p;

	if (p->meta->kind != EDGE_PLAN_TRAIN) {
		if (p->train_count || p->view_count || p->point_count || p->event_count || p->role_count)
			BAD("records of training in a plan of kind %u", p->meta->kind);
		return EDGE_OK;
	}
	if (p->train_count != 1)
		BAD("section train: %u records", p->train_count);
	for (size_t i = 0; i < sizeof check / sizeof *check; i++) {
		enum edge_status st = check[i](c);

		if (st)
			return st;
	}
	return EDGE_OK;
}
