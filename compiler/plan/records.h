/* SPDX-License-Identifier: Apache-2.0 */
/* records.h - what all kinds of plans have in common: records, strings stored once, kernels. */
#ifndef EDGE_PLAN_RECORDS_H
#define EDGE_PLAN_RECORDS_H

#include "plan/sections.h"

#include "base/map.h"
#include "codegen/kernel_set.h"

struct records {
	struct arena *a;
	struct sections *x;
	struct map strings;
	struct diag *d;
};

struct plan_kernel {
	const struct kernel *k;
	uint32_t program;
};

struct plan_program {
	const char *prelude, *options;
};

/* Empty sections of all kinds, and the empty string. */
void records_begin(struct records *r, struct arena *a, struct sections *x, struct diag *d);
void records_put(struct records *r, enum section_index i, const void *record);
/* Its place in the strings; the text must be UTF-8. */
uint32_t records_string(struct records *r, const char *s);
/* Names come from files: what is not UTF-8 is replaced byte by byte. */
const char *records_clean(struct records *r, const char *s);
/* Programs, kernels and parameters; source, or machine code for a native target. */
bool records_kernels(struct records *r, const struct target *t, const struct plan_kernel *kernel, uint32_t kernels,
		     const struct plan_program *program, uint32_t programs);
/* False: too long, said. */
bool records_end(struct records *r);

#endif
