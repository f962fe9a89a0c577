/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.h - formats that store weights in few bits.
 *
 * Only the source of a constant has such a dtype (struct data); the value
 * itself is f32, and data_read_f32() gives what the stored numbers mean. So
 * every operation understands it; those that have kernels for the format
 * (products, convolutions, lookups) keep the bits as they are.
 *
 * A source consists of rows, each of whole blocks. For the formats of GGUF
 * files a row is the last axis and blocks have 32 or 256 elements. The grouped
 * formats are our own: a row is everything but the first axis, cut into groups
 * of 32, 64 or 128 of which the last may be shorter, and in a source it is
 *
 *	f16 scale[groups], f16 minimum[groups] (asymmetric only), u8 code[elements]
 *
 * with x = scale * (code - 2^(bits - 1)), or x = scale * code + minimum. This
 * spends a byte on each code: packing into the final bits is for the plan.
 * Wide ones have f32 in the place of f16: what an ONNX file says is kept.
 * Where that file packs codes in its own way, apart from their scales, rows are
 * put together as they are read (struct packed_rows).
 */
#ifndef EDGE_IR_BLOCK_H
#define EDGE_IR_BLOCK_H

#include "ir/graph.h"

enum block_kind {
	BLOCK_NONE,
	BLOCK_SYMMETRIC,  /* x = scale * (code - zero) */
	BLOCK_ASYMMETRIC, /* x = scale * code + minimum */
	BLOCK_TABLE,      /* x = scale * block_table[code] */
	BLOCK_SUPER_MIN,  /* eight 6-bit scales and minima, times an f16 each: Q4_K, Q5_K */
	BLOCK_SUPER       /* sixteen 8-bit scales times an f16: Q6_K */
};

struct block_format {
	enum block_kind kind;
	uint32_t bits;      /* of a code */
	uint32_t elements;  /* of a block, or of a full group */
	uint32_t bytes;     /* of a block; 0: grouped */
	bool grouped, wide;
};

extern const int8_t block_table[16]; /* IQ4_NL */

bool dtype_is_block(enum dtype t);
struct block_format block_format(enum dtype t); /* kind BLOCK_NONE: none */
/* bits 3, 4, 5, 6, 8; group 32, 64, 128. DTYPE_COUNT: there is no such format. */
enum dtype block_grouped(uint32_t bits, uint32_t group, bool asymmetric);
/* With scales of f32: bits 4, 8. */
enum dtype block_wide(uint32_t bits, uint32_t group, bool asymmetric);
/* Bytes of scales and minima of one group. */
uint32_t block_head(const struct block_format *f);

/* Bytes of a row in a source; plain dtypes too. 0: n is no whole number of blocks, or too large. */
uint64_t block_row_bytes(enum dtype t, int64_t n);
void block_decode(enum dtype t, const void *row, int64_t n, float *out);

/* Elements of a row of the source, and bytes of all of it (0 and false: it cannot be). */
int64_t data_row(const struct data *d);
bool data_source_bytes(const struct data *d, uint64_t *bytes);
/* One row of a grouped source from the codes of a packed one. */
void packed_row(const struct packed_rows *p, const struct block_format *f, uint64_t row, const uint8_t *codes, int64_t n,
		uint8_t *out);

#endif
