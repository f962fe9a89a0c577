/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - how close a rendered image is to a photograph, a row at a time.
 *
 * Peak signal to noise over all three channels, and structural similarity
 * under an 11 by 11 Gaussian window of sigma 1.5 with zeros outside the image,
 * as training uses it. The rendered image is clamped to [0, 1] first. Memory is a
 * few rows, whatever the height.
 */
#ifndef EDGE_RT_METRICS_H
#define EDGE_RT_METRICS_H

#include <stdint.h>

struct metrics;

struct metrics *metrics_new(uint32_t most_width); /* NULL: no memory */
void metrics_free(struct metrics *m);
void metrics_begin(struct metrics *m, uint32_t width, uint32_t height);
/* width times red green blue of both. */
void metrics_row(struct metrics *m, const float *rendered, const uint8_t *photograph);
/* After all rows. Equal images: psnr is 100. */
void metrics_end(struct metrics *m, double *psnr, double *ssim);

#endif
