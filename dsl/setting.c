/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting.c - match "word items;" against the table of its block.
 *
 * The matcher walks pattern and items side by side. Optional parts are chosen
 * by the word that they begin with, so there is never a need to go back, and
 * every failure has one place and one expectation to name.
 */
#include "config.h"

#include "setting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- units */

enum unit_kind { UNIT_BYTES = 1, UNIT_TIME, UNIT_RATE, UNIT_FLOPS, UNIT_PERCENT };

static const struct unit {
	const char *name;
	enum unit_kind kind;
	double factor;
} units[] = {
	{ "B", UNIT_BYTES, 1 }, { "kB", UNIT_BYTES, 1e3 }, { "MB", UNIT_BYTES, 1e6 },
	{ "GB", UNIT_BYTES, 1e9 }, { "TB", UNIT_BYTES, 1e12 }, { "KiB", UNIT_BYTES, 1024 },
	{ "MiB", UNIT_BYTES, 1048576 }, { "GiB", UNIT_BYTES, 1073741824 },
	{ "TiB", UNIT_BYTES, 1099511627776 },
	{ "B/s", UNIT_RATE, 1 }, { "kB/s", UNIT_RATE, 1e3 }, { "MB/s", UNIT_RATE, 1e6 },
	{ "GB/s", UNIT_RATE, 1e9 }, { "TB/s", UNIT_RATE, 1e12 }, { "KiB/s", UNIT_RATE, 1024 },
	{ "MiB/s", UNIT_RATE, 1048576 }, { "GiB/s", UNIT_RATE, 1073741824 },
	{ "FLOP/s", UNIT_FLOPS, 1 }, { "MFLOP/s", UNIT_FLOPS, 1e6 }, { "GFLOP/s", UNIT_FLOPS, 1e9 },
	{ "TFLOP/s", UNIT_FLOPS, 1e12 },
	{ "ns", UNIT_TIME, 1e-9 }, { "us", UNIT_TIME, 1e-6 }, { "\xc2\xb5s", UNIT_TIME, 1e-6 },
	{ "\xce\xbcs", UNIT_TIME, 1e-6 }, { "ms", UNIT_TIME, 1e-3 }, { "s", UNIT_TIME, 1 },
	{ "%", UNIT_PERCENT, 1 },
};
enum { UNITS = sizeof units / sizeof *units };

static const struct unit *find_unit(const char *name)
{
	for (uint32_t i = 0; i < UNITS; i++)
		if (!strcmp(units[i].name, name))
			return &units[i];
	return NULL;
}

static const char *unit_kind_name(enum unit_kind k)
{
	return k == UNIT_BYTES ? "a size" : k == UNIT_TIME ? "a time" : k == UNIT_RATE ? "a data rate"
		: k == UNIT_FLOPS ? "a computing rate" : "a percentage";
}

static const char *unit_example(enum unit_kind k)
{
	return k == UNIT_BYTES ? "24 MiB" : k == UNIT_TIME ? "4 us" : k == UNIT_RATE ? "1.2 GB/s"
		: k == UNIT_FLOPS ? "200 GFLOP/s" : "1 %";
}

/* The unit that someone who wrote `name` meant: letters in the wrong case, or close by. */
static const char *nearest_unit(enum unit_kind kind, const char *name)
{
	for (uint32_t i = 0; i < UNITS; i++) {
		const char *u = units[i].name;
		size_t n = 0;

		while (u[n] && name[n] && (u[n] | 32) == (name[n] | 32))
			n++;
		if (units[i].kind == kind && !u[n] && !name[n])
			return u;
	}
	return NULL;
}

/* ---- matching */

struct matcher {
	struct arena *arena;
	struct diag *diag;
	const struct ast_stmt *stmt;
	const char *pattern; /* of the whole row, for messages */
	uint32_t next;       /* item */
	struct setting *out;
};

static const struct ast_item *peek(const struct matcher *m)
{
	return m->next < m->stmt->items.len ? &m->stmt->items.data[m->next] : NULL;
}

/* Where something was expected: the next item, or the end of the statement. */
static struct span here(const struct matcher *m)
{
	const struct ast_item *item = peek(m);

	if (item)
		return item->span;
	return (struct span){ m->stmt->span.file, m->stmt->span.end - 1, m->stmt->span.end };
}

static struct span item_or_name(const struct matcher *m, uint32_t i)
{
	return i ? m->stmt->items.data[i - 1].span : m->stmt->name.span;
}

/* What follows may be a statement of its own whose ";" was left out. */
static void hint_semicolon(const struct matcher *m)
{
	struct span at = here(m), before = item_or_name(m, m->next);
	unsigned line, line_before, column;

	if (!peek(m) || m->diag->errors > 50)
		return;
	diag_locate(m->diag, at.file, at.start, &line, &column);
	diag_locate(m->diag, at.file, before.end, &line_before, &column);
	if (line > line_before)
		diag_hint(m->diag, "Is a \";\" missing at the end of line %u?", line_before);
}

static void usage(struct strbuf *out, const char *name, const char *pattern)
{
	strbuf_puts(out, name);
	if (*pattern)
		strbuf_puts(out, " ");
	while (*pattern) {
		size_t n = strcspn(pattern, " []");
		const char *colon = memchr(pattern, ':', n);

		if (colon && !memchr(pattern, '|', n)) {
			const char *type = colon + 1;
			size_t len = n - (size_t)(type - pattern);

			if (len == 3 && !strncmp(type, "INT", 3))
				strbuf_puts(out, "NUMBER");
			else if (len == 6 && !strncmp(type, "STRING", 6))
				strbuf_puts(out, "\"TEXT\"");
			else if (len == 5 && !strncmp(type, "LIMIT", 5))
				strbuf_puts(out, "BUDGET|SIZE");
			else if (len == 4 && !strncmp(type, "LIST", 4))
				strbuf_puts(out, "NAME, ...");
			else if (len == 4 && !strncmp(type, "PORT", 4))
				strbuf_puts(out, "MODEL.NAME");
			else
				strbuf_add(out, type, len);
		} else {
			if (colon)
				n -= (size_t)(colon + 1 - pattern), pattern = colon + 1;
			strbuf_add(out, pattern, n);
		}
		pattern += n;
		if (*pattern)
			strbuf_add(out, pattern++, 1);
	}
	strbuf_puts(out, ";");
}

static void hint_usage(const struct matcher *m)
{
	struct strbuf b = { 0 };

	usage(&b, m->stmt->name.text, m->pattern);
	diag_hint(m->diag, "Write: %s", strbuf_str(&b));
	strbuf_free(&b);
}

static bool expected(struct matcher *m, const char *what)
{
	if (peek(m))
		diag_error(m->diag, here(m), "\"%s\" expects %s here", m->stmt->name.text, what);
	else
		diag_error(m->diag, here(m), "\"%s\" ends where it expects %s", m->stmt->name.text, what);
	hint_usage(m);
	hint_semicolon(m);
	return false;
}

static struct setting_value *push(struct matcher *m, const char *label, size_t len, struct span span)
{
	struct setting_value v = { .label = label, .label_len = len, .span = span };

	vec_push(m->arena, &m->out->values, v);
	return &m->out->values.data[m->out->values.len - 1];
}

/* Does the word stand among a|b|c? */
static bool in_choice(const char *choice, size_t len, const char *word)
{
	size_t n = strlen(word);

	while (len) {
		const char *bar = memchr(choice, '|', len);
		size_t part = bar ? (size_t)(bar - choice) : len;

		if (part == n && !memcmp(choice, word, n))
			return true;
		choice += bar ? part + 1 : part;
		len -= bar ? part + 1 : part;
	}
	return false;
}

static const char *choice_words(struct arena *a, const char *choice, size_t len)
{
	char *out = arena_alloc(a, len * 4 + 8), *p = out;

	for (size_t i = 0; i < len; i++) {
		bool last = !memchr(choice + i + 1, '|', len - i - 1);

		if (choice[i] == '|')
			p += sprintf(p, "%s", last ? " or " : ", ");
		else
			*p++ = choice[i];
	}
	*p = 0;
	return out;
}

static bool match_choice(struct matcher *m, const char *label, size_t label_len, const char *choice, size_t len)
{
	const struct ast_item *item = peek(m);
	const char *words = choice_words(m->arena, choice, len);
	char quoted[320];

	if (!item || item->kind != ITEM_WORD || !in_choice(choice, len, item->text)) {
		snprintf(quoted, sizeof quoted, memchr(choice, '|', len) ? "%s" : "\"%s\"", words);
		return expected(m, quoted);
	}
	push(m, label, label_len, item->span)->text = item->text;
	m->next++;
	return true;
}

/* A number with its unit, which may be the next word. */
static bool match_quantity(struct matcher *m, struct setting_value *v, enum unit_kind kind)
{
	const struct ast_item *item = peek(m), *after;
	const char *unit = item->number.unit, *near;
	const struct unit *u;

	m->next++;
	after = peek(m);
	if (!unit && after && after->kind == ITEM_WORD && !after->comma &&
	    (find_unit(after->text) || nearest_unit(kind, after->text) || m->next + 1 == m->stmt->items.len)) {
		unit = after->text;
		v->span.end = after->span.end;
		m->next++;
	}
	u = unit ? find_unit(unit) : NULL;
	if (!unit && kind == UNIT_BYTES && item->number.is_integer) {
		u = &units[0];
	} else if (!unit) {
		diag_error(m->diag, v->span, "\"%s\" is %s and needs a unit", m->stmt->name.text, unit_kind_name(kind));
		diag_hint(m->diag, "For example: %s.", unit_example(kind));
		return false;
	}
	if (!u || u->kind != kind) {
		near = nearest_unit(kind, unit);
		if (u)
			diag_error(m->diag, v->span, "\"%s\" is %s, but %s is the unit of %s", m->stmt->name.text,
				   unit_kind_name(kind), unit, unit_kind_name(u->kind));
		else
			diag_error(m->diag, v->span, "unknown unit \"%s\"", unit);
		if (near)
			diag_hint(m->diag, "Did you mean %s?", near);
		else
			diag_hint(m->diag, "%s is written like %s.", m->stmt->name.text, unit_example(kind));
		return false;
	}
	v->number = item->number.value * u->factor;
	if (!(v->number > 0) || v->number >= 0x1p62) {
		diag_error(m->diag, v->span, "\"%s\" must be more than 0%s", m->stmt->name.text,
			   v->number > 0 ? " and less than 2^62" : "");
		return false;
	}
	v->integer = (uint64_t)v->number;
	if (kind == UNIT_BYTES && item->number.is_integer && u->factor == 1)
		v->integer = (uint64_t)item->number.integer;
	return true;
}

static bool is_type(const char *type, size_t len, const char *name)
{
	return strlen(name) == len && !memcmp(type, name, len);
}

static bool match_integer(struct matcher *m, const char *label, size_t label_len)
{
	const struct ast_item *item = peek(m);
	struct setting_value *v;

	if (!item || item->kind != ITEM_NUMBER || !item->number.is_integer || item->number.integer < 0)
		return expected(m, "a whole number");
	if (item->number.unit) {
		diag_error(m->diag, item->span, "\"%s\" is a plain number, without a unit", m->stmt->name.text);
		return false;
	}
	v = push(m, label, label_len, item->span);
	v->integer = (uint64_t)item->number.integer;
	v->number = (double)v->integer;
	m->next++;
	return true;
}

static bool match_list(struct matcher *m, const char *label, size_t label_len)
{
	const struct ast_item *item = peek(m);

	if (!item || (item->kind != ITEM_WORD && item->kind != ITEM_STRING))
		return expected(m, "a name or a string");
	do {
		push(m, label, label_len, item->span)->text = item->text;
		m->next++;
		item = peek(m);
	} while (item && item->comma && (item->kind == ITEM_WORD || item->kind == ITEM_STRING));
	return true;
}

static bool match_typed(struct matcher *m, const char *label, size_t label_len, const char *type, size_t len)
{
	static const struct { const char *name; enum unit_kind kind; const char *what; } quantity[] = {
		{ "SIZE", UNIT_BYTES, "a size like 24 MiB" }, { "RATE", UNIT_RATE, "a data rate like 1.2 GB/s" },
		{ "FLOPS", UNIT_FLOPS, "a computing rate like 200 GFLOP/s" },
		{ "TIME", UNIT_TIME, "a time like 4 us" }, { "PERCENT", UNIT_PERCENT, "a percentage like 1 %" },
	};
	const struct ast_item *item = peek(m);
	bool limit = is_type(type, len, "LIMIT");
	struct setting_value *v;

	if (is_type(type, len, "INT"))
		return match_integer(m, label, label_len);
	if (is_type(type, len, "LIST"))
		return match_list(m, label, label_len);
	for (uint32_t i = 0; i < sizeof quantity / sizeof *quantity; i++) {
		if (!is_type(type, len, quantity[i].name))
			continue;
		if (!item || item->kind != ITEM_NUMBER)
			return expected(m, quantity[i].what);
		return match_quantity(m, push(m, label, label_len, item->span), quantity[i].kind);
	}
	if (limit && item && item->kind == ITEM_NUMBER)
		return match_quantity(m, push(m, label, label_len, item->span), UNIT_BYTES);
	if (is_type(type, len, "STRING") && (!item || item->kind != ITEM_STRING))
		return expected(m, "text in quotes");
	if (is_type(type, len, "NAME") && (!item || item->kind != ITEM_WORD))
		return expected(m, "a name");
	if (is_type(type, len, "PORT") && (!item || item->kind != ITEM_PORT))
		return expected(m, "a name of the form MODEL.NAME");
	if (limit && (!item || item->kind != ITEM_WORD))
		return expected(m, "the name of a budget or a size like 24 MiB");
	v = push(m, label, label_len, item->span);
	v->text = item->text;
	v->port = item->port;
	m->next++;
	return true;
}

static bool match_element(struct matcher *m, const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);
	const char *body = colon ? colon + 1 : p;
	size_t len = n - (size_t)(body - p), label_len = colon ? (size_t)(colon - p) : 0;
	const struct ast_item *item = peek(m);

	if (item && item->comma) {
		diag_error(m->diag, item->span, "unexpected \",\" before this");
		hint_usage(m);
		return false;
	}
	if (body[0] >= 'A' && body[0] <= 'Z')
		return match_typed(m, p, label_len, body, len);
	return match_choice(m, p, label_len, body, len);
}

/* Does the part of the pattern at p (an element) begin with the next item? */
static bool begins(const struct matcher *m, const char *p)
{
	size_t n = strcspn(p, " ]");
	const char *colon = memchr(p, ':', n);
	const struct ast_item *item = peek(m);

	if (colon) {
		n -= (size_t)(colon + 1 - p);
		p = colon + 1;
	}
	return item && item->kind == ITEM_WORD && in_choice(p, n, item->text);
}

static bool match_row(struct matcher *m, const char *p, const char *end)
{
	while (p < end && *p != '[') {
		size_t n = strcspn(p, " ]");

		if (!match_element(m, p, n))
			return false;
		p += n;
		while (p < end && *p == ' ')
			p++;
	}
	return true;
}

static bool match_pattern(struct matcher *m)
{
	const char *options = strchr(m->pattern, '[');
	const char *end = m->pattern + strlen(m->pattern);
	uint32_t used = 0;

	if (!match_row(m, m->pattern, options ? options : end))
		return false;
	while (options && peek(m)) {
		const char *p = options;
		uint32_t bit = 1;

		while (p && ((used & bit) || !begins(m, p + 1))) {
			p = strchr(p + 1, '[');
			bit <<= 1;
		}
		if (!p)
			break;
		used |= bit;
		if (!match_row(m, p + 1, strchr(p, ']')))
			return false;
	}
	if (!peek(m))
		return true;
	diag_error(m->diag, here(m), "unexpected %s after \"%s\"",
		   peek(m)->kind == ITEM_WORD ? arena_printf(m->arena, "\"%s\"", peek(m)->text)
		   : peek(m)->kind == ITEM_NUMBER ? "number" : peek(m)->kind == ITEM_STRING ? "string" : "name",
		   m->stmt->name.text);
	hint_usage(m);
	hint_semicolon(m);
	return false;
}

/* ---- the table */

static void unknown(struct arena *a, struct diag *d, const char *kind, const struct setting_spec *specs,
		    uint32_t count, const struct ast_stmt *t)
{
	const char **names = arena_new_array(a, const char *, count);
	const char *near;

	for (uint32_t i = 0; i < count; i++)
		names[i] = specs[i].name;
	near = ast_nearest(t->name.text, names, count);
	diag_error(d, t->name.span, "a %s block has no setting \"%s\"", kind, t->name.text);
	if (near) {
		diag_hint(d, "Did you mean %s?", near);
	} else {
		struct strbuf b = { 0 };

		for (uint32_t i = 0; i < count; i++)
			if (!i || strcmp(names[i], names[i - 1]))
				strbuf_printf(&b, "%s%s", b.len ? ", " : "", names[i]);
		diag_hint(d, "Its settings are: %s.", strbuf_str(&b));
		strbuf_free(&b);
	}
}

/* No alternative begins like that. */
static void no_alternative(struct diag *d, const struct setting_spec *specs, uint32_t count, const struct ast_stmt *t)
{
	diag_error(d, t->items.len ? t->items.data[0].span : t->name.span, "cannot read this \"%s\"", t->name.text);
	for (uint32_t i = 0; i < count; i++) {
		struct strbuf b = { 0 };

		if (strcmp(specs[i].name, t->name.text))
			continue;
		usage(&b, specs[i].name, specs[i].pattern);
		diag_hint(d, "Write: %s", strbuf_str(&b));
		strbuf_free(&b);
	}
}

struct setting setting_match(struct arena *a, struct diag *d, const char *kind,
			     const struct setting_spec *specs, uint32_t count, const struct ast_stmt *t)
{
	struct setting out = { 0 };
	struct matcher m = { .arena = a, .diag = d, .stmt = t, .out = &out };
	const struct setting_spec *found = NULL;
	uint32_t rows = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(specs[i].name, t->name.text))
			continue;
		rows++;
		if (!found || begins(&m, specs[i].pattern))
			found = &specs[i];
	}
	if (!found) {
		unknown(a, d, kind, specs, count, t);
		return out;
	}
	if (rows > 1 && !begins(&m, found->pattern)) {
		no_alternative(d, specs, count, t);
		return out;
	}
	m.pattern = found->pattern;
	if (match_pattern(&m))
		out.spec = found;
	return out;
}

const struct setting_value *setting_get(const struct setting *s, const char *label)
{
	for (uint32_t i = 0; i < s->values.len; i++) {
		const struct setting_value *v = &s->values.data[i];

		if (v->label_len == strlen(label) && !memcmp(v->label, label, v->label_len))
			return v;
	}
	return NULL;
}
