/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_render.c - edgert render: pictures of a .ply from the cameras of a plan, or around it. */
#include "config.h"

#include "base/memory.h"
#include "base/outfile.h"
#include "tools/orbit.h"
#include "tools/scene_options.h"

#include <stdlib.h>
#include <string.h>

struct studio {
	const struct view_options *o;
	struct train *train;
	struct png *png;
	uint32_t png_width;
	float *rgb;
	uint8_t *row;
};

/* Without folders and without the photograph's ending. */
static void stem(const char *name, char *out, size_t size)
{
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name, *dot = strrchr(base, '.');
	size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base);

	snprintf(out, size, "%.*s", (int)(n < size ? n : size - 1), base);
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '\\')
			*p = '_';
	if (!*out || *out == '.')
		*out = '_';
}

/* Photographs of different folders may have the same name. */
static bool stem_is_unique(const struct edge_plan *p, uint32_t view, const char *name)
{
	char other[256];

	for (uint32_t i = 0; i < p->view_count; i++) {
		stem(plan_string(p, p->views[i].name), other, sizeof(other));
		if (i != view && !strcmp(other, name))
			return false;
	}
	return true;
}

static enum edge_status shoot(struct studio *s, const struct train_camera *c, const char *name, struct failure *f)
{
	char path[4096];
	enum edge_status st;

	if (s->png_width != c->width) {
		png_delete(s->png);
		s->png = png_new(c->width);
		s->png_width = c->width;
	}
	if (!s->png)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	if ((size_t)snprintf(path, sizeof(path), "%s/%s.png", s->o->output_dir, name) >= sizeof(path))
		return rt_fail(f, EDGE_ARGUMENT, "file name \"%s/%s.png\" is too long", s->o->output_dir, name);
	if ((st = train_render(s->train, c, s->rgb, f)) != EDGE_OK ||
	    (st = picture_save(path, s->png, s->rgb, c->width, c->height, s->row, f)) != EDGE_OK)
		return st;
	tool_say(stdout, "%s", path);
	return EDGE_OK;
}

static enum edge_status shoot_view(struct studio *s, uint32_t view, struct failure *f)
{
	const struct edge_plan *p = train_plan(s->train);
	struct train_camera c;
	char name[256], full[320];

	train_view_camera(s->train, view, &c);
	stem(plan_string(p, p->views[view].name), name, sizeof(name));
	if (stem_is_unique(p, view, name))
		return shoot(s, &c, name, f);
	snprintf(full, sizeof(full), "%s-%u", name, view);
	return shoot(s, &c, full, f);
}

/* By number, by the photograph's name, or by its name without folders or ending. */
static enum edge_status find_view(const struct edge_plan *p, const char *text, uint32_t *out, struct failure *f)
{
	char *end, name[256];
	unsigned long n = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && *end == '\0') {
		*out = (uint32_t)n;
		return n < p->view_count ? EDGE_OK
					 : rt_fail(f, EDGE_ARGUMENT, "no view %s: the plan has %u, from 0", text,
						   p->view_count);
	}
	for (uint32_t i = 0; i < p->view_count; i++) {
		stem(plan_string(p, p->views[i].name), name, sizeof(name));
		if (!strcmp(text, plan_string(p, p->views[i].name)) || !strcmp(text, name)) {
			*out = i;
			return EDGE_OK;
		}
	}
	return rt_fail(f, EDGE_ARGUMENT, "no view \"%s\" in the plan", text);
}

static enum edge_status round_trip(struct studio *s, struct failure *f)
{
	const struct edge_plan *p = train_plan(s->train);
	struct orbit orbit;
	enum edge_status st = EDGE_OK;

	orbit_plan(p, s->o->width, s->o->height, &orbit);
	if (orbit.lens.width > p->train->width || orbit.lens.height > p->train->height)
		return rt_fail(f, EDGE_ARGUMENT, "pictures of %u by %u do not fit: the plan's memory is for %u by %u",
			       orbit.lens.width, orbit.lens.height, p->train->width, p->train->height);
	for (uint32_t i = 0; i < s->o->orbit && st == EDGE_OK; i++) {
		struct train_camera c;
		char name[32];

		orbit_camera(&orbit, (double)i / s->o->orbit, &c);
		snprintf(name, sizeof(name), "orbit-%04u", i);
		st = shoot(s, &c, name, f);
	}
	return st;
}

static enum edge_status shoot_all(struct studio *s, struct failure *f)
{
	const struct edge_plan *p = train_plan(s->train);
	enum edge_status st = EDGE_OK;
	uint32_t view = 0, any = 0;

	if (s->o->orbit)
		return round_trip(s, f);
	if (s->o->view)
		return (st = find_view(p, s->o->view, &view, f)) == EDGE_OK ? shoot_view(s, view, f) : st;
	for (view = 0; view < p->view_count && st == EDGE_OK; view++)
		if (s->o->all || p->views[view].held_out) {
			st = shoot_view(s, view, f);
			any++;
		}
	return any ? st : rt_fail(f, EDGE_ARGUMENT, "the plan holds no views out");
}

static enum edge_status render(struct studio *s, struct failure *f)
{
	const struct edge_train *t;
	enum edge_status st = scene_open(&s->o->scene, &s->train, f);

	if (st != EDGE_OK)
		return st;
	t = train_plan(s->train)->train;
	s->rgb = rt_alloc((size_t)t->width * t->height, 3 * sizeof(*s->rgb));
	s->row = rt_alloc(t->width, 3);
	if (!s->rgb || !s->row)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	st = rt_make_directory(s->o->output_dir, f);
	return st == EDGE_OK ? shoot_all(s, f) : st;
}

int cmd_render(int argc, char **argv)
{
	struct failure f = { .status = EDGE_OK };
	struct view_options o;
	struct studio s = { .o = &o };
	int status = view_options(argc, argv, true, &o);

	if (status)
		return status - 1;
	if (render(&s, &f) != EDGE_OK)
		status = tool_error("%s", f.text);
	png_delete(s.png);
	rt_free(s.rgb);
	rt_free(s.row);
	train_close(s.train);
	return status;
}
