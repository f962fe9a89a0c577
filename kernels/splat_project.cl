/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_project.cl - Gaussians onto the screen.
 *
 * A work-item does CHUNK of them, sixteen at a time in the lanes of vectors.
 * Those that are seen get a record and, side by side at the chunk's own place,
 * a key (the bits of their depth, which order as depths do) and their number.
 * Records of others are left as they are but for the word that says so.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_project
#endif

/* Records of sixteen Gaussians, lane by lane. */
EDGE_OVERLOAD void EDGE_FN(vector)(__global const uint *restrict state, __global const float *restrict p,
				   __global const REST *restrict rest, long plane, float16 *f, int16 *rect)
{
	const float width = (float)state[STATE_WIDTH], height = (float)state[STATE_HEIGHT];
	struct splat_geometry g;
	float16 y[16], d[3], rgb[3], level, ex, ey, reach, k;
	int16 seen;

	splat_geometry(state, p, rest, plane, &g);
	f[R_U] = splat_float(state, STATE_FOCAL) * g.x + splat_float(state, STATE_CENTRE);
	f[R_V] = splat_float(state, STATE_FOCAL + 1) * g.y + splat_float(state, STATE_CENTRE + 1);
	k = 1.0f / sqrt(g.c * g.det);
	f[R_K1] = g.c * k * KAPPA_ROOT;
	f[R_K2] = -g.b * k * KAPPA_ROOT;
	f[R_K3] = KAPPA / g.c;
	level = splat_rest16(rest, plane, P_OPACITY);
	/* log2 of the sigmoid, exact for both signs */
	f[R_LOG] = (min(level, (float16)(0.0f)) - splat_log1p(edge_exp(-fabs(level)))) * (1.4426950408889634f / 8.0f);
	reach = f[R_LOG] - E_MIN;
	ey = sqrt(max(reach, (float16)(0.0f)) * (g.c / KAPPA)) * 1.0001f + 0.01f;
	ex = sqrt(max(reach, (float16)(0.0f)) * (g.a / KAPPA)) * 1.0001f + 0.01f;
	rect[0] = convert_int16(clamp(ceil(f[R_U] - ex), (float16)(0.0f), (float16)(width)));
	rect[1] = convert_int16(clamp(floor(f[R_U] + ex) + 1.0f, (float16)(0.0f), (float16)(width)));
	rect[2] = convert_int16(clamp(ceil(f[R_V] - ey), (float16)(0.0f), (float16)(height)));
	rect[3] = convert_int16(clamp(floor(f[R_V] + ey) + 1.0f, (float16)(0.0f), (float16)(height)));
	/* also false for what is no number */
	seen = (g.tz > NEAR) & (reach >= 0.0f) & (rect[1] > rect[0]) & (rect[3] > rect[2]) &
	       (fabs(f[R_U]) < 1e9f) & (fabs(f[R_V]) < 1e9f) & (g.det < 1e30f) & (g.tz < 1e30f);
	if (!edge_any(seen)) { /* most of what a Gaussian holds is its colour: not read for nothing */
		rect[1] = (int16)(0);
		return;
	}
	splat_direction(state, p, plane, d);
	splat_harmonics(d, (int)state[STATE_DEGREE], y);
	splat_colour(rest, plane, (int)state[STATE_DEGREE], y, rgb);
	for (int c = 0; c < 3; c++)
		f[R_RED + c] = max(rgb[c], (float16)(0.0f));
	seen = seen & (rgb[0] + rgb[1] + rgb[2] < 1e30f);
	rect[0] = rect[0] / TILE_W | ((rect[1] + (TILE_W - 1)) / TILE_W) << 16;
	rect[1] = select((int16)(0), rect[2] / TILE_H | ((rect[3] + (TILE_H - 1)) / TILE_H) << 16, seen);
	f[RECORD_NUMBERS] = g.tz;
}

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global const float *restrict parameters,
				 __global float *restrict records, __global uint *restrict keys,
				 __global uint *restrict chunks EDGE_WI)
{
	const int chunk = (int)get_global_id(0), count = (int)state[STATE_COUNT], first = chunk * CHUNK;
	const long plane = (long)state[STATE_CAPACITY];
	const int last = min(first + CHUNK, count);
	__global uint *shown = SHOWN(chunks, plane);
	uint n = 0;

	if (first < count) {
		for (int i = first; i < last; i += 16) {
			float16 f[RECORD_NUMBERS + 1];
			int16 rect[4];
			float lane[(RECORD_NUMBERS + 1) * 16], number[R_COLOURS];
			int box[32];
			const int lanes = min(16, last - i);
			uint seen;

			EDGE_FN(vector)(state, parameters + i, SPLAT_REST_CONST(parameters, plane, i), plane, f, rect);
			seen = splat_bits(rect[1] != 0) & (0xffffu >> (16 - lanes));
			shown[i / 16] = seen;
			if (seen == 0) {
				for (int l = 0; l < lanes; l++)
					splat_no_record(records + (long)(i + l) * RECORD);
				continue;
			}
			for (int k = 0; k <= RECORD_NUMBERS; k++)
				vstore16(f[k], k, lane);
			vstore16(rect[0], 0, box);
			vstore16(rect[1], 1, box);
			for (int l = 0; l < lanes; l++) {
				__global float *r = records + (long)(i + l) * RECORD;

				if (box[16 + l] == 0) {
					splat_no_record(r);
					continue;
				}
				for (int k = 0; k < R_COLOURS; k++)
					number[k] = lane[16 * k + l];
				splat_write_record(number, (uint)box[l], (uint)box[16 + l], r);
				keys[first + n] = as_uint(lane[16 * RECORD_NUMBERS + l]);
				keys[plane + first + n] = (uint)(i + l);
				n++;
			}
		}
	}
	chunks[chunk] = n;
}
