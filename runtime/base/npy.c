/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npy.c - tensors as NumPy .npy files.
 *
 * The header is a Python dictionary of three known keys. It is read by a
 * cursor that never passes the header's end; what is not exactly such a
 * dictionary is refused.
 */
#include "config.h"

#include "base/memory.h"
#include "base/npy.h"
#include "base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct descr {
	char text[3];
	uint32_t dtype;
} descrs[] = {
	{ "f4", EDGE_F32 },  { "f2", EDGE_F16 },  { "f8", EDGE_F64 }, { "i8", EDGE_I64 },
	{ "i4", EDGE_I32 },  { "i2", EDGE_I16 },  { "i1", EDGE_I8 },  { "u1", EDGE_U8 },
	{ "b1", EDGE_BOOL }, { "V2", EDGE_BF16 },
};

struct cursor {
	const char *p, *end;
};

static void blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t'))
		c->p++;
}

static bool take(struct cursor *c, char ch)
{
	blanks(c);
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

static bool word(struct cursor *c, const char *w)
{
	size_t n = strlen(w);

	blanks(c);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, w, n) != 0)
		return false;
	c->p += n;
	return true;
}

/* A quoted string without escapes; false when longer than out. */
static bool quoted(struct cursor *c, char *out, size_t size)
{
	size_t n = 0;
	char q;

	blanks(c);
	if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
		return false;
	for (q = *c->p++; c->p < c->end && *c->p != q; c->p++) {
		if (n + 1 >= size)
			return false;
		out[n++] = *c->p;
	}
	out[n] = '\0';
	return take(c, q);
}

static bool number(struct cursor *c, int64_t *out)
{
	int64_t v = 0;
	const char *start;

	blanks(c);
	for (start = c->p; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
		if (v > (INT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (*c->p - '0');
	}
	*out = v;
	/* Python 2 wrote a long as 3L */
	if (c->p > start && c->p < c->end && *c->p == 'L')
		c->p++;
	return c->p > start;
}

static bool shape(struct cursor *c, struct npy *out)
{
	if (!take(c, '('))
		return false;
	for (out->rank = 0; !take(c, ')'); out->rank++) {
		if (out->rank == EDGE_PLAN_MAX_RANK || !number(c, &out->dim[out->rank]))
			return false;
		if (!take(c, ','))
			return out->rank++, take(c, ')');
	}
	return true;
}

static enum edge_status element_type(const char *text, const char *name, struct npy *out,
				     struct failure *f)
{
	size_t i;

	if (text[0] == '>' && strcmp(text + 1, "i1") != 0 && strcmp(text + 1, "u1") != 0)
		return rt_fail(f, EDGE_UNSUPPORTED,
			       "cannot read \"%s\": its numbers are big-endian (%s)", name, text);
	if (text[0] == '<' || text[0] == '|' || text[0] == '=' || text[0] == '>')
		text++;
	for (i = 0; i < sizeof(descrs) / sizeof(descrs[0]); i++) {
		if (strcmp(descrs[i].text, text) == 0) {
			out->dtype = descrs[i].dtype;
			return EDGE_OK;
		}
	}
	return rt_fail(f, EDGE_UNSUPPORTED,
		       "cannot read \"%s\": element type \"%s\" is not supported", name, text);
}

static enum edge_status dictionary(struct cursor *c, const char *name, struct npy *out,
				   struct failure *f)
{
	bool have_descr = false, have_order = false, have_shape = false, fortran = false,
	     ok = take(c, '{');
	char key[16], descr[16] = "";

	while (ok && !take(c, '}')) {
		ok = quoted(c, key, sizeof(key)) && take(c, ':');
		if (ok && strcmp(key, "descr") == 0) {
			ok = have_descr = quoted(c, descr, sizeof(descr));
		} else if (ok && strcmp(key, "fortran_order") == 0) {
			fortran = word(c, "True");
			ok = have_order = fortran || word(c, "False");
		} else if (ok && strcmp(key, "shape") == 0) {
			ok = have_shape = shape(c, out);
		} else {
			ok = false;
		}
		if (ok && !take(c, ',')) {
			ok = take(c, '}');
			break;
		}
	}
	if (!ok || !have_descr || !have_order || !have_shape)
		return rt_fail(
			f, EDGE_BAD,
			"\"%s\" is not a tensor of numbers in a .npy file: its header is malformed",
			name);
	if (fortran && out->rank > 1)
		return rt_fail(f, EDGE_UNSUPPORTED,
			       "cannot read \"%s\": it is in Fortran order; save "
			       "numpy.ascontiguousarray(array) instead",
			       name);
	return element_type(descr, name, out, f);
}

static enum edge_status measure(struct npy *out, const char *name, size_t size, struct failure *f)
{
	uint64_t n = edge_dtype_size(out->dtype);
	uint32_t i;

	for (i = 0; i < out->rank; i++) {
		if (out->dim[i] != 0 && n > UINT64_MAX / (uint64_t)out->dim[i])
			return rt_fail(f, EDGE_BAD, "\"%s\" is damaged: its shape is too large",
				       name);
		n *= (uint64_t)out->dim[i];
	}
	out->bytes = n;
	if (n > size - out->offset)
		return rt_fail(f, EDGE_BAD,
			       "\"%s\" is truncated: its shape needs %" PRIu64 " bytes and %" PRIu64
			       " follow the header",
			       name, n, (uint64_t)size - out->offset);
	return EDGE_OK;
}

enum edge_status npy_parse(const void *data, size_t size, const char *name, struct npy *out,
			   struct failure *f)
{
	const uint8_t *b = data;
	enum edge_status st;
	struct cursor c;
	size_t start, length;

	*out = (struct npy){ 0 };
	if (size < 10 || memcmp(b, "\x93NUMPY", 6) != 0)
		return rt_fail(f, EDGE_BAD, "\"%s\" is not a .npy file", name);
	if (b[6] < 1 || b[6] > 3)
		return rt_fail(f, EDGE_UNSUPPORTED,
			       "cannot read \"%s\": .npy version %u.%u is not supported", name,
			       b[6], b[7]);
	start = b[6] == 1 ? 10 : 12;
	if (size < start)
		return rt_fail(f, EDGE_BAD, "\"%s\" is truncated", name);
	length = b[8] | (size_t)b[9] << 8;
	if (b[6] > 1)
		length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
	if (length > size - start)
		return rt_fail(f, EDGE_BAD, "\"%s\" is truncated: it ends inside its header", name);
	c = (struct cursor){ (const char *)b + start, (const char *)b + start + length };
	out->offset = start + length;
	if ((st = dictionary(&c, name, out, f)) != EDGE_OK)
		return st;
	return measure(out, name, size, f);
}

static enum edge_status read_whole(int fd, const char *path, uint8_t *out, size_t size,
				   struct failure *f)
{
	size_t at = 0;

	while (at < size) {
		ssize_t n = read(fd, out + at, size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rt_fail_errno(f, EDGE_IO, "could not read \"%s\"", path);
		if (n == 0)
			return rt_fail(f, EDGE_IO,
				       "could not read \"%s\": it became shorter while it was read",
				       path);
		at += (size_t)n;
	}
	return EDGE_OK;
}

enum edge_status npy_load(const char *path, struct npy *out, void **data, struct failure *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum edge_status st;
	struct stat info;
	uint8_t *file;

	*data = NULL;
	if (fd < 0)
		return rt_fail_errno(f, EDGE_IO, "could not open \"%s\"", path);
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
		close(fd);
		return rt_fail(f, EDGE_IO, "could not read \"%s\": not a file", path);
	}
	file = rt_alloc((size_t)info.st_size, 1);
	st = file ? read_whole(fd, path, file, (size_t)info.st_size, f)
		  : rt_fail(f, EDGE_MEMORY, "out of memory for \"%s\"", path);
	close(fd);
	if (st == EDGE_OK)
		st = npy_parse(file, (size_t)info.st_size, path, out, f);
	if (st != EDGE_OK) {
		rt_free(file);
		return st;
	}
	memmove(file, file + out->offset, (size_t)out->bytes);
	*data = file;
	return EDGE_OK;
}

enum edge_status npy_save(const char *path, const struct npy *t, const void *data,
			  struct failure *f)
{
	uint64_t bytes = edge_dtype_size(t->dtype);
	const char *descr = "";
	struct rt_outfile o;
	enum edge_status st;
	char header[512];
	size_t n, i;

	for (i = 0; i < sizeof(descrs) / sizeof(descrs[0]); i++)
		if (descrs[i].dtype == t->dtype)
			descr = descrs[i].text;
	n = (size_t)snprintf(header, sizeof(header),
			     "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
			     bytes > 1 ? '<' : '|', descr);
	for (i = 0; i < t->rank; i++) {
		n += (size_t)snprintf(header + n, sizeof(header) - n, "%" PRId64 "%s", t->dim[i],
				      i + 1 < t->rank ? ", "
				      : t->rank == 1  ? ","
						      : "");
		bytes *= (uint64_t)t->dim[i];
	}
	n += (size_t)snprintf(header + n, sizeof(header) - n, "), }");
	while ((10 + n + 1) % 64 != 0) /* the elements begin at a multiple of 64 */
		header[n++] = ' ';
	header[n++] = '\n';

	if ((st = rt_outfile_open(&o, path, f)) != EDGE_OK)
		return st;
	fwrite("\x93NUMPY\x01\x00", 1, 8, o.stream);
	fputc((int)(n & 255), o.stream);
	fputc((int)(n >> 8), o.stream);
	fwrite(header, 1, n, o.stream);
	fwrite(data, 1, (size_t)bytes, o.stream);
	return rt_outfile_commit(&o, f);
}

const char *npy_shape_text(uint32_t dtype, uint32_t rank, const int64_t *dim, char *out,
			   size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%s[", edge_dtype_name(dtype));
	uint32_t i;

	for (i = 0; i < rank && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%" PRId64, i ? "," : "", dim[i]);
	if (n < size)
		snprintf(out + n, size - n, "]");
	return out;
}
