/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.c - which photograph a step sees.
 *
 * Each epoch is a permutation of the training views that follows from the seed
 * and the epoch's number alone, so any step can be asked for.
 */
#include "config.h"

#include "train/internal.h"

static uint64_t mix(uint64_t x)
{
	x = (x + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 29) * 0x94d049bb133111ebu;
	return x ^ x >> 32;
}

static void permute(struct train *t, uint32_t slot, uint64_t epoch)
{
	uint32_t n = t->plan->train_views, *o = t->order[slot];

	for (uint32_t i = 0; i < n; i++)
		o[i] = t->training[i];
	for (uint32_t i = n; i > 1; i--) {
		uint32_t k = (uint32_t)(mix(mix(t->plan->seed ^ epoch << 20) + i) % i), x = o[k];

		o[k] = o[i - 1];
		o[i - 1] = x;
	}
	t->epoch[slot] = epoch;
}

uint32_t order_view(struct train *t, uint64_t step)
{
	uint64_t epoch = (step - 1) / t->plan->train_views;
	uint32_t slot = epoch & 1;

	if (t->epoch[slot] != epoch)
		permute(t, slot, epoch);
	return t->order[slot][(step - 1) % t->plan->train_views];
}
