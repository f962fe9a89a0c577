/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png.c - 8-bit RGB images as PNG, a row at a time.
 *
 * Each row gets the filter that leaves the smallest sum of differences; the
 * compressed stream is cut into chunks as it comes, so an image is never in
 * memory as a whole.
 */
#include "config.h"

#include "base/memory.h"
#include "image/png.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 8192, FILTERS = 5, BPP = 3 };

struct png {
	byte_sink sink;
	void *to;
	bool failed;
	uint32_t width;
	struct deflate *deflate;
	uint8_t *previous; /* the row above, then FILTERS filtered rows, each with its number in front */
	uint32_t crc_table[256];
	uint8_t chunk[CHUNK + 8];
	uint32_t used;
};

static size_t row_bytes(const struct png *p)
{
	return (size_t)p->width * BPP;
}

struct png *png_new(uint32_t width)
{
	struct png *p = rt_alloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->width = width;
	p->deflate = deflate_new();
	p->previous = rt_alloc(1 + FILTERS, row_bytes(p) + 1);
	if (!p->deflate || !p->previous) {
		png_delete(p);
		return NULL;
	}
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t c = n;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
		p->crc_table[n] = c;
	}
	return p;
}

void png_delete(struct png *p)
{
	if (!p)
		return;
	deflate_free(p->deflate);
	rt_free(p->previous);
	rt_free(p);
}

static void put_u32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void write_bytes(struct png *p, const void *data, size_t n)
{
	if (!p->failed && !p->sink(p->to, data, n))
		p->failed = true;
}

static void write_chunk(struct png *p, const char *name, const uint8_t *data, uint32_t n)
{
	uint8_t head[8], tail[4];
	uint32_t crc = 0xffffffffu;

	put_u32(head, n);
	memcpy(head + 4, name, 4);
	for (uint32_t i = 4; i < 8; i++)
		crc = p->crc_table[(crc ^ head[i]) & 255] ^ crc >> 8;
	for (uint32_t i = 0; i < n; i++)
		crc = p->crc_table[(crc ^ data[i]) & 255] ^ crc >> 8;
	put_u32(tail, ~crc);
	write_bytes(p, head, sizeof(head));
	if (n)
		write_bytes(p, data, n);
	write_bytes(p, tail, sizeof(tail));
}

/* What the compressor gives, gathered into chunks. */
static bool to_chunk(void *to, const void *data, size_t bytes)
{
	struct png *p = to;
	const uint8_t *from = data;

	while (bytes) {
		size_t n = CHUNK - p->used < bytes ? CHUNK - p->used : bytes;

		memcpy(p->chunk + p->used, from, n);
		p->used += (uint32_t)n;
		from += n;
		bytes -= n;
		if (p->used == CHUNK) {
			write_chunk(p, "IDAT", p->chunk, p->used);
			p->used = 0;
		}
	}
	return !p->failed;
}

void png_begin(struct png *p, byte_sink sink, void *to, uint32_t height)
{
	static const uint8_t magic[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	uint8_t header[13] = { [8] = 8, [9] = 2 };

	p->sink = sink;
	p->to = to;
	p->failed = false;
	p->used = 0;
	memset(p->previous, 0, row_bytes(p));
	put_u32(header, p->width);
	put_u32(header + 4, height);
	write_bytes(p, magic, sizeof(magic));
	write_chunk(p, "IHDR", header, sizeof(header));
	deflate_begin(p->deflate, to_chunk, p);
}

/* Of the left, upper and upper left neighbour the one closest to left + up - corner. */
static int paeth(int left, int up, int corner)
{
	int a = abs(up - corner), b = abs(left - corner), c = abs(left + up - 2 * corner);

	return a <= b && a <= c ? left : b <= c ? up : corner;
}

static int predict(int filter, int left, int up, int corner)
{
	switch (filter) {
	case 1:
		return left;
	case 2:
		return up;
	case 3:
		return (left + up) / 2;
	case 4:
		return paeth(left, up, corner);
	default:
		return 0;
	}
}

/* Filters a row into out; returns the sum of the differences as signed numbers. */
static uint64_t filter_row(int filter, const uint8_t *row, const uint8_t *above, size_t n, uint8_t *out)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		int left = i < BPP ? 0 : row[i - BPP], corner = i < BPP ? 0 : above[i - BPP];
		uint8_t d = (uint8_t)(row[i] - predict(filter, left, above[i], corner));

		out[i] = d;
		sum += d < 128 ? d : 256u - d;
	}
	return sum;
}

void png_row(struct png *p, const uint8_t *rgb)
{
	size_t n = row_bytes(p);
	uint8_t *best = NULL;
	uint64_t least = UINT64_MAX;

	for (int filter = 0; filter < FILTERS; filter++) {
		uint8_t *out = p->previous + n + (size_t)filter * (n + 1);
		uint64_t sum = filter_row(filter, rgb, p->previous, n, out + 1);

		out[0] = (uint8_t)filter;
		if (sum < least) {
			least = sum;
			best = out;
		}
	}
	deflate_write(p->deflate, best, n + 1);
	memcpy(p->previous, rgb, n);
}

bool png_end(struct png *p)
{
	if (!deflate_end(p->deflate))
		p->failed = true;
	if (p->used)
		write_chunk(p, "IDAT", p->chunk, p->used);
	write_chunk(p, "IEND", NULL, 0);
	return !p->failed;
}

bool sink_file(void *file, const void *data, size_t bytes)
{
	return fwrite(data, 1, bytes, file) == bytes;
}

static bool put_base64(struct base64 *b)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v = (uint32_t)b->rest[0] << 16 | (uint32_t)b->rest[1] << 8 | b->rest[2];
	char text[4] = { digit[v >> 18], digit[v >> 12 & 63], digit[v >> 6 & 63], digit[v & 63] };

	for (uint32_t i = b->count + 1; i < 4; i++)
		text[i] = '=';
	b->count = 0;
	memset(b->rest, 0, sizeof(b->rest));
	return fwrite(text, 1, 4, b->out) == 4;
}

bool sink_base64(void *base64, const void *data, size_t bytes)
{
	struct base64 *b = base64;
	const uint8_t *p = data;
	bool good = true;

	for (size_t i = 0; i < bytes; i++) {
		b->rest[b->count++] = p[i];
		if (b->count == 3)
			good = put_base64(b) && good;
	}
	return good;
}

bool base64_end(struct base64 *b)
{
	return b->count == 0 || put_base64(b);
}
