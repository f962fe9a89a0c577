/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurrent.cl - lstm and gru after the ONNX definitions: a work-item runs one
 * sequence in one direction through all its steps.
 *
 * Sixteen hidden units are computed at a time, one a lane, all gates together;
 * weights lie in that order (PACK_RECURRENT): w[direction][unit block][input]
 * [gate][16], r likewise over hidden units, b[direction][block][2 gates][16],
 * p[direction][block][3][16]. Gates: i o f c (lstm), z r h (gru).
 *
 * `state` is scratch, PARTS vectors of `padded` floats for each work-item: h,
 * the next h, c or r * h, and for gru z. Strides in elements say where step t
 * of sequence b lies in x and y, and where its state lies.
 *
 * F, G, H: the activations, as expressions of v; directions with different
 * ones are different launches. CLIP bounds what goes into F and G.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL recurrent
#endif
#ifndef GATES
#define GATES 4
#define F(v) edge_sigmoid(v)
#define G(v) edge_tanh(v)
#define H(v) edge_tanh(v)
#define CLIP(v) (v)
#define HAS_B 1
#define PARAM_B __global const float *restrict bias,
#define HAS_LENS 1
#define PARAM_LENS __global const int *restrict lens,
#define HAS_H0 1
#define PARAM_H0 __global const float *restrict h0,
#define HAS_C0 1
#define PARAM_C0 __global const float *restrict c0,
#define HAS_P 1
#define PARAM_P __global const float *restrict peep,
#define HAS_Y 1
#define PARAM_Y __global float *restrict y,
#define HAS_YH 1
#define PARAM_YH __global float *restrict yh,
#define HAS_YC 1
#define PARAM_YC __global float *restrict yc,
#define INPUT_FORGET 0
#define LINEAR_BEFORE_RESET 0
#endif

#define PARTS 4
#define LSTM (GATES == 4)

#if HAS_B
#define BIAS(i) vload16((first + block) * 2 * GATES + i, bias)
#else
#define BIAS(i) (float16)(0.0f)
#endif
#if HAS_P
#define PEEP(i, c) (vload16((first + block) * 3 + i, peep) * (c))
#else
#define PEEP(i, c) (float16)(0.0f)
#endif

#define PLACE (direction * state_direction + batch * state_batch)
#define GATE(i) float16 g##i = (float16)(0.0f);
#define ADD(i) g##i += vload16(i, m) * v;

/* All gates of a unit block: from[n] times the block's part of a matrix, added up. */
#define PRODUCT(n, from, matrix)                                                                   \
	m = matrix + (first + block) * (n) * (GATES * 16);                                         \
	for (int k = 0; k < (n); k++, m += GATES * 16) {                                           \
		const float v = from[k];                                                           \
                                                                                                   \
		EDGE_REPEAT(GATES, ADD)                                                            \
	}

__kernel EDGE_SINGLE void KERNEL(__global const float *restrict x, __global const float *restrict w,
				 __global const float *restrict r, PARAM_B PARAM_LENS PARAM_H0 PARAM_C0 PARAM_P
				 PARAM_Y PARAM_YH PARAM_YC __global float *restrict state, const int steps,
				 const int inputs, const int hidden, const int padded, const int from_direction,
				 const int backward, const int x_step, const int x_batch, const int y_step,
				 const int y_direction, const int y_batch, const int state_direction,
				 const int state_batch EDGE_WI)
{
	const int batch = (int)get_global_id(0), direction = from_direction + (int)get_global_id(1);
	const int blocks = padded / 16, first = direction * blocks;
	const int reverse = backward || direction == 1;
	__global float *h = state + ((int)get_global_id(1) * (int)get_global_size(0) + batch) * PARTS * padded;
	__global float *next = h + padded, *c = next + padded;
#if !LSTM
	__global float *z = c + padded;
#endif
	__global const float *m;
#if HAS_LENS
	const int length = clamp(lens[batch], 0, steps);
#else
	const int length = steps;
#endif

	for (int j = 0; j < padded; j++) {
		h[j] = 0.0f;
		c[j] = 0.0f;
#if HAS_H0
		if (j < hidden)
			h[j] = h0[PLACE + j];
#endif
#if HAS_C0
		if (j < hidden)
			c[j] = c0[PLACE + j];
#endif
	}
	for (int s = 0; s < length; s++) {
		const int t = reverse ? length - 1 - s : s;
		__global const float *in = x + t * x_step + batch * x_batch;

#if LSTM
		for (int block = 0; block < blocks; block++) {
			EDGE_REPEAT(GATES, GATE)
			PRODUCT(inputs, in, w)
			PRODUCT(hidden, h, r)
			float16 cell = vload16(block, c);
			float16 v = CLIP(g0 + BIAS(0) + BIAS(4) + PEEP(0, cell));
			const float16 i = F(v);
#if INPUT_FORGET
			const float16 f = 1.0f - i;
#else
			v = CLIP(g2 + BIAS(2) + BIAS(6) + PEEP(2, cell));
			const float16 f = F(v);
#endif
			v = CLIP(g3 + BIAS(3) + BIAS(7));
			cell = f * cell + i * G(v);
			v = CLIP(g1 + BIAS(1) + BIAS(5) + PEEP(1, cell));
			const float16 o = F(v);

			vstore16(cell, block, c);
			v = cell;
			vstore16(o * H(v), block, next);
		}
#else
		/* z, r, and what of h does not need r */
		for (int block = 0; block < blocks; block++) {
			float16 v;

			EDGE_REPEAT(GATES, GATE)
			PRODUCT(inputs, in, w)
			const float16 input = g2 + BIAS(2);

			g2 = (float16)(0.0f);
			PRODUCT(hidden, h, r)
			v = CLIP(g0 + BIAS(0) + BIAS(3));
			vstore16(F(v), block, z);
			v = CLIP(g1 + BIAS(1) + BIAS(4));
			const float16 reset = F(v);
#if LINEAR_BEFORE_RESET
			const float16 old = vload16(block, h), keep = vload16(block, z);

			v = CLIP(input + reset * (g2 + BIAS(5)));
			vstore16((1.0f - keep) * G(v) + keep * old, block, next);
#else
			vstore16(input + BIAS(5), block, next);
			vstore16(reset * vload16(block, h), block, c);
#endif
		}
#if !LINEAR_BEFORE_RESET
		for (int block = 0; block < blocks; block++) {
			float16 v = vload16(block, next);

			m = r + (first + block) * hidden * (GATES * 16) + 32;
			for (int k = 0; k < hidden; k++, m += GATES * 16)
				v += vload16(0, m) * c[k];
			v = CLIP(v);
			const float16 keep = vload16(block, z);

			vstore16((1.0f - keep) * G(v) + keep * vload16(block, h), block, next);
		}
#endif
#endif
		__global float *swap = h;

		h = next;
		next = swap;
#if HAS_Y
		for (int j = 0; j < hidden; j += 16)
			edge_store16(vload16(0, h + j), min(16, hidden - j),
				     y + t * y_step + direction * y_direction + batch * y_batch + j);
#endif
	}
#if HAS_Y
	for (int t = length; t < steps; t++)
		for (int j = 0; j < hidden; j++)
			y[t * y_step + direction * y_direction + batch * y_batch + j] = 0.0f;
#endif
	for (int j = 0; j < hidden; j++) {
#if HAS_YH
		yh[PLACE + j] = h[j];
#endif
#if HAS_YC
		yc[PLACE + j] = c[j];
#endif
	}
}
