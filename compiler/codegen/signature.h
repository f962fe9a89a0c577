/* SPDX-License-Identifier: Apache-2.0 */
/* signature.h - parameters of a kernel from its text, where there is no libclang. */
#ifndef EDGE_CODEGEN_SIGNATURE_H
#define EDGE_CODEGEN_SIGNATURE_H

#include "codegen/kernel_set.h"

/* Fills k->param and k->param_count; false: the text is not as expected. */
bool signature_read(struct arena *a, struct kernel *k);

#endif
