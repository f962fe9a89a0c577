/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_train.c - a scene and its timeline as a plan.
 *
 * The timeline has made the records that it knows; here they get their strings,
 * and views, points and frames join them. A frame is stored plane by plane, as
 * the kernels read it, in chunks of its own of at most a mebibyte, so that a
 * reader may have several under way. Frames are decoded while the file is
 * written; what cannot be decoded leaves no file.
 */
#include "config.h"

#include "plan/plan_train.h"
#include "plan/records.h"

#include "scene/frames.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_CHUNK = 1 << 20 };

static uint64_t frame_size(const struct scene_view *v)
{
	return (uint64_t)v->width * v->height * 3;
}

static uint32_t frame_chunks(const struct scene_view *v)
{
	return (uint32_t)((frame_size(v) + FRAME_CHUNK - 1) / FRAME_CHUNK);
}

/* Of all chunks of a frame; the last is padded to whole pages. */
static uint64_t frame_bytes(const struct scene_view *v)
{
	return edge_plan_pages(frame_size(v));
}

/* ---- frames ---- */

struct frame_writer {
	const struct scene *scene;
	struct diag *diag;
	FILE *out;
	uint64_t at;
	struct edge_chunk *record; /* the next */
	uint8_t *planes;
};

static void separate(const uint8_t *rgb, size_t n, uint8_t *planes)
{
	for (size_t i = 0; i < n; i++) {
		planes[i] = rgb[3 * i];
		planes[n + i] = rgb[3 * i + 1];
		planes[2 * n + i] = rgb[3 * i + 2];
	}
}

static bool write_frame(void *context, uint32_t view, const uint8_t *rgb)
{
	struct frame_writer *w = context;
	const struct scene_view *v = &w->scene->views.data[view];
	uint64_t left = frame_bytes(v);
	const uint8_t *from = w->planes;

	separate(rgb, (size_t)v->width * v->height, w->planes);
	memset(w->planes + frame_size(v), 0, left - frame_size(v));
	while (left) {
		uint64_t n = left < FRAME_CHUNK ? left : FRAME_CHUNK;

		*w->record++ = (struct edge_chunk){ w->at, n, edge_xxh3(from, n) };
		if (fwrite(from, 1, n, w->out) != n)
			return false;
		w->at += n;
		from += n;
		left -= n;
	}
	return true;
}

static bool write_frames(void *context, uint64_t at, FILE *out, struct edge_chunk *record)
{
	struct frame_writer *w = context;
	bool ok;

	w->out = out;
	w->at = at;
	w->record = record;
	w->planes = xmalloc(w->scene->frame_bytes + EDGE_PLAN_PAGE);
	ok = frames_each(w->scene, w->diag, "reading photographs", write_frame, w);
	free(w->planes);
	return ok;
}

/* ---- records ---- */

static void put_views(struct records *r, const struct scene *s)
{
	uint32_t chunk = 0;

	for (uint32_t i = 0; i < s->views.len; i++) {
		const struct scene_view *v = &s->views.data[i];
		struct edge_view x = { .name = records_string(r, records_clean(r, v->name)), .width = v->width,
				       .height = v->height, .held_out = v->held_out, .fx = v->fx, .fy = v->fy, .cx = v->cx,
				       .cy = v->cy, .chunk_first = chunk, .chunk_count = frame_chunks(v) };

		memcpy(x.rotation, v->R, sizeof x.rotation);
		memcpy(x.translation, v->t, sizeof x.translation);
		records_put(r, SECTION_VIEWS, &x);
		for (uint32_t k = 0; k < x.chunk_count; k++)
			records_put(r, SECTION_CHUNKS, &(struct edge_chunk){ 0 });
		chunk += x.chunk_count;
	}
}

static void put_points(struct records *r, const struct scene *s)
{
	for (uint32_t i = 0; i < s->points.len; i++) {
		const struct scene_point *p = &s->points.data[i];
		struct edge_point x = { p->x, p->y, p->z, logf(p->scale), p->r, p->g, p->b, 0 };

		records_put(r, SECTION_POINTS, &x);
	}
}

static void put_timeline(struct records *r, const struct train_plan *p)
{
	const struct timeline *t = p->timeline;
	struct edge_model model = { .name = records_string(r, records_clean(r, p->scene->name)), .step_count = t->steps.len };

	for (uint32_t i = 0; i < t->regions.len; i++)
		records_put(r, SECTION_REGIONS, &t->regions.data[i]);
	for (uint32_t i = 0; i < t->buffers.len; i++)
		records_put(r, SECTION_BUFFERS, &t->buffers.data[i]);
	for (uint32_t i = 0; i < t->steps.len; i++) {
		struct edge_debug debug = { .op = records_string(r, t->step_names.data[i].name) };

		records_put(r, SECTION_STEPS, &t->steps.data[i]);
		records_put(r, SECTION_DEBUG, &debug);
		model.flops += t->steps.data[i].flops;
	}
	for (uint32_t i = 0; i < t->args.len; i++)
		records_put(r, SECTION_ARGS, &t->args.data[i]);
	records_put(r, SECTION_MODELS, &model);
	records_put(r, SECTION_TRAIN, &t->train);
	for (uint32_t i = 0; i < t->events.len; i++)
		records_put(r, SECTION_EVENTS, &t->events.data[i]);
	for (uint32_t i = 0; i < t->roles.len; i++)
		records_put(r, SECTION_ROLES, &t->roles.data[i]);
	for (uint32_t i = 0; i < t->buffers.len; i++) { /* what lies where, from beginning to end */
		struct edge_lifetime x = { t->buffers.data[i].region, records_string(r, t->buffer_names.data[i].name),
					   t->buffers.data[i].offset, t->buffers.data[i].bytes, EDGE_NONE,
					   (int32_t)t->steps.len - 1 };

		records_put(r, SECTION_LIFETIMES, &x);
	}
	for (uint32_t i = 0; i < t->notes.len; i++) {
		struct edge_note x = { records_string(r, t->notes.data[i].topic),
				       records_string(r, records_clean(r, t->notes.data[i].text)) };

		records_put(r, SECTION_NOTES, &x);
	}
}

static void put_meta(struct records *r, const struct train_plan *p, uint64_t frames)
{
	const struct target *t = p->target;
	struct edge_meta m = {
		.kind = EDGE_PLAN_TRAIN,
		.backend = t->backend,
		.kernel_style = t->kernels,
		.threads = t->threads,
		.name = records_string(r, records_clean(r, p->name)),
		.device_name = records_string(r, records_clean(r, t->name)),
		.compiler = records_string(r, p->version),
		.device_budget_bytes = p->device_budget,
		.host_budget_bytes = p->host_budget,
		.planned_device_bytes = p->timeline->device_bytes,
		.planned_host_bytes = p->timeline->host_bytes,
		.smallest_budget_bytes = p->timeline->smallest_budget,
		.weights_bytes = frames,
		.storage_bytes_per_s = t->storage_bytes_per_s,
		.flops_per_s = t->flops_per_s,
		.memory_bytes_per_s = t->memory_bytes_per_s,
		.launch_ms = t->launch_ms,
	};

	for (uint32_t i = 0; i < p->timeline->steps.len; i++)
		m.flops += p->timeline->steps.data[i].flops;
	records_put(r, SECTION_META, &m);
}

static bool put_kernels(struct records *r, const struct train_plan *p)
{
	const struct kernel_set *ks = &p->timeline->kernels;
	struct plan_program program = { ks->prelude, ks->build_options };
	struct plan_kernel *kernel = arena_new_array(r->a, struct plan_kernel, ks->kernels.len + 1);

	for (uint32_t i = 0; i < ks->kernels.len; i++)
		kernel[i].k = &ks->kernels.data[i];
	return records_kernels(r, p->target, kernel, ks->kernels.len, &program, 1);
}

static void count_numbers(const struct train_plan *p, uint64_t bytes, uint64_t frames, struct plan_numbers *n)
{
	*n = (struct plan_numbers){
		.bytes = bytes,
		.steps = p->timeline->train.steps,
		.kernels = p->timeline->kernels.kernels.len,
		.planned_device_bytes = p->timeline->device_bytes,
		.planned_host_bytes = p->timeline->host_bytes,
		.smallest_budget_bytes = p->timeline->smallest_budget,
		.weights_bytes = frames,
		.streamed_bytes = frames,
	};
}

bool plan_write_train(struct arena *a, const struct train_plan *p, const char *path, struct plan_numbers *numbers,
		      struct diag *d)
{
	struct frame_writer frames = { .scene = p->scene, .diag = d };
	struct chunk_writer chunks = { 0, write_frames, &frames };
	struct sections x;
	struct records r;
	uint64_t size;
	bool ok;

	records_begin(&r, a, &x, d);
	for (uint32_t i = 0; i < p->scene->views.len; i++)
		chunks.bytes += frame_bytes(&p->scene->views.data[i]);
	put_meta(&r, p, chunks.bytes);
	put_views(&r, p->scene);
	put_points(&r, p->scene);
	put_timeline(&r, p);
	ok = put_kernels(&r, p) && records_end(&r) && sections_write(&x, &chunks, path, &size, d);
	if (ok)
		count_numbers(p, size, chunks.bytes, numbers);
	sections_free(&x);
	return ok;
}
