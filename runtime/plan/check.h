/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - between check.c (the container) and check_records.c (what is in it). */
#ifndef EDGE_PLAN_CHECK_H
#define EDGE_PLAN_CHECK_H

#include "edge/plan_read.h"

struct check {
	struct edge_plan *p; /* being filled */
	char *why;
	size_t why_size;
	uint64_t weights_offset, weights_size;
	uint32_t debug_count;
	bool late_before; /* the section before is a late one */
};

/* Says why and returns st. */
enum edge_status check_fail(struct check *c, enum edge_status st, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool check_range(uint64_t offset, uint64_t bytes, uint64_t size);
/* Every record of the view, whose sections are known to lie in the file; first those that are not late, then these. */
enum edge_status check_records(struct check *c);
enum edge_status check_late_records(struct check *c);
/* check_train.c: what a plan that trains has besides, and no other one. */
enum edge_status check_train(struct check *c);
/* check_generate.c */
enum edge_status check_generate(struct check *c);
enum edge_status check_tokenizer(struct check *c);

#endif
