/* SPDX-License-Identifier: Apache-2.0 */
/* formats.h - how each weight of a graph is stored, as knobs say it. */
#ifndef EDGE_TUNE_FORMATS_H
#define EDGE_TUNE_FORMATS_H

#include "tune/lock.h"
#include "tune/tensors.h"

/* NULL: fine; "": no such knob; else what it expects. */
const char *format_knob_check(const char *name, const char *value);
/* The knob's value for a tensor: by its name, its class, or "all"; NULL: not set. */
const char *format_knob(const struct knob_values *knobs, const char *knob, const struct tensor *t);
/* After the passes. calibrate: a .npy for the methods that want inputs, or NULL. False: said why. */
bool formats_apply(struct arena *a, struct diag *d, const struct knob_values *knobs, const char *calibrate,
		   struct graph *g);

#endif
