/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.c - from the set to a picture: projection, order, lists, blending.
 *
 * The queue is drained once, after the keys are counted, because the number of
 * bands is known only then. A picture in one band leaves its lists in place
 * for the way back.
 */
#include "config.h"

#include "train/internal.h"

#include <math.h>
#include <string.h>

enum { TILE = 16 };

static void put_float(struct train *t, uint32_t word, double x)
{
	float v = (float)x;

	memcpy(&t->state[word], &v, sizeof v);
}

/* The frustum is widened by this share of the image on each side. */
static const double clamp_margin = 0.15;

void draw_state(struct train *t, const struct train_camera *c)
{
	const double *r = c->rotation, *o = c->translation;

	t->state[STATE_COUNT] = t->counters.gaussians;
	t->state[STATE_CAPACITY] = t->plan->capacity;
	t->state[STATE_DEGREE] = t->counters.degree;
	t->state[STATE_WIDTH] = c->width;
	t->state[STATE_HEIGHT] = c->height;
	t->state[STATE_TILES_X] = (c->width + TILE - 1) / TILE;
	t->state[STATE_TILES_Y] = (c->height + TILE - 1) / TILE;
	t->state[STATE_KEYS] = t->plan->key_capacity;
	t->state[STATE_SEED] = (uint32_t)(t->plan->seed ^ t->plan->seed >> 32);
	t->state[STATE_STRIDE] = t->plan->stride;
	t->state[STATE_ROWS] = t->plan->rows;
	for (uint32_t i = 0; i < 9; i++)
		put_float(t, STATE_ROTATION + i, r[i]);
	for (uint32_t i = 0; i < 3; i++) {
		put_float(t, STATE_TRANSLATION + i, o[i]);
		put_float(t, STATE_CAMERA + i, -(r[i] * o[0] + r[3 + i] * o[1] + r[6 + i] * o[2]));
		put_float(t, STATE_BACKGROUND + i, t->plan->background[i]);
	}
	put_float(t, STATE_FOCAL, c->fx);
	put_float(t, STATE_FOCAL + 1, c->fy);
	put_float(t, STATE_CENTRE, c->cx - 0.5);
	put_float(t, STATE_CENTRE + 1, c->cy - 0.5);
	put_float(t, STATE_CLAMP, (-clamp_margin * c->width - c->cx) / c->fx);
	put_float(t, STATE_CLAMP + 1, ((1 + clamp_margin) * c->width - c->cx) / c->fx);
	put_float(t, STATE_CLAMP + 2, (-clamp_margin * c->height - c->cy) / c->fy);
	put_float(t, STATE_CLAMP + 3, ((1 + clamp_margin) * c->height - c->cy) / c->fy);
}

static enum edge_status launch_all(struct train *t, const uint32_t *role, uint32_t count, struct failure *f)
{
	enum edge_status st = EDGE_OK;

	for (uint32_t i = 0; i < count && st == EDGE_OK; i++)
		st = train_launch(t, role[i], f);
	return st;
}

static enum edge_status count_keys(struct train *t, struct failure *f)
{
	uint32_t tiles = t->state[STATE_TILES_X] * t->state[STATE_TILES_Y];
	enum edge_status st;

	if ((st = train_read(t, EDGE_BUFFER_STATE, 4 * STATE_OUT, t->state + STATE_OUT,
			     4 * (STATE_WORDS - STATE_OUT), f)) != EDGE_OK ||
	    (st = train_finish(t, f)) != EDGE_OK)
		return st;
	if (t->state[STATE_BANDS] == 0 || t->state[STATE_BANDS] > tiles)
		return rt_fail(f, EDGE_DEVICE, "the device counted %u bands for %u tiles", t->state[STATE_BANDS], tiles);
	if ((st = train_read(t, EDGE_BUFFER_TILES, 4 * ((uint64_t)tiles + 1), t->bands,
			     4 * ((uint64_t)t->state[STATE_BANDS] + 1), f)) != EDGE_OK)
		return st;
	return train_finish(t, f);
}

enum edge_status draw_recount(struct train *t, struct failure *f)
{
	static const uint32_t roles[] = { EDGE_TRAIN_TILE_COUNT, EDGE_TRAIN_TILE_PLACE };

	return launch_all(t, roles, 2, f);
}

/* Which tiles the following launches are about. */
enum edge_status draw_band(struct train *t, uint32_t band, bool add, struct failure *f)
{
	enum edge_status st = EDGE_OK;

	/* the queue may still read what is about to change */
	if (t->state[STATE_BANDS] > 1 && (st = train_finish(t, f)) != EDGE_OK)
		return st;
	t->state[STATE_TILE_FIRST] = t->bands[band];
	t->state[STATE_TILE_END] = t->bands[band + 1];
	t->state[STATE_BAND_ADD] = add;
	return train_write(t, EDGE_BUFFER_STATE, 4 * STATE_TILE_FIRST, t->state + STATE_TILE_FIRST, 12, f);
}

enum edge_status draw(struct train *t, struct failure *f)
{
	static const uint32_t before[] = {
		EDGE_TRAIN_PROJECT, EDGE_TRAIN_SORT_COUNT_1, EDGE_TRAIN_SORT_PLACE_1, EDGE_TRAIN_SORT_MOVE_1,
		EDGE_TRAIN_SORT_COUNT_2, EDGE_TRAIN_SORT_PLACE_2, EDGE_TRAIN_SORT_MOVE_2, EDGE_TRAIN_SORT_COUNT_3,
		EDGE_TRAIN_SORT_PLACE_3, EDGE_TRAIN_SORT_MOVE_3, EDGE_TRAIN_TILE_COUNT, EDGE_TRAIN_TILE_PLACE,
	};
	static const uint32_t band[] = { EDGE_TRAIN_TILE_LIST, EDGE_TRAIN_BLEND };
	enum edge_status st;

	if ((st = train_write(t, EDGE_BUFFER_STATE, 0, t->state, 4 * STATE_OUT, f)) != EDGE_OK ||
	    (st = launch_all(t, before, sizeof before / sizeof *before, f)) != EDGE_OK ||
	    (st = count_keys(t, f)) != EDGE_OK)
		return st;
	for (uint32_t b = 0; b < t->state[STATE_BANDS]; b++)
		if ((st = draw_band(t, b, b > 0, f)) != EDGE_OK || (st = launch_all(t, band, 2, f)) != EDGE_OK ||
		    (t->after_band && (st = train_launch(t, t->after_band, f)) != EDGE_OK))
			return st;
	return EDGE_OK;
}

static enum edge_status read_picture(struct train *t, uint32_t width, uint32_t height, float *rgb, struct failure *f)
{
	uint64_t plane = (uint64_t)t->plan->stride * t->plan->rows;
	enum edge_status st = train_finish(t, f);

	for (uint32_t y = 0; y < height && st == EDGE_OK; y++) {
		for (uint32_t c = 0; c < 3 && st == EDGE_OK; c++)
			st = train_read(t, EDGE_BUFFER_IMAGE, 4 * (c * plane + (uint64_t)y * t->plan->stride),
					t->pixels + (uint64_t)c * width, 4 * (uint64_t)width, f);
		if (st == EDGE_OK)
			st = train_finish(t, f);
		for (uint64_t x = 0; x < width; x++)
			for (uint32_t c = 0; c < 3; c++)
				rgb[((uint64_t)y * width + x) * 3 + c] = t->pixels[(uint64_t)c * width + x];
	}
	return st;
}

enum edge_status train_render(struct train *t, const struct train_camera *c, float *rgb, struct failure *f)
{
	enum edge_status st;

	if (!c->width || !c->height || c->width > t->plan->width || c->height > t->plan->height)
		return rt_fail(f, EDGE_ARGUMENT, "cannot draw %u x %u pixels: the plan's pictures are at most %u x %u",
			       c->width, c->height, t->plan->width, t->plan->height);
	draw_state(t, c);
	st = draw(t, f);
	return st == EDGE_OK ? read_picture(t, c->width, c->height, rgb, f) : st;
}

void train_view_camera(const struct train *t, uint32_t view, struct train_camera *out)
{
	const struct edge_view *v = &t->s->plan.views[view];

	*out = (struct train_camera){ v->width, v->height, v->fx, v->fy, v->cx, v->cy, { 0 }, { 0 } };
	memcpy(out->rotation, v->rotation, sizeof out->rotation);
	memcpy(out->translation, v->translation, sizeof out->translation);
}
