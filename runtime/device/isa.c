/* SPDX-License-Identifier: Apache-2.0 */
/* isa.c - ask the CPU, and the system whether it keeps the wide registers. */
#include "config.h"

#include "device/isa.h"

#include "edge/plan_format.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
static bool x86_v3(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("x86-64-v3");
}

static bool x86_v4(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("x86-64-v4");
}
#else
/* Not all compilers know the levels by name; what is not asked for here came with what is. */
static bool x86_v3(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool x86_v4(void)
{
	return x86_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}
#endif
#endif

bool isa_supported(uint32_t isa)
{
	switch (isa) {
#if defined(__x86_64__)
	case EDGE_ISA_X86_64_V3: return x86_v3();
	case EDGE_ISA_X86_64_V4: return x86_v4();
	case EDGE_ISA_X86_64_V4_VNNI: return x86_v4() && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
	case EDGE_ISA_AARCH64: return true;
#endif
	default: return false;
	}
}

uint32_t isa_rank(uint32_t isa)
{
	return isa;
}

const char *isa_name(uint32_t isa)
{
	switch (isa) {
	case EDGE_ISA_X86_64_V3: return "x86-64-v3";
	case EDGE_ISA_X86_64_V4: return "x86-64-v4";
	case EDGE_ISA_X86_64_V4_VNNI: return "x86-64-v4-vnni";
	case EDGE_ISA_AARCH64: return "aarch64";
	default: return "another CPU";
	}
}

const char *isa_cpu_name(void)
{
#if defined(__x86_64__)
	return x86_v4() ? "x86-64-v4" : x86_v3() ? "x86-64-v3" : "x86-64";
#elif defined(__aarch64__)
	return "aarch64";
#else
	return "this CPU";
#endif
}
