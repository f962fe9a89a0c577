/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost.c - how long things take, by the device block's rates.
 *
 * A roofline with a launch: good enough to decide what can hide behind what.
 * Kernels reach about 70 % of a device's arithmetic peak over whole networks.
 */
#include "config.h"

#include "sched/internal.h"

/* Of a read, whatever its size: the system call, and handing over to the thread that waits. */
#define REQUEST_MS 0.02

double cost_launch_ms(const struct target *t, uint64_t flops, uint64_t bytes)
{
	double arithmetic = 1e3 * (double)flops / (0.7 * t->flops_per_s);
	double memory = 1e3 * (double)bytes / t->memory_bytes_per_s;

	return t->launch_ms + (arithmetic > memory ? arithmetic : memory);
}

double cost_copy_ms(const struct target *t, uint64_t bytes)
{
	return 1e3 * 2 * (double)bytes / t->memory_bytes_per_s;
}

double cost_transfer_ms(const struct target *t, uint64_t bytes)
{
	return 1e3 * (double)bytes / t->storage_bytes_per_s;
}

double cost_lookup_ms(const struct target *t, const struct row_lookup *r)
{
	uint64_t rows, bytes = table_chunk(r, &rows), chunks = (r->rows + rows - 1) / rows;

	return (double)(r->count < chunks ? r->count : chunks) * cost_read_ms(t, bytes);
}

double cost_read_ms(const struct target *t, uint64_t bytes)
{
	return REQUEST_MS + cost_transfer_ms(t, bytes);
}
