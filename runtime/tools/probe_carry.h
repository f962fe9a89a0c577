/* SPDX-License-Identifier: Apache-2.0 */
/* probe_carry.h - what kernels of an OpenCL device can carry into images beside their own work. */
#ifndef EDGE_PROBE_CARRY_H
#define EDGE_PROBE_CARRY_H

#include "device/device.h"

struct probe_carry {
	/* bytes for each second of the kernel, at the growth that its class is allowed; 0: the device has no images */
	double elementwise, reusable;
	double upload; /* bytes in a second, as rectangles that the host writes */
};

enum edge_status probe_carry(const struct device_ops *ops, struct device *d, struct probe_carry *out, struct failure *f);

#endif
