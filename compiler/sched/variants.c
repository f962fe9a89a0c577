/* SPDX-License-Identifier: Apache-2.0 */
/*
 * variants.c - several kernel sets that are one program for different numbers of rows.
 *
 * They come from graphs that differ in a dimension alone, so their launches go
 * with each other one by one, over the same values. What the scheduler then
 * does for one of them holds for all: that is checked here and nowhere else.
 * A difference is a fault of the compiler.
 */
#include "config.h"

#include "sched/internal.h"

#include <string.h>

static bool differ(struct work *w, uint32_t variant, uint32_t launch, const char *what)
{
	const struct kernel_set *ks = w->r->models[0].ks;

	diag_error(w->d, NO_SPAN, "variants 0 and %u of a program differ in %s (launch %u, %s); this is a fault of the compiler",
		   variant, what, launch, launch < ks->launches.len && ks->launches.data[launch].what
		   ? ks->launches.data[launch].what : "?");
	return false;
}

static bool same_packing(const struct weight *a, const struct weight *b)
{
	const struct packing *p = &a->packing, *q = &b->packing;

	return a->value == b->value && p->kind == q->kind && p->dtype == q->dtype && p->width == q->width &&
	       p->groups == q->groups && p->transposed == q->transposed &&
	       !memcmp(p->reserved, q->reserved, sizeof p->reserved) && a->bytes == b->bytes &&
	       a->granules == b->granules;
}

/* The number of each weight of a variant among those of the first. */
static bool number_weights(struct work *w, uint32_t variant)
{
	const struct kernel_set *first = w->r->models[0].ks, *ks = w->r->models[variant].ks;
	uint32_t *number = arena_new_array(w->a, uint32_t, ks->weights.len + 1);

	w->s->variant_weight[variant] = number;
	for (uint32_t i = 0; i < ks->weights.len; i++) {
		uint32_t k = i; /* where it usually is */

		if (k >= first->weights.len || !same_packing(&ks->weights.data[i], &first->weights.data[k]))
			for (k = 0; k < first->weights.len; k++)
				if (same_packing(&ks->weights.data[i], &first->weights.data[k]))
					break;
		if (k == first->weights.len)
			return differ(w, variant, NO_ID, "their weights");
		number[i] = k;
	}
	return true;
}

static bool reads_weight(const struct work *w, uint32_t variant, const struct launch *l, uint32_t weight, bool split)
{
	for (uint32_t i = 0; i < l->arg_count; i++)
		if (l->arg[i].kind == ARG_WEIGHT && w->s->variant_weight[variant][l->arg[i].id] == weight &&
		    (l->split_dim >= 0 && l->arg[i].split) == split)
			return true;
	return false;
}

static bool same_weights(const struct work *w, uint32_t va, const struct launch *a, uint32_t vb, const struct launch *b)
{
	for (uint32_t i = 0; i < a->arg_count; i++)
		if (a->arg[i].kind == ARG_WEIGHT &&
		    !reads_weight(w, vb, b, w->s->variant_weight[va][a->arg[i].id], a->split_dim >= 0 && a->arg[i].split))
			return false;
	return true;
}

/* The values that a launch reads, or those that it writes, are those of the other. */
static bool same_values(const struct launch *a, const struct launch *b)
{
	for (uint32_t i = 0; i < a->arg_count; i++) {
		bool found = a->arg[i].kind != ARG_VALUE;

		for (uint32_t k = 0; k < b->arg_count && !found; k++)
			found = b->arg[k].kind == ARG_VALUE && b->arg[k].id == a->arg[i].id &&
				b->arg[k].written == a->arg[i].written;
		if (!found)
			return false;
	}
	return true;
}

static bool same_launch(struct work *w, uint32_t variant, uint32_t index)
{
	const struct kernel_set *ka = w->r->models[0].ks, *kb = w->r->models[variant].ks;
	const struct launch *a = &ka->launches.data[index], *b = &kb->launches.data[index];
	const uint32_t *local;

	if (a->node != b->node || !a->lookup != !b->lookup)
		return differ(w, variant, index, "what a launch is for");
	if (!same_values(a, b) || !same_values(b, a) || a->in_place_of != b->in_place_of)
		return differ(w, variant, index, "the values of a launch");
	if (a->lookup)
		return w->s->variant_weight[variant][b->lookup->weight] == a->lookup->weight ||
		       differ(w, variant, index, "the table of a lookup");
	if (!same_weights(w, 0, a, variant, b) || !same_weights(w, variant, b, 0, a))
		return differ(w, variant, index, "the weights of a launch");
	if ((a->split_dim < 0) != (b->split_dim < 0))
		return differ(w, variant, index, "how a launch is split");
	if (a->split_dim < 0)
		return true;
	local = kb->kernels.data[b->kernel].local;
	if (a->global[a->split_dim] != b->global[b->split_dim] ||
	    ka->kernels.data[a->kernel].local[a->split_dim] != local[b->split_dim])
		return differ(w, variant, index, "the parts of a launch");
	return true;
}

bool variants_check(struct work *w)
{
	const struct kernel_set *first = w->r->models[0].ks;

	w->s->variant_weight = arena_new_array(w->a, uint32_t *, w->r->model_count);
	for (uint32_t v = 0; v < w->r->model_count; v++) {
		const struct kernel_set *ks = w->r->models[v].ks;

		if (ks->graph->values.len != first->graph->values.len || ks->launches.len != first->launches.len)
			return differ(w, v, NO_ID, "the number of their launches");
		if (memcmp(ks->alias, first->alias, ks->graph->values.len * sizeof *ks->alias) != 0)
			return differ(w, v, NO_ID, "which values share memory");
		if (ks->states.len != first->states.len)
			return differ(w, v, NO_ID, "their states");
		for (uint32_t i = 0; i < ks->states.len; i++)
			if (strcmp(ks->states.data[i].name, first->states.data[i].name) != 0 ||
			    ks->states.data[i].bytes != first->states.data[i].bytes)
				return differ(w, v, NO_ID, "their states");
		if (!number_weights(w, v))
			return false;
		for (uint32_t i = 0; i < ks->launches.len; i++)
			if (!same_launch(w, v, i))
				return false;
	}
	return true;
}
