/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_skim.c - walk the wire format once, before protobuf-c sees it.
 *
 * protobuf-c copies every bytes field, keeps unknown fields, merges repeated
 * singular messages and recurses as deep as the file says. This walk takes all
 * of that away: it copies the few fields that onnx.proto names into a new
 * buffer, puts (offset, size) in the place of raw_data, drops the rest, refuses
 * a second copy of a singular message, and stops at a fixed depth. A model of
 * gigabytes becomes a buffer of kilobytes.
 *
 * Lengths of nested messages are not known before they are written, so each
 * takes five bytes (a varint may be longer than it must be) and is filled in
 * afterwards.
 */
#include "config.h"

#include "import/onnx_skim.h"

#include <string.h>

enum { MAX_DEPTH = 64, LENGTH_BYTES = 5, MAX_STRUCTURE = 1 << 30 };
enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { FIELD_PLACE_OFFSET = 1001, FIELD_PLACE_SIZE = 1002, FIELD_PLACE_FIELD = 1003 };

/* clang-format off */
enum message {
	M_MODEL, M_GRAPH, M_NODE, M_ATTRIBUTE, M_TENSOR, M_SPARSE, M_OPSET, M_FUNCTION, M_ENTRY,
	M_VALUE_INFO, M_TYPE, M_TENSOR_TYPE, M_SHAPE, M_DIMENSION
};

enum keep {
	KEEP = 1, /* as it is */
	EACH,     /* a repeated message */
	ONE,      /* a message that occurs once at most */
	PLACE,    /* bytes: only their place */
	FLOATS    /* packed numbers: their place, where the tensor has one run of them */
};

struct field {
	uint8_t message, number, keep, type;
};

static const struct field fields[] = {
	{ M_MODEL, 1, KEEP, 0 }, { M_MODEL, 7, ONE, M_GRAPH }, { M_MODEL, 8, EACH, M_OPSET },
	{ M_MODEL, 25, EACH, M_FUNCTION },
	{ M_GRAPH, 1, EACH, M_NODE }, { M_GRAPH, 2, KEEP, 0 }, { M_GRAPH, 5, EACH, M_TENSOR },
	{ M_GRAPH, 11, EACH, M_VALUE_INFO }, { M_GRAPH, 12, EACH, M_VALUE_INFO },
	{ M_GRAPH, 15, EACH, M_SPARSE },
	{ M_NODE, 1, KEEP, 0 }, { M_NODE, 2, KEEP, 0 }, { M_NODE, 3, KEEP, 0 }, { M_NODE, 4, KEEP, 0 },
	{ M_NODE, 5, EACH, M_ATTRIBUTE }, { M_NODE, 7, KEEP, 0 }, { M_NODE, 8, KEEP, 0 },
	{ M_ATTRIBUTE, 1, KEEP, 0 }, { M_ATTRIBUTE, 2, KEEP, 0 }, { M_ATTRIBUTE, 3, KEEP, 0 },
	{ M_ATTRIBUTE, 4, KEEP, 0 }, { M_ATTRIBUTE, 5, ONE, M_TENSOR }, { M_ATTRIBUTE, 6, ONE, M_GRAPH },
	{ M_ATTRIBUTE, 7, KEEP, 0 }, { M_ATTRIBUTE, 8, KEEP, 0 }, { M_ATTRIBUTE, 9, KEEP, 0 },
	{ M_ATTRIBUTE, 20, KEEP, 0 }, { M_ATTRIBUTE, 21, KEEP, 0 },
	{ M_TENSOR, 1, KEEP, 0 }, { M_TENSOR, 2, KEEP, 0 }, { M_TENSOR, 4, FLOATS, 0 },
	{ M_TENSOR, 5, KEEP, 0 }, { M_TENSOR, 7, KEEP, 0 }, { M_TENSOR, 8, KEEP, 0 },
	{ M_TENSOR, 9, PLACE, 0 }, { M_TENSOR, 10, FLOATS, 0 }, { M_TENSOR, 11, KEEP, 0 },
	{ M_TENSOR, 13, EACH, M_ENTRY }, { M_TENSOR, 14, KEEP, 0 },
	{ M_SPARSE, 1, ONE, M_TENSOR }, { M_SPARSE, 2, ONE, M_TENSOR }, { M_SPARSE, 3, KEEP, 0 },
	{ M_OPSET, 1, KEEP, 0 }, { M_OPSET, 2, KEEP, 0 },
	{ M_FUNCTION, 1, KEEP, 0 }, { M_FUNCTION, 4, KEEP, 0 }, { M_FUNCTION, 5, KEEP, 0 },
	{ M_FUNCTION, 6, KEEP, 0 }, { M_FUNCTION, 7, EACH, M_NODE }, { M_FUNCTION, 9, EACH, M_OPSET },
	{ M_FUNCTION, 10, KEEP, 0 }, { M_FUNCTION, 11, EACH, M_ATTRIBUTE }, { M_FUNCTION, 13, KEEP, 0 },
	{ M_ENTRY, 1, KEEP, 0 }, { M_ENTRY, 2, KEEP, 0 },
	{ M_VALUE_INFO, 1, KEEP, 0 }, { M_VALUE_INFO, 2, ONE, M_TYPE },
	{ M_TYPE, 1, ONE, M_TENSOR_TYPE },
	{ M_TENSOR_TYPE, 1, KEEP, 0 }, { M_TENSOR_TYPE, 2, ONE, M_SHAPE },
	{ M_SHAPE, 1, EACH, M_DIMENSION },
	{ M_DIMENSION, 1, KEEP, 0 }, { M_DIMENSION, 2, KEEP, 0 },
};
/* clang-format on */

struct skim {
	const unsigned char *base;
	struct strbuf *out;
	struct skim_error *error;
};

/* One field of a message as it stands in the file. */
struct item {
	const unsigned char *start, *end; /* with the key */
	const unsigned char *body;	  /* WIRE_BYTES: what the length counts */
	uint64_t number;
	enum wire wire;
};

static bool fail(struct skim *s, const unsigned char *at, const char *what)
{
	s->error->offset = (uint64_t)(at - s->base);
	s->error->what = what;
	return false;
}

static bool read_varint(const unsigned char **p, const unsigned char *end, uint64_t *out)
{
	uint64_t x = 0;

	for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
		unsigned char c = *(*p)++;

		if (shift == 63 && c > 1)
			return false;
		x |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*out = x;
			return true;
		}
	}
	return false;
}

static bool read_item(struct skim *s, const unsigned char *p, const unsigned char *end,
		      struct item *it)
{
	uint64_t key, n;

	it->start = p;
	if (!read_varint(&p, end, &key))
		return fail(s, it->start, "damaged field key");
	it->number = key >> 3;
	it->wire = (enum wire)(key & 7);
	it->body = p;
	if (it->number == 0 || it->number >= 1 << 29)
		return fail(s, it->start, "impossible field number");
	switch (it->wire) {
	case WIRE_VARINT:
		if (!read_varint(&p, end, &n))
			return fail(s, it->start, "damaged number");
		break;
	case WIRE_FIXED64:
	case WIRE_FIXED32:
		n = it->wire == WIRE_FIXED64 ? 8 : 4;
		if ((uint64_t)(end - p) < n)
			return fail(s, it->start, "number cut off");
		p += n;
		break;
	case WIRE_BYTES:
		if (!read_varint(&p, end, &n))
			return fail(s, it->start, "damaged length");
		if ((uint64_t)(end - p) < n)
			return fail(s, it->start, "field reaches beyond its message");
		it->body = p;
		p += n;
		break;
	default:
		return fail(s, it->start, "unknown wire type");
	}
	it->end = p;
	return true;
}

static void put_varint(struct strbuf *out, uint64_t x)
{
	unsigned char b[10];
	size_t n = 0;

	for (; x >= 0x80; x >>= 7)
		b[n++] = (unsigned char)(x | 0x80);
	b[n++] = (unsigned char)x;
	strbuf_add(out, b, n);
}

static void put_place(struct skim *s, const struct item *it)
{
	put_varint(s->out, FIELD_PLACE_OFFSET << 3 | WIRE_VARINT);
	put_varint(s->out, (uint64_t)(it->body - s->base));
	put_varint(s->out, FIELD_PLACE_SIZE << 3 | WIRE_VARINT);
	put_varint(s->out, (uint64_t)(it->end - it->body));
	put_varint(s->out, FIELD_PLACE_FIELD << 3 | WIRE_VARINT);
	put_varint(s->out, it->number);
}

static const struct field *find_field(enum message m, uint64_t number)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i].message == m && fields[i].number == number)
			return &fields[i];
	return NULL;
}

/*
 * The field of a tensor whose numbers are one packed run, which is as good as
 * raw_data; 0 where there is raw_data, or several runs, or single numbers.
 */
static bool find_packed_run(struct skim *s, const unsigned char *p, const unsigned char *end,
			    uint64_t *number)
{
	struct item it;
	unsigned others = 0;

	*number = 0;
	for (; p < end; p = it.end) {
		if (!read_item(s, p, end, &it))
			return false;
		if (it.number != 4 && it.number != 9 && it.number != 10)
			continue;
		if (*number || it.number == 9 || it.wire != WIRE_BYTES)
			others++;
		*number = it.number;
	}
	if (others)
		*number = 0;
	return true;
}

static bool skim_message(struct skim *s, enum message m, const unsigned char *p,
			 const unsigned char *end, unsigned depth);

static bool skim_nested(struct skim *s, const struct field *f, const struct item *it,
			unsigned depth)
{
	size_t at, n;

	if (it->wire != WIRE_BYTES)
		return fail(s, it->start, "a message was expected here");
	if (depth == MAX_DEPTH)
		return fail(s, it->start, "nested too deeply");
	put_varint(s->out, it->number << 3 | WIRE_BYTES);
	at = s->out->len;
	strbuf_add(s->out, "\0\0\0\0", LENGTH_BYTES);
	if (!skim_message(s, (enum message)f->type, it->body, it->end, depth + 1))
		return false;
	n = s->out->len - at - LENGTH_BYTES;
	for (unsigned i = 0; i < LENGTH_BYTES; i++) {
		unsigned char more = i < LENGTH_BYTES - 1 ? 0x80 : 0;

		((unsigned char *)s->out->data)[at + i] = (unsigned char)(n >> 7 * i & 0x7f) | more;
	}
	return true;
}

static bool skim_message(struct skim *s, enum message m, const unsigned char *p,
			 const unsigned char *end, unsigned depth)
{
	uint32_t seen = 0; /* ONE and PLACE fields; their numbers are below 32 */
	uint64_t run = 0;
	struct item it;

	if (m == M_TENSOR && !find_packed_run(s, p, end, &run))
		return false;
	for (; p < end; p = it.end) {
		const struct field *f;

		if (!read_item(s, p, end, &it))
			return false;
		f = find_field(m, it.number);
		if (!f)
			continue;
		if (f->keep == ONE || f->keep == PLACE) {
			if (seen >> f->number & 1)
				return fail(s, it.start,
					    "a field that may occur once occurs twice");
			seen |= 1u << f->number;
		}
		if (f->keep == EACH || f->keep == ONE) {
			if (!skim_nested(s, f, &it, depth))
				return false;
		} else if (f->keep == PLACE) {
			if (it.wire != WIRE_BYTES)
				return fail(s, it.start, "bytes were expected here");
			put_place(s, &it);
		} else if (f->keep == FLOATS && it.number == run) {
			put_place(s, &it);
		} else {
			strbuf_add(s->out, it.start, (size_t)(it.end - it.start));
		}
		if (s->out->len > MAX_STRUCTURE)
			return fail(s, it.start, "more than 1 GiB of structure");
	}
	return true;
}

bool onnx_skim(const unsigned char *data, size_t size, struct strbuf *out, struct skim_error *error)
{
	struct skim s = { data, out, error };

	*error = (struct skim_error){ 0, NULL };
	return skim_message(&s, M_MODEL, data, data + size, 0);
}
