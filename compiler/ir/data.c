/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data.c - reading a constant through its recipe: source, permute, scale, convert.
 *
 * Random data is made from a counter, so any piece can be made without the
 * rest, and from integers and single multiplications only, so it has the same
 * bits on every machine: eight 16-bit uniforms are summed (variance 8/12 of a
 * uniform's range squared, kurtosis 2.85 instead of 3), which no network of
 * random weights can tell from a normal distribution, and needs no logarithm.
 */
#include "config.h"

#include "ir/block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AHEAD_FROM = 64 << 10, AHEAD = 16 << 20 };

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Elements [first, first + n). */
static void fill_random(const struct data *d, uint64_t first, float *out, size_t n)
{
	const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t base = mix(d->seed + golden);
	/* the sum's standard deviation is sqrt(8 (2^32 - 1) / 12); twice that, as the sum is
	 * doubled */
	double k = d->deviation / 107019.83984290015;
	float mean = (float)d->mean;

	for (size_t i = 0; i < n; i++) {
		uint64_t k2 = 2 * (first + i);
		uint64_t a = mix(base + golden * k2), b = mix(base + golden * (k2 + 1));
		int64_t s = (int64_t)((a & 0xffff) + (a >> 16 & 0xffff) + (a >> 32 & 0xffff) +
				      (a >> 48) + (b & 0xffff) + (b >> 16 & 0xffff) +
				      (b >> 32 & 0xffff) + (b >> 48));

		/* rounded to float in between: a product and a sum that are fused would differ */
		out[i] = (float)(k * (double)(2 * s - 8 * 65535));
		out[i] += mean;
	}
}

/* Bytes [from, from + size) of the constant's place in its file. */
static bool read_file(const struct graph *g, const struct value *v, const struct data *x, uint64_t from,
		      uint64_t size, void *out, struct diag *d)
{
	const struct weight_file *f = &g->files.data[x->file];
	uint64_t offset = x->offset + from;
	size_t done = 0;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		diag_error(d, v->span, "could not open weight file \"%s\": %s", f->path,
			   strerror(errno));
		return false;
	}
	/* weights mostly lie in the order of use: what follows is read while this is packed */
	if (size >= AHEAD_FROM)
		posix_fadvise(fd, (off_t)offset, (off_t)(size + AHEAD), POSIX_FADV_WILLNEED);
	while (done < size) {
		ssize_t got =
			pread(fd, (char *)out + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (got < 0)
				diag_error(d, v->span, "could not read weight file \"%s\": %s",
					   f->path, strerror(errno));
			else
				diag_error(d, v->span,
					   "weight file \"%s\" ends at %llu bytes, and is needed "
					   "up to %llu",
					   f->path, (unsigned long long)(offset + done),
					   (unsigned long long)(offset + size));
			close(fd);
			return false;
		}
		done += (size_t)got;
	}
	close(fd);
	return true;
}

/* dst[i] for all of dst's index space, whose axis i steps by stride[i] through src. */
static void permute(const struct data *x, const void *src, void *dst, size_t size)
{
	struct shape to = { .rank = x->source_shape.rank };
	int64_t source_stride[MAX_RANK], stride[MAX_RANK], at[MAX_RANK] = { 0 }, run = 1, from = 0;
	int64_t inner, count = shape_elements(&x->source_shape);
	uint32_t r = to.rank;
	char *out = dst;

	for (uint32_t i = r; i-- > 0; run *= x->source_shape.dim[i])
		source_stride[i] = run;
	for (uint32_t i = 0; i < r; i++) {
		to.dim[i] = x->source_shape.dim[x->perm[i]];
		stride[i] = source_stride[x->perm[i]];
	}
	if (!r || !count) {
		memcpy(dst, src, (size_t)count * size);
		return;
	}
	inner = to.dim[r - 1];
	for (int64_t done = 0; done < count; done += inner) {
		const char *in = (const char *)src + (size_t)from * size;
		size_t step = (size_t)stride[r - 1] * size;

		if (size == 4) {
			for (int64_t k = 0; k < inner; k++, in += step, out += 4)
				memcpy(out, in, 4);
		} else {
			for (int64_t k = 0; k < inner; k++, in += step, out += size)
				memcpy(out, in, size);
		}
		for (uint32_t i = r - 1; i-- > 0;) {
			from += stride[i];
			if (++at[i] < to.dim[i])
				break;
			from -= stride[i] * to.dim[i];
			at[i] = 0;
		}
	}
}

static double load(const void *p, size_t i, enum dtype t)
{
	switch (t) {
	case DTYPE_F32:
		return ((const float *)p)[i];
	case DTYPE_F16:
		return half_to_float(((const uint16_t *)p)[i]);
	case DTYPE_BF16: {
		uint32_t bits = (uint32_t)((const uint16_t *)p)[i] << 16;
		float f;

		memcpy(&f, &bits, 4);
		return f;
	}
	case DTYPE_F64:
		return ((const double *)p)[i];
	case DTYPE_I64:
		return (double)((const int64_t *)p)[i];
	case DTYPE_I32:
		return ((const int32_t *)p)[i];
	case DTYPE_I16:
		return ((const int16_t *)p)[i];
	case DTYPE_I8:
		return ((const int8_t *)p)[i];
	default:
		return ((const uint8_t *)p)[i];
	}
}

/* Round to nearest even; a NaN keeps being one. */
static uint16_t float_to_bf16(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, 4);
	if ((bits & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Out-of-range values saturate: C leaves them undefined. */
static int64_t to_integer(double x, int64_t low, int64_t high)
{
	if (!(x > (double)low))
		return x != x ? 0 : low;
	return x >= (double)high ? high : (int64_t)x;
}

static void store(void *p, size_t i, enum dtype t, double x)
{
	switch (t) {
	case DTYPE_F32:
		((float *)p)[i] = (float)x;
		break;
	case DTYPE_F16:
		((uint16_t *)p)[i] = float_to_half((float)x);
		break;
	case DTYPE_BF16:
		((uint16_t *)p)[i] = float_to_bf16((float)x);
		break;
	case DTYPE_F64:
		((double *)p)[i] = x;
		break;
	case DTYPE_I64:
		((int64_t *)p)[i] = to_integer(x, INT64_MIN, INT64_MAX);
		break;
	case DTYPE_I32:
		((int32_t *)p)[i] = (int32_t)to_integer(x, INT32_MIN, INT32_MAX);
		break;
	case DTYPE_I16:
		((int16_t *)p)[i] = (int16_t)to_integer(x, INT16_MIN, INT16_MAX);
		break;
	case DTYPE_I8:
		((int8_t *)p)[i] = (int8_t)to_integer(x, INT8_MIN, INT8_MAX);
		break;
	case DTYPE_U8:
		((uint8_t *)p)[i] = (uint8_t)to_integer(x, 0, UINT8_MAX);
		break;
	default:
		((uint8_t *)p)[i] = x != 0;
		break;
	}
}

static void convert(const void *src, enum dtype from, void *dst, enum dtype to, size_t n)
{
	if (from == to) {
		if (src != dst)
			memcpy(dst, src, n * dtype_size(to));
		return;
	}
	if (from == DTYPE_F16 && to == DTYPE_F32) { /* the usual one, worth its own loop */
		for (size_t i = 0; i < n; i++)
			((float *)dst)[i] = half_to_float(((const uint16_t *)src)[i]);
		return;
	}
	if (!dtype_is_float(from) && !dtype_is_float(to)) { /* not through double: i64 is wider */
		for (size_t i = 0; i < n; i++) {
			int64_t x = from == DTYPE_I64 ? ((const int64_t *)src)[i]
						      : (int64_t)load(src, i, from);

			if (to == DTYPE_I64)
				((int64_t *)dst)[i] = x;
			else
				store(dst, i, to, (double)x);
		}
		return;
	}
	for (size_t i = 0; i < n; i++)
		store(dst, i, to, load(src, i, from));
}

/* Elements [first, first + n) of the value. */
static void apply_scale(const struct value *v, size_t first, float *out, size_t n)
{
	const struct data *x = v->data;
	size_t inner = 1, axis_size = (size_t)v->shape.dim[x->scale_axis];

	for (uint32_t i = x->scale_axis + 1; i < v->shape.rank; i++)
		inner *= (size_t)v->shape.dim[i];
	for (size_t i = 0; i < n;) {
		size_t at = first + i, end = i + inner - at % inner;
		float k = x->scale[at / inner % axis_size];

		for (; i < n && i < end; i++)
			out[i] *= k;
	}
}

/* Rows [row, row + rows) of a source in blocks: in the bytes of its format. */
static bool source_rows(const struct graph *g, const struct value *v, uint64_t row, uint64_t rows, void *out, struct diag *d)
{
	const struct data *x = v->data;
	uint64_t bytes = block_row_bytes(x->source_dtype, data_row(x)), stored = x->packed ? x->packed->row_bytes : bytes;
	struct block_format f = block_format(x->source_dtype);
	const uint8_t *from = x->where == DATA_MEMORY ? (const uint8_t *)x->bytes + row * stored : NULL;
	uint8_t *read = NULL;

	if (!x->packed && from) {
		memcpy(out, from, rows * bytes);
		return true;
	}
	if (!x->packed)
		return read_file(g, v, x, row * stored, rows * stored, out, d);
	if (!from) {
		from = read = xmalloc(rows * stored + 1);
		if (!read_file(g, v, x, row * stored, rows * stored, read, d)) {
			free(read);
			return false;
		}
	}
	for (uint64_t i = 0; i < rows; i++)
		packed_row(x->packed, &f, row + i, from + i * stored, data_row(x), (uint8_t *)out + i * bytes);
	free(read);
	return true;
}

/* Rows [row, row + rows) of a source in blocks, as floats. False: said why. */
static bool decode_rows(const struct graph *g, const struct value *v, uint64_t row, uint64_t rows, float *out,
			struct diag *d)
{
	const struct data *x = v->data;
	uint64_t n = (uint64_t)data_row(x), bytes = block_row_bytes(x->source_dtype, (int64_t)n);
	char *read = NULL;
	const char *from = (const char *)x->bytes + (x->where == DATA_MEMORY ? row * bytes : 0);

	if (x->where == DATA_FILE || x->packed) {
		from = read = xmalloc(rows * bytes + 1);
		if (!source_rows(g, v, row, rows, read, d)) {
			free(read);
			return false;
		}
	}
	for (uint64_t i = 0; i < rows; i++)
		block_decode(x->source_dtype, from + i * bytes, (int64_t)n, out + i * n);
	free(read);
	return true;
}

/* Elements [first, first + count): the rows that hold them, some at a time. */
static bool decode_range(const struct graph *g, const struct value *v, uint64_t first, uint64_t count, float *out,
			 struct diag *d)
{
	uint64_t n = (uint64_t)data_row(v->data), some;
	float *part;

	if (!count || !n)
		return true;
	some = n < 1 << 18 ? (1 << 18) / n : 1;
	if (first % n == 0 && count % n == 0)
		return decode_rows(g, v, first / n, count / n, out, d);
	part = xmalloc(some * n * sizeof *part);
	for (uint64_t row = first / n, end = (first + count - 1) / n + 1; row < end; row += some) {
		uint64_t rows = end - row < some ? end - row : some, low = row * n, high = low + rows * n;

		if (!decode_rows(g, v, row, rows, part, d)) {
			free(part);
			return false;
		}
		low = low < first ? first : low;
		high = high > first + count ? first + count : high;
		memcpy(out + (low - first), part + (low - row * n), (high - low) * sizeof *out);
	}
	free(part);
	return true;
}

/* The source's elements, in *type; NULL: said why. Frees with free() when *owned. */
static const void *fetch(const struct graph *g, const struct value *v, enum dtype *type, bool *owned, struct diag *d)
{
	const struct data *x = v->data;
	size_t n = (size_t)shape_elements(&x->source_shape), size = dtype_size(x->source_dtype);
	void *buffer;

	*owned = x->where != DATA_MEMORY;
	*type = x->source_dtype;
	if (dtype_is_block(x->source_dtype)) {
		*owned = true;
		*type = DTYPE_F32;
		buffer = xmalloc(n * sizeof(float) + 1);
		if (decode_range(g, v, 0, n, buffer, d))
			return buffer;
		free(buffer);
		return NULL;
	}
	if (x->where == DATA_MEMORY && ((uintptr_t)x->bytes % size == 0))
		return x->bytes;
	*owned = true;
	buffer = xmalloc(n * size + 1);
	if (x->where == DATA_MEMORY) { /* a mapping may be at any address */
		memcpy(buffer, x->bytes, n * size);
	} else if (x->where == DATA_RANDOM) {
		fill_random(x, 0, buffer, n);
	} else if (!read_file(g, v, x, 0, x->size, buffer, d)) {
		free(buffer);
		return NULL;
	}
	return buffer;
}

static bool read_as(const struct graph *g, value_id id, enum dtype to, void *out, struct diag *d)
{
	const struct value *v = graph_value(g, id);
	const struct data *x = v->data;
	size_t n = (size_t)shape_elements(&v->shape), size;
	void *permuted = NULL, *scaled = NULL;
	const void *src;
	enum dtype from;
	bool owned;

	if (x->where == DATA_RANDOM && to == DTYPE_F32 && !x->perm_set) {
		fill_random(x, 0, out, n);
		if (x->scale)
			apply_scale(v, 0, out, n);
		return true;
	}
	if (x->where == DATA_FILE && to == x->source_dtype && !x->perm_set && !x->scale)
		return read_file(g, v, x, 0, x->size, out, d);
	src = fetch(g, v, &from, &owned, d);
	if (!src)
		return false;
	size = dtype_size(from);
	if (x->perm_set) {
		permuted = xmalloc(n * size + 1);
		permute(x, src, permuted, size);
		if (owned)
			free((void *)src);
		owned = false;
		src = permuted;
	}
	if (x->scale) {
		float *f = to == DTYPE_F32 ? out : (scaled = xmalloc(n * 4 + 1));

		convert(src, from, f, DTYPE_F32, n);
		apply_scale(v, 0, f, n);
		convert(f, DTYPE_F32, out, to, n);
	} else {
		convert(src, from, out, to, n);
	}
	if (owned)
		free((void *)src);
	free(permuted);
	free(scaled);
	return true;
}

bool data_read_f32(const struct graph *g, value_id v, float *out, struct diag *d)
{
	return read_as(g, v, DTYPE_F32, out, d);
}

bool data_in_order(const struct graph *g, value_id v)
{
	return !graph_value(g, v)->data->perm_set;
}

bool data_read_range(const struct graph *g, value_id id, uint64_t first, uint64_t count, float *out, struct diag *d)
{
	const struct value *v = graph_value(g, id);
	const struct data *x = v->data;
	size_t size = dtype_size(x->source_dtype), n = (size_t)count;
	void *raw = out;

	if (x->where == DATA_RANDOM) {
		fill_random(x, first, out, n);
	} else if (dtype_is_block(x->source_dtype)) {
		if (!decode_range(g, v, first, count, out, d))
			return false;
	} else {
		if (x->source_dtype != DTYPE_F32)
			raw = xmalloc(n * size + 1);
		if (x->where == DATA_MEMORY) {
			memcpy(raw, (const char *)x->bytes + first * size, n * size);
		} else if (!read_file(g, v, x, first * size, count * size, raw, d)) {
			if (raw != out)
				free(raw);
			return false;
		}
		if (raw != out) {
			convert(raw, x->source_dtype, out, DTYPE_F32, n);
			free(raw);
		}
	}
	if (x->scale)
		apply_scale(v, first, out, n);
	return true;
}

bool data_read(const struct graph *g, value_id v, void *out, struct diag *d)
{
	return read_as(g, v, graph_value(g, v)->dtype, out, d);
}

bool data_read_stored(const struct graph *g, value_id v, void *out, struct diag *d)
{
	return read_as(g, v, graph_value(g, v)->data->source_dtype, out, d);
}

bool data_read_rows(const struct graph *g, value_id id, uint64_t row, uint64_t rows, void *out, struct diag *d)
{
	return source_rows(g, graph_value(g, id), row, rows, out, d);
}

const void *data_bytes(const struct graph *g, value_id id)
{
	const struct value *v = graph_value(g, id);
	const struct data *x = v->data;

	if (v->kind != VALUE_CONST || x->where != DATA_MEMORY || x->source_dtype != v->dtype ||
	    x->perm_set || x->scale || (uintptr_t)x->bytes % dtype_size(v->dtype))
		return NULL;
	return x->bytes;
}
