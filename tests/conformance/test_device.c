/* SPDX-License-Identifier: Apache-2.0 */
/* test_device.c - every registered backend against the conformance suite. */
#include "config.h"

#include "conformance.h"

#include <stdint.h>

static const char *const kernels[] = { "fill", "add", "visit", NULL };

/* The kernels as a plan's entries: C functions, addressed from a block at 0. */

static void fill(const uint64_t *arg, const uint64_t *range)
{
	int *y = (int *)(uintptr_t)arg[0];
	union {
		uint32_t bits;
		float x;
	} c = { (uint32_t)arg[3] };

	for (uint64_t i = range[0]; i < range[1]; i++) {
		y[3 * i] = (int)arg[1];
		y[3 * i + 1] = (int)((int64_t)arg[2] >> 32);
		y[3 * i + 2] = (int)(c.x * 4);
	}
}

static void add(const uint64_t *arg, const uint64_t *range)
{
	const unsigned *x = (const unsigned *)(uintptr_t)arg[0]; /* wraps around, as the device's ints do */
	unsigned *y = (unsigned *)(uintptr_t)arg[1];

	for (uint64_t i = range[0]; i < range[1]; i++)
		y[i] += x[i];
}

static void visit(const uint64_t *arg, const uint64_t *range)
{
	int *y = (int *)(uintptr_t)arg[0];
	uint64_t nx = (uint64_t)(int)arg[1], ny = (uint64_t)(int)arg[2];

	for (uint64_t i = range[0]; i < range[1]; i++) {
		uint64_t at = i % range[2] +
			      nx * (i / range[2] % range[3] + ny * (i / range[2] / range[3]));

		y[at] = (int)((unsigned)y[at] + 1 + (unsigned)at);
	}
}

int main(void)
{
	static const struct device_code bad = { .source = "this is no program",
						.options = "-cl-std=CL1.2" };
	const uint64_t entry[] = { (uint64_t)(uintptr_t)fill, (uint64_t)(uintptr_t)add,
				   (uint64_t)(uintptr_t)visit };
	const struct device_ops *const *d;

	for (d = device_backends; *d; d++) {
		bool opencl = (*d)->backend == EDGE_BACKEND_OPENCL;
		struct conformance_subject subject = { .ops = *d,
						       .kernels = kernels,
						       .bad = opencl ? &bad : NULL,
						       .code = { .source = conformance_opencl,
								 .options = "-cl-std=CL1.2",
								 .entry = entry,
								 .entry_count = 3 } };

		conformance(&subject);
	}
	return conformance_done();
}
