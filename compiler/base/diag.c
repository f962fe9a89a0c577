/* SPDX-License-Identifier: Apache-2.0 */
/* diag.c - print errors with the line and a caret under the span. */
#include "config.h"

#include "base/diag.h"

#include <string.h>

void diag_init(struct diag *d, struct arena *a, FILE *out)
{
	*d = (struct diag){ .arena = a, .out = out };
}

uint32_t diag_add_file(struct diag *d, const char *name, const char *text, size_t len)
{
	struct source_file f = { arena_strdup(d->arena, name), text, len };

	vec_push(d->arena, &d->files, f);
	return d->files.len;
}

static const struct source_file *file_of(const struct diag *d, uint32_t file)
{
	return file >= 1 && file <= d->files.len ? &d->files.data[file - 1] : NULL;
}

void diag_locate(const struct diag *d, uint32_t file, uint32_t at, unsigned *line, unsigned *column)
{
	const struct source_file *f = file_of(d, file);

	*line = *column = 1;
	if (!f || !f->text)
		return;
	for (uint32_t i = 0; i < at && i < f->len; i++) {
		(*column)++;
		if (f->text[i] == '\n') {
			(*line)++;
			*column = 1;
		}
	}
}

static void print_place(struct diag *d, struct span s)
{
	const struct source_file *f = file_of(d, s.file);
	unsigned line, column, end_line, end_column;

	if (!f) {
		fputs("edgec: ", d->out);
		return;
	}
	if (!f->text) {
		fprintf(d->out, "%s: ", f->name);
		return;
	}
	diag_locate(d, s.file, s.start, &line, &column);
	diag_locate(d, s.file, s.end > s.start ? s.end - 1 : s.start, &end_line, &end_column);
	fprintf(d->out, "%s:%u.%u", f->name, line, column);
	if (end_line != line)
		fprintf(d->out, "-%u.%u", end_line, end_column);
	else if (end_column != column)
		fprintf(d->out, "-%u", end_column);
	fputs(": ", d->out);
}

/* Control bytes of hostile files must not reach the terminal. */
static void print_clean(FILE *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		fputc(c == '\t' || (c >= 32 && c != 127) ? c : '?', out);
	}
}

static void print_caret(struct diag *d, struct span s)
{
	const struct source_file *f = file_of(d, s.file);
	unsigned line, column;
	size_t begin, end;

	if (!f || !f->text || s.start > f->len)
		return;
	diag_locate(d, s.file, s.start, &line, &column);
	begin = s.start - (column - 1);
	for (end = begin; end < f->len && f->text[end] != '\n';)
		end++;
	if (end - begin > 300)
		return; /* not a line that a person wrote */
	fprintf(d->out, "%5u | ", line);
	print_clean(d->out, f->text + begin, end - begin);
	fputs("\n      | ", d->out);
	for (size_t i = begin; i < s.start && i < end; i++)
		fputc(f->text[i] == '\t' ? '\t' : ' ', d->out);
	fputc('^', d->out);
	for (size_t i = (size_t)s.start + 1; i < s.end && i < end; i++)
		fputc('~', d->out);
	fputc('\n', d->out);
}

static void say(struct diag *d, struct span s, const char *kind, const char *fmt, va_list ap)
{
	va_list again;
	char text[2048];
	int n;

	if (d->max_errors && d->errors > d->max_errors)
		return;
	print_place(d, s);
	fprintf(d->out, "%s: ", kind);
	va_copy(again, ap);
	n = vsnprintf(text, sizeof text, fmt, again);
	va_end(again);
	if (n >= 0 && (size_t)n < sizeof text) {
		print_clean(d->out, text, (size_t)n);
	} else { /* long lists, as of unsupported operators */
		struct arena tmp = { 0 };
		char *all = arena_vprintf(&tmp, fmt, ap);

		for (char *p = all; *p; p++)
			fputc(*p == '\n' || (unsigned char)*p >= 32 ? *p : '?', d->out);
		arena_release(&tmp);
	}
	fputc('\n', d->out);
	print_caret(d, s);
}

void diag_error(struct diag *d, struct span s, const char *fmt, ...)
{
	va_list ap;

	d->errors++;
	va_start(ap, fmt);
	say(d, s, "error", fmt, ap);
	va_end(ap);
}

void diag_warning(struct diag *d, struct span s, const char *fmt, ...)
{
	va_list ap;

	d->warnings++;
	va_start(ap, fmt);
	say(d, s, "warning", fmt, ap);
	va_end(ap);
}

void diag_note(struct diag *d, struct span s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(d, s, "note", fmt, ap);
	va_end(ap);
}

void diag_hint(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	if (d->max_errors && d->errors > d->max_errors)
		return;
	fputs("    Hint: ", d->out);
	va_start(ap, fmt);
	vfprintf(d->out, fmt, ap);
	va_end(ap);
	fputc('\n', d->out);
}
