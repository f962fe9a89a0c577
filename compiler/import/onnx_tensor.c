/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_tensor.c - from TensorProto to a constant that knows its place.
 *
 * Elements stand in raw_data, in a packed list, in a list of varints, or in
 * another file. The first two and the last stay where they are; small ones are
 * copied, because shapes and axes are among them and will be looked at.
 *
 * There are no unsigned numbers of 16 bits and more here: inside of a network a
 * wider signed type holds them (zero points of 16 bits, indices, masks).
 */
#include "config.h"

#include "import/onnx_import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { COPY_LIMIT = 4096, FIELD_FLOAT_DATA = 4, FIELD_DOUBLE_DATA = 10 };
enum { LOCATION_EXTERNAL = 1, NIBBLES_LIMIT = 1 << 30 };
enum { TYPE_UINT16 = 4, TYPE_UINT32 = 12, TYPE_UINT64 = 13, TYPE_UINT4 = 21, TYPE_INT4 = 22 };

static const struct {
	const char *name;
	enum dtype dtype; /* 0: not supported */
} types[] = {
	[1] = { "float", DTYPE_F32 },	[2] = { "uint8", DTYPE_U8 },
	[3] = { "int8", DTYPE_I8 },	[4] = { "uint16", 0 },
	[5] = { "int16", DTYPE_I16 },	[6] = { "int32", DTYPE_I32 },
	[7] = { "int64", DTYPE_I64 },	[8] = { "string", 0 },
	[9] = { "bool", DTYPE_BOOL },	[10] = { "float16", DTYPE_F16 },
	[11] = { "double", DTYPE_F64 }, [12] = { "uint32", 0 },
	[13] = { "uint64", 0 },		[14] = { "complex64", 0 },
	[15] = { "complex128", 0 },	[16] = { "bfloat16", DTYPE_BF16 },
	[17] = { "float8e4m3fn", 0 },	[18] = { "float8e4m3fnuz", 0 },
	[19] = { "float8e5m2", 0 },	[20] = { "float8e5m2fnuz", 0 },
	[21] = { "uint4", 0 },		[22] = { "int4", 0 },
	[23] = { "float4e2m1", 0 },	[24] = { "float8e8m0", 0 },
	[25] = { "uint2", 0 },		[26] = { "int2", 0 },
};

bool onnx_dtype(int64_t number, enum dtype *out)
{
	if (number < 1 || number >= (int64_t)(sizeof types / sizeof *types) || !types[number].dtype)
		return false;
	*out = types[number].dtype;
	return true;
}

bool onnx_unsigned(int64_t number)
{
	return number == TYPE_UINT16 || number == TYPE_UINT32 || number == TYPE_UINT64;
}

bool onnx_inner_dtype(int64_t number, enum dtype *out)
{
	if (!onnx_unsigned(number))
		return onnx_dtype(number, out);
	*out = number == TYPE_UINT16 ? DTYPE_I32 : DTYPE_I64;
	return true;
}

const char *onnx_dtype_name(int64_t number)
{
	if (number < 1 || number >= (int64_t)(sizeof types / sizeof *types))
		return "an unknown type";
	return types[number].name;
}

int64_t onnx_dtype_number(const char *name)
{
	for (size_t i = 1; i < sizeof types / sizeof *types; i++)
		if (types[i].name && strcasecmp(types[i].name, name) == 0)
			return (int64_t)i;
	return 0;
}

/* What is being read, for messages. */
struct reading {
	struct onnx_import *im;
	const Onnx__TensorProto *t;
	const char *what;
	enum dtype dtype;
	struct shape shape;
	int64_t elements;
	uint64_t size;
};

static value_id refuse(const struct reading *r, const char *why)
{
	diag_error(r->im->d, r->im->span, "%s \"%s\": %s", r->what, r->t->name ? r->t->name : "",
		   why);
	return NO_ID;
}

static value_id add(const struct reading *r, struct data d)
{
	d.source_dtype = r->dtype;
	d.source_shape = r->shape;
	return graph_add_const(r->im->g, r->t->name, r->dtype, r->shape, d);
}

static value_id add_bytes(const struct reading *r, const void *bytes)
{
	unsigned char *copy = arena_copy(r->im->a, bytes, r->size);

	for (int64_t i = 0; r->dtype == DTYPE_BOOL && i < r->elements; i++)
		copy[i] = copy[i] != 0;
	return add(r, (struct data){ .where = DATA_MEMORY, .bytes = copy });
}

static value_id read_place(const struct reading *r)
{
	uint64_t offset = r->t->place_offset, size = r->t->place_size;
	const unsigned char *p = r->im->map.data + offset;

	if ((r->t->place_field == FIELD_FLOAT_DATA && r->dtype != DTYPE_F32) ||
	    (r->t->place_field == FIELD_DOUBLE_DATA && r->dtype != DTYPE_F64))
		return refuse(r, "its data does not fit its type");
	if (size != r->size)
		return refuse(
			r, arena_printf(&r->im->file,
					"%s%s needs %llu bytes of data, and there are %llu",
					dtype_name(r->dtype), shape_string(&r->im->file, &r->shape),
					(unsigned long long)r->size, (unsigned long long)size));
	if (size <= COPY_LIMIT || r->dtype == DTYPE_BOOL)
		return add_bytes(r, p);
	return add(r, (struct data){ .where = DATA_FILE,
				     .file = r->im->weight_file,
				     .offset = offset,
				     .size = size });
}

static value_id read_lists(const struct reading *r)
{
	const Onnx__TensorProto *t = r->t;
	size_t n, width = dtype_size(r->dtype);
	unsigned char *bytes;

	n = r->dtype == DTYPE_F32   ? t->n_float_data
	    : r->dtype == DTYPE_F64 ? t->n_double_data
	    : r->dtype == DTYPE_I64 ? t->n_int64_data
				    : t->n_int32_data;
	if ((uint64_t)n != (uint64_t)r->elements)
		return refuse(
			r, arena_printf(&r->im->file, "%s%s needs %lld elements, and there are %zu",
					dtype_name(r->dtype), shape_string(&r->im->file, &r->shape),
					(long long)r->elements, n));
	if (r->dtype == DTYPE_F32)
		return add_bytes(r, t->float_data);
	if (r->dtype == DTYPE_F64)
		return add_bytes(r, t->double_data);
	if (r->dtype == DTYPE_I64)
		return add_bytes(r, t->int64_data);
	bytes = arena_alloc(&r->im->file, r->size);
	for (size_t i = 0; i < n; i++)
		memcpy(bytes + i * width, &t->int32_data[i],
		       width); /* little-endian: the low bytes */
	return add_bytes(r, bytes);
}

/* "weights.bin", "part/w0": inside the model's folder, whatever the file says. */
static bool location_is_safe(const char *s)
{
	if (*s == '/')
		return false;
	for (const char *p = s; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return false;
		p += n + (p[n] == '/');
	}
	return true;
}

static bool parse_size(const char *s, uint64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoull(s, &end, 10);
	return errno == 0 && *end == '\0';
}

static value_id read_external(const struct reading *r)
{
	const char *location = NULL, *path;
	uint64_t offset = 0, length = r->size, total;
	struct stat st;

	for (size_t i = 0; i < r->t->n_external_data; i++) {
		const char *key = r->t->external_data[i]->key,
			   *value = r->t->external_data[i]->value;

		if (!key || !value)
			continue;
		if (strcmp(key, "location") == 0)
			location = value;
		else if (strcmp(key, "offset") == 0 && !parse_size(value, &offset))
			return refuse(r, "the offset of its external data is not a number");
		else if (strcmp(key, "length") == 0 && !parse_size(value, &length))
			return refuse(r, "the length of its external data is not a number");
	}
	if (!location || !*location)
		return refuse(r, "its external data has no location");
	if (!location_is_safe(location))
		return refuse(
			r, arena_printf(&r->im->file,
					"its external data \"%s\" is outside of the model's folder",
					location));
	path = path_join(&r->im->file, r->im->directory, location);
	if (stat(path, &st) != 0)
		return refuse(r, arena_printf(&r->im->file,
					      "could not open its external data \"%s\": %s", path,
					      strerror(errno)));
	total = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode))
		return refuse(r, arena_printf(&r->im->file,
					      "its external data \"%s\" is not a file", path));
	if (length != r->size)
		return refuse(
			r, arena_printf(&r->im->file,
					"%s%s needs %llu bytes, and its external data has %llu",
					dtype_name(r->dtype), shape_string(&r->im->file, &r->shape),
					(unsigned long long)r->size, (unsigned long long)length));
	if (offset > total || length > total - offset)
		return refuse(
			r, arena_printf(
				   &r->im->file,
				   "its external data, %llu bytes from byte %llu on, is not all in "
				   "\"%s\", which has %llu",
				   (unsigned long long)length, (unsigned long long)offset, path,
				   (unsigned long long)total));
	return add(r, (struct data){ .where = DATA_FILE,
				     .file = graph_add_file(r->im->g, path, total),
				     .offset = offset,
				     .size = length });
}

/* Two to a byte, the low half first, become bytes. */
static value_id read_nibbles(struct reading *r)
{
	bool sign = r->t->data_type == TYPE_INT4;
	value_id packed;
	unsigned char *bytes, *from;
	struct shape s = r->shape;
	int64_t n = r->elements;

	if (n > NIBBLES_LIMIT)
		return refuse(r, "it has too many elements");
	r->elements = (n + 1) / 2;
	r->size = (uint64_t)r->elements;
	r->dtype = DTYPE_U8;
	r->shape = (struct shape){ 1, { r->elements } };
	packed = r->t->data_location == LOCATION_EXTERNAL ? read_external(r) :
		 r->t->has_place_size			  ? read_place(r) :
							    read_lists(r);
	if (packed == NO_ID)
		return NO_ID;
	from = arena_alloc(&r->im->file, r->size);
	if (!data_read(r->im->g, packed, from, r->im->d))
		return NO_ID;
	bytes = arena_alloc(r->im->a, (size_t)n);
	for (int64_t i = 0; i < n; i++) {
		unsigned x = from[i / 2] >> (i % 2 * 4) & 15;

		bytes[i] = (unsigned char)(sign && x > 7 ? x - 16 : x);
	}
	r->dtype = sign ? DTYPE_I8 : DTYPE_U8;
	r->shape = s;
	return add(r, (struct data){ .where = DATA_MEMORY, .bytes = bytes });
}

/* Read as the signed type of that width, and then made wider without a sign. */
static value_id read_unsigned(struct reading *r)
{
	size_t width = dtype_size(r->dtype);
	struct reading wide = *r;
	value_id narrow;
	unsigned char *from, *to;

	if (r->elements > NIBBLES_LIMIT)
		return refuse(r, "it has too many elements");
	onnx_inner_dtype(r->t->data_type, &wide.dtype);
	wide.size = (uint64_t)r->elements * dtype_size(wide.dtype);
	to = arena_alloc(&r->im->file, wide.size + 1);
	if (r->t->data_location == LOCATION_EXTERNAL || r->t->has_place_size || width == 2) {
		narrow = r->t->data_location == LOCATION_EXTERNAL ? read_external(r) :
			 r->t->has_place_size			  ? read_place(r) :
								    read_lists(r);
		from = arena_alloc(&r->im->file, r->size + 1);
		if (narrow == NO_ID || !data_read(r->im->g, narrow, from, r->im->d))
			return NO_ID;
	} else if ((uint64_t)r->t->n_uint64_data == (uint64_t)r->elements) {
		from = (unsigned char *)r->t->uint64_data;
		width = 8;
	} else {
		return refuse(r, "its data does not fit its shape");
	}
	for (int64_t i = 0; i < r->elements; i++) {
		uint64_t x = 0;

		memcpy(&x, from + (size_t)i * width, width); /* little-endian */
		if (x > INT64_MAX)
			return refuse(r, "numbers of 2^63 and more are not supported");
		memcpy(to + (size_t)i * dtype_size(wide.dtype), &x, dtype_size(wide.dtype));
	}
	return add_bytes(&wide, to);
}

value_id onnx_tensor(struct onnx_import *im, const Onnx__TensorProto *t, const char *what)
{
	struct reading r = { .im = im, .t = t, .what = what };
	bool nibbles = t->data_type == TYPE_UINT4 || t->data_type == TYPE_INT4;

	if (nibbles)
		r.dtype = DTYPE_U8;
	else if (onnx_unsigned(t->data_type))
		r.dtype = t->data_type == TYPE_UINT16 ? DTYPE_I16 : t->data_type == TYPE_UINT32 ? DTYPE_I32 : DTYPE_I64;
	else if (!onnx_dtype(t->data_type, &r.dtype))
		return refuse(&r, arena_printf(&im->file, "tensors of %s are not supported",
					       onnx_dtype_name(t->data_type)));
	if (t->n_dims > MAX_RANK)
		return refuse(&r,
			      arena_printf(&im->file, "rank %zu is above %d", t->n_dims, MAX_RANK));
	r.shape.rank = (uint32_t)t->n_dims;
	for (size_t i = 0; i < t->n_dims; i++) {
		if (t->dims[i] < 0)
			return refuse(&r, "it has a negative dimension");
		r.shape.dim[i] = t->dims[i];
	}
	r.elements = shape_elements(&r.shape);
	if (r.elements < 0 || r.elements > INT64_C(1) << 48)
		return refuse(&r, "it has too many elements");
	r.size = (uint64_t)r.elements * dtype_size(r.dtype);
	if (nibbles)
		return read_nibbles(&r);
	if (onnx_unsigned(t->data_type))
		return read_unsigned(&r);
	if (t->data_location == LOCATION_EXTERNAL)
		return read_external(&r);
	return t->has_place_size ? read_place(&r) : read_lists(&r);
}
