/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.c - canonical text: the same tokens with canonical blanks.
 *
 * Working on tokens keeps comments where they stand without a tree that knows
 * them. Kept from the author: single blank lines, line breaks inside brackets
 * and after commas, and blocks on one line where they fit. Everything else has one
 * form, which depends on nothing that the output does not show again: so
 * formatting twice changes nothing.
 */
#include "config.h"

#include "dsl.h"
#include "syntax.h"

#include "parse.h"

#include <string.h>

enum { INDENT = 2, CONTINUE = 4, WIDTH = 100 };

struct formatter {
	struct syntax *s;
	const struct token *token;
	uint32_t count;
	struct strbuf *out;
	size_t line_start;  /* in out */
	unsigned depth;     /* blocks open */
	unsigned brackets;
	uint32_t stmt;      /* first token of the statement at hand */
	uint32_t inline_end; /* inside a block on one line until this token; 0: not */
	bool setting;       /* the statement at hand is one */
	bool new_stmt;      /* the next token begins a statement (or closes a block) */
	bool new_line;      /* the next token must stand on a new line */
	bool unary;         /* the last token was a sign */
};

static bool is_word(int k)
{
	return k == TOK_WORD || (k >= TOK_INPUT && k <= TOK_USE);
}

static bool is_operator(int k)
{
	return k >= TOK_PLUS && k <= TOK_OVER;
}

/* Is the minus at token i a sign? */
static bool is_sign(const struct formatter *f, uint32_t i)
{
	int before = i ? f->token[i - 1].kind : TOK_SEMICOLON;

	if (f->setting || is_operator(before) || i == f->stmt)
		return true;
	if (before == TOK_IN && f->token[f->stmt].kind == TOK_FOR)
		return true;
	if (before == TOK_RETURN && i - 1 == f->stmt)
		return true;
	return before == TOK_OPEN || before == TOK_OPEN_LIST || before == TOK_COMMA || before == TOK_EQUALS ||
	       before == TOK_RANGE;
}

/* Does a blank stand between tokens i-1 and i on one line? */
static bool blank_before(const struct formatter *f, uint32_t i)
{
	int a = f->token[i - 1].kind, b = f->token[i].kind;

	if (b == TOK_COMMA || b == TOK_SEMICOLON || b == TOK_CLOSE || b == TOK_CLOSE_LIST || b == TOK_DOT ||
	    b == TOK_RANGE || a == TOK_DOT || a == TOK_RANGE || a == TOK_OPEN || a == TOK_OPEN_LIST)
		return false;
	if (f->unary || (f->brackets && (a == TOK_EQUALS || b == TOK_EQUALS)))
		return false;
	if (b == TOK_OPEN && is_word(a))
		return (a == TOK_RETURN && i - 1 == f->stmt) || (a == TOK_IN && f->token[f->stmt].kind == TOK_FOR &&
								  i - 1 == f->stmt + 2);
	if (b == TOK_OPEN_LIST && is_word(a))
		return (a == TOK_RETURN && i - 1 == f->stmt);
	return true;
}

/* The token's canonical text, comments without blanks at their end. */
static void put_token(const struct formatter *f, uint32_t i)
{
	const struct token *t = &f->token[i];
	const char *text = f->s->text + t->span.start;
	size_t len = t->span.end - t->span.start, digits;

	while (t->kind == TOKEN_COMMENT && len && strchr(" \t\r\f\v", text[len - 1]))
		len--;
	if (t->kind != TOK_QUANTITY) {
		strbuf_add(f->out, text, len);
		return;
	}
	for (digits = 0; digits < len && text[digits] >= '0' && text[digits] <= '9'; digits++)
		;
	if (digits + 1 < len && text[digits] == '.')
		for (digits++; digits < len && text[digits] >= '0' && text[digits] <= '9'; digits++)
			;
	if (digits + 1 < len && (text[digits] == 'e' || text[digits] == 'E')) {
		size_t e = digits + 1 + (text[digits + 1] == '-' || text[digits + 1] == '+');

		if (e < len && text[e] >= '0' && text[e] <= '9')
			for (digits = e; digits < len && text[digits] >= '0' && text[digits] <= '9'; digits++)
				;
	}
	strbuf_add(f->out, text, digits);
	strbuf_puts(f->out, " ");
	while (digits < len && (text[digits] == ' ' || text[digits] == '\t'))
		digits++;
	strbuf_add(f->out, text + digits, len - digits);
}

static unsigned lines_between(const struct formatter *f, uint32_t i)
{
	unsigned n = 0;

	for (uint32_t p = i ? f->token[i - 1].span.end : 0; p < f->token[i].span.start; p++)
		n += f->s->text[p] == '\n';
	return n;
}

static void put_newline(struct formatter *f, bool blank, unsigned indent)
{
	strbuf_puts(f->out, blank ? "\n\n" : "\n");
	f->line_start = f->out->len;
	strbuf_printf(f->out, "%*s", (int)indent, "");
}

/* Begins statement i: what kind is it? */
static void begin_statement(struct formatter *f, uint32_t i)
{
	int next = i + 1 < f->count ? f->token[i + 1].kind : TOK_SEMICOLON;

	f->stmt = i;
	f->new_stmt = false;
	f->setting = f->token[i].kind == TOK_WORD && next != TOK_EQUALS && next != TOK_COMMA;
}

static void put(struct formatter *f, uint32_t i);

/*
 * The block that opens at token i may stand on one line when it did and when
 * the line is not too long. Returns its closing token, or 0. The length is that
 * of the block really printed, into a scratch buffer.
 */
static uint32_t one_line_block(const struct formatter *f, uint32_t i)
{
	struct strbuf scratch = { 0 };
	struct formatter try = *f;
	uint32_t end, open = 0;
	size_t width = f->out->len - f->line_start;
	bool fits = true;

	for (end = i; end < f->count; end++) {
		int k = f->token[end].kind;

		open += k == TOK_OPEN_BLOCK;
		if (k == TOK_CLOSE_BLOCK && --open == 0)
			break;
		if (k == TOKEN_COMMENT || (end > i && lines_between(f, end)) || end > i + WIDTH)
			return 0;
	}
	if (end >= f->count || (lines_between(f, end) && end > i + 1))
		return 0;
	if (end == i + 1)
		return end;
	try.out = &scratch;
	try.inline_end = end;
	try.new_stmt = try.new_line = false;
	try.line_start = 0;
	for (uint32_t j = i; j <= end && fits; j++) {
		put(&try, j);
		fits = width + scratch.len <= WIDTH;
	}
	strbuf_free(&scratch);
	return fits ? end : 0;
}

static void put_comment(struct formatter *f, uint32_t i)
{
	unsigned lines = lines_between(f, i);

	if (i && !lines) {
		strbuf_puts(f->out, "  ");
	} else if (i) {
		bool blank = lines > 1 && f->new_stmt && f->token[i - 1].kind != TOK_OPEN_BLOCK;

		put_newline(f, blank, f->depth * INDENT + (f->new_stmt ? 0 : CONTINUE));
	}
	put_token(f, i);
	f->new_line = true;
}

/* What stands between tokens i-1 and i. */
static void put_gap(struct formatter *f, uint32_t i)
{
	int kind = f->token[i].kind, before = f->token[i - 1].kind;
	unsigned lines = lines_between(f, i);
	bool keep = f->brackets || before == TOK_COMMA || before == TOK_EQUALS;

	if (f->inline_end)
		strbuf_puts(f->out, f->new_stmt || blank_before(f, i) ? " " : "");
	else if (f->new_stmt)
		put_newline(f, lines > 1 && before != TOK_OPEN_BLOCK && kind != TOK_CLOSE_BLOCK, f->depth * INDENT);
	else if (f->new_line || (lines && keep))
		put_newline(f, false, f->depth * INDENT + CONTINUE);
	else if (blank_before(f, i))
		strbuf_puts(f->out, " ");
}

static void put(struct formatter *f, uint32_t i)
{
	int kind = f->token[i].kind;

	if (kind == TOKEN_COMMENT) {
		put_comment(f, i);
		return;
	}
	if (kind == TOK_CLOSE_BLOCK && f->depth)
		f->depth--;
	if (i)
		put_gap(f, i);
	if (f->new_stmt && kind != TOK_CLOSE_BLOCK)
		begin_statement(f, i);
	f->new_line = false;
	if (kind == TOK_OPEN_BLOCK && !f->inline_end)
		f->inline_end = one_line_block(f, i);
	f->unary = kind == TOK_MINUS && is_sign(f, i);
	put_token(f, i);
	f->brackets += kind == TOK_OPEN || kind == TOK_OPEN_LIST;
	if ((kind == TOK_CLOSE || kind == TOK_CLOSE_LIST) && f->brackets)
		f->brackets--;
	f->depth += kind == TOK_OPEN_BLOCK;
	f->new_stmt = kind == TOK_OPEN_BLOCK || kind == TOK_CLOSE_BLOCK || kind == TOK_SEMICOLON;
	if (i && i == f->inline_end)
		f->inline_end = 0;
}

bool dsl_format(struct arena *a, struct diag *d, const char *path, struct strbuf *out)
{
	struct formatter f = { .out = out, .new_stmt = true };
	struct syntax s;

	if (!syntax_open(&s, a, d, path, NO_SPAN) || !syntax_parse(&s))
		return false;
	f.s = &s;
	f.token = syntax_tokens(&s, &f.count);
	for (uint32_t i = 0; i < f.count; i++)
		put(&f, i);
	if (f.count)
		strbuf_puts(out, "\n");
	return true;
}
