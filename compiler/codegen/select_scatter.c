/* SPDX-License-Identifier: Apache-2.0 */
/* select_scatter.c - writing rows where indices say, and the k best of a row. */
#include "config.h"

#include "codegen/codegen.h"

/* As many ranges of rows as there may be cores: each goes through all indices. */
enum { MOST_RANGES = 8, LEAST_ELEMENTS = 4096 };

bool select_scatter(struct codegen *c, node_id id)
{
	static const char *const combine[] = { "(b)", "(a) + (b)", "(a) * (b)", "min((CTYPE)(a), (CTYPE)(b))",
					       "max((CTYPE)(a), (CTYPE)(b))" };
	const struct node *n = graph_node(c->g, id);
	const struct value *x = graph_value(c->g, n->in[0]);
	enum dtype index = graph_value(c->g, n->in[1])->dtype;
	int64_t rows = x->shape.dim[0], width = x->shape.dim[1], ranges = MOST_RANGES, block;
	struct build b;

	while (ranges > 1 && rows * width / ranges < LEAST_ELEMENTS)
		ranges /= 2;
	block = ceil_div(rows, ranges);
	build_begin(&b, c, id, "scatter");
	b.in_place = false;
	if (!build_element(&b, x->dtype))
		return false;
	build_define_text(&b, "STORE(p, i, v)", "%s", expr_store(c->arena, x->dtype, "(p)", "(i)", "(v)"));
	build_define_text(&b, "COMBINE(a, b)", "%s", combine[node_int(n, ATTR_mode, SCATTER_SET)]);
	build_define_text(&b, "INDEX", "%s", index == DTYPE_I64 ? "long" : "int");
	build_value(&b, n->in[0]);
	build_value(&b, n->in[1]);
	build_value(&b, n->in[2]);
	build_value(&b, n->out[0]);
	build_i32(&b, rows);
	build_i32(&b, width);
	build_i32(&b, value_elements(c, n->in[1]));
	build_i32(&b, block);
	return build_launch(&b, block ? ceil_div(rows, block) : 1, 1, 1);
}

bool select_top_k(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct value *x = graph_value(c->g, n->in[0]);
	const struct shape *out = value_shape(c, n->out[0]);
	int64_t size = x->shape.dim[x->shape.rank - 1], k = out->dim[out->rank - 1];
	struct build b;

	if (!k || !shape_elements(out))
		return codegen_refuse(c, id, "it is to choose nothing");
	build_begin(&b, c, id, "top_k");
	b.in_place = false;
	build_define(&b, "MAX", node_int(n, ATTR_mode, 1) != 0);
	if (!build_element(&b, x->dtype))
		return false;
	build_value(&b, n->in[0]);
	build_value(&b, n->out[0]);
	build_i32(&b, size);
	build_i32(&b, k);
	build_flops(&b, (uint64_t)shape_elements(&x->shape));
	return build_launch(&b, shape_elements(out) / k, 1, 1);
}
