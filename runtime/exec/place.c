/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - where the plan's regions lie in memory of the host.
 *
 * Regions that the device uses in place are parts of one mapping, so that large pages cover all of it but
 * the end. A disk that reads past the page cache brings one large page in one piece and small ones one by
 * one (a virtual disk gave 3.1 GB/s into the former and 1.2 GB/s into the latter), and the first touch of
 * it costs a fifth. So what is read again and again comes first, then what is read once; the end is
 * activations, which no disk writes to.
 */
#include "config.h"

#include "exec/session.h"

#include <inttypes.h>

static enum edge_status no_memory(struct edgert_session *s, uint32_t region)
{
	return rt_fail_errno(&s->failure, EDGE_MEMORY, "could not get %" PRIu64 " bytes for the plan's region %u",
			     s->plan.regions[region].bytes, region);
}

/* Regions of the plan that are the device's and the host's at once; only where nothing is staged. */
static bool is_shared(const struct edgert_session *s, uint32_t region)
{
	return s->staging == UINT32_MAX && s->plan.regions[region].space != EDGE_SPACE_HOST;
}

static uint32_t rank(uint32_t kind)
{
	return kind == EDGE_REGION_STREAM ? 0 : kind == EDGE_REGION_RESIDENT ? 1 : 2;
}

static enum edge_status take_shared(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	uint64_t total = 0, at = 0;
	uint32_t largest = 0, i, r;

	for (i = 0; i < p->region_count; i++) {
		if (!is_shared(s, i))
			continue;
		if (p->regions[i].bytes >= UINT64_MAX / 4 - total)
			return rt_fail(&s->failure, EDGE_MEMORY, "could not get %" PRIu64 " bytes for the plan's region %u",
				       p->regions[i].bytes, i);
		total += edge_plan_pages(p->regions[i].bytes);
		if (p->regions[i].bytes > p->regions[largest].bytes)
			largest = i;
	}
	if (total == 0)
		return EDGE_OK;
	if (!(s->shared = rt_reserve(total)))
		return no_memory(s, largest);
	s->shared_bytes = total;
	for (r = 0; r < 3; r++) {
		for (i = 0; i < p->region_count; i++) {
			if (!is_shared(s, i) || rank(p->regions[i].kind) != r)
				continue;
			s->memory[i] = s->in_place[i] = (char *)s->shared + at;
			at += edge_plan_pages(p->regions[i].bytes);
			rt_account_add(&s->account, RT_DEVICE, p->regions[i].bytes);
		}
	}
	return EDGE_OK;
}

enum edge_status session_take_memory(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	uint32_t i;

	s->staging = UINT32_MAX;
	for (i = 0; i < p->region_count; i++)
		if (p->regions[i].kind == EDGE_REGION_STAGING)
			s->staging = i;
	for (i = 0; i < p->region_count; i++) {
		if (p->regions[i].space != EDGE_SPACE_HOST)
			continue;
		s->memory[i] = rt_map(&s->account, RT_HOST, p->regions[i].bytes);
		if (!s->memory[i])
			return no_memory(s, i);
	}
	return take_shared(s);
}

void session_give_memory(struct edgert_session *s)
{
	uint32_t i;

	for (i = 0; s->memory && s->in_place && i < s->plan.region_count; i++) {
		if (s->in_place[i])
			rt_account_remove(&s->account, RT_DEVICE, s->plan.regions[i].bytes);
		else
			rt_unmap(&s->account, RT_HOST, s->memory[i], s->plan.regions[i].bytes);
	}
	rt_release(s->shared, s->shared_bytes);
}
