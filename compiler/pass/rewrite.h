/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite.h - what the passes share: a linear walk with replacement.
 *
 * A pass visits the nodes in order. Where it wants another value in place of
 * one, it says so with rewrite_replace(); uses are not searched: each node
 * looks its inputs up when its turn comes (rewrite_visit), so n replacements
 * cost n steps. New nodes are appended; rewrite_end() settles all inputs, and
 * sorts. Use counts are kept exact on the way, so "has one use" can be asked
 * at any time.
 */
#ifndef EDGE_PASS_REWRITE_H
#define EDGE_PASS_REWRITE_H

#include "ir/graph.h"

struct known_scalar {
	uint8_t state; /* 0: not asked yet, 1: no scalar constant, 2: is */
	double x;
};

struct rewrite {
	struct graph *g;
	struct diag *d;
	struct arena tmp; /* lives as long as the pass */
	VEC(uint32_t) uses;
	VEC(value_id) forward; /* NO_ID: stands for itself */
	VEC(struct known_scalar) scalar;
	uint8_t *rounded;     /* of the first `rounded_len` values; NULL: not asked yet */
	uint32_t rounded_len;
	VEC(value_id) turned; /* layout.c: a transpose of each value, or NO_ID */
	bool changed;
};

void rewrite_begin(struct rewrite *rw, struct graph *g, struct diag *d);
/* True if anything was changed. */
bool rewrite_end(struct rewrite *rw);

/* What stands for v now. */
value_id rewrite_value(struct rewrite *rw, value_id v);
/* Settles the inputs of a node; call before looking at it. */
struct node *rewrite_visit(struct rewrite *rw, node_id n);

/*
 * A new node, or NO_ID where the inputs do not go together (nothing is said: a
 * pass tries). Span and name are those of `like`.
 */
value_id rewrite_op(struct rewrite *rw, enum op op, const value_id *in, uint32_t in_count,
		    const struct attr *attr, uint32_t attr_count, node_id like);
value_id rewrite_reshape(struct rewrite *rw, value_id v, const struct shape *to, node_id like);
value_id rewrite_transpose(struct rewrite *rw, value_id v, const int64_t *perm, node_id like);
/* From now on `to` is used instead of `from`; nodes that nothing uses any more die. */
void rewrite_replace(struct rewrite *rw, value_id from, value_id to);
/*
 * The node's only output is replaced by v, where that is of the same type; else
 * v, if nothing uses it, is thrown away again. False for NO_ID.
 */
bool rewrite_become(struct rewrite *rw, node_id n, value_id v);
/* Input k of a node becomes v. */
void rewrite_set_input(struct rewrite *rw, node_id n, uint32_t k, value_id v);
/* One use of v is gone; what nothing uses dies, and so on upwards. */
void rewrite_release(struct rewrite *rw, value_id v);
/* To be called for values that were added without rewrite_op. */
void rewrite_track(struct rewrite *rw);

uint32_t rewrite_uses(const struct rewrite *rw, value_id v);
/* The living node that gives v (settled), or NULL: an input or a constant. */
struct node *rewrite_producer(const struct rewrite *rw, value_id v);
/* The same if it is this operation, without epilogue. */
struct node *rewrite_producer_op(const struct rewrite *rw, value_id v, enum op op);
/*
 * It becomes whole numbers next, whatever moves its elements before: what is equal but for rounding is not
 * equal then. Of values that were there when the pass began.
 */
bool rewrite_is_rounded(struct rewrite *rw, value_id v);
/* A constant of one element of a number type. */
bool rewrite_scalar(struct rewrite *rw, value_id v, double *x);

static inline const struct shape *shape_of_value(const struct graph *g, value_id v)
{
	return &g->values.data[v].shape;
}

/* constant.c: recipes for changed constants, without reading their elements. NO_ID: cannot. */
value_id constant_reshape(struct graph *g, value_id v, const struct shape *to);
value_id constant_transpose(struct graph *g, value_id v, const int64_t *perm);
/* times scale[i] along an axis; scale is copied. f32 only. */
value_id constant_scale(struct graph *g, value_id v, uint32_t axis, const float *scale);

/* Does a permutation leave the order of all axes longer than one as it is? Then it moves nothing.
 */
bool perm_moves_nothing(const struct shape *s, const int64_t *perm);

#endif
