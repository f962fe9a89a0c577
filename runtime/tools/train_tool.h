/* SPDX-License-Identifier: Apache-2.0 */
/* train_tool.h - what train, render and eval share. */
#ifndef EDGE_RT_TRAIN_TOOL_H
#define EDGE_RT_TRAIN_TOOL_H

#include "image/png.h"
#include "tools/tool.h"
#include "train/curve.h"

/* ---- evaluate.c: rendered views beside their photographs */

struct evaluated_view {
	uint32_t view; /* of the plan */
	double psnr, ssim;
};

struct evaluation {
	struct train *train;
	bool held_out; /* false: the plan holds none back, and these are all */
	uint32_t count;
	struct evaluated_view *view;
	double psnr, ssim; /* means of the views' numbers */
	struct metrics *metrics;
	float *rendered; /* one picture and one photograph, of the largest view */
	uint8_t *photograph;
};

/* Takes all the memory that evaluations will need. */
enum edge_status evaluation_begin(struct evaluation *e, struct train *t, struct failure *f);
void evaluation_end(struct evaluation *e); /* copes with a zeroed one */
/* Sets every view's numbers and the means. */
enum edge_status evaluation_run(struct evaluation *e, struct failure *f);
/* Renders and fetches one of the views: e->rendered and e->photograph. */
enum edge_status evaluation_show(struct evaluation *e, uint32_t index, struct failure *f);
const char *evaluation_name(const struct evaluation *e, uint32_t index);
/* The members psnr, ssim and views. */
void evaluation_json(struct json *j, const struct evaluation *e);

/* ---- picture.c */

/* A rendered picture goes to a writer that has begun, rounded and clamped; row has 3 * width bytes. */
void picture_rows(struct png *p, const float *rgb, uint32_t width, uint32_t height, uint8_t *row);
enum edge_status picture_save(const char *path, struct png *p, const float *rgb, uint32_t width, uint32_t height,
			      uint8_t *row, struct failure *f);

/* ---- train_options.c: of all three */

enum { OPT_TRAIN_THREADS = 512, OPT_TRAIN_PIN, OPT_TRAIN_NO_NATIVE, OPT_TRAIN_NO_CACHE, OPT_TRAIN_DEVICE };

#define TRAIN_SESSION_OPTIONS                                                                                    \
	{ "threads", required_argument, NULL, OPT_TRAIN_THREADS }, { "pin", no_argument, NULL, OPT_TRAIN_PIN },  \
	{ "no-native", no_argument, NULL, OPT_TRAIN_NO_NATIVE },                                                 \
	{ "no-cache", no_argument, NULL, OPT_TRAIN_NO_CACHE },                                                   \
	{ "device", required_argument, NULL, OPT_TRAIN_DEVICE }

/* One of those; false: said what is wrong. */
bool train_session_option(struct train_options *o, int option);

/* ---- scene_open.c */

struct scene_options {
	struct train_options train;
	const char *scene; /* the .ply */
};

/* A session that holds the scene, ready to render. Says what is left out of it. */
enum edge_status scene_open(const struct scene_options *o, struct train **out, struct failure *f);

/* ---- train_report.c, train_svg.c, train_html.c */

struct train_record {
	struct train *train;
	const struct curve *curve;
	const struct evaluation *evaluation; /* the last one; count 0: none */
	uint32_t resumed_at;
};

void train_report_json(FILE *out, const struct train_record *r);
void train_svg(FILE *out, const struct train_record *r);
/* e's views, at most `views` of them evenly chosen, rendered beside their photographs. r->curve may be NULL. */
enum edge_status train_html(FILE *out, const struct train_record *r, struct evaluation *e, uint32_t views,
			    struct failure *f);

#endif
