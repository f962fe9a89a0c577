/* SPDX-License-Identifier: Apache-2.0 */
/* quantize.h - what the settings of a quantize block mean. */
#ifndef EDGE_DSL_QUANTIZE_H
#define EDGE_DSL_QUANTIZE_H

#include "dsl.h"
#include "setting.h"

/* One matched setting. */
void quantize_setting(struct arena *a, struct diag *d, struct decl_quantize *out, const struct setting *m, struct span at);
void quantize_check(struct diag *d, struct decl_quantize *out);

#endif
