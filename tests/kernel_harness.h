/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_harness.h - run small graphs through the code generator, an OpenCL
 * device and native code, and compare with the plain-C references.
 *
 *	struct harness h;
 *
 *	harness_init(&h, TARGET_CPU_KERNELS);
 *	harness_text(&h, "relu of 1 x 7",
 *		     "%0 \"x\" = input f32[1,7]\n"
 *		     "%1 = map(;%0) [relu(i0) f32] : f32[1,7]\n"
 *		     "output \"y\" %1\n");
 *	return harness_run(&h);
 *
 * The text is that of ir/print.c without its first line. All cases are built as
 * one program. Each case runs twice: whole, then with every launch that may be
 * split issued granule range by granule range and with outputs in the place of
 * inputs where the launch allows it; both must give the same bytes. Every
 * buffer lies between guard bytes (0xff, NaN as floats) which must survive.
 */
#ifndef EDGE_TESTS_KERNEL_HARNESS_H
#define EDGE_TESTS_KERNEL_HARNESS_H

#include "codegen/kernel_set.h"

struct harness_case {
	const char *name;
	struct graph *g;
	struct kernel_set *ks;
	struct target target; /* the harness' when the case was added */
	double tolerance;   /* of the largest absolute value of the output; floats */
	double low, high;   /* range of random float inputs */
	int64_t ilow, ihigh; /* and of integer inputs, inclusive */
	const void **input; /* one per graph input; NULL: random */
};

struct harness {
	struct arena arena;
	struct diag diag;
	struct target target;
	bool every_isa;	 /* native code of each instruction set that runs here; of the lesser ones for every other case */
	uint32_t isa;	 /* own: of them */
	bool quick;	 /* OpenCL's compiler does not optimise, which takes a third of the time; native code is optimised */
	bool one_thread; /* native code: on one thread, timed by its processor time */
	VEC(struct harness_case) cases;
};

void harness_init(struct harness *h, enum target_kernels kernels);
/* The case just added, valid until the next is added, for changing its settings. */
struct harness_case *harness_text(struct harness *h, const char *name, const char *text);
struct harness_case *harness_textf(struct harness *h, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct harness_case *harness_graph(struct harness *h, const char *name, struct graph *g);
/* Elements of input i of a case; the bytes must stay. */
void harness_input(struct harness *h, struct harness_case *c, uint32_t i, const void *data);
/* A check of its own among them. */
void harness_ok(bool ok, const char *what);
/* Runs all cases, prints TAP, frees everything; the value to return from main. */
int harness_run(struct harness *h);

/* ---- for benchmarks: the same kernels, timed ---- */

/* Selects, checks and builds for the OpenCL device. */
bool harness_build(struct harness *h);
/* The same as native code; *what: the instruction set, or why there is none. Everything after it runs there. */
bool harness_build_native(struct harness *h, const char **what);
/*
 * Seconds of one run of case i, the best of `repeat`; negative: failed. each,
 * where not NULL, gets those of every launch by itself.
 */
double harness_time(struct harness *h, uint32_t i, int repeat, double *each);
/*
 * Cases first .. first + count - 1 in turn, `rounds` times, each for about a
 * millisecond: ratio[i] is the median of the time of case first + i over that of `first`.
 * Returns the best seconds of a run of `first`; negative: failed.
 */
double harness_race(struct harness *h, uint32_t first, uint32_t count, int rounds, double *ratio);
void harness_free(struct harness *h);

#endif
