/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplify.c - the walk over all rules, repeated until nothing changes.
 *
 * Each round is linear in the size of the graph. Rounds are few: a rule sees
 * its inputs already simplified, only what a rule creates waits for the next.
 */
#include "config.h"

#include "pass/pass.h"
#include "pass/simplify.h"

enum { MAX_ROUNDS = 12 };

bool simplify_with_scalar(struct rewrite *rw, value_id v, enum op op, value_id *other, double *x)
{
	const struct node *n = rewrite_producer_op(rw, v, op);

	if (!n)
		return false;
	if (rewrite_scalar(rw, n->in[1], x)) {
		*other = n->in[0];
	} else if ((op == OP_add || op == OP_mul) && rewrite_scalar(rw, n->in[0], x)) {
		*other = n->in[1];
	} else {
		return false;
	}
	return shape_equal(shape_of_value(rw->g, *other), shape_of_value(rw->g, v));
}

static void simplify_node(struct rewrite *rw, node_id id)
{
	const struct node *n = rewrite_visit(rw, id);

	if (n->dead || n->epilogue_count)
		return;
	switch (op_class(n->op)) {
	case OP_UNARY:
	case OP_BINARY:
	case OP_TERNARY:
		if (simplify_skip_expand(rw, id) || simplify_algebra(rw, id) ||
		    simplify_activation(rw, id) || simplify_norm(rw, id))
			return;
		simplify_sink_reshape(rw, id);
		break;
	case OP_VIEW:
		if (!simplify_group(rw, id) && !simplify_mix(rw, id))
			simplify_view(rw, id);
		break;
	case OP_HEAVY:
		simplify_heavy(rw, id);
		break;
	case OP_REDUCE:
		if (!simplify_heavy(rw, id))
			simplify_norm(rw, id);
		break;
	default:
		break;
	}
}

bool pass_simplify(struct graph *g, struct diag *d)
{
	bool any = false;

	for (int round = 0; round < MAX_ROUNDS; round++) {
		struct rewrite rw;
		uint32_t count = g->nodes.len;

		rewrite_begin(&rw, g, d);
		for (uint32_t i = 0; i < count; i++)
			simplify_node(&rw, i);
		simplify_common(&rw);
		if (!rewrite_end(&rw))
			break;
		any = true;
	}
	return any;
}
