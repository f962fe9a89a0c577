/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_gather.cl - a round's slots, added to the sums of their Gaussians.
 *
 * A work-item looks at all of the round's entries and does those of its own Gaussians, sixty-four of
 * which stand side by side. It goes tile by tile as the lists stand, and sums go on where those of
 * the round and the band before ended: so no bit of them depends on rounds, bands or threads.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_gather
#endif

#define OWNER(id) ((id) >> 6 & (BLOCKS - 1))
#define SOON 4 /* vectors of entries */
#define CHANCE(x) (as_uint(x) * 0x9e3779b1u >> 16) /* of rounding: from the number itself, so it depends on nothing else */

EDGE_OVERLOAD void EDGE_FN(clear)(__global const uint *restrict shown, int block, int count, __global SUM *gradients)
{
	for (int i = block * 64; i < count; i += BLOCKS * 64)
		for (int k = i; k < min(i + 64, count); k += 16)
			if (shown[k / 16])
				for (int n = 0; n < GRADIENT; n++)
					splat_put16((float16)(0.0f), (uint16)(0u), gradients + (long)k * GRADIENT + 16 * n);
}

/* Which of sixteen entries are the work-item's, as bits. */
EDGE_OVERLOAD uint EDGE_FN(own)(__global const uint *restrict lists, uint n, uint block)
{
	uint own = 0;

	if (n >= 16)
		return splat_bits(OWNER(vload16(0, lists)) == block);
	for (uint l = 0; l < n; l++)
		own |= OWNER(lists[l]) == block ? 1u << l : 0u;
	return own;
}

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const uint *restrict lists,
				 __global const uint *restrict chunks, __global const float *restrict slots,
				 __global SUM *restrict gradients, __global STAT *restrict statistics EDGE_WI)
{
	const uint block = (uint)get_global_id(0), first = state[STATE_ENTRY_FIRST], n = state[STATE_ENTRY_END] - first;
	const long plane = (long)state[STATE_CAPACITY];

	if (first == 0 && state[STATE_BAND_ADD] == 0u)
		EDGE_FN(clear)(SHOWN(chunks, plane), (int)block, (int)state[STATE_COUNT], gradients);
	for (uint i = 0; i < n; i += 16) {
		if (i + 16 * SOON + 16 <= n)
			for (uint m = EDGE_FN(own)(lists + first + i + 16 * SOON, 16, block); m; m &= m - 1) {
				const long id = (long)lists[first + i + 16 * SOON + (uint)splat_lowest(m)];

				SPLAT_SOON(gradients + id * GRADIENT);
				SPLAT_SOON(gradients + id * GRADIENT + GRADIENT - 1);
				SPLAT_SOON(statistics + STAT_WEIGHT * plane + id);
				SPLAT_SOON(statistics + STAT_ERROR * plane + id);
			}
		for (uint m = EDGE_FN(own)(lists + first + i, n - i, block); m; m &= m - 1) {
			const uint at = i + (uint)splat_lowest(m);
			const long id = (long)lists[first + at];
			__global const float *s = slots + (long)at * SLOT;
			__global SUM *g = gradients + id * GRADIENT;
			__global STAT *weight = statistics + STAT_WEIGHT * plane + id, *error = statistics + STAT_ERROR * plane + id;

			for (int k = 0; k < GRADIENT; k++)
				splat_put(splat_get(g + k) + s[k], CHANCE(s[k]), g + k);
			if (splat_get(weight) < s[GRADIENT])
				splat_put(s[GRADIENT], NEAREST, weight);
			splat_put(splat_get(error) + s[GRADIENT + 1], CHANCE(s[GRADIENT + 1]), error);
		}
	}
}
