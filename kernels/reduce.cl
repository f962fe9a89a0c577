/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reduce.cl - sum, mean, max, min, prod, norms along axes.
 *
 * The kept dims before the last run are DIMS_K dims (d, input stride s; d0 the
 * innermost), the reduced ones are DIMS_R dims (f, z) and, innermost, n
 * elements `step` apart. MODE says which dim the lanes lie along:
 *
 *	ROWS     a reduced one: step is 1, one output per sixteen lanes
 *	LANES    a kept one: sixteen neighbouring outputs of `width` at a time
 *	SCALAR   none: any element type (TYPE, LOAD), summed in ACC
 *	GROUPS   a work-group of LX by LY does LX neighbouring outputs (one, if that row is the reduced one)
 *
 * Long sums are added up in pieces of PIECE steps, which keeps the rounding
 * error of an f32 sum near that of its pieces. Work-item (w, r) does outputs
 * w * block .. of row r.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL reduce
#endif
#define ROWS 0
#define LANES 1
#define SCALAR 2
#define GROUPS 3
#ifndef MODE
#define MODE ROWS
#endif
#ifndef DIMS_K
#define DIMS_K 1
#define DIM_PARAMS_K const int d0, const int s0,
#endif
#ifndef DIMS_R
#define DIMS_R 1
#define DIM_PARAMS_R const int f0, const int z0,
#endif
#ifndef TYPE
#define TYPE float
#define LOAD(p, i) (p)[i]
#define ACC float
#define INTEGER 0
#endif

#define SUM 0
#define MEAN 1
#define MAX 2
#define MIN 3
#define PROD 4
#define L1 5
#define L2 6
#define SUM_SQUARE 7
#define LOG_SUM 8
#define LOG_SUM_EXP 9
#ifndef OP
#define OP SUM
#endif
#define PIECE 128
#ifndef LX
#define LX 1
#define LY 1
#endif
#if MODE == GROUPS
#define GROUP __attribute__((reqd_work_group_size(LX, LY, 1)))
#else
#define GROUP EDGE_SINGLE
#endif

#if OP == MAX || OP == MIN || OP == PROD
#define JOIN(a, b) (OP == MAX ? max(a, b) : OP == MIN ? min(a, b) : (a) * (b))
#define TAKE(v) (v)
#else
#define JOIN(a, b) ((a) + (b))
#if OP == L1 && INTEGER
#define TAKE(v) (v < 0 ? -v : v)
#elif OP == L1
#define TAKE(v) fabs(v)
#elif OP == L2 || OP == SUM_SQUARE
#define TAKE(v) ((v) * (v))
#elif OP == LOG_SUM_EXP
#define TAKE(v) edge_exp((v) - top)
#else
#define TAKE(v) (v)
#endif
#endif

#if INTEGER
#define START (OP == MAX ? LONG_MIN : OP == MIN ? LONG_MAX : OP == PROD ? 1L : 0L)
#else
#define START (OP == MAX ? -INFINITY : OP == MIN ? INFINITY : OP == PROD ? 1.0f : 0.0f)
#endif

/* float or float16 */
#if OP == MEAN
#define FINISH(v) ((v) / ((ACC)outer * (ACC)n))
#elif OP == L2
#define FINISH(v) sqrt(v)
#elif OP == LOG_SUM
#define FINISH(v) log(v)
#elif OP == LOG_SUM_EXP
#define FINISH(v) (top + log(v))
#else
#define FINISH(v) (v)
#endif

#define WALK_K(i)                                                                                  \
	base += rest % d##i * s##i;                                                                \
	rest /= d##i;
#define WALK_R(i)                                                                                  \
	from += rest % f##i * z##i;                                                                \
	rest /= f##i;
#define TIMES_R(i) outer *= f##i;

EDGE_OVERLOAD float EDGE_FN(join16)(float16 v)
{
	float8 a = JOIN(v.lo, v.hi);
	float4 b = JOIN(a.lo, a.hi);
	float c = JOIN(b.x, b.y), d = JOIN(b.z, b.w);

	return JOIN(c, d);
}

/* OVER: each element of work-item (lx, ly). TREE: what the items of a lane have, joined. */
#define OVER                                                                                       \
	for (int i = ly; lane < width && i < outer * n; i += LY) {                                 \
		int from = i % n * step;                                                           \
                                                                                                   \
		rest = i / n;                                                                      \
		EDGE_REPEAT(DIMS_R, WALK_R)                                                        \
		const float v = p[from];
#define TREE(v, join)                                                                              \
	sums[ly * LX + lx] = v;                                                                    \
	barrier(CLK_LOCAL_MEM_FENCE);                                                              \
	for (int to = LY / 2; to > 0; to /= 2)      {                                             \
		if (ly < to)                                                                       \
			sums[ly * LX + lx] = join(sums[ly * LX + lx], sums[(ly + to) * LX + lx]); \
		barrier(CLK_LOCAL_MEM_FENCE);                                                      \
	}                                                                                          \
	v = sums[lx];                                                                              \
	barrier(CLK_LOCAL_MEM_FENCE);

__kernel GROUP void KERNEL(__global const TYPE *restrict x, const int outputs, const int block, const int width,
				 const int n, const int step, DIM_PARAMS_K
				 DIM_PARAMS_R EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block;
	const int last = min(first + block, outputs);
	int outer = 1;

	EDGE_REPEAT(DIMS_R, TIMES_R)
#if MODE == GROUPS
	__local float sums[LX * LY];
	const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), lane = (int)get_global_id(0);
	const int k = (int)get_global_id(2);
	int base = 0, rest = k;
	float sum = START;

	EDGE_REPEAT(DIMS_K, WALK_K)

	__global const float *p = x + base + lane;
#if OP == LOG_SUM_EXP
	float top = -INFINITY;

	OVER
		top = max(top, v);
	}
	TREE(top, max)
	top = isinf(top) ? 0.0f : top;
#endif
	OVER
		sum = JOIN(sum, TAKE(v));
	}
	TREE(sum, JOIN)
	if (ly == 0 && lane < width)
#if LX == 1
		EDGE_STORE_AT(FINISH(sum), k);
#else
		EDGE_STORE(FINISH(sum), k, lane);
#endif
#else
	for (int k = first; k < last; k++) {
		int base = 0, rest = k;

		EDGE_REPEAT(DIMS_K, WALK_K)
#if MODE == ROWS
#if OP == LOG_SUM_EXP
		float top = -INFINITY;

		for (int r = 0; r < outer; r++) {
			int from = base;

			rest = r;
			EDGE_REPEAT(DIMS_R, WALK_R)
			for (int i = 0; i < n; i++)
				top = max(top, x[from + i]);
		}
		top = isinf(top) ? 0.0f : top;
#endif
		float16 sum = (float16)(START);
		float rim = START;

		for (int r = 0; r < outer; r++) {
			int from = base, i = 0;

			rest = r;
			EDGE_REPEAT(DIMS_R, WALK_R)
			while (i + 16 <= n) {
				const int end = min(i + 16 * PIECE, n);
				float16 part = (float16)(START);

				for (; i + 16 <= end; i += 16) {
					const float16 v = vload16(0, x + from + i);

					part = JOIN(part, TAKE(v));
				}
				sum = JOIN(sum, part);
			}
			for (; i < n; i++) {
				const float v = x[from + i];

				rim = JOIN(rim, TAKE(v));
			}
		}
		const float all = JOIN(EDGE_FN(join16)(sum), rim);

		EDGE_STORE_AT(FINISH(all), k);
#elif MODE == LANES
		const int lane = (int)get_global_id(1) * 16, lanes = min(16, width - lane);
		__global const float *p = x + base + lane;
#if OP == LOG_SUM_EXP
		float16 top = (float16)(-INFINITY);

		for (int r = 0; r < outer; r++) {
			int from = 0;

			rest = r;
			EDGE_REPEAT(DIMS_R, WALK_R)
			for (int i = 0; i < n; i++)
				top = max(top, edge_load16(p + from + i * step, lanes));
		}
		top = EDGE_SELECT(int16, isinf(top), (float16)(0.0f), top);
#endif
		float16 sum = (float16)(START), part = (float16)(START);
		int pending = 0;

		for (int r = 0; r < outer; r++) {
			int from = 0;

			rest = r;
			EDGE_REPEAT(DIMS_R, WALK_R)
			for (int i = 0; i < n; i++) {
				const float16 v = edge_load16(p + from + i * step, lanes);

				part = JOIN(part, TAKE(v));
				if (++pending == PIECE) {
					sum = JOIN(sum, part);
					part = (float16)(START);
					pending = 0;
				}
			}
		}
		sum = JOIN(sum, part);
		EDGE_STORE16(FINISH(sum), k, lane, lanes);
#else
		ACC sum = START;
#if OP == LOG_SUM_EXP
		ACC top = -INFINITY;

		for (int r = 0; r < outer; r++) {
			int from = base;

			rest = r;
			EDGE_REPEAT(DIMS_R, WALK_R)
			for (int i = 0; i < n; i++)
				top = max(top, LOAD(x, from + i * step));
		}
		top = isinf(top) ? 0.0f : top;
#endif
		for (int r = 0; r < outer; r++) {
			int from = base;

			rest = r;
			EDGE_REPEAT(DIMS_R, WALK_R)
			for (int i = 0; i < n; i++) {
				const ACC v = LOAD(x, from + i * step);

				sum = JOIN(sum, TAKE(v));
			}
		}
		EDGE_STORE_AT(FINISH(sum), k);
#endif
	}
#endif
}
