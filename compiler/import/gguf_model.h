/* SPDX-License-Identifier: Apache-2.0 */
/* gguf_model.h - between gguf_config.c (numbers) and gguf_model.c (the graph). */
#ifndef EDGE_IMPORT_GGUF_MODEL_H
#define EDGE_IMPORT_GGUF_MODEL_H

#include "import/gguf.h"

/* How architectures differ that are otherwise alike. */
struct architecture {
	const char *name;
	bool halves;           /* rotary pairs are half a head apart; else neighbours */
	bool scaled_embedding; /* times the square root of the width */
	bool gelu;             /* in place of silu */
	int windows;           /* layers see only a window, but for every so manieth; 0: all see everything */
	int64_t window;        /* of these and the caps of logits, where a file says nothing; 0: no window */
	double attention_cap, output_cap;
	double window_base;    /* layers with a window turn by a base of their own, unscaled; 0: as the others */
	int wide;              /* a model of so many layers scales attention by its width */
};

struct model_config {
	const struct architecture *arch;
	int64_t context, width, layers, heads, kv_heads, head, hidden, rotary, window, windows;
	double eps, base, window_base, attention_scale, attention_cap, output_cap;
	enum { ROPE_PLAIN, ROPE_LINEAR, ROPE_YARN } scaling;
	double scaling_factor, train_context, attention_factor, yarn_fast, yarn_slow;
};

bool model_config(struct gguf *g, struct model_config *m);

/*
 * gguf_rope.c: turns[2][rotary / 2] as rope_angles wants them, and the factor of cosines and sines.
 * window: of layers with a window, where these have a base of their own.
 */
bool model_turns(struct gguf *g, const struct model_config *m, bool window, float *turns, double *scale);

#endif
