/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - trust nothing in a plan file until it has been looked at once.
 *
 * The container first (prefix, header, section table, hashes), then the
 * records section by section, each after those that it refers to. Nothing is
 * allocated and every loop runs over records that lie inside the file, so the
 * time is linear in its size. The hashes find damage; the checks behind them
 * hold also for files whose author computed the hashes after lying.
 */
#include "config.h"

#include "edge/plan_read.h"
#include "plan/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plans are little-endian");

enum { MAX_SECTIONS = 4096 };

enum edge_status check_fail(struct check *c, enum edge_status st, const char *fmt, ...)
{
	va_list ap;

	if (c->why && c->why_size) {
		va_start(ap, fmt);
		vsnprintf(c->why, c->why_size, fmt, ap);
		va_end(ap);
	}
	return st;
}

bool check_range(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset <= size && bytes <= size - offset;
}

/* What a known section's records are, and where its view goes. */
struct known_section {
	uint32_t kind, stride;
	bool required;
	const char *name;
	size_t view, count; /* offsets into struct edge_plan; count 0: none */
};

#define VIEW(kind_, type, required_, name_, field, count_)                                         \
	{ EDGE_SECTION_##kind_, sizeof(type), required_, name_, offsetof(struct edge_plan, field), \
	  offsetof(struct edge_plan, count_) }

static const struct known_section known[] = {
	{ EDGE_SECTION_META, sizeof(struct edge_meta), true, "meta", offsetof(struct edge_plan, meta), 0 },
	{ EDGE_SECTION_STRINGS, 1, true, "strings", offsetof(struct edge_plan, strings), 0 },
	VIEW(REGIONS, struct edge_region, true, "regions", regions, region_count),
	VIEW(BUFFERS, struct edge_buffer, true, "buffers", buffers, buffer_count),
	VIEW(PROGRAMS, struct edge_program, true, "programs", programs, program_count),
	VIEW(KERNELS, struct edge_kernel, true, "kernels", kernels, kernel_count),
	VIEW(PARAMS, struct edge_param, true, "params", params, param_count),
	VIEW(STEPS, struct edge_step, true, "steps", steps, step_count),
	VIEW(ARGS, struct edge_arg, true, "args", args, arg_count),
	VIEW(TENSORS, struct edge_tensor, true, "tensors", tensors, tensor_count),
	VIEW(MODELS, struct edge_model, true, "models", models, model_count),
	VIEW(CHUNKS, struct edge_chunk, true, "chunks", chunks, chunk_count),
	VIEW(READS, struct edge_read, true, "reads", reads, read_count),
	{ EDGE_SECTION_WEIGHTS, EDGE_PLAN_PAGE, true, "weights", 0, 0 },
	VIEW(CODE, struct edge_code, false, "code", codes, code_count),
	VIEW(ENTRIES, uint64_t, false, "entries", entries, entry_count),
	{ EDGE_SECTION_BLOCKS, 1, false, "blocks", 0, 0 },
	VIEW(LOOKUPS, struct edge_lookup, false, "lookups", lookups, lookup_count),
	VIEW(LOADS, struct edge_load, false, "loads", loads, load_count),
	{ EDGE_SECTION_DEBUG, sizeof(struct edge_debug), false, "debug", offsetof(struct edge_plan, debug), 0 },
	VIEW(LIFETIMES, struct edge_lifetime, false, "lifetimes", lifetimes, lifetime_count),
	VIEW(NOTES, struct edge_note, false, "notes", notes, note_count),
	VIEW(TRAIN, struct edge_train, false, "train", train, train_count),
	VIEW(VIEWS, struct edge_view, false, "views", views, view_count),
	VIEW(POINTS, struct edge_point, false, "points", points, point_count),
	VIEW(EVENTS, struct edge_event, false, "events", events, event_count),
	VIEW(ROLES, struct edge_role, false, "roles", roles, role_count),
	VIEW(GENERATE, struct edge_generate, false, "generate", generate, generate_count),
	VIEW(VARIANTS, struct edge_variant, false, "variants", variants, variant_count),
	VIEW(STEP_VARIANTS, uint32_t, false, "step variants", step_variants, step_variant_count),
	{ EDGE_SECTION_TOKENIZER, 1, false, "tokenizer", offsetof(struct edge_plan, tokenizer), 0 },
};

enum { KNOWN_COUNT = sizeof known / sizeof *known };

static enum edge_status check_prefix(struct check *c, const void *data, size_t size)
{
	const struct edge_prefix *p = data;

	if (!data || (uintptr_t)data % 8)
		return check_fail(c, EDGE_ARGUMENT, "the plan's bytes are not aligned in memory");
	if (size < 8 || memcmp(data, EDGE_PLAN_MAGIC, 8))
		return check_fail(c, EDGE_BAD, size < 8 ? "too short to be a plan (%llu bytes)" : "not an edge plan",
				  (unsigned long long)size);
	if (size < sizeof *p)
		return check_fail(c, EDGE_BAD, "the file ends in its prefix (%llu bytes)", (unsigned long long)size);
	if (p->major != EDGE_PLAN_MAJOR)
		return check_fail(c, EDGE_UNSUPPORTED, "plan format %u.%u, this reader knows %u", p->major,
				  p->minor, EDGE_PLAN_MAJOR);
	if (p->file_size > size)
		return check_fail(c, EDGE_BAD, "truncated: %llu of %llu bytes", (unsigned long long)size,
				  (unsigned long long)p->file_size);
	if (p->file_size < size)
		return check_fail(c, EDGE_BAD, "%llu bytes after the end of the plan",
				  (unsigned long long)(size - p->file_size));
	return EDGE_OK;
}

static enum edge_status check_header(struct check *c)
{
	const struct edge_header *h = c->p->header;
	const struct edge_prefix *x = &h->prefix;
	uint64_t table;

	if (x->header_size < sizeof *h || x->header_size % 8 || x->header_size > x->file_size)
		return check_fail(c, EDGE_BAD, "header size %u", x->header_size);
	if (x->header_size != sizeof *h && x->minor == EDGE_PLAN_MINOR)
		return check_fail(c, EDGE_BAD, "header size %u in format %u.%u", x->header_size, x->major, x->minor);
	if (edge_xxh3(h, offsetof(struct edge_header, header_xxh3)) != h->header_xxh3)
		return check_fail(c, EDGE_BAD, "the header is damaged");
	if (x->minor == EDGE_PLAN_MINOR && (h->reserved[0] || h->reserved[1]))
		return check_fail(c, EDGE_BAD, "a reserved field of the header is not zero");
	if (x->section_entry_size != sizeof(struct edge_section))
		return check_fail(c, x->minor > EDGE_PLAN_MINOR ? EDGE_UNSUPPORTED : EDGE_BAD,
				  "section entries of %u bytes", x->section_entry_size);
	if (!x->section_count || x->section_count > MAX_SECTIONS)
		return check_fail(c, EDGE_BAD, "%u sections", x->section_count);
	table = (uint64_t)x->section_count * x->section_entry_size;
	if (!check_range(x->header_size, table, x->file_size))
		return check_fail(c, EDGE_BAD, "the section table ends outside the file");
	if (edge_xxh3(c->p->data + x->header_size, table) != h->table_xxh3)
		return check_fail(c, EDGE_BAD, "the section table is damaged");
	return EDGE_OK;
}

static const struct known_section *section_kind(uint32_t kind)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (known[i].kind == kind)
			return &known[i];
	return NULL;
}

static bool all_zero(const uint8_t *p, uint64_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

static enum edge_status check_padding(struct check *c, const struct edge_section *s, uint64_t from)
{
	if (all_zero(c->p->data + from, s->offset - from))
		return EDGE_OK;
	return check_fail(c, EDGE_BAD, "padding before section %u is not zero", s->kind);
}

static enum edge_status check_hash(struct check *c, const struct edge_section *s)
{
	if (edge_xxh3(c->p->data + s->offset, s->size) == s->xxh3)
		return EDGE_OK;
	return check_fail(c, EDGE_BAD, "section %u is damaged", s->kind);
}

/* Bounds, order, padding and hash of one entry, unless it is late; *end is where the one before it ended. */
static enum edge_status check_section(struct check *c, const struct edge_section *s, uint64_t *end)
{
	bool pages = s->kind == EDGE_SECTION_WEIGHTS || s->kind == EDGE_SECTION_BLOCKS;
	uint64_t align = pages ? EDGE_PLAN_PAGE : 64;
	enum edge_status st;

	if (s->offset % align)
		return check_fail(c, EDGE_BAD, "section %u starts at %llu, no multiple of %llu", s->kind,
				  (unsigned long long)s->offset, (unsigned long long)align);
	if (!check_range(s->offset, s->size, c->p->size))
		return check_fail(c, EDGE_BAD, "section %u ends outside the file", s->kind);
	if (s->offset < *end)
		return check_fail(c, EDGE_BAD, "section %u overlaps what is before it", s->kind);
	if (!c->late_before && !plan_section_is_late(s->kind) && (st = check_padding(c, s, *end)))
		return st;
	if ((uint64_t)s->count * s->stride != s->size)
		return check_fail(c, EDGE_BAD, "section %u: %u records of %u bytes are not %llu", s->kind,
				  s->count, s->stride, (unsigned long long)s->size);
	if (s->reserved && c->p->header->prefix.minor == EDGE_PLAN_MINOR)
		return check_fail(c, EDGE_BAD, "section %u: the reserved field is not zero", s->kind);
	if (s->kind == EDGE_SECTION_WEIGHTS) {
		if (s->xxh3)
			return check_fail(c, EDGE_BAD, "the weights section has a hash of its own");
	} else if (!plan_section_is_late(s->kind) && (st = check_hash(c, s))) {
		return st;
	}
	c->late_before = plan_section_is_late(s->kind);
	*end = s->offset + s->size;
	return EDGE_OK;
}

/* Puts a known section's records into the view. */
static enum edge_status check_known(struct check *c, const struct edge_section *s,
				    const struct known_section *k, uint64_t *seen)
{
	char *view = (char *)c->p;
	const void *records = c->p->data + s->offset;

	if (s->stride != k->stride)
		return check_fail(c, c->p->header->prefix.minor > EDGE_PLAN_MINOR ? EDGE_UNSUPPORTED : EDGE_BAD,
				  "section %s: records of %u bytes, not %u", k->name, s->stride, k->stride);
	if (*seen & (uint64_t)1 << (k - known))
		return check_fail(c, EDGE_BAD, "section %s appears twice", k->name);
	*seen |= (uint64_t)1 << (k - known);
	if (k->view)
		memcpy(view + k->view, &records, sizeof records);
	if (k->count)
		memcpy(view + k->count, &s->count, sizeof s->count);
	switch (s->kind) {
	case EDGE_SECTION_META:
		if (s->count != 1)
			return check_fail(c, EDGE_BAD, "section meta: %u records", s->count);
		break;
	case EDGE_SECTION_STRINGS:
		c->p->strings_size = s->size;
		break;
	case EDGE_SECTION_BLOCKS:
		c->p->blocks_offset = s->offset;
		c->p->blocks_size = s->size;
		break;
	case EDGE_SECTION_WEIGHTS:
		c->weights_offset = s->offset;
		c->weights_size = s->size;
		break;
	case EDGE_SECTION_TOKENIZER:
		c->p->tokenizer_size = s->size;
		break;
	}
	return EDGE_OK;
}

static enum edge_status check_sections(struct check *c)
{
	const struct edge_prefix *x = &c->p->header->prefix;
	const struct edge_section *s = (const void *)(c->p->data + x->header_size);
	uint64_t end = x->header_size + (uint64_t)x->section_count * x->section_entry_size;
	uint64_t seen = 0;
	enum edge_status st;

	for (uint32_t i = 0; i < x->section_count; i++, s++) {
		const struct known_section *k = section_kind(s->kind);

		if ((st = check_section(c, s, &end)))
			return st;
		if (s->flags & ~(uint32_t)EDGE_SECTION_REQUIRED)
			return check_fail(c, EDGE_UNSUPPORTED, "section %u has flags %#x", s->kind, s->flags);
		if (!k && s->flags & EDGE_SECTION_REQUIRED)
			return check_fail(c, EDGE_UNSUPPORTED, "required section of unknown kind %u", s->kind);
		if (k && (st = check_known(c, s, k, &seen)))
			return st;
	}
	if (end != x->file_size)
		return check_fail(c, EDGE_BAD, "bytes after the last section");
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (known[i].required && !(seen & (uint64_t)1 << i))
			return check_fail(c, EDGE_BAD, "section %s is missing", known[i].name);
	return EDGE_OK;
}

/* What check_sections() left out: hashes of late sections, and padding on both sides of them. */
static enum edge_status check_late_sections(struct check *c)
{
	const struct edge_prefix *x = &c->p->header->prefix;
	const struct edge_section *s = (const void *)(c->p->data + x->header_size);
	uint64_t end = x->header_size + (uint64_t)x->section_count * x->section_entry_size;
	bool late = false, before;
	enum edge_status st;

	for (uint32_t i = 0; i < x->section_count; i++, s++) {
		before = late;
		late = plan_section_is_late(s->kind);
		if ((before || late) && (st = check_padding(c, s, end)))
			return st;
		if (late && (st = check_hash(c, s)))
			return st;
		if (s->kind == EDGE_SECTION_DEBUG)
			c->debug_count = s->count;
		end = s->offset + s->size;
	}
	return EDGE_OK;
}

enum edge_status plan_check_late(struct edge_plan *p, char *why, size_t why_size)
{
	struct check c = { .p = p, .why = why, .why_size = why_size };
	enum edge_status st = check_late_sections(&c);

	return st ? st : check_late_records(&c);
}

enum edge_status plan_check(const void *data, size_t size, struct edge_plan *out, char *why, size_t why_size)
{
	enum edge_status st = plan_check_early(data, size, out, why, why_size);

	if (!st && (st = plan_check_late(out, why, why_size)))
		memset(out, 0, sizeof *out);
	return st;
}

enum edge_status plan_check_early(const void *data, size_t size, struct edge_plan *out, char *why, size_t why_size)
{
	struct check c = { .p = out, .why = why, .why_size = why_size };
	enum edge_status st;

	memset(out, 0, sizeof *out);
	if (why && why_size)
		why[0] = '\0';
	st = check_prefix(&c, data, size);
	if (!st && size < sizeof(struct edge_header))
		st = check_fail(&c, EDGE_BAD, "the file ends in its header (%llu bytes)", (unsigned long long)size);
	if (!st) {
		out->data = data;
		out->size = size;
		out->header = data;
		st = check_header(&c);
	}
	if (!st)
		st = check_sections(&c);
	if (!st)
		st = check_records(&c);
	if (st)
		memset(out, 0, sizeof *out);
	return st;
}

enum edge_status plan_check_chunks(const struct edge_plan *p, char *why, size_t why_size)
{
	struct check c = { .why = why, .why_size = why_size };

	for (uint32_t i = 0; i < p->chunk_count; i++) {
		const struct edge_chunk *k = &p->chunks[i];

		if (edge_xxh3(p->data + k->offset, k->bytes) != k->xxh3)
			return check_fail(&c, EDGE_BAD, "chunk %u of weights is damaged (%llu bytes at %llu)", i,
					  (unsigned long long)k->bytes, (unsigned long long)k->offset);
	}
	if (why && why_size)
		why[0] = '\0';
	return EDGE_OK;
}
