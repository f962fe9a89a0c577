/* SPDX-License-Identifier: Apache-2.0 */
/* shape.h - what shape.c and shape_heavy.c share; for these two only. */
#ifndef EDGE_IR_SHAPE_H
#define EDGE_IR_SHAPE_H

#include "ir/graph.h"

struct inference {
	const struct graph *g;
	const struct node *n;
	struct diag *d;
	enum dtype *dtype; /* of the outputs: the results */
	struct shape *shape;
};

/* Says why with the types of all inputs as notes; gives false. */
bool infer_fail(const struct inference *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* NULL: left out. */
const struct value *infer_input(const struct inference *c, uint32_t i);
/* A list of exactly count integers; NULL: said why. */
const int64_t *infer_list(const struct inference *c, enum attr_key k, uint32_t count);
bool infer_axis(const struct inference *c, uint32_t rank, uint32_t *axis);

/* Attributes are among those allowed, each once and of its kind. */
bool infer_attrs(const struct inference *c);
bool infer_heavy(struct inference *c);
bool infer_along_axes(struct inference *c);
bool infer_language(struct inference *c); /* shape_language.c */
bool infer_view(struct inference *c);	   /* shape_view.c */
bool infer_rows(struct inference *c);	   /* shape_rows.c */
bool infer_image(struct inference *c);	   /* shape_image.c */
/* The shape of a convolution of an image of shape x, from the node's attributes and weights. */
bool infer_convolution(struct inference *c, const struct shape *x, bool transposed);
bool infer_stored(struct inference *c);

/* What an attribute's value has to be. */
enum attr_kind attr_key_kind(enum attr_key k);

#endif
