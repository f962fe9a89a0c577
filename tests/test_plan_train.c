/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_plan_train.c - plans that train: what the file holds is what the scene
 * has, the same input gives the same bytes, and records that lie are refused
 * though their hashes are right - or do no harm.
 */
#include "config.h"

#include "plan/dump.h"
#include "plan/explain_train.h"
#include "plan/plan_train.h"
#include "tap.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A plan for a scene of the corpus. */
struct made {
	struct arena arena;
	struct diag diag;
	struct scene *scene;
	struct timeline *timeline;
	struct plan_numbers numbers;
};

static bool make_plan(struct made *m, const char *path, uint64_t budget, FILE *said)
{
	struct decl_scene decl = { .name = "s", .capture = DECL_CAPTURE_COLMAP, .path = "colmap/good-opencv", .downscale = 1,
				   .holdout = 3 };
	struct decl_train train = { .steps = 60, .evaluate_every = 20, .policy = DECL_POLICY_DIET };
	struct decl_device device = { .name = "d", .backend = DECL_BACKEND_OPENCL };
	struct target target = target_from_decl(&device);
	struct timeline_request r = { .train = &train, .target = &target, .device_budget = budget };
	struct train_plan plan = { .name = "p", .version = "test", .target = &target, .device_budget = budget };

	memset(m, 0, sizeof *m);
	diag_init(&m->diag, &m->arena, said);
	m->scene = scene_import(&m->arena, &m->diag, &decl);
	if (!m->scene)
		return false;
	r.scene = plan.scene = m->scene;
	plan.timeline = m->timeline = timeline_make(&m->arena, &r, &m->diag);
	if (!m->timeline)
		return false;
	scene_limit_points(m->scene, m->timeline->train.first_gaussians, 0);
	return plan_write_train(&m->arena, &plan, path, &m->numbers, &m->diag);
}

static uint8_t *load(const char *path, size_t *size)
{
	struct mapped_file f;
	uint8_t *p;

	if (!file_map(path, &f))
		return NULL;
	*size = f.size;
	p = memcpy(xmalloc(f.size + 1), f.data, f.size);
	file_unmap(&f);
	return p;
}

/* ---- what is written ---- */

static void check_frame(const struct made *m, const struct edge_plan *p, uint32_t view)
{
	const struct edge_view *v = &p->views[view];
	size_t n = (size_t)v->width * v->height;
	const uint8_t *frame = p->data + p->chunks[v->chunk_first].offset;
	uint8_t *rgb = xmalloc(3 * n);
	char why[400];
	bool ok = scene_frame(m->scene, view, rgb, why, sizeof why);

	for (size_t i = 0; ok && i < 3 * n; i++)
		ok = frame[i % 3 * n + i / 3] == rgb[i];
	tap_ok(ok, "frame %u is stored plane by plane", view);
	free(rgb);
}

static void check_written(const struct made *m, const struct edge_plan *p)
{
	const struct scene_view *v = &m->scene->views.data[1];
	bool ok = true;

	tap_ok(p->view_count == 3 && p->train->train_views == 2 && p->train->held_out_views == 1 && p->views[0].held_out,
	       "three views, one held out");
	tap_ok(!strcmp(plan_string(p, p->views[1].name), v->name) && p->views[1].fx == v->fx &&
	       !memcmp(p->views[1].rotation, v->R, sizeof v->R) && !memcmp(p->views[1].translation, v->t, sizeof v->t),
	       "cameras as the scene has them");
	for (uint32_t i = 0; i < p->view_count; i++)
		check_frame(m, p, i);
	for (uint32_t i = 0; i < p->point_count; i++)
		ok &= p->points[i].x == m->scene->points.data[i].x &&
		      p->points[i].log_scale == logf(m->scene->points.data[i].scale) &&
		      p->points[i].b == m->scene->points.data[i].b;
	tap_ok(ok && p->point_count == 6, "points as the scene has them");
	tap_ok(p->meta->planned_device_bytes == m->numbers.planned_device_bytes && p->size == m->numbers.bytes,
	       "the numbers that are told are the file's");
}

static void check_growth(const struct edge_plan *p)
{
	uint32_t count;
	struct train_growth *g = train_growth(p, &count);
	bool ok = count == p->event_count + 1 && g[0].gaussians == p->train->first_gaussians;

	for (uint32_t i = 0; ok && i < count; i++)
		ok = g[i].gaussians <= p->train->capacity && g[i].bytes <= p->meta->planned_device_bytes &&
		     (!i || g[i].gaussians <= p->events[i - 1].most);
	tap_ok(ok, "planned growth stays within the events' bounds");
	free(g);
}

/* ---- lies ---- */

static uint64_t state = 5;

static uint32_t noise(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* Right hashes for whatever the sections hold now. */
static void rehash(uint8_t *data)
{
	struct edge_header *h = (void *)data;
	struct edge_section *s = (void *)(data + sizeof *h);

	for (uint32_t i = 0; i < h->prefix.section_count; i++)
		if (s[i].kind != EDGE_SECTION_WEIGHTS)
			s[i].xxh3 = edge_xxh3(data + s[i].offset, s[i].size);
	h->table_xxh3 = edge_xxh3(s, h->prefix.section_count * sizeof *s);
	h->header_xxh3 = edge_xxh3(h, offsetof(struct edge_header, header_xxh3));
}

static bool tells(const struct edge_plan *p)
{
	FILE *out = tmpfile();
	bool ok = out != NULL, rates = false;
	char line[512];

	if (ok) {
		plan_dump(out, p);
		ok = explain_text(p, out) == 0 && explain_json(p, out) == 0;
		rewind(out);
		while (fgets(line, sizeof line, out))
			rates |= strstr(line, "coefficients above 0") != NULL;
		fclose(out);
	}
	return ok && rates;
}

/* One word of a record of training becomes something else; what passes must be harmless to read. */
static void check_lies(uint8_t *data, size_t size, uint32_t kind, const char *name)
{
	static const uint32_t words[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fc00000, 0x7f800000, 1000000 };
	const struct edge_header *h = (const void *)data;
	const struct edge_section *s = (const void *)(data + sizeof *h);
	uint8_t *copy = xmalloc(size);
	unsigned refused = 0, passed = 0;
	bool ok = true;

	while (s->kind != kind)
		s++;
	for (unsigned i = 0; i < 400 && s->size; i++) {
		size_t at = s->offset + noise() % (s->size / 4) * 4;
		uint32_t word = noise() % 2 ? words[noise() % (sizeof words / sizeof *words)] : noise();
		struct edge_plan p;
		char why[256];

		memcpy(copy, data, size);
		memcpy(copy + at, &word, 4);
		rehash(copy);
		if (plan_check(copy, size, &p, why, sizeof why) != EDGE_OK) {
			refused++;
			ok &= why[0] != 0;
		} else {
			passed++;
			ok &= tells(&p);
		}
	}
	tap_ok(ok && refused > 0, "%s: %u lies refused, %u harmless", name, refused, passed);
	free(copy);
}

static void check_cut(const uint8_t *data, size_t size)
{
	uint8_t *copy = xmalloc(size);
	struct edge_plan p;
	bool ok = true;
	char why[256];

	for (size_t n = 0; n < size; n += 1 + n / 50) {
		memcpy(copy, data, n);
		ok &= plan_check(copy, n, &p, why, sizeof why) != EDGE_OK;
	}
	tap_ok(ok, "a plan that ends early is refused");
	free(copy);
}

int main(void)
{
	const char *source = getenv("EDGE_SRCDIR");
	char dir[4096], cwd[500], path[2][600];
	struct edge_plan p;
	struct made m, again;
	uint8_t *data, *other;
	size_t size = 0, other_size = 0;
	char why[256];

	if (!source || !getcwd(cwd, sizeof cwd)) {
		tap_skip("EDGE_SRCDIR is not set");
		return tap_done();
	}
	snprintf(dir, sizeof dir, "%s/tests/corpus/scene", source);
	if (chdir(dir) != 0)
		return 99;
	for (int i = 0; i < 2; i++)
		snprintf(path[i], sizeof path[i], "%s/test_plan_train-%ld-%d.plan", cwd, (long)getpid(), i);
	tap_ok(make_plan(&m, path[0], 0, stdout) && make_plan(&again, path[1], 0, stdout), "a plan is written");
	data = load(path[0], &size);
	other = load(path[1], &other_size);
	tap_ok(data && other && size == other_size && !memcmp(data, other, size), "twice the same bytes");
	if (data && tap_ok(plan_check(data, size, &p, why, sizeof why) == EDGE_OK, "it passes the check: %s", why)) {
		tap_ok(plan_check_chunks(&p, why, sizeof why) == EDGE_OK, "its chunks have their hashes");
		check_written(&m, &p);
		check_growth(&p);
		tap_ok(tells(&p), "it can be dumped and explained");
		check_lies(data, size, EDGE_SECTION_TRAIN, "train");
		check_lies(data, size, EDGE_SECTION_VIEWS, "views");
		check_lies(data, size, EDGE_SECTION_POINTS, "points");
		check_lies(data, size, EDGE_SECTION_EVENTS, "events");
		check_lies(data, size, EDGE_SECTION_ROLES, "roles");
		check_lies(data, size, EDGE_SECTION_META, "meta");
		check_lies(data, size, EDGE_SECTION_REGIONS, "regions");
		check_lies(data, size, EDGE_SECTION_STEPS, "steps");
		check_cut(data, size);
	}
	arena_release(&m.arena);
	arena_release(&again.arena);
	unlink(path[0]);
	unlink(path[1]);
	free(data);
	free(other);
	return tap_done();
}
