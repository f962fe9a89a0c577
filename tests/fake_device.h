/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_device.h - a backend for tests that knows one kernel, axpy, in C.
 *
 * It runs launches in a thread of its own, in order, so that the step loop and
 * the I/O thread meet real concurrency without a driver. It can be told to be
 * slow, to have memory of its own, and to fail.
 */
#ifndef EDGE_TEST_FAKE_DEVICE_H
#define EDGE_TEST_FAKE_DEVICE_H

#include "device/device.h"

struct fake_settings {
	bool discrete;	    /* regions are its own memory: plans need staging */
	unsigned launch_us; /* each launch takes at least so long */
	int fail_launch;    /* the launch of this number (from 1) cannot be submitted */
	bool fail_build;
};

extern struct fake_settings fake_settings;
extern const struct device_ops fake_ops;

#endif
