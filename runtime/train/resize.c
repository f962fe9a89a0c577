/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resize.c - the plan's memory for another number of Gaussians.
 *
 * Rendering a set from a file needs room for that set, and neither moments nor
 * photographs. Roles say which buffers and launches grow with the set, so
 * the records can be worked out again; the plan itself stays as it is.
 */
#include "config.h"

#include "train/resize.h"

#include <string.h>

static uint64_t aligned(uint64_t bytes)
{
	return (bytes + 127) / 128 * 128;
}

static void resize_buffer(struct train_resize *z, const struct edge_plan *p, const struct edge_role *r)
{
	const struct edge_train *old = p->train;
	struct edge_buffer *b = &z->buffers[r->index];
	uint64_t by_set = (uint64_t)r->bytes_per_gaussian * old->capacity + (uint64_t)r->bytes_per_key * old->key_capacity;
	uint64_t bytes = b->bytes > aligned(by_set) ? b->bytes - by_set : 0;

	if (r->role == EDGE_BUFFER_MOMENT1 || r->role == EDGE_BUFFER_MOMENT2)
		bytes = 128;
	else
		bytes += (uint64_t)r->bytes_per_gaussian * z->train.capacity +
			 (uint64_t)r->bytes_per_key * z->train.key_capacity;
	b->bytes = aligned(bytes);
	/* each buffer that grows has a region to itself: plan_check() says so */
	z->regions[b->region].bytes = b->bytes;
}

/* The budget holds for looking at a set as it does for training one. */
static enum edge_status within_budget(const struct train_resize *z, const struct edge_plan *p, struct failure *f)
{
	unsigned long long bytes = 0, budget = p->meta->device_budget_bytes;

	for (uint32_t i = 0; i < p->region_count; i++)
		bytes += z->regions[i].space == EDGE_SPACE_DEVICE ? z->regions[i].bytes : 0;
	if (!budget || bytes <= budget)
		return EDGE_OK;
	return rt_fail(f, EDGE_ARGUMENT, "%u Gaussians need %llu bytes of device memory, and the plan's budget is %llu",
		       z->gaussians, bytes, budget);
}

enum edge_status train_resize(void *ctx, struct edge_plan *p, struct failure *f)
{
	struct train_resize *z = ctx;
	enum edge_status st;

	if (!z->gaussians)
		return EDGE_OK;
	z->regions = rt_alloc(p->region_count, sizeof *z->regions);
	z->buffers = rt_alloc(p->buffer_count, sizeof *z->buffers);
	z->steps = rt_alloc(p->step_count, sizeof *z->steps);
	if (!z->regions || !z->buffers || !z->steps)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	memcpy(z->regions, p->regions, p->region_count * sizeof *z->regions);
	memcpy(z->buffers, p->buffers, p->buffer_count * sizeof *z->buffers);
	memcpy(z->steps, p->steps, p->step_count * sizeof *z->steps);
	z->train = *p->train;
	z->train.capacity = (z->gaussians + 15) / 16 * 16;
	z->train.cap = z->train.capacity;
	if (z->train.key_capacity < z->train.capacity)
		z->train.key_capacity = z->train.capacity;
	if ((uint64_t)z->train.capacity * (z->train.stride / 16) * (z->train.rows / 16) > UINT32_MAX)
		return rt_fail(f, EDGE_UNSUPPORTED, "a set of %u Gaussians is too large for pictures of %u x %u pixels",
			       z->gaussians, z->train.width, z->train.height);
	for (uint32_t i = 0; i < p->role_count; i++) {
		const struct edge_role *r = &p->roles[i];

		if (r->kind == EDGE_ROLE_BUFFER && (r->bytes_per_gaussian || r->bytes_per_key))
			resize_buffer(z, p, r);
		if (r->kind == EDGE_ROLE_STEP && r->gaussians_per_item)
			z->steps[r->index].global[0] = (z->train.capacity + r->gaussians_per_item - 1) / r->gaussians_per_item;
	}
	if ((st = within_budget(z, p, f)) != EDGE_OK)
		return st;
	p->regions = z->regions;
	p->buffers = z->buffers;
	p->steps = z->steps;
	p->train = &z->train;
	return EDGE_OK;
}

void train_resize_free(struct train_resize *z)
{
	rt_free(z->regions);
	rt_free(z->buffers);
	rt_free(z->steps);
}
