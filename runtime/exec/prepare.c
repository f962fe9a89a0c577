/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prepare.c - the plan's regions, buffers, programs and launches on the device.
 *
 * Everything that a step needs is bound here, once. The driver may refuse any
 * of it; the message then says what and why. Closing takes the reverse order
 * and copes with whatever there is.
 */
#include "config.h"

#include "exec/session.h"

#include <inttypes.h>
#include <stdio.h>

static enum edge_status create_regions(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	enum edge_status st;
	uint32_t i;

	for (i = 0; i < p->region_count; i++) {
		if (p->regions[i].space == EDGE_SPACE_HOST)
			continue;
		st = s->ops->region_create(s->device, p->regions[i].space, p->regions[i].bytes, s->in_place[i],
					   &s->regions[i], &s->failure);
		if (st != EDGE_OK)
			return st;
		if (!s->in_place[i])
			rt_account_add(&s->account, RT_DEVICE, p->regions[i].bytes);
	}
	return EDGE_OK;
}

static enum edge_status create_buffers(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	enum edge_status st;
	uint32_t i;

	for (i = 0; i < p->buffer_count; i++) {
		const struct edge_buffer *b = &p->buffers[i];

		if (!s->regions[b->region])
			continue; /* staging */
		st = s->ops->buffer_create(s->device, s->regions[b->region], b->offset, b->bytes,
					   &s->buffers[i], &s->failure);
		if (st != EDGE_OK)
			return st;
	}
	return EDGE_OK;
}

static enum edge_status build_programs(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	enum edge_status st;
	uint32_t i;

	for (i = 0; i < p->program_count; i++) {
		struct device_code code = {
			.source = plan_string(p, p->programs[i].source),
			.options = plan_string(p, p->programs[i].options),
			.block = s->code.block,
			.entry = s->code.entry,
			.entry_count = p->kernel_count,
		};

		st = s->ops->program_build(s->device, &code, &s->programs[i], &s->failure);
		if (st != EDGE_OK)
			return st;
	}
	return EDGE_OK;
}

static enum edge_status create_launch(struct edgert_session *s, uint32_t index,
				      struct device_argument *arg)
{
	const struct edge_plan *p = &s->plan;
	const struct edge_step *step = &p->steps[index];
	const struct edge_kernel *k = &p->kernels[step->index];
	struct device_launch_request request = {
		.program = s->programs[k->program],
		.kernel = plan_string(p, k->name),
		.kernel_index = step->index,
		.arg = arg,
		.arg_count = step->arg_count,
		.flops = step->flops,
		.bytes = step->bytes,
		.global = { step->global[0], step->global[1], step->global[2] },
		.local = { step->local[0], step->local[1], step->local[2] },
	};
	uint32_t i;

	for (i = 0; i < step->arg_count; i++) {
		const struct edge_arg *a = &p->args[step->arg_first + i];

		arg[i] = (struct device_argument){ .kind = a->kind };
		if (a->kind == EDGE_PARAM_GLOBAL || a->kind == EDGE_PARAM_IMAGE)
			arg[i].buffer = s->buffers[a->buffer];
		else if (a->kind == EDGE_PARAM_F32)
			arg[i].value.f = a->value.f;
		else
			arg[i].value.i = a->value.i;
		if ((a->kind == EDGE_PARAM_GLOBAL || a->kind == EDGE_PARAM_IMAGE) && !arg[i].buffer)
			return rt_fail(&s->failure, EDGE_BAD,
				       "plan \"%s\" is damaged: step %u works on host memory",
				       s->file.path, index);
	}
	return s->ops->launch_create(s->device, &request, &s->steps[index].launch, &s->failure);
}

static enum edge_status create_launches(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	struct device_argument *arg;
	enum edge_status st = EDGE_OK;
	uint32_t i, most = 1;

	for (i = 0; i < p->step_count; i++)
		if (p->steps[i].arg_count > most)
			most = p->steps[i].arg_count;
	if (!(arg = rt_alloc(most, sizeof(*arg))))
		return rt_fail(&s->failure, EDGE_MEMORY, "out of memory");
	for (i = 0; i < p->step_count && st == EDGE_OK; i++)
		if (p->steps[i].kind == EDGE_STEP_KERNEL)
			st = create_launch(s, i, arg);
	rt_free(arg);
	return st;
}

enum edge_status session_prepare(struct edgert_session *s, const struct edgert_options *options)
{
	enum edge_status st;

	(void)options;
	if ((st = create_regions(s)) != EDGE_OK || (st = create_buffers(s)) != EDGE_OK ||
	    (st = session_prepare_lookups(s)) != EDGE_OK || (st = session_map_code(s)) != EDGE_OK ||
	    (st = build_programs(s)) != EDGE_OK)
		return st;
	return create_launches(s);
}

static void destroy_device_objects(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	uint32_t i;

	for (i = 0; s->steps && i < p->step_count; i++) {
		s->ops->fence_reset(s->device, &s->steps[i].fence);
		s->ops->launch_destroy(s->device, s->steps[i].launch);
	}
	for (i = 0; s->programs && i < p->program_count; i++)
		s->ops->program_destroy(s->device, s->programs[i]);
	for (i = 0; s->buffers && i < p->buffer_count; i++)
		s->ops->buffer_destroy(s->device, s->buffers[i]);
	for (i = 0; s->regions && i < p->region_count; i++) {
		if (s->regions[i] && !s->in_place[i])
			rt_account_remove(&s->account, RT_DEVICE, p->regions[i].bytes);
		s->ops->region_destroy(s->device, s->regions[i]);
	}
	s->ops->close(s->device);
}

void edgert_close(struct edgert_session *s)
{
	if (!s)
		return;
	stream_stop(s->stream);
	if (s->device)
		destroy_device_objects(s);
	session_give_memory(s);
	plan_file_close(&s->file);
	rt_free(s->regions);
	rt_free(s->memory);
	rt_free(s->in_place);
	rt_free(s->buffers);
	rt_free(s->programs);
	session_unmap_code(s);
	session_close_lookups(s);
	rt_free(s->steps);
	rt_free(s->tensors);
	rt_free(s->model_ms);
	rt_free(s);
}
