/* SPDX-License-Identifier: Apache-2.0 */
/* train_progress.h - how far training is, on stderr. */
#ifndef EDGE_RT_TRAIN_PROGRESS_H
#define EDGE_RT_TRAIN_PROGRESS_H

#include "train/train.h"

struct train_progress {
	uint32_t first, steps; /* already done; to be done in all */
	bool terminal, shown;
	int64_t drawn;	  /* when */
	uint32_t line_at; /* the last step with a line of its own */
	double loss, ms;  /* running means */
	double psnr;	  /* of the last evaluation; 0: none yet */
	uint32_t psnr_at;
};

void train_progress_begin(struct train_progress *p, uint32_t done, uint32_t steps);
void train_progress_step(struct train_progress *p, const struct train_step_report *r, uint64_t device_bytes);
void train_progress_evaluated(struct train_progress *p, uint32_t step, double psnr, double ssim);
/* A line on stderr, with the bar out of its way. */
void train_progress_say(struct train_progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void train_progress_end(struct train_progress *p);

#endif
