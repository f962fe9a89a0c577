/* SPDX-License-Identifier: Apache-2.0 */
/* isa.h - which instruction sets this CPU has; numbers are enum edge_isa of the plan format. */
#ifndef EDGE_RT_ISA_H
#define EDGE_RT_ISA_H

#include <stdbool.h>
#include <stdint.h>

/* True when code of that set runs here. */
bool isa_supported(uint32_t isa);
/* Which of two sets that both run here is the better one: larger is better. */
uint32_t isa_rank(uint32_t isa);
const char *isa_name(uint32_t isa); /* "x86-64-v4" */
/* "x86-64-v4" of the best set that this CPU has, or the machine's name. */
const char *isa_cpu_name(void);

#endif
