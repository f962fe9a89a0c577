/* SPDX-License-Identifier: Apache-2.0 */
/* select_winograd.h - convolutions 3x3 of stride 1 by fewer products, for select_conv.c. */
#ifndef EDGE_SELECT_WINOGRAD_H
#define EDGE_SELECT_WINOGRAD_H

#include "codegen/codegen.h"
#include "codegen/window.h"

/* Whether this plain convolution is one, and faster so; quant: its weights are in few bits. */
bool winograd_pays(const struct codegen *c, const struct window *w, int64_t outputs, bool quant);
bool select_winograd(struct codegen *c, node_id id, const struct node *n, const struct window *w, int64_t outputs);

#endif
