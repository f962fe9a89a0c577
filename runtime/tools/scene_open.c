/* SPDX-License-Identifier: Apache-2.0 */
/* scene_open.c - a .ply in a session of a plan that trains, to be looked at. */
#include "config.h"

#include "tools/train_tool.h"
#include "train/exchange.h"

#include <stdio.h>

enum edge_status scene_open(const struct scene_options *o, struct train **out, struct failure *f)
{
	struct train_options options = o->train;
	struct ply_reader *r;
	enum edge_status st;
	bool left_out;

	*out = NULL;
	if ((st = ply_open(o->scene, &r, f)) != EDGE_OK)
		return st;
	options.render_gaussians = (uint32_t)ply_count(r);
	st = train_open(&options, out, f);
	if (st == EDGE_OK) {
		st = exchange_load(*out, r, &left_out, f);
		if (st == EDGE_OK && left_out)
			tool_say(stderr, "edgert: note: the plan's colours are of degree %u; what \"%s\" has beyond is left out",
				 train_plan(*out)->train->sh_degree, o->scene);
	}
	ply_close(r);
	if (st != EDGE_OK) {
		train_close(*out);
		*out = NULL;
	}
	return st;
}
