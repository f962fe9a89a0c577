/* SPDX-License-Identifier: Apache-2.0 */
/* train_progress.c - how far training is: one line that is redrawn on a terminal, a line now and then elsewhere. */
#include "config.h"

#include "base/clock.h"
#include "tools/tool.h"
#include "tools/train_progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REDRAW_NS = 100000000, LINES = 20 };

void train_progress_begin(struct train_progress *p, uint32_t done, uint32_t steps)
{
	const char *term = getenv("TERM");

	*p = (struct train_progress){ .first = done, .line_at = done, .steps = steps };
	p->terminal = isatty(STDERR_FILENO) && term && term[0] && (term[0] != 'd' || term[1] != 'u');
}

static void wipe(struct train_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

static void line(const struct train_progress *p, const struct train_step_report *r, uint64_t device_bytes)
{
	double left = (p->steps - r->step) * p->ms / 1000;

	fprintf(stderr, "step %u/%u  loss %.4f", r->step, p->steps, p->loss);
	if (p->psnr > 0)
		fprintf(stderr, "  psnr %.2f dB", p->psnr);
	fprintf(stderr, "  %u gaussians  %s  %.1f ms/step  %u:%02u left", r->gaussians, tool_size(device_bytes), p->ms,
		(unsigned)(left / 60), (unsigned)fmod(left, 60));
}

void train_progress_step(struct train_progress *p, const struct train_step_report *r, uint64_t device_bytes)
{
	uint32_t done = r->step - p->first, every = p->steps / LINES;
	/* the mean over all steps at first, over about fifty later */
	double part = done < 50 ? 1.0 / done : 0.02;

	if (!r->skipped)
		p->loss += part * ((double)r->loss - p->loss);
	p->ms += part * (r->ms - p->ms);
	if (p->terminal) {
		int64_t now = rt_now();

		if (now - p->drawn < REDRAW_NS && r->step < p->steps)
			return;
		p->drawn = now;
		wipe(p);
		line(p, r, device_bytes);
		p->shown = true;
	} else if (r->step == p->steps || r->step - p->line_at >= (every ? every : 1)) {
		line(p, r, device_bytes);
		fputc('\n', stderr);
		p->line_at = r->step;
	}
}

void train_progress_evaluated(struct train_progress *p, uint32_t step, double psnr, double ssim)
{
	p->psnr = psnr;
	p->psnr_at = step;
	train_progress_say(p, "step %u: psnr %.2f dB, ssim %.4f", step, psnr, ssim);
}

void train_progress_say(struct train_progress *p, const char *fmt, ...)
{
	va_list ap;

	wipe(p);
	va_start(ap, fmt);
	tool_vsay(stderr, fmt, ap);
	va_end(ap);
}

void train_progress_end(struct train_progress *p)
{
	wipe(p);
}
