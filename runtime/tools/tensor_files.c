/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_files.c - a plan's tensors as .npy files.
 *
 * Whatever does not fit is answered with what the plan expects: all inputs,
 * with type and shape.
 */
#include "config.h"

#include "base/memory.h"
#include "base/npy.h"
#include "base/outfile.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <string.h>

/* "; the plan's inputs are x f32[1,3], h f32[2]" */
static void list_inputs(const struct edgert_session *s, char *out, size_t size)
{
	struct edgert_tensor t;
	size_t n = 0;
	uint32_t i, inputs = 0;
	char shape[160];

	out[0] = '\0';
	for (i = 0; i < edgert_tensor_count(s) && n < size; i++) {
		edgert_tensor_info(s, i, &t);
		if (!t.output)
			n += (size_t)snprintf(out + n, size - n, "%s %s %s",
					      inputs++ ? "," : "; the plan's inputs are", t.name,
					      npy_shape_text(t.dtype, t.rank, t.dim, shape,
							     sizeof(shape)));
	}
	if (!inputs)
		snprintf(out, size, "; the plan has no inputs");
}

static enum edge_status refuse(const struct edgert_session *s, struct failure *f, const char *what,
			       const char *name)
{
	char list[1500];

	list_inputs(s, list, sizeof(list));
	return rt_fail(f, EDGE_ARGUMENT, "%s \"%s\"%s", what, name, list);
}

static enum edge_status check_shape(const struct edgert_tensor *t, const struct npy *n,
				    const char *path, struct failure *f)
{
	bool same = n->dtype == t->dtype && n->rank == t->rank &&
		    !memcmp(n->dim, t->dim, t->rank * sizeof(t->dim[0]));
	char expected[160], found[160];

	if (same)
		return EDGE_OK;
	return rt_fail(f, EDGE_ARGUMENT, "input \"%s\" is %s and \"%s\" holds %s", t->name,
		       npy_shape_text(t->dtype, t->rank, t->dim, expected, sizeof(expected)), path,
		       npy_shape_text(n->dtype, n->rank, n->dim, found, sizeof(found)));
}

static enum edge_status load_one(struct tool_tensors *t, const char *binding, struct failure *f)
{
	const char *equals = strchr(binding, '='), *path = equals + 1;
	char *name = rt_strdup(binding);
	struct edgert_tensor info = { .output = true };
	enum edge_status st;
	struct npy n;
	int index;

	if (!name)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	name[equals - binding] = '\0';
	index = edgert_find(t->session, name);
	if (index >= 0)
		edgert_tensor_info(t->session, (uint32_t)index, &info);
	if (info.output)
		st = refuse(t->session, f, "the plan has no input", name);
	else if (t->data[index])
		st = rt_fail(f, EDGE_ARGUMENT, "input \"%s\" is given twice", name);
	else if ((st = npy_load(path, &n, &t->data[index], f)) == EDGE_OK &&
		 (st = check_shape(&info, &n, path, f)) == EDGE_OK)
		st = edgert_set_input(t->session, index, t->data[index], n.bytes);
	rt_free(name);
	return st;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Floats in [-1, 1); whole numbers are 0 or 1, which are indices almost everywhere. */
static void fill_random(const struct edgert_tensor *t, void *data, uint64_t *state)
{
	uint64_t size = t->bytes / (edge_dtype_size(t->dtype) ? edge_dtype_size(t->dtype) : 1), i;

	for (i = 0; i < size; i++) {
		uint64_t r = next_random(state);
		float v = (float)(r >> 40) / (1 << 23) - 1;

		switch (t->dtype) {
		case EDGE_F32:
			((float *)data)[i] = v;
			break;
		case EDGE_F64:
			((double *)data)[i] = (double)v;
			break;
		case EDGE_F16:
			((uint16_t *)data)[i] = (uint16_t)((r & 0x83ff) | 0x3800);
			break; /* +-0.5 .. 1 */
		case EDGE_BF16:
			((uint16_t *)data)[i] = (uint16_t)((r & 0x807f) | 0x3f00);
			break;
		case EDGE_I64:
			((int64_t *)data)[i] = (int64_t)(r & 1);
			break;
		case EDGE_I32:
			((int32_t *)data)[i] = (int32_t)(r & 1);
			break;
		case EDGE_I16:
			((int16_t *)data)[i] = (int16_t)(r & 1);
			break;
		default:
			((uint8_t *)data)[i] = (uint8_t)(r & 1);
			break;
		}
	}
}

static enum edge_status provide(struct tool_tensors *t, uint32_t i, uint64_t *seed,
				struct failure *f)
{
	struct edgert_tensor info;

	edgert_tensor_info(t->session, i, &info);
	if (t->data[i])
		return EDGE_OK;
	if (!info.output && !*seed)
		return refuse(t->session, f, "missing input", info.name);
	t->data[i] = rt_alloc(info.bytes, 1);
	if (!t->data[i])
		return rt_fail(f, EDGE_MEMORY, "out of memory for tensor \"%s\"", info.name);
	if (info.output)
		return edgert_set_output(t->session, (int)i, t->data[i], info.bytes);
	fill_random(&info, t->data[i], seed);
	if (edgert_plan(t->session)->generate && i == edgert_plan(t->session)->generate->state) {
		/* one token, half way through the context */
		const int32_t state[4] = { (int32_t)edgert_plan(t->session)->generate->context / 2, 1, 0, 0 };

		memcpy(t->data[i], state, sizeof(state));
	}
	return edgert_set_input(t->session, (int)i, t->data[i], info.bytes);
}

enum edge_status tensors_bind(struct tool_tensors *t, struct edgert_session *s,
			      const struct tool_options *o, uint64_t seed, struct failure *f)
{
	enum edge_status st = EDGE_OK;
	uint32_t i;

	*t = (struct tool_tensors){ s, rt_alloc(edgert_tensor_count(s), sizeof(*t->data)) };
	if (!t->data)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	for (i = 0; i < o->input_count && st == EDGE_OK; i++)
		st = load_one(t, o->input[i], f);
	for (i = 0; i < edgert_tensor_count(s) && st == EDGE_OK; i++)
		st = provide(t, i, &seed, f);
	return st;
}

char *tensor_file_name(const char *directory, const char *name)
{
	size_t n = strlen(directory), i;
	char *path = rt_alloc(n + strlen(name) + 6, 1);

	if (!path)
		return NULL;
	sprintf(path, "%s/%s.npy", directory, name);
	for (i = n + 1; path[i]; i++) {
		bool keep = (path[i] >= 'a' && path[i] <= 'z') ||
			    (path[i] >= 'A' && path[i] <= 'Z') ||
			    (path[i] >= '0' && path[i] <= '9') || strchr("_.-", path[i]);

		if (!keep)
			path[i] = '_';
	}
	return path;
}

enum edge_status tensors_save(const struct tool_tensors *t, const char *directory, bool quiet,
			      struct failure *f)
{
	enum edge_status st = rt_make_directory(directory, f);
	struct edgert_tensor info;
	struct npy n;
	char shape[160], *path;
	uint32_t i;

	for (i = 0; i < edgert_tensor_count(t->session) && st == EDGE_OK; i++) {
		edgert_tensor_info(t->session, i, &info);
		if (!info.output)
			continue;
		n = (struct npy){ .dtype = info.dtype, .rank = info.rank };
		memcpy(n.dim, info.dim, sizeof(n.dim));
		if (!(path = tensor_file_name(directory, info.name)))
			return rt_fail(f, EDGE_MEMORY, "out of memory");
		st = npy_save(path, &n, t->data[i], f);
		if (st == EDGE_OK && !quiet)
			tool_say(stdout, "%s : %s -> %s", info.name,
				 npy_shape_text(n.dtype, n.rank, n.dim, shape, sizeof(shape)), path);
		rt_free(path);
	}
	return st;
}

void tensors_free(struct tool_tensors *t)
{
	uint32_t i;

	if (!t->data)
		return;
	for (i = 0; i < edgert_tensor_count(t->session); i++)
		rt_free(t->data[i]);
	rt_free(t->data);
	t->data = NULL;
}
