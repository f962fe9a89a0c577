/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step.c - one photograph: there, the loss, and back.
 *
 * The loss comes to the host before anything is changed, so a step whose loss
 * is not finite can be left out. While a step is under way the photograph of
 * the next one is being read.
 */
#include "config.h"

#include "train/internal.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

static void put_float(struct train *t, uint32_t word, double x)
{
	float v = (float)x;

	memcpy(&t->state[word], &v, sizeof v);
}

double settled_rate(const struct edge_train *x, double step)
{
	double at = step / x->steps;

	if (!(x->rate_settled > 0) || at <= x->settle_from)
		return 1.0;
	return pow(x->rate_settled, (at - x->settle_from) / (1.0 - x->settle_from));
}

static void put_rates(struct train *t, uint32_t step)
{
	const struct edge_train *x = t->plan;
	double at = (double)step / x->steps, age = (double)(t->counters.adam_steps + 1);
	const double left = settled_rate(x, step);
	double place = exp(log(x->rate_position_first) * (1 - at) + log(x->rate_position_last) * at);

	t->state[STATE_STEP] = step;
	put_float(t, STATE_RATES, place);
	put_float(t, STATE_RATES + 1, x->rate_scale * left);
	put_float(t, STATE_RATES + 2, x->rate_rotation * left);
	put_float(t, STATE_RATES + 3, x->rate_opacity * left);
	put_float(t, STATE_RATES + 4, x->rate_colour * left);
	put_float(t, STATE_RATES + 5, x->rate_sh * left);
	put_float(t, STATE_UNBIAS1, 1 / (1 - pow(0.9, age)));
	put_float(t, STATE_UNBIAS2, 1 / (1 - pow(0.999, age)));
	put_float(t, STATE_EPSILON, x->epsilon);
	put_float(t, STATE_OPACITY_DECAY, x->opacity_decay / t->counters.gaussians);
	put_float(t, STATE_SCALE_DECAY, x->scale_decay / (3.0 * t->counters.gaussians));
	put_float(t, STATE_NOISE, x->noise * place);
	put_float(t, STATE_SSIM_WEIGHT, x->ssim_weight);
	put_float(t, STATE_EXTENT, x->extent);
}

static enum edge_status read_loss(struct train *t, float *loss, struct failure *f)
{
	uint64_t bytes = t->s->plan.buffers[t->buffer[EDGE_BUFFER_LOSS]].bytes;
	uint32_t blocks = (t->state[STATE_WIDTH] + 63) / 64 * ((t->state[STATE_HEIGHT] + 31) / 32);
	enum edge_status st = train_read(t, EDGE_BUFFER_LOSS, 0, t->losses, bytes, f);
	double sum = 0;

	if (st != EDGE_OK || (st = train_finish(t, f)) != EDGE_OK)
		return st;
	for (uint32_t i = 0; i < blocks && i < bytes / 4; i++)
		sum += (double)t->losses[i];
	*loss = (float)sum;
	return EDGE_OK;
}

/* So many entries of a band's lists as there are slots for their sums. */
static enum edge_status round_back(struct train *t, uint32_t first, uint32_t end, struct failure *f)
{
	enum edge_status st;

	/* the queue may still read what is about to change */
	if (first && (st = train_finish(t, f)) != EDGE_OK)
		return st;
	t->state[STATE_ENTRY_FIRST] = first;
	t->state[STATE_ENTRY_END] = end;
	if ((st = train_write(t, EDGE_BUFFER_STATE, 4 * STATE_ENTRY_FIRST, t->state + STATE_ENTRY_FIRST, 8, f)) != EDGE_OK ||
	    (st = train_launch(t, EDGE_TRAIN_BLEND_BACKWARD, f)) != EDGE_OK)
		return st;
	return train_launch(t, EDGE_TRAIN_GATHER, f);
}

/* How many entries the present band's lists have. */
static enum edge_status band_entries(struct train *t, uint32_t *entries, struct failure *f)
{
	uint32_t begin = 0, end = 0;
	enum edge_status st;

	*entries = t->state[STATE_TOTAL_KEYS];
	if (t->state[STATE_BANDS] > 1) {
		if ((st = train_read(t, EDGE_BUFFER_TILES, 4 * (uint64_t)t->state[STATE_TILE_FIRST], &begin, 4, f)) != EDGE_OK ||
		    (st = train_read(t, EDGE_BUFFER_TILES, 4 * (uint64_t)t->state[STATE_TILE_END], &end, 4, f)) != EDGE_OK ||
		    (st = train_finish(t, f)) != EDGE_OK)
			return st;
		*entries = end - begin;
	}
	if (*entries > t->plan->key_capacity)
		return rt_fail(f, EDGE_DEVICE, "the device counted %u keys in a band, which has room for %u", *entries,
			       t->plan->key_capacity);
	return EDGE_OK;
}

enum edge_status draw_backward(struct train *t, struct failure *f)
{
	uint32_t bands = t->state[STATE_BANDS], slots = t->plan->slot_capacity, entries, first, end;
	enum edge_status st = EDGE_OK;

	if (bands > 1 && (st = draw_recount(t, f)) != EDGE_OK)
		return st;
	for (uint32_t b = 0; b < bands; b++) {
		if (bands > 1 && ((st = draw_band(t, b, b > 0, f)) != EDGE_OK ||
				  (st = train_launch(t, EDGE_TRAIN_TILE_LIST, f)) != EDGE_OK))
			return st;
		if ((st = band_entries(t, &entries, f)) != EDGE_OK)
			return st;
		first = 0;
		do { /* a round, too, where there is no entry */
			end = entries - first < slots ? entries : first + slots;
			if ((st = round_back(t, first, end, f)) != EDGE_OK)
				return st;
			first = end;
		} while (first < entries);
	}
	return st;
}

/* The step's photograph is there when it returns, and the next one is on its way. */
static enum edge_status take_photograph(struct train *t, uint32_t step, uint32_t view, struct failure *f)
{
	uint32_t slot = step & 1;
	int64_t begin = rt_now();
	enum edge_status st;

	if (frames_view(t->frames, slot) != view)
		frames_want(t->frames, slot, view);
	st = frames_await(t->frames, slot, f);
	t->totals.wait_ms += rt_ms(rt_now() - begin);
	if (st == EDGE_OK && step < t->plan->steps)
		frames_want(t->frames, slot ^ 1, order_view(t, step + 1));
	return st;
}

static enum edge_status forward(struct train *t, uint32_t step, uint32_t view, float *loss, struct failure *f)
{
	struct train_camera camera;
	enum edge_status st;

	train_view_camera(t, view, &camera);
	draw_state(t, &camera);
	put_rates(t, step);
	if ((st = drift_write(t, step, f)) != EDGE_OK || (st = draw(t, f)) != EDGE_OK)
		return st;
	st = train_launch(t, step & 1 ? EDGE_TRAIN_LOSS_B : EDGE_TRAIN_LOSS_A, f);
	return st == EDGE_OK ? read_loss(t, loss, f) : st;
}

enum edge_status train_step(struct train *t, struct train_step_report *out, struct failure *f)
{
	uint32_t step = t->counters.done + 1;
	int64_t begin = rt_now();
	double waited = t->totals.wait_ms;
	enum edge_status st;

	*out = (struct train_step_report){ .step = step };
	if (t->resize.gaussians || step > t->plan->steps)
		return rt_fail(f, EDGE_ARGUMENT, "there is no step %u to train", step);
	out->view = order_view(t, step);
	if ((st = take_photograph(t, step, out->view, f)) != EDGE_OK ||
	    (st = forward(t, step, out->view, &out->loss, f)) != EDGE_OK)
		return st;
	out->skipped = !isfinite(out->loss);
	if (!out->skipped) {
		if ((st = draw_backward(t, f)) != EDGE_OK ||
		    (st = train_launch(t, EDGE_TRAIN_UPDATE, f)) != EDGE_OK || (st = train_finish(t, f)) != EDGE_OK)
			return st;
		t->counters.adam_steps++;
	}
	t->counters.skipped_in_a_row = out->skipped ? t->counters.skipped_in_a_row + 1 : 0;
	t->counters.done = step;
	if ((st = train_events(t, step, out, f)) != EDGE_OK ||
	    (step == t->plan->steps && (st = drift_settle(t, f)) != EDGE_OK))
		return st;
	out->skipped_in_a_row = t->counters.skipped_in_a_row;
	out->gaussians = t->counters.gaussians;
	out->visible = t->state[STATE_VISIBLE];
	out->keys = t->state[STATE_TOTAL_KEYS];
	out->bands = t->state[STATE_BANDS];
	out->wait_ms = t->totals.wait_ms - waited;
	out->ms = rt_ms(rt_now() - begin);
	t->totals.step_ms += out->ms;
	return EDGE_OK;
}

/* ---- a photograph for people ---- */

enum edge_status train_photograph(struct train *t, uint32_t view, uint8_t *rgb, struct failure *f)
{
	const struct edge_view *v = &t->s->plan.views[view];
	uint32_t slot = t->counters.done & 1, role = slot ? EDGE_BUFFER_FRAME_B : EDGE_BUFFER_FRAME_A;
	uint64_t pixels = (uint64_t)v->width * v->height;
	enum edge_status st;
	uint8_t row[1024];

	/* the slot of the step that is over; the other one has the next step's */
	frames_want(t->frames, slot, view);
	if ((st = frames_await(t->frames, slot, f)) != EDGE_OK)
		return st;
	for (uint32_t c = 0; c < 3; c++)
		for (uint64_t at = 0; at < pixels; at += sizeof row) {
			uint64_t n = pixels - at < sizeof row ? pixels - at : sizeof row;

			if ((st = train_read(t, role, c * pixels + at, row, n, f)) != EDGE_OK ||
			    (st = train_finish(t, f)) != EDGE_OK)
				return st;
			for (uint64_t i = 0; i < n; i++)
				rgb[(at + i) * 3 + c] = row[i];
		}
	return EDGE_OK;
}
