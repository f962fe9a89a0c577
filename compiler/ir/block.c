/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.c - what the bytes of the block formats mean.
 *
 * Written for clarity: kernels are tested against block_decode(). Nothing here
 * assumes an alignment, because the bytes come from files.
 */
#include "config.h"

#include "ir/block.h"

#include <assert.h>
#include <string.h>

const int8_t block_table[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };

static const struct block_format formats[] = {
	[DTYPE_Q8_0 - DTYPE_Q8_0] = { BLOCK_SYMMETRIC, 8, 32, 34, false },
	[DTYPE_Q4_0 - DTYPE_Q8_0] = { BLOCK_SYMMETRIC, 4, 32, 18, false },
	[DTYPE_Q4_1 - DTYPE_Q8_0] = { BLOCK_ASYMMETRIC, 4, 32, 20, false },
	[DTYPE_Q5_0 - DTYPE_Q8_0] = { BLOCK_SYMMETRIC, 5, 32, 22, false },
	[DTYPE_Q5_1 - DTYPE_Q8_0] = { BLOCK_ASYMMETRIC, 5, 32, 24, false },
	[DTYPE_Q4_K - DTYPE_Q8_0] = { BLOCK_SUPER_MIN, 4, 256, 144, false },
	[DTYPE_Q5_K - DTYPE_Q8_0] = { BLOCK_SUPER_MIN, 5, 256, 176, false },
	[DTYPE_Q6_K - DTYPE_Q8_0] = { BLOCK_SUPER, 6, 256, 210, false },
	[DTYPE_IQ4_NL - DTYPE_Q8_0] = { BLOCK_TABLE, 4, 32, 18, false },
};

static const uint32_t grouped_bits[5] = { 3, 4, 5, 6, 8 }, wide_bits[2] = { 4, 8 };

bool dtype_is_block(enum dtype t)
{
	return t >= DTYPE_Q8_0 && t < DTYPE_COUNT;
}

struct block_format block_format(enum dtype t)
{
	bool wide = t >= DTYPE_WIDE;
	unsigned i = (unsigned)t - (wide ? DTYPE_WIDE : DTYPE_GROUPED);

	if (!dtype_is_block(t))
		return (struct block_format){ .kind = BLOCK_NONE };
	if (t < DTYPE_GROUPED)
		return formats[t - DTYPE_Q8_0];
	return (struct block_format){ i & 1 ? BLOCK_ASYMMETRIC : BLOCK_SYMMETRIC, wide ? wide_bits[i / 6] : grouped_bits[i / 6],
				      32u << (i / 2 % 3), 0, true, wide };
}

static enum dtype find(enum dtype from, enum dtype to, uint32_t bits, uint32_t group, bool asymmetric)
{
	for (unsigned t = from; t < (unsigned)to; t++) {
		struct block_format f = block_format((enum dtype)t);

		if (f.bits == bits && f.elements == group && (f.kind == BLOCK_ASYMMETRIC) == asymmetric)
			return (enum dtype)t;
	}
	return DTYPE_COUNT;
}

enum dtype block_grouped(uint32_t bits, uint32_t group, bool asymmetric)
{
	return find(DTYPE_GROUPED, DTYPE_WIDE, bits, group, asymmetric);
}

enum dtype block_wide(uint32_t bits, uint32_t group, bool asymmetric)
{
	return find(DTYPE_WIDE, DTYPE_COUNT, bits, group, asymmetric);
}

uint32_t block_head(const struct block_format *f)
{
	return (f->kind == BLOCK_ASYMMETRIC ? 4 : 2) << f->wide;
}

uint64_t block_row_bytes(enum dtype t, int64_t n)
{
	struct block_format f = block_format(t);

	if (n < 0 || n > INT64_C(1) << 48)
		return 0;
	if (f.kind == BLOCK_NONE)
		return (uint64_t)n * dtype_size(t);
	if (!f.grouped)
		return n % f.elements ? 0 : (uint64_t)n / f.elements * f.bytes;
	return ((uint64_t)n + f.elements - 1) / f.elements * block_head(&f) + (uint64_t)n;
}

int64_t data_row(const struct data *d)
{
	const struct shape *s = &d->source_shape;
	int64_t n = 1;

	if (!s->rank)
		return 1;
	if (!block_format(d->source_dtype).grouped)
		return s->dim[s->rank - 1];
	for (uint32_t i = s->rank > 1; i < s->rank; i++)
		n *= s->dim[i];
	return n;
}

bool data_source_bytes(const struct data *d, uint64_t *bytes)
{
	int64_t n = shape_elements(&d->source_shape), row = n > 0 ? data_row(d) : 1;

	*bytes = n < 0 ? 0 : d->packed ? d->packed->row_bytes : block_row_bytes(d->source_dtype, row);
	if (n > 0 && (!*bytes || __builtin_mul_overflow(*bytes, (uint64_t)(n / row), bytes)))
		return false;
	if (n <= 0)
		*bytes = 0;
	return n >= 0;
}

void packed_row(const struct packed_rows *p, const struct block_format *f, uint64_t row, const uint8_t *codes, int64_t n,
		uint8_t *out)
{
	unsigned mask = (1u << p->bits) - 1, each = 8 / p->bits;

	assert(p->head_bytes == ((uint64_t)n + f->elements - 1) / f->elements * block_head(f));
	memcpy(out, p->heads + row * p->head_bytes, p->head_bytes);
	out += p->head_bytes;
	for (int64_t i = 0; i < n; i++)
		out[i] = (uint8_t)((codes[i / each] >> i % each * p->bits & mask) + p->more);
}

static float half_at(const uint8_t *p)
{
	return half_to_float((uint16_t)(p[0] | p[1] << 8));
}

/* Blocks of 32: f16 scale, f16 minimum (some), four bytes of fifth bits (some), nibbles or bytes. */
static void decode_small(enum dtype t, const struct block_format *f, const uint8_t *p, float *out)
{
	float d = half_at(p), m = f->kind == BLOCK_ASYMMETRIC ? half_at(p + 2) : 0;
	const uint8_t *high = p + (f->kind == BLOCK_ASYMMETRIC ? 4 : 2), *low = high + (f->bits == 5 ? 4 : 0);

	for (int i = 0; i < 32; i++) {
		int q = f->bits == 8 ? (int8_t)low[i] : i < 16 ? low[i] & 15 : low[i - 16] >> 4;

		if (f->bits == 5)
			q |= (high[i / 8] >> i % 8 & 1) << 4;
		if (t == DTYPE_Q4_0 || t == DTYPE_Q5_0)
			q -= 1 << (f->bits - 1);
		if (f->kind == BLOCK_TABLE)
			q = block_table[q];
		out[i] = d * (float)q + m;
	}
}

/* Scale and minimum of eight sub-blocks, six bits each, in twelve bytes. */
static void decode_six_bits(const uint8_t *s, int j, int *scale, int *minimum)
{
	if (j < 4) {
		*scale = s[j] & 63;
		*minimum = s[j + 4] & 63;
	} else {
		*scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
		*minimum = s[j + 4] >> 4 | s[j] >> 6 << 4;
	}
}

static void decode_super_min(const struct block_format *f, const uint8_t *p, float *out)
{
	float d = half_at(p), dmin = half_at(p + 2);
	const uint8_t *high = p + 16, *low = high + (f->bits == 5 ? 32 : 0);

	for (int i = 0; i < 256; i++) {
		int j = i / 32, scale, minimum, q = low[i / 64 * 32 + i % 32] >> (j & 1 ? 4 : 0) & 15;

		if (f->bits == 5)
			q |= (high[i % 32] >> j & 1) << 4;
		decode_six_bits(p + 4, j, &scale, &minimum);
		out[i] = d * (float)scale * (float)q - dmin * (float)minimum;
	}
}

static void decode_super(const uint8_t *p, float *out)
{
	float d = half_at(p + 208);

	for (int i = 0; i < 256; i++) {
		int half = i / 128, l = i % 32, part = i % 128 / 32;
		int q = (p[half * 64 + (part & 1) * 32 + l] >> (part & 2 ? 4 : 0) & 15) |
			(p[128 + half * 32 + l] >> 2 * part & 3) << 4;

		out[i] = d * (float)(int8_t)p[192 + i / 16] * (float)(q - 32);
	}
}

/* Number i of the scales of a row, then its minima. */
static float head_at(const struct block_format *f, const uint8_t *p, int64_t i)
{
	float x;

	if (!f->wide)
		return half_at(p + 2 * i);
	memcpy(&x, p + 4 * i, 4);
	return x;
}

static void decode_grouped(const struct block_format *f, const uint8_t *p, int64_t n, float *out)
{
	int64_t groups = (n + f->elements - 1) / f->elements;
	bool asymmetric = f->kind == BLOCK_ASYMMETRIC;
	const uint8_t *code = p + groups * block_head(f);

	for (int64_t i = 0; i < n; i++) {
		int64_t g = i / f->elements;
		float scale = head_at(f, p, g);

		out[i] = asymmetric ? scale * (float)code[i] + head_at(f, p, groups + g) :
				      scale * (float)(code[i] - (1 << (f->bits - 1)));
	}
}

void block_decode(enum dtype t, const void *row, int64_t n, float *out)
{
	struct block_format f = block_format(t);
	const uint8_t *p = row;

	if (f.grouped) {
		decode_grouped(&f, p, n, out);
		return;
	}
	for (int64_t i = 0; i < n; i += f.elements, p += f.bytes)
		if (f.kind == BLOCK_SUPER_MIN)
			decode_super_min(&f, p, out + i);
		else if (f.kind == BLOCK_SUPER)
			decode_super(p, out + i);
		else
			decode_small(t, &f, p, out + i);
}
