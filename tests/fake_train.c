/* SPDX-License-Identifier: Apache-2.0 */
/* fake_train.c - a trainer without kernels: the part of train.h that checkpoints and files need. */
#include "config.h"

#include "fake_train.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 3 };

static const struct train_part part_info[PARTS] = { { "parameters", 59, 4 }, { "moments", 118, 2 }, { "flags", 1, 1 } };

struct train {
	struct edge_plan plan;
	struct edge_header header;
	struct edge_train train;
	struct train_counters counters;
	uint32_t capacity;
	uint8_t *data[PARTS];
};

struct train *fake_train(uint64_t plan, uint32_t capacity)
{
	struct train *t = calloc(1, sizeof(*t));

	if (!t)
		exit(1);
	t->header.header_xxh3 = plan;
	t->plan.header = &t->header;
	t->plan.train = &t->train;
	t->train.parameters = 59;
	t->train.sh_degree = 3;
	t->capacity = capacity;
	t->counters.gaussians = capacity / 2;
	for (int i = 0; i < PARTS; i++) {
		t->data[i] = calloc((size_t)part_info[i].planes * capacity, part_info[i].element_bytes);
		if (!t->data[i])
			exit(1);
	}
	return t;
}

void train_close(struct train *t)
{
	if (!t)
		return;
	for (int i = 0; i < PARTS; i++)
		free(t->data[i]);
	free(t);
}

const struct edge_plan *train_plan(const struct train *t)
{
	return &t->plan;
}

uint32_t train_done(const struct train *t)
{
	return t->counters.done;
}

uint32_t train_gaussians(const struct train *t)
{
	return t->counters.gaussians;
}

uint32_t train_capacity(const struct train *t)
{
	return t->capacity;
}

/* Each byte of the parameters depends on its last value, its place and the step. */
enum edge_status train_step(struct train *t, struct train_step_report *out, struct failure *f)
{
	(void)f;
	t->counters.done++;
	t->counters.gaussians = t->capacity / 2 + t->counters.done % 5;
	for (int i = 0; i < PARTS; i++)
		for (size_t k = 0; k < (size_t)part_info[i].planes * t->capacity * part_info[i].element_bytes; k++)
			if (k / part_info[i].element_bytes % t->capacity < t->counters.gaussians)
				t->data[i][k] = (uint8_t)(t->data[i][k] * 5 + k + t->counters.done);
	*out = (struct train_step_report){ .step = t->counters.done, .gaussians = t->counters.gaussians, .loss = 0.5f,
					   .ms = 2 };
	return EDGE_OK;
}

uint32_t train_part_count(const struct train *t)
{
	(void)t;
	return PARTS;
}

void train_part_info(const struct train *t, uint32_t part, struct train_part *out)
{
	(void)t;
	*out = part_info[part];
}

static uint8_t *place(struct train *t, uint32_t part, uint32_t plane, uint32_t first)
{
	return t->data[part] + ((size_t)plane * t->capacity + first) * part_info[part].element_bytes;
}

enum edge_status train_part_read(struct train *t, uint32_t part, uint32_t plane, uint32_t first, uint32_t count,
				 void *out, struct failure *f)
{
	(void)f;
	memcpy(out, place(t, part, plane, first), (size_t)count * part_info[part].element_bytes);
	return EDGE_OK;
}

enum edge_status train_part_write(struct train *t, uint32_t part, uint32_t plane, uint32_t first, uint32_t count,
				  const void *bytes, struct failure *f)
{
	(void)f;
	memcpy(place(t, part, plane, first), bytes, (size_t)count * part_info[part].element_bytes);
	return EDGE_OK;
}

enum edge_status train_parameter_read(struct train *t, uint32_t k, uint32_t first, uint32_t count, float *out,
				      struct failure *f)
{
	return train_part_read(t, 0, k, first, count, out, f);
}

enum edge_status train_parameter_write(struct train *t, uint32_t k, uint32_t first, uint32_t count, const float *in,
				       struct failure *f)
{
	return train_part_write(t, 0, k, first, count, in, f);
}

void train_get_counters(const struct train *t, struct train_counters *out)
{
	*out = t->counters;
}

enum edge_status train_set_counters(struct train *t, const struct train_counters *c, struct failure *f)
{
	if (c->gaussians > t->capacity)
		return rt_fail(f, EDGE_ARGUMENT, "too many Gaussians");
	t->counters = *c;
	return EDGE_OK;
}
