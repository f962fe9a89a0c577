/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.h - how an element of the result finds its operand's element.
 *
 * For every axis of the operand: index = offset + times * (index of the result
 * along axis `from`). Broadcasting, transposes, slices and expansions are all
 * of this form, and so is one after the other.
 */
#ifndef EDGE_PASS_ACCESS_H
#define EDGE_PASS_ACCESS_H

#include "ir/graph.h"

struct access {
	int64_t offset[MAX_RANK];
	int64_t times[MAX_RANK];
	int64_t from[MAX_RANK]; /* -1: the index does not depend on the result's */
};

struct access access_identity(const struct shape *s);
/* From the access of an elementwise node's output to that of its operand. */
struct access access_broadcast(const struct access *out, const struct shape *out_shape,
			       const struct shape *in);
/* From the access of a view's output to that of its input; false: not of this form. */
bool access_through(const struct graph *g, const struct node *view, const struct access *out,
		    struct access *in);
bool access_equal(const struct access *a, const struct access *b, uint32_t rank);
/* The same as broadcasting the operand to the result? */
bool access_is_plain(const struct access *a, const struct shape *operand,
		     const struct shape *result);
struct view access_view(const struct access *a, const struct shape *operand);

#endif
