/* SPDX-License-Identifier: Apache-2.0 */
/* tensors.c - the caller's side of a plan: what goes in and out, by name. */
#include "config.h"

#include "exec/session.h"

#include <inttypes.h>
#include <string.h>

uint32_t edgert_tensor_count(const struct edgert_session *s)
{
	return s->plan.tensor_count;
}

void edgert_tensor_info(const struct edgert_session *s, uint32_t index, struct edgert_tensor *out)
{
	const struct edge_tensor *t = &s->plan.tensors[index];

	*out = (struct edgert_tensor){
		.name = plan_string(&s->plan, t->name),
		.output = t->direction == EDGE_TENSOR_OUTPUT,
		.dtype = t->dtype,
		.rank = t->rank,
		.bytes = t->bytes,
	};
	memcpy(out->dim, t->dim, sizeof(out->dim));
}

static char plain(char c)
{
	bool keep = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '_' || c == '.' || c == '-';

	return keep ? c : '_';
}

static bool same_when_plain(const char *a, const char *b)
{
	while (*a && *b && plain(*a) == plain(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

int edgert_find(const struct edgert_session *s, const char *name)
{
	const struct edge_plan *p = &s->plan;
	int found = -1;
	uint32_t i;

	for (i = 0; i < p->tensor_count; i++)
		if (strcmp(plan_string(p, p->tensors[i].name), name) == 0)
			return (int)i;
	for (i = 0; i < p->tensor_count; i++) {
		if (!same_when_plain(plan_string(p, p->tensors[i].name), name))
			continue;
		if (found >= 0)
			return -1;
		found = (int)i;
	}
	return found;
}

const char *edgert_dtype_name(uint32_t dtype)
{
	return edge_dtype_name(dtype);
}

static enum edge_status check_tensor(struct edgert_session *s, int index, const void *data,
				     uint64_t bytes, uint32_t direction)
{
	const struct edge_tensor *t;

	if (s->broken)
		return s->failure.status;
	rt_failure_clear(&s->failure);
	if (index < 0 || (uint32_t)index >= s->plan.tensor_count ||
	    s->plan.tensors[index].direction != direction)
		return rt_fail(&s->failure, EDGE_ARGUMENT, "plan \"%s\" has no such %s",
			       s->file.path, direction == EDGE_TENSOR_INPUT ? "input" : "output");
	t = &s->plan.tensors[index];
	if (data && bytes != t->bytes)
		return rt_fail(&s->failure, EDGE_ARGUMENT,
			       "tensor \"%s\" has %" PRIu64 " bytes, not %" PRIu64,
			       plan_string(&s->plan, t->name), t->bytes, bytes);
	return EDGE_OK;
}

enum edge_status edgert_set_input(struct edgert_session *s, int index, const void *data,
				  uint64_t bytes)
{
	enum edge_status st = check_tensor(s, index, data, bytes, EDGE_TENSOR_INPUT);

	if (st == EDGE_OK)
		s->tensors[index].input = data;
	return st;
}

enum edge_status edgert_set_output(struct edgert_session *s, int index, void *data, uint64_t bytes)
{
	enum edge_status st = check_tensor(s, index, data, bytes, EDGE_TENSOR_OUTPUT);

	if (st == EDGE_OK)
		s->tensors[index].output = data;
	return st;
}
