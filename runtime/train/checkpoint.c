/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - the state of training in a file.
 *
 *	struct head | curve points | evaluations | struct part_head ... | parts, plane by plane | hash
 *
 * The hash goes over blocks as they pass: each block's own is hashed together with the
 * one so far. Loading reads the file twice, the first time only for the hash.
 */
#include "config.h"

#include "base/memory.h"
#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 16, PARTS = 64, NAME = 24 };

static const char magic[8] = "EDGECKP1";

struct head {
	char magic[8];
	uint64_t plan;	/* hash of its header, which names the hash of everything else */
	uint64_t bytes; /* of the file */
	struct train_counters counters;
	double seconds, loss, ms; /* of struct curve */
	uint32_t parts, points, evaluations, every, since, skipped;
};

struct part_head {
	char name[NAME];
	uint32_t planes, element_bytes;
};

_Static_assert(sizeof(struct head) == 128, "head");
_Static_assert(sizeof(struct part_head) == 32, "part");

/* ---- a file that is hashed as it passes */

struct passage {
	FILE *file;
	const char *path;
	uint64_t hash;
	uint8_t *buffer; /* of BLOCK */
	struct failure *f;
};

static void mix(struct passage *p, const void *data, size_t n)
{
	const uint64_t both[2] = { p->hash, edge_xxh3(data, n) };

	p->hash = edge_xxh3(both, sizeof(both));
}

static enum edge_status put(struct passage *p, const void *data, size_t n)
{
	if (n && fwrite(data, n, 1, p->file) != 1)
		return rt_fail_errno(p->f, EDGE_IO, "could not write checkpoint \"%s\"", p->path);
	mix(p, data, n);
	return EDGE_OK;
}

static enum edge_status damaged(struct passage *p, const char *why)
{
	return rt_fail(p->f, EDGE_BAD, "checkpoint \"%s\" is damaged: %s", p->path, why);
}

static enum edge_status get(struct passage *p, void *data, size_t n)
{
	if (n && fread(data, n, 1, p->file) != 1) {
		if (ferror(p->file))
			return rt_fail_errno(p->f, EDGE_IO, "could not read checkpoint \"%s\"", p->path);
		return damaged(p, "it ends early");
	}
	mix(p, data, n);
	return EDGE_OK;
}

/* Every block of every plane of every part: in one order, for writing, checking and reading. */
typedef enum edge_status (*visit)(struct passage *p, struct train *t, uint32_t part, uint32_t plane,
				  uint32_t first, uint32_t count, size_t bytes);

static enum edge_status each_block(struct passage *p, struct train *t, uint32_t gaussians, visit what)
{
	for (uint32_t part = 0; part < train_part_count(t); part++) {
		struct train_part info;
		uint32_t most;

		train_part_info(t, part, &info);
		most = BLOCK / info.element_bytes;
		for (uint32_t plane = 0; plane < info.planes; plane++)
			for (uint32_t first = 0; first < gaussians; first += most) {
				uint32_t n = gaussians - first < most ? gaussians - first : most;
				enum edge_status st = what(p, t, part, plane, first, n,
							   (size_t)n * info.element_bytes);

				if (st != EDGE_OK)
					return st;
			}
	}
	return EDGE_OK;
}

static enum edge_status block_out(struct passage *p, struct train *t, uint32_t part, uint32_t plane, uint32_t first,
				  uint32_t count, size_t bytes)
{
	enum edge_status st = train_part_read(t, part, plane, first, count, p->buffer, p->f);

	return st == EDGE_OK ? put(p, p->buffer, bytes) : st;
}

static enum edge_status block_check(struct passage *p, struct train *t, uint32_t part, uint32_t plane,
				    uint32_t first, uint32_t count, size_t bytes)
{
	(void)t, (void)part, (void)plane, (void)first, (void)count;
	return get(p, p->buffer, bytes);
}

static enum edge_status block_in(struct passage *p, struct train *t, uint32_t part, uint32_t plane, uint32_t first,
				 uint32_t count, size_t bytes)
{
	enum edge_status st = get(p, p->buffer, bytes);

	return st == EDGE_OK ? train_part_write(t, part, plane, first, count, p->buffer, p->f) : st;
}

/* ---- sizes */

static uint64_t file_bytes(struct train *t, const struct head *h)
{
	uint64_t bytes = sizeof(*h) + h->points * sizeof(struct curve_point) +
			 h->evaluations * sizeof(struct curve_evaluation) + h->parts * sizeof(struct part_head) + 8;

	for (uint32_t i = 0; i < h->parts; i++) {
		struct train_part info;

		train_part_info(t, i, &info);
		bytes += (uint64_t)info.planes * info.element_bytes * h->counters.gaussians;
	}
	return bytes;
}

static void part_head(struct train *t, uint32_t part, struct part_head *out)
{
	struct train_part info;

	train_part_info(t, part, &info);
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", info.name);
	out->planes = info.planes;
	out->element_bytes = info.element_bytes;
}

/* ---- saving */

static enum edge_status write_all(struct passage *p, struct train *t, const struct curve *c)
{
	struct head h = { .plan = train_plan(t)->header->header_xxh3, .seconds = c->seconds, .loss = c->loss, .ms = c->ms,
			  .parts = train_part_count(t), .points = c->points, .evaluations = c->evaluations,
			  .every = c->every, .since = c->since, .skipped = c->skipped };
	enum edge_status st;

	memcpy(h.magic, magic, sizeof(magic));
	train_get_counters(t, &h.counters);
	h.bytes = file_bytes(t, &h);
	if ((st = put(p, &h, sizeof(h))) != EDGE_OK ||
	    (st = put(p, c->point, c->points * sizeof(*c->point))) != EDGE_OK ||
	    (st = put(p, c->evaluation, c->evaluations * sizeof(*c->evaluation))) != EDGE_OK)
		return st;
	for (uint32_t i = 0; i < h.parts; i++) {
		struct part_head part;

		part_head(t, i, &part);
		if ((st = put(p, &part, sizeof(part))) != EDGE_OK)
			return st;
	}
	if ((st = each_block(p, t, h.counters.gaussians, block_out)) != EDGE_OK)
		return st;
	return put(p, &p->hash, sizeof(p->hash));
}

/* The file is whole and on the disk before it gets its name. */
static enum edge_status finish(struct passage *p, const char *partial)
{
	if (fflush(p->file) != 0 || fsync(fileno(p->file)) != 0)
		return rt_fail_errno(p->f, EDGE_IO, "could not write checkpoint \"%s\"", p->path);
	if (rename(partial, p->path) != 0)
		return rt_fail_errno(p->f, EDGE_IO, "could not rename \"%s\" to \"%s\"", partial, p->path);
	return EDGE_OK;
}

/* One name for unfinished files, so that killed runs leave at most one. */
static char *partial_name(const char *path)
{
	size_t n = strlen(path);
	char *name = rt_alloc(n + sizeof(".partial"), 1);

	if (name) {
		memcpy(name, path, n);
		memcpy(name + n, ".partial", sizeof(".partial"));
	}
	return name;
}

enum edge_status checkpoint_save(const char *path, struct train *t, const struct curve *c, struct failure *f)
{
	struct passage p = { .path = path, .f = f, .buffer = rt_alloc(1, BLOCK) };
	char *partial = partial_name(path);
	struct stat info;
	enum edge_status st;

	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
		st = rt_fail(f, EDGE_ARGUMENT, "cannot keep a checkpoint in \"%s\": it is no file", path);
	} else if (!p.buffer || !partial) {
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	} else if (!(p.file = fopen(partial, "wb"))) {
		st = rt_fail_errno(f, EDGE_IO, "could not create \"%s\"", partial);
	} else {
		st = write_all(&p, t, c);
		if (st == EDGE_OK)
			st = finish(&p, partial);
		fclose(p.file);
		if (st != EDGE_OK)
			unlink(partial);
	}
	rt_free(p.buffer);
	rt_free(partial);
	return st;
}

/* ---- loading */

static enum edge_status check_head(struct passage *p, struct train *t, const struct curve *c, const struct head *h)
{
	struct stat info;

	if (h->plan != train_plan(t)->header->header_xxh3)
		return rt_fail(p->f, EDGE_ARGUMENT, "checkpoint \"%s\" is of another plan", p->path);
	if (h->parts != train_part_count(t) || h->parts > PARTS || h->points > c->point_room ||
	    h->evaluations > c->evaluation_room || h->every != c->every ||
	    h->counters.gaussians > train_capacity(t))
		return damaged(p, "its head does not fit the plan");
	if (fstat(fileno(p->file), &info) != 0)
		return rt_fail_errno(p->f, EDGE_IO, "could not read checkpoint \"%s\"", p->path);
	if (h->bytes != file_bytes(t, h) || (uint64_t)info.st_size != h->bytes)
		return damaged(p, "its size is wrong");
	return EDGE_OK;
}

/* Everything up to the parts' contents; c may be NULL, the curve is then passed over. */
static enum edge_status read_front(struct passage *p, struct train *t, const struct curve *rooms, struct curve *c,
				   struct head *h)
{
	enum edge_status st;

	rewind(p->file);
	p->hash = 0;
	if ((st = get(p, h, sizeof(*h))) != EDGE_OK || (st = check_head(p, t, rooms, h)) != EDGE_OK)
		return st;
	if ((st = get(p, rooms->point, h->points * sizeof(*rooms->point))) != EDGE_OK ||
	    (st = get(p, rooms->evaluation, h->evaluations * sizeof(*rooms->evaluation))) != EDGE_OK)
		return st;
	for (uint32_t i = 0; i < h->parts; i++) {
		struct part_head want, got;

		part_head(t, i, &want);
		if ((st = get(p, &got, sizeof(got))) != EDGE_OK)
			return st;
		if (memcmp(&want, &got, sizeof(want)) != 0)
			return damaged(p, "its parts are not the plan's");
	}
	if (!c)
		return EDGE_OK;
	c->points = h->points;
	c->evaluations = h->evaluations;
	c->seconds = h->seconds;
	c->loss = h->loss;
	c->ms = h->ms;
	c->since = h->since;
	c->skipped = h->skipped;
	return EDGE_OK;
}

static enum edge_status read_all(struct passage *p, struct train *t, struct curve *c)
{
	char name[sizeof(magic)] = "";
	uint64_t hash, stored;
	struct head h;
	enum edge_status st;

	if (fread(name, sizeof(name), 1, p->file) != 1 || memcmp(name, magic, sizeof(name)) != 0)
		return ferror(p->file) ? rt_fail_errno(p->f, EDGE_IO, "could not read checkpoint \"%s\"", p->path)
				       : rt_fail(p->f, EDGE_BAD, "\"%s\" is not a checkpoint", p->path);
	if ((st = read_front(p, t, c, NULL, &h)) != EDGE_OK ||
	    (st = each_block(p, t, h.counters.gaussians, block_check)) != EDGE_OK)
		return st;
	hash = p->hash;
	if ((st = get(p, &stored, sizeof(stored))) != EDGE_OK)
		return st;
	if (stored != hash)
		return damaged(p, "its hash differs");
	if ((st = read_front(p, t, c, c, &h)) != EDGE_OK ||
	    (st = each_block(p, t, h.counters.gaussians, block_in)) != EDGE_OK)
		return st;
	return train_set_counters(t, &h.counters, p->f);
}

enum edge_status checkpoint_load(const char *path, struct train *t, struct curve *c, bool *found, struct failure *f)
{
	struct passage p = { .path = path, .f = f };
	enum edge_status st;

	p.file = fopen(path, "rb");
	*found = p.file != NULL;
	if (!p.file)
		return errno == ENOENT ? EDGE_OK
				       : rt_fail_errno(f, EDGE_IO, "could not open checkpoint \"%s\"", path);
	p.buffer = rt_alloc(1, BLOCK);
	st = p.buffer ? read_all(&p, t, c) : rt_fail(f, EDGE_MEMORY, "out of memory");
	fclose(p.file);
	rt_free(p.buffer);
	return st;
}
