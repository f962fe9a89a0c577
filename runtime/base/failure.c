/* SPDX-License-Identifier: Apache-2.0 */
/* failure.c - what went wrong, as a value. */
#include "config.h"

#include "base/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void record(struct failure *f, enum edge_status status, const char *fmt, va_list ap)
{
	if (f->status != EDGE_OK)
		return;
	f->status = status;
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
}

enum edge_status rt_fail(struct failure *f, enum edge_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(f, status, fmt, ap);
	va_end(ap);
	return status;
}

/* strerror() for many threads: glibc's variant returns the text, wherever it is; others fill the buffer. */
static const char *error_text(int error, char *buffer, size_t size)
{
#ifdef __GLIBC__
	return strerror_r(error, buffer, size);
#else
	return strerror_r(error, buffer, size) == 0 ? buffer : "unknown error";
#endif
}

enum edge_status rt_fail_errno(struct failure *f, enum edge_status status, const char *fmt, ...)
{
	bool first = f->status == EDGE_OK;
	int saved = errno;
	char reason[128];
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	record(f, status, fmt, ap);
	va_end(ap);
	if (!first)
		return status;
	n = strlen(f->text);
	snprintf(f->text + n, sizeof(f->text) - n, ": %s",
		 error_text(saved, reason, sizeof(reason)));
	return status;
}

void rt_failure_clear(struct failure *f)
{
	f->status = EDGE_OK;
	f->text[0] = '\0';
}
