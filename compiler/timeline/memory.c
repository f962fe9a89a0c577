/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - what a number of bytes is worth in Gaussians.
 *
 * The device's memory is a sum of three products: a Gaussian's bytes times the
 * capacity, a key's bytes times the lists' capacity, and what the pictures,
 * tables and photographs take whatever the set is. Every buffer is listed once,
 * below, with its share in each of the three; the sizes in the plan and the
 * derivation of the cap both come from that list.
 *
 * The lists have room for at least as many keys as Gaussians, so that a tile
 * that all of them meet fits; a picture with more keys is done in bands, which
 * costs listing them twice. Where memory is plenty they get several times that.
 *
 * Moments shrink before the cap does: a set that is twice as large gains more
 * than rounded moments lose, because what they are means of is noise anyway.
 * Then everything else that is not a place becomes half as long, and changes of
 * colour with the direction are the same for red, green and blue, first the fine
 * ones and then all: 21 or 15 numbers of a Gaussian instead of 45, at little loss.
 * Without them a Gaussian would be a sixth smaller, and the picture a decibel worse.
 */
#include "config.h"

#include "timeline/internal.h"

#include "base/size.h"
#include "dsl.h"

#include <math.h>

typedef unsigned long long ull;

enum { LEAST_SLOTS = 1024 };

struct buffer_plan {
	uint32_t role, region;
	const char *name;
	uint32_t per_gaussian, per_key;
	uint64_t fixed;
};

uint64_t frame_bytes(const struct scene *s)
{
	return edge_plan_pages(s->frame_bytes);
}

static uint32_t list_buffers(const struct plan_maker *k, const struct edge_train *x, struct buffer_plan *out)
{
	uint64_t pixels = (uint64_t)x->stride * x->rows, tiles = (uint64_t)tiles_across(x) * tiles_down(x);
	uint64_t blocks = (uint64_t)((x->width + SPLAT_LOSS_W - 1) / SPLAT_LOSS_W) *
			  ((x->height + SPLAT_LOSS_H - 1) / SPLAT_LOSS_H);
	uint64_t digits = tiles > SPLAT_DIGITS ? tiles : SPLAT_DIGITS;
	const bool compact = (x->flags & EDGE_TRAIN_COMPACT) != 0;
	const uint32_t whole = edge_train_whole(x->parameters, x->flags), shorts = edge_train_columns(x->parameters, x->flags);
	const uint32_t moments = x->moment_bits / 8 * edge_train_moments(x->parameters, x->flags);
	const uint32_t number = compact ? 2 : 4, record = compact ? SPLAT_COMPACT_RECORD : SPLAT_RECORD;
	const struct buffer_plan list[] = {
		{ EDGE_BUFFER_PARAMETERS, EDGE_REGION_MODEL, "parameters", 4 * whole + 2 * shorts, 0, 0 },
		{ EDGE_BUFFER_MOMENT1, EDGE_REGION_MODEL, "first moments", moments, 0, 0 },
		{ EDGE_BUFFER_MOMENT2, EDGE_REGION_MODEL, "second moments", moments, 0, 0 },
		{ EDGE_BUFFER_STATISTICS, EDGE_REGION_MODEL, "statistics", number * SPLAT_STATS, 0, 0 },
		{ EDGE_BUFFER_PROJECTED, EDGE_REGION_MODEL, "records on the screen", 4 * record, 0, 0 },
		{ EDGE_BUFFER_GRADIENTS, EDGE_REGION_MODEL, "gradients on the screen", number * SPLAT_GRADIENT, 0, 0 },
		{ EDGE_BUFFER_ORDER, EDGE_REGION_MODEL, "order by depth", 4, 0, 0 },
		{ EDGE_BUFFER_LISTS, EDGE_REGION_KEYS, "lists of tiles", 0, 4, 0 },
		{ EDGE_BUFFER_SLOTS, EDGE_REGION_KEYS, "sums by list entry", 0, 0, (uint64_t)4 * SPLAT_SLOT * x->slot_capacity },
		{ EDGE_BUFFER_CHUNKS, EDGE_REGION_MODEL, "chunks", 1, 0, 0 },
		{ EDGE_BUFFER_TILES, EDGE_REGION_IMAGE, "begins of lists", 0, 0, 4 * (2 * tiles + 4) },
		{ EDGE_BUFFER_COUNTS, EDGE_REGION_IMAGE, "counts by tile", 0, 0, 4 * SPLAT_BLOCKS * digits },
		{ EDGE_BUFFER_IMAGE, EDGE_REGION_IMAGE, "picture", 0, 0, 12 * pixels },
		{ EDGE_BUFFER_IMAGE_GRADIENT, EDGE_REGION_IMAGE, "gradient of the picture", 0, 0, 12 * pixels },
		{ EDGE_BUFFER_LOSS, EDGE_REGION_IMAGE, "loss by block", 0, 0, 4 * blocks },
		{ EDGE_BUFFER_STATE, EDGE_REGION_IMAGE, "state", 0, 0, 4 * SPLAT_STATE },
		{ EDGE_BUFFER_FRAME_A, EDGE_REGION_FRAMES, "photograph", 0, 0, frame_bytes(k->r->scene) },
		{ EDGE_BUFFER_FRAME_B, EDGE_REGION_FRAMES, "next photograph", 0, 0, frame_bytes(k->r->scene) },
	};
	uint32_t n = sizeof list / sizeof *list;

	for (uint32_t i = 0; i < n; i++)
		out[i] = list[i];
	return n;
}

static uint64_t buffer_bytes(const struct buffer_plan *b, const struct edge_train *x)
{
	uint64_t n = b->fixed + (uint64_t)b->per_gaussian * x->capacity + (uint64_t)b->per_key * x->key_capacity;

	return (n + 127) / 128 * 128;
}

static uint64_t device_bytes(const struct plan_maker *k, const struct edge_train *x)
{
	struct buffer_plan list[EDGE_BUFFER_ROLES];
	uint32_t n = list_buffers(k, x, list);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += buffer_bytes(&list[i], x);
	return sum;
}

/* Of one Gaussian (without keys), of one key, and of everything else. */
static void count_bytes(const struct plan_maker *k, struct edge_train *x)
{
	struct buffer_plan list[EDGE_BUFFER_ROLES];
	uint32_t n = list_buffers(k, x, list);

	x->bytes_per_gaussian = x->bytes_per_key = x->bytes_fixed = 0;
	for (uint32_t i = 0; i < n; i++) {
		x->bytes_per_gaussian += list[i].per_gaussian;
		x->bytes_per_key += list[i].per_key;
	}
	x->bytes_fixed = device_bytes(k, x) - x->bytes_per_gaussian * x->capacity - x->bytes_per_key * x->key_capacity;
}

void place_buffers(struct plan_maker *k)
{
	struct buffer_plan list[EDGE_BUFFER_ROLES];
	struct timeline *t = k->t;
	uint32_t n = list_buffers(k, &t->train, list);

	/* a region each: no allocation is larger than it must be, and the largest may be large */
	for (uint32_t i = 0; i < n; i++) {
		uint64_t bytes = buffer_bytes(&list[i], &t->train);
		struct edge_region region = { list[i].region, EDGE_SPACE_DEVICE, bytes };
		struct edge_buffer buffer = { .region = t->regions.len, .bytes = bytes };
		struct edge_role role = { .kind = EDGE_ROLE_BUFFER, .role = list[i].role, .index = t->buffers.len,
					  .bytes_per_gaussian = list[i].per_gaussian, .bytes_per_key = list[i].per_key };

		k->buffer[list[i].role] = t->buffers.len;
		t->device_bytes += bytes;
		vec_push(k->arena, &t->regions, region);
		vec_push(k->arena, &t->buffers, buffer);
		vec_push(k->arena, &t->buffer_names, (struct timeline_name){ list[i].name });
		vec_push(k->arena, &t->roles, role);
	}
	if (!k->r->target->unified) {
		struct edge_region staging = { EDGE_REGION_STAGING, EDGE_SPACE_HOST, frame_bytes(k->r->scene) };

		vec_push(k->arena, &t->regions, staging);
		t->host_bytes = staging.bytes;
	}
}

/*
 * Lists with room for so many keys a Gaussian. Of sums by entry there are few: the way back goes through
 * the lists in rounds, which cost two launches each, so a round should have work for all threads.
 */
static void set_lists(struct edge_train *x, double keys)
{
	const uint32_t few = x->capacity < LEAST_SLOTS ? x->capacity : LEAST_SLOTS;
	const uint32_t share = keys > 2.0 ? x->capacity / 2 : x->capacity / 16;

	x->key_capacity = (uint32_t)(keys * x->capacity);
	x->slot_capacity = share < few ? few : share;
}

/* Gaussians that a budget is good for with such moments and so many keys for each; 0: none. */
static uint32_t capacity_within(const struct plan_maker *k, struct edge_train *x, uint64_t budget, double keys)
{
	uint32_t low = 0, high = 1u << 26; /* in sixteens */

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		x->capacity = middle * 16;
		set_lists(x, keys);
		if (device_bytes(k, x) <= budget)
			low = middle;
		else
			high = middle;
	}
	return low * 16;
}

/* The set that a run without a limit grows to: as many as the captured detail can tell apart. */
static uint32_t unlimited_cap(const struct scene *s, uint32_t steps)
{
	double pixels = 0.0, views = s->train_count ? s->train_count : 1, cap;

	for (uint32_t i = 0; i < s->views.len; i++)
		if (!s->views.data[i].held_out)
			pixels += (double)s->views.data[i].width * s->views.data[i].height;
	/* two a pixel of one photograph, more when there are many of them, fewer when there is no time */
	cap = 2.0 * pixels / views * sqrt(views / 40.0 < 4.0 ? views / 40.0 : 4.0);
	if (steps < 7000)
		cap *= 0.1 + 0.9 * steps / 7000.0;
	if (cap < 1.2 * s->points.len)
		cap = 1.2 * s->points.len;
	return cap > 4e6 ? 4000000 : cap < 16 ? 16 : (uint32_t)cap;
}

static double overshoot(const struct edge_train *x)
{
	return x->policy == EDGE_POLICY_DIET ? 1.05 : 1.0;
}

static void set_capacity(struct edge_train *x, uint32_t capacity, double keys)
{
	x->capacity = capacity;
	x->cap = (uint32_t)(capacity / overshoot(x));
	set_lists(x, keys);
}

/* Bytes that a full set leaves are room in the lists: fewer pictures are done in bands. */
static double spare_keys(const struct plan_maker *k, struct edge_train *x, uint64_t budget, uint32_t wanted, double keys)
{
	while (budget && keys < 4.0 && capacity_within(k, x, budget, 1.25 * keys) >= wanted)
		keys *= 1.25;
	return keys;
}

static bool fit_budget(struct plan_maker *k, uint64_t budget)
{
	struct edge_train *x = &k->t->train;
	/*
	 * What is given up first stands first; colours are the policy auto's to make grey, others are as published. Many
	 * Gaussians gain more by colours than by being a fourteenth more.
	 */
	enum { FEW = 16384 };
	static const struct {
		uint32_t bits, flags;
		double keys;
	} choice[] = { { 32, 0, 4.0 }, { 32, 0, 2.0 }, { 16, 0, 2.0 }, { 16, 0, 1.0 }, { 8, 0, 1.0 },
		       { 8, EDGE_TRAIN_COMPACT, 1.0 }, { 8, EDGE_TRAIN_COMPACT | EDGE_TRAIN_GREY, 1.0 } };
	const uint32_t choices = sizeof choice / sizeof *choice - (x->policy == EDGE_POLICY_AUTO ? 0 : 2);
	uint32_t wanted = ((uint32_t)(unlimited_cap(k->r->scene, x->steps) * overshoot(x)) + 15) / 16 * 16, got = 0;

	for (uint32_t i = 0; i < choices; i++) {
		x->moment_bits = choice[i].bits;
		x->flags = choice[i].flags;
		got = budget ? capacity_within(k, x, budget, choice[i].keys) : wanted;
		if (got >= wanted) {
			set_capacity(x, wanted, spare_keys(k, x, budget, wanted, choice[i].keys));
			break;
		}
		set_capacity(x, got, choice[i].keys);
		if (x->flags & EDGE_TRAIN_COMPACT && got >= FEW)
			break;
	}
	return got >= 16;
}

static uint64_t smallest_budget(const struct plan_maker *k)
{
	struct edge_train x = k->t->train;

	x.moment_bits = 8;
	x.flags = x.policy == EDGE_POLICY_AUTO ? EDGE_TRAIN_COMPACT | EDGE_TRAIN_GREY : 0;
	set_capacity(&x, 16, 1.0);
	return device_bytes(k, &x);
}

bool derive_memory(struct plan_maker *k)
{
	struct edge_train *x = &k->t->train;
	const struct timeline_request *r = k->r;

	k->t->smallest_budget = smallest_budget(k);
	if (!fit_budget(k, r->device_budget)) {
		diag_error(k->diag, r->budget_span,
			   "scene %s cannot be trained within %llu bytes; smallest budget that works: %llu bytes (%s)",
			   r->scene->name, (ull)r->device_budget, (ull)k->t->smallest_budget,
			   size_text(k->t->smallest_budget));
		return false;
	}
	if (r->host_budget && !r->target->unified && r->host_budget < frame_bytes(r->scene)) {
		diag_error(k->diag, r->budget_span, "a photograph of %llu bytes does not fit the host budget of %llu bytes",
			   (ull)frame_bytes(r->scene), (ull)r->host_budget);
		return false;
	}
	if ((uint64_t)x->capacity * tiles_across(x) * tiles_down(x) > UINT32_MAX) {
		uint32_t most = (uint32_t)(UINT32_MAX / ((uint64_t)tiles_across(x) * tiles_down(x)) / 16 * 16);

		/* places in the lists are counted in 32 bits */
		set_capacity(x, most, (double)x->key_capacity / x->capacity);
	}
	x->first_gaussians = r->scene->points.len < x->cap ? r->scene->points.len : x->cap;
	count_bytes(k, x);
	add_note(k, "memory", "%u Gaussians of %u bytes each, %u keys of %u bytes, %llu bytes besides; moments of %u bits, "
		 "colours of degree %u%s",
		 x->capacity, (unsigned)x->bytes_per_gaussian, x->key_capacity, (unsigned)x->bytes_per_key,
		 (ull)x->bytes_fixed, x->moment_bits, x->sh_degree, x->flags & EDGE_TRAIN_GREY ? ", compact and grey" : x->flags ? ", compact" : "");
	return true;
}
