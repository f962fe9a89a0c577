/* SPDX-License-Identifier: Apache-2.0 */
/* failure.c - what went wrong, as a value. */
#include "config.h"

#include "base/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The words of files cannot act on the terminal that shows them; as many as fit. */
static void record(struct failure *f, enum edge_status status, const char *fmt, va_list ap)
{
	char text[sizeof(f->text)];
	size_t n, at = 0;

	if (f->status != EDGE_OK)
		return;
	f->status = status;
	vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	for (size_t i = 0, used; i < n && at + 4 < sizeof(f->text); i += used)
		at += edge_shown_char(text + i, n - i, f->text + at, &used);
	f->text[at] = '\0';
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
