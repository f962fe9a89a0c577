/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native_harness.h - builtin functions of native code, as kernels, run for every
 * instruction set of this CPU.
 *
 * Each function becomes a kernel that computes the same 16 elements an item
 * five times, as 1, 2, 4, 8 and 16 lanes, into five planes of its output.
 */
#ifndef EDGE_NATIVE_HARNESS_H
#define EDGE_NATIVE_HARNESS_H

#include "base/arena.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

enum { PLANES = 5 };
extern const int lanes[PLANES];

#define COUNT(x) ((uint32_t)(sizeof(x) / sizeof *(x)))

struct machine {
	const char *name;
	const uint8_t *block;
	const uint64_t *entry;
};

/* A kernel with so many pointers and one int; takes the text. Its number. */
uint32_t native_add_kernel(const char *name, uint32_t pointers, struct strbuf *source);
/* y = name(x, ...), 1 to 3 operands of type `in`; planes: which numbers of lanes exist, a bit each.
 */
uint32_t native_add(const char *name, const char *in, const char *out, uint32_t operands,
		    unsigned planes);
/* Over n elements, a multiple of 16; operands that it does not have are NULL. */
void native_run(const struct machine *m, uint32_t kernel, const void *a, const void *b,
		const void *c, void *y, uint32_t n);
/*
 * Compiles what was added for the instruction sets of this kind of machine; how
 * many, 0: an error was said. One that this CPU has not has no block.
 */
enum { NATIVE_MACHINES = 2 };
uint32_t native_build(struct machine out[NATIVE_MACHINES]);
void native_release(void);

/* The same sequence in every run. */
uint64_t random_bits(void);
double random_between(double low, double high);
float float_of(uint32_t bits);

#endif
