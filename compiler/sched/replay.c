/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - run a finished schedule with names instead of numbers.
 *
 * Each byte of the regions is labelled with what was last written there: a
 * byte of a packed weight, by a read; or a value, by a launch or an input. Two
 * runs follow each other, once with all reads as early as they are allowed
 * and once as late as a step can bear. A step whose buffers do not carry the
 * labels that its launch is about would have computed nonsense. Labels are
 * kept per page for weights and per aligned unit for values.
 */
#include "config.h"

#include "sched/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { GRAIN = 128 };

struct page_label {
	uint32_t chunk; /* index + 1 */
	uint32_t page;  /* of the chunk */
};

struct replay {
	const struct schedule *s;
	struct page_label **page; /* per weight region */
	uint64_t **value;         /* per activation region: label of each grain; 0: nothing */
	uint64_t time;            /* makes labels of scratch unique */
	uint32_t variant;         /* that is run */
	char *why;
	size_t why_size;
	bool ok;
};

__attribute__((format(printf, 2, 3))) static void fail(struct replay *r, const char *fmt, ...)
{
	va_list ap;

	if (r->ok && r->why_size) {
		va_start(ap, fmt);
		vsnprintf(r->why, r->why_size, fmt, ap);
		va_end(ap);
	}
	r->ok = false;
}

static void land(struct replay *r, uint32_t read)
{
	const struct sched_read *x = &r->s->reads.data[read];
	uint64_t pages = r->s->chunks.data[x->chunk].bytes / SCHED_PAGE;

	if (x->offset % SCHED_PAGE || x->offset + pages * SCHED_PAGE > r->s->regions.data[x->region].bytes) {
		fail(r, "read %u lies outside region %u", read, x->region);
		return;
	}
	for (uint64_t i = 0; i < pages; i++)
		r->page[x->region][x->offset / SCHED_PAGE + i] =
			(struct page_label){ x->chunk + 1, (uint32_t)i };
}

/* The piece of a chunk that holds byte `at`; NULL: padding. */
static const struct sched_piece *piece_at(const struct schedule *s, uint32_t chunk, uint64_t at)
{
	const struct sched_chunk *c = &s->chunks.data[chunk];
	uint32_t low = c->piece_first, high = c->piece_first + c->piece_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (s->pieces.data[mid].at + s->pieces.data[mid].bytes <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->piece_first + c->piece_count && s->pieces.data[low].at <= at ? &s->pieces.data[low] : NULL;
}

/* Do the buffer's bytes carry [offset, offset + bytes) of the weight? */
static void expect_weight(struct replay *r, uint32_t step, const struct sched_buffer *b, uint32_t weight,
			  uint64_t offset, uint64_t bytes)
{
	const struct schedule *s = r->s;

	if (b->bytes != bytes || s->regions.data[b->region].bytes < b->offset + bytes ||
	    s->regions.data[b->region].kind == SCHED_ACTIVATIONS ||
	    s->regions.data[b->region].kind == SCHED_CARRIED || b->offset % s->request->target->align) {
		fail(r, "step %u: the buffer of weight %u does not fit it", step, weight);
		return;
	}
	for (uint64_t done = 0; done < bytes && r->ok;) {
		uint64_t at = b->offset + done;
		const struct page_label *p = &r->page[b->region][at / SCHED_PAGE];
		uint64_t in_chunk = (uint64_t)p->page * SCHED_PAGE + at % SCHED_PAGE, room;
		const struct sched_piece *x = p->chunk ? piece_at(s, p->chunk - 1, in_chunk) : NULL;

		if (!x || x->weight != weight || x->offset + (in_chunk - x->at) != offset + done) {
			fail(r, "step %u: byte %llu of weight %u is not there", step,
			     (unsigned long long)(offset + done), weight);
			return;
		}
		room = SCHED_PAGE - at % SCHED_PAGE;
		if (room > x->at + x->bytes - in_chunk)
			room = x->at + x->bytes - in_chunk;
		done += room;
	}
}

static void label(struct replay *r, uint32_t step, const struct sched_buffer *b, uint64_t name)
{
	if (r->s->regions.data[b->region].kind != SCHED_ACTIVATIONS || b->offset % GRAIN ||
	    b->offset + b->bytes > r->s->regions.data[b->region].bytes) {
		fail(r, "step %u writes outside the activations", step);
		return;
	}
	for (uint64_t i = b->offset / GRAIN; i < (b->offset + b->bytes + GRAIN - 1) / GRAIN; i++)
		r->value[b->region][i] = name;
}

static void expect_value(struct replay *r, uint32_t step, const struct sched_buffer *b, uint64_t name, uint64_t bytes)
{
	if (r->s->regions.data[b->region].kind != SCHED_ACTIVATIONS || b->bytes < bytes) {
		fail(r, "step %u: a value's buffer is too small", step);
		return;
	}
	for (uint64_t i = b->offset / GRAIN; i < (b->offset + bytes + GRAIN - 1) / GRAIN; i++)
		if (r->value[b->region][i] != name) {
			fail(r, "step %u: value %llx is not there, but %llx", step, (unsigned long long)name,
			     (unsigned long long)r->value[b->region][i]);
			return;
		}
}

/* Values that are the same bytes have one name; a fed input has that of the output. */
static uint64_t value_name(const struct schedule *s, uint32_t model, value_id v)
{
	const struct kernel_set *ks = s->request->models[model].ks;

	if (s->request->variants)
		model = 0; /* all variants work on the same values */
	while (ks->alias && ks->alias[v] != v)
		v = ks->alias[v];
	for (uint32_t i = 0; i < s->feeds.len; i++)
		if (s->feeds.data[i].to_model == model && s->feeds.data[i].to == v)
			return value_name(s, s->feeds.data[i].from_model, s->feeds.data[i].from);
	return (uint64_t)(model + 1) << 32 | v;
}

static uint64_t bytes_of(const struct schedule *s, uint32_t model, value_id v)
{
	const struct value *x = graph_value(s->request->models[model].ks->graph, v);

	return (uint64_t)shape_elements(&x->shape) * dtype_size(x->dtype);
}

static uint32_t number_of(const struct schedule *s, uint32_t model, uint32_t index)
{
	const struct kernel_set *ks = s->request->models[model].ks;
	uint32_t low = 0;

	if (s->request->variants)
		return s->variant_weight[model][index];
	while (s->weights.data[low].ks != ks)
		low += s->weights.data[low].ks->weights.len;
	return low + index;
}

static bool last_part(const struct sched_step *x, const struct launch *l)
{
	return x->whole || x->granule_first + x->granule_count == l->global[l->split_dim];
}

/* Is b also where the launch finds the value that its result may replace? Then each part replaces a part. */
static bool takes_place(const struct schedule *s, const struct sched_step *x, const struct launch *l,
			const struct sched_buffer *b)
{
	uint32_t at = x->buffer_first;

	for (uint32_t i = 0; i < l->arg_count && l->in_place_of != NO_ID; i++) {
		enum kernel_arg_kind kind = l->arg[i].kind;
		const struct sched_buffer *in;

		if (kind != ARG_VALUE && kind != ARG_WEIGHT && kind != ARG_SCRATCH && kind != ARG_STATE)
			continue;
		in = &s->buffers.data[s->step_buffers.data[at++]];
		if (kind == ARG_VALUE && !l->arg[i].written && in == b)
			return true;
	}
	return false;
}

/* What is kept from run to run carries its own label, once somebody has given it that. */
static void state(struct replay *r, uint32_t step, const struct sched_buffer *b, uint32_t id, bool writes)
{
	uint64_t name = UINT64_C(1) << 63 | id;

	if (!writes && r->value[b->region][b->offset / GRAIN])
		expect_value(r, step, b, name, b->bytes);
	else
		label(r, step, b, name);
}

static void run_kernel(struct replay *r, uint32_t step)
{
	const struct schedule *s = r->s;
	const struct sched_step *x = &s->steps.data[step];
	const struct kernel_set *ks = s->request->models[x->model].ks;
	const struct launch *l = &ks->launches.data[x->launch];

	for (int writes = 0; writes < 2; writes++) {
		uint32_t at = x->buffer_first;

		for (uint32_t i = 0; i < l->arg_count && r->ok; i++) {
			const struct kernel_arg *a = &l->arg[i];
			const struct sched_buffer *b;
			const struct weight *w;
			bool part;

			if (a->kind != ARG_VALUE && a->kind != ARG_WEIGHT && a->kind != ARG_SCRATCH &&
			    a->kind != ARG_STATE)
				continue;
			b = &s->buffers.data[s->step_buffers.data[at++]];
			if (a->kind == ARG_STATE) {
				state(r, step, b, a->id, writes);
			} else if (a->kind == ARG_SCRATCH && writes) {
				label(r, step, b, ++r->time << 33 | 1);
			} else if (a->kind == ARG_VALUE && writes == a->written) {
				if (!writes)
					expect_value(r, step, b, value_name(s, x->model, a->id),
						     bytes_of(s, x->model, a->id));
				else if (last_part(x, l) || !takes_place(s, x, l, b))
					label(r, step, b, value_name(s, x->model, a->id));
			} else if (a->kind == ARG_WEIGHT && !writes) {
				w = &ks->weights.data[a->id];
				part = a->split && !x->whole;
				expect_weight(r, step, b, number_of(s, x->model, a->id),
					      part ? w->granule_bytes * x->granule_first : 0,
					      part ? w->granule_bytes * x->granule_count : w->bytes);
			}
		}
	}
}

/* Rows move with their labels. The image is none that the launch reads, and what it carries has come by then. */
static void run_load(struct replay *r, uint32_t step)
{
	const struct schedule *s = r->s;
	const struct sched_step *x = &s->steps.data[step];
	const struct sched_load *c = &s->loads.data[x->load];
	const struct sched_buffer *from = &s->buffers.data[c->from], *to = &s->buffers.data[c->to];
	const struct launch *l = &s->request->models[x->model].ks->launches.data[x->launch];
	uint64_t items = 1;

	for (int i = 0; i < 3; i++)
		items *= i == l->split_dim && !x->whole ? x->granule_count : l->global[i];
	if (c->step != step || c->read >= x->reads_needed || from->bytes != to->bytes || !from->bytes ||
	    from->bytes % SCHED_PAGE || from->offset % SCHED_PAGE || to->offset % SCHED_PAGE ||
	    s->regions.data[from->region].kind != SCHED_CARRIED || s->regions.data[to->region].kind != SCHED_STREAM ||
	    !s->regions.data[to->region].image || items * c->each * 8 < from->bytes ||
	    from->offset + from->bytes > s->regions.data[from->region].bytes ||
	    to->offset + to->bytes > s->regions.data[to->region].bytes) {
		fail(r, "step %u: what it carries does not fit", step);
		return;
	}
	for (uint32_t i = 0, at = x->buffer_first; i < l->arg_count; i++) {
		enum kernel_arg_kind kind = l->arg[i].kind;

		if (kind != ARG_VALUE && kind != ARG_WEIGHT && kind != ARG_SCRATCH && kind != ARG_STATE)
			continue;
		if (s->buffers.data[s->step_buffers.data[at++]].region == to->region)
			fail(r, "step %u reads the image that it carries into", step);
	}
	memcpy(&r->page[to->region][to->offset / SCHED_PAGE], &r->page[from->region][from->offset / SCHED_PAGE],
	       from->bytes / SCHED_PAGE * sizeof **r->page);
}

/* Indices there, rows in the table's chunks, and then the output is. */
static void run_lookup(struct replay *r, uint32_t step)
{
	const struct schedule *s = r->s;
	const struct sched_step *x = &s->steps.data[step];
	const struct kernel_set *ks = s->request->models[x->model].ks;
	const struct launch *l = &ks->launches.data[x->launch];
	const struct sched_table *t = &s->tables.data[x->table];
	const uint32_t *buffer = &s->step_buffers.data[x->buffer_first];
	uint64_t part = t->rows * l->lookup->row_bytes, at = 0;

	if (t->weight != number_of(s, x->model, l->lookup->weight))
		fail(r, "step %u looks into the wrong table", step);
	for (uint32_t i = t->chunk_first; r->ok && i < t->chunk_first + t->chunk_count; i++) {
		const struct sched_chunk *c = &s->chunks.data[i];
		const struct sched_piece *p = &s->pieces.data[c->piece_first];

		if (c->piece_count != 1 || p->weight != t->weight || p->offset != at || p->at ||
		    p->bytes > c->bytes || (p->bytes != part && i + 1 < t->chunk_first + t->chunk_count))
			fail(r, "step %u: chunk %u does not hold its rows", step, i);
		at += p->bytes;
	}
	if (at != l->lookup->rows * l->lookup->row_bytes)
		fail(r, "step %u: the table is not complete", step);
	expect_value(r, step, &s->buffers.data[buffer[0]], value_name(s, x->model, l->arg[0].id),
		     bytes_of(s, x->model, l->arg[0].id));
	label(r, step, &s->buffers.data[buffer[1]], value_name(s, x->model, l->arg[1].id));
}

static void run_step(struct replay *r, uint32_t step)
{
	const struct schedule *s = r->s;
	const struct sched_step *x = &s->steps.data[step];
	const struct sched_tensor *t;

	if (s->request->variants && x->model != r->variant && (x->kind == SCHED_KERNEL || x->kind == SCHED_LOOKUP))
		return;
	if (x->kind == SCHED_KERNEL) {
		run_kernel(r, step);
		if (r->ok && x->load != NO_ID)
			run_load(r, step);
		return;
	}
	if (x->kind == SCHED_LOOKUP) {
		run_lookup(r, step);
		return;
	}
	t = &s->tensors.data[x->tensor];
	if (x->kind == SCHED_INPUT)
		label(r, step, &s->buffers.data[t->buffer], value_name(s, t->model, t->value));
	else
		expect_value(r, step, &s->buffers.data[t->buffer], value_name(s, t->model, t->value), t->bytes);
}

static void run(struct replay *r, bool eager, bool first)
{
	const struct schedule *s = r->s;
	uint32_t next = 0;

	for (uint32_t i = 0; i < s->steps.len && r->ok; i++) {
		uint32_t need = s->steps.data[i].reads_needed;

		for (; next < s->reads.len && (next < need || (eager && s->reads.data[next].after_step < (int32_t)i));
		     next++) {
			if (s->reads.data[next].after_step >= (int32_t)i) {
				fail(r, "step %u waits for read %u, which waits for step %d", i, next,
				     s->reads.data[next].after_step);
				return;
			}
			if (next && s->reads.data[next].after_step < s->reads.data[next - 1].after_step) {
				fail(r, "read %u may start before the one in front of it", next);
				return;
			}
			if (first || !s->reads.data[next].once)
				land(r, next);
		}
		if (i && need < s->steps.data[i - 1].reads_needed)
			fail(r, "step %u waits for fewer reads than the one before", i);
		run_step(r, i);
	}
	if (r->ok && next != s->reads.len)
		fail(r, "%u reads that no step waits for", s->reads.len - next);
}

/* Sub-ranges of a launch cover it, in order. */
static void check_parts(struct replay *r, uint32_t variant)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < r->s->steps.len; i++) {
		const struct sched_step *x = &r->s->steps.data[i];
		const struct launch *l;

		if (x->kind != SCHED_KERNEL || x->whole || (r->s->request->variants && x->model != variant))
			continue;
		l = &r->s->request->models[x->model].ks->launches.data[x->launch];
		if (x->granule_first != at || !x->granule_count)
			fail(r, "step %u starts at granule %u, not %u", i, x->granule_first, at);
		at += x->granule_count;
		if (at > l->global[l->split_dim])
			fail(r, "step %u goes beyond its launch", i);
		if (at == l->global[l->split_dim])
			at = 0;
	}
	if (at)
		fail(r, "a launch is not finished");
}

bool schedule_replay(const struct schedule *s, char *why, size_t why_size)
{
	struct replay r = { .s = s, .why = why, .why_size = why_size, .ok = true };
	uint32_t variants = s->request->variants ? s->request->model_count : 1;

	r.page = xmalloc((s->regions.len + 1) * sizeof *r.page);
	r.value = xmalloc((s->regions.len + 1) * sizeof *r.value);
	for (uint32_t v = 0; v < variants; v++)
		check_parts(&r, v);
	for (int eager = 0; eager < 2; eager++) {
		for (uint32_t i = 0; i < s->regions.len; i++) {
			const struct sched_region *g = &s->regions.data[i];
			bool values = g->kind == SCHED_ACTIVATIONS, weights = !values && !g->host;

			r.page[i] = weights ? calloc(g->bytes / SCHED_PAGE + 1, sizeof **r.page) : NULL;
			r.value[i] = values ? calloc(g->bytes / GRAIN + 1, sizeof **r.value) : NULL;
		}
		run(&r, eager, true);
		for (r.variant = 0; r.variant < variants; r.variant++)
			run(&r, eager, false);
		r.variant = 0;
		for (uint32_t i = 0; i < s->regions.len; i++) {
			free(r.page[i]);
			free(r.value[i]);
		}
	}
	free(r.page);
	free(r.value);
	return r.ok;
}
