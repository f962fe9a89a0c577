/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples.c - edgert run --samples: one session, many inputs.
 *
 * A file fits an input f32[1,3,32,32] when it is [N,3,32,32], or has one
 * dimension more: [N,1,3,32,32]. The output f32[1,10] then becomes [N,10].
 * What is measured elsewhere as one run is here one of N; times are not kept.
 */
#include "config.h"

#include "base/memory.h"
#include "base/npy.h"
#include "base/outfile.h"
#include "tools/tool.h"

#include <string.h>

struct many {
	struct edgert_session *session;
	uint32_t tensors;
	uint64_t samples; /* 0: not known yet */
	unsigned char **data; /* per tensor: of all samples */
	bool *longer; /* per input: its file has one dimension more */
};

/* How many samples the file holds for the tensor; 0: it does not fit. */
static uint64_t samples_in(const struct edgert_tensor *t, const struct npy *n, bool *longer)
{
	*longer = n->rank == t->rank + 1 && !memcmp(n->dim + 1, t->dim, t->rank * sizeof(t->dim[0]));
	if (n->dtype != t->dtype || t->bytes == 0)
		return 0;
	if (*longer)
		return (uint64_t)n->dim[0];
	if (n->rank != t->rank || t->rank == 0 || t->dim[0] == 0 || n->dim[0] % t->dim[0] != 0 ||
	    memcmp(n->dim + 1, t->dim + 1, (t->rank - 1) * sizeof(t->dim[0])) != 0)
		return 0;
	return (uint64_t)(n->dim[0] / t->dim[0]);
}

static enum edge_status load(struct many *m, const char *binding, struct failure *f)
{
	const char *equals = strchr(binding, '='), *path = equals + 1;
	char *name = rt_strdup(binding), expected[160], found[160];
	struct edgert_tensor t;
	enum edge_status st;
	uint64_t samples;
	void *data = NULL;
	struct npy n;
	int index;

	if (!name)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	name[equals - binding] = '\0';
	index = edgert_find(m->session, name);
	rt_free(name);
	if (index < 0)
		return rt_fail(f, EDGE_ARGUMENT, "the plan has no input for \"%s\"", binding);
	edgert_tensor_info(m->session, (uint32_t)index, &t);
	if (t.output || m->data[index])
		return rt_fail(f, EDGE_ARGUMENT, "\"%s\" is no input, or is given twice", t.name);
	if ((st = npy_load(path, &n, &data, f)) != EDGE_OK)
		return st;
	m->data[index] = data;
	samples = samples_in(&t, &n, &m->longer[index]);
	if (samples == 0)
		return rt_fail(f, EDGE_ARGUMENT, "input \"%s\" is %s and \"%s\" holds %s, which is not samples of it", t.name,
			       npy_shape_text(t.dtype, t.rank, t.dim, expected, sizeof(expected)), path,
			       npy_shape_text(n.dtype, n.rank, n.dim, found, sizeof(found)));
	if (m->samples != 0 && m->samples != samples)
		return rt_fail(f, EDGE_ARGUMENT, "\"%s\" holds %llu samples, and another input's file %llu", path,
			       (unsigned long long)samples, (unsigned long long)m->samples);
	m->samples = samples;
	return EDGE_OK;
}

static enum edge_status take_memory(struct many *m, struct failure *f)
{
	struct edgert_tensor t;
	uint32_t i;

	for (i = 0; i < m->tensors; i++) {
		edgert_tensor_info(m->session, i, &t);
		if (!t.output && !m->data[i])
			return rt_fail(f, EDGE_ARGUMENT, "missing input \"%s\"", t.name);
		if (!t.output)
			continue;
		if (t.bytes != 0 && m->samples > SIZE_MAX / t.bytes)
			return rt_fail(f, EDGE_MEMORY, "out of memory");
		m->data[i] = rt_alloc((size_t)m->samples, (size_t)t.bytes);
		if (!m->data[i])
			return rt_fail(f, EDGE_MEMORY, "out of memory for tensor \"%s\"", t.name);
	}
	return EDGE_OK;
}

static enum edge_status run_each(struct many *m)
{
	struct edgert_tensor t;
	enum edge_status st;
	uint64_t k;
	uint32_t i;

	for (k = 0; k < m->samples; k++) {
		for (i = 0; i < m->tensors; i++) {
			unsigned char *at;

			edgert_tensor_info(m->session, i, &t);
			at = m->data[i] + k * t.bytes;
			st = t.output ? edgert_set_output(m->session, (int)i, at, t.bytes)
				      : edgert_set_input(m->session, (int)i, at, t.bytes);
			if (st != EDGE_OK)
				return st;
		}
		if ((st = edgert_run(m->session)) != EDGE_OK)
			return st;
	}
	return EDGE_OK;
}

static enum edge_status save(const struct many *m, const char *directory, struct failure *f)
{
	enum edge_status st = rt_make_directory(directory, f);
	struct edgert_tensor t;
	char *path;
	uint32_t i;

	for (i = 0; i < m->tensors && st == EDGE_OK; i++) {
		struct npy n;

		edgert_tensor_info(m->session, i, &t);
		if (!t.output)
			continue;
		n = (struct npy){ .dtype = t.dtype, .rank = t.rank };
		memcpy(n.dim, t.dim, sizeof(n.dim));
		if (t.rank == 0) {
			n.rank = 1;
			n.dim[0] = 1;
		}
		n.dim[0] *= (int64_t)m->samples;
		n.bytes = t.bytes * m->samples;
		if (!(path = tensor_file_name(directory, t.name)))
			return rt_fail(f, EDGE_MEMORY, "out of memory");
		st = npy_save(path, &n, m->data[i], f);
		rt_free(path);
	}
	return st;
}

enum edge_status samples_run(struct edgert_session *s, const struct tool_options *o, struct failure *f)
{
	struct many m = { .session = s, .tensors = edgert_tensor_count(s) };
	enum edge_status st = EDGE_OK;
	uint32_t i;

	m.data = rt_alloc(m.tensors + 1, sizeof(*m.data));
	m.longer = rt_alloc(m.tensors + 1, sizeof(*m.longer));
	if (!m.data || !m.longer)
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	for (i = 0; i < o->input_count && st == EDGE_OK; i++)
		st = load(&m, o->input[i], f);
	if (st == EDGE_OK && (st = take_memory(&m, f)) == EDGE_OK && (st = run_each(&m)) == EDGE_OK && o->output_dir)
		st = save(&m, o->output_dir, f);
	if (st == EDGE_OK)
		printf("%llu samples\n", (unsigned long long)m.samples);
	for (i = 0; m.data && i < m.tensors; i++)
		rt_free(m.data[i]);
	rt_free(m.data);
	rt_free(m.longer);
	return st;
}
