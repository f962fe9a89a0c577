/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - shared by layout.c and layout_reshape.c. */
#ifndef EDGE_PASS_LAYOUT_H
#define EDGE_PASS_LAYOUT_H

#include "pass/rewrite.h"

/* A value that is transpose(source, perm). */
struct layout {
	value_id source;
	uint32_t rank;
	int64_t perm[MAX_RANK];
};

/* The transpose that gives v, or NULL. */
const struct node *layout_transposed(struct rewrite *rw, value_id v, struct layout *l);

/* reshape(T(x)) -> T'(reshape(x)), where the axes that are joined lie together in x */
bool layout_sink_reshape(struct rewrite *rw, node_id id);

bool layout_flatten_matmul(struct rewrite *rw, node_id id);

/* What the transposes that are left cost: bytes of their results. */
int64_t layout_bytes_moved(const struct graph *g);

#endif
