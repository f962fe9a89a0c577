/* SPDX-License-Identifier: Apache-2.0 */
/* choose.c - see choose.h. */
#include "config.h"

#include "choose.h"

#include <string.h>

static void list_plans(const struct choice *c)
{
	for (uint32_t i = 0; i < c->project->plans.len; i++)
		diag_note(c->diag, c->project->plans.data[i].span, "plan %s", c->project->plans.data[i].name);
}

/* A file that declares one model and no plan means: run it. */
static const struct decl_plan *implied_plan(const struct choice *c)
{
	const struct project *p = c->project;
	struct decl_plan *plan = arena_new(c->arena, struct decl_plan);
	struct decl_step step = { .action = DECL_RUN };

	if (p->models.len != 1) {
		diag_error(c->diag, NO_SPAN, "\"%s\" has no plan to compile", c->opt->input);
		diag_hint(c->diag, "Add: plan NAME { run MODEL; }");
		return NULL;
	}
	plan->name = step.subject = p->models.data[0].name;
	plan->span = step.span = p->models.data[0].span;
	vec_push(c->arena, &plan->steps, step);
	return plan;
}

static const struct decl_plan *named_plan(const struct choice *c)
{
	const struct project *p = c->project;

	for (uint32_t i = 0; i < p->plans.len; i++)
		if (!strcmp(p->plans.data[i].name, c->opt->plan))
			return &p->plans.data[i];
	diag_error(c->diag, NO_SPAN, "no plan %s in \"%s\"", c->opt->plan, c->opt->input);
	if (!p->plans.len)
		diag_hint(c->diag, "It has no plans; without --plan its one model is run.");
	list_plans(c);
	return NULL;
}

/* What parses and has no meaning yet is refused where the plan depends on it. */
static const struct decl_plan *refuse_unsupported(const struct choice *c, const struct decl_plan *p)
{
	if (!p)
		return NULL;
	if (p->unsupported)
		diag_error(c->diag, p->unsupported_span, "%s is not supported yet", p->unsupported);
	for (uint32_t k = 0; k < p->steps.len && !p->unsupported; k++)
		if (p->steps.data[k].action == DECL_GENERATE && p->steps.len > 1)
			diag_error(c->diag, p->steps.data[k].span, "a plan that generates does nothing else");
	return c->diag->errors == 0 ? p : NULL;
}

const struct decl_plan *choose_plan(const struct choice *c)
{
	const struct project *p = c->project;

	if (c->opt->plan)
		return refuse_unsupported(c, named_plan(c));
	if (p->plans.len == 0)
		return implied_plan(c);
	if (p->plans.len > 1) {
		diag_error(c->diag, NO_SPAN, "\"%s\" has %u plans; --plan says which", c->opt->input, p->plans.len);
		list_plans(c);
		return NULL;
	}
	return refuse_unsupported(c, &p->plans.data[0]);
}

const struct decl_plan *choose_plan_of(const struct choice *c, uint32_t model)
{
	const struct project *p = c->project;

	for (uint32_t i = 0; i < p->plans.len && !c->opt->plan; i++)
		for (uint32_t k = 0; k < p->plans.data[i].steps.len; k++)
			if (p->plans.data[i].steps.data[k].action != DECL_TRAIN && p->plans.data[i].steps.data[k].model == model)
				return refuse_unsupported(c, &p->plans.data[i]);
	return choose_plan(c);
}

static bool named_device(const struct choice *c, const char *name, const struct decl_device **out)
{
	*out = NULL;
	for (uint32_t i = 0; i < c->project->devices.len; i++)
		if (!strcmp(c->project->devices.data[i].name, name))
			*out = &c->project->devices.data[i];
	if (*out || !strcmp(name, "host"))
		return true;
	diag_error(c->diag, NO_SPAN, "no device %s in \"%s\"", name, c->opt->input);
	diag_hint(c->diag, "The built-in device is called host; edgert probe writes others.");
	return false;
}

bool choose_target(const struct choice *c, const struct decl_plan *plan, struct target *out)
{
	const struct decl_device *device = plan->device;

	if (c->opt->device && !named_device(c, c->opt->device, &device))
		return false;
	*out = target_from_decl(device);
	if (out->backend == TARGET_NATIVE && out->kernels == TARGET_GPU_KERNELS) {
		diag_error(c->diag, device->span, "device %s: native code cannot be made of gpu kernels", device->name);
		diag_hint(c->diag, "Say: backend opencl; or: kernels cpu;");
	}
	if (out->weights == TARGET_TEXTURES && out->kernels != TARGET_GPU_KERNELS) {
		diag_error(c->diag, device->span, "device %s: cpu kernels do not read textures", device->name);
		diag_hint(c->diag, "Say: kernels gpu; or: weights buffer;");
	}
	return c->diag->errors == 0;
}
