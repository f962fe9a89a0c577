/* SPDX-License-Identifier: Apache-2.0 */
/* activations.h - whether products with weights in few bits are products of integers. */
#ifndef EDGE_ACTIVATIONS_H
#define EDGE_ACTIVATIONS_H

#include "ir/graph.h"
#include "target/target.h"

enum activations {
	ACTIVATIONS_AUTO, /* in language models, large products, on processors that gain by it */
	ACTIVATIONS_F32,
	ACTIVATIONS_INT8  /* all products with such weights */
};

/* Of a graph on which all passes have run and whose weights are in their final format. False: said why. d NULL: where there is anything to do. */
bool activations_quantize(struct graph *g, enum activations mode, const struct target *t, struct span span, struct diag *d);
bool activations_pay(const struct target *t); /* whether its processor gains by it */
/* Convolutions among them: how many became convolutions of codes. */
uint32_t activations_take_images(struct graph *g);
/* Tables of tokens of a language model stay in the format of their source. At the same time. */
void tables_as_stored(struct graph *g);

#endif
