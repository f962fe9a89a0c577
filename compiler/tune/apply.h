/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply.h - knobs become decisions of the compiler.
 *
 *	format.CLASS, format:TENSOR   f32 f16 bf16 q8 q6 q5 q4 q3
 *	group.CLASS, group:TENSOR     32 64 128
 *	kind.CLASS, kind:TENSOR       symmetric asymmetric
 *	method                        rtn weighted gptq learned
 *	rate, iterations, clip, damping   of the methods that learn: numbers
 *	tile.ROWSxCOLUMNS             HEIGHTxWIDTH
 *	threads                       N
 *	activations                   auto f32 q8: of products with weights in few bits
 *	backend                       native opencl
 *	cpu                           x86-64-v3 x86-64-v4 aarch64: code for that one alone
 *	stream                        0..100: budget between the smallest (0) and all resident (100)
 *
 * CLASS is one of tensors.h, or "all". The first setting of a knob counts, so
 * the command line is put before the lock file.
 */
#ifndef EDGE_TUNE_APPLY_H
#define EDGE_TUNE_APPLY_H

#include "target/tuning.h"
#include "tune/lock.h"

struct tuned {
	struct knob_values knobs;
	struct tuning tuning;
	int stream; /* percent; -1: not set */
	int activations; /* enum activations; -1: not set */
};

/* Checks and takes all knobs; target is changed. False: said which is wrong. */
bool tuned_apply(struct arena *a, struct diag *d, struct tuned *t, struct target *target);
/* After the passes: stores the graph's weights as the knobs say. */
bool tuned_formats(struct arena *a, struct diag *d, const struct tuned *t, const char *calibrate, struct graph *g);
/* The table of the target's class; never NULL. */
const struct tuning *tuning_table(struct arena *a, struct diag *d, const struct target *t);

#endif
