/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deflate.c - a zlib stream, written as its input comes.
 *
 * The input is cut into blocks; each is searched for repetitions within itself
 * (one candidate a position, from a hash of the next four bytes) and written
 * with codes of its own. That is close to what larger windows give for images
 * after PNG's filters, in 300 kB of memory and without a library.
 */
#include "config.h"

#include "base/memory.h"
#include "image/deflate.h"
#include "image/huffman.h"

#include <string.h>

enum {
	BLOCK = 1 << 15,
	HASH_BITS = 12,
	MATCH_MIN = 4,
	MATCH_MAX = 258,
	LITERALS = 286, /* with the end of a block and the lengths */
	DISTANCES = 30,
	CODES = 19,
	OUT = 4096,
	MATCH = 1 << 30, /* marks a token: length in 9 bits from 16, distance - 1 in 16 */
};

struct deflate {
	byte_sink sink;
	void *to;
	bool failed;
	uint32_t a, b; /* the checksum */
	uint64_t bits;
	uint32_t bit_count, in_count, token_count, out_count;
	uint32_t token[BLOCK];
	int32_t head[1 << HASH_BITS];
	uint32_t frequency[LITERALS + DISTANCES];
	uint8_t in[BLOCK], out[OUT];
};

struct deflate *deflate_new(void)
{
	return rt_alloc(1, sizeof(struct deflate));
}

void deflate_free(struct deflate *d)
{
	rt_free(d);
}

static void flush(struct deflate *d)
{
	if (d->out_count && !d->failed && !d->sink(d->to, d->out, d->out_count))
		d->failed = true;
	d->out_count = 0;
}

static void put(struct deflate *d, uint32_t value, uint32_t count)
{
	d->bits |= (uint64_t)value << d->bit_count;
	d->bit_count += count;
	while (d->bit_count >= 8) {
		if (d->out_count == OUT)
			flush(d);
		d->out[d->out_count++] = (uint8_t)d->bits;
		d->bits >>= 8;
		d->bit_count -= 8;
	}
}

/* ---- lengths and distances are a code and some bits more */

struct split {
	uint32_t code, extra, bits;
};

/* Buckets that double in width every `per` codes, after the first 2 per. */
static struct split split(uint32_t value, uint32_t per_bits)
{
	uint32_t per = 1u << per_bits, shift = 0;

	if (value < 2 * per)
		return (struct split){ value, 0, 0 };
	while (value >> shift >= 2 * per)
		shift++;
	return (struct split){ (value >> shift) + shift * per, value & ((1u << shift) - 1), shift };
}

static struct split split_length(uint32_t length)
{
	struct split s;

	if (length == MATCH_MAX)
		return (struct split){ 285, 0, 0 };
	s = split(length - 3, 2);
	s.code += 257;
	return s;
}

static struct split split_distance(uint32_t distance)
{
	return split(distance - 1, 1);
}

/* ---- finding repetitions */

static uint32_t match_length(const uint8_t *a, const uint8_t *b, uint32_t most)
{
	uint32_t n = 0;

	while (n < most && a[n] == b[n])
		n++;
	return n;
}

static uint32_t find(struct deflate *d, uint32_t at, uint32_t *distance)
{
	uint32_t word, most = d->in_count - at, slot;
	int32_t before;

	if (most < MATCH_MIN)
		return 0;
	memcpy(&word, d->in + at, sizeof(word));
	slot = word * 2654435761u >> (32 - HASH_BITS);
	before = d->head[slot];
	d->head[slot] = (int32_t)at;
	if (before < 0)
		return 0;
	*distance = at - (uint32_t)before;
	return match_length(d->in + before, d->in + at, most < MATCH_MAX ? most : MATCH_MAX);
}

static void tokenize(struct deflate *d)
{
	memset(d->head, 0xff, sizeof(d->head));
	memset(d->frequency, 0, sizeof(d->frequency));
	d->token_count = 0;
	for (uint32_t at = 0; at < d->in_count;) {
		uint32_t distance = 0, length = find(d, at, &distance);

		if (length >= MATCH_MIN) {
			d->token[d->token_count++] = MATCH | length << 16 | (distance - 1);
			d->frequency[split_length(length).code]++;
			d->frequency[LITERALS + split_distance(distance).code]++;
			at += length;
		} else {
			d->token[d->token_count++] = d->in[at];
			d->frequency[d->in[at++]]++;
		}
	}
	d->frequency[256] = 1;
}

/* ---- a block */

struct codes {
	uint8_t length[LITERALS + DISTANCES];
	uint16_t literal[LITERALS], distance[DISTANCES];
};

/* Lengths as runs: 16 the last again 3-6, 17 zeros 3-10, 18 zeros 11-138. */
static uint32_t runs(const uint8_t *length, uint32_t n, uint16_t *out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n;) {
		uint32_t run = 1;

		while (i + run < n && length[i + run] == length[i])
			run++;
		if (!length[i] && run >= 3) {
			run = run > 138 ? 138 : run;
			out[count++] = (uint16_t)(run >= 11 ? 18 | (run - 11) << 5 : 17 | (run - 3) << 5);
		} else if (run >= 4) {
			run = run > 7 ? 7 : run;
			out[count++] = length[i];
			out[count++] = (uint16_t)(16 | (run - 4) << 5);
		} else {
			run = 1;
			out[count++] = length[i];
		}
		i += run;
	}
	return count;
}

static void put_lengths(struct deflate *d, const struct codes *c)
{
	static const uint8_t order[CODES] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	static const uint8_t extra[CODES] = { [16] = 2, [17] = 3, [18] = 7 };
	uint16_t run[LITERALS + DISTANCES], code[CODES];
	uint32_t count = runs(c->length, LITERALS + DISTANCES, run), frequency[CODES] = { 0 };
	uint8_t length[CODES];

	for (uint32_t i = 0; i < count; i++)
		frequency[run[i] & 31]++;
	huffman_lengths(frequency, CODES, 7, length);
	huffman_codes(length, CODES, code);
	put(d, LITERALS - 257, 5);
	put(d, DISTANCES - 1, 5);
	put(d, CODES - 4, 4);
	for (uint32_t i = 0; i < CODES; i++)
		put(d, length[order[i]], 3);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t s = run[i] & 31;

		put(d, code[s], length[s]);
		put(d, run[i] >> 5, extra[s]);
	}
}

static void put_token(struct deflate *d, const struct codes *c, uint32_t token)
{
	struct split s;

	if (!(token & MATCH)) {
		put(d, c->literal[token], c->length[token]);
		return;
	}
	s = split_length(token >> 16 & 511);
	put(d, c->literal[s.code], c->length[s.code]);
	put(d, s.extra, s.bits);
	s = split_distance((token & 0xffff) + 1);
	put(d, c->distance[s.code], c->length[LITERALS + s.code]);
	put(d, s.extra, s.bits);
}

static void block(struct deflate *d, bool last)
{
	struct codes c;
	bool any = false;

	tokenize(d);
	for (uint32_t i = 0; i < DISTANCES; i++)
		any = any || d->frequency[LITERALS + i];
	/* A block without distances still names one. */
	if (!any)
		d->frequency[LITERALS] = 1;
	huffman_lengths(d->frequency, LITERALS, 15, c.length);
	huffman_lengths(d->frequency + LITERALS, DISTANCES, 15, c.length + LITERALS);
	huffman_codes(c.length, LITERALS, c.literal);
	huffman_codes(c.length + LITERALS, DISTANCES, c.distance);
	put(d, last, 1);
	put(d, 2, 2);
	put_lengths(d, &c);
	for (uint32_t i = 0; i < d->token_count; i++)
		put_token(d, &c, d->token[i]);
	put(d, c.literal[256], c.length[256]);
	d->in_count = 0;
}

void deflate_begin(struct deflate *d, byte_sink sink, void *to)
{
	d->sink = sink;
	d->to = to;
	d->failed = false;
	d->a = 1;
	d->b = d->bit_count = d->in_count = d->out_count = 0;
	d->bits = 0;
	put(d, 0x78, 8);
	put(d, 0x9c, 8);
}

void deflate_write(struct deflate *d, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < bytes; i++) {
		d->a = (d->a + p[i]) % 65521;
		d->b = (d->b + d->a) % 65521;
		if (d->in_count == BLOCK)
			block(d, false);
		d->in[d->in_count++] = p[i];
	}
}

bool deflate_end(struct deflate *d)
{
	block(d, true);
	if (d->bit_count)
		put(d, 0, 8 - d->bit_count);
	for (int shift = 8; shift >= 0; shift -= 8)
		put(d, d->b >> shift & 255, 8);
	for (int shift = 8; shift >= 0; shift -= 8)
		put(d, d->a >> shift & 255, 8);
	flush(d);
	return !d->failed;
}
