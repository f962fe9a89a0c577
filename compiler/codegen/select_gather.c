/* SPDX-License-Identifier: Apache-2.0 */
/* select_gather.c - choosing by indices that are known only at run time. */
#include "config.h"

#include "codegen/codegen.h"

enum { KERNEL_DIMS = 8 };

static const char *index_type(struct codegen *c, node_id id, value_id v)
{
	enum dtype t = graph_value(c->g, v)->dtype;

	if (t == DTYPE_I64)
		return "long";
	if (t == DTYPE_I32)
		return "int";
	codegen_refuse(c, id, "indices of type %s are not supported", dtype_name(t));
	return NULL;
}

/* An index into nothing is not clamped into something. */
static bool check_axis(struct codegen *c, node_id id, int64_t n)
{
	return n > 0 || codegen_refuse(c, id, "there is nothing to choose from along its axis");
}

/* A constant table may be stored in fewer bits than its elements have when chosen. */
static bool define_table(struct build *b, enum dtype t, enum dtype stored)
{
	if (t == stored)
		return build_element(b, t);
	build_define(b, "VECTOR", 1);
	build_define_text(b, "TYPE", "%s", expr_storage(stored));
	build_define_text(b, "LOAD(p, i)", "%s", expr_load(b->c->arena, stored, "(p)", "(i)"));
	return true;
}

static bool gather(struct codegen *c, node_id id, const char *index)
{
	const struct node *n = graph_node(c->g, id);
	const struct value *x = graph_value(c->g, n->in[0]);
	uint32_t axis = (uint32_t)node_int(n, ATTR_axis, 0);
	enum dtype stored = x->dtype == DTYPE_F32 && value_is_const(c, n->in[0]) ? codegen_storage(c, n->in[0]) :
											   x->dtype;
	int64_t count = value_elements(c, n->in[1]), inner = 1, outer = 1, total, block, width;
	struct build b;

	for (uint32_t i = 0; i < x->shape.rank; i++) {
		outer *= i < axis ? x->shape.dim[i] : 1;
		inner *= i > axis ? x->shape.dim[i] : 1;
	}
	total = outer * count;
	width = inner == 1 ? 1 : output_width(c, n, inner);
	block = rows_per_item(total, inner);
	build_begin(&b, c, id, "gather");
	build_define_text(&b, "INDEX", "%s", index);
	if (!define_table(&b, x->dtype, stored))
		return false;
	if (inner == 1)
		build_define_text(&b, "SINGLE", "1");
	if (!build_rows(&b, x->dtype, inner))
		return false;
	if (value_is_const(c, n->in[0]))
		build_weight(&b, codegen_weight(c, n->in[0], (struct packing){ .kind = PACK_DENSE, .dtype = stored }), false);
	else
		build_value(&b, n->in[0]);
	build_value(&b, n->in[1]);
	build_i32(&b, x->shape.dim[axis]);
	build_i32(&b, inner);
	build_i32(&b, count);
	build_i32(&b, total);
	build_i32(&b, block);
	build_i32(&b, inner / width);
	build_out(&b);
	return build_launch(&b, ceil_div(total, block), 1, 1);
}

static bool gather_elements(struct codegen *c, node_id id, const char *index)
{
	const struct node *n = graph_node(c->g, id);
	const struct value *x = graph_value(c->g, n->in[0]);
	const struct shape *s = value_shape(c, n->in[1]);
	uint32_t axis = (uint32_t)node_int(n, ATTR_axis, 0), rank = x->shape.rank;
	int64_t total = shape_elements(s), block = rows_per_item(total, 1), stride[MAX_RANK], step = 1;
	struct build b;

	for (uint32_t i = rank; i-- > 0; step *= x->shape.dim[i])
		stride[i] = step;
	build_begin(&b, c, id, "gather_elements");
	build_define_text(&b, "INDEX", "%s", index);
	build_define_dims(&b, "", rank, "ds");
	if (!build_element(&b, x->dtype) || !build_rows(&b, x->dtype, 1))
		return false;
	build_value(&b, n->in[0]);
	build_value(&b, n->in[1]);
	build_i32(&b, x->shape.dim[axis]);
	build_i32(&b, stride[axis]);
	build_i32(&b, total);
	build_i32(&b, block);
	for (uint32_t i = rank; i-- > 0;) {
		build_i32(&b, s->dim[i]);
		build_i32(&b, i == axis ? 0 : stride[i]);
	}
	build_out(&b);
	return build_launch(&b, ceil_div(total, block), 1, 1);
}

bool select_gather(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *x = value_shape(c, n->in[0]);
	const char *index = index_type(c, id, n->in[1]);

	if (!index || !check_axis(c, id, x->dim[node_int(n, ATTR_axis, 0)]))
		return false;
	if (c->g->tables_in_memory && node_shares_table(c->g, n))
		return select_gather_panels(c, id, index);
	if (n->op == OP_gather && x->rank == 2 && node_int(n, ATTR_axis, 0) == 0 && codegen_quant(c, n->in[0], 0, 1) &&
	    graph_value(c->g, n->in[0])->dtype == DTYPE_F32)
		return select_gather_quant(c, id, index);
	return n->op == OP_gather ? gather(c, id, index) : gather_elements(c, id, index);
}
