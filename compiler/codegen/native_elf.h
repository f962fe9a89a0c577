/* SPDX-License-Identifier: Apache-2.0 */
/* native_elf.h - what native.c reads of ELF files. Failures leave one line in why. */
#ifndef EDGE_NATIVE_ELF_H
#define EDGE_NATIVE_ELF_H

#include "base/arena.h"

#include <stdbool.h>

/* True when the object's code refers to nothing but itself, relative to its own place. */
bool elf_check_object(const char *path, char *why, size_t why_size);

/* The contents of section .block, and the offset in it of each name. */
bool elf_read_block(struct arena *a, const char *path, const char *const *names, uint32_t count,
		    const uint8_t **block, uint64_t *bytes, uint64_t *offset, char *why, size_t why_size);

#endif
