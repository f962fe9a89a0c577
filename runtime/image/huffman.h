/* SPDX-License-Identifier: Apache-2.0 */
/* huffman.h - code lengths and codes as deflate wants them. */
#ifndef EDGE_RT_HUFFMAN_H
#define EDGE_RT_HUFFMAN_H

#include <stdint.h>

enum { HUFFMAN_MAX = 288 };

/* Lengths of at most `limit` bits; 0 where frequency is 0. frequency is changed. */
void huffman_lengths(uint32_t *frequency, uint32_t n, uint32_t limit, uint8_t *length);
/* Canonical codes, first bit lowest. */
void huffman_codes(const uint8_t *length, uint32_t n, uint16_t *code);

#endif
