/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - layout.c and layout_reshape.c, and what others ask them. */
#ifndef EDGE_PASS_LAYOUT_H
#define EDGE_PASS_LAYOUT_H

#include "pass/rewrite.h"

/* A value that is transpose(source, perm). */
struct layout {
	value_id source;
	uint32_t rank;
	int64_t perm[MAX_RANK];
};

/* The smallest runs of axes of two shapes with the same product: see layout_reshape.c. */
struct group {
	uint32_t in, in_count;	 /* axes of the first shape */
	uint32_t out, out_count; /* and of the second */
	int64_t place; /* least place in a transpose's source of an axis longer than one */
};

/* At most 2 * MAX_RANK. Both shapes have the same number of elements, and it is not zero. */
uint32_t shape_groups(const struct shape *from, const struct shape *to, struct group *group);

/* The transpose that gives v, or NULL. */
const struct node *layout_transposed(struct rewrite *rw, value_id v, struct layout *l);

/* reshape(T(x)) -> T'(reshape(x)), where the axes that are joined lie together in x */
bool layout_sink_reshape(struct rewrite *rw, node_id id);

bool layout_flatten_matmul(struct rewrite *rw, node_id id);

#endif
