/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuning.c - tile sizes by shape, and the tables that come with the compiler.
 *
 * A table is text inside the compiler (kernels/tune/). Its few lines are read
 * where they are asked for: that is nothing beside compiling one kernel.
 */
#include "config.h"

#include "target/tuning.h"

#include "base/arena.h"
#include "codegen/native.h"
#include "target/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEIGHT = 8 };

/* "AxB" and so on: up to `most` whole numbers, of which `any` lets be "*", read as 0; what follows them. How many; 0: none. */
static unsigned numbers(const char *s, bool any, unsigned most, int64_t *out, const char **rest)
{
	unsigned n = 0;

	while (n < most) {
		char *end;

		if (any && *s == '*') {
			out[n] = 0;
			end = (char *)(uintptr_t)(s + 1);
		} else {
			if (*s < '1' || *s > '9')
				return 0;
			out[n] = strtoll(s, &end, 10);
			if (out[n] > INT32_MAX)
				return 0;
		}
		n++;
		s = end;
		if (*s != 'x')
			break;
		s++;
	}
	*rest = s;
	return n;
}

bool tile_parse(const char *shape, const char *tile, struct tile_choice *out)
{
	int64_t s[3] = { 0 }, t[2];
	const char *end;
	unsigned n = numbers(shape, true, 3, s, &end);

	if (n < 2 || *end || numbers(tile, false, 2, t, &end) != 2)
		return false;
	*out = (struct tile_choice){ s[0], s[1], s[2], (uint32_t)t[0], (uint32_t)t[1],
				     *end == 'p' ? TILE_SHARE_PANEL : *end == 'r' ? TILE_SHARE_ROWS : TILE_ORDER_AUTO };
	if (*end && (out->order == TILE_ORDER_AUTO || end[1]))
		return false;
	if (t[0] > MAX_HEIGHT || (t[1] != 16 && t[1] != 24 && t[1] != 32 && t[1] != 48))
		return false;
	return s[0] != 1 || (t[0] == 1 && (t[1] == 16 || t[1] == 32) && !out->order); /* one row has a kernel of its own: gemv.cl */
}

const char *tuning_class(const struct target *t)
{
	if (t->backend == TARGET_OPENCL)
		return t->kernels == TARGET_GPU_KERNELS ? "opencl-gpu" : "opencl-cpu";
	for (int isa = NATIVE_ISA_COUNT - 1; isa > 0; isa--)
		if (t->isas & 1u << isa)
			return native_isa_name((enum native_isa)isa);
	return "unknown";
}

unsigned tuning_read(struct arena *a, const char *text, struct tuning *out)
{
	for (unsigned line = 1; *text; line++) {
		size_t n = strcspn(text, "\n");
		char copy[120], shape[40], tile[40], rest;
		struct tile_choice c;

		if (n >= sizeof copy)
			return line;
		memcpy(copy, text, n);
		copy[n] = '\0';
		copy[strcspn(copy, "#")] = '\0';
		text += n + (text[n] == '\n');
		if (copy[strspn(copy, " \t\r")] == '\0')
			continue;
		if (sscanf(copy, " tile %39s %39s %c", shape, tile, &rest) != 2 || !tile_parse(shape, tile, &c))
			return line;
		vec_push(a, &out->tiles, c);
	}
	return 0;
}

static const struct tile_choice *find(const struct tuning *t, int64_t rows, int64_t columns, int64_t depth)
{
	for (uint32_t i = 0; t && i < t->tiles.len; i++) {
		const struct tile_choice *c = &t->tiles.data[i];

		if ((!c->rows || c->rows == rows) && (!c->columns || c->columns == columns) &&
		    (!c->depth || c->depth == depth) && (rows > 1 || (c->height == 1 && (c->width == 16 || c->width == 32))))
			return c;
	}
	return NULL;
}

const struct tile_choice *tuning_tile(const struct target *t, int64_t rows, int64_t columns, int64_t depth)
{
	const struct tile_choice *c;

	if (t->kernels == TARGET_GPU_KERNELS)
		return NULL; /* one tile for all */
	c = find(t->tuning, rows, columns, depth);
	return c ? c : find(t->table, rows, columns, depth);
}
