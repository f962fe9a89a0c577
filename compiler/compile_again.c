/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile_again.c - several ways to make a plan, of which the best is kept.
 *
 * How many tokens a sweep has, whether a table lies in the plan twice, and whether
 * fused launches come apart is not known before there is a schedule. So the stages
 * are gone through again, and the schedules are compared.
 */
#include "config.h"

#include "compilation.h"

#include <string.h>

/* The smallest budget for sweeps of at most `batch` tokens; 0: an error was said. */
static uint64_t measure_batch(struct compilation *c, int64_t batch)
{
	compile_choose_batch(c, batch);
	if (!compile_graphs(c) || !compile_kernels(c) || !compile_schedule(c, true))
		return 0;
	return c->schedule->smallest_budget;
}

/*
 * Sweeps of many tokens read the weights less often, and their values take
 * memory that weights could stay in: as many as fit into a sixteenth of the budget.
 */
bool again_fit_batch(struct compilation *c)
{
	uint64_t budget = compile_budget(c), least = measure_batch(c, 1), smallest = least;
	int64_t batch;

	if (!least)
		return false;
	c->least = least;
	if (budget && budget < least)
		return true; /* making the schedule says so */
	/* keys and values in single precision where that costs next to nothing */
	for (int exact = c->variants->any_cache && variants_small_cache(c->variants); exact >= 0; exact--) {
		if (c->variants->any_cache)
			c->variants->options.cache = exact ? DTYPE_F32 : DTYPE_F16;
		for (batch = MOST_BATCH; batch > 1; batch /= exact ? MOST_BATCH : 2) {
			smallest = measure_batch(c, batch);
			if (!smallest)
				return false;
			if (!budget || (smallest <= budget && smallest - least <= budget / 16))
				return true;
		}
	}
	return measure_batch(c, 1) != 0;
}

static bool make_again(struct compilation *c, bool tables_in_memory)
{
	c->tables_in_memory = tables_in_memory;
	compile_choose_batch(c, c->batch);
	return compile_graphs(c) && compile_kernels(c);
}

/*
 * A table of tokens that is also the output matrix lies in the plan once, in the
 * panels of the product, where all weights stay in memory: its rows are taken from
 * there. Where weights stream, the matrix comes last and rows are wanted first, so
 * they are read from a table of their own.
 */
bool again_share_table(struct compilation *c)
{
	uint64_t budget = compile_budget(c), least = c->schedule->smallest_budget;

	if (!c->shared_table || c->schedule->streamed_bytes || c->stream >= 0 || c->target.kernels == TARGET_GPU_KERNELS)
		return true;
	if (!make_again(c, true) || !compile_schedule(c, true))
		return false;
	if ((budget && c->schedule->device_bytes > budget && !make_again(c, false)) || !compile_schedule(c, false))
		return false;
	c->schedule->smallest_budget = least;
	return true;
}

static void note_tails(struct compilation *c, const struct schedule *fused, const struct schedule *apart, struct schedule *s)
{
	const char *text = arena_printf(c->arena, "elementwise tails of products %s: %.3f ms cold and %.3f ms warm predicted with %u steps, "
					"%.3f ms and %.3f ms fused with %u; the queue writes %llu bytes fused, %llu apart",
					s == apart ? "are launches of their own, which carry weights" : "stay fused", apart->predicted_ms,
					apart->warm_ms, apart->steps.len, fused->predicted_ms, fused->warm_ms, fused->steps.len,
					(unsigned long long)fused->queued_bytes, (unsigned long long)apart->queued_bytes);

	vec_push(c->arena, &s->notes, (struct sched_note){ "fusion", text });
}

/*
 * Where launches cannot carry all that streams, elementwise tails are split off products and convolutions: each is a
 * launch more, with a capacity of its own, at the price of the launch and of a way through memory. Both schedules are
 * made; the one that is predicted to be faster stays.
 */
bool again_try_tails(struct compilation *c)
{
	struct schedule *fused = c->schedule;
	uint64_t budget = compile_budget(c);
	size_t graphs = c->graphs * sizeof *c->graph, sets = c->graphs * sizeof *c->set;
	struct graph **graph = arena_copy(c->arena, c->graph, graphs);
	struct kernel_set **set = arena_copy(c->arena, c->set, sets);

	if (c->target.copies != TARGET_COPIES_KERNELS || c->variants || c->stream >= 0 || !fused->queued_bytes)
		return true;
	c->separate_tails = true;
	memset(c->graph, 0, graphs);
	memset(c->set, 0, sets);
	c->stored = NULL;
	if (!compile_graphs(c) || !compile_kernels(c) || !compile_schedule(c, true))
		return false;
	if (c->schedule->smallest_budget <= budget && !compile_schedule(c, false))
		return false;
	if (c->schedule->device_bytes <= budget && c->schedule->device_bytes >= fused->smallest_budget &&
	    c->schedule->predicted_ms + c->schedule->warm_ms < fused->predicted_ms + fused->warm_ms) {
		c->schedule->smallest_budget = fused->smallest_budget;
		note_tails(c, fused, c->schedule, c->schedule);
		return true;
	}
	note_tails(c, fused, c->schedule, fused);
	c->schedule = fused;
	memcpy(c->graph, graph, graphs);
	memcpy(c->set, set, sets);
	return true;
}
