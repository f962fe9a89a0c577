/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_native.h - kernels as machine code in this process, run by the runtime's own threads. */
#ifndef EDGE_TESTS_KERNEL_NATIVE_H
#define EDGE_TESTS_KERNEL_NATIVE_H

#include "codegen/kernel_set.h"

struct kernel_native;

/*
 * Compiles for the best instruction set of this CPU, or the one that HARNESS_ISA
 * names. NULL, with the reason in *why: clang or ld.lld is not there, or it failed.
 */
struct kernel_native *kernel_native_new(const struct kernel *const *kernels, uint32_t count, const char *prelude,
					bool one_thread, const char **why);
const char *kernel_native_isa(const struct kernel_native *n);
/* Runs the kernel of that name; arg: pointers, integers and the bits of floats. False: there is none. */
bool kernel_native_run(const struct kernel_native *n, const char *name, const uint64_t *arg, const uint32_t global[3]);
void kernel_native_free(struct kernel_native *n); /* NULL is fine */

#endif
