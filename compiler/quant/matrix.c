/* SPDX-License-Identifier: Apache-2.0 */
/* matrix.c - which constants can be quantised, and their order as rows. */
#include "config.h"

#include "quant/matrix.h"

#include <stdlib.h>

static int64_t product(const struct shape *s, uint32_t from)
{
	int64_t n = 1;

	for (uint32_t i = from; i < s->rank; i++)
		n *= s->dim[i];
	return n;
}

/* [.., K, N], or [.., N, K]: leading dims are 1. Rows first, then those ones, then K. */
static bool describe_product(const struct graph *g, const struct node *n, struct quant_matrix *m)
{
	const struct shape *s = &graph_value(g, n->in[1])->shape;
	bool turned = node_int(n, ATTR_trans_b, 0) != 0;
	uint32_t r = s->rank;

	if (r < 2 || graph_value(g, n->in[0])->kind == VALUE_CONST || shape_elements(s) != s->dim[r - 1] * s->dim[r - 2])
		return false;
	m->source.rank = r;
	m->source.dim[0] = s->dim[turned ? r - 2 : r - 1];
	m->source.dim[r - 1] = s->dim[turned ? r - 1 : r - 2];
	for (uint32_t i = 0; i + 2 < r; i++) {
		m->source.dim[1 + i] = 1;
		m->perm[i] = (uint8_t)(1 + i);
	}
	m->perm[r - 2] = (uint8_t)(turned ? 0 : r - 1);
	m->perm[r - 1] = (uint8_t)(turned ? r - 1 : 0);
	m->blocks = !node_int(n, ATTR_trans_a, 0);
	return true;
}

static void describe_conv(const struct graph *g, const struct node *n, struct quant_matrix *m)
{
	const struct shape *s = &graph_value(g, n->in[1])->shape, *x = &graph_value(g, n->in[0])->shape;
	bool transposed = n->op == OP_conv_transpose;
	int64_t group = node_int(n, ATTR_group, 1);
	uint32_t r = s->rank;

	m->source.rank = r;
	m->source.dim[0] = s->dim[transposed];
	m->source.dim[r - 1] = s->dim[!transposed];
	for (uint32_t i = 2; i < r; i++) {
		m->source.dim[i - 1] = s->dim[i];
		m->perm[i] = (uint8_t)(i - 1);
	}
	m->perm[transposed] = 0;
	m->perm[!transposed] = (uint8_t)(r - 1);
	/* one channel a group has its own kernel, which reads a few floats a channel */
	m->blocks = transposed ? group == 1 : group == 1 || group != x->dim[x->rank - 1] || r > 4;
}

static bool describe(const struct graph *g, const struct node *n, struct quant_matrix *m)
{
	uint32_t own = node_own_inputs(n), k = n->op == OP_gather ? 0 : 1;
	const struct value *v;

	if (n->dead || own < 2 || n->in[k] == NO_ID ||
	    (n->op != OP_matmul && n->op != OP_conv && n->op != OP_conv_transpose && n->op != OP_gather))
		return false;
	v = graph_value(g, n->in[k]);
	if (v->kind != VALUE_CONST || v->dtype != DTYPE_F32 || shape_elements(&v->shape) < 1)
		return false;
	m->tensor.value = n->in[k];
	m->tensor.op = n->op;
	if (n->op == OP_matmul) {
		if (!describe_product(g, n, m))
			return false;
	} else if (n->op == OP_gather) {
		if (v->shape.rank != 2 || node_int(n, ATTR_axis, 0) != 0)
			return false;
		m->source = v->shape;
		m->perm[1] = 1;
		m->blocks = true;
	} else {
		describe_conv(g, n, m);
	}
	m->tensor.rows = m->source.dim[0];
	m->tensor.row = product(&m->source, 1);
	return true;
}

struct quant_matrix *quant_matrices(struct arena *a, const struct graph *g, uint32_t *count)
{
	VEC(struct quant_matrix) list = { 0 };

	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = graph_node(g, i);
		struct quant_matrix m = { .tensor = { .node = i } };
		const char *name;
		uint32_t k;

		if (!describe(g, n, &m))
			continue;
		for (k = 0; k < list.len && list.data[k].tensor.value != m.tensor.value; k++)
			;
		if (k < list.len) { /* a second use may want another order: then it stays as it is */
			struct quant_matrix *before = &list.data[k];

			before->blocks &= m.blocks && shape_equal(&before->source, &m.source) &&
					  before->perm[0] == m.perm[0];
			if (before->tensor.op == OP_gather) /* calibration wants a product */
				before->tensor.op = m.tensor.op, before->tensor.node = i;
			continue;
		}
		name = graph_value(g, m.tensor.value)->name;
		m.tensor.name = name ? name : n->name ? n->name : arena_printf(a, "%s_%u", op_name(n->op), i);
		vec_push(a, &list, m);
	}
	*count = list.len;
	return list.data;
}

struct quant_tensor *quant_tensors(struct arena *a, const struct graph *g, uint32_t *count)
{
	struct quant_matrix *m = quant_matrices(a, g, count);
	struct quant_tensor *t = arena_new_array(a, struct quant_tensor, *count + 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < *count; i++)
		if (m[i].blocks)
			t[n++] = m[i].tensor;
	*count = n;
	return t;
}

float *quant_matrix_read(const struct graph *g, const struct quant_matrix *m, struct diag *d)
{
	const struct shape *s = &graph_value(g, m->tensor.value)->shape;
	size_t n = (size_t)shape_elements(s);
	float *in = xmalloc(n * sizeof *in), *out;
	int64_t stride[MAX_RANK], source[MAX_RANK], at[MAX_RANK] = { 0 }, run = 1, to = 0;

	if (!data_read_f32(g, m->tensor.value, in, d)) {
		free(in);
		return NULL;
	}
	out = xmalloc(n * sizeof *out);
	for (uint32_t i = m->source.rank; i-- > 0; run *= m->source.dim[i])
		source[i] = run;
	for (uint32_t i = 0; i < s->rank; i++)
		stride[i] = source[m->perm[i]];
	for (size_t i = 0; i < n; i++) {
		out[to] = in[i];
		for (uint32_t k = s->rank; k-- > 0;) {
			to += stride[k];
			if (++at[k] < s->dim[k])
				break;
			to -= stride[k] * s->dim[k];
			at[k] = 0;
		}
	}
	free(in);
	return out;
}
