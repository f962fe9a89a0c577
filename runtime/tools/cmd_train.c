/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_train.c - edgert train.
 *
 * The loop is here because everything that happens between two steps is: progress, evaluations, checkpoints,
 * signals. A checkpoint that cannot be written while training goes on is said and does not end it; the one that a
 * signal or the guard against broken numbers asks for is the point of stopping, so it does.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/outfile.h"
#include "tools/train_progress.h"
#include "tools/train_tool.h"
#include "train/checkpoint.h"
#include "train/exchange.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { CURVE = 500, SKIPPED_MOST = 3, HTML_VIEWS = 8, LONG_RUN = 1000, EVALUATIONS = 7 };

enum {
	OPT_CHECKPOINT = 256, OPT_CHECKPOINT_EVERY, OPT_RESUME, OPT_REPORT, OPT_SVG, OPT_HTML, OPT_HTML_VIEWS,
	OPT_JSON, OPT_STEPS, OPT_EVALUATE_EVERY
};

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "checkpoint", required_argument, NULL, OPT_CHECKPOINT },
	{ "checkpoint-every", required_argument, NULL, OPT_CHECKPOINT_EVERY },
	{ "resume", no_argument, NULL, OPT_RESUME },
	{ "report", required_argument, NULL, OPT_REPORT },
	{ "svg", required_argument, NULL, OPT_SVG },
	{ "html", required_argument, NULL, OPT_HTML },
	{ "html-views", required_argument, NULL, OPT_HTML_VIEWS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "steps", required_argument, NULL, OPT_STEPS },
	{ "evaluate-every", required_argument, NULL, OPT_EVALUATE_EVERY },
	TRAIN_SESSION_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

struct job {
	struct train_options session;
	const char *output, *checkpoint, *report, *svg, *html;
	uint32_t checkpoint_every, html_views, steps, evaluate_every; /* 0: as the plan says */
	bool resume, json;

	struct train *train;
	struct curve curve;
	struct evaluation evaluation;
	struct train_progress progress;
	uint32_t resumed_at, evaluated_at, saved_at;
};

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
	stop_signal = number;
}

/* The first signal asks to stop, the second one ends the process; a file that is too large is an error. */
static void catch_signals(void)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART };

	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	signal(SIGXFSZ, SIG_IGN);
}

static bool take(struct job *j, int option)
{
	switch (option) {
	case 'o':
		j->output = optarg;
		return true;
	case OPT_CHECKPOINT:
		j->checkpoint = optarg;
		return true;
	case OPT_CHECKPOINT_EVERY:
		return tool_number("--checkpoint-every", optarg, 1, &j->checkpoint_every);
	case OPT_RESUME:
		return j->resume = true;
	case OPT_REPORT:
		j->report = optarg;
		return true;
	case OPT_SVG:
		j->svg = optarg;
		return true;
	case OPT_HTML:
		j->html = optarg;
		return true;
	case OPT_HTML_VIEWS:
		return tool_number("--html-views", optarg, 0, &j->html_views);
	case OPT_JSON:
		return j->json = true;
	case OPT_STEPS:
		return tool_number("--steps", optarg, 1, &j->steps);
	case OPT_EVALUATE_EVERY:
		return tool_number("--evaluate-every", optarg, 1, &j->evaluate_every);
	default:
		return train_session_option(&j->session, option);
	}
}

/* 0, or 1 + the exit status. */
static int read_options(int argc, char **argv, struct job *j)
{
	int c;

	*j = (struct job){ .html_views = HTML_VIEWS };
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
		if (c == '?')
			return 1 + tool_usage_error("%s has no option \"%s\"", argv[0], argv[optind - 1]);
		if (c == ':')
			return 1 + tool_usage_error("option \"%s\" needs a value", argv[optind - 1]);
		if (!take(j, c))
			return 1 + TOOL_USAGE;
	}
	if (optind == argc)
		return 1 + tool_usage_error("%s needs a plan", argv[0]);
	if (optind + 1 < argc)
		return 1 + tool_usage_error("%s takes one plan; \"%s\" is too much", argv[0], argv[optind + 1]);
	if (!j->output)
		return 1 + tool_usage_error("%s needs -o FILE.ply", argv[0]);
	if (j->resume && !j->checkpoint)
		return 1 + tool_usage_error("--resume needs --checkpoint FILE");
	j->session.plan = argv[optind];
	return 0;
}

/* ---- before the first step */

/* Where files cannot be made is better said now than after hours. */
static enum edge_status try_outputs(const struct job *j, struct failure *f)
{
	const char *const path[] = { j->output, j->checkpoint, j->report, j->svg, j->html };

	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		struct rt_outfile o;

		if (!path[i])
			continue;
		if (rt_outfile_open(&o, path[i], f) != EDGE_OK)
			return f->status;
		rt_outfile_abandon(&o);
	}
	return EDGE_OK;
}

static enum edge_status begin(struct job *j, struct failure *f)
{
	const struct edge_train *plan;
	enum edge_status st = try_outputs(j, f);
	bool found = false;

	if (st != EDGE_OK || (st = train_open(&j->session, &j->train, f)) != EDGE_OK)
		return st;
	plan = train_plan(j->train)->train;
	if (!j->steps || j->steps > plan->steps)
		j->steps = plan->steps;
	/* A checkpoint was asked for: a plan that has no times for it gets ten. */
	if (j->checkpoint && !j->checkpoint_every && !plan->checkpoint_every)
		j->checkpoint_every = plan->steps / 10 ? plan->steps / 10 : 1;
	/* A long run without evaluations says too little about itself. */
	if (!j->evaluate_every && !plan->evaluate_every && plan->steps >= LONG_RUN)
		j->evaluate_every = (plan->steps + EVALUATIONS - 1) / EVALUATIONS;
	if (!curve_begin(&j->curve, plan->steps, CURVE))
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	if ((st = evaluation_begin(&j->evaluation, j->train, f)) != EDGE_OK)
		return st;
	if (j->resume && (st = checkpoint_load(j->checkpoint, j->train, &j->curve, &found, f)) != EDGE_OK)
		return st;
	j->resumed_at = j->saved_at = train_done(j->train);
	train_progress_begin(&j->progress, j->resumed_at, j->steps);
	if (j->resume && !found)
		train_progress_say(&j->progress, "no checkpoint \"%s\" yet: training from the start", j->checkpoint);
	else if (j->resume)
		train_progress_say(&j->progress, "going on after step %u of %u", j->resumed_at, j->steps);
	return EDGE_OK;
}

/* ---- between steps */

static enum edge_status save(struct job *j, struct failure *f)
{
	enum edge_status st = checkpoint_save(j->checkpoint, j->train, &j->curve, f);

	if (st == EDGE_OK)
		j->saved_at = train_done(j->train);
	return st;
}

static enum edge_status evaluate(struct job *j, struct failure *f)
{
	uint32_t step = train_done(j->train);
	enum edge_status st;

	if (!j->evaluation.count || (j->evaluated_at == step && step))
		return EDGE_OK;
	if ((st = evaluation_run(&j->evaluation, f)) != EDGE_OK)
		return st;
	j->evaluated_at = step;
	curve_evaluate(&j->curve, step, train_gaussians(j->train), j->evaluation.psnr, j->evaluation.ssim);
	train_progress_evaluated(&j->progress, step, j->evaluation.psnr, j->evaluation.ssim);
	return EDGE_OK;
}

static bool due(const struct job *j, const struct train_step_report *r, uint32_t kind, uint32_t every)
{
	if (every)
		return r->step % every == 0;
	for (uint32_t i = 0; i < r->event_count; i++)
		if (train_plan(j->train)->events[r->event_first + i].kind == kind)
			return true;
	return false;
}

/* A step whose loss is not finite was skipped; so many in a row will not mend themselves. */
static enum edge_status guard(struct job *j, const struct train_step_report *r, struct failure *f)
{
	const struct edge_plan *p = train_plan(j->train);

	if (!r->skipped)
		return EDGE_OK;
	train_progress_say(&j->progress, "edgert: warning: step %u: the loss of view \"%s\" is not finite: skipped", r->step,
			   plan_string(p, p->views[r->view].name));
	if (r->skipped_in_a_row < SKIPPED_MOST)
		return EDGE_OK;
	if (j->checkpoint && save(j, f) != EDGE_OK)
		return f->status;
	return rt_fail(f, EDGE_DEVICE, "the loss was not finite in %u steps in a row, the last one %u%s%s%s",
		       r->skipped_in_a_row, r->step, j->checkpoint ? "; checkpoint \"" : "",
		       j->checkpoint ? j->checkpoint : "", j->checkpoint ? "\"" : "");
}

static enum edge_status stopped(struct job *j, struct failure *f)
{
	uint32_t step = train_done(j->train);

	if (!j->checkpoint)
		return rt_fail(f, EDGE_IO, "stopped by signal %d after step %u; nothing is kept without --checkpoint",
			       (int)stop_signal, step);
	if (save(j, f) != EDGE_OK)
		return f->status;
	return rt_fail(f, EDGE_IO, "stopped by signal %d after step %u; \"--resume --checkpoint %s\" goes on from there",
		       (int)stop_signal, step, j->checkpoint);
}

static enum edge_status one_step(struct job *j, struct failure *f)
{
	struct train_step_report r;
	struct train_totals totals;
	enum edge_status st;

	if ((st = train_step(j->train, &r, f)) != EDGE_OK)
		return st;
	train_totals(j->train, &totals);
	curve_step(&j->curve, &r, totals.device_bytes_now, r.step == j->steps);
	train_progress_step(&j->progress, &r, totals.device_bytes_now);
	if ((st = guard(j, &r, f)) != EDGE_OK)
		return st;
	if (due(j, &r, EDGE_EVENT_EVALUATE, j->evaluate_every) && (st = evaluate(j, f)) != EDGE_OK)
		return st;
	if (j->checkpoint && due(j, &r, EDGE_EVENT_CHECKPOINT, j->checkpoint_every)) {
		struct failure why = { .status = EDGE_OK };

		if (save(j, &why) != EDGE_OK)
			train_progress_say(&j->progress, "edgert: warning: %s; the checkpoint from before is kept", why.text);
	}
	return EDGE_OK;
}

static enum edge_status all_steps(struct job *j, struct failure *f)
{
	enum edge_status st;

	while (train_done(j->train) < j->steps) {
		if (stop_signal)
			return stopped(j, f);
		if ((st = one_step(j, f)) != EDGE_OK)
			return st;
	}
	return EDGE_OK;
}

/* ---- after the last step */

typedef enum edge_status (*writer)(FILE *out, struct job *j, const struct train_record *r, struct failure *f);

static enum edge_status write_file(const char *path, struct job *j, const struct train_record *r, writer write,
				   struct failure *f)
{
	struct rt_outfile o;
	enum edge_status st;

	if (!path)
		return EDGE_OK;
	if ((st = rt_outfile_open(&o, path, f)) != EDGE_OK)
		return st;
	if ((st = write(o.stream, j, r, f)) == EDGE_OK)
		st = rt_outfile_commit(&o, f);
	rt_outfile_abandon(&o);
	return st;
}

static enum edge_status write_report(FILE *out, struct job *j, const struct train_record *r, struct failure *f)
{
	(void)j, (void)f;
	train_report_json(out, r);
	return EDGE_OK;
}

static enum edge_status write_svg(FILE *out, struct job *j, const struct train_record *r, struct failure *f)
{
	(void)j, (void)f;
	train_svg(out, r);
	return EDGE_OK;
}

static enum edge_status write_html(FILE *out, struct job *j, const struct train_record *r, struct failure *f)
{
	return train_html(out, r, &j->evaluation, j->html_views, f);
}

static void summary(const struct job *j)
{
	struct train_totals t;

	train_totals(j->train, &t);
	printf("%s: %u Gaussians after %u steps", j->output, train_gaussians(j->train), train_done(j->train));
	if (j->evaluation.psnr > 0)
		printf(", PSNR %.2f dB, SSIM %.4f%s", j->evaluation.psnr, j->evaluation.ssim,
		       j->evaluation.held_out ? "" : " on the views trained on");
	printf("; %.1f s, %s of device memory (planned %s)\n", j->curve.seconds, tool_size(t.actual_device_bytes),
	       tool_size(t.planned_device_bytes));
}

/* The set first: nothing else is worth as much. */
static enum edge_status finish(struct job *j, struct failure *f)
{
	struct train_record r = { j->train, &j->curve, &j->evaluation, j->resumed_at };
	enum edge_status st;

	if (j->checkpoint && j->saved_at != train_done(j->train)) {
		struct failure why = { .status = EDGE_OK };

		if (save(j, &why) != EDGE_OK)
			train_progress_say(&j->progress, "edgert: warning: %s", why.text);
	}
	if ((st = exchange_save(j->train, j->output, f)) != EDGE_OK || (st = evaluate(j, f)) != EDGE_OK)
		return st;
	train_progress_end(&j->progress);
	if ((st = write_file(j->report, j, &r, write_report, f)) != EDGE_OK ||
	    (st = write_file(j->svg, j, &r, write_svg, f)) != EDGE_OK ||
	    (st = write_file(j->html, j, &r, write_html, f)) != EDGE_OK)
		return st;
	if (j->json)
		train_report_json(stdout, &r);
	else
		summary(j);
	return EDGE_OK;
}

int cmd_train(int argc, char **argv)
{
	struct failure f = { .status = EDGE_OK };
	struct job j;
	int status = read_options(argc, argv, &j);

	if (status)
		return status - 1;
	catch_signals();
	if (begin(&j, &f) == EDGE_OK && all_steps(&j, &f) == EDGE_OK && finish(&j, &f) == EDGE_OK) {
		status = TOOL_OK;
	} else {
		train_progress_end(&j.progress);
		status = tool_error("%s", f.text);
	}
	curve_end(&j.curve);
	evaluation_end(&j.evaluation);
	train_close(j.train);
	return status;
}
