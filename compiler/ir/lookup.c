/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup.c - choosing a few rows of a large constant, as embeddings do.
 *
 * Such a table needs no memory: the rows that the indices name are read from
 * the plan when they are known. Passes leave these nodes as they are, and code
 * generation makes no kernel for them.
 */
#include "config.h"

#include "ir/graph.h"

enum {
	LEAST_TABLE = 1 << 20, /* bytes; a smaller one is read whole in less time */
	MOST_ROW = 1 << 18,
	SPARSE = 8 /* at most one row in so many is looked up */
};

bool node_shares_table(const struct graph *g, const struct node *n)
{
	if (n->op != OP_gather || n->dead || node_int(n, ATTR_axis, 0) != 0 || graph_value(g, n->in[0])->kind != VALUE_CONST)
		return false;
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *by = graph_node(g, i);

		if (!by->dead && (by->op == OP_matmul || by->op == OP_matmul_rows) && by->in[1] == n->in[0] &&
		    node_int(by, ATTR_trans_b, 0))
			return true;
	}
	return false;
}

bool node_is_lookup(const struct graph *g, const struct node *n)
{
	const struct value *table, *index;
	int64_t rows, count, elements;

	if (n->op != OP_gather || n->dead || n->epilogue_count || node_int(n, ATTR_axis, 0) != 0)
		return false;
	table = graph_value(g, n->in[0]);
	index = graph_value(g, n->in[1]);
	if (table->kind != VALUE_CONST || index->kind == VALUE_CONST || table->dtype != DTYPE_F32 ||
	    !table->shape.rank || (index->dtype != DTYPE_I64 && index->dtype != DTYPE_I32))
		return false;
	rows = table->shape.dim[0];
	elements = shape_elements(&table->shape);
	count = shape_elements(&index->shape);
	if (rows < 1 || count < 1 || elements < 1)
		return false;
	if (g->tables_in_memory && node_shares_table(g, n))
		return false;
	if (g->language)
		return elements / rows <= MOST_ROW / 4;
	return elements >= LEAST_TABLE / 4 && elements / rows <= MOST_ROW / 4 && count <= rows / SPARSE;
}
