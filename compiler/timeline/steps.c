/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.c - the kernels of a training step and how they are launched.
 *
 * Which Gaussians there are, which view and which band are words of the state
 * buffer, so every launch has one size, that of the full capacity and the
 * largest view; work-items beyond what there is return at once.
 *
 * Memory that is idle serves twice: what is sorted, and what events need for a moment, lies where the
 * gradients on the screen will be, and the set is put in order through the records' memory.
 */
#include "config.h"

#include "timeline/internal.h"

#include "codegen/codegen.h"

#include <string.h>

enum { MAX_BUFFERS = 12 };

enum step_size { BY_CHUNK, BY_BLOCK, BY_TILE, BY_LOSS, BY_PART, ONE };

struct step_plan {
	uint32_t role;
	const char *template, *name;
	const char *define; /* one constant */
	int value;
	enum step_size size;
	uint32_t buffer[MAX_BUFFERS]; /* roles; 0 ends */
};

#define B(name) EDGE_BUFFER_##name

static const struct step_plan plans[] = {
	{ EDGE_TRAIN_PROJECT, "splat_project", "project", NULL, 0, BY_CHUNK,
	  { B(STATE), B(PARAMETERS), B(PROJECTED), B(GRADIENTS), B(CHUNKS) } },
	{ EDGE_TRAIN_SORT_COUNT_1, "splat_sort_count", "sort: count", "PASS", 0, BY_BLOCK,
	  { B(STATE), B(GRADIENTS), B(CHUNKS), B(COUNTS) } },
	{ EDGE_TRAIN_SORT_PLACE_1, "splat_sort_place", "sort: place", "FIRST", 1, ONE, { B(STATE), B(COUNTS) } },
	{ EDGE_TRAIN_SORT_MOVE_1, "splat_sort_move", "sort: move", "PASS", 0, BY_BLOCK,
	  { B(STATE), B(GRADIENTS), B(CHUNKS), B(COUNTS), B(ORDER) } },
	{ EDGE_TRAIN_SORT_COUNT_2, "splat_sort_count", "sort: count", "PASS", 1, BY_BLOCK,
	  { B(STATE), B(GRADIENTS), B(CHUNKS), B(COUNTS) } },
	{ EDGE_TRAIN_SORT_PLACE_2, "splat_sort_place", "sort: place", "FIRST", 0, ONE, { B(STATE), B(COUNTS) } },
	{ EDGE_TRAIN_SORT_MOVE_2, "splat_sort_move", "sort: move", "PASS", 1, BY_BLOCK,
	  { B(STATE), B(GRADIENTS), B(CHUNKS), B(COUNTS), B(ORDER) } },
	{ EDGE_TRAIN_SORT_COUNT_3, "splat_sort_count", "sort: count", "PASS", 2, BY_BLOCK,
	  { B(STATE), B(GRADIENTS), B(CHUNKS), B(COUNTS) } },
	{ EDGE_TRAIN_SORT_PLACE_3, "splat_sort_place", "sort: place", "FIRST", 0, ONE, { B(STATE), B(COUNTS) } },
	{ EDGE_TRAIN_SORT_MOVE_3, "splat_sort_move", "sort: move", "PASS", 2, BY_BLOCK,
	  { B(STATE), B(GRADIENTS), B(CHUNKS), B(COUNTS), B(ORDER) } },
	{ EDGE_TRAIN_TILE_COUNT, "splat_tile_count", "count tiles", NULL, 0, BY_BLOCK,
	  { B(STATE), B(PROJECTED), B(ORDER), B(COUNTS) } },
	{ EDGE_TRAIN_TILE_PLACE, "splat_tile_place", "place tiles", NULL, 0, ONE, { B(STATE), B(TILES), B(COUNTS) } },
	{ EDGE_TRAIN_TILE_LIST, "splat_tile_list", "list tiles", NULL, 0, BY_BLOCK,
	  { B(STATE), B(PROJECTED), B(ORDER), B(TILES), B(COUNTS), B(LISTS) } },
	{ EDGE_TRAIN_BLEND, "splat_blend", "blend", NULL, 0, BY_TILE,
	  { B(STATE), B(PROJECTED), B(TILES), B(LISTS), B(IMAGE) } },
	{ EDGE_TRAIN_LOSS_A, "splat_loss", "loss", NULL, 0, BY_LOSS,
	  { B(STATE), B(IMAGE), B(FRAME_A), B(IMAGE_GRADIENT), B(LOSS) } },
	{ EDGE_TRAIN_LOSS_B, "splat_loss", "loss", NULL, 0, BY_LOSS,
	  { B(STATE), B(IMAGE), B(FRAME_B), B(IMAGE_GRADIENT), B(LOSS) } },
	{ EDGE_TRAIN_BLEND_BACKWARD, "splat_blend_backward", "blend backward", NULL, 0, BY_TILE,
	  { B(STATE), B(PROJECTED), B(TILES), B(LISTS), B(IMAGE_GRADIENT), B(IMAGE), B(SLOTS) } },
	{ EDGE_TRAIN_GATHER, "splat_gather", "gather", NULL, 0, BY_BLOCK,
	  { B(STATE), B(LISTS), B(CHUNKS), B(SLOTS), B(GRADIENTS), B(STATISTICS) } },
	{ EDGE_TRAIN_UPDATE, "splat_update", "update", NULL, 0, BY_CHUNK,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(CHUNKS), B(GRADIENTS), B(STATISTICS) } },
	{ EDGE_TRAIN_RELOCATE, "splat_relocate", "relocate", NULL, 0, ONE,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(STATISTICS), B(GRADIENTS) } },
	{ EDGE_TRAIN_RELOCATE, "splat_replace", "replace", NULL, 0, ONE,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(STATISTICS), B(GRADIENTS), B(COUNTS) } },
	{ EDGE_TRAIN_DENSIFY, "splat_densify", "densify", NULL, 0, ONE,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(STATISTICS), B(GRADIENTS), B(COUNTS) } },
	{ EDGE_TRAIN_PRUNE, "splat_prune", "prune", NULL, 0, ONE,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(STATISTICS), B(GRADIENTS), B(COUNTS) } },
	{ EDGE_TRAIN_COMPENSATE, "splat_compensate", "compensate", NULL, 0, ONE,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(STATISTICS), B(PROJECTED), B(TILES), B(LISTS),
	    B(IMAGE_GRADIENT), B(IMAGE), B(FRAME_A), B(FRAME_B) } },
	{ EDGE_TRAIN_REINITIALISE, "splat_reinitialise", "find surfaces", "REPLACE", 0, ONE,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(STATISTICS), B(PROJECTED), B(TILES), B(LISTS), B(IMAGE) } },
	{ EDGE_TRAIN_REPLACE, "splat_reinitialise", "replace the set", "REPLACE", 1, ONE,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(STATISTICS), B(PROJECTED), B(TILES), B(LISTS), B(IMAGE) } },
	{ EDGE_TRAIN_REORDER, "splat_reorder", "find an order", NULL, 0, ONE,
	  { B(STATE), B(PARAMETERS), B(PROJECTED), B(COUNTS) } },
	{ EDGE_TRAIN_PERMUTE, "splat_permute", "put in order", NULL, 0, BY_PART,
	  { B(STATE), B(PARAMETERS), B(MOMENT1), B(MOMENT2), B(STATISTICS), B(PROJECTED) } },
};

#undef B

static uint32_t items(const struct edge_train *x, enum step_size size)
{
	switch (size) {
	case BY_CHUNK: return (x->capacity + SPLAT_CHUNK - 1) / SPLAT_CHUNK;
	case BY_BLOCK: return SPLAT_BLOCKS;
	case BY_TILE: return tiles_across(x) * tiles_down(x);
	case BY_LOSS:
		return ((x->width + SPLAT_LOSS_W - 1) / SPLAT_LOSS_W) * ((x->height + SPLAT_LOSS_H - 1) / SPLAT_LOSS_H);
	case BY_PART: return SPLAT_PARTS;
	default: return 1;
	}
}

/* What work-groups do better than single work-items has a kernel for them. */
static const char *template_of(const struct plan_maker *k, const struct step_plan *p, uint32_t *group)
{
	static const char *const by_group[] = { "splat_blend", "splat_blend_backward", "splat_loss" };

	*group = 1;
	for (uint32_t i = 0; i < sizeof by_group / sizeof *by_group; i++)
		if (k->r->target->kernels == TARGET_GPU_KERNELS && !strcmp(p->template, by_group[i])) {
			*group = SPLAT_TILE * SPLAT_TILE;
			return arena_printf(k->arena, "gpu_%s", p->template);
		}
	return p->template;
}

static bool add_step(struct plan_maker *k, struct codegen *c, const struct step_plan *p)
{
	uint32_t local[3] = { 1, 1, 1 };
	const char *template = template_of(k, p, &local[0]);
	const char *define = p->define ? arena_printf(k->arena, "#define %s %d\n", p->define, p->value) : "";
	struct timeline *t = k->t;
	struct edge_step s = { .kind = EDGE_STEP_KERNEL, .arg_first = t->args.len, .local = { local[0], 1, 1 },
			       .global = { items(&t->train, p->size) * local[0], 1, 1 } };
	struct edge_role role = { .kind = EDGE_ROLE_STEP, .role = p->role, .index = t->steps.len,
				  .gaussians_per_item = p->size == BY_CHUNK ? SPLAT_CHUNK : 0 };

	if (!template_text(template)) {
		diag_error(k->diag, NO_SPAN, "kernel %s is missing", template);
		return false;
	}
	s.index = render_kernel(c, template, define, "", local);
	while (s.arg_count < MAX_BUFFERS && p->buffer[s.arg_count]) {
		struct edge_arg a = { .kind = EDGE_PARAM_GLOBAL, .buffer = k->buffer[p->buffer[s.arg_count]] };

		vec_push(k->arena, &t->args, a);
		s.arg_count++;
	}
	vec_push(k->arena, &t->steps, s);
	vec_push(k->arena, &t->step_names, (struct timeline_name){ p->name });
	vec_push(k->arena, &t->roles, role);
	return true;
}

static bool check_steps(struct plan_maker *k)
{
	struct timeline *t = k->t;

	if (!codegen_check(k->arena, &t->kernels, k->diag))
		return false;
	for (uint32_t i = 0; i < t->steps.len; i++) {
		const struct kernel *kernel = &t->kernels.kernels.data[t->steps.data[i].index];

		if (kernel->param_count != t->steps.data[i].arg_count) {
			diag_error(k->diag, NO_SPAN, "kernel \"%s\" has %u parameters and its step %u arguments", kernel->name,
				   kernel->param_count, t->steps.data[i].arg_count);
			return false;
		}
	}
	return true;
}

/* The policies have different kernels for one event. */
static bool wanted(const struct step_plan *p, const struct edge_train *x)
{
	return p->role != EDGE_TRAIN_RELOCATE ||
	       (x->policy == EDGE_POLICY_AUTO) == (strcmp(p->template, "splat_replace") == 0);
}

bool make_steps(struct plan_maker *k)
{
	struct timeline *t = k->t;
	struct codegen c = { .arena = k->arena, .t = k->r->target, .d = k->diag, .ks = &t->kernels };

	t->kernels.build_options = "-cl-std=CL1.2";
	t->kernels.prelude = arena_printf(k->arena, "%s%s\n#define SH_DEGREE %u\n#define MOMENT_BITS %u\n#define COMPACT %d\n#define GREY %d\n#define NEAR %af\n%s",
					  /* the driver chooses the size of a group of what needs none */
					  k->r->target->kernels == TARGET_GPU_KERNELS ? "#define EDGE_SINGLE\n" : "", prelude_text(),
					  t->train.sh_degree, t->train.moment_bits, (t->train.flags & EDGE_TRAIN_COMPACT) != 0,
					  t->train.flags & EDGE_TRAIN_GREY ? 1 : 4, (double)(float)k->r->scene->near,
					  kernel_file_text("splat.clh"));
	for (uint32_t i = 0; i < sizeof plans / sizeof *plans; i++)
		if (wanted(&plans[i], &t->train) && !add_step(k, &c, &plans[i]))
			return false;
	return check_steps(k);
}
