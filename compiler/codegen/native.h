/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native.h - kernels as machine code in the plan.
 *
 * clang compiles the very OpenCL C that a driver would get, with native.clh in
 * front of it, for one instruction set at a time; the linker lays code and
 * constants into one block that needs no relocation, no library and no place
 * of its own: the runtime maps it read-only and executable and calls it.
 *
 * For kernel k the block holds a function of the type edge_native_entry at
 * entry[k]: it runs the work-items range[0] .. range[1] - 1 of a launch whose
 * sizes are range[2..4], in x-fastest order, with arguments arg[0..]: pointers,
 * integers and the bits of floats, 8 bytes each.
 *
 *	void edge_native_entry(const uint64_t *arg, const uint64_t *range);
 */
#ifndef EDGE_NATIVE_H
#define EDGE_NATIVE_H

#include "codegen/kernel_set.h"

/* Numbers are those of the plan format: enum edge_isa. */
enum native_isa { NATIVE_X86_64_V3 = 1, NATIVE_X86_64_V4 = 2, NATIVE_AARCH64 = 3, NATIVE_X86_64_V4_VNNI = 4, NATIVE_ISA_COUNT = 5 };

const char *native_isa_name(enum native_isa isa); /* "x86-64-v3" */

struct native_code {
	enum native_isa isa;
	const uint8_t *block; /* to be mapped at a multiple of 4096 */
	uint64_t bytes;
	const uint64_t *entry; /* one per kernel, in the order given */
};

/*
 * Compiles the kernels, given in any number of sets whose equal names mean
 * equal kernels (prelude and build options are those of the first), for each
 * instruction set; the compilers run side by side. False: an error was said.
 */
bool native_compile(struct arena *a, const struct kernel *const *kernels, uint32_t kernel_count, const char *prelude,
		    const enum native_isa *isa, uint32_t isa_count, struct native_code *out, struct diag *d);

#endif
