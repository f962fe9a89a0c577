/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_file.c - sections and chunks as a file.
 *
 * Sections are in memory; chunks are written first, at the place that the
 * sizes of the sections leave for them, and the sections, which hold the
 * chunks' hashes, in front of them afterwards. The file appears under its name
 * when it is complete.
 */
#include "config.h"

#include "plan/plan.h"
#include "plan/sections.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t align_to(uint64_t x, uint64_t to)
{
	return (x + to - 1) / to * to;
}

/* Sections of one kind of plan are not there at all in others. */
static bool is_absent(const struct section *s)
{
	return s->kind >= EDGE_SECTION_TRAIN && !s->bytes.len;
}

static bool is_required(const struct section *s)
{
	return s->kind < EDGE_SECTION_DEBUG || s->kind >= EDGE_SECTION_TRAIN;
}

/* Offsets of all sections, the weights last; returns the size of the file. */
static uint64_t place(const struct sections *x, uint64_t weights_bytes, struct edge_section *table, uint32_t *count)
{
	uint64_t at = sizeof(struct edge_header);
	struct edge_section *e = table;

	for (uint32_t i = 0; i < SECTION_COUNT; i++)
		at += is_absent(&x->section[i]) ? 0 : sizeof *table;
	at += sizeof *table;
	for (uint32_t i = 0; i < SECTION_COUNT; i++) {
		const struct section *s = &x->section[i];

		if (is_absent(s))
			continue;
		at = align_to(at, s->kind == EDGE_SECTION_BLOCKS ? EDGE_PLAN_PAGE : 64);
		*e++ = (struct edge_section){ .kind = s->kind, .flags = is_required(s) ? EDGE_SECTION_REQUIRED : 0,
					      .offset = at, .size = s->bytes.len,
					      .count = (uint32_t)(s->bytes.len / s->stride), .stride = s->stride,
					      .xxh3 = edge_xxh3(s->bytes.len ? s->bytes.data : "", s->bytes.len) };
		at += s->bytes.len;
	}
	*e = (struct edge_section){ .kind = EDGE_SECTION_WEIGHTS, .flags = EDGE_SECTION_REQUIRED,
				    .offset = align_to(at, EDGE_PLAN_PAGE), .size = weights_bytes,
				    .count = (uint32_t)(weights_bytes / EDGE_PLAN_PAGE), .stride = EDGE_PLAN_PAGE };
	*count = (uint32_t)(e - table) + 1;
	return e->offset + weights_bytes;
}

static bool write_zeros(FILE *out, uint64_t n)
{
	static const char zero[EDGE_PLAN_PAGE];

	for (; n; n -= n < sizeof zero ? n : sizeof zero)
		if (fwrite(zero, 1, n < sizeof zero ? n : sizeof zero, out) == 0)
			return false;
	return true;
}

static bool write_front(const struct sections *x, const struct edge_section *table, uint32_t count, uint64_t file_size,
			FILE *out)
{
	struct edge_header h = { .prefix = { .major = EDGE_PLAN_MAJOR, .minor = EDGE_PLAN_MINOR,
					     .header_size = sizeof h, .section_count = count,
					     .section_entry_size = sizeof *table, .file_size = file_size } };
	uint64_t at = sizeof h + count * sizeof *table;

	memcpy(h.prefix.magic, EDGE_PLAN_MAGIC, sizeof h.prefix.magic);
	h.table_xxh3 = edge_xxh3(table, count * sizeof *table);
	h.header_xxh3 = edge_xxh3(&h, offsetof(struct edge_header, header_xxh3));
	if (fwrite(&h, sizeof h, 1, out) != 1 || fwrite(table, sizeof *table, count, out) != count)
		return false;
	for (uint32_t i = 0; i < SECTION_COUNT; i++) {
		const struct strbuf *b = &x->section[i].bytes;

		if (is_absent(&x->section[i]))
			continue;
		if (!write_zeros(out, table->offset - at) || (b->len && fwrite(b->data, b->len, 1, out) != 1))
			return false;
		at = table->offset + b->len;
		table++;
	}
	return write_zeros(out, table->offset - at);
}

static bool write_file(struct sections *x, const struct chunk_writer *c, FILE *out, uint64_t *size)
{
	struct strbuf *chunks = &x->section[SECTION_CHUNKS].bytes;
	struct edge_section table[SECTION_COUNT + 1];
	uint64_t at;
	uint32_t count;

	place(x, c->bytes, table, &count);
	at = table[count - 1].offset;
	if (fseeko(out, (off_t)at, SEEK_SET) || !c->write(c->context, at, out, (struct edge_chunk *)(void *)chunks->data))
		return false;
	*size = place(x, c->bytes, table, &count); /* again, for the hash of the chunk records */
	return fseeko(out, 0, SEEK_SET) == 0 && write_front(x, table, count, *size, out);
}

static bool is_other_file(const char *path)
{
	struct mapped_file f;
	bool other;

	if (!file_map(path, &f))
		return false;
	other = f.data && (f.size < sizeof EDGE_PLAN_MAGIC - 1 ||
			   memcmp(f.data, EDGE_PLAN_MAGIC, sizeof EDGE_PLAN_MAGIC - 1) != 0);
	file_unmap(&f);
	return other;
}

/* Chunks are written before what lies in front of them. */
static bool is_pipe(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

bool plan_check_place(const char *path, struct diag *d)
{
	struct output_file o;

	if (is_pipe(path)) {
		diag_error(d, NO_SPAN, "cannot write a plan to \"%s\": it is a pipe", path);
		return false;
	}
	if (is_other_file(path)) {
		diag_error(d, NO_SPAN, "could not write \"%s\": it exists and is no plan", path);
		diag_hint(d, "Name another file, or remove this one first.");
		return false;
	}
	if (!output_open(&o, path)) {
		diag_error(d, NO_SPAN, "could not create \"%s\": %s", path, strerror(errno));
		return false;
	}
	output_abandon(&o);
	return true;
}

bool sections_write(struct sections *x, const struct chunk_writer *c, const char *path, uint64_t *size, struct diag *d)
{
	unsigned errors = d->errors;
	struct output_file o;
	bool ok;

	if (!output_open(&o, path)) {
		diag_error(d, NO_SPAN, "could not create \"%s\": %s", path, strerror(errno));
		return false;
	}
	ok = write_file(x, c, o.stream, size);
	if (ok) {
		ok = output_commit(&o);
	} else {
		int saved = errno;

		output_abandon(&o);
		errno = saved;
	}
	if (!ok && d->errors == errors)
		diag_error(d, NO_SPAN, "could not write \"%s\": %s", path, strerror(errno));
	return ok;
}
