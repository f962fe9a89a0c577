/* SPDX-License-Identifier: Apache-2.0 */
/* native.h - the driverless backend. */
#ifndef EDGE_RT_NATIVE_H
#define EDGE_RT_NATIVE_H

#include "device/device.h"

extern const struct device_ops native_ops;

#endif
