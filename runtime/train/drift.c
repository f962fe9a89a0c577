/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drift.c - what the steps come to that Gaussians without a gradient have missed.
 *
 * Without a gradient a step of Adam moves a parameter by rate_a m / sqrt(v), with both moments
 * fading: over k steps by m / sqrt(v) times
 *
 *	S_k = sum over j = 1 .. k of w_(n - 1 - k + j) q^j,   q = beta1 / sqrt(beta2)
 *
 * where n is the step to come and w_a = rate unbias1_a / sqrt(unbias2_a) of step a. One step more at the
 * front is S_(k + 1) = q (w_(n - 1 - k) + S_k), so a table costs a few hundred operations a step.
 * Nothing here depends on more than the step and the plan: training that goes on from a
 * checkpoint has the same table.
 */
#include "config.h"

#include "train/internal.h"

#include <math.h>

/* The rates but the positions' are factors of what stands in the table: those of step `rated`. */
static void fill(struct train *t, uint32_t step, uint32_t rated)
{
	const double q = 0.9 / sqrt(0.999), age = t->counters.adam_steps;
	const struct edge_train *x = t->plan;
	const double fall = log(x->rate_position_last / x->rate_position_first) / x->steps;
	double all = 0, place = 0, rate = x->rate_position_first * exp(fall * (step - 1.0));
	double beta1 = pow(0.9, age), beta2 = pow(0.999, age);
	const double back = exp(-fall), now = settled_rate(x, rated);

	t->drift[0][0] = t->drift[1][0] = 0;
	for (uint32_t k = 1; k <= MISSED_MOST; k++) {
		/* step `age` + 1 - k; there is none before the first */
		double w = k <= age ? sqrt(1 - beta2) / (1 - beta1) : 0;

		all = q * (w * settled_rate(x, (double)step - k) / now + all);
		place = q * (w * rate + place);
		t->drift[0][k] = (float)all;
		t->drift[1][k] = (float)place;
		rate *= back;
		beta1 /= 0.9;
		beta2 /= 0.999;
	}
}

static enum edge_status put(struct train *t, struct failure *f)
{
	return train_write(t, EDGE_BUFFER_STATE, 4 * STATE_DRIFT, t->drift, sizeof t->drift, f);
}

enum edge_status drift_write(struct train *t, uint32_t step, struct failure *f)
{
	fill(t, step, step);
	return put(t, f);
}

enum edge_status drift_settle(struct train *t, struct failure *f)
{
	enum edge_status st;

	t->state[STATE_COUNT] = t->counters.gaussians;
	t->state[STATE_CATCH_UP] = 1;
	fill(t, t->counters.done + 1, t->counters.done);
	if ((st = put(t, f)) == EDGE_OK &&
	    (st = train_write(t, EDGE_BUFFER_STATE, 0, t->state, 4 * STATE_OUT, f)) == EDGE_OK &&
	    (st = train_launch(t, EDGE_TRAIN_UPDATE, f)) == EDGE_OK)
		st = train_finish(t, f);
	t->state[STATE_CATCH_UP] = 0;
	return st;
}
