/* SPDX-License-Identifier: Apache-2.0 */
/* declared.h - a quantize block applied to its model's graph. */
#ifndef EDGE_QUANT_DECLARED_H
#define EDGE_QUANT_DECLARED_H

#include "dsl.h"
#include "quant/quant.h"

bool quant_declared(struct arena *a, struct graph *g, const struct decl_quantize *q, struct diag *d);

#endif
