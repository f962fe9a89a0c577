/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.c - rendered views beside their photographs. */
#include "config.h"

#include "base/memory.h"
#include "image/metrics.h"
#include "tools/train_tool.h"

#include <string.h>

enum edge_status evaluation_begin(struct evaluation *e, struct train *t, struct failure *f)
{
	const struct edge_plan *p = train_plan(t);
	size_t pixels = (size_t)p->train->width * p->train->height;

	memset(e, 0, sizeof(*e));
	e->train = t;
	e->held_out = p->train->held_out_views > 0;
	e->view = rt_alloc(p->view_count, sizeof(*e->view));
	e->metrics = metrics_new(p->train->width);
	e->rendered = rt_alloc(pixels, 3 * sizeof(*e->rendered));
	e->photograph = rt_alloc(pixels, 3);
	if (!e->view || !e->metrics || !e->rendered || !e->photograph)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	for (uint32_t i = 0; i < p->view_count; i++)
		if (p->views[i].held_out || !e->held_out)
			e->view[e->count++].view = i;
	return EDGE_OK;
}

void evaluation_end(struct evaluation *e)
{
	metrics_free(e->metrics);
	rt_free(e->view);
	rt_free(e->rendered);
	rt_free(e->photograph);
	memset(e, 0, sizeof(*e));
}

const char *evaluation_name(const struct evaluation *e, uint32_t index)
{
	const struct edge_plan *p = train_plan(e->train);

	return plan_string(p, p->views[e->view[index].view].name);
}

enum edge_status evaluation_show(struct evaluation *e, uint32_t index, struct failure *f)
{
	struct train_camera camera;
	enum edge_status st;

	train_view_camera(e->train, e->view[index].view, &camera);
	st = train_render(e->train, &camera, e->rendered, f);
	return st == EDGE_OK ? train_photograph(e->train, e->view[index].view, e->photograph, f) : st;
}

enum edge_status evaluation_run(struct evaluation *e, struct failure *f)
{
	e->psnr = e->ssim = 0;
	for (uint32_t i = 0; i < e->count; i++) {
		const struct edge_view *v = &train_plan(e->train)->views[e->view[i].view];
		enum edge_status st = evaluation_show(e, i, f);

		if (st != EDGE_OK)
			return st;
		metrics_begin(e->metrics, v->width, v->height);
		for (size_t y = 0; y < v->height; y++)
			metrics_row(e->metrics, e->rendered + 3 * y * v->width, e->photograph + 3 * y * v->width);
		metrics_end(e->metrics, &e->view[i].psnr, &e->view[i].ssim);
		e->psnr += e->view[i].psnr / e->count;
		e->ssim += e->view[i].ssim / e->count;
	}
	return EDGE_OK;
}

void evaluation_json(struct json *j, const struct evaluation *e)
{
	json_number(j, "psnr", e->psnr);
	json_number(j, "ssim", e->ssim);
	json_bool(j, "held_out", e->held_out);
	json_array(j, "views");
	for (uint32_t i = 0; i < e->count; i++) {
		json_object(j, NULL);
		json_string(j, "name", evaluation_name(e, i));
		json_number(j, "psnr", e->view[i].psnr);
		json_number(j, "ssim", e->view[i].ssim);
		json_close(j);
	}
	json_close(j);
}
