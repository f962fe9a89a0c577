/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ply_read.c - a set of Gaussians from a .ply file that any trainer wrote.
 *
 * Properties are found by name. Values that have no finite form but a meaning
 * (the logit of an opacity of 1, the logarithm of no extent, a quaternion of zeros)
 * become the nearest that has one; other values that are no number are errors.
 */
#include "config.h"

#include "base/memory.h"
#include "train/ply.h"
#include "train/ply_header.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REST_MAX = 45, WORD = 64 };

static const float limit = 30; /* of logits and logarithms: beyond any use */

struct ply_reader {
	FILE *in;
	char *name;
	struct ply_header head;
	const struct ply_element *vertex;
	uint32_t degree;
	uint64_t done;
	uint8_t raw[8 * PLY_PROPERTIES]; /* one vertex of a binary file */
};

/* ---- which property goes where */

static struct ply_property *find(struct ply_reader *r, const char *name)
{
	for (uint32_t i = r->vertex->first; i < r->vertex->end; i++)
		if (!strcmp(r->head.property[i].name, name))
			return &r->head.property[i];
	return NULL;
}

static enum edge_status place(struct ply_reader *r, const char *name, int slot, struct failure *f)
{
	struct ply_property *p = find(r, name);

	if (!p)
		return rt_fail(f, EDGE_BAD, "\"%s\" holds no Gaussians: it has no property \"%s\"", r->name, name);
	if (p->list)
		return rt_fail(f, EDGE_BAD, "\"%s\": property \"%s\" is a list", r->name, name);
	p->slot = slot;
	return EDGE_OK;
}

/* The file has each colour's higher coefficients together; rows have each coefficient's colours. */
static enum edge_status place_rest(struct ply_reader *r, struct failure *f)
{
	uint32_t rest = 0, each;
	enum edge_status st;
	char name[PLY_NAME];

	for (; rest <= REST_MAX; rest++) {
		snprintf(name, sizeof(name), "f_rest_%u", rest);
		if (!find(r, name))
			break;
	}
	if (rest != 0 && rest != 9 && rest != 24 && rest != 45)
		return rt_fail(f, EDGE_BAD, "\"%s\": %u properties \"f_rest_...\" are none of 0, 9, 24 and 45", r->name,
			       rest);
	each = rest / 3;
	r->degree = each == 15 ? 3 : each == 8 ? 2 : each == 3;
	for (uint32_t i = 0; i < rest; i++) {
		snprintf(name, sizeof(name), "f_rest_%u", i);
		if ((st = place(r, name, (int)(PLY_COLOUR + 3 * (i % each + 1) + i / each), f)) != EDGE_OK)
			return st;
	}
	return EDGE_OK;
}

static enum edge_status place_all(struct ply_reader *r, struct failure *f)
{
	static const char *const name[] = { "x",       "y",	  "z",	   "scale_0", "scale_1", "scale_2", "rot_0",
					    "rot_1",   "rot_2",	  "rot_3", "opacity", "f_dc_0",	 "f_dc_1",  "f_dc_2" };
	enum edge_status st;

	if (find(r, "packed_position"))
		return rt_fail(f, EDGE_UNSUPPORTED, "\"%s\" is a compressed .ply, which is not supported", r->name);
	for (int i = 0; i < (int)(sizeof(name) / sizeof(name[0])); i++)
		if ((st = place(r, name[i], i, f)) != EDGE_OK)
			return st;
	return place_rest(r, f);
}

/* ---- values */

static double decode(const uint8_t *p, enum ply_type type, bool big)
{
	uint64_t v = 0;
	uint32_t n = ply_type_bytes[type], word;
	double d;
	float s;

	for (uint32_t i = 0; i < n; i++)
		v |= (uint64_t)p[big ? n - 1 - i : i] << 8 * i;
	switch (type) {
	case PLY_I8:
		return (int8_t)v;
	case PLY_I16:
		return (int16_t)v;
	case PLY_I32:
		return (int32_t)v;
	case PLY_F32:
		word = (uint32_t)v;
		memcpy(&s, &word, sizeof(s));
		return (double)s;
	case PLY_F64:
		memcpy(&d, &v, sizeof(d));
		return d;
	default:
		return (double)v;
	}
}

static enum edge_status ended(const struct ply_reader *r, const struct ply_element *e, uint64_t index,
			      struct failure *f)
{
	if (ferror(r->in))
		return rt_fail_errno(f, EDGE_IO, "could not read \"%s\"", r->name);
	return rt_fail(f, EDGE_BAD, "\"%s\" ends at %s %llu of %llu", r->name, e->name,
		       (unsigned long long)index + 1, (unsigned long long)e->count);
}

/* One number. *given: there was one; *number: and it can be read as such. */
static double next_value(struct ply_reader *r, enum ply_type type, bool *given, bool *number)
{
	uint8_t bytes[8];
	char word[WORD], *end;
	double v;

	if (r->head.format != PLY_ASCII) {
		*given = fread(bytes, ply_type_bytes[type], 1, r->in) == 1;
		return *given ? decode(bytes, type, r->head.format == PLY_BIG) : 0;
	}
	*given = fscanf(r->in, "%63s", word) == 1;
	if (!*given)
		return 0;
	v = strtod(word, &end);
	*number = *number && end != word && *end == '\0';
	return v;
}

static enum edge_status not_a_number(const struct ply_reader *r, const struct ply_element *e, uint64_t index,
				     const char *what, struct failure *f)
{
	return rt_fail(f, EDGE_BAD, "\"%s\", %s %llu: %s is not a number", r->name, e->name,
		       (unsigned long long)index, what);
}

/* Property by property: text, and elements with lists. row may be NULL. */
static enum edge_status read_slowly(struct ply_reader *r, const struct ply_element *e, uint64_t index, float *row,
				    struct failure *f)
{
	for (uint32_t i = e->first; i < e->end; i++) {
		const struct ply_property *p = &r->head.property[i];
		bool given, number = true;
		double count = p->list ? next_value(r, p->count_type, &given, &number) : 1, v = 0;

		if (p->list && !given)
			return ended(r, e, index, f);
		if (!number || count < 0)
			return rt_fail(f, EDGE_BAD, "\"%s\", %s %llu: the length of \"%s\" is not a count", r->name,
				       e->name, (unsigned long long)index, p->name);
		for (uint64_t k = 0; k < (uint64_t)count; k++) {
			v = next_value(r, p->type, &given, &number);
			if (!given)
				return ended(r, e, index, f);
		}
		if (!number)
			return not_a_number(r, e, index, p->name, f);
		if (row && p->slot >= 0)
			row[p->slot] = (float)v;
	}
	return EDGE_OK;
}

static enum edge_status read_row(struct ply_reader *r, float *row, struct failure *f)
{
	const struct ply_element *e = r->vertex;
	const uint8_t *at = r->raw;

	memset(row, 0, PLY_FLOATS * sizeof(*row));
	if (r->head.format == PLY_ASCII || e->lists)
		return read_slowly(r, e, r->done, row, f);
	if (fread(r->raw, e->bytes, 1, r->in) != 1)
		return ended(r, e, r->done, f);
	for (uint32_t i = e->first; i < e->end; i++) {
		const struct ply_property *p = &r->head.property[i];

		if (p->slot >= 0)
			row[p->slot] = (float)decode(at, p->type, r->head.format == PLY_BIG);
		at += ply_type_bytes[p->type];
	}
	return EDGE_OK;
}

static float within(float v)
{
	return v > limit ? limit : v < -limit ? -limit : v; /* NaN stays */
}

static enum edge_status check_row(struct ply_reader *r, float *row, struct failure *f)
{
	static const char *const group[] = { "position", "scale", "rotation", "opacity", "colour" };
	static const int begin[] = { 0, 3, 6, 10, 11, PLY_FLOATS };

	for (int k = 3; k < 6; k++)
		row[k] = within(row[k]);
	row[10] = within(row[10]);
	for (int g = 0; g < 5; g++)
		for (int k = begin[g]; k < begin[g + 1]; k++)
			if (!isfinite(row[k]))
				return not_a_number(r, r->vertex, r->done, group[g], f);
	if (row[6] == 0 && row[7] == 0 && row[8] == 0 && row[9] == 0)
		row[6] = 1;
	return EDGE_OK;
}

enum edge_status ply_read(struct ply_reader *r, float (*row)[PLY_FLOATS], uint32_t n, struct failure *f)
{
	enum edge_status st;

	for (uint32_t i = 0; i < n; i++, r->done++)
		if ((st = read_row(r, row[i], f)) != EDGE_OK || (st = check_row(r, row[i], f)) != EDGE_OK)
			return st;
	return EDGE_OK;
}

/* ---- opening */

/* What stands before the vertices, and whether all of the vertices can be there. */
static enum edge_status seek_vertices(struct ply_reader *r, struct failure *f)
{
	uint64_t bytes = r->head.bytes;
	enum edge_status st;
	struct stat info;
	bool fixed = r->head.format != PLY_ASCII;

	for (const struct ply_element *e = r->head.element; e <= r->vertex && fixed; e++) {
		fixed = !e->lists;
		bytes += e->count * e->bytes; /* at most 16 times 2^31 times 4096 */
	}
	if (fstat(fileno(r->in), &info) != 0)
		return rt_fail_errno(f, EDGE_IO, "could not read \"%s\"", r->name);
	if (fixed && S_ISREG(info.st_mode) && bytes > (uint64_t)info.st_size)
		return rt_fail(f, EDGE_BAD, "\"%s\" is cut short: %llu bytes, and %llu Gaussians end at %llu", r->name,
			       (unsigned long long)info.st_size, (unsigned long long)r->vertex->count,
			       (unsigned long long)bytes);
	for (const struct ply_element *e = r->head.element; e < r->vertex; e++)
		for (uint64_t i = 0; i < e->count && e->end > e->first; i++)
			if ((st = read_slowly(r, e, i, NULL, f)) != EDGE_OK)
				return st;
	return EDGE_OK;
}

static enum edge_status open_reader(struct ply_reader *r, const char *path, struct failure *f)
{
	enum edge_status st;

	r->name = rt_strdup(path);
	if (!r->name)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	r->in = fopen(path, "rb");
	if (!r->in)
		return rt_fail_errno(f, EDGE_IO, "could not open \"%s\"", path);
	if ((st = ply_read_header(r->in, path, &r->head, f)) != EDGE_OK)
		return st;
	for (uint32_t i = 0; i < r->head.element_count && !r->vertex; i++)
		if (!strcmp(r->head.element[i].name, "vertex"))
			r->vertex = &r->head.element[i];
	if (!r->vertex)
		return rt_fail(f, EDGE_BAD, "\"%s\" holds no Gaussians: it has no element \"vertex\"", path);
	if ((st = place_all(r, f)) != EDGE_OK)
		return st;
	if (r->vertex->count == 0)
		return rt_fail(f, EDGE_BAD, "\"%s\" holds no Gaussians", path);
	return seek_vertices(r, f);
}

enum edge_status ply_open(const char *path, struct ply_reader **out, struct failure *f)
{
	struct ply_reader *r = rt_alloc(1, sizeof(*r));
	enum edge_status st;

	*out = NULL;
	if (!r)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	if ((st = open_reader(r, path, f)) != EDGE_OK) {
		ply_close(r);
		return st;
	}
	*out = r;
	return EDGE_OK;
}

void ply_close(struct ply_reader *r)
{
	if (!r)
		return;
	if (r->in)
		fclose(r->in);
	rt_free(r->name);
	rt_free(r);
}

uint64_t ply_count(const struct ply_reader *r)
{
	return r->vertex->count;
}

uint32_t ply_degree(const struct ply_reader *r)
{
	return r->degree;
}
