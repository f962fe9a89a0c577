/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pass.h - whole-graph transformations. Each returns true if it changed
 * something; the manager verifies after each one (always in debug builds,
 * and when EDGEC_DEBUG contains "verify").
 */
#ifndef EDGE_PASS_H
#define EDGE_PASS_H

#include "ir/graph.h"

struct pass_options {
	const char *print_after; /* pass name, "all" or NULL */
	const char *stop_after;
	bool time;  /* print ms of each pass to stderr */
	bool roundtrip; /* print and re-read between passes */
};

bool pass_fold(struct graph *g, struct diag *d);     /* constants computed by kernels/ref */
bool pass_simplify(struct graph *g, struct diag *d); /* algebra, no-op removal, pattern recognition (GELU, LayerNorm, silu, hard_swish ...) */
bool pass_batchnorm(struct graph *g, struct diag *d); /* conv/matmul followed by per-channel mul/add: into weight scale and bias */
bool pass_layout(struct graph *g, struct diag *d);   /* sinks and cancels transposes */
bool pass_fuse(struct graph *g, struct diag *d);     /* elementwise chains into producers; the rest into map */
bool pass_dead(struct graph *g, struct diag *d);
bool pass_widen(struct graph *g, struct diag *d);    /* f16 and bf16 are computed as f32 */

/* One pass by its name ("fold"); false: there is none. */
bool pass_run(const char *name, struct graph *g, struct diag *d, bool *changed);

/* All of them in order, to a fixed point where useful. False: an error was said. */
bool passes_run(struct graph *g, struct diag *d, const struct pass_options *opt);

#endif
