/* SPDX-License-Identifier: Apache-2.0 */
/* notes.c - what was decided and why, for `edgec explain`; and the text form of a schedule. */
#include "config.h"

#include "sched/internal.h"

#include "base/size.h"

#include <stdarg.h>

typedef unsigned long long ull;

__attribute__((format(printf, 3, 4))) static void note(struct work *w, const char *topic, const char *fmt, ...)
{
	va_list ap;
	struct sched_note n = { topic, NULL };

	va_start(ap, fmt);
	n.text = arena_vprintf(w->a, fmt, ap);
	va_end(ap);
	vec_push(w->a, &w->s->notes, n);
}

static void note_activations(struct work *w)
{
	const struct schedule *s = w->s;
	uint32_t merged = 0, items = 0;

	for (uint32_t i = 0; i < w->storages.len; i++) {
		items += w->storages.data[i].first != UINT32_MAX;
		merged += w->storages.data[i].merged != i;
	}
	note(w, "activations",
	     "%u values and scratch areas share %s; at most %s are alive at once, so %.1f %% is lost to placement; "
	     "%u results are computed in place",
	     items, size_text(s->activation_peak), size_text(s->activation_lower_bound),
	     s->activation_lower_bound ?
		     100.0 * (double)(s->activation_peak - s->activation_lower_bound) / (double)s->activation_lower_bound :
		     0.0,
	     merged);
}

static void note_smallest(struct work *w)
{
	uint64_t most = 0, whole;
	const struct weight_use *worst = NULL;
	const struct launch *l;

	for (uint32_t i = 0; i < w->uses.len; i++) {
		const struct weight_use *u = &w->uses.data[i];
		uint64_t bytes = use_common_bytes(w, u, NULL) + use_split_bytes(w, u, u->quantum, NULL);

		if (bytes > most) {
			most = bytes;
			worst = u;
		}
	}
	note(w, "budget", "the smallest budget that works is %llu bytes: %s of activations and %s of weights at once",
	     (ull)w->s->smallest_budget, size_text(w->s->activation_peak),
	     size_text(w->s->smallest_budget - w->s->activation_peak));
	if (!worst)
		return;
	l = event_launch(w, &w->events.data[worst->event]);
	whole = use_common_bytes(w, worst, NULL) + use_split_bytes(w, worst, worst->granules, NULL);
	if (most < whole)
		note(w, "budget", "the weights of %s decide it: %s of their %s are the least that it can run with",
		     l->what ? l->what : "a launch", size_text(most), size_text(whole));
	else
		note(w, "budget", "the weights of %s decide it: it can only run with all %s of them",
		     l->what ? l->what : "a launch", size_text(whole));
}

/* Where kernels are to copy. */
static void note_carrying(struct work *w, const struct stream_plan *p)
{
	uint64_t bytes = 0, queue = 0;
	uint32_t launches = p->carries.len;

	for (uint32_t i = 0; i < p->blocks.len; i++)
		*(p->blocks.data[i].carried ? &bytes : &queue) += p->blocks.data[i].pinned ? 0 : p->blocks.data[i].bytes;
	if (!bytes)
		note(w, "copies", "no launch can carry weights: the queue writes all that streams into one image of %s",
		     size_text(p->image));
	else
		note(w, "copies", "%u launches carry %s of weights from a stage of %s into two images of %s; the queue writes %s",
		     launches, size_text(bytes), size_text(p->stage), size_text(p->image), size_text(queue));
	note(w, "copies", "predicted: %.3f ms cold, %.3f ms warm; with the queue alone %.3f ms cold, %.3f ms warm", p->cold_ms,
	     p->warm_ms, p->queue_cold_ms, p->queue_warm_ms);
}

/* One of the reasons why weights stay, where it holds for any. */
static void add_reason(struct work *w, const char **text, uint32_t count, const char *what, const char *why)
{
	if (count)
		*text = arena_printf(w->a, "%s%s%u %s%s because %s", *text, **text ? ", " : ": ", count, what,
				     count == 1 ? "" : "s", why);
}

static void note_residency(struct work *w, const struct stream_plan *p)
{
	const char *reasons = "";
	uint32_t shared = 0, fixed = 0;

	for (uint32_t i = 0; i < w->s->weights.len; i++) {
		fixed += w->fixed[i];
		shared += p->pinned_weight[i] && !w->fixed[i];
	}
	add_reason(w, &reasons, p->pinned_late, "block", "the disk could not bring them in time");
	add_reason(w, &reasons, p->pinned_spare, "block", "there was room");
	add_reason(w, &reasons, shared, "weight", "several launches use them");
	add_reason(w, &reasons, fixed, "weight", "they are no images");
	if (w->s->resident_bytes)
		note(w, "residency", "%s stay%s", size_text(w->s->resident_bytes), reasons);
	else
		note(w, "residency", "nothing stays");
}

static void note_streaming(struct work *w, const struct stream_plan *p)
{
	const struct schedule *s = w->s;
	uint32_t streamed = 0;

	for (uint32_t i = 0; i < p->blocks.len; i++)
		streamed += !p->blocks.data[i].pinned;
	if (!streamed) {
		note(w, "streaming", "all %s of weights fit and stay; the first run reads them while it computes",
		     size_text(s->weights_bytes));
		return;
	}
	if (p->queue_cold_ms > 0)
		note_carrying(w, p);
	if (s->streamed_bytes <= s->weights_bytes)
		note(w, "streaming", "%s of %s of weights are read again in each run, through a ring of %s in %u block%s of up to %s",
		     size_text(s->streamed_bytes), size_text(s->weights_bytes), size_text(p->ring), streamed,
		     streamed > 1 ? "s" : "", size_text(p->block_target));
	else
		note(w, "streaming", "%s of weights are read again in each run, %s in whole pages, through a ring of %s in %u block%s of up to %s",
		     size_text(s->weights_bytes), size_text(s->streamed_bytes), size_text(p->ring), streamed,
		     streamed > 1 ? "s" : "", size_text(p->block_target));
	note_residency(w, p);
	note(w, "residency", "with a ring of %s, all but %s of the weights could hide behind compute at %.2f GB/s",
	     size_text(p->hide_ring), size_text(p->hide_minimum), w->t->storage_bytes_per_s / 1e9);
	note(w, "choice", "%u pairs of block and ring size were simulated", p->candidates);
}

/* A sweep reads what does not stay, whether it is for one token or for many. */
static void note_generating(struct work *w)
{
	const struct sched_generate *g = w->r->generate;
	int64_t batch = 1;

	for (uint32_t i = 0; i < w->r->model_count; i++)
		batch = g->rows[i] > batch ? g->rows[i] : batch;
	if (w->s->streamed_bytes)
		note(w, "generate", "each token reads %s, at %.2f GB/s %.1f ms; of a prompt %lld tokens share that; about %.3f ms a token",
		     size_text(w->s->streamed_bytes), w->t->storage_bytes_per_s / 1e9,
		     cost_transfer_ms(w->t, w->s->streamed_bytes), (long long)batch, w->s->warm_ms);
	else
		note(w, "generate", "all weights stay: about %.3f ms a token; a prompt goes in %lld tokens at a time", w->s->warm_ms,
		     (long long)batch);
	note(w, "generate", "caches for %lld tokens keep what they hold between runs; times and operations are those of one token",
	     (long long)g->context);
}

void notes_make(struct work *w, const struct stream_plan *p)
{
	const struct schedule *s = w->s;

	note_activations(w);
	note_smallest(w);
	if (s->weights.len)
		note_streaming(w, p);
	for (uint32_t i = 0; i < s->tables.len; i++)
		note(w, "lookup", "%s stays in the plan: the rows that a run asks for are read when it asks",
		     weight_name(w, s->tables.data[i].weight));
	if (w->r->generate)
		note_generating(w);
	note(w, "time", "predicted: %.3f ms cold, %.3f ms warm; no schedule can be faster than %.3f ms cold at the assumed "
	     "%.2f GB/s of storage and %.0f GFLOP/s",
	     s->predicted_ms, s->warm_ms, s->lower_bound_ms, w->t->storage_bytes_per_s / 1e9,
	     w->t->flops_per_s / 1e9);
}

/* ---- text form ---- */

static void print_step(const struct schedule *s, uint32_t i, struct strbuf *out)
{
	const struct sched_step *x = &s->steps.data[i];
	const struct launch *l;

	strbuf_printf(out, "step %u wait %u ", i, x->reads_needed);
	if (x->kind == SCHED_INPUT || x->kind == SCHED_OUTPUT) {
		strbuf_printf(out, "%s %s\n", x->kind == SCHED_INPUT ? "input" : "output",
			      s->tensors.data[x->tensor].name);
		return;
	}
	l = &s->request->models[x->model].ks->launches.data[x->launch];
	strbuf_printf(out, "%s %s", s->request->models[x->model].name, l->what ? l->what : "launch");
	if (!x->whole)
		strbuf_printf(out, " part %u..%u", x->granule_first, x->granule_first + x->granule_count - 1);
	for (uint32_t k = 0, b = x->buffer_first; k < l->arg_count; k++) {
		enum kernel_arg_kind kind = l->arg[k].kind;
		const struct sched_buffer *at;

		if (kind != ARG_VALUE && kind != ARG_WEIGHT && kind != ARG_SCRATCH)
			continue;
		at = &s->buffers.data[s->step_buffers.data[b++]];
		strbuf_printf(out, " %s%u@%u:%llu+%llu", kind == ARG_VALUE ? "v" : kind == ARG_WEIGHT ? "w" : "s",
			      kind == ARG_SCRATCH ? 0 : l->arg[k].id, at->region, (ull)at->offset, (ull)at->bytes);
	}
	if (x->load != NO_ID) {
		const struct sched_load *c = &s->loads.data[x->load];
		const struct sched_buffer *from = &s->buffers.data[c->from], *to = &s->buffers.data[c->to];

		strbuf_printf(out, " carries %u:%llu+%llu to %u:%llu of read %u", from->region, (ull)from->offset,
			      (ull)from->bytes, to->region, (ull)to->offset, c->read);
	}
	strbuf_puts(out, "\n");
}

void schedule_print(const struct schedule *s, struct strbuf *out)
{
	static const char *const kind[] = { "", "activations", "resident", "stream", "staging", "carried" };

	for (uint32_t i = 0; i < s->regions.len; i++)
		strbuf_printf(out, "region %u %s %llu\n", i, kind[s->regions.data[i].kind],
			      (ull)s->regions.data[i].bytes);
	for (uint32_t i = 0; i < s->reads.len; i++) {
		const struct sched_read *r = &s->reads.data[i];

		strbuf_printf(out, "read %u chunk %u to %u:%llu+%llu after %d%s\n", i, r->chunk, r->region,
			      (ull)r->offset, (ull)s->chunks.data[r->chunk].bytes, r->after_step,
			      r->once ? " once" : "");
	}
	for (uint32_t i = 0; i < s->steps.len; i++)
		print_step(s, i, out);
	for (uint32_t i = 0; i < s->notes.len; i++)
		strbuf_printf(out, "# %s: %s\n", s->notes.data[i].topic, s->notes.data[i].text);
}
