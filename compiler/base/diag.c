/* SPDX-License-Identifier: Apache-2.0 */
/* diag.c - print errors with the line and a caret under the span. */
#include "config.h"

#include "base/diag.h"

#include "edge/plan_read.h"

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
		edge_show(d->out, f->name, strlen(f->name));
		fputs(": ", d->out);
		return;
	}
	diag_locate(d, s.file, s.start, &line, &column);
	diag_locate(d, s.file, s.end > s.start ? s.end - 1 : s.start, &end_line, &end_column);
	edge_show(d->out, f->name, strlen(f->name));
	fprintf(d->out, ":%u.%u", line, column);
	if (end_line != line)
		fprintf(d->out, "-%u.%u", end_line, end_column);
	else if (end_column != column)
		fprintf(d->out, "-%u", end_column);
	fputs(": ", d->out);
}

/* What stands under n bytes of a line, for as many columns as they take: the first mark, then the other. */
static void print_under(FILE *out, const char *s, size_t n, char first, char other)
{
	char shown[4], mark = first;

	for (size_t i = 0, used; i < n; i += used) {
		bool is_bytes = edge_shown_char(s + i, n - i, shown, &used) == 4 && used == 1; /* \xNN */

		for (int k = 0; k < (is_bytes ? 4 : 1); k++) {
			fputc(mark == ' ' && s[i] == '\t' ? '\t' : mark, out);
			mark = other;
		}
	}
}

static void print_caret(struct diag *d, struct span s)
{
	const struct source_file *f = file_of(d, s.file);
	unsigned line, column;
	size_t begin, end, last;

	if (!f || !f->text || s.start > f->len)
		return;
	diag_locate(d, s.file, s.start, &line, &column);
	begin = s.start - (column - 1);
	for (end = begin; end < f->len && f->text[end] != '\n';)
		end++;
	if (end - begin > 300)
		return; /* not a line that a person wrote */
	if (end > begin && f->text[end - 1] == '\r')
		end--;
	last = s.end < end ? s.end : end;
	fprintf(d->out, "%5u | ", line);
	edge_show(d->out, f->text + begin, end - begin);
	fputs("\n      | ", d->out);
	print_under(d->out, f->text + begin, (s.start < end ? s.start : end) - begin, ' ', ' ');
	if (last > s.start)
		print_under(d->out, f->text + s.start, last - s.start, '^', '~');
	else
		fputc('^', d->out);
	fputc('\n', d->out);
}

/* One line; what stands in it of the user's files cannot act on the terminal. */
static void print_message(struct diag *d, const char *fmt, va_list ap)
{
	struct arena tmp = { 0 };
	const char *text = arena_vprintf(&tmp, fmt, ap);

	edge_show(d->out, text, strlen(text));
	fputc('\n', d->out);
	arena_release(&tmp);
}

static void say(struct diag *d, struct span s, const char *kind, const char *fmt, va_list ap)
{
	if (d->max_errors && d->errors > d->max_errors)
		return;
	print_place(d, s);
	fprintf(d->out, "%s: ", kind);
	print_message(d, fmt, ap);
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
	print_message(d, fmt, ap);
	va_end(ap);
}
