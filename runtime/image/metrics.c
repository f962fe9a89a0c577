/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - how close a rendered image is to a photograph, a row at a time.
 *
 * The window is a product of two, so each row is blurred along itself as it
 * comes and kept until the rows that need it are done.
 */
#include "config.h"

#include "base/memory.h"
#include "image/metrics.h"

#include <math.h>
#include <string.h>

enum { RADIUS = 5, TAPS = 2 * RADIUS + 1, MOMENTS = 5 /* x, y, xx, yy, xy */ };

struct metrics {
	uint32_t width, height, rows;
	double window[TAPS], square, similarity;
	float *ring;	 /* TAPS rows of MOMENTS * 3 * width */
	float *line;	 /* one channel's moments of one row, with RADIUS zeros on both sides */
	uint32_t most;
};

static size_t row_floats(const struct metrics *m)
{
	return (size_t)MOMENTS * 3 * m->most;
}

struct metrics *metrics_new(uint32_t most_width)
{
	struct metrics *m = rt_alloc(1, sizeof(*m));
	double total = 0;

	if (!m)
		return NULL;
	m->most = most_width;
	m->ring = rt_alloc(TAPS * row_floats(m), sizeof(float));
	m->line = rt_alloc((size_t)most_width + 2 * RADIUS, sizeof(float));
	if (!m->ring || !m->line) {
		metrics_free(m);
		return NULL;
	}
	for (int i = 0; i < TAPS; i++)
		total += m->window[i] = exp(-(i - RADIUS) * (i - RADIUS) / 4.5);
	for (int i = 0; i < TAPS; i++)
		m->window[i] /= total;
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	rt_free(m->ring);
	rt_free(m->line);
	rt_free(m);
}

void metrics_begin(struct metrics *m, uint32_t width, uint32_t height)
{
	m->width = width;
	m->height = height;
	m->rows = 0;
	m->square = m->similarity = 0;
	memset(m->line, 0, ((size_t)m->most + 2 * RADIUS) * sizeof(float));
}

/* NaN becomes 0: a pixel that is no number is as wrong as a black one. */
static float unit(float x)
{
	return x > 0 ? (x < 1 ? x : 1) : 0;
}

static float *moments_of(const struct metrics *m, uint32_t row)
{
	return m->ring + row % TAPS * row_floats(m);
}

/* Similarity of one pixel from its blurred moments. */
static double similarity(const double v[MOMENTS])
{
	const double c1 = 1e-4, c2 = 9e-4, mx = v[0], my = v[1];

	return (2 * mx * my + c1) * (2 * (v[4] - mx * my) + c2) /
	       ((mx * mx + my * my + c1) * (v[2] - mx * mx + v[3] - my * my + c2));
}

/* The row that lies RADIUS rows above the newest has all it needs; rows outside are zero. */
static void finish_row(struct metrics *m, uint32_t row)
{
	uint32_t from = row < RADIUS ? 0 : row - RADIUS, n = 3 * m->width;
	uint32_t end = row + RADIUS + 1 < m->height ? row + RADIUS + 1 : m->height;

	for (uint32_t i = 0; i < n; i++) {
		double v[MOMENTS] = { 0 };

		for (uint32_t r = from; r < end; r++) {
			const float *moment = moments_of(m, r) + i;
			double w = m->window[r + RADIUS - row];

			for (uint32_t k = 0; k < MOMENTS; k++)
				v[k] += w * (double)moment[k * n];
		}
		m->similarity += similarity(v);
	}
}

static void blur_line(const struct metrics *m, float *out)
{
	for (uint32_t x = 0; x < m->width; x++) {
		double sum = 0;

		for (uint32_t i = 0; i < TAPS; i++)
			sum += m->window[i] * (double)m->line[x + i];
		out[3 * (size_t)x] = (float)sum;
	}
}

void metrics_row(struct metrics *m, const float *rendered, const uint8_t *photograph)
{
	float *moment = moments_of(m, m->rows);
	uint32_t n = 3 * m->width;

	memset(m->line + RADIUS + m->width, 0, RADIUS * sizeof(float));
	for (uint32_t k = 0; k < MOMENTS; k++)
		for (uint32_t c = 0; c < 3; c++) {
			for (uint32_t i = 0; i < m->width; i++) {
				float x = unit(rendered[3 * i + c]), y = (float)photograph[3 * i + c] / 255;

				m->line[RADIUS + i] = k == 0 ? x : k == 1 ? y : k == 2 ? x * x : k == 3 ? y * y : x * y;
			}
			blur_line(m, moment + k * n + c);
		}
	for (uint32_t i = 0; i < n; i++) {
		double d = (double)unit(rendered[i]) - photograph[i] / 255.0;

		m->square += d * d;
	}
	if (++m->rows > RADIUS)
		finish_row(m, m->rows - 1 - RADIUS);
}

void metrics_end(struct metrics *m, double *psnr, double *ssim)
{
	double n = 3 * (double)m->width * m->height;

	for (uint32_t row = m->height < RADIUS ? 0 : m->height - RADIUS; row < m->height; row++)
		finish_row(m, row);
	*psnr = m->square > 0 ? fmin(100, -10 * log10(m->square / n)) : 100;
	*ssim = m->similarity / n;
}
