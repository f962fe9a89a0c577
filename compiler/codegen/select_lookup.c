/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_lookup.c - rows of a large constant, read when their numbers are known.
 *
 * The launch has no kernel: the runtime reads the indices (argument 0) and
 * brings the rows from the plan file into the output (argument 1).
 */
#include "config.h"

#include "codegen/codegen.h"

bool select_lookup(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s;
	struct row_lookup *r;
	struct launch l = { .kernel = NO_ID, .split_dim = -1, .node = id, .in_place_of = NO_ID,
			    .global = { 1, 1, 1 }, .arg_count = 2 };

	if (!node_is_lookup(c->g, n))
		return select_gather(c, id);
	s = value_shape(c, n->in[0]);
	r = arena_new(c->arena, struct row_lookup);
	r->weight = codegen_weight(c, n->in[0], (struct packing){ .kind = PACK_DENSE, .dtype = DTYPE_F32 });
	r->rows = (uint64_t)s->dim[0];
	r->row_bytes = c->ks->weights.data[r->weight].bytes / r->rows;
	r->count = (uint64_t)value_elements(c, n->in[1]);
	r->index_dtype = graph_value(c->g, n->in[1])->dtype;
	l.lookup = r;
	l.arg = arena_new_array(c->arena, struct kernel_arg, 2);
	l.arg[0] = (struct kernel_arg){ .kind = ARG_VALUE, .id = n->in[1] };
	l.arg[1] = (struct kernel_arg){ .kind = ARG_VALUE, .id = n->out[0], .written = true };
	l.what = arena_printf(c->arena, "lookup of %llu of %llu rows", (unsigned long long)r->count,
			      (unsigned long long)r->rows);
	l.bytes = 2 * r->count * r->row_bytes;
	vec_push(c->arena, &c->ks->launches, l);
	return true;
}
