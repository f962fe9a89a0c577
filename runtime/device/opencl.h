/* SPDX-License-Identifier: Apache-2.0 */
/* opencl.h - the OpenCL backend. */
#ifndef EDGE_RT_OPENCL_H
#define EDGE_RT_OPENCL_H

#include "device/device.h"

extern const struct device_ops opencl_ops;

#endif
