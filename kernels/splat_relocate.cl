/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_relocate.cl - move what is transparent to where it is needed; grow towards the cap.
 *
 * The policy relocate. Places are drawn with a probability by opacity. A Gaussian that is drawn n - 1 times and its copies then share its opacity and
 * take a size such that together they look as it did. One work-item; the draw
 * is systematic: one random number, equal steps through the cumulated weights.
 *
 * scratch: numbers of the transparent ones.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_relocate
#endif

#define MOST_COPIES 51

/* What each of n takes from one of opacity o: returns its opacity, *scale times its size. */
EDGE_OVERLOAD float EDGE_FN(share)(float o, int n, float *scale)
{
	const float each = 1.0f - exp(log(max(1.0f - o, 1e-6f)) / (float)n);
	float sum = 0.0f;

	for (int i = 1; i <= n; i++) {
		float c = each; /* C(i - 1, k) (-1)^k each^(k + 1) */

		for (int k = 0; k < i; k++) {
			sum += c / sqrt((float)(k + 1));
			c *= -each * (float)(i - 1 - k) / (float)(k + 1);
		}
	}
	*scale = o / sum;
	return each;
}

EDGE_OVERLOAD float EDGE_FN(weight)(const struct splat_set *x, float least, long i)
{
	const float o = splat_opacity(x, i);

	return o > least ? o : 0.0f;
}

__kernel EDGE_SINGLE void KERNEL(__global uint *restrict state, __global float *parameters, __global MOMENT1 *m,
				 __global MOMENT2 *v, __global STAT *statistics, __global uint *scratch EDGE_WI)
{
	const long plane = (long)state[STATE_CAPACITY], count = (long)state[STATE_COUNT];
	const struct splat_set x = { parameters, statistics, m, v, plane };
	const float least = splat_float(state, EVENT_OPACITY);
	const uint seed = splat_hash(state[STATE_SEED] ^ splat_hash(state[STATE_STEP]));
	const long room = max((long)state[EVENT_MOST] - count, 0l);
	const long grow = min(room, (long)((float)count * splat_float(state, EVENT_GROWTH)) + 1l);
	long dead = 0, used = 0, want;
	float total = 0.0f, at, step, sum = 0.0f;

	if (get_global_id(0) > 0)
		return;
	for (long i = 0; i < count; i++) {
		const float w = EDGE_FN(weight)(&x, least, i);

		if (!(splat_opacity(&x, i) > least))
			scratch[dead++] = (uint)i;
		sum += w;
		if ((i & 255) == 255 || i + 1 == count) { /* short sums lose less */
			total += sum;
			sum = 0.0f;
		}
	}
	want = total > 0.0f ? dead + grow : 0;
	step = want ? total / (float)want : 0.0f;
	at = step * splat_uniform(seed);
	total = sum = 0.0f;
	for (long i = 0; i < count && used < want; i++) {
		const float w = EDGE_FN(weight)(&x, least, i);
		int copies = 0;

		sum += w;
		while (w > 0.0f && total + sum > at && used + copies < want) {
			copies++;
			at += step;
		}
		if ((i & 255) == 255) {
			total += sum;
			sum = 0.0f;
		}
		if (copies) {
			float scale;
			const int n = min(copies + 1, MOST_COPIES);
			const float o = EDGE_FN(share)(splat_opacity(&x, i), n, &scale);

			splat_set_opacity(&x, i, o);
			for (int k = 0; k < 3; k++)
				splat_set_number(&x, P_SCALE + k, i, splat_number(&x, P_SCALE + k, i) + log(scale));
			splat_forget(&x, i);
			for (int c = 0; c < n - 1; c++, used++) {
				const long to = used < dead ? (long)scratch[used] : count + used - dead;

				splat_copy(&x, i, to);
				splat_forget(&x, to);
			}
		}
	}
	state[STATE_ADDED] = (uint)max(used - dead, 0l);
	state[STATE_REMOVED] = 0;
	for (long i = 0; i < count + max(used - dead, 0l); i++)
		for (int k = 0; k < STATS; k++)
			splat_set_stat(&x, k, i, 0.0f);
}
