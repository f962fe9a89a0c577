/* SPDX-License-Identifier: Apache-2.0 */
/* dead.c - nodes that no output needs. Marks from the outputs up, so cycles of uses cannot hide
 * any. */
#include "config.h"

#include "pass/pass.h"

bool pass_dead(struct graph *g, struct diag *d)
{
	struct arena tmp = { 0 };
	bool *alive = arena_new_array(&tmp, bool, g->nodes.len), any = false;
	node_id *stack = arena_new_array(&tmp, node_id, g->nodes.len);
	uint32_t depth = 0;

	(void)d;
	for (uint32_t i = 0; i < g->outputs.len; i++) {
		const struct value *v = graph_value(g, g->outputs.data[i]);

		if (v->kind == VALUE_NODE && !alive[v->producer]) {
			alive[v->producer] = true;
			stack[depth++] = v->producer;
		}
	}
	while (depth) {
		const struct node *n = graph_node(g, stack[--depth]);

		for (uint32_t k = 0; k < n->in_count; k++) {
			const struct value *v = n->in[k] == NO_ID ? NULL : graph_value(g, n->in[k]);

			if (v && v->kind == VALUE_NODE && !alive[v->producer]) {
				alive[v->producer] = true;
				stack[depth++] = v->producer;
			}
		}
	}
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		any |= !alive[i];
		g->nodes.data[i].dead |= !alive[i];
	}
	arena_release(&tmp);
	if (any)
		graph_compact(g);
	return any;
}
