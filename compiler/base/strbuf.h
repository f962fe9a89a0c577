/* SPDX-License-Identifier: Apache-2.0 */
/* strbuf.h - a growing byte string; always NUL-terminated, owned by the caller. */
#ifndef EDGE_BASE_STRBUF_H
#define EDGE_BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
	char *data; /* NULL while empty */
	size_t len, cap;
};

void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap);
/* "" while empty. */
const char *strbuf_str(const struct strbuf *b);
void strbuf_free(struct strbuf *b);

#endif
