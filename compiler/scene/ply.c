/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ply.c - the vertices of a PLY file: x y z, and red green blue where there are.
 *
 * ASCII and little-endian binary. The header names the properties of a vertex;
 * others are stepped over. Elements in front of the vertices are refused, those
 * behind are not looked at. The colours of a splatting model (f_dc_0 ...) are
 * colours as well.
 */
#include "config.h"

#include "scene/capture.h"

#include "base/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum ply_type { PLY_I8, PLY_U8, PLY_I16, PLY_U16, PLY_I32, PLY_U32, PLY_F32, PLY_F64 };
enum field { FIELD_X, FIELD_Y, FIELD_Z, FIELD_RED, FIELD_GREEN, FIELD_BLUE, FIELD_DC, FIELD_NONE = FIELD_DC + 3 };
enum { MAX_PROPERTIES = 512 };

struct ply {
	struct diag *diag;
	const char *path;
	const char *at, *end;
	bool binary;
	bool in_vertex, vertex_seen, done;
	uint64_t count;
	uint32_t properties, stride;
	struct { enum field field; enum ply_type type; uint32_t offset; } property[MAX_PROPERTIES];
	bool has[FIELD_NONE];
};

static bool wrong(const struct ply *p, const char *what)
{
	diag_error(p->diag, NO_SPAN, "\"%s\": %s", p->path, what);
	return false;
}

static const uint8_t type_size[] = { 1, 1, 2, 2, 4, 4, 4, 8 };

static bool find_type(const char *name, enum ply_type *out)
{
	static const char *const names[][2] = { { "char", "int8" }, { "uchar", "uint8" }, { "short", "int16" },
						{ "ushort", "uint16" }, { "int", "int32" }, { "uint", "uint32" },
						{ "float", "float32" }, { "double", "float64" } };

	for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i][0]) || !strcmp(name, names[i][1])) {
			*out = (enum ply_type)i;
			return true;
		}
	return false;
}

static enum field find_field(const char *name)
{
	static const char *const names[] = { "x", "y", "z", "red", "green", "blue", "f_dc_0", "f_dc_1", "f_dc_2" };

	for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i]))
			return (enum field)i;
	return FIELD_NONE;
}

/* ---- header */

/* The next line in a buffer; false: the file ends. */
static bool line(struct ply *p, char *out, size_t size)
{
	const char *newline = memchr(p->at, '\n', (size_t)(p->end - p->at));
	size_t n;

	if (!newline)
		return false;
	n = (size_t)(newline - p->at);
	if (n && p->at[n - 1] == '\r')
		n--;
	if (n >= size)
		return false;
	memcpy(out, p->at, n);
	out[n] = 0;
	p->at = newline + 1;
	return strlen(out) == n;
}

static bool property(struct ply *p, const char *type, const char *name)
{
	uint32_t n = p->properties;
	enum field field = find_field(name);

	if (n == MAX_PROPERTIES)
		return wrong(p, "a vertex has too many properties");
	if (!find_type(type, &p->property[n].type))
		return wrong(p, "a vertex has a property that is no number");
	if (field != FIELD_NONE && p->has[field])
		return wrong(p, "a vertex has a property twice");
	if (field != FIELD_NONE)
		p->has[field] = true;
	p->property[n].field = field;
	p->property[n].offset = p->stride;
	p->stride += type_size[p->property[n].type];
	p->properties++;
	return true;
}

static bool header_line(struct ply *p, char *text)
{
	const char *word[4] = { "", "", "", "" };
	char *save;
	char *next = strtok_r(text, " \t", &save);

	for (int i = 0; i < 4 && next; i++, next = strtok_r(NULL, " \t", &save))
		word[i] = next;
	if (!strcmp(word[0], "end_header")) {
		p->done = true;
	} else if (!strcmp(word[0], "format")) {
		p->binary = !strcmp(word[1], "binary_little_endian");
		if (!p->binary && strcmp(word[1], "ascii") != 0)
			return wrong(p, "the format is not supported: ascii and binary_little_endian are");
	} else if (!strcmp(word[0], "element")) {
		char *end;

		p->in_vertex = !strcmp(word[1], "vertex");
		if (!p->in_vertex)
			return p->vertex_seen || wrong(p, "elements in front of the vertices are not supported");
		errno = 0;
		p->count = strtoull(word[2], &end, 10);
		if (p->vertex_seen || *end || errno || word[2][0] < '0' || word[2][0] > '9')
			return wrong(p, "the number of vertices is no number");
		p->vertex_seen = true;
	} else if (!strcmp(word[0], "property") && p->in_vertex) {
		return property(p, word[1], word[2]);
	}
	return true;
}

static bool header(struct ply *p)
{
	char text[1024];

	if (!line(p, text, sizeof text) || strcmp(text, "ply") != 0)
		return wrong(p, "it is no PLY file");
	while (!p->done) {
		if (!line(p, text, sizeof text))
			return wrong(p, "its header does not end");
		if (!header_line(p, text))
			return false;
	}
	if (!p->vertex_seen || !p->has[FIELD_X] || !p->has[FIELD_Y] || !p->has[FIELD_Z])
		return wrong(p, "it has no vertices with x, y and z");
	return true;
}

/* ---- vertices */

static double binary_number(const char *at, enum ply_type type)
{
	union { int8_t i8; uint8_t u8; int16_t i16; uint16_t u16; int32_t i32; uint32_t u32; float f32; double f64; } v;

	memcpy(&v, at, type_size[type]);
	switch (type) {
	case PLY_I8: return v.i8;
	case PLY_U8: return v.u8;
	case PLY_I16: return v.i16;
	case PLY_U16: return v.u16;
	case PLY_I32: return v.i32;
	case PLY_U32: return v.u32;
	case PLY_F32: return (double)v.f32;
	default: return v.f64;
	}
}

static bool ascii_number(struct ply *p, double *out)
{
	char text[64], *end;
	size_t n = 0;

	while (p->at < p->end && strchr(" \t\r\n", *p->at))
		p->at++;
	while (p->at < p->end && *p->at && !strchr(" \t\r\n", *p->at) && n + 1 < sizeof text)
		text[n++] = *p->at++;
	text[n] = 0;
	*out = strtod(text, &end);
	return n && !*end;
}

/* Values by field; false: the file ends, or holds no number. */
static bool vertex(struct ply *p, double value[FIELD_NONE])
{
	if (p->binary && (size_t)(p->end - p->at) < p->stride)
		return false;
	for (uint32_t i = 0; i < p->properties; i++) {
		double x;

		if (p->binary)
			x = binary_number(p->at + p->property[i].offset, p->property[i].type);
		else if (!ascii_number(p, &x))
			return false;
		if (p->property[i].field != FIELD_NONE)
			value[p->property[i].field] = x;
	}
	if (p->binary)
		p->at += p->stride;
	return true;
}

static uint8_t channel(const struct ply *p, const double value[FIELD_NONE], int c)
{
	double x = 128;

	if (p->has[FIELD_RED + c])
		x = value[FIELD_RED + c];
	else if (p->has[FIELD_DC + c])
		x = (0.5 + 0.28209479177387814 * value[FIELD_DC + c]) * 255;
	return !(x > 0) ? 0 : x > 255 ? 255 : (uint8_t)(x + 0.5);
}

static bool vertices(struct arena *a, struct ply *p, struct capture *out)
{
	for (uint64_t i = 0; i < p->count; i++) {
		double v[FIELD_NONE] = { 0 };

		if (!vertex(p, v)) {
			diag_error(p->diag, NO_SPAN, "\"%s\" ends inside vertex %llu of %llu", p->path, (unsigned long long)i + 1,
				   (unsigned long long)p->count);
			return false;
		}
		if (!point_check(v)) {
			diag_error(p->diag, NO_SPAN, "\"%s\": vertex %llu is at (%g, %g, %g)", p->path,
				   (unsigned long long)i + 1, v[0], v[1], v[2]);
			return false;
		}
		vec_push(a, &out->points,
			 (struct scene_point){ .x = (float)v[0], .y = (float)v[1], .z = (float)v[2], .r = channel(p, v, 0),
					       .g = channel(p, v, 1), .b = channel(p, v, 2) });
	}
	return true;
}

bool ply_points(struct arena *a, struct diag *d, const char *path, struct capture *out)
{
	struct ply *p = arena_new(a, struct ply);
	struct mapped_file file;
	bool ok;

	if (!file_map(path, &file)) {
		diag_error(d, NO_SPAN, "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	p->diag = d;
	p->path = path;
	p->at = file.data ? (const char *)file.data : "";
	p->end = p->at + file.size;
	ok = header(p) && vertices(a, p, out);
	file_unmap(&file);
	return ok;
}
