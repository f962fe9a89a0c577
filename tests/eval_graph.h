/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval_graph.h - run a graph with the plain-C references, for tests.
 *
 * inputs[i] holds the elements of g->inputs[i]; outputs[i] has room for those
 * of g->outputs[i]. Epilogues, maps and views are understood, so a graph can be
 * run before and after any pass. False: a node could not be computed (printed
 * as a TAP comment).
 */
#ifndef EDGE_TESTS_EVAL_GRAPH_H
#define EDGE_TESTS_EVAL_GRAPH_H

#include "ir/graph.h"

bool eval_graph(const struct graph *g, const void *const *inputs, void **outputs);

/* Bytes of a value, dense. */
size_t eval_bytes(const struct graph *g, value_id v);

#endif
