/* SPDX-License-Identifier: Apache-2.0 */
/* fuse.h - fragments of elementwise operations: fragment.c grows one, fuse.c decides where. */
#ifndef EDGE_PASS_FUSE_H
#define EDGE_PASS_FUSE_H

#include "pass/access.h"
#include "pass/rewrite.h"

enum { MAX_STEPS = 32, MAX_EPILOGUE_INPUTS = 12 };

/* A value that the fragment computes or reads. */
struct entry {
	value_id v;
	struct access access;
	uint32_t seen;	 /* uses by what the fragment has swallowed */
	bool is_step;	 /* its node is part of the fragment */
	bool settled;	 /* it was asked, and stays an input */
	uint32_t number; /* register or input, when written out */
};

/*
 * The nodes that lead to `root`, as far up as they are elementwise and used by
 * nothing else. With a result (the output of the node that is to take the
 * fragment as its epilogue) all is f32, nothing is read through views, and the
 * fragment stops at the result.
 */
struct fragment {
	struct rewrite *rw;
	value_id root, result;
	bool moves_only; /* the root is a view, and no step is wanted */
	struct shape shape;
	VEC(struct entry) entries;
	uint32_t steps, views; /* swallowed; reshapes do not count */
};

/* False: nothing was swallowed; or, with a result, which the fragment does not reach in the right
 * way. */
bool fragment_grow(struct fragment *f);
/* Makes the fragment the epilogue of n, which has its own inputs only, and whose output root
 * becomes. */
void fragment_write(struct fragment *f, node_id n);
/* The same for a fragment of moves only: n copies what the root would be. */
void fragment_write_move(struct fragment *f, node_id n);

#endif
