/* SPDX-License-Identifier: Apache-2.0 */
/* size.h - a number of bytes for people. */
#ifndef EDGE_BASE_SIZE_H
#define EDGE_BASE_SIZE_H

#include <stdint.h>

/* "640 bytes", "12.3 KiB", "4.00 MiB", "11.20 GiB": one of eight static buffers, so for one thread. */
const char *size_text(uint64_t bytes);

#endif
