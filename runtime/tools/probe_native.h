/* SPDX-License-Identifier: Apache-2.0 */
/* probe_native.h - the kernels of edgert probe for the native backend, which takes machine code. */
#ifndef EDGE_RT_PROBE_NATIVE_H
#define EDGE_RT_PROBE_NATIVE_H

#include <stdint.h>

enum probe_kernel { PROBE_PEAK, PROBE_READ_MEMORY, PROBE_NOTHING, PROBE_KERNELS };

/* Addresses, as offsets in a block at 0: for the best instruction set of this CPU. */
const uint64_t *probe_native_entries(void);
/* Seconds of a multiply-add of one thread whose operand is the one before. */
double probe_latency(void);

#endif
