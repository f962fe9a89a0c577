/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_native.c - the kernels of cmd_probe.c as functions of this program.
 *
 * They have the form of a plan's entries (struct edge_code). On x86-64 each
 * exists for 256-bit and for 512-bit registers; the CPU decides.
 */
#include "config.h"

#include "tools/probe_native.h"

#include "base/clock.h"
#include "device/isa.h"
#include "edge/plan_format.h"

#include <string.h>

enum { LATENCY_ROUNDS = 1 << 20, LATENCY_TRIES = 5 };

typedef float vec16 __attribute__((vector_size(64)));

static float word_float(uint64_t word)
{
	uint32_t bits = (uint32_t)word;
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

/* Twelve sums hide the latency of one multiply-add on every CPU that has two units for it. */
#define PEAK_BODY                                                                                  \
	vec16 *out = (vec16 *)(uintptr_t)arg[0], y = out[0];                                       \
	float m = word_float(arg[1]);                                                              \
	vec16 x = { m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m };                              \
	for (uint64_t item = range[0]; item < range[1]; item++) {                                  \
		vec16 a = y, b = y + 1, c = y + 2, d = y + 3, e = y + 4, f = y + 5;                \
		vec16 g = y + 6, h = y + 7, i = y + 8, j = y + 9, k = y + 10, l = y + 11;          \
		for (int64_t r = (int64_t)arg[2]; r > 0; r--) {                                    \
			a = a * x + y;                                                             \
			b = b * x + y;                                                             \
			c = c * x + y;                                                             \
			d = d * x + y;                                                             \
			e = e * x + y;                                                             \
			f = f * x + y;                                                             \
			g = g * x + y;                                                             \
			h = h * x + y;                                                             \
			i = i * x + y;                                                             \
			j = j * x + y;                                                             \
			k = k * x + y;                                                             \
			l = l * x + y;                                                             \
		}                                                                                  \
		out[1 + item] = a + b + c + d + e + f + g + h + i + j + k + l;                     \
	}

#define READ_BODY                                                                                  \
	vec16 *out = (vec16 *)(uintptr_t)arg[0];                                                   \
	const vec16 *in = (const vec16 *)(uintptr_t)arg[1];                                        \
	int64_t n = (int64_t)arg[2];                                                               \
	for (uint64_t item = range[0]; item < range[1]; item++) {                                  \
		const vec16 *p = in + (int64_t)item * n;                                           \
		vec16 a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };                                  \
		for (int64_t i = 0; i < n; i += 4) {                                               \
			a += p[i];                                                                 \
			b += p[i + 1];                                                             \
			c += p[i + 2];                                                             \
			d += p[i + 3];                                                             \
		}                                                                                  \
		out[1 + item] = a + b + c + d;                                                     \
	}

/* One sum: each multiply-add waits for the one before. */
#define WAIT_BODY                                                                                  \
	for (; n > 0; n--)                                                                         \
		x = x * m + y;                                                                     \
	return x;

#define KERNELS(suffix, target)                                                                    \
	target static void peak_##suffix(const uint64_t *arg, const uint64_t *range)               \
	{                                                                                          \
		PEAK_BODY                                                                          \
	}                                                                                          \
	target static void read_##suffix(const uint64_t *arg, const uint64_t *range)               \
	{                                                                                          \
		READ_BODY                                                                          \
	}                                                                                          \
	target static float wait_##suffix(float x, float m, float y, int64_t n)                    \
	{                                                                                          \
		WAIT_BODY                                                                          \
	}

/* clang takes 512-bit registers for vectors of that size without being told */
#ifdef __clang__
#define V4_TARGET "avx512f"
#else
#define V4_TARGET "avx512f,prefer-vector-width=512"
#endif

#if defined(__x86_64__)
KERNELS(v3, __attribute__((target("avx2,fma"))))
KERNELS(v4, __attribute__((target(V4_TARGET))))
#endif
KERNELS(any, )

static void nothing(const uint64_t *arg, const uint64_t *range)
{
	if (range[0] == 1)
		*(float *)(uintptr_t)arg[0] = 0;
}

const uint64_t *probe_native_entries(void)
{
	static uint64_t entry[PROBE_KERNELS];

	entry[PROBE_PEAK] = (uint64_t)(uintptr_t)peak_any;
	entry[PROBE_READ_MEMORY] = (uint64_t)(uintptr_t)read_any;
	entry[PROBE_NOTHING] = (uint64_t)(uintptr_t)nothing;
#if defined(__x86_64__)
	if (isa_supported(EDGE_ISA_X86_64_V4)) {
		entry[PROBE_PEAK] = (uint64_t)(uintptr_t)peak_v4;
		entry[PROBE_READ_MEMORY] = (uint64_t)(uintptr_t)read_v4;
	} else if (isa_supported(EDGE_ISA_X86_64_V3)) {
		entry[PROBE_PEAK] = (uint64_t)(uintptr_t)peak_v3;
		entry[PROBE_READ_MEMORY] = (uint64_t)(uintptr_t)read_v3;
	}
#endif
	return entry;
}

double probe_latency(void)
{
	float (*wait)(float x, float m, float y, int64_t n) = wait_any;
	double best = 0;

#if defined(__x86_64__)
	wait = isa_supported(EDGE_ISA_X86_64_V4) ? wait_v4 : isa_supported(EDGE_ISA_X86_64_V3) ? wait_v3 : wait_any;
#endif
	for (int i = 0; i < LATENCY_TRIES; i++) {
		int64_t start = rt_now();
		volatile float sum = wait(1, 0.5f, (float)i, LATENCY_ROUNDS);
		double s = (double)(rt_now() - start) / 1e9 / LATENCY_ROUNDS;

		(void)sum;
		if (i == 0 || s < best)
			best = s;
	}
	return best;
}
