/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gguf.c - the front of a GGUF file (versions 2 and 3, little-endian).
 *
 *	magic "GGUF", u32 version, u64 tensors, u64 keys
 *	keys:    string name, u32 type, value
 *	tensors: string name, u32 rank, u64 dims (fastest first), u32 type, u64 offset
 *	zeros to general.alignment, then the tensors' bytes
 *
 * One walk finds every key and tensor and proves that each lies inside the
 * file, that sizes do not overflow, and that no two tensors share bytes.
 * Arrays are stepped over once (of strings one by one), those in arrays to a
 * depth of a few: the walk takes no memory but a record for each key and tensor.
 */
#include "config.h"

#include "base/file.h"
#include "import/gguf.h"
#include "ir/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 1 << 16, MAX_TENSORS = 1 << 18, MAX_NAME = 1024, MAX_NESTED = 4 };

typedef unsigned long long ull;

struct reader {
	struct gguf *g;
	const unsigned char *start, *p, *end;
};

static bool fail(struct gguf *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct gguf *g, const char *fmt, ...)
{
	va_list ap;
	char *what;

	va_start(ap, fmt);
	what = arena_vprintf(g->arena, fmt, ap);
	va_end(ap);
	diag_error(g->diag, g->span, "cannot read \"%s\": %s", g->path, what);
	return false;
}

/* ---- numbers and strings of the file ---- */

static uint32_t load32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t load64(const unsigned char *p)
{
	return load32(p) | (uint64_t)load32(p + 4) << 32;
}

static bool take(struct reader *r, uint64_t n, const unsigned char **at)
{
	*at = r->p;
	if ((uint64_t)(r->end - r->p) < n)
		return fail(r->g, "it ends after %llu bytes, in its header", (ull)(r->end - r->start));
	r->p += n;
	return true;
}

static bool take32(struct reader *r, uint32_t *out)
{
	const unsigned char *at;

	if (!take(r, 4, &at))
		return false;
	*out = load32(at);
	return true;
}

static bool take64(struct reader *r, uint64_t *out)
{
	const unsigned char *at;

	if (!take(r, 8, &at))
		return false;
	*out = load64(at);
	return true;
}

static bool take_string(struct reader *r, struct gguf_text *out)
{
	const unsigned char *at;

	if (!take64(r, &out->len) || !take(r, out->len, &at))
		return false;
	out->data = (const char *)at;
	return true;
}

/* A name is short and has no NUL; it is copied, because maps want C strings. */
static bool take_name(struct reader *r, const char *what, const char **out)
{
	struct gguf_text t;

	if (!take_string(r, &t))
		return false;
	if (!t.len || t.len > MAX_NAME || memchr(t.data, 0, t.len))
		return fail(r->g, "the name of a %s has %llu bytes, or a NUL", what, (ull)t.len);
	*out = arena_strndup(r->g->arena, t.data, t.len);
	return true;
}

/* ---- keys ---- */

static unsigned type_size(enum gguf_type t)
{
	static const unsigned char size[GGUF_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

	return size[t];
}

static bool take_array(struct reader *r, const char *key, int depth, struct gguf_value *v)
{
	uint32_t type;

	if (!take32(r, &type) || !take64(r, &v->count))
		return false;
	if (type >= GGUF_TYPES)
		return fail(r->g, "key \"%s\" is an array of type %u", key, type);
	if (depth == MAX_NESTED)
		return fail(r->g, "key \"%s\" has more than %d arrays in each other", key, MAX_NESTED);
	v->element = (enum gguf_type)type;
	v->at = r->p;
	if (type != GGUF_STRING && type != GGUF_ARRAY) {
		const unsigned char *at;

		if (v->count > (uint64_t)(r->end - r->p))
			return fail(r->g, "key \"%s\" has %llu elements, more than the file has bytes", key, (ull)v->count);
		return take(r, v->count * type_size(v->element), &at);
	}
	for (uint64_t i = 0; i < v->count; i++) {
		struct gguf_value inner;
		struct gguf_text t;

		if (type == GGUF_STRING ? !take_string(r, &t) : !take_array(r, key, depth + 1, &inner))
			return false;
	}
	return true;
}

static bool take_key(struct reader *r)
{
	struct gguf_value v = { .count = 1 };
	const unsigned char *at;
	struct gguf_text text;
	const char *key;
	uint32_t type;

	if (!take_name(r, "key", &key) || !take32(r, &type))
		return false;
	if (type >= GGUF_TYPES)
		return fail(r->g, "key \"%s\" is of type %u", key, type);
	v.type = (enum gguf_type)type;
	v.at = r->p;
	if (type == GGUF_ARRAY ? !take_array(r, key, 0, &v) :
	    type == GGUF_STRING ? !take_string(r, &text) : !take(r, type_size(v.type), &at))
		return false;
	v.end = r->p;
	if (map_get(&r->g->keys, key, NULL))
		return fail(r->g, "key \"%s\" is there twice", key);
	map_put(r->g->arena, &r->g->keys, key, r->g->values.len);
	vec_push(r->g->arena, &r->g->values, v);
	return true;
}

/* ---- tensors ---- */

static const struct tensor_type {
	uint32_t type;
	const char *name;
	int dtype; /* 0: not supported */
} types[] = {
	{ 0, "F32", DTYPE_F32 }, { 1, "F16", DTYPE_F16 }, { 30, "BF16", DTYPE_BF16 },
	{ 2, "Q4_0", DTYPE_Q4_0 }, { 3, "Q4_1", DTYPE_Q4_1 }, { 6, "Q5_0", DTYPE_Q5_0 },
	{ 7, "Q5_1", DTYPE_Q5_1 }, { 8, "Q8_0", DTYPE_Q8_0 }, { 9, "Q8_1", 0 }, { 10, "Q2_K", 0 },
	{ 11, "Q3_K", 0 }, { 12, "Q4_K", DTYPE_Q4_K }, { 13, "Q5_K", DTYPE_Q5_K }, { 14, "Q6_K", DTYPE_Q6_K },
	{ 15, "Q8_K", 0 }, { 16, "IQ2_XXS", 0 }, { 17, "IQ2_XS", 0 }, { 18, "IQ3_XXS", 0 }, { 19, "IQ1_S", 0 },
	{ 20, "IQ4_NL", DTYPE_IQ4_NL }, { 21, "IQ3_S", 0 }, { 22, "IQ2_S", 0 }, { 23, "IQ4_XS", 0 },
	{ 24, "I8", DTYPE_I8 }, { 25, "I16", DTYPE_I16 }, { 26, "I32", DTYPE_I32 }, { 27, "I64", DTYPE_I64 },
	{ 28, "F64", DTYPE_F64 }, { 29, "IQ1_M", 0 }, { 34, "TQ1_0", 0 }, { 35, "TQ2_0", 0 },
	{ 39, "MXFP4", 0 }, { 40, "NVFP4", 0 }, { 41, "Q1_0", 0 }, { 42, "Q2_0", 0 },
};

static const struct tensor_type *type_of(uint32_t type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}

const char *gguf_type_name(uint32_t type)
{
	const struct tensor_type *t = type_of(type);

	return t ? t->name : "unknown";
}

/* dims are stored fastest first; a trailing 1 is no dim of its own. */
static bool take_dims(struct reader *r, struct gguf_tensor *t)
{
	uint64_t dim[4];
	uint32_t rank;

	if (!take32(r, &rank))
		return false;
	if (rank > 4)
		return fail(r->g, "tensor \"%s\" has %u dimensions", t->name, rank);
	for (uint32_t i = 0; i < rank; i++) {
		if (!take64(r, &dim[i]))
			return false;
		if (!dim[i] || dim[i] > UINT64_C(1) << 40)
			return fail(r->g, "dimension %u of tensor \"%s\" is %llu", i, t->name, (ull)dim[i]);
	}
	while (rank > 1 && dim[rank - 1] == 1)
		rank--;
	t->shape.rank = rank;
	for (uint32_t i = 0; i < rank; i++)
		t->shape.dim[i] = (int64_t)dim[rank - 1 - i];
	if (shape_elements(&t->shape) < 0)
		return fail(r->g, "tensor \"%s\" has too many elements", t->name);
	return true;
}

static bool tensor_bytes(struct gguf_tensor *t)
{
	int64_t row = t->shape.rank ? t->shape.dim[t->shape.rank - 1] : 1, elements = shape_elements(&t->shape);
	uint64_t bytes = block_row_bytes(t->dtype, row);

	return bytes && elements / row > 0 && !__builtin_mul_overflow((uint64_t)(elements / row), bytes, &t->size);
}

static bool take_tensor(struct reader *r)
{
	struct gguf_tensor t = { 0 };
	const struct tensor_type *type;

	if (!take_name(r, "tensor", &t.name) || !take_dims(r, &t) || !take32(r, &t.type) || !take64(r, &t.offset))
		return false;
	type = type_of(t.type);
	if (!type || !type->dtype)
		return fail(r->g, "tensor \"%s\" is stored as %s (type %u), which is not supported", t.name,
			    gguf_type_name(t.type), t.type);
	t.dtype = (enum dtype)type->dtype;
	if (!tensor_bytes(&t))
		return fail(r->g, "a row of tensor \"%s\" cannot be stored as %s: %s", t.name, type->name,
			    shape_string(r->g->arena, &t.shape));
	if (map_get(&r->g->names, t.name, NULL))
		return fail(r->g, "tensor \"%s\" is there twice", t.name);
	map_put(r->g->arena, &r->g->names, t.name, r->g->tensors.len);
	vec_push(r->g->arena, &r->g->tensors, t);
	return true;
}

static int by_offset(const void *a, const void *b)
{
	const struct gguf_tensor *x = *(const struct gguf_tensor *const *)a, *y = *(const struct gguf_tensor *const *)b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Offsets become places in the file. */
static bool place_tensors(struct gguf *g, uint64_t header, uint64_t align)
{
	const struct gguf_tensor **order = arena_new_array(g->arena, const struct gguf_tensor *, g->tensors.len + 1);
	uint64_t data = (header + align - 1) / align * align, end = 0;

	for (uint32_t i = 0; i < g->tensors.len; i++)
		order[i] = &g->tensors.data[i];
	qsort(order, g->tensors.len, sizeof *order, by_offset);
	for (uint32_t i = 0; i < g->tensors.len; i++) {
		const struct gguf_tensor *t = order[i];

		if (t->offset % align || t->offset < end)
			return fail(g, "tensor \"%s\" starts at %llu, in the middle of another or unaligned", t->name,
				    (ull)t->offset);
		if (data > g->file_size || t->offset > g->file_size - data || t->size > g->file_size - data - t->offset)
			return fail(g, "tensor \"%s\" (%llu bytes at %llu) ends outside the file", t->name, (ull)t->size,
				    (ull)t->offset);
		end = t->offset + t->size;
	}
	for (uint32_t i = 0; i < g->tensors.len; i++)
		g->tensors.data[i].offset += data;
	return true;
}

/* ---- the file ---- */

static bool read_front(struct reader *r)
{
	struct gguf *g = r->g;
	struct gguf_text architecture;
	uint64_t tensors, keys;
	int64_t align = 32;
	const unsigned char *magic;
	uint32_t version;

	if (!take(r, 4, &magic) || memcmp(magic, "GGUF", 4) != 0)
		return r->p == r->start ? false : fail(g, "it is no GGUF file");
	if (!take32(r, &version))
		return false;
	if (version != 2 && version != 3)
		return fail(g, version >> 24 ? "big-endian GGUF is not supported (version bytes %08x)"
					     : "GGUF version %u is not supported", version);
	if (!take64(r, &tensors) || !take64(r, &keys))
		return false;
	if (tensors > MAX_TENSORS || keys > MAX_KEYS)
		return fail(g, "%llu tensors and %llu keys are too many", (ull)tensors, (ull)keys);
	for (uint64_t i = 0; i < keys; i++)
		if (!take_key(r))
			return false;
	for (uint64_t i = 0; i < tensors; i++)
		if (!take_tensor(r))
			return false;
	if (gguf_integer(g, "general.alignment", &align) && (align < 8 || align % 8 || align > 1 << 20))
		return fail(g, "general.alignment is %lld", (long long)align);
	if (!gguf_string(g, "general.architecture", &architecture) || architecture.len > MAX_NAME ||
	    memchr(architecture.data, 0, architecture.len))
		return fail(g, "it names no architecture (general.architecture)");
	g->architecture = arena_strndup(g->arena, architecture.data, architecture.len);
	return g->diag->errors == 0 && place_tensors(g, (uint64_t)(r->p - r->start), (uint64_t)align);
}

struct gguf *gguf_open(struct arena *a, struct diag *d, const char *path, struct span span)
{
	struct gguf *g = arena_new(a, struct gguf);
	struct mapped_file f;
	struct reader r = { .g = g };

	g->arena = a;
	g->diag = d;
	g->span = span;
	g->path = path;
	if (!file_map(path, &f)) {
		diag_error(d, span, "could not open \"%s\": %s", path, strerror(errno));
		return NULL;
	}
	g->file_size = f.size;
	r.start = r.p = f.data;
	r.end = f.data ? f.data + f.size : NULL;
	if (f.size < 24) {
		fail(g, "it has %llu bytes and is no GGUF file", (ull)f.size);
		return NULL;
	}
	return read_front(&r) ? g : NULL;
}

/* ---- asking ---- */

const struct gguf_value *gguf_find(const struct gguf *g, const char *key)
{
	uint32_t i;

	return map_get(&g->keys, key, &i) ? &g->values.data[i] : NULL;
}

static int64_t integer_at(enum gguf_type t, const unsigned char *p)
{
	switch (t) {
	case GGUF_U8: case GGUF_BOOL: return p[0];
	case GGUF_I8: return (int8_t)p[0];
	case GGUF_U16: return (int64_t)(p[0] | p[1] << 8);
	case GGUF_I16: return (int16_t)(uint16_t)(p[0] | p[1] << 8);
	case GGUF_U32: return (int64_t)load32(p);
	case GGUF_I32: return (int32_t)load32(p);
	default: return (int64_t)load64(p);
	}
}

static bool is_integer(enum gguf_type t)
{
	return t <= GGUF_I32 || t == GGUF_U64 || t == GGUF_I64;
}

bool gguf_integer(struct gguf *g, const char *key, int64_t *out)
{
	const struct gguf_value *v = gguf_find(g, key);

	if (!v)
		return false;
	if (!is_integer(v->type) || (v->type == GGUF_U64 && load64(v->at) > INT64_MAX))
		return fail(g, "key \"%s\" is no integer", key);
	*out = integer_at(v->type, v->at);
	return true;
}

bool gguf_number(struct gguf *g, const char *key, double *out)
{
	const struct gguf_value *v = gguf_find(g, key);
	union {
		uint32_t u32;
		uint64_t u64;
		float f;
		double d;
	} x;

	if (!v)
		return false;
	if (v->type == GGUF_F32) {
		x.u32 = load32(v->at);
		*out = (double)x.f;
		return true;
	}
	if (v->type == GGUF_F64) {
		x.u64 = load64(v->at);
		*out = x.d;
		return true;
	}
	if (!is_integer(v->type))
		return fail(g, "key \"%s\" is no number", key);
	*out = (double)integer_at(v->type, v->at);
	return true;
}

bool gguf_bool(struct gguf *g, const char *key, bool *out)
{
	const struct gguf_value *v = gguf_find(g, key);

	if (!v)
		return false;
	if (v->type != GGUF_BOOL)
		return fail(g, "key \"%s\" is not true or false", key);
	*out = v->at[0] != 0;
	return true;
}

struct gguf_text gguf_next_string(const unsigned char **at)
{
	struct gguf_text t = { (const char *)*at + 8, load64(*at) };

	*at += 8 + t.len;
	return t;
}

bool gguf_string(struct gguf *g, const char *key, struct gguf_text *out)
{
	const struct gguf_value *v = gguf_find(g, key);
	const unsigned char *at;

	if (!v)
		return false;
	if (v->type != GGUF_STRING)
		return fail(g, "key \"%s\" is no text", key);
	at = v->at;
	*out = gguf_next_string(&at);
	return true;
}

const struct gguf_value *gguf_array(struct gguf *g, const char *key, enum gguf_type element)
{
	const struct gguf_value *v = gguf_find(g, key);

	if (!v)
		return NULL;
	if (v->type == GGUF_ARRAY && v->element == element)
		return v;
	fail(g, "key \"%s\" is no array of the right type", key);
	return NULL;
}

int64_t gguf_element_integer(const struct gguf_value *v, uint64_t i)
{
	return integer_at(v->element, v->at + i * type_size(v->element));
}

float gguf_element_f32(const struct gguf_value *v, uint64_t i)
{
	union {
		uint32_t u;
		float f;
	} x = { .u = load32(v->at + i * 4) };

	return x.f;
}

const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name)
{
	uint32_t i;

	return map_get(&g->names, name, &i) ? &g->tensors.data[i] : NULL;
}
