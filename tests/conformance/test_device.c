/* SPDX-License-Identifier: Apache-2.0 */
/* test_device.c - every registered backend against the conformance suite. */
#include "config.h"

#include "conformance.h"

int main(void)
{
	const struct device_ops *const *d;

	for (d = device_backends; *d; d++) {
		struct conformance_subject subject = { .ops = *d, .program = conformance_opencl, .options = "-cl-std=CL1.2",
			.bad_program = "this is no program" };

		if ((*d)->backend == EDGE_BACKEND_OPENCL)
			conformance(&subject);
	}
	return conformance_done();
}
