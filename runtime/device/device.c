/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - the backends of this build. */
#include "config.h"

#include "device/device.h"
#include "device/native.h"
#include "device/opencl.h"

const struct device_ops *const device_backends[] = { &native_ops, &opencl_ops, NULL };

const struct device_ops *device_backend(uint32_t backend)
{
	const struct device_ops *const *d;

	for (d = device_backends; *d; d++)
		if ((*d)->backend == backend)
			return *d;
	return NULL;
}
