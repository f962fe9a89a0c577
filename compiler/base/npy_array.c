/* SPDX-License-Identifier: Apache-2.0 */
/* npy_array.c - .npy files: a magic, a header that is a Python dictionary, the elements. */
#include "config.h"

#include "base/npy_array.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static float from_half(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff, bits;
	float f;

	if (e == 0) {
		f = (float)m * 0x1p-24f;
		return sign ? -f : f;
	}
	bits = sign | (e == 31 ? 255u << 23 : (e + 112) << 23) | m << 13;
	memcpy(&f, &bits, sizeof f);
	return f;
}

static bool convert(char kind, size_t size, const unsigned char *p, uint64_t n, float *out)
{
#define EACH(type) for (uint64_t i = 0; i < n; i++) { type x; memcpy(&x, p + i * sizeof x, sizeof x); out[i] = (float)x; } return true
	switch ((unsigned char)kind << 8 | (int)size) {
	case 'f' << 8 | 4: EACH(float);
	case 'f' << 8 | 8: EACH(double);
	case 'i' << 8 | 1: EACH(int8_t);
	case 'i' << 8 | 2: EACH(int16_t);
	case 'i' << 8 | 4: EACH(int32_t);
	case 'i' << 8 | 8: EACH(int64_t);
	case 'b' << 8 | 1:
	case 'u' << 8 | 1: EACH(uint8_t);
	case 'u' << 8 | 2: EACH(uint16_t);
	case 'u' << 8 | 4: EACH(uint32_t);
	case 'u' << 8 | 8: EACH(uint64_t);
	case 'f' << 8 | 2:
		for (uint64_t i = 0; i < n; i++)
			out[i] = from_half((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
		return true;
	default: return false;
	}
#undef EACH
}

/* The text after 'key': in the header; NULL: not there. */
static const char *member(const char *header, const char *key)
{
	const char *p = strstr(header, key);

	if (!p)
		return NULL;
	p += strlen(key);
	while (*p == ' ' || *p == ':')
		p++;
	return p;
}

static const char *parse(const char *header, char *kind, size_t *size, struct npy_array *out)
{
	const char *type = member(header, "'descr'"), *order = member(header, "'fortran_order'");
	const char *shape = member(header, "'shape'");

	if (!type || !order || !shape || type[0] != '\'' || *shape != '(')
		return "its header is not one that NumPy writes";
	if (!type[1] || !strchr("<|=", type[1]) || !type[2] || type[3] < '1' || type[3] > '8' || type[4] != '\'')
		return "its type is not supported";
	*kind = type[2];
	*size = (size_t)(type[3] - '0');
	if (strncmp(order, "False", 5) != 0)
		return "it is in Fortran order";
	out->elements = 1;
	for (const char *p = shape + 1; *p != ')';) {
		char *end;
		long long n = strtoll(p, &end, 10);

		if (end == p || n < 0 || out->rank == NPY_MAX_RANK)
			return "its shape is not supported";
		out->dim[out->rank++] = n;
		if (__builtin_mul_overflow(out->elements, (uint64_t)n, &out->elements) || out->elements > 1ull << 40)
			return "it is too large";
		for (p = end; *p == ' ' || *p == ','; p++)
			;
	}
	return NULL;
}

static const char *read_mapped(struct arena *a, const struct mapped_file *f, struct npy_array *out)
{
	size_t start, length, size = 0;
	const char *why;
	char kind = 0;
	float *data;

	if (f->size < 12 || memcmp(f->data, "\x93NUMPY", 6) != 0)
		return "it is no .npy file";
	length = f->data[8] | (size_t)f->data[9] << 8;
	start = 10;
	if (f->data[6] != 1) {
		length |= (size_t)f->data[10] << 16 | (size_t)f->data[11] << 24;
		start = 12;
	}
	if (length > f->size - start)
		return "it ends inside its header";
	why = parse(arena_strndup(a, (const char *)f->data + start, length), &kind, &size, out);
	if (why)
		return why;
	if (out->elements > (f->size - start - length) / size)
		return "it is shorter than its shape";
	data = arena_new_array(a, float, out->elements);
	out->data = data;
	return convert(kind, size, f->data + start + length, out->elements, data) ? NULL : "its type is not supported";
}

bool npy_array_read(struct arena *a, struct diag *d, struct span at, const char *path, struct npy_array *out)
{
	struct mapped_file f;
	const char *why;

	*out = (struct npy_array){ 0 };
	if (!file_map(path, &f)) {
		diag_error(d, at, "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	why = read_mapped(a, &f, out);
	file_unmap(&f);
	if (why)
		diag_error(d, at, "cannot read \"%s\": %s", path, why);
	return !why;
}
