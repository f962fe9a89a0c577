/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conformance.h - what every backend has to do, as tests of struct device_ops.
 *
 * A backend is tested with one program that holds the kernels below, in
 * whatever form it takes programs:
 *
 *	fill(__global int *y, int a, long b, float c)      y[3 i ..] = a, b, (int)(c * 4)
 *	add(__global const int *x, __global int *y)        y[i] += x[i]
 *	visit(__global int *y, int nx, int ny)             y[i] += 1 + i; i = gx + nx (gy + ny gz)
 *
 * and, where regions may be images, texels(__read_only image2d_t x, __global int
 * *y, int first), which makes a number of the components of each texel.
 */
#ifndef EDGE_TEST_CONFORMANCE_H
#define EDGE_TEST_CONFORMANCE_H

#include "device/device.h"

struct conformance_subject {
	const struct device_ops *ops;
	struct device_code code;
	const char *const *kernels; /* in the order of code.entry; NULL-terminated */
	const struct device_code
		*bad; /* one that cannot be built; NULL where everything that is checked can */
};

extern const char conformance_opencl[];

/* Prints TAP lines. A backend that cannot be opened here is skipped aloud. */
void conformance(const struct conformance_subject *subject);
/* Prints the plan; the value to return from main. */
int conformance_done(void);

#endif
