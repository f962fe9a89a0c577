/* SPDX-License-Identifier: Apache-2.0 */
/* heads.h - where attention, and products of two activations, find the rows of their heads; see heads.c. */
#ifndef EDGE_CODEGEN_HEADS_H
#define EDGE_CODEGEN_HEADS_H

#include "codegen/codegen.h"

/* Element l of row r of batch b is of[at + b / heads * outer + b % heads * head + r * row + l]. */
struct heads_at {
	value_id of;
	int64_t at, row, head, outer;
};

/* Of one attention, or of a product of two activations. */
struct heads {
	struct heads_at in[3]; /* queries, keys, values; of a product its two operands */
	bool beside;	       /* the result has heads side by side, too */
};

struct heads_at heads_dense(const struct codegen *c, value_id v);
/* False: v is made, and read as it lies. Otherwise v need not be made, and h is where its rows are. */
bool heads_operand(const struct codegen *c, const uint32_t *uses, value_id v, struct heads_at *h);
/* The transposed result, which nobody need make if the kernel writes it; NO_ID: there is none. */
value_id heads_result(const struct codegen *c, const uint32_t *uses, node_id id);

#endif
