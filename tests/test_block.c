/* SPDX-License-Identifier: Apache-2.0 */
/* test_block.c - what the bytes of the block formats mean, and constants that are stored in them. */
#include "config.h"

#include "tap.h"

#include "ir/block.h"
#include "ir/graph.h"
#include "pass/rewrite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static struct diag diag;

/* One block of each format whose values are easy to work out: f16 1.0 is 0x3c00, 0.5 is 0x3800. */
static void test_small_blocks(void)
{
	uint8_t b[34] = { 0x00, 0x3c };
	float x[32];
	int i, good;

	for (i = 0; i < 32; i++)
		b[2 + i] = (uint8_t)(i - 16);
	block_decode(DTYPE_Q8_0, b, 32, x);
	for (good = i = 0; i < 32; i++)
		good += x[i] == (float)(i - 16);
	tap_ok(good == 32, "q8_0: scale times signed bytes");
	memset(b, 0, sizeof b);
	b[1] = 0x38;
	b[2] = 0xf0;
	block_decode(DTYPE_Q4_0, b, 32, x);
	tap_ok(x[0] == -4 && x[16] == 3.5f && x[1] == -4 && x[17] == -4, "q4_0: low nibbles, then high ones, less 8");
	block_decode(DTYPE_IQ4_NL, b, 32, x);
	tap_ok(x[0] == -63.5f && x[16] == 56.5f, "iq4_nl: nibbles choose from the table");
	memset(b, 0, sizeof b);
	b[1] = 0x38;
	b[3] = 0x3c;
	b[4] = 0x2f;
	block_decode(DTYPE_Q4_1, b, 32, x);
	tap_ok(x[0] == 8.5f && x[16] == 2 && x[1] == 1, "q4_1: scale times nibble plus minimum");
	memset(b, 0, sizeof b);
	b[1] = 0x3c;
	b[4] = 0x02; /* the fifth bit of element 17 */
	b[7] = 0x31; /* elements 1 and 17 */
	block_decode(DTYPE_Q5_0, b, 32, x);
	tap_ok(x[0] == -16 && x[1] == -15 && x[17] == 3, "q5_0: a fifth bit, less 16");
	memset(b, 0, sizeof b);
	b[1] = b[3] = 0x3c;
	b[6] = 0x02;
	b[9] = 0x31;
	block_decode(DTYPE_Q5_1, b, 32, x);
	tap_ok(x[0] == 1 && x[1] == 2 && x[17] == 20, "q5_1: a fifth bit, plus minimum");
}

static void test_super_blocks(void)
{
	uint8_t b[210] = { 0x00, 0x3c, 0x00, 0x38 };
	float x[256];

	/* sub-block 0: scale 3, minimum 2; sub-block 5: scale 0x21, minimum 0x12 */
	b[4] = 3;
	b[8] = 2;
	b[4 + 1] = 0x80; /* two high bits of scale 5 */
	b[4 + 9] = 0x21; /* low nibbles of scale 5 and minimum 5 */
	b[4 + 5] = 0x40; /* two high bits of minimum 5 */
	b[16] = 0x07;
	b[16 + 64 + 1] = 0xa0;
	block_decode(DTYPE_Q4_K, b, 256, x);
	tap_ok(x[0] == 3 * 7 - 1 && x[1] == -1, "q4_k: sub-block 0");
	tap_ok(x[160] == -9 && x[161] == 33 * 10 - 9, "q4_k: scales of the second half are put together");
	memmove(b + 48, b + 16, 128);
	memset(b + 16, 0, 32);
	b[16] = 1;
	b[17] = 1 << 5;
	block_decode(DTYPE_Q5_K, b, 256, x);
	tap_ok(x[0] == 3 * 23 - 1 && x[161] == 33 * 26 - 9 && x[160] == -9, "q5_k: a plane of fifth bits");
	memset(b, 0, sizeof b);
	b[209] = 0x3c;
	for (int i = 0; i < 16; i++)
		b[192 + i] = (uint8_t)(i - 8);
	b[32 + 3] = 0x50;         /* half 0, part 3, element 3: low bits 5 */
	b[128 + 3] = 0xc0;        /* and high bits 3 */
	block_decode(DTYPE_Q6_K, b, 256, x);
	tap_ok(x[99] == -2.0f * (53 - 32) && x[0] == 256, "q6_k: low and high bits, signed scales");
}

static void test_sizes(void)
{
	struct block_format f = block_format(block_grouped(4, 64, true));

	tap_ok(block_row_bytes(DTYPE_Q4_K, 512) == 288 && !block_row_bytes(DTYPE_Q4_K, 288) &&
	       block_row_bytes(DTYPE_F16, 5) == 10, "bytes of rows");
	tap_ok(f.bits == 4 && f.elements == 64 && f.kind == BLOCK_ASYMMETRIC && f.grouped, "grouped formats are found");
	tap_ok(block_grouped(7, 32, false) == DTYPE_COUNT && block_grouped(4, 16, false) == DTYPE_COUNT,
	       "others do not exist");
	tap_ok(block_row_bytes(block_grouped(3, 32, false), 172) == 172 + 12, "a last group may be short");
}

static value_id constant(struct graph *g, enum dtype t, struct shape source, struct shape s, const void *bytes)
{
	struct data d = { .where = DATA_MEMORY, .source_dtype = t, .source_shape = source, .bytes = bytes };

	return graph_add_const(g, "w", DTYPE_F32, s, d);
}

/* A grouped source of [2][3] in groups of 32: scales 0.5 and 1, codes of four bits. */
static const uint8_t grouped[2 * 5] = { 0x00, 0x38, 8, 9, 15, 0x00, 0x3c, 0, 8, 10 };

static void test_constants(void)
{
	struct graph *g = graph_new(&arena, "g");
	struct shape s = { 2, { 2, 3 } }, t = { 2, { 3, 2 } };
	value_id v = constant(g, block_grouped(4, 32, false), s, s, grouped), w;
	static const float want[6] = { 0, 0.5f, 3.5f, -8, 0, 2 }, turned[6] = { 0, -8, 0.5f, 0, 3.5f, 2 };
	float x[6], part[3];

	tap_ok(data_read_f32(g, v, x, &diag) && !memcmp(x, want, sizeof x), "a grouped constant is read");
	tap_ok(data_read_range(g, v, 2, 3, part, &diag) && !memcmp(part, want + 2, sizeof part), "so is a range of it");
	w = constant_transpose(g, v, (const int64_t[]){ 1, 0 });
	tap_ok(w != NO_ID && shape_equal(&graph_value(g, w)->shape, &t) && data_read_f32(g, w, x, &diag) &&
	       !memcmp(x, turned, sizeof x), "and it may be transposed");
	w = constant_reshape(g, v, &t);
	tap_ok(w != NO_ID && data_read_f32(g, w, x, &diag) && !memcmp(x, want, sizeof x), "and reshaped");
	tap_ok(constant_transpose(g, w, (const int64_t[]){ 1, 0 }) == NO_ID, "not both: the rows would be others");
	tap_ok(!data_bytes(g, v), "its bytes are not floats");
}

static struct graph *again(struct graph *g, struct strbuf *text)
{
	graph_print(g, text);
	return graph_read(&arena, &diag, diag_add_file(&diag, "test.ir", strbuf_str(text), text->len));
}

static void test_text(void)
{
	struct strbuf one = { 0 }, two = { 0 };
	struct graph *g = graph_new(&arena, "g"), *h;
	struct shape s = { 2, { 2, 3 } }, row = { 2, { 1, 3 } };
	value_id in[2] = { graph_add_input(g, "x", DTYPE_F32, row), constant(g, block_grouped(4, 32, false), s, s, grouped) };

	in[0] = graph_op(g, &diag, OP_matmul, in, 2, (struct attr[]){ attr_int(trans_b, 1) }, 1, NO_SPAN, NULL);
	graph_add_output(g, in[0], "y");
	tap_ok(graph_verify(g, &diag), "a product with such weights is valid");
	h = again(g, &one);
	if (h)
		graph_print(h, &two);
	tap_ok(h && !strcmp(strbuf_str(&one), strbuf_str(&two)), "its text reads back");
	graph_value(g, in[1])->data->source_dtype = DTYPE_Q4_0;
	tap_ok(!graph_verify(g, NULL), "rows that are no whole blocks are not");
	graph_value(g, in[1])->data->source_dtype = block_grouped(4, 32, false);
	graph_value(g, in[1])->dtype = DTYPE_Q4_0;
	tap_ok(!graph_verify(g, NULL), "nor are values of a block format");
	strbuf_free(&one);
	strbuf_free(&two);
}

/* The same numbers as a file packs them, two codes a byte, with scales of floats. */
static void test_packed(void)
{
	static const uint8_t codes[2 * 2] = { 0x98, 0x0f, 0x80, 0x0a };
	static const float scales[2] = { 0.5f, 1 }, want[6] = { 0, 0.5f, 3.5f, -8, 0, 2 };
	struct packed_rows p = { .bits = 4, .rows = 2, .row_bytes = 2, .head_bytes = 4, .heads = (const uint8_t *)scales };
	struct strbuf one = { 0 }, two = { 0 };
	struct graph *g = graph_new(&arena, "g"), *h;
	struct shape s = { 2, { 2, 3 } };
	value_id v = constant(g, block_wide(4, 32, false), s, s, codes);
	float x[6];

	graph_value(g, v)->data->packed = &p;
	graph_add_output(g, v, "w");
	tap_ok(data_read_f32(g, v, x, &diag) && !memcmp(x, want, sizeof x), "packed rows with scales apart are read");
	tap_ok(data_read_range(g, v, 2, 3, x, &diag) && !memcmp(x, want + 2, 3 * sizeof *x), "so is a range of them");
	h = again(g, &one);
	if (h)
		graph_print(h, &two);
	tap_ok(h && !strcmp(strbuf_str(&one), strbuf_str(&two)), "their text reads back");
	tap_ok(graph_verify(g, &diag), "they are valid");
	p.more = 1;
	tap_ok(!graph_verify(g, NULL), "codes that the format has not are not");
	p.more = 0;
	p.row_bytes = 1;
	tap_ok(!graph_verify(g, NULL), "nor rows that are too short");
	p.row_bytes = 2;
	p.head_bytes = 2;
	tap_ok(!graph_verify(g, NULL), "nor scales of another format");
	strbuf_free(&one);
	strbuf_free(&two);
}

int main(void)
{
	diag_init(&diag, &arena, stderr);
	test_small_blocks();
	test_super_blocks();
	test_sizes();
	test_constants();
	test_text();
	test_packed();
	arena_release(&arena);
	return tap_done();
}
