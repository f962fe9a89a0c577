/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure.h - what went wrong, as a value.
 *
 * Nothing in the runtime prints or exits: a function that can fail returns an
 * enum edge_status and leaves one line in the caller's record. The line names
 * the thing, its value and, for driver and system calls, the error's name. Of
 * names that come from files it holds what a terminal may be shown.
 */
#ifndef EDGE_RT_FAILURE_H
#define EDGE_RT_FAILURE_H

#include "edge/plan_read.h"

#include <stdarg.h>

struct failure {
	enum edge_status status;
	char text[2048];
};

/* Records and returns the status. A second failure does not replace the first. */
enum edge_status rt_fail(struct failure *f, enum edge_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with ": TEXT OF errno" at the end. */
enum edge_status rt_fail_errno(struct failure *f, enum edge_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void rt_failure_clear(struct failure *f);

#endif
