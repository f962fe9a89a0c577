/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_replace.cl - what is of no use goes, and what the picture needs is cut in two.
 *
 * The policy auto. Those go that are transparent and, once the set has reached
 * the cap, some of those that never had much weight in any pixel of late. As
 * many others, and more while the set grows, are drawn, none twice, with a
 * probability by the error that their pixels had in the views that showed them and by how
 * strongly those pulled at their places: the geometric mean of the two. Each is cut across its longest axis into two that are
 * fainter, so that what is there later is not brighter than before: two at
 * different places, which from then on have different gradients. One work-item.
 *
 * scratch: a key each, then the places that are free; counts: a histogram.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_replace
#endif

#define DROP 0.017f	    /* of a full set, at each event */
#define DROP_WEIGHT 0.05f   /* what had more weight than this stays */
#define FADE 0.7f	    /* of weights, from event to event */
#define CUT_APART 0.5f	    /* of the deviation along the cut, to either side */
#define CUT_LENGTH 0.5f	    /* times that deviation */
#define CUT_WIDTH 0.85f	    /* times the others */
#define CUT_OPACITY 0.6f    /* times the opacity */

/* Two out of Gaussian i: the other one is at index j. */
EDGE_OVERLOAD void EDGE_FN(cut)(const struct splat_set *x, long i, long j)
{
	float q[4], size[3], length = 0.0f, axis[3];
	int a = 0;

	for (int k = 0; k < 4; k++) {
		q[k] = splat_number(x, P_ROTATION + k, i);
		length += q[k] * q[k];
	}
	length = 1.0f / max(sqrt(length), 1e-20f);
	for (int k = 0; k < 4; k++)
		q[k] *= length;
	for (int k = 0; k < 3; k++) {
		size[k] = exp(splat_number(x, P_SCALE + k, i));
		a = size[k] > size[a] ? k : a;
	}
	/* column a of the rotation */
	axis[0] = a == 0   ? 1.0f - 2.0f * (q[2] * q[2] + q[3] * q[3])
		  : a == 1 ? 2.0f * (q[1] * q[2] - q[0] * q[3])
			   : 2.0f * (q[1] * q[3] + q[0] * q[2]);
	axis[1] = a == 0   ? 2.0f * (q[1] * q[2] + q[0] * q[3])
		  : a == 1 ? 1.0f - 2.0f * (q[1] * q[1] + q[3] * q[3])
			   : 2.0f * (q[2] * q[3] - q[0] * q[1]);
	axis[2] = a == 0   ? 2.0f * (q[1] * q[3] - q[0] * q[2])
		  : a == 1 ? 2.0f * (q[2] * q[3] + q[0] * q[1])
			   : 1.0f - 2.0f * (q[1] * q[1] + q[2] * q[2]);
	for (int k = 0; k < 3; k++)
		splat_set_number(x, P_SCALE + k, i, splat_number(x, P_SCALE + k, i) + log(k == a ? CUT_LENGTH : CUT_WIDTH));
	splat_set_opacity(x, i, CUT_OPACITY * splat_opacity(x, i));
	splat_copy(x, i, j);
	for (int k = 0; k < 3; k++) {
		x->p[k * x->plane + i] -= CUT_APART * size[a] * axis[k];
		x->p[k * x->plane + j] += CUT_APART * size[a] * axis[k];
	}
	for (int k = 0; k < STATS; k++)
		x->s[k * x->plane + j] = x->s[k * x->plane + i];
	splat_forget(x, i);
	splat_forget(x, j);
}

/* The places that are free: of the transparent, and of some that had little weight. Returns how many. */
EDGE_OVERLOAD long EDGE_FN(free_places)(const struct splat_set *x, long count, long drop, float least,
					__global float *key, __global uint *place, __global uint *counts)
{
	long n = 0, kept = 0;
	float limit;

	/* those with little weight have the large keys */
	for (long i = 0; i < count; i++) {
		const int clear = !(splat_opacity(x, i) > least);
		const float w = splat_stat(x, STAT_WEIGHT, i);

		key[i] = clear ? 0.0f : w < DROP_WEIGHT ? 1.0f + DROP_WEIGHT - max(w, 0.0f) : 0.0f;
		if (clear)
			place[n++] = (uint)i;
	}
	if (drop > 0) {
		limit = splat_kth(key, count, drop, counts);
		for (long i = 0; i < count; i++)
			if (key[i] > limit) {
				place[n++] = (uint)i;
				kept++;
			}
		/* many may never have had any weight: as many of the equal ones as are wanted */
		for (long i = 0; i < count && limit > 0.0f && kept < drop; i++)
			if (key[i] == limit) {
				place[n++] = (uint)i;
				kept++;
			}
	}
	return n;
}

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global float *parameters, __global MOMENT1 *m,
				 __global MOMENT2 *v, __global STAT *statistics, __global uint *scratch,
				 __global uint *counts EDGE_WI)
{
	const long plane = (long)state[STATE_CAPACITY], count = (long)state[STATE_COUNT];
	const struct splat_set x = { parameters, statistics, m, v, plane };
	const float least = splat_float(state, EVENT_OPACITY);
	const uint seed = splat_hash(state[STATE_SEED] ^ splat_hash(state[STATE_STEP]));
	const long room = max((long)state[EVENT_MOST] - count, 0l);
	const long grow = min(room, (long)((float)count * splat_float(state, EVENT_GROWTH)) + 1l);
	/* where no room is left the set renews itself instead */
	const long drop = room > (long)(0.02f * (float)count) ? 0 : (long)(DROP * (float)count);
	__global float *key = (__global float *)scratch;
	__global uint *place = scratch + plane;
	long places, want, used = 0, able = 0;
	float limit;

	if (get_global_id(0) > 0)
		return;
	places = EDGE_FN(free_places)(&x, count, drop, least, key, place, counts);
	want = places + grow;
	/* exponential waiting times with the errors as rates: the shortest ones are the draw */
	for (long i = 0; i < count; i++) {
		const float seen = splat_stat(&x, STAT_SEEN, i);
		const float error = max(splat_stat(&x, STAT_ERROR, i), 0.0f), pull = max(splat_stat(&x, STAT_GRADIENT, i), 0.0f);
		const float rate = seen > 0.0f ? sqrt(error * pull) / seen : 0.0f;

		key[i] = rate > 0.0f && rate < 1e30f ? rate / max(-log(1.0f - splat_uniform(seed + (uint)i)), 1e-9f) : 0.0f;
	}
	for (long n = 0; n < places; n++)
		key[place[n]] = 0.0f;
	for (long i = 0; i < count; i++)
		able += key[i] > 0.0f;
	want = min(want, able);
	limit = want > 0 ? splat_kth(key, count, want, counts) : 0.0f;
	for (long i = 0; i < count && used < want; i++)
		if (key[i] > limit) {
			EDGE_FN(cut)(&x, i, used < places ? (long)place[used] : count + used - places);
			used++;
		}
	state[STATE_ADDED] = (uint)max(used - places, 0l);
	state[STATE_REMOVED] = 0;
	for (long i = 0; i < count + max(used - places, 0l); i++)
		for (int k = 0; k < STATS; k++)
			splat_set_stat(&x, k, i, k == STAT_WEIGHT ? FADE * splat_stat(&x, k, i) : 0.0f);
}
