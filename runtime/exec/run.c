/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - the step loop.
 *
 * It follows the plan: wait for the reads that a step needs, submit the step,
 * tell the I/O thread when a place becomes free. It takes no memory (a debug
 * build stops where somebody tries) and finishes the queue once, at the end.
 */
#include "config.h"

#include "base/clock.h"
#include "exec/session.h"

#include <stdio.h>
#include <string.h>

/* The queue is told to start after so many steps, so that a device works while we submit. */
enum { FLUSH_EVERY = 8 };

static enum edge_status await_reads(struct edgert_session *s, uint32_t index, struct failure *f)
{
	struct step_state *state = &s->steps[index];
	uint32_t needed = s->plan.steps[index].reads_needed;
	enum edge_status st;

	state->waited = 0;
	if (!state->starving || stream_ready(s->stream, needed))
		return EDGE_OK;
	if ((st = s->ops->flush(s->device, f)) != EDGE_OK)
		return st;
	state->waited = rt_now();
	return stream_await(s->stream, needed, &state->arrived, f);
}

/* Steps of other variants count as done. */
static bool takes_step(const struct edgert_session *s, uint32_t index)
{
	return !s->plan.step_variants || s->plan.step_variants[index] >> s->variant & 1;
}

static enum edge_status submit_step(struct edgert_session *s, uint32_t index, struct failure *f)
{
	const struct edge_step *step = &s->plan.steps[index];
	struct step_state *state = &s->steps[index];
	struct device_fence *fence = state->fenced ? &state->fence : NULL;
	const struct edge_tensor *t;
	const struct edge_buffer *b;

	if (!takes_step(s, index))
		return fence ? s->ops->mark(s->device, fence, f) : EDGE_OK;
	if (step->kind == EDGE_STEP_KERNEL)
		return s->ops->submit(s->device, state->launch, fence, f);
	if (step->kind == EDGE_STEP_LOOKUP)
		return session_lookup(s, step->index, fence, f);
	t = &s->plan.tensors[step->index];
	b = &s->plan.buffers[t->buffer];
	/* an output that nobody wants, or a tensor without elements */
	if (t->bytes == 0 || (step->kind == EDGE_STEP_OUTPUT && !s->tensors[step->index].output))
		return fence ? s->ops->mark(s->device, fence, f) : EDGE_OK;
	if (step->kind == EDGE_STEP_INPUT)
		return s->ops->write(s->device, s->regions[b->region], b->offset,
				     s->tensors[step->index].input, t->bytes, fence, f);
	return s->ops->read(s->device, s->regions[b->region], b->offset,
			    s->tensors[step->index].output, t->bytes, fence, f);
}

static enum edge_status all_steps(struct edgert_session *s, struct failure *f)
{
	enum edge_status st;
	uint32_t i;

	for (i = 0; i < s->plan.step_count; i++) {
		if ((st = await_reads(s, i, f)) != EDGE_OK ||
		    (st = submit_step(s, i, f)) != EDGE_OK)
			return st;
		if ((i + 1) % FLUSH_EVERY == 0 && (st = s->ops->flush(s->device, f)) != EDGE_OK)
			return st;
		if (s->steps[i].fenced)
			stream_publish(s->stream, i);
	}
	return EDGE_OK;
}

/* Times of the fenced steps; fences become empty again. */
static enum edge_status collect_times(struct edgert_session *s, struct failure *f)
{
	enum edge_status st = EDGE_OK;
	uint32_t i;

	for (i = 0; i < s->plan.step_count; i++) {
		struct step_state *state = &s->steps[i];

		if (!state->fenced)
			continue;
		if (s->timed && st == EDGE_OK)
			st = s->ops->fence_times(s->device, &state->fence, &state->start,
						 &state->end, f);
		s->ops->fence_reset(s->device, &state->fence);
	}
	return st;
}

/* The device had nothing to do from the end of a step until the reads of the next were there. */
static int64_t count_stall(const struct edgert_session *s)
{
	int64_t total = 0;
	uint32_t i;

	for (i = 0; i < s->plan.step_count; i++) {
		const struct step_state *state = &s->steps[i];
		int64_t idle = i == 0	  ? s->run_begin
			       : s->timed ? s->steps[i - 1].end
					  : state->waited;

		if (state->waited && idle < s->run_begin)
			idle = s->run_begin;
		if (state->waited && state->arrived > idle)
			total += state->arrived - idle;
	}
	return total;
}

static void time_models(struct edgert_session *s)
{
	int64_t from = s->run_begin;
	uint32_t i;

	for (i = 0; i < s->plan.model_count; i++) {
		const struct edge_model *m = &s->plan.models[i];
		int64_t end = m->step_count && s->timed
				      ? s->steps[m->step_first + m->step_count - 1].end
				      : from;

		if (!s->timed && s->plan.model_count == 1)
			end = s->run_end;
		s->model_ms[i] = session_ms(end - from);
		from = end;
	}
}

static enum edge_status one_run(struct edgert_session *s, struct failure *f)
{
	struct failure ignored = { .status = EDGE_OK };
	enum edge_status st;

	s->run_begin = rt_now();
	s->looked_up = 0;
	stream_begin(s->stream);
	st = all_steps(s, f);
	/* also after a failure: the caller's memory must not be used any more when we return */
	if (s->ops->finish(s->device, st == EDGE_OK ? f : &ignored) != EDGE_OK && st == EDGE_OK)
		st = f->status;
	s->run_end = rt_now();
	if (st == EDGE_OK)
		st = stream_end(s->stream, f);
	if (st == EDGE_OK)
		st = collect_times(s, f);
	if (st != EDGE_OK)
		return st;
	s->stall = count_stall(s);
	time_models(s);
	if (s->runs++ == 0)
		s->first_end = s->run_end;
	return EDGE_OK;
}

/* Names every input that is not set. */
static enum edge_status check_inputs(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	char *text = s->failure.text;
	size_t size = sizeof(s->failure.text), n = 0;
	uint32_t i, missing = 0;

	for (i = 0; i < p->tensor_count; i++) {
		if (p->tensors[i].direction != EDGE_TENSOR_INPUT || s->tensors[i].input)
			continue;
		if (missing++ == 0)
			n = (size_t)snprintf(text, size, "plan \"%s\" needs input", s->file.path);
		if (n < size)
			n += (size_t)snprintf(text + n, size - n, "%s \"%s\"",
					      missing > 1 ? "," : "",
					      plan_string(p, p->tensors[i].name));
	}
	if (!missing)
		return EDGE_OK;
	s->failure.status = EDGE_ARGUMENT;
	return EDGE_ARGUMENT;
}

enum edge_status edgert_run(struct edgert_session *s)
{
	enum edge_status st;
	bool before;

	if (s->broken)
		return s->failure.status; /* the text of the failure that broke it stays */
	rt_failure_clear(&s->failure);
	if ((st = check_inputs(s)) != EDGE_OK)
		return st;
	before = rt_seal(true);
	st = one_run(s, &s->failure);
	rt_seal(before);
	s->broken = st != EDGE_OK;
	return st;
}

enum edge_status session_read_tensor(struct edgert_session *s, uint32_t tensor, void *out, uint64_t bytes)
{
	const struct edge_tensor *t = &s->plan.tensors[tensor];
	const struct edge_buffer *b = &s->plan.buffers[t->buffer];
	enum edge_status st;

	if (bytes > t->bytes)
		bytes = t->bytes;
	if (s->in_place[b->region]) {
		memcpy(out, (const char *)s->in_place[b->region] + b->offset, bytes);
		return EDGE_OK;
	}
	st = s->ops->read(s->device, s->regions[b->region], b->offset, out, bytes, NULL, &s->failure);
	return st == EDGE_OK ? s->ops->finish(s->device, &s->failure) : st;
}
