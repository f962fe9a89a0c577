/* SPDX-License-Identifier: Apache-2.0 */
/* scene_options.c - the options of render and eval. */
#include "config.h"

#include "tools/scene_options.h"

#include <getopt.h>
#include <string.h>

enum {
	OPT_SCENE = 256, OPT_VIEW, OPT_ALL, OPT_HELD_OUT, OPT_ORBIT, OPT_OUTPUT_DIR, OPT_SIZE, OPT_JSON, OPT_HTML,
	OPT_HTML_VIEWS
};

#define COMMON { "scene", required_argument, NULL, OPT_SCENE }, TRAIN_SESSION_OPTIONS, { NULL, 0, NULL, 0 }

static const struct option render_options[] = {
	{ "view", required_argument, NULL, OPT_VIEW },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "held-out", no_argument, NULL, OPT_HELD_OUT },
	{ "orbit", required_argument, NULL, OPT_ORBIT },
	{ "output-dir", required_argument, NULL, OPT_OUTPUT_DIR },
	{ "size", required_argument, NULL, OPT_SIZE },
	COMMON,
};

static const struct option eval_options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "html", required_argument, NULL, OPT_HTML },
	{ "html-views", required_argument, NULL, OPT_HTML_VIEWS },
	COMMON,
};

static bool size_of(const char *text, struct view_options *o)
{
	char end;

	if (sscanf(text, "%ux%u%c", &o->width, &o->height, &end) == 2 && o->width > 0 && o->height > 0 &&
	    o->width <= 65536 && o->height <= 65536)
		return true;
	tool_usage_error("--size needs WIDTHxHEIGHT, not \"%s\"", text);
	return false;
}

static bool take(struct view_options *o, int option)
{
	switch (option) {
	case OPT_SCENE:
		o->scene.scene = optarg;
		return true;
	case OPT_VIEW:
		o->view = optarg;
		return true;
	case OPT_ALL:
		return o->all = true;
	case OPT_HELD_OUT:
		return o->held_out = true;
	case OPT_ORBIT:
		return tool_number("--orbit", optarg, 1, &o->orbit);
	case OPT_OUTPUT_DIR:
		o->output_dir = optarg;
		return true;
	case OPT_SIZE:
		return size_of(optarg, o);
	case OPT_JSON:
		return o->json = true;
	case OPT_HTML:
		o->html = optarg;
		return true;
	case OPT_HTML_VIEWS:
		return tool_number("--html-views", optarg, 0, &o->html_views);
	default:
		return train_session_option(&o->scene.train, option);
	}
}

int view_options(int argc, char **argv, bool render, struct view_options *out)
{
	int c;

	*out = (struct view_options){ .html_views = 8 };
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", render ? render_options : eval_options, NULL)) != -1) {
		if (c == '?')
			return 1 + tool_usage_error("%s has no option \"%s\"", argv[0], argv[optind - 1]);
		if (c == ':')
			return 1 + tool_usage_error("option \"%s\" needs a value", argv[optind - 1]);
		if (!take(out, c))
			return 1 + TOOL_USAGE;
	}
	if (optind == argc)
		return 1 + tool_usage_error("%s needs a plan", argv[0]);
	if (optind + 1 < argc)
		return 1 + tool_usage_error("%s takes one plan; \"%s\" is too much", argv[0], argv[optind + 1]);
	if (!out->scene.scene)
		return 1 + tool_usage_error("%s needs --scene FILE.ply", argv[0]);
	if (render && !out->output_dir)
		return 1 + tool_usage_error("%s needs --output-dir DIR", argv[0]);
	if (render && !!out->view + out->all + out->held_out + !!out->orbit != 1)
		return 1 + tool_usage_error("%s needs one of --view, --all, --held-out and --orbit", argv[0]);
	out->scene.train.plan = argv[optind];
	return 0;
}
