/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplify.h - the rules of pass_simplify.
 *
 * A rule looks at one node whose inputs are settled. It returns true when it
 * replaced or changed the node; then the walk goes on to the next one, and the
 * pass runs again later. A rule must bring the graph nearer to a form that no
 * rule changes.
 */
#ifndef EDGE_PASS_SIMPLIFY_H
#define EDGE_PASS_SIMPLIFY_H

#include "pass/rewrite.h"

/* simplify_move.c: views and copies */
bool simplify_view(struct rewrite *rw, node_id id);
/* Elementwise operations and the views before them. */
bool simplify_sink_reshape(struct rewrite *rw, node_id id);
bool simplify_skip_expand(struct rewrite *rw, node_id id);

/* simplify_algebra.c */
bool simplify_algebra(struct rewrite *rw, node_id id);
/* simplify_activation.c: functions that were spelt out */
bool simplify_activation(struct rewrite *rw, node_id id);
/* simplify_norm.c: normalisations and softmax that were spelt out */
bool simplify_norm(struct rewrite *rw, node_id id);
bool simplify_mix(struct rewrite *rw, node_id id);
/* simplify_group.c: group normalisation through an instance norm */
bool simplify_group(struct rewrite *rw, node_id id);
/* simplify_heavy.c: operands of dense arithmetic and pooling */
bool simplify_heavy(struct rewrite *rw, node_id id);

/* cse.c: the same computation is done once */
bool simplify_common(struct rewrite *rw);

/* v = op(other, scalar constant), either way round where the operation commutes. */
bool simplify_with_scalar(struct rewrite *rw, value_id v, enum op op, value_id *other, double *x);

#endif
