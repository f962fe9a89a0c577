/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.c - the tables behind ops.def: names, classes, attribute keys, element
 * types. Whatever is a fact about an operation and no computation belongs here.
 */
#include "config.h"

#include "ir/graph.h"

#include <stdio.h>
#include <string.h>

#define A(key)	(UINT64_C(1) << ATTR_##key)
#define UNARY	OP_UNARY
#define BINARY	OP_BINARY
#define TERNARY OP_TERNARY
#define VIEW	OP_VIEW
#define HEAVY	OP_HEAVY
#define REDUCE	OP_REDUCE
#define OTHER	OP_OTHER

static const struct op_info ops[OP_COUNT] = {
#define OP(name, class, min_in, max_in, outs, attrs) { #name, class, min_in, max_in, outs, attrs },
#include "ir/ops.def"
#undef OP
};

static const char *const attr_names[ATTR_COUNT] = {
#define K(name) [ATTR_##name] = #name
	K(alpha),
	K(beta),
	K(gamma),
	K(min),
	K(max),
	K(dtype),
	K(shape),
	K(perm),
	K(starts),
	K(steps),
	K(repeats),
	K(axis),
	K(axes),
	K(keepdims),
	K(pads),
	K(mode),
	K(value),
	K(coordinates),
	K(rounding),
	K(scales),
	K(cubic_a),
	K(exclude_outside),
	K(roi),
	K(antialias),
	K(trans_a),
	K(trans_b),
	K(strides),
	K(dilations),
	K(group),
	K(output_padding),
	K(scale),
	K(causal),
	K(hidden),
	K(direction),
	K(activations),
	K(alphas),
	K(betas),
	K(clip),
	K(input_forget),
	K(layout),
	K(linear_before_reset),
	K(kernel),
	K(count_include_pad),
	K(select_last),
	K(eps),
	K(heads),
	K(kv_heads),
	K(context),
	K(cache),
	K(layer),
	K(window),
	K(softcap),
#undef K
};

static const struct {
	const char *name;
	uint8_t size;
	bool is_float;
} dtypes[DTYPE_COUNT] = {
	[DTYPE_F32] = { "f32", 4, true },   [DTYPE_F16] = { "f16", 2, true },
	[DTYPE_BF16] = { "bf16", 2, true }, [DTYPE_F64] = { "f64", 8, true },
	[DTYPE_I64] = { "i64", 8, false },  [DTYPE_I32] = { "i32", 4, false },
	[DTYPE_I16] = { "i16", 2, false },  [DTYPE_I8] = { "i8", 1, false },
	[DTYPE_U8] = { "u8", 1, false },    [DTYPE_BOOL] = { "bool", 1, false },
	[DTYPE_Q8_0] = { "q8_0", 0, true }, [DTYPE_Q4_0] = { "q4_0", 0, true },
	[DTYPE_Q4_1] = { "q4_1", 0, true }, [DTYPE_Q5_0] = { "q5_0", 0, true },
	[DTYPE_Q5_1] = { "q5_1", 0, true }, [DTYPE_Q4_K] = { "q4_k", 0, true },
	[DTYPE_Q5_K] = { "q5_k", 0, true }, [DTYPE_Q6_K] = { "q6_k", 0, true },
	[DTYPE_IQ4_NL] = { "iq4_nl", 0, true },
#define GROUPED(i, bits)                                                                           \
	[DTYPE_GROUPED + (i)] = { "q" #bits "g32", 0, true },                                      \
	[DTYPE_GROUPED + (i) + 1] = { "q" #bits "g32a", 0, true },                                 \
	[DTYPE_GROUPED + (i) + 2] = { "q" #bits "g64", 0, true },                                  \
	[DTYPE_GROUPED + (i) + 3] = { "q" #bits "g64a", 0, true },                                 \
	[DTYPE_GROUPED + (i) + 4] = { "q" #bits "g128", 0, true },                                 \
	[DTYPE_GROUPED + (i) + 5] = { "q" #bits "g128a", 0, true }
	GROUPED(0, 3), GROUPED(6, 4), GROUPED(12, 5), GROUPED(18, 6), GROUPED(24, 8),
#define WIDE(i, bits)                                                                              \
	[DTYPE_WIDE + (i)] = { "q" #bits "g32w", 0, true },                                        \
	[DTYPE_WIDE + (i) + 1] = { "q" #bits "g32aw", 0, true },                                   \
	[DTYPE_WIDE + (i) + 2] = { "q" #bits "g64w", 0, true },                                    \
	[DTYPE_WIDE + (i) + 3] = { "q" #bits "g64aw", 0, true },                                   \
	[DTYPE_WIDE + (i) + 4] = { "q" #bits "g128w", 0, true },                                   \
	[DTYPE_WIDE + (i) + 5] = { "q" #bits "g128aw", 0, true }
	WIDE(0, 4), WIDE(6, 8)
#undef WIDE
#undef GROUPED
};

_Static_assert(ATTR_COUNT <= 64, "attribute sets are 64-bit masks");

const struct op_info *op_info(enum op op)
{
	return &ops[op];
}

const char *op_name(enum op op)
{
	return (unsigned)op < OP_COUNT ? ops[op].name : "?";
}

bool op_from_name(const char *name, enum op *out)
{
	for (int i = 0; i < OP_COUNT; i++) {
		if (strcmp(ops[i].name, name) == 0) {
			*out = (enum op)i;
			return true;
		}
	}
	return false;
}

enum op_class op_class(enum op op)
{
	return ops[op].class;
}

bool op_is_elementwise(enum op op)
{
	return ops[op].class <= OP_TERNARY;
}

const char *attr_key_name(enum attr_key k)
{
	return (unsigned)k < ATTR_COUNT ? attr_names[k] : "?";
}

bool attr_key_from_name(const char *name, enum attr_key *out)
{
	for (int i = 0; i < ATTR_COUNT; i++) {
		if (strcmp(attr_names[i], name) == 0) {
			*out = (enum attr_key)i;
			return true;
		}
	}
	return false;
}

size_t dtype_size(enum dtype t)
{
	return (unsigned)t < DTYPE_COUNT ? dtypes[t].size : 0;
}

const char *dtype_name(enum dtype t)
{
	return (unsigned)t < DTYPE_COUNT && dtypes[t].name ? dtypes[t].name : "?";
}

bool dtype_from_name(const char *name, enum dtype *out)
{
	return dtype_from_stored_name(name, out) && dtype_size(*out);
}

bool dtype_from_stored_name(const char *name, enum dtype *out)
{
	for (int i = 0; i < DTYPE_COUNT; i++) {
		if (dtypes[i].name && strcmp(dtypes[i].name, name) == 0) {
			*out = (enum dtype)i;
			return true;
		}
	}
	return false;
}

bool dtype_is_float(enum dtype t)
{
	return (unsigned)t < DTYPE_COUNT && dtypes[t].is_float;
}

float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31,
		 fraction = h & 0x3ff;
	uint32_t bits;
	float f;

	if (exponent == 31) {
		bits = sign | 0x7f800000 | fraction << 13;
	} else if (exponent) {
		bits = sign | (exponent + 112) << 23 | fraction << 13;
	} else if (fraction) { /* subnormal: normalise */
		exponent = 113;
		while (!(fraction & 0x400)) {
			fraction <<= 1;
			exponent--;
		}
		bits = sign | exponent << 23 | (fraction & 0x3ff) << 13;
	} else {
		bits = sign;
	}
	memcpy(&f, &bits, 4);
	return f;
}

uint16_t float_to_half(float f)
{
	uint32_t bits, sign, rest, shift, half, lost;

	memcpy(&bits, &f, 4);
	sign = (bits >> 16) & 0x8000;
	bits &= 0x7fffffff;
	if (bits > 0x7f800000) /* NaN stays one, quiet */
		return (uint16_t)(sign | 0x7e00 | ((bits >> 13) & 0x3ff));
	if (bits >= 0x47800000)
		return (uint16_t)(sign | 0x7c00);
	if (bits >= 0x38800000) {
		half = (bits - 0x38000000) >> 13;
		lost = bits & 0x1fff;
		shift = 13;
	} else {
		uint32_t exponent = bits >> 23;

		if (exponent < 102)
			return (uint16_t)sign;
		rest = (bits & 0x7fffff) | 0x800000;
		shift = 126 - exponent;
		half = rest >> shift;
		lost = rest & ((UINT32_C(1) << shift) - 1);
	}
	if (lost > (UINT32_C(1) << (shift - 1)) ||
	    (lost == (UINT32_C(1) << (shift - 1)) && (half & 1)))
		half++; /* may carry into the exponent, which is right */
	return (uint16_t)(sign | half);
}

int64_t shape_elements(const struct shape *s)
{
	int64_t n = 1;

	for (uint32_t i = 0; i < s->rank; i++) {
		if (s->dim[i] == 0)
			return 0;
	}
	for (uint32_t i = 0; i < s->rank; i++) {
		if (s->dim[i] < 0 || s->dim[i] > (INT64_C(1) << 62) / n)
			return -1;
		n *= s->dim[i];
	}
	return n;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
	if (a->rank != b->rank)
		return false;
	for (uint32_t i = 0; i < a->rank; i++) {
		if (a->dim[i] != b->dim[i])
			return false;
	}
	return true;
}

const char *shape_string(struct arena *a, const struct shape *s)
{
	char *text = arena_alloc(a, 3 + 21 * (size_t)MAX_RANK);
	size_t at = 0;

	text[at++] = '[';
	for (uint32_t i = 0; i < s->rank && i < MAX_RANK; i++)
		at += (size_t)sprintf(text + at, "%s%lld", i ? "," : "", (long long)s->dim[i]);
	text[at++] = ']';
	text[at] = 0;
	return text;
}

bool shape_broadcast(const struct shape *a, const struct shape *b, struct shape *out)
{
	uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
	struct shape r = { .rank = rank };

	for (uint32_t i = 0; i < rank; i++) {
		int64_t x = i + a->rank < rank ? 1 : a->dim[i + a->rank - rank];
		int64_t y = i + b->rank < rank ? 1 : b->dim[i + b->rank - rank];

		if (x != y && x != 1 && y != 1)
			return false;
		r.dim[i] = x == 1 ? y : x;
	}
	*out = r;
	return true;
}
