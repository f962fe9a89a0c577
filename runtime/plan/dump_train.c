/* SPDX-License-Identifier: Apache-2.0 */
/* dump_train.c - the records of a plan that trains, one line each. */
#include "config.h"

#include "plan/dump.h"

#include <inttypes.h>

static const char *const event_names[] = { "?", "densify", "prune", "compensate", "relocate", "reinitialise", "degree",
					   "evaluate", "checkpoint", "reorder" };
static const char *const policy_names[] = { "?", "diet", "relocate", "auto", "plain" };

static void dump_window(FILE *out, const char *name, const struct edge_window *w)
{
	if (w->every)
		fprintf(out, " %s every %" PRIu32 " from %" PRIu32 " until %" PRIu32, name, w->every, w->from, w->until);
}

static void dump_timeline(FILE *out, const struct edge_train *t)
{
	fprintf(out, "train steps %" PRIu32 " policy %s cap %" PRIu32 " capacity %" PRIu32 " first %" PRIu32 " keys %" PRIu32 " slots %" PRIu32 "\n",
		t->steps, policy_names[t->policy], t->cap, t->capacity, t->first_gaussians, t->key_capacity, t->slot_capacity);
	fprintf(out, "  degree %" PRIu32 " every %" PRIu32 " parameters %" PRIu32 " moments %" PRIu32 " bits%s seed %" PRIu64 "\n",
		t->sh_degree, t->sh_every, t->parameters, t->moment_bits, t->flags & EDGE_TRAIN_GREY ? " compact grey" : t->flags ? " compact" : "", t->seed);
	fprintf(out, "  views %" PRIu32 " held out %" PRIu32 " of %" PRIu32 "x%" PRIu32 " tiles %" PRIu32 "x%" PRIu32
		" stride %" PRIu32 " rows %" PRIu32 "\n",
		t->train_views, t->held_out_views, t->width, t->height, t->tile_width, t->tile_height, t->stride, t->rows);
	fprintf(out, "  evaluate every %" PRIu32 " checkpoint every %" PRIu32 " reinitialise at %" PRIu32 " reorder every %" PRIu32,
		t->evaluate_every, t->checkpoint_every, t->reinitialise_at, t->reorder_every);
	dump_window(out, "densify", &t->densify);
	dump_window(out, "prune", &t->prune);
	dump_window(out, "compensate", &t->compensate);
	dump_window(out, "relocate", &t->relocate);
	fprintf(out, "\n  background %.9g %.9g %.9g extent %.9g centre %.9g %.9g %.9g\n", (double)t->background[0],
		(double)t->background[1], (double)t->background[2], (double)t->extent, (double)t->centre[0],
		(double)t->centre[1], (double)t->centre[2]);
	fprintf(out, "  rates position %.9g to %.9g scale %.9g rotation %.9g opacity %.9g colour %.9g sh %.9g epsilon %.9g"
		" settle from %.9g to %.9g\n",
		(double)t->rate_position_first, (double)t->rate_position_last, (double)t->rate_scale, (double)t->rate_rotation,
		(double)t->rate_opacity, (double)t->rate_colour, (double)t->rate_sh, (double)t->epsilon,
		(double)t->settle_from, (double)t->rate_settled);
	fprintf(out, "  ssim %.9g gradient %.9g split %.9g opacity min %.9g scale max %.9g growth %.9g noise %.9g"
		" decay %.9g %.9g new opacity %.9g\n",
		(double)t->ssim_weight, (double)t->gradient_threshold, (double)t->split_scale, (double)t->opacity_min,
		(double)t->scale_max, (double)t->growth, (double)t->noise, (double)t->opacity_decay, (double)t->scale_decay,
		(double)t->new_opacity);
	fprintf(out, "  bytes per Gaussian %" PRIu64 " per key %" PRIu64 " fixed %" PRIu64 "\n", t->bytes_per_gaussian,
		t->bytes_per_key, t->bytes_fixed);
}

static void dump_view(FILE *out, const struct edge_plan *p, uint32_t i)
{
	const struct edge_view *v = &p->views[i];

	fprintf(out, "view %" PRIu32 " ", i);
	dump_string(out, p, v->name);
	fprintf(out, "%s %" PRIu32 "x%" PRIu32 " focal %.12g %.12g centre %.12g %.12g chunks %" PRIu32 " to %" PRIu32 " rotation",
		v->held_out ? " held out" : "", v->width, v->height, v->fx, v->fy, v->cx, v->cy, v->chunk_first,
		v->chunk_first + v->chunk_count - 1);
	for (int k = 0; k < 9; k++)
		fprintf(out, " %.12g", v->rotation[k]);
	fputs(" translation", out);
	for (int k = 0; k < 3; k++)
		fprintf(out, " %.12g", v->translation[k]);
	fputc('\n', out);
}

void dump_train(FILE *out, const struct edge_plan *p)
{
	if (!p->train)
		return;
	dump_timeline(out, p->train);
	for (uint32_t i = 0; i < p->view_count; i++)
		dump_view(out, p, i);
	for (uint32_t i = 0; i < p->point_count; i++) {
		const struct edge_point *x = &p->points[i];

		fprintf(out, "point %" PRIu32 " %.9g %.9g %.9g log scale %.9g rgb %u %u %u\n", i, (double)x->x, (double)x->y,
			(double)x->z, (double)x->log_scale, x->r, x->g, x->b);
	}
	for (uint32_t i = 0; i < p->event_count; i++) {
		const struct edge_event *e = &p->events[i];

		fprintf(out, "event %" PRIu32 " step %" PRIu32 " %s %" PRIu32 " most %" PRIu32 " bytes %" PRIu64 "\n", i, e->step,
			event_names[e->kind], e->argument, e->most, e->bytes);
	}
	for (uint32_t i = 0; i < p->role_count; i++) {
		const struct edge_role *r = &p->roles[i];

		fprintf(out, "role %" PRIu32 " %s %" PRIu32 " index %" PRIu32 " per item %" PRIu32 " per Gaussian %" PRIu32
			" per key %" PRIu32 "\n",
			i, r->kind == EDGE_ROLE_STEP ? "step" : "buffer", r->role, r->index, r->gaussians_per_item,
			r->bytes_per_gaussian, r->bytes_per_key);
	}
}
