/* SPDX-License-Identifier: Apache-2.0 */
/* curve.c - how training went. */
#include "config.h"

#include "base/memory.h"
#include "train/curve.h"

#include <string.h>

bool curve_begin(struct curve *c, uint32_t steps, uint32_t most)
{
	memset(c, 0, sizeof(*c));
	c->every = steps / most + (steps % most != 0);
	c->every += c->every == 0;
	c->point_room = steps / c->every + 2;
	c->evaluation_room = most;
	c->point = rt_alloc(c->point_room, sizeof(*c->point));
	c->evaluation = rt_alloc(c->evaluation_room, sizeof(*c->evaluation));
	if (c->point && c->evaluation)
		return true;
	curve_end(c);
	return false;
}

void curve_end(struct curve *c)
{
	rt_free(c->point);
	rt_free(c->evaluation);
	memset(c, 0, sizeof(*c));
}

void curve_step(struct curve *c, const struct train_step_report *r, uint64_t device_bytes, bool last)
{
	c->seconds += r->ms / 1000;
	if (r->skipped) {
		c->skipped++;
	} else {
		c->loss += (double)r->loss;
		c->ms += r->ms;
		c->since++;
	}
	if ((r->step % c->every && !last) || !c->since || c->points == c->point_room)
		return;
	c->point[c->points++] = (struct curve_point){ r->step, r->gaussians, device_bytes, c->loss / c->since,
						      c->ms / c->since };
	c->loss = c->ms = 0;
	c->since = 0;
}

/* When there is no room the last one is replaced: the end matters most. */
void curve_evaluate(struct curve *c, uint32_t step, uint32_t gaussians, double psnr, double ssim)
{
	uint32_t at = c->evaluations < c->evaluation_room ? c->evaluations++ : c->evaluation_room - 1;

	c->evaluation[at] = (struct curve_evaluation){ step, gaussians, psnr, ssim };
}
