/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_eval.c - edgert eval: how close a .ply comes to the photographs that were held out. */
#include "config.h"

#include "base/outfile.h"
#include "tools/scene_options.h"

static void print(const struct evaluation *e, bool as_json)
{
	struct json j;

	if (as_json) {
		json_begin(&j, stdout);
		json_object(&j, NULL);
		evaluation_json(&j, e);
		json_close(&j);
		json_end(&j);
		return;
	}
	for (uint32_t i = 0; i < e->count; i++)
		tool_say(stdout, "%-32s  %6.2f dB  %.4f", evaluation_name(e, i), e->view[i].psnr, e->view[i].ssim);
	printf("%-32s  %6.2f dB  %.4f\n", e->held_out ? "mean of the views held out" : "mean of all views", e->psnr,
	       e->ssim);
}

static enum edge_status page(const struct view_options *o, struct evaluation *e, struct failure *f)
{
	struct train_record r = { .train = e->train };
	struct rt_outfile out;
	enum edge_status st = rt_outfile_open(&out, o->html, f);

	if (st != EDGE_OK)
		return st;
	if ((st = train_html(out.stream, &r, e, o->html_views, f)) == EDGE_OK)
		st = rt_outfile_commit(&out, f);
	rt_outfile_abandon(&out);
	return st;
}

int cmd_eval(int argc, char **argv)
{
	struct failure f = { .status = EDGE_OK };
	struct evaluation e = { .train = NULL };
	struct view_options o;
	struct train *t = NULL;
	int status = view_options(argc, argv, false, &o);

	if (status)
		return status - 1;
	if (scene_open(&o.scene, &t, &f) != EDGE_OK || evaluation_begin(&e, t, &f) != EDGE_OK ||
	    evaluation_run(&e, &f) != EDGE_OK || (o.html && page(&o, &e, &f) != EDGE_OK))
		status = tool_error("%s", f.text);
	else
		print(&e, o.json);
	evaluation_end(&e);
	train_close(t);
	return status;
}
