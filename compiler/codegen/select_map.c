/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_map.c - elementwise programs, and plain copies.
 *
 * Dims of the output along which every operand walks in the same way are
 * merged, so that the inner loop is as long as it can be: operands of the
 * output's own shape give one long row.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <string.h>

/* Merges dim i into dim i - 1 (last first) wherever all operands allow it. */
static void merge_dims(struct shape *s, struct operand *op, uint32_t count)
{
	uint32_t i, j, k;

	for (i = s->rank; i-- > 1;) {
		bool can = true;

		for (k = 0; can && k < count; k++)
			can = s->dim[i - 1] == 1 || s->dim[i] == 1 ||
			      op[k].stride[i - 1] == op[k].stride[i] * s->dim[i];
		if (!can)
			continue;
		for (k = 0; k < count; k++) {
			if (s->dim[i] == 1)
				op[k].stride[i] = op[k].stride[i - 1];
			memmove(&op[k].stride[i - 1], &op[k].stride[i], (s->rank - i) * sizeof op[k].stride[0]);
		}
		s->dim[i - 1] *= s->dim[i];
		for (j = i; j + 1 < s->rank; j++)
			s->dim[j] = s->dim[j + 1];
		s->rank--;
	}
}

/* The output itself, where its rows lie apart: dims across them must not be merged. */
static struct operand operand_rows(const struct shape *s, int64_t stride)
{
	struct operand op = { .value = NO_ID };
	uint32_t i = s->rank - 1;

	op.stride[i] = 1;
	for (; i-- > 0; stride *= s->dim[i])
		op.stride[i] = stride;
	return op;
}

/* op has room for one more. */
static bool launch(struct codegen *c, node_id id, const struct node *n, struct operand *op, uint32_t count)
{
	struct shape s = *value_shape(c, n->out[0]);
	int64_t width, rows, total, item, block, height;
	int64_t apart = codegen_row_stride(c, n->out[0]);
	bool vector;
	struct build b;

	if (apart)
		op[count] = operand_rows(&s, apart);
	merge_dims(&s, op, apart ? count + 1 : count);
	total = shape_elements(&s);
	width = s.rank ? s.dim[s.rank - 1] : 1;
	rows = total / width;
	vector = width >= 4 && epilogue_is_vector(c, n, DTYPE_F32);
	/* enough work for a work-item to be worth its start, enough work-items for every core */
	item = total / 32 < 1024 ? 1024 : total / 32 > 16384 ? 16384 : total / 32;
	block = width <= item ? width : ceil_div(item, 16) * 16;
	height = width <= item ? item / width : 1;
	if (codegen_is_gpu(c)) { /* an element each, neighbours side by side */
		vector = false;
		block = height = 1;
	}
	build_begin(&b, c, id, "map");
	b.n = n;
	if (codegen_is_gpu(c))
		build_load(&b, TARGET_LOAD_ELEMENTWISE);
	build_define(&b, "VECTOR", vector);
	if (!epilogue_render(&b, DTYPE_F32, &s, op, count))
		return false;
	build_i32(&b, rows);
	build_i32(&b, height);
	build_i32(&b, block);
	build_out(&b);
	build_flops(&b, (uint64_t)total * n->epilogue_count);
	return build_launch(&b, ceil_div(width, block), ceil_div(rows, height), 1);
}

/* An operation by itself, or a copy, as a program of one step. */
static struct node one_step(struct codegen *c, const struct node *n)
{
	struct epilogue_step *s = arena_new(c->arena, struct epilogue_step);
	struct node m = { .op = OP_map, .name = n->name, .in = n->in, .in_count = n->in_count, .out = n->out,
			  .out_count = 1, .span = n->span, .epilogue = s, .epilogue_count = 1 };
	uint32_t k;

	s->op = n->op == OP_reshape ? OP_identity : n->op;
	s->dtype = graph_value(c->g, n->out[0])->dtype;
	s->attr = n->attr;
	s->attr_count = n->attr_count;
	for (k = 0; k < n->in_count && k < 3; k++)
		s->in[k] = (struct epilogue_operand){ true, k };
	return m;
}

/* The copy, then the epilogue: register 0 becomes register 1, operand k operand k + 1. */
static struct node copy_with_epilogue(struct codegen *c, const struct node *n)
{
	struct node m = one_step(c, n);
	struct epilogue_step *s = arena_new_array(c->arena, struct epilogue_step, n->epilogue_count + 1);
	uint32_t i, k;

	s[0] = m.epilogue[0];
	s[0].dtype = graph_value(c->g, n->in[0])->dtype;
	for (i = 0; i < n->epilogue_count; i++) {
		s[i + 1] = n->epilogue[i];
		for (k = 0; k < 3; k++)
			s[i + 1].in[k].index++;
	}
	m.epilogue = s;
	m.epilogue_count = n->epilogue_count + 1;
	return m;
}

bool select_map(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	uint32_t k, count = n->in_count, own = n->op == OP_map ? 0 : node_own_inputs(n);
	const struct shape *out = value_shape(c, n->out[0]);
	struct operand *op = arena_new_array(c->arena, struct operand, count + 1);
	struct node *m;

	for (k = 0; k < count; k++) {
		if (k >= own)
			op[k] = epilogue_operand(c, n, k - own);
		else
			op[k] = operand_broadcast(n->op == OP_reshape ? out : value_shape(c, n->in[k]), out, n->in[k]);
	}
	if (n->op == OP_map)
		return launch(c, id, n, op, count);
	m = arena_new(c->arena, struct node);
	*m = n->epilogue_count ? copy_with_epilogue(c, n) : one_step(c, n);
	return launch(c, id, m, op, count);
}
