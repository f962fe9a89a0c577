/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag.h - what the compiler says about the user's files.
 *
 * A span is a byte range of a known file. Errors are counted; a stage goes on
 * as far as it sensibly can, and main stops between stages if any were said.
 *
 *	tiny.edge:12.7-19: error: cannot multiply: inner sizes differ (768 and 512)
 *	   12 |   y = matmul(x, w1)
 *	      |       ^~~~~~~~~~~~~
 *	tiny.edge:4.3: note: left operand "x" is f32[1,768]
 *	    Hint: Transpose the right operand, or fix its shape.
 *
 * Wording: lower case, no full stop in errors and notes; "could not" where the
 * next try may work, "cannot" where it never will; hints are sentences.
 */
#ifndef EDGE_BASE_DIAG_H
#define EDGE_BASE_DIAG_H

#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* file 0 is "no place"; files count from 1. end is one past the last byte. */
struct span {
	uint32_t file, start, end;
};

#define NO_SPAN ((struct span){ 0, 0, 0 })

struct source_file {
	const char *name;
	const char *text; /* NULL for binary inputs: only the name is printed */
	size_t len;
};

struct diag {
	struct arena *arena;
	FILE *out; /* stderr, or a test's stream */
	VEC(struct source_file) files;
	unsigned errors, warnings;
	unsigned max_errors; /* 0: no limit; beyond it errors are only counted */
};

void diag_init(struct diag *d, struct arena *a, FILE *out);
/* Text must outlive d. Returns the file's id for spans. */
uint32_t diag_add_file(struct diag *d, const char *name, const char *text, size_t len);

void diag_error(struct diag *d, struct span s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void diag_warning(struct diag *d, struct span s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Notes and hints belong to the error or warning said just before. */
void diag_note(struct diag *d, struct span s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void diag_hint(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 1-based line and column of a byte offset. */
void diag_locate(const struct diag *d, uint32_t file, uint32_t at, unsigned *line, unsigned *column);

#endif
