/* SPDX-License-Identifier: Apache-2.0 */
/* scene_options.h - the options of render and eval. */
#ifndef EDGE_RT_SCENE_OPTIONS_H
#define EDGE_RT_SCENE_OPTIONS_H

#include "tools/train_tool.h"

struct view_options {
	struct scene_options scene;
	const char *view; /* a number or a name */
	bool all, held_out;
	uint32_t orbit;		/* pictures of a round trip; 0: none */
	uint32_t width, height; /* of its pictures; 0: as the first view */
	const char *output_dir, *html;
	uint32_t html_views;
	bool json;
};

/* Of render, or of eval. 0, or 1 + the exit status. */
int view_options(int argc, char **argv, bool render, struct view_options *out);

#endif
