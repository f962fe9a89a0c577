/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solve.h - codes and scales for one matrix of weights.
 *
 * The matrix is rows x row; groups run along a row and the last may be short.
 * All methods minimise sum over rows of (w - q)' H (w - q), with more or less
 * of H: none, its diagonal, all of it.
 */
#ifndef EDGE_QUANT_SOLVE_H
#define EDGE_QUANT_SOLVE_H

#include "quant/quant.h"

struct quant_problem {
	const float *w;
	int64_t rows, row;
	uint32_t bits, group;
	bool asymmetric;
	enum quant_method method;
	const float *importance; /* H's diagonal, row; NULL: all the same */
	const float *hessian;    /* row x row, mean of x x'; NULL: not known */
	double learning_rate, clip, damping;
	uint32_t iterations, threads;
	/* results; groups of a row are ceil(row / group) */
	uint8_t *code;             /* rows x row */
	uint16_t *scale, *minimum; /* f16, rows x groups; minimum only where asymmetric */
};

/* False: the method cannot be used (a Hessian is missing or has no inverse); then nothing was written. */
bool quant_solve(struct quant_problem *p);

/* ---- one group: scale, and minimum where asymmetric, as f16 holds them ---- */

struct quant_grid {
	float scale, minimum; /* x = scale * code + minimum */
};

struct quant_grid quant_fit(const float *w, const float *importance, int64_t n, uint32_t bits, bool asymmetric,
			    double clip);
/* Of the grid that f16 numbers give. */
struct quant_grid quant_grid(uint16_t scale, uint16_t minimum, uint32_t bits, bool asymmetric);
uint8_t quant_code(float w, struct quant_grid g, uint32_t bits);

/* Calls work(i) for i < count on some threads. */
void quant_parallel(uint32_t threads, int64_t count, void (*work)(void *context, int64_t i), void *context);

#endif
