/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set.c - what the set is made of.
 *
 * Parts are what a checkpoint keeps, in the plan's own formats. Where those are compact all but
 * places are a part of their own, of 16 bits, which stands behind the places: integers, and halves for higher
 * colour coefficients. Some or all of these are the same for red, green and blue.
 */
#include "config.h"

#include "train/internal.h"

#include <math.h>
#include <string.h>

enum { BATCH = 256, PARAMETERS = 0, SHORTS = 4 /* parts */ };

static bool compact(const struct train *t)
{
	return (t->plan->flags & EDGE_TRAIN_COMPACT) != 0;
}

struct part {
	struct train_part info;
	uint32_t role;
	uint64_t begin; /* in its buffer */
};

/* Fills all[5] and returns how many there are. */
static uint32_t list_parts(const struct train *t, struct part *all)
{
	const struct edge_train *x = t->plan;
	const uint32_t whole = edge_train_whole(x->parameters, x->flags), bytes = x->moment_bits / 8;
	const uint32_t moments = edge_train_moments(x->parameters, x->flags);
	const uint32_t shorts = edge_train_columns(x->parameters, x->flags);
	const struct part list[] = {
		{ { "parameters", whole, 4 }, EDGE_BUFFER_PARAMETERS, 0 },
		{ { "first moments", moments, bytes }, EDGE_BUFFER_MOMENT1, 0 },
		{ { "second moments", moments, bytes }, EDGE_BUFFER_MOMENT2, 0 },
		{ { "statistics", STATISTICS, compact(t) ? 2 : 4 }, EDGE_BUFFER_STATISTICS, 0 },
		{ { "short parameters", shorts, 2 }, EDGE_BUFFER_PARAMETERS, 4 * (uint64_t)whole * x->capacity },
	};

	memcpy(all, list, sizeof list);
	return shorts ? 5 : 4;
}

uint32_t train_part_count(const struct train *t)
{
	struct part all[5];

	return list_parts(t, all);
}

void train_part_info(const struct train *t, uint32_t part, struct train_part *out)
{
	struct part all[5];

	list_parts(t, all);
	*out = all[part].info;
}

static enum edge_status part_place(const struct train *t, uint32_t part, uint32_t plane, uint32_t first, uint32_t count,
				   uint32_t *role, uint64_t *at, uint64_t *bytes, struct failure *f)
{
	struct part all[5];
	uint32_t n = list_parts(t, all);

	/* a set that is only drawn has neither moments nor statistics */
	if (part >= n || plane >= all[part].info.planes || first > t->plan->capacity || count > t->plan->capacity - first ||
	    (t->resize.gaussians && all[part].role != EDGE_BUFFER_PARAMETERS))
		return rt_fail(f, EDGE_ARGUMENT, "part %u of the set has no Gaussians %u to %u in plane %u", part, first,
			       first + count, plane);
	*role = all[part].role;
	*at = all[part].begin + ((uint64_t)plane * t->plan->capacity + first) * all[part].info.element_bytes;
	*bytes = (uint64_t)count * all[part].info.element_bytes;
	return EDGE_OK;
}

enum edge_status train_part_read(struct train *t, uint32_t part, uint32_t plane, uint32_t first, uint32_t count,
				 void *out, struct failure *f)
{
	uint64_t at, bytes;
	uint32_t role;
	enum edge_status st = part_place(t, part, plane, first, count, &role, &at, &bytes, f);

	if (st != EDGE_OK || !bytes)
		return st;
	st = train_read(t, role, at, out, bytes, f);
	return st == EDGE_OK ? train_finish(t, f) : st;
}

enum edge_status train_part_write(struct train *t, uint32_t part, uint32_t plane, uint32_t first, uint32_t count,
				  const void *bytes, struct failure *f)
{
	uint64_t at, size;
	uint32_t role;
	enum edge_status st = part_place(t, part, plane, first, count, &role, &at, &size, f);

	if (st != EDGE_OK || !size)
		return st;
	st = train_write(t, role, at, bytes, size, f);
	return st == EDGE_OK ? train_finish(t, f) : st;
}

/* ---- parameters as floats ---- */

/* The column of parameter k, and how many of red, green and blue share it and stand before k. */
static uint32_t column_of(const struct train *t, uint32_t k, uint32_t *before)
{
	const uint32_t own = EDGE_TRAIN_BASE + (t->plan->flags & EDGE_TRAIN_GREY ? 0 : EDGE_TRAIN_DEGREE_1);

	*before = k < own ? 0 : (k - own) % 3;
	return (k < own ? k : own + (k - own) / 3) - EDGE_TRAIN_PLACE;
}

/* Up to 65504; what is smaller than a normal half loses bits, as it should. */
static uint16_t to_half(float x)
{
	const float limited = x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x == x ? x : 0.0f;
	const float magic = 0.5f; /* adding it moves the last bit of a subnormal half to the last of a float */
	uint32_t bits, sign, base;
	float size;

	memcpy(&bits, &limited, sizeof bits);
	sign = bits >> 16 & 0x8000;
	bits &= 0x7fffffff;
	if (bits < 113u << 23) {
		memcpy(&size, &bits, sizeof size);
		size += magic;
		memcpy(&bits, &size, sizeof bits);
		memcpy(&base, &magic, sizeof base);
		return (uint16_t)(sign | (bits - base));
	}
	bits += 0xfff + (bits >> 13 & 1); /* to nearest, ties to even */
	return (uint16_t)(sign | ((bits - (112u << 23)) >> 13));
}

static float from_half(uint16_t h)
{
	const uint32_t size = h & 0x7fff;
	uint32_t bits = (size << 13) + (112u << 23);
	float x;

	memcpy(&x, &bits, sizeof x);
	if (size < 0x400)
		x = (float)size * 0x1p-24f;
	return h & 0x8000 ? -x : x;
}

/* What a unit of parameter k is, of those that are integers: as in kernels/splat.clh. */
static float unit_of(uint32_t k)
{
	return k < PARAMETER_ROTATION || k == PARAMETER_OPACITY ? 0x1p-11f : k < PARAMETER_COLOUR ? 0x1p-14f : 0x1p-12f;
}

static float from_short(uint32_t k, uint16_t code)
{
	return k < EDGE_TRAIN_BASE ? (float)(int16_t)code * unit_of(k) : from_half(code);
}

static uint16_t to_short(uint32_t k, float x)
{
	float units;

	if (k >= EDGE_TRAIN_BASE)
		return to_half(x);
	units = x / unit_of(k);
	units = units > 32767.0f ? 32767.0f : units < -32767.0f ? -32767.0f : units == units ? units : 0.0f;
	return (uint16_t)lrintf(units);
}

enum edge_status train_parameter_read(struct train *t, uint32_t k, uint32_t first, uint32_t count, float *out,
				      struct failure *f)
{
	uint16_t code[BATCH];
	uint32_t before;
	enum edge_status st = EDGE_OK;

	if (!compact(t) || k < EDGE_TRAIN_PLACE)
		return train_part_read(t, PARAMETERS, k, first, count, out, f);
	for (uint32_t done = 0; done < count && st == EDGE_OK; done += BATCH) {
		uint32_t n = count - done < BATCH ? count - done : BATCH;

		st = train_part_read(t, SHORTS, column_of(t, k, &before), first + done, n, code, f);
		for (uint32_t i = 0; i < n && st == EDGE_OK; i++)
			out[done + i] = from_short(k, code[i]);
	}
	return st;
}

enum edge_status train_parameter_write(struct train *t, uint32_t k, uint32_t first, uint32_t count, const float *in,
				       struct failure *f)
{
	uint16_t code[BATCH];
	uint32_t before, column;
	enum edge_status st = EDGE_OK;

	if (!compact(t) || k < EDGE_TRAIN_PLACE)
		return train_part_write(t, PARAMETERS, k, first, count, in, f);
	column = column_of(t, k, &before);
	for (uint32_t done = 0; done < count && st == EDGE_OK; done += BATCH) {
		uint32_t n = count - done < BATCH ? count - done : BATCH;

		/* the mean of what is written as red, green and blue, in this order */
		if (before && (st = train_part_read(t, SHORTS, column, first + done, n, code, f)) != EDGE_OK)
			return st;
		for (uint32_t i = 0; i < n; i++)
			code[i] = to_short(k, ((before ? from_short(k, code[i]) * (float)before : 0) + in[done + i]) / (float)(before + 1));
		st = train_part_write(t, SHORTS, column, first + done, n, code, f);
	}
	return st;
}

void train_get_counters(const struct train *t, struct train_counters *out)
{
	*out = t->counters;
}

enum edge_status train_set_counters(struct train *t, const struct train_counters *c, struct failure *f)
{
	if (c->gaussians > t->plan->capacity || c->degree > t->plan->sh_degree || c->done > t->plan->steps)
		return rt_fail(f, EDGE_ARGUMENT, "%u Gaussians of degree %u after %u steps do not fit the plan",
			       c->gaussians, c->degree, c->done);
	t->counters = *c;
	return EDGE_OK;
}
