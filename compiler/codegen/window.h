/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - a window sliding over one to three spatial dims, as z, y, x; unused dims are 1. */
#ifndef EDGE_CODEGEN_WINDOW_H
#define EDGE_CODEGEN_WINDOW_H

#include "codegen/codegen.h"

struct window {
	uint32_t dims;
	int64_t images, channels; /* of the input */
	int64_t in[3], out[3], kernel[3], stride[3], dilation[3], begin[3], end[3];
};

/* From the node's attributes and shapes; the kernel is that of weights w, or of the attribute where w is NULL. */
struct window window_read(const struct codegen *c, const struct node *n, const struct shape *w);
/* The same of an input of shape x and an output of shape o. */
struct window window_of(const struct node *n, const struct shape *x, const struct shape *o, const struct shape *w);
/* "3x3 s2" */
const char *window_text(struct codegen *c, const struct window *w);
/* Three int arguments, z first. */
void window_args(struct build *b, const int64_t v[3]);
/* Eighteen: in, out, kernel, stride, dilation, begin. */
void window_all_args(struct build *b, const struct window *w);

#endif
